//! What is on the disk before something else is there, as whoever looks after a crash finds it.
//!
//! A file system that has one log for all changes of names, lengths and places has the earlier of two whenever it
//! has the later (ext4 and XFS; `Documentation/filesystems/ext4/journal.rst`). Only the bytes of files are not in
//! it. Where these have been written, one fsync(2) of the last change is enough, and whoever else writes to the
//! same disk need not be waited for. Elsewhere syncfs(2) is asked for.

use crate::error::{Error, Result};
use std::fs::File;
use std::path::{Path, PathBuf};
use sys::fs::{CWD, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY};
use sys::look::{S_IFDIR, S_IFMT, S_IFREG, status_at};

/// `EXT4_SUPER_MAGIC` and `XFS_SUPER_MAGIC` (statfs(2)).
const ONE_LOG: [i64; 2] = [0xef53, 0x5846_5342];
/// So many files are held open while they are written.
const OPEN: usize = 256;

/// Sees to it that a tree of a few files is on the disk when the file system is asked for anything later.
pub(crate) fn before_what_follows(tree: &Path) -> Result<()> {
    let failed = || Error::call("write what was made to the disk");
    let top = sys::fs::open(CWD, tree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0).map_err(failed())?;
    if !ONE_LOG.contains(&sys::fs::magic_of(&top).map_err(failed())?) {
        return sys::fs::sync_file_system(&top).map_err(failed());
    }
    let mut begun = Vec::new();
    let mut left: Vec<PathBuf> = vec![tree.to_owned()];
    while let Some(place) = left.pop() {
        let directory = sys::fs::open(CWD, &place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
        let directory = directory.map_err(failed())?;
        for name in sys::look::names(&directory, usize::MAX).map_err(failed())?.0 {
            let status = status_at(&directory, &name).map_err(failed())?;
            match status.mode & S_IFMT {
                S_IFDIR => left.push(place.join(name)),
                S_IFREG if status.size > 0 => {
                    let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
                    let file = sys::fs::open(&directory, &name, flags, 0).map_err(failed())?;
                    sys::fs::begin_to_write(&file).map_err(failed())?;
                    begun.push(file);
                    if begun.len() == OPEN {
                        wait(&mut begun)?;
                    }
                }
                _ => {}
            }
        }
    }
    wait(&mut begun)
}

fn wait(begun: &mut Vec<std::os::fd::OwnedFd>) -> Result<()> {
    begun.drain(..).try_for_each(|file| {
        sys::fs::wait_for_writes(&file).map_err(Error::call("write what was made to the disk"))
    })
}

/// The same for one file that is about to get its name.
pub(crate) fn file_before_what_follows(file: &File, path: &Path) -> Result<()> {
    let failed = || Error::call("write a file of the house to the disk");
    if !ONE_LOG.contains(&sys::fs::magic_of(file).map_err(failed())?) {
        return file.sync_all().map_err(Error::io("write", path));
    }
    sys::fs::begin_to_write(file).and_then(|()| sys::fs::wait_for_writes(file)).map_err(failed())
}

/// Are two files of one file system, so that what is true of one log is true of both?
pub(crate) fn are_together(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| std::fs::metadata(path).map(|about| about.dev()).ok();
    device(one).is_some() && device(one) == device(other)
}
