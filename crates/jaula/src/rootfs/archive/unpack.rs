//! The entries of an archive become files.

mod like;

use super::error::ArchiveError;
use super::place::{Place, make};
use super::{Contents, Entries, Input, Limits, MOST_ID, Progress, Report};
use crate::error::{Error, Result};
use like::{group, user};
use model::tar::path::{beneath, split};
use model::tar::{Entry, Kind};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io::BufRead;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use sys::errno::{EEXIST, EFBIG, ENOENT, EPERM};
use sys::fs::{O_CREAT, O_EXCL, O_NOFOLLOW, O_PATH, O_WRONLY};

/// A layer's file that says: what the layers below have of this name is gone.
const WHITEOUT: &[u8] = b".wh.";
/// A layer's file that says: what the layers below have in this directory is gone.
const OPAQUE: &[u8] = b".wh..wh..opq";

/// What a step of the work gives.
type Done<T = ()> = std::result::Result<T, ArchiveError>;

/// What an archive is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Nothing: it is the whole tree. No name is in it twice, and nothing lies behind a link.
    Whole,
    /// One of the layers of an image: its files replace those of the layers below, and some of its names
    /// say what is gone.
    OfImage,
}

/// What became of an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// SHA-256 of the archive as it came, in hexadecimal.
    pub digest: String,
    /// How many files of every kind it had.
    pub files: u64,
    /// Bytes of content; holes do not count.
    pub bytes: u64,
    /// What has no place in a tree, and how many of it were left out.
    pub left_out: BTreeMap<String, u64>,
    /// What its files hold.
    pub contents: Contents,
}

/// Unpacks an archive that is a whole tree into an empty directory.
///
/// If it fails, what was made so far is there still: the directory is the caller's to remove.
pub fn unpack(input: Input, into: BorrowedFd<'_>, limits: Limits, report: Report<'_>) -> Result<Unpacked> {
    let mut work = Unpack::new(into, Layer::Whole, limits);
    let digest = work.add(input, report)?;
    Ok(Unpacked { digest, ..work.finish()? })
}

/// A tree that archives are unpacked into.
#[derive(Debug)]
pub struct Unpack<'a> {
    place: Place<'a>,
    layer: Layer,
    limits: Limits,
    done: Unpacked,
    /// Directories, by path: their times and access lists would not stay while files are made in them.
    directories: BTreeMap<Vec<u8>, Entry>,
    /// Files whose access lists have names in place of numbers.
    named: Vec<(Vec<u8>, Entry)>,
    /// What the process's files belong to when they are made.
    own: (u32, u32),
    /// What the process's files are not allowed when they are made.
    umask: u32,
    /// What this layer of an image has.
    fresh: BTreeSet<Vec<u8>>,
    /// See [`below`](Self::below).
    prefix: &'static str,
}

impl<'a> Unpack<'a> {
    /// Begins with an empty directory.
    pub fn new(into: BorrowedFd<'a>, layer: Layer, limits: Limits) -> Self {
        Self {
            place: Place::new(into, layer == Layer::OfImage),
            layer,
            limits,
            done: Unpacked::default(),
            directories: BTreeMap::new(),
            named: Vec::new(),
            own: (sys::process::user(), sys::process::group()),
            umask: sys::process::umask(),
            fresh: BTreeSet::new(),
            prefix: "",
        }
    }

    /// Unpacks an archive, the next layer if the tree is of an image. Gives its digest.
    pub fn add(&mut self, input: Input, report: Report<'_>) -> Result<String> {
        let added = self.entries(input, report);
        if let Err(Error::Archive { source, .. }) = &added
            && matches!(&**source, ArchiveError::Read(e) if e.kind() == std::io::ErrorKind::TimedOut)
        {
            // A signal may have ended the wait: then that is why.
            report(&self.progress(0))?;
        }
        added
    }

    fn entries(&mut self, input: Input, report: Report<'_>) -> Result<String> {
        let entries = Entries::new(input, self.layer == Layer::Whole);
        self.rest(None, entries, report)
    }

    /// What is below this directory of the archive becomes the tree, and nothing else.
    pub fn below(mut self, prefix: &'static str) -> Self {
        self.prefix = prefix;
        self
    }

