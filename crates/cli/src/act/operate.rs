//! `start`, `stop`, `restart`, `console`, `gc`.

use crate::act::{printed, selected};
use crate::command::{DryRun, Gc, Selection, Start, Stop, When};
use crate::exit::ExitCode;
use crate::output::error::report;
use crate::output::progress::Progress;
use crate::output::{print_json, print_text};
use jaula::house::House;
use jaula::ops::boot::Came;
use jaula::ops::gc::Found;
use jaula::{Error, Result, ops, registry};
use model::name::Name;
use model::signal::Signal;
use std::fmt::Write;
use std::path::Path;

/// How to talk about what is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Talk {
    pub(crate) quiet: bool,
    pub(crate) color: When,
}

/// Prints what failed for one of several jails. The last failure decides the status.
pub(crate) fn failed(error: &Error, talk: Talk, status: &mut u8) {
    report(error, error.help().as_deref(), talk.color);
    *status = crate::act::status(error);
}

/// `jaula start`
pub(crate) fn start(given: &Start, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    let names = selected(&house, &given.jails)?;
    if let Some(how) = given.dry_run {
        for name in &names {
            crate::act::plan::print(&ops::plan::plan(&house, name)?, how == DryRun::Json)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if given.rescue {
        let mut status = 0;
        for name in &names {
            match ops::start::rescue(&house, name) {
                // As it is, it runs: that it is not for its repair must be said.
                Err(Error::Running(_)) => {
                    let error = Error::refused(
                        format!("jail {name} runs as it is"),
                        format!("stop it first: jaula stop {name}"),
                    );
                    failed(&error, talk, &mut status);
                }
                Err(error) => failed(&error, talk, &mut status),
                Ok(_) => {}
            }
        }
        return Ok(ExitCode::from(status));
    }
    let done = start_all(&house, &names, talk)?;
    if let [name] = &names[..] {
        tell_manager(&house, name)?;
    }
    Ok(done)
}

/// Tells a service manager that listens (sd_notify(3)) which process to watch: the jail's keeper.
fn tell_manager(house: &House, name: &Name) -> Result<()> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let Some(at) = std::env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let Some(live) = registry::live(house, name)?.filter(|live| live.kept) else { return Ok(()) };
    let text = format!("MAINPID={}\nREADY=1\nSTATUS=jail {name} is ready", live.state.keeper.pid);
    let bytes = at.as_encoded_bytes();
    let address = match bytes.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&at),
    };
    let send = || UnixDatagram::unbound()?.send_to_addr(text.as_bytes(), &address?);
    send().map(drop).map_err(Error::io("tell the service manager at", Path::new(&at)))
}

/// Starts jails, and prints what failed.
pub(crate) fn start_all(house: &House, names: &[Name], talk: Talk) -> Result<ExitCode> {
    let mut status = 0;
    let mut progress = Progress::new(talk.quiet || names.len() < 2);
    let mut count = 0;
    ops::start::start(house, names, |name, done| {
        count += 1;
        progress.say(&format!("started {count} of {}: {name}", names.len()));
        match done {
            Ok(started) => {
                for warning in started.warnings {
                    if !talk.quiet {
                        crate::output::error::warn(&format!("jail {name}: {warning}"), talk.color);
                    }
                }
            }
            // Whoever asks for it to run has what they asked for.
            Err(Error::Running(_)) => {}
            Err(error) => failed(&error, talk, &mut status),
        }
    });
    Ok(ExitCode::from(status))
}

/// `jaula stop`
pub(crate) fn stop(given: &Stop, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    let names = selected(&house, &given.jails)?;
    let mut status = 0;
    let mut progress = Progress::new(talk.quiet || names.len() < 2);
    let mut count = 0;
    // What depends on others stops before them.
    ops::boot::stop(&house, &names, given.timeout.map(|t| t.0), None, |name, came| {
        count += 1;
        progress.say(&format!("stopped {count} of {}: {name}", names.len()));
        match came {
            Came::Failed(error) => failed(&error, talk, &mut status),
            Came::Idle if given.jails != Selection::All => {
                failed(&Error::NotRunning(name.clone()), talk, &mut status);
            }
            _ => {}
        }
    })?;
    Ok(ExitCode::from(status))
}

/// `jaula restart`
pub(crate) fn restart(jails: &Selection, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    let names = selected(&house, jails)?;
    let mut status = 0;
    let mut again = Vec::new();
    ops::stop::stop(&house, &names, None, |name, done| match done {
        // One that does not run is started: whoever restarts a jail wants it to run.
        Ok(_) | Err(Error::NotRunning(_)) => again.push(name.clone()),
        Err(error) => failed(&error, talk, &mut status),
    });
    let started = start_all(&house, &again, talk)?;
    Ok(if status == 0 { started } else { ExitCode::from(status) })
}

/// `jaula signal`
pub(crate) fn signal(name: &str, signal: Signal) -> Result<ExitCode> {
    let house = House::from_environment();
    ops::signal::signal(&house, &registry::one(&house, name)?, signal)?;
    Ok(ExitCode::SUCCESS)
}

/// `jaula console`
pub(crate) fn console(name: &str, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    let name = registry::one(&house, name)?;
    ops::console::console(&house, &name, || {
        if !talk.quiet {
            eprint_line(&format!("at the console of {name}; leave it with Ctrl-]"));
        }
    })?;
    if !talk.quiet {
        eprint_line("\r");
    }
    Ok(ExitCode::SUCCESS)
}

fn eprint_line(text: &str) {
    // Nobody reads it if it cannot be written.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{text}\r\n").as_bytes());
}

/// `jaula gc`
pub(crate) fn gc(given: &Gc) -> Result<ExitCode> {
    let found = ops::gc::gc(&House::from_environment(), !given.dry_run)?;
    let mut text = String::new();
    for one in &found {
        let _ = match one {
            Found::Abandoned(name) => writeln!(text, "{name}: ended without its keeper; undone"),
            Found::Orphan(name) => writeln!(text, "{name}: runs without its keeper; has a new one"),
            Found::Number(number) => writeln!(text, "id {number}: nobody has it; given back"),
            Found::Half(what) => writeln!(text, "{what}"),
            Found::Firewall(name) => {
                writeln!(text, "{name}: of its part of the host's firewall something was gone; put back")
            }
            Found::Base(path) => writeln!(text, "{path}: no jail is made of it; removed"),
            Found::Temporary(file) => writeln!(text, "{file}: half written; removed"),
        };
    }
    printed(if given.json { print_json(&found) } else { print_text(&text) })
}
