//! Make and run: the verbs that start, enter and stop jails.

use super::options as opt;
use super::{Count, Group, Kind, Operand, VERB, Verb, Words};
use crate::command::{Command, Create, Enter, Exec, Run, Start, Stop, Trace};
use crate::exit;
use crate::given::{Given, text};
use crate::usage::Fault;
use std::path::PathBuf;

/// One jail.
pub(super) const NAME: Operand = Operand {
    name: "NAME",
    count: Count::One,
    words: Words::Jails,
    help: "A jail: its name, its id, or a unique prefix.",
};

/// Jails, or `--all`.
pub(super) const NAMES: Operand = Operand {
    name: "NAME",
    count: Count::ManyOrAll,
    words: Words::Jails,
    help: "Jails: names, ids, unique prefixes, or globs such as `'web*'` (quoted, so that the shell leaves \
           them alone).",
};

const CMD: &str = "CMD";

pub(crate) static RUN: Verb = Verb {
    name: "run",
    group: Group::Run,
    summary: "Run a command in a new jail, which goes when it ends",
    about: "Makes a jail, runs the command in it, and removes the jail when the command ends. jaula exits \
            with the command's status. By default the jail has no network but its loopback interface, \
            refuses what programs do not need (profile `app`), and cannot write to the root it was made \
            from.\n\n\
            Options end where CMD begins: what follows belongs to the command. With `--app PROGRAM` and no \
            CMD the program itself is the command; with CMD, that is the whole command line.",
    operands: &[Operand {
        name: CMD,
        count: Count::Any,
        words: Words::Command,
        help: "The program to run, with its arguments.",
    }],
    options: opt::RUN,
    examples: &[
        ("jaula run --app /bin/bash", "a shell with what it needs and nothing else"),
        ("jaula run --app /usr/bin/python3 -- python3 -c 'print(1)'", "a program with arguments"),
        ("jaula run --root dir:/srv/debian --ephemeral sh", "a shell in a root; what it writes is forgotten"),
        (
            "jaula run --root host --user nobody --network host curl example.org",
            "the host's files, read-only",
        ),
        (
            "jaula run --config cc.toml -- gcc -o x x.c",
            "in a jail as `jaula trace -o cc.toml …` wrote it down",
        ),
        ("jaula run --app /bin/ls --dry-run", "what would be done"),
    ],
    exits: exit::COMMAND,
    see: &["create", "exec", "plan"],
    kind: Kind::Command(|mut given| {
        let command = given.take_command()?;
        if command.is_empty() && !given.sets_command() && given.config.is_none() {
            return Err(Fault::NothingToRun);
        }
        let dry_run = given.take_dry_run()?;
        let config = given.config.map(PathBuf::from);
        let Given { settings, name, tty, .. } = given;
        Ok(Command::Run(Run { settings, config, name, tty, dry_run, command }))
    }),
};

pub(crate) static TRACE: Verb = Verb {
    name: "trace",
    group: Group::Run,
    summary: "Run a program and find out what it needs",
    about: "Runs the program in a throw-away jail over the host's files, with its children and threads, and \
            prints what an app jail of it needs beside the program itself: files and directories, users, \
            ports, capabilities, each with its reason (`--explain`). Nothing that it does lasts: what it \
            writes is forgotten, and its network is its own.\n\n\
            `--output` writes that as the configuration of a jail, for `jaula create --config`; `--into` adds \
            it to a jail. Tracing into the same file again, doing something else, adds what is new. What \
            somebody has commented out stays out. Secrets (keys, passwords, homes, what not everybody may \
            read) are only named, in comments; `--file` takes one.\n\n\
            It is watched until it and all that it started have ended, for `--for` a time, or \
            `--until-ready`. Ctrl-C ends it, and what was seen until then is printed; the second one ends it \
            at once. What it prints goes to standard error.\n\n\
            Options end where PROGRAM begins: what follows belongs to it.",
    operands: &[Operand {
        name: "PROGRAM",
        count: Count::Many,
        words: Words::Command,
        help: "The program to run, with its arguments.",
    }],
    options: opt::TRACE,
    examples: &[
        ("jaula trace python3 -c 'import json'", "until it ends"),
        ("jaula trace --until-ready -o www.toml nginx -g 'daemon off;'", "a service, written down"),
        ("jaula create www --config www.toml", "a jail of it"),
        ("jaula trace --for 30s --into www nginx -g 'daemon off;'", "once more, for half a minute"),
        ("jaula trace --user www-data --json php-fpm8.2 -F", "as another user, for programs to read"),
    ],
    exits: exit::TRACE,
    see: &["create", "config", "run"],
    kind: Kind::Command(|given| {
        if given.output.is_some() && given.into.is_some() {
            return Err(Fault::TwoTargets);
        }
        Ok(Command::Trace(Trace {
            settings: given.settings,
            time: given.time,
            until_ready: given.until_ready,
            tty: given.tty,
            output: given.output,
            into: given.into,
            strict: given.strict,
            explain: given.explain,
            json: given.json,
            command: given.operands,
        }))
    }),
};

