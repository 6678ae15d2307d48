//! What is wrong with a configuration, and where.

use std::fmt;

/// How many problems of one text are told; a text with more is something else than a jail's.
const MOST: usize = 100;

/// Why a text is not a value of its key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadValue {
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

impl BadValue {
    /// A value that is wrong, without a word of help.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    /// The same with a line of help.
    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// `text` is none of `words`; the nearest of them is suggested, or else all are listed.
    pub(crate) fn none_of(text: &str, words: &[&str]) -> Self {
        let bad = Self::new(format!("{} is not one of {}", shown(text), words.join(", ")));
        match crate::suggest::nearest(text, words.iter().copied()) {
            Some(word) => bad.help(format!("did you mean {word:?}?")),
            None => bad,
        }
    }
}

/// `text` in quotes as a message shows it: control characters escaped, cut when it is long.
pub(crate) fn shown(text: &str) -> String {
    let cut: String = text.chars().take(60).collect();
    if cut.len() < text.len() { format!("{:?}", cut + "…") } else { format!("{cut:?}") }
}

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Position {
    /// Where the byte `offset` of `text` stands.
    fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: 1 + before.bytes().filter(|b| *b == b'\n').count(),
            column: 1 + before[line_start..].chars().count(),
        }
    }
}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands; nowhere if it came from the command line.
    pub at: Option<Position>,
    /// The key that it is about, with its section; empty if it is about the whole text.
    pub key: String,
    /// What is wrong; names the key.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

/// Everything that is wrong with a configuration; never nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// They, by position.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// The problems as lines of text: `www.toml:7:3: unknown key "netwrok.mode"`, and below it
    /// `help: …` if there is help. What came from the command line stands without a file.
    pub fn in_file<'a>(&'a self, file: &'a str) -> impl fmt::Display + 'a {
        InFile { problems: self, file }
    }

    /// The same problems with other positions: those that `other` has for the same message,
    /// or none.
    pub(super) fn placed_as_in(mut self, other: Option<&Self>) -> Self {
        for problem in &mut self.0 {
            let same = other.and_then(|o| o.iter().find(|p| p.message == problem.message));
            problem.at = same.and_then(|p| p.at);
        }
        self
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    /// The messages in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.iter().enumerate() {
            write!(f, "{}{}", if i > 0 { "; " } else { "" }, problem.message)?;
        }
        Ok(())
    }
}

/// Problems and the name of the file that has them.
struct InFile<'a> {
    problems: &'a Problems,
    file: &'a str,
}

impl fmt::Display for InFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            match problem.at {
                Some(Position { line, column }) => write!(f, "{}:{line}:{column}: ", self.file)?,
                None if problem.key.is_empty() => write!(f, "{}: ", self.file)?,
                None => {}
            }
            f.write_str(&problem.message)?;
            if let Some(help) = &problem.help {
                write!(f, "\nhelp: {help}")?;
            }
        }
        Ok(())
    }
}

/// The problems found so far, in a text or in no text at all.
#[derive(Debug, Default)]
pub(super) struct Found<'a> {
    text: &'a str,
    list: Vec<(Option<usize>, Problem)>,
}

impl<'a> Found<'a> {
    /// Nothing found yet in `text`.
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, list: Vec::new() }
    }

    /// Notes a problem at the byte `offset`.
    pub(super) fn note(
        &mut self,
        offset: Option<usize>,
        key: impl Into<String>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        if !self.is_full() {
            let problem = Problem { at: None, key: key.into(), message: message.into(), help };
            self.list.push((offset, problem));
        }
    }

    /// Notes that the value of `key` at `offset` is bad.
    pub(super) fn bad_value(&mut self, offset: Option<usize>, key: &str, bad: BadValue) {
        self.note(offset, key, format!("{key}: {}", bad.message), bad.help);
    }

    /// Is nothing found?
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Is so much found that no more is told?
    pub(super) fn is_full(&self) -> bool {
        self.list.len() >= MOST
    }

    /// Takes over what was found elsewhere.
    pub(super) fn append(&mut self, other: Found<'_>) {
        self.list.extend(other.list);
    }

    /// `good`, unless something was found.
    pub(super) fn or<T>(self, good: T) -> Result<T, Problems> {
        let Self { text, mut list } = self;
        if list.is_empty() {
            return Ok(good);
        }
        list.sort_by_key(|(offset, _)| *offset);
        let placed = |(offset, problem): (Option<usize>, Problem)| Problem {
            at: offset.map(|offset| Position::of(text, offset)),
            ..problem
        };
        Err(Problems(list.into_iter().map(placed).collect()))
    }

    /// The problems with this one as the last.
    pub(super) fn fail<T>(
        mut self,
        offset: Option<usize>,
        message: impl Into<String>,
        help: Option<String>,
    ) -> Result<T, Problems> {
        self.note(offset, "", message, help);
        let problems = self.list.into_iter().map(|(offset, problem)| Problem {
            at: offset.map(|offset| Position::of(self.text, offset)),
            ..problem
        });
        Err(Problems(problems.collect()))
    }
}
