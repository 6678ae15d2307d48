//! Changing a jail's file: what is not changed stays as it was, byte for byte.
//!
//! A change is worked out on the parsed document and then spliced into the text, so that
//! comments, order and spacing are kept by construction.

use super::keys::{self, Key, Shape};
use super::problem::{BadValue, Found, Problems, shown};
use super::{Config, read};
use layout::Layout;
use toml_edit::{Array, InlineTable, Item, Value};

mod layout;
mod lists;
pub(crate) mod noted;
mod typed;

/// One change of a configuration, as `jaula set` and `--set` take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key with its section; of a table, also the entry: `environment.LANG`.
    pub key: String,
    /// What is done to it.
    pub operation: Operation,
    /// The value, as the key's type has it: without quotes, or in TOML.
    pub value: String,
}

/// What a [`Setting`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `KEY=VALUE`: this and nothing else.
    Set,
    /// `KEY+=VALUE`: into a list.
    Add,
    /// `KEY-=VALUE`: out of a list.
    Remove,
    /// Back to the default; the value does not matter.
    Unset,
}

/// A text is no setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is not a setting: write KEY=VALUE, KEY+=VALUE or KEY-=VALUE", shown(.0))]
pub struct BadSetting(String);

impl Setting {
    /// The setting of a key to this value.
    pub fn set(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), operation: Operation::Set, value: value.into() }
    }

    /// The setting that puts a key back to its default.
    pub fn unset(key: impl Into<String>) -> Self {
        Self { key: key.into(), operation: Operation::Unset, value: String::new() }
    }
}

impl std::str::FromStr for Setting {
    type Err = BadSetting;

    /// Takes `KEY=VALUE`, `KEY+=VALUE` and `KEY-=VALUE`.
    fn from_str(text: &str) -> Result<Self, BadSetting> {
        let (key, value) = text.split_once('=').ok_or_else(|| BadSetting(text.to_owned()))?;
        let (key, operation) = match (key.strip_suffix('+'), key.strip_suffix('-')) {
            (Some(key), _) => (key, Operation::Add),
            (_, Some(key)) => (key, Operation::Remove),
            _ => (key, Operation::Set),
        };
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err(BadSetting(text.to_owned()));
        }
        Ok(Self { key: key.to_owned(), operation, value: value.to_owned() })
    }
}

/// The text of a jail's file with these settings, the later ones on top of the earlier.
/// Comments are kept, but for those inside a value that is replaced.
///
/// # Errors
/// Everything that is wrong with the settings (without a position), or with the file if
/// something is wrong with it still when the settings are in it.
pub fn apply(text: &str, settings: &[Setting]) -> Result<String, Problems> {
    applied(text, settings).map(|(text, _)| text)
}

/// The text of a new file with these settings, in the order of the table of keys, below
/// `comment`, whose lines get a `#`.
///
/// # Errors
/// Everything that is wrong with the settings.
pub fn declare(comment: &str, settings: &[Setting]) -> Result<String, Problems> {
    let rank = |setting: &&Setting| {
        let found = keys::find(&setting.key).ok();
        found.and_then(|(key, _)| keys::all().position(|k| k.path == key.path))
    };
    let mut settings: Vec<&Setting> = settings.iter().collect();
    settings.sort_by_key(rank);
    let settings: Vec<Setting> = settings.into_iter().cloned().collect();
    let header: String =
        comment.lines().map(|line| format!("# {line}").trim_end().to_owned() + "\n").collect();
    apply(&header, &settings)
}

/// The words of a text, as a shell splits it with `'…'`, `"…"` and `\\`; nothing is expanded.
///
/// # Errors
/// If a quote is not closed.
pub fn words(text: &str) -> Result<Vec<String>, BadValue> {
    typed::words(text)
}

/// [`apply`], with the configuration that the new text says.
pub(super) fn applied(text: &str, settings: &[Setting]) -> Result<(String, Config), Problems> {
    let mut found = Found::default();
    let typed: Vec<(&Setting, Change)> =
        settings.iter().filter_map(|setting| Some((setting, Change::of(setting, &mut found)?))).collect();
    let typed = found.or(typed)?;

    let mut new = text.to_owned();
    let mut found = Found::default();
    for (setting, change) in typed {
        let document = match read::document(&new) {
            Ok(document) => document,
            // Only the file's own text can be wrong: what was spliced in is checked.
            Err((offset, message)) => return Found::new(text).fail(offset, message, None),
        };
        match change.splice(&Layout::of(&new, document.as_table())) {
            Ok(Some(spliced)) => new = spliced,
            Ok(None) => {}
            Err(bad) => found.bad_value(None, &setting.key, bad),
        }
    }
    found.or(())?;
    match read::file(&new) {
        Ok(reading) => Ok((new, reading.config)),
        Err(problems) => Err(problems.placed_as_in(read::file(text).err().as_ref())),
    }
}

