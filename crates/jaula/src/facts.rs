//! What plans must know of this host.

use crate::house::House;
use model::config::{Config, NetworkMode};
use model::facts::{Cgroups, Facts};
use model::seccomp::Arch;
use std::net::IpAddr;
use std::path::PathBuf;
use sys::netlink::{Socket, route};

/// The architecture that jaula was built for.
pub const ARCH: Arch = if cfg!(target_arch = "aarch64") { Arch::Aarch64 } else { Arch::X86_64 };

/// What a plan must know for one more process in a jail that runs; `scoped`: it shares the
/// host's network.
pub(crate) fn of_process(scoped: bool) -> Facts {
    Facts {
        user: sys::process::user(),
        group: sys::process::group(),
        last_capability: sys::process::last_capability(),
        landlock: if scoped { sys::process::landlock() } else { 0 },
        decides_ports: false,
        cgroups: Cgroups::default(),
        run: PathBuf::new(),
        lib: PathBuf::new(),
        house: String::new(),
        machine: String::new(),
        answers: Vec::new(),
    }
}

/// Gathers the facts that the plan of this jail needs.
pub fn gather(house: &House, config: &Config) -> Facts {
    let shared_network = config.network.mode.is_hosts();
    let decides_ports = config.network.listen.is_some() && sys::process::user() == 0;
    Facts {
        decides_ports: decides_ports && crate::launch::ports::can_decide(),
        cgroups: crate::cgroup::find(!config.limits.account.is_empty()),
        run: house.run.clone(),
        lib: house.lib.join("jails"),
        house: house.tag.clone(),
        machine: if config.network.mode.has_link() { machine() } else { String::new() },
        answers: answers(config),
        ..of_process(shared_network)
    }
}

/// What tells this host from others (machine-id(5)), or else its name.
fn machine() -> String {
    let read = |path| std::fs::read_to_string(path).ok().filter(|text| text.trim().len() > 1);
    read("/etc/machine-id")
        .or_else(|| read("/proc/sys/kernel/hostname"))
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// Where the host answers for the addresses of a `routed` jail: on the interface that `dev` names, or else on the one
/// that has the net around the address. What comes to the host through a router needs no answer.
fn answers(config: &Config) -> Vec<(IpAddr, String)> {
    let network = &config.network;
    if network.mode != NetworkMode::Routed || network.addresses.is_empty() || sys::process::user() != 0 {
        return Vec::new();
    }
    let Ok(socket) = Socket::route() else { return Vec::new() };
    let links = route::links(&socket).unwrap_or_default();
    let nets = route::addresses(&socket).unwrap_or_default();
    let around = |ip: IpAddr| {
        // By the nets of interfaces first: while the jail runs the way leads to it.
        let net = nets.iter().find(|(_, own, prefix)| is_net_around(*own, *prefix, ip));
        let index = match net {
            Some((index, ..)) => *index,
            None => route::way(&socket, ip).ok().filter(|way| !way.via && !way.local)?.index,
        };
        let link = links.iter().find(|link| link.index == index)?;
        (net.is_some() || link.kind != "veth").then(|| link.name.clone())
    };
    let device = |address: &model::address::Address| {
        let device = address.device.clone().or_else(|| around(address.ip))?;
        Some((address.ip, device))
    };
    network.addresses.iter().filter_map(device).collect()
}

/// Is the net of one of the host's addresses around this one?
fn is_net_around(own: IpAddr, prefix: u8, ip: IpAddr) -> bool {
    let net = model::address::Address { ip: own, prefix: Some(prefix), device: None };
    !own.is_loopback() && prefix < model::address::bits(own) && net.reaches(ip)
}
