//! A command line that means nothing: what is wrong with it, and what may have been meant.

use crate::suggest::nearest;
use crate::table::{Count, Operand, Verb};
use std::ffi::OsString;
use std::fmt;

/// A [`Fault`] and the verb whose command line has it.
#[derive(Debug)]
pub(crate) struct UsageError {
    /// What is wrong.
    pub(crate) fault: Fault,
    /// As far as it was understood; the whole program's description if no verb was.
    pub(crate) verb: &'static Verb,
}

/// What is wrong with a command line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// A word where one of the family's verbs should be.
    #[error("there is no verb {:?}", spoken(family, word))]
    UnknownVerb { word: String, family: &'static Verb },
    /// Nothing where one of the family's verbs should be.
    #[error("a verb is missing after {:?}", .0.command_line())]
    MissingVerb(&'static Verb),
    /// An option, as typed, that the verb does not have.
    #[error("{:?} has no option {option}", verb.command_line())]
    UnknownOption { option: String, verb: &'static Verb },
    /// An option at the end that should have a value.
    #[error("{option} needs a value: {option} {value}")]
    MissingValue { option: String, value: &'static str },
    /// `--flag=value`
    #[error("{option} takes no value, but {value:?} is given")]
    UnexpectedValue { option: String, value: String },
    /// A value or operand that is not one of the few that it can be.
    #[error("{what} {value:?} is not one of {}", one_of.join(", "))]
    NotOneOf { what: String, value: String, one_of: &'static [&'static str] },
    /// A value that is not what it should be.
    #[error("{option} {value:?} is not {wanted}")]
    BadValue { option: String, value: String, wanted: &'static str },
    /// An operand that is no assignment.
    #[error("{0:?} is not KEY=VALUE, KEY+=VALUE, KEY-=VALUE or KEY=")]
    BadAssignment(String),
    /// Too few words.
    #[error("{} is missing", .0.name)]
    MissingOperand(&'static Operand),
    /// `jaula build` without `--from`.
    #[error("--from is missing: what is it made from?")]
    NoSource,
    /// Neither names nor `--all`.
    #[error("no jail is named")]
    NoJail,
    /// Too many words.
    #[error("{0:?} is one word too many")]
    ExtraOperand(String),
    /// Names, with which `--all` would be ambiguous.
    #[error("--all and the name {0:?} exclude each other")]
    NamesAndAll(String),
    /// `--root` and `--app`, or one of them twice.
    #[error("a jail has one root: --root, --app and --set root.from exclude each other")]
    TwoRoots,
    /// `--output` and `--into`.
    #[error("--output and --into exclude each other: one writes a file, the other a jail")]
    TwoTargets,
    /// `create --trace` without a program.
    #[error("--trace needs --app PROGRAM: a root of another kind has its own files")]
    TraceOfNothing,
    /// `create --trace` with `--dry-run`.
    #[error("--trace and --dry-run exclude each other: to trace is to run the program")]
    TraceDry,
    /// `create --trace` with `--config`.
    #[error(
        "--trace and --config exclude each other: trace into the jail afterwards, jaula trace --into NAME"
    )]
    TraceAndConfig,
    /// What only `--trace` makes sense of.
    #[error("--for, --until-ready and --yes need --trace here")]
    NothingTraced,
    /// The arguments of `--trace` are no words.
    #[error("--trace: {0}")]
    BadArguments(String),
    /// `run` without command.
    #[error("there is nothing to run: CMD is missing")]
    NothingToRun,
    /// `--json` without `--dry-run`, where only the latter prints data.
    #[error("--json needs --dry-run here: nothing else is printed")]
    JsonOfNothing,
    /// What the lexer could not take for another reason.
    #[error("the command line cannot be read: {0}")]
    Unreadable(String),
    /// Bytes where text is needed.
    #[error("the argument {0:?} is not UTF-8")]
    NotUtf8(OsString),
}

/// `word` with the words of the family before it.
fn spoken(family: &Verb, word: &str) -> String {
    if family.name == crate::table::ROOT.name { word.to_owned() } else { format!("{} {word}", family.name) }
}

impl UsageError {
    /// What to do about it, in one line.
    pub(crate) fn help(&self) -> String {
        let did_you_mean = |found: Option<String>| match found {
            Some(found) => format!("did you mean {found:?}?"),
            None => self.pointer(),
        };
        match &self.fault {
            Fault::UnknownVerb { word, family } => {
                let verbs = family.members().iter().filter(|verb| verb.is_shown());
                did_you_mean(nearest(word, verbs.map(|verb| verb.word())).map(|near| spoken(family, near)))
            }
            Fault::MissingVerb(family) if family.name != crate::table::ROOT.name => {
                let verbs = family.members().iter().filter(|verb| verb.is_shown());
                format!("one of {}", verbs.map(|verb| verb.word()).collect::<Vec<_>>().join(", "))
            }
            Fault::UnknownOption { option, verb } => {
                let near = option.strip_prefix("--").and_then(|long| {
                    nearest(long, verb.all_options().map(|o| o.long)).map(|near| format!("--{near}"))
                });
                match near {
                    None if verb.name == crate::table::ROOT.name => {
                        format!("options of a verb stand behind it: jaula VERB {option}")
                    }
                    None if verb.words_before_command().is_some() => format!(
                        "options of the command itself stand behind it, or behind --: {}",
                        verb.usage()
                    ),
                    near => did_you_mean(near),
                }
            }
            Fault::NoSource => "such as --from debootstrap:trixie or --from template:NAME".to_owned(),
            Fault::NotOneOf { value, one_of, .. } => {
                did_you_mean(nearest(value, one_of.iter().copied()).map(str::to_owned))
            }
            Fault::NamesAndAll(_) => "name jails or give --all, not both".to_owned(),
            Fault::NoJail => "give names, ids, unique prefixes or globs, or --all for every jail".to_owned(),
            Fault::BadAssignment(_) => "\"jaula config keys\" lists the keys".to_owned(),
            Fault::NotUtf8(_) => "only paths and the command of a jail may hold other bytes".to_owned(),
            Fault::MissingOperand(_) | Fault::ExtraOperand(_) | Fault::NothingToRun => {
                format!("usage: {}", self.verb.usage())
            }
            _ => self.pointer(),
        }
    }

    /// Where to read on.
    fn pointer(&self) -> String {
        if self.verb.name == crate::table::ROOT.name {
            "\"jaula help\" lists the verbs".to_owned()
        } else {
            format!("\"jaula help {}\" lists its options", self.verb.name)
        }
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
    }
}

impl std::error::Error for UsageError {}

/// Do as many operands stand there as the verb takes? `is_assignment` tells the words of a
/// `KEY=VALUE` operand from those before it.
pub(crate) fn count_operands(verb: &Verb, words: &[OsString], all: bool) -> Result<(), Fault> {
    let is_assignment = |word: &&OsString| word.as_encoded_bytes().contains(&b'=');
    let assigns = verb.operands.iter().any(|operand| operand.words == crate::table::Words::Assignment);
    let assignments = if assigns { words.iter().filter(is_assignment).count() } else { 0 };
    let mut left = words.len() - assignments;
    for operand in verb.operands {
        let there = if operand.words == crate::table::Words::Assignment { assignments } else { left };
        let missing = match operand.count {
            Count::One | Count::Many => there == 0,
            Count::ManyOrAll if there == 0 && !all => return Err(Fault::NoJail),
            _ => false,
        };
        if missing {
            return Err(Fault::MissingOperand(operand));
        }
        if operand.words != crate::table::Words::Assignment {
            left = if operand.count.is_open() { 0 } else { left.saturating_sub(1) };
        }
    }
    match words.get(words.len() - left) {
        Some(extra) if left > 0 => Err(Fault::ExtraOperand(extra.to_string_lossy().into_owned())),
        _ => Ok(()),
    }
}
