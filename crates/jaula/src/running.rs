//! A jail that runs, held open for one more process.
//!
//! All that has a path on the host is opened before the jail's namespaces are joined. Of what is
//! found in the jail's tree nothing is trusted: it is opened so that no link leads out of it, and
//! a terminal is looked at before it is used.

use crate::cgroup::{self, Groups};
use crate::error::{Error, Result};
use crate::house::House;
use crate::journal::{self, Entry};
use crate::state::State;
use model::confinement::Confinement;
use model::name::Name;
use model::users::Identity;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use sys::fs::{CWD, Kind, O_DIRECTORY, O_NOCTTY, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR, Within};
use sys::process::{
    CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS,
};

/// A running jail.
#[derive(Debug)]
pub(crate) struct Running {
    /// What is known of it.
    pub(crate) state: State,
    /// What holds its processes.
    pub(crate) confinement: Confinement,
    /// Its first process.
    pub(crate) first: OwnedFd,
    /// Its control groups.
    pub(crate) groups: Groups,
    /// The first process in `/proc`.
    process: OwnedFd,
    /// Its root directory.
    pub(crate) root: OwnedFd,
}

/// Both ends of a terminal of the jail's.
#[derive(Debug)]
pub(crate) struct Terminal {
    /// Ours.
    pub(crate) ours: OwnedFd,
    /// The program's.
    pub(crate) theirs: OwnedFd,
}

fn is_root() -> bool {
    sys::process::user() == 0
}

