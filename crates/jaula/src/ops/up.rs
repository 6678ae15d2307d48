//! `jaula up` and `jaula down`: the jails that a `jaula.toml` declares.

use crate::error::{Error, Result};
use crate::house::House;
use crate::ops::prepare::{Start, foresee};
use crate::ops::{build, refresh, set};
use crate::registry::{self, Ids, Stored};
use model::config::up::{UpFile, UpJail};
use model::config::{Config, Operation, Setting, edit};
use model::name::{Id, Name};
use std::path::{Path, PathBuf};

/// What has become of one jail that is declared.
#[derive(Debug)]
pub struct Brought {
    /// The jail.
    pub name: Name,
    /// What was done to its configuration.
    pub what: What,
    /// Must it stop before it is as declared?
    pub restart: bool,
}

/// What was done to a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It was made.
    Created,
    /// It said something else.
    Changed,
    /// Nothing: it said so already.
    Kept,
}

/// What `jaula up` has brought about.
#[derive(Debug)]
pub struct Up {
    /// The file.
    pub file: PathBuf,
    /// The jails that it declares, in its order.
    pub jails: Vec<Brought>,
    /// Jails that it declared once.
    pub left: Vec<Name>,
}

/// Brings the configurations of the jails that `jaula.toml` in a directory declares to what it
/// says. All are checked before any is written. Nothing is started.
pub fn up(house: &House, directory: &Path) -> Result<Up> {
    let file = file(directory)?;
    let declared = read(&file)?;
    let lock = registry::lock(house)?;
    let mut ids = Ids::load(house, &lock)?;
    let mut ready = Vec::with_capacity(declared.jails.len());
    for jail in declared.jails {
        let old = existing(house, &jail.name, &file)?;
        let (text, config, id) = complete(&jail, old.as_ref(), &file, &mut ids)?;
        let is_yet_to_be_made = config.root.is_own() && !house.kept(&jail.name).exists();
        if old.as_ref().is_none_or(|old| old.text != text) && !is_yet_to_be_made {
            foresee(house, &jail.name, id, &config, Start::LASTING)?;
        }
        ready.push((jail.name, old, text));
    }
    let mut jails = Vec::with_capacity(ready.len());
    for (name, old, text) in ready {
        jails.push(match old {
            None => {
                registry::write(house, &name, &text, &lock)?;
                Brought { name, what: What::Created, restart: false }
            }
            Some(old) if old.text == text => Brought { name, what: What::Kept, restart: false },
            Some(old) => {
                let changed = set::write(house, vec![(name.clone(), old, text)], &lock)?;
                let restart = changed.iter().any(|c| c.later().next().is_some() || c.failure.is_some());
                Brought { name, what: What::Changed, restart }
            }
        });
    }
    drop(lock);
    for jail in &jails {
        build::complete(house, &jail.name)?;
        refresh::declared(house, &jail.name, jail.what == What::Created)?;
    }
    let is_gone = |name: &Name| !jails.iter().any(|jail| jail.name == *name);
    let left = declared_in(house, &file)?.into_iter().filter(is_gone).collect();
    Ok(Up { file, jails, left })
}

/// The jails that `jaula up` has made from `jaula.toml` in a directory, in the order in which they
/// are stopped: those that it declares no more, and then the others, the last one first.
pub fn down(house: &House, directory: &Path) -> Result<Vec<Name>> {
    let file = file(directory)?;
    let mut names = declared_in(house, &file)?;
    // A file that is gone or broken must not keep its jails from being stopped.
    let order: Vec<Name> =
        read(&file).map(|up| up.jails.into_iter().map(|jail| jail.name).collect()).unwrap_or_default();
    if names.is_empty() && order.is_empty() {
        read(&file)?;
    }
    let rank = |name: &Name| order.iter().position(|other| other == name);
    names.sort_by_key(|name| std::cmp::Reverse(rank(name).map_or(usize::MAX, |at| at)));
    Ok(names)
}

/// The file of a directory, by the one path that it has.
fn file(directory: &Path) -> Result<PathBuf> {
    let directory = std::fs::canonicalize(directory).map_err(Error::io("enter", directory))?;
    Ok(directory.join("jaula.toml"))
}

fn read(file: &Path) -> Result<UpFile> {
    let text = match registry::read_text(file) {
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::refused(
                format!("there is no {}", file.display()),
                "write one, or name the directory that has it: jaula up DIR",
            ));
        }
        text => text?,
    };
    let base = file.parent().unwrap_or_else(|| Path::new("/"));
    UpFile::parse(&text, base).map_err(|problems| Error::problems(&problems, Some(file)))
}

/// The configuration that a jail has, if this file has declared it; another's is refused.
fn existing(house: &House, name: &Name, file: &Path) -> Result<Option<Stored>> {
    if !registry::has_file(house, name) {
        // One of `jaula run` has the name now.
        return if registry::exists(house, name)? { Err(Error::Exists(name.clone())) } else { Ok(None) };
    }
    let stored = registry::read(house, name)?;
    let by = match &stored.config.declared_in {
        Some(by) if by == file => return Ok(Some(stored)),
        Some(by) => format!("it is declared in {}", by.display()),
        None => "it was made by itself".to_owned(),
    };
    Err(Error::refused(
        format!("jail {:?} exists already: {by}", name.as_str()),
        format!("give one of them another name, or: jaula delete {name}"),
    ))
}

/// The text of a declared jail's own file, with its number and where it is declared.
fn complete(
    jail: &UpJail,
    old: Option<&Stored>,
    file: &Path,
    ids: &mut Ids<'_>,
) -> Result<(String, Config, Id)> {
    let id = match jail.config.id.or_else(|| old?.config.id) {
        Some(id) => id,
        None => ids.free()?,
    };
    ids.take(id, &jail.name)?;
    let set = |key: &str, value: String| Setting { key: key.to_owned(), operation: Operation::Set, value };
    let place = file.to_str().ok_or_else(|| {
        Error::refused(format!("{} is not UTF-8", file.display()), "give the directory another name")
    })?;
    let settings = [set("id", id.to_string()), set("declared_in", place.to_owned())];
    let problems = |p| Error::problems(&p, Some(file));
    let text = edit::apply(&jail.text, &settings).map_err(problems)?;
    let config = Config::parse(&text).map_err(problems)?;
    Ok((text, config, id))
}

/// The jails that say that this file declares them, by name.
fn declared_in(house: &House, file: &Path) -> Result<Vec<Name>> {
    let is_its = |name: &Name| {
        registry::config(house, name).is_ok_and(|config| config.declared_in.as_deref() == Some(file))
    };
    Ok(registry::configured(house)?.into_iter().filter(is_its).collect())
}
