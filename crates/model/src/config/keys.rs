//! The table of keys, the single source of what a jail's file may say.

use super::given::Given;
use super::types::Config;
use crate::caps::Capability;
use crate::suggest::nearest;
use std::fmt;
use std::path::Path;
use toml_edit::{Array, Value};

mod boot;
mod guest;
mod jail;
mod network;
mod root;
mod security;

/// All keys by section, in the order of a file.
pub static SECTIONS: &[Section] =
    &[jail::JAIL, root::ROOT, boot::BOOT, network::NETWORK, security::SECURITY, jail::LIMITS, guest::GUEST];

/// A table of a jail's file.
#[derive(Debug)]
pub struct Section {
    /// What stands in its brackets; empty for the keys before the first table.
    pub name: &'static str,
    /// What it is about.
    pub doc: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

/// One key of a jail's file.
#[derive(Debug)]
pub struct Key {
    /// The key with its section, as `jaula set` takes it: `root.from`.
    pub path: &'static str,
    /// How its values are written.
    pub shape: Shape,
    /// What its values are, in words.
    pub takes: &'static str,
    /// The words that it takes with the meaning of each, if they are few.
    pub choices: &'static [(&'static str, &'static str)],
    /// What holds without it, in words.
    pub default: &'static str,
    /// What it is for, in one to three sentences of Markdown.
    pub doc: &'static str,
    /// A value in TOML. Of a table, its entries in braces.
    pub example: &'static str,
    /// When a change of it counts.
    pub applies: Applies,
    /// Does the profile say what holds without it?
    pub follows_profile: bool,
    /// Puts a value into a configuration.
    pub(super) read: fn(&mut Config, &mut Given<'_, '_>),
    /// The value that a configuration has, if any.
    pub(super) write: fn(&Config) -> Option<Value>,
    /// What holds when `write` gives nothing, if that follows from the configuration alone.
    pub(super) implied: fn(&Config) -> Option<Value>,
    /// Makes a relative path in a text absolute; `None` if there is none.
    pub(super) rebase: Option<fn(&str, &Path) -> Option<String>>,
    /// What elements of a list are told apart by: of two with the same, the later replaces the
    /// earlier.
    pub(super) identity: fn(&str) -> String,
}

/// When a change of a key counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applies {
    /// In a running jail, at once.
    Live,
    /// When the jail starts the next time.
    NextStart,
}

impl fmt::Display for Applies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "at once",
            Self::NextStart => "at the next start",
        })
    }
}

/// How values are written, in TOML and on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A text.
    Text,
    /// A text, or a whole number.
    Quantity,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Flag,
    /// A list of texts.
    List(Split),
    /// A word, or a command as a list of texts.
    Ready,
    /// A table with names of the user's choice; on the command line `KEY.NAME=VALUE`.
    Table {
        /// May an entry be a number instead of a text?
        numbers: bool,
    },
}

/// How a list stands on the command line, where it is not in TOML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// With commas between.
    Commas,
    /// As words, with a shell's quotes.
    Words,
    /// One element only: commas have a meaning in it.
    One,
}

impl Shape {
    /// What it is, in words.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Quantity => "a text or a number",
            Self::Number => "a number",
            Self::Flag => "true or false",
            Self::List(_) => "a list of texts",
            Self::Ready => "a text or a list of texts",
            Self::Table { .. } => "a table",
        }
    }
}

/// What most keys have in common.
const PLAIN: Key = Key {
    path: "",
    shape: Shape::Text,
    takes: "",
    choices: &[],
    default: "",
    doc: "",
    example: "",
    applies: Applies::NextStart,
    follows_profile: false,
    read: |_, _| {},
    write: |_| None,
    implied: |_| None,
    rebase: None,
    identity: str::to_owned,
};

/// All keys, in the order of a file.
pub fn all() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|section| section.keys)
}

/// There is no such key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown key {:?}", path.chars().take(80).collect::<String>())]
pub struct UnknownKey {
    /// What was given.
    pub path: String,
    /// The key that was probably meant.
    pub nearest: Option<&'static str>,
}

