//! Quota of projects, for the stores that are directories: all that a jail writes has one project number, and
//! the file system refuses what goes over its limits. `df` inside shows them, as the kernel's statfs(2) does.
//!
//! A file gets its directory's number when it is made. So a directory is [`mark`]ed while it is empty, and
//! all that is made in it is counted; [`mark`] goes through one that is not.

use crate::error::{Error, Result};
use crate::house::House;
use model::config::{Ceiling, Config};
use model::name::Id;
use model::units::{Bytes, Count};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{Metadata, Permissions};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use sys::fs::{CWD, Identity, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY, Within};
use sys::quota::{Limit, Quota, State};

/// A number of projects, on the file system that the house is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Project(u32);

impl Project {
    /// That of a jail: from 2³⁰ on, where no administrator's are, first by house and then by the jail's id.
    pub fn of(house: &House, id: Id) -> Self {
        let house = u32::from_str_radix(&house.tag, 16).unwrap_or(0);
        Self(1 << 30 | (house & 0x7fff) << 15 | u32::from(id.number()))
    }
}

/// What a jail may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// `root.size`
    pub size: Option<Ceiling<Bytes>>,
    /// `root.inodes`
    pub inodes: Option<Ceiling<Count>>,
}

impl Limits {
    /// Those of a configuration.
    pub fn of(config: &Config) -> Self {
        Self { size: config.root.size, inodes: config.root.inodes }
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.size.is_none() && self.inodes.is_none()
    }

    fn space(&self) -> Limit {
        self.size.map_or_else(Limit::default, |c| Limit { soft: whole(c.soft.0), hard: whole(c.hard.0) })
    }

    fn files(&self) -> Limit {
        self.inodes.map_or_else(Limit::default, |c| Limit { soft: c.soft.0, hard: c.hard.0 })
    }
}

/// The kernel keeps limits in kibibytes.
fn whole(bytes: u64) -> u64 {
    bytes.div_ceil(1024).saturating_mul(1024)
}

/// Why a directory's file system enforces no quota of projects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// The kernel has no quota at all.
    Kernel,
    /// The file system has none of projects.
    Kind(String),
    /// It is switched off.
    Off {
        /// Its kind.
        kind: String,
        /// What it is on.
        device: String,
        /// Where it is mounted.
        at: String,
    },
    /// It counts and does not refuse.
    Counted {
        /// Where it is mounted.
        at: String,
    },
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kernel => f.write_str("this kernel is built without quota (CONFIG_QUOTA)"),
            Self::Kind(kind) => write!(f, "{kind} has no quota of projects"),
            Self::Off { kind, at, .. } => write!(f, "{kind} on {at} keeps no quota of projects"),
            Self::Counted { at } => write!(f, "project quota on {at} is counted and not enforced"),
        }
    }
}

impl Lack {
    /// How it is switched on.
    pub fn mend(&self) -> String {
        match self {
            Self::Kernel | Self::Kind(_) => {
                "take root.store = \"image\", whose size is its file's, or btrfs".to_owned()
            }
            Self::Off { kind, device, at } if kind == "ext4" => format!(
                "unmount it, then: tune2fs -O quota,project -Q prjquota {device} && mount -o prjquota {device} {at}"
            ),
            Self::Off { device, at, .. } => format!(
                "mount it anew with it: umount {at} && mount -o prjquota {device} {at} (the root: rootflags=prjquota on the kernel's command line)"
            ),
            Self::Counted { at } => format!("quotaon -P {at}, and prjquota among its options in /etc/fstab"),
        }
    }
}

/// Does the file system of a directory enforce quota of projects? `None` if so.
pub fn lack(directory: &Path) -> Result<Option<Lack>> {
    let top = open(directory)?;
    let state = sys::quota::state(&top).map_err(Error::call("ask for the quota"))?;
    if state == State::Enforced {
        return Ok(None);
    }
    let (at, kind, device) = mounted(directory);
    Ok(Some(match state {
        _ if !Path::new("/proc/sys/fs/quota").exists() => Lack::Kernel,
        State::Counted => Lack::Counted { at },
        _ if kind == "ext4" || kind == "xfs" => Lack::Off { kind, device, at },
        _ => Lack::Kind(kind),
    }))
}

/// What would not be enforced is not taken.
pub fn refused(what: &str, lack: &Lack) -> Error {
    let mend = lack.mend();
    let help = match lack {
        Lack::Kernel | Lack::Kind(_) => mend,
        // What needs no change of the host stands first: it may be its root that would be unmounted.
        Lack::Off { .. } | Lack::Counted { .. } => {
            format!(
                "take root.store = \"image\", whose size is its file's, or btrfs; or switch it on: {mend}"
            )
        }
    };
    Error::refused(format!("{what} cannot be kept: {lack}"), help)
}

