//! What is on the host: everything that a jail could leave behind, as a list that can be
//! compared with a later one.

mod kernel;
mod network;
mod processes;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

/// A kind of thing on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A mount in our mount namespace.
    Mount,
    /// A directory in a cgroup hierarchy.
    Cgroup,
    /// A loop device with a file behind it.
    Loop,
    /// A process in other namespaces than ours, below us, or called jaula.
    Process,
    /// A network interface, address or route.
    Network,
    /// A line of the nftables ruleset.
    Firewall,
    /// An abstract unix socket.
    Socket,
    /// What a `JAULA_ROOT` has only of running jails.
    RunFile,
}

/// One thing on the host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thing {
    /// What it is.
    pub kind: Kind,
    /// What tells it from all others of its kind: a path, a number, a line.
    pub key: String,
}

/// Things on the host at one moment. Each has a description in which the marks of the test
/// that made it can be found.
#[derive(Clone, Debug, Default)]
pub struct Snapshot(BTreeMap<Thing, String>);

impl Snapshot {
    /// Looks at the whole host. What cannot be read is taken for absent: a process may end
    /// while it is looked at.
    pub fn take() -> Self {
        let mut all = Self::default();
        kernel::mounts(&mut all);
        kernel::cgroups(&mut all);
        kernel::loops(&mut all);
        kernel::run_files(&mut all);
        processes::processes(&mut all);
        network::links_addresses_routes(&mut all);
        network::firewall(&mut all);
        network::abstract_sockets(&mut all);
        all
    }

    /// Adds a thing; a second one with the same key counts as another thing, as with two
    /// mounts on one directory.
    fn add(&mut self, kind: Kind, key: String, description: String) {
        let mut thing = Thing { kind, key };
        while self.0.contains_key(&thing) {
            thing.key.push_str(" (again)");
        }
        self.0.insert(thing, description);
    }

    /// What is here and was not there `before`.
    pub fn since(mut self, before: &Self) -> Self {
        self.0.retain(|thing, _| !before.0.contains_key(thing));
        self
    }

    /// The things with one of these marks in their description.
    pub fn bearing(mut self, marks: &[&str]) -> Self {
        self.0.retain(|thing, text| marks.iter().any(|mark| thing.key.contains(mark) || text.contains(mark)));
        self
    }

    /// The things of one kind.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Thing> {
        self.0.keys().filter(move |thing| thing.kind == kind)
    }

    /// Is there nothing?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Looks again and again until there is nothing or `patience` is over; gives the last look.
    pub fn settle(patience: Duration, look: impl Fn() -> Self) -> Self {
        let deadline = Instant::now() + patience;
        let mut pause = Duration::from_millis(1);
        loop {
            let seen = look();
            if seen.is_empty() || Instant::now() > deadline {
                return seen;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// What to say of things that should be gone: each line by itself, so that whoever looks for the words finds the
    /// thing.
    pub fn as_left_behind(&self) -> String {
        let lines = self.to_string();
        let lines = lines.lines().map(|line| format!("left behind on the host: {}", line.trim()));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The mount points at or below a directory, in our mount namespace.
    pub fn mounts_below(directory: &Path) -> Vec<String> {
        let mut all = Self::default();
        kernel::mounts(&mut all);
        let points = all.0.into_values().filter_map(|line| line.split(' ').next().map(str::to_owned));
        points.filter(|point| Path::new(point).starts_with(directory)).collect()
    }

    /// Kills, unmounts and removes what a failed test left. Errors do not matter here: what
    /// cannot be cleared is reported by the comparison at the end of the run.
    pub fn clear_away(&self) {
        for process in self.of(Kind::Process) {
            let number = process.key.split(' ').next().and_then(|pid| pid.parse().ok());
            if let Some(pid) = number.and_then(rustix::process::Pid::from_raw) {
                _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
        // The innermost last mounted goes first.
        for (_, description) in self.0.iter().rev().filter(|(thing, _)| thing.kind == Kind::Mount) {
            if let Some(point) = description.split(' ').next() {
                _ = rustix::mount::unmount(point, rustix::mount::UnmountFlags::DETACH);
            }
        }
        for cgroup in self.of(Kind::Cgroup).collect::<Vec<_>>().iter().rev() {
            // A cgroup can be removed once its killed processes are gone.
            let gone = || std::fs::remove_dir(&cgroup.key).is_ok() || !Path::new(&cgroup.key).exists();
            (0..100).any(|_| gone() || (std::thread::sleep(Duration::from_millis(5)), false).1);
        }
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (thing, description) in &self.0 {
            writeln!(f, "  {:?} {}: {description}", thing.kind, thing.key)?;
        }
        Ok(())
    }
}
