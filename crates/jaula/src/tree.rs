//! Removing a tree of files that a jail wrote: nothing in it is trusted.

use crate::error::{Error, Result};
use crate::rootfs::store;
use std::ffi::{OsStr, OsString};
use std::fs::Permissions;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use sys::fs::{O_DIRECTORY, O_NOFOLLOW, O_PATH, O_RDONLY, Within};

/// How many names are looked at before they are removed: enough to be fast, little in memory.
const BATCH: usize = 4096;

/// Removes a directory with all in it; one that is not there is no error.
///
/// No link is followed and no other mount entered, whatever the tree holds. A jail can nest
/// directories deeper than any stack or table of descriptors, so that none is descended: what a
/// directory holds is moved to the top before it goes itself, and three descriptors are enough.
pub(crate) fn remove(path: &Path) -> Result<()> {
    refuse_mounts(path)?;
    let failed = || Error::call("remove what the jail has kept");
    let top = match sys::fs::open(sys::fs::CWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0) {
        Err(e) if e.is(sys::errno::ENOENT) => return Ok(()),
        opened => opened.map_err(failed())?,
    };
    empty(&top)?;
    sys::fs::remove(sys::fs::CWD, path, true).map_err(failed())
}

/// Removes whatever has this name in a directory of a tree; nothing is no error.
pub(crate) fn remove_in(directory: &OwnedFd, name: &OsStr) -> Result<()> {
    let name = name.to_owned();
    match is_gone(directory, &name) {
        Ok(true) => return Ok(()),
        Err(Error::Call { source, .. }) if source.is(sys::errno::ENOENT) => return Ok(()),
        gone => gone?,
    };
    empty(&enter(directory, &name)?)?;
    sys::fs::remove(directory, &name, true).map_err(Error::call("remove what the jail has kept"))
}

/// Removes all that a directory holds.
fn empty(top: &OwnedFd) -> Result<()> {
    let mut moved = 0u64;
    loop {
        let names = names(top)?;
        if names.is_empty() {
            return Ok(());
        }
        for name in names {
            if is_gone(top, &name)? {
                continue;
            }
            let directory = enter(top, &name)?;
            flatten(&directory, top, &mut moved)?;
            sys::fs::remove(top, &name, true).map_err(Error::call("remove what the jail has kept"))?;
        }
    }
}

/// Refuses to remove a tree in which something is mounted.
pub(crate) fn refuse_mounts(path: &Path) -> Result<()> {
    match mount_below(path) {
        None => Ok(()),
        Some(mount) => Err(Error::refused(
            format!("{} is not removed: something is mounted on {}", path.display(), mount.display()),
            format!("unmount it first: umount {}", mount.display()),
        )),
    }
}

/// Empties a directory: files go, directories go to the top under a number.
fn flatten(directory: &OwnedFd, top: &OwnedFd, moved: &mut u64) -> Result<()> {
    loop {
        let names = names(directory)?;
        if names.is_empty() {
            return Ok(());
        }
        for name in names {
            while !is_gone(directory, &name)? {
                *moved += 1;
                match sys::fs::move_to(directory, &name, top, format!("{moved}")) {
                    // A directory of the jail's own has that name: take the next.
                    Err(e) if e.is(sys::errno::EEXIST) => {}
                    moved => {
                        moved.map_err(Error::call("remove what the jail has kept"))?;
                        break;
                    }
                }
            }
        }
    }
}

/// Removes what is no directory, or an empty one; `false` if it is a full one.
fn is_gone(directory: &OwnedFd, name: &OsString) -> Result<bool> {
    use sys::errno::{EISDIR, ENOTEMPTY, EPERM};
    // EPERM is POSIX's word for a directory; Linux has its own.
    match sys::fs::remove(directory, name, false) {
        Ok(()) => return Ok(true),
        Err(e) if e.is(EISDIR) || e.is(EPERM) => {}
        Err(e) => return Err(Error::call("remove what the jail has kept")(e)),
    }
    match sys::fs::remove(directory, name, true) {
        Ok(()) => Ok(true),
        Err(e) if e.is(ENOTEMPTY) || e.is(sys::errno::EEXIST) => is_gone_subvolume(directory, name),
        Err(e) => Err(Error::call("remove what the jail has kept")(e)),
    }
}

