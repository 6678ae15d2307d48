//! Addresses of a jail, as `network.addresses` has them: `192.0.2.10/24 dev eth0`.

use crate::config::{BadValue, shown};
use crate::name::Id;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The longest list of them: programs that look through it stay short.
pub const MOST: usize = 256;

/// The interface of the host that has the routes of a jail with `network.mode = "routed"` at its other end, as the
/// jail reaches it: the same in every jail, and nobody's elsewhere (RFC 3927).
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);

/// The same with IPv6 (RFC 4291, 2.5.6).
pub const GATEWAY6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// One of `network.addresses`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// How many of its bits are the net's; absent if it stands alone.
    pub prefix: Option<u8>,
    /// The interface of the host that it is on while the jail runs.
    pub device: Option<String>,
}

impl Address {
    /// An address by itself.
    pub fn alone(ip: IpAddr) -> Self {
        Self { ip, prefix: None, device: None }
    }

    /// The bits of its net, all if nothing was said.
    pub fn length(&self) -> u8 {
        self.prefix.unwrap_or_else(|| bits(self.ip))
    }

    /// The first address of its net, which a gateway has by custom; `None` if the net has none but
    /// the address, or the address is that one.
    pub fn first_of_net(&self) -> Option<IpAddr> {
        let free = bits(self.ip) - self.length();
        if free < 2 {
            return None;
        }
        let first = match self.ip {
            IpAddr::V4(ip) => IpAddr::from(Ipv4Addr::from(u32::from(ip) >> free << free | 1)),
            IpAddr::V6(ip) => IpAddr::from(Ipv6Addr::from(u128::from(ip) >> free << free | 1)),
        };
        (first != self.ip).then_some(first)
    }

    /// Is another in its net?
    pub fn reaches(&self, other: IpAddr) -> bool {
        let free = u32::from(bits(self.ip) - self.length());
        match (self.ip, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (u32::from(own) ^ u32::from(other)).checked_shr(free).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (u128::from(own) ^ u128::from(other)).checked_shr(free).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// The bits of an address of its kind.
pub fn bits(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ip)?;
        if let Some(prefix) = self.prefix {
            write!(f, "/{prefix}")?;
        }
        match &self.device {
            Some(device) => write!(f, " dev {device}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Address {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let bad = |why: &str| {
            BadValue::new(format!("{} is no address of a jail: {why}", shown(text)))
                .help("write \"192.0.2.10\", \"192.0.2.10/24 dev eth0\" or \"2001:db8::10\"")
        };
        let mut words = text.split_ascii_whitespace();
        let address = words.next().unwrap_or_default();
        let device = match (words.next(), words.next(), words.next()) {
            (None, ..) => None,
            (Some("dev"), Some(device), None) => Some(crate::link::name(device)?),
            _ => return Err(bad("after it stands nothing, or \"dev\" and an interface")),
        };
        let (ip, prefix) = address.split_once('/').map_or((address, None), |(ip, prefix)| (ip, Some(prefix)));
        let ip = parse(ip)?;
        let prefix = match prefix {
            None => None,
            Some(digits) if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) => {
                return Err(bad("after the / stands the number of bits of its net"));
            }
            Some(digits) => match digits.parse() {
                Ok(prefix) if (1..=bits(ip)).contains(&prefix) => Some(prefix),
                _ => return Err(bad(&format!("its net has 1 to {} bits", bits(ip)))),
            },
        };
        let address = Self { ip, prefix, device };
        match net_itself(&address) {
            true => Err(bad("it is the net's own, or its broadcast address")),
            false => Ok(address),
        }
    }
}

/// Is it the first or last IPv4 address of its net, which nobody has?
fn net_itself(address: &Address) -> bool {
    let IpAddr::V4(ip) = address.ip else { return false };
    let rest = u32::MAX.checked_shr(address.length().into()).unwrap_or(0);
    address.length() < 31 && (u32::from(ip) & rest == 0 || u32::from(ip) & rest == rest)
}

/// What stands in `network.addresses`: an address, or that others are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Own(Address),
    Dhcp,
}

impl FromStr for Entry {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        if text.trim() == "dhcp" { Ok(Self::Dhcp) } else { text.parse().map(Self::Own) }
    }
}

