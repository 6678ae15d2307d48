//! What an unfinished word could become.
//!
//! The shells' scripts are a few lines each and ask here, so that all shells complete alike, and
//! as the table says that the words will be understood.

use crate::table::{Count, Operand, Opt, ROOT, Verb, Words};
use jaula::house::House;
use model::name::Name;
use std::ffi::OsString;
use std::fmt;

/// One line for a shell.
///
/// Where words begin with something that stays as it is (`--root=`, `dir:`), `prefix` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Candidate {
    /// A whole word and what it means: `WORD TAB MEANING`.
    Word(String, String),
    /// `@jails`: what `jaula complete-names` prints.
    Jails,
    /// `@keys PREFIX`: what `jaula config keys --quiet` prints, each with a `=` behind it.
    Keys(String),
    /// `@files PREFIX`
    Files(String),
    /// `@directories PREFIX`
    Directories(String),
    /// `@users PREFIX`
    Users(String),
    /// `@commands`
    Commands,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word, meaning) => write!(f, "{word}\t{meaning}"),
            Self::Jails => f.write_str("@jails"),
            Self::Keys(prefix) => write!(f, "@keys {prefix}"),
            Self::Files(prefix) => write!(f, "@files {prefix}"),
            Self::Directories(prefix) => write!(f, "@directories {prefix}"),
            Self::Users(prefix) => write!(f, "@users {prefix}"),
            Self::Commands => f.write_str("@commands"),
        }
    }
}

/// What the last of the words after `jaula` could become.
pub(crate) fn candidates(words: &[OsString]) -> Vec<Candidate> {
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let Some((current, before)) = words.split_last() else { return Vec::new() };
    let mut place = Place::default();
    if !before.iter().all(|word| place.pass(word)) {
        return Vec::new();
    }
    let all = place.expect(current);
    let fits = |candidate: &Candidate| match candidate {
        Candidate::Word(word, _) => word.starts_with(&**current),
        _ => true,
    };
    all.into_iter().filter(fits).collect()
}

/// Where in a command line the cursor stands: what `parse` would know there, of words that
/// need not be right.
struct Place {
    verb: &'static Verb,
    operands: Vec<String>,
    /// The option whose value comes next.
    pending: Option<&'static Opt>,
    /// `--` was passed.
    is_literal: bool,
    /// `--all` was passed.
    all: bool,
}

impl Default for Place {
    fn default() -> Self {
        Self { verb: &ROOT, operands: Vec::new(), pending: None, is_literal: false, all: false }
    }
}

impl Place {
    /// Has the command begun that all further words belong to?
    fn is_in_command(&self) -> bool {
        self.verb.words_before_command().is_some_and(|before| self.operands.len() > before)
    }

    /// Passes a word; `false` if nothing sensible can follow it.
    fn pass(&mut self, word: &str) -> bool {
        if self.pending.take().is_some() {
            return true;
        }
        if !self.is_literal && !self.is_in_command() && word.len() > 1 && word.starts_with('-') {
            self.pass_option(word);
            return true;
        }
        if self.verb.members().is_empty() {
            self.operands.push(word.to_owned());
            return true;
        }
        self.verb.member(word).inspect(|verb| self.verb = verb).is_some()
    }

    fn pass_option(&mut self, word: &str) {
        if let Some(long) = word.strip_prefix("--") {
            self.is_literal |= long.is_empty();
            self.all |= long == "all";
            self.pending = self.verb.option(long).filter(|option| option.value_words().is_some());
            return;
        }
        // The first letter that has a value takes the rest as its value, or the next word.
        let mut letters = word.chars().skip(1);
        let with_value = letters
            .find_map(|letter| self.verb.letter(letter).filter(|option| option.value_words().is_some()));
        self.pending = with_value.filter(|_| letters.next().is_none());
    }

