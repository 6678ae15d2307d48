//! A tree as it is, once more: owners, modes, times, attributes, hard links, holes and whiteouts.
//!
//! Nothing of what is copied is trusted: no link is followed and no other mount entered. A jail can
//! nest directories deeper than any stack or table of descriptors, so that one directory on each side
//! is open at a time and the way back up is `..`, looked at before it is used. Whoever calls sees to
//! it that nobody changes the tree meanwhile.

use crate::error::{Error, Result};
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use sys::fs::{
    CWD, Identity, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY, O_WRONLY, Within,
};

/// How much was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Files of every kind, directories among them.
    pub files: u64,
    /// Bytes of regular files that were copied or shared; holes do not count.
    pub bytes: u64,
    /// Of these, the bytes that the copy has in common with the original on the disk.
    pub shared: u64,
}

/// No path that the kernel takes is longer.
const LONGEST: usize = 4096;

/// Names of attributes that belong to the file and not to the host's own bookkeeping.
const ATTRIBUTES: [&str; 4] = ["user.", "trusted.", "security.capability", "system.posix_acl_"];

/// Hears of every file, and ends the copy with an error.
pub type Progress<'a> = dyn FnMut(&Count) -> Result<()> + 'a;

/// What becomes of one name in the copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// It is copied, a directory with all that it holds.
    Whole,
    /// Of a directory, only itself; anything else is copied.
    Empty,
    /// It is left out.
    Nothing,
}

/// Says of every name but the top, by its path from there, what becomes of it.
pub type Filter<'a> = dyn FnMut(&Path, &Metadata) -> Take + 'a;

/// Copies all that a directory holds into another, which is empty, and makes that one like the first.
///
/// Blocks are shared where the file system can (reflinks). That something is mounted in it is an error.
pub fn tree(from: &Path, to: &Path, progress: &mut Progress<'_>) -> Result<Count> {
    some(from, to, None, progress)
}

/// The same without what the filter leaves out; directories that something is mounted on are empty.
pub fn part(from: &Path, to: &Path, filter: &mut Filter<'_>, progress: &mut Progress<'_>) -> Result<Count> {
    some(from, to, Some(filter), progress)
}

fn some<'f>(
    from: &Path,
    to: &Path,
    filter: Option<&mut Filter<'f>>,
    progress: &mut Progress<'f>,
) -> Result<Count> {
    let open = |path: &Path| {
        sys::fs::open(CWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0).map_err(Error::call("copy a tree"))
    };
    let mut copy = Copier {
        top: to,
        place: PathBuf::new(),
        linked: HashMap::new(),
        shares: true,
        count: Count::default(),
        filter,
        progress,
    };
    copy.all(open(from)?, open(to)?)?;
    Ok(copy.count)
}

/// Copies one file that is only jaula's own, such as an image, to a path where nothing is.
pub fn file(from: &Path, to: &Path, progress: &mut Progress<'_>) -> Result<Count> {
    let source = File::open(from).map_err(Error::io("open", from))?;
    let about = source.metadata().map_err(Error::io("look at", from))?;
    let target = File::create_new(to).map_err(Error::io("make", to))?;
    let mut count = Count { files: 1, ..Count::default() };
    content(&source, &target, &mut true, &mut count, progress)?;
    settle(&source, &target, &about)?;
    Ok(count)
}

struct Copier<'a, 'f> {
    top: &'a Path,
    /// Where it is, from the top.
    place: PathBuf,
    /// Where the first name of a file with several is in the copy.
    linked: HashMap<(u64, u64), PathBuf>,
    /// Can the file system share blocks, as far as is known?
    shares: bool,
    count: Count,
    filter: Option<&'a mut Filter<'f>>,
    progress: &'a mut Progress<'f>,
}

/// A directory that is not done yet.
struct Open {
    about: Metadata,
    /// Directories in it that are still to be copied.
    left: Vec<OsString>,
    /// Which two directories these are, for the way back.
    identities: (Identity, Identity),
}

