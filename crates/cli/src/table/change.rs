//! Change and clean up: the verbs about what is kept of jails.

use super::operate::{NAME, NAMES};
use super::options as opt;
use super::{Count, Group, Kind, Operand, VERB, Verb, Words};
use crate::command::{Command, ConfigCheck, ConfigKeys, ConfigShow, Delete, Gc, Refresh, Selection, Set};
use crate::exit;
use crate::given::{setting, text};
use crate::usage::Fault;
use std::path::PathBuf;

pub(crate) static SET: Verb = Verb {
    name: "set",
    group: Group::Change,
    summary: "Change keys of jails' configurations",
    about: "Changes the configuration files of the jails and keeps their comments and order. `KEY=VALUE` \
            sets a key, `KEY+=VALUE` adds a member to a list, `KEY-=VALUE` removes one, `KEY=` removes the \
            key, so that its default holds again. All changes are checked together before any file is \
            written. They hold from the next start.",
    operands: &[
        NAMES,
        Operand {
            name: "KEY=VALUE",
            count: Count::Many,
            words: Words::Assignment,
            help: "What to change; `jaula config keys` lists the keys.",
        },
    ],
    options: &[&opt::ALL],
    examples: &[
        ("jaula set www network.mode=host", "one key"),
        ("jaula set www db boot.restart=always boot.stop_timeout=30s", "two keys of two jails"),
        ("jaula set www security.capabilities+=-sys_chroot", "one more member of a list"),
        ("jaula set --all boot.log_size=", "back to the default"),
    ],
    exits: exit::JAILS,
    see: &["config", "config keys", "restart"],
    kind: Kind::Command(|mut given| {
        let (changes, names) = std::mem::take(&mut given.operands)
            .into_iter()
            .partition::<Vec<_>, _>(|word| word.as_encoded_bytes().contains(&b'='));
        given.operands = names;
        let to_setting = |word| {
            let word = text(word)?;
            setting(&word).ok_or(Fault::BadAssignment(word))
        };
        let settings = changes.into_iter().map(to_setting).collect::<Result<_, _>>()?;
        Ok(Command::Set(Set { jails: given.take_selection()?, settings }))
    }),
};

pub(crate) static CONFIG: Verb = Verb {
    name: "config",
    group: Group::Change,
    summary: "Show, edit and check configurations",
    about: "A jail's configuration is a text file in TOML. These verbs show it, edit it, check it, say where \
            it is, and list the keys that it may have. `jaula set` changes single keys.",
    see: &["set", "plan"],
    kind: Kind::Family(&[&CONFIG_SHOW, &CONFIG_EDIT, &CONFIG_CHECK, &CONFIG_PATH, &CONFIG_KEYS]),
    ..VERB
};

static CONFIG_SHOW: Verb = Verb {
    name: "config show",
    group: Group::Change,
    summary: "Print a jail's configuration",
    about: "Prints the jail's configuration file as it is or, with `--effective`, every key with the value \
            that holds.",
    operands: &[NAME],
    options: &[&opt::EFFECTIVE, &opt::JSON],
    examples: &[
        ("jaula config show www", "the file"),
        ("jaula config show www --effective", "with all defaults"),
    ],
    exits: exit::JAILS,
    see: &["config keys", "plan"],
    kind: Kind::Command(|mut given| {
        let (effective, json) = (given.effective, given.json);
        Ok(Command::ConfigShow(ConfigShow { name: given.take_name()?, effective, json }))
    }),
};

static CONFIG_EDIT: Verb = Verb {
    name: "config edit",
    group: Group::Change,
    summary: "Edit a jail's configuration",
    about: "Opens a copy of the configuration in your editor (`VISUAL`, else `EDITOR`, else `vi`), checks it \
            when you leave, and puts it in place only if it is right. Changes hold from the next start.",
    operands: &[NAME],
    examples: &[("jaula config edit www", "edit it")],
    exits: exit::JAILS,
    see: &["config check", "set"],
    kind: Kind::Command(|mut given| Ok(Command::ConfigEdit(given.take_name()?))),
    ..VERB
};

static CONFIG_CHECK: Verb = Verb {
    name: "config check",
    group: Group::Change,
    summary: "Check configurations",
    about: "Checks the configurations of the jails, or of all jails if none is named, or the files, and \
            prints every fault with its line. Nothing is changed.",
    operands: &[Operand {
        name: "NAME|FILE",
        count: Count::Any,
        words: Words::JailsOrFiles,
        help: "Jails, or files; a file is told from a name by a `/`: `./www.toml`.",
    }],
    options: &[&opt::JSON],
    examples: &[("jaula config check", "all jails"), ("jaula config check ./new.toml", "a file")],
    exits: exit::CHECK,
    see: &["config edit", "config keys"],
    kind: Kind::Command(|mut given| {
        let (files, names) = std::mem::take(&mut given.operands)
            .into_iter()
            .partition::<Vec<_>, _>(|word| word.as_encoded_bytes().contains(&b'/'));
        let files: Vec<PathBuf> = files.into_iter().map(PathBuf::from).collect();
        given.operands = names;
        let jails = match given.take_selection()? {
            Selection::All if !files.is_empty() => Selection::Named(Vec::new()),
            jails => jails,
        };
        Ok(Command::ConfigCheck(ConfigCheck { jails, files, json: given.json }))
    }),
};

