//! Puts the files of an app jail into a tree of its own: as copies, or as hard links.
//!
//! The tree is made by nobody but this, in a directory that only its owner enters. Its directories
//! are no links, since no path of an entry leads through one: plain paths are safe.

use crate::error::{Error, Result};
use crate::rootfs::app::{Closure, What};
use crate::rootfs::survey::{hexadecimal, stamp};
use model::config::{Config, Method};
use model::manifest::{Manifest, Stamp};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes, Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

/// What every root must have to be mounted on.
const MOUNT_POINTS: [&str; 5] = ["proc", "sys", "dev", "run", "tmp"];

/// Makes the tree `top`. Stamps and digests in the manifest become those of what was taken.
///
/// `known`: what was taken before, and where; a copy that is the same now is not made again.
pub(super) fn tree(
    top: &Path,
    config: &Config,
    closure: &Closure,
    manifest: &mut Manifest,
    known: Option<(&Manifest, &Path)>,
) -> Result<()> {
    for (directory, mode) in directories(config, closure) {
        let at = top.join(directory);
        fs::create_dir(&at)
            .and_then(|()| fs::set_permissions(&at, Permissions::from_mode(mode)))
            .map_err(Error::io("make", &at))?;
    }
    let mut put = Put { top, method: config.root.method, manifest, known };
    for entry in &closure.entries {
        let at = put.at(&entry.path);
        match &entry.what {
            What::File { source } | What::Directory { source } => put.all(&entry.path, source)?,
            What::Symlink { target } => symlink(target, &at).map_err(Error::io("make", &at))?,
            What::Text { content } => write(&at, content).map_err(Error::io("write", &at))?,
        }
    }
    for mount in &config.mounts {
        let at = put.at(&mount.target);
        if super::is_file(&mount.source) && free(closure, &mount.target) && fs::symlink_metadata(&at).is_err()
        {
            write(&at, "").map_err(Error::io("write", &at))?;
        }
    }
    Ok(())
}

fn write(at: &Path, content: &str) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o644).open(at)?.write_all(content.as_bytes())?;
    fs::set_permissions(at, Permissions::from_mode(0o644))
}

/// The directories that are there for what is in them or mounted on them, parents first; those of the
/// host's own are made with what they hold.
fn directories(config: &Config, closure: &Closure) -> Vec<(PathBuf, u32)> {
    let mut all: BTreeSet<&Path> = MOUNT_POINTS.iter().map(Path::new).collect();
    let plain = |path: &'static str| Path::new(path);
    all.insert(plain(""));
    let inside = |path| Path::strip_prefix(path, "/").unwrap_or(path);
    for entry in &closure.entries {
        all.extend(inside(&entry.path).ancestors().skip(1));
    }
    for path in &closure.writable {
        all.extend(inside(path).ancestors());
    }
    for mount in config.mounts.iter().filter(|mount| free(closure, &mount.target)) {
        let skip = usize::from(super::is_file(&mount.source));
        all.extend(inside(&mount.target).ancestors().skip(skip));
    }
    let whole: Vec<&Path> = closure
        .entries
        .iter()
        .filter(|entry| !matches!(entry.what, What::Text { .. }))
        .map(|entry| inside(&entry.path))
        .collect();
    all.retain(|directory| !whole.iter().any(|entry| directory.starts_with(entry)));
    let mode = |path: &Path| if path == plain("tmp") || path == plain("var/tmp") { 0o1777 } else { 0o755 };
    all.into_iter().map(|path| (path.to_owned(), mode(path))).collect()
}

/// May the target of a mount be made? Not where the jail holds something, nor behind a link.
fn free(closure: &Closure, target: &Path) -> bool {
    let covers = |entry: &crate::rootfs::app::Entry| {
        entry.path == target || matches!(entry.what, What::Symlink { .. }) && target.starts_with(&entry.path)
    };
    !closure.entries.iter().any(covers)
}

struct Put<'a> {
    top: &'a Path,
    method: Method,
    manifest: &'a mut Manifest,
    known: Option<(&'a Manifest, &'a Path)>,
}

