//! `[network]`

use super::{Applies, Key, PLAIN, Section, Shape, Split, list, text};
use crate::address::{self, Entry};
use crate::config::given::Given;
use crate::config::problem::{BadValue, shown};
use crate::config::{Network, NetworkMode, Rates, value};
use crate::forward::{Forward, Nat};
use crate::link::{self, Mac};
use crate::ports::Ports;
use crate::units::{Count, Rate};
use std::collections::BTreeMap;
use std::str::FromStr;
use toml_edit::{InlineTable, Value};

/// `[network]`
pub(super) const NETWORK: Section = Section {
    name: "network",
    doc: "What the jail sees of networks.",
    keys: &[
        Key {
            path: "network.mode",
            takes: "a word",
            choices: NetworkMode::CHOICES,
            default: "`none`",
            doc: "Whose network the jail sees. All but `none` and `host` need root.",
            example: r#""bridge""#,
            read: |c, v| v.text(&mut c.network.mode, NetworkMode::from_str),
            write: |c| Some(text(c.network.mode)),
            ..PLAIN
        },
        Key {
            path: "network.addresses",
            shape: Shape::List(Split::Commas),
            takes: "a list of `\"ADDRESS\"`, `\"ADDRESS/BITS\"`, either with ` dev INTERFACE`, and `\"dhcp\"`",
            default: "none: the jail reaches nobody but itself",
            doc: "The jail's addresses, IPv4 and IPv6. With mode `bind` they are the host's: a program that binds to \
                  any address gets the first of its family, `::` the first IPv4 address if there is no other; every \
                  other address of the host is refused. 127.0.0.1 inside is the jail's own. The host must have them, \
                  unless `dev` names an interface that jaula gives them to while a jail that has them runs. With mode \
                  `routed` the host routes each to the jail, and answers for it on the interface that `dev` names (by \
                  default the one that leads to its net). With `bridge` and `macvlan` BITS is the length of the net, \
                  and `dhcp` leaves it to the guest to ask for an address.",
            example: r#"["192.0.2.10/24", "2001:db8::10/64"]"#,
            read: addresses,
            write: |c| {
                let dhcp = c.network.dhcp.then(|| "dhcp".to_owned());
                Some(list(c.network.addresses.iter().map(ToString::to_string).chain(dhcp)))
            },
            identity: address::identity,
            ..PLAIN
        },
        Key {
            path: "network.parent",
            takes: "the name of an interface of the host",
            default: "with `bridge`, one named `jaula0` that jaula makes for its jails and takes away with the last of them",
            doc: "For mode `bridge`: the bridge that the jail's link is on. For `macvlan`, which needs it: the interface \
                  below, as `eth0`.",
            example: r#""br0""#,
            read: |c, v| v.text(&mut c.network.parent, link::name),
            write: |c| c.network.parent.as_ref().map(text),
            ..PLAIN
        },
        Key {
            path: "network.interface",
            takes: "the name of an interface",
            default: "`eth0`",
            doc: "What the jail's own interface is called inside, in the modes that have one: `routed`, `bridge`, `macvlan`.",
            example: r#""venet0""#,
            read: |c, v| v.text(&mut c.network.interface, link::name),
            write: |c| c.network.interface.as_ref().map(text),
            ..PLAIN
        },
        Key {
            path: "network.gateway",
            shape: Shape::List(Split::Commas),
            takes: "a list of addresses, at most one of each family",
            default: "on `jaula0` the first address of each net, which the bridge then has; else none",
            doc: "For modes `bridge` and `macvlan`: where all goes that is not for the jail's own nets. (A `routed` jail's \
                  is the host.)",
            example: r#"["192.0.2.1", "fe80::1"]"#,
            read: |c, v| v.list(&mut c.network.gateway, gateway),
            write: |c| Some(list(&c.network.gateway)),
            ..PLAIN
        },
        Key {
            path: "network.mac",
            takes: "a hardware address",
            default: "one that follows from the host and the jail's number, the same at each start",
            doc: "The hardware address of the jail's own interface.",
            example: r#""02:00:5e:10:00:01""#,
            read: |c, v| v.text(&mut c.network.mac, Mac::from_str),
            write: |c| c.network.mac.as_ref().map(text),
            ..PLAIN
        },
        Key {
            path: "network.mtu",
            shape: Shape::Number,
            takes: "a number of bytes from 1280 to 65535",
            default: "1500; with `macvlan` that of the interface below",
            doc: "The longest packet of the jail's own interface.",
            example: "1400",
            read: |c, v| v.number(&mut c.network.mtu, mtu),
            write: |c| c.network.mtu.map(|mtu| i64::from(mtu).into()),
            ..PLAIN
        },
        Key {
            path: "network.nat",
            takes: "`\"auto\"`, `\"none\"`, `\"masquerade\"` or an address of the host",
            default: "`auto`: as `masquerade` for private addresses (RFC 1918, RFC 4193, RFC 6598), as `none` for others",
            doc: "For modes `routed` and `bridge`: as whom the jail is known outside the host. `none`: by its own \
                  addresses. `masquerade`: by the host's, that of the interface that a connection leaves by. An address: \
                  by that one, for its family.",
            example: r#""masquerade""#,
            read: |c, v| v.text(&mut c.network.nat, Nat::from_str),
            write: |c| Some(text(c.network.nat)),
            ..PLAIN
        },
        Key {
            path: "network.forward",
            shape: Shape::List(Split::Commas),
            takes: "a list of `\"tcp PORT -> PORT\"`, with `udp`, with ranges, with `ADDRESS:` of the host before the first",
            default: "none",
            doc: "For modes `routed` and `bridge`: ports of the host that lead to the jail's, from outside, from the host \
                  and from other jails. Without `->` it is the same port.",
            example: r#"["tcp 8080 -> 80", "udp 53", "tcp 192.0.2.1:8000-8010 -> 9000-9010"]"#,
            read: |c, v| v.list(&mut c.network.forward, Forward::from_str),
            write: |c| Some(list(&c.network.forward)),
            ..PLAIN
        },
        Key {
            path: "network.rate",
            shape: Shape::Table { numbers: false },
            takes: "a table with `in` and `out`: rates as `\"50mbit\"`, with `kbit`, `mbit`, `gbit`",
            default: "no limit",
            doc: "How much data the jail takes and sends, in bits a second, in every mode. What is more is lost, as \
                  on a line that is full.",
            example: r#"{ in = "50mbit", out = "10mbit" }"#,
            read: rate,
            write: |c| {
                let Rates { inward, outward } = c.network.rate;
                let entries = [("in", inward), ("out", outward)].into_iter();
                let entries = entries.filter_map(|(name, rate)| Some((name, Value::from(rate?.to_string()))));
                Some(entries.collect::<InlineTable>().into())
            },
            applies: Applies::Live,
            ..PLAIN
        },
        Key {
            path: "network.connections",
            shape: Shape::Quantity,
            takes: "a number",
            default: "no limit but the host's",
            doc: "For modes `routed` and `bridge`: how many connections of each of the jail's addresses the host keeps \
                  track of at the same time. More are not let through.",
            example: r#""64k""#,
            read: |c, v| v.text(&mut c.network.connections, |text| Ok(text.parse::<Count>()?)),
            write: |c| c.network.connections.map(text),
            ..PLAIN
        },
        Key {
            path: "network.guard",
            shape: Shape::Flag,
            takes: "`true` or `false`",
            default: "`true`",
            doc: "For modes `routed` and `bridge`: is the jail kept to its own addresses? What it sends with another \
                  source, IP or hardware, is dropped, and so is what only a router or a DHCP server says.",
            example: "false",
            read: |c, v| v.flag(&mut c.network.guard),
            write: |c| Some(c.network.guard.into()),
            ..PLAIN
        },
        Key {
            path: "network.probe",
            shape: Shape::Flag,
            takes: "`true` or `false`",
            default: "`true`",
            doc: "Are the nets of the host asked at a start whether another machine has an address of the jail's, or \
                  answers for it? If one does, the jail does not start. That takes 0.15 s, for addresses with `dev`, \
                  for `routed` ones on a net of the host, with `macvlan`, and on a bridge that is not jaula's. With \
                  `false` nobody is asked: for starts in milliseconds, and for nets where somebody answers for every \
                  address (the host's default router may).",
            example: "false",
            read: |c, v| v.flag(&mut c.network.probe),
            write: |c| Some(c.network.probe.into()),
            ..PLAIN
        },
        Key {
            path: "network.listen",
            shape: Shape::List(Split::Commas),
            takes: "a list of `\"tcp PORT\"`, `\"udp PORT\"` and `\"tcp FIRST-LAST\"`",
            default: "no limit",
            doc: "The only ports that the jail may bind to and listen on, those below 1024 without the \
                  capability `net_bind_service` too; with an empty list, none. A client may still bind to \
                  port 0, which stands for any that is free: connections to such a port are not let in. \
                  Needs root and cgroup version 2.",
            example: r#"["tcp 80", "tcp 443", "udp 5000-5010"]"#,
            read: |c, v| v.list(&mut c.network.listen, Ports::from_str),
            write: |c| c.network.listen.as_ref().map(list),
            ..PLAIN
        },
        Key {
            path: "network.nameservers",
            shape: Shape::List(Split::Commas),
            takes: "a list of addresses, or `[\"inherit\"]`",
            default: "`[\"inherit\"]` for a virtual server on the host's network (`host`, `bind`), else its own \
                      `/etc/resolv.conf` stays",
            doc: "Whom a virtual server asks for names. `inherit` stands for those that the host asks, as far as the \
                  jail can reach them; a server that runs is told when they change, unless its own \
                  `/etc/resolv.conf` was changed inside. With an empty list its own \
                  `/etc/resolv.conf` stays.",
            example: r#"["192.0.2.53", "2001:db8::53"]"#,
            read: |c, v| v.list(&mut c.network.nameservers, value::nameserver),
            write: |c| c.network.nameservers.as_ref().map(list),
            ..PLAIN
        },
    ],
};