impl Copier<'_, '_> {
    fn all(&mut self, mut from: OwnedFd, mut to: OwnedFd) -> Result<()> {
        let mut above: Vec<Open> = Vec::new();
        let mut here = self.enter(&from, &to, false)?;
        loop {
            if let Some(name) = here.left.pop() {
                let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
                let source = match sys::fs::open_in(&from, &name, flags, 0, Within::Mount) {
                    Err(e) if e.is(sys::errno::EXDEV) && self.filter.is_some() => {
                        sys::fs::make_dir(&to, &name, 0o755).map_err(failed())?;
                        self.counted()?;
                        continue;
                    }
                    Err(e) if e.is(sys::errno::EXDEV) => {
                        let place = self.place.join(&name);
                        return Err(Error::refused(
                            format!("something is mounted on {} of the tree", place.display()),
                            "unmount it first",
                        ));
                    }
                    opened => opened.map_err(failed())?,
                };
                sys::fs::make_dir(&to, &name, 0o700).map_err(failed())?;
                let target = sys::fs::open(&to, &name, flags, 0).map_err(failed())?;
                self.place.push(&name);
                above.push(here);
                (from, to) = (source, target);
                let hollow = self.take(&here_about(&from)?) == Take::Empty;
                here = self.enter(&from, &to, hollow)?;
                continue;
            }
            settle(&from, &to, &here.about)?;
            let Some(outer) = above.pop() else { return Ok(()) };
            (from, to) = (up(&from, outer.identities.0)?, up(&to, outer.identities.1)?);
            self.place.pop();
            here = outer;
        }
    }

    /// Copies what is no directory, and notes what is one.
    fn enter(&mut self, from: &OwnedFd, to: &OwnedFd, hollow: bool) -> Result<Open> {
        let about = here_about(from)?;
        let identities =
            (sys::fs::identity(from).map_err(failed())?, sys::fs::identity(to).map_err(failed())?);
        let mut left = Vec::new();
        let names = match hollow {
            true => Vec::new(),
            false => sys::look::names(from, usize::MAX).map_err(failed())?.0,
        };
        for name in names {
            let about = match fs::symlink_metadata(inside(from, &name)) {
                // Of a tree that lives on; of one that stands still nothing goes.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound && self.filter.is_some() => continue,
                about => about.map_err(|e| Error::io("look at", &self.place.join(&name))(e))?,
            };
            if self.filter.as_mut().is_some_and(|f| f(&self.place.join(&name), &about) == Take::Nothing) {
                continue;
            }
            if about.is_dir() {
                left.push(name);
            } else {
                self.one(from, to, &name, &about)?;
            }
        }
        self.counted()?;
        Ok(Open { about, left, identities })
    }

    /// One name that is no directory.
    fn one(&mut self, from: &OwnedFd, to: &OwnedFd, name: &OsStr, about: &Metadata) -> Result<()> {
        let place = || self.place.join(name);
        if about.nlink() > 1 {
            let key = (about.dev(), about.ino());
            if let Some(first) = self.linked.get(&key) {
                fs::hard_link(self.top.join(first), inside(to, name)).map_err(Error::io("link", &place()))?;
                return Ok(());
            }
            // Behind a longer path no link can be made: then each name gets a copy.
            let first = place();
            if self.top.as_os_str().len() + first.as_os_str().len() + 2 < LONGEST {
                self.linked.insert(key, first);
            }
        }
        let kind = about.file_type();
        if kind.is_file() {
            let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
            let source = File::from(sys::fs::open_in(from, name, flags, 0, Within::Mount).map_err(failed())?);
            let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
            let target = File::from(sys::fs::open(to, name, flags, 0o600).map_err(failed())?);
            content(&source, &target, &mut self.shares, &mut self.count, self.progress)?;
            settle(&source, &target, about)?;
        } else {
            if kind.is_symlink() {
                let text = fs::read_link(inside(from, name)).map_err(Error::io("read", &place()))?;
                sys::fs::make_link(text, to, name).map_err(failed())?;
            } else {
                let device = if kind.is_char_device() || kind.is_block_device() { about.rdev() } else { 0 };
                sys::copy::make_node(to, name, about.mode(), device).map_err(failed())?;
            }
            let flags = O_PATH | O_NOFOLLOW;
            let source = sys::fs::open(from, name, flags, 0).map_err(failed())?;
            let target = sys::fs::open(to, name, flags, 0).map_err(failed())?;
            settle(&source, &target, about)?;
        }
        self.counted()
    }

