//! What of a jail could be abused: checks, what each finds, and the score that they come to.
//!
//! Pure: [`Jail`] goes in, a [`Report`] comes out. The arithmetic, the words and, where a check is
//! about the same, the weights are those of `systemd-analyze security` (systemd 252), so that
//! scores of jails and of services can be compared. The checks of files are jaula's own.

pub mod checks;
pub mod reference;
pub mod steps;
pub mod tree;

mod calls;
mod files;
mod keys;

use crate::caps::CapSet;
use crate::config::Config;
use crate::confinement::Confinement;
use crate::seccomp::{Action, Arch, BadPolicy, Call, Invocation, Policy};
use checks::{Check, Finding};
use std::fmt;
use tree::Tree;

/// A jail as the checks see it.
#[derive(Debug)]
pub struct Jail<'a> {
    /// Its configuration.
    pub config: &'a Config,
    /// What holds its processes.
    pub confinement: Confinement,
    /// The filter.
    pub policy: Policy,
    /// The machine.
    pub arch: Arch,
    /// Its first process's user, inside.
    pub user: u32,
    /// Is it started by the host's root?
    pub privileged: bool,
    /// Does something keep it to the ports of `network.listen`?
    pub decides_ports: bool,
    /// What lies in its root.
    pub tree: &'a Tree,
}

/// What was found out about a jail.
#[derive(Clone, Debug)]
pub struct Report {
    /// What each check found, in the order of the table.
    pub findings: Vec<(&'static Check, Finding)>,
    /// All together.
    pub score: Score,
    /// How many system calls are not refused whatever their arguments.
    pub calls: usize,
    /// How many there are on this machine.
    pub known_calls: usize,
    /// The capabilities that its processes can come to hold.
    pub capabilities: CapSet,
}

/// From 0.0, where nothing is open, to 10.0; kept in tenths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score(pub u32);

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 10, self.0 % 10)
    }
}

impl Score {
    /// The word for it, as systemd has them.
    pub fn word(self) -> &'static str {
        const WORDS: [(u32, &str); 6] =
            [(100, "DANGEROUS"), (90, "UNSAFE"), (75, "EXPOSED"), (50, "MEDIUM"), (10, "OK"), (1, "SAFE")];
        WORDS.iter().find(|(least, _)| self.0 >= *least).map_or("PERFECT", |(_, word)| word)
    }
}

/// The part of the whole that a check's finding is, in tenths of the score, rounded up; and the whole.
fn share(parts: impl Iterator<Item = (u32, u32, u32)> + Clone) -> Score {
    // As systemd adds up: each part is rounded up, and then the whole.
    let bad: u32 = parts.clone().map(|(weight, range, badness)| (badness * weight).div_ceil(range)).sum();
    let all: u32 = parts.map(|(weight, ..)| weight).sum();
    Score((bad * 100).div_ceil(all.max(1)))
}

impl<'a> Jail<'a> {
    /// A jail by its configuration and its files.
    ///
    /// # Errors
    /// What is wrong with its system calls.
    pub fn new(config: &'a Config, arch: Arch, tree: &'a Tree) -> Result<Self, Vec<BadPolicy>> {
        Ok(Self {
            config,
            confinement: Confinement::of(config, arch)?,
            policy: Policy::of(&config.security)?,
            arch,
            user: 0,
            privileged: true,
            decides_ports: false,
            tree,
        })
    }

    /// The capabilities that its processes can come to hold: those of root inside, unless nobody is
    /// root inside and nothing can make one so.
    pub fn capabilities(&self) -> CapSet {
        match (self.privileged, self.user, self.confinement.no_new_privileges) {
            (false, ..) => CapSet::default(),
            (true, user, true) if user != 0 => self.confinement.added,
            _ => self.confinement.capabilities,
        }
    }

    /// Is this call with these first arguments carried out?
    fn allows(&self, name: &str, [a, b, c]: [u64; 3]) -> bool {
        let abi = self.arch.native();
        let Some(number) = Call::from_name(name).and_then(|call| call.number(abi)) else { return false };
        let made = Invocation { arch: abi.audit_arch(), number, arguments: [a, b, c, 0, 0, 0] };
        self.policy.decide(self.arch, &made) == Action::Allow
    }

    /// Runs all checks.
    pub fn report(&self) -> Report {
        let findings: Vec<_> = checks::all().map(|check| (check, check.find(self))).collect();
        let (calls, known_calls) = calls::count(self);
        Report { score: score(&findings), findings, calls, known_calls, capabilities: self.capabilities() }
    }
}

/// All findings together.
fn score(findings: &[(&'static Check, Finding)]) -> Score {
    share(findings.iter().map(|(check, finding)| (check.weight, check.range, finding.badness)))
}

impl Report {
    /// The part of the score that this finding is, as the table shows it.
    pub fn exposure(&self, check: &Check, finding: &Finding) -> Score {
        let all: u32 = self.findings.iter().map(|(check, _)| check.weight).sum();
        let bad = (finding.badness * check.weight * 100).div_ceil(check.range);
        Score(bad.div_ceil(all.max(1)))
    }

    /// What is open, worst first.
    pub fn open(&self) -> Vec<&(&'static Check, Finding)> {
        let mut open: Vec<_> = self.findings.iter().filter(|(_, finding)| finding.badness > 0).collect();
        open.sort_by_key(|(check, finding)| {
            (std::cmp::Reverse(finding.badness * check.weight / check.range), check.name)
        });
        open
    }
}

#[cfg(test)]
mod tests;
