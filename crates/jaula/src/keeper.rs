//! The process beside a running jail: it launches the jail, holds its console, answers for it,
//! starts it again, and undoes what was done to the host at the end.
//!
//! [`keep`] is its life. It has one thread and one poll(2), see [`watch`]. It can be killed at
//! any point: the journal knows what is on the host, the jail runs on, and the next command
//! puts a new keeper beside it ([`Begin::Adopt`]).

pub(crate) mod control;
mod follow;
mod init;
pub(crate) mod log;
mod starting;
mod watch;

use crate::claim::Claim;
use crate::error::{Error, Result};
use crate::house::{House, make_private, replace};
use crate::journal::{self, Journal};
use crate::launch;
use crate::ops::prepare::{NOTIFY, Prepared, Start, prepare};
use crate::recover;
use crate::rootfs::guest;
use crate::state::{self, Ended, Inside, Phase, State};
use control::Reply;
use model::boot::{Kind, Waits};
use model::config::{Config, NetworkMode, Restart};
use model::name::Name;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};
use sys::process::Child;
use watch::{Verdict, Watch};

/// How a keeper begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// With a jail that does not run.
    Start,
    /// The same, but nothing of its own is started in it.
    Rescue,
    /// With one that runs, whose keeper is gone.
    Adopt,
}

/// Makes a keeper for a jail: a process of its own, which reports to the returned socket once
/// the jail is ready or has failed ([`control::Reply`]).
pub(crate) fn make(house: &House, name: &Name, begin: Begin) -> Result<OwnedFd> {
    let (ours, theirs) = sys::socket::pair().map_err(Error::call("make a keeper"))?;
    let keeper = sys::process::fork().map_err(Error::call("make a keeper"))?;
    if keeper.is_some() {
        return Ok(ours);
    }
    // The child. It never returns: what its parent holds is the parent's.
    let report = control::Report::to(&theirs);
    let kept = detach(name, &theirs).and_then(|()| keep(house, name, begin, &report));
    if let Err(error) = &kept {
        report.failed(error);
    }
    sys::process::exit(i32::from(kept.is_err()))
}

/// Leaves everything of the caller's: terminal, session, directory, descriptors.
fn detach(name: &Name, keep: &OwnedFd) -> Result<()> {
    let failed = || Error::call("leave the caller");
    sys::process::new_session().map_err(failed())?;
    std::env::set_current_dir("/").map_err(Error::io("enter", std::path::Path::new("/")))?;
    let null = sys::fs::open(sys::fs::CWD, "/dev/null", sys::fs::O_RDWR, 0).map_err(failed())?;
    for stream in 0..3 {
        sys::process::redirect(&null, stream).map_err(failed())?;
    }
    std::mem::forget(null);
    sys::process::close_all_but(keep).map_err(failed())?;
    sys::process::set_name(&format!("jaula:{name}"));
    Ok(())
}

/// A keeper's life.
fn keep(house: &House, name: &Name, begin: Begin, report: &control::Report<'_>) -> Result<()> {
    let claim = Claim::take(house, name)?;
    let (mut watch, jail) = match (orphan(&claim)?, begin) {
        // Whoever starts a jail that runs without a keeper wants it to run with one.
        (Some(orphan), _) => (Watch::begin(house, &claim)?, adopt(&claim, orphan)?),
        (None, Begin::Start | Begin::Rescue) => {
            recover::stale(house, &claim)?;
            let launched = Watch::begin(house, &claim)
                .and_then(|watch| Ok((watch, launch(house, &claim, 0, begin == Begin::Rescue)?)));
            match launched {
                Ok(launched) => launched,
                Err(error) => {
                    remember(house, name, &Ended::failed(error.line()));
                    recover::undo(house, claim)?;
                    return Err(error);
                }
            }
        }
        // It has ended, and nobody knows how; or somebody else was faster.
        (None, Begin::Adopt) => {
            match recover::abandoned(house, claim)? {
                true => report.stopped(),
                false => report.ready(&[]),
            }
            return Ok(());
        }
    };
    let mut pause = Pause::default();
    let mut restarts = jail.state.restarts;
    let mut running = Some(jail);
    let ended = loop {
        claim.unlock()?;
        let since = Instant::now();
        let verdict = match &mut running {
            Some(jail) => watch.over(jail, report)?,
            None => watch.pause(pause.next())?,
        };
        claim.lock()?;
        if since.elapsed() > Pause::STABLE {
            pause = Pause::default();
        }
        if let (Some(jail), Verdict::Ended(ended) | Verdict::Stopped(ended)) = (running.take(), &verdict) {
            remember(house, name, ended);
            let entries = journal::read(&claim)?;
            let failures = launch::undo(&entries, &claim, &house.run);
            if !failures.is_empty() {
                return Err(Error::Several(failures));
            }
            if verdict.is_stopped() || !again(jail.config.boot.restart, ended) {
                break Some(ended.clone());
            }
        }
        match verdict {
            Verdict::Stopped(_) | Verdict::StoppedWaiting => break None,
            Verdict::Ended(ended) => waiting(&claim, restarts, &ended),
            Verdict::Rested => {
                restarts += 1;
                match launch(house, &claim, restarts, false) {
                    Ok(jail) => running = Some(jail),
                    Err(error) => {
                        let failed = Ended::failed(error.line());
                        remember(house, name, &failed);
                        launch::undo(&journal::read(&claim)?, &claim, &house.run);
                        waiting(&claim, restarts, &failed);
                    }
                }
            }
        }
    };
    recover::undo(house, claim)?;
    watch.dismiss(&Reply::Stopped { ended });
    Ok(())
}

