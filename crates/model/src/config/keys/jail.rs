//! The keys before the first table, and `[limits]`.

use super::{Applies, Key, PLAIN, Section, Shape, Split, list, text};
use crate::config::problem::BadValue;
use crate::config::{ACCOUNTED, PROCESS_LIMITS, mount, value};
use crate::name::{BadId, Id};
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