    /// Unpacks the rest of an archive that was begun to be read, with the entry that was read last.
    pub fn rest(
        &mut self,
        mut first: Option<Entry>,
        mut entries: Entries<Input>,
        report: Report<'_>,
    ) -> Result<String> {
        self.fresh.clear();
        let mut told = 0;
        while let Some(entry) = match first.take() {
            Some(entry) => Some(entry),
            None => entries.following()?,
        } {
            self.entry(&entry, &mut entries, report)?;
            let archive = entries.input().read_so_far();
            // A report asks for signals, which costs as much as a small file.
            if self.done.files.is_multiple_of(64) || archive - told > 1 << 20 {
                told = archive;
                report(&self.progress(archive))?;
            }
        }
        let input = entries.into_input();
        report(&self.progress(input.read_so_far()))?;
        Ok(input.digest()?)
    }
}

impl Unpack<'_> {
    fn progress(&self, archive: u64) -> Progress {
        Progress { archive, files: self.done.files, bytes: self.done.bytes }
    }

    fn entry(&mut self, entry: &Entry, entries: &mut Entries<Input>, report: Report<'_>) -> Result<()> {
        let Some(path) = self.inside(&entry.path)? else { return Ok(()) };
        for (who, id) in [("user", entry.user), ("group", entry.group)] {
            if id > u64::from(MOST_ID) {
                return Err(ArchiveError::Id { path, who, id }.into());
            }
        }
        self.done.files += 1;
        if self.done.files > self.limits.files {
            return Err(ArchiveError::Many(self.limits.files).into());
        }
        if entry.size > self.limits.bytes.saturating_sub(self.done.bytes) {
            return Err(ArchiveError::Large(self.limits.bytes).into());
        }
        if path.is_empty() {
            // The top is the caller's directory.
            if entry.kind == Kind::Directory {
                self.directories.insert(path, entry.clone());
            }
            return Ok(());
        }
        if self.layer == Layer::OfImage {
            if self.whiteout(&path)? {
                return Ok(());
            }
            self.fresh.insert(path.clone());
        }
        match &entry.kind {
            Kind::Directory => self.directory(path, entry).map_err(Error::from),
            Kind::File => self.file(&path, entry, entries, report),
            Kind::Symlink(to) => self.symlink(&path, entry, to).map_err(Error::from),
            Kind::Hardlink(to) => self.hardlink(&path, to).map_err(Error::from),
            Kind::Fifo => self.fifo(&path, entry).map_err(Error::from),
            Kind::Device { .. } => {
                // What a jail may open is in the /dev that each start gives it.
                self.left_out("device");
                Ok(())
            }
        }
    }

    /// A path of the archive in the tree; `None` if it is not below the directory that becomes it.
    fn inside(&self, path: &[u8]) -> Done<Option<Vec<u8>>> {
        let path = beneath(path)?;
        if self.prefix.is_empty() {
            return Ok(Some(path));
        }
        Ok(path.strip_prefix(self.prefix.as_bytes()).and_then(|rest| match rest {
            [] => Some(Vec::new()),
            [b'/', rest @ ..] => Some(rest.to_vec()),
            _ => None,
        }))
    }

    fn left_out(&mut self, what: &str) {
        *self.done.left_out.entry(what.to_owned()).or_default() += 1;
    }

    /// Calls `make` for a name; if something has it, that is removed where layers lie over each other.
    fn put<T>(
        &mut self,
        path: &[u8],
        create: impl Fn(&OwnedFd, &OsStr) -> sys::Result<T>,
    ) -> Done<(std::rc::Rc<OwnedFd>, T)> {
        let (directory, name) = self.place.parent(path)?;
        let made = match create(&directory, name) {
            Err(e) if e.is(EEXIST) && self.layer == Layer::OfImage => {
                self.clear(&directory, name, path)?;
                create(&directory, name)
            }
            Err(e) if e.is(EEXIST) => return Err(ArchiveError::Twice(path.to_vec())),
            made => made,
        };
        Ok((directory, made.map_err(make(path))?))
    }

    fn directory(&mut self, path: Vec<u8>, entry: &Entry) -> Done {
        let (directory, name) = self.place.parent(&path)?;
        // Nobody but this process is here; what is to be refused inside is so at the end.
        let new = |d: &OwnedFd, n: &OsStr| sys::fs::make_dir(d, n, 0o700);
        match new(&directory, name) {
            Err(e) if e.is(EEXIST) && Place::is_directory(&*directory, name) => {}
            Err(e) if e.is(EEXIST) => drop(self.put(&path, new)?),
            made => made.map_err(make(&path))?,
        }
        self.directories.insert(path, entry.clone());
        Ok(())
    }

    fn file(
        &mut self,
        path: &[u8],
        entry: &Entry,
        entries: &mut Entries<Input>,
        report: Report<'_>,
    ) -> Result<()> {
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
        let mode = entry.mode & 0o777;
        let (_, file) = self.put(path, |d, n| sys::fs::open(d, n, flags, mode))?;
        let file = File::from(file);
        let failed = |e: std::io::Error| {
            let errno = sys::Errno(e.raw_os_error().unwrap_or(0));
            let source = sys::CallError { call: "write".to_owned(), errno };
            ArchiveError::Make { path: path.to_vec(), source }
        };
        match &entry.sparse {
            None => {
                let (mut told, mut sum) = (0u64, Sha256::new());
                while let Some(part) = entries.part()? {
                    let length = part.len();
                    sys::fs::write(&file, part).map_err(make(path))?;
                    sum.update(part);
                    entries.take(length);
                    told += length as u64;
                    if told > 16 << 20 {
                        told = 0;
                        report(&self.progress(entries.input().read_so_far()))?;
                    }
                }
                let status = sys::look::status_at(&file, "").map_err(make(path))?;
                self.done.contents.add(&status, entry.changed, sum);
            }
            Some(sparse) => {
                for piece in &sparse.pieces {
                    let (mut at, end) = (piece.at, piece.at + piece.length);
                    while at < end
                        && let Some(part) = entries.part()?
                    {
                        let left = usize::try_from(end - at).unwrap_or(usize::MAX);
                        let length = part.len().min(left);
                        file.write_all_at(&part[..length], at).map_err(failed)?;
                        entries.take(length);
                        at += length as u64;
                    }
                }
                file.set_len(sparse.real).map_err(|e| match e.raw_os_error() {
                    Some(EFBIG) => ArchiveError::Large(sparse.real - 1),
                    _ => failed(e),
                })?;
                let status = sys::look::status_at(&file, "").map_err(make(path))?;
                self.done.contents.forget(&status);
            }
        }
        self.done.bytes += entry.size;
        self.like(&file.into(), path, entry, self.umask)?;
        Ok(())
    }

    fn symlink(&mut self, path: &[u8], entry: &Entry, to: &[u8]) -> Done {
        let target = OsStr::from_bytes(to);
        let (directory, ()) = self.put(path, |d, n| sys::fs::make_link(target, d, n))?;
        let name = OsStr::from_bytes(split(path).1);
        if let Some((user, group)) = self.other_owner(entry) {
            sys::copy::set_owner_at(&*directory, name, user, group).map_err(make(path))?;
        }
        sys::copy::touch_at(&*directory, name, entry.changed).map_err(make(path))
    }

    fn hardlink(&mut self, path: &[u8], to: &[u8]) -> Done {
        let missing = || ArchiveError::Link { path: path.to_vec(), to: to.to_vec() };
        let target = self.inside(to)?.ok_or_else(missing)?;
        if target.is_empty() || target == path {
            return Err(missing());
        }
        let (from, old) = self.place.parent(&target)?;
        match self.put(path, |d, n| sys::copy::link(&*from, old, d, n)) {
            // A directory cannot have another name.
            Err(ArchiveError::Make { source, .. }) if source.is(ENOENT) || source.is(EPERM) => Err(missing()),
            done => done.map(drop),
        }
    }

    fn fifo(&mut self, path: &[u8], entry: &Entry) -> Done {
        const S_IFIFO: u32 = 0o010_000;
        let mode = S_IFIFO | entry.mode & 0o777;
        let (directory, ()) = self.put(path, |d, n| sys::copy::make_node(d, n, mode, 0))?;
        let name = OsStr::from_bytes(split(path).1);
        let fd = sys::fs::open(&*directory, name, O_PATH | O_NOFOLLOW, 0).map_err(make(path))?;
        sys::fs::set_owner(&fd, user(entry), group(entry)).map_err(make(path))?;
        if entry.mode & 0o777 & self.umask != 0 {
            sys::copy::set_mode_of(&fd, entry.mode & 0o777).map_err(make(path))?;
        }
        sys::copy::touch_at(&*directory, name, entry.changed).map_err(make(path))
    }

    /// What had to wait is done: the archives were all.
    pub fn finish(mut self) -> Done<Unpacked> {
        for (path, entry) in std::mem::take(&mut self.named) {
            let (directory, name) = self.place.parent(&path)?;
            // A later layer may have removed it.
            let Ok(fd) = sys::fs::open(&*directory, name, O_PATH | O_NOFOLLOW, 0) else { continue };
            self.lists(&fd, &path, &entry, true)?;
        }
        // From the end: a directory comes after what is in it.
        for (path, entry) in std::mem::take(&mut self.directories).into_iter().rev() {
            let Some(fd) = self.place.made(&path).map_err(make(&path))? else { continue };
            sys::fs::set_owner(&fd, user(&entry), group(&entry)).map_err(make(&path))?;
            sys::fs::set_mode(&fd, entry.mode & 0o7777).map_err(make(&path))?;
            for (name, value) in &entry.attributes {
                self.attribute(&fd, &path, name, value)?;
            }
            self.lists(&fd, &path, &entry, true)?;
            sys::copy::touch(&fd, entry.changed).map_err(make(&path))?;
        }
        Ok(self.done)
    }

    /// Removes what is at a name, with all in it.
    fn clear(&mut self, directory: &OwnedFd, name: &OsStr, path: &[u8]) -> Done {
        let inside = [path, b"/"].concat();
        self.directories.retain(|other, _| other != path && !other.starts_with(&inside));
        self.named.retain(|(other, _)| other != path && !other.starts_with(&inside));
        self.place.clear(directory, name, path)
    }

    /// Is it one of the names that say what is gone? Then that is removed, but nothing of this layer.
    fn whiteout(&mut self, path: &[u8]) -> Done<bool> {
        let (above, name) = split(path);
        let Some(gone) = name.strip_prefix(WHITEOUT) else { return Ok(false) };
        if name == OPAQUE {
            self.empty(above)?;
        } else if !gone.starts_with(WHITEOUT) && !matches!(gone, b"" | b"." | b"..") {
            // Others that begin so are aufs's own bookkeeping.
            self.gone(&join(above, gone))?;
        }
        Ok(true)
    }

    /// Removes what the layers below have in a directory.
    fn empty(&mut self, path: &[u8]) -> Done {
        let inside = join(path, b"x");
        let (directory, _) = self.place.parent(&inside)?;
        let listed = sys::fs::open(&*directory, ".", sys::fs::O_RDONLY, 0).map_err(make(path))?;
        let (names, _) = sys::look::names(&listed, usize::MAX).map_err(make(path))?;
        names.iter().try_for_each(|name| self.gone(&join(path, name.as_bytes())))
    }

    /// Removes what the layers below have at a path, but not what this one has there or beneath.
    fn gone(&mut self, path: &[u8]) -> Done {
        let inside = join(path, b"");
        let beneath =
            self.fresh.range(inside.clone()..).next().is_some_and(|other| other.starts_with(&inside));
        let (directory, name) = self.place.parent(path)?;
        if !beneath && !self.fresh.contains(path) {
            return self.clear(&directory, name, path);
        }
        if Place::is_directory(&*directory, name) { self.empty(path) } else { Ok(()) }
    }
}

/// A name in a directory, or in the top.
fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() { name.to_vec() } else { [directory, b"/", name].concat() }
}

/// An archive read to its end without a file being made: what the fuzzer does.
///
/// # Errors
/// Whatever is wrong with it.
pub fn walk(input: impl BufRead) -> Done<u64> {
    let mut entries = Entries::new(input, true);
    let mut count = 0;
    while let Some(entry) = entries.following()? {
        beneath(&entry.path)?;
        while let Some(part) = entries.part()? {
            let length = part.len();
            entries.take(length);
        }
        count += 1;
    }
    Ok(count)
}
