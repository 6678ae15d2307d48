//! What was given on a command line, before a verb makes its command of it.
//!
//! One flat struct for all verbs: an option's meaning is one assignment to it, written in
//! `table::options`; a verb's meaning is one function from it, written beside the verb.

use crate::command::{DryRun, Op, Selection, Setting, TraceFirst, When};
use crate::table::ROOT;
use crate::usage::Fault;
use model::units::Span;
use std::ffi::OsString;
use std::path::PathBuf;

/// See the module. Fields are named after their options.
#[derive(Debug, Default)]
pub(crate) struct Given {
    /// The words that are no options, those of a command included.
    pub(crate) operands: Vec<OsString>,
    /// `--set` and the options that are short for it.
    pub(crate) settings: Vec<Setting>,
    pub(crate) name: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) directory: Option<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) addresses: Vec<String>,
    pub(crate) tty: Option<bool>,
    pub(crate) start: bool,
    pub(crate) all: bool,
    pub(crate) timeout: Option<Span>,
    pub(crate) time: Option<Span>,
    pub(crate) until_ready: bool,
    pub(crate) output: Option<PathBuf>,
    pub(crate) into: Option<String>,
    pub(crate) strict: bool,
    pub(crate) explain: bool,
    pub(crate) config: Option<String>,
    pub(crate) trace: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) template: Option<String>,
    pub(crate) mirrors: Vec<String>,
    pub(crate) variant: Option<String>,
    pub(crate) packages: Vec<String>,
    pub(crate) components: Vec<String>,
    pub(crate) keyring: Option<PathBuf>,
    pub(crate) fresh: bool,
    pub(crate) digest: Option<String>,
    pub(crate) limit: Option<String>,
    pub(crate) verbose: bool,
    pub(crate) follow: bool,
    pub(crate) lines: Option<usize>,
    pub(crate) effective: bool,
    pub(crate) full: bool,
    /// In tenths.
    pub(crate) threshold: Option<u32>,
    pub(crate) yes: bool,
    pub(crate) force: bool,
    pub(crate) no_restart: bool,
    pub(crate) restart: bool,
    pub(crate) discard: bool,
    pub(crate) keep_config: bool,
    pub(crate) no_freeze: bool,
    pub(crate) note: Option<String>,
    pub(crate) retrace: bool,
    pub(crate) dry_run: bool,
    pub(crate) fix: bool,
    pub(crate) rescue: bool,
    pub(crate) disk: bool,
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) color: When,
    pub(crate) help: bool,
    pub(crate) version: bool,
}

impl Given {
    /// Keeps `key = value`, as `--set KEY=VALUE` does.
    pub(crate) fn set(&mut self, key: &str, value: String) {
        self.settings.push(Setting { key: key.to_owned(), op: Op::Set, value });
    }

    /// Keeps one more member of the list `key`, as `--set KEY+=VALUE` does.
    pub(crate) fn add(&mut self, key: &str, value: String) {
        self.settings.push(Setting { key: key.to_owned(), op: Op::Add, value });
    }

    /// The first operand, which the table says is there, as text.
    pub(crate) fn take_name(&mut self) -> Result<String, Fault> {
        if self.operands.is_empty() { Ok(String::new()) } else { text(self.operands.remove(0)) }
    }

    /// The first operand as a path, where `-` and nothing are the standard stream.
    pub(crate) fn take_file(&mut self) -> Option<PathBuf> {
        self.take_path().filter(|path| path.as_os_str() != "-")
    }

    /// The operands as text.
    pub(crate) fn take_words(&mut self) -> Result<Vec<String>, Fault> {
        std::mem::take(&mut self.operands).into_iter().map(text).collect()
    }

    /// The first operand as a path.
    pub(crate) fn take_path(&mut self) -> Option<PathBuf> {
        if self.operands.is_empty() { None } else { Some(PathBuf::from(self.operands.remove(0))) }
    }

    /// All operands as names of jails; none of them means all jails.
    pub(crate) fn take_selection(&mut self) -> Result<Selection, Fault> {
        let names: Vec<String> =
            std::mem::take(&mut self.operands).into_iter().map(text).collect::<Result<_, _>>()?;
        match names.first() {
            None => Ok(Selection::All),
            Some(first) if self.all => Err(Fault::NamesAndAll(first.clone())),
            Some(_) => Ok(Selection::Named(names)),
        }
    }

    /// `--dry-run`, with or without `--json`, which has no other meaning there.
    pub(crate) fn take_dry_run(&self) -> Result<Option<DryRun>, Fault> {
        match (self.dry_run, self.json) {
            (false, false) => Ok(None),
            (true, false) => Ok(Some(DryRun::Text)),
            (true, true) => Ok(Some(DryRun::Json)),
            (false, true) => Err(Fault::JsonOfNothing),
        }
    }

