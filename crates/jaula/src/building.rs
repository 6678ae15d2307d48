//! What is being made lies beside where it belongs, under a name of its own, until it is whole.
//!
//! `.new.NAME.PID` is locked by whoever makes it. The lock ends with its process, so that `jaula gc` tells
//! what is left over from what is being made.

use crate::error::{Error, Result};
use crate::house::make_private;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// What such names begin with; no jail's and no template's does.
const PREFIX: &str = ".new.";

/// A directory in which something is made. Dropped, it is removed with all in it.
#[derive(Debug)]
pub struct Building {
    path: PathBuf,
    /// Locked.
    directory: OwnedFd,
    settled: bool,
}

impl Building {
    /// Makes an empty directory in `parent`, for what will be `name` there. Only root enters it.
    pub fn begin(parent: &Path, name: &str) -> Result<Self> {
        make_private(parent)?;
        let path = parent.join(format!("{PREFIX}{name}.{}", std::process::id()));
        // Left over from a process that had our number.
        crate::tree::remove(&path)?;
        loop {
            match sys::fs::make_dir(sys::fs::CWD, &path, 0o700) {
                Err(e) if !e.is(sys::errno::EEXIST) => {
                    return Err(Error::call("make a directory to build in")(e));
                }
                _ => {}
            }
            // Between the two calls `jaula gc` may have found it without a lock, and removes it.
            if let Some(directory) = locked(&path)? {
                return Ok(Self { path, directory, settled: false });
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    /// Where it is made.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sees to it that the disk has all that was made so far (syncfs(2)). What could not be written since the
    /// beginning is an error.
    pub fn sync(&self) -> Result<()> {
        sys::fs::sync_file_system(&self.directory).map_err(Error::call("write what was made to the disk"))
    }

    /// It is whole and on the disk, and goes where it belongs, also for whoever looks after a crash.
    pub fn settle_for_good(self, to: &Path) -> Result<()> {
        self.settle(to)?;
        let parent = to.parent().unwrap_or_else(|| Path::new("/"));
        std::fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(Error::io("write", parent))
    }

    /// It is whole, and goes where it belongs. What is there already stays, and this fails.
    pub fn settle(mut self, to: &Path) -> Result<()> {
        let moved = sys::fs::move_to(sys::fs::CWD, &self.path, sys::fs::CWD, to);
        moved.map_err(|e| match e.is(sys::errno::EEXIST) {
            true => Error::refused(
                format!("{} is there already", to.display()),
                "somebody else has made it meanwhile; try again",
            ),
            false => Error::call("put what was made where it belongs")(e),
        })?;
        self.settled = true;
        Ok(())
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        if !self.settled
            && let Err(error) = crate::tree::remove(&self.path)
        {
            // Whatever ended the making is what its caller hears of; gc says why this stays.
            let _ = error;
        }
    }
}

/// The directory with its lock, unless somebody else has it or it is gone.
fn locked(path: &Path) -> Result<Option<OwnedFd>> {
    let flags = sys::fs::O_RDONLY | sys::fs::O_DIRECTORY | sys::fs::O_NOFOLLOW;
    let directory = match sys::fs::open(sys::fs::CWD, path, flags, 0) {
        Err(e) if e.is(sys::errno::ENOENT) || e.is(sys::errno::ENOTDIR) || e.is(sys::errno::ELOOP) => {
            return Ok(None);
        }
        opened => opened.map_err(Error::call("open a directory to build in"))?,
    };
    let failed = || Error::call("lock a directory to build in");
    if !sys::fs::try_lock(&directory).map_err(failed())? {
        return Ok(None);
    }
    Ok((!sys::fs::is_removed(&directory).map_err(failed())?).then_some(directory))
}

/// Is it one that something is made in, or was?
pub(crate) fn is_one(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX))
}

/// Those in a directory that nobody makes any more; with `mend` they are removed.
pub(crate) fn abandoned(parent: &Path, mend: bool) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(parent) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(Error::io("read", parent))?,
    };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        if !is_one(&path) {
            continue;
        }
        let Some(_alone) = locked(&path)? else { continue };
        if mend {
            crate::tree::remove(&path)?;
        }
        found.push(path);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_or_not_at_all() {
        let top = std::env::temp_dir().join(format!("jaula-building-{}", std::process::id()));
        let begun = Building::begin(&top, "a").unwrap();
        std::fs::write(begun.path().join("file"), "x").unwrap();
        assert!(abandoned(&top, true).unwrap().is_empty(), "it has a maker");
        let path = begun.path().to_owned();
        drop(begun);
        assert!(!path.exists());

        let begun = Building::begin(&top, "a").unwrap();
        begun.settle(&top.join("a")).unwrap();
        let second = Building::begin(&top, "a").unwrap();
        assert!(second.settle(&top.join("a")).is_err());
        assert_eq!(std::fs::read_dir(&top).unwrap().count(), 1);

        std::fs::create_dir(top.join(".new.b.1")).unwrap();
        assert_eq!(abandoned(&top, false).unwrap(), [top.join(".new.b.1")]);
        assert_eq!(abandoned(&top, true).unwrap().len(), 1);
        assert!(abandoned(&top, true).unwrap().is_empty());
        std::fs::remove_dir_all(top).unwrap();
    }
}