/// The addresses, and whether others are asked for.
fn addresses(config: &mut crate::config::Config, given: &mut Given<'_, '_>) {
    let mut entries: Vec<Entry> = Vec::new();
    given.list(&mut entries, Entry::from_str);
    let Network { addresses, dhcp, .. } = &mut config.network;
    *dhcp = entries.contains(&Entry::Dhcp);
    *addresses = entries
        .into_iter()
        .filter_map(|entry| match entry {
            Entry::Own(address) => Some(address),
            Entry::Dhcp => None,
        })
        .collect();
}

/// One of `network.gateway`, which may have an address on its link alone.
fn gateway(text: &str) -> Result<std::net::IpAddr, BadValue> {
    match text.parse() {
        Ok(std::net::IpAddr::V6(ip)) if ip.is_unicast_link_local() => Ok(ip.into()),
        _ => address::parse(text),
    }
}

fn rate(config: &mut crate::config::Config, given: &mut Given<'_, '_>) {
    let mut rates: BTreeMap<String, Rate> = BTreeMap::new();
    given.table(&mut rates, |name| value::one_of(name, &["in", "out"]), |text| Ok(text.parse()?));
    config.network.rate = Rates { inward: rates.get("in").copied(), outward: rates.get("out").copied() };
}

fn mtu(number: i64) -> Result<u16, BadValue> {
    match u16::try_from(number) {
        Ok(mtu @ 1280..) => Ok(mtu),
        _ => Err(BadValue::new(format!("{} is no length of packets", shown(&number.to_string())))
            .help("1280 bytes are the least that IPv6 takes, 65535 the most")),
    }
}
