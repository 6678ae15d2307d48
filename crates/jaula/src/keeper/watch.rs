//! A keeper's waiting: one poll(2) over the jail, its console, those connected to it, and the
//! clock.

use super::Running;
use super::control::{self, Order, RESIZED, Reply, Report, TYPED};
use super::follow::Follow;
use super::log::Log;
use super::starting::{self, Starting, Who};
use crate::claim::Claim;
use crate::error::{Error, Result};
use crate::house::House;
use crate::journal;
use crate::keeping::hold;
use crate::signals;
use crate::state::{Ended, Phase};
use model::name::Name;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};
use sys::process::Child;
use sys::signal::{SIGHUP, SIGINT, SIGIO, SIGKILL, SIGTERM, Signals};

/// What waiting came to.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The jail ended by itself.
    Ended(Ended),
    /// It ended since it was to stop.
    Stopped(Ended),
    /// It was to stop while it waited to start again.
    StoppedWaiting,
    /// The pause is over.
    Rested,
}

impl Verdict {
    pub(crate) fn is_stopped(&self) -> bool {
        matches!(self, Self::Stopped(_))
    }
}

/// Somebody connected to the keeper.
#[derive(Debug)]
struct Client {
    socket: OwnedFd,
    role: Role,
    input: Vec<u8>,
    output: Vec<u8>,
}

fn cannot_freeze(name: &Name, why: &str) -> Reply {
    let message = format!("jail {name:?} cannot be frozen: {why}");
    Reply::Failed { message, help: Some(format!("stop it first: jaula stop {name}")) }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// It has not said yet what it wants.
    New,
    /// It waits for the jail to have stopped.
    Stops,
    /// It has the console.
    Console,
    /// The jail is frozen for it.
    Freezes,
    /// It is done with, once its output is out.
    Leaving,
}

/// Somebody who reads so little that this much waits for it is cut off.
const PATIENCE: usize = 1 << 18;
const CHUNK: usize = 4096;
/// How much of what a console has said before is shown to whoever connects to it: a few screens.
const SCREEN: u64 = 8192;

/// What a keeper waits for beside its jail.
#[derive(Debug)]
pub(crate) struct Watch {
    house: House,
    name: Name,
    /// The jail's run directory, for its state.
    run: OwnedFd,
    control: OwnedFd,
    signals: Signals,
    clients: Vec<Client>,
    log: Option<Log>,
    /// What is to be typed into the console.
    typed: Vec<u8>,
    /// When a jail that stops is killed.
    stop: Option<Instant>,
    /// A command inside that tells it to stop.
    halting: Option<Child>,
    /// Processes that were told to end in place of a first process that cannot be told.
    told: Vec<OwnedFd>,
    stopping: bool,
    /// Hears when the host asks other nameservers.
    follow: Option<Follow>,
}

impl Watch {
    pub(crate) fn begin(house: &House, claim: &Claim) -> Result<Self> {
        let failed = || Error::call("begin to listen");
        // A keeper that was killed left its socket.
        let _ = sys::fs::remove(claim, control::SOCKET, false);
        let control = sys::socket::listen(claim, control::SOCKET).map_err(failed())?;
        let signals = Signals::take(&[SIGTERM, SIGINT, SIGHUP, SIGIO]).map_err(failed())?;
        let run = claim.as_fd().try_clone_to_owned().map_err(Error::io("open", &claim.path))?;
        Ok(Self {
            house: house.clone(),
            name: claim.name.clone(),
            run,
            control,
            signals,
            clients: Vec::new(),
            log: None,
            typed: Vec::new(),
            stop: None,
            halting: None,
            told: Vec::new(),
            stopping: false,
            follow: None,
        })
    }

