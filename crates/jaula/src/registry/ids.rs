//! The numbers of configured jails.
//!
//! A number stands in its jail's file. So that a new jail finds a free one without reading all
//! files, a link `N` in `.ids` reads the name of the jail that has it. The files have the last
//! word: a link that is older than its file, or whose file is gone, is brought up to date.

use super::{Lock, configured, has_file};
use crate::error::{Error, Result};
use crate::house::{House, make_private};
use model::name::{Id, Name};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Where the link of a number is.
pub(super) fn link(house: &House, id: Id) -> PathBuf {
    house.lib.join(crate::claim::IDS).join(id.to_string())
}

/// The name that a link reads.
pub(super) fn read(link: &Path) -> Option<Name> {
    std::fs::read_link(link).ok()?.to_str()?.parse().ok()
}

/// Who has which number.
#[derive(Debug)]
pub struct Ids<'a> {
    house: &'a House,
    owners: BTreeMap<Id, Name>,
    /// Jails whose file has the number of another.
    twice: Vec<(Id, Name)>,
}

impl<'a> Ids<'a> {
    /// Brings the links up to date with the files. Only files that are newer than their link, or
    /// have none, are read.
    pub fn load(house: &'a House, _lock: &Lock) -> Result<Self> {
        tidy(house);
        make_private(&house.lib.join(crate::claim::IDS))?;
        let mut ids = Self { house, owners: BTreeMap::new(), twice: Vec::new() };
        let mut unknown: BTreeSet<Name> = configured(house)?.into_iter().collect();
        for id in super::entries(&house.lib.join(crate::claim::IDS), |file| file.parse::<Id>().ok())? {
            let link = link(house, id);
            let Some(name) = read(&link).filter(|name| has_file(house, name)) else {
                remove(&link)?;
                continue;
            };
            // A file that cannot be read keeps its number until it can.
            let stands = is_newer(&link, &house.config(&name)) || super::read(house, &name).is_err();
            if stands && unknown.remove(&name) {
                ids.owners.insert(id, name);
            } else {
                remove(&link)?;
            }
        }
        for name in unknown {
            let Ok(Some(id)) = super::read(house, &name).map(|stored| stored.config.id) else { continue };
            match ids.owners.get(&id) {
                Some(_) => ids.twice.push((id, name)),
                None => ids.put(id, &name)?,
            }
        }
        Ok(ids)
    }

    /// Jails whose file has the number of another, with the number and that other.
    pub fn duplicates(&self) -> impl Iterator<Item = (&Name, Id, &Name)> {
        self.twice.iter().filter_map(|(id, name)| Some((name, *id, self.owners.get(id)?)))
    }

    /// The lowest number from 101 that no jail has, configured or running.
    pub fn free(&self) -> Result<Id> {
        let run = self.house.run.join(crate::claim::IDS);
        (Id::FIRST..Id::FIRST_PASSING)
            .filter_map(|number| Id::new(number).ok())
            .find(|id| !self.owners.contains_key(id) && read(&run.join(id.to_string())).is_none())
            .ok_or(Error::NoId)
    }

    /// Gives a number to a jail, whose file is about to say so. The jail's other numbers go when
    /// the file is written.
    pub fn take(&mut self, id: Id, name: &Name) -> Result<()> {
        match self.owners.get(&id).filter(|owner| *owner != name) {
            Some(other) => Err(Error::SameId { name: name.clone(), id, other: other.to_string() }),
            None => self.put(id, name),
        }
    }

    /// Takes all numbers from a jail.
    pub fn release(&mut self, name: &Name) -> Result<()> {
        let all: Vec<Id> = self.owners.iter().filter(|(_, of)| *of == name).map(|(id, _)| *id).collect();
        for id in all {
            self.owners.remove(&id);
            remove(&link(self.house, id))?;
        }
        Ok(())
    }

    fn put(&mut self, id: Id, name: &Name) -> Result<()> {
        if self.owners.get(&id) != Some(name) {
            sys::fs::make_link(name.as_str(), sys::fs::CWD, link(self.house, id))
                .map_err(Error::call("take a number"))?;
            self.owners.insert(id, name.clone());
        }
        Ok(())
    }
}

/// Removes a link.
pub(super) fn remove(link: &Path) -> Result<()> {
    match sys::fs::remove(sys::fs::CWD, link, false) {
        Err(e) if !e.is(sys::errno::ENOENT) => Err(Error::call("give a number back")(e)),
        _ => Ok(()),
    }
}

/// Was the link made after its file was written?
fn is_newer(link: &Path, file: &Path) -> bool {
    let written = |about: std::io::Result<std::fs::Metadata>| about.and_then(|a| a.modified()).ok();
    let made: Option<SystemTime> = written(std::fs::symlink_metadata(link));
    made > written(std::fs::metadata(file))
}

/// Removes what a command that was killed while it wrote a file has left beside it. Whoever has
/// the lock is the only one that writes.
fn tidy(house: &House) {
    let directory = house.etc.join("jails");
    for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.rsplit_once(".new.")).map(|(_, number)| number);
        if number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())) {
            // One that stays takes room and does nothing else.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
