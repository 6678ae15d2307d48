//! Adding to a list and taking away from it, comments kept.

use toml_edit::{Array, RawString, Value};

/// The list with these elements. One with the identity of another takes its place.
pub(super) fn with(mut list: Array, elements: &Array, identity: fn(&str) -> String) -> Array {
    for element in elements.iter().filter_map(Value::as_str) {
        let wanted = identity(element);
        let stands = list.iter().position(|v| v.as_str().map(identity).as_ref() == Some(&wanted));
        match stands {
            Some(at) if list.get(at).and_then(Value::as_str) == Some(element) => {}
            Some(at) => _ = list.replace(at, element),
            None => push(&mut list, element),
        }
    }
    list
}

/// The list without the elements of the same identity as these.
pub(super) fn without(mut list: Array, elements: &Array, identity: fn(&str) -> String) -> Array {
    let unwanted: Vec<String> = elements.iter().filter_map(Value::as_str).map(identity).collect();
    for at in (0..list.len()).rev() {
        let element = list.get(at).and_then(Value::as_str).map(identity);
        if element.is_some_and(|element| unwanted.contains(&element)) {
            remove(&mut list, at);
        }
    }
    list
}

/// Adds an element at the end, on a line of its own if the last one has one.
fn push(list: &mut Array, element: &str) {
    let last = list.len().checked_sub(1).and_then(|last| list.get(last)).map(|value| value.decor().clone());
    let prefix = last.as_ref().and_then(|decor| decor.prefix()).map_or("", raw);
    let Some((_, indent)) = prefix.rsplit_once('\n') else {
        return list.push(element);
    };
    let mut value = Value::from(element);
    if list.trailing_comma() {
        // What follows the last comma, such as a comment on the last element, stays there.
        let trailing = raw(list.trailing()).trim_end_matches([' ', '\t']).to_owned();
        let (before, newline) = if trailing.ends_with('\n') { (trailing, "") } else { (trailing, "\n") };
        value.decor_mut().set_prefix(format!("{before}{newline}{indent}"));
        list.set_trailing("\n");
    } else {
        value.decor_mut().set_prefix(format!("\n{indent}"));
        if let Some(suffix) = last.as_ref().and_then(|decor| decor.suffix()).map(raw).map(str::to_owned)
            && let Some(last) = list.iter_mut().last()
        {
            // With a comment behind it, the last element's comma has to stand after that.
            let ends = if suffix.contains('#') {
                suffix.trim_end_matches([' ', '\t']).to_owned()
            } else {
                String::new()
            };
            last.decor_mut().set_suffix(ends);
            value.decor_mut().set_suffix(if suffix.contains('#') { "\n" } else { &suffix });
        }
    }
    list.push_formatted(value);
}

/// Takes an element out; comments around it go to what follows.
fn remove(list: &mut Array, at: usize) {
    let decor = list.remove(at).decor().clone();
    let around =
        [decor.prefix(), decor.suffix()].map(|part| part.map_or("", raw).trim_end().to_owned()).concat();
    let first = at == 0;
    match list.get_mut(at) {
        Some(next) => {
            let prefix = next.decor().prefix().map_or("", raw).to_owned();
            let prefix = if around.contains('#') {
                format!("{around}{}{prefix}", newline(&prefix))
            } else if first {
                decor.prefix().map_or("", raw).to_owned()
            } else {
                prefix
            };
            next.decor_mut().set_prefix(prefix);
        }
        None if around.contains('#') => {
            let trailing = raw(list.trailing()).to_owned();
            list.set_trailing(format!("{around}{}{trailing}", newline(&trailing)));
        }
        None => {}
    }
    if list.is_empty() {
        list.set_trailing_comma(false);
        if !raw(list.trailing()).contains('#') {
            list.set_trailing("");
        }
    }
}

/// What ends a comment before `text`.
fn newline(text: &str) -> &'static str {
    if text.trim_start_matches([' ', '\t']).starts_with(['\n', '\r']) { "" } else { "\n" }
}

/// The text of a decoration.
fn raw(raw: &RawString) -> &str {
    raw.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_come_and_go_with_their_lines() {
        let same: fn(&str) -> String = str::to_owned;
        for (list, add, remove, result) in [
            ("[]", "[\"a\"]", "[]", "[\"a\"]"),
            ("[ 'a' ]", "[\"b\"]", "[]", "[ 'a' , \"b\"]"),
            ("['a','b']", "['a']", "['b']", "['a']"),
            ("['a', 'b', 'c']", "[]", "['a']", "['b', 'c']"),
            ("[\n  'a',\n  'b', # b\n]", "['c']", "[]", "[\n  'a',\n  'b', # b\n  \"c\",\n]"),
            ("[\n  'a',\n  'b' # b\n]", "['c']", "[]", "[\n  'a',\n  'b' # b\n,\n  \"c\"\n]"),
            ("[\n  'a',\n  'b'\n]", "['c']", "[]", "[\n  'a',\n  'b',\n  \"c\"\n]"),
            ("[\n  'a', # a\n  'b', # b\n  'c', # c\n]", "[]", "['b']", "[\n  'a', # a\n # b\n  'c', # c\n]"),
            ("[\n  'a', # a\n]", "[]", "['a']", "[ # a\n]"),
            ("[\n  'a',\n]", "[]", "['a']", "[]"),
        ] {
            let parse = |text: &str| text.parse::<Value>().unwrap().as_array().unwrap().clone();
            let changed = without(with(parse(list), &parse(add), same), &parse(remove), same);
            assert_eq!(changed.to_string(), result, "{list} + {add} - {remove}");
            let again = without(with(changed.clone(), &parse(add), same), &parse(remove), same);
            assert_eq!(again.to_string(), result);
        }
    }
}
