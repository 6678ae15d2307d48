//! Values of keys as data, for JSON.

use serde::Serialize;
use std::collections::BTreeMap;
use toml_edit::Value;

/// A value of a key, as JSON has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Data {
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Data>),
    /// A table.
    Table(BTreeMap<String, Data>),
}

impl Data {
    /// What a value in TOML is; `None` if it is none that a key can have.
    pub fn of_toml(text: &str) -> Option<Self> {
        text.trim().parse::<Value>().ok().as_ref().and_then(Self::of)
    }

    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Boolean(flag) => Some(Self::Flag(*flag.value())),
            Value::Integer(number) => Some(Self::Number(*number.value())),
            Value::String(text) => Some(Self::Text(text.value().clone())),
            Value::Array(list) => list.iter().map(Self::of).collect::<Option<_>>().map(Self::List),
            Value::InlineTable(table) => {
                let entries = table.iter().map(|(name, value)| Some((name.to_owned(), Self::of(value)?)));
                entries.collect::<Option<_>>().map(Self::Table)
            }
            Value::Float(_) | Value::Datetime(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toml_becomes_data() {
        let text = |t: &str| Data::Text(t.to_owned());
        for (toml, data) in [
            ("true", Some(Data::Flag(true))),
            ("7", Some(Data::Number(7))),
            (" 'a\"b' ", Some(text("a\"b"))),
            ("[\"a\", 'b']", Some(Data::List(vec![text("a"), text("b")]))),
            ("{ core = 0 }", Some(Data::Table([("core".to_owned(), Data::Number(0))].into()))),
            ("1.5", None),
            ("", None),
        ] {
            assert_eq!(Data::of_toml(toml), data, "{toml}");
        }
        for key in crate::config::keys::all() {
            assert!(Data::of_toml(key.example).is_some(), "{}", key.path);
        }
    }
}
