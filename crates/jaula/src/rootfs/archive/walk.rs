//! A tree, one name after the other, in the order of their bytes.
//!
//! Nothing of the tree is trusted: no link is followed and no mount entered.

use super::MOST_ID;
use crate::error::{Error, Result};
use model::tar::{Entry, Kind, acl};
use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;
use sys::errno::{ENOENT, EXDEV};
use sys::fs::{O_DIRECTORY, O_NOFOLLOW, O_PATH, O_RDONLY, Within};

/// So deep a directory may lie: each on the way takes a descriptor.
const DEEPEST: usize = 400;

/// What was left out, and how many of it: devices, sockets, what vanished meanwhile.
pub(super) type LeftOut = BTreeMap<&'static str, u64>;

/// One name of a tree.
pub(super) struct Found<'a> {
    /// It, without opening it.
    pub(super) fd: &'a OwnedFd,
    /// What it is.
    pub(super) about: &'a Metadata,
    /// As an archive has it, with the content's length as its size; a second name of a file is a hard link to
    /// the first.
    pub(super) entry: Entry,
}

/// Calls `one` for each name of a tree, the top itself first. Directories come before what is in them.
///
/// In a jail that runs, ids are those of the host: `shift` is taken from them.
pub(super) fn each(
    top: BorrowedFd<'_>,
    shift: u32,
    left_out: &mut LeftOut,
    one: &mut dyn FnMut(Found<'_>) -> Result<()>,
) -> Result<()> {
    let top = open(top, OsStr::new("."))?;
    let about = meta(&top, b".")?;
    one(Found { fd: &top, about: &about, entry: like(&top, Vec::new(), &about, Kind::Directory, shift)? })?;
    let mut walk = Walk { first: HashMap::new(), left_out, one, shift };
    // The names of each directory on the way that are still to come, the last first.
    let mut above: Vec<(OwnedFd, Vec<OsString>)> = Vec::new();
    let mut place: Vec<u8> = Vec::new();
    let mut here = (names(&top, b".")?, top);
    loop {
        let Some(name) = here.0.pop() else {
            let Some((fd, names)) = above.pop() else { return Ok(()) };
            place.truncate(place.iter().rposition(|b| *b == b'/').unwrap_or(0));
            here = (names, fd);
            continue;
        };
        let path = match &place[..] {
            b"" => name.as_bytes().to_vec(),
            place => [place, b"/", name.as_bytes()].concat(),
        };
        if let Some(directory) = walk.name(&here.1, &name, &path)? {
            if above.len() >= DEEPEST || path.len() > 4000 {
                return Err(too_deep(&path));
            }
            let inside = names(&directory, &path)?;
            place = path;
            above.push((std::mem::replace(&mut here.1, directory), std::mem::replace(&mut here.0, inside)));
        }
    }
}

struct Walk<'a> {
    /// The first name of each file that has several.
    first: HashMap<(u64, u64), Vec<u8>>,
    left_out: &'a mut LeftOut,
    one: &'a mut dyn FnMut(Found<'_>) -> Result<()>,
    shift: u32,
}

impl Walk<'_> {
    /// One name of a directory; a directory is returned, to go on in it.
    fn name(&mut self, parent: &OwnedFd, name: &OsStr, path: &[u8]) -> Result<Option<OwnedFd>> {
        let fd = match sys::fs::open_in(parent, name, O_PATH | O_NOFOLLOW, 0, Within::Mount) {
            // It went while the tree was read, which a live jail's may.
            Err(e) if e.is(ENOENT) => return self.without("vanished"),
            Err(e) if e.is(EXDEV) => return self.mounted(parent, name, path),
            opened => opened.map_err(failed(path))?,
        };
        let about = meta(&fd, path)?;
        let shift = self.shift;
        let found = |fd: &OwnedFd, kind| like(fd, path.to_vec(), &about, kind, shift);
        let is = about.file_type();
        if is.is_dir() {
            let directory = open(&fd, OsStr::new("."))?;
            let entry = found(&directory, Kind::Directory)?;
            (self.one)(Found { fd: &directory, about: &about, entry })?;
            return Ok(Some(directory));
        }
        let kind = if is.is_file() {
            Kind::File
        } else if is.is_symlink() {
            Kind::Symlink(sys::fs::read_link(&fd, "").map_err(failed(path))?.into_vec())
        } else if is.is_fifo() {
            Kind::Fifo
        } else {
            return self.without(if is.is_socket() { "socket" } else { "device" });
        };
        let key = (about.dev(), about.ino());
        let entry = match self.first.get(&key) {
            Some(first) => Entry {
                mode: about.mode() & 0o7777,
                user: about.uid().saturating_sub(shift).into(),
                group: about.gid().saturating_sub(shift).into(),
                changed: changed(&about),
                ..plain(path.to_vec(), Kind::Hardlink(first.clone()))
            },
            None => found(&fd, kind)?,
        };
        if about.nlink() > 1 {
            self.first.entry(key).or_insert_with(|| path.to_vec());
        }
        (self.one)(Found { fd: &fd, about: &about, entry })?;
        Ok(None)
    }

    /// What something is mounted on: an empty directory takes its place.
    fn mounted(&mut self, parent: &OwnedFd, name: &OsStr, path: &[u8]) -> Result<Option<OwnedFd>> {
        use sys::look::{S_IFDIR, S_IFMT, status_at};
        if !status_at(parent, name).is_ok_and(|status| status.mode & S_IFMT == S_IFDIR) {
            return self.without("mount");
        }
        let about = meta(parent, path)?;
        let entry = Entry { mode: 0o755, changed: changed(&about), ..plain(path.to_vec(), Kind::Directory) };
        (self.one)(Found { fd: parent, about: &about, entry })?;
        Ok(None)
    }

    fn without(&mut self, what: &'static str) -> Result<Option<OwnedFd>> {
        *self.left_out.entry(what).or_default() += 1;
        Ok(None)
    }
}

