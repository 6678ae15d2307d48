//! What holds in a jail, key by key, and why: `jaula config show --effective`.

use super::keys::{self, Key};
use super::problem::Problems;
use super::read;
use super::types::{Config, Profile};
use std::fmt;

/// What holds for one key.
#[derive(Clone, Debug)]
pub struct Effective {
    /// The key.
    pub key: &'static Key,
    /// Its value in TOML; `None` if it has none, or if what holds is no value of it.
    pub value: Option<String>,
    /// Who says so.
    pub source: Source,
    /// What that means, in words; may be empty.
    pub meaning: String,
}

/// Who says what holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The file.
    Set,
    /// Nobody: it is the default.
    Default,
    /// The profile.
    Profile(Profile),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set => f.write_str("set"),
            Self::Default => f.write_str("default"),
            Self::Profile(profile) => write!(f, "profile {profile}"),
        }
    }
}

/// What a key comes to, said by who knows more than the table of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expansion {
    /// The value in TOML, if it is another than what the file says.
    pub value: Option<String>,
    /// What it means, in words.
    pub meaning: String,
}

/// What holds for every key in the order of the table, by the text of a jail's file.
///
/// `expand` is asked about each key, and may say more than the table of keys knows: what a
/// profile allows, which capabilities are left. `|_, _| None` adds nothing.
///
/// # Errors
/// What is wrong with the text.
pub fn effective(
    text: &str,
    expand: impl Fn(&Config, &'static Key) -> Option<Expansion>,
) -> Result<Vec<Effective>, Problems> {
    let reading = read::file(text)?;
    let config = &reading.config;
    Ok(keys::all()
        .map(|key| {
            let source = match reading.given.iter().any(|(given, _)| given.path == key.path) {
                true => Source::Set,
                false if key.follows_profile => Source::Profile(config.security.profile),
                false => Source::Default,
            };
            let written = (key.write)(config).or_else(|| (key.implied)(config));
            let follows = matches!(source, Source::Profile(_));
            let meaning = written.as_ref().and_then(|value| {
                key.choices.iter().find(|(word, _)| value.as_str() == Some(word)).map(|(_, meaning)| *meaning)
            });
            let by_default = if written.is_none() || follows { key.default } else { "" };
            let meaning = meaning.unwrap_or(by_default);
            let value = written.map(|value| value.to_string()).filter(|_| !follows);
            match expand(config, key) {
                Some(more) => Effective { key, value: more.value.or(value), source, meaning: more.meaning },
                None => Effective { key, value, source, meaning: meaning.to_owned() },
            }
        })
        .collect())
}
