//! A tree as an archive: always the same one for the same tree.
//!
//! Names come in the order of their bytes, each file with several names is a file once and a hard link after that,
//! holes stay holes. Nothing of the tree is trusted: no link is followed and no mount entered.

use super::{MOST_ID, Progress, Report, hex};
use crate::error::{Error, Result};
use model::tar::sparse::{Piece, Sparse};
use model::tar::{Entry, Kind, acl, write};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;
use sys::errno::{ENOENT, EXDEV};
use sys::fs::{O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY, Within};

/// So hard zstd tries: its own default, which writes as fast as disks do.
const LEVEL: i32 = 3;
/// So deep a directory may lie.
const DEEPEST: usize = 400;
/// What is copied at a time.
const PART: usize = 256 << 10;

/// What became of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// SHA-256 of the archive, in hexadecimal.
    pub digest: String,
    /// Its length.
    pub size: u64,
    /// How many files of every kind are in it.
    pub files: u64,
    /// Bytes of content; holes do not count.
    pub bytes: u64,
    /// What was left out, and how many of it: devices, sockets, what vanished meanwhile.
    pub left_out: BTreeMap<&'static str, u64>,
}

/// An archive in the making: trees and single files, in the order in which they are added.
pub struct Pack<W: Write> {
    out: zstd::Encoder<'static, Sum<W>>,
    done: Packed,
    part: Vec<u8>,
}

impl<W: Write> std::fmt::Debug for Pack<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pack").field("done", &self.done).finish_non_exhaustive()
    }
}

/// Adds up what goes through it.
struct Sum<W> {
    to: W,
    sum: Sha256,
    size: u64,
}

