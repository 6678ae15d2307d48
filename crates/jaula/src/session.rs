//! A caller's terminal joined to a jail's: bytes, size, and the keys that raise signals.

use crate::error::{Error, Result};
use model::plan::Stream;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::terminal::{Raw, signal_of};

const CHUNK: usize = 4096;

/// The caller's terminal and the jail's, joined. Dropping it restores the caller's.
#[derive(Debug)]
pub struct Session {
    /// Our end of the jail's terminal.
    terminal: OwnedFd,
    /// The jail's end: while somebody has it open, reading waits for more instead of failing.
    _peer: OwnedFd,
    /// Only if the caller types: its terminal passes all keys on.
    raw: Option<Raw>,
    typed: Vec<u8>,
    shown: Vec<u8>,
    /// What the jail's terminal shows goes to standard error, not to standard output.
    on_error: bool,
    /// The caller's terminal is gone, or nobody reads what is shown.
    gone: bool,
}

impl Session {
    /// Joins them. `typing`: the caller's standard input and output are both its terminal.
    pub fn join(terminal: OwnedFd, typing: bool) -> Result<Self> {
        let failed = || Error::call("join the terminals");
        sys::fs::set_nonblocking(&terminal, true).map_err(failed())?;
        let peer = sys::terminal::peer(&terminal).map_err(failed())?;
        let raw = match typing {
            true => Some(Raw::enter(std::io::stdin()).map_err(failed())?),
            false => None,
        };
        let session = Self {
            terminal,
            _peer: peer,
            raw,
            typed: Vec::new(),
            shown: Vec::new(),
            on_error: false,
            gone: false,
        };
        session.resize();
        Ok(session)
    }

    /// What the terminal shows belongs where the caller's own terminal was: to standard error, if
    /// only that was one.
    pub fn showing(self, streams: [Stream; 3]) -> Self {
        Self { on_error: streams[1] != Stream::Terminal && streams[2] == Stream::Terminal, ..self }
    }

    /// Is the caller's terminal gone, or whoever read what was shown? Then dropping the session
    /// hangs up: the jail's programs get `SIGHUP`.
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// The jail's terminal gets the size of the caller's, if that has one.
    pub fn resize(&self) {
        if let Ok(size) = sys::terminal::size(std::io::stdout()) {
            // A jail's terminal that is gone needs no size.
            let _ = sys::terminal::set_size(&self.terminal, size);
        }
    }

    /// Calls `wait` with the descriptors to wait for, and moves what is ready. Returns the
    /// signal that a typed key raises in the program `leader`, if that is in the foreground.
    pub fn turn(
        &mut self,
        leader: i32,
        wait: impl FnOnce(&[(BorrowedFd<'_>, bool)]) -> Result<Vec<bool>>,
    ) -> Result<Option<i32>> {
        let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
        let type_now = self.raw.is_some() && self.typed.is_empty();
        let show_now = !self.shown.is_empty();
        let mut wanted = Vec::with_capacity(3);
        if !show_now || !self.typed.is_empty() {
            wanted.push((self.terminal.as_fd(), !self.typed.is_empty()));
        }
        if type_now {
            wanted.push((stdin.as_fd(), false));
        }
        if show_now {
            wanted.push((if self.on_error { stderr.as_fd() } else { stdout.as_fd() }, true));
        }
        wait(&wanted)?;
        if show_now {
            self.show();
        } else {
            self.listen();
        }
        let signal = if type_now { self.read_keys(leader) } else { None };
        self.pass_keys();
        Ok(signal)
    }

    fn listen(&mut self) {
        let mut buffer = [0; CHUNK];
        // EAGAIN: nothing now.
        if let Ok(n) = sys::fs::read(&self.terminal, &mut buffer) {
            self.shown.extend_from_slice(&buffer[..n]);
        }
    }

    fn show(&mut self) {
        let part = &self.shown[..self.shown.len().min(CHUNK)];
        let written = if self.on_error {
            sys::fs::write_some(std::io::stderr(), part)
        } else {
            sys::fs::write_some(std::io::stdout(), part)
        };
        match written {
            Ok(n) => drop(self.shown.drain(..n)),
            Err(e) if e.is(sys::errno::EAGAIN) => {}
            Err(_) => {
                self.gone = true;
                self.shown.clear();
            }
        }
    }

    fn read_keys(&mut self, leader: i32) -> Option<i32> {
        let mut buffer = [0; CHUNK];
        let ready = sys::poll::wait(&[(std::io::stdin().as_fd(), false)], Some(std::time::Duration::ZERO));
        if !ready.is_ok_and(|r| r[0]) {
            return None;
        }
        let n = match sys::fs::read(std::io::stdin(), &mut buffer) {
            Err(e) if e.is(sys::errno::EAGAIN) => return None,
            // Nothing or EIO: a terminal in raw mode ends only when it is hung up.
            Ok(0) | Err(_) => {
                self.gone = true;
                return None;
            }
            Ok(n) => n,
        };
        self.typed.extend_from_slice(&buffer[..n]);
        let signal = buffer[..n].iter().find_map(|key| signal_of(&self.terminal, *key))?;
        (sys::terminal::foreground(&self.terminal).ok() == Some(leader)).then_some(signal)
    }

    fn pass_keys(&mut self) {
        if !self.typed.is_empty() {
            let part = self.typed.len().min(256);
            match sys::fs::write_some(&self.terminal, &self.typed[..part]) {
                Ok(n) => drop(self.typed.drain(..n)),
                Err(e) if e.is(sys::errno::EAGAIN) => {}
                // Nobody is there to type to.
                Err(_) => self.typed.clear(),
            }
        }
    }

    /// Shows what is left when the jail's program has ended.
    pub fn finish(mut self) {
        while !self.gone {
            if self.shown.is_empty() {
                self.listen();
            }
            if self.shown.is_empty() {
                return;
            }
            self.show();
        }
    }
}

/// Which of the caller's standard streams become the jail's terminal, and whether the caller
/// types into it. A jail never gets the caller's own terminal: whoever has a terminal open can
/// do more with it than read and write.
pub fn streams(asked: Option<bool>) -> ([Stream; 3], bool) {
    use Stream::{Caller, Null, Terminal};
    let terminals = [
        sys::terminal::is(std::io::stdin()),
        sys::terminal::is(std::io::stdout()),
        sys::terminal::is(std::io::stderr()),
    ];
    match (asked, terminals) {
        (Some(true), [input, ..]) => ([Terminal; 3], input),
        (None, [true, true, error]) => ([Terminal, Terminal, if error { Terminal } else { Caller }], true),
        (_, [input, output, error]) => {
            let of = |terminal| if terminal { Terminal } else { Caller };
            ([if input { Null } else { Caller }, of(output), of(error)], false)
        }
    }
}

/// Refuses a directory as a standard stream: from an open directory of the host a process inside
/// would walk out of its jail (fchdir(2)).
pub fn no_directories(streams: [Stream; 3]) -> Result<()> {
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let all = [(stdin.as_fd(), "input"), (stdout.as_fd(), "output"), (stderr.as_fd(), "error")];
    for ((fd, name), stream) in all.into_iter().zip(streams) {
        if stream == Stream::Caller && sys::fs::kind(fd).is_ok_and(|kind| kind == sys::fs::Kind::Directory) {
            return Err(Error::refused(
                format!("standard {name} is a directory of the host"),
                "a jail gets none of those open; redirect it to a file, a pipe or /dev/null",
            ));
        }
    }
    Ok(())
}
