//! What one jail has in the table.

use super::{Element, Family, JAILS};
use crate::config::{Network, NetworkMode};
use crate::forward::{Forward, Nat};
use crate::link::Mac;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// What one jail has in the table: made from its configuration when it starts, noted in its journal, and
/// taken out again as it was put in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Who it is: the host's end of its link, which no other jail of the host has.
    pub jail: String,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Does it reach others of them past the host?
    #[serde(default)]
    pub bridged: bool,
    /// Which of them leave as the host's address.
    #[serde(default)]
    pub masquerade: Vec<IpAddr>,
    /// As which address the others of its kind leave.
    #[serde(default)]
    pub source: Option<IpAddr>,
    /// `network.forward`, as it is written there.
    #[serde(default)]
    pub forward: Vec<String>,
    /// How many connections each address may have.
    #[serde(default)]
    pub connections: Option<u32>,
    /// What may come from its link.
    #[serde(default)]
    pub guard: Option<Guard>,
}

/// What may come from a jail's link: its own addresses, of hardware and of IP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// The host's end.
    pub link: String,
    /// The hardware address of the jail's end.
    pub mac: [u8; 6],
    /// It is told its IPv4 addresses by somebody else, so that they are not known here.
    #[serde(default)]
    pub dhcp: bool,
}

impl Share {
    /// That of a jail, if it has an interface whose traffic the host sees. `link`: the host's end of it.
    pub fn of(network: &Network, link: &str, mac: Mac) -> Option<Self> {
        if !network.mode.passes_host() {
            return None;
        }
        let addresses: Vec<IpAddr> = network.ips().collect();
        // Of somebody's bridge the host is not the router; and with br_netfilter what only passes the bridge
        // would be translated as well.
        let routes = network.mode == NetworkMode::Routed || network.bridge().is_some_and(|(_, ours)| ours);
        let masquerade = addresses.iter().copied().filter(|ip| match network.nat {
            Nat::Auto => routes && is_private(*ip),
            Nat::Masquerade => true,
            Nat::None | Nat::Source(_) => false,
        });
        let guard = network.guard.then(|| Guard { link: link.to_owned(), mac: mac.0, dhcp: network.dhcp });
        Some(Self {
            jail: link.to_owned(),
            masquerade: masquerade.collect(),
            bridged: network.mode == NetworkMode::Bridge,
            source: if let Nat::Source(ip) = network.nat { Some(ip) } else { None },
            forward: network.forward.iter().map(Forward::to_string).collect(),
            connections: network.connections.map(|count| u32::try_from(count.0).unwrap_or(u32::MAX)),
            guard,
            addresses,
        })
    }

    /// The elements that it consists of, those of one set side by side.
    pub fn elements(&self) -> Vec<Element> {
        let mut all = vec![plain(Family::Inet, JAILS, name(&self.jail).to_vec())];
        for ip in &self.addresses {
            let (key, six) = (bytes(*ip), ip.is_ipv6());
            let mut add = |sets: [&'static str; 2], key: Vec<u8>| {
                all.push(plain(Family::Inet, sets[usize::from(six)], key));
            };
            add(["inside4", "inside6"], key.clone());
            add(["self4", "self6"], [&key[..], &key].concat());
            if self.bridged {
                add(["bridged4", "bridged6"], key.clone());
            }
            if self.masquerade.contains(ip) {
                add(["masquerade4", "masquerade6"], key.clone());
            }
            if let Some(source) = self.source.filter(|source| source.is_ipv6() == six) {
                let set = if six { "source6" } else { "source4" };
                all.push(Element { data: bytes(source), ..plain(Family::Inet, set, key.clone()) });
            }
            if let Some(most) = self.connections {
                let set = if six { "limited6" } else { "limited4" };
                all.push(Element { most: Some(most), ..plain(Family::Inet, set, key) });
            }
        }
        let forwards = self.forward.iter().filter_map(|text| text.parse::<Forward>().ok());
        all.extend(forwards.flat_map(|forward| self.forward(forward)));
        all.extend(self.guard.iter().flat_map(|guard| guard.elements(&self.addresses)));
        // Stable: of one set they stay in their order.
        all.sort_by(|a, b| (a.family, a.set).cmp(&(b.family, b.set)));
        all.dedup_by(|a, b| (a.set, &a.key) == (b.set, &b.key));
        all
    }

