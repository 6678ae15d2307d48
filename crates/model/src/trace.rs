//! What a program did while it was traced.
//!
//! A [`Record`] is what the tracer saw, nothing concluded from it. Paths are those of the host as
//! the program meant them: absolute, no `.` or `..`, but links on the way not followed. Several
//! runs add up ([`Record::add`]). [`review`] says what a jail needs for it to happen again, and
//! [`list`] writes that into a jail's file.

mod files;
mod group;
mod host;
pub mod list;
mod place;
mod review;
mod rights;
mod secret;
mod words;
mod writes;

pub use group::Group;
pub use host::{Found, Host, Key, Kind, User};
pub use place::is_foreign_names;
pub use review::{Entry, LeftOut, Review, Wanted, review, units};
pub use secret::secret;

pub mod calls;

use crate::caps::CapSet;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What one or more traced runs did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The files and directories that it asked for, links and missing ones included.
    pub files: BTreeMap<PathBuf, Touched>,
    /// The addresses that it waited for connections or datagrams on.
    pub listens: BTreeSet<Port>,
    /// The sockets of others that it connected or sent to, with whether anybody was there.
    pub peers: BTreeMap<Peer, bool>,
    /// The users that its processes became, by number.
    pub users: BTreeSet<u32>,
    /// The groups that its processes became members of, by number.
    pub groups: BTreeSet<u32>,
    /// The system calls that it made, by name.
    pub calls: BTreeSet<String>,
    /// Does [`Self::calls`] hold every call? If not, calls on descriptors and memory that nearly
    /// every program makes were not looked at.
    pub calls_whole: bool,
    /// The capabilities that it used: a check for it was made, and granted.
    pub capabilities: CapSet,
    /// Does [`Self::capabilities`] hold every one? If not, they are guessed by the calls that need them.
    pub capabilities_whole: bool,
    /// The capabilities that it asked for and was refused.
    pub refused: CapSet,
}

/// How a path was used. A path that is only looked at (stat(2), access(2)) has no flag set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// There was nothing.
    pub missing: bool,
    /// It is a directory.
    pub directory: bool,
    /// Opened for reading.
    pub read: bool,
    /// The directory's members were listed.
    pub listed: bool,
    /// Started as a program, or as the interpreter or loader of one.
    pub executed: bool,
    /// Mapped so that its code can run: a library.
    pub mapped: bool,
    /// Opened for writing, or changed by name: mode, owner, times, length.
    pub written: bool,
    /// Made, renamed or removed; its directory was written to.
    pub made: bool,
    /// The program that did so first; empty for what the kernel looked up to start the first one.
    pub by: PathBuf,
}

/// Where a program waits for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port {
    /// TCP, or UDP.
    pub tcp: bool,
    /// Its number.
    pub number: u16,
}

/// Whom a program talked to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// A socket with a path.
    Unix(PathBuf),
    /// A socket with an abstract name, or another family; as text, for people.
    Other(String),
    /// An address of the network.
    Inet {
        /// The address, as text.
        address: String,
        /// The port.
        port: Port,
    },
}

impl Record {
    /// Takes in another run's record: what either did, both did.
    pub fn add(&mut self, other: Self) {
        for (path, touched) in other.files {
            match self.files.entry(path) {
                std::collections::btree_map::Entry::Vacant(free) => {
                    free.insert(touched);
                }
                std::collections::btree_map::Entry::Occupied(mut both) => both.get_mut().add(&touched),
            }
        }
        self.listens.extend(other.listens);
        for (peer, there) in other.peers {
            *self.peers.entry(peer).or_default() |= there;
        }
        self.users.extend(other.users);
        self.groups.extend(other.groups);
        self.calls.extend(other.calls);
        self.calls_whole &= other.calls_whole;
        self.capabilities_whole &= other.capabilities_whole;
        self.capabilities = CapSet::from_bits(self.capabilities.bits() | other.capabilities.bits());
        self.refused = CapSet::from_bits(self.refused.bits() | other.refused.bits());
    }
}

impl Touched {
    /// Takes in another use of the same path. It is missing only if it always was.
    pub fn add(&mut self, other: &Self) {
        self.missing &= other.missing;
        self.directory |= other.directory;
        self.read |= other.read;
        self.listed |= other.listed;
        self.executed |= other.executed;
        self.mapped |= other.mapped;
        self.written |= other.written;
        self.made |= other.made;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_add_up() {
        let file = |touched| Record { files: [("/etc/x".into(), touched)].into(), ..Record::default() };
        let mut both = file(Touched { missing: true, ..Touched::default() });
        both.add(file(Touched { read: true, by: "/bin/sh".into(), ..Touched::default() }));
        let seen = &both.files[&PathBuf::from("/etc/x")];
        assert!(!seen.missing && seen.read && !seen.written);
        assert!(!both.calls_whole);
    }
}
