//! A program of the host that fills a directory, in a jail of its own: it sees the host's root as it is, writes to
//! the directory and to memory only, and runs as users that own nothing else.
//!
//! The scripts of the packages that it installs can therefore do nothing to the host, whatever they try. They share
//! its network, since the packages are fetched from there.

use super::work::{ENDING, Work};
use crate::claim::Claim;
use crate::error::{Error, Result};
use crate::foreground::{self, Beside, Role};
use crate::house::House;
use crate::journal::Journal;
use crate::launch::{self, Launched};
use crate::ops::prepare::{Prepared, Start, prepare};
use crate::state::{Phase, State};
use model::config::{Config, Mount, MountSource, NetworkMode, Profile, RootSpec, Writes};
use model::name::Name;
use model::plan::{Plan, Stream};
use model::units::Bytes;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io::PipeReader;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;
use sys::process::{Child, Exit};
use sys::signal::SIGKILL;

/// Where the directory is inside.
pub(super) const TARGET: &str = "/mnt";

/// How much of what a program printed is kept for when it fails.
const KEPT: usize = 400;

/// A longer line is taken as two.
const LONGEST: usize = 4096;

/// How much memory the program may fill with files of its own.
const MEMORY: Bytes = Bytes(512 << 20);

/// How it ended, and the last that it printed.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) exit: Exit,
    pub(super) output: Vec<String>,
}

/// A program that is run so.
#[derive(Debug)]
pub(super) struct Program<'a> {
    pub(super) command: Vec<OsString>,
    /// What it reads.
    pub(super) input: Option<&'a Path>,
    /// Variables beyond those of every program.
    pub(super) environment: &'a [(&'a str, &'a str)],
}

