//! What stands in the table from the first jail to the last.

use super::expression::{Connection, Expression as X, Header, Meta, Register, Verdict};
use super::{Batch, Chain, Family, Guard, Hook, Rule, Set, Type};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// `NFPROTO_IPV4`, `NFPROTO_IPV6`
const PROTOCOL: [u8; 2] = [2, 10];
const UDP: u8 = 17;
const ICMPV6: u8 = 58;

/// What jails add to.
pub const SETS: &[Set] = {
    use Family::{Inet, Netdev};
    use Type::{Ether, Ipv4, Ipv6, Name, Port, Protocol};
    const fn set(family: Family, name: &'static str, key: &'static [Type], data: &'static [Type]) -> Set {
        Set { family, name, key, data }
    }
    &[
        set(Inet, super::JAILS, &[Name], &[]),
        // Addresses of jails: what goes there from other jails keeps its source.
        set(Inet, "inside4", &[Ipv4], &[]),
        set(Inet, "inside6", &[Ipv6], &[]),
        set(Inet, "masquerade4", &[Ipv4], &[]),
        set(Inet, "masquerade6", &[Ipv6], &[]),
        set(Inet, "source4", &[Ipv4], &[Ipv4]),
        set(Inet, "source6", &[Ipv6], &[Ipv6]),
        // Ports of one address of the host, and ports of all.
        set(Inet, "at4", &[Ipv4, Protocol, Port], &[Ipv4, Port]),
        set(Inet, "at6", &[Ipv6, Protocol, Port], &[Ipv6, Port]),
        set(Inet, "any4", &[Protocol, Port], &[Ipv4, Port]),
        set(Inet, "any6", &[Protocol, Port], &[Ipv6, Port]),
        // A jail that comes back to itself, and jails that answer each other past the host.
        set(Inet, "self4", &[Ipv4, Ipv4], &[]),
        set(Inet, "self6", &[Ipv6, Ipv6], &[]),
        set(Inet, "bridged4", &[Ipv4], &[]),
        set(Inet, "bridged6", &[Ipv6], &[]),
        set(Inet, "limited4", &[Ipv4], &[]),
        set(Inet, "limited6", &[Ipv6], &[]),
        // What may come from a link.
        set(Netdev, "ether", &[Name, Ether], &[]),
        set(Netdev, "from4", &[Name, Ipv4], &[]),
        set(Netdev, "from6", &[Name, Ipv6], &[]),
        set(Netdev, "dhcp", &[Name], &[]),
    ]
};

/// The chain that looks at what comes from a jail's link.
pub const GUARD: &str = "guard";

/// The chain that hangs on a link. What most packets are, those from the jail's first address of each family, goes on
/// at once, by a few comparisons that the kernel makes without a call each; the rest asks [`GUARD`], which lets nothing
/// less through. Measured on a way there and back through a routed jail: 0.5 of the 0.7 µs that [`GUARD`] takes.
pub fn on_link<'a>(guard: &'a Guard, addresses: &[IpAddr]) -> (Chain<'a>, Vec<Rule<'a>>) {
    let hook = Hook { kind: "filter", number: 0, priority: -500, device: Some(&guard.link) };
    let chain = Chain { family: Family::Netdev, name: &guard.link, hook: Some(hook) };
    let first = |six: bool| addresses.iter().copied().find(|ip| ip.is_ipv6() == six);
    let at_once = [first(false), first(true)].into_iter().flatten().map(|ip| at_once(guard.mac, ip));
    let rule = |expressions| Rule { family: Family::Netdev, chain: guard.link.as_str(), expressions };
    (chain, at_once.chain([vec![jump(GUARD)]]).map(rule).collect())
}

