//! `jaula delete`: a jail with all that it holds.

use crate::error::{Error, Result};
use crate::house::House;
use crate::keeping::hold::Claimed;
use crate::keeping::shelf::{self, Shelf};
use crate::keeping::{birth, settle};
use crate::registry;
use model::name::Name;

/// Deletes a jail that does not run: what it kept, its snapshots, its file, its number. Trees that it only
/// used (`dir:`, mounts) stay, and no mount is crossed.
///
/// The step that decides is that of the jail's file. What it kept is marked before, so that it is nobody's
/// from then on, whatever is left of it by a crash.
pub fn delete(house: &House, name: &Name) -> Result<()> {
    let shelf = Shelf::take(house, name)?;
    let claimed = Claimed::take(house, name)?;
    if !registry::has_file(house, name) {
        return Err(Error::NoJail(name.to_string()));
    }
    settle::jail(house, name, true)?;
    let places = [house.kept(name), shelf::place(house, name)];
    for place in &places {
        crate::tree::refuse_mounts(place)?;
    }
    claimed.begin()?;
    for place in places.iter().filter(|place| place.exists()) {
        birth::mark(place)?;
    }
    if let Some(id) = registry::read(house, name).ok().and_then(|stored| stored.config.id) {
        crate::rootfs::store::release(house, id);
    }
    let lock = registry::lock(house)?;
    registry::remove(house, name, &lock)?;
    drop(lock);
    for place in &places {
        settle::remove(place)?;
    }
    drop(shelf);
    drop(claimed);
    Ok(())
}
