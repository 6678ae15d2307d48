//! `jaula start`: jails that stay, each with a keeper.

use crate::error::{Error, Result};
use crate::house::House;
use crate::keeper::control::{Reply, report};
use crate::keeper::{self, Begin};
use crate::ops::boot::{self, Came};
use model::name::Name;
use std::os::fd::OwnedFd;

/// A jail that is ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Started {
    /// What the host lacks for the full confinement.
    pub warnings: Vec<String>,
}

/// Starts jails, and what they depend on, and waits until each is ready. `done` is called for each as it
/// comes about.
pub fn start(house: &House, names: &[Name], mut done: impl FnMut(&Name, Result<Started>)) {
    let order = boot::needed(house, names);
    let started = boot::start(house, order, None, |name, came| {
        let came = match came {
            Came::Started(started) => Ok(started),
            Came::Failed(error) => Err(error),
            Came::Skipped(on) => Err(Error::Dependency { name: name.clone(), on }),
            Came::NoPlace(why) => Err(Error::NoPlace(why)),
            Came::Running | Came::Stopped(_) | Came::Idle | Came::Late(_) => {
                Err(Error::Running(name.clone()))
            }
        };
        done(name, came);
    });
    if let (Err(error), Some(first)) = (started, names.first()) {
        done(first, Err(error));
    }
}

pub(crate) fn outcome(name: &Name, socket: &OwnedFd) -> Result<Started> {
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
        Some(Reply::Console | Reply::Frozen) | None => Err(Error::KeeperDied(name.clone())),
    }
}

/// Starts one jail so that it can be repaired: it has its files and no network, and nothing of its own runs in it.
pub fn rescue(house: &House, name: &Name) -> Result<Started> {
    outcome(name, &keeper::make(house, name, Begin::Rescue)?)
}

/// Puts a new keeper beside a jail that runs without one. One that has ended is undone, and then
/// not running.
pub fn adopt(house: &House, name: &Name) -> Result<()> {
    outcome(name, &keeper::make(house, name, Begin::Adopt)?).map(drop)
}
