//! `jaula run`: one command in a jail that lives as long as it does.

use crate::claim::Claim;
use crate::error::{Error, Result};
use crate::house::House;
use crate::journal::{Entry, Journal};
use crate::launch::{self, Launched};
use crate::ops::prepare::{Prepared, Start, prepare};
use crate::session::{Session, streams};
use crate::signals;
use crate::state::{self, Phase, State};
use model::config::{Config, Writes};
use model::name::{Id, Name};
use model::plan::Plan;
use std::ffi::OsString;
use std::os::fd::AsFd;
use sys::process::Exit;
use sys::signal::{SIGWINCH, Signals};

/// What to run.
#[derive(Debug)]
pub struct Run {
    /// The jail.
    pub config: Config,
    /// What runs in it; empty for `boot.command`.
    pub command: Vec<OsString>,
    /// Its name; `run-PID` if none is given.
    pub name: Option<Name>,
    /// A terminal of its own: yes, no, or if the caller has one.
    pub terminal: Option<bool>,
}

impl Run {
    /// The configuration as a run has it: what is written is not kept, since there is nothing
    /// to keep it under when the command has ended.
    fn config(&self) -> Result<Config> {
        let mut config = self.config.clone();
        match config.root.writes {
            Some(Writes::Kept) => {
                return Err(Error::refused(
                    "root.writes = \"kept\": a run keeps nothing",
                    "make a jail that stays: jaula create NAME …; or let writes be discarded: --ephemeral",
                ));
            }
            Some(_) => {}
            None => config.root.writes = Some(Writes::Refused),
        }
        Ok(config)
    }

    fn name(&self) -> Result<Name> {
        match &self.name {
            Some(name) => Ok(name.clone()),
            None => Ok(format!("run-{}", std::process::id()).parse()?),
        }
    }
}

/// The plan of a run, with the number that a first run would get.
pub fn plan(house: &House, run: &Run) -> Result<Plan> {
    let id = run.config.id.map_or_else(|| Id::new(Id::FIRST_PASSING).map_err(|_| Error::NoId), Ok)?;
    let start = Start { command: &run.command, passing: true, streams: streams(run.terminal).0 };
    Ok(prepare(house, &run.name()?, id, &run.config()?, start)?.plan)
}

/// Runs it. The process that is called is the jail's keeper; nothing of the jail is left when
/// this returns.
pub fn run(house: &House, run: &Run) -> Result<Exit> {
    let name = run.name()?;
    if house.config(&name).exists() {
        return Err(Error::Exists(name));
    }
    let config = run.config()?;
    let claim = Claim::take(house, &name)?;
    crate::recover::stale(house, &claim)?;
    let mut journal = Journal::begin(&claim)?;
    let done = inside(house, run, &config, &claim, &mut journal);
    let undone = crate::recover::undo(house, claim);
    let exit = done?;
    undone?;
    Ok(exit)
}

fn inside(house: &House, run: &Run, config: &Config, claim: &Claim, journal: &mut Journal) -> Result<Exit> {
    let id = claim.id(house, config.id)?;
    journal.write(&Entry::Id(id))?;
    let (streams, typing) = streams(run.terminal);
    let Prepared { plan, confinement } =
        prepare(house, &claim.name, id, config, Start { command: &run.command, passing: true, streams })?;
    let signals = Signals::take(signals::PASSED_ON).map_err(Error::call("take signals"))?;
    let launched = launch::start(&plan, journal)?;
    let state = State::of(&claim.name, config, &confinement, id, &launched, Phase::Running, true)?;
    state::write_filter(claim, &confinement.filter)?;
    state.write(claim)?;
    claim.unlock()?;
    watch(launched, &signals, typing)
}

/// Waits for the end, passing signals and terminals on.
fn watch(launched: Launched, signals: &Signals, typing: bool) -> Result<Exit> {
    let Launched { first, console } = launched;
    let mut session = console.map(|console| Session::join(console, typing)).transpose()?;
    loop {
        let mut ended = false;
        let mut signalled = false;
        let mut wait = |more: &[(std::os::fd::BorrowedFd<'_>, bool)]| {
            let mut wanted = vec![(first.pidfd.as_fd(), false), (signals.as_fd(), false)];
            wanted.extend_from_slice(more);
            let ready = sys::poll::wait(&wanted, None).map_err(Error::call("wait for the jail"))?;
            (ended, signalled) = (ready[0], ready[1]);
            Ok(ready)
        };
        let key = match &mut session {
            Some(session) => session.turn(first.pid, wait)?,
            None => wait(&[]).map(|_| None)?,
        };
        if let Some(signal) = key {
            signals::deliver(first.pid, &first.pidfd, signal);
        }
        while let Some(signal) = signals.next().ok().flatten().filter(|_| signalled) {
            match (&session, signal) {
                (Some(session), SIGWINCH) => session.resize(),
                _ => drop(signals::deliver(first.pid, &first.pidfd, signal)),
            }
        }
        if ended {
            if let Some(session) = session {
                session.finish();
            }
            return sys::process::wait(&first.pidfd)
                .map_err(Error::call("wait for the jail's first process"));
        }
    }
}
