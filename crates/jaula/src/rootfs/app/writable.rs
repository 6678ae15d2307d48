//! The directories of an app jail that it may write to, and what the host's ones look like.

use super::collect::Collection;
use super::error::BadFile;
use super::host::{Node, Place};
use super::{ClosureError, Entry, What};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A host's directory with more directories than this is not one to begin with.
const MOST: usize = 1000;

/// A directory of the host, as a jail's own begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// Where it is below the writable one; empty for that itself.
    pub path: PathBuf,
    /// Its owner.
    pub user: u32,
    /// Its group.
    pub group: u32,
    /// Its mode, without setuid.
    pub mode: u32,
}

/// Where the writable directories are when links are followed; those links are entries of the
/// jail.
pub(super) fn add(collection: &mut Collection, writable: &[PathBuf]) -> Result<Vec<PathBuf>, ClosureError> {
    let mut all: Vec<PathBuf> = Vec::new();
    let mut bad = Vec::new();
    for path in writable {
        match real(collection, path) {
            Ok(real) => {
                if let Some(other) = all.iter().find(|o| o.starts_with(&real) || real.starts_with(o)) {
                    let why = format!("leads to {}, beside {}", real.display(), other.display());
                    bad.push(BadFile { path: path.clone(), why: why.into() });
                }
                all.push(real);
            }
            Err(why) => bad.push(BadFile { path: path.clone(), why: why.into() }),
        }
    }
    if bad.is_empty() { Ok(all) } else { Err(ClosureError::Writable(bad)) }
}

/// A path without links, whether there is something or not.
fn real(collection: &mut Collection, path: &Path) -> Result<PathBuf, &'static str> {
    for ancestor in path.ancestors() {
        let Some(place) = collection.host.walk(ancestor).map_err(|_| "cannot be reached")? else { continue };
        if place.node != Node::Directory {
            return Err("is no directory; name the one that it is in");
        }
        collection.add_links(path, &place);
        let Place { mut real, .. } = place;
        real.extend(path.strip_prefix(ancestor).unwrap_or_else(|_| Path::new("")));
        let kernel = ["/proc", "/sys", "/dev"].iter().any(|taken| real.starts_with(taken));
        if kernel || real == Path::new("/run") || real == Path::new("/") {
            return Err("leads to a directory that jaula makes");
        }
        return Ok(real);
    }
    Err("cannot be reached")
}

/// What is writable must not hide what the jail holds, and must have a place to be mounted on.
pub(super) fn check(
    collection: &mut Collection,
    entries: &[Entry],
    writable: &[PathBuf],
) -> Result<(), ClosureError> {
    let mut bad = Vec::new();
    for path in writable {
        let mut refuse = |why: String| bad.push(BadFile { path: path.clone(), why: why.into() });
        if let Some(hidden) = entries.iter().find(|entry| entry.path.starts_with(path)) {
            refuse(format!("would hide {}, which is {}", hidden.path.display(), hidden.reason));
        }
        let whole =
            |entry: &&Entry| matches!(entry.what, What::Directory { .. }) && path.starts_with(&entry.path);
        let Some(outer) = entries.iter().find(whole).filter(|outer| outer.path != *path) else { continue };
        let there = matches!(collection.host.walk(path), Ok(Some(Place { node: Node::Directory, .. })));
        if !there {
            refuse(format!("is missing in {}, which is the host's and only read", outer.path.display()));
        }
    }
    if bad.is_empty() { Ok(()) } else { Err(ClosureError::Writable(bad)) }
}

/// A directory of the host below `root` and those in it, parents first; none if it is not there.
///
/// `deep`: with those in it. What may not be read is left out.
///
/// # Errors
/// If it cannot be looked at, or has more than [`MOST`] directories.
pub fn directories(root: &Path, path: &Path, deep: bool) -> Result<Vec<Directory>, ClosureError> {
    let top = root.join(path.strip_prefix("/").unwrap_or(path));
    let mut found = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(below) = waiting.pop() {
        let at = if below.as_os_str().is_empty() { top.clone() } else { top.join(&below) };
        let metadata = match fs::symlink_metadata(&at) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            looked => looked.map_err(|source| ClosureError::Read { path: at.clone(), source })?,
        };
        if !metadata.is_dir() {
            continue;
        }
        if found.len() == MOST {
            let why = format!(
                "has more than {MOST} directories on the host; with a user after its path it begins empty"
            );
            return Err(ClosureError::Writable(vec![BadFile { path: path.to_owned(), why: why.into() }]));
        }
        let (user, group, mode) = (metadata.uid(), metadata.gid(), metadata.mode() & 0o3777);
        found.push(Directory { path: below.clone(), user, group, mode });
        if !deep {
            break;
        }
        let mut names: Vec<_> = fs::read_dir(&at).into_iter().flatten().flatten().collect();
        names.retain(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        names.sort_by_key(fs::DirEntry::file_name);
        waiting.extend(names.into_iter().rev().map(|entry| below.join(entry.file_name())));
    }
    Ok(found)
}
