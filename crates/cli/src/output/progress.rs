//! One line on standard error that says what takes so long.

use super::style::is_dumb;
use super::text::{harmless, truncate};
use std::io::{self, IsTerminal, Write};

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

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
