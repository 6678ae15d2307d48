//! `btrfs`: a subvolume.

use crate::error::{Error, Result};
use model::config::Ceiling;
use model::units::Bytes;
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Refuses a place where no subvolume can be.
pub(super) fn check(at: &Path) -> Result<()> {
    let failed = || Error::call("make a subvolume");
    let dir = directory(at)?;
    if sys::fs::magic_of(&dir).map_err(failed())? != sys::btrfs::MAGIC {
        return Err(Error::refused(
            format!("root.store: {} is not on btrfs", at.parent().unwrap_or(at).display()),
            "take store overlay, dir or image, or move the house with JAULA_ROOT",
        ));
    }
    Ok(())
}

/// Makes an empty subvolume.
pub(super) fn create(at: &Path, name: &str) -> Result<()> {
    sys::btrfs::create(directory(at)?, name).map_err(Error::call("make a subvolume"))
}

/// Lets nobody write to a subvolume any more. What is none stays as it is.
pub(crate) fn protect(path: &Path) -> Result<()> {
    let failed = || Error::call("protect a subvolume");
    let tree = directory(path)?;
    // Whoever is not root could not remove it then.
    if sys::process::user() != 0 || !sys::btrfs::is_subvolume(&tree).map_err(failed())? {
        return Ok(());
    }
    sys::btrfs::protect(&tree).map_err(failed())
}

/// Refuses a snapshot that is more than it may have: nothing could be written in it.
pub(super) fn fits(path: &Path, size: Option<Ceiling<Bytes>>) -> Result<()> {
    let Some(size) = size else { return Ok(()) };
    super::limit::no_more(usage(path)?.map_or(0, |room| room.used), size)
}

/// Makes a directory that jails may be snapshots of, if its file system can: then a subvolume, else a
/// plain one.
pub fn make_tree(at: &Path, name: &str) -> Result<()> {
    let dir = directory(at)?;
    let is_btrfs = sys::fs::magic_of(&dir).is_ok_and(|magic| magic == sys::btrfs::MAGIC);
    if is_btrfs && sys::btrfs::create(&dir, name).is_ok() {
        return Ok(());
    }
    sys::fs::make_dir(&dir, name, 0o755).map_err(Error::call("make a directory"))
}

/// Makes a copy of a subvolume where nothing is, which shares all its blocks. `false`: it is none, or
/// of another file system.
pub fn snapshot(from: &Path, to: &Path, read_only: bool) -> Result<bool> {
    let failed = || Error::call("make a snapshot");
    let tree = directory(from)?;
    if !sys::btrfs::is_subvolume(&tree).map_err(failed())? {
        return Ok(false);
    }
    let (parent, name) = (to.parent().unwrap_or(to), to.file_name().unwrap_or_default());
    match sys::btrfs::snapshot(&tree, directory(parent)?, name, read_only) {
        // The kernel says so of another file system; a mount of the same one does not matter.
        Err(e) if e.is(sys::errno::EXDEV) || e.is(sys::errno::EINVAL) || e.is(sys::errno::ENOTTY) => {
            Ok(false)
        }
        made => made.map(|()| true).map_err(failed()),
    }
}

/// Limits a subvolume, and reads the limit back. As long as none is wanted, nothing is counted.
pub(super) fn limit(path: &Path, size: Option<Ceiling<Bytes>>) -> Result<()> {
    let failed = || Error::call("limit the subvolume");
    let tree = directory(path)?;
    let id = sys::btrfs::id(&tree).map_err(failed())?;
    let wanted = size.map(|size| size.hard.0);
    if sys::btrfs::room(&tree, id).map_err(failed())?.is_none() {
        if wanted.is_none() {
            return Ok(());
        }
        sys::btrfs::count_room(&tree).map_err(Error::call("let btrfs count the room of subvolumes"))?;
    }
    sys::btrfs::set_limit(&tree, id, wanted).map_err(failed())?;
    // What is set becomes part of the tree that is read with the next transaction.
    sys::fs::sync_file_system(&tree).map_err(failed())?;
    let has = sys::btrfs::room(&tree, id).map_err(failed())?.and_then(|room| room.limit);
    match has == wanted {
        true => Ok(()),
        false => {
            let text =
                |limit: Option<u64>| limit.map_or_else(|| "no limit".to_owned(), |n| Bytes(n).to_string());
            Err(Error::Inside(format!("btrfs was to give the jail {}, and gave {}", text(wanted), text(has))))
        }
    }
}

/// What a subvolume takes and may take, if that is counted.
pub(super) fn usage(path: &Path) -> Result<Option<sys::btrfs::Room>> {
    let failed = || Error::call("read the subvolume's room");
    let tree = directory(path)?;
    let id = sys::btrfs::id(&tree).map_err(failed())?;
    sys::btrfs::room(&tree, id).map_err(failed())
}

/// Removes a subvolume with all in it; `false` if it is none, or holds another one.
pub(crate) fn remove(parent: impl AsFd, name: &OsStr, tree: impl AsFd) -> Result<bool> {
    let failed = || Error::call("remove the subvolume");
    if !sys::btrfs::is_subvolume(&tree).map_err(failed())? {
        return Ok(false);
    }
    let id = sys::btrfs::id(&tree);
    match sys::btrfs::remove(&parent, name) {
        Err(e) if e.is(sys::errno::ENOTEMPTY) => return Ok(false),
        removed => removed.map_err(failed())?,
    }
    if let Ok(id) = id {
        // As long as the kernel still frees its blocks the counter stays; newer ones then remove it
        // themselves.
        let _ = sys::btrfs::forget(&parent, id);
    }
    Ok(true)
}

fn directory(path: &Path) -> Result<OwnedFd> {
    let flags = sys::fs::O_RDONLY | sys::fs::O_DIRECTORY;
    sys::fs::open(sys::fs::CWD, path, flags, 0).map_err(Error::call("open a directory of the house"))
}
