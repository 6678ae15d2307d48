//! Things on the host that several jails need: the first brings them, the last takes them away.
//!
//! Each has a directory below `/run/jaula/.shared` with a file for every jail that needs it, and one named `.made` if it
//! was jaula that brought it; that of a setting has what was set before. All of it happens under one lock. What the
//! journal says of it is only that this jail may need it, so that whoever undoes a jail finds its file, or finds it gone.

mod setting;

use super::links;
use crate::error::{Error, Result};
use model::name::Name;
use model::plan::{Setting, Shared};
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};
use sys::netlink::route::{self, Scope};
use sys::netlink::{Batch, Socket};

/// The directory of what is shared.
pub(crate) const SHARED: &str = ".shared";
/// Says that jaula brought it. No jail has such a name: it would be in the way of this one.
const MADE: &str = ".made";
/// How long others may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How it is called in a journal and as a directory.
pub(crate) fn key(shared: &Shared) -> String {
    match shared {
        Shared::Bridge { name, .. } => format!("bridge {name}"),
        Shared::Address { device, ip, prefix } => format!("address {device} {ip} {prefix}"),
        Shared::Setting { device, setting } => format!("{} {device}", setting.word()),
    }
}

/// Has it, for this jail.
pub(super) fn take(run: &Path, name: &Name, shared: &Shared) -> Result<()> {
    let place = run.join(SHARED).join(key(shared));
    let _alone = alone(run)?;
    crate::house::make_private(&place)?;
    touch(&place.join(name.as_str()))?;
    if !is_there(shared)? {
        let made = place.join(MADE);
        touch(&made)?;
        bring(shared, &made)?;
    }
    Ok(())
}

/// Needs it no more.
pub(crate) fn leave(run: &Path, name: &Name, key: &str) -> Result<()> {
    leave_and(run, name, key, take_away)
}

/// The same where it went with the network namespace that it was in.
pub(super) fn forget(run: &Path, name: &Name, key: &str) -> Result<()> {
    leave_and(run, name, key, |_, _| Ok(()))
}

fn leave_and(run: &Path, name: &Name, key: &str, last: impl FnOnce(&str, &Path) -> Result<()>) -> Result<()> {
    let place = run.join(SHARED).join(key);
    if !place.exists() {
        return Ok(());
    }
    let _alone = alone(run)?;
    remove(&place.join(name.as_str()))?;
    let others = std::fs::read_dir(&place).into_iter().flatten().flatten();
    if others.map(|entry| entry.file_name()).any(|name| name != MADE) {
        return Ok(());
    }
    if place.join(MADE).exists() {
        let made = place.join(MADE);
        last(key, &made)?;
        remove(&made)?;
    }
    match std::fs::remove_dir(&place) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", &place)(e)),
        _ => Ok(()),
    }
}

fn touch(path: &Path) -> Result<()> {
    std::fs::write(path, "").map_err(Error::io("make", path))
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path)(e)),
        _ => Ok(()),
    }
}

/// The lock, for as long as the result lives.
fn alone(run: &Path) -> Result<OwnedFd> {
    let failed = || Error::call("look after what jails share");
    let place = run.join(SHARED);
    crate::house::make_private(&place)?;
    let flags = sys::fs::O_RDONLY | sys::fs::O_DIRECTORY;
    let directory = sys::fs::open(sys::fs::CWD, &place, flags, 0).map_err(failed())?;
    let since = Instant::now();
    while !sys::fs::try_lock(&directory).map_err(failed())? {
        if since.elapsed() > PATIENCE {
            let owner = crate::claim::owner(&place);
            return Err(Error::refused(
                format!("what jails share is busy: {owner} has had it for more than 30 s"),
                "end it, or let it go on",
            ));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(directory)
}

fn socket() -> Result<Socket> {
    Socket::route().map_err(Error::call("reach the host's network"))
}

fn is_there(shared: &Shared) -> Result<bool> {
    Ok(match shared {
        Shared::Bridge { name, .. } => socket()?.index(name).is_ok(),
        Shared::Address { ip, device, .. } => {
            let socket = socket()?;
            let index = links::index(&socket, device)?;
            let all = route::addresses(&socket).map_err(Error::call("look for the host's addresses"))?;
            match all.iter().find(|(_, own, _)| own == ip) {
                Some((on, ..)) if *on == index => true,
                Some(_) => {
                    return Err(Error::refused(
                        format!("the host has {ip}, but not on {device}"),
                        "leave out \"dev\": then it stays where it is",
                    ));
                }
                None => false,
            }
        }
        Shared::Setting { device, setting } => setting::stands(*setting, device)?,
    })
}

fn bring(shared: &Shared, made: &Path) -> Result<()> {
    match shared {
        Shared::Bridge { name, mac } => links::bridge(name, *mac),
        Shared::Address { device, ip, prefix } => {
            let socket = socket()?;
            let index = links::index(&socket, device)?;
            let mut batch = Batch::default();
            route::add_address(&mut batch, index, *ip, *prefix, Scope::Universe);
            socket.send(&batch).map_err(Error::call("give the host an address"))
        }
        Shared::Setting { device, setting } => setting::lend(*setting, device, made),
    }
}

fn take_away(key: &str, made: &Path) -> Result<()> {
    let mut words = key.split(' ');
    let mut batch = Batch::default();
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some("bridge"), Some(name), None, _) => {
            route::delete_link(&mut batch, name);
            links::gone(&batch, "remove a bridge")
        }
        (Some("address"), Some(device), Some(ip), Some(prefix)) => {
            // With the interface its addresses went.
            let (Ok(index), Ok(ip), Ok(prefix)) =
                (socket()?.index(device), ip.parse::<IpAddr>(), prefix.parse::<u8>())
            else {
                return Ok(());
            };
            route::delete_address(&mut batch, index, ip, prefix);
            links::gone(&batch, "take an address from the host")
        }
        (Some(word), Some(device), None, _) => match Setting::ALL.iter().find(|other| other.word() == word) {
            Some(setting) => setting::give_back(*setting, device, made),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}
