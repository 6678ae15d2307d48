//! Work in a tree that is not trusted, beneath a descriptor of its top.
//!
//! Whoever writes in such a tree is a jail's root, also while we are at it. So directories are opened
//! with openat2(2) as if the top were `/`: a link leads to where it leads inside, never out, and never
//! onto another mount. In the last component of what is written, made or removed no link is followed.
//! What is read must be a file: it is found by a descriptor that opens nothing, so that neither a fifo
//! nor a device can hold anyone up.

use crate::error::{Error, Result};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use sys::CallError;
use sys::errno::{EEXIST, ENOENT, ENOTDIR};
use sys::fs::{CWD, Within};
use sys::fs::{O_CREAT, O_DIRECTORY, O_EXCL, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY, O_WRONLY};
use sys::look::{S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, Status, status_at};

/// What a file is called while it is written; one that is left over is replaced by the next.
const NEW: &str = ".jaula.new";

/// More than one name only if the tree has a directory of that name.
const TRIES: u32 = 16;

/// A tree, by a descriptor of its top. Paths in it may begin with a `/`.
#[derive(Debug)]
pub struct Beneath<T: AsFd = OwnedFd> {
    top: T,
}

/// What is at a path; a link is itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing, or no directory is on the way.
    Nothing,
    /// A file.
    File(Status),
    /// A directory.
    Directory(Status),
    /// A symbolic link that reads this.
    Link(OsString),
    /// A device, fifo or socket.
    Other,
}

/// Whose something new is, and who may do what with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The owner, as the tree has it on its disk.
    pub user: u32,
    /// The group.
    pub group: u32,
    /// The permissions.
    pub mode: u32,
}

impl Access {
    /// What a distribution's own files have: root's, and all may read.
    pub const FILE: Self = Self { user: 0, group: 0, mode: 0o644 };
    /// What its directories have.
    pub const DIRECTORY: Self = Self { user: 0, group: 0, mode: 0o755 };
}

impl Beneath {
    /// The tree at a path that nobody in a jail can change.
    pub fn at(path: &Path) -> Result<Self> {
        let top = sys::fs::open(CWD, path, O_PATH | O_DIRECTORY, 0);
        top.map(Self::new).map_err(|e| Error::tree(path, "a tree to work in", e))
    }
}

impl<T: AsFd> Beneath<T> {
    /// The tree below a descriptor.
    pub fn new(top: T) -> Self {
        Self { top }
    }

    /// What it was made of.
    pub fn into_top(self) -> T {
        self.top
    }

