//! The keys of `[boot]`.

use super::{Key, PLAIN, Section, Shape, Split, list, text};
use crate::config::problem::BadValue;
use crate::config::{Init, Ready, Restart, value};
use crate::name::Name;
use crate::units::Span;
use std::str::FromStr;

/// `[boot]`
pub(super) const BOOT: Section = Section {
    name: "boot",
    doc: "What runs in the jail, and for how long.",
    keys: &[
        Key {
            path: "boot.init",
            takes: "a word",
            choices: Init::CHOICES,
            default: "`auto`",
            doc: "What the first process is, and with it how the jail is stopped, when it counts as started, and \
                  whether it has control groups of its own.",
            example: r#""systemd""#,
            read: |c, v| v.text(&mut c.boot.init, Init::from_str),
            write: |c| Some(text(c.boot.init)),
            ..PLAIN
        },
        Key {
            path: "boot.runlevel",
            shape: Shape::Number,
            takes: "a number from 1 to 5",
            default: "2",
            doc: "Whose scripts `boot.init = \"emulated\"` runs: those of `/etc/rc2.d`.",
            example: "3",
            read: |c, v| {
                v.number(&mut c.boot.runlevel, |n| match u8::try_from(n) {
                    Ok(n @ 1..=5) => Ok(n),
                    _ => Err(BadValue::new(format!("{n} is not a number from 1 to 5"))),
                });
            },
            write: |c| Some(i64::from(c.boot.runlevel).into()),
            ..PLAIN
        },
        Key {
            path: "boot.command",
            shape: Shape::List(Split::Words),
            takes: "a list of texts",
            default: "the program of `root.from = \"app:…\"`; else the root's init is started",
            doc: "Program and arguments of the first process. No shell reads them.",
            example: r#"["/usr/sbin/nginx", "-g", "daemon off;"]"#,
            read: |c, v| v.command(&mut c.boot.command),
            write: |c| Some(&c.boot.command).filter(|words| !words.is_empty()).map(list),
            ..PLAIN
        },
        Key {
            path: "boot.user",
            takes: "`\"user\"`, `\"user:group\"`, or their numbers",
            default: "root",
            doc: "Whom the first process runs as. Names are those of the jail.",
            example: r#""www-data""#,
            read: |c, v| v.text(&mut c.boot.user, value::user),
            write: |c| c.boot.user.as_ref().map(text),
            ..PLAIN
        },
        Key {
            path: "boot.directory",
            takes: "an absolute path",
            default: "`/`",
            doc: "The working directory of the first process.",
            example: r#""/var/www""#,
            read: |c, v| v.text(&mut c.boot.directory, value::absolute),
            write: |c| Some(text(c.boot.directory.display())),
            ..PLAIN
        },
        Key {
            path: "boot.stop_signal",
            takes: "the name of a signal, with or without `SIG`",
            default: "`TERM`; an init is asked to halt in the way that it understands",
            doc: "What `jaula stop` sends to the first process.",
            example: r#""RTMIN+3""#,
            read: |c, v| v.text(&mut c.boot.stop_signal, value::signal),
            write: |c| c.boot.stop_signal.as_ref().map(text),
            ..PLAIN
        },
        Key {
            path: "boot.stop_timeout",
            shape: Shape::Quantity,
            takes: "a time: `250ms`, `30s`, `5m`, `2h`, `1d`; a bare number is seconds",
            default: "`10s`, with an init `90s`",
            doc: "How long `jaula stop` waits before it kills all that is left.",
            example: r#""30s""#,
            read: |c, v| v.text(&mut c.boot.stop_timeout, |t| Ok(t.parse::<Span>()?)),
            write: |c| c.boot.stop_timeout.map(text),
            ..PLAIN
        },
        Key {
            path: "boot.ready",
            shape: Shape::Ready,
            takes: "`\"auto\"`, `\"alive\"`, `\"notify\"`, a port as `\"tcp 80\"`, or a command as a list of texts",
            default: "`auto`",
            doc: "When the jail counts as started. `auto`: when its init has reached the default target or runlevel, \
                  without an init as `alive`. `alive`: the first process runs its program. `notify`: \
                  it said `READY=1`, see sd_notify(3). A port: it listens there; of a range, at all ports. A command: run inside as \
                  `boot.user` every 250 ms, it exits with 0.",
            example: r#"["/usr/bin/curl", "-fs", "http://localhost/"]"#,
            read: |c, v| match v.item.is_array() {
                true => {
                    let mut command: Vec<String> = Vec::new();
                    v.command(&mut command);
                    c.boot.ready = Ready::Command(command);
                }
                false => v.text(&mut c.boot.ready, value::ready),
            },
            write: |c| {
                Some(match &c.boot.ready {
                    Ready::Auto => "auto".into(),
                    Ready::Alive => "alive".into(),
                    Ready::Notify => "notify".into(),
                    Ready::Port(ports) => text(*ports),
                    Ready::Command(words) => list(words),
                })
            },
            ..PLAIN
        },
        Key {
            path: "boot.start_timeout",
            shape: Shape::Quantity,
            takes: "a time, as for `boot.stop_timeout`",
            default: "`1m`, with an init `3m`",
            doc: "How long `jaula start` waits until the jail is ready.",
            example: r#""2m""#,
            read: |c, v| v.text(&mut c.boot.start_timeout, |t| Ok(t.parse::<Span>()?)),
            write: |c| c.boot.start_timeout.map(text),
            ..PLAIN
        },
        Key {
            path: "boot.restart",
            takes: "a word",
            choices: Restart::CHOICES,
            default: "`no`",
            doc: "What happens when the first process ends by itself.",
            example: r#""on-failure""#,
            read: |c, v| v.text(&mut c.boot.restart, Restart::from_str),
            write: |c| Some(text(c.boot.restart)),
            ..PLAIN
        },
        Key {
            path: "boot.log_size",
            shape: Shape::Quantity,
            takes: "a size from `4k`: `64k`, `1.5M`, or a number of bytes",
            default: "`1M`",
            doc: "The size at which the log of the console is rotated.",
            example: r#""16M""#,
            read: |c, v| v.text(&mut c.boot.log_size, value::log_size),
            write: |c| Some(text(c.boot.log_size)),
            ..PLAIN
        },
        Key {
            path: "boot.log_files",
            shape: Shape::Number,
            takes: "a number from 0 to 255",
            default: "3",
            doc: "How many rotated logs are kept.",
            example: "7",
            read: |c, v| {
                v.number(&mut c.boot.log_files, |n| {
                    u8::try_from(n).map_err(|_| BadValue::new(format!("{n} is not a number from 0 to 255")))
                });
            },
            write: |c| Some(i64::from(c.boot.log_files).into()),
            ..PLAIN
        },
        Key {
            path: "boot.autostart",
            shape: Shape::Flag,
            takes: "true or false",
            default: "false",
            doc: "Does `jaula boot` start it, and so the host when it starts?",
            example: "true",
            read: |c, v| v.flag(&mut c.boot.autostart),
            write: |c| Some(c.boot.autostart.into()),
            ..PLAIN
        },
        Key {
            path: "boot.order",
            shape: Shape::Number,
            takes: "a number from 0 to 65535",
            default: "none: after all that have one",
            doc: "Which jails `jaula boot` starts before others: a low number stands first, and `jaula shutdown` goes \
                  backwards. Jails with the same number start together. The next number begins when all before it \
                  are ready or have failed, and after 5 seconds in any case; to wait for a jail, use `boot.depends`.",
            example: "10",
            read: |c, v| {
                v.number(&mut c.boot.order, |n| {
                    u16::try_from(n)
                        .map_err(|_| BadValue::new(format!("{n} is not a number from 0 to 65535")))
                });
            },
            write: |c| c.boot.order.map(|n| i64::from(n).into()),
            ..PLAIN
        },
        Key {
            path: "boot.depends",
            shape: Shape::List(Split::Commas),
            takes: "a list of names of jails",
            default: "none",
            doc: "Jails that must be ready before this one starts. Starting it starts them; if one of them fails, it is \
                  not started. Stopping goes the other way round.",
            example: r#"["db", "cache"]"#,
            read: |c, v| v.list(&mut c.boot.depends, |name| Ok(name.parse::<Name>()?)),
            write: |c| Some(&c.boot.depends).filter(|names| !names.is_empty()).map(list),
            ..PLAIN
        },
    ],
};
