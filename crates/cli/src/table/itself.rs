//! About jaula itself: the verbs that need no jail, and those that only programs use.

use super::options as opt;
use super::{Count, Group, Kind, Operand, VERB, Verb, Words};
use crate::command::{Command, Json, Shell};
use crate::exit;
use crate::given::topic;

pub(crate) static HELP: Verb = Verb {
    name: "help",
    group: Group::Itself,
    summary: "Explain a verb",
    about: "Prints what there is or, with a verb, how it is used.",
    operands: &[Operand { name: "VERB", count: Count::Any, words: Words::Verbs, help: "The verb." }],
    examples: &[
        ("jaula help", "the verbs"),
        ("jaula help run", "one of them"),
        ("jaula help config show", "one of a family"),
    ],
    exits: exit::PLAIN,
    kind: Kind::Command(|given| Ok(Command::Help(topic(given.operands)?))),
    ..VERB
};

pub(crate) static COMPLETIONS: Verb = Verb {
    name: "completions",
    group: Group::Itself,
    summary: "Print completions for a shell",
    about: "Prints a script that makes the shell complete verbs, options, names of jails and keys. It asks \
            jaula for the words, so it need not be renewed when jaula is.",
    operands: &[Operand {
        name: "SHELL",
        count: Count::One,
        words: Words::OneOf(&["bash", "zsh", "fish"]),
        help: "The shell: `bash`, `zsh` or `fish`.",
    }],
    examples: &[
        ("jaula completions bash >/etc/bash_completion.d/jaula", "bash, for all users"),
        ("jaula completions zsh >/usr/local/share/zsh/site-functions/_jaula", "zsh, for all users"),
        ("jaula completions fish >~/.config/fish/completions/jaula.fish", "fish, for you"),
    ],
    exits: exit::PLAIN,
    see: &["help"],
    kind: Kind::Command(|mut given| {
        Ok(Command::Completions(match given.take_name()?.as_str() {
            "bash" => Shell::Bash,
            "zsh" => Shell::Zsh,
            _ => Shell::Fish,
        }))
    }),
    ..VERB
};

pub(crate) static VERSION: Verb = Verb {
    name: "version",
    group: Group::Itself,
    summary: "Print the version",
    about: "Prints the version of jaula.",
    options: &[&opt::JSON],
    examples: &[("jaula version", "as text"), ("jaula version --json", "as JSON")],
    exits: exit::PLAIN,
    kind: Kind::Command(|given| Ok(Command::Version(Json(given.json)))),
    ..VERB
};

pub(crate) static MANUAL: Verb = Verb {
    name: "manual",
    summary: "Write the manual pages",
    about: "Writes all manual pages into a directory, for packages.",
    operands: &[Operand {
        name: "DIR",
        count: Count::One,
        words: Words::Directories,
        help: "An existing directory.",
    }],
    exits: exit::PLAIN,
    kind: Kind::Command(|mut given| Ok(Command::Manual(given.take_path().unwrap_or_default()))),
    ..VERB
};

pub(crate) static COMPLETE: Verb = Verb {
    name: "complete",
    summary: "Complete a command line",
    about: "Prints what the last of the words could become, for the scripts of `jaula completions`.",
    operands: &[Operand {
        name: "WORD",
        count: Count::Any,
        words: Words::Command,
        help: "The words after `jaula` up to the cursor.",
    }],
    exits: exit::PLAIN,
    kind: Kind::Command(|given| Ok(Command::Complete(given.operands))),
    ..VERB
};

pub(crate) static COMPLETE_NAMES: Verb = Verb {
    name: "complete-names",
    summary: "Print the names of all jails",
    about: "Prints the names of all jails, one a line, for the scripts of `jaula completions`.",
    exits: exit::PLAIN,
    kind: Kind::Command(|_| Ok(Command::CompleteNames)),
    ..VERB
};
