//! Keep: the verbs about what jails keep, taken, put back, given to others.

use super::operate::NAME;
use super::options as opt;
use super::{Count, Group, Kind, Operand, VERB, Verb, Words};
use crate::command::{Clone, Command, List, SnapshotCreate, SnapshotRollback};
use crate::exit;
use crate::given::text;

/// A snapshot that is there.
const SNAPSHOT: Operand = Operand {
    name: "NAME@SNAPSHOT",
    count: Count::One,
    words: Words::Snapshots,
    help: "A snapshot of a jail.",
};

pub(crate) static SNAPSHOT_FAMILY: Verb = Verb {
    name: "snapshot",
    group: Group::Change,
    summary: "Take snapshots of jails, and go back to them",
    about: "A snapshot is what a jail keeps (its own files, and what it has written) and its configuration, as \
            they were at one moment. It takes the room of what changes afterwards where the file system shares \
            blocks (btrfs, XFS), and that of a copy elsewhere; of a jail on a template only what the jail has \
            written counts. What a jail only uses is not in it: the directory of a `dir:` root, the host's files of an \
            app jail, `mounts`.",
    see: &["clone"],
    kind: Kind::Family(&[&SNAPSHOT_CREATE, &SNAPSHOT_LIST, &SNAPSHOT_ROLLBACK, &SNAPSHOT_DELETE]),
    ..VERB
};

static SNAPSHOT_CREATE: Verb = Verb {
    name: "snapshot create",
    group: Group::Change,
    summary: "Take a snapshot of a jail",
    about: "Takes a snapshot and prints its name: `NAME@SNAPSHOT`; if only the jail is named, the snapshot is \
            called by date and time. A jail that runs is frozen for that long, so that all its files are of one \
            moment; what a program has not written yet is not in it. It goes on whatever happens to this command.",
    operands: &[Operand {
        name: "NAME[@SNAPSHOT]",
        count: Count::One,
        words: Words::Jails,
        help: "A jail, and what the snapshot is to be called, by the rules for names of jails.",
    }],
    options: &[&opt::NOTE, &opt::JSON],
    examples: &[
        ("jaula snapshot create www@clean", "called clean"),
        ("jaula snapshot create www --note 'before the upgrade'", "called by date and time"),
    ],
    exits: exit::JAILS,
    see: &["snapshot rollback", "snapshot list"],
    kind: Kind::Command(|mut given| {
        let (note, json) = (given.note.take(), given.json);
        Ok(Command::SnapshotCreate(SnapshotCreate { name: given.take_name()?, note, json }))
    }),
};

static SNAPSHOT_LIST: Verb = Verb {
    name: "snapshot list",
    group: Group::Change,
    summary: "List the snapshots of jails",
    about: "Prints the snapshots of these jails, or of all: when each was made, how much is in it, and how much of \
            that was shared with the jail's own files then, and so took no room.",
    operands: &[Operand { count: Count::Any, ..super::operate::NAMES }],
    options: &[&opt::JSON, &opt::NAMES_ONLY],
    examples: &[("jaula snapshot list", "of all jails"), ("jaula snapshot list www", "of one")],
    exits: exit::JAILS,
    see: &["snapshot create"],
    kind: Kind::Command(|mut given| {
        let (json, names_only) = (given.json, given.quiet);
        Ok(Command::SnapshotList(List { jails: given.take_selection()?, disk: false, json, names_only }))
    }),
};

static SNAPSHOT_ROLLBACK: Verb = Verb {
    name: "snapshot rollback",
    group: Group::Change,
    summary: "Put a jail back to a snapshot",
    about: "Puts the jail's files and its configuration back to what they were. What is now becomes a snapshot \
            called `before-SNAPSHOT`, so that a rollback can be undone by another. The jail's name, its number and its \
            logs stay. It must not run, unless `--restart` is given. The snapshot stays as well.",
    operands: &[SNAPSHOT],
    options: &[&opt::KEEP_CONFIG, &opt::RESTART, &opt::DISCARD, &opt::YES],
    examples: &[
        ("jaula snapshot rollback www@clean --restart", "as it was, and running"),
        ("jaula snapshot rollback www@before-clean", "and back again"),
    ],
    exits: exit::JAILS,
    see: &["snapshot list", "stop"],
    kind: Kind::Command(|mut given| {
        Ok(Command::SnapshotRollback(SnapshotRollback {
            keep_config: given.keep_config,
            discard: given.discard,
            restart: given.restart,
            yes: given.yes,
            name: given.take_name()?,
        }))
    }),
};

static SNAPSHOT_DELETE: Verb = Verb {
    name: "snapshot delete",
    group: Group::Change,
    summary: "Delete snapshots",
    about: "Deletes the snapshots. It asks before it does.",
    operands: &[Operand { count: Count::Many, ..SNAPSHOT }],
    options: &[&opt::YES],
    examples: &[("jaula snapshot delete www@clean www@before-clean", "two of them, after a question")],
    exits: exit::JAILS,
    see: &["snapshot list"],
    kind: Kind::Command(|mut given| {
        let snapshots =
            std::mem::take(&mut given.operands).into_iter().map(text).collect::<Result<_, _>>()?;
        Ok(Command::SnapshotDelete { snapshots, yes: given.yes })
    }),
};

pub(crate) static CLONE: Verb = Verb {
    name: "clone",
    group: Group::Run,
    summary: "Make a jail as another one is",
    about: "Makes a new jail with the files and the configuration of another, or of one of its snapshots. It gets \
            an id and a host name of its own; a virtual server gets a machine id and keys of its sshd of its own as \
            well. Its limits are those of the other. A jail that runs is frozen for as long as its files are \
            copied; where the file system shares blocks (btrfs, XFS) that takes no room.",
    operands: &[
        Operand {
            name: "NAME[@SNAPSHOT]",
            count: Count::One,
            words: Words::JailsOrSnapshots,
            help: "A jail, or one of its snapshots.",
        },
        Operand { name: "NEW", count: Count::One, words: Words::Anything, help: "The new jail's name." },
    ],
    options: &[&opt::SET, &opt::START],
    examples: &[
        ("jaula clone www www2", "another one"),
        (
            "jaula clone www@clean test --set network.mode=none --start",
            "as it was, with another network, started",
        ),
    ],
    exits: exit::JAILS,
    see: &["snapshot create", "create", "rename"],
    kind: Kind::Command(|mut given| {
        let (name, new) = (given.take_name()?, given.take_name()?);
        Ok(Command::Clone(Clone { name, new, settings: given.settings, start: given.start }))
    }),
};

pub(crate) static RENAME: Verb = Verb {
    name: "rename",
    group: Group::Change,
    summary: "Give a jail another name",
    about: "Renames a jail that does not run, with its files, its snapshots and its logs. Jails that depend on it \
            (`boot.depends`) do so by its new name. Its id stays; a host name that says the old name says the new one.",
    operands: &[
        NAME,
        Operand { name: "NEW", count: Count::One, words: Words::Anything, help: "The name that it gets." },
    ],
    examples: &[("jaula rename www www-old", "make room for another www")],
    exits: exit::JAILS,
    see: &["clone", "stop"],
    kind: Kind::Command(|mut given| {
        Ok(Command::Rename { name: given.take_name()?, new: given.take_name()? })
    }),
    ..VERB
};
