//! `jaula gc`: what killed commands and keepers have left is undone; jails that run on without
//! a keeper get one.

use crate::building;
use crate::claim::{Claim, IDS, id_owner, settle_ids};
use crate::error::{Error, Result};
use crate::firewall::whole;
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
    /// What a command has left half done that was killed while it changed what a jail keeps: undone, or
    /// brought to its end.
    Half(String),
    /// A temporary file, or what was being made, of a command that was killed: removed.
    Temporary(String),
    /// What jails are made of at once, as long as no jail is made of it: removed.
    Base(String),
    /// A jail of whose part of the host's firewall somebody has removed something: put back.
    Firewall(String),
}

/// Looks for leftovers, and with `mend` deals with them. Jails that somebody is at are passed over.
/// All is tried, whatever fails; what was found counts only if nothing did.
pub fn gc(house: &House, mend: bool) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    let mut failures = Vec::new();
    for name in names(&house.run)? {
        match jail(house, &name, mend) {
            Ok(one) => found.extend(one),
            Err(error) => failures.push(error),
        }
    }
    failures.extend(firewall(house, mend, &mut found).err());
    failures.extend(numbers(&house.run, mend, &mut found).err());
    failures.extend(temporaries(&house.etc.join("jails"), mend, &mut found).err());
    for parent in ["templates", "jails"].map(|name| house.lib.join(name)) {
        match building::abandoned(&parent, mend) {
            Ok(left) => found.extend(left.iter().map(|path| Found::Temporary(path.display().to_string()))),
            Err(error) => failures.push(error),
        }
    }
    match crate::rootfs::store::unneeded_bases(house, mend) {
        Ok((bases, half)) => {
            found.extend(bases.iter().map(|path| Found::Base(path.display().to_string())));
            found.extend(half.iter().map(|path| Found::Temporary(path.display().to_string())));
        }
        Err(error) => failures.push(error),
    }
    match crate::keeping::settle::all(house, mend) {
        Ok(left) => {
            let half = |left: crate::keeping::settle::Left| {
                Found::Half(format!("{}: {}", left.path.display(), left.what))
            };
            found.extend(left.into_iter().map(half));
        }
        Err(error) => failures.push(error),
    }
    match failures.len() {
        0 => Ok(found),
        1 => Err(failures.remove(0)),
        _ => Err(Error::Several(failures)),
    }
}

fn jail(house: &House, name: &Name, mend: bool) -> Result<Option<Found>> {
    let Some(claim) = Claim::try_take(house, name, false)? else { return Ok(None) };
    let done = crate::journal::read(&claim)?;
    if recover::is_used(&done) {
        return Ok(None);
    }
    let void = recover::is_void(&done);
    let state = State::read(&claim)?.filter(|_| !void);
    if state.as_ref().is_some_and(|s| s.keeper.open().is_some()) {
        return Ok(None);
    }
    let runs = state.as_ref().is_some_and(|s| !s.passing && s.first.is_some_and(|f| f.open().is_some()));
    if runs {
        drop(claim);
        return match if mend { crate::ops::start::adopt(house, name) } else { Ok(()) } {
            Ok(()) => Ok(Some(Found::Orphan(name.to_string()))),
            Err(Error::NotRunning(_)) => Ok(Some(Found::Abandoned(name.to_string()))),
            Err(error) => Err(error),
        };
    }
    // An empty directory is nothing yet: of a start that is about to lock it, which makes it again.
    let nothing = entries(&claim.path)?.is_empty();
    if mend {
        recover::undo(house, claim)?;
    }
    Ok((!nothing).then(|| Found::Abandoned(name.to_string())))
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

/// Looks whether what running jails put into the host's firewall is there.
pub(super) fn firewall(house: &House, mend: bool, found: &mut Vec<Found>) -> Result<()> {
    let (_, broken) = whole::broken(house)?;
    if mend && !broken.is_empty() {
        whole::mend(house, &broken)?;
    }
    found.extend(broken.iter().map(|name| Found::Firewall(name.to_string())));
    Ok(())
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