/// Does a directory, and all in it, belong to a project?
pub fn is_marked(directory: &Path, project: Project) -> Result<bool> {
    match sys::quota::project(&open(directory)?) {
        Ok(now) => Ok(now == (project.0, true) && !unfinished(directory).exists()),
        // A file system without projects.
        Err(_) => Ok(false),
    }
}

/// Is beside a directory as long as not all in it has the project that the directory has.
fn unfinished(directory: &Path) -> PathBuf {
    directory.with_file_name(".counting")
}

/// Gives a directory, and what will be made in it, to a project; and all that is in it, where it is not
/// that project's already. Nobody else may change it meanwhile.
pub fn mark(directory: &Path, project: Project) -> Result<()> {
    match is_marked(directory, project)? {
        true => Ok(()),
        false => all(directory, project),
    }
}

/// Takes a directory, and all that is in it, out of whatever project it is in: a copy that the jail does not
/// pay for.
pub fn unmark(directory: &Path) -> Result<()> {
    match sys::quota::project(&open(directory)?) {
        // None, or a file system without projects.
        Ok((0, false)) | Err(_) if !unfinished(directory).exists() => Ok(()),
        _ => all(directory, Project(0)),
    }
}

/// Goes through all of a directory. It is the first that gets the number, since links are made again in it; if this
/// is killed, what lies beside it tells the next try.
fn all(directory: &Path, project: Project) -> Result<()> {
    let (top, mark) = (open(directory)?, unfinished(directory));
    let names = names(&top)?;
    if !names.is_empty() {
        std::fs::write(&mark, "").map_err(Error::io("write", &mark))?;
    }
    sys::quota::set_project(&top, project.0, project.0 != 0).map_err(failed())?;
    for name in names {
        give(&top, &name, project)?;
    }
    match std::fs::remove_file(&mark) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", &mark)(e)),
        _ => Ok(()),
    }
}

/// Sets what a project may take, and reads it back. The file system must enforce it, see [`lack`].
pub fn limit(directory: &Path, project: Project, limits: &Limits) -> Result<()> {
    let top = open(directory)?;
    let (space, files) = (limits.space(), limits.files());
    let set = || Error::call("limit what the jail may take");
    if sys::quota::get(&top, project.0).is_ok_and(|now| (now.space, now.files) == (space, files)) {
        return Ok(());
    }
    sys::quota::set(&top, project.0, space, files).map_err(set())?;
    let now = sys::quota::get(&top, project.0).map_err(set())?;
    if (now.space, now.files) == (space, files) {
        return Ok(());
    }
    Err(Error::refused(
        format!(
            "{} keeps other limits than it was given: {:?}, {:?}",
            directory.display(),
            now.space,
            now.files
        ),
        "the largest is what its file system can count",
    ))
}

/// What a project takes and may take.
pub fn usage(directory: &Path, project: Project) -> Result<Quota> {
    let top = open(directory)?;
    sys::quota::get(&top, project.0).map_err(Error::call("ask for the quota"))
}

/// Takes a project's limits away, when its files are gone. `beside` is on the same file system.
pub fn release(beside: &Path, project: Project) {
    // Without quota there is nothing to take away.
    if let Ok(top) = open(beside) {
        _ = sys::quota::set(&top, project.0, Limit::default(), Limit::default());
    }
}

fn failed() -> impl FnOnce(sys::CallError) -> Error {
    Error::call("count what the jail takes")
}

fn open(directory: &Path) -> Result<OwnedFd> {
    sys::fs::open(CWD, directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0).map_err(failed())
}

fn names(directory: &OwnedFd) -> Result<Vec<OsString>> {
    Ok(sys::look::names(directory, usize::MAX).map_err(failed())?.0)
}

/// Gives one name of a directory to a project, with all below it. A jail can nest directories deeper than any
/// stack or table of descriptors: one is open at a time, and the way up is `..`, looked at before it is used.
fn give(top: &OwnedFd, name: &OsStr, project: Project) -> Result<()> {
    let mut above: Vec<(Identity, Vec<OsString>)> = Vec::new();
    let mut left = vec![name.to_owned()];
    let mut here = top.try_clone().map_err(Error::io("open", Path::new(name)))?;
    loop {
        while let Some(name) = left.pop() {
            let Some(inner) = one(&here, &name, project)? else { continue };
            above.push((
                sys::fs::identity(&here).map_err(failed())?,
                std::mem::replace(&mut left, names(&inner)?),
            ));
            here = inner;
        }
        let Some((identity, outer)) = above.pop() else { return Ok(()) };
        here = sys::fs::open(&here, "..", O_RDONLY | O_DIRECTORY, 0).map_err(failed())?;
        if sys::fs::identity(&here).map_err(failed())? != identity {
            return Err(Error::refused("the jail's tree changed while it was counted", "try again"));
        }
        left = outer;
    }
}

