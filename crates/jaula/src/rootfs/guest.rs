//! Makes the files of a virtual server fit: looks at its tree, and carries out what
//! [`model::guest`] says.
//!
//! Nothing that a guest has put into its tree keeps it from being built or started: what cannot be
//! looked at is left alone, and what cannot be done is told.

use crate::error::{Error, Result};
use crate::house::House;
use crate::registry;
use crate::rootfs::beneath::{Access, Beneath, Found};
use crate::rootfs::store;
use model::config::{Config, Nameserver, NetworkMode};
use model::guest::network::{Address, Interface, Network, Route};
use model::guest::{Action, Age, At, Files, FixUp, Guest, Resolver, fix_ups};
use model::name::Name;
use model::plan::HostStep;
use std::os::fd::AsFd;
use std::path::Path;

/// No file that is looked at is larger.
const LARGEST: usize = 1 << 20;

/// No directory that is looked at has more names.
const MOST: usize = 10_000;

/// How new a guest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Its tree was another's: it gets an id of its own, new host keys, and no mounts.
    Built,
    /// It is a copy of a guest: it gets an id of its own and new host keys.
    Cloned,
    /// It has been there.
    Known,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Fixed {
    /// What was done.
    pub done: Vec<FixUp>,
    /// What could not be done, and why.
    pub failed: Vec<Error>,
}

/// Makes the files of a jail fit that does not run and that the caller has claimed.
pub fn apply(house: &House, name: &Name, config: &Config, when: When) -> Result<Fixed> {
    if !config.guest.manage {
        return Ok(Fixed::default());
    }
    let tree = Beneath::new(store::open(house, name, config)?);
    fix(&tree, name, config, when)
}

/// The same for a tree with ids as on disk, wherever it is.
pub fn fix(tree: &Beneath<impl AsFd>, name: &Name, config: &Config, when: When) -> Result<Fixed> {
    if !config.guest.manage {
        return Ok(Fixed::default());
    }
    let all = fix_ups(&guest(name, config, when)?, &mut View(tree));
    Ok(carry(tree, all))
}

/// What a start would do.
pub(crate) fn look(house: &House, name: &Name, config: &Config) -> Result<Vec<FixUp>> {
    if !config.guest.manage {
        return Ok(Vec::new());
    }
    let tree = Beneath::new(store::look(house, name, config)?);
    let mut guest = guest(name, config, When::Known)?;
    if config.network.mode != NetworkMode::None {
        guest.others = others(house, name);
    }
    Ok(fix_ups(&guest, &mut View(&tree)))
}

/// Does what stands in a plan. Returns what could not be done, in words.
pub(crate) fn carry_out(
    house: &House,
    name: &Name,
    config: &Config,
    steps: &[HostStep],
) -> Result<Vec<String>> {
    let wanted = steps.iter().filter_map(|step| match step {
        HostStep::Guest(fix_up) => Some(fix_up.clone()),
        _ => None,
    });
    let all: Vec<FixUp> = wanted.collect();
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let tree = Beneath::new(store::open(house, name, config)?);
    Ok(carry(&tree, all).failed.iter().map(Error::line).collect())
}

fn carry(tree: &Beneath<impl AsFd>, all: Vec<FixUp>) -> Fixed {
    let mut fixed = Fixed::default();
    for fix_up in all {
        match one(tree, &fix_up) {
            Ok(()) => fixed.done.push(fix_up),
            Err(error) => fixed.failed.push(error),
        }
    }
    fixed
}

fn one(tree: &Beneath<impl AsFd>, FixUp { path, action, .. }: &FixUp) -> Result<()> {
    let parent = Path::new(path).parent().unwrap_or_else(|| Path::new("/"));
    match action {
        Action::Write { text, mode } => {
            tree.make_dirs(parent, Access::DIRECTORY)?;
            tree.replace(path, text.as_bytes(), Access { mode: *mode, ..Access::FILE })
        }
        Action::Link(target) => {
            tree.make_dirs(parent, Access::DIRECTORY)?;
            tree.link(path, target)
        }
        Action::Remove => tree.remove(path).map(drop),
        Action::Rename(to) => tree.rename(path, to),
    }
}

/// A guest, as its configuration and this host have it.
fn guest(name: &Name, config: &Config, when: When) -> Result<Guest> {
    // With mode bind, too, the interfaces are the host's.
    let shared = config.network.mode.is_hosts();
    let age = match when {
        When::Built => Age::Built { machine_id: machine_id()? },
        When::Cloned => Age::Cloned { machine_id: machine_id()? },
        When::Known => Age::Known,
    };
    Ok(Guest {
        hostname: config.hostname.clone().unwrap_or_else(|| name.to_string()),
        others: String::new(),
        network: Network { shared, interfaces: interfaces(config) },
        resolver: resolver(config.network.nameservers.as_deref(), shared),
        age,
        keep: config.guest.keep.clone(),
    })
}

/// The other jails of the house that have addresses, whether they run or not: a guest's list is written before it
/// starts, and not while it runs.
fn others(house: &House, name: &Name) -> String {
    let mut lines = String::new();
    for other in registry::configured(house).unwrap_or_default().iter().filter(|other| *other != name) {
        let Ok(stored) = registry::read(house, other) else { continue };
        let config = &stored.config;
        let ips: Vec<_> = config.network.ips().collect();
        lines += &model::hosts::lines(other, config.hostname.as_deref(), &ips);
    }
    lines
}

