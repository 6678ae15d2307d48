//! What reaches a jail through the host, as `network.forward` and `network.nat` have it.

use crate::address;
use crate::config::{BadValue, shown};
use crate::ports::{Ports, Transport};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The longest list of forwards.
pub const MOST: usize = 256;

/// One of `network.forward`: ports of the host that lead to the jail's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Forward {
    /// The address of the host that they are forwarded at; absent for all.
    pub host: Option<IpAddr>,
    /// The ports of the host.
    pub ports: Ports,
    /// The jail's port for the first of them; the others follow.
    pub to: u16,
}

impl Forward {
    /// The ports of the jail.
    pub fn inside(&self) -> Ports {
        let Ports { transport, first, last } = self.ports;
        Ports { transport, first: self.to, last: self.to.saturating_add(last - first) }
    }

    /// Do both want the same port of the same address?
    pub fn collides(&self, other: &Self) -> bool {
        let (a, b) = (self.ports, other.ports);
        let host = match (self.host, other.host) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        };
        host && a.transport == b.transport && a.first <= b.last && b.first <= a.last
    }
}

impl fmt::Display for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = |ports: Ports| ports.to_string().split_once(' ').map(|(_, range)| range.to_owned());
        let (outside, inside) =
            (range(self.ports).unwrap_or_default(), range(self.inside()).unwrap_or_default());
        write!(f, "{} ", self.ports.transport)?;
        match self.host {
            Some(IpAddr::V4(ip)) => write!(f, "{ip}:")?,
            Some(IpAddr::V6(ip)) => write!(f, "[{ip}]:")?,
            None => {}
        }
        f.write_str(&outside)?;
        if outside == inside { Ok(()) } else { write!(f, " -> {inside}") }
    }
}

impl FromStr for Forward {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let bad = |why: &str| {
            BadValue::new(format!("{} is no forward: {why}", shown(text)))
                .help("write \"tcp 8080 -> 80\", \"udp 53\", \"tcp 8000-8010 -> 9000-9010\" or \"tcp 192.0.2.1:8080 -> 80\"")
        };
        let (transport, rest) = text.trim().split_once(' ').ok_or_else(|| bad("it is two words at least"))?;
        if !["tcp", "udp"].contains(&transport) {
            return Err(bad("it begins with tcp or udp"));
        }
        let ports = |range: &str| {
            let ports = format!("{transport} {}", range.trim()).parse::<Ports>();
            ports.map_err(|_| bad("ports are numbers from 1 to 65535, or two of them as 8000-8010"))
        };
        let (outside, inside) = match rest.split_once("->") {
            Some((outside, inside)) => (outside.trim(), Some(ports(inside)?)),
            None => (rest.trim(), None),
        };
        let (host, range) = match outside.rsplit_once(':') {
            Some((host, range)) => (Some(host), range),
            None => (None, outside),
        };
        let host = match host.map(|host| (host.strip_prefix('[').and_then(|h| h.strip_suffix(']')), host)) {
            None => None,
            Some((Some(v6), _)) => Some(address::parse(v6)?).filter(IpAddr::is_ipv6),
            Some((None, v4)) => match address::parse(v4)? {
                IpAddr::V6(_) => return Err(bad("an IPv6 address stands in brackets: [2001:db8::1]:80")),
                v4 => Some(v4),
            },
        };
        if host.is_none() && outside.contains(':') {
            return Err(bad("an IPv4 address stands without brackets"));
        }
        let ports = ports(range)?;
        let inside = inside.unwrap_or(ports);
        if inside.last - inside.first != ports.last - ports.first {
            return Err(bad("it has as many ports of the host as of the jail"));
        }
        Ok(Self { host, ports, to: inside.first })
    }
}

/// `network.nat`: as whom the jail is known where its own addresses mean nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nat {
    /// `auto`: by the host's address from private addresses, by its own from others.
    #[default]
    Auto,
    /// `none`: by its own.
    None,
    /// `masquerade`: by the host's, that of the interface that a connection leaves by.
    Masquerade,
    /// `ADDRESS`: by this one of the host's.
    Source(IpAddr),
}

impl fmt::Display for Nat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::None => f.write_str("none"),
            Self::Masquerade => f.write_str("masquerade"),
            Self::Source(ip) => ip.fmt(f),
        }
    }
}

impl FromStr for Nat {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        match text {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::None),
            "masquerade" => Ok(Self::Masquerade),
            _ => address::parse(text).map(Self::Source).map_err(|_| {
                BadValue::new(format!(
                    "{} is none of \"auto\", \"none\", \"masquerade\", nor an address of the host",
                    shown(text)
                ))
            }),
        }
    }
}

impl Transport {
    /// Its number in packets (IANA, "Assigned Internet Protocol Numbers").
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwards_are_read_and_written() {
        for (text, written) in [
            ("tcp 8080 -> 80", "tcp 8080 -> 80"),
            ("tcp 8080->80", "tcp 8080 -> 80"),
            ("udp 53", "udp 53"),
            (" udp  53 -> 53 ", "udp 53"),
            ("tcp 8000-8010 -> 8000-8010", "tcp 8000-8010"),
            ("tcp 8000-8010 -> 9000-9010", "tcp 8000-8010 -> 9000-9010"),
            ("tcp 192.0.2.1:8080 -> 80", "tcp 192.0.2.1:8080 -> 80"),
            ("tcp [2001:db8::1]:8080 -> 80", "tcp [2001:db8::1]:8080 -> 80"),
        ] {
            assert_eq!(text.parse::<Forward>().unwrap().to_string(), written, "{text}");
            assert_eq!(written.parse::<Forward>().unwrap(), text.parse().unwrap());
        }
        for bad in [
            "",
            "tcp",
            "80",
            "sctp 80",
            "tcp 0",
            "tcp 80 ->",
            "tcp -> 80",
            "tcp 80 -> 80-81",
            "tcp 2001:db8::1:80",
            "tcp [192.0.2.1]:80",
            "tcp [2001:db8::1]80",
            "tcp 0.0.0.0:80",
            "tcp 80 -> 192.0.2.1:80",
            "tcp 80 80",
        ] {
            assert!(bad.parse::<Forward>().is_err(), "{bad}");
        }
    }

    #[test]
    fn collisions() {
        let forward = |text: &str| text.parse::<Forward>().unwrap();
        for (a, b, collide) in [
            ("tcp 80", "tcp 80 -> 8080", true),
            ("tcp 80", "udp 80", false),
            ("tcp 80", "tcp 192.0.2.1:80", true),
            ("tcp 192.0.2.2:80", "tcp 192.0.2.1:80", false),
            ("tcp 80-90", "tcp 90-91", true),
            ("tcp 80-89", "tcp 90-91", false),
        ] {
            assert_eq!(forward(a).collides(&forward(b)), collide, "{a}, {b}");
            assert_eq!(forward(b).collides(&forward(a)), collide, "{b}, {a}");
        }
    }

    #[test]
    fn translations() {
        for good in ["auto", "none", "masquerade", "192.0.2.1", "2001:db8::1"] {
            assert_eq!(good.parse::<Nat>().unwrap().to_string(), good);
        }
        for bad in ["", "yes", "127.0.0.1", "192.0.2.1/24"] {
            assert!(bad.parse::<Nat>().is_err(), "{bad}");
        }
    }
}
