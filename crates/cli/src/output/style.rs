//! Colours, where they help and are wanted.

use crate::command::When;
use std::io::IsTerminal;

/// Whether and how to mark text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    is_on: bool,
}

impl Style {
    /// No marks.
    #[cfg(test)]
    pub(crate) const PLAIN: Self = Self { is_on: false };

    /// For what is written to `stream` (standard output or error).
    pub(crate) fn of(when: When, stream: &impl IsTerminal) -> Self {
        let is_on = match when {
            When::Always => true,
            When::Never => false,
            When::Auto => stream.is_terminal() && !is_refused(),
        };
        Self { is_on }
    }

    /// Headings, literals.
    pub(crate) fn bold(self, text: &str) -> String {
        self.mark("1", text)
    }

    /// Good: a jail runs, a check passed.
    pub(crate) fn green(self, text: &str) -> String {
        self.mark("32", text)
    }

    /// Needs attention.
    pub(crate) fn yellow(self, text: &str) -> String {
        self.mark("33", text)
    }

    /// Bad: an error, a jail that failed.
    pub(crate) fn red(self, text: &str) -> String {
        self.mark("1;31", text)
    }

    fn mark(self, code: &str, text: &str) -> String {
        if self.is_on && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Does the environment ask for no colours (no-color.org)?
fn is_refused() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) || is_dumb()
}

/// Is the terminal one that cannot move its cursor?
pub(super) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_wins() {
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(Style::of(When::Always, &file).bold("x"), "\x1b[1mx\x1b[0m");
        for when in [When::Never, When::Auto] {
            assert_eq!(Style::of(when, &file).red("x"), "x");
        }
    }
}