/// One name; a directory is given back open, to go on in it.
fn one(here: &OwnedFd, name: &OsStr, project: Project) -> Result<Option<OwnedFd>> {
    let path = inside(here, name);
    let about = std::fs::symlink_metadata(&path).map_err(Error::io("look at", &path))?;
    let flags = match about.is_dir() {
        true => O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
        false if about.is_file() => O_RDONLY | O_NOFOLLOW | O_NONBLOCK,
        false => return renew(here, name, &about).map(|()| None),
    };
    let file = sys::fs::open_in(here, name, flags, 0, Within::Mount).map_err(failed())?;
    sys::quota::set_project(&file, project.0, about.is_dir() && project.0 != 0).map_err(failed())?;
    Ok(about.is_dir().then_some(file))
}

fn inside(directory: &OwnedFd, name: &OsStr) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name)
}

/// Makes a symbolic link, a node, a socket or a FIFO again: nothing but its making gives it a project before
/// Linux 6.17, and with another than its directory's the kernel would let nobody rename it.
fn renew(here: &OwnedFd, name: &OsStr, about: &Metadata) -> Result<()> {
    let new = format!(".jaula.{}", std::process::id());
    if about.is_symlink() {
        let target = sys::fs::read_link(here, name).map_err(failed())?;
        sys::fs::make_link(&target, here, &new).map_err(failed())?;
    } else {
        sys::copy::make_node(here, &new, about.mode(), about.rdev()).map_err(failed())?;
    }
    let made = like(here, &new, about).and_then(|()| sys::fs::rename(here, &new, name).map_err(failed()));
    if made.is_err() {
        _ = sys::fs::remove(here, &new, false);
    }
    made
}

fn like(here: &OwnedFd, new: &str, about: &Metadata) -> Result<()> {
    let made = sys::fs::open(here, new, O_PATH | O_NOFOLLOW, 0).map_err(failed())?;
    sys::fs::set_owner(&made, about.uid(), about.gid()).map_err(failed())?;
    if !about.is_symlink() {
        // fchmod(2) takes no `O_PATH` descriptor; its link leads to the node just made, whatever its name is now.
        let path = PathBuf::from(format!("/proc/self/fd/{}", made.as_raw_fd()));
        let mode = Permissions::from_mode(about.mode() & 0o7777);
        std::fs::set_permissions(&path, mode).map_err(Error::io("set the mode of", &path))?;
    }
    sys::copy::set_times(&made, about).map_err(failed())
}

/// Where a path's file system is mounted, its kind, and what it is on (proc_pid_mountinfo(5)).
pub(crate) fn mounted(path: &Path) -> (String, String, String) {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let line = |line: &str| {
        let (mount, fs) = line.split_once(" - ")?;
        let at = mount.split(' ').nth(4)?.replace("\\040", " ");
        let mut fs = fs.split(' ');
        path.starts_with(&at)
            .then(|| (at, fs.next().unwrap_or("?").to_owned(), fs.next().unwrap_or("?").to_owned()))
    };
    // Of several at one place the last covers the others.
    let best = table.lines().filter_map(line).max_by_key(|(at, ..)| at.len());
    best.unwrap_or_else(|| ("/".to_owned(), "this file system".to_owned(), "DEVICE".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lack_has_a_way_out() {
        let off = |kind: &str| Lack::Off {
            kind: kind.to_owned(),
            device: "/dev/sda1".to_owned(),
            at: "/srv".to_owned(),
        };
        assert!(off("ext4").mend().contains("tune2fs -O quota,project -Q prjquota /dev/sda1"));
        assert!(off("xfs").mend().contains("mount -o prjquota /dev/sda1 /srv"));
        assert!(Lack::Counted { at: "/".to_owned() }.mend().starts_with("quotaon -P /"));
        let refused = super::refused("root.size", &off("ext4"));
        assert!(
            refused.help().is_some_and(|help| help.starts_with("take root.store = \"image\"")),
            "{refused}"
        );
    }

    #[test]
    fn projects_are_of_one_house_and_one_jail() {
        let house = |tag: &str| House { tag: tag.to_owned(), ..House::below(Path::new("/x")) };
        let of = |tag: &str, id| Project::of(&house(tag), Id::new(id).unwrap());
        assert_eq!(of("", 101), Project((1 << 30) + 101));
        assert_ne!(of("8eaba0f1", 101), of("8eaba0f2", 101));
        assert!(of("ffffffff", Id::MAX).0 < 1 << 31);
    }
}
