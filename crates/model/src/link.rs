//! Links: interfaces by name, and their hardware addresses.

use crate::address::{self, Address};
use crate::config::{BadValue, Network, NetworkMode, shown};
use crate::name::Id;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The bridge that jaula makes if no other is named.
pub const BRIDGE: &str = "jaula0";

/// What a jail's interface is called inside if nothing is said.
pub const INSIDE: &str = "eth0";

/// Reads the name of an interface, as the kernel takes it (net/core/dev.c, `dev_valid_name`).
///
/// # Errors
/// When the kernel would take it for none, or has another use for it.
pub fn name(text: &str) -> Result<String, BadValue> {
    let bad = |why: &str| BadValue::new(format!("{} is no name of an interface: {why}", shown(text)));
    if text.is_empty() || text.len() > 15 {
        return Err(bad("those have 1 to 15 bytes"));
    }
    if text.bytes().any(|b| !b.is_ascii_graphic() || matches!(b, b'/' | b':' | b'%' | b'"' | b'\'' | b'\\')) {
        return Err(bad("one of its characters cannot stand there"));
    }
    match text {
        "." | ".." => Err(bad("it is a directory's")),
        "lo" => Err(bad("each network has a loopback interface of its own")),
        // Directories of net.ipv4.conf, which mean every interface.
        "all" | "default" => Err(bad("it means every interface")),
        _ => Ok(text.to_owned()),
    }
}

impl Id {
    /// The host's end of the jail's link. `house`: see [`crate::facts::Facts::house`].
    pub fn link(self, house: &str) -> String {
        // The longest has 15 bytes, as many as a name may have.
        if house.is_empty() { format!("jv{self}") } else { format!("j{self}-{house}") }
    }
}

/// The bridge that jaula makes, by the name that it has in this house.
pub fn bridge(house: &str) -> String {
    if house.is_empty() { BRIDGE.to_owned() } else { format!("jaula-{house}") }
}

impl Network {
    /// Where all goes that is for nobody else.
    pub fn gateways(&self) -> Vec<IpAddr> {
        match self.mode {
            NetworkMode::Routed => {
                let ways = [IpAddr::from(address::GATEWAY), IpAddr::from(address::GATEWAY6)];
                ways.into_iter().filter(|way| self.ips().any(|ip| ip.is_ipv4() == way.is_ipv4())).collect()
            }
            NetworkMode::Bridge if self.gateway.is_empty() && self.bridge().is_some_and(|(_, made)| made) => {
                let mut ways: Vec<IpAddr> = Vec::new();
                for first in self.addresses.iter().filter_map(Address::first_of_net) {
                    if !ways.iter().any(|way| way.is_ipv4() == first.is_ipv4()) {
                        ways.push(first);
                    }
                }
                ways
            }
            NetworkMode::Bridge | NetworkMode::Macvlan => self.gateway.clone(),
            NetworkMode::None | NetworkMode::Host | NetworkMode::Bind => Vec::new(),
        }
    }
}

/// A hardware address of one interface (IEEE 802).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// One that follows from what is said here, the same every time: locally administered, so that no
    /// manufacturer has it.
    pub fn of(seed: &[&[u8]]) -> Self {
        // FNV-1a: spread well enough to tell jails apart, and it is no secret.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for part in seed {
            for byte in part.iter().chain(&[0]) {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        let [.., a, b, c, d, e] = (hash ^ hash >> 40).to_be_bytes();
        Self([0x02, a, b, c, d, e])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for Mac {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let bad = |why: &str| {
            BadValue::new(format!("{} is no hardware address of an interface: {why}", shown(text)))
                .help("write \"02:00:5e:10:00:01\"")
        };
        let parts: Vec<&str> = text.split(':').collect();
        let octet = |part: &&str| match part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()) {
            true => u8::from_str_radix(part, 16).ok(),
            false => None,
        };
        let octets: Option<Vec<u8>> = parts.iter().map(octet).collect();
        let octets: [u8; 6] = octets
            .and_then(|octets| octets.try_into().ok())
            .ok_or_else(|| bad("it is six bytes in hexadecimal with \":\" between"))?;
        match octets {
            [0, 0, 0, 0, 0, 0] => Err(bad("it is nobody's")),
            [first, ..] if first & 1 == 1 => Err(bad("it means many")),
            octets => Ok(Self(octets)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["eth0", "br-lan", "enp3s0f0.100", "venet0", "wg_1", "fifteen_bytes_x"] {
            assert_eq!(name(good).unwrap(), good);
        }
        for bad in
            ["", ".", "..", "lo", "all", "default", "a b", "a/b", "eth0:1", "a%d", "é", "sixteen_bytes_xx"]
        {
            assert!(name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn hardware_addresses() {
        assert_eq!("02:00:5E:10:00:01".parse::<Mac>().unwrap().to_string(), "02:00:5e:10:00:01");
        for bad in [
            "",
            "02:00:5e:10:00",
            "02:00:5e:10:00:01:02",
            "01:00:5e:10:00:01",
            "00:00:00:00:00:00",
            "+2:00:5e:10:00:01",
        ] {
            assert!(bad.parse::<Mac>().is_err(), "{bad}");
        }
    }

    #[test]
    fn made_addresses_are_stable_and_differ() {
        let all: std::collections::BTreeSet<_> =
            (0..1000u32).map(|n| Mac::of(&[b"www", &n.to_be_bytes()]).0).collect();
        assert_eq!(all.len(), 1000);
        assert!(all.iter().all(|mac| mac[0] == 2));
        assert_eq!(Mac::of(&[b"a"]), Mac::of(&[b"a"]));
        assert_ne!(Mac::of(&[b"ab", b"c"]), Mac::of(&[b"a", b"bc"]));
    }
}
