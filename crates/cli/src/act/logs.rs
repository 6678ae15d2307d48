//! `logs`

use crate::command::Logs;
use crate::exit::ExitCode;
use crate::output::text::harmless;
use jaula::house::House;
use jaula::ops::logs::Log;
use jaula::{Error, Result, registry};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::Path;

/// `jaula logs`
pub(crate) fn logs(given: &Logs) -> Result<ExitCode> {
    let house = House::from_environment();
    let name = registry::one(&house, &given.name)?;
    let mut log = Log::open(&house, &name, given.lines)?;
    let mut out = Output::new();
    let mut show = |bytes: &[u8]| out.write(bytes);
    if given.follow {
        log.follow(&mut show)?;
    } else {
        log.show(&mut show)?;
    }
    match out.finish() {
        Some(error) => Err(Error::io("write to", Path::new("standard output"))(error)),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Standard output. What goes to a file or a program is what the jail wrote, byte for byte; what
/// goes to a terminal does nothing there but be seen.
struct Output {
    terminal: bool,
    /// What cannot be shown yet: a character, or a line's end, that may go on.
    held: Vec<u8>,
    failure: Option<io::Error>,
}

impl Output {
    fn new() -> Self {
        Self { terminal: io::stdout().is_terminal(), held: Vec::new(), failure: None }
    }

    /// Writes a piece; nothing stands for a pause. `false` if nobody reads any more.
    fn write(&mut self, bytes: &[u8]) -> bool {
        let written = if !self.terminal {
            put(bytes)
        } else {
            self.held.extend_from_slice(bytes);
            let rest = self.held.split_off(complete(&self.held));
            let shown = visible(&std::mem::replace(&mut self.held, rest));
            put(shown.as_bytes())
        };
        self.failure = written.err();
        self.failure.is_none()
    }

    /// Writes what is left, and tells what failed. A reader that has seen enough is no failure.
    fn finish(mut self) -> Option<io::Error> {
        if self.failure.is_none() {
            self.failure = put(visible(&self.held).as_bytes()).err();
        }
        self.failure.filter(|error| error.kind() != ErrorKind::BrokenPipe)
    }
}

fn put(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush())
}

/// How much of a text can be shown now: all but a character that is cut off, and a carriage
/// return that a newline may follow.
fn complete(bytes: &[u8]) -> usize {
    let cut = match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        // What is no UTF-8 at all is shown as such; only the end can be a beginning.
        Err(_) => {
            let from = bytes.len().saturating_sub(3);
            (from..bytes.len())
                .find(|at| {
                    std::str::from_utf8(&bytes[*at..])
                        .is_err_and(|e| e.valid_up_to() == 0 && e.error_len().is_none())
                })
                .unwrap_or(bytes.len())
        }
        Ok(_) => bytes.len(),
    };
    if bytes[..cut].ends_with(b"\r") { cut - 1 } else { cut }
}

/// The text with all that a terminal would act on written out, but for newlines and tabs. A
/// console ends its lines with a carriage return and a newline.
fn visible(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (line, end) = match line.strip_suffix('\n') {
            Some(line) => (line.strip_suffix('\r').unwrap_or(line), "\n"),
            None => (line, ""),
        };
        for (n, part) in line.split('\t').enumerate() {
            out.push_str(if n > 0 { "\t" } else { "" });
            out.push_str(&harmless(part));
        }
        out.push_str(end);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_only_shows() {
        assert_eq!(visible(b"a\tb\r\n\x1b[31mred\x1b[0m\r"), "a\tb\n\\x1b[31mred\\x1b[0m\\r");
    }

    #[test]
    fn what_may_go_on_is_held() {
        for (bytes, shown) in [
            (&b"abc"[..], 3),
            (b"abc\r", 3),
            (b"a\xc3", 1),
            (b"a\xe2\x82", 1),
            (b"\xff\xe2\x82", 1),
            (b"\xff", 1),
            (b"a\xc3\xa9", 3),
            (b"", 0),
        ] {
            assert_eq!(complete(bytes), shown, "{bytes:?}");
        }
    }
}
