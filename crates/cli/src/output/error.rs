//! Errors, printed once, at the top.

use super::style::Style;
use super::text::harmless;
use crate::command::When;
use std::error::Error;
use std::io::{self, Write};

/// Prints `error: a: b: c`, the error with its causes on one line, and `help: …` if there is
/// something to do about it. If even that cannot be written, nobody is there to read it.
pub(crate) fn report(error: &dyn Error, help: Option<&str>, color: When) {
    let mut stderr = io::stderr().lock();
    let style = Style::of(color, &stderr);
    let _ = stderr.write_all(message(error, help, style).as_bytes());
}

/// Prints `warning: …`.
pub(crate) fn warn(text: &str, color: When) {
    say("warning:", text, color);
}

/// Prints `note: …`.
pub(crate) fn note(text: &str, color: When) {
    say("note:", text, color);
}

fn say(what: &str, text: &str, color: When) {
    let mut stderr = io::stderr().lock();
    let style = Style::of(color, &stderr);
    let _ = stderr.write_all(format!("{} {}\n", style.bold(what), harmless(text)).as_bytes());
}

fn message(error: &dyn Error, help: Option<&str>, style: Style) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    let mut text = format!("{} {}\n", style.red("error:"), harmless(&line));
    if let Some(help) = help {
        text.push_str(&format!("{} {}\n", style.bold("help:"), harmless(help)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("jail \"w\x1bw\" cannot start")]
    struct Outer(#[source] io::Error);

    #[test]
    fn the_chain_is_one_line() {
        let error = Outer(io::Error::other("no\nspace"));
        assert_eq!(
            message(&error, Some("make some"), Style::PLAIN),
            "error: jail \"w\\x1bw\" cannot start: no\\nspace\nhelp: make some\n"
        );
        assert_eq!(message(&io::Error::other("x"), None, Style::PLAIN), "error: x\n");
    }
}
