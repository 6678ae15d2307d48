//! Programs that all jails share, pinned in the BPF file system, where a start takes them from.
//!
//! To load and verify them takes about 2 ms, to attach them a tenth of that. They are a cache: without them, or with
//! more addresses than they have room for, a start loads programs of its own. Whoever could put others in their place
//! could let a jail out, so that only what root alone may write to is used.

use super::known::{Known, LENGTH};
use super::{NAME, Own, programs};
use std::fs::{self, DirBuilder, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use sys::bpf::map::Map;
use sys::bpf::{Hook, Program, load, pin};

const FILE_SYSTEM: &str = "/sys/fs/bpf";
/// `BPF_FS_MAGIC`
const MAGIC: i64 = 0xcafe_4a11;
const DIRECTORY: &str = "/sys/fs/bpf/jaula";
/// What the directories in it begin with that have a set.
const PREFIX: &str = "bind-";
/// The name of the map of jails in a set.
const JAILS: &str = "jails";

/// Programs with the map that has each jail's addresses.
pub(super) struct Set {
    jails: Map,
    programs: Vec<(Hook, Program)>,
}

/// The set that is pinned, or a new one that is from now on. `any`: a descriptor.
pub(super) fn set(any: BorrowedFd<'_>) -> Option<Set> {
    if !is_ours(Path::new(DIRECTORY)) {
        return None;
    }
    // Maps stand in the code by their descriptors, which are not looked at here.
    let programs = programs(Known::Map(any), any);
    let place = PathBuf::from(format!("{DIRECTORY}/{PREFIX}{:016x}", digest(&programs)));
    let hooks: Vec<Hook> = programs.iter().map(|(hook, _)| *hook).collect();
    Set::pinned(&place, &hooks).ok().or_else(|| Set::made(&place, &hooks))
}

/// Is this a directory that only root writes to, in a BPF file system where nobody else can take it away? It is made
/// if it is missing there.
fn is_ours(path: &Path) -> bool {
    let Some(above) = path.parent() else { return false };
    let of_root = |path: &Path| fs::symlink_metadata(path).ok().filter(|about| about.uid() == 0);
    if sys::fs::magic(FILE_SYSTEM).ok() != Some(MAGIC)
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

/// A number that follows from the code.
fn digest(programs: &[(Hook, Vec<u64>)]) -> u64 {
    /// The first of the two instructions that load a map's descriptor, whose upper half this is.
    const LOAD_MAP: u64 = 0x1018;
    let mut hasher = DefaultHasher::new();
    for (hook, code) in programs {
        format!("{hook:?}").hash(&mut hasher);
        for instruction in code {
            let is_map = instruction & 0xf0ff == LOAD_MAP;
            hasher.write_u64(if is_map { instruction & 0xffff_ffff } else { *instruction });
        }
    }
    hasher.finish()
}

impl Set {
    fn pinned(place: &Path, hooks: &[Hook]) -> sys::Result<Self> {
        let jails = Map::pinned(place.join(JAILS), 8, LENGTH)?;
        let program = |hook: &Hook| Ok((*hook, Program::pinned(*hook, place.join(format!("{hook:?}")))?));
        Ok(Self { jails, programs: hooks.iter().map(program).collect::<sys::Result<_>>()? })
    }

    /// A new set, pinned if that can be; those of other versions go, which running jails keep nevertheless.
    fn made(place: &Path, hooks: &[Hook]) -> Option<Self> {
        let above = place.parent()?;
        let lock = File::open(above).and_then(|directory| directory.lock().map(|()| directory)).ok()?;
        if let Ok(set) = Self::pinned(place, hooks) {
            return Some(set);
        }
        let set = Self::loaded().ok()?;
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
        Some(set)
    }

    pub(super) fn loaded() -> sys::Result<Self> {
        let (sockets, jails) = (Map::of_sockets()?, Map::of_groups(LENGTH)?);
        let programs = programs(Known::Map(jails.as_fd()), sockets.as_fd())
            .into_iter()
            .map(|(hook, code)| Ok((hook, load(hook, NAME, &code)?)))
            .collect::<sys::Result<_>>()?;
        Ok(Self { jails, programs })
    }

    fn pin(&self, place: &Path) -> sys::Result<()> {
        pin(&self.jails, place.join(JAILS))?;
        self.programs.iter().try_for_each(|(hook, program)| pin(program, place.join(format!("{hook:?}"))))
    }

    /// Keeps the group to these addresses. Nobody is in it yet.
    pub(super) fn keep(&self, group: impl AsFd, own: &Own, jail: u64, value: &[u8]) -> sys::Result<()> {
        for (number, (hook, program)) in self.programs.iter().enumerate() {
            // To be asked at every setsockopt(2) is of use to these only.
            if *hook == Hook::Setsockopt && !own.is_only_v4() {
                continue;
            }
            program.attach(&group)?;
            if number == 0 {
                // The group has a value once a program is there.
                self.jails.set(&jail.to_ne_bytes(), value)?;
            }
        }
        Ok(())
    }
}