/// What two entries are told apart by: the address without what belongs to it.
pub(crate) fn identity(text: &str) -> String {
    let word = text.split_ascii_whitespace().next().unwrap_or_default();
    let ip = word.split('/').next().unwrap_or_default();
    ip.parse().map_or_else(|_| word.to_owned(), |ip: IpAddr| ip.to_string())
}

/// Reads an address that a jail can have.
///
/// # Errors
/// When it is none, or one that does not belong to one host alone.
pub fn parse(text: &str) -> Result<IpAddr, BadValue> {
    let bad = |why: &str| {
        BadValue::new(format!("{} is no address of a jail: {why}", shown(text)))
            .help("write an address of the host: \"192.0.2.10\", \"2001:db8::10\"")
    };
    let ip: IpAddr = text.parse().map_err(|_| bad("it is neither IPv4 nor IPv6"))?;
    if ip.is_loopback() {
        return Err(bad("each jail has a loopback address of its own"));
    }
    let shared = match ip {
        IpAddr::V4(v4) => v4.is_broadcast() || v4.octets()[0] == 127 || v4.octets()[0] == 0,
        IpAddr::V6(v6) => v6.to_ipv4_mapped().is_some() || v6.is_unicast_link_local(),
    };
    if shared || ip.is_unspecified() || ip.is_multicast() {
        return Err(bad("nobody can be reached at it alone"));
    }
    Ok(ip)
}

impl Id {
    /// What 127.0.0.1 of a jail with `network.mode = "bind"` is on the host: an address that no other
    /// jail has, since it follows from the jail's number.
    pub fn loopback(self) -> Ipv4Addr {
        let [high, low] = u16::from(self).to_be_bytes();
        Ipv4Addr::new(127, 106, high, low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["192.0.2.10", "10.0.0.255", "2001:db8::10", "fd00::1"] {
            assert_eq!(parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            "eth0",
            "192.0.2",
            "192.0.2.10/24",
            " 192.0.2.10",
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:192.0.2.1",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn entries() {
        for good in ["192.0.2.10", "192.0.2.10/24 dev eth0", "2001:db8::10/64", "10.0.0.255/31", "10.1.0.0/8"]
        {
            assert_eq!(good.parse::<Address>().unwrap().to_string(), good);
        }
        assert_eq!(
            " 192.0.2.10/24  dev br-0 ".parse::<Address>().unwrap().to_string(),
            "192.0.2.10/24 dev br-0"
        );
        for bad in [
            "",
            "dev eth0",
            "192.0.2.10 eth0",
            "192.0.2.10 dev",
            "192.0.2.10 dev a b",
            "192.0.2.10 dev a/b",
            "192.0.2.10/",
            "192.0.2.10/0",
            "192.0.2.10/33",
            "192.0.2.10/+3",
            "192.0.2.0/24",
            "192.0.2.255/24",
            "2001:db8::1/129",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
        assert_eq!(identity("192.0.2.10/24 dev eth0"), identity("192.0.2.10"));
        assert_eq!(identity("2001:db8:0::1/64"), "2001:db8::1");
    }

    #[test]
    fn nets() {
        for (address, first) in [
            ("10.0.3.10/24", Some("10.0.3.1")),
            ("10.0.3.1/24", None),
            ("10.0.3.10", None),
            ("10.9.8.7/8", Some("10.0.0.1")),
            ("2001:db8::10/64", Some("2001:db8::1")),
            ("2001:db8::10/128", None),
        ] {
            let first: Option<IpAddr> = first.map(|ip| ip.parse().unwrap());
            assert_eq!(address.parse::<Address>().unwrap().first_of_net(), first, "{address}");
        }
        let net: Address = "10.0.3.10/24".parse().unwrap();
        assert!(net.reaches("10.0.3.254".parse().unwrap()) && !net.reaches("10.0.4.1".parse().unwrap()));
        assert!(!net.reaches("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn each_number_has_its_loopback() {
        assert_eq!(Id::new(101).unwrap().loopback(), Ipv4Addr::new(127, 106, 0, 101));
        assert_eq!(Id::new(32766).unwrap().loopback(), Ipv4Addr::new(127, 106, 127, 254));
    }
}
