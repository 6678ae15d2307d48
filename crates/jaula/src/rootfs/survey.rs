//! What an app jail would hold if it were taken from the host now.

use super::app::{Closure, Entry, What};
use crate::error::{Error, Result};
use model::manifest::{Item, Kind, LOADER_CACHE, Manifest, Stamp};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Files of the host that decide what is in an app jail, beside those that are in it.
const INPUTS: [&str; 3] = ["/etc/passwd", "/etc/group", LOADER_CACHE];

/// A manifest of the closure's files as they are on the host. Packages are not looked up.
///
/// `known` is what was taken before: a file that looks another now is read if that one was.
pub(crate) fn survey(closure: &Closure, known: Option<&Manifest>) -> Result<Manifest> {
    let mut manifest = Manifest { taken: crate::state::now(), inputs: inputs(), ..Manifest::default() };
    for entry in &closure.entries {
        add(&mut manifest, entry, known)?;
    }
    Ok(manifest)
}

/// The same for the files of a manifest: what is new is only seen in directories. `None` if the
/// closure must be made anew to tell.
pub(crate) fn again(known: &Manifest) -> Result<Option<Manifest>> {
    if known.inputs != inputs() {
        return Ok(None);
    }
    let mut manifest =
        Manifest { taken: crate::state::now(), inputs: known.inputs.clone(), ..Manifest::default() };
    let mut below: Option<&str> = None;
    for (path, item) in &known.items {
        if below.is_some_and(|top| Path::new(path).starts_with(top)) {
            continue;
        }
        let Some(source) = &item.source else {
            manifest.items.insert(path.clone(), item.clone());
            continue;
        };
        if item.kind == Kind::Directory {
            below = Some(path);
        }
        let place = Place { path: path.clone(), source: PathBuf::from(source), reason: item.reason.clone() };
        add_tree(&mut manifest, place, Some(known))?;
    }
    Ok(Some(manifest))
}

fn inputs() -> BTreeMap<String, Stamp> {
    let stamp = |path: &str| Some((path.to_owned(), stamp(&fs::metadata(path).ok()?)));
    INPUTS.iter().filter_map(|path| stamp(path)).collect()
}

fn add(manifest: &mut Manifest, entry: &Entry, known: Option<&Manifest>) -> Result<()> {
    let path = entry.path.display().to_string();
    let reason = entry.reason.to_string();
    let made = |kind, source, content: String| Item {
        kind,
        source,
        stamp: None,
        content: Some(content),
        sha256: None,
        package: None,
        reason: reason.clone(),
    };
    match &entry.what {
        What::File { source } | What::Directory { source } => {
            add_tree(manifest, Place { path, source: source.clone(), reason }, known)?;
        }
        What::Symlink { target } => {
            manifest.items.insert(path.clone(), made(Kind::Link, Some(path), target.display().to_string()));
        }
        What::Text { content } => _ = manifest.items.insert(path, made(Kind::Text, None, content.clone())),
    }
    Ok(())
}

/// Something on its way into a manifest.
struct Place {
    path: String,
    source: PathBuf,
    reason: String,
}

/// Adds a file, or a directory with all below it on the same file system. What is gone meanwhile is
/// left out.
fn add_tree(manifest: &mut Manifest, top: Place, known: Option<&Manifest>) -> Result<()> {
    let mut device = None;
    let mut waiting = vec![top];
    while let Some(Place { path, source, reason }) = waiting.pop() {
        let failed = |e| Error::io("look at", &source)(e);
        let found = match fs::symlink_metadata(&source) {
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => continue,
            found => found.map_err(failed)?,
        };
        let kind = match found.file_type() {
            kind if kind.is_dir() => Kind::Directory,
            kind if kind.is_file() => Kind::File,
            kind if kind.is_symlink() => Kind::Link,
            // Sockets, pipes and devices are not the host's files.
            _ => continue,
        };
        let stamp = Some(stamp(&found));
        let mut item = Item {
            kind,
            source: Some(source.display().to_string()),
            stamp,
            content: None,
            sha256: None,
            package: None,
            reason: reason.clone(),
        };
        match kind {
            Kind::Link => {
                item.content = Some(fs::read_link(&source).map_err(failed)?.display().to_string());
                item.stamp = None;
            }
            Kind::File => {
                item.sha256 = digest(&item, &source, known.and_then(|known| known.items.get(&path)))?
            }
            Kind::Directory if *device.get_or_insert_with(|| found.dev()) == found.dev() => {
                for entry in fs::read_dir(&source).map_err(failed)? {
                    let entry = entry.map_err(failed)?;
                    let path =
                        format!("{}/{}", path.trim_end_matches('/'), entry.file_name().to_string_lossy());
                    waiting.push(Place { path, source: entry.path(), reason: reason.clone() });
                }
            }
            Kind::Directory | Kind::Text => {}
        }
        manifest.items.insert(path, item);
    }
    Ok(())
}

/// The digest of a file of which one is known: the known one if it looks the same.
fn digest(item: &Item, source: &Path, known: Option<&Item>) -> Result<Option<String>> {
    let Some((known, digest)) = known.and_then(|known| Some((known, known.sha256.as_ref()?))) else {
        return Ok(None);
    };
    if known.stamp == item.stamp {
        return Ok(Some(digest.clone()));
    }
    read_digest(source).map(Some).map_err(Error::io("read", source))
}

fn read_digest(path: &Path) -> io::Result<String> {
    let mut file = fs::File::open(path)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hexadecimal(hash)),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// A digest as text.
pub(super) fn hexadecimal(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// See [`Stamp`].
pub(super) fn stamp(found: &Metadata) -> Stamp {
    // Of a directory, only what does not change by what is made in it.
    let modified = (found.mtime(), u32::try_from(found.mtime_nsec()).unwrap_or_default());
    let (size, modified) = if found.is_dir() { (0, (0, 0)) } else { (found.size(), modified) };
    let (mode, user, group) = (found.mode() & 0o7777, found.uid(), found.gid());
    Stamp { inode: found.ino(), size, modified, mode, user, group }
}