    /// What the unfinished word can become, without regard to its beginning but for what
    /// kind of word that makes it.
    fn expect(&self, current: &str) -> Vec<Candidate> {
        if let Some(words) = self.pending.and_then(Opt::value_words) {
            return self.words(words, "", current);
        }
        if self.is_in_command() {
            return vec![Candidate::Files(String::new())];
        }
        if !self.is_literal && current.starts_with('-') {
            return self.option(current);
        }
        if !self.verb.members().is_empty() {
            return verbs(self.verb);
        }
        let skipped = usize::from(self.all && self.verb.operands.first().is_some_and(is_replaced_by_all));
        match self.verb.operand(self.operands.len() + skipped) {
            Some(operand) => self.words(operand.words, "", current),
            None => Vec::new(),
        }
    }

    /// An option, or the value glued to one.
    fn option(&self, current: &str) -> Vec<Candidate> {
        if let Some((option, value)) = current.split_once('=') {
            let words = self.verb.option(option.trim_start_matches('-')).and_then(Opt::value_words);
            return words.map_or_else(Vec::new, |words| self.words(words, &format!("{option}="), value));
        }
        let word = |option: &Opt| Candidate::Word(format!("--{}", option.long), brief(option.help));
        self.verb.all_options().map(word).collect()
    }

    /// The words of this kind behind `prefix`, where `current` stands now.
    fn words(&self, words: Words, prefix: &str, current: &str) -> Vec<Candidate> {
        let fixed =
            |word: &str, meaning: &str| Candidate::Word(format!("{prefix}{word}"), meaning.to_owned());
        let prefix = prefix.to_owned();
        match words {
            Words::Anything => Vec::new(),
            Words::OneOf(words) => words.iter().map(|word| fixed(word, "")).collect(),
            Words::Jails => vec![Candidate::Jails],
            Words::JailsOrFiles => vec![Candidate::Jails, Candidate::Files(prefix)],
            Words::Snapshots => snapshots(&prefix, current),
            // A jail's own name comes without the `@` behind it.
            Words::JailsOrSnapshots if current.contains('@') => snapshots(&prefix, current),
            Words::JailsOrSnapshots => vec![Candidate::Jails],
            Words::Assignment if current.contains('=') => Vec::new(),
            Words::Assignment => vec![Candidate::Keys(prefix)],
            Words::Templates => templates(&prefix),
            Words::BuildSpec if current.starts_with("template:") => templates(&(prefix + "template:")),
            Words::Files => vec![Candidate::Files(prefix)],
            Words::Directories => vec![Candidate::Directories(prefix)],
            Words::RootSpec if current.starts_with("dir:") => vec![Candidate::Directories(prefix + "dir:")],
            Words::RootSpec if current.starts_with("app:") => vec![Candidate::Files(prefix + "app:")],
            Words::RootSpec if current.starts_with("template:") => templates(&(prefix + "template:")),
            Words::RootSpec => vec![
                fixed("dir:", "a directory tree"),
                fixed("app:", "a program with what it needs"),
                fixed("template:", "a template that is there"),
                fixed("host", "the host's own files"),
            ],
            Words::BuildSpec if current.starts_with("dir:") => {
                vec![Candidate::Directories(prefix + "dir:")]
            }
            Words::BuildSpec if current.starts_with("clone:") => jails(&(prefix + "clone:")),
            Words::BuildSpec if current.starts_with("oci:") => vec![Candidate::Files(prefix + "oci:")],
            Words::BuildSpec => vec![
                fixed("debootstrap:", "a Debian, Ubuntu or relative"),
                fixed("template:", "a template that is there"),
                fixed("oci:", "a container image"),
                fixed("dir:", "a copy of a directory tree"),
                fixed("clone:", "a copy of another jail"),
                fixed("host", "a copy of this host"),
                fixed("skeleton", "empty directories"),
            ],
            Words::Users => vec![Candidate::Users(prefix)],
            Words::Verbs => {
                let family = self.operands.iter().try_fold(&ROOT, |verb, word| verb.member(word));
                family.map_or_else(Vec::new, verbs)
            }
            Words::Command => vec![Candidate::Commands, Candidate::Files(prefix)],
        }
    }
}

fn is_replaced_by_all(operand: &Operand) -> bool {
    operand.count == Count::ManyOrAll
}

/// The verbs of a family.
fn verbs(family: &'static Verb) -> Vec<Candidate> {
    let shown = family.members().iter().filter(|verb| verb.is_shown());
    shown.map(|verb| Candidate::Word(verb.word().to_owned(), verb.summary.to_owned())).collect()
}

