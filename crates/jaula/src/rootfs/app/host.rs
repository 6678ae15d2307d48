//! The host's files as the kernel sees them on the way to a path: every symbolic link that is
//! passed, and what stands at the end.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

/// How many symbolic links the kernel follows on one way (path_resolution(7)).
const MAX_LINKS: usize = 40;
/// What the kernel says to one more, on every architecture in `machine`.
const ELOOP: i32 = 40;

/// A host below a directory: `/`, or a tree that tests made.
#[derive(Debug)]
pub(super) struct Host {
    root: PathBuf,
    seen: HashMap<PathBuf, Node>,
}

/// What stands at a path, links not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// Nothing.
    Absent,
    /// A regular file; may somebody execute it?
    File { executable: bool },
    /// A directory.
    Directory,
    /// A symbolic link, where it leads, and whether root made it.
    Link { target: PathBuf, roots: bool },
    /// A device, socket or pipe.
    Special,
}

/// Where a path leads.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The path without links.
    pub(super) real: PathBuf,
    /// What stands there; never a link, and not nothing.
    pub(super) node: Node,
    /// The links on the way, each by its path without links, and where it leads.
    pub(super) links: Vec<(PathBuf, PathBuf)>,
    /// Did root make all of them?
    pub(super) roots: bool,
}

impl Host {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), seen: HashMap::new() }
    }

    /// The path by which this process reaches a path of the host.
    pub(super) fn outside(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Follows an absolute path to its end. `None` if nothing is there.
    ///
    /// # Errors
    /// If a directory may not be searched, or links lead in a circle.
    pub(super) fn walk(&mut self, path: &Path) -> io::Result<Option<Place>> {
        let (mut links, mut all_roots) = (Vec::new(), true);
        let mut real = PathBuf::from("/");
        let mut node = Node::Directory;
        // The names still to go, the next one last.
        let mut names = reversed(path);
        while let Some(name) = names.pop() {
            if node != Node::Directory {
                return Ok(None);
            }
            if name == Path::new("..") {
                real.pop();
                continue;
            }
            real.push(name);
            node = self.node(&real)?;
            match &node {
                Node::Absent => return Ok(None),
                Node::Link { target, roots } => {
                    all_roots &= roots;
                    if links.len() == MAX_LINKS {
                        return Err(io::Error::from_raw_os_error(ELOOP));
                    }
                    names.extend(reversed(target));
                    links.push((real.clone(), target.clone()));
                    if target.is_absolute() {
                        real = PathBuf::from("/");
                    } else {
                        real.pop();
                    }
                    node = Node::Directory;
                }
                _ => {}
            }
        }
        Ok(Some(Place { real, node, links, roots: all_roots }))
    }

    /// What stands at a path whose parents are no links. Asked once: a search comes by the same
    /// directories over and over.
    pub(super) fn node(&mut self, real: &Path) -> io::Result<Node> {
        if let Some(node) = self.seen.get(real) {
            return Ok(node.clone());
        }
        let node = self.look(real)?;
        self.seen.insert(real.to_owned(), node.clone());
        Ok(node)
    }

    /// The same, for a path that is not come by again.
    pub(super) fn look(&self, real: &Path) -> io::Result<Node> {
        // What these show is of the process that looks, not of the host.
        if ["/proc", "/sys", "/dev"].iter().any(|kernel| real.starts_with(kernel)) {
            return Ok(Node::Absent);
        }
        let outside = self.outside(real);
        match fs::symlink_metadata(&outside) {
            Ok(meta) => node(&outside, &meta),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(Node::Absent),
            Err(e) => Err(e),
        }
    }

    /// The names in a directory, sorted, so that equal hosts give equal jails.
    pub(super) fn list(&self, real: &Path) -> io::Result<Vec<OsString>> {
        let entries = fs::read_dir(self.outside(real))?;
        let mut names: Vec<_> = entries.map(|e| Ok(e?.file_name())).collect::<io::Result<_>>()?;
        names.sort_unstable();
        Ok(names)
    }

    /// Opens a file for reading.
    pub(super) fn open(&self, real: &Path) -> io::Result<File> {
        File::open(self.outside(real))
    }

    /// Reads a file of configuration: at most 16 MiB of it, nothing if it is absent.
    pub(super) fn read(&mut self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let Some(Place { real, node: Node::File { .. }, .. }) = self.walk(path)? else { return Ok(None) };
        let mut bytes = Vec::new();
        self.open(&real)?.take(16 << 20).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }
}

fn node(outside: &Path, meta: &Metadata) -> io::Result<Node> {
    let kind = meta.file_type();
    Ok(if kind.is_symlink() {
        Node::Link { target: fs::read_link(outside)?, roots: meta.uid() == 0 }
    } else if kind.is_dir() {
        Node::Directory
    } else if kind.is_file() {
        Node::File { executable: meta.permissions().mode() & 0o111 != 0 }
    } else {
        Node::Special
    })
}

/// The names of a path, the last one first.
fn reversed(path: &Path) -> Vec<PathBuf> {
    let names = path.components().rev().filter(|c| matches!(c, Component::Normal(_) | Component::ParentDir));
    names.map(|c| PathBuf::from(c.as_os_str())).collect()
}