impl UnknownKey {
    /// There is none of this path.
    pub(super) fn new(path: &str) -> Self {
        let last = path.rsplit('.').next().unwrap_or_default();
        let nearest = nearest(path, all().map(|key| key.path))
            .or_else(|| all().find(|key| key.path != key.name() && key.name() == last).map(|key| key.path));
        Self { path: path.to_owned(), nearest }
    }

    /// The line of help.
    pub(super) fn help(&self) -> String {
        match self.nearest {
            Some(path) => format!("did you mean {path:?}?"),
            None => "`jaula config keys` lists all keys".to_owned(),
        }
    }
}

/// The key that a path means, and of a table which entry: `environment.LANG` is `LANG` of
/// `environment`.
pub fn find(path: &str) -> Result<(&'static Key, Option<&str>), UnknownKey> {
    if let Some(key) = all().find(|key| key.path == path) {
        return Ok((key, None));
    }
    let entry_of = |key: &'static Key| match key.shape {
        Shape::Table { .. } => Some((key, Some(path.strip_prefix(key.path)?.strip_prefix('.')?))),
        _ => None,
    };
    all().find_map(entry_of).ok_or_else(|| UnknownKey::new(path))
}

impl Key {
    /// The key without its section.
    pub fn name(&self) -> &'static str {
        self.path.rsplit_once('.').map_or(self.path, |(_, name)| name)
    }

    /// The value that a configuration has, in TOML; `None` if it says nothing.
    pub fn written(&self, config: &Config) -> Option<String> {
        (self.write)(config).map(|value| value.to_string())
    }

    /// The entries that a configuration has in this table, one a line.
    pub(super) fn entries(&self, config: &Config) -> String {
        let value = (self.write)(config);
        let entries = value.iter().filter_map(Value::as_inline_table).flatten();
        entries.map(|(name, value)| format!("{name} = {}\n", value.to_string().trim())).collect()
    }
}

/// A value as a text.
fn text(value: impl fmt::Display) -> Value {
    value.to_string().into()
}

/// Values as a list of texts.
fn list<T: fmt::Display>(values: impl IntoIterator<Item = T>) -> Value {
    values.into_iter().map(|value| value.to_string()).collect::<Array>().into()
}

/// A change without its sign: `+x` and `-x` are about the same.
fn unsigned(change: &str) -> String {
    change.trim_start_matches(['+', '-']).to_owned()
}

/// The same for a capability, whose name may be spelled in several ways.
fn unsigned_capability(change: &str) -> String {
    let name = unsigned(change);
    Capability::from_name(&name).map_or(name, |cap| cap.name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_complete_and_its_examples_hold() {
        for section in SECTIONS {
            for key in section.keys {
                let prefix = key.path.strip_suffix(key.name()).unwrap();
                assert_eq!(prefix.trim_end_matches('.'), section.name, "{}", key.path);
                for words in [key.takes, key.default, key.doc, key.example] {
                    assert!(!words.is_empty(), "{}", key.path);
                }
                let needs = match key.path {
                    "root.store" => "root.from = \"template:x\"\n",
                    "root.size" | "root.inodes" => "root.store = \"dir\"\nroot.from = \"template:x\"\n",
                    path if path.starts_with("root.") => "root.from = \"app:/bin/x\"\n",
                    _ => "",
                };
                let text = format!("{needs}{} = {}", key.path, key.example);
                let text = if key.path == "root.from" { &text[needs.len()..] } else { &text };
                let config = Config::parse(text).unwrap_or_else(|p| panic!("{}", p.in_file(key.path)));
                assert_ne!(config, Config::default(), "{text}");
                let value: Value = key.example.parse().unwrap();
                assert_eq!(
                    key.written(&config).unwrap().replace(' ', ""),
                    value.to_string().replace(' ', "")
                );
            }
        }
    }

    #[test]
    fn paths_find_their_key() {
        assert_eq!(find("root.from").unwrap().0.path, "root.from");
        let (key, entry) = find("limits.process.nofile").unwrap();
        assert_eq!((key.path, entry), ("limits.process", Some("nofile")));
        for (path, nearest) in [
            ("netwrok.mode", Some("network.mode")),
            ("writes", Some("root.writes")),
            ("memory", None),
            ("", None),
            ("root", None),
        ] {
            assert_eq!(find(path).unwrap_err().nearest, nearest, "{path}");
        }
    }
}
