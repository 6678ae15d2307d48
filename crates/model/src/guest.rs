//! What in a distribution's own files must be another in a jail: its name, its network, its clock.
//!
//! Pure: it is told what is in the tree and says what to write. What it writes beside a guest's own
//! lines stands between two markers, so that those lines stay as they are; what is no use in a jail is
//! switched off and not taken away. All of it is a function of what is there: done once more, nothing
//! is left to do.

mod clock;
mod console;
mod identity;
pub mod lines;
mod mounts;
mod names;
pub mod network;
mod resolver;
mod units;

pub use resolver::Resolver;

use network::Network;
use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

/// At the top of files that are jaula's whole.
pub const MARK: &str =
    "# Written by jaula; `guest.keep` in the jail's configuration keeps it from doing so.\n";

/// A guest, as its configuration and the host have it.
#[derive(Clone, Debug)]
pub struct Guest {
    /// What `hostname` says inside.
    pub hostname: String,
    /// The interfaces that it has to configure.
    pub network: Network,
    /// Whom it asks for names; `None` leaves that to the guest.
    pub resolver: Option<Resolver>,
    /// Other jails: what stands in hosts(5) for them.
    pub others: String,
    /// How new it is.
    pub age: Age,
    /// `guest.keep`: these files, and what is below these directories, stay as they are.
    pub keep: Vec<PathBuf>,
}

/// How new a guest is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Age {
    /// Made of a tree that was another's: a machine's, or that of nobody yet.
    Built {
        /// Its machine-id: 32 hexadecimal digits.
        machine_id: String,
    },
    /// A copy of a guest.
    Cloned {
        /// As above.
        machine_id: String,
    },
    /// It has been there.
    Known,
}

/// What is at a path of its tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// Nothing.
    Nothing,
    /// A file with this text.
    Text(String),
    /// A symbolic link that reads this.
    Link(String),
    /// A directory.
    Directory,
    /// A file that is too large or no text, or a device, fifo, socket.
    Other,
}

/// A guest's tree.
pub trait Files {
    /// What is at a path; a link is itself, but in the directories on the way links lead on.
    fn at(&mut self, path: &str) -> At;

    /// Is anything there? It may be large.
    fn has(&mut self, path: &str) -> bool {
        self.at(path) != At::Nothing
    }

    /// The names in a directory, sorted; none if there is none.
    fn names(&mut self, directory: &str) -> Vec<String>;
}

/// Something that is not yet as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixUp {
    /// Where; absolute, as the jail sees it.
    pub path: String,
    /// What is done there.
    pub action: Action,
    /// Why.
    pub why: &'static str,
}

/// What is done to a file of the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is replaced; one that is there keeps its owner and permissions.
    Write {
        /// The whole text.
        text: String,
        /// The permissions of a new one.
        mode: u32,
    },
    /// A symbolic link is put there.
    Link(String),
    /// It is removed.
    Remove,
    /// It gets another name in its directory.
    Rename(String),
}

impl fmt::Display for FixUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.action {
            Action::Write { .. } => write!(f, "write {path}"),
            Action::Link(target) => write!(f, "link {path} -> {target}"),
            Action::Remove => write!(f, "remove {path}"),
            Action::Rename(to) => write!(f, "rename {path} to {to}"),
        }
    }
}

/// All that is not yet as it must be. A tree without a directory `/etc` is no distribution.
pub fn fix_ups(guest: &Guest, files: &mut dyn Files) -> Vec<FixUp> {
    if files.at("/etc") != At::Directory {
        return Vec::new();
    }
    let init = Init::of(files);
    let mut fixer = Fixer { guest, init, files, found: Vec::new() };
    names::fix(&mut fixer);
    resolver::fix(&mut fixer);
    network::fix(&mut fixer);
    mounts::fix(&mut fixer);
    identity::fix(&mut fixer);
    clock::fix(&mut fixer);
    units::fix(&mut fixer);
    console::fix(&mut fixer);
    fixer.found
}

/// The init that the tree has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Init {
    Systemd,
    OpenRc,
    Other,
}

impl Init {
    fn of(files: &mut dyn Files) -> Self {
        let mut has = |path| files.has(path);
        if has("/usr/lib/systemd/systemd") || has("/lib/systemd/systemd") {
            Self::Systemd
        } else if has("/sbin/openrc") || has("/usr/sbin/openrc") {
            Self::OpenRc
        } else {
            Self::Other
        }
    }
}

/// Compares what is there with what should be.
struct Fixer<'a> {
    guest: &'a Guest,
    init: Init,
    files: &'a mut dyn Files,
    found: Vec<FixUp>,
}

impl Fixer<'_> {
    fn has(&mut self, path: &str) -> bool {
        self.files.has(path)
    }

    /// The text of a file.
    fn text(&mut self, path: &str) -> Option<String> {
        match self.files.at(path) {
            At::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Is this file, or a directory that it is in, left to the guest?
    fn is_kept(&self, path: &str) -> bool {
        self.guest.keep.iter().any(|kept| Path::new(path).starts_with(kept))
    }

    fn push(&mut self, path: &str, action: Action, why: &'static str) {
        if !self.is_kept(path) {
            self.found.push(FixUp { path: path.to_owned(), action, why });
        }
    }

    /// The file has this text, whatever is there now but a directory.
    fn write(&mut self, path: &str, text: impl Into<String>, why: &'static str) {
        self.write_mode(path, text, 0o644, why);
    }

    fn write_mode(&mut self, path: &str, text: impl Into<String>, mode: u32, why: &'static str) {
        let text = text.into();
        match self.files.at(path) {
            At::Text(now) if now == text => {}
            At::Directory => {}
            _ => self.push(path, Action::Write { text, mode }, why),
        }
    }

    /// If there is such a file, its text becomes this.
    fn edit(&mut self, path: &str, why: &'static str, change: impl FnOnce(&str) -> String) {
        if let Some(text) = self.text(path) {
            let new = change(&text);
            self.write(path, new, why);
        }
    }

    fn link(&mut self, path: &str, target: &str, why: &'static str) {
        match self.files.at(path) {
            At::Link(now) if now == target => {}
            At::Directory => {}
            _ => self.push(path, Action::Link(target.to_owned()), why),
        }
    }

    /// Nothing but a directory is there.
    fn remove(&mut self, path: &str, why: &'static str) {
        match self.files.at(path) {
            At::Nothing | At::Directory => {}
            _ => self.push(path, Action::Remove, why),
        }
    }

    /// Files that are jaula's whole, in a directory: those that are not among the wanted go.
    fn only(
        &mut self,
        directory: &str,
        is_ours: impl Fn(&str) -> bool,
        wanted: &[String],
        why: &'static str,
    ) {
        for name in self.files.names(directory) {
            let path = format!("{directory}/{name}");
            if is_ours(&name)
                && !wanted.contains(&path)
                && self.text(&path).is_some_and(|text| text.starts_with(MARK))
            {
                self.remove(&path, why);
            }
        }
    }
}

/// A text that is jaula's whole.
fn marked(text: impl Into<Cow<'static, str>>) -> String {
    format!("{MARK}{}", text.into())
}

#[cfg(test)]
mod tests;