impl<W: Write> Write for Sum<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.to.write(bytes)?;
        self.sum.update(&bytes[..n]);
        self.size += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl<W: Write> Pack<W> {
    /// Begins an archive, compressed with zstd.
    pub fn new(to: W) -> Result<Self> {
        let begin = || {
            let mut out = zstd::Encoder::new(Sum { to, sum: Sha256::new(), size: 0 }, LEVEL)?;
            out.include_checksum(true)?;
            // A thread that compresses while this one reads; with one alone, what comes out is the same everywhere.
            out.multithread(1)?;
            Ok(out)
        };
        let out = begin().map_err(wrote)?;
        Ok(Self { out, done: Packed::default(), part: vec![0; PART] })
    }

    /// Adds a file that is text of ours.
    pub fn text(&mut self, path: &str, text: &[u8]) -> Result<()> {
        let entry = Entry { size: text.len() as u64, ..entry(path.as_bytes().to_vec(), Kind::File) };
        self.header(&entry)?;
        self.write(text)?;
        self.fill(entry.size)
    }

    /// Adds a directory with all in it, below `prefix` (`root/`, or nothing).
    pub fn tree(&mut self, top: BorrowedFd<'_>, prefix: &str, report: Report<'_>) -> Result<()> {
        let top = open(top, OsStr::new("."), O_RDONLY | O_DIRECTORY)?;
        let mut walk = Walk { names: HashMap::new(), prefix: prefix.as_bytes() };
        let about = meta(&top, b".")?;
        let name = if prefix.is_empty() { b"./".to_vec() } else { prefix.as_bytes().to_vec() };
        self.node(&top, name, &about, Kind::Directory)?;
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
            let path = if place.is_empty() {
                name.as_bytes().to_vec()
            } else {
                [&place[..], b"/", name.as_bytes()].concat()
            };
            if let Some(directory) = self.one(&here.1, &name, &path, &mut walk)? {
                // A directory on the way takes a descriptor, and no archive's path is longer.
                if above.len() >= DEEPEST || path.len() > 4000 {
                    return Err(too_deep(&path));
                }
                let inside = names(&directory, &path)?;
                place = path;
                above.push((
                    std::mem::replace(&mut here.1, directory),
                    std::mem::replace(&mut here.0, inside),
                ));
            }
            report(&Progress {
                archive: self.out.get_ref().size,
                files: self.done.files,
                bytes: self.done.bytes,
            })?;
        }
    }

    /// One name of a directory; a directory is returned, to go on in it.
    fn one(
        &mut self,
        parent: &OwnedFd,
        name: &OsStr,
        path: &[u8],
        walk: &mut Walk<'_>,
    ) -> Result<Option<OwnedFd>> {
        let full = [walk.prefix, path].concat();
        let fd = match sys::fs::open_in(parent, name, O_PATH | O_NOFOLLOW, 0, Within::Mount) {
            // It went while the tree was read, which a live jail's may.
            Err(e) if e.is(ENOENT) => return self.left_out("vanished"),
            Err(e) if e.is(EXDEV) => return self.left_out("mount"),
            opened => opened.map_err(failed(path))?,
        };
        let about = meta(&fd, path)?;
        let kind = about.file_type();
        if about.uid() > MOST_ID || about.gid() > MOST_ID {
            return Err(Error::refused(
                format!(
                    "{} belongs to {}:{}, which no jail has",
                    model::tar::shown(path),
                    about.uid(),
                    about.gid()
                ),
                format!("a jail's files have ids up to {MOST_ID} on the disk; see who made it"),
            ));
        }
        if !about.is_dir() && about.nlink() > 1 {
            let key = (about.dev(), about.ino());
            if let Some(first) = walk.names.get(&key) {
                let link = Kind::Hardlink(first.clone());
                let linked = Entry { mode: about.mode(), changed: changed(&about), ..entry(full, link) };
                self.header(&linked)?;
                return Ok(None);
            }
            if kind.is_file() || kind.is_symlink() || kind.is_fifo() {
                walk.names.insert(key, full.clone());
            }
        }
        if kind.is_dir() {
            let directory = open(&fd, OsStr::new("."), O_RDONLY | O_DIRECTORY)?;
            self.node(&directory, [&full[..], b"/"].concat(), &about, Kind::Directory)?;
            return Ok(Some(directory));
        }
        if kind.is_symlink() {
            let to = sys::fs::read_link(&fd, "").map_err(failed(path))?;
            self.node(&fd, full, &about, Kind::Symlink(to.into_vec()))?;
        } else if kind.is_fifo() {
            self.node(&fd, full, &about, Kind::Fifo)?;
        } else if kind.is_file() {
            self.file(&fd, full, &about)?;
        } else if kind.is_socket() {
            return self.left_out("socket");
        } else {
            return self.left_out("device");
        }
        Ok(None)
    }

    fn left_out(&mut self, what: &'static str) -> Result<Option<OwnedFd>> {
        *self.done.left_out.entry(what).or_default() += 1;
        Ok(None)
    }

    /// What has no content.
    fn node(&mut self, fd: &OwnedFd, path: Vec<u8>, about: &Metadata, kind: Kind) -> Result<()> {
        let entry = like(fd, path, about, kind)?;
        self.header(&entry)
    }

    fn file(&mut self, fd: &OwnedFd, path: Vec<u8>, about: &Metadata) -> Result<()> {
        let mut file = File::from(sys::fs::reopen(fd, O_RDONLY | O_NONBLOCK).map_err(failed(&path))?);
        let mut entry = like(fd, path, about, Kind::File)?;
        let length = about.len();
        let mut pieces = vec![Piece { at: 0, length }];
        if about.blocks().saturating_mul(512) < length {
            let found = sys::copy::pieces(&file, length).map_err(read(&entry.path))?;
            pieces = found.into_iter().map(|(at, length)| Piece { at, length }).collect();
        }
        entry.size = pieces.iter().map(|piece| piece.length).sum();
        if entry.size < length {
            entry.sparse = Sparse::new(length, pieces.clone(), entry.size);
        }
        self.header(&entry)?;
        for piece in pieces {
            file.seek(SeekFrom::Start(piece.at)).map_err(read(&entry.path))?;
            self.content(&mut file, piece.length, &entry.path)?;
        }
        self.done.bytes += entry.size;
        self.fill(entry.size)
    }

    /// So many bytes of a file; if it has become shorter meanwhile, zeros.
    fn content(&mut self, file: &mut File, mut left: u64, path: &[u8]) -> Result<()> {
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(PART).min(PART);
            let mut got = file.read(&mut self.part[..most]).map_err(read(path))?;
            if got == 0 {
                self.part[..most].fill(0);
                got = most;
            }
            self.out.write_all(&self.part[..got]).map_err(wrote)?;
            left -= got as u64;
        }
        Ok(())
    }

    fn header(&mut self, entry: &Entry) -> Result<()> {
        self.done.files += 1;
        self.write(&write::blocks(entry))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(wrote)
    }

    fn fill(&mut self, size: u64) -> Result<()> {
        self.write(&write::END[..write::padding(size)])
    }

    /// Ends the archive.
    pub fn finish(mut self) -> Result<Packed> {
        self.write(&write::END)?;
        let mut sum = self.out.finish().map_err(wrote)?;
        sum.flush().map_err(wrote)?;
        self.done.digest = hex(&sum.sum.finalize());
        self.done.size = sum.size;
        Ok(self.done)
    }
}

