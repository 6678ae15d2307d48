//! What no two systems may have in common is taken out of a tree that many may be made from.

use crate::error::{Error, Result};
use crate::rootfs::beneath::{Access, Beneath, Found};
use std::path::{Path, PathBuf};

/// Takes out what is of one system only: its keys, its number, its name, its resolver, its random seed. The start of
/// a jail makes what is missing.
pub(super) fn own_of_one(into: &Path) -> Result<()> {
    let tree = Beneath::at(into)?;
    if let Ok(names) = tree.list("etc/ssh", 4096) {
        for name in names.iter().filter(|name| name.to_string_lossy().starts_with("ssh_host_")) {
            remove(&tree, &Path::new("etc/ssh").join(name))?;
        }
    }
    for path in ["etc/hostname", "etc/resolv.conf", "var/lib/systemd/random-seed", "var/lib/dbus/machine-id"]
    {
        // A link leads to what a service keeps up to date.
        if let Found::File(_) = tree.look(path)? {
            remove(&tree, Path::new(path))?;
        }
    }
    // Empty means that the system's first start makes one (machine-id(5)).
    if let Found::File(_) = tree.look("etc/machine-id")? {
        tree.replace("etc/machine-id", b"", Access::FILE)?;
    }
    Ok(())
}

/// Removes a file, or a directory with all in it; what is absent is no error. Nobody works in the tree meanwhile.
pub(super) fn remove(tree: &Beneath, path: &Path) -> Result<()> {
    match tree.look(path)? {
        Found::Nothing => return Ok(()),
        Found::Directory(_) => {
            let mut names: Vec<PathBuf> =
                tree.list(path, usize::MAX)?.into_iter().map(|n| path.join(n)).collect();
            names.sort();
            names.iter().try_for_each(|name| remove(tree, name))?;
        }
        _ => {}
    }
    tree.remove(path).map(drop)
}

/// A tree that is to be copied must be one of the host's directories.
pub(super) fn directory(path: &Path) -> Result<()> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Error::refused(format!("{} is no directory", path.display()), "name a directory tree")),
        Err(error) => Err(Error::io("use", path)(error)),
    }
}