    /// What becomes of the directory that it is at.
    fn take(&mut self, about: &Metadata) -> Take {
        self.filter.as_mut().map_or(Take::Whole, |filter| filter(&self.place, about))
    }

    fn counted(&mut self) -> Result<()> {
        self.count.files += 1;
        (self.progress)(&self.count)
    }
}

/// The bytes of a file: shared if that works, else copied.
fn content(
    from: &File,
    to: &File,
    shares: &mut bool,
    count: &mut Count,
    progress: &mut Progress<'_>,
) -> Result<()> {
    let about = from.metadata().map_err(Error::io("look at", Path::new("a file")))?;
    // An empty file has nothing to share, and says nothing about whether it could.
    if *shares && about.len() > 0 {
        match sys::fs::share_blocks(from, to) {
            Ok(()) => {
                let taken = (about.blocks() * 512).min(about.len());
                count.bytes += taken;
                count.shared += taken;
                return Ok(());
            }
            Err(_) => *shares = false,
        }
    }
    let mut told = Ok(());
    let copied = sys::copy::copy_content(from, to, |part| {
        count.bytes += part;
        told = progress(count);
        told.is_ok()
    });
    copied.map_err(Error::io("copy", Path::new("a file")))?;
    told
}

/// Owner, mode, attributes and times, in this order: each may change what came before it.
fn settle(from: impl AsFd, to: impl AsFd, about: &Metadata) -> Result<()> {
    sys::fs::set_owner(&to, about.uid(), about.gid()).map_err(failed())?;
    if !about.is_symlink() {
        let link = path_of(&to);
        fs::set_permissions(&link, about.permissions()).map_err(Error::io("set the mode of", &link))?;
    }
    for name in sys::xattr::names(&from).map_err(failed())? {
        let kept = ATTRIBUTES.iter().any(|prefix| name.as_bytes().starts_with(prefix.as_bytes()));
        if kept && let Some(value) = sys::xattr::get(&from, &name).map_err(failed())? {
            sys::xattr::set(&to, &name, &value).map_err(failed())?;
        }
    }
    sys::copy::set_times(&to, about).map_err(failed())
}

fn here_about(directory: &OwnedFd) -> Result<Metadata> {
    let path = path_of(directory);
    fs::metadata(&path).map_err(Error::io("look at", &path))
}

/// The directory above, if it still is the one that we came from.
fn up(directory: &OwnedFd, expected: Identity) -> Result<OwnedFd> {
    let above = sys::fs::open(directory, "..", O_RDONLY | O_DIRECTORY, 0).map_err(failed())?;
    match sys::fs::identity(&above).map_err(failed())? == expected {
        true => Ok(above),
        false => Err(Error::Inside("the tree was changed while it was copied".to_owned())),
    }
}

/// A path that leads to a descriptor's file itself.
fn path_of(fd: impl AsFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd()))
}

/// A path to a name in an open directory.
fn inside(directory: &OwnedFd, name: &OsStr) -> PathBuf {
    path_of(directory).join(name)
}

fn failed() -> impl FnOnce(sys::CallError) -> Error {
    Error::call("copy a tree")
}

#[cfg(test)]
mod tests;
