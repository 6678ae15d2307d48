//! `jaula list`: what there is, at a glance.

use crate::error::{Error, Result};
use crate::house::House;
use crate::registry::{self, Live};
use crate::rootfs::store::{self, Usage};
use crate::state::{self, Ended, Phase};
use model::boot::Kind;
use model::name::{Id, Name};
use model::time::Moment;
use serde::Serialize;
use std::fmt;
use std::net::IpAddr;

/// What a jail is doing, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// Its first process runs and it is ready.
    Running,
    /// Its first process runs, but it is not ready yet.
    Starting,
    /// It has been told to stop.
    Stopping,
    /// It ended, and starts again after a while.
    Waiting,
    /// It does not run.
    Stopped,
    /// It does not run, for it failed: its last start did, or it ended in error.
    Failed,
}

impl Condition {
    /// Is its first process there?
    pub fn runs(self) -> bool {
        matches!(self, Self::Running | Self::Starting | Self::Stopping)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Starting => "starting",
            Self::Stopping => "stopping",
            Self::Waiting => "waiting",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        })
    }
}

/// One jail at a glance. Of a jail that runs, this is how it was started.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Its name.
    pub name: Name,
    /// Its number; none if its file says none and it does not run.
    pub id: Option<Id>,
    /// What it is doing.
    pub state: Condition,
    /// Its address mode; none if its file cannot be read.
    pub network: Option<&'static str>,
    /// The addresses that its file gives it.
    pub addresses: Vec<IpAddr>,
    /// `root.from`
    pub root: Option<String>,
    /// What its first process is: `command`, or the kind of its init; none if that follows from its root.
    pub init: Option<Kind>,
    /// The command of its first process; empty for the program of an app jail.
    pub command: Vec<String>,
    /// Since when it runs.
    pub started: Option<Moment>,
    /// Does it go when the command ends that made it (`jaula run`)?
    pub passing: bool,
    /// What is wrong with it, in words.
    pub problem: Option<String>,
}

/// A jail in a list.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// What is always told.
    #[serde(flatten)]
    pub summary: Summary,
    /// How much room its own files take, if that is asked for: its configuration must be read for it. `Some(None)`:
    /// that would take a look at every file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<Option<Usage>>,
}

/// These jails, in this order. A jail that goes meanwhile is left out.
pub fn list(house: &House, names: &[Name]) -> Result<Vec<Summary>> {
    let one = |name| match summary(house, name) {
        Err(Error::NoJail(_)) => None,
        summary => Some(summary),
    };
    names.iter().filter_map(one).collect()
}

/// The same, and with `disk` the room of each.
pub fn listed(house: &House, names: &[Name], disk: bool) -> Result<Vec<Listed>> {
    let with = |summary: Summary| {
        let disk = disk.then(|| self::disk(house, &summary.name));
        Listed { summary, disk }
    };
    Ok(list(house, names)?.into_iter().map(with).collect())
}

/// How much room a jail's own files take, as its configuration says that they are kept.
pub(crate) fn disk(house: &House, name: &Name) -> Option<Usage> {
    let stored = registry::read(house, name).ok().filter(|stored| stored.config.root.is_own())?;
    store::usage(house, name, &stored.config)
}

/// One jail. Of a jail that runs only its small state file is read, of another its configuration.
pub fn summary(house: &House, name: &Name) -> Result<Summary> {
    match registry::live(house, name)? {
        Some(live) if live.is_alive() => Ok(of_live(name, live)),
        left => of_stopped(house, name, left.is_some()),
    }
}

/// A jail that runs.
pub(crate) fn of_live(name: &Name, Live { state, runs, kept }: Live) -> Summary {
    let condition = match state.phase {
        Phase::Starting => Condition::Starting,
        Phase::Running if runs => Condition::Running,
        Phase::Stopping => Condition::Stopping,
        // Its keeper is about to note how it ended.
        Phase::Running | Phase::Waiting => Condition::Waiting,
    };
    Summary {
        name: name.clone(),
        id: Some(state.id),
        state: condition,
        network: Some(state.network.word()),
        addresses: state.addresses,
        root: Some(state.root).filter(|root| !root.is_empty()),
        init: Some(state.init),
        command: state.command,
        started: runs.then_some(Moment(state.started)),
        passing: state.passing,
        problem: (!kept).then(|| "its keeper died".to_owned()),
    }
}

/// A jail that does not run; with `remains`, its run directory is still there.
fn of_stopped(house: &House, name: &Name, remains: bool) -> Result<Summary> {
    let last = last(house, name);
    let remains = remains.then(|| "it ended without its keeper: jaula gc tidies up".to_owned());
    let mut summary = Summary {
        name: name.clone(),
        id: None,
        state: if remains.is_some() || last.is_some_and(|l| is_failure(&l)) {
            Condition::Failed
        } else {
            Condition::Stopped
        },
        network: None,
        addresses: Vec::new(),
        root: None,
        init: None,
        command: Vec::new(),
        started: None,
        passing: false,
        problem: remains,
    };
    match registry::read(house, name) {
        Ok(stored) => {
            let config = stored.config;
            summary.id = config.id;
            summary.network = Some(config.network.mode.word());
            summary.addresses = config.network.ips().collect();
            summary.root = config.root.from.as_ref().map(ToString::to_string);
            summary.init = Kind::said(&config.boot, config.may_have_init());
            summary.command = config.boot.command;
        }
        Err(error @ Error::NoJail(_)) => return Err(error),
        Err(_) => summary.problem = Some(format!("its configuration is faulty: jaula config check {name}")),
    }
    Ok(summary)
}

/// How it ended last, if that is known.
pub(crate) fn last(house: &House, name: &Name) -> Option<Ended> {
    let text = std::fs::read(house.kept(name).join(state::LAST)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Did it fail, rather than being stopped or coming to its end?
fn is_failure(last: &Ended) -> bool {
    let badly = last.signal.is_some() || last.status.is_some_and(|status| status != 0);
    last.failure.is_some() || badly && !last.stopped && last.inside.is_none()
}
