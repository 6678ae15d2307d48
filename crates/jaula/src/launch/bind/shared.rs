//! Programs that all jails share: pinned in the BPF file system, where a start takes them from, or those that another
//! jail runs with.
//!
//! To load and verify them takes about 2 ms, to attach them a tenth of that. Whoever could put others in their place
//! could let a jail out, so that only what root alone may write to is used. What is called as they are was made by this
//! version ([`NAME`]), and by root.

use super::known::{Known, LENGTH};
use super::{NAME, Own, programs};
use std::fs::{self, DirBuilder, File};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use sys::bpf::map::Map;
use sys::bpf::{Hook, Program, attached, load, pin};

const FILE_SYSTEM: &str = "/sys/fs/bpf";
/// `BPF_FS_MAGIC`
const MAGIC: i64 = 0xcafe_4a11;
const DIRECTORY: &str = "/sys/fs/bpf/jaula";
/// What the directories in it begin with that have a set.
const PREFIX: &str = "bind-";
/// The name of the map of jails in a set.
const JAILS: &str = "jails";
/// So many of the groups of other jails are looked at.
const MOST_GROUPS: usize = 32;

/// All hooks of a set; the first one's program has the map of jails.
pub(super) const HOOKS: [Hook; 16] = [
    Hook::SocketCreate,
    Hook::Bind4,
    Hook::Bind6,
    Hook::Connect4,
    Hook::Connect6,
    Hook::Sendmsg4,
    Hook::Sendmsg6,
    Hook::Recvmsg4,
    Hook::Recvmsg6,
    Hook::Getsockname4,
    Hook::Getsockname6,
    Hook::Getpeername4,
    Hook::Getpeername6,
    Hook::Setsockopt,
    Hook::Egress,
    Hook::Ingress,
];

/// Those that a jail with these addresses needs.
fn needed(own: &Own) -> Vec<Hook> {
    // To be asked at every setsockopt(2) is of use to these only.
    HOOKS.into_iter().filter(|hook| *hook != Hook::Setsockopt || own.is_only_v4()).collect()
}

/// The programs for a group: those that are pinned, those of another jail, or new ones, which are pinned from now on if
/// there is where to.
pub(super) fn set(group: BorrowedFd<'_>, own: &Own) -> sys::Result<Set> {
    let needed = needed(own);
    if is_ours(Path::new(DIRECTORY)) {
        let place = PathBuf::from(format!("{DIRECTORY}/{PREFIX}{NAME}"));
        if let Some(set) = Set::pinned(&place, &needed).ok().or_else(|| Set::made(&place, &needed)) {
            return Ok(set);
        }
    }
    Set::running(group, &needed).map_or_else(|| Set::loaded(&needed), Ok)
}

/// Can programs be kept between starts?
pub(crate) fn is_kept() -> bool {
    sys::fs::magic(FILE_SYSTEM).ok() == Some(MAGIC)
}

/// Is this a directory that only root writes to, in a BPF file system where nobody else can take it away? It is made
/// if it is missing there.
fn is_ours(path: &Path) -> bool {
    let Some(above) = path.parent() else { return false };
    let of_root = |path: &Path| fs::symlink_metadata(path).ok().filter(|about| about.uid() == 0);
    if !is_kept()
        || !of_root(above).is_some_and(|about| about.mode() & 0o022 == 0 || about.mode() & 0o1000 != 0)
    {
        return false;
    }
    let private = |about: &fs::Metadata| about.is_dir() && about.mode() & 0o077 == 0;
    // If it cannot be made, or is somebody's by now, it is not ours.
    of_root(path)
        .or_else(|| DirBuilder::new().mode(0o700).create(path).ok().and_then(|()| of_root(path)))
        .as_ref()
        .is_some_and(private)
}

/// Programs with the map that has each jail's addresses.
pub(super) struct Set {
    jails: Map,
    programs: Vec<Program>,
}

impl Set {
    fn pinned(place: &Path, hooks: &[Hook]) -> sys::Result<Self> {
        let jails = Map::pinned(place.join(JAILS), 8, LENGTH)?;
        let program = |hook: &Hook| Program::pinned(*hook, place.join(format!("{hook:?}")));
        Ok(Self { jails, programs: hooks.iter().map(program).collect::<sys::Result<_>>()? })
    }

    /// A new set, pinned if that can be; those of other versions go, which running jails keep nevertheless.
    fn made(place: &Path, needed: &[Hook]) -> Option<Self> {
        let above = place.parent()?;
        let lock = File::open(above).and_then(|directory| directory.lock().map(|()| directory)).ok()?;
        if let Ok(set) = Self::pinned(place, needed) {
            return Some(set);
        }
        let mut set = Self::loaded(&HOOKS).ok()?;
        for old in fs::read_dir(above).ok()?.flatten() {
            // What cannot be removed is not used either, but if it is this place: then these are not pinned.
            let _ = fs::remove_dir_all(old.path());
        }
        // By a rename, so that a set is there with all of its programs or not at all.
        let new = above.join("new");
        if DirBuilder::new().mode(0o700).create(&new).is_err()
            || set.pin(&new).is_err()
            || fs::rename(&new, place).is_err()
        {
            let _ = fs::remove_dir_all(&new);
        }
        drop(lock);
        set.programs.retain(|program| needed.contains(&program.hook()));
        Some(set)
    }

    /// The set of another jail: its group stands beside this one.
    fn running(group: BorrowedFd<'_>, hooks: &[Hook]) -> Option<Self> {
        let above = format!("/proc/self/fd/{}/..", group.as_raw_fd());
        let is_jails = |entry: &fs::DirEntry| entry.file_name().as_encoded_bytes().starts_with(b"jaula.");
        let groups = fs::read_dir(above).ok()?.flatten().filter(is_jails).take(MOST_GROUPS);
        groups.filter_map(|entry| File::open(entry.path()).ok()).find_map(|other| Self::of(&other, hooks))
    }

    /// The set that this group has, if these are all there.
    fn of(group: &File, hooks: &[Hook]) -> Option<Self> {
        let first = |hook: &Hook| attached(group, *hook, NAME).ok()?.into_iter().next();
        let programs: Vec<Program> = hooks.iter().map(first).collect::<Option<_>>()?;
        let jails = Map::of_groups_in(programs.first()?, LENGTH).ok()??;
        Some(Self { jails, programs })
    }

    pub(super) fn loaded(hooks: &[Hook]) -> sys::Result<Self> {
        let (sockets, jails) = (Map::of_sockets()?, Map::of_groups(LENGTH)?);
        let programs = programs(Known::Map(jails.as_fd()), sockets.as_fd())
            .into_iter()
            .filter(|(hook, _)| hooks.contains(hook))
            .map(|(hook, code)| load(hook, NAME, &code))
            .collect::<sys::Result<_>>()?;
        Ok(Self { jails, programs })
    }

    fn pin(&self, place: &Path) -> sys::Result<()> {
        pin(&self.jails, place.join(JAILS))?;
        self.programs.iter().try_for_each(|program| pin(program, place.join(format!("{:?}", program.hook()))))
    }

    /// Keeps the group to what this value of its says. No process in it has a socket yet.
    pub(super) fn keep(&self, group: impl AsFd, number: u64, value: &[u8]) -> sys::Result<()> {
        for (at, program) in self.programs.iter().enumerate() {
            program.attach(&group)?;
            if at == 0 {
                // The group has a value once a program is there.
                self.jails.set(&number.to_ne_bytes(), value)?;
            }
        }
        Ok(())
    }
}