    /// To where of the jail, if it has an address of that kind.
    fn target(&self, six: bool) -> Option<IpAddr> {
        self.addresses.iter().copied().find(|ip| ip.is_ipv6() == six)
    }

    fn forward(&self, forward: Forward) -> Vec<Element> {
        let mut all = Vec::new();
        for six in [false, true] {
            let Some(target) = self.target(six) else { continue };
            if forward.host.is_some_and(|host| host.is_ipv6() != six) {
                continue;
            }
            let set = match (forward.host.is_some(), six) {
                (true, false) => "at4",
                (true, true) => "at6",
                (false, false) => "any4",
                (false, true) => "any6",
            };
            for (outside, inside) in (forward.ports.first..=forward.ports.last).zip(forward.to..) {
                let mut key = forward.host.map(bytes).unwrap_or_default();
                key.extend([forward.ports.transport.number(), 0, 0, 0]);
                key.extend(port(outside));
                let data = [bytes(target), port(inside).to_vec()].concat();
                all.push(Element { data, ..plain(Family::Inet, set, key) });
            }
        }
        all
    }

    /// The forward that an element of its belongs to, for a message.
    pub fn forward_of(&self, element: &Element) -> Option<&str> {
        let of = |text: &&String| {
            text.parse::<Forward>().is_ok_and(|forward| self.forward(forward).contains(element))
        };
        self.forward.iter().find(of).map(String::as_str)
    }
}

impl fmt::Display for Share {
    /// For `jaula plan`: what it does, and not by which elements.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |all: &[IpAddr]| all.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" ");
        write!(f, "inside {}", self.jail)?;
        if !self.masquerade.is_empty() {
            write!(f, ", masquerade {}", list(&self.masquerade))?;
        }
        if let Some(source) = self.source {
            write!(f, ", source {source}")?;
        }
        for forward in &self.forward {
            write!(f, ", forward {forward}")?;
        }
        if let Some(most) = self.connections {
            write!(f, ", up to {most} connections")?;
        }
        if let Some(guard) = &self.guard {
            let dhcp = if guard.dhcp { " and what DHCP gives" } else { "" };
            write!(f, ", from it only {} {}{dhcp}", Mac(guard.mac), list(&self.addresses))?;
        }
        Ok(())
    }
}

impl Guard {
    fn elements(&self, addresses: &[IpAddr]) -> Vec<Element> {
        let of_link = |set, key: &[u8]| plain(Family::Netdev, set, [&name(&self.link)[..], key].concat());
        let mut mac = self.mac.to_vec();
        mac.extend([0, 0]);
        let mut all = vec![of_link("macs", &mac)];
        for ip in addresses {
            all.push(of_link(if ip.is_ipv6() { "from6" } else { "from4" }, &bytes(*ip)));
        }
        all.push(of_link("from6", &link_local(self.mac).octets()));
        if self.dhcp {
            all.push(of_link("dhcp", &[]));
        }
        all
    }
}

/// The address that the kernel gives to an interface of this hardware address (RFC 4291, appendix A).
fn link_local([a, b, c, d, e, f]: [u8; 6]) -> Ipv6Addr {
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

/// 100.64.0.0/10 without the bits of its hosts.
const CARRIER: u32 = 0x6440_0000 >> 22;

/// Does it mean something only behind the host (RFC 1918, RFC 6598, RFC 4193)?
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || u32::from(ip) >> 22 == CARRIER,
        IpAddr::V6(ip) => ip.octets()[0] & 0xfe == 0xfc,
    }
}

fn plain(family: Family, set: &'static str, key: Vec<u8>) -> Element {
    Element { family, set, key, data: Vec::new(), most: None }
}

fn bytes(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn port(number: u16) -> [u8; 4] {
    let [high, low] = number.to_be_bytes();
    [high, low, 0, 0]
}

/// The name of an interface, as it stands in registers (`IFNAMSIZ`).
fn name(text: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (byte, of) in bytes.iter_mut().take(15).zip(text.bytes()) {
        *byte = of;
    }
    bytes
}
