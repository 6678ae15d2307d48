//! Which files of the host a program read, as few lines as say it: single files, and directories
//! that belong together and hold nothing secret.

use super::host::{Host, Kind, below};
use super::place::{group, is_foreign_names, is_own, is_shelf, unit};
use super::{Entry, Group, LeftOut, Record, Touched, Wanted, secret::secret, words};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// From how many files on a directory that belongs together is taken as a whole.
const MANY: usize = 4;
/// How many files of one directory are listed one by one when it cannot be taken as a whole.
const MOST: usize = 64;

/// What is made of the files of a record.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) entries: Vec<Entry>,
    pub(super) left_out: Vec<LeftOut>,
    /// How many of them the jail holds anyway.
    pub(super) linked: usize,
}

/// A file or directory that the program used, and is there.
#[derive(Clone, Copy, Debug)]
struct Used<'a> {
    touched: &'a Touched,
    kind: Kind,
}

/// What was used, by path.
type All<'a> = BTreeMap<PathBuf, Used<'a>>;

/// Sorts the files that were read, run and listed. What is written is not among them, nor what lies
/// in the directories that are the jail's `own`: it would be hidden below them.
pub(super) fn files(record: &Record, host: &Host, wanted: &Wanted, own: &BTreeSet<PathBuf>) -> Files {
    let mut done = Files::default();
    let mut used = All::new();
    let mut secrets: BTreeMap<PathBuf, (String, Used<'_>)> = BTreeMap::new();
    for (raw, touched) in &record.files {
        let Some(found) = host.found.get(raw).filter(|_| !touched.missing) else { continue };
        let is_writes = (touched.written || touched.made) && found.kind != Kind::Special;
        if is_writes || is_kernels(raw) {
            continue;
        }
        let path = host.usual(raw);
        if [raw, &path, &found.real].into_iter().any(|path| host.is_linked(path)) {
            done.linked += 1;
            continue;
        }
        let use_ = Used { touched, kind: found.kind };
        let mut leave = |why: &str| done.left_out.push(LeftOut { path: path.clone(), why: why.to_owned() });
        let why = secret(&path, found, host).filter(|_| !wanted.is_named(&path));
        // What somebody put into /tmp he has to name, like a secret.
        let is_own = |path: &Path| is_own(path) && !path.starts_with("/tmp") && !path.starts_with("/dev");
        let looked_at = !(touched.read || touched.executed || touched.mapped || touched.listed);
        match (found.kind, why) {
            (Kind::Socket, _) => {}
            _ if path.to_str().is_none() => leave("its name is no text that a configuration could hold"),
            _ if touched.mapped && (is_foreign_names(&path) || host.of_names.contains(&found.real)) => {
                leave("of the host's name service; a jail looks names up in files and DNS");
            }
            (_, Some(why)) if looked_at && !touched.written => leave(&format!("only looked at, and {why}")),
            _ if is_own(&path) || is_own(&found.real) => leave("a jail has its own"),
            (_, Some(why)) => drop(secrets.insert(path, (why, use_))),
            _ if path.ancestors().any(|above| own.contains(above)) => {
                leave("in a directory of the jail's own, which begins without files");
            }
            _ if wanted.is_unwanted(&path) => leave("commented out in the file"),
            (Kind::Directory, _) if !touched.listed => {}
            (Kind::Directory, _) if is_shelf(&path) => {
                leave("too much beside each other to be listed as a whole")
            }
            // A program that is there but was never started is more than was asked for.
            (Kind::File, _) if looked_at && found.executable => leave("a program, and only looked at"),
            _ => drop(used.insert(path, use_)),
        }
    }
    take(&used, &Limits { host, wanted, own }, &mut done);
    name(&secrets, host, &mut done.entries);
    done
}

/// Devices, processes and kernel parameters: every jail has some of its own. What it has not is
/// named if it is a device, which could be given.
fn is_kernels(path: &Path) -> bool {
    let own = [
        "null", "zero", "full", "random", "urandom", "tty", "console", "ptmx", "pts", "shm", "mqueue", "fd",
        "log", "stdin", "stdout", "stderr",
    ];
    match path.strip_prefix("/dev") {
        Ok(device) => own.iter().any(|own| device.starts_with(own)) || device.as_os_str().is_empty(),
        Err(_) => path.starts_with("/proc") || path.starts_with("/sys"),
    }
}

/// The directories that must be looked through before any of them is taken as a whole.
pub(super) fn units(record: &Record, host: &Host) -> BTreeSet<PathBuf> {
    let there =
        record.files.iter().filter_map(|(path, touched)| Some((path, touched, host.found.get(path)?)));
    there
        .filter(|(path, touched, _)| !touched.missing && !is_own(path) && !host.is_linked(path))
        .filter(|(_, t, _)| t.read || t.executed || t.mapped || t.listed)
        .filter_map(|(path, _, found)| {
            let path = host.usual(path);
            unit(&path, found.kind == Kind::Directory).filter(|_| secret(&path, found, host).is_none())
        })
        .collect()
}

/// Makes entries of what may be taken.
fn take(used: &All<'_>, limits: &Limits<'_>, done: &mut Files) {
    let mut by_unit: BTreeMap<Option<PathBuf>, Vec<&Path>> = BTreeMap::new();
    for (path, use_) in used {
        by_unit.entry(unit(path, use_.kind == Kind::Directory)).or_default().push(path);
    }
    let mut entries = Vec::new();
    for (unit, paths) in by_unit {
        match unit {
            None => entries.extend(paths.into_iter().map(|path| one(path, used))),
            Some(unit) => {
                let whole = Wholes { used, limits };
                let top = whole.start(&unit, &paths);
                whole.cover(&top, &mut entries, &mut done.left_out);
            }
        }
    }
    // A unit can lie in another, which may have come as a whole.
    let whole: BTreeSet<String> = entries.iter().map(|entry: &Entry| entry.value.clone()).collect();
    let inside =
        |value: &str| Path::new(value).ancestors().skip(1).any(|a| whole.contains(&*a.to_string_lossy()));
    entries.retain(|entry| !inside(&entry.value));
    done.entries.extend(entries);
}

/// What keeps a directory from being taken as a whole.
struct Limits<'a> {
    host: &'a Host,
    wanted: &'a Wanted,
    own: &'a BTreeSet<PathBuf>,
}