pub(crate) static CREATE: Verb = Verb {
    name: "create",
    group: Group::Run,
    summary: "Make a jail that stays",
    about: "Writes the configuration of a new jail, with an id of its own, and makes its root. It does not \
            run until `jaula start`, or at once with `--start`. CMD becomes its first process (the key \
            `boot.command`).\n\n\
            Options end where CMD begins. With `--app PROGRAM` and no CMD the program itself is the \
            command. What that program opens while it runs, `--trace` finds out: the program runs once, what \
            it needs is shown, and on a terminal you are asked.",
    operands: &[
        Operand {
            name: "NAME",
            count: Count::One,
            words: Words::Anything,
            help: "The new jail's name: up to 63 letters, digits, `_`, `.` and `-`, and not a number.",
        },
        Operand {
            name: CMD,
            count: Count::Any,
            words: Words::Command,
            help: "What the jail runs, with its arguments.",
        },
    ],
    options: opt::CREATE,
    examples: &[
        ("jaula create www --app /usr/sbin/nginx --network host -- nginx -g 'daemon off;'", "a web server"),
        ("jaula create www --app nginx --trace \"-g 'daemon off;'\" --start", "with all that it opens"),
        ("jaula create build --root dir:/srv/debian --start sleep infinity", "made and started"),
        ("jaula create db --root dir:/srv/db --set boot.restart=on-failure postgres", "any key can be set"),
    ],
    exits: exit::PLAIN,
    see: &["start", "trace", "set", "config", "delete"],
    kind: Kind::Command(|mut given| {
        let name = given.take_name()?;
        let trace = given.take_trace()?;
        let dry_run = given.take_dry_run()?;
        let is_typed = !given.operands.is_empty() || given.sets_command();
        let command = given.take_command()?.into_iter().map(text).collect::<Result<_, _>>()?;
        let command = match &trace {
            Some(traced) if !is_typed => traced.command.clone(),
            _ => command,
        };
        let config = given.config.map(PathBuf::from);
        let (settings, start) = (given.settings, given.start);
        Ok(Command::Create(Create { name, settings, command, config, trace, start, dry_run }))
    }),
};

pub(crate) static START: Verb = Verb {
    name: "start",
    group: Group::Run,
    summary: "Start jails",
    about: "Starts the jails and returns when they are ready (the key `boot.ready`), or fails when one is \
            not within `boot.start_timeout`. A start that fails leaves the host as it was. A jail that runs \
            already is left alone.",
    operands: &[NAMES],
    options: &[&opt::ALL, &opt::RESCUE, &opt::DRY_RUN, &opt::JSON_PLAN],
    examples: &[
        ("jaula start www", "one jail"),
        ("jaula start web --rescue && jaula enter web", "look after one that does not start"),
        ("jaula start 'web*' db", "all whose names begin with web, and db"),
        ("jaula start www --dry-run", "what it would do"),
    ],
    exits: exit::JAILS,
    see: &["stop", "restart", "plan", "logs"],
    kind: Kind::Command(|mut given| {
        let dry_run = given.take_dry_run()?;
        let rescue = given.rescue;
        Ok(Command::Start(Start { jails: given.take_selection()?, rescue, dry_run }))
    }),
};

pub(crate) static STOP: Verb = Verb {
    name: "stop",
    group: Group::Run,
    summary: "Stop jails",
    about: "Sends the first process of each jail its stop signal (the key `boot.stop_signal`), waits, kills \
            what is left after the timeout, and undoes what the start did to the host. A jail that does not \
            run is left alone.",
    operands: &[NAMES],
    options: &[&opt::ALL, &opt::TIMEOUT],
    examples: &[
        ("jaula stop www", "one jail"),
        ("jaula stop --all --timeout 1m", "every jail, with a minute for each to end by itself"),
        ("jaula stop www --timeout 0", "kill it at once"),
    ],
    exits: exit::JAILS,
    see: &["start", "restart", "delete"],
    kind: Kind::Command(|mut given| {
        Ok(Command::Stop(Stop { jails: given.take_selection()?, timeout: given.timeout }))
    }),
};

pub(crate) static RESTART: Verb = Verb {
    name: "restart",
    group: Group::Run,
    summary: "Stop jails and start them again",
    about: "Stops each jail that runs, as `jaula stop` does, and starts all of them with their configuration \
            as it is now.",
    operands: &[NAMES],
    options: &[&opt::ALL],
    examples: &[("jaula restart www", "for instance after a change of its configuration")],
    exits: exit::JAILS,
    see: &["start", "stop", "set"],
    kind: Kind::Command(|mut given| Ok(Command::Restart(given.take_selection()?))),
};

