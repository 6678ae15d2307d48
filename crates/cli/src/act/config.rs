//! `set` and `config show|check|path|keys`.

pub(crate) mod edit;

use crate::act::operate::Talk;
use crate::act::{printed, selected, settings};
use crate::command::{ConfigCheck, ConfigKeys, ConfigShow, Selection, Set};
use crate::exit;
use crate::exit::ExitCode;
use crate::output::error::{report, warn};
use crate::output::text::harmless;
use crate::output::{print_json, print_text};
use jaula::house::House;
use jaula::ops::check::Checked;
use jaula::ops::set::Changed;
use jaula::ops::{check, effective, set};
use jaula::{Result, registry};
use model::config::data::Data;
use model::config::effective::Source;
use model::config::keys;
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;

/// `jaula set`
pub(crate) fn set(given: &Set, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    let names = match &given.jails {
        Selection::All => registry::configured(&house)?,
        named => selected(&house, named)?,
    };
    let mut status = 0;
    for changed in set::set(&house, &names, &settings(&given.settings))? {
        status = status.max(tell(&changed, talk));
    }
    Ok(ExitCode::from(status))
}

/// Tells what a change means for a jail that runs; returns the status.
pub(crate) fn tell(changed: &Changed, talk: Talk) -> u8 {
    let later: Vec<&str> = changed.later().map(|key| key.path).collect();
    if !later.is_empty() && !talk.quiet {
        let name = &changed.name;
        let text = format!("{} of {name} counts from its next start: jaula restart {name}", later.join(", "));
        warn(&text, talk.color);
    }
    if let Some(unseen) = changed.unseen.as_ref().filter(|_| !talk.quiet) {
        warn(unseen, talk.color);
    }
    match &changed.failure {
        None => 0,
        Some(error) => {
            report(error, error.help().as_deref(), talk.color);
            crate::act::status(error)
        }
    }
}

/// `jaula config show`
pub(crate) fn show(given: &ConfigShow) -> Result<ExitCode> {
    let house = House::from_environment();
    let name = registry::one(&house, &given.name)?;
    if !given.effective && !given.json {
        return printed(print_text(&registry::text(&house, &name)?.1));
    }
    let holds = effective::holds(&house, &name)?;
    if given.json {
        let shown = holds.keys.iter().filter(|key| given.effective || key.source == Source::Set);
        let shape = Shape {
            name: name.as_str(),
            path: &house.config(&name),
            keys: shown.map(Holds::of).collect(),
            capabilities: given
                .effective
                .then(|| holds.confinement.capabilities.iter().map(|c| c.name()).collect()),
            system_calls: given.effective.then(|| Calls {
                groups: holds.calls.groups.iter().map(|(what, how)| Group { what, how }).collect(),
                refused: &holds.calls.refused,
            }),
        };
        return printed(print_json(&shape));
    }
    let mut text = String::new();
    for holds in &holds.keys {
        let value = holds.value.as_ref().map(|value| format!(" = {}", value.trim())).unwrap_or_default();
        let meaning = match holds.meaning.as_str() {
            "" => String::new(),
            meaning => format!(": {meaning}"),
        };
        let key = harmless(&format!("{}{value}", holds.key.path)).into_owned();
        let _ = writeln!(text, "{key:42} # {}{}", holds.source, harmless(&meaning));
    }
    text.push_str("\n# What becomes of system calls:\n");
    for line in holds.calls.to_string().lines() {
        let _ = writeln!(text, "# {line}");
    }
    printed(print_text(&text))
}

/// `jaula config show --json`
#[derive(Serialize)]
struct Shape<'a> {
    name: &'a str,
    path: &'a Path,
    keys: Vec<Holds<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capabilities: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_calls: Option<Calls<'a>>,
}

#[derive(Serialize)]
struct Holds<'a> {
    key: &'static str,
    value: Option<Data>,
    source: String,
    meaning: &'a str,
}