/// The configuration of settings on top of nothing. A text is only needed for what adds to
/// lists or takes from them; what is simply set is read as it is, in a tenth of the time.
pub(super) fn alone(settings: &[Setting]) -> Result<Config, Problems> {
    if settings.iter().any(|setting| setting.operation != Operation::Set) {
        return applied("", settings).map(|(_, config)| config);
    }
    let mut found = Found::default();
    let changes: Vec<Change> = settings.iter().filter_map(|s| Change::of(s, &mut found)).collect();
    let changes = found.or(changes)?;
    let mut found = Found::default();
    let mut reading = read::Reading::default();
    for (n, change) in changes.iter().enumerate() {
        let later = &changes[n + 1..];
        if later.iter().any(|c| c.key.path == change.key.path) {
            continue;
        }
        // The last one of a key counts; of a table, the last one of each entry.
        let entries = changes.iter().filter(|c| c.key.path == change.key.path);
        let entries = entries.filter_map(|c| Some((c.entry()?, c.value.clone())));
        let value = match change.entry() {
            Some(_) => InlineTable::from_iter(entries).into(),
            None => change.value.clone(),
        };
        reading.read(change.key, &Item::Value(value), None, None, &mut found);
    }
    reading.complete(&mut found);
    found.or(reading.config)
}

/// A setting with its key found and its value typed.
#[derive(Debug)]
struct Change {
    key: &'static Key,
    /// The path with its entry, in parts.
    path: Vec<String>,
    operation: Operation,
    /// Nothing if the operation is `Unset`.
    value: Value,
}

impl Change {
    /// What a setting means, or `None` after a note of what is wrong with it.
    fn of(setting: &Setting, found: &mut Found<'_>) -> Option<Self> {
        let Setting { key: path, operation, value } = setting;
        let (key, entry) = match keys::find(path) {
            Ok(known) => known,
            Err(unknown) => {
                found.note(None, path, unknown.to_string(), Some(unknown.help()));
                return None;
            }
        };
        let value = match operation {
            Operation::Unset => Value::from(false),
            Operation::Add | Operation::Remove if !matches!(key.shape, Shape::List(_)) => {
                let bad = BadValue::new("takes one value, and no + or -").help(format!("write {path}=VALUE"));
                found.bad_value(None, path, bad);
                return None;
            }
            Operation::Remove => match typed::elements(key, value) {
                Ok(elements) => elements.into(),
                Err(bad) => {
                    found.bad_value(None, path, bad);
                    return None;
                }
            },
            Operation::Set | Operation::Add => typed::checked(key, entry, value, found)?,
        };
        let mut parts: Vec<String> = key.path.split('.').map(str::to_owned).collect();
        parts.extend(entry.map(str::to_owned));
        Some(Self { key, path: parts, operation: *operation, value })
    }

    /// The entry of a table that it is about.
    fn entry(&self) -> Option<&str> {
        let depth = self.key.path.split('.').count();
        self.path.get(depth).map(String::as_str)
    }

    /// The text with the change in it; `None` if it says so already.
    fn splice(&self, layout: &Layout<'_>) -> Result<Option<String>, BadValue> {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let stands = layout.value(&path)?;
        let new = match (self.operation, &self.value) {
            (Operation::Unset, _) => return layout.without(&path).map(Some),
            (Operation::Add, Value::Array(elements)) => {
                let list = stands.as_ref().and_then(Value::as_array).cloned();
                let list = list.map_or_else(|| self.list_to_add_to(layout), Ok)?;
                lists::with(list, elements, self.key.identity).into()
            }
            (Operation::Remove, Value::Array(elements)) => {
                match stands.as_ref().and_then(Value::as_array).cloned().or_else(|| self.implied_list(layout))
                {
                    Some(list) => lists::without(list, elements, self.key.identity).into(),
                    None => return Ok(None),
                }
            }
            (_, value) => value.clone(),
        };
        if stands.as_ref().is_some_and(|old| same(old, &new)) {
            return Ok(None);
        }
        layout.with(&path, &new).map(Some)
    }

    /// The list that stands for an absent one: its default, or nothing.
    fn list_to_add_to(&self, layout: &Layout<'_>) -> Result<Array, BadValue> {
        if let Some(list) = self.implied_list(layout) {
            return Ok(list);
        }
        let probe = (self.key.write)(&Config::default());
        if probe.is_none() && self.key.follows_profile {
            return Err(BadValue::new("is not set, so there is no list to add to")
                .help(format!("write {0}=… with all that it should hold", self.key.path)));
        }
        Ok(Array::new())
    }

    /// The list that holds by default.
    fn implied_list(&self, layout: &Layout<'_>) -> Option<Array> {
        let config = Config::parse(layout.text).unwrap_or_default();
        (self.key.implied)(&config)?.as_array().cloned()
    }
}

/// Are two values the same, whatever their spelling?
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.value() == b.value(),
        (Value::Integer(a), Value::Integer(b)) => a.value() == b.value(),
        (Value::Boolean(a), Value::Boolean(b)) => a.value() == b.value(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        _ => false,
    }
}
