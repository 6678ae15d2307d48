//! What is known of a template: its `template.toml`.
//!
//! jaula writes the file when it makes the template, and changes nothing in it afterwards.

use crate::time::Moment;
use crate::units::Bytes;
use std::collections::BTreeMap;
use toml_edit::{Array, DocumentMut, Item, Table, Value, value};

/// The file's name in the template's directory.
pub const FILE: &str = "template.toml";

/// The list of its files beside it, compressed.
pub const LIST: &str = "manifest.zst";

/// The directory beside it that holds the files.
pub const TREE: &str = "tree";

/// What is known of a template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// What it was made from, as `root.from` says it, or the name of an archive.
    pub origin: String,
    /// `sha256:` and the digest of the archive or image that it was unpacked from, or of the list
    /// of its files.
    pub digest: Option<String>,
    /// `sha256:` and the digest of the list of its files, which lies beside it.
    pub tree: Option<String>,
    /// When it was made, in seconds since the beginning of 1970.
    pub made: u64,
    /// What its programs run on, as uname(1) says it: `x86_64`.
    pub architecture: Option<String>,
    /// The distribution (`ID` of os-release(5)).
    pub distribution: Option<String>,
    /// Its version (`VERSION_ID`, else `VERSION_CODENAME`).
    pub version: Option<String>,
    /// Its init, by the words of `boot.init`.
    pub init: Option<String>,
    /// How much room its files take.
    pub size: Bytes,
    /// How many files and directories it has.
    pub files: u64,
    /// The command that an image runs.
    pub command: Vec<String>,
    /// The variables that an image sets.
    pub environment: BTreeMap<String, String>,
    /// The user that an image's command runs as.
    pub user: Option<String>,
    /// The directory that it starts in.
    pub directory: Option<String>,
    /// The signal that asks it to end.
    pub stop_signal: Option<String>,
}

