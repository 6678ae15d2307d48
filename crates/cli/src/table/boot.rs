//! With the host: the verbs that its own start and end run.

use super::options as opt;
use super::{Count, Group, Kind, Operand, VERB, Verb, Words};
use crate::command::{Boot, Command, Shutdown};
use crate::exit;
use model::units::Span;
use std::path::PathBuf;
use std::time::Duration;

/// What all jails together may take.
const ALL_STARTED: Span = Span(Duration::from_secs(600));
const ALL_STOPPED: Span = Span(Duration::from_secs(300));

pub(crate) static BOOT: Verb = Verb {
    name: "boot",
    group: Group::Run,
    summary: "Start the jails that start with the host",
    about: "Starts all jails with `boot.autostart`, and those that they depend on (`boot.depends`): each when all \
            that it depends on are ready, those with a low `boot.order` before others, and as many at a time as \
            that allows. A jail that hangs holds up only those that depend on it. If one fails, those that depend on \
            it are not started, and are named. What a crash of the host has left is cleared away first.\n\n\
            Jails that run are left alone, so that it can be repeated. `jaula units` writes units for systemd, and \
            scripts for other hosts, that run it when the host starts.",
    options: &[&opt::BOOT_TIMEOUT, &opt::DRY_RUN_BOOT, &opt::JSON],
    examples: &[
        ("jaula set www boot.autostart=true boot.depends=db", "db, then www, at the next start of the host"),
        ("jaula boot --dry-run", "in which order"),
        ("jaula boot", "as the host does"),
    ],
    exits: exit::BOOT,
    see: &["shutdown", "start", "units"],
    kind: Kind::Command(|given| {
        let timeout = given.timeout.unwrap_or(ALL_STARTED);
        Ok(Command::Boot(Boot { timeout, dry_run: given.dry_run, json: given.json }))
    }),
    ..VERB
};

pub(crate) static SHUTDOWN: Verb = Verb {
    name: "shutdown",
    group: Group::Run,
    summary: "Stop all jails, as the host does when it ends",
    about: "Stops all jails that run, in the reverse of the order in which `jaula boot` starts them: a jail when \
            all that depend on it have stopped, and as many at a time as that allows. Each has its \
            `boot.stop_timeout`. Those of `jaula run` go with their commands.",
    options: &[&opt::SHUTDOWN_TIMEOUT, &opt::JSON],
    examples: &[
        ("jaula shutdown", "as the host does"),
        ("jaula shutdown --timeout 20s", "what still runs after 20 seconds is killed"),
    ],
    exits: exit::PLAIN,
    see: &["boot", "stop", "units"],
    kind: Kind::Command(|given| {
        let timeout = given.timeout.unwrap_or(ALL_STOPPED);
        Ok(Command::Shutdown(Shutdown { timeout, json: given.json }))
    }),
    ..VERB
};

pub(crate) static UNITS: Verb = Verb {
    name: "units",
    group: Group::Itself,
    summary: "Write the units and scripts that start jails with the host",
    about: "Writes these files into a directory, with the path of this program in them. For systemd: \
            `jaula.service`, which runs `jaula boot` and `jaula shutdown`, and `jaula@.service`, which is one jail. \
            For hosts without systemd: `jaula.init`, for `/etc/init.d/jaula` of System V and others, and \
            `jaula.openrc`, the same for OpenRC. Nothing is installed or enabled.",
    operands: &[Operand {
        name: "DIR",
        count: Count::One,
        words: Words::Directories,
        help: "The directory that gets the files; it must exist.",
    }],
    examples: &[
        ("jaula units /etc/systemd/system && systemctl enable jaula", "all jails with `boot.autostart`"),
        ("systemctl enable --now jaula@www", "or one jail, watched over by systemd"),
    ],
    exits: exit::PLAIN,
    see: &["boot", "shutdown"],
    kind: Kind::Command(|mut given| {
        Ok(Command::Units(given.take_path().unwrap_or_else(|| PathBuf::from("."))))
    }),
    ..VERB
};
