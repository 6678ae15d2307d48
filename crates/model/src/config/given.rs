//! One value of a document on its way into a [`Config`](super::Config).

use super::keys::{Key, Shape};
use super::problem::{BadValue, Found, shown};
use std::collections::BTreeMap;
use std::path::Path;
use toml_edit::{Item, Value};

/// A value that a document gives to a key. Its methods put it where it belongs, or note what
/// is wrong with it and where.
#[derive(Debug)]
pub(super) struct Given<'a, 't> {
    pub(super) key: &'static Key,
    pub(super) item: &'a Item,
    /// What relative paths are relative to; they are refused without it.
    pub(super) base: Option<&'a Path>,
    pub(super) found: &'a mut Found<'t>,
}

/// Reads one text.
pub(super) trait Read<T>: Fn(&str) -> Result<T, BadValue> {}
impl<T, F: Fn(&str) -> Result<T, BadValue>> Read<T> for F {}

impl Given<'_, '_> {
    /// A text, or for a quantity also a whole number.
    pub(super) fn text<T, S: From<T>>(&mut self, slot: &mut S, read: impl Read<T>) {
        if let Some(value) = self.item.as_value()
            && let Some(value) = self.one(value, read)
        {
            *slot = value.into();
        } else if !self.item.is_value() {
            self.mistyped();
        }
    }

    /// A whole number.
    pub(super) fn number<T, S: From<T>>(&mut self, slot: &mut S, read: impl Fn(i64) -> Result<T, BadValue>) {
        match self.item.as_integer().map(read) {
            Some(Ok(number)) => *slot = number.into(),
            Some(Err(bad)) => self.bad(self.item.span(), bad),
            None => self.mistyped(),
        }
    }

    /// `true` or `false`.
    pub(super) fn flag<S: From<bool>>(&mut self, slot: &mut S) {
        match self.item.as_bool() {
            Some(flag) => *slot = flag.into(),
            None => self.mistyped(),
        }
    }

    /// A list of texts.
    pub(super) fn list<T, S: From<Vec<T>>>(&mut self, slot: &mut S, read: impl Read<T>) {
        let Some(list) = self.item.as_array() else { return self.mistyped() };
        // All are read even if one is bad, for all that is wrong is told at once.
        let values: Vec<T> = list.iter().filter_map(|value| self.one(value, &read)).collect();
        if values.len() == list.len() {
            *slot = values.into();
        }
    }

    /// A program and its arguments.
    pub(super) fn command<S: From<Vec<String>>>(&mut self, slot: &mut S) {
        let mut words: Vec<String> = Vec::new();
        self.list(&mut words, super::value::anything);
        match words.first().map(String::as_str) {
            Some("") => self.bad(self.item.span(), BadValue::new("the program has no name")),
            None if self.item.as_array().is_some_and(toml_edit::Array::is_empty) => {
                self.bad(self.item.span(), BadValue::new("the list is empty, it begins with a program"));
            }
            _ => *slot = words.into(),
        }
    }

    /// A table of texts.
    pub(super) fn table<T>(
        &mut self,
        slot: &mut BTreeMap<String, T>,
        name: impl Read<String>,
        read: impl Read<T>,
    ) {
        let Some(table) = self.item.as_table_like() else { return self.mistyped() };
        for (entry, item) in table.iter() {
            let at = table.key(entry).and_then(toml_edit::Key::span);
            match (name(entry), item.as_value()) {
                (Err(bad), _) => self.bad(at, bad),
                (Ok(_), None) => self.bad(at, BadValue::new(format!("{entry:?} is no table"))),
                (Ok(name), Some(value)) => {
                    if let Some(value) = self.one(value, &read) {
                        slot.insert(name, value);
                    }
                }
            }
        }
    }

    /// One text of the value.
    fn one<T>(&mut self, value: &Value, read: impl Read<T>) -> Option<T> {
        let numbers = matches!(self.key.shape, Shape::Quantity | Shape::Table { numbers: true });
        let number = value.as_integer().filter(|_| numbers).map(|n| n.to_string());
        let Some(text) = number.as_deref().or_else(|| value.as_str()) else {
            let bad = BadValue::new(format!("a text belongs here, not {}", kind(value)));
            let quoted = value.is_integer() || value.is_float() || value.is_bool();
            let written = value.to_string();
            self.bad(
                value.span(),
                if quoted { bad.help(format!("write \"{}\"", written.trim())) } else { bad },
            );
            return None;
        };
        if text.contains('\0') {
            self.bad(value.span(), BadValue::new(format!("{} holds a NUL", shown(text))));
            return None;
        }
        let rebased = self.base.zip(self.key.rebase).and_then(|(base, rebase)| rebase(text, base));
        match read(rebased.as_deref().unwrap_or(text)) {
            Ok(value) => Some(value),
            Err(bad) => {
                self.bad(value.span(), bad);
                None
            }
        }
    }

    /// Notes that the value is of another type than its key takes.
    fn mistyped(&mut self) {
        let key = self.key;
        let help = match (key.shape, self.item.as_str()) {
            (Shape::List(_) | Shape::Ready, Some(text)) => {
                format!("write {} = {}", key.name(), super::value::as_list(text))
            }
            (Shape::Number | Shape::Flag, Some(_)) => format!("write it without quotes: {}", key.example),
            _ => format!("for example {} = {}", key.name(), key.example),
        };
        let not = self.item.as_value().map_or("a table", kind);
        let bad = BadValue::new(format!("{} belongs here, not {not}", key.shape.in_words())).help(help);
        self.bad(self.item.span(), bad);
    }

    /// Notes that something between these offsets is bad.
    fn bad(&mut self, at: Option<std::ops::Range<usize>>, bad: BadValue) {
        self.found.bad_value(at.map(|at| at.start), self.key.path, bad);
    }
}

/// What a value is, in words.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) => "a number",
        Value::Float(_) => "a number with a point",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::InlineTable(_) => "a table",
    }
}
