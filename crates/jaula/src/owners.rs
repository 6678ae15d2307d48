//! Owners that are others inside than on disk: not every file system has that, and overlayfs does not.

use crate::error::Error;
use crate::house::House;
use crate::rootfs::quota::mounted;
use model::config::Owners;
use model::config::{Root, Store};
use std::path::Path;
use sys::CallError;
use sys::errno::EINVAL;
use sys::fs::{CWD, O_PATH};

/// `OVERLAYFS_SUPER_MAGIC` (statfs(2)).
const OVERLAY: i64 = 0x794c_7630;

/// Is this, or where it will be, on an overlay? There owners cannot be mapped, and no overlay can write.
pub(crate) fn is_on_overlay(path: &Path) -> bool {
    let there = path.ancestors().find(|path| path.is_dir()).unwrap_or_else(|| Path::new("/"));
    let magic = sys::fs::open(CWD, there, O_PATH, 0).and_then(|fd| sys::fs::magic_of(&fd));
    magic.is_ok_and(|magic| magic == OVERLAY)
}

/// A store that could never be used is not made.
pub(crate) fn check_store(house: &House, root: &Root) -> Result<(), Error> {
    let store = match root.store {
        Some(store @ Store::Overlay) => store,
        Some(store @ Store::Dir) if root.owners_in_force() == Owners::Mapped => store,
        _ => return Ok(()),
    };
    if !is_on_overlay(&house.lib) {
        return Ok(());
    }
    let lib = house.lib.display();
    Err(Error::refused(
        format!("root.store: \"{store}\" cannot be had in {lib}, which is itself on an overlay"),
        "take root.store = \"image\", or put all that is jaula's elsewhere: JAULA_ROOT",
    ))
}

/// A tree of the host whose attributes cannot be set.
pub(crate) fn refused(path: &Path, why: &str, mapped: bool, source: CallError) -> Error {
    if !mapped || !source.is(EINVAL) {
        return Error::tree(path, why, source);
    }
    let (_, kind, _) = mounted(path);
    Error::refused(
        format!(
            "cannot use {} ({why}): it is on {kind}, and the kernel maps no owners of files there",
            path.display()
        ),
        "put it on ext4, xfs, btrfs or tmpfs; JAULA_ROOT moves all that is jaula's, root.store = \"image\" is an ext4 \
         of its own, and files that are only read may keep the host's owners: root.owners = \"host\"",
    )
}
