//! What a program did beside files: whom it became, whom it talked to, and what it may do.

use super::host::{Host, Kind, User};
use super::place::is_own;
use super::{Entry, Group, Peer, Record, Touched, Wanted, words};
use crate::caps::CapSet;
use crate::config::{Change, Mount, MountSource, Profile, Security};
use crate::confinement::capabilities as of_profile;
use crate::ports::{Ports, Transport};
use crate::seccomp::Policy;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What root needs for files of another user, and that user does not.
const OVER_FILES: [&str; 3] = ["dac_override", "dac_read_search", "fowner"];
/// Takes all capabilities of the profile away.
pub(super) const ALL: &str = "-all";
/// The first port that needs no privilege.
const UNPRIVILEGED: u16 = 1024;
/// From more ports of datagrams than that on, a program chooses them.
const CHOSEN: usize = 16;
/// The first number of people's accounts.
const PEOPLE: u32 = 1000;

/// The user to run as from the first instruction, if the program did nothing that only root may.
pub(super) fn user(
    record: &Record,
    host: &Host,
    wanted: &Wanted,
    owners: &BTreeSet<u32>,
) -> Option<(String, String)> {
    let (id, why) = service(host, wanted, owners)?;
    // What not everybody may use, and does not belong to that user.
    let is_others = |(path, touched): (&PathBuf, &Touched)| {
        let used = touched.read || touched.executed || touched.mapped || touched.listed;
        let found = host.found.get(path).filter(|_| used && !is_own(path));
        found.is_some_and(|found| !found.open && found.owner != id)
    };
    let needs_root = record.capabilities.iter().any(|cap| !OVER_FILES.contains(&cap.name()))
        || record.users.iter().chain(&record.groups).any(|id| *id != 0)
        || record.files.iter().any(is_others);
    if needs_root || !wanted.as_root || !record.capabilities_whole {
        return None;
    }
    Some((host.user(id)?.to_owned(), format!("it never needed root, and {why}")))
}

/// The user of the service that a program is, and how that shows.
fn service(host: &Host, wanted: &Wanted, owners: &BTreeSet<u32>) -> Option<(u32, String)> {
    let is_services = |id: u32| (1..PEOPLE).contains(&id);
    if let Some(owner) = owners.first() {
        // What it writes to belongs to one user, or it needs root for that.
        let name = host.user(*owner).filter(|_| owners.len() == 1 && is_services(*owner))?;
        return Some((*owner, format!("{name} owns what it writes")));
    }
    let program = wanted.program.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let package = host.package.as_deref().unwrap_or_default();
    // `redis-server` is of `redis`
    let names = [program, package, package.split('-').next().unwrap_or_default()];
    let is_its = |user: &&User| is_services(user.id) && names.contains(&user.name.as_str());
    let service = host.users.iter().find(is_its)?;
    Some((service.id, "the host has this user for it".to_owned()))
}

/// The users that the jail must know by name.
pub(super) fn users(
    record: &Record,
    host: &Host,
    owners: &BTreeSet<u32>,
    first: Option<&(String, String)>,
) -> Vec<Entry> {
    let known = |id: &&u32| **id != 0 && host.user(**id).is_some();
    let name = |id: &u32| host.user(*id).unwrap_or_default().to_owned();
    let entry = |id: &u32, reason: &str| Entry {
        group: Group::Users,
        value: name(id),
        reason: reason.to_owned(),
        taken: true,
    };
    let become_ = record.users.iter().filter(known).map(|id| entry(id, "it becomes this user"));
    let owner = owners.difference(&record.users).filter(known).map(|id| entry(id, "owns what it writes"));
    // `nobody` is in every jail, and so is `boot.user`.
    let is_new =
        |entry: &Entry| entry.value != "nobody" && first.is_none_or(|(name, _)| entry.value != *name);
    become_.chain(owner).filter(is_new).collect()
}

/// Sockets of other programs that it talked to. To let it would be a way out of the jail.
pub(super) fn sockets(record: &Record, host: &Host) -> Vec<Entry> {
    let theirs = record.peers.iter().filter_map(|(peer, there)| match peer {
        Peer::Unix(path) if *there => Some(path),
        _ => None,
    });
    let is_its_own = |path| record.files.get(path).is_some_and(|touched| touched.made);
    let is_there = |path| host.found.get(path).is_some_and(|found| found.kind == Kind::Socket);
    let entries = theirs.filter(|path| !is_its_own(*path) && is_there(*path)).map(|path| {
        let source = MountSource::Bind { path: path.clone(), mapped: false };
        let mount = Mount { source, target: path.clone(), writable: true, exec: true };
        let by = record.files.get(path).map(|touched| words::by([touched.by.as_path()]));
        let reason = by.map_or_else(|| "it talked to it".to_owned(), |by| format!("talked to by {by}"));
        Entry { group: Group::Sockets, value: mount.to_string(), reason, taken: false }
    });
    entries.collect()
}

