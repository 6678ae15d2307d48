//! What a jail's network needs of the host.

use super::needs_root;
use crate::error::{Error, Result};
use crate::ops::listeners;
use model::boot::{Kind, Waits};
use model::config::{Config, NetworkMode, Rates};
use model::facts::Facts;
use model::forward::Nat;
use std::net::IpAddr;
use sys::netlink::{Socket, route};

/// Everything that is wrong with the keys of `[network]` on this host.
pub(super) fn check(config: &Config, facts: &Facts) -> Vec<Error> {
    let mut wrong: Vec<Error> = rates(config, facts).err().into_iter().collect();
    wrong.extend(firewall(config));
    match config.network.mode {
        NetworkMode::Bind => wrong.extend(bind(config, facts).err()),
        NetworkMode::None | NetworkMode::Host => wrong.extend(no_addresses(config)),
        NetworkMode::Routed | NetworkMode::Bridge | NetworkMode::Macvlan => {
            wrong.extend(own_stack(config, facts).err());
        }
    }
    wrong
}

/// What is said of the host's table `jaula`, where the jail's packets pass it.
fn firewall(config: &Config) -> Vec<Error> {
    let network = &config.network;
    let mut wrong = Vec::new();
    for forward in &network.forward {
        let has = |six| network.ips().any(|ip| ip.is_ipv6() == six);
        let reached = forward.host.map_or_else(|| has(false) || has(true), |host| has(host.is_ipv6()));
        if !reached {
            wrong.push(Error::refused(
                format!("network.forward: \"{forward}\" leads nowhere, the jail has no such address"),
                "give it one: network.addresses",
            ));
        }
    }
    let hosts = network.forward.iter().filter_map(|forward| forward.host.map(|ip| ("network.forward", ip)));
    let source = if let Nat::Source(ip) = network.nat { Some(("network.nat", ip)) } else { None };
    for (key, ip) in hosts.chain(source) {
        if std::net::UdpSocket::bind((ip, 0)).is_err() {
            wrong.push(Error::refused(
                format!("{key}: this host does not have {ip}"),
                format!("give it to an interface, as in: ip address add {ip} dev eth0"),
            ));
        }
    }
    wrong
}

fn no_addresses(config: &Config) -> Option<Error> {
    let mode = config.network.mode;
    (!config.network.addresses.is_empty() || config.network.dhcp).then(|| {
        Error::refused(
            format!("network.addresses: a jail with network.mode = \"{mode}\" has no addresses of its own"),
            "say network.mode = \"bind\" or \"routed\"",
        )
    })
}

/// A jail that is kept to addresses needs who keeps it, and a host that has them.
fn bind(config: &Config, facts: &Facts) -> Result<()> {
    if !facts.root() {
        return Err(needs_root("network.mode = \"bind\""));
    }
    if facts.cgroups.unified.is_none() {
        return Err(no_unified("network.mode = \"bind\""));
    }
    devices(config)?;
    // Whoever has an address may bind to it.
    let stays = config.network.addresses.iter().filter(|address| address.device.is_none());
    let missing = |ip: &IpAddr| std::net::UdpSocket::bind((*ip, 0)).is_err();
    match stays.map(|address| address.ip).find(missing) {
        Some(ip) => Err(Error::refused(
            format!("network.addresses: this host does not have {ip}"),
            format!(
                "give it to an interface, as in: ip address add {ip} dev eth0; or let jaula do so while the jail \
                 runs: \"{ip}/24 dev eth0\""
            ),
        )),
        None => Ok(()),
    }
}

