//! `jaula trace`: a program in a throw-away jail over the host's root, watched.

use crate::claim::Claim;
use crate::error::{Error, Result};
use crate::facts::ARCH;
use crate::foreground::{self, Beside, Role};
use crate::house::House;
use crate::journal::Journal;
use crate::launch::{self, Held};
use crate::ops::prepare::{NOTIFY, Prepared, Start, confinement, prepare};
use crate::session::{Session, streams};
use crate::signals;
use crate::state::{Phase, State};
use crate::trace::{Uses, Watcher, host};
use model::config::{Config, Profile, Ready, RootSpec, Writes};
use model::confinement::Confinement;
use model::name::Name;
use model::plan::Plan;
use model::trace::{Peer, Record};
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use sys::process::{Child, Exit};
use sys::signal::{SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM, Signals};

/// What to trace.
#[derive(Debug)]
pub struct Trace {
    /// User, directory, environment, network and the like; its root is the host's in any case.
    pub config: Config,
    /// The program with its arguments.
    pub command: Vec<OsString>,
    /// For how long.
    pub length: Length,
    /// A terminal of its own: yes, no, or if the caller has one.
    pub terminal: Option<bool>,
}

/// How long a program is watched. Whatever is said, a trace ends when nothing runs any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Until the program and all that it started have ended.
    UntilEnd,
    /// For this long.
    For(Duration),
    /// Until it waits for connections or says that it is ready, and then does nothing new for a
    /// moment; but no longer than this.
    UntilReady(Duration),
}

/// What came of it.
#[derive(Debug)]
pub struct Traced {
    /// What the program did.
    pub record: Record,
    /// How the program ended; what was still running at the end was told to (`SIGTERM`).
    pub exit: Exit,
    /// With [`Length::UntilReady`]: was it ready in time?
    pub ready: bool,
}

/// How long a program that was ready has to do nothing new.
const QUIET: Duration = Duration::from_secs(1);
/// How long a program that is told to end may take.
const GRACE: Duration = Duration::from_secs(5);
/// How many processes and threads a traced program may have.
const PROCESSES: u64 = 4096;

impl Trace {
    /// The configuration of the jail.
    fn config(&self) -> Result<Config> {
        let mut config = self.config.clone();
        let refused = |key: &str, why: &str| {
            Err(Error::refused(format!("{key}: {why}"), "leave it out: the result says what the jail needs"))
        };
        if config.root.from.is_some() || config.root.writes.is_some() || config.root.owners.is_some() {
            return refused(
                "root",
                "a program is traced over the host's root, and what it writes is forgotten",
            );
        }
        if config.security.profile != Profile::App {
            return refused("security.profile", "a program is traced in profile app");
        }
        config.root.from = Some(RootSpec::Host);
        config.root.writes = Some(Writes::Discarded);
        let most = model::limits::number("nproc").and_then(|nproc| sys::process::limit(nproc).ok()?.1);
        let most = Some(most.map_or(PROCESSES, |most| most.min(PROCESSES)));
        config.limits.process.entry("nproc".to_owned()).or_insert((most, most));
        config.boot.ready = match self.length {
            Length::UntilReady(_) => Ready::Notify,
            _ => Ready::Alive,
        };
        Ok(config)
    }
}

/// Traces it. The process that is called is the jail's keeper; nothing of the jail is left when
/// this returns.
///
/// `warn` is called with what the host lacks, before the program runs.
pub fn trace(house: &House, trace: &Trace, warn: impl FnMut(&str)) -> Result<Traced> {
    let name: Name = format!("trace-{}", std::process::id()).parse()?;
    let config = trace.config()?;
    let claim = Claim::take(house, &name)?;
    crate::recover::stale(house, &claim)?;
    let mut journal = Journal::begin(&claim)?;
    let done = inside(house, trace, &config, &claim, &mut journal, warn);
    let undone = crate::recover::undo_all(house, &claim, journal.entries());
    let traced = done?;
    undone?;
    Ok(traced)
}

fn inside(
    house: &House,
    trace: &Trace,
    config: &Config,
    claim: &Claim,
    journal: &mut Journal,
    mut warn: impl FnMut(&str),
) -> Result<Traced> {
    let id = claim.id(house, config.id, journal)?;
    let (streams, typing) = streams(trace.terminal);
    let traced = host::gather()?;
    let start = Start {
        command: &trace.command,
        passing: true,
        streams,
        traced: Some(&traced),
        rescue: false,
        looks: false,
    };
    let Prepared { plan, confinement: watched, .. } = prepare(house, &claim.name, id, config, start)?;
    plan.warnings.iter().map(String::as_str).for_each(&mut warn);
    let notify = (config.boot.ready == Ready::Notify).then(|| notify_socket(claim)).transpose()?;
    let signals = Signals::take(signals::PASSED_ON).map_err(Error::call("take signals"))?;
    let mut launched = apart(|| launch::start(&plan, journal))?;
    let Some(Held { listener, meeting }) = launched.traced.take() else {
        return Err(Error::Inside("the program runs, and nobody listens".to_owned()));
    };
    // Whatever `exec` brings in is held in the same way, but not watched.
    let held = Confinement { filter: confinement(config)?.filter, ..watched };
    let mut state = State::of(&claim.name, config, &held, id, &launched, Phase::Running, true)?;
    state.command = trace.command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    state.write(claim)?;
    claim.unlock()?;
    let session = match launched.console {
        Some(console) => Some(Session::join(console, typing)?.showing(streams)),
        None => None,
    };
    // Only root may ask the kernel for all of it.
    let uses = match sys::process::user() {
        0 => Uses::of(launched.first.pid, held.capabilities).map_err(|e| warn(&few(&e))).ok(),
        _ => None,
    };
    let mut tracing = Tracing {
        watcher: Watcher::new(listener, launched.first.pid, ARCH),
        claim,
        plan: &plan,
        meeting: Some(meeting),
        first: &launched.first,
        program: None,
        notify,
        ready: false,
        quiet: matches!(trace.length, Length::UntilReady(_)),
        until: match trace.length {
            Length::UntilEnd => None,
            Length::For(time) | Length::UntilReady(time) => Some(Instant::now() + time),
        },
        stopping: false,
        told: Vec::new(),
    };
    let exit = foreground::watch_beside(&launched.first, session, &signals, Role::First, &mut tracing)?;
    let ready = tracing.ready;
    let mut record = tracing.watcher.record(ARCH, uses.as_ref());
    let own = PathBuf::from("/run").join(NOTIFY);
    record.peers.remove(&Peer::Unix(own.clone()));
    record.files.remove(&own);
    Ok(Traced { record, exit, ready })
}

