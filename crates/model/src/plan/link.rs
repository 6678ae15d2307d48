//! The link of a jail with a network of its own, as host steps.

use super::{HostStep, Jail};
use crate::address::{self, Address};
use crate::config::NetworkMode;
use crate::firewall::Share;
use crate::link::{self, Mac};
use std::fmt;
use std::net::IpAddr;

/// A jail's link: the host's end of it, and the jail's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The host's end; a macvlan has none.
    pub name: String,
    /// The host's hardware address on it.
    pub host_mac: Mac,
    /// Where it leads.
    pub leads: Leads,
    /// Its name inside.
    pub inside: String,
    /// The jail's hardware address.
    pub mac: Mac,
    /// The longest packet, if it is not the kernel's choice.
    pub mtu: Option<u16>,
    /// The jail's addresses, with the length of their nets.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Where all goes that is for nobody else.
    pub gateways: Vec<IpAddr>,
}

/// Where a link leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leads {
    /// To the host, which routes.
    Host,
    /// To this bridge.
    Bridge(String),
    /// It is over this interface.
    Over(String),
}

/// An address of the jail that others on a net can see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnNet {
    /// The address.
    pub ip: IpAddr,
    /// The interface of the host that the net is on.
    pub device: String,
    /// The hardware address that has it; `None` for the interface's own.
    pub mac: Option<Mac>,
}

/// Something on the host that several jails may need: it comes with the first and goes with the last of them, if it
/// was not there before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shared {
    /// A bridge.
    Bridge {
        /// Its name.
        name: String,
        /// Its hardware address.
        mac: Mac,
    },
    /// An address on an interface.
    Address {
        /// The interface.
        device: String,
        /// The address.
        ip: IpAddr,
        /// The length of its net.
        prefix: u8,
    },
    /// A setting of an interface.
    Setting {
        /// The interface, or [`EVERY`].
        device: String,
        /// Which one.
        setting: Setting,
    },
}

/// The directory of `net/ipv6/conf` that is for every interface.
const EVERY: &str = "all";

/// What the kernel is told of an interface on which the host answers for jails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// It answers neighbour solicitations for the addresses that are listed, each with its interface. It is set for
    /// every interface: the one of an interface is put back by systemd-networkd, and where a neighbour asks again
    /// whether the address is still there the kernel looks at no other (net/ipv6/ip6_output.c, `ip6_forward`).
    Ndp,
    /// It answers at once who asks for such an address of IPv4. By itself the kernel waits for up to 0.8 s, so that not
    /// all who answer for one address do so in the same moment; here nobody else does.
    AtOnce4,
    /// The same with IPv6.
    AtOnce6,
}

impl Setting {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Ndp, Self::AtOnce4, Self::AtOnce6];

    /// A word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ndp => "ndp",
            Self::AtOnce4 => "at-once4",
            Self::AtOnce6 => "at-once6",
        }
    }

    /// Its name (sysctl(8)) for this interface.
    pub fn name(self, device: &str) -> String {
        match self {
            Self::Ndp => format!("net/ipv6/conf/{device}/proxy_ndp"),
            Self::AtOnce4 => format!("net/ipv4/neigh/{device}/proxy_delay"),
            Self::AtOnce6 => format!("net/ipv6/neigh/{device}/proxy_delay"),
        }
    }

    /// What it is set to.
    pub fn value(self) -> &'static str {
        match self {
            Self::Ndp => "1",
            Self::AtOnce4 | Self::AtOnce6 => "0",
        }
    }
}

impl fmt::Display for Shared {
    /// As `ip` has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bridge { name, mac } => write!(f, "ip link add {name} address {mac} type bridge"),
            Self::Address { device, ip, prefix } => write!(f, "ip address add {ip}/{prefix} dev {device}"),
            Self::Setting { device, setting } => {
                write!(f, "sysctl {}={}", setting.name(device), setting.value())
            }
        }
    }
}

impl fmt::Display for OnNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} dev {}", self.ip, self.device)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, inside, mac, .. } = self;
        match &self.leads {
            Leads::Host => write!(f, "ip link add {name} type veth; inside {inside} {mac}")?,
            Leads::Bridge(bridge) => {
                write!(f, "ip link add {name} master {bridge} type veth; inside {inside} {mac}")?;
            }
            Leads::Over(below) => write!(f, "ip link add link {below} type macvlan; inside {inside} {mac}")?,
        }
        for (ip, prefix) in &self.addresses {
            write!(f, ", {ip}/{prefix}")?;
        }
        for gateway in &self.gateways {
            write!(f, ", default via {gateway}")?;
        }
        Ok(())
    }
}

