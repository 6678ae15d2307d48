//! `jaula gc`: what killed commands and keepers have left is undone; jails that run on without
//! a keeper get one.

use crate::claim::{Claim, IDS, id_owner, settle_ids};
use crate::error::{Error, Result};
use crate::house::House;
use crate::recover;
use crate::state::State;
use model::name::Name;
use serde::Serialize;
use std::path::Path;

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Found {
    /// A jail that ended without its keeper: undone.
    Abandoned(String),
    /// A jail that runs without its keeper: adopted.
    Orphan(String),
    /// A number that no running jail has: given back.
    Number(String),
    /// A temporary file of a command that was killed: removed.
    Temporary(String),
}

/// Looks for leftovers, and with `mend` deals with them. Jails that somebody is at are passed over.
pub fn gc(house: &House, mend: bool) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for name in names(&house.run)? {
        let Some(claim) = Claim::try_take(house, &name, false)? else { continue };
        let state = State::read(&claim)?;
        let kept = state.as_ref().is_some_and(|s| s.keeper.open().is_some());
        let runs = state.as_ref().is_some_and(|s| s.first.is_some_and(|first| first.open().is_some()));
        let passing = state.as_ref().is_some_and(|s| s.passing);
        match (kept, runs && !passing) {
            (true, _) => {}
            (false, true) => {
                drop(claim);
                if mend {
                    crate::ops::start::adopt(house, &name)?;
                }
                found.push(Found::Orphan(name.to_string()));
            }
            (false, false) => {
                if mend {
                    recover::undo(house, claim)?;
                }
                found.push(Found::Abandoned(name.to_string()));
            }
        }
    }
    numbers(&house.run, mend, &mut found)?;
    temporaries(&house.etc.join("jails"), mend, &mut found)?;
    Ok(found)
}

fn entries(directory: &Path) -> Result<Vec<String>> {
    match std::fs::read_dir(directory) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(Error::io("read", directory)(e)),
        Ok(all) => Ok(all.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect()),
    }
}

fn names(run: &Path) -> Result<Vec<Name>> {
    Ok(entries(run)?.iter().filter_map(|name| name.parse().ok()).collect())
}

fn numbers(run: &Path, mend: bool, found: &mut Vec<Found>) -> Result<()> {
    let ids = run.join(IDS);
    for number in entries(&ids)? {
        let _alone = settle_ids(&ids)?;
        if id_owner(&ids, &number).is_some_and(|(_, there)| !there) {
            if mend {
                remove(&ids.join(&number))?;
            }
            found.push(Found::Number(number));
        }
    }
    Ok(())
}

/// Files that [`crate::house::replace`] was writing when its process was killed.
fn temporaries(directory: &Path, mend: bool, found: &mut Vec<Found>) -> Result<()> {
    for name in entries(directory)? {
        let Some((_, pid)) = name.rsplit_once(".new.") else { continue };
        if pid.parse().is_ok_and(|pid: i32| sys::process::open(pid).is_err()) {
            if mend {
                remove(&directory.join(&name))?;
            }
            found.push(Found::Temporary(name));
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path)(e)),
        _ => Ok(()),
    }
}
