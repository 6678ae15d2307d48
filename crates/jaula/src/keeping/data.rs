//! The files of `lib/jails/NAME` that are the jail's own, and copies of them.

use crate::error::{Error, Result};
use crate::rootfs::duplicate::{self, Count, Progress};
use crate::state::LAST;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Is this a record of the jail's runs, which no snapshot takes back? Or the mark of something half done?
fn is_record(name: &str) -> bool {
    name.starts_with("console.log") || name == LAST || name.starts_with('.')
}

/// Does it record runs?
pub(crate) fn is_log(name: &str) -> bool {
    is_record(name) && !name.starts_with('.')
}

/// What became of a copy.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Copied {
    /// What was copied file by file.
    count: Count,
    /// Snapshots of subvolumes, which were made without a look at what is in them.
    whole: Vec<PathBuf>,
}

impl Copied {
    /// How much it is. The jail that was copied may go on meanwhile.
    pub(crate) fn count(&self) -> Result<Count> {
        self.whole.iter().try_fold(self.count, |count, path| Ok(sum(count, used(path)?)))
    }
}

/// Copies what a jail keeps into an empty directory, sharing blocks where the file system can.
pub(crate) fn copy(from: &Path, to: &Path, progress: &mut Progress<'_>) -> Result<Copied> {
    let mut copied = Copied::default();
    for name in names(from)? {
        if is_record(&name.to_string_lossy()) {
            continue;
        }
        let (source, target) = (from.join(&name), to.join(&name));
        let count = copied.count;
        let mut heard = |part: &Count| progress(&sum(count, *part));
        let about = fs::symlink_metadata(&source).map_err(Error::io("look at", &source))?;
        let part = match name.to_str() {
            Some("overlay") => overlay(&source, &target, &mut heard)?,
            _ if about.is_dir() && crate::rootfs::store::snapshot(&source, &target, false)? => {
                copied.whole.push(target);
                continue;
            }
            _ => one(&source, &target, &mut heard)?,
        };
        copied.count = sum(count, part);
    }
    Ok(copied)
}

/// Of an overlay, what is written; what the kernel is at work with is made anew.
fn overlay(from: &Path, to: &Path, progress: &mut Progress<'_>) -> Result<Count> {
    fs::create_dir(to).map_err(Error::io("make", to))?;
    let mut count = Count::default();
    for name in names(from)? {
        let (source, target) = (from.join(&name), to.join(&name));
        if name == "work" {
            make_like(&source, &target)?;
        } else {
            count = sum(count, one(&source, &target, progress)?);
        }
    }
    like(from, to)?;
    Ok(count)
}

fn one(from: &Path, to: &Path, progress: &mut Progress<'_>) -> Result<Count> {
    let kind = fs::symlink_metadata(from).map_err(Error::io("look at", from))?.file_type();
    if kind.is_dir() {
        fs::create_dir(to).map_err(Error::io("make", to))?;
        duplicate::tree(from, to, progress)
    } else if kind.is_file() {
        duplicate::file(from, to, progress)
    } else {
        Err(Error::Inside(format!("{} is neither a file nor a directory", from.display())))
    }
}

/// How much is in a tree that shares all with another.
pub(crate) fn used(top: &Path) -> Result<Count> {
    let mut count = Count::default();
    let mut waiting = vec![top.to_owned()];
    while let Some(path) = waiting.pop() {
        for name in names(&path)? {
            let path = path.join(name);
            let about = fs::symlink_metadata(&path).map_err(Error::io("look at", &path))?;
            count.files += 1;
            if about.is_dir() {
                waiting.push(path);
            } else if about.is_file() {
                count.bytes += (about.blocks() * 512).min(about.len());
            }
        }
    }
    Ok(Count { shared: count.bytes, ..count })
}

/// Makes an empty directory with the owner and mode of another.
fn make_like(of: &Path, at: &Path) -> Result<()> {
    fs::create_dir(at).map_err(Error::io("make", at))?;
    like(of, at)
}

fn like(of: &Path, at: &Path) -> Result<()> {
    use std::os::unix::fs::lchown;
    let about = fs::metadata(of).map_err(Error::io("look at", of))?;
    lchown(at, Some(about.uid()), Some(about.gid())).map_err(Error::io("give away", at))?;
    fs::set_permissions(at, about.permissions()).map_err(Error::io("set the mode of", at))
}

fn names(directory: &Path) -> Result<Vec<OsString>> {
    let read = match fs::read_dir(directory) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(Error::io("read", directory))?,
    };
    read.map(|entry| Ok(entry.map_err(Error::io("read", directory))?.file_name())).collect()
}

fn sum(a: Count, b: Count) -> Count {
    Count { files: a.files + b.files, bytes: a.bytes + b.bytes, shared: a.shared + b.shared }
}

/// Waits until a directory's file system has all of it on the disk.
pub(crate) fn sync(directory: &Path) -> Result<()> {
    let flags = sys::fs::O_RDONLY | sys::fs::O_DIRECTORY;
    sys::fs::open(sys::fs::CWD, directory, flags, 0)
        .and_then(sys::fs::sync_file_system)
        .map_err(Error::call("write the copy to the disk"))
}