static CONFIG_PATH: Verb = Verb {
    name: "config path",
    group: Group::Change,
    summary: "Print where a jail's configuration is",
    about: "Prints the path of the jail's configuration file.",
    operands: &[NAME],
    examples: &[("cp \"$(jaula config path www)\" /backup", "for scripts")],
    exits: exit::JAILS,
    see: &["config show"],
    kind: Kind::Command(|mut given| Ok(Command::ConfigPath(given.take_name()?))),
    ..VERB
};

static CONFIG_KEYS: Verb = Verb {
    name: "config keys",
    group: Group::Change,
    summary: "List the keys that a configuration may have",
    about: "Prints every key with what it means and its default.",
    options: &[&opt::JSON, &opt::NAMES_ONLY],
    examples: &[("jaula config keys", "all of them")],
    exits: exit::PLAIN,
    see: &["set", "config show"],
    kind: Kind::Command(|given| {
        Ok(Command::ConfigKeys(ConfigKeys { json: given.json, names_only: given.quiet }))
    }),
    ..VERB
};

pub(crate) static REFRESH: Verb = Verb {
    name: "refresh",
    group: Group::Change,
    summary: "Bring app jails to what the host has now",
    about: "Compares what app jails hold with the host, where a package may have been updated since, and \
            prints what has changed, vanished or is new, by package. Then the files of jails with copies or \
            links are taken anew, and jails that run are started again where they hold other files, after a \
            question. A jail that does not start with its new files gets its old ones back.\n\n\
            A jail that sees the host's files (`root.method = \"bind\"`) has nothing to be taken; it needs to \
            start again to see those that were replaced.",
    operands: &[NAMES],
    options: &[&opt::ALL, &opt::DRY_RUN_REFRESH, &opt::NO_RESTART, &opt::RETRACE, &opt::YES, &opt::JSON],
    examples: &[
        ("jaula refresh www --dry-run", "what has changed since"),
        ("jaula refresh --all --yes", "after an update of the host, without a question"),
        ("jaula refresh 'web*' --no-restart", "new files, and a restart when it suits"),
        ("jaula refresh www --trace", "a new version may read other files"),
    ],
    exits: exit::JAILS,
    see: &["outdated", "trace", "restart"],
    kind: Kind::Command(|mut given| {
        let (dry_run, json, yes, no_restart) = (given.dry_run, given.json, given.yes, given.no_restart);
        let (jails, trace) = (given.take_selection()?, given.retrace);
        Ok(Command::Refresh(Refresh { jails, dry_run, json, yes, no_restart, trace }))
    }),
};

pub(crate) static DELETE: Verb = Verb {
    name: "delete",
    group: Group::Change,
    summary: "Delete jails with all they hold",
    about: "Deletes the jails: their configurations, the roots that jaula made for them, their logs. \
            Directories that they only used (`dir:`, mounts) stay. It asks before it does, and refuses a \
            jail that runs unless `--force` is given.",
    operands: &[NAMES],
    options: &[&opt::ALL, &opt::YES, &opt::FORCE],
    examples: &[
        ("jaula delete old", "after a question"),
        ("jaula delete 'test-*' --force --yes", "running or not, without a question"),
    ],
    exits: exit::JAILS,
    see: &["stop", "down", "gc"],
    kind: Kind::Command(|mut given| {
        let (yes, force) = (given.yes, given.force);
        Ok(Command::Delete(Delete { jails: given.take_selection()?, yes, force }))
    }),
};

pub(crate) static GC: Verb = Verb {
    name: "gc",
    group: Group::Repair,
    summary: "Remove what crashes left behind",
    about: "Finds what belongs to no jail that runs or is configured (mounts, cgroups, directories and state \
            after a crash or a loss of power) and removes it. Jails are not touched.",
    options: &[&opt::DRY_RUN_GC, &opt::JSON],
    examples: &[("jaula gc --dry-run", "only look"), ("jaula gc", "clean up")],
    exits: exit::PLAIN,
    see: &["doctor", "delete"],
    kind: Kind::Command(|given| Ok(Command::Gc(Gc { dry_run: given.dry_run, json: given.json }))),
    ..VERB
};
