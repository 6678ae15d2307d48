//! A long work that its caller watches and may end.

use crate::error::{Error, Result};
use crate::rootfs::archive::Progress;
use model::bootstrap::Step;
use model::units::Bytes;
use sys::signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, Signals};

/// What ends the work.
pub(crate) const ENDING: [i32; 4] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT];

/// What the work says on its way.
#[derive(Debug)]
pub enum Report<'a> {
    /// Where it is.
    Step(&'a Step),
    /// What a program printed.
    Line(&'a str),
    /// What whoever waits should know.
    Told(&'a str),
}

/// A work that goes on. While it does, the signals that would end the process end the work instead.
pub struct Work<'a> {
    report: &'a mut dyn FnMut(Report<'_>),
    signals: Signals,
}

impl std::fmt::Debug for Work<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Work")
    }
}

impl<'a> Work<'a> {
    /// Begins one.
    pub fn begin(report: &'a mut dyn FnMut(Report<'_>)) -> Result<Self> {
        let signals = Signals::take(&ENDING).map_err(Error::call("take signals"))?;
        Ok(Self { report, signals })
    }

    /// Says what comes now.
    pub fn say(&mut self, phase: &'static str) {
        self.step(&Step { phase, ..Step::default() });
    }

    pub(crate) fn step(&mut self, step: &Step) {
        (self.report)(Report::Step(step));
    }

    /// Says what whoever waits should know, in a line that stays.
    pub(crate) fn tell(&mut self, text: &str) {
        (self.report)(Report::Told(text));
    }

    pub(crate) fn line(&mut self, line: &str) {
        (self.report)(Report::Line(line));
    }

    /// Says how much of a tree there is by now, and whether to go on.
    pub fn count(&mut self, phase: &'static str, files: u64, bytes: u64) -> Result<()> {
        if files.is_multiple_of(64) {
            self.go_on()?;
            let what = format!("{files} files, {}", Bytes(bytes));
            self.step(&Step { phase, what, count: None });
        }
        Ok(())
    }

    /// Hears how far an archive is; `size` is how long it is, if that is known.
    pub fn unpacking(&mut self, size: Option<u64>) -> impl FnMut(&Progress) -> Result<()> {
        move |progress| {
            self.go_on()?;
            let what = format!("{} files, {}", progress.files, Bytes(progress.bytes));
            let count = size.map(|size| (progress.archive.min(size), size));
            self.step(&Step { phase: "unpacking", what, count });
            Ok(())
        }
    }

    /// Says how much of a tree was read, and whether to go on.
    pub fn reading(&mut self, progress: &Progress) -> Result<()> {
        self.go_on()?;
        let what = format!("{} files, {}", progress.files, Bytes(progress.bytes));
        self.step(&Step { phase: "reading", what, count: None });
        Ok(())
    }

    /// Says how much of a tree of so many files was read, and whether to go on.
    pub fn packing(&mut self, progress: &Progress, files: u64) -> Result<()> {
        self.go_on()?;
        let what = format!("{} files, {}", progress.files, Bytes(progress.bytes));
        self.step(&Step { phase: "reading", what, count: Some((progress.files.min(files), files)) });
        Ok(())
    }

    /// Says what was left out of a tree.
    pub fn left_out<K: std::fmt::Display>(&mut self, what: &std::collections::BTreeMap<K, u64>) {
        if !what.is_empty() {
            let all: Vec<String> =
                what.iter().map(|(what, count)| format!("{count} \u{d7} {what}")).collect();
            self.step(&Step { phase: "left out", what: all.join(", "), count: None });
        }
    }

    /// Why it ended: if somebody wanted that, whatever it failed with is of no interest.
    pub(crate) fn ended_by(&self, error: Error) -> Error {
        self.go_on().err().unwrap_or(error)
    }

    /// An error if somebody wants it to end.
    pub fn go_on(&self) -> Result<()> {
        match self.signals.next().map_err(Error::call("read a signal"))? {
            Some(signal) => Err(Error::Cancelled(signal)),
            None => Ok(()),
        }
    }
}
