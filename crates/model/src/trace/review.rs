//! What a jail needs so that a program can do in it what it did while it was traced: each thing
//! with the reason for it.

use super::files::{self, Files};
use super::host::Host;
use super::rights;
use super::writes::{Writes, writes};
use super::{Group, Record};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What somebody wants of a review.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The program, without links.
    pub program: PathBuf,
    /// Files and directories that are taken whatever they are.
    pub named: Vec<PathBuf>,
    /// Files and directories that are not, with all below them.
    pub unwanted: BTreeSet<PathBuf>,
    /// Is it for profile `strict`, which lists the system calls?
    pub strict: bool,
    /// Did the program run as root, so that it would have shown what it needs root for?
    pub as_root: bool,
}

impl Wanted {
    /// Is a path asked for by its name, or the name of a directory above it?
    pub(super) fn is_named(&self, path: &Path) -> bool {
        self.named.iter().any(|named| path.starts_with(named))
    }

    /// Is a path refused?
    pub(super) fn is_unwanted(&self, path: &Path) -> bool {
        path.ancestors().any(|above| self.unwanted.contains(above))
    }

    /// Is something in a directory refused?
    pub(super) fn is_unwanted_below(&self, directory: &Path) -> bool {
        self.is_unwanted(directory) || super::host::below(&self.unwanted, directory).next().is_some()
    }
}

/// The result: all that there is to say about a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Review {
    /// By group, then by value.
    pub entries: Vec<Entry>,
    /// Whom the program should run as from its first instruction, and why.
    pub user: Option<(String, String)>,
    /// When its jail is ready, as `boot.ready` has it.
    pub ready: Option<String>,
    /// How many of the files that it used the jail holds without a line.
    pub linked: usize,
    /// What it used and does not get, and is not worth a line in a file.
    pub left_out: Vec<LeftOut>,
    /// What somebody should know.
    pub notes: Vec<String>,
}

/// One thing that the program needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// What for.
    pub group: Group,
    /// The member of the list of [`Group::key`].
    pub value: String,
    /// Why it is there, or why it is not.
    pub reason: String,
    /// Does the jail get it? If not, it is only named.
    pub taken: bool,
}

/// Something that is left out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// What.
    pub path: PathBuf,
    /// Why.
    pub why: String,
}

impl Review {
    /// The entries by group, in order; each group once.
    pub fn groups(&self) -> BTreeMap<Group, Vec<&Entry>> {
        let mut groups: BTreeMap<Group, Vec<&Entry>> = BTreeMap::new();
        for entry in &self.entries {
            groups.entry(entry.group).or_default().push(entry);
        }
        groups
    }

    /// What the jail gets for a key of the configuration.
    pub fn taken(&self, key: &str) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.taken && entry.group.key() == key)
    }
}

/// The directories that must be looked through ([`Host::searched`]) before a review can take any of
/// them as a whole. They follow from the record and [`Host::found`].
pub fn units(record: &Record, host: &Host) -> BTreeSet<PathBuf> {
    files::units(record, host)
}

/// Reviews a record.
pub fn review(record: &Record, host: &Host, wanted: &Wanted) -> Review {
    let Writes { mut entries, left_out: elsewhere, own, owners } = writes(record, host);
    let Files { entries: read, mut left_out, linked } = files::files(record, host, wanted, &own);
    entries.extend(asked_for(wanted, &read));
    let user = rights::user(record, host, wanted, &owners);
    entries.extend(read);
    entries.extend(rights::users(record, host, &owners, user.as_ref()));
    entries.extend(rights::sockets(record, host));
    entries.extend(rights::ports(record));
    entries.extend(rights::capabilities(record, wanted, user.is_none()));
    let mut notes = Vec::new();
    entries.extend(rights::calls(record, wanted, &mut notes));
    notes.extend(rights::network(record).into_iter().chain(rights::devices(record)));
    left_out.extend(elsewhere);
    // `-all` stands before what it leaves.
    entries.sort_by(|a, b| {
        let rank = |entry: &Entry| (entry.group, entry.value != rights::ALL);
        rank(a).cmp(&rank(b)).then_with(|| a.cmp(b))
    });
    entries.dedup_by(|a, b| a.group == b.group && a.value == b.value);
    left_out.sort();
    left_out.dedup();
    Review { entries, user, ready: rights::ready(record), linked, left_out, notes }
}

/// What is named and was not used.
fn asked_for(wanted: &Wanted, used: &[Entry]) -> Vec<Entry> {
    let is_there = |path: &Path| used.iter().any(|entry| entry.taken && path.starts_with(&entry.value));
    let new = wanted.named.iter().filter(|path| !is_there(path));
    let entry = |path: &PathBuf| Entry {
        group: super::place::group(path, &super::Touched::default()),
        value: super::words::path(path),
        reason: "asked for".to_owned(),
        taken: true,
    };
    new.map(entry).collect()
}

#[cfg(test)]
pub(super) mod tests;