/// Why a text is no template's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTemplate {
    /// It is not TOML.
    #[error("line {line}: {message}")]
    NotToml {
        /// Where, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A key that a template has not, or a value of another kind.
    #[error("{0:?} is not of a template, or not of that kind")]
    Key(String),
    /// A key that every template has.
    #[error("it does not say its {0:?}")]
    Missing(&'static str),
}

impl Template {
    /// Reads the text of a `template.toml`.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, BadTemplate> {
        let document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = 1 + before.bytes().filter(|b| *b == b'\n').count();
            BadTemplate::NotToml {
                line,
                message: error.message().lines().next().unwrap_or_default().to_owned(),
            }
        })?;
        let mut template = Self::default();
        for (key, item) in document.iter() {
            template.take(key, item).ok_or_else(|| BadTemplate::Key(key.chars().take(80).collect()))?;
        }
        if template.origin.is_empty() {
            return Err(BadTemplate::Missing("origin"));
        }
        Ok(template)
    }

    /// Takes one key; `None` if it is none.
    fn take(&mut self, key: &str, item: &Item) -> Option<()> {
        let text = || item.as_str().map(str::to_owned);
        let number = || item.as_integer().and_then(|n| u64::try_from(n).ok());
        match key {
            "origin" => self.origin = text()?,
            "digest" => self.digest = Some(text()?),
            "tree" => self.tree = Some(text()?),
            "made" => self.made = number()?,
            "architecture" => self.architecture = Some(text()?),
            "distribution" => self.distribution = Some(text()?),
            "version" => self.version = Some(text()?),
            "init" => self.init = Some(text()?),
            "size" => self.size = Bytes(number()?),
            "files" => self.files = number()?,
            "command" => {
                let words = item.as_array()?.iter().map(|word| word.as_str().map(str::to_owned));
                self.command = words.collect::<Option<_>>()?;
            }
            "environment" => {
                let entry = |(name, item): (&str, &Item)| Some((name.to_owned(), item.as_str()?.to_owned()));
                self.environment = item.as_table_like()?.iter().map(entry).collect::<Option<_>>()?;
            }
            "user" => self.user = Some(text()?),
            "directory" => self.directory = Some(text()?),
            "stop_signal" => self.stop_signal = Some(text()?),
            _ => return None,
        }
        Some(())
    }

    /// The text of its `template.toml`.
    pub fn to_text(&self) -> String {
        let mut document = DocumentMut::new();
        let number = |n: u64| value(i64::try_from(n).unwrap_or(i64::MAX));
        let text = |text: &Option<String>| text.as_ref().map(|text| value(text.as_str()));
        let command: Array = self.command.iter().map(String::as_str).collect();
        let environment: Table =
            self.environment.iter().map(|(name, text)| (name.as_str(), Value::from(text.as_str()))).collect();
        let keys = [
            ("origin", Some(value(self.origin.as_str()))),
            ("digest", text(&self.digest)),
            ("tree", text(&self.tree)),
            ("made", Some(number(self.made))),
            ("architecture", text(&self.architecture)),
            ("distribution", text(&self.distribution)),
            ("version", text(&self.version)),
            ("init", text(&self.init)),
            ("size", Some(number(self.size.0))),
            ("files", Some(number(self.files))),
            ("command", (!command.is_empty()).then(|| value(command))),
            ("user", text(&self.user)),
            ("directory", text(&self.directory)),
            ("stop_signal", text(&self.stop_signal)),
            ("environment", (!environment.is_empty()).then_some(Item::Table(environment))),
        ];
        for (key, item) in keys {
            if let Some(item) = item {
                document.insert(key, item);
            }
        }
        document.to_string()
    }

    /// When it was made, for people and programs; none if nothing says so.
    pub fn moment(&self) -> Option<Moment> {
        (self.made > 0).then(|| Moment(self.made.saturating_mul(1000)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::option::of;
    use proptest::prelude::*;

    #[test]
    fn what_is_refused() {
        for (text, why) in [
            ("", "it does not say its \"origin\""),
            ("origin = 1", "\"origin\" is not of a template, or not of that kind"),
            ("origin = \"a\"\nsize = -1", "\"size\" is not of a template, or not of that kind"),
            ("origin = \"a\"\ncolour = \"red\"", "\"colour\" is not of a template, or not of that kind"),
            ("origin = \"a\"\ncommand = [1]", "\"command\" is not of a template, or not of that kind"),
        ] {
            assert_eq!(Template::parse(text).unwrap_err().to_string(), why);
        }
        assert!(Template::parse("origin = \"a\"\n\n=").unwrap_err().to_string().starts_with("line 3: "));
    }

    #[test]
    fn as_it_is_written() {
        let template = Template {
            origin: "debootstrap:trixie".into(),
            made: 1_700_000_000,
            distribution: Some("debian".into()),
            environment: [("LANG".into(), "C".into())].into(),
            ..Template::default()
        };
        let text = "origin = \"debootstrap:trixie\"\nmade = 1700000000\ndistribution = \"debian\"\nsize = 0\n\
                    files = 0\n\n[environment]\nLANG = \"C\"\n";
        assert_eq!(template.to_text(), text);
        assert_eq!(template.moment().unwrap().to_string(), "2023-11-14T22:13:20Z");
        assert_eq!(Template::default().moment(), None);
    }

    proptest! {
        #[test]
        fn comes_back(
            origin in ".{1,20}",
            texts in proptest::collection::vec(of(".{0,20}"), 9),
            numbers in proptest::collection::vec(0u64..1 << 60, 3),
            command in proptest::collection::vec(".{0,9}", 0..3),
            environment in proptest::collection::btree_map(".{1,9}", ".{0,9}", 0..3),
        ) {
            let text = |n: usize| texts[n].clone();
            let template = Template {
                origin,
                digest: text(0),
                made: numbers[0],
                architecture: text(1),
                distribution: text(2),
                version: text(3),
                init: text(4),
                size: Bytes(numbers[1]),
                files: numbers[2],
                command,
                environment,
                user: text(5),
                directory: text(6),
                tree: text(7),
                stop_signal: text(8),
            };
            prop_assert_eq!(Template::parse(&template.to_text()), Ok(template));
        }

        #[test]
        fn no_text_panics(text: String, keys in "(origin|size|command|=|\"a\"|[0-9\\[\\]\n])*") {
            let _ = (Template::parse(&text), Template::parse(&keys));
        }
    }
}