/// From this hardware address and this one of IP, untagged, to no loopback address, and nothing that only a router or
/// a server of the net may say. A fragment without ports is left to [`GUARD`].
fn at_once(mac: [u8; 6], ip: IpAddr) -> Vec<X> {
    let kind: u16 = if ip.is_ipv4() { 0x0800 } else { 0x86dd };
    let mut all = vec![
        X::Payload(Header::Link, 6, 8, R0),
        X::Compare(R0, true, [&mac[..], &kind.to_be_bytes()].concat()),
        address(ip.is_ipv6(), false, R0),
    ];
    let server: u16 = match ip {
        IpAddr::V4(ip) => {
            all.push(X::Compare(R0, true, ip.octets().to_vec()));
            all.extend([X::Payload(Header::Network, 16, 1, R0), X::Compare(R0, false, vec![127])]);
            67
        }
        IpAddr::V6(ip) => {
            all.push(X::Compare(R0, true, ip.octets().to_vec()));
            all.extend([X::Meta(Meta::Transport, R0), X::Compare(R0, false, vec![ICMPV6])]);
            547
        }
    };
    all.push(X::Payload(Header::Transport, 0, 2, R0));
    all.push(X::Compare(R0, false, server.to_be_bytes().to_vec()));
    all.push(X::Verdict(Verdict::Accept));
    all
}

/// Makes what there is not of it, and its rules anew; what jails have added stays.
pub fn make(batch: &mut Batch) {
    batch.table(Family::Inet);
    batch.table(Family::Netdev);
    SETS.iter().for_each(|set| batch.set(set));
    let plain = |family, name| Chain { family, name, hook: None };
    let base = |name, kind, number, priority| Chain {
        family: Family::Inet,
        name,
        hook: Some(Hook { kind, number, priority, device: None }),
    };
    for chain in [
        plain(Family::Inet, "forwards"),
        plain(Family::Inet, "connections"),
        plain(Family::Inet, "sources"),
        base("prerouting", "nat", 0, -100),
        base("output", "nat", 3, -100),
        base("postrouting", "nat", 4, 100),
        base("input", "nat", 1, 100),
        plain(Family::Netdev, GUARD),
        plain(Family::Netdev, "arp"),
        plain(Family::Netdev, "ip"),
        plain(Family::Netdev, "ip6"),
    ] {
        batch.chain(&chain);
        batch.empty_chain(chain.family, chain.name);
    }
    for (family, all) in [(Family::Inet, inet()), (Family::Netdev, guard())] {
        for (chain, expressions) in all {
            batch.rule(&Rule { family, chain, expressions });
        }
    }
}

/// How many rules stand in a chain of it.
pub fn rules_of(family: Family, chain: &str) -> usize {
    let all = match family {
        Family::Inet => inet(),
        _ => guard(),
    };
    all.iter().filter(|(of, _)| *of == chain).count()
}

/// The chains that have rules of its own.
pub fn chains() -> BTreeSet<(Family, &'static str)> {
    let own = |family, all: Vec<Written>| all.into_iter().map(move |(chain, _)| (family, chain));
    own(Family::Inet, inet()).chain(own(Family::Netdev, guard())).collect()
}

/// The chains that jump nowhere, and how many rules stand in each or jump to it: with those, all are there.
pub fn ends() -> Vec<(Family, &'static str, usize)> {
    let mut ends = Vec::new();
    for (family, all) in [(Family::Inet, inet()), (Family::Netdev, guard())] {
        let jump = |rule: &Written| match rule.1.last() {
            Some(X::Verdict(Verdict::Jump(to))) => Some(*to),
            _ => None,
        };
        for chain in all.iter().map(|(chain, _)| *chain).collect::<BTreeSet<_>>() {
            if !all.iter().any(|rule| rule.0 == chain && jump(rule).is_some()) {
                let uses = all.iter().filter(|rule| rule.0 == chain || jump(rule) == Some(chain));
                ends.push((family, chain, uses.count()));
            }
        }
    }
    ends
}

