//! `jaula delete`: a jail with all that it holds.

use crate::claim::Claim;
use crate::error::{Error, Result};
use crate::house::House;
use crate::registry;
use model::name::Name;
use std::path::PathBuf;

/// Deletes a jail that does not run: what it kept, its file, its number. Trees that it only used
/// (`dir:`, mounts) stay.
///
/// What it kept is first put aside in one step, so that no start finds the half of it; the file
/// goes when all else is gone. Whatever is left by a crash between, the jail is still there to
/// be deleted.
pub fn delete(house: &House, name: &Name) -> Result<()> {
    let claim = Claim::take(house, name)?;
    // A crash may have left something of a run.
    crate::recover::stale(house, &claim)?;
    if !registry::has_file(house, name) {
        claim.remove()?;
        return Err(Error::NoJail(name.to_string()));
    }
    let (kept, aside) = (house.kept(name), aside(house, name));
    crate::tree::refuse_mounts(&kept)?;
    // One that is there already is from a delete that did not come to its end.
    crate::tree::remove(&aside)?;
    match std::fs::rename(&kept, &aside) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::io("put aside", &kept)(e)),
        _ => {}
    }
    crate::tree::remove(&aside)?;
    if let Some(id) = registry::read(house, name).ok().and_then(|stored| stored.config.id) {
        crate::rootfs::store::release(house, id);
    }
    let lock = registry::lock(house)?;
    registry::remove(house, name, &lock)?;
    claim.remove()
}

/// Where what a jail kept is while it is removed; no jail's name begins with a dot.
fn aside(house: &House, name: &Name) -> PathBuf {
    house.kept(name).with_file_name(format!(".{name}.deleted"))
}
