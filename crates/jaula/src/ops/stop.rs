//! `jaula stop`: a signal, a time limit, and then the end.

use crate::claim::Claim;
use crate::error::{Error, Result};
use crate::house::House;
use crate::journal::{self, Entry};
use crate::keeper::control::{Order, Reply, order, reply};
use crate::recover;
use crate::signals::{Effect, deliver, effect};
use crate::state::{Ended, State};
use model::name::Name;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

/// Stops jails, all at the same time, and waits until nothing is left of them. `timeout`
/// takes the place of `boot.stop_timeout`; 0 kills at once. `done` is called for each.
pub fn stop(
    house: &House,
    names: &[Name],
    timeout: Option<Duration>,
    mut done: impl FnMut(&Name, Result<Option<Ended>>),
) {
    let told: Vec<(&Name, Result<Told>)> =
        names.iter().map(|name| (name, tell(house, name, timeout))).collect();
    for (name, told) in told {
        done(name, told.and_then(|told| until_stopped(house, name, told, timeout)));
    }
}

/// So many keepers may be killed while they stop one jail.
const KEEPERS: u32 = 3;

fn until_stopped(house: &House, name: &Name, told: Told, timeout: Option<Duration>) -> Result<Option<Ended>> {
    let mut told = told;
    for _ in 1..KEEPERS {
        match wait(house, name, told, timeout) {
            // It was killed, or it was at its end already when we came.
            Err(Error::KeeperDied(_)) => {}
            done => return done,
        }
        told = match tell(house, name, timeout) {
            Err(Error::NotRunning(_)) => return Ok(None),
            told => told?,
        };
    }
    wait(house, name, told, timeout)
}

/// Who was told to stop.
enum Told {
    /// A keeper, which answers when it is done.
    Keeper(OwnedFd),
    /// The first process of a jail that passes with the command that runs it.
    Passing(Box<State>),
}

fn tell(house: &House, name: &Name, timeout: Option<Duration>) -> Result<Told> {
    let path = house.running(name);
    let not_running = || Error::NotRunning(name.clone());
    let flags = sys::fs::O_PATH | sys::fs::O_DIRECTORY;
    let run = sys::fs::open(sys::fs::CWD, &path, flags, 0).map_err(|_| not_running())?;
    let Some(state) = State::read(&run)? else {
        // It starts at this moment, or whoever started it was killed.
        tidy(house, name)?;
        return Err(not_running());
    };
    if state.passing {
        let first = state.first.and_then(|first| Some((first.pid, first.open()?))).ok_or_else(not_running)?;
        signal(&run, first.0, &first.1, sys::signal::SIGTERM);
        return Ok(Told::Passing(Box::new(state)));
    }
    let stop = Order::Stop { timeout: timeout.map(|t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX)) };
    let refused = match order(&run, &stop) {
        Ok(socket) => return Ok(Told::Keeper(socket)),
        Err(refused) => refused,
    };
    // A keeper that lives but does not listen any more is at its end.
    if let Some(keeper) = state.keeper.open() {
        let ended = sys::poll::wait(&[(keeper.as_fd(), false)], Some(AT_ITS_END));
        if !ended.map_err(Error::call("wait for the keeper"))?[0] {
            return Err(Error::call("reach the keeper")(refused));
        }
    }
    if state.first.is_none_or(|first| first.open().is_none()) {
        tidy(house, name)?;
        return Err(not_running());
    }
    // Its keeper was killed: the jail gets another one, which does it.
    crate::ops::start::adopt(house, name)?;
    order(&run, &stop).map(Told::Keeper).map_err(Error::call("reach the keeper"))
}

/// How long a keeper may take to end when it does not listen any more.
const AT_ITS_END: Duration = Duration::from_secs(10);

fn wait(house: &House, name: &Name, told: Told, timeout: Option<Duration>) -> Result<Option<Ended>> {
    match told {
        Told::Keeper(socket) => match reply(&socket, None)? {
            Some(Reply::Stopped { ended }) => Ok(ended),
            Some(Reply::Failed { message, help }) => Err(Error::Keeper { message, help }),
            _ => Err(Error::KeeperDied(name.clone())),
        },
        Told::Passing(state) => {
            let limit = timeout.unwrap_or(Duration::from_secs(10));
            for process in [state.first, Some(state.keeper)].into_iter().flatten() {
                let Some(pidfd) = process.open() else { continue };
                let ended = sys::poll::wait(&[(pidfd.as_fd(), false)], Some(limit));
                if !ended.map_err(Error::call("wait for the jail"))?[0] && Some(process) == state.first {
                    deliver(process.pid, &pidfd, sys::signal::SIGKILL);
                }
            }
            tidy(house, name).map(|()| None)
        }
    }
}

/// Undoes what a jail left that has ended without its keeper.
fn tidy(house: &House, name: &Name) -> Result<()> {
    if let Some(claim) = Claim::try_take(house, name, false)? {
        recover::abandoned(house, claim)?;
    }
    Ok(())
}

/// Sends the signal that asks a jail to stop. A first process that handles it gets it. One
/// that does not is immune to it, where any other program would have ended: then all others
/// inside get it. They are returned; when they have ended, it is the first one's turn.
pub(crate) fn signal(run: impl AsFd, pid: i32, first: impl AsFd, signal: i32) -> Vec<OwnedFd> {
    if effect(pid, signal) != Effect::Ends {
        // If it is gone by now, all is well.
        let _ = sys::process::signal(&first, signal);
        return Vec::new();
    }
    let others = others(run, pid);
    if others.is_empty() {
        deliver(pid, first, signal);
    }
    for other in &others {
        let _ = sys::process::signal(other, signal);
    }
    others
}

/// The jail's processes but its first, by its control group.
fn others(run: impl AsFd, first: i32) -> Vec<OwnedFd> {
    let entries = journal::read(run).unwrap_or_default();
    let group = entries.iter().find_map(|entry| match entry {
        Entry::Cgroup(path) => Some(path.as_path()),
        _ => None,
    });
    let list = |group: &Path| std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let list = group.map(list).unwrap_or_default();
    let pids = list.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid != first && *pid > 0);
    pids.filter_map(|pid| sys::process::open(pid).ok()).collect()
}
