//! The one description of the command line.
//!
//! Help, manual pages, completions and the parser are all made from [`ROOT`], so none of them
//! can know an option that the others do not. It is constant data: a start of jaula builds nothing.

pub(crate) mod bind;
pub(crate) mod boot;
pub(crate) mod build;
pub(crate) mod change;
pub(crate) mod inspect;
pub(crate) mod itself;
pub(crate) mod keep;
pub(crate) mod operate;
pub(crate) mod options;
pub(crate) mod template;
pub(crate) mod transfer;

use crate::command::Command;
use crate::exit::Exit;
use crate::given::Given;
use crate::usage::Fault;

/// One verb, or (with [`Kind::Family`]) a word that other verbs stand behind.
pub(crate) struct Verb {
    /// All words of it: `start`, `config show`.
    pub(crate) name: &'static str,
    /// Where the overview lists it.
    pub(crate) group: Group,
    /// What it does, in half a line without a full stop.
    pub(crate) summary: &'static str,
    /// What it does, in a few sentences. Paragraphs are separated by an empty line; what is
    /// typed literally stands between backquotes.
    pub(crate) about: &'static str,
    /// What follows it, in order.
    pub(crate) operands: &'static [Operand],
    /// Its options, beside [`options::GLOBAL`].
    pub(crate) options: &'static [&'static Opt],
    /// Command lines and what they do.
    pub(crate) examples: &'static [(&'static str, &'static str)],
    /// The statuses that it exits with.
    pub(crate) exits: &'static [&'static Exit],
    /// Names of other verbs.
    pub(crate) see: &'static [&'static str],
    /// What it becomes.
    pub(crate) kind: Kind,
}

impl std::fmt::Debug for Verb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Verb {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// What a [`Verb`] becomes.
pub(crate) enum Kind {
    /// A command.
    Command(fn(Given) -> Result<Command, Fault>),
    /// Nothing yet: one of these must follow.
    Family(&'static [&'static Verb]),
}

/// Under which heading a verb stands in the overview.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// Make and run
    Run,
    /// Watch
    Watch,
    /// Change
    Change,
    /// Repair
    Repair,
    /// jaula itself
    Itself,
    /// Not at all: for programs.
    Hidden,
}

impl Group {
    /// Those of the overview, in its order, with their headings.
    pub(crate) const SHOWN: [(Self, &'static str); 5] = [
        (Self::Run, "Make and run"),
        (Self::Watch, "Watch"),
        (Self::Change, "Change"),
        (Self::Repair, "Repair"),
        (Self::Itself, "About jaula"),
    ];
}

/// A word, or words, after the verb that are no options.
pub(crate) struct Operand {
    /// As usage lines have it: `NAME`.
    pub(crate) name: &'static str,
    /// How many.
    pub(crate) count: Count,
    /// What it can be.
    pub(crate) words: Words,
    /// What it means.
    pub(crate) help: &'static str,
}

impl std::fmt::Debug for Operand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// How many words an operand takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// One.
    One,
    /// One or none.
    Optional,
    /// Any number.
    Any,
    /// One or more.
    Many,
    /// One or more, or none with `--all`.
    ManyOrAll,
}

impl Count {
    /// May it take more than one word?
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Any | Self::Many | Self::ManyOrAll)
    }
}

/// What a word can be; completions follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Words {
    /// Nothing that could be listed.
    Anything,
    /// One of these and nothing else.
    OneOf(&'static [&'static str]),
    /// A jail's name, id, unique prefix, or glob.
    Jails,
    /// The same, or a file of the host.
    JailsOrFiles,
    /// `JAIL@SNAPSHOT` of a snapshot that is there.
    Snapshots,
    /// The same, or a jail.
    JailsOrSnapshots,
    /// `KEY=VALUE` with a key of the configuration.
    Assignment,
    /// A file of the host.
    Files,
    /// A template.
    Templates,
    /// A directory of the host.
    Directories,
    /// What `root.from` takes.
    RootSpec,
    /// What `jaula build --from` takes.
    BuildSpec,
    /// A user of the host, as the nearest guess for one of the jail's.
    Users,
    /// A verb.
    Verbs,
    /// A command with all that follows; options end where it begins.
    Command,
}

/// An option.
pub(crate) struct Opt {
    /// Its name without `--`.
    pub(crate) long: &'static str,
    /// Its letter.
    pub(crate) short: Option<char>,
    /// What it means, as [`Verb::about`].
    pub(crate) help: &'static str,
    /// What it does to what was given.
    pub(crate) take: Take,
}

