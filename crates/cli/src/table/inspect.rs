//! Watch and examine: the verbs that only look.

use super::operate::{NAME, NAMES};
use super::options as opt;
use super::{Count, Group, Kind, Operand, VERB, Verb};
use crate::command::{Audit, Command, Doctor, List, Logs, Outdated, Plan, Status};
use crate::exit;

pub(crate) static LIST: Verb = Verb {
    name: "list",
    group: Group::Watch,
    summary: "List jails",
    about: "Prints one line for each jail, running or not: its name, id, state and what it runs.",
    operands: &[Operand { name: "GLOB", count: Count::Any, ..NAMES }],
    options: &[&opt::DISK, &opt::JSON, &opt::NAMES_ONLY],
    examples: &[
        ("jaula list", "all of them"),
        ("jaula list --disk", "and how full they are"),
        ("jaula list 'web*' --json", "some, as JSON"),
        ("jaula list -q", "names only, for scripts"),
    ],
    exits: exit::JAILS,
    see: &["status", "logs"],
    kind: Kind::Command(|mut given| {
        Ok(Command::List(List {
            jails: given.take_selection()?,
            disk: given.disk,
            json: given.json,
            names_only: given.quiet,
        }))
    }),
};

pub(crate) static STATUS: Verb = Verb {
    name: "status",
    group: Group::Watch,
    summary: "Say whether jails run, and how they are",
    about: "Prints for each jail (all of them if none is named) whether it runs, since when, its first \
            process, and what went wrong last. The exit status is 0 only if all those named run.",
    operands: &[Operand { count: Count::Any, ..NAMES }],
    options: &[&opt::ALL, &opt::JSON],
    examples: &[
        ("jaula status www", "one jail"),
        ("jaula status www >/dev/null || jaula start www", "in a script"),
        ("jaula status --json", "all of them, as JSON"),
    ],
    exits: exit::JAILS,
    see: &["list", "logs", "doctor"],
    kind: Kind::Command(|mut given| {
        Ok(Command::Status(Status { jails: given.take_selection()?, json: given.json }))
    }),
};

pub(crate) static LOGS: Verb = Verb {
    name: "logs",
    group: Group::Watch,
    summary: "Print what a jail wrote to its console",
    about: "Prints the log of the jail's console: what its first process and those below it wrote to \
            standard output and error. It is there after the jail has stopped, too.",
    operands: &[NAME],
    options: &[&opt::FOLLOW, &opt::LINES],
    examples: &[
        ("jaula logs www -n 20", "the last twenty lines"),
        ("jaula logs -f www", "and all that comes"),
    ],
    exits: exit::JAILS,
    see: &["console", "status"],
    kind: Kind::Command(|mut given| {
        Ok(Command::Logs(Logs { name: given.take_name()?, follow: given.follow, lines: given.lines }))
    }),
};

pub(crate) static OUTDATED: Verb = Verb {
    name: "outdated",
    group: Group::Watch,
    summary: "List app jails that the host has newer files for",
    about: "Prints those app jails (of all, if none is named) whose files differ from the host's, or whose \
            processes still use files that the host has replaced. Files are compared without being read. The \
            exit status is 1 if there is one.",
    operands: &[Operand { count: Count::Any, ..NAMES }],
    options: &[&opt::ALL, &opt::JSON],
    examples: &[
        ("jaula outdated", "all that want a refresh"),
        ("jaula outdated www >/dev/null || jaula refresh www --yes", "in a script"),
    ],
    exits: exit::OUTDATED,
    see: &["refresh", "status"],
    kind: Kind::Command(|mut given| {
        Ok(Command::Outdated(Outdated { jails: given.take_selection()?, json: given.json }))
    }),
};

pub(crate) static PLAN: Verb = Verb {
    name: "plan",
    group: Group::Watch,
    summary: "Print what a start would do",
    about: "Prints the plan of the jail: each step on the host, and each system call of its first process \
            before the program begins. A start does this and nothing else.",
    operands: &[NAME],
    options: &[&opt::JSON],
    examples: &[("jaula plan www", "for reading"), ("jaula plan www --json", "for comparing")],
    exits: exit::JAILS,
    see: &["start", "config show"],
    kind: Kind::Command(|mut given| Ok(Command::Plan(Plan { name: given.take_name()?, json: given.json }))),
};

pub(crate) static AUDIT: Verb = Verb {
    name: "audit",
    group: Group::Watch,
    summary: "Say what of a jail could be abused, and what to do about it",
    about: "Looks at the configuration and through the jail's whole root, and prints for each thing that could \
            be abused how much it counts: users, capabilities, system calls, sockets, ports, limits; setuid \
            programs, devices, secrets, shells, compilers, files that it may write to. All of it together is a \
            score from 0.0 (nothing) to 10.0, with the weights and words of `systemd-analyze security`, and \
            at the end stand the commands that lower it most.\n\n\
            A jail that runs is looked at as it is; another one as its next start would make it. With several \
            jails, prints a line for each.",
    operands: &[Operand { count: Count::Any, ..NAMES }],
    options: &[&opt::ALL, &opt::FULL, &opt::THRESHOLD, &opt::JSON],
    examples: &[
        ("jaula audit www", "what is open, worst first, and what to do"),
        ("jaula audit --all", "the scores of all jails"),
        ("jaula audit www --threshold 3.0", "fail if it is worse than that, for tests"),
    ],
    exits: exit::AUDIT,
    see: &["config show", "doctor"],
    kind: Kind::Command(|mut given| {
        Ok(Command::Audit(Audit {
            jails: given.take_selection()?,
            full: given.full,
            threshold: given.threshold,
            json: given.json,
        }))
    }),
};

pub(crate) static DOCTOR: Verb = Verb {
    name: "doctor",
    group: Group::Repair,
    summary: "Check what this host can do, and say what to change",
    about: "Checks the kernel, its settings and the files of jaula for what jails need, and prints for each \
            fault what it prevents and what to do about it. With `--fix` settings of the kernel that configured jails \
            need are set, now and for each boot (in /etc/sysctl.d/60-jaula.conf), and what somebody has removed of \
            jaula's firewall is put back.",
    options: &[&opt::FIX, &opt::JSON],
    examples: &[
        ("jaula doctor", "check everything"),
        ("jaula doctor --fix", "set what jails need, and say so"),
    ],
    exits: exit::CHECK,
    see: &["gc", "status"],
    kind: Kind::Command(|given| Ok(Command::Doctor(Doctor { fix: given.fix, json: given.json }))),
    ..VERB
};