impl Limits<'_> {
    /// Was it looked through, with nothing in it that was not asked for, nor anything that could
    /// not be mounted over it?
    fn may_be_whole(&self, directory: &Path) -> bool {
        let searched = directory.ancestors().any(|above| self.host.searched.contains(above));
        let hides = !self.wanted.is_named(directory) && self.host.hides(directory);
        let has_place = |own: &PathBuf| self.host.found.contains_key(own);
        searched
            && !hides
            && !is_shelf(directory)
            && !self.wanted.is_unwanted_below(directory)
            && below(self.own, directory).all(has_place)
    }
}

/// Chooses directories to take as wholes.
struct Wholes<'a> {
    used: &'a All<'a>,
    limits: &'a Limits<'a>,
}

impl Wholes<'_> {
    /// The smallest directory of a unit that holds all of these paths.
    fn start(&self, unit: &Path, paths: &[&Path]) -> PathBuf {
        let always = |path: &&Path| self.used.get(*path).is_some_and(|use_| is_one(path, use_.touched));
        if paths.iter().any(always) {
            return unit.to_owned();
        }
        let holds = |directory: &&Path| paths.iter().all(|path| path.starts_with(directory));
        let first = paths.first().copied().unwrap_or(unit);
        let top = first.ancestors().find(holds).unwrap_or(unit);
        let is_file = self.used.get(top).is_some_and(|use_| use_.kind != Kind::Directory);
        (if is_file { top.parent().unwrap_or(unit) } else { top }).to_owned()
    }

    /// Adds entries for all that was used at and below a directory.
    fn cover(&self, top: &Path, entries: &mut Vec<Entry>, left_out: &mut Vec<LeftOut>) {
        let inside: Vec<(&PathBuf, &Used<'_>)> =
            self.used.range(top.to_owned()..).take_while(|(path, _)| path.starts_with(top)).collect();
        let files = inside.iter().filter(|(_, use_)| use_.kind != Kind::Directory).count();
        let is_listed = self.used.contains_key(top);
        let is_module = inside.iter().any(|(path, use_)| is_one(path, use_.touched));
        if (is_listed || is_module || files >= MANY) && self.limits.may_be_whole(top) {
            let uses = inside.iter().map(|(_, use_)| use_.touched);
            entries.push(whole(top, files, &inside[0], uses));
            return;
        }
        let mut members: BTreeSet<PathBuf> = BTreeSet::new();
        let mut single = Vec::new();
        for (path, _) in inside {
            match path.strip_prefix(top).ok().map(|rest| (rest.components().count(), rest)) {
                Some((1, _)) if self.used.get(path).is_some_and(|u| u.kind != Kind::Directory) => {
                    single.push(path)
                }
                Some((1.., rest)) => drop(members.insert(top.join(rest.iter().next().unwrap_or_default()))),
                _ => {}
            }
        }
        if single.len() > MOST {
            let why = match below(&self.limits.host.hidden, top).next() {
                Some(hidden) => {
                    format!("{} files, and {} beside them is secret", single.len(), hidden.display())
                }
                None => format!("{} files of a directory too large to look through", single.len()),
            };
            entries.push(Entry { group: Group::Secrets, value: words::path(top), reason: why, taken: false });
        } else {
            entries.extend(single.into_iter().map(|path| one(path, self.used)));
        }
        if self.used.contains_key(top) {
            let why = "listed, but it holds what is secret or unwanted".to_owned();
            left_out.push(LeftOut { path: top.to_owned(), why });
        }
        for member in members {
            self.cover(&member, entries, left_out);
        }
    }
}

