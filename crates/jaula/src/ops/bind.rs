//! `jaula bind`: a command at addresses of the host, without a jail.
//!
//! What it needs is a control group with the programs of `network.mode = "bind"`. The group stays as long as a process
//! is in it, also when the command has ended and left others behind (a service that goes into the background); the
//! next `jaula bind` and `jaula gc` remove those that are empty.

use crate::claim::Claim;
use crate::error::{Error, Result};
use crate::foreground::{self, Role};
use crate::house::House;
use crate::journal::{Entry, Journal};
use crate::launch::{self, bind};
use crate::ops::{listeners, prepare};
use crate::signals;
use model::name::Name;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};
use sys::process::{Child, Exit};
use sys::signal::Signals;

/// What the names of their run directories begin with.
const PREFIX: &str = "bind-";

/// Runs the command, and waits for its end. `warn` is called with what it will not get, before it begins.
pub fn bind(
    house: &House,
    addresses: &[IpAddr],
    command: &[OsString],
    warn: impl FnMut(&str),
) -> Result<Exit> {
    if sys::process::user() != 0 {
        return Err(Error::refused("jaula bind needs root", "run it as root"));
    }
    let Some(unified) = crate::cgroup::find(false).unified else {
        return Err(prepare::network::no_unified("jaula bind"));
    };
    on_host(addresses)?;
    listeners::in_the_way(addresses, None).iter().map(listeners::Service::warning).for_each({
        let mut warn = warn;
        move |text| warn(&text)
    });
    sweep(house)?;

    let claim = claim(house)?;
    let mut journal = Journal::begin(&claim)?;
    let directory = match house.tag.as_str() {
        "" => format!("jaula.{}", claim.name),
        tag => format!("jaula.{tag}.{}", claim.name),
    };
    let group = unified.join(directory);
    let done = inside(house, &claim, &mut journal, &group, addresses, command);
    if is_left(&group) {
        // The claim's lock ends here; the group's last process decides about the rest.
        return done;
    }
    let undone = crate::recover::undo_all(house, &claim, journal.entries());
    let exit = done?;
    undone?;
    Ok(exit)
}

/// How long what a command has left may take to end after it: a server's workers and sessions do.
const ENDING: Duration = Duration::from_millis(100);

/// Does somebody stay in the group?
fn is_left(group: &Path) -> bool {
    let until = Instant::now() + ENDING;
    while crate::cgroup::is_used(group) {
        if Instant::now() > until {
            return true;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    false
}

/// The host must have these addresses.
fn on_host(addresses: &[IpAddr]) -> Result<()> {
    // Whoever has an address may bind to it.
    match addresses.iter().find(|ip| std::net::UdpSocket::bind((**ip, 0)).is_err()) {
        Some(ip) => Err(Error::refused(
            format!("this host does not have {ip}"),
            format!("give it to an interface, as in: ip address add {ip} dev eth0"),
        )),
        None => Ok(()),
    }
}

/// A name that nobody has: processes of an earlier command may still be in the group of the same number.
fn claim(house: &House) -> Result<Claim> {
    let pid = sys::process::number();
    let names = std::iter::once(format!("{PREFIX}{pid}")).chain((2..).map(|n| format!("{PREFIX}{pid}-{n}")));
    for name in names {
        let name: Name = name.parse()?;
        if let Some(claim) = Claim::try_take(house, &name, true)?
            && claim.fresh
        {
            return Ok(claim);
        }
    }
    Err(Error::NoId)
}

fn inside(
    house: &House,
    claim: &Claim,
    journal: &mut Journal,
    group: &Path,
    addresses: &[IpAddr],
    command: &[OsString],
) -> Result<Exit> {
    let id = claim.id(house, None, journal)?;
    journal.write(&Entry::Group(group.to_owned()))?;
    sys::fs::make_dir(sys::fs::CWD, group, 0o755).map_err(Error::call("make a control group"))?;
    let flags = sys::fs::O_RDONLY | sys::fs::O_DIRECTORY;
    let opened =
        sys::fs::open(sys::fs::CWD, group, flags, 0).map_err(Error::call("open the control group"))?;
    let own = bind::Own::new(addresses.iter().copied(), id.loopback(), true);
    bind::keep(&opened, &own).map_err(Error::call("keep the command to its addresses"))?;

    let signals = Signals::take(signals::PASSED_ON).map_err(Error::call("take signals"))?;
    let child = begin(&opened, command)?;
    foreground::watch(&child, None, &signals, Role::Command)
}

/// Makes the child, in the group. When this returns, it has become the program.
fn begin(group: &OwnedFd, command: &[OsString]) -> Result<Child> {
    let (ours, theirs) = sys::socket::pair().map_err(Error::call("prepare the program"))?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let name = command.first().map(OsString::as_os_str).unwrap_or_default();
    let programs = prepare::programs(name, &path.to_string_lossy());
    let environment = std::env::vars_os()
        .map(|(mut name, value)| {
            name.push("=");
            name.push(value);
            name
        })
        .collect();
    let steps = model::plan::execute_here(&programs, command, environment);
    let descriptors: BTreeMap<&str, i32> =
        [("parent", ours.as_raw_fd()), ("meeting", theirs.as_raw_fd())].into();
    let program = launch::lower(&steps, &descriptors);
    let (child, _loan) = sys::process::spawn(program, 0, Some(group.as_fd()), theirs.as_fd())
        .map_err(Error::call("make the command's process"))?;
    drop(theirs);
    match launch::outcome(&steps, ours.as_fd()) {
        Ok(_) => Ok(child),
        Err(error) => {
            // It ends by itself after it said why.
            let _ = sys::process::wait(&child.pidfd);
            Err(match error {
                Error::NoProgram { command } => Error::NoCommand { command },
                other => other,
            })
        }
    }
}

/// Removes what commands have left whose last process has ended.
fn sweep(house: &House) -> Result<()> {
    for entry in std::fs::read_dir(&house.run).into_iter().flatten().flatten() {
        let name = entry.file_name().to_str().filter(|name| name.starts_with(PREFIX)).map(str::parse::<Name>);
        let Some(Ok(name)) = name else { continue };
        if let Some(claim) = Claim::try_take(house, &name, false)? {
            let entries = crate::journal::read(&claim)?;
            if entries.iter().any(|entry| matches!(entry, Entry::Group(_)))
                && !crate::recover::is_used(&entries)
            {
                crate::recover::undo_all(house, &claim, &entries)?;
            }
        }
    }
    Ok(())
}
