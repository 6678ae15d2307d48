//! Goes through a tree that is not trusted, and notes what lies in it.
//!
//! Each directory is opened from the top, beneath it and through no link; a file is opened only if its
//! name is that of a secret, and only when it is known to be a regular one. A directory is gone into
//! once, wherever it is mounted; what is too much is counted as not looked at.

use model::audit::tree::{Entry, Kind, Mount, Secrecy, Tree, Who, is_key, secrecy};
use std::collections::HashSet;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use sys::fs::{O_CLOEXEC, O_DIRECTORY, O_NOCTTY, O_NONBLOCK, O_PATH, O_RDONLY, Within};
use sys::look::{S_IFBLK, S_IFCHR, S_IFDIR, S_IFMT, S_IFREG, S_IFSOCK, Status};

/// The most things that are looked at in one root.
pub(super) const MOST: usize = 2_000_000;
/// How much of a file is read to see whether it is a key.
const HEAD: usize = 4096;

/// File systems that hold no files: those of the kernel; and those of other machines, which may keep
/// whoever asks waiting for ever.
#[rustfmt::skip]
const NOT_GONE_INTO: &[i64] = &[
    0x9fa0, 0x6265_6572, 0x1cd1, 0x27_e0eb, 0x6367_7270, 0x6462_6720, 0x7472_6163, 0xcafe_4a11, 0x7363_6673,
    0x1980_0202, 0x6e73_6673, 0x6165_676c, 0x6265_6570, // proc sysfs devpts cgroup cgroup2 debugfs … configfs
    0x6969, 0xff53_4d42, 0xfe53_4d42, 0x0102_1997, 0x6573_5546, 0x0187, 0x517b, // nfs cifs smb2 9p fuse autofs smb
];

/// How to go through a tree.
pub(super) struct Walk<'a> {
    /// Whose eyes.
    pub(super) who: &'a Who,
    /// Ids of the host that stand for those of the jail.
    pub(super) ids: Ids,
    /// What a path inside is.
    pub(super) region: &'a dyn Fn(&Path) -> Region,
    /// What was looked at before.
    pub(super) budget: &'a mut Budget,
    /// Paths inside that something else lies over.
    pub(super) covered: HashSet<PathBuf>,
}

/// What was looked at in one root so far, and how much may still be.
#[derive(Debug)]
pub(super) struct Budget {
    /// So many things.
    pub(super) left: usize,
    /// Directories that were gone into, and files with several names that were noted.
    pub(super) seen: HashSet<(u64, u64)>,
}

impl Budget {
    /// For a root that nothing was looked at of.
    pub(super) fn new() -> Self {
        Self { left: MOST, seen: HashSet::new() }
    }
}

/// How ids on a mount are turned into those inside.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ids {
    /// As they stand on the disk, if they are one of these many.
    Same(u32),
    /// From a range of the host's: the first, and how many.
    From(u32, u32),
    /// This one of the host's is that one inside, and there is no other.
    Own(u32, u32),
}

impl Ids {
    fn inside(self, id: u32) -> Option<u32> {
        match self {
            Self::Same(count) => Some(id).filter(|id| *id < count),
            Self::From(first, count) => id.checked_sub(first).filter(|id| *id < count),
            Self::Own(outside, inside) => (id == outside).then_some(inside),
        }
    }
}

/// What a part of the root is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Region {
    /// Of no interest, and nothing below it: the kernel's files.
    Skip,
    /// The jail's memory: of no interest, but something may be mounted below it.
    Memory,
    /// To be noted: as mounted here, or as the directory's file system says.
    Shown {
        /// How it is mounted, if the walk does not go through the jail's own mounts.
        mount: Option<Mount>,
        /// Is it the host's?
        hosts: bool,
    },
}

