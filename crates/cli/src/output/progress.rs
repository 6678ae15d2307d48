//! One line on standard error that says what takes so long.

use super::style::is_dumb;
use super::text::{harmless, truncate};
use std::io::{self, IsTerminal, Write};
use std::time::Instant;

/// A line that is rewritten as work goes on, and erased when this is dropped. Only on a
/// terminal; nothing is written anywhere else.
#[derive(Debug)]
pub(crate) struct Progress {
    /// The columns that it may take; `None` if nothing is shown.
    room: Option<usize>,
    is_shown: bool,
}

impl Progress {
    /// No line yet; never one if `quiet`.
    pub(crate) fn new(quiet: bool) -> Self {
        let stderr = io::stderr();
        let is_wanted = !quiet && stderr.is_terminal() && !is_dumb();
        let columns = || rustix::termios::tcgetwinsize(&stderr).map_or(80, |size| usize::from(size.ws_col));
        Self { room: is_wanted.then(columns), is_shown: false }
    }

    /// What is going on now.
    pub(crate) fn say(&mut self, text: &str) {
        if let Some(room) = self.room {
            // The last column stays free: some terminals wrap when it is written.
            let line = harmless(text);
            let line = truncate(&line, room.max(2) - 1);
            let _ = write!(io::stderr(), "\r\x1b[K{line}");
            self.is_shown = true;
        }
    }
}

/// A long work, step by step: one line that is rewritten on a terminal, with the time that has passed; elsewhere
/// each phase in a line of its own.
#[derive(Debug)]
pub(crate) struct Steps {
    of: String,
    is_quiet: bool,
    progress: Progress,
    phase: &'static str,
    begun: Instant,
}

impl Steps {
    /// No line yet; never one if `quiet`.
    pub(crate) fn new(of: String, is_quiet: bool) -> Self {
        Self { of, is_quiet, progress: Progress::new(is_quiet), phase: "", begun: Instant::now() }
    }

    /// What is going on now, with what, and the how manieth of how many it is.
    pub(crate) fn say(&mut self, phase: &'static str, what: &str, count: Option<(u64, u64)>) {
        if self.progress.room.is_some() {
            let seconds = self.begun.elapsed().as_secs();
            let share = match count {
                Some((done, of @ 1..)) => format!(" {:3} %", done * 100 / of),
                _ => String::new(),
            };
            self.progress.say(&format!(
                "{} {}:{:02} {phase}{share} {what}",
                self.of,
                seconds / 60,
                seconds % 60
            ));
        } else if phase != self.phase && !self.is_quiet {
            say(&format!("{}: {phase}", self.of));
        }
        self.phase = phase;
    }

    /// A line as it is.
    pub(crate) fn line(&self, line: &str) {
        say(line);
    }
}

/// A line on standard error.
pub(crate) fn say(line: &str) {
    // Nobody reads it if it cannot be written.
    let _ = writeln!(io::stderr(), "{}", harmless(line));
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
