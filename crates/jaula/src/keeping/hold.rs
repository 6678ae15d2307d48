//! A jail that holds still: one that does not run and is not started, or one whose processes are frozen.
//!
//! It is the keeper that freezes, for as long as the command is connected: a command that is killed cannot
//! leave a frozen jail behind. A keeper that is killed meanwhile can; then the command thaws, and if both
//! are, the next keeper.

use crate::claim::Claim;
use crate::error::{Error, Result};
use crate::house::House;
use crate::journal::{self, Entry, Journal};
use crate::keeper::control::{Order, Reply, order, reply};
use crate::registry;
use model::name::Name;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long freezing may take. A process that waits for a disk is frozen when that answers.
const FREEZING: Duration = Duration::from_secs(10);
/// How long a keeper may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// A jail that holds still until this is dropped.
#[derive(Debug)]
pub(crate) enum Hold {
    /// It does not run.
    Claimed(Claimed),
    /// It is frozen.
    Frozen(Frozen),
}

/// A jail that does not run and is not started.
#[derive(Debug)]
pub(crate) struct Claimed(Option<Claim>);

impl Claimed {
    /// Makes sure that a jail does not run, and is not started.
    pub(crate) fn take(house: &House, name: &Name) -> Result<Self> {
        let claim = Claim::take(house, name)?;
        crate::recover::stale(house, &claim)?;
        Ok(Self(Some(claim)))
    }

    /// Has whoever comes next look after what is half done, should we be killed from here on.
    pub(crate) fn begin(&self) -> Result<()> {
        match &self.0 {
            Some(claim) => Journal::begin(claim)?.write(&Entry::Keep),
            None => Ok(()),
        }
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        // An empty directory that stays is nothing.
        _ = self.0.take().map(|claim| claim.remove());
    }
}

/// A frozen jail.
#[derive(Debug)]
pub(crate) struct Frozen {
    lease: OwnedFd,
    group: PathBuf,
    since: Instant,
}

impl Hold {
    /// Makes a jail hold still.
    pub(crate) fn take(house: &House, name: &Name) -> Result<Self> {
        for _ in 0..3 {
            match registry::live(house, name)? {
                Some(live) if live.is_alive() => {
                    if live.state.passing {
                        return Err(Error::refused(
                            format!("jail {name:?} is one of `jaula run`: it keeps nothing"),
                            "jaula create makes jails that stay",
                        ));
                    }
                    if !live.kept {
                        crate::ops::start::adopt(house, name)?;
                    }
                    match Frozen::take(house, name) {
                        // It ended at this moment.
                        Err(Error::NotRunning(_) | Error::KeeperDied(_)) => {}
                        frozen => return frozen.map(Self::Frozen),
                    }
                }
                _ => match Claimed::take(house, name) {
                    // It was started at this moment.
                    Err(Error::Running(_)) => {}
                    claimed => return claimed.map(Self::Claimed),
                },
            }
        }
        Err(Error::refused(
            format!("jail {name:?} does not hold still"),
            "try again when it runs, or does not",
        ))
    }

    /// What it stands on is on the disk, as far as it is in a file system of its own.
    pub(crate) fn sync(&self, house: &House, name: &Name) -> Result<()> {
        match self {
            Self::Frozen(_) => sync(house, name),
            Self::Claimed(_) => Ok(()),
        }
    }

    /// Lets it go on; with how long it stood still, if it runs. An error means that it did not hold still to the end.
    pub(crate) fn release(self) -> Result<Option<Duration>> {
        match self {
            Self::Claimed(claimed) => {
                drop(claimed);
                Ok(None)
            }
            Self::Frozen(frozen) => {
                let stood = frozen.since.elapsed();
                // A keeper that thaws by itself, for a stop, hangs up.
                let gone = sys::poll::wait(&[(frozen.lease.as_fd(), false)], Some(Duration::ZERO));
                if gone.map_err(Error::call("ask the keeper"))?[0] {
                    return Err(Error::refused(
                        "the jail went on while it was copied: somebody has stopped it",
                        "try again",
                    ));
                }
                drop(frozen);
                Ok(Some(stood))
            }
        }
    }
}

impl Frozen {
    fn take(house: &House, name: &Name) -> Result<Self> {
        let not_running = || Error::NotRunning(name.clone());
        let flags = sys::fs::O_RDONLY | sys::fs::O_DIRECTORY;
        let run = sys::fs::open(sys::fs::CWD, house.running(name), flags, 0).map_err(|_| not_running())?;
        let since = Instant::now();
        let lease = order(&run, &Order::Freeze).map_err(|_| not_running())?;
        match reply(&lease, Some(ANSWER))? {
            Some(Reply::Frozen) => {}
            Some(Reply::Failed { message, help }) => return Err(Error::Keeper { message, help }),
            _ => return Err(Error::KeeperDied(name.clone())),
        }
        let group = group(&journal::read(&run)?).ok_or_else(not_running)?;
        let frozen = Self { lease, group, since };
        let events = frozen.group.join("cgroup.events");
        while !std::fs::read_to_string(&events).unwrap_or_default().contains("frozen 1") {
            if since.elapsed() > FREEZING {
                return Err(Error::refused(
                    format!(
                        "jail {name:?} cannot be frozen: one of its processes waits for something else than us"
                    ),
                    format!("try again, or stop it first: jaula stop {name}"),
                ));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(frozen)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // The keeper thaws when we hang up. If it was killed meanwhile, nobody else does.
        if sys::poll::wait(&[(self.lease.as_fd(), false)], Some(Duration::ZERO)).is_ok_and(|gone| gone[0]) {
            thaw(&self.group);
        }
    }
}

/// What a jail that runs has written so far is on the disk.
pub(crate) fn sync(house: &House, name: &Name) -> Result<()> {
    let Some(first) = registry::live(house, name)?.and_then(|live| live.state.first) else {
        return Ok(());
    };
    let flags = sys::fs::O_RDONLY | sys::fs::O_DIRECTORY;
    match sys::fs::open(sys::fs::CWD, format!("/proc/{}/root", first.pid), flags, 0) {
        // It ended at this moment, and with it its mounts are written out.
        Err(e) if e.is(sys::errno::ENOENT) || e.is(sys::errno::ESRCH) => Ok(()),
        root => root.and_then(sys::fs::sync_file_system),
    }
    .map_err(Error::call("write what the jail has written to its disk"))
}

/// The control group of a jail that can be frozen, by its journal: one of version 2.
pub(crate) fn group(entries: &[Entry]) -> Option<PathBuf> {
    entries.iter().find_map(|entry| match entry {
        Entry::Cgroup(path) if path.join("cgroup.freeze").exists() => Some(path.clone()),
        _ => None,
    })
}

/// Stops all processes of a control group where they are.
pub(crate) fn freeze(group: &Path) -> std::io::Result<()> {
    std::fs::write(group.join("cgroup.freeze"), "1")
}

/// Lets them go on. A group that is gone has none.
pub(crate) fn thaw(group: &Path) {
    let _ = std::fs::write(group.join("cgroup.freeze"), "0");
}