/// What an option does to what was given.
pub(crate) enum Take {
    /// It stands alone.
    Flag(fn(&mut Given)),
    /// It has a value.
    Value {
        /// As usage lines have it: `SPEC`.
        name: &'static str,
        /// What it can be.
        words: Words,
        /// Keeps the value, or says in a few words what it should be.
        put: fn(&mut Given, String) -> Result<(), &'static str>,
    },
}

/// An empty verb, so that each one below writes only what it has.
const VERB: Verb = Verb {
    name: "",
    group: Group::Hidden,
    summary: "",
    about: "",
    operands: &[],
    options: &[],
    examples: &[],
    exits: &[],
    see: &[],
    kind: Kind::Family(&[]),
};

/// The whole command line.
pub(crate) static ROOT: Verb = Verb {
    name: "jaula",
    summary: "virtual servers and confined services on one shared kernel",
    about: "`jaula` runs whole Linux distributions and single programs in jails: with their own files, \
            processes, users and addresses, on the kernel that the host runs anyway. A jail is a text file, \
            a directory and a process; there is no daemon.",
    examples: &[
        ("jaula run --app /bin/bash", "a shell with the files it needs and no others"),
        ("jaula run --root dir:/srv/debian --ephemeral sh", "a shell in a root; what it writes is forgotten"),
        ("jaula create www --app /usr/sbin/nginx --network host", "a jail that stays"),
        ("jaula build web --from debootstrap:trixie", "a virtual server with a Debian of its own"),
        ("jaula start www", "start it; it is ready when the command returns"),
        ("jaula exec www ps ax", "a command in a running jail"),
    ],
    exits: crate::exit::ALL,
    kind: Kind::Family(&[
        &operate::RUN,
        &operate::TRACE,
        &operate::CREATE,
        &build::BUILD,
        &template::TEMPLATE,
        &keep::CLONE,
        &operate::START,
        &operate::STOP,
        &operate::RESTART,
        &operate::SIGNAL,
        &bind::BIND,
        &operate::EXEC,
        &operate::ENTER,
        &operate::CONSOLE,
        &operate::UP,
        &operate::DOWN,
        &boot::BOOT,
        &boot::SHUTDOWN,
        &inspect::LIST,
        &inspect::STATUS,
        &inspect::LOGS,
        &inspect::OUTDATED,
        &inspect::PLAN,
        &inspect::AUDIT,
        &change::SET,
        &change::CONFIG,
        &change::REFRESH,
        &transfer::EXPORT,
        &transfer::IMPORT,
        &keep::SNAPSHOT_FAMILY,
        &keep::RENAME,
        &change::DELETE,
        &change::GC,
        &inspect::DOCTOR,
        &itself::HELP,
        &itself::COMPLETIONS,
        &itself::VERSION,
        &itself::MANUAL,
        &boot::UNITS,
        &itself::COMPLETE,
        &itself::COMPLETE_NAMES,
    ]),
    ..VERB
};

impl Verb {
    /// The last of its words: the one to type after those of its family.
    pub(crate) fn word(&self) -> &'static str {
        self.name.rsplit(' ').next().unwrap_or(self.name)
    }

    /// The verbs that stand behind this word.
    pub(crate) fn members(&self) -> &'static [&'static Self] {
        match self.kind {
            Kind::Family(members) => members,
            Kind::Command(_) => &[],
        }
    }

    /// The verb behind this one that is called so.
    pub(crate) fn member(&self, word: &str) -> Option<&'static Self> {
        self.members().iter().copied().find(|verb| verb.word() == word)
    }

    /// Is it for people?
    pub(crate) fn is_shown(&self) -> bool {
        self.group != Group::Hidden
    }

    /// Its options and those of every verb that it does not explain anew.
    pub(crate) fn all_options(&self) -> impl Iterator<Item = &'static Opt> {
        let is_new = |option: &&&Opt| !self.options.iter().any(|own| own.long == option.long);
        self.options.iter().chain(options::GLOBAL.iter().filter(is_new)).copied()
    }

    /// The option of that name, without dashes.
    pub(crate) fn option(&self, long: &str) -> Option<&'static Opt> {
        self.all_options().find(|option| option.long == long)
    }

    /// The option of that letter.
    pub(crate) fn letter(&self, short: char) -> Option<&'static Opt> {
        self.all_options().find(|option| option.short == Some(short))
    }

    /// How many operands stand before the command that ends the options, if it has one.
    pub(crate) fn words_before_command(&self) -> Option<usize> {
        self.operands.iter().position(|operand| operand.words == Words::Command)
    }

    /// What the word after `index` operands would be.
    pub(crate) fn operand(&self, index: usize) -> Option<&'static Operand> {
        self.operands.get(index).or_else(|| self.operands.last().filter(|last| last.count.is_open()))
    }

    /// Its name as it is typed: `jaula start`.
    pub(crate) fn command_line(&self) -> String {
        if self.name == ROOT.name { self.name.to_owned() } else { format!("{} {}", ROOT.name, self.name) }
    }

    /// Its usage line, options first.
    pub(crate) fn usage(&self) -> String {
        let mut line = self.command_line();
        if !self.options.is_empty() {
            line.push_str(" [OPTION…]");
        }
        if !self.members().is_empty() {
            line.push_str(" VERB …");
        }
        for operand in self.operands {
            line.push(' ');
            line.push_str(&operand.usage());
        }
        line
    }
}

