//! What was half done when a command was killed comes to its end, or never was.

use crate::claim::Claim;
use crate::error::{Error, Result};
use crate::house::{House, replace};
use crate::keeping::shelf::{self, DATA, SNAPSHOTS, Shelf};
use crate::keeping::{birth, data};
use crate::registry;
use model::config::{Operation, Setting, edit};
use model::name::Name;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// A rollback, in the files that are to be the jail's, and then are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Rollback {
    /// The snapshot that gets what was before; none if nobody wants it.
    pub(crate) before: Option<String>,
    /// The configuration that comes back with the files.
    pub(crate) config: Option<String>,
}

/// Where a rollback stands.
pub(crate) const ROLLBACK: &str = ".rollback";
/// What a rollback changes with the jail's files, in its snapshots: the new ones before, the old ones after.
pub(crate) const BACK: &str = ".back";

/// Something that was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Where.
    pub path: PathBuf,
    /// What is done with it, in words.
    pub what: &'static str,
}

/// Looks for what is half done of all jails, and with `mend` deals with it. Jails that somebody is at are
/// passed over.
pub(crate) fn all(house: &House, mend: bool) -> Result<Vec<Left>> {
    let jails = house.lib.join("jails");
    let mut found = Vec::new();
    for directory in [jails.clone(), jails.join(SNAPSHOTS)] {
        for file in names(&directory)? {
            let name = file.strip_prefix('.').and_then(|name| name.strip_suffix(".deleted"));
            let Some(name) = name.and_then(|name| name.parse::<Name>().ok()) else { continue };
            let Some(_alone) = Shelf::try_take(house, &name)? else { continue };
            found.extend(gone(directory.join(file), mend)?);
        }
    }
    let mut known: Vec<Name> = names(&jails)?.iter().filter_map(|name| name.parse().ok()).collect();
    known.extend(names(&jails.join(SNAPSHOTS))?.iter().filter_map(|name| name.parse::<Name>().ok()));
    known.sort();
    known.dedup();
    for name in known {
        // A look must not make what it looks for.
        if !jails.join(SNAPSHOTS).join(name.as_str()).exists() && !is_half(house, &name) {
            continue;
        }
        let Some(_alone) = Shelf::try_take(house, &name)? else { continue };
        let claim = Claim::try_take(house, &name, false)?;
        if claim.is_none() && house.running(&name).exists() {
            continue;
        }
        found.extend(jail(house, &name, mend)?);
        for path in crate::building::abandoned(&shelf::place(house, &name), mend)? {
            found.push(Left { path, what: "half made; removed" });
        }
    }
    Ok(found)
}

/// Could something of it be half done?
fn is_half(house: &House, name: &Name) -> bool {
    let kept = house.kept(name);
    fs::symlink_metadata(&kept).is_ok_and(|about| about.is_symlink())
        || [birth::ORPHAN, ROLLBACK].iter().any(|mark| kept.join(mark).exists())
}

/// Deals with what is half done of one jail, which somebody has claimed.
pub fn jail(house: &House, name: &Name, mend: bool) -> Result<Vec<Left>> {
    let mut found = renamed(house, name, mend)?;
    let (kept, shelf) = (house.kept(name), shelf::place(house, name));
    if registry::has_file(house, name) {
        for place in [&kept, &shelf] {
            if place.join(birth::ORPHAN).exists() {
                found.push(Left {
                    path: place.join(birth::ORPHAN),
                    what: "of a delete that never was; removed",
                });
                if mend {
                    birth::unmark(place)?;
                }
            }
        }
        found.extend(rolled_back(house, name, mend)?);
    } else {
        for place in [&kept, &shelf].into_iter().filter(|place| place.join(birth::ORPHAN).exists()) {
            found.push(Left { path: place.clone(), what: "nobody's; removed" });
            if mend {
                remove(place)?;
            }
        }
    }
    Ok(found)
}

/// A rename leaves links with single names: to the old name before there is a file of the new one, and to
/// itself behind.
fn renamed(house: &House, name: &Name, mend: bool) -> Result<Vec<Left>> {
    let mut found = Vec::new();
    let places = [house.kept(name), shelf::place(house, name)];
    let other = places.iter().find_map(|place| link(place));
    let Some(other) = other else { return Ok(found) };
    let path = places[0].clone();
    if &other != name && registry::has_file(house, name) && !registry::has_file(house, &other) {
        found.push(Left { path, what: "half renamed; finished" });
        if mend {
            finish_rename(house, &other, name)?;
        }
        return Ok(found);
    }
    for place in places.iter().filter(|place| link(place).is_some()) {
        found.push(Left { path: place.clone(), what: "of a rename that never was; removed" });
        if mend {
            fs::remove_file(place).map_err(Error::io("remove", place))?;
        }
    }
    Ok(found)
}

/// The single name that a link reads.
fn link(place: &Path) -> Option<Name> {
    fs::read_link(place).ok()?.to_str()?.parse().ok()
}

