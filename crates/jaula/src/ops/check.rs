//! `jaula config check`: all that is wrong with configurations.

use crate::error::{Error, Result};
use crate::house::House;
use crate::ops::prepare::{Start, confinement, prepare};
use crate::registry;
use model::config::{Config, Problems};
use model::name::{Id, Name};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A configuration that was checked.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// The jail; none for a file that was named by its path.
    pub name: Option<Name>,
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub faults: Vec<Fault>,
}

/// Something that is wrong with a configuration.
#[derive(Debug, Serialize)]
pub struct Fault {
    /// The line, from 1, if it is at one.
    pub line: Option<usize>,
    /// The column in characters, from 1.
    pub column: Option<usize>,
    /// The key, if it is about one that the file has.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

/// Checks jails: what their files say, that no other jail has their number, and that what the
/// files ask for is there. Nothing is changed.
pub fn jails(house: &House, names: &[Name]) -> Result<Vec<Checked>> {
    let mut owners: BTreeMap<Id, Vec<Name>> = BTreeMap::new();
    for name in registry::configured(house)? {
        if let Some(id) = registry::config(house, &name).ok().and_then(|config| config.id) {
            owners.entry(id).or_default().push(name);
        }
    }
    let mut all = Vec::with_capacity(names.len());
    for name in names.iter().filter(|name| registry::has_file(house, name)) {
        let path = house.config(name);
        let (mut faults, config) = text(&path);
        if let Some(config) = config {
            let others = config.id.and_then(|id| Some((id, owners.get(&id)?)));
            for (id, other) in others.into_iter().flat_map(|(id, all)| all.iter().map(move |o| (id, o))) {
                if other != name {
                    let error = Error::SameId { name: name.clone(), id, other: other.to_string() };
                    faults.extend(of(error));
                }
            }
            let id = config.id.map_or_else(|| Id::new(Id::FIRST_PASSING).map_err(|_| Error::NoId), Ok)?;
            if faults.is_empty()
                && let Err(error) =
                    prepare(house, name, id, &config, Start { looks: false, ..Start::LASTING })
            {
                faults.extend(of(error));
            }
        }
        all.push(Checked { name: Some(name.clone()), path, faults });
    }
    Ok(all)
}

/// Checks what files say, whichever host they are for.
pub fn files(paths: &[PathBuf]) -> Vec<Checked> {
    paths.iter().map(|path| Checked { name: None, path: path.clone(), faults: text(path).0 }).collect()
}

/// What is wrong with the text of a file; and what it says, if that is not wrong.
fn text(path: &Path) -> (Vec<Fault>, Option<Config>) {
    let text = match registry::read_text(path) {
        Ok(text) => text,
        Err(error) => return (of(error), None),
    };
    match Config::parse(&text) {
        Err(problems) => (of_problems(&problems), None),
        Ok(config) => match confinement(&config) {
            Err(error) => (of(error), None),
            Ok(_) => (Vec::new(), Some(config)),
        },
    }
}

fn of_problems(problems: &Problems) -> Vec<Fault> {
    let fault = |p: &model::config::Problem| Fault {
        line: p.at.map(|at| at.line),
        column: p.at.map(|at| at.column),
        key: Some(p.key.clone()).filter(|key| !key.is_empty()),
        message: p.message.clone(),
        help: p.help.clone(),
    };
    problems.iter().map(fault).collect()
}

/// What an error says, as faults.
fn of(error: Error) -> Vec<Fault> {
    match error {
        Error::Several(all) => all.into_iter().flat_map(of).collect(),
        Error::Config { problems, help } => {
            let fault = |message| Fault { line: None, column: None, key: None, message, help: help.clone() };
            problems.into_iter().map(fault).collect()
        }
        other => {
            let help = other.help();
            vec![Fault { line: None, column: None, key: None, message: other.line(), help }]
        }
    }
}