impl Operand {
    /// It as usage lines have it.
    pub(crate) fn usage(&self) -> String {
        let name = self.name;
        match (self.words, self.count) {
            (Words::Command, Count::Any) => format!("[[--] {name} [ARG…]]"),
            (Words::Command, _) => format!("[--] {name} [ARG…]"),
            (_, Count::One) => name.to_owned(),
            (_, Count::Optional) => format!("[{name}]"),
            (_, Count::Any) => format!("[{name}…]"),
            (_, Count::Many) => format!("{name}…"),
            (_, Count::ManyOrAll) => format!("{name}…|--all"),
        }
    }
}

impl Opt {
    /// The name of its value.
    pub(crate) fn value_name(&self) -> Option<&'static str> {
        match self.take {
            Take::Flag(_) => None,
            Take::Value { name, .. } => Some(name),
        }
    }

    /// What its value can be.
    pub(crate) fn value_words(&self) -> Option<Words> {
        match self.take {
            Take::Flag(_) => None,
            Take::Value { words, .. } => Some(words),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every verb below this one, families included.
    pub(crate) fn below(verb: &'static Verb) -> Vec<&'static Verb> {
        verb.members().iter().flat_map(|member| [vec![*member], below(member)].concat()).collect()
    }

    #[test]
    fn every_verb_and_option_is_documented() {
        for verb in below(&ROOT) {
            let name = verb.name;
            assert!(!verb.summary.is_empty() && !verb.summary.ends_with('.'), "{name}: summary");
            assert!(verb.about.ends_with('.'), "{name}: about");
            assert!(verb.about.matches('`').count().is_multiple_of(2), "{name}: backquotes");
            for option in verb.all_options() {
                assert!(option.help.ends_with('.'), "{name} --{}", option.long);
                assert!(option.help.matches('`').count().is_multiple_of(2), "{name} --{}", option.long);
            }
            for operand in verb.operands {
                assert!(operand.help.ends_with('.'), "{name} {}", operand.name);
            }
            if verb.is_shown() && verb.members().is_empty() {
                assert!(!verb.examples.is_empty() && !verb.exits.is_empty(), "{name}: examples, exits");
            }
        }
    }

    #[test]
    fn names_and_letters_are_unique() {
        for verb in below(&ROOT) {
            for (i, option) in verb.options.iter().enumerate() {
                for other in &verb.options[i + 1..] {
                    assert_ne!(option.long, other.long, "{}", verb.name);
                    assert!(option.short.is_none() || option.short != other.short, "{}", verb.name);
                }
            }
        }
    }

    #[test]
    fn what_a_verb_refers_to_exists() {
        for verb in below(&ROOT) {
            for see in verb.see {
                assert!(below(&ROOT).iter().any(|other| other.name == *see), "{}: see {see}", verb.name);
            }
        }
    }

    #[test]
    fn usage_lines() {
        assert_eq!(operate::START.usage(), "jaula start [OPTION…] NAME…|--all");
        assert_eq!(operate::EXEC.usage(), "jaula exec [OPTION…] NAME [--] CMD [ARG…]");
        assert_eq!(change::CONFIG.usage(), "jaula config VERB …");
        assert_eq!(operate::UP.usage(), "jaula up [DIR]");
    }
}