/// What is done before there is a jail.
pub(super) fn before(jail: &Jail<'_>) -> Vec<HostStep> {
    let network = &jail.config.network;
    let mut steps = Vec::new();
    let seen = on_net(jail);
    if network.probe && !seen.is_empty() {
        steps.push(HostStep::Probe(seen));
    }
    match (network.mode, network.bridge()) {
        (NetworkMode::Bind, _) => {
            for Address { ip, prefix, device } in &network.addresses {
                let Some(device) = device.clone() else { continue };
                let prefix = prefix.unwrap_or_else(|| address::bits(*ip));
                steps.push(HostStep::Shared(Shared::Address { device, ip: *ip, prefix }));
            }
        }
        (NetworkMode::Bridge, Some((_, true))) => {
            let name = link::bridge(&jail.facts.house);
            let mac = Mac::of(&[b"bridge", jail.facts.machine.as_bytes(), name.as_bytes()]);
            steps.push(HostStep::Shared(Shared::Bridge { name: name.clone(), mac }));
            for way in network.gateways() {
                let net = network.addresses.iter().find(|address| address.reaches(way));
                let prefix = net.map_or_else(|| address::bits(way), Address::length);
                steps.push(HostStep::Shared(Shared::Address { device: name.clone(), ip: way, prefix }));
            }
        }
        (NetworkMode::Routed, _) => {
            for (ip, device) in &jail.facts.answers {
                let settings: &[(&str, Setting)] = if ip.is_ipv6() {
                    &[(EVERY, Setting::Ndp), (device, Setting::AtOnce6)]
                } else {
                    &[(device, Setting::AtOnce4)]
                };
                for (device, setting) in settings {
                    let step =
                        HostStep::Shared(Shared::Setting { device: (*device).to_owned(), setting: *setting });
                    if !steps.contains(&step) {
                        steps.push(step);
                    }
                }
            }
        }
        _ => {}
    }
    steps
}

/// The addresses of the jail that machines on a net of the host's interfaces can see. On a bridge of jaula's own there
/// are none but jails.
fn on_net(jail: &Jail<'_>) -> Vec<OnNet> {
    let network = &jail.config.network;
    match (network.mode, &network.parent) {
        (NetworkMode::Bind, _) => {
            let coming = network.addresses.iter().filter_map(|own| Some((own.ip, own.device.clone()?)));
            coming.map(|(ip, device)| OnNet { ip, device, mac: None }).collect()
        }
        (NetworkMode::Routed, _) => {
            let answers = jail.facts.answers.iter().cloned();
            answers.map(|(ip, device)| OnNet { ip, device, mac: None }).collect()
        }
        (NetworkMode::Bridge | NetworkMode::Macvlan, Some(parent)) if parent != link::BRIDGE => {
            let mac = Some(hardware(jail));
            network.ips().map(|ip| OnNet { ip, device: parent.clone(), mac }).collect()
        }
        _ => Vec::new(),
    }
}

/// The jail's own hardware address.
fn hardware(jail: &Jail<'_>) -> Mac {
    jail.config.network.mac.unwrap_or_else(|| made(jail, b"jail"))
}

/// A hardware address that follows from the host and the jail's number.
fn made(jail: &Jail<'_>, what: &[u8]) -> Mac {
    let (machine, house) = (jail.facts.machine.as_bytes(), jail.facts.house.as_bytes());
    Mac::of(&[what, machine, house, &jail.id.number().to_be_bytes()])
}

/// What is said when all of it stands.
pub(super) fn announce(jail: &Jail<'_>) -> Option<HostStep> {
    Some(on_net(jail)).filter(|seen| !seen.is_empty()).map(HostStep::Announce)
}

/// What is done while the jail's first process waits.
pub(super) fn meeting(jail: &Jail<'_>) -> Vec<HostStep> {
    let network = &jail.config.network;
    let Some(inside) = network.inside() else { return Vec::new() };
    let house = jail.facts.house.as_str();
    let name = jail.id.link(house);
    let leads = match (network.mode, network.bridge()) {
        (_, Some((_, true))) => Leads::Bridge(link::bridge(house)),
        (_, Some((bridge, false))) => Leads::Bridge(bridge.to_owned()),
        (NetworkMode::Macvlan, _) => Leads::Over(network.parent.clone().unwrap_or_default()),
        _ => Leads::Host,
    };
    let over = matches!(leads, Leads::Over(_));
    let routed = network.mode == NetworkMode::Routed;
    let mac = hardware(jail);
    let mut steps = vec![HostStep::Link(Box::new(Link {
        name: name.clone(),
        host_mac: made(jail, b"host"),
        leads,
        inside: inside.to_owned(),
        mac,
        mtu: network.mtu,
        addresses: network
            .addresses
            .iter()
            .map(|address| (address.ip, if routed { address::bits(address.ip) } else { address.length() }))
            .collect(),
        gateways: network.gateways(),
    }))];
    // Before anything can pass the link.
    steps.extend(Share::of(network, &name, mac).map(|share| HostStep::Firewall(Box::new(share))));
    if !over {
        let routes = if routed { network.ips().collect() } else { Vec::new() };
        steps.push(HostStep::LinkUp { link: name, routes });
    }
    if routed {
        let answers = jail.facts.answers.iter().cloned();
        steps.extend(answers.map(|(ip, device)| HostStep::Answer { ip, device }));
    }
    steps
}
