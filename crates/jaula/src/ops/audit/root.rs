//! A jail's root: through its first process if it runs, else put together from the configuration.

use super::overlay::Layer;
use super::walk::{Budget, Ids, Region, Walk, is_opened, kind};
use crate::error::{Error, Result};
use crate::house::House;
use crate::ops::prepare::Inside;
use crate::rootfs::store;
use crate::state::ProcessId;
use model::audit::tree::{Kind, Mount, Tree, Who};
use model::config::{Config, Method, MountSource, Owners, Profile, RootSpec, Writes};
use model::name::{Id, Name};
use model::plan::{AppFile, Writable};
use std::collections::HashSet;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use sys::fs::{CWD, O_DIRECTORY, O_PATH};

/// What is the kernel's.
const KERNEL: [&str; 3] = ["/proc", "/sys", "/dev"];

/// A jail whose root is to be looked at.
pub(super) struct Root<'a> {
    pub(super) house: &'a House,
    pub(super) name: &'a Name,
    pub(super) id: Id,
    pub(super) config: &'a Config,
    pub(super) inside: &'a Inside,
    pub(super) who: &'a Who,
}

impl Root<'_> {
    fn privileged() -> bool {
        sys::process::user() == 0
    }

    /// What the jail has anew at each start: also its `/tmp`, unless files of its program lie there.
    fn is_memory(&self, path: &Path) -> bool {
        path.starts_with("/run") || path.starts_with("/tmp") && !self.inside.in_tmp
    }

    /// Ids on mounts as a process of the host sees them.
    fn outer_ids(&self) -> Ids {
        match Self::privileged() {
            true => Ids::From(self.id.range().outside, self.id.range().count),
            false => Ids::Own(sys::process::user(), self.who.user),
        }
    }

    fn walk<'w>(&'w self, ids: Ids, region: &'w dyn Fn(&Path) -> Region, budget: &'w mut Budget) -> Walk<'w> {
        Walk { who: self.who, ids, region, budget, covered: HashSet::new() }
    }

    /// What is mounted beside the root: what of the host, memory, and the directories that the jail
    /// may write to.
    fn places(&self) -> Vec<(PathBuf, Region)> {
        let shown =
            |writable, hosts| Region::Shown { mount: Some(Mount { writable, ..Mount::default() }), hosts };
        let mounts = self.config.mounts.iter().map(|mount| {
            let bind = matches!(mount.source, MountSource::Bind { .. });
            (mount.target.clone(), if bind { shown(mount.writable, true) } else { Region::Memory })
        });
        let own = self.inside.writable.iter().map(|w| {
            let region = if w.kept.is_some() { shown(true, false) } else { Region::Memory };
            (Path::new("/").join(&w.path), region)
        });
        mounts.chain(own).collect()
    }

    /// Is the root itself the host's own files, and not a copy of them?
    fn hosts(&self) -> bool {
        let shown = matches!(self.config.root.from, Some(RootSpec::Host | RootSpec::App(_)));
        let copied = self.config.root.method == Method::Copy || self.config.root.is_own();
        shown && !copied && self.config.root.writes_in_force() == Writes::Refused
    }

    /// What a path of a jail that runs is.
    pub(super) fn running(&self, top: &OwnedFd) -> Tree {
        let (places, hosts) = (self.places(), self.hosts());
        let region = |path: &Path| {
            let place = places
                .iter()
                .filter(|(at, _)| path.starts_with(at))
                .max_by_key(|(at, _)| at.as_os_str().len());
            match place {
                Some((_, region)) => *region,
                None if KERNEL.iter().any(|at| path.starts_with(at)) => Region::Skip,
                None if self.is_memory(path) => Region::Memory,
                None => Region::Shown { mount: None, hosts },
            }
        };
        let mut tree = Tree::default();
        self.walk(self.outer_ids(), &region, &mut Budget::new()).tree(top, Path::new("/"), &mut tree);
        tree
    }

    /// The root as the next start would make it.
    pub(super) fn stopped(&self) -> Result<Tree> {
        let (mut tree, mut budget) = (Tree::default(), Budget::new());
        let config = self.config;
        let mapped = config.root.owners_in_force() == Owners::Mapped;
        let setuid = config.security.profile == Profile::Server;
        let writable = config.root.writes_in_force() != Writes::Refused;
        let mount = Mount { writable, setuid, devices: false, hosts: self.hosts() };
        match &config.root.from {
            _ if config.root.is_own() => {
                let opened = store::look(self.house, self.name, config)?;
                let path = format!("/proc/self/fd/{}", opened.root().as_raw_fd());
                self.directory(Path::new(&path), (mount, mapped), &mut budget, &mut tree)?;
            }
            Some(RootSpec::Dir(path)) => self.directory(path, (mount, mapped), &mut budget, &mut tree)?,
            Some(RootSpec::Host) => self.directory(Path::new("/"), (mount, false), &mut budget, &mut tree)?,
            Some(RootSpec::App(_))
                if let Some(taken) = self.inside.tree.as_deref().filter(|tree| tree.exists()) =>
            {
                self.directory(taken, (mount, mapped), &mut budget, &mut tree)?;
            }
            Some(RootSpec::App(_)) => self.app((mount, mapped), &mut budget, &mut tree),
            // Those others have a store.
            Some(_) | None => {}
        }
        for bind in &config.mounts {
            if let MountSource::Bind { path, mapped } = &bind.source {
                let mount = Mount { writable: bind.writable, setuid: false, devices: false, hosts: true };
                self.part(path, &bind.target, (mount, *mapped), &mut budget, &mut tree);
            }
        }
        for Writable { path, kept, .. } in &self.inside.writable {
            let mount = Mount { writable: true, ..Mount::default() };
            if let Some(kept) = kept {
                self.part(kept, &Path::new("/").join(path), (mount, mapped), &mut budget, &mut tree);
            }
        }
        Ok(tree)
    }

    fn ids(&self, mapped: bool) -> Ids {
        if mapped && Self::privileged() { Ids::Same(self.id.range().count) } else { self.outer_ids() }
    }

    /// What the jail has written lies over what it was made of.
    fn directory(
        &self,
        path: &Path,
        (mount, mapped): (Mount, bool),
        budget: &mut Budget,
        tree: &mut Tree,
    ) -> Result<()> {
        let covers = self.places();
        let region = |path: &Path| {
            let other = KERNEL.iter().any(|at| path.starts_with(at))
                || self.is_memory(path)
                || covers.iter().any(|(at, _)| path.starts_with(at));
            if other { Region::Skip } else { Region::Shown { mount: Some(mount), hosts: mount.hosts } }
        };
        let flags = O_PATH | O_DIRECTORY;
        let mut walk = self.walk(self.ids(mapped), &region, budget);
        if self.config.root.writes_in_force() == Writes::Kept && !self.config.root.is_own() {
            let upper = self.house.kept(self.name).join("overlay/upper");
            if let Ok(top) = sys::fs::open(CWD, &upper, flags, 0) {
                let Layer { whiteouts, covers } = Layer::of(&top);
                walk.covered = whiteouts;
                walk.tree(&top, Path::new("/"), tree);
                walk.covered = covers;
            }
        }
        let top = sys::fs::open(CWD, path, flags, 0).map_err(Error::call("look at the jail's root"))?;
        walk.tree(&top, Path::new("/"), tree);
        Ok(())
    }

    fn app(&self, as_is: (Mount, bool), budget: &mut Budget, tree: &mut Tree) {
        for entry in &self.inside.app {
            let path = Path::new("/").join(&entry.path);
            match &entry.what {
                AppFile::File(source) | AppFile::Directory(source) => {
                    self.part(source, &path, as_is, budget, tree);
                }
                AppFile::Link(_) => tree.files += 1,
                AppFile::Text(text) => {
                    tree.files += 1;
                    tree.bytes += text.len() as u64;
                }
            }
        }
    }

    /// A file or directory of the host at a place inside.
    fn part(
        &self,
        source: &Path,
        at: &Path,
        (mount, mapped): (Mount, bool),
        budget: &mut Budget,
        tree: &mut Tree,
    ) {
        let places = self.places();
        let region = |path: &Path| {
            let other = places
                .iter()
                .any(|(place, _)| place.as_path() != at && path.starts_with(place) && place.starts_with(at));
            if other { Region::Skip } else { Region::Shown { mount: Some(mount), hosts: mount.hosts } }
        };
        let mut walk = self.walk(self.ids(mapped), &region, budget);
        // The configuration names it, so that links on the way to it are its administrator's.
        let Ok(top) = sys::fs::open(CWD, source, O_PATH, 0) else {
            tree.unseen += 1;
            return;
        };
        let Ok(status) = sys::look::status_at(&top, "") else { return };
        if kind(status.mode) == Kind::Directory {
            walk.note(at, &status, None, mount, tree);
            walk.tree(&top, at, tree);
        } else if walk.budget.seen.insert((status.device, status.inode)) {
            let file = is_opened(at, &status).then_some(&top);
            walk.note(at, &status, file, mount, tree);
        }
    }
}

/// A running jail's first process, as its directory in `/proc`, and its root.
pub(super) fn of_process(id: ProcessId) -> Option<(OwnedFd, OwnedFd)> {
    let first = id.open()?;
    let process = sys::fs::open(CWD, format!("/proc/{}", id.pid), O_PATH | O_DIRECTORY, 0).ok()?;
    let root = sys::fs::open(&process, "root", O_PATH | O_DIRECTORY, 0).ok()?;
    // Only of a process that still runs is it certain that the number was its own so far.
    crate::process::runs(&first).then_some((process, root))
}

/// Had the process its mounts until now? A process that ends gives up its root before its namespaces go
/// (`exit_fs` in the kernel's do_exit), and is only then seen to have ended by its pidfd.
pub(super) fn has_mounts(process: &OwnedFd) -> bool {
    sys::fs::open(process, "root", O_PATH | O_DIRECTORY, 0).is_ok()
}
