//! `jaula rename`: another name for a jail that does not run.

use crate::error::{Error, Result};
use crate::house::{House, make_private};
use crate::keeping::hold::Claimed;
use crate::keeping::settle::finish_rename;
use crate::keeping::shelf::{self, Shelf};
use crate::keeping::{birth, settle};
use crate::registry;
use model::name::Name;

/// Renames a jail, with its files, snapshots and logs, and brings those up to date that depend on it.
///
/// The step that decides is that of the jail's file. Before it, links of the new name lead to what the jail
/// keeps, so that the new name is as good as the old one from that step on.
pub fn rename(house: &House, old: &Name, new: &Name) -> Result<()> {
    let config = registry::config(house, old)?;
    if let Some(file) = &config.declared_in {
        return Err(Error::refused(
            format!("jail {old:?} is declared in {}", file.display()),
            "rename it there, and jaula up makes the new one",
        ));
    }
    if old == new {
        return Ok(());
    }
    crate::ops::create::free(house, new)?;
    let shelf = Shelf::take(house, old)?;
    let claims = [Claimed::take(house, old)?, Claimed::take(house, new)?];
    for name in [old, new] {
        settle::jail(house, name, true)?;
    }
    birth::clear(house, new)?;
    make_private(&house.kept(old))?;
    for claim in &claims {
        claim.begin()?;
    }
    let lock = registry::lock(house)?;
    if registry::has_file(house, new) {
        return Err(Error::Exists(new.clone()));
    }
    for place in [house.kept(new), shelf::place(house, new)] {
        sys::fs::make_link(old.as_str(), sys::fs::CWD, &place).map_err(|e| {
            match e.is(sys::errno::EEXIST) {
                true => Error::refused(
                    format!("{} is there already, of no jail", place.display()),
                    "choose another name, or remove it",
                ),
                false => Error::call("give what the jail keeps its new name")(e),
            }
        })?;
    }
    let decided = sys::fs::move_to(sys::fs::CWD, house.config(old), sys::fs::CWD, house.config(new));
    drop(lock);
    if let Err(error) = decided {
        settle::jail(house, new, true)?;
        return Err(Error::call("rename the jail's file")(error));
    }
    finish_rename(house, old, new)?;
    drop(shelf);
    Ok(())
}