/// Does the policy want it to start again?
fn again(policy: Restart, ended: &Ended) -> bool {
    match policy {
        // Somebody inside has said so, whatever would be done otherwise.
        _ if ended.inside == Some(Inside::Rebooted) => true,
        _ if ended.inside == Some(Inside::Halted) => false,
        Restart::No => false,
        Restart::OnFailure => !ended.success(),
        Restart::Always => true,
    }
}

/// The state of a jail that waits to start again. On a full disk it is not on record, and it
/// starts again all the same.
fn waiting(claim: &Claim, restarts: u32, ended: &Ended) {
    if let Ok(Some(mut state)) = State::read(claim) {
        state.phase = Phase::Waiting;
        state.first = None;
        state.restarts = restarts;
        state.started = ended.at;
        let _ = state.write(claim);
    }
}

/// How long to wait before a jail that ended starts again: twice as long each time.
#[derive(Debug, Default)]
struct Pause(u32);

impl Pause {
    /// A jail that ran for so long begins anew with short pauses.
    const STABLE: Duration = Duration::from_secs(10);

    fn next(&mut self) -> Duration {
        let pause = Duration::from_millis(500).saturating_mul(1 << self.0.min(7));
        self.0 += 1;
        pause.min(Duration::from_secs(60))
    }
}

/// A jail whose first process runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) first: Child,
    /// The other end of its console, unless a keeper before this one took it to the grave.
    pub(crate) console: Option<OwnedFd>,
    /// The jail's end of it: while somebody has that open, reading never fails for want of a program
    /// that has.
    pub(crate) _terminal: Option<OwnedFd>,
    /// What its first process is.
    pub(crate) kind: Kind,
    pub(crate) config: Config,
    pub(crate) state: State,
    /// Where it says that it is ready.
    pub(crate) notify: Option<OwnedFd>,
    /// Is it our own child?
    pub(crate) own: bool,
    pub(crate) warnings: Vec<String>,
}

fn launch(house: &House, claim: &Claim, restarts: u32, rescue: bool) -> Result<Running> {
    let name = &claim.name;
    let mut config = crate::registry::read(house, name)?.config;
    if rescue {
        to_be_repaired(&mut config);
    }
    let mut journal = Journal::begin(claim)?;
    let id = claim.id(house, config.id, &mut journal)?;
    let start = Start { rescue, ..Start::LASTING };
    let Prepared { mut plan, confinement, boot: kind } = prepare(house, name, id, &config, start)?;
    plan.warnings.extend(guest::carry_out(house, name, &config, &plan.host)?);
    let says = kind.waits(&config.boot) == Waits::Notify;
    let notify = says.then(|| notify_socket(claim)).transpose()?;
    let launched = launch::start(&plan, &mut journal)?;
    let state = State::of(name, &config, &confinement, id, &launched, Phase::Starting, false)?;
    let mut state = state.booted(kind);
    state.restarts = restarts;
    state.write(claim)?;
    let launch::Launched { first, console, .. } = launched;
    let terminal =
        console.as_ref().map(sys::terminal::peer).transpose().map_err(Error::call("hold the console"))?;
    Ok(Running {
        first,
        console,
        _terminal: terminal,
        kind,
        config,
        state,
        notify,
        own: true,
        warnings: plan.warnings,
    })
}

