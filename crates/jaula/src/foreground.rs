//! A program in a jail with its caller in front of it: terminals, signals, and its end.

use crate::error::{Error, Result};
use crate::session::Session;
use crate::signals;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;
use sys::process::{Child, Exit};
use sys::signal::{SIGHUP, SIGKILL, SIGTERM, SIGWINCH, Signals};

/// What the program is to its jail; signals reach it accordingly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Its first process, which the kernel keeps from most signals.
    First,
    /// One more process: a signal is a signal.
    Command,
    /// A login shell. An interactive one ignores `SIGTERM` but not the loss of its terminal.
    Shell,
}

/// What whoever waits for a program looks after beside it.
pub(crate) trait Beside {
    /// What it waits for.
    fn wanted<'a>(&'a self, wanted: &mut Vec<(BorrowedFd<'a>, bool)>);
    /// How long it can wait.
    fn timeout(&self) -> Option<Duration>;
    /// Something came, or the time is over; for each of what was wanted, whether it is ready.
    fn turn(&mut self, ready: &[bool]) -> Result<()>;
    /// A signal for the jail. `typed`: it has it already. `false`: nothing is done about it here.
    fn signal(&mut self, signal: i32, typed: bool) -> bool;
}

/// Nothing.
impl Beside for () {
    fn wanted<'a>(&'a self, _: &mut Vec<(BorrowedFd<'a>, bool)>) {}
    fn timeout(&self) -> Option<Duration> {
        None
    }
    fn turn(&mut self, _: &[bool]) -> Result<()> {
        Ok(())
    }
    fn signal(&mut self, _: i32, _: bool) -> bool {
        false
    }
}

/// Waits for the program's end, passing signals and terminals on.
pub(crate) fn watch(
    program: &Child,
    session: Option<Session>,
    signals: &Signals,
    role: Role,
) -> Result<Exit> {
    watch_beside(program, session, signals, role, &mut ())
}

/// The same with something to look after.
pub(crate) fn watch_beside(
    program: &Child,
    mut session: Option<Session>,
    signals: &Signals,
    role: Role,
    beside: &mut impl Beside,
) -> Result<Exit> {
    // The signal that a kill stood in for.
    let mut ended_by = None;
    loop {
        let mut ended = false;
        let mut signalled = false;
        let mut others = Vec::new();
        let mut wait = |more: &[(BorrowedFd<'_>, bool)]| {
            let mut wanted = vec![(program.pidfd.as_fd(), false), (signals.as_fd(), false)];
            wanted.extend_from_slice(more);
            beside.wanted(&mut wanted);
            let ready =
                sys::poll::wait(&wanted, beside.timeout()).map_err(Error::call("wait for the program"))?;
            (ended, signalled) = (ready[0], ready[1]);
            others.extend_from_slice(&ready[2 + more.len()..]);
            Ok(ready)
        };
        let key = match &mut session {
            Some(session) => session.turn(program.pid, wait)?,
            None => wait(&[]).map(|_| None)?,
        };
        beside.turn(&others)?;
        if let Some(signal) = key.filter(|signal| role == Role::First && !beside.signal(*signal, true)) {
            ended_by = signals::deliver(program.pid, &program.pidfd, signal).then_some(signal);
        }
        while signalled && let Some(signal) = signals.next().ok().flatten() {
            match (&session, signal, role) {
                (Some(session), SIGWINCH, _) => session.resize(),
                (Some(_), SIGTERM | SIGHUP, Role::Shell) => session = None,
                (_, _, Role::First) if beside.signal(signal, false) => {}
                (_, _, Role::First) => {
                    let ends = signals::deliver(program.pid, &program.pidfd, signal);
                    if ends {
                        ended_by = Some(signal);
                    }
                }
                // Whoever is gone needs no signal.
                _ => drop(sys::process::signal(&program.pidfd, signal)),
            }
        }
        if ended {
            if let Some(session) = session {
                session.finish();
            }
            let exit = sys::process::wait(&program.pidfd).map_err(Error::call("wait for the program"))?;
            return Ok(match (exit, ended_by) {
                (Exit::Signal(SIGKILL), Some(signal)) => Exit::Signal(signal),
                (exit, _) => exit,
            });
        }
        // Dropped, it hangs up: the programs on the jail's terminal are told.
        session = session.filter(|session| !session.is_gone());
    }
}