pub(crate) fn no_unified(what: &str) -> Error {
    Error::refused(
        format!("{what} needs cgroup version 2, which is not mounted"),
        "mount it (an empty one is enough): mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified",
    )
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

/// What the jail will not get, since services of the host have it; and what these lose to it.
pub(super) fn taken(config: &Config, kind: Kind) -> Result<Vec<String>> {
    let network = &config.network;
    if network.mode != NetworkMode::Bind {
        return Ok(if network.forward.is_empty() {
            Vec::new()
        } else {
            listeners::covered(&network.forward)
        });
    }
    let waits = match kind.waits(&config.boot) {
        Waits::Port(ports) => Some(ports),
        _ => None,
    };
    listeners::look(network, waits)
}

/// The interfaces that addresses name must be there.
fn devices(config: &Config) -> Result<()> {
    for address in &config.network.addresses {
        if let Some(device) = &address.device {
            interface("network.addresses", device)?;
        }
    }
    Ok(())
}

/// An interface of the host, which must be there.
fn interface(key: &str, name: &str) -> Result<route::Link> {
    let socket = Socket::route().map_err(Error::call("reach the host's network"))?;
    let links = route::links(&socket).map_err(Error::call("look at the host's interfaces"))?;
    let names: Vec<&str> = links.iter().map(|link| link.name.as_str()).filter(|name| *name != "lo").collect();
    let help = format!("it has {}", if names.is_empty() { "none".to_owned() } else { names.join(", ") });
    links
        .iter()
        .find(|link| link.name == name)
        .cloned()
        .ok_or_else(|| Error::refused(format!("{key}: this host has no interface {name}"), help))
}

/// A network of its own, with a link.
fn own_stack(config: &Config, facts: &Facts) -> Result<()> {
    let network = &config.network;
    let mode = network.mode;
    if !facts.root() {
        return Err(needs_root(&format!("network.mode = \"{mode}\"")));
    }
    if network.dhcp && !config.may_have_init() {
        return Err(Error::refused(
            "network.addresses: \"dhcp\" is for virtual servers, whose own programs ask for an address",
            "write the jail's addresses: network.addresses = [\"192.0.2.10/24\"]",
        ));
    }
    match (mode, network.bridge(), &network.parent) {
        (_, Some((bridge, false)), _) if interface("network.parent", bridge)?.kind != "bridge" => {
            return Err(Error::refused(
                format!("network.parent: {bridge} is no bridge"),
                "make one, and put it on that: ip link add br0 type bridge; or take network.mode = \"macvlan\"",
            ));
        }
        (NetworkMode::Macvlan, _, None) => {
            return Err(Error::refused(
                "network.mode = \"macvlan\" needs the interface below",
                "name it: network.parent = \"eth0\"",
            ));
        }
        (NetworkMode::Macvlan, _, Some(parent)) => _ = interface("network.parent", parent)?,
        _ => {}
    }
    if mode == NetworkMode::Routed {
        devices(config)?;
        routed(config)?;
    }
    Ok(())
}

/// A routed jail's addresses are nobody else's, and the host passes packets on.
fn routed(config: &Config) -> Result<()> {
    let socket = Socket::route().map_err(Error::call("reach the host's network"))?;
    for ip in config.network.ips() {
        if route::way(&socket, ip).is_ok_and(|way| way.local) {
            return Err(Error::refused(
                format!("network.addresses: {ip} is the host's own"),
                "take another, or share the host's: network.mode = \"bind\"",
            ));
        }
        let (family, switch) = match ip {
            IpAddr::V4(_) => ("IPv4", "net/ipv4/ip_forward"),
            IpAddr::V6(_) => ("IPv6", "net/ipv6/conf/all/forwarding"),
        };
        let on = std::fs::read_to_string(format!("/proc/sys/{switch}")).unwrap_or_default();
        if on.trim() == "0" {
            let name = switch.replace('/', ".");
            return Err(Error::refused(
                format!("network.mode = \"routed\": this host forwards no {family} packets ({name} = 0)"),
                format!(
                    "switch it on: sysctl -w {name}=1; and for each boot: echo {name}=1 >> /etc/sysctl.d/60-jaula.conf"
                ),
            ));
        }
    }
    Ok(())
}
