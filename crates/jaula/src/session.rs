//! A caller's terminal joined to a jail's: bytes, size, and the keys that raise signals.

use crate::error::{Error, Result};
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
    /// Nobody reads any more.
    deaf: bool,
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
        let session = Self { terminal, _peer: peer, raw, typed: Vec::new(), shown: Vec::new(), deaf: false };
        session.resize();
        Ok(session)
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
        let (stdin, stdout) = (std::io::stdin(), std::io::stdout());
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
            wanted.push((stdout.as_fd(), true));
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
        let part = self.shown.len().min(CHUNK);
        if !self.deaf && sys::fs::write(std::io::stdout(), &self.shown[..part]).is_err() {
            self.deaf = true;
        }
        self.shown.drain(..part);
    }

    fn read_keys(&mut self, leader: i32) -> Option<i32> {
        let mut buffer = [0; CHUNK];
        let ready = sys::poll::wait(&[(std::io::stdin().as_fd(), false)], Some(std::time::Duration::ZERO));
        if !ready.is_ok_and(|r| r[0]) {
            return None;
        }
        let n = sys::fs::read(std::io::stdin(), &mut buffer).unwrap_or(0);
        self.typed.extend_from_slice(&buffer[..n]);
        let signal = buffer[..n].iter().find_map(|key| signal_of(&self.terminal, *key))?;
        (sys::terminal::foreground(&self.terminal).ok() == Some(leader)).then_some(signal)
    }

    fn pass_keys(&mut self) {
        if !self.typed.is_empty() {
            let part = self.typed.len().min(256);
            match sys::fs::write(&self.terminal, &self.typed[..part]) {
                Err(e) if e.is(sys::errno::EAGAIN) => {}
                // Written, or nobody there to type to.
                _ => drop(self.typed.drain(..part)),
            }
        }
    }

    /// Shows what is left when the jail's program has ended.
    pub fn finish(mut self) {
        loop {
            if self.shown.is_empty() {
                self.listen();
            }
            if self.shown.is_empty() || self.deaf {
                return;
            }
            self.show();
        }
    }
}

/// Which of the caller's standard streams become the jail's terminal, and whether the caller
/// types into it. A jail never gets the caller's own terminal: whoever has a terminal open can
/// do more with it than read and write.
pub fn streams(asked: Option<bool>) -> ([model::plan::Stream; 3], bool) {
    use model::plan::Stream::{Caller, Null, Terminal};
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
