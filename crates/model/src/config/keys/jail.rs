//! The keys before the first table, and the short tables: `[network]` and `[limits]`.

use super::{Applies, Key, PLAIN, Section, Shape, Split, list, text};
use crate::address;
use crate::config::problem::BadValue;
use crate::config::{ACCOUNTED, NetworkMode, PROCESS_LIMITS, mount, value};
use crate::name::{BadId, Id};
use crate::ports::Ports;
use std::str::FromStr;
use toml_edit::{InlineTable, Value};

/// The keys before the first table.
pub(super) const JAIL: Section = Section {
    name: "",
    doc: "These keys stand before the first table; `environment` is a table of its own.",
    keys: &[
        Key {
            path: "id",
            shape: Shape::Number,
            takes: "a number from 1 to 32766",
            default: "`jaula create` writes the first one from 101 that is free",
            doc: "The jail's number, unique on the host. The user and group ids that the jail has on the \
                  host follow from it.",
            example: "101",
            read: |c, v| v.number(&mut c.id, id),
            write: |c| c.id.map(|id| i64::from(id.number()).into()),
            ..PLAIN
        },
        Key {
            path: "hostname",
            takes: "a host name of at most 64 bytes",
            default: "the jail's name",
            doc: "What `hostname` says inside.",
            example: r#""www.example.org""#,
            read: |c, v| v.text(&mut c.hostname, value::hostname),
            write: |c| c.hostname.as_ref().map(text),
            ..PLAIN
        },
        Key {
            path: "declared_in",
            takes: "an absolute path",
            default: "no file declares the jail",
            doc: "The `jaula.toml` that declares this jail. `jaula up` writes it, and `jaula down` finds the \
                  jails of a file by it.",
            example: r#""/srv/site/jaula.toml""#,
            read: |c, v| v.text(&mut c.declared_in, value::absolute),
            write: |c| c.declared_in.as_ref().map(|path| text(path.display())),
            ..PLAIN
        },
        Key {
            path: "mounts",
            shape: Shape::List(Split::One),
            takes: "a list of `\"SOURCE:TARGET[:OPTION,…]\"` and `\"tmpfs:TARGET[:OPTION,…]\"`",
            default: "none",
            doc: "What is mounted in the jail beside its root. SOURCE is a file or directory of the host, \
                  with the options `ro` (the default), `rw`, `idmap` (id 0…65535 on disk is id 0…65535 \
                  inside), `noexec` and `exec` (the default); `tmpfs` is memory, with `size=` (64M), \
                  `mode=` (1777), `exec` and `noexec` (the default). TARGET is a path inside, other than \
                  `/`, `/proc`, `/sys` and `/dev`. In a path, `\\:` is a colon and `\\\\` a backslash; write \
                  such a mount in `'…'`, for TOML has its own use for a backslash in `\"…\"`.",
            example: r#"["/srv/data:/data:rw,idmap", "tmpfs:/run:size=16M,mode=755"]"#,
            applies: Applies::Live,
            read: |c, v| v.list(&mut c.mounts, FromStr::from_str),
            write: |c| Some(list(&c.mounts)),
            rebase: Some(mount::rebase),
            identity: mount::target,
            ..PLAIN
        },
        Key {
            path: "environment",
            shape: Shape::Table { numbers: false },
            takes: "a table of texts",
            default: "empty",
            doc: "Variables of the first process and of what `jaula exec` runs. A name is letters, digits \
                  and `_`; a value may hold anything but NUL.",
            example: r#"{ LANG = "C.UTF-8" }"#,
            read: |c, v| v.table(&mut c.environment, value::variable, value::anything),
            write: |c| {
                let entries = c.environment.iter().map(|(name, value)| (name, Value::from(value)));
                Some(entries.collect::<InlineTable>().into())
            },
            ..PLAIN
        },
    ],
};

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
            doc: "Whose network the jail sees.",
            example: r#""bind""#,
            read: |c, v| v.text(&mut c.network.mode, NetworkMode::from_str),
            write: |c| Some(text(c.network.mode)),
            ..PLAIN
        },
        Key {
            path: "network.addresses",
            shape: Shape::List(Split::Commas),
            takes: "a list of addresses",
            default: "none: with mode `bind` the jail reaches nobody but itself",
            doc: "For mode `bind`: the jail's addresses, IPv4 and IPv6. A program that binds to any address gets \
                  the first of its family, `::` the first IPv4 address if there is no other; every other \
                  address of the host is refused. 127.0.0.1 inside is the jail's own. The host must have the \
                  addresses. Needs root and cgroup version 2.",
            example: r#"["192.0.2.10", "2001:db8::10"]"#,
            read: |c, v| v.list(&mut c.network.addresses, address::parse),
            write: |c| Some(list(&c.network.addresses)),
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
                  jail can reach them; they are looked up anew at each start. With an empty list its own \
                  `/etc/resolv.conf` stays.",
            example: r#"["192.0.2.53", "2001:db8::53"]"#,
            read: |c, v| v.list(&mut c.network.nameservers, value::nameserver),
            write: |c| c.network.nameservers.as_ref().map(list),
            ..PLAIN
        },
    ],
};

/// `[limits]`
pub(super) const LIMITS: Section = Section {
    name: "limits",
    doc: "What the jail may use up.",
    keys: &[
        Key {
            path: "limits.account",
            shape: Shape::List(Split::Commas),
            takes: "a list of `memory`, `pids`, `cpu`, `io`, `hugetlb`, `rdma`, `misc`",
            default: "none: nothing is counted, and the jail starts the faster",
            doc: "Cgroup controllers that count what this jail uses.",
            example: r#"["memory", "pids"]"#,
            read: |c, v| v.list(&mut c.limits.account, |t| value::one_of(t, ACCOUNTED)),
            write: |c| Some(list(&c.limits.account)),
            ..PLAIN
        },
        Key {
            path: "limits.process",
            shape: Shape::Table { numbers: true },
            takes: "a table of numbers, `\"SOFT:HARD\"` and `\"unlimited\"`",
            default: "the limits of the process that starts the jail",
            doc: "Limits of each process, by their names in getrlimit(2) in lower case without `RLIMIT_`. \
                  One number is the soft and the hard limit; `64k`, `64M` and the like are powers of 1024.",
            example: r#"{ core = 0, nofile = "1024:4096" }"#,
            read: |c, v| {
                v.table(&mut c.limits.process, |t| value::one_of(t, PROCESS_LIMITS), value::process_limit);
            },
            write: |c| {
                let number = |text: String| text.parse::<i64>().map_or_else(|_| text.into(), Value::from);
                let entries = c.limits.process.iter();
                let entries = entries.map(|(name, limit)| (name, number(value::process_limit_text(*limit))));
                Some(entries.collect::<InlineTable>().into())
            },
            ..PLAIN
        },
    ],
};

/// A jail's number.
fn id(number: i64) -> Result<Id, BadValue> {
    number.to_string().parse().map_err(|bad: BadId| bad.into())
}
