//! What was done to the host for a jail, so that it can be undone by anybody.
//!
//! A line is written before its step is done: after a crash at any point the journal names all
//! that may be there, and undoing what was never done does nothing. There is no fsync: a
//! journal outlives processes, not the machine, and what it undoes does not either.

use crate::error::{Error, Result};
use crate::launch::home::Home;
use model::firewall::Share;
use model::name::Id;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

/// The journal's file in a jail's run directory.
pub(crate) const FILE: &str = "journal";

/// Something to undo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// `id N`: the jail has this number.
    Id(Id),
    /// `cgroup PATH`: a control group directory.
    Cgroup(PathBuf),
    /// `group PATH`: a control group of `jaula bind`, which stays as long as a process is in it.
    Group(PathBuf),
    /// `names PATH`: the jail is in this list.
    Names(PathBuf),
    /// `firewall NAMESPACE JSON`: what the jail has in the table `jaula` of this network namespace
    /// ([`crate::firewall::namespace`]).
    Firewall {
        /// The namespace.
        namespace: String,
        /// The jail's share.
        share: Box<Share>,
    },
    /// `network NAMESPACE COOKIE`: the network namespace that all that follows of the network was done in
    /// ([`crate::launch::home`]).
    Network(Home),
    /// `keep`: what the jail keeps is being changed ([`crate::keeping::settle`]).
    Keep,
    /// `link NAME`: the host's end of the jail's link.
    Link(String),
    /// `answer INTERFACE ADDRESS`: the host answers there for an address of the jail.
    Answer {
        /// The interface.
        device: String,
        /// The address.
        ip: IpAddr,
    },
    /// `shared KEY`: the jail needs something that others may need ([`crate::launch::shared`]).
    Shared(String),
    /// `process PID INODE`: the first process, and the inode of its pidfd.
    Process {
        /// Its number on the host.
        pid: i32,
        /// See [`sys::fs::identity`].
        inode: u64,
    },
}

impl Entry {
    /// Was it done in a network namespace?
    pub fn is_in_network(&self) -> bool {
        matches!(self, Self::Firewall { .. } | Self::Link(_) | Self::Answer { .. } | Self::Shared(_))
    }

    fn line(&self) -> String {
        match self {
            Self::Id(id) => format!("id {id}\n"),
            Self::Network(Home { name, cookie }) => format!("network {name} {cookie}\n"),
            Self::Keep => "keep\n".to_owned(),
            Self::Firewall { namespace, share } => {
                format!("firewall {namespace} {}\n", serde_json::to_string(share).unwrap_or_default())
            }
            Self::Cgroup(path) => format!("cgroup {}\n", path.display()),
            Self::Names(path) => format!("names {}\n", path.display()),
            Self::Group(path) => format!("group {}\n", path.display()),
            Self::Link(name) => format!("link {name}\n"),
            Self::Answer { device, ip } => format!("answer {device} {ip}\n"),
            Self::Shared(key) => format!("shared {key}\n"),
            Self::Process { pid, inode } => format!("process {pid} {inode}\n"),
        }
    }

    fn parse(line: &str) -> Option<Self> {
        if line == "keep" {
            return Some(Self::Keep);
        }
        let (word, rest) = line.split_once(' ')?;
        match word {
            "id" => rest.parse().ok().map(Self::Id),
            "firewall" => {
                let (namespace, share) = rest.split_once(' ')?;
                let share = serde_json::from_str(share).ok()?;
                Some(Self::Firewall { namespace: namespace.to_owned(), share })
            }
            "cgroup" => Some(Self::Cgroup(PathBuf::from(rest))),
            "names" => Some(Self::Names(PathBuf::from(rest))),
            "group" => Some(Self::Group(PathBuf::from(rest))),
            "network" => {
                let (name, cookie) = rest.split_once(' ')?;
                Some(Self::Network(Home { name: name.to_owned(), cookie: cookie.parse().ok()? }))
            }
            "link" => Some(Self::Link(rest.to_owned())),
            "answer" => {
                let (device, ip) = rest.split_once(' ')?;
                Some(Self::Answer { device: device.to_owned(), ip: ip.parse().ok()? })
            }
            "shared" => Some(Self::Shared(rest.to_owned())),
            "process" => {
                let (pid, inode) = rest.split_once(' ')?;
                Some(Self::Process { pid: pid.parse().ok()?, inode: inode.parse().ok()? })
            }
            _ => None,
        }
    }
}

/// Reads a journal. Its last line may have been cut off by a crash; then its step was never
/// begun, and the line is passed over.
pub fn parse(text: &str) -> Vec<Entry> {
    text.split_inclusive('\n').filter_map(|line| Entry::parse(line.strip_suffix('\n')?)).collect()
}

/// A journal that is being written.
#[derive(Debug)]
pub struct Journal {
    file: OwnedFd,
    entries: Vec<Entry>,
}

impl Journal {
    /// An empty journal in a jail's run directory.
    pub fn begin(run: impl AsFd) -> Result<Self> {
        use sys::fs::{O_APPEND, O_CREAT, O_TRUNC, O_WRONLY};
        let file = sys::fs::open(run, FILE, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0o600);
        let file = file.map_err(Error::call("begin the journal"))?;
        Ok(Self { file, entries: Vec::new() })
    }

    /// Writes a line, in one call.
    pub fn write(&mut self, entry: &Entry) -> Result<()> {
        let written = sys::fs::write(&self.file, entry.line().as_bytes());
        self.entries.push(entry.clone());
        written.map_err(Error::call("write the journal"))
    }

    /// The first process was waited for: nothing of it is left to undo.
    pub fn reaped(&mut self) {
        self.entries.retain(|entry| !matches!(entry, Entry::Process { .. }));
    }

    /// What it says.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

/// The journal of a jail's run directory; an absent one is empty.
pub fn read(run: impl AsFd) -> Result<Vec<Entry>> {
    Ok(find(run)?.unwrap_or_default())
}

/// The journal of a jail's run directory; `None` if nothing was ever begun there.
pub fn find(run: impl AsFd) -> Result<Option<Vec<Entry>>> {
    Ok(crate::files::read_small(run, FILE)?.map(|text| parse(&text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back() {
        let all = [
            Entry::Id(Id::new(7).unwrap()),
            Entry::Keep,
            Entry::Cgroup("/sys/fs/cgroup/jaula.a b".into()),
            Entry::Group("/sys/fs/cgroup/jaula.bind-1".into()),
            Entry::Names("/run/jaula/.hosts".into()),
            Entry::Network(Home { name: "net:[4026531840]".to_owned(), cookie: 1 }),
            Entry::Link("jv101".to_owned()),
            Entry::Answer { device: "eth0".to_owned(), ip: "2001:db8::1".parse().unwrap() },
            Entry::Shared("address eth0 192.0.2.10 24".to_owned()),
            Entry::Process { pid: 12, inode: u64::MAX },
        ];
        let text: String = all.iter().map(Entry::line).collect();
        assert_eq!(parse(&text), all);
        assert_eq!(parse(&text[..text.len() - 1]), all[..9], "a line that was cut off was never begun");
        assert_eq!(parse("nonsense\n\nprocess x y\n"), []);
    }
}
