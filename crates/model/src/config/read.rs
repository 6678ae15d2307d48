//! From a document to a [`Config`].

use super::given::Given;
use super::keys::{self, Key, Shape, UnknownKey};
use super::problem::{Found, Problems};
use super::{Config, LONGEST_TEXT, check};
use std::path::Path;
use toml_edit::{Document, Item, TableLike};

/// A configuration, and which keys gave it.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// The configuration.
    pub(super) config: Config,
    /// The keys that stand in the document, and at which byte.
    pub(super) given: Vec<(&'static Key, Option<usize>)>,
}

/// Reads the text of one jail's file.
pub(super) fn file(text: &str) -> Result<Reading, Problems> {
    let mut found = Found::new(text);
    let document = match document(text) {
        Ok(document) => document,
        Err((offset, message)) => return found.fail(offset, message, None),
    };
    let reading = table(document.as_table(), None, &mut found);
    found.or(reading)
}

/// The document that a text is, or what is wrong with the text and at which byte.
pub(super) fn document(text: &str) -> Result<Document<&str>, (Option<usize>, String)> {
    if text.len() > LONGEST_TEXT {
        return Err((
            None,
            format!("{} bytes are too long for a configuration: 1 MiB is the most", text.len()),
        ));
    }
    Document::parse(text).map_err(|error| (error.span().map(|span| span.start), error.message().to_owned()))
}

/// Reads one jail's table. Relative paths are taken to be relative to `base`.
pub(super) fn table(table: &dyn TableLike, base: Option<&Path>, found: &mut Found<'_>) -> Reading {
    let mut reading = Reading::default();
    for (name, item) in table.iter() {
        let at = || table.key(name).and_then(toml_edit::Key::span).map(|span| span.start);
        if let Some(key) = key_of("", name) {
            reading.read(key, item, at(), base, found);
        } else if let Some(section) = keys::SECTIONS.iter().find(|s| s.name == name && !name.is_empty()) {
            let Some(inner) = item.as_table_like() else {
                let help = format!("write [{name}] on a line of its own, and its keys below");
                found.note(at(), name, format!("{name} is a table of keys, not a value"), Some(help));
                continue;
            };
            for (name, item) in inner.iter() {
                let at = || inner.key(name).and_then(toml_edit::Key::span).map(|span| span.start);
                match key_of(section.name, name) {
                    Some(key) => reading.read(key, item, at(), base, found),
                    None => unknown(&format!("{}.{name}", section.name), at(), found),
                }
            }
        } else {
            unknown_below(name, item, at(), found);
        }
    }
    reading.complete(found);
    reading
}

impl Reading {
    /// All keys are read: notes what they contradict each other in, and adds what follows from
    /// them.
    pub(super) fn complete(&mut self, found: &mut Found<'_>) {
        if !self.given.iter().any(|(key, _)| key.path == "security.profile") {
            self.config.security.profile = self.config.root.usual_profile();
        }
        check::contradictions(self, found);
    }

    /// Reads one key.
    pub(super) fn read(
        &mut self,
        key: &'static Key,
        item: &Item,
        at: Option<usize>,
        base: Option<&Path>,
        found: &mut Found<'_>,
    ) {
        self.given.push((key, at));
        (key.read)(&mut self.config, &mut Given { key, item, base, found });
    }
}

/// The key of that name in a section.
fn key_of(section: &str, name: &str) -> Option<&'static Key> {
    let section = keys::SECTIONS.iter().find(|s| s.name == section)?;
    section.keys.iter().find(|key| key.name() == name)
}

/// Notes that there is no key of this path.
fn unknown(path: &str, at: Option<usize>, found: &mut Found<'_>) {
    if found.is_full() {
        return;
    }
    let unknown = UnknownKey::new(path);
    found.note(at, path, unknown.to_string(), Some(unknown.help()));
}

/// Notes what is unknown in a table that is: each key, as it is written with dots, or the
/// table, if it is one with a header.
fn unknown_below(name: &str, item: &Item, at: Option<usize>, found: &mut Found<'_>) {
    if found.is_full() {
        return;
    }
    match item.as_table_like() {
        Some(table) if table.is_dotted() => {
            for (inner, item) in table.iter() {
                let at = if item.as_table_like().is_some_and(TableLike::is_dotted) {
                    at
                } else {
                    at.filter(|_| table.len() == 1).or_else(|| table.key(inner)?.span().map(|s| s.start))
                };
                unknown(&format!("{name}.{inner}"), at, found);
            }
        }
        Some(_) => {
            let sections = keys::SECTIONS.iter().map(|section| section.name);
            let tables = keys::all().filter(|k| matches!(k.shape, Shape::Table { .. })).map(|k| k.path);
            let nearest = crate::suggest::nearest(name, sections.chain(tables));
            let help = nearest.map(|nearest| format!("did you mean [{nearest}]?"));
            let message = format!("unknown table {:?}", name.chars().take(80).collect::<String>());
            found.note(
                at,
                name,
                message,
                help.or_else(|| Some("`jaula config keys` lists all keys".to_owned())),
            );
        }
        None => unknown(name, at, found),
    }
}