impl Running {
    /// Finds a jail that runs and takes hold of it.
    pub(crate) fn open(house: &House, name: &Name) -> Result<Self> {
        let not_running = || match house.config(name).exists() {
            true => Error::NotRunning(name.clone()),
            false => Error::NoJail(name.to_string()),
        };
        let run = match sys::fs::open(CWD, house.running(name), O_PATH | O_DIRECTORY, 0) {
            Err(e) if e.is(sys::errno::ENOENT) => return Err(not_running()),
            opened => opened.map_err(Error::call("open the jail's run directory"))?,
        };
        let state = State::read(&run)?.ok_or_else(not_running)?;
        let id = state.first.ok_or_else(not_running)?;
        let first = id.open().ok_or_else(not_running)?;
        let path = format!("/proc/{}", id.pid);
        let process = sys::fs::open(CWD, &path, O_PATH | O_DIRECTORY, 0).map_err(|_| not_running())?;
        let root = sys::fs::open(&process, "root", O_PATH | O_DIRECTORY, 0);
        // Only of a process that still runs is it certain that the number was its own so far.
        if !crate::process::runs(&first) {
            return Err(not_running());
        }
        let root = root.map_err(Error::call("reach the jail's root"))?;
        let confinement = state.confinement()?;
        let entries = journal::read(&run)?;
        let groups: Vec<&Path> = entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Cgroup(path) => Some(path.as_path()),
                _ => None,
            })
            .collect();
        let groups = cgroup::open(&groups, &process)?;
        Ok(Self { state, confinement, first, groups, process, root })
    }

    /// Who a process inside is to be. Without root a jail has one user, its caller.
    pub(crate) fn identity(&self, wanted: Option<&str>) -> Result<Identity> {
        if is_root() {
            let Some(wanted) = wanted else { return Ok(Identity::root()) };
            let found = self.find(wanted)?;
            let count = self.state.id.range().count;
            let highest = found.groups.iter().copied().fold(found.user.max(found.group), u32::max);
            match Some(highest).filter(|id| *id >= count) {
                None => Ok(found),
                Some(id) => Err(Error::refused(
                    format!("{id} is no user or group of a jail"),
                    format!("a jail has those from 0 to {}", count - 1),
                )),
            }
        } else {
            let own = |file| self.mapped(file);
            let (user, group) = (own("uid_map")?, own("gid_map")?);
            let mut found = self.find(wanted.unwrap_or(&user.to_string()))?;
            if found.user != user {
                return Err(Error::refused(
                    format!("without root this jail has one user, {user}"),
                    "leave --user out, or start the jail as root",
                ));
            }
            // The kernel lets nobody without root change them.
            (found.group, found.groups) = (group, Vec::new());
            Ok(found)
        }
    }

    fn find(&self, wanted: &str) -> Result<Identity> {
        Identity::find(wanted, &self.read("etc/passwd"), &self.read("etc/group"))
            .map_err(|e| Error::refused(e.to_string(), "name one of its users, or a number"))
    }

    /// The first id in a map of the jail's user namespace (user_namespaces(7)).
    fn mapped(&self, file: &str) -> Result<u32> {
        let map =
            sys::fs::open(&self.process, file, O_RDONLY, 0).and_then(|f| sys::fs::read_all(&f, 1 << 16));
        let map = map.map_err(Error::call("read the jail's ids"))?;
        let first = String::from_utf8_lossy(&map).split_whitespace().next().and_then(|n| n.parse().ok());
        first.ok_or_else(|| Error::Inside("the jail has no users".to_owned()))
    }

    /// A text of the jail's tree. One that cannot be read knows no users; then numbers still do.
    fn read(&self, file: &str) -> String {
        let flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
        let bytes = sys::fs::open_in(&self.root, file, flags, 0, Within::Root)
            .and_then(|file| sys::fs::read_all(&file, 1 << 20))
            .unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Has its tree something at this path?
    pub(crate) fn has(&self, path: &Path) -> bool {
        sys::fs::open_in(&self.root, path, O_PATH, 0, Within::Root).is_ok()
    }

    /// A new terminal of the jail's, for this user.
    pub(crate) fn terminal(&self, user: u32) -> Result<Terminal> {
        const DEVPTS: i64 = 0x1cd1;
        const PTMX: Kind = Kind::Device { major: 5, minor: 2 };
        let failed = || Error::call("open a terminal of the jail's");
        let found = sys::fs::open_in(&self.root, "dev/pts/ptmx", O_PATH, 0, Within::Root).map_err(failed())?;
        if sys::fs::magic_of(&found).map_err(failed())? != DEVPTS
            || sys::fs::kind(&found).map_err(failed())? != PTMX
        {
            return Err(Error::refused(
                "the jail's /dev/pts/ptmx is no terminal",
                "something inside has taken its place; --no-tty needs none",
            ));
        }
        let ours = sys::fs::reopen(&found, O_RDWR | O_NOCTTY).map_err(failed())?;
        let theirs = sys::terminal::peer(&ours).map_err(failed())?;
        if is_root() {
            // It would belong to whoever opened it, and the host's root is nobody inside.
            sys::fs::give(&theirs, self.state.id.range().outside + user).map_err(failed())?;
        }
        if let Ok(size) = sys::terminal::size(std::io::stdout()) {
            sys::terminal::set_size(&ours, size).map_err(failed())?;
        }
        Ok(Terminal { ours, theirs })
    }

    /// Joins the jail: this process its mounts with its root and directory, its children the
    /// rest. Which namespaces root leaves to the child is said at [`model::plan::exec`].
    pub(crate) fn join(&self) -> Result<()> {
        let mut kinds = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC;
        if !self.state.network.is_hosts() {
            kinds |= CLONE_NEWNET;
        }
        if !is_root() {
            kinds |= CLONE_NEWUSER | CLONE_NEWCGROUP;
        }
        sys::process::join(&self.first, kinds).map_err(Error::call("join the jail"))
    }

    /// Puts a process, by our number for it, into those groups that it is not born in.
    pub(crate) fn move_into_groups(&self, pid: i32) -> Result<()> {
        for list in &self.groups.moved {
            sys::fs::write(list.as_fd(), pid.to_string().as_bytes())
                .map_err(Error::call("put the program into the jail's control group"))?;
        }
        Ok(())
    }
}