    /// The descriptor of the top.
    pub fn top(&self) -> BorrowedFd<'_> {
        self.top.as_fd()
    }

    /// What is at a path, without a look at what a link leads to.
    pub fn look(&self, path: impl AsRef<Path>) -> Result<Found> {
        let path = path.as_ref();
        match self.find(path, O_NOFOLLOW) {
            Ok(found) => found_at(&found).map_err(failed("look at", path)),
            Err(e) if is_nothing(&e) => Ok(Found::Nothing),
            Err(e) => Err(failed("look at", path)(e)),
        }
    }

    /// A directory of the tree, to work in with `*at` calls; links lead to where they lead inside.
    pub fn directory(&self, path: impl AsRef<Path>) -> Result<OwnedFd> {
        let path = path.as_ref();
        self.find(path, O_DIRECTORY).map_err(failed("open", path))
    }

    /// The content of a file of at most `most` bytes; a link leads to where it leads inside. `None`
    /// if there is none.
    pub fn read(&self, path: impl AsRef<Path>, most: usize) -> Result<Option<Vec<u8>>> {
        let path = path.as_ref();
        let place = match self.find(path, 0) {
            Err(e) if is_nothing(&e) => return Ok(None),
            place => place.map_err(failed("read", path))?,
        };
        let status = status_at(&place, "").map_err(failed("read", path))?;
        if status.mode & S_IFMT != S_IFREG {
            return Err(Error::Inside(format!("{} in the jail's tree is no file", path.display())));
        }
        let flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
        let content = sys::fs::reopen(&place, flags).and_then(|file| sys::fs::read_all(&file, most));
        content.map(Some).map_err(failed("read", path))
    }

    /// The names in a directory, sorted; no more than `most` are looked at. Empty if there is none.
    pub fn list(&self, path: impl AsRef<Path>, most: usize) -> Result<Vec<OsString>> {
        let path = path.as_ref();
        let directory =
            match sys::fs::open_in(&self.top, inside(path), O_RDONLY | O_DIRECTORY, 0, Within::RootMount) {
                Err(e) if is_nothing(&e) => return Ok(Vec::new()),
                opened => opened.map_err(failed("list", path))?,
            };
        let (mut names, _) = sys::look::names(&directory, most).map_err(failed("list", path))?;
        names.sort();
        Ok(names)
    }

    /// Puts a file at a path, in one step over whatever is there but a directory. If that is a file,
    /// the new one has its owner, permissions and access list; else what is said here.
    pub fn replace(&self, path: impl AsRef<Path>, content: &[u8], new: Access) -> Result<()> {
        let path = path.as_ref();
        let (directory, name) = self.parent(path).map_err(failed("write", path))?;
        let old = match sys::fs::open_in(&directory, name, O_PATH | O_NOFOLLOW, 0, Within::Mount) {
            Ok(old) => Some(old),
            Err(e) if e.is(ENOENT) => None,
            Err(e) => return Err(failed("write", path)(e)),
        };
        let old = old.filter(|old| status_at(old, "").is_ok_and(|s| s.mode & S_IFMT == S_IFREG));
        (|| {
            let (file, aside) = aside(&directory)?;
            let put = write(&file, content, old.as_ref(), new)
                .and_then(|()| sys::fs::rename(&directory, &aside, name));
            if put.is_err() {
                // What cannot be put in place must not lie about.
                let _ = sys::fs::remove(&directory, &aside, false);
            }
            put
        })()
        .map_err(failed("write", path))
    }

    /// Makes a directory and those above it that are missing; what is there stays as it is.
    pub fn make_dirs(&self, path: impl AsRef<Path>, new: Access) -> Result<()> {
        let path = path.as_ref();
        let is_plain = inside(path).components().all(|part| matches!(part, Component::Normal(_)));
        // Most are there.
        if is_plain && self.find(path, O_DIRECTORY).is_ok() {
            return Ok(());
        }
        let mut parent = self.find(Path::new(""), O_DIRECTORY).map_err(failed("open", path))?;
        let mut so_far = PathBuf::new();
        for component in inside(path).components() {
            let Component::Normal(name) = component else {
                return Err(Error::Inside(format!("{} is no plain path", path.display())));
            };
            so_far.push(name);
            parent = match self.find(&so_far, O_DIRECTORY) {
                Err(e) if e.is(ENOENT) => make_dir(&parent, name, new),
                found => found,
            }
            .map_err(failed("make", &so_far))?;
        }
        Ok(())
    }

    /// Puts a symbolic link at a path, in one step over whatever is there but a directory.
    pub fn link(&self, path: impl AsRef<Path>, target: impl AsRef<OsStr>) -> Result<()> {
        let (path, target) = (path.as_ref(), target.as_ref());
        (|| {
            let (directory, name) = self.parent(path)?;
            match sys::fs::make_link(target, &directory, name) {
                Err(e) if e.is(EEXIST) => {}
                made => return made,
            }
            let aside = (0..TRIES).map(aside_name).find_map(|aside| {
                remove_left(&directory, &aside);
                match sys::fs::make_link(target, &directory, &aside) {
                    Err(e) if e.is(EEXIST) => None,
                    made => Some(made.map(|()| aside)),
                }
            });
            let aside = aside.unwrap_or_else(|| Err(CallError::new("symlinkat", EEXIST)))?;
            let put = sys::fs::rename(&directory, &aside, name);
            if put.is_err() {
                // As above.
                let _ = sys::fs::remove(&directory, &aside, false);
            }
            put
        })()
        .map_err(failed("link", path))
    }

    /// Removes what is at a path and no directory, or an empty directory. Says whether it was there.
    pub fn remove(&self, path: impl AsRef<Path>) -> Result<bool> {
        let path = path.as_ref();
        (|| {
            let (directory, name) = self.parent(path)?;
            match sys::fs::remove(&directory, name, false) {
                Err(e) if e.is(sys::errno::EISDIR) => sys::fs::remove(&directory, name, true),
                removed => removed,
            }
        })()
        .map(|()| true)
        .or_else(|e| if is_nothing(&e) { Ok(false) } else { Err(failed("remove", path)(e)) })
    }

    /// Renames something in its directory, over what has the other name.
    pub fn rename(&self, path: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
        let (path, to) = (path.as_ref(), to.as_ref());
        let renamed = self.parent(path).and_then(|(directory, name)| sys::fs::rename(&directory, name, to));
        renamed.map_err(failed("rename", path))
    }

    /// A descriptor that opens nothing.
    fn find(&self, path: &Path, flags: i32) -> sys::Result<OwnedFd> {
        sys::fs::open_in(&self.top, inside(path), O_PATH | flags, 0, Within::RootMount)
    }

    /// The directory of a path, and its last component.
    fn parent<'a>(&self, path: &'a Path) -> sys::Result<(OwnedFd, &'a OsStr)> {
        let name = match path.components().next_back() {
            Some(Component::Normal(name)) => name,
            _ => return Err(CallError::new("openat2", sys::errno::EINVAL)),
        };
        self.find(path.parent().unwrap_or(path), O_DIRECTORY).map(|directory| (directory, name))
    }
}