/// Does one file of a directory stand for all of it? Which modules are loaded, and which kind of
/// terminal is used, is different at each run.
fn is_one(path: &Path, touched: &Touched) -> bool {
    let bundle = path == Path::new("/etc/ssl/certs/ca-certificates.crt");
    match group(path, touched) {
        Group::Modules | Group::Terminal => true,
        Group::Certificates => path.starts_with("/etc/ssl/certs") && !bundle,
        _ => false,
    }
}

/// The entry of one file or directory.
fn one(path: &Path, used: &All<'_>) -> Entry {
    let reason = used.get(path).map(|use_| words::used(use_.touched)).unwrap_or_default();
    let group = used.get(path).map_or(Group::Data, |use_| group(path, use_.touched));
    Entry { group, value: words::path(path), reason, taken: true }
}

/// The entry of a directory with all below it.
fn whole<'a>(
    top: &Path,
    files: usize,
    first: &(&PathBuf, &Used<'_>),
    uses: impl Iterator<Item = &'a Touched> + Clone,
) -> Entry {
    let by = words::by(uses.clone().map(|touched| touched.by.as_path()));
    let reason = match files {
        0 => format!("listed by {by}"),
        1 => format!("{} {by}", words::verb(first.1.touched)),
        n if uses.clone().any(|t| t.mapped || t.executed) => format!("{n} files opened by {by}"),
        n => format!("{n} files read by {by}"),
    };
    // What the directory is for follows from its place, or else from what most of it was.
    let data = Touched { read: true, ..Touched::default() };
    let group = match group(top, &data) {
        Group::Data if uses.clone().all(|touched| touched.mapped) => Group::Libraries,
        group => group,
    };
    Entry { group, value: words::path(top), reason, taken: true }
}

/// Names the secrets: single ones, or the directory that many of them are in.
fn name(secrets: &BTreeMap<PathBuf, (String, Used<'_>)>, host: &Host, entries: &mut Vec<Entry>) {
    let mut by_directory: BTreeMap<(PathBuf, &str), Vec<&Path>> = BTreeMap::new();
    for (path, (why, _)) in secrets {
        by_directory.entry((around(path, host), why)).or_default().push(path);
    }
    for ((top, why), paths) in by_directory {
        let mut named: Vec<PathBuf> = match paths.len() {
            MANY.. => vec![common(&top, &paths)],
            _ => paths.into_iter().map(Path::to_owned).collect(),
        };
        named.dedup();
        for path in named {
            let uses = secrets.range(path.clone()..).take_while(|(other, _)| other.starts_with(&path));
            let uses: Vec<&Touched> = uses.map(|(_, (_, use_))| use_.touched).collect();
            let by = words::by(uses.iter().map(|touched| touched.by.as_path()));
            let verb = uses.first().map_or("read by", |touched| words::verb(touched));
            let reason = match uses.len() {
                0 | 1 => format!("{why}; {verb} {by}"),
                n => format!("{why}; {n} files {verb} {by}"),
            };
            entries.push(Entry { group: Group::Secrets, value: words::path(&path), reason, taken: false });
        }
    }
}

/// The largest directory around a secret that may be named in its place; of a home, that is a
/// member of it, never the whole.
fn around(path: &Path, host: &Host) -> PathBuf {
    let is_too_much = |directory: &&Path| {
        let parent = directory.parent();
        is_shelf(directory)
            || host.home_of(directory).is_some() && parent.is_none_or(|p| host.home_of(p).is_none())
    };
    let ancestors = path.ancestors().skip(1);
    ancestors.take_while(|directory| !is_too_much(directory)).last().unwrap_or(path).to_owned()
}

/// The deepest directory that holds them all.
fn common(top: &Path, paths: &[&Path]) -> PathBuf {
    let parent = paths.first().and_then(|path| path.parent()).unwrap_or(top);
    let holds = |directory: &&Path| paths.iter().all(|path| path.starts_with(directory));
    parent.ancestors().find(holds).unwrap_or(top).to_owned()
}
