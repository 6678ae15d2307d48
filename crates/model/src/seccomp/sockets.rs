//! Which sockets a jail may make: families, netlink protocols, raw ones.

use super::nearest::nearest;
use super::policy::BadPolicy;
use super::rule::{Case, Rule, Test};
use super::{Action, EAFNOSUPPORT, EPERM, EPROTONOSUPPORT};
use crate::config::{Profile, Security};

// `AF_…` of `linux/socket.h`.
const UNIX: u8 = 1;
const INET: u8 = 2;
const INET6: u8 = 10;
const NETLINK: u8 = 16;
const PACKET: u8 = 17;
const XDP: u8 = 44;

// `NETLINK_…` of `linux/netlink.h`.
const ROUTE: u8 = 0;
const SOCK_DIAG: u8 = 4;
const AUDIT: u8 = 9;
const NETFILTER: u8 = 12;
const UEVENT: u8 = 15;
const GENERIC: u8 = 16;
const CRYPTO: u8 = 21;

/// What `security.socket_families` may name beside `route`.
///
/// `alg` and `vsock` stand in no profile and cannot be asked for. The first lets anybody drive
/// the kernel's cryptography, through which page cache shared between jails has been written
/// (CVE-2026-31431); the second reaches the machine that this one runs in, past every network
/// namespace.
pub(super) const FAMILIES: [(&str, u8); 10] = [
    ("unix", UNIX),
    ("inet", INET),
    ("inet6", INET6),
    ("netlink", NETLINK),
    ("packet", PACKET),
    ("key", 15),
    ("can", 29),
    ("tipc", 30),
    ("bluetooth", 31),
    ("xdp", XDP),
];

/// The netlink protocols that have a name in an explanation.
pub(super) const PROTOCOLS: [(&str, u8); 5] = [
    ("route", ROUTE),
    ("sock_diag", SOCK_DIAG),
    ("netfilter", NETFILTER),
    ("uevent", UEVENT),
    ("generic", GENERIC),
];

/// The sockets that a jail may make.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sockets {
    /// A bit per family.
    families: u64,
    /// A bit per netlink protocol (there are at most 32).
    netlink: u32,
    /// `SOCK_RAW` in the families of the Internet.
    raw: bool,
}

impl Sockets {
    /// Those that the configuration asks for.
    pub(super) fn of(security: &Security, problems: &mut Vec<BadPolicy>) -> Self {
        // A distribution's ping and dhclient need raw sockets, and the kernel lets through only
        // who is root over the network in question.
        let raw = security.raw_sockets.unwrap_or(security.profile == Profile::Server);
        let mut sockets = Self { families: 0, netlink: 0, raw };
        let Some(names) = &security.socket_families else {
            for family in [UNIX, INET, INET6, NETLINK] {
                sockets.add(family);
            }
            // An interface's addresses (getifaddrs(3) asks so) and news of devices, for which
            // libraries open a socket whether they come or not. The rest is a jail's own network
            // configuration, behind which much of the kernel lies open: netfilter, traffic of
            // drivers, modules loaded by name.
            sockets.netlink = bits(&[ROUTE, UEVENT]);
            if security.profile == Profile::Server {
                // `ss`, firewall, and the tools of the distribution that speak generic netlink.
                sockets.netlink |= bits(&[SOCK_DIAG, NETFILTER, GENERIC]);
            }
            if raw {
                sockets.add(PACKET);
            }
            return sockets;
        };
        for name in names {
            match name.as_str() {
                "route" => {
                    sockets.add(NETLINK);
                    sockets.netlink |= bits(&[ROUTE]);
                }
                "alg" | "vsock" => problems.push(BadPolicy::FamilyNever { name: name.clone() }),
                "packet" | "xdp" if !raw => problems.push(BadPolicy::FamilyIsRaw { name: name.clone() }),
                name => match FAMILIES.iter().find(|(known, _)| *known == name) {
                    Some((_, NETLINK)) => {
                        sockets.add(NETLINK);
                        // Two are the host's whoever asks: audit, and `alg`'s configuration.
                        sockets.netlink = !bits(&[AUDIT, CRYPTO]);
                    }
                    Some((_, family)) => sockets.add(*family),
                    None => {
                        let known = FAMILIES.iter().map(|(known, _)| *known).chain(["route"]);
                        problems.push(BadPolicy::UnknownFamily {
                            name: name.chars().take(40).collect(),
                            nearest: nearest(name, known),
                        });
                    }
                },
            }
        }
        sockets
    }

    fn add(&mut self, family: u8) {
        self.families |= 1 << family;
    }

    /// The rule of `socket` and `socketpair`: family, type, protocol.
    ///
    /// A refused family or protocol gives the error of a kernel built without it, for which
    /// programs are prepared. So libaudit takes `EPROTONOSUPPORT` for "no audit here", where
    /// `EPERM` would keep people from logging in.
    pub(super) fn rule(self) -> Rule {
        /// The type without its flags, as the kernel takes it apart.
        const SOCK_TYPE_MASK: u32 = 0xf;
        const SOCK_RAW: u32 = 3;
        /// In `inet`, the kernel's oldest name for a packet socket.
        const SOCK_PACKET: u32 = 10;

        let family = |number: u8| Test::is(0, number.into());
        let mut cases = Vec::with_capacity(24);
        if !self.raw {
            for (number, kind) in [(INET, SOCK_RAW), (INET6, SOCK_RAW), (INET, SOCK_PACKET)] {
                let kind = Test::masked(1, SOCK_TYPE_MASK, kind);
                cases.push(Case::both(family(number), kind, Action::Errno(EPERM)));
            }
        } else if self.families & (1 << PACKET) == 0 {
            let kind = Test::masked(1, SOCK_TYPE_MASK, SOCK_PACKET);
            cases.push(Case::both(family(INET), kind, Action::Errno(EAFNOSUPPORT)));
        }
        let families = (0..64).filter(|number| self.families & (1 << number) != 0 && *number != NETLINK);
        cases.extend(families.map(|number| Case::new(family(number), Action::Allow)));
        if self.families & (1 << NETLINK) != 0 {
            // Whichever list is shorter.
            let few = self.netlink.count_ones() <= 16;
            let (listed, then, rest) = match few {
                true => (self.netlink, Action::Allow, Action::Errno(EPROTONOSUPPORT)),
                false => (!self.netlink, Action::Errno(EPROTONOSUPPORT), Action::Allow),
            };
            for protocol in (0..32u32).filter(|protocol| listed & (1 << protocol) != 0) {
                cases.push(Case::both(family(NETLINK), Test::is(2, protocol), then));
            }
            cases.push(Case::new(family(NETLINK), rest));
        }
        Rule { cases, otherwise: Action::Errno(EAFNOSUPPORT) }
    }
}

fn bits(protocols: &[u8]) -> u32 {
    protocols.iter().fold(0, |bits, protocol| bits | 1 << protocol)
}