/// A path without the `/` at its front; the top itself is `.`.
fn inside(path: &Path) -> &Path {
    let path = path.strip_prefix("/").unwrap_or(path);
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

/// There is nothing at a path: nor is there if what should be a directory on the way is none.
fn is_nothing(e: &CallError) -> bool {
    e.is(ENOENT) || e.is(ENOTDIR)
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(CallError) -> Error {
    let path = Path::new("/").join(path);
    move |source| Error::Beneath { what, path, source }
}

fn found_at(fd: &OwnedFd) -> sys::Result<Found> {
    let status = status_at(fd, "")?;
    Ok(match status.mode & S_IFMT {
        S_IFREG => Found::File(status),
        S_IFDIR => Found::Directory(status),
        S_IFLNK => Found::Link(sys::fs::read_link(fd, "")?),
        _ => Found::Other,
    })
}

fn aside_name(number: u32) -> String {
    if number == 0 { NEW.to_owned() } else { format!("{NEW}.{number}") }
}

fn remove_left(directory: &OwnedFd, name: &str) {
    // If it is still there, the next call says so.
    let _ = sys::fs::remove(directory, name, false);
}

/// A new file that nobody else has opened, and its name.
fn aside(directory: &OwnedFd) -> sys::Result<(OwnedFd, String)> {
    for number in 0..TRIES {
        let name = aside_name(number);
        remove_left(directory, &name);
        match sys::fs::open(directory, &name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600) {
            Err(e) if e.is(EEXIST) => {}
            made => return made.map(|file| (file, name)),
        }
    }
    Err(CallError::new("openat", EEXIST))
}

/// Content, owner, attributes and permissions, in the order in which none undoes another.
fn write(file: &OwnedFd, content: &[u8], old: Option<&OwnedFd>, new: Access) -> sys::Result<()> {
    sys::fs::write(file, content)?;
    let access = match old {
        Some(old) => {
            let Status { user, group, mode, .. } = status_at(old, "")?;
            // Whom a program runs as is not for a file that we have written.
            Access { user, group, mode: mode & 0o1777 }
        }
        None => new,
    };
    sys::fs::set_owner(file, access.user, access.group)?;
    sys::fs::set_mode(file, access.mode)?;
    if let Some(old) = old {
        keep_attributes(old, file)?;
    }
    Ok(())
}

/// Access list, label and the users' own attributes; not what gives a program capabilities, nor what
/// an overlay would read from its layer.
fn keep_attributes(from: &OwnedFd, to: &OwnedFd) -> sys::Result<()> {
    let kept = |name: &[u8]| {
        matches!(name, b"system.posix_acl_access" | b"security.selinux")
            || name.starts_with(b"user.") && !name.starts_with(b"user.overlay.")
    };
    // A file system without them has none to keep.
    for name in sys::xattr::names(from).unwrap_or_default() {
        if kept(name.as_bytes())
            && let Some(value) = sys::xattr::get(from, &name)?
        {
            sys::xattr::set(to, &name, &value)?;
        }
    }
    Ok(())
}

/// Makes one directory, and opens it.
fn make_dir(parent: &OwnedFd, name: &OsStr, new: Access) -> sys::Result<OwnedFd> {
    sys::fs::make_dir(parent, name, 0o700)?;
    let made = sys::fs::open_in(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, Within::Mount)?;
    sys::fs::set_owner(&made, new.user, new.group)?;
    sys::fs::set_mode(&made, new.mode)?;
    Ok(made)
}

#[cfg(test)]
mod tests;