pub(crate) static SIGNAL: Verb = Verb {
    name: "signal",
    group: Group::Run,
    summary: "Send a signal to the first process of a jail",
    about: "Many services read their configuration again at HUP, or write to a new log at USR1. A signal that \
            the first process does not handle is not sent if it would end any other program: `jaula stop` \
            ends jails.",
    operands: &[
        NAME,
        Operand {
            name: "SIGNAL",
            count: Count::One,
            words: Words::Anything,
            help: "Its name, with or without `SIG`: `HUP`, `USR1`, `RTMIN+4`.",
        },
    ],
    examples: &[("jaula signal www HUP", "read the configuration again, if www is nginx")],
    exits: exit::JAILS,
    see: &["stop", "exec"],
    kind: Kind::Command(|mut given| {
        let name = given.take_name()?;
        let value = given.take_name()?;
        match value.parse() {
            Ok(signal) => Ok(Command::Signal { name, signal }),
            Err(_) => Err(Fault::BadValue { option: "SIGNAL".to_owned(), value, wanted: "a signal" }),
        }
    }),
    ..VERB
};

pub(crate) static EXEC: Verb = Verb {
    name: "exec",
    group: Group::Run,
    summary: "Run a command in a running jail",
    about: "Runs the command among the jail's processes, with the jail's files, network, limits and \
            refusals. jaula exits with the command's status.\n\n\
            Options end where CMD begins: what follows belongs to the command.",
    operands: &[
        NAME,
        Operand {
            name: CMD,
            count: Count::Many,
            words: Words::Command,
            help: "The program to run, with its arguments.",
        },
    ],
    options: &[
        &opt::EXEC_USER,
        &opt::EXEC_DIRECTORY,
        &opt::EXEC_CWD,
        &opt::EXEC_ENV,
        &opt::TTY,
        &opt::NO_TTY,
    ],
    examples: &[
        ("jaula exec www ps ax", "its processes"),
        ("jaula exec www --user www-data --directory /tmp sh -c 'id; pwd'", "as another user"),
        ("tar c site | jaula exec www tar x -C /srv", "input and output are passed on"),
    ],
    exits: exit::COMMAND,
    see: &["enter", "console", "run"],
    kind: Kind::Command(|mut given| {
        Ok(Command::Exec(Exec {
            name: given.take_name()?,
            user: given.user,
            tty: given.tty,
            directory: given.directory,
            environment: given.environment,
            command: given.operands,
        }))
    }),
};

pub(crate) static ENTER: Verb = Verb {
    name: "enter",
    group: Group::Run,
    summary: "Open a shell in a running jail",
    about: "Opens the login shell of the user, root by default, in the jail, on a terminal of the jail's \
            own, in the user's home. Without a terminal to work at, the shell reads commands from standard \
            input. jaula exits with the shell's status.",
    operands: &[NAME],
    options: &[&opt::EXEC_USER],
    examples: &[("jaula enter www", "a shell as root of the jail"), ("jaula enter www --user bob", "as bob")],
    exits: exit::COMMAND,
    see: &["exec", "console"],
    kind: Kind::Command(|mut given| Ok(Command::Enter(Enter { name: given.take_name()?, user: given.user }))),
};

pub(crate) static CONSOLE: Verb = Verb {
    name: "console",
    group: Group::Run,
    summary: "Attach to the console of a running jail",
    about: "Connects the terminal with the jail's console, where its first process writes and may ask for a \
            login; what it wrote before is shown first. `Ctrl-]` leaves it, which does not stop the jail.",
    operands: &[NAME],
    examples: &[("jaula console www", "attach to it")],
    exits: exit::JAILS,
    see: &["logs", "enter"],
    kind: Kind::Command(|mut given| Ok(Command::Console(given.take_name()?))),
    ..VERB
};

const DIR: Operand = Operand {
    name: "DIR",
    count: Count::Optional,
    words: Words::Directories,
    help: "The directory that holds `jaula.toml`; the current one by default.",
};

pub(crate) static UP: Verb = Verb {
    name: "up",
    group: Group::Run,
    summary: "Create and start the jails that a jaula.toml declares",
    about: "Reads `jaula.toml` in the directory, creates the jails that it declares, brings those that exist \
            to what it says, and starts them; one that runs is started again if what it runs by has \
            changed. Doing it twice changes nothing. All is checked before anything is written. A jail of \
            the same name that something else has made is never touched.\n\n\
            A jail that the file declares no more is only named: `jaula down` stops it, `jaula delete` \
            deletes it.",
    operands: &[DIR],
    examples: &[("jaula up", "those of the current directory"), ("jaula up /srv/shop", "those of another")],
    exits: exit::PLAIN,
    see: &["down", "create", "start"],
    kind: Kind::Command(|mut given| Ok(Command::Up(given.take_path().unwrap_or_else(here)))),
    ..VERB
};

pub(crate) static DOWN: Verb = Verb {
    name: "down",
    group: Group::Run,
    summary: "Stop the jails that a jaula.toml declares",
    about: "Stops the jails that `jaula up` made from `jaula.toml` in the directory, those too that it \
            declares no more, the last one declared first. They are kept, with all that they have written: \
            `jaula up` starts them again, `jaula delete` deletes them.",
    operands: &[DIR],
    examples: &[("jaula down", "those of the current directory")],
    exits: exit::PLAIN,
    see: &["up", "stop", "delete"],
    kind: Kind::Command(|mut given| Ok(Command::Down(given.take_path().unwrap_or_else(here)))),
    ..VERB
};

/// The current directory.
fn here() -> PathBuf {
    PathBuf::from(".")
}
