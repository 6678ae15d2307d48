//! Where a program writes: directories that become its own, and what it would change on the host.

use super::host::{Host, Kind, below};
use super::place::{is_own, is_shelf, unit};
use super::{Entry, Group, LeftOut, Record, Touched, words};
use crate::config::Writable;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Below these, a service's data are; what it writes elsewhere is named, but not granted.
const DATA: &[&str] = &["/var", "/srv", "/opt", "/mnt", "/media"];
/// Shelves that files of services stand on; a jail gets one of its own, with no others' files.
const SHARED: &[&str] = &["/var/cache", "/var/lib", "/var/log", "/var/mail", "/var/spool", "/var/tmp"];

/// What is made of what was written.
#[derive(Debug, Default)]
pub(super) struct Writes {
    pub(super) entries: Vec<Entry>,
    pub(super) left_out: Vec<LeftOut>,
    /// The directories that become the jail's own, outside of `/run`.
    pub(super) own: BTreeSet<PathBuf>,
    /// The users whom the directories belong to.
    pub(super) owners: BTreeSet<u32>,
}

/// Sorts what was written.
pub(super) fn writes(record: &Record, host: &Host) -> Writes {
    let mut done = Writes::default();
    // Directories that must be written to, by the unit that they are in.
    let mut units: BTreeMap<PathBuf, BTreeMap<PathBuf, &Touched>> = BTreeMap::new();
    for (raw, touched) in &record.files {
        if is_asked_for(raw, touched, host) {
            run_time(raw, touched, record, host, &mut done);
        }
        if !(touched.written || touched.made) || is_device(raw, host) {
            continue;
        }
        if touched.directory && is_shelf(raw) {
            // Nothing that one program could have of its own.
            done.left_out.push(LeftOut { path: raw.clone(), why: "written to, and the host's".to_owned() });
            continue;
        }
        if is_kernels(raw) {
            done.entries.push(change(raw, touched));
            continue;
        }
        let path = host.usual(raw);
        if is_own(&path) {
            run_time(&path, touched, record, host, &mut done);
            continue;
        }
        let Some(directory) = written_directory(&path, touched) else { continue };
        let is_data = DATA.iter().any(|top| path.starts_with(top)) && host.home_of(&path).is_none();
        if !is_data || is_shelf(&directory) && !SHARED.iter().any(|shared| directory == Path::new(shared)) {
            done.entries.push(change(&path, touched));
            continue;
        }
        let unit = unit(&directory, true).unwrap_or_else(|| directory.clone());
        units.entry(unit).or_default().entry(directory).or_insert(touched);
    }
    let own: BTreeMap<PathBuf, &Touched> =
        units.iter().flat_map(|(unit, directories)| own(unit, directories, record, host)).collect();
    for (directory, touched) in &own {
        if directory.ancestors().skip(1).any(|above| own.contains_key(above)) {
            continue;
        }
        // It would be mounted over what the jail is made for.
        if host.linked.keys().any(|linked| linked.starts_with(directory)) {
            done.entries.push(change(directory, touched));
            continue;
        }
        let reason = format!("written by {}", words::by([touched.by.as_path()]));
        let value = entry(directory, None);
        done.entries.push(Entry { group: Group::Writable, value, reason, taken: true });
        done.owners.extend(host.found.get(directory).map(|found| found.owner));
        done.own.insert(directory.clone());
    }
    collect_changes(&mut done.entries);
    done
}

/// The directory that must be writable for this to be done: the one in which a name comes or
/// goes, or the one of a file that is written.
fn written_directory(path: &Path, touched: &Touched) -> Option<PathBuf> {
    if touched.directory && !touched.made {
        return Some(path.to_owned());
    }
    path.parent().map(Path::to_owned)
}

/// A setting of the host's kernel.
fn is_kernels(path: &Path) -> bool {
    path.starts_with("/sys") || path.starts_with("/proc/sys")
}

/// A member of `root.writable`.
fn entry(path: &Path, user: Option<String>) -> String {
    Writable { path: path.to_owned(), user, group: None, mode: None }.to_string()
}

fn is_device(path: &Path, host: &Host) -> bool {
    path.starts_with("/dev")
        || path.starts_with("/proc") && !path.starts_with("/proc/sys")
        || host.found.get(path).is_some_and(|found| found.kind == Kind::Special)
}