impl Walk<'_> {
    /// Notes everything below `top`, which is `at` inside.
    pub(super) fn tree(&mut self, top: &OwnedFd, at: &Path, tree: &mut Tree) {
        let mut todo = vec![(PathBuf::new(), 0)];
        while let Some((below, device)) = todo.pop() {
            let inside = if below.as_os_str().is_empty() { at.to_owned() } else { at.join(&below) };
            if self.budget.left == 0 {
                tree.unseen += 1;
                continue;
            }
            match self.directory(top, &below, &inside, device, tree) {
                Some(more) => todo.extend(more),
                None => tree.unseen += 1,
            }
        }
    }

    /// Notes what is in one directory, in one on `device`; gives the directories in it. None if it
    /// cannot be read.
    fn directory(
        &mut self,
        top: &OwnedFd,
        below: &Path,
        inside: &Path,
        device: u64,
        tree: &mut Tree,
    ) -> Option<Vec<(PathBuf, u64)>> {
        let name = if below.as_os_str().is_empty() { Path::new(".") } else { below };
        let flags = O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC;
        let opened = sys::fs::open_in(top, name, flags, 0, Within::Beneath).ok()?;
        let status = sys::look::status_at(&opened, "").ok()?;
        if !self.budget.seen.insert((status.device, status.inode)) {
            return Some(Vec::new());
        }
        if device != status.device && NOT_GONE_INTO.contains(&sys::fs::magic_of(&opened).ok()?) {
            return Some(Vec::new());
        }
        let mounted = sys::look::mounted(&opened).ok()?;
        let mount = Mount {
            writable: !mounted.read_only,
            setuid: !mounted.nosuid,
            devices: !mounted.nodev,
            hosts: false,
        };
        let (mut names, whole) = sys::look::names(&opened, self.budget.left).ok()?;
        self.budget.left -= names.len();
        tree.unseen += u64::from(!whole);
        names.sort();
        let mut more = Vec::new();
        for name in names {
            if self.one(&opened, &name, inside, mount, tree) {
                more.push((below.join(name), status.device));
            }
        }
        // The last one pushed is gone into first.
        more.reverse();
        Some(more)
    }

    /// Notes one thing; is it a directory to go into?
    fn one(&mut self, dir: &OwnedFd, name: &OsString, inside: &Path, mount: Mount, tree: &mut Tree) -> bool {
        let path = inside.join(name);
        let region = (self.region)(&path);
        if region == Region::Skip || self.covered.contains(&path) {
            return false;
        }
        let Ok(status) = sys::look::status_at(dir, name) else { return false };
        let kind = kind(status.mode);
        if let Region::Shown { mount: fixed, hosts } = region {
            let first = kind == Kind::Directory
                || status.links < 2
                || self.budget.seen.insert((status.device, status.inode));
            if first {
                let mount = Mount { hosts, ..fixed.unwrap_or(mount) };
                let file = is_opened(&path, &status).then(|| held(dir, name.as_ref(), &status)).flatten();
                self.note(&path, &status, file.as_ref(), mount, tree);
            }
        }
        kind == Kind::Directory
    }

    /// Notes one thing; `file` is the regular file that it is, if that is to be looked into.
    pub(super) fn note(
        &self,
        path: &Path,
        status: &Status,
        file: Option<&OwnedFd>,
        mount: Mount,
        tree: &mut Tree,
    ) {
        let kind = kind(status.mode);
        let entry = Entry {
            path,
            kind,
            mode: status.mode & 0o7777,
            user: self.ids.inside(status.user),
            group: self.ids.inside(status.group),
            size: status.size,
            mount,
            capable: status.mode & 0o111 != 0
                && file.is_some_and(|file| sys::look::has_attribute(file, "security.capability")),
            key: secrecy(path) == Some(Secrecy::ByContent) && file.is_some_and(begins_as_key),
        };
        tree.note(&entry, self.who);
    }
}

/// Is there something about it that its status does not tell?
pub(super) fn is_opened(path: &Path, status: &Status) -> bool {
    kind(status.mode) == Kind::File && (status.mode & 0o111 != 0 || secrecy(path) == Some(Secrecy::ByContent))
}

/// The regular file of that status, held without being opened; another may have taken its place.
/// In an app jail that runs, each file is a mount of its own.
fn held(dir: &OwnedFd, name: &Path, status: &Status) -> Option<OwnedFd> {
    let file = sys::fs::open_in(dir, name, O_PATH, 0, Within::Beneath).ok()?;
    let same = sys::look::status_at(&file, "").ok()?;
    (kind(same.mode) == Kind::File && same.inode == status.inode).then_some(file)
}

/// Does the file begin as a private key? `file` is known to be a regular one.
fn begins_as_key(file: &OwnedFd) -> bool {
    let Ok(file) = sys::fs::reopen(file, O_RDONLY | O_NONBLOCK | O_NOCTTY) else { return false };
    let mut head = [0; HEAD];
    sys::fs::read(&file, &mut head).is_ok_and(|n| is_key(&head[..n]))
}

/// What kind of file a mode tells.
pub(super) fn kind(mode: u32) -> Kind {
    match mode & S_IFMT {
        S_IFREG => Kind::File,
        S_IFDIR => Kind::Directory,
        S_IFBLK | S_IFCHR => Kind::Device,
        S_IFSOCK => Kind::Socket,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests;