/// What is known of a tree while it is read.
struct Walk<'a> {
    /// The first name of each file that has several.
    names: HashMap<(u64, u64), Vec<u8>>,
    prefix: &'a [u8],
}

/// A tree as an archive of its own.
pub fn pack(top: BorrowedFd<'_>, to: impl Write, report: Report<'_>) -> Result<Packed> {
    let mut pack = Pack::new(to)?;
    pack.tree(top, "", report)?;
    pack.finish()
}

fn entry(path: Vec<u8>, kind: Kind) -> Entry {
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
fn like(fd: &OwnedFd, path: Vec<u8>, about: &Metadata, kind: Kind) -> Result<Entry> {
    let mut entry = Entry {
        mode: about.mode() & 0o7777,
        user: about.uid().into(),
        group: about.gid().into(),
        changed: changed(about),
        ..entry(path, kind)
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
        let Some(value) = sys::xattr::get(fd, &name).map_err(failed(&entry.path))? else { continue };
        match acl::text(&value).filter(|_| is_list) {
            Some(text) if bytes == acl::ACCESS.as_bytes() => entry.access = Some(text.into_bytes()),
            Some(text) => entry.default = Some(text.into_bytes()),
            None => entry.attributes.push((name.into_vec(), value)),
        }
    }
    Ok(entry)
}

/// The names in a directory, the last first.
fn names(directory: &OwnedFd, path: &[u8]) -> Result<Vec<OsString>> {
    let (mut names, _) = sys::look::names(directory, usize::MAX).map_err(failed(path))?;
    names.sort_unstable_by(|a, b| b.cmp(a));
    Ok(names)
}

fn open(dir: impl AsFd, name: &OsStr, flags: i32) -> Result<OwnedFd> {
    sys::fs::open(dir, name, flags, 0).map_err(failed(name.as_bytes()))
}

/// What a descriptor refers to, which is followed no further.
fn meta(fd: &OwnedFd, path: &[u8]) -> Result<Metadata> {
    std::fs::metadata(format!("/proc/self/fd/{}", fd.as_raw_fd())).map_err(read(path))
}

fn too_deep(path: &[u8]) -> Error {
    Error::refused(
        format!("{} lies too deep for an archive", model::tar::shown(path)),
        "remove it, or move it up: jaula packs 400 directories in each other",
    )
}

fn failed(path: &[u8]) -> impl FnOnce(sys::CallError) -> Error {
    let path = PathBuf::from(OsString::from_vec(path.to_vec()));
    move |source| Error::Tree { path, why: "reading what is packed".to_owned(), source }
}

fn read(path: &[u8]) -> impl FnOnce(io::Error) -> Error {
    let path = PathBuf::from(OsString::from_vec(path.to_vec()));
    move |source| Error::Io { what: "read", path, source }
}

fn wrote(error: io::Error) -> Error {
    Error::io("write", std::path::Path::new("the archive"))(error)
}
