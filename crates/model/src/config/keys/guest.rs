//! The keys of `[guest]`.

use super::{Key, PLAIN, Section, Shape, Split, list};
use crate::config::value;

/// `[guest]`
pub(super) const GUEST: Section = Section {
    name: "guest",
    doc: "What jaula does to a virtual server's own files, so that they fit a jail. `jaula plan` lists what a start \
          would change.",
    keys: &[
        Key {
            path: "guest.manage",
            shape: Shape::Flag,
            takes: "`true` or `false`",
            default: "`true`",
            doc: "Are the files of a virtual server made to fit when it is built, and when it starts and they differ: \
                  its name, its network, its id and host keys, the console, the services of hardware and clock?",
            example: "false",
            read: |c, v| v.flag(&mut c.guest.manage),
            write: |c| Some(c.guest.manage.into()),
            ..PLAIN
        },
        Key {
            path: "guest.keep",
            shape: Shape::List(Split::Commas),
            takes: "a list of absolute paths inside",
            default: "none",
            doc: "Files that stay as they are all the same, and directories with all below them.",
            example: r#"["/etc/resolv.conf", "/etc/network"]"#,
            read: |c, v| v.list(&mut c.guest.keep, value::absolute),
            write: |c| Some(list(c.guest.keep.iter().map(|path| path.display()))),
            ..PLAIN
        },
    ],
};