    /// Watches over a jail until its first process has ended.
    pub(crate) fn over(&mut self, jail: &mut Running, report: &Report<'_>) -> Result<Verdict> {
        let boot = &jail.config.boot;
        self.log = Some(Log::open(&self.house.kept(&self.name), boot.log_size.0, boot.log_files));
        if let Some(console) = &jail.console {
            sys::fs::set_nonblocking(console, true).map_err(Error::call("hold the console"))?;
        }
        self.follow = Follow::begin(jail);
        let begins = jail.state.phase == Phase::Starting;
        let mut starting = begins.then(|| Starting::begin(jail.kind, boot)).flatten();
        if starting.is_none() {
            self.ready(jail, report);
        }
        loop {
            let timeout =
                self.deadline(starting.as_ref()).map(|at| at.saturating_duration_since(Instant::now()));
            let mut wanted = vec![(jail.as_fd(), false)];
            let console = jail.console.as_ref().map(|c| (c.as_fd(), !self.typed.is_empty()));
            let notify = jail.notify.as_ref().map(|n| (n.as_fd(), false));
            let asked = starting.as_ref().and_then(Starting::asked).map(|asked| (asked, false));
            let halting = self.halting.as_ref().map(|command| (command.pidfd.as_fd(), false));
            wanted.extend(console.into_iter().chain(notify).chain(asked).chain(halting));
            let before = wanted.len();
            wanted.extend(self.told.iter().map(|process| (process.as_fd(), false)));
            let ready = self.wait(&wanted, timeout)?;
            let ended = ready[0];
            let left: Vec<bool> =
                ready[before..before + self.told.len()].iter().map(|ended| !ended).collect();
            if console.is_some() && ready[1] {
                self.listen(jail);
            }
            if let Some(begun) = &mut starting {
                match begun.is_over(self.who(jail))? {
                    Some(true) => {
                        starting = None;
                        self.ready(jail, report);
                    }
                    Some(false) => {
                        report.failed(&starting::not_ready(&self.name, jail.kind, &jail.config.boot));
                        starting = None;
                        self.begin_stop(jail, Some(Duration::ZERO));
                    }
                    None => {}
                }
            }
            if let (None, Some(notify)) = (&starting, &jail.notify) {
                starting::has_said_so(notify);
            }
            self.orders(Some(jail))?;
            self.has_told(jail);
            if ended {
                return self.ended(jail, starting.is_some(), report);
            }
            let told = !self.told.is_empty();
            let mut left = left.into_iter();
            self.told.retain(|_| left.next().unwrap_or(true));
            let done = told && self.told.is_empty();
            if done || self.stop.is_some_and(|at| at <= Instant::now()) {
                signals::deliver(jail.first.pid, &jail.first.pidfd, SIGKILL);
                self.stop = None;
            }
        }
    }

    /// Waits before a jail starts again.
    pub(crate) fn pause(&mut self, pause: Duration) -> Result<Verdict> {
        let until = Instant::now() + pause;
        while Instant::now() < until {
            self.wait(&[], Some(until.saturating_duration_since(Instant::now())))?;
            self.orders(None)?;
            if self.stopping {
                return Ok(Verdict::StoppedWaiting);
            }
        }
        Ok(Verdict::Rested)
    }

    /// Tells those who wait for the end that this is it.
    pub(crate) fn dismiss(mut self, reply: &Reply) {
        for client in self.clients.iter_mut().filter(|c| c.role == Role::Stops) {
            client.output.extend(control::line(reply));
        }
        for client in self.clients.iter().filter(|c| !c.output.is_empty()) {
            // Whoever does not read its last words now will not.
            let _ = sys::fs::write(&client.socket, &client.output);
        }
    }

    fn deadline(&self, starting: Option<&Starting>) -> Option<Instant> {
        [self.stop, starting.map(Starting::deadline)].into_iter().flatten().min()
    }

    fn who<'a>(&'a self, jail: &'a Running) -> Who<'a> {
        Who {
            house: &self.house,
            name: &self.name,
            boot: &jail.config.boot,
            first: jail.first.pid,
            ids: jail.state.id.range(),
            notify: jail.notify.as_ref(),
        }
    }

