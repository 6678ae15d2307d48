//! `network.mode = "bind"`: BPF programs on a jail's control group that keep it to its addresses, in
//! the host's network and without a network namespace.
//!
//! "Any address" becomes the jail's first one of that family, 127.0.0.1 a private address of
//! 127.0.0.0/8 that is shown as 127.0.0.1, and every other address is refused. What leaves has one of
//! the jail's addresses as its source. The hooks on system calls ([`calls`]) change addresses where
//! programs name them; the hooks on packets ([`packets`]) see what no call tells (IP_PKTINFO, ping
//! sockets, ports of the kernel's choice), and pass only what has the jail's addresses.
//!
//! The programs have the addresses from a map and are [`shared`] by all jails; those of a jail with more addresses
//! than a value of the map has room for have them in their own code ([`known`]).

mod calls;
mod known;
mod packets;
mod parts;
mod shared;

pub(crate) use shared::is_kept;

use known::Known;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd};
use sys::bpf::map::Map;
use sys::bpf::{Hook, load};

/// What a jail is kept to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Own {
    /// Its IPv4 addresses; "any" is the first.
    pub(crate) v4: Vec<Ipv4Addr>,
    /// Its IPv6 addresses.
    pub(crate) v6: Vec<Ipv6Addr>,
    /// What 127.0.0.1 is.
    pub(crate) loopback: Ipv4Addr,
    /// May it bind to ports below 1024?
    pub(crate) low_ports: bool,
}

impl Own {
    /// Sorted by family, in their order.
    pub(crate) fn new(
        addresses: impl IntoIterator<Item = IpAddr>,
        loopback: Ipv4Addr,
        low_ports: bool,
    ) -> Self {
        let mut own = Self { v4: Vec::new(), v6: Vec::new(), loopback, low_ports };
        for address in addresses {
            match address {
                IpAddr::V4(address) => own.v4.push(address),
                IpAddr::V6(address) => own.v6.push(address),
            }
        }
        own
    }

    /// Has it IPv4 addresses and no others?
    fn is_only_v4(&self) -> bool {
        self.v6.is_empty() && !self.v4.is_empty()
    }
}

/// What the programs are called: a digest of what writes them, so that those of another version are not taken for them.
const NAME: &str = match str::from_utf8(&NAME_BYTES) {
    Ok(name) => name,
    Err(_) => panic!(),
};
/// As long as the kernel takes.
const NAME_BYTES: [u8; 15] = {
    let mut digest = sys::bpf::SOURCE;
    let sources = [
        include_str!("bind/calls.rs"),
        include_str!("bind/known.rs"),
        include_str!("bind/packets.rs"),
        include_str!("bind/parts.rs"),
    ];
    let mut at = 0;
    while at < sources.len() {
        digest = sys::bpf::digest(digest, sources[at]);
        at += 1;
    }
    let mut name = *b"jaula_---------";
    at = 6;
    while at < name.len() {
        name[at] = b"0123456789abcdef"[(digest & 15) as usize];
        digest >>= 4;
        at += 1;
    }
    name
};

/// Keeps the group's processes to these addresses; there are none yet.
pub(crate) fn keep(group: impl AsFd, own: &Own) -> sys::Result<()> {
    // No other group has its number while it is there.
    let number = sys::fs::identity(&group)?.inode;
    if let Some(value) = own.value(number) {
        return shared::set(group.as_fd(), own)?.keep(group, number, &value);
    }
    let sockets = Map::of_sockets()?;
    programs(Known::Code(own), sockets.as_fd())
        .into_iter()
        .try_for_each(|(hook, code)| load(hook, NAME, &code)?.attach(&group))
}

fn programs(known: Known<'_>, sockets: BorrowedFd<'_>) -> Vec<(Hook, Vec<u64>)> {
    [calls::programs(known, sockets), packets::programs(known)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_verifier_takes_every_program() {
        if sys::process::user() != 0 {
            eprintln!("skipped: loading programs needs root");
            return;
        }
        let v4 = |n| Ipv4Addr::new(192, 0, 2, n);
        let v6 = |n| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n);
        let all = Own {
            v4: (1..=200).map(v4).collect(),
            v6: (1..=200).map(v6).collect(),
            loopback: Ipv4Addr::new(127, 106, 0, 1),
            low_ports: true,
        };
        let only_v4 = Own { v6: Vec::new(), ..all.clone() };
        let only_v6 = Own { v4: Vec::new(), ..all.clone() };
        let sockets = Map::of_sockets().unwrap();
        for own in [Own::new([], Ipv4Addr::LOCALHOST, false), only_v4, only_v6, all] {
            for (hook, code) in programs(Known::Code(&own), sockets.as_fd()) {
                if let Err(e) = load(hook, NAME, &code) {
                    panic!("{hook:?} with {} and {} addresses: {e}", own.v4.len(), own.v6.len());
                }
            }
        }
        let sets = programs(Known::Map(sockets.as_fd()), sockets.as_fd());
        assert_eq!(sets.into_iter().map(|(hook, _)| hook).collect::<Vec<_>>(), shared::HOOKS);
        shared::Set::loaded(&shared::HOOKS).unwrap();
    }
}
