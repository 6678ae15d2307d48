//! The keys of `[security]`.

use super::{Key, PLAIN, Section, Shape, Split, list, text, unsigned, unsigned_capability};
use crate::config::{DEVICES, Profile, SOCKET_FAMILIES, value};
use std::str::FromStr;

/// What keys that the profile decides have in common.
const BY_PROFILE: Key = Key {
    shape: Shape::Flag,
    takes: "`true` or `false`",
    default: "as the profile has it",
    follows_profile: true,
    ..PLAIN
};

/// `[security]`
pub(super) const SECURITY: Section = Section {
    name: "security",
    doc: "What the jail may do. Without a key, the profile decides.",
    keys: &[
        Key {
            path: "security.profile",
            takes: "a word",
            choices: Profile::CHOICES,
            default: "`server` with `root.store`, else `app`",
            doc: "What the other keys of this table begin with.",
            example: r#""server""#,
            read: |c, v| v.text(&mut c.security.profile, Profile::from_str),
            write: |c| Some(text(c.security.profile)),
            ..PLAIN
        },
        Key {
            path: "security.capabilities",
            shape: Shape::List(Split::Commas),
            takes: "a list of `\"+NAME\"`, `\"-NAME\"` and `\"-all\"`, see capabilities(7)",
            default: "those of the profile",
            doc: "Capabilities more and less than the profile's; with `-all` there are none but those that are added. \
                  They are good inside the jail only.",
            example: r#"["+net_raw", "-sys_chroot"]"#,
            follows_profile: true,
            read: |c, v| v.list(&mut c.security.capabilities, value::capability),
            write: |c| Some(list(&c.security.capabilities)),
            identity: unsigned_capability,
            ..PLAIN
        },
        Key {
            path: "security.system_calls",
            shape: Shape::List(Split::Commas),
            takes: "a list of `\"+NAME\"` and `\"-NAME\"`, see syscalls(2)",
            default: "those of the profile",
            doc: "System calls more and less than the profile's.",
            example: r#"["+personality", "-ptrace"]"#,
            follows_profile: true,
            read: |c, v| v.list(&mut c.security.system_calls, value::system_call),
            write: |c| Some(list(&c.security.system_calls)),
            identity: unsigned,
            ..PLAIN
        },
        Key {
            path: "security.no_new_privileges",
            doc: "Programs with setuid bits or file capabilities gain nothing by them.",
            example: "true",
            read: |c, v| v.flag(&mut c.security.no_new_privileges),
            write: |c| c.security.no_new_privileges.map(Into::into),
            ..BY_PROFILE
        },
        Key {
            path: "security.set_hostname",
            doc: "May the jail change its host name? FreeBSD's `allow.set_hostname`.",
            example: "false",
            read: |c, v| v.flag(&mut c.security.set_hostname),
            write: |c| c.security.set_hostname.map(Into::into),
            ..BY_PROFILE
        },
        Key {
            path: "security.sysvipc",
            doc: "May it use System V message queues, semaphores and shared memory? They are its own. \
                  FreeBSD's `allow.sysvipc`.",
            example: "true",
            read: |c, v| v.flag(&mut c.security.sysvipc),
            write: |c| c.security.sysvipc.map(Into::into),
            ..BY_PROFILE
        },
        Key {
            path: "security.mount",
            doc: "May it mount? FreeBSD's `allow.mount`.",
            example: "true",
            read: |c, v| v.flag(&mut c.security.mount),
            write: |c| c.security.mount.map(Into::into),
            ..BY_PROFILE
        },
        Key {
            path: "security.raw_sockets",
            doc: "May it open raw sockets, as `ping` does? FreeBSD's `allow.raw_sockets`.",
            example: "true",
            read: |c, v| v.flag(&mut c.security.raw_sockets),
            write: |c| c.security.raw_sockets.map(Into::into),
            ..BY_PROFILE
        },
        Key {
            path: "security.socket_families",
            shape: Shape::List(Split::Commas),
            takes: "a list of `unix`, `inet`, `inet6`, `route`, `netlink`, `packet`, `key`, `can`, `xdp`",
            doc: "The only families of sockets that the jail may open. `route` is netlink for addresses and \
                  routes alone, `netlink` is all of it.",
            example: r#"["unix", "inet", "inet6", "route"]"#,
            read: |c, v| v.list(&mut c.security.socket_families, |t| value::one_of(t, SOCKET_FAMILIES)),
            write: |c| c.security.socket_families.as_ref().map(list),
            ..BY_PROFILE
        },
        Key {
            path: "security.nesting",
            shape: Shape::Flag,
            takes: "`true` or `false`",
            default: "`false`",
            doc: "May it make user namespaces, that is, jails of its own?",
            example: "true",
            read: |c, v| v.flag(&mut c.security.nesting),
            write: |c| Some(c.security.nesting.into()),
            ..PLAIN
        },
        Key {
            path: "security.proc",
            doc: "Is there a `/proc` inside? It shows the jail's own processes.",
            example: "false",
            read: |c, v| v.flag(&mut c.security.proc),
            write: |c| c.security.proc.map(Into::into),
            ..BY_PROFILE
        },
        Key {
            path: "security.sys",
            doc: "Is there a `/sys` inside? It shows the host's hardware, read-only; profile `server` has one. With `network.mode = \"host\"` there is none.",
            example: "true",
            read: |c, v| v.flag(&mut c.security.sys),
            write: |c| c.security.sys.map(Into::into),
            ..BY_PROFILE
        },
        Key {
            path: "security.devices",
            shape: Shape::List(Split::Commas),
            takes: "a list of `null`, `zero`, `full`, `random`, `urandom`, `fuse`, `net/tun`",
            default: "`null`, `zero`, `full`, `random`, `urandom`",
            doc: "What `/dev` holds beside terminals.",
            example: r#"["null", "zero", "full", "random", "urandom", "fuse"]"#,
            read: |c, v| v.list(&mut c.security.devices, |t| value::one_of(t, DEVICES)),
            write: |c| c.security.devices.as_ref().map(list),
            implied: |_| Some(list(&DEVICES[..5])),
            ..PLAIN
        },
        Key {
            path: "security.hide",
            shape: Shape::List(Split::Commas),
            takes: "a list of absolute paths",
            default: "none beside what every jail hides",
            doc: "Paths inside that read as empty.",
            example: r#"["/proc/interrupts"]"#,
            read: |c, v| v.list(&mut c.security.hide, value::absolute),
            write: |c| Some(list(c.security.hide.iter().map(|path| path.display()))),
            ..PLAIN
        },
    ],
};
