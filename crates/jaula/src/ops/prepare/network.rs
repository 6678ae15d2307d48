//! What a jail's network needs of the host.

use super::needs_root;
use crate::error::{Error, Result};
use crate::house::House;
use crate::ops::listeners;
use model::boot::{Kind, Waits};
use model::config::{Config, Mount, MountSource, NetworkMode, Rates, RootSpec};
use model::confinement::{Confinement, may_mount};
use model::facts::Facts;
use model::forward::Nat;
use model::plan::AppEntry;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Everything that is wrong with the keys of `[network]` on this host.
pub(super) fn check(config: &Config, facts: &Facts) -> Vec<Error> {
    let mut wrong: Vec<Error> = unbuilt(config).into_iter().collect();
    wrong.extend(addresses(config, facts).err());
    wrong.extend(rates(config, facts).err());
    wrong
}

/// Keys that a file can say and nothing carries out yet: refused, since they are not to be passed over.
fn unbuilt(config: &Config) -> Option<Error> {
    let network = &config.network;
    let asked = [
        ("network.mode", network.mode.has_link()),
        ("network.addresses: dev", network.addresses.iter().any(|address| address.device.is_some())),
        ("network.nat", network.nat != Nat::Auto),
        ("network.forward", !network.forward.is_empty()),
        ("network.connections", network.connections.is_some()),
        ("network.guard", !network.guard),
    ];
    let (key, _) = asked.into_iter().find(|(_, asked)| *asked)?;
    Some(Error::refused(format!("{key}: this version of jaula cannot do that yet"), "leave it out"))
}

/// What the jail will not get, since services of the host have it.
pub(super) fn taken(config: &Config, kind: Kind) -> Result<Vec<String>> {
    if config.network.mode != NetworkMode::Bind {
        return Ok(if config.network.forward.is_empty() {
            Vec::new()
        } else {
            listeners::covered(&config.network.forward)
        });
    }
    let waits = match kind.waits(&config.boot) {
        Waits::Port(ports) => Some(ports),
        _ => None,
    };
    listeners::look(&config.network, waits)
}

/// Rates are kept by programs on the jail's control group.
fn rates(config: &Config, facts: &Facts) -> Result<()> {
    match config.network.rate == Rates::default() {
        true => Ok(()),
        false if !facts.root() => Err(needs_root("network.rate")),
        false if facts.cgroups.unified.is_none() => Err(no_unified("network.rate")),
        false => Ok(()),
    }
}

/// A jail that is kept to addresses needs who keeps it, and a host that has them.
fn addresses(config: &Config, facts: &Facts) -> Result<()> {
    match config.network.mode {
        NetworkMode::Bind => {}
        NetworkMode::Routed | NetworkMode::Bridge | NetworkMode::Macvlan => return Ok(()),
        _ if config.network.addresses.is_empty() => return Ok(()),
        mode => {
            return Err(Error::refused(
                format!(
                    "network.addresses: a jail with network.mode = \"{mode}\" has no addresses of its own"
                ),
                "say network.mode = \"bind\" or \"routed\"",
            ));
        }
    }
    if !facts.root() {
        return Err(needs_root("network.mode = \"bind\""));
    }
    if facts.cgroups.unified.is_none() {
        return Err(no_unified("network.mode = \"bind\""));
    }
    on_host(config.network.ips())
}

pub(crate) fn no_unified(what: &str) -> Error {
    Error::refused(
        format!("{what} needs cgroup version 2, which is not mounted"),
        "mount it (an empty one is enough): mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified",
    )
}

/// The host must have these addresses.
pub(crate) fn on_host(addresses: impl IntoIterator<Item = IpAddr>) -> Result<()> {
    // Whoever has an address may bind to it.
    let missing = |ip: &IpAddr| std::net::UdpSocket::bind((*ip, 0)).is_err();
    match addresses.into_iter().find(missing) {
        Some(ip) => Err(Error::refused(
            format!("this host does not have {ip}"),
            format!("give it to an interface, as in: ip address add {ip} dev eth0"),
        )),
        None => Ok(()),
    }
}

/// Has the jail the list of names that jails share as its `/etc/hosts`? Virtual servers and other trees have a file of
/// their own, which is theirs to change; and what is mounted over it must stay read-only.
pub(super) fn shows_names(
    config: &Config,
    facts: &Facts,
    confinement: &Confinement,
    app: &[AppEntry],
    tree: Option<&Path>,
) -> bool {
    let target = Path::new(HOSTS);
    let below = target.strip_prefix("/").unwrap_or(target);
    let there = match &config.root.from {
        _ if config.network.mode == NetworkMode::None || !facts.root() => false,
        Some(RootSpec::App(_)) => match tree {
            Some(tree) => tree.join(below).is_file(),
            None => app.iter().any(|entry| entry.path == below),
        },
        Some(RootSpec::Host) => !config.root.is_own() && target.is_file(),
        _ => false,
    };
    there
        && !may_mount(config, confinement.capabilities)
        && !config.mounts.iter().any(|mount| target.starts_with(&mount.target))
}

const HOSTS: &str = "/etc/hosts";

/// Where the list is.
pub(super) fn names(house: &House) -> PathBuf {
    house.run.join(crate::names::FILE)
}

/// The configuration with the list mounted.
pub(super) fn with_names(house: &House, config: &Config) -> Config {
    let mut config = config.clone();
    config.mounts.push(Mount {
        source: MountSource::Bind { path: names(house), mapped: false },
        target: PathBuf::from(HOSTS),
        writable: false,
        exec: false,
    });
    config
}
