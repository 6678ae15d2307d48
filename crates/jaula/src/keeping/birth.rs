//! A new jail that begins with files of its own: with all of them, or not at all.
//!
//! The files come first, with a mark that says that nobody has them; the jail's file comes next, and with
//! it there is a jail; then the mark goes. Files with a mark and no jail are nobody's.
//!
//! After a crash, too, the jail's file is there only if its files are (see [`disk`]).

use crate::building::Building;
use crate::disk;
use crate::error::{Error, Result};
use crate::house::House;
use crate::keeping::data;
use crate::registry::{self, Ids};
use model::config::{Config, Operation, Setting, edit};
use model::name::{Id, Name};
use std::fs;
use std::path::Path;

/// The mark, in a jail's directory.
pub(crate) const ORPHAN: &str = ".orphan";

/// Marks a directory.
pub(crate) fn mark(directory: &Path) -> Result<()> {
    let path = directory.join(ORPHAN);
    fs::write(&path, "").map_err(Error::io("write", &path))
}

/// Takes the mark away.
pub(crate) fn unmark(directory: &Path) -> Result<()> {
    let path = directory.join(ORPHAN);
    match fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", &path)(e)),
        _ => Ok(()),
    }
}

/// Removes what a jail of this name has left that never was, or is no more.
pub fn clear(house: &House, name: &Name) -> Result<()> {
    let kept = house.kept(name);
    if !registry::has_file(house, name) && kept.join(ORPHAN).exists() {
        // Aside first: the mark may be the first thing to go.
        let aside = kept.with_file_name(format!(".{name}.deleted"));
        crate::tree::remove(&aside)?;
        fs::rename(&kept, &aside).map_err(Error::io("put aside", &kept))?;
        crate::tree::remove(&aside)?;
    }
    Ok(())
}

/// How much of a new jail's files the disk does not have yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwritten {
    /// A few in this directory of it, each of them new.
    Few(&'static str),
    /// Anything.
    Any,
}

/// Puts what was built in the place of a new jail's files and writes its file, with this number or a free
/// one. `last` does what must be done before there is a jail; it may open its files. When this returns, the disk
/// has all of it.
pub fn settle(
    house: &House,
    name: &Name,
    building: Building,
    unwritten: Unwritten,
    text: &str,
    wanted: Option<Id>,
    last: impl FnOnce(Id, &Config) -> Result<()>,
) -> Result<Id> {
    mark(building.path())?;
    let lock = registry::lock(house)?;
    if registry::exists(house, name)? {
        return Err(Error::Exists(name.clone()));
    }
    clear(house, name)?;
    let mut ids = Ids::load(house, &lock)?;
    let id = wanted.map_or_else(|| ids.free(), Ok)?;
    let number = Setting { key: "id".to_owned(), operation: Operation::Set, value: id.to_string() };
    let text = edit::apply(text, &[number]).map_err(|p| Error::problems(&p, None))?;
    let config = Config::parse(&text).map_err(|p| Error::problems(&p, None))?;
    ids.take(id, name)?;
    let born = building.settle(&house.kept(name)).and_then(|()| {
        last(id, &config)?;
        let kept = house.kept(name);
        let file = registry::write_aside(house, name, &text, &lock)?;
        match unwritten {
            Unwritten::Few(directory) if disk::are_together(file.temporary(), &kept) => {
                disk::before_what_follows(&kept.join(directory))?;
                file.before_what_follows()?;
            }
            _ => {
                data::sync(&kept)?;
                file.sync()?;
            }
        }
        file.put()
    });
    if let Err(error) = born {
        // The number is free again at the next look in any case.
        let _ = ids.release(name);
        clear(house, name)?;
        return Err(error);
    }
    unmark(&house.kept(name))?;
    Ok(id)
}
