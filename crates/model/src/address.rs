//! Addresses of a jail, as `network.addresses` has them.

use crate::config::{BadValue, shown};
use crate::name::Id;
use std::net::{IpAddr, Ipv4Addr};

/// The longest list of them: programs that look through it stay short.
pub const MOST: usize = 256;

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
    fn each_number_has_its_loopback() {
        assert_eq!(Id::new(101).unwrap().loopback(), Ipv4Addr::new(127, 106, 0, 101));
        assert_eq!(Id::new(32766).unwrap().loopback(), Ipv4Addr::new(127, 106, 127, 254));
    }
}