/// Removes a full directory if it is a btrfs subvolume, out of which nothing can be moved.
fn is_gone_subvolume(directory: &OwnedFd, name: &OsString) -> Result<bool> {
    /// The inode of its top directory.
    const TOP: u64 = 256;
    if sys::fs::identity_at(directory, name).is_ok_and(|found| found.inode != TOP) {
        return Ok(false);
    }
    let tree = enter(directory, name)?;
    if store::remove_subvolume(directory, name, &tree)? {
        return Ok(true);
    }
    if !sys::btrfs::is_subvolume(&tree).map_err(Error::call("remove what the jail has kept"))? {
        return Ok(false);
    }
    // It holds others, which go first.
    empty(&tree)?;
    store::remove_subvolume(directory, name, &tree)
}

/// Opens a directory of a tree, also one that its owner may not read.
fn enter(parent: &OwnedFd, name: &OsString) -> Result<OwnedFd> {
    let open = |flags| sys::fs::open_in(parent, name, flags | O_DIRECTORY | O_NOFOLLOW, 0, Within::Mount);
    match open(O_RDONLY) {
        Err(e) if e.is(sys::errno::EACCES) => {
            let path = open(O_PATH).map_err(Error::call("remove what the jail has kept"))?;
            let path = PathBuf::from(format!("/proc/self/fd/{}", path.as_raw_fd()));
            std::fs::set_permissions(&path, Permissions::from_mode(0o700))
                .map_err(Error::io("remove", &path))?;
            open(O_RDONLY)
        }
        opened => opened,
    }
    .map_err(Error::call("remove what the jail has kept"))
}

/// Some names of a directory.
fn names(directory: &OwnedFd) -> Result<Vec<OsString>> {
    let path = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
    let read = std::fs::read_dir(&path).map_err(Error::io("read", &path))?;
    read.take(BATCH).map(|entry| Ok(entry.map_err(Error::io("read", &path))?.file_name())).collect()
}

/// A mount point at or below a path, in this mount namespace (proc_pid_mountinfo(5)).
fn mount_below(path: &Path) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    let path = std::fs::canonicalize(path).ok()?;
    let table = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    table.split(|b| *b == b'\n').find_map(|line| {
        let point = line.split(|b| *b == b' ').nth(4)?;
        let point = PathBuf::from(OsString::from_vec(unescaped(point)));
        point.starts_with(&path).then_some(point)
    })
}

/// `\040` and the like as the bytes that they stand for.
pub(crate) fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let octal = tail.get(..3).filter(|_| *first == b'\\').and_then(|digits| {
            digits.iter().try_fold(0u8, |n, d| {
                let digit = d.checked_sub(b'0').filter(|d| *d < 8)?;
                n.checked_mul(8)?.checked_add(digit)
            })
        });
        match octal {
            Some(byte) => {
                out.push(byte);
                rest = &tail[3..];
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_escapes() {
        for (text, plain) in
            [("a\\040b", "a b"), ("\\134", "\\"), ("\\9", "\\9"), ("\\400", "\\400"), ("\\", "\\")]
        {
            assert_eq!(unescaped(text.as_bytes()), plain.as_bytes());
        }
    }

    #[test]
    fn a_hostile_tree_goes_and_nothing_else() {
        let place = std::env::temp_dir().join(format!("jaula-tree-{}", std::process::id()));
        let (tree, outside) = (place.join("tree"), place.join("outside"));
        std::fs::create_dir_all(tree.join("1/2")).unwrap();
        std::fs::create_dir_all(&outside).unwrap();
        std::fs::write(outside.join("file"), "x").unwrap();
        std::os::unix::fs::symlink(&outside, tree.join("1/link")).unwrap();
        std::os::unix::fs::symlink("..", tree.join("2")).unwrap();
        std::fs::write(tree.join("1/2/a\nb"), "x").unwrap();
        std::fs::create_dir(tree.join("1/closed")).unwrap();
        std::fs::write(tree.join("1/closed/file"), "x").unwrap();
        std::fs::set_permissions(tree.join("1/closed"), Permissions::from_mode(0o000)).unwrap();
        // Deeper than paths can be and more than there are descriptors.
        let flags = O_RDONLY | O_DIRECTORY;
        let mut deep = sys::fs::open(sys::fs::CWD, &tree, flags, 0).unwrap();
        for _ in 0..3000 {
            sys::fs::make_dir(&deep, "directory", 0o700).unwrap();
            deep = sys::fs::open(&deep, "directory", flags, 0).unwrap();
        }
        drop(deep);
        remove(&tree).unwrap();
        remove(&tree).unwrap();
        assert!(!tree.exists());
        assert!(outside.join("file").exists());
        std::fs::remove_dir_all(&place).unwrap();
    }
}