/// The directories of one unit that become the jail's own: the whole unit, unless something
/// beside what is written is only read, which then has to come from the host.
fn own<'a>(
    unit: &Path,
    directories: &BTreeMap<PathBuf, &'a Touched>,
    record: &Record,
    host: &Host,
) -> Vec<(PathBuf, &'a Touched)> {
    let Some(touched) = directories.values().next() else { return Vec::new() };
    let of_host = |path: &PathBuf, t: &Touched| {
        let used = t.read || t.executed || t.mapped;
        used && !t.written && !t.made && !t.missing && host.found.contains_key(path)
    };
    let in_written = |path: &Path| path.ancestors().skip(1).any(|above| directories.contains_key(above));
    let reads_beside = record
        .files
        .range(unit.to_owned()..)
        .take_while(|(path, _)| path.starts_with(unit))
        .any(|(path, t)| of_host(path, t) && !in_written(path));
    if !reads_beside || is_shelf(unit) {
        return vec![(unit.to_owned(), *touched)];
    }
    let tops = directories
        .iter()
        .filter(|(path, _)| !path.ancestors().skip(1).any(|above| directories.contains_key(above)));
    tops.map(|(path, touched)| (path.clone(), *touched)).collect()
}

/// Does a service look whether its directory in `/run` is there? Without it, some do not start.
fn is_asked_for(path: &Path, touched: &Touched, host: &Host) -> bool {
    const OTHERS: [&str; 8] = ["dbus", "initctl", "lock", "log", "mount", "systemd", "udev", "user"];
    let name = path.strip_prefix("/run").ok().and_then(Path::to_str).unwrap_or_default();
    let is_there = host.found.get(path).is_some_and(|found| found.kind == Kind::Directory);
    is_there && !touched.made && !name.is_empty() && !name.contains('/') && !OTHERS.contains(&name)
}

/// `/run` is made anew at each start: a directory in it that the host has, and the program did not
/// make, has to be there before it starts.
fn run_time(path: &Path, touched: &Touched, record: &Record, host: &Host, done: &mut Writes) {
    // Everybody's, under both of its names.
    let lock = ["/run/lock", "/var/lock"].map(Path::new).into_iter().find(|lock| path.starts_with(lock));
    if let Some(lock) = lock.filter(|lock| *lock != path) {
        let all = Writable {
            path: lock.to_owned(),
            user: Some("root".to_owned()),
            group: None,
            mode: Some(0o1777),
        };
        let reason = format!("written by {}", words::by([touched.by.as_path()]));
        let value = all.to_string();
        return done.entries.push(Entry { group: Group::Runtime, value, reason, taken: true });
    }
    let path = match path.strip_prefix("/var") {
        Ok(rest) => Path::new("/").join(rest),
        Err(_) => path.to_owned(),
    };
    let is_inside = |rest: &&Path| rest.components().count() > 1 || is_asked_for(&path, touched, host);
    let Some(directory) = path.strip_prefix("/run").ok().filter(is_inside) else {
        let leave = LeftOut { path: path.clone(), why: "written to; a jail has its own".to_owned() };
        return done.left_out.push(leave);
    };
    let directory = Path::new("/run").join(directory.iter().next().unwrap_or_default());
    let made = record.files.get(&directory).is_some_and(|touched| touched.made);
    let Some(found) = host.found.get(&directory).filter(|_| !made) else { return };
    // Whose it is must be said: the host's may be there only while the host's service runs.
    let owner = host.user(found.owner).map_or_else(|| found.owner.to_string(), str::to_owned);
    let value = entry(&directory, Some(owner));
    if done.entries.iter().all(|entry| entry.value != value) {
        let verb = if touched.written || touched.made { "written by" } else { "looked for by" };
        let reason = format!("{verb} {}", words::by([touched.by.as_path()]));
        done.entries.push(Entry { group: Group::Runtime, value, reason, taken: true });
        done.owners.insert(found.owner);
    }
}

/// What a jail will not do to the host.
fn change(path: &Path, touched: &Touched) -> Entry {
    let reason = format!("written by {}", words::by([touched.by.as_path()]));
    Entry { group: Group::Changes, value: words::path(path), reason, taken: false }
}

/// Many changes in one directory become one line.
fn collect_changes(entries: &mut Vec<Entry>) {
    const MANY: usize = 4;
    let paths: BTreeSet<PathBuf> =
        entries.iter().filter(|e| e.group == Group::Changes).map(|e| e.value.clone().into()).collect();
    let crowded = |directory: &Path| below(&paths, directory).count() >= MANY && !is_shelf(directory);
    let mut seen = BTreeSet::new();
    let mut collected = Vec::with_capacity(entries.len());
    for mut entry in std::mem::take(entries) {
        let path = PathBuf::from(&entry.value);
        if entry.group == Group::Changes
            && let Some(top) = path.ancestors().skip(1).filter(|above| crowded(above)).last()
        {
            if !seen.insert(top.to_owned()) {
                continue;
            }
            entry.reason = format!("{} files {}", below(&paths, top).count(), entry.reason);
            entry.value = words::path(top);
        }
        collected.push(entry);
    }
    *entries = collected;
}
