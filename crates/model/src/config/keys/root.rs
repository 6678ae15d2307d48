//! The keys of `[root]`.

use super::{Key, PLAIN, Section, Shape, Split, list, text};
use crate::config::{Method, Owners, RootSpec, Writes, root, value, writable};
use std::str::FromStr;

/// `[root]`
pub(super) const ROOT: Section = Section {
    name: "root",
    doc: "Where the jail's files come from.",
    keys: &[
        Key {
            path: "root.from",
            takes: "`\"dir:PATH\"`, `\"app:PROGRAM\"` or `\"host\"`",
            default: "none; `jaula create` and `jaula run` want one",
            doc: "`dir:PATH` is a directory tree of the host. `app:PROGRAM` is one program of the host, by its \
                  path or by a name that is searched in `/usr/local/sbin`, `/usr/local/bin`, `/usr/sbin`, \
                  `/usr/bin`, `/sbin` and `/bin`, and what it needs, and nothing else. `host` is the host's own root.",
            example: r#""dir:/srv/www""#,
            read: |c, v| v.text(&mut c.root.from, RootSpec::from_str),
            write: |c| c.root.from.as_ref().map(text),
            rebase: Some(root::rebase),
            ..PLAIN
        },
        Key {
            path: "root.writes",
            takes: "a word",
            choices: Writes::CHOICES,
            default: "`kept` for `dir:`, else `refused`",
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
            default: "`host` for `from = \"host\"`, else `mapped`",
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