/// A jail that is repaired has its files and nothing else: no network, and nothing that starts it again.
fn to_be_repaired(config: &mut Config) {
    config.network.mode = NetworkMode::None;
    config.network.listen = None;
    config.boot.restart = Restart::No;
}

fn notify_socket(claim: &Claim) -> Result<OwnedFd> {
    // One that a start before this one left behind cannot be bound again.
    let _ = sys::fs::remove(claim, NOTIFY, false);
    let make = || {
        let socket = sys::socket::datagrams(claim, NOTIFY)?;
        sys::socket::open_to_all(claim, NOTIFY)?;
        Ok(socket)
    };
    make().map_err(Error::call("make the readiness socket"))
}

/// A jail that runs without a keeper: its state and its first process.
fn orphan(claim: &Claim) -> Result<Option<(State, Child)>> {
    let Some(state) = State::read(claim)?.filter(|state| !state.passing) else { return Ok(None) };
    if recover::is_void(&journal::read(claim)?) {
        return Ok(None);
    }
    let first = state.first.and_then(|first| Some(Child { pid: first.pid, pidfd: first.open()? }));
    Ok(first.filter(|_| state.keeper.open().is_none()).map(|first| (state, first)))
}

/// Takes over a jail. From the moment that its state names this keeper, commands connect to it,
/// so that it listens already.
fn adopt(claim: &Claim, (mut state, first): (State, Child)) -> Result<Running> {
    state.keeper = state::ProcessId::own()?;
    state.phase = Phase::Running;
    // The keeper before this one may have been killed while it held the jail frozen.
    if let Some(group) = crate::keeping::hold::group(&journal::read(claim)?) {
        crate::keeping::hold::thaw(&group);
    }
    state.write(claim)?;
    // What the configuration says now may differ, but only its restart policy and times matter.
    let config =
        std::fs::read_to_string(&claim.config).ok().and_then(|t| Config::parse(&t).ok()).unwrap_or_default();
    Ok(Running {
        first,
        console: None,
        _terminal: None,
        kind: state.init,
        config,
        state,
        notify: None,
        own: false,
        warnings: Vec::new(),
    })
}

/// Keeps how a jail ended, for `status`. A full disk must not keep the jail from being undone.
fn remember(house: &House, name: &Name, ended: &Ended) {
    let directory = house.kept(name);
    if let Ok(text) = serde_json::to_vec(ended) {
        let _ = make_private(&directory).and_then(|()| replace(&directory.join(state::LAST), &text));
    }
}

/// Has noted what an app jail sees of the host now, by a process of its own that nobody waits for:
/// whoever starts the jail waits for its program only, and what is large is not in the keeper's memory.
fn note_files(house: &House, name: &Name, config: &Config) {
    if !matches!(config.root.from, Some(model::config::RootSpec::App(_))) {
        return;
    }
    let Ok(child) = sys::process::fork() else { return };
    match child {
        // It has ended as soon as its own child is there.
        Some(child) => _ = sys::process::wait(&child.pidfd),
        None => {
            if let Ok(None) = sys::process::fork() {
                // It must not answer for the keeper.
                let alone = sys::fs::open(sys::fs::CWD, "/", sys::fs::O_PATH, 0);
                let noted =
                    alone.and_then(sys::process::close_all_but).map_err(Error::call("note the jail's files"));
                let _ = noted.and_then(|()| crate::ops::refresh::started(house, name, config));
            }
            sys::process::exit(0);
        }
    }
}

/// Runs a command inside and tells whether it exited with 0, for `boot.ready`.
pub(crate) fn probe(house: &House, name: &Name, command: &[String], user: Option<&str>) -> Result<Child> {
    let child = sys::process::fork().map_err(Error::call("ask whether the jail is ready"))?;
    if let Some(child) = child {
        return Ok(child);
    }
    let status = crate::ops::exec::quietly(house, name, command, user).map_or(125, |exit| exit.code());
    sys::process::exit(status)
}

impl AsFd for Running {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.first.pidfd.as_fd()
    }
}