/// The first clause of a description.
fn brief(help: &str) -> String {
    let end = help.find([':', ';', '.']).unwrap_or(help.len());
    help[..end].replace('`', "")
}

/// The jails of the house that the environment names.
fn jails(prefix: &str) -> Vec<Candidate> {
    let all = jaula::registry::all(&House::from_environment()).unwrap_or_default();
    all.into_iter().map(|name| Candidate::Word(format!("{prefix}{name}"), String::new())).collect()
}

/// Their snapshots, each with its note; once the jail is named, of that one only.
fn snapshots(prefix: &str, current: &str) -> Vec<Candidate> {
    let house = House::from_environment();
    let mut all = jaula::registry::all(&house).unwrap_or_default();
    if let Some((jail, _)) = current.split_once('@') {
        all.retain(|name| name.as_str() == jail);
    }
    let of = |jail: Name| {
        let snapshots = jaula::keeping::shelf::list(&house, &jail).unwrap_or_default();
        snapshots.into_iter().map(move |(snapshot, about)| {
            let note = about.note.unwrap_or_default();
            let note = note.split(['\n', '\t']).next().unwrap_or_default();
            Candidate::Word(format!("{prefix}{jail}@{snapshot}"), note.to_owned())
        })
    };
    all.into_iter().flat_map(of).collect()
}

/// The templates of the house that the environment names.
fn templates(prefix: &str) -> Vec<Candidate> {
    let all = jaula::rootfs::template::list(&House::from_environment()).unwrap_or_default();
    all.into_iter().map(|name| Candidate::Word(format!("{prefix}{name}"), String::new())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines for `line`, split at single blanks, without meanings.
    fn lines(line: &str) -> Vec<String> {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let to_line =
            |candidate: &Candidate| candidate.to_string().split('\t').next().unwrap_or_default().to_owned();
        candidates(&words).iter().map(to_line).collect()
    }

    #[test]
    fn what_comes_next() {
        let table: &[(&str, &[&str])] = &[
            ("st", &["start", "stop", "status"]),
            ("config e", &["edit"]),
            ("config frob x", &[]),
            ("help config s", &["show"]),
            ("start ", &["@jails"]),
            ("start www d", &["@jails"]),
            ("exec ", &["@jails"]),
            ("exec www ", &["@commands", "@files "]),
            ("exec --user bob www ", &["@commands", "@files "]),
            ("exec www ls -", &["@files "]),
            ("exec www --us", &["--user"]),
            ("exec www -- --us", &["@commands", "@files "]),
            ("exec --user ", &["@users "]),
            ("console www ", &[]),
            ("run --net", &["--network"]),
            ("run --network ", &["none", "host", "bind", "routed", "bridge", "macvlan"]),
            ("run --network=h", &["--network=host"]),
            ("run --root ", &["dir:", "app:", "template:", "host"]),
            ("clone w", &["@jails"]),
            ("run --root d", &["dir:"]),
            ("run --root dir:/s", &["@directories dir:"]),
            ("run --root=app:/b", &["@files --root=app:"]),
            ("run --app /b", &["@files "]),
            ("build web --from deb", &["debootstrap:"]),
            ("build web --from dir:/s", &["@directories dir:"]),
            ("run --set ", &["@keys "]),
            ("run --set hostname=", &[]),
            ("set ", &["@jails"]),
            ("set www ", &["@keys "]),
            ("set --all ", &["@keys "]),
            ("logs -fn ", &[]),
            ("logs -n5 ", &["@jails"]),
            ("logs -n 5 ", &["@jails"]),
            ("completions ", &["bash", "zsh", "fish"]),
            ("up ", &["@directories "]),
            ("config check ", &["@jails", "@files "]),
            ("--color a", &["auto", "always"]),
            ("--quiet ver", &["version"]),
        ];
        for (line, expected) in table {
            assert_eq!(lines(line), *expected, "{line}");
        }
        assert!(candidates(&[]).is_empty());
    }

    #[test]
    fn hidden_verbs_stay_hidden() {
        assert!(lines("").contains(&"run".to_owned()));
        assert!(!lines("c").contains(&"complete-names".to_owned()));
    }
}
