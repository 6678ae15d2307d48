//! `jaula snapshot`: what a jail keeps and how it is configured, put by and put back.

use crate::building::Building;
use crate::error::{Error, Result};
use crate::house::{House, make_private};
use crate::keeping::hold::{Claimed, Hold};
use crate::keeping::settle::{BACK, Rollback, finish_rollback, note};
use crate::keeping::shelf::{self, About, DATA, Shelf};
use crate::keeping::{data, settle};
use crate::registry;
use crate::rootfs::duplicate::Progress;
use crate::state::now;
use model::config::Config;
use model::name::Name;
use std::fs;
use std::path::Path;
use std::time::Duration;

pub use crate::keeping::shelf::list;

/// Takes a snapshot. A jail that runs is frozen for as long as its files are copied.
pub fn create(
    house: &House,
    jail: &Name,
    wanted: &str,
    note: Option<String>,
    progress: &mut Progress<'_>,
) -> Result<(Name, About)> {
    let text = registry::text(house, jail)?.1;
    let shelf = Shelf::take(house, jail)?;
    let snapshot = wanted.parse::<Name>()?;
    if fs::symlink_metadata(shelf.at(&snapshot)).is_ok() {
        return Err(Error::refused(
            format!("jail {jail:?} has a snapshot {wanted:?} already"),
            format!("give this one another name, or: jaula snapshot delete {jail}@{wanted}"),
        ));
    }
    let building = Building::begin(shelf.path(), wanted)?;
    let at = building.path().join(DATA);
    make_private(&at)?;
    let held = Hold::take(house, jail)?;
    settle::jail(house, jail, true)?;
    held.sync(house, jail)?;
    let copied = data::copy(&house.kept(jail), &at, progress)?;
    let frozen = held.release()?.map(millis);
    let count = copied.count()?;
    let about =
        About { made: now(), files: count.files, bytes: count.bytes, shared: count.shared, frozen, note };
    shelf::describe(building.path(), &about, &text)?;
    building.sync()?;
    building.settle_for_good(&shelf.at(&snapshot))?;
    Ok((snapshot, about))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A name for a snapshot that nobody named: the moment, in UTC.
pub fn name_of_now(house: &House, jail: &Name) -> Result<Name> {
    let moment = model::time::Moment(now()).to_string();
    let name: String =
        moment.chars().filter(|c| *c != ':' && *c != 'Z').map(|c| if c == 'T' { '-' } else { c }).collect();
    Shelf::take(house, jail)?.free(&name)
}

/// How a rollback is done.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// The configuration stays as it is.
    pub keep_config: bool,
    /// What is now is thrown away, not kept as a snapshot.
    pub discard: bool,
}

/// What has come of a rollback.
#[derive(Debug)]
pub struct RolledBack {
    /// The snapshot of what was before.
    pub before: Option<Name>,
    /// The configuration is one of a `jaula.toml`, and so stayed as it was, though it was another.
    pub declared: bool,
}

/// Puts a jail, which must not run, back to a snapshot. What was before is a snapshot afterwards.
///
/// A copy of the snapshot is made first, beside the jail's files; then the two change places, in one step.
pub fn rollback(
    house: &House,
    jail: &Name,
    snapshot: &Name,
    how: How,
    progress: &mut Progress<'_>,
) -> Result<RolledBack> {
    let shelf = Shelf::take(house, jail)?;
    let from = shelf.known(jail, snapshot)?;
    let claimed = Claimed::take(house, jail)?;
    settle::jail(house, jail, true)?;
    let stored = registry::read_whatever(house, jail)?;
    let text = shelf::config(&from)?;
    let old = Config::parse(&text).map_err(|p| Error::problems(&p, Some(&from)))?;
    // Whatever it was, the jail has the number that it has now.
    let other = text != stored.text;
    let declared = stored.config.declared_in.is_some() && other;
    let config =
        (other && !declared && !how.keep_config).then(|| same_id(&text, &stored.config)).transpose()?;
    if config.is_none() && old.root != stored.config.root && how.keep_config {
        return Err(Error::refused(
            format!("the files of {jail}@{snapshot} are not of the kind that [root] says now"),
            "roll back with the configuration of that time",
        ));
    }
    let before = (!how.discard).then(|| shelf.free(&format!("before-{snapshot}"))).transpose()?;

    let kept = house.kept(jail);
    make_private(&kept)?;
    let building = Building::begin(shelf.path(), "back")?;
    let at = building.path().join(DATA);
    make_private(&at)?;
    _ = data::copy(&from.join(DATA), &at, progress)?;
    note(&at, &Rollback { before: before.as_ref().map(Name::to_string), config })?;
    let about =
        About { made: now(), note: Some(format!("before the rollback to {snapshot}")), ..size(&kept)? };
    shelf::describe(building.path(), &about, &stored.text)?;
    data::sync(building.path())?;

    let back = shelf.path().join(BACK);
    building.settle(&back)?;
    claimed.begin()?;
    sys::fs::exchange(back.join(DATA), &kept).map_err(Error::call("put the snapshot in the jail's place"))?;
    finish_rollback(house, jail)?;
    Ok(RolledBack { before, declared })
}

/// A configuration with the number of another.
fn same_id(text: &str, now: &Config) -> Result<String> {
    use model::config::{Operation, Setting, edit};
    let (operation, value) = match now.id {
        Some(id) => (Operation::Set, id.to_string()),
        None => (Operation::Unset, String::new()),
    };
    let setting = Setting { key: "id".to_owned(), operation, value };
    edit::apply(text, &[setting]).map_err(|p| Error::problems(&p, None))
}

/// How much a jail keeps.
fn size(kept: &Path) -> Result<About> {
    let count = data::used(kept)?;
    Ok(About { made: 0, files: count.files, bytes: count.bytes, shared: 0, frozen: None, note: None })
}

/// Deletes a snapshot.
pub fn delete(house: &House, jail: &Name, snapshot: &Name) -> Result<()> {
    let shelf = Shelf::take(house, jail)?;
    let path = shelf.known(jail, snapshot)?;
    crate::tree::refuse_mounts(&path)?;
    // Under a name that gc knows, it is not there any more.
    let building = Building::begin(shelf.path(), "deleted")?;
    sys::fs::move_to(sys::fs::CWD, &path, sys::fs::CWD, building.path().join(DATA))
        .map_err(Error::call("put the snapshot aside"))?;
    crate::tree::remove(building.path())
}