    /// The command of a new jail: the one given, or else the program of an app jail.
    pub(crate) fn take_command(&mut self) -> Result<Vec<OsString>, Fault> {
        let mut roots = self.settings.iter().filter(|s| s.key == "root.from" && s.op == Op::Set);
        let root = roots.next();
        if roots.next().is_some() {
            return Err(Fault::TwoRoots);
        }
        let command = std::mem::take(&mut self.operands);
        match root.and_then(|s| s.value.strip_prefix("app:")) {
            Some(program) if command.is_empty() && !self.sets_command() => Ok(vec![program.into()]),
            _ => Ok(command),
        }
    }

    /// `--trace` of a new jail, and the program's arguments.
    pub(crate) fn take_trace(&mut self) -> Result<Option<TraceFirst>, Fault> {
        let Some(arguments) = self.trace.take() else {
            let is_lost = self.time.is_some() || self.until_ready || self.yes;
            return if is_lost { Err(Fault::NothingTraced) } else { Ok(None) };
        };
        let root = self.settings.iter().find(|s| s.key == "root.from" && s.op == Op::Set);
        let program = root.and_then(|s| s.value.strip_prefix("app:")).ok_or(Fault::TraceOfNothing)?;
        if self.dry_run {
            return Err(Fault::TraceDry);
        }
        if self.config.is_some() {
            return Err(Fault::TraceAndConfig);
        }
        let arguments = model::config::edit::words(&arguments).map_err(|e| Fault::BadArguments(e.message))?;
        let command = std::iter::once(program.to_owned()).chain(arguments).collect();
        Ok(Some(TraceFirst { command, time: self.time, until_ready: self.until_ready, yes: self.yes }))
    }

    /// Is `boot.command` among the settings?
    pub(crate) fn sets_command(&self) -> bool {
        self.settings.iter().any(|s| s.key == "boot.command" && s.op == Op::Set)
    }
}

/// A word as text; only paths and the command of a jail may be other than UTF-8.
pub(crate) fn text(word: OsString) -> Result<String, Fault> {
    word.into_string().map_err(Fault::NotUtf8)
}

/// `KEY=VALUE`, `KEY+=VALUE`, `KEY-=VALUE` or `KEY=`; `None` if it is none of them.
pub(crate) fn setting(text: &str) -> Option<Setting> {
    let (key, value) = text.split_once('=')?;
    let (key, op) = match (key.strip_suffix('+'), key.strip_suffix('-')) {
        (Some(key), _) => (key, Op::Add),
        (_, Some(key)) => (key, Op::Remove),
        _ if value.is_empty() => (key, Op::Unset),
        _ => (key, Op::Set),
    };
    let needs_value = op != Op::Unset;
    if key.is_empty() || needs_value && value.is_empty() {
        return None;
    }
    Some(Setting { key: key.to_owned(), op, value: value.to_owned() })
}

/// `NAME=VALUE` of the environment; `None` if it is none.
pub(crate) fn variable(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty())?;
    Some((name.to_owned(), value.to_owned()))
}

/// `name` as a part of a dotted key: quoted as TOML wants it unless it is a bare key.
pub(crate) fn key_part(name: &str) -> String {
    let is_bare = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if is_bare { name.to_owned() } else { format!("{name:?}") }
}

/// The verb that these words name, as `jaula help` has them; none is the whole.
pub(crate) fn topic(words: Vec<OsString>) -> Result<&'static crate::table::Verb, Fault> {
    words.into_iter().try_fold(&ROOT, |verb, word| {
        let word = text(word)?;
        verb.member(&word).ok_or(Fault::UnknownVerb { word, family: verb })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings() {
        let table = [
            ("network.mode=host", "network.mode", Op::Set, "host"),
            ("a=b=c", "a", Op::Set, "b=c"),
            ("root.files+=/etc/hosts", "root.files", Op::Add, "/etc/hosts"),
            ("security.capabilities+=-sys_chroot", "security.capabilities", Op::Add, "-sys_chroot"),
            ("security.hide-=/proc/x", "security.hide", Op::Remove, "/proc/x"),
            ("hostname=", "hostname", Op::Unset, ""),
        ];
        for (text, key, op, value) in table {
            let expected = Setting { key: key.to_owned(), op, value: value.to_owned() };
            assert_eq!(setting(text), Some(expected), "{text}");
        }
        for bad in ["", "=", "=x", "+=x", "-=x", "a", "a+=", "a-="] {
            assert_eq!(setting(bad), None, "{bad}");
        }
    }

    #[test]
    fn variables_become_keys() {
        assert_eq!(variable("A="), Some(("A".to_owned(), String::new())));
        assert_eq!(variable("A"), None);
        assert_eq!(variable("=x"), None);
        assert_eq!(key_part("LC_ALL"), "LC_ALL");
        assert_eq!(key_part("a.b"), "\"a.b\"");
    }
}