/// Runs it; `heard` gets what it prints, line by line.
pub(super) fn run(
    house: &House,
    program: &Program<'_>,
    target: &Path,
    work: &mut Work<'_>,
    heard: &mut dyn FnMut(&str, &mut Work<'_>),
) -> Result<Ended> {
    let name: Name = format!("build-{}", std::process::id()).parse()?;
    let config = config(target, program.environment);
    let claim = Claim::take(house, &name)?;
    crate::recover::stale(house, &claim)?;
    let mut journal = Journal::begin(&claim)?;
    let done = inside(house, program, &config, &claim, &mut journal, work, heard);
    let undone = crate::recover::undo_all(house, &claim, journal.entries());
    let ended = done?;
    undone?;
    Ok(ended)
}

fn inside(
    house: &House,
    program: &Program<'_>,
    config: &Config,
    claim: &Claim,
    journal: &mut Journal,
    work: &mut Work<'_>,
    heard: &mut dyn FnMut(&str, &mut Work<'_>),
) -> Result<Ended> {
    let id = claim.id(house, config.id, journal)?;
    let input = if program.input.is_some() { Stream::Caller } else { Stream::Null };
    let streams = [input, Stream::Caller, Stream::Caller];
    let start = Start {
        command: &program.command,
        passing: true,
        streams,
        traced: None,
        rescue: false,
        looks: false,
    };
    let Prepared { plan, confinement, .. } = prepare(house, &claim.name, id, config, start)?;
    let (reader, launched) = launch(&plan, program.input, journal)?;
    let mut state = State::of(&claim.name, config, &confinement, id, &launched, Phase::Running, true)?;
    state.command = program.command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    state.write(claim)?;
    claim.unlock()?;
    let mut listener = Listener {
        reader,
        rest: Vec::new(),
        output: VecDeque::new(),
        ending: None,
        first: &launched.first,
        work,
        heard,
    };
    let signals = sys::signal::Signals::take(&ENDING).map_err(Error::call("take signals"))?;
    let exit = foreground::watch_beside(&launched.first, None, &signals, Role::First, &mut listener)?;
    // What it printed last.
    listener.listen();
    let (ending, output) = (listener.ending, listener.output.into());
    journal.reaped();
    match ending {
        Some(signal) => Err(Error::Cancelled(signal)),
        None => Ok(Ended { exit, output }),
    }
}

/// Starts it with our end of what it prints.
fn launch(plan: &Plan, input: Option<&Path>, journal: &mut Journal) -> Result<(PipeReader, Launched)> {
    let failed = || Error::io("make", Path::new("a pipe"));
    let (reader, writer) = std::io::pipe().map_err(failed())?;
    sys::fs::set_nonblocking(&reader, true).map_err(Error::call("make a pipe"))?;
    let input = input.map(|path| File::open(path).map_err(Error::io("open", path))).transpose()?;
    // The program's streams are ours while it starts.
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let mut ours = Vec::with_capacity(3);
    for (fd, number) in [(stdin.as_fd(), 0), (stdout.as_fd(), 1), (stderr.as_fd(), 2)] {
        ours.push((fd.try_clone_to_owned().map_err(failed())?, number));
    }
    let redirect = |fd: BorrowedFd<'_>, number| {
        sys::process::redirect(fd, number).map_err(Error::call("redirect the program's streams"))
    };
    let redirected = input.as_ref().map_or(Ok(()), |file| redirect(file.as_fd(), 0));
    let redirected =
        redirected.and_then(|()| redirect(writer.as_fd(), 1)).and_then(|()| redirect(writer.as_fd(), 2));
    let launched = redirected.and_then(|()| launch::start(plan, journal));
    for (fd, number) in &ours {
        redirect(fd.as_fd(), *number)?;
    }
    Ok((reader, launched?))
}

/// What the jail is.
fn config(target: &Path, environment: &[(&str, &str)]) -> Config {
    let mut config = Config::default();
    config.root.from = Some(RootSpec::Host);
    // An overlay in memory: root inside may mount, and has nothing of the host's to mount otherwise.
    config.root.writes = Some(Writes::Discarded);
    config.network.mode = NetworkMode::Host;
    config.security.profile = Profile::Server;
    let mount = |source, target| Mount { source, target: PathBuf::from(target), writable: true, exec: true };
    config.mounts = vec![
        mount(MountSource::Tmpfs { size: MEMORY, mode: 0o1777 }, "/tmp"),
        mount(MountSource::Bind { path: target.to_owned(), mapped: true }, TARGET),
    ];
    let own = [("HOME", "/tmp"), ("TMPDIR", "/tmp"), ("LANG", "C.UTF-8"), ("LC_ALL", "C.UTF-8")];
    for (name, value) in own.iter().chain(environment) {
        config.environment.insert((*name).to_owned(), (*value).to_owned());
    }
    config
}

/// Hears what the program prints while it runs.
struct Listener<'a, 'w> {
    reader: PipeReader,
    /// A line that is not whole yet.
    rest: Vec<u8>,
    /// The last lines.
    output: VecDeque<String>,
    /// The signal that somebody ended it with.
    ending: Option<i32>,
    first: &'a Child,
    work: &'a mut Work<'w>,
    heard: &'a mut dyn FnMut(&str, &mut Work<'_>),
}

impl Listener<'_, '_> {
    /// Reads what is there.
    fn listen(&mut self) {
        let mut buffer = [0; 16384];
        while let Ok(n @ 1..) = sys::fs::read(&self.reader, &mut buffer) {
            for part in buffer[..n].split_inclusive(|b| matches!(b, b'\n' | b'\r')) {
                self.rest.extend_from_slice(part);
                if !matches!(self.rest.last(), Some(b'\n' | b'\r')) && self.rest.len() < LONGEST {
                    continue;
                }
                let line = String::from_utf8_lossy(&self.rest).trim_end().to_owned();
                self.rest.clear();
                if line.is_empty() {
                    continue;
                }
                self.work.line(&line);
                (self.heard)(&line, self.work);
                if self.output.len() == KEPT {
                    self.output.pop_front();
                }
                self.output.push_back(line);
            }
        }
    }
}

impl Beside for Listener<'_, '_> {
    fn wanted<'a>(&'a self, wanted: &mut Vec<(BorrowedFd<'a>, bool)>) {
        wanted.push((self.reader.as_fd(), false));
    }

    fn timeout(&self) -> Option<Duration> {
        None
    }

    fn turn(&mut self, ready: &[bool]) -> Result<()> {
        if ready.first() == Some(&true) {
            self.listen();
        }
        Ok(())
    }

    /// Whoever ends the work ends it at once: what was made so far is removed in any case.
    fn signal(&mut self, signal: i32, _typed: bool) -> bool {
        self.ending = Some(signal);
        // It may be gone by itself.
        let _ = sys::process::signal(&self.first.pidfd, SIGKILL);
        true
    }
}
