//! A question before something that cannot be undone.

use std::io::{self, BufRead, IsTerminal, Write};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// Nobody is there to ask.
    #[error("this needs a confirmation, and standard input is no terminal to ask on")]
    NoTerminal,
    /// The terminal failed.
    #[error("the answer cannot be read")]
    Unreadable(#[source] io::Error),
}

impl NoAnswer {
    /// What to do about it.
    pub(crate) fn help(&self) -> &'static str {
        "add --yes if you are sure"
    }
}

/// Asks on the terminal; only `y` or `yes` is a yes. `yes` (`--yes`) answers beforehand.
pub(crate) fn confirm(question: &str, yes: bool) -> Result<bool, NoAnswer> {
    if yes {
        return Ok(true);
    }
    let (stdin, mut stderr) = (io::stdin(), io::stderr());
    if !stdin.is_terminal() || !stderr.is_terminal() {
        return Err(NoAnswer::NoTerminal);
    }
    let question = super::text::harmless(question);
    write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush()).map_err(NoAnswer::Unreadable)?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).map_err(NoAnswer::Unreadable)?;
    Ok(is_yes(&answer))
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        for (answer, yes) in [("y\n", true), ("YES\n", true), ("", false), ("\n", false), ("yeah\n", false)] {
            assert_eq!(is_yes(answer), yes, "{answer:?}");
        }
        assert!(confirm("really?", true).unwrap());
    }
}
