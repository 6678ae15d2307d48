//! `jaula start`: jails that stay, each with a keeper.

use crate::error::{Error, Result};
use crate::house::House;
use crate::keeper::control::{Reply, report};
use crate::keeper::{self, Begin};
use model::name::Name;
use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};

/// A jail that is ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Started {
    /// What the host lacks for the full confinement.
    pub warnings: Vec<String>,
}

/// So many jails start at a time. More would only wait for each other.
const AT_ONCE: usize = 8;

/// Starts jails and waits until each is ready. `done` is called for each as it comes about.
pub fn start(house: &House, names: &[Name], mut done: impl FnMut(&Name, Result<Started>)) {
    let mut waiting: VecDeque<&Name> = names.iter().collect();
    let mut starting: Vec<(&Name, OwnedFd)> = Vec::new();
    loop {
        while starting.len() < AT_ONCE
            && let Some(name) = waiting.pop_front()
        {
            match keeper::make(house, name, Begin::Start) {
                Ok(report) => starting.push((name, report)),
                Err(error) => done(name, Err(error)),
            }
        }
        if starting.is_empty() {
            return;
        }
        let wanted: Vec<_> = starting.iter().map(|(_, fd)| (fd.as_fd(), false)).collect();
        // If waiting fails, each is read from in turn all the same.
        let ready = sys::poll::wait(&wanted, None).unwrap_or_else(|_| vec![true; starting.len()]);
        let (now, later): (Vec<_>, Vec<_>) = starting.into_iter().zip(ready).partition(|(_, ready)| *ready);
        starting = later.into_iter().map(|(one, _)| one).collect();
        for ((name, socket), _) in now {
            done(name, outcome(name, &socket));
        }
    }
}

fn outcome(name: &Name, socket: &OwnedFd) -> Result<Started> {
    match report(socket) {
        Some(Reply::Ready { warnings }) => Ok(Started { warnings }),
        Some(Reply::Failed { message, help }) => {
            let jail = format!("jail {name:?}");
            let named = message.contains(&jail);
            let message = if named { message } else { format!("{jail} cannot start: {message}") };
            Err(Error::Keeper { message, help })
        }
        Some(Reply::Running) => Err(Error::Running(name.clone())),
        Some(Reply::Stopped { .. }) => Err(Error::NotRunning(name.clone())),
        Some(Reply::Console) | None => Err(Error::KeeperDied(name.clone())),
    }
}

/// Puts a new keeper beside a jail that runs without one. One that has ended is undone, and then
/// not running.
pub fn adopt(house: &House, name: &Name) -> Result<()> {
    outcome(name, &keeper::make(house, name, Begin::Adopt)?).map(drop)
}