type Written = (&'static str, Vec<X>);

const R0: Register = Register(0);

/// Translation, and the limit of connections: all in chains that only the first packet of a connection passes.
fn inet() -> Vec<Written> {
    // The host's own connections to a jail do not count: they come in by no interface.
    let passes = vec![X::Meta(Meta::InName, R0), X::Compare(R0, false, vec![0; 16]), jump("connections")];
    let mut all = vec![
        ("prerouting", vec![jump("forwards")]),
        // From the host itself.
        ("output", vec![jump("forwards")]),
        ("input", vec![jump("connections")]),
        ("postrouting", passes),
        ("postrouting", vec![jump("sources")]),
    ];
    for six in [false, true] {
        let [at, any, own, bridged, inside, source, masquerade, limited] = match six {
            false => ["at4", "any4", "self4", "bridged4", "inside4", "source4", "masquerade4", "limited4"],
            true => ["at6", "any6", "self6", "bridged6", "inside6", "source6", "masquerade6", "limited6"],
        };
        let words = if six { 4 } else { 1 };
        let from = |register| address(six, false, register);
        let to = |register| address(six, true, register);
        let family = || is(X::Meta(Meta::Family, R0), vec![PROTOCOL[usize::from(six)]]);
        let port = |register: u32| {
            [
                X::Meta(Meta::Transport, Register(register)),
                X::Payload(Header::Transport, 2, 2, Register(register + 1)),
            ]
        };
        all.push((
            "forwards",
            [&family()[..], &[to(R0)], &port(words), &[X::Map(R0, at, R0), X::ForwardTo(six)]].concat(),
        ));
        // A service of the host at its loopback address is nobody else's.
        let not_loopback = match six {
            false => vec![to(R0), X::Mask(R0, vec![255, 0, 0, 0]), X::Compare(R0, false, vec![127, 0, 0, 0])],
            true => vec![to(R0), X::Compare(R0, false, std::net::Ipv6Addr::LOCALHOST.octets().to_vec())],
        };
        // RTN_LOCAL
        let local = is(X::Destination(R0), 2_u32.to_ne_bytes().to_vec());
        all.push((
            "forwards",
            [&family()[..], &not_loopback, &local, &port(0), &[X::Map(R0, any, R0), X::ForwardTo(six)]]
                .concat(),
        ));
        // IPS_DST_NAT
        let forwarded = [
            X::Connection(Connection::Status, R0),
            X::Mask(R0, 32_u32.to_ne_bytes().to_vec()),
            X::Compare(R0, false, vec![0; 4]),
        ];
        let both = [from(R0), to(Register(words)), X::Among(R0, true, own), X::Masquerade];
        all.push(("sources", [&family()[..], &forwarded, &both].concat()));
        let among = [from(R0), X::Among(R0, true, bridged), to(R0), X::Among(R0, true, bridged)];
        all.push(("sources", [&family()[..], &forwarded, &among, &[X::Masquerade]].concat()));
        let kept = [to(R0), X::Among(R0, true, inside), X::Verdict(Verdict::Accept)];
        all.push(("sources", [&family()[..], &kept].concat()));
        all.push((
            "sources",
            [&family()[..], &[from(R0), X::Map(R0, source, R0), X::ComeFrom(six)]].concat(),
        ));
        all.push((
            "sources",
            [&family()[..], &[from(R0), X::Among(R0, true, masquerade), X::Masquerade]].concat(),
        ));
        for side in [from(R0), to(R0)] {
            let over = [side, X::Among(R0, true, limited), X::Verdict(Verdict::Drop)];
            all.push(("connections", [&family()[..], &over].concat()));
        }
    }
    all
}

/// What comes from a link is from the jail's own addresses, and is nothing that only a router or a server of
/// the net may say.
fn guard() -> Vec<Written> {
    let link = || X::Meta(Meta::InName, R0);
    let drop = || X::Verdict(Verdict::Drop);
    let accept = || X::Verdict(Verdict::Accept);
    let load = X::Payload;
    let behind_link = Register(4);
    let carries = |kind: u16| is(X::Meta(Meta::Protocol, R0), kind.to_be_bytes().to_vec());
    let transport = |number: u8| is(X::Meta(Meta::Transport, R0), vec![number]);
    let source_port = |port: u16| is(load(Header::Transport, 0, 2, R0), port.to_be_bytes().to_vec());
    let icmpv6 = |kind: u8| [transport(ICMPV6), is(load(Header::Transport, 0, 1, R0), vec![kind])].concat();
    let from = |header, offset, length, is, set| {
        vec![link(), load(header, offset, length, behind_link), X::Among(R0, is, set)]
    };
    let asks = vec![link(), X::Among(R0, true, "dhcp"), accept()];
    let nobody = |six| {
        let size = if six { 16 } else { 4 };
        [address(six, false, R0), X::Compare(R0, true, vec![0; size])].to_vec()
    };
    // A tag leads into another net than the bridge's own; what is behind it looks as if it had none.
    let tagged = |kind: u16| is(load(Header::Link, 12, 2, R0), kind.to_be_bytes().to_vec());
    let rules = [
        (GUARD, [tagged(0x8100), vec![drop()]].concat()),
        (GUARD, [tagged(0x88a8), vec![drop()]].concat()),
        (GUARD, [from(Header::Link, 6, 6, false, "ether"), vec![drop()]].concat()),
        (GUARD, [carries(0x0806), vec![jump("arp")]].concat()),
        (GUARD, [carries(0x0800), vec![jump("ip")]].concat()),
        (GUARD, [carries(0x86dd), vec![jump("ip6")]].concat()),
        (GUARD, vec![drop()]),
        // IPv4 over Ethernet, or it means something else than what is looked at here.
        ("arp", vec![load(Header::Network, 0, 6, R0), X::Compare(R0, false, vec![0, 1, 8, 0, 6, 4]), drop()]),
        ("arp", [from(Header::Network, 8, 6, false, "ether"), vec![drop()]].concat()),
        // Who asks whether an address is taken has none.
        (
            "arp",
            vec![
                load(Header::Network, 14, 4, R0),
                X::Compare(R0, true, vec![0; 4]),
                load(Header::Network, 6, 2, R0),
                X::Compare(R0, true, vec![0, 1]),
                accept(),
            ],
        ),
        ("arp", [from(Header::Network, 14, 4, true, "from4"), vec![accept()]].concat()),
        ("arp", asks.clone()),
        ("arp", vec![drop()]),
        ("ip", [transport(UDP), source_port(67), vec![drop()]].concat()),
        // What the host has at its loopback address trusts in who can reach it.
        (
            "ip",
            vec![
                address(false, true, R0),
                X::Mask(R0, vec![255, 0, 0, 0]),
                X::Compare(R0, true, vec![127, 0, 0, 0]),
                drop(),
            ],
        ),
        ("ip", [from(Header::Network, 12, 4, true, "from4"), vec![accept()]].concat()),
        ("ip", asks),
        ("ip", vec![drop()]),
        // Router advertisement, redirect.
        ("ip6", [icmpv6(134), vec![drop()]].concat()),
        ("ip6", [icmpv6(137), vec![drop()]].concat()),
        ("ip6", [transport(UDP), source_port(547), vec![drop()]].concat()),
        // Neighbour advertisement: of itself.
        ("ip6", [icmpv6(136), from(Header::Transport, 8, 16, false, "from6"), vec![drop()]].concat()),
        ("ip6", [from(Header::Network, 8, 16, true, "from6"), vec![accept()]].concat()),
        // Who has no address yet: asks whether one is taken, says which groups it listens to.
        ("ip6", [nobody(true), icmpv6(135), vec![accept()]].concat()),
        ("ip6", [nobody(true), icmpv6(143), vec![accept()]].concat()),
        ("ip6", vec![drop()]),
    ];
    rules.into()
}

fn jump(chain: &'static str) -> X {
    X::Verdict(Verdict::Jump(chain))
}

fn is(load: X, value: Vec<u8>) -> Vec<X> {
    vec![load, X::Compare(R0, true, value)]
}

/// Loads an address of a packet.
fn address(six: bool, destination: bool, register: Register) -> X {
    let (offset, length) = match (six, destination) {
        (false, false) => (12, 4),
        (false, true) => (16, 4),
        (true, false) => (8, 16),
        (true, true) => (24, 16),
    };
    X::Payload(Header::Network, offset, length, register)
}