    /// Waits for `wanted` and for everybody connected; returns which of `wanted` are ready.
    fn wait(&self, wanted: &[(BorrowedFd<'_>, bool)], timeout: Option<Duration>) -> Result<Vec<bool>> {
        let mut all = wanted.to_vec();
        all.push((self.control.as_fd(), false));
        all.push((self.signals.as_fd(), false));
        all.extend(self.clients.iter().map(|c| (c.socket.as_fd(), !c.output.is_empty())));
        sys::poll::wait(&all, timeout).map_err(Error::call("watch over the jail"))
    }

    fn ready(&self, jail: &mut Running, report: &Report<'_>) {
        self.enter(jail, Phase::Running);
        report.ready(&jail.warnings);
        super::note_files(&self.house, &self.name, &jail.config);
    }

    /// Puts on record what the jail is doing. A full disk must neither end its keeper nor keep it
    /// from being stopped; then the record is old.
    fn enter(&self, jail: &mut Running, phase: Phase) {
        jail.state.phase = phase;
        let _ = jail.state.write(&self.run);
    }

    /// The first process has ended.
    fn ended(&mut self, jail: &mut Running, starting: bool, report: &Report<'_>) -> Result<Verdict> {
        // What it said last is still on its way.
        for _ in 0..64 {
            self.listen(jail);
        }
        let exit = match jail.own {
            true => Some(
                sys::process::wait(&jail.first.pidfd).map_err(Error::call("wait for the first process"))?,
            ),
            false => crate::process::exit_of(&jail.first),
        };
        let ended = Ended { stopped: self.stopping, ..Ended::now(exit) };
        let ended = if jail.kind.is_init() { ended.of_init() } else { ended };
        if starting {
            report.failed(&Error::EndedEarly { name: self.name.clone(), how: ended.words() });
            // A jail that never was ready is not started again: somebody waits for its error.
            return Ok(Verdict::Stopped(ended));
        }
        for client in self.clients.iter_mut().filter(|c| c.role == Role::Console) {
            client.role = Role::Leaving;
        }
        self.stop = None;
        self.follow = None;
        self.give_up_halting();
        Ok(if self.stopping { Verdict::Stopped(ended) } else { Verdict::Ended(ended) })
    }

    /// The command that told it goes with it.
    fn give_up_halting(&mut self) {
        if let Some(command) = self.halting.take() {
            let _ = sys::process::signal(&command.pidfd, SIGKILL);
            let _ = sys::process::wait(&command.pidfd);
        }
    }

    /// Console to log and to those who have it; what they typed to the console.
    fn listen(&mut self, jail: &mut Running) {
        let Some(console) = &jail.console else { return };
        let mut buffer = [0; CHUNK];
        match sys::fs::read(console, &mut buffer) {
            Ok(n) if n > 0 => {
                if let Some(log) = &mut self.log {
                    log.write(&buffer[..n]);
                }
                for client in self.clients.iter_mut().filter(|c| c.role == Role::Console) {
                    client.output.extend_from_slice(&buffer[..n]);
                }
            }
            Err(e) if e.is(sys::errno::EAGAIN) => {}
            // Nothing, and nothing will come: the terminal is gone.
            _ => jail.console = None,
        }
        if let Some(console) = &jail.console
            && !self.typed.is_empty()
        {
            let part = self.typed.len().min(256);
            match sys::fs::write(console, &self.typed[..part]) {
                Err(e) if e.is(sys::errno::EAGAIN) => {}
                _ => drop(self.typed.drain(..part)),
            }
        }
    }

    /// Signals to the keeper, and what those connected to it say.
    fn orders(&mut self, mut jail: Option<&mut Running>) -> Result<()> {
        while let Some(signal) = self.signals.next().map_err(Error::call("read a signal"))? {
            // The host shuts down, or somebody means the jail.
            if signal == SIGTERM || signal == SIGINT {
                self.stop_or_rest(jail.as_deref_mut(), None);
            }
            if let (SIGIO, Some(follow), Some(jail)) = (signal, &mut self.follow, jail.as_deref()) {
                // What the host has then is heard of next time; the jail goes on with what it has.
                let _ = follow.look(&self.name, jail);
            }
        }
        while let Some(socket) =
            sys::socket::accept(&self.control).map_err(Error::call("accept a command"))?
        {
            self.clients.push(Client { socket, role: Role::New, input: Vec::new(), output: Vec::new() });
        }
        for at in 0..self.clients.len() {
            let gone = !self.hear(at);
            self.answer(at);
            if gone && self.clients[at].role == Role::Freezes {
                self.thaw(at);
            }
            let client = &mut self.clients[at];
            if gone || client.output.len() > PATIENCE || client.input.len() > PATIENCE {
                client.role = Role::Leaving;
                client.output.clear();
            }
            match client.role {
                Role::New => self.new_order(at, jail.as_deref_mut()),
                Role::Console => self.console_frames(at, jail.as_deref_mut()),
                Role::Stops | Role::Freezes | Role::Leaving => {}
            }
            self.answer(at);
        }
        self.clients.retain(|c| c.role != Role::Leaving || !c.output.is_empty());
        Ok(())
    }

    /// Reads what a client says; `false`: it is gone.
    fn hear(&mut self, at: usize) -> bool {
        let client = &mut self.clients[at];
        let mut buffer = [0; CHUNK];
        match sys::fs::read(&client.socket, &mut buffer) {
            Ok(0) => false,
            Ok(n) => {
                client.input.extend_from_slice(&buffer[..n]);
                true
            }
            Err(e) => e.is(sys::errno::EAGAIN),
        }
    }

    /// Writes what waits for a client. One that is gone gets nothing more, but what it has said
    /// before may still have to be read.
    fn answer(&mut self, at: usize) {
        let client = &mut self.clients[at];
        while !client.output.is_empty() {
            let part = client.output.len().min(CHUNK);
            match sys::socket::send(&client.socket, &client.output[..part]) {
                Ok(n) => drop(client.output.drain(..n)),
                Err(e) if e.is(sys::errno::EAGAIN) => return,
                Err(_) => client.output.clear(),
            }
        }
    }

    fn new_order(&mut self, at: usize, jail: Option<&mut Running>) {
        let client = &mut self.clients[at];
        let Some(end) = client.input.iter().position(|b| *b == b'\n') else {
            if client.input.len() > control::LINE {
                client.role = Role::Leaving;
            }
            return;
        };
        let line: Vec<u8> = client.input.drain(..=end).collect();
        match (serde_json::from_slice(&line), &jail) {
            (Ok(Order::Stop { timeout }), _) => {
                client.role = Role::Stops;
                self.stop_or_rest(jail, timeout.map(Duration::from_millis));
            }
            (Ok(Order::Console), Some(Running { console: Some(_), .. })) => {
                client.role = Role::Console;
                client.output.extend(control::line(&Reply::Console));
                // Whoever comes later sees what the screen would show.
                client.output.extend(self.log.iter().flat_map(|log| log.tail(SCREEN)));
            }
            (Ok(Order::Console), _) => {
                client.role = Role::Leaving;
                let message = "the jail has no console now".to_owned();
                let help = Some(format!(
                    "its keeper was replaced, or it waits to start again; restart it: jaula restart {}",
                    self.name
                ));
                client.output.extend(control::line(&Reply::Failed { message, help }));
            }
            (Ok(Order::Freeze), Some(jail)) if jail.state.phase == Phase::Running => {
                let group = hold::group(&journal::read(&self.run).unwrap_or_default());
                let frozen = group.map(|group| hold::freeze(&group));
                client.role = if let Some(Ok(())) = frozen { Role::Freezes } else { Role::Leaving };
                let reply = match frozen {
                    Some(Ok(())) => Reply::Frozen,
                    Some(Err(error)) => cannot_freeze(&self.name, &error.to_string()),
                    None => cannot_freeze(&self.name, "this host has no control groups of version 2"),
                };
                client.output.extend(control::line(&reply));
            }
            (Ok(Order::Freeze), _) => {
                client.role = Role::Leaving;
                let reply = cannot_freeze(&self.name, "it is just starting or stopping");
                client.output.extend(control::line(&reply));
            }
            (Err(_), _) => client.role = Role::Leaving,
        }
    }

    /// One for whom the jail is frozen has gone; without any it goes on.
    fn thaw(&mut self, gone: usize) {
        self.clients[gone].role = Role::Leaving;
        if !self.clients.iter().any(|client| client.role == Role::Freezes)
            && let Some(group) = hold::group(&journal::read(&self.run).unwrap_or_default())
        {
            hold::thaw(&group);
        }
    }

    fn console_frames(&mut self, at: usize, jail: Option<&mut Running>) {
        let client = &mut self.clients[at];
        while let Some((kind, bytes)) = control::take_frame(&mut client.input) {
            match (kind, &bytes[..], jail.as_ref().and_then(|j| j.console.as_ref())) {
                (TYPED, _, _) => self.typed.extend_from_slice(&bytes),
                (RESIZED, &[a, b, c, d], Some(console)) => {
                    let size = sys::terminal::Size {
                        rows: u16::from_be_bytes([a, b]),
                        columns: u16::from_be_bytes([c, d]),
                    };
                    // A terminal that is gone needs no size.
                    let _ = sys::terminal::set_size(console, size);
                }
                _ => {}
            }
        }
    }

    fn stop_or_rest(&mut self, jail: Option<&mut Running>, timeout: Option<Duration>) {
        match jail {
            Some(jail) => self.begin_stop(jail, timeout),
            None => self.stopping = true,
        }
    }

    /// Tells the jail to stop, and sets the time at which it is killed.
    fn begin_stop(&mut self, jail: &mut Running, timeout: Option<Duration>) {
        // A frozen jail hears nothing. Those that it was frozen for find that we have hung up.
        for at in 0..self.clients.len() {
            if self.clients[at].role == Role::Freezes {
                self.thaw(at);
            }
        }
        self.stopping = true;
        let timeout = timeout.unwrap_or_else(|| jail.kind.stop_timeout(&jail.config.boot));
        let until = Instant::now() + timeout;
        self.stop = Some(self.stop.map_or(until, |before| before.min(until)));
        self.enter(jail, Phase::Stopping);
        if timeout.is_zero() || self.halting.is_some() {
            return;
        }
        // What can be told in words is; if that fails, by a signal.
        let command = jail.kind.halt(&jail.config.boot);
        self.halting = command.and_then(|command| super::probe(&self.house, &self.name, &command, None).ok());
        if self.halting.is_none() {
            self.tell(jail);
        }
    }

    /// Sends the signal that asks it to stop.
    fn tell(&mut self, jail: &Running) {
        let signal = jail.kind.stop_signal(&jail.config.boot);
        self.told = crate::ops::stop::signal(&self.run, jail.first.pid, &jail.first.pidfd, signal);
    }

    /// Has the command ended that tells it in words? If it failed, the signal is next.
    fn has_told(&mut self, jail: &Running) {
        let Some(command) = &self.halting else { return };
        match sys::process::try_wait(&command.pidfd) {
            Ok(None) => {}
            Ok(Some(exit)) if exit.code() == 0 => self.halting = None,
            _ => {
                self.halting = None;
                self.tell(jail);
            }
        }
    }
}
