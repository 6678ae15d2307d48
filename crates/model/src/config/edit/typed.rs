//! From a word of the command line to a value of its key's type.

use crate::config::Config;
use crate::config::given::Given;
use crate::config::keys::{Key, Shape, Split};
use crate::config::problem::{BadValue, Found, shown};
use crate::config::value::ready;
use toml_edit::{Array, InlineTable, Item, Value};

/// The value of a key, or of an entry of a table, if the key takes it.
pub(super) fn checked(
    key: &'static Key,
    entry: Option<&str>,
    text: &str,
    found: &mut Found<'_>,
) -> Option<Value> {
    let value = match value(key, entry, text) {
        Ok(value) => value,
        Err(bad) => {
            found.bad_value(None, key.path, bad);
            return None;
        }
    };
    let whole = match entry {
        Some(name) => Value::from(InlineTable::from_iter([(name, value.clone())])),
        None => value.clone(),
    };
    let mut trial = Found::default();
    let item = Item::Value(whole);
    (key.read)(&mut Config::default(), &mut Given { key, item: &item, base: None, found: &mut trial });
    let good = trial.is_empty();
    found.append(trial);
    good.then_some(value)
}

/// A text as the key's type has it, not yet checked.
fn value(key: &'static Key, entry: Option<&str>, text: &str) -> Result<Value, BadValue> {
    let number = || text.parse::<i64>().map(Value::from);
    Ok(match (key.shape, entry) {
        (Shape::Table { numbers: true }, Some(_)) | (Shape::Quantity, _) => {
            number().unwrap_or_else(|_| unquoted(text).into())
        }
        (Shape::Table { .. }, Some(_)) => text.into(),
        (Shape::Table { .. }, None) => {
            return Err(BadValue::new("is a table").help(format!("write {}.NAME=VALUE", key.path)));
        }
        (Shape::Number, _) => {
            number().map_err(|_| BadValue::new(format!("{} is not a number", shown(text))))?
        }
        (Shape::Flag, _) => match text {
            "true" => true.into(),
            "false" => false.into(),
            _ => return Err(BadValue::new(format!("{} is neither true nor false", shown(text)))),
        },
        (Shape::List(_), _) => elements(key, text)?.into(),
        (Shape::Ready, _) if ready(&unquoted(text)).is_ok() => unquoted(text).into(),
        (Shape::Ready, _) => elements(key, text)?.into(),
        (Shape::Text, _) => unquoted(text).into(),
    })
}

/// The elements of a list: in TOML, or split as the key has it.
pub(super) fn elements(key: &'static Key, text: &str) -> Result<Array, BadValue> {
    if text.trim_start().starts_with('[') {
        let not_toml = |message: &str| {
            BadValue::new(format!("{} is not a list in TOML: {message}", shown(text)))
                .help(format!("for example {}", key.example))
        };
        return match text.trim().parse() {
            Ok(Value::Array(list)) if list.iter().all(Value::is_str) => Ok(list),
            Ok(_) => Err(not_toml("it holds something else than texts")),
            Err(error) => Err(not_toml(error.message())),
        };
    }
    Ok(match key.shape {
        Shape::List(Split::One) if text.is_empty() => Array::new(),
        Shape::List(Split::One) => Array::from_iter([text]),
        Shape::List(Split::Commas) => text.split(',').map(str::trim).filter(|t| !t.is_empty()).collect(),
        _ => words(text)?.into_iter().collect(),
    })
}

/// A text without the quotes that TOML wants around it, if it has them.
fn unquoted(text: &str) -> String {
    if text.starts_with(['"', '\''])
        && let Ok(Value::String(inner)) = text.parse()
    {
        return inner.into_value();
    }
    text.to_owned()
}

/// Splits at white space, as a shell does with `'…'`, `"…"` and `\`; nothing is expanded.
pub(super) fn words(text: &str) -> Result<Vec<String>, BadValue> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        None => return Err(BadValue::new(format!("{}: a quote is not closed", shown(text)))),
                        Some(end) if end == c => break,
                        Some('\\') if c == '"' => match chars.next() {
                            Some(quoted @ ('"' | '\\')) => word.push(quoted),
                            other => {
                                word.push('\\');
                                word.extend(other);
                            }
                        },
                        Some(inner) => word.push(inner),
                    }
                }
            }
            '\\' => match chars.next() {
                Some(next) => word.get_or_insert_default().push(next),
                None => return Err(BadValue::new(format!("{} ends with a backslash", shown(text)))),
            },
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::find;

    #[test]
    fn words_are_a_shells() {
        for (text, split) in [
            ("", &[][..]),
            ("  a  b ", &["a", "b"]),
            ("nginx -g 'daemon off;'", &["nginx", "-g", "daemon off;"]),
            (r#"a\ b "c \"d\" \n" ''"#, &["a b", r#"c "d" \n"#, ""]),
            ("a'b'\"c\"", &["abc"]),
            ("echo $HOME *", &["echo", "$HOME", "*"]),
        ] {
            assert_eq!(words(text).unwrap(), split, "{text}");
        }
        for bad in ["'a", "\"a", "\"a\\", "a\\"] {
            assert!(words(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_are_typed_by_their_key() {
        for (path, text, toml) in [
            ("id", "101", "101"),
            ("hostname", "www", "\"www\""),
            ("hostname", "\"www\"", "\"www\""),
            ("hostname", "101", "\"101\""),
            ("boot.stop_timeout", "30", "30"),
            ("boot.stop_timeout", "30s", "\"30s\""),
            ("boot.ready", "notify", "\"notify\""),
            ("boot.ready", "tcp 80", "\"tcp 80\""),
            ("boot.ready", "curl -f x", "[\"curl\", \"-f\", \"x\"]"),
            ("boot.ready", "[\"alive\"]", "[\"alive\"]"),
            ("security.nesting", "true", "true"),
            ("security.hide", "/a, /b", "[\"/a\", \"/b\"]"),
            ("mounts", "/a:/b:rw,exec", "[\"/a:/b:rw,exec\"]"),
            ("environment.A", "\"x\"", "'\"x\"'"),
            ("environment.A", "5", "\"5\""),
            ("limits.process.nofile", "5", "5"),
            ("limits.process.nofile", "5:6", "\"5:6\""),
        ] {
            let (key, entry) = find(path).unwrap();
            let mut found = Found::default();
            let value = checked(key, entry, text, &mut found).unwrap();
            assert_eq!(value.to_string().trim(), toml, "{path}={text}");
        }
        for (path, text) in [
            ("id", "x"),
            ("id", "0"),
            ("hostname", "a b"),
            ("security.nesting", "yes"),
            ("security.hide", "[1]"),
            ("security.hide", "[\"/a\""),
            ("environment", "A=1"),
            ("environment.1", "x"),
            ("limits.process.x", "5"),
            ("boot.command", ""),
        ] {
            let (key, entry) = find(path).unwrap();
            assert!(checked(key, entry, text, &mut Found::default()).is_none(), "{path}={text}");
        }
    }
}
