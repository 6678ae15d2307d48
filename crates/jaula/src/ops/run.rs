//! `jaula run`: one command in a jail that lives as long as it does.

use crate::claim::Claim;
use crate::error::{Error, Result};
use crate::foreground::{self, Role};
use crate::house::House;
use crate::journal::Journal;
use crate::launch;
use crate::ops::prepare::{Prepared, Start, prepare};
use crate::session::{Session, streams};
use crate::signals;
use crate::state::{Phase, State};
use model::config::{Config, Writes};
use model::name::{Id, Name};
use model::plan::Plan;
use std::ffi::OsString;
use sys::process::Exit;
use sys::signal::Signals;

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
            None => Ok(format!("run-{}", sys::process::number()).parse()?),
        }
    }
}

/// The plan of a run, with the number that a first run would get.
pub fn plan(house: &House, run: &Run) -> Result<Plan> {
    let id = run.config.id.map_or_else(|| Id::new(Id::FIRST_PASSING).map_err(|_| Error::NoId), Ok)?;
    let start = Start {
        command: &run.command,
        passing: true,
        streams: streams(run.terminal).0,
        traced: None,
        looks: false,
        rescue: false,
    };
    Ok(prepare(house, &run.name()?, id, &run.config()?, start)?.plan)
}

/// Runs it. The process that is called is the jail's keeper; nothing of the jail is left when
/// this returns.
///
/// `warn` is called with what the host lacks for the full confinement, before the command runs.
pub fn run(house: &House, run: &Run, warn: impl FnMut(&str)) -> Result<Exit> {
    let name = run.name()?;
    if sys::fs::identity_at(sys::fs::CWD, house.config(&name)).is_ok() {
        return Err(Error::Exists(name));
    }
    let config = run.config()?;
    let claim = Claim::take(house, &name)?;
    crate::recover::stale(house, &claim)?;
    let mut journal = Journal::begin(&claim)?;
    let done = inside(house, run, &config, &claim, &mut journal, warn);
    let undone = crate::recover::undo_all(house, &claim, journal.entries());
    leave((claim, journal));
    let exit = done?;
    undone?;
    Ok(exit)
}

fn inside(
    house: &House,
    run: &Run,
    config: &Config,
    claim: &Claim,
    journal: &mut Journal,
    warn: impl FnMut(&str),
) -> Result<Exit> {
    let id = claim.id(house, config.id, journal)?;
    let (streams, typing) = streams(run.terminal);
    let Prepared { plan, confinement, .. } = prepare(
        house,
        &claim.name,
        id,
        config,
        Start { command: &run.command, passing: true, streams, traced: None, rescue: false, looks: false },
    )?;
    plan.warnings.iter().map(String::as_str).for_each(warn);
    let signals = Signals::take(signals::PASSED_ON).map_err(Error::call("take signals"))?;
    let launched = launch::start(&plan, journal)?;
    let mut state = State::of(&claim.name, config, &confinement, id, &launched, Phase::Running, true)?;
    if !run.command.is_empty() {
        state.command = run.command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    }
    state.write(claim)?;
    claim.unlock()?;
    let session = match launched.console {
        Some(console) => Some(Session::join(console, typing)?.showing(streams)),
        None => None,
    };
    let exit = foreground::watch(&launched.first, session, &signals, Role::First)?;
    journal.reaped();
    leave((launched.first, signals));
    Ok(exit)
}

/// Leaves what is open to the kernel: this process ends next, which closes all at once.
fn leave<T>(open: T) {
    std::mem::forget(open);
}
