//! The reference of all keys, for `docs/config.md` and the manual page.

use super::keys::{Key, SECTIONS, Shape};

/// What stands before the keys.
const INTRODUCTION: &str = "\
A jail is configured by `/etc/jaula/jails/NAME.toml`, a file in [TOML](https://toml.io). Every key
has a default; a key that is not listed here is refused. `jaula set NAME KEY=VALUE` changes a key
and keeps your comments, `KEY+=VALUE` and `KEY-=VALUE` add to a list and take away from it;
`jaula config check` tells what is wrong with a file.
";

/// `docs/config.md`.
pub fn reference() -> String {
    let mut page = format!(
        "<!-- Made by `cargo xtask docs` from the table of keys; do not edit. -->\n\n\
         # Configuration of a jail\n\n{INTRODUCTION}"
    );
    for section in SECTIONS {
        let title = match section.name {
            "" => "Keys of the jail itself".to_owned(),
            name => format!("`[{name}]`"),
        };
        page += &format!("\n## {title}\n\n{}\n", section.doc);
        for key in section.keys {
            page += &entry(key);
        }
    }
    page
}

/// One key in Markdown.
fn entry(key: &Key) -> String {
    let choices: String =
        key.choices.iter().map(|(word, meaning)| format!("- `{word}`: {meaning}\n")).collect();
    let blank = if choices.is_empty() { "" } else { "\n" };
    let Key { path, doc, takes, default, applies, .. } = key;
    format!(
        "\n### `{path}`\n\n{doc}\n{blank}{choices}\n\
         | takes | default | a change counts |\n| --- | --- | --- |\n| {takes} | {default} | {applies} |\n\n\
         ```toml\n{}```\n",
        example(key)
    )
}

/// A key's example as it stands in a file.
fn example(key: &Key) -> String {
    if let Shape::Table { .. } = key.shape
        && let Ok(toml_edit::Value::InlineTable(table)) = key.example.parse()
    {
        let entries = table.iter().map(|(name, value)| format!("{name} = {}\n", value.to_string().trim()));
        return format!("[{}]\n{}", key.path, entries.collect::<String>());
    }
    let header = match key.path.rsplit_once('.') {
        Some((section, _)) => format!("[{section}]\n"),
        None => String::new(),
    };
    format!("{header}{} = {}\n", key.name(), key.example)
}

/// The section of the manual page, in the macros of man(7).
pub fn manual() -> String {
    let mut page = ".SH CONFIGURATION\n".to_owned() + &roff(INTRODUCTION);
    for section in SECTIONS {
        if !section.name.is_empty() {
            page += &format!(".SS [{}]\n{}", section.name, roff(section.doc));
        }
        for key in section.keys {
            let mut body = format!("{}\nTakes {}. By default: {}.", key.doc, key.takes, key.default);
            if key.applies == super::keys::Applies::Live {
                body += " A change counts at once.";
            }
            page += &format!(".TP\n.B {}\n{}", roff(key.path).trim_end(), roff(&body));
            for (word, meaning) in key.choices {
                page += &format!(".RS\n.TP\n.B {}\n{}.RE\n", roff(word).trim_end(), roff(meaning));
            }
        }
    }
    page
}

/// Markdown as roff: `code` in bold, no line that roff takes for a macro.
fn roff(markdown: &str) -> String {
    let mut text = String::new();
    for line in markdown.replace("[TOML](https://toml.io)", "TOML").lines() {
        let mut bold = false;
        for (i, c) in line.chars().enumerate() {
            match c {
                '`' => {
                    bold = !bold;
                    text += if bold { "\\fB" } else { "\\fR" };
                }
                '\\' => text += "\\e",
                '-' => text += "\\-",
                '…' => text += "...",
                '\'' if bold => text += "\\(aq",
                '\'' | '.' if i == 0 => text += &format!("\\&{c}"),
                c => text.push(c),
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docs_config_md_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/config.md");
        let stands = std::fs::read_to_string(path).unwrap_or_default();
        if std::env::var_os("JAULA_DOCS_RENEW").is_some() {
            std::fs::write(path, reference()).unwrap();
        } else {
            assert!(stands == reference(), "docs/config.md is not up to date: run `cargo xtask docs`");
        }
    }

    #[test]
    fn every_key_is_in_the_manual() {
        let manual = manual();
        for key in super::super::keys::all() {
            assert!(manual.contains(&format!(".TP\n.B {}\n", key.path)), "{}", key.path);
        }
        assert!(!manual.contains('`'));
    }
}