/// The ports that it waited on, those beside each other as one. Number 0 is the kernel's choice, which
/// every jail has.
pub(super) fn ports(record: &Record) -> Vec<Entry> {
    let mut all: Vec<Ports> = Vec::new();
    let is_chosen = |port: &&super::Port| !port.tcp && port.number >= UNPRIVILEGED;
    // A resolver sends each question from another port, chosen at random.
    let sends = record.listens.iter().filter(is_chosen).count() > CHOSEN;
    for port in record.listens.iter().filter(|port| port.number != 0 && !(sends && is_chosen(port))) {
        let transport = if port.tcp { Transport::Tcp } else { Transport::Udp };
        match all.last_mut() {
            Some(last) if last.transport == transport && last.last.checked_add(1) == Some(port.number) => {
                last.last = port.number;
            }
            _ => all.push(Ports { transport, first: port.number, last: port.number }),
        }
    }
    let entry = |ports: Ports| Entry {
        group: Group::Ports,
        value: ports.to_string(),
        reason: match ports.transport {
            Transport::Tcp => "it waits for connections".to_owned(),
            Transport::Udp => "it waits for datagrams".to_owned(),
        },
        taken: true,
    };
    let any = Ports { transport: Transport::Udp, first: UNPRIVILEGED, last: u16::MAX };
    let any = Entry { reason: "it sends from ports that it chooses".to_owned(), ..entry(any) };
    all.into_iter().map(entry).chain(sends.then_some(any)).collect()
}

/// The port that tells that the program is ready: the first that it waits for connections on.
pub(super) fn ready(record: &Record) -> Option<String> {
    let first = record.listens.iter().filter(|port| port.tcp && port.number != 0).min()?;
    Some(format!("tcp {}", first.number))
}

/// What of the kernel's devices it read.
pub(super) fn devices(record: &Record) -> Option<String> {
    let is_there = |(path, touched): &(&PathBuf, &Touched)| {
        path.starts_with("/sys") && !touched.missing && (touched.read || touched.listed)
    };
    match record.files.iter().filter(is_there).count() {
        0 => None,
        1 => Some("it looked at a file of /sys, which its jail has with security.sys = true".to_owned()),
        n => Some(format!("it looked at {n} files of /sys, which its jail has with security.sys = true")),
    }
}

/// What of other hosts it wanted.
pub(super) fn network(record: &Record) -> Option<String> {
    let is_away = |address: &str| !address.starts_with("127.") && address != "::1";
    let mut away = record.peers.iter().filter_map(|(peer, there)| match peer {
        Peer::Inet { address, port } if is_away(address) => Some((address, port, *there)),
        _ => None,
    });
    let (address, port, there) = away.next()?;
    let more = match away.count() {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let to = format!("{address}, {} port {}{more}", if port.tcp { "tcp" } else { "udp" }, port.number);
    Some(match there {
        true => format!("it talked to {to}; a jail reaches that with --network host"),
        false => format!("it wanted to talk to {to}, and could not: trace it with --network host"),
    })
}

/// The capabilities that it used, and no others if those are known to be all.
///
/// `by_root`: does root run it?
pub(super) fn capabilities(record: &Record, wanted: &Wanted, by_root: bool) -> Vec<Entry> {
    let entry = |value: String, reason: &str| Entry {
        group: Group::Capabilities,
        value,
        reason: reason.to_owned(),
        taken: true,
    };
    // Of another user than root nothing was to be seen.
    let is_known = wanted.as_root && record.capabilities_whole;
    let profile = of_profile(if wanted.strict { Profile::Strict } else { Profile::App });
    let by_itself = if is_known { CapSet::default() } else { profile };
    let seen = if by_root { record.capabilities } else { CapSet::default() };
    let used = seen.iter().filter(|cap| !by_itself.contains(*cap));
    let used = used.map(|cap| entry(format!("+{}", cap.name()), "used"));
    let none = (is_known && profile != CapSet::default()).then(|| {
        let reason = if seen == CapSet::default() { "it needs none" } else { "but for these" };
        entry(ALL.to_owned(), reason)
    });
    none.into_iter().chain(used).collect()
}

/// The calls that profile `strict` must be told of.
pub(super) fn calls(record: &Record, wanted: &Wanted, notes: &mut Vec<String>) -> Vec<Entry> {
    if !wanted.strict {
        return Vec::new();
    }
    if !record.calls_whole {
        let text = "not every system call was looked at: profile strict may refuse one that it needs";
        notes.push(text.to_owned());
    }
    let policy = |profile, calls: Vec<Change<String>>| {
        Policy::of(&Security { profile, system_calls: calls, ..Security::default() }).ok()
    };
    let (Some(strict), Some(app)) = (policy(Profile::Strict, Vec::new()), policy(Profile::App, Vec::new()))
    else {
        return Vec::new();
    };
    // What profile `app` refuses it did without while it was traced. A few calls can be had by no
    // list, since no filter could check what they ask for.
    let is_missing = |name: &&String| {
        let name = name.as_str();
        let add = || vec![Change::Add(name.to_owned())];
        strict.refuses(name) && !app.refuses(name) && policy(Profile::Strict, add()).is_some()
    };
    let missing = record.calls.iter().filter(is_missing);
    let entry = |name: &String| Entry {
        group: Group::Calls,
        value: format!("+{name}"),
        reason: String::new(),
        taken: true,
    };
    missing.map(entry).collect()
}