fn few(error: &sys::CallError) -> String {
    format!("this kernel does not tell which system calls are made, so that only some are known: {error}")
}

/// What the program prints goes to standard error: standard output is for what was found out.
fn apart<T>(launch: impl FnOnce() -> Result<T>) -> Result<T> {
    let failed = || Error::call("keep the program's output apart");
    let ours = std::io::stdout().as_fd().try_clone_to_owned();
    let ours = ours.map_err(Error::io("copy", std::path::Path::new("/dev/stdout")))?;
    sys::process::redirect(std::io::stderr(), 1).map_err(failed())?;
    let launched = launch();
    sys::process::redirect(&ours, 1).map_err(failed())?;
    launched
}

fn notify_socket(claim: &Claim) -> Result<OwnedFd> {
    let make = || {
        let socket = sys::socket::datagrams(claim, NOTIFY)?;
        sys::socket::open_to_all(claim, NOTIFY)?;
        Ok(socket)
    };
    make().map_err(Error::call("make the readiness socket"))
}

/// A trace that goes on.
struct Tracing<'a> {
    watcher: Watcher,
    claim: &'a Claim,
    plan: &'a Plan,
    /// Until the jail's first process executes its program.
    meeting: Option<OwnedFd>,
    first: &'a Child,
    /// The process that began as the program.
    program: Option<OwnedFd>,
    notify: Option<OwnedFd>,
    /// It waits for connections, or says that it is ready.
    ready: bool,
    /// Does the trace end when it is ready and does nothing new?
    quiet: bool,
    /// When the trace ends; once it stops, when what is left is killed.
    until: Option<Instant>,
    stopping: bool,
    /// Who was told to end.
    told: Vec<OwnedFd>,
}

impl Tracing<'_> {
    /// Ends the trace: the program is told to end, and soon all is killed.
    fn stop(&mut self, signal: Option<i32>) {
        if std::mem::replace(&mut self.stopping, true) {
            return self.kill();
        }
        self.until = Some(Instant::now() + GRACE);
        let Some(signal) = signal else { return };
        let program = self.program.as_ref().filter(|program| crate::process::runs(program));
        match program {
            Some(program) => drop(sys::process::signal(program, signal)),
            None => {
                let first = &self.first;
                self.told = crate::ops::stop::signal(self.claim, first.pid, &first.pidfd, signal);
            }
        }
    }

    fn kill(&self) {
        // Whoever is gone needs no signal.
        let _ = sys::process::signal(&self.first.pidfd, SIGKILL);
    }

    /// When something is to be done although nothing comes.
    fn deadline(&self) -> Option<Instant> {
        let quiet = (self.quiet && self.ready && !self.stopping).then(|| self.watcher.last + QUIET);
        self.until.into_iter().chain(quiet).min()
    }
}

impl Beside for Tracing<'_> {
    fn wanted<'a>(&'a self, wanted: &mut Vec<(BorrowedFd<'a>, bool)>) {
        wanted.push((self.watcher.as_fd(), false));
        wanted.extend(self.meeting.as_ref().map(|fd| (fd.as_fd(), false)));
        wanted.extend(self.notify.as_ref().map(|fd| (fd.as_fd(), false)));
    }

    fn timeout(&self) -> Option<Duration> {
        self.deadline().map(|at| at.saturating_duration_since(Instant::now()))
    }

    fn turn(&mut self, ready: &[bool]) -> Result<()> {
        let mut ready = ready.iter().copied();
        if ready.next() == Some(true) {
            self.watcher.answer()?;
            if self.program.is_none()
                && let Some(pid) = self.watcher.program
            {
                self.program = sys::process::open(pid).ok();
            }
            self.ready |= self.watcher.listens();
        }
        if self.meeting.is_some()
            && ready.next() == Some(true)
            && let Some(meeting) = self.meeting.take()
        {
            launch::outcome(&self.plan.child, meeting.as_fd())?;
        }
        if let Some(notify) = &self.notify
            && ready.next() == Some(true)
        {
            let mut text = [0; 4096];
            if let Ok(n) = sys::fs::read(notify, &mut text) {
                self.ready |= text[..n].split(|b| *b == b'\n').any(|line| line == b"READY=1");
            }
        }
        if self.deadline().is_some_and(|at| at <= Instant::now()) {
            self.stop(Some(SIGTERM));
        }
        Ok(())
    }

    fn signal(&mut self, signal: i32, typed: bool) -> bool {
        let ends = matches!(signal, SIGINT | SIGTERM | SIGHUP | SIGQUIT);
        if ends {
            // The program hears of it as it would without us.
            self.stop((!typed).then_some(signal));
        }
        ends
    }
}
