//! The keys of `[root]`.

use super::{Applies, Key, PLAIN, Section, Shape, Split, list, text};
use crate::config::{Ceiling, Method, Owners, RootSpec, Store, Writes, root, value, writable};
use std::str::FromStr;

/// `[root]`
pub(super) const ROOT: Section = Section {
    name: "root",
    doc: "Where the jail's files come from.",
    keys: &[
        Key {
            path: "root.from",
            takes: "`\"dir:PATH\"`, `\"app:PROGRAM\"`, `\"host\"`, `\"template:NAME\"`, `\"debootstrap:SUITE\"`, \
                    `\"oci:IMAGE\"`, `\"clone:JAIL\"` or `\"skeleton\"`",
            default: "none; `jaula create` and `jaula run` want one",
            doc: "`dir:PATH` is a directory tree of the host. `app:PROGRAM` is one program of the host, by its \
                  path or by a name that is searched in `/usr/local/sbin`, `/usr/local/bin`, `/usr/sbin`, \
                  `/usr/bin`, `/sbin` and `/bin`, and what it needs, and nothing else. `host` is the host's own root. \
                  All others need `root.store`: `jaula build` makes the files, and with a store it copies those of \
                  `dir:` and `host` too.",
            example: r#""dir:/srv/www""#,
            read: |c, v| v.text(&mut c.root.from, RootSpec::from_str),
            write: |c| c.root.from.as_ref().map(text),
            rebase: Some(root::rebase),
            ..PLAIN
        },
        Key {
            path: "root.store",
            takes: "a word",
            choices: Store::CHOICES,
            default: "none: the files of `root.from` are used where they are",
            doc: "How the files are kept that are the jail's own. `jaula build` makes them, and takes `overlay` unless \
                  told otherwise (`image` where /var/lib/jaula is itself on an overlay); the key is not changed afterwards.",
            example: r#""btrfs""#,
            read: |c, v| v.text(&mut c.root.store, Store::from_str),
            write: |c| c.root.store.map(text),
            ..PLAIN
        },
        Key {
            path: "root.size",
            shape: Shape::Quantity,
            applies: Applies::Live,
            takes: "a size, `SIZE` or `SOFT:HARD`",
            default: "no limit; `10G` for `root.store = \"image\"`",
            doc: "How much room the jail's own files may take, as `df` shows it inside. Of two sizes the first may \
                  be exceeded for the time that the file system grants (a week, if nothing else is set for it).",
            example: r#""6G""#,
            read: |c, v| v.text(&mut c.root.size, Ceiling::from_str),
            write: |c| c.root.size.map(text),
            ..PLAIN
        },
        Key {
            path: "root.inodes",
            shape: Shape::Quantity,
            applies: Applies::Live,
            takes: "a number of files, `NUMBER` or `SOFT:HARD`; `k` is 1000",
            default: "no limit but the file system's",
            doc: "How many files and directories the jail may have.",
            example: r#""200k""#,
            read: |c, v| v.text(&mut c.root.inodes, Ceiling::from_str),
            write: |c| c.root.inodes.map(text),
            ..PLAIN
        },
        Key {
            path: "root.writes",
            takes: "a word",
            choices: Writes::CHOICES,
            default: "`kept` for `dir:` and with `root.store`, else `refused`",
            doc: "What becomes of writes to the root.",
            example: r#""discarded""#,
            read: |c, v| v.text(&mut c.root.writes, Writes::from_str),
            write: |c| c.root.writes.map(text),
            implied: |c| Some(text(c.root.writes_in_force())),
            ..PLAIN
        },
        Key {
            path: "root.owners",
            takes: "a word",
            choices: Owners::CHOICES,
            default: "`host` for `from = \"host\"` without `root.store`, else `mapped`",
            doc: "Whom the files of the root belong to inside.",
            example: r#""host""#,
            read: |c, v| v.text(&mut c.root.owners, Owners::from_str),
            write: |c| c.root.owners.map(text),
            implied: |c| Some(text(c.root.owners_in_force())),
            ..PLAIN
        },
        Key {
            path: "root.method",
            takes: "a word",
            choices: Method::CHOICES,
            default: "`bind`",
            doc: "For `app:` only: how the host's files get into the jail. Copies and links are made by `jaula create` \
                  and anew by `jaula refresh`; until then they stay what they were, but a file that the host's \
                  administrator edits in place is edited behind a link as well.",
            example: r#""copy""#,
            read: |c, v| v.text(&mut c.root.method, Method::from_str),
            write: |c| (c.root.method != Method::Bind).then(|| text(c.root.method)),
            implied: |c| Some(text(c.root.method)),
            ..PLAIN
        },
        Key {
            path: "root.files",
            shape: Shape::List(Split::Commas),
            takes: "a list of absolute paths",
            default: "none",
            doc: "For `app:` only: files of the host that the jail holds beside what its program needs; a \
                  directory comes with all below it.",
            example: r#"["/etc/nginx", "/usr/share/nginx"]"#,
            read: |c, v| v.list(&mut c.root.files, value::absolute),
            write: |c| Some(list(c.root.files.iter().map(|path| path.display()))),
            rebase: Some(value::rebase),
            ..PLAIN
        },
        Key {
            path: "root.writable",
            shape: Shape::List(Split::Commas),
            takes: "a list of `\"PATH[:USER[:GROUP]][:MODE]\"`",
            default: "none",
            doc: "For `app:` only: directories that the jail may write to. They are its own and kept over stops, \
                  those in `/run` and all those of `jaula run` are memory. A new one has the owner, mode and \
                  directories (no files) of the host's directory of that path, or is `boot.user`'s if there is \
                  none; with USER (a name or number that the jail knows) it is empty and that user's. MODE begins \
                  with a 0.",
            example: r#"["/var/lib/redis", "/run/redis:redis:0750"]"#,
            read: |c, v| v.list(&mut c.root.writable, FromStr::from_str),
            write: |c| Some(list(&c.root.writable)),
            rebase: Some(writable::rebase),
            identity: writable::path,
            ..PLAIN
        },
        Key {
            path: "root.users",
            shape: Shape::List(Split::Commas),
            takes: "a list of `\"USER\"` and `\"USER:GROUP\"`",
            default: "none",
            doc: "For `app:` only: users of the host that the jail knows with their groups, beside root, nobody and \
                  `boot.user`, and one group more for a user.",
            example: r#"["www-data", "postfix:postdrop"]"#,
            read: |c, v| v.list(&mut c.root.users, value::user),
            write: |c| Some(list(&c.root.users)),
            ..PLAIN
        },
    ],
};