/// An entry of root's.
pub(super) fn plain(path: Vec<u8>, kind: Kind) -> Entry {
    Entry {
        path,
        kind,
        mode: 0o600,
        user: 0,
        group: 0,
        size: 0,
        changed: (0, 0),
        attributes: Vec::new(),
        access: None,
        default: None,
        sparse: None,
    }
}

fn changed(about: &Metadata) -> (i64, u32) {
    (about.mtime(), u32::try_from(about.mtime_nsec()).unwrap_or(0))
}

/// An entry as the file is.
fn like(fd: &OwnedFd, path: Vec<u8>, about: &Metadata, kind: Kind, shift: u32) -> Result<Entry> {
    let inside = |id: u32| id.checked_sub(shift).filter(|id| *id <= MOST_ID);
    let (Some(user), Some(group)) = (inside(about.uid()), inside(about.gid())) else {
        return Err(no_jails(&path, about));
    };
    let mut entry = Entry {
        mode: about.mode() & 0o7777,
        user: user.into(),
        group: group.into(),
        changed: changed(about),
        size: if matches!(kind, Kind::File) { about.len() } else { 0 },
        ..plain(path, kind)
    };
    if matches!(entry.kind, Kind::Symlink(_)) {
        return Ok(entry);
    }
    let mut names = sys::xattr::names(fd).map_err(failed(&entry.path))?;
    names.sort();
    for name in names {
        let bytes = name.as_bytes();
        let is_list = bytes == acl::ACCESS.as_bytes() || bytes == acl::DEFAULT.as_bytes();
        let kept = bytes.starts_with(b"user.") && !bytes.starts_with(b"user.overlay.");
        if !is_list && !kept && bytes != b"security.capability" {
            continue;
        }
        let Some(mut value) = sys::xattr::get(fd, &name).map_err(failed(&entry.path))? else { continue };
        if shift != 0 {
            value = shifted(value, is_list, shift);
        }
        match acl::text(&value).filter(|_| is_list) {
            Some(text) if bytes == acl::ACCESS.as_bytes() => entry.access = Some(text.into_bytes()),
            Some(text) => entry.default = Some(text.into_bytes()),
            None => entry.attributes.push((name.into_vec(), value)),
        }
    }
    Ok(entry)
}

/// An attribute as it is on the disk: ids in it are those inside, and capabilities are of no user namespace.
fn shifted(mut value: Vec<u8>, is_list: bool, shift: u32) -> Vec<u8> {
    if is_list {
        for row in value.get_mut(4..).unwrap_or_default().chunks_exact_mut(8) {
            let id = u32::from_le_bytes([row[4], row[5], row[6], row[7]]);
            if id != u32::MAX {
                row[4..].copy_from_slice(&id.saturating_sub(shift).to_le_bytes());
            }
        }
    } else if value.len() == 24 && value[3] == 3 && value[20..] == shift.to_le_bytes() {
        value.truncate(20);
        value[3] = 2;
    }
    value
}

/// The names in a directory, the last first.
fn names(directory: &OwnedFd, path: &[u8]) -> Result<Vec<OsString>> {
    let (mut names, _) = sys::look::names(directory, usize::MAX).map_err(failed(path))?;
    names.sort_unstable_by(|a, b| b.cmp(a));
    Ok(names)
}

fn open(dir: impl AsFd, name: &OsStr) -> Result<OwnedFd> {
    sys::fs::open(dir, name, O_RDONLY | O_DIRECTORY, 0).map_err(failed(name.as_bytes()))
}

/// What a descriptor refers to, which is followed no further.
fn meta(fd: &OwnedFd, path: &[u8]) -> Result<Metadata> {
    std::fs::metadata(format!("/proc/self/fd/{}", fd.as_raw_fd())).map_err(read(path))
}

fn no_jails(path: &[u8], about: &Metadata) -> Error {
    let (user, group) = (about.uid(), about.gid());
    Error::refused(
        format!("{} belongs to {user}:{group}, which no jail has", model::tar::shown(path)),
        format!("a jail's files have ids up to {MOST_ID} on the disk; see who made it"),
    )
}

fn too_deep(path: &[u8]) -> Error {
    Error::refused(
        format!("{} lies too deep for an archive", model::tar::shown(path)),
        "remove it, or move it up: jaula packs 400 directories in each other",
    )
}

pub(super) fn failed(path: &[u8]) -> impl FnOnce(sys::CallError) -> Error {
    let path = PathBuf::from(OsString::from_vec(path.to_vec()));
    move |source| Error::Tree { path, why: "reading what is packed".to_owned(), source }
}

pub(super) fn read(path: &[u8]) -> impl FnOnce(io::Error) -> Error {
    let path = PathBuf::from(OsString::from_vec(path.to_vec()));
    move |source| Error::Io { what: "read", path, source }
}