/// The interface that it has beside `lo`, as it finds it: what jaula gave it, it is to keep.
fn interfaces(config: &Config) -> Vec<Interface> {
    let network = &config.network;
    let Some(name) = network.inside() else { return Vec::new() };
    let routed = network.mode == NetworkMode::Routed;
    let address = |own: &model::address::Address| Address {
        ip: own.ip,
        prefix: if routed { model::address::bits(own.ip) } else { own.length() },
    };
    let gateways = network.gateways();
    vec![Interface {
        name: name.to_owned(),
        addresses: network.addresses.iter().map(address).collect(),
        dhcp: network.dhcp,
        route: if gateways.is_empty() { Route::None } else { Route::Gateways(gateways) },
    }]
}

/// Whom it asks for names; `None` leaves that to the guest.
fn resolver(wanted: Option<&[Nameserver]>, shared: bool) -> Option<Resolver> {
    let by_default: &[Nameserver] = if shared { &[Nameserver::Inherit] } else { &[] };
    let mut resolver: Option<Resolver> = None;
    for server in wanted.unwrap_or(by_default) {
        let more = match server {
            Nameserver::Address(address) => Some(Resolver::of(&[*address])),
            Nameserver::Inherit => of_host(shared),
        };
        let Some(more) = more else { continue };
        let all = resolver.get_or_insert_default();
        all.servers.extend(more.servers);
        all.search.extend(more.search);
    }
    resolver
}

/// The host's nameservers as a guest has them that follows the host's; `None` for one that does not.
pub(crate) fn inherited(config: &Config) -> Option<Resolver> {
    let network = &config.network;
    let shared = network.mode.is_hosts();
    let follows = match &network.nameservers {
        Some(all) => all.contains(&Nameserver::Inherit),
        None => shared,
    };
    if !config.guest.manage || !config.may_have_init() || !follows {
        return None;
    }
    resolver(network.nameservers.as_deref(), shared)
}

/// Writes whom a running guest asks for names, in place of those that it was told before. Where the file is not as it
/// was written, somebody inside has changed it: then it stays. `root`: of the guest, for whoever is its root.
pub(crate) fn follow(
    root: impl AsFd,
    name: &Name,
    config: &Config,
    before: Resolver,
    now: Resolver,
    owner: u32,
) -> Result<()> {
    let tree = Beneath::new(root);
    let mut guest = guest(name, config, When::Known)?;
    let mut wanted = |resolver| {
        guest.resolver = Some(resolver);
        fix_ups(&guest, &mut View(&tree)).into_iter().find(|fix_up| fix_up.path == RESOLVER)
    };
    if wanted(before).is_some() {
        return Err(Error::Inside(format!("{RESOLVER} was changed inside")));
    }
    match wanted(now).map(|fix_up| fix_up.action) {
        Some(Action::Write { text, mode }) => {
            tree.replace(RESOLVER, text.as_bytes(), Access { user: owner, group: owner, mode })
        }
        // It is kept.
        _ => Ok(()),
    }
}

const RESOLVER: &str = "/etc/resolv.conf";

fn of_host(shared: bool) -> Option<Resolver> {
    let own = std::fs::read_to_string("/etc/resolv.conf").ok()?;
    // What systemd-resolved asks where the file names nobody but itself.
    let behind = std::fs::read_to_string("/run/systemd/resolve/resolv.conf").ok();
    Resolver::inherited(&own, behind.as_deref(), shared)
}

/// A random one, as systemd makes them.
fn machine_id() -> Result<String> {
    let path = Path::new("/proc/sys/kernel/random/uuid");
    let uuid = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    Ok(uuid.trim().replace('-', ""))
}

/// A tree as fix-ups look at it.
struct View<'a, T: AsFd>(&'a Beneath<T>);

impl<T: AsFd> Files for View<'_, T> {
    fn at(&mut self, path: &str) -> At {
        match self.0.look(path) {
            Ok(Found::Nothing) => At::Nothing,
            Ok(Found::Directory(_)) => At::Directory,
            Ok(Found::Link(target)) => target.into_string().map_or(At::Other, At::Link),
            Ok(Found::File(status)) if status.size <= LARGEST as u64 => self.text(path),
            // What cannot be looked at is nothing to be edited.
            Ok(Found::File(_) | Found::Other) | Err(_) => At::Other,
        }
    }

    fn has(&mut self, path: &str) -> bool {
        self.0.look(path).map_or(true, |found| found != Found::Nothing)
    }

    fn names(&mut self, directory: &str) -> Vec<String> {
        let names = self.0.list(directory, MOST).unwrap_or_default();
        // Paths are shown to people, whose terminal such names would speak to.
        let plain = |name: &String| !name.chars().any(char::is_control);
        names.into_iter().filter_map(|name| name.into_string().ok()).filter(plain).collect()
    }
}

impl<T: AsFd> View<'_, T> {
    fn text(&self, path: &str) -> At {
        let text = self.0.read(path, LARGEST).ok().flatten().and_then(|bytes| String::from_utf8(bytes).ok());
        text.map_or(At::Other, At::Text)
    }
}

#[cfg(test)]
mod tests;