impl Put<'_> {
    fn at(&self, path: &Path) -> PathBuf {
        self.top.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// A file, or a directory with all below it on the same file system.
    fn all(&mut self, path: &Path, source: &Path) -> Result<()> {
        let mut device = None;
        let mut waiting = vec![(path.to_owned(), source.to_owned())];
        while let Some((path, source)) = waiting.pop() {
            let failed = |e| Error::io("take", &source)(e);
            let at = self.at(&path);
            let found = match fs::symlink_metadata(&source) {
                // Gone since it was looked at; then it is not in the jail.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    self.manifest.items.remove(&path.display().to_string());
                    continue;
                }
                found => found.map_err(failed)?,
            };
            if found.is_dir() {
                fs::create_dir(&at).map_err(failed)?;
                if *device.get_or_insert_with(|| found.dev()) == found.dev() {
                    for entry in fs::read_dir(&source).map_err(failed)? {
                        let entry = entry.map_err(failed)?;
                        waiting.push((path.join(entry.file_name()), entry.path()));
                    }
                }
                own(&at, &found).map_err(failed)?;
                fs::set_permissions(&at, Permissions::from_mode(found.mode() & 0o7777)).map_err(failed)?;
            } else if found.is_symlink() {
                fs::read_link(&source).and_then(|target| symlink(target, &at)).map_err(failed)?;
                own(&at, &found).map_err(failed)?;
            } else if found.is_file() {
                self.file(&path, &source, &at)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, source: &Path, at: &Path) -> Result<()> {
        let key = path.display().to_string();
        let (stamp, sha256) = match self.method {
            Method::Link => {
                fs::hard_link(source, at).map_err(|e| no_link(source, at, e))?;
                (stamp(&fs::symlink_metadata(at).map_err(Error::io("link", source))?), None)
            }
            _ => match self.again(&key, source, at) {
                Some(known) => known,
                None => copy(source, at).map_err(Error::io("copy", source))?,
            },
        };
        if let Some(item) = self.manifest.items.get_mut(&key) {
            item.stamp = Some(stamp);
            item.sha256 = sha256;
        }
        Ok(())
    }

    /// Uses the copy that was made before, if the host's file is what it was then.
    fn again(&self, key: &str, source: &Path, at: &Path) -> Option<(Stamp, Option<String>)> {
        let (known, old) = self.known?;
        let item = known.items.get(key)?;
        let digest = item.sha256.clone()?;
        let now = stamp(&fs::symlink_metadata(source).ok()?);
        let old = old.join(Path::new(key).strip_prefix("/").ok()?);
        let same = item.stamp == Some(now)
            && fs::symlink_metadata(&old).is_ok_and(|old| old.is_file() && old.size() == now.size);
        (same && fs::hard_link(&old, at).is_ok()).then_some((now, Some(digest)))
    }
}

/// Gives a file the owner that it has on the host; without root everything is the caller's.
fn own(at: &Path, found: &Metadata) -> io::Result<()> {
    if sys::process::user() == 0 { lchown(at, Some(found.uid()), Some(found.gid())) } else { Ok(()) }
}

/// A copy with owner, mode and time, which shares its blocks where the file system can.
fn copy(source: &Path, at: &Path) -> io::Result<(Stamp, Option<String>)> {
    let flags = sys::fs::O_NOFOLLOW | sys::fs::O_NONBLOCK;
    let mut from = OpenOptions::new().read(true).custom_flags(flags).open(source)?;
    let found = from.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("it is no file any more"));
    }
    let mut to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(at)?;
    let shared = sys::fs::share_blocks(&from, &to).is_ok();
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 17]);
    loop {
        let n = from.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        hash.update(&buffer[..n]);
        if !shared {
            to.write_all(&buffer[..n])?;
        }
    }
    own(at, &found)?;
    // After the owner, which takes set-id bits away; the time after the content.
    to.set_permissions(Permissions::from_mode(found.mode() & 0o7777))?;
    to.set_times(FileTimes::new().set_modified(found.modified()?))?;
    let whole = |now: &File| now.metadata().is_ok_and(|now| stamp(&now) == stamp(&found));
    if !whole(&from) {
        return Err(io::Error::other("it was changed while it was copied"));
    }
    Ok((stamp(&found), Some(hexadecimal(hash))))
}

/// Why a file cannot be linked.
fn no_link(source: &Path, at: &Path, error: io::Error) -> Error {
    let path = source.display();
    let copy = "say root.method = \"copy\": copies need no more room where the file system shares blocks";
    match error.raw_os_error() {
        Some(sys::errno::EXDEV) => Error::refused(
            format!(
                "{path} cannot be linked into the jail: it is on another file system than {}",
                at.display()
            ),
            copy,
        ),
        Some(sys::errno::EPERM) if sys::process::user() != 0 => Error::refused(
            format!("{path} cannot be linked into the jail: without root, only your own files can"),
            copy,
        ),
        Some(sys::errno::EMLINK) => Error::refused(
            format!("{path} cannot be linked into the jail: it has as many links as it can"),
            copy,
        ),
        _ => Error::io("link", source)(error),
    }
}