/// What comes after the step that decides a rename.
pub(crate) fn finish_rename(house: &House, old: &Name, new: &Name) -> Result<()> {
    let lock = registry::lock(house)?;
    for name in registry::configured(house)? {
        let Ok(stored) = registry::read(house, &name) else { continue };
        let mut settings = Vec::new();
        let mut set = |key: &str, operation, value: &Name| {
            settings.push(Setting { key: key.to_owned(), operation, value: value.to_string() });
        };
        if stored.config.boot.depends.contains(old) {
            set("boot.depends", Operation::Remove, old);
            set("boot.depends", Operation::Add, new);
        }
        if name == *new && stored.config.hostname.as_deref() == Some(old.as_str()) {
            set("hostname", Operation::Set, new);
        }
        if !settings.is_empty() {
            let text =
                edit::apply(&stored.text, &settings).map_err(|p| Error::problems(&p, Some(&stored.path)))?;
            registry::write(house, &name, &text, &lock)?;
        }
    }
    // Brings the numbers up to date with the files.
    registry::Ids::load(house, &lock)?;
    for (from, to) in
        [(house.kept(old), house.kept(new)), (shelf::place(house, old), shelf::place(house, new))]
    {
        if link(&to).as_ref() == Some(old) && from.exists() {
            sys::fs::exchange(&from, &to).map_err(Error::call("give what the jail keeps its new name"))?;
        }
        if link(&from).is_some() {
            fs::remove_file(&from).map_err(Error::io("remove", &from))?;
        }
    }
    Ok(())
}

/// A rollback has decided when the files that say so are the jail's.
fn rolled_back(house: &House, name: &Name, mend: bool) -> Result<Vec<Left>> {
    let (kept, back) = (house.kept(name), shelf::place(house, name).join(BACK));
    let (after, before) = (kept.join(ROLLBACK).exists(), back.join(DATA).join(ROLLBACK).exists());
    if !after && !back.exists() {
        return Ok(Vec::new());
    }
    if after {
        if mend {
            finish_rollback(house, name)?;
        }
        return Ok(vec![Left { path: kept, what: "half rolled back; finished" }]);
    }
    if mend {
        // Without the mark it is what was before a rollback whose end has all been done but this.
        match before {
            true => crate::tree::remove(&back)?,
            false => keep_before(&back, &shelf::place(house, name), "before-rollback")?,
        }
    }
    Ok(vec![Left { path: back, what: "of a rollback that never was; removed" }])
}

/// What comes after the step that decides a rollback.
pub(crate) fn finish_rollback(house: &House, name: &Name) -> Result<()> {
    let (kept, shelf) = (house.kept(name), shelf::place(house, name));
    let mark = kept.join(ROLLBACK);
    let text = fs::read(&mark).map_err(Error::io("read", &mark))?;
    let rollback: Rollback = serde_json::from_slice(&text)
        .map_err(|e| Error::Inside(format!("{} cannot be read: {e}", mark.display())))?;
    if let Some(text) = &rollback.config {
        let lock = registry::lock(house)?;
        if registry::text(house, name)?.1 != *text {
            registry::write(house, name, text, &lock)?;
        }
    }
    let back = shelf.join(BACK);
    if back.exists() {
        // The log is of the jail, whatever files it had.
        for log in names(&back.join(DATA))?.iter().filter(|name| data::is_log(name)) {
            let (from, to) = (back.join(DATA).join(log), kept.join(log));
            fs::rename(&from, &to).map_err(Error::io("keep", &to))?;
        }
        match &rollback.before {
            Some(before) => keep_before(&back, &shelf, before)?,
            None => crate::tree::remove(&back)?,
        }
    }
    limit(house, name)?;
    fs::remove_file(&mark).map_err(Error::io("remove", &mark))?;
    Ok(())
}

/// Puts what was before a rollback among the snapshots, which are not counted among what the jail takes.
fn keep_before(back: &Path, shelf: &Path, name: &str) -> Result<()> {
    crate::rootfs::store::uncounted(&back.join(DATA))?;
    let to = shelf.join(name);
    fs::rename(back, &to).map_err(Error::io("keep what was before as", &to))
}

/// The limits of the jail's files hold for those that it has now.
pub(crate) fn limit(house: &House, name: &Name) -> Result<()> {
    let config = registry::config(house, name)?;
    match config.id {
        Some(id) if config.root.store.is_some() => crate::rootfs::store::limit(house, name, id, &config),
        _ => Ok(()),
    }
}

/// Removes a directory after giving it a name that says so.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = path.with_file_name(format!(".{name}.deleted"));
    crate::tree::remove(&aside)?;
    match fs::rename(path, &aside) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        renamed => renamed.map_err(Error::io("put aside", path))?,
    }
    crate::tree::remove(&aside)
}

fn gone(path: PathBuf, mend: bool) -> Result<Option<Left>> {
    if fs::symlink_metadata(&path).is_err() {
        return Ok(None);
    }
    if mend {
        crate::tree::remove(&path)?;
    }
    Ok(Some(Left { path, what: "half removed; removed" }))
}

fn names(directory: &Path) -> Result<Vec<String>> {
    match fs::read_dir(directory) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(Error::io("read", directory)(e)),
        Ok(all) => Ok(all.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()),
    }
}

/// Writes where a rollback stands.
pub(crate) fn note(directory: &Path, rollback: &Rollback) -> Result<()> {
    let text = serde_json::to_vec(rollback)
        .map_err(|e| Error::Inside(format!("the rollback cannot be noted: {e}")))?;
    replace(&directory.join(ROLLBACK), &text)
}
