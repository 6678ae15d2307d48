//! `jaula status`: all that is known of a jail's run.

use crate::error::{Error, Result};
use crate::house::House;
use crate::ops::list::{self, Summary};
use crate::registry;
use crate::rootfs::store::Usage;
use model::config::NetworkMode;
use model::name::{IdRange, Name};
use model::time::Moment;
use serde::Serialize;
use std::cell::LazyCell;
use std::path::PathBuf;
use sys::netlink::{Socket, route};

/// All that is known of a jail's run.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// What `jaula list` says of it.
    #[serde(flatten)]
    pub summary: Summary,
    /// Its host name, while it runs.
    pub hostname: Option<String>,
    /// The host's user and group ids that its own stand for, if it has a number.
    pub ids: Option<IdRange>,
    /// The number of its first process on the host.
    pub pid: Option<i32>,
    /// Its keeper; none if it does not run.
    pub keeper: Option<Keeper>,
    /// How often it has started again by itself, while it runs.
    pub restarts: Option<u32>,
    /// How much room its own files take, if it has such and that is known.
    pub disk: Option<Usage>,
    /// What its link has carried, if it runs and has one whose other end is the host's.
    pub traffic: Option<Traffic>,
    /// How it ended last.
    pub last: Option<Last>,
    /// Its configuration; none for one of `jaula run`.
    pub config: Option<PathBuf>,
    /// The log of its console, if there is one.
    pub log: Option<PathBuf>,
}

/// What a jail has got and sent over its link since it started.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Traffic {
    /// How many bytes it got.
    pub received: u64,
    /// How many it sent.
    pub sent: u64,
    /// How many packets it got.
    pub received_packets: u64,
    /// How many it sent.
    pub sent_packets: u64,
}

/// A jail's keeper.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Keeper {
    /// Its number.
    pub pid: i32,
    /// Does it run?
    pub alive: bool,
}

/// How a jail ended.
#[derive(Clone, Debug, Serialize)]
pub struct Last {
    /// When.
    pub at: Moment,
    /// In words.
    pub how: String,
    /// The first process's exit status, if it exited.
    pub status: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
}

/// What is known of these jails, in this order.
pub fn status(house: &House, names: &[Name]) -> Result<Vec<Status>> {
    let links: Links = LazyCell::new(|| Socket::route().and_then(|s| route::links(&s)).unwrap_or_default());
    let one = |name| match of(house, name, &links) {
        Err(Error::NoJail(_)) => None,
        status => Some(status),
    };
    names.iter().filter_map(one).collect()
}

fn of(house: &House, name: &Name, links: &Links) -> Result<Status> {
    let live = registry::live(house, name)?.filter(registry::Live::is_alive);
    let (mut hostname, mut pid, mut keeper, mut restarts) = (None, None, None, None);
    let summary = match live {
        Some(live) => {
            hostname = Some(live.state.hostname.clone());
            pid = live.state.first.filter(|_| live.runs).map(|first| first.pid);
            keeper = Some(Keeper { pid: live.state.keeper.pid, alive: live.kept });
            restarts = Some(live.state.restarts);
            list::of_live(name, live)
        }
        None => list::summary(house, name)?,
    };
    let last = list::last(house, name).map(|ended| Last {
        at: Moment(ended.at),
        how: ended.words(),
        status: ended.status,
        signal: ended.signal,
    });
    let log = Some(house.kept(name).join("console.log")).filter(|log| log.exists());
    let config = registry::has_file(house, name).then(|| house.config(name));
    // Without root a jail has no ids but its caller's.
    let ids = summary.id.filter(|_| sys::process::user() == 0).map(model::name::Id::range);
    let disk = list::disk(house, name);
    let traffic = pid.and(summary.id).filter(|_| passes_host(&summary)).and_then(|id| {
        let link = id.link(&house.tag);
        links.iter().find(|one| one.name == link).map(|one| seen_from_inside(one.traffic))
    });
    Ok(Status { summary, hostname, ids, pid, keeper, restarts, disk, traffic, last, config, log })
}

/// All interfaces of the host, asked for by who needs them.
type Links = LazyCell<Vec<route::Link>, fn() -> Vec<route::Link>>;

fn passes_host(summary: &Summary) -> bool {
    let mode = summary.network.and_then(|mode| mode.parse::<NetworkMode>().ok());
    mode.is_some_and(NetworkMode::passes_host)
}

/// What comes in at the host's end, the jail has sent.
fn seen_from_inside(host: route::Traffic) -> Traffic {
    Traffic {
        received: host.bytes_out,
        sent: host.bytes_in,
        received_packets: host.packets_out,
        sent_packets: host.packets_in,
    }
}