impl<'a> Holds<'a> {
    fn of(holds: &'a model::config::effective::Effective) -> Self {
        let value = holds.value.as_deref().and_then(Data::of_toml);
        Self { key: holds.key.path, value, source: holds.source.to_string(), meaning: &holds.meaning }
    }
}

#[derive(Serialize)]
struct Calls<'a> {
    groups: Vec<Group<'a>>,
    refused: &'a [&'static str],
}

#[derive(Serialize)]
struct Group<'a> {
    what: &'a str,
    how: &'a str,
}

/// `jaula config check`
pub(crate) fn check(given: &ConfigCheck, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    let names = match &given.jails {
        Selection::Named(words) if words.is_empty() => Vec::new(),
        Selection::Named(_) => selected(&house, &given.jails)?,
        Selection::All => registry::configured(&house)?,
    };
    let mut all = check::jails(&house, &names)?;
    all.extend(check::files(&given.files));
    let faulty = all.iter().filter(|checked| !checked.faults.is_empty()).count();
    if given.json {
        printed(print_json(&all))?;
    } else {
        let mut text: String = all.iter().map(in_lines).collect();
        if faulty == 0 && !talk.quiet {
            let _ = writeln!(text, "{} checked: no faults", all.len());
        }
        printed(print_text(&text))?;
    }
    Ok(ExitCode::from(if faulty == 0 { 0 } else { exit::FAILED }))
}

/// The faults of a file as compilers tell theirs.
fn in_lines(checked: &Checked) -> String {
    let mut text = String::new();
    let file = checked.path.display().to_string();
    for fault in &checked.faults {
        let place = match (fault.line, fault.column) {
            (Some(line), Some(column)) => format!("{file}:{line}:{column}: "),
            // What could not be read at all names its file itself.
            _ if fault.message.contains(&file) => String::new(),
            _ => format!("{file}: "),
        };
        let _ = writeln!(text, "{}", harmless(&format!("{place}{}", fault.message)));
        if let Some(help) = &fault.help {
            let _ = writeln!(text, "help: {}", harmless(help));
        }
    }
    text
}

/// `jaula config path`
pub(crate) fn path(word: &str) -> Result<ExitCode> {
    let house = House::from_environment();
    let name = registry::one(&house, word)?;
    let path = house.config(&name);
    if std::fs::symlink_metadata(&path).is_err() {
        // It says why there is none.
        registry::text(&house, &name)?;
    }
    printed(print_text(&format!("{}\n", path.display())))
}

/// `jaula config keys`
pub(crate) fn keys(given: &ConfigKeys) -> Result<ExitCode> {
    /// A key as JSON has it.
    #[derive(Serialize)]
    struct Shown {
        key: &'static str,
        takes: &'static str,
        choices: Vec<&'static str>,
        default: &'static str,
        meaning: &'static str,
        example: Option<Data>,
        applies: String,
    }
    if given.json {
        let shown = keys::all().map(|key| Shown {
            key: key.path,
            takes: key.takes,
            choices: key.choices.iter().map(|(word, _)| *word).collect(),
            default: key.default,
            meaning: key.doc,
            example: Data::of_toml(key.example),
            applies: key.applies.to_string(),
        });
        return printed(print_json(&shown.collect::<Vec<_>>()));
    }
    let plain = |markdown: &str| markdown.replace('`', "");
    let entry = |key: &keys::Key| {
        let choices: String =
            key.choices.iter().map(|(word, meaning)| format!("    {word}: {meaning}\n")).collect();
        let (doc, takes, default) = (plain(key.doc), plain(key.takes), plain(key.default));
        format!("{}\n  {doc}\n{choices}  Takes {takes}. By default: {default}.\n", key.path)
    };
    let all: Vec<String> = match given.names_only {
        true => keys::all().map(|key| format!("{}\n", key.path)).collect(),
        false => keys::all().map(entry).collect(),
    };
    printed(print_text(&all.join(if given.names_only { "" } else { "\n" })))
}
