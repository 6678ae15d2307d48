//! Where the entries of an archive become files: beneath one directory.

use super::error::ArchiveError;
use model::tar::path::split;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;
use sys::errno::{EEXIST, ELOOP, ENOENT, ENOTDIR};
use sys::fs::{O_DIRECTORY, O_NOFOLLOW, O_PATH, O_RDONLY, Within};

/// So many directories stay open.
const OPEN: usize = 256;

/// A tree in the making.
#[derive(Debug)]
pub(super) struct Place<'a> {
    top: BorrowedFd<'a>,
    /// The layers of an image go over each other, with links on the way that lead to where they lead inside.
    layered: bool,
    directories: HashMap<Vec<u8>, Rc<OwnedFd>>,
    /// Archives go directory by directory.
    last: Option<(Vec<u8>, Rc<OwnedFd>)>,
}

impl<'a> Place<'a> {
    pub(super) fn new(top: BorrowedFd<'a>, layered: bool) -> Self {
        Self { top, layered, directories: HashMap::new(), last: None }
    }

    /// The directory that a path is in, made if it is missing, and the name there.
    pub(super) fn parent<'p>(&mut self, path: &'p [u8]) -> Result<(Rc<OwnedFd>, &'p OsStr), ArchiveError> {
        let (directory, name) = split(path);
        Ok((self.directory(directory, path)?, OsStr::from_bytes(name)))
    }

    /// An open directory; `of` is whose.
    fn directory(&mut self, path: &[u8], of: &[u8]) -> Result<Rc<OwnedFd>, ArchiveError> {
        if let Some((last, fd)) = &self.last
            && last == path
        {
            return Ok(Rc::clone(fd));
        }
        let fd = match self.directories.get(path) {
            Some(fd) => Rc::clone(fd),
            None => {
                let fd = Rc::new(self.open(path, of)?);
                if self.directories.len() >= OPEN {
                    self.directories.clear();
                }
                self.directories.insert(path.to_vec(), Rc::clone(&fd));
                fd
            }
        };
        self.last = Some((path.to_vec(), Rc::clone(&fd)));
        Ok(fd)
    }

    /// Opens a directory by its path, and makes it and those above it if they are missing.
    fn open(&mut self, path: &[u8], of: &[u8]) -> Result<OwnedFd, ArchiveError> {
        match self.find(path, O_PATH | O_DIRECTORY) {
            Err(e) if e.is(ENOENT) && !path.is_empty() => {
                let (above, name) = split(path);
                let above = self.directory(above, of)?;
                match sys::fs::make_dir(&*above, OsStr::from_bytes(name), 0o755) {
                    // A link that leads nowhere.
                    Err(e) if e.is(EEXIST) => Err(ArchiveError::Behind(of.to_vec())),
                    made => made
                        .and_then(|()| {
                            sys::fs::open(&*above, OsStr::from_bytes(name), O_PATH | O_NOFOLLOW, 0)
                        })
                        .map_err(make(of)),
                }
            }
            Err(e) if e.is(ELOOP) || e.is(ENOTDIR) => Err(ArchiveError::Behind(of.to_vec())),
            opened => opened.map_err(make(of)),
        }
    }

    /// Opens what is at a path of the tree.
    fn find(&self, path: &[u8], flags: i32) -> sys::Result<OwnedFd> {
        let within = if self.layered { Within::RootMount } else { Within::Mount };
        let path = if path.is_empty() { b"." } else { path };
        sys::fs::open_in(self.top, OsStr::from_bytes(path), flags, 0, within)
    }

    /// Opens a directory that was made, to say what it is like; `None` if something else is there by now.
    pub(super) fn made(&self, path: &[u8]) -> sys::Result<Option<OwnedFd>> {
        match self.find(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) {
            Err(e) if [ENOENT, ELOOP, ENOTDIR].into_iter().any(|n| e.is(n)) => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// Is a directory at this name, and no link?
    pub(super) fn is_directory(directory: &impl AsFd, name: &OsStr) -> bool {
        use sys::look::{S_IFDIR, S_IFMT, status_at};
        status_at(directory, name).is_ok_and(|status| status.mode & S_IFMT == S_IFDIR)
    }

    /// Removes whatever is at a name, with all in it; open directories may be among that.
    pub(super) fn clear(
        &mut self,
        directory: &OwnedFd,
        name: &OsStr,
        path: &[u8],
    ) -> Result<(), ArchiveError> {
        self.directories.clear();
        self.last = None;
        crate::tree::remove_in(directory, name)
            .map_err(|source| ArchiveError::Replace { path: path.to_vec(), source: Box::new(source) })
    }

    /// The content of a small file of the tree.
    pub(super) fn text(&self, path: &str) -> String {
        let open = self.find(path.as_bytes(), O_RDONLY | O_NOFOLLOW | sys::fs::O_NONBLOCK);
        let bytes = open.and_then(|file| sys::fs::read_all(file, 1 << 20)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

pub(super) fn make(path: &[u8]) -> impl FnOnce(sys::CallError) -> ArchiveError {
    let path = path.to_vec();
    move |source| ArchiveError::Make { path, source }
}
