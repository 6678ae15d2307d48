//! Control group directories: found, joined, emptied, removed (cgroups(7)).

use crate::error::{Error, Result};
use model::facts::Cgroups;
use model::plan::{DELEGATED, DESCENDANTS};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const CGROUP2: i64 = 0x6367_7270;
const TMPFS: i64 = 0x0102_1994;

/// Where this host has its hierarchies. The common places are tried first, since the list of
/// mounts can be long.
pub(crate) fn find(account: bool) -> Cgroups {
    let top = Path::new("/sys/fs/cgroup");
    let magic = |path: &Path| sys::fs::magic(path).unwrap_or_default();
    let found = magic(top);
    if found == CGROUP2 {
        return Cgroups { unified: Some(top.to_owned()), ..Cgroups::default() };
    }
    let unified = top.join("unified");
    if found == TMPFS && magic(&unified) == CGROUP2 {
        let legacy = if account { legacy() } else { Cgroups::default().legacy };
        return Cgroups { unified: Some(unified), legacy, ..Cgroups::default() };
    }
    Cgroups {
        unified: mounted("cgroup2").map(|(path, _)| path).next(),
        legacy: legacy(),
        ..Cgroups::default()
    }
}

/// Version 1 controllers and their mounts.
fn legacy() -> std::collections::BTreeMap<String, PathBuf> {
    mounted("cgroup")
        .flat_map(|(path, options)| {
            let controllers: Vec<String> = options.split(',').map(str::to_owned).collect();
            controllers.into_iter().map(move |c| (c, path.clone()))
        })
        .filter(|(option, _)| {
            !matches!(option.as_str(), "rw" | "ro" | "relatime" | "nosuid" | "nodev" | "noexec")
        })
        .collect()
}

fn mounted(kind: &'static str) -> impl Iterator<Item = (PathBuf, String)> {
    let table = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let lines: Vec<(PathBuf, String)> = table
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (path, of, options) = (words.next()?, words.next()?, words.next()?);
            (of == kind).then(|| (PathBuf::from(path), options.to_owned()))
        })
        .collect();
    lines.into_iter()
}

/// The groups of a running jail, open: what is opened outside can still be used from inside.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    /// Where a process is born.
    pub(crate) born: Option<OwnedFd>,
    /// The lists that a process is put on: version 1.
    pub(crate) moved: Vec<OwnedFd>,
}

/// Opens a running jail's groups; `first` is the directory of its first process in `/proc`.
pub(crate) fn open(groups: &[&Path], first: impl AsFd) -> Result<Groups> {
    let mut open = Groups::default();
    for group in groups {
        let failed = || Error::call("open the jail's control group");
        let flags = sys::fs::O_PATH | sys::fs::O_DIRECTORY;
        let directory = sys::fs::open(sys::fs::CWD, group, flags, 0).map_err(failed())?;
        if sys::fs::magic_of(&directory).map_err(failed())? == CGROUP2 {
            open.born = Some(where_processes_live(directory, group, &first)?);
        } else {
            let list = sys::fs::open(&directory, "cgroup.procs", sys::fs::O_WRONLY, 0).map_err(failed())?;
            open.moved.push(list);
        }
    }
    Ok(open)
}

/// Beside the first one, wherever the jail's init has moved that: a group whose own members have been given
/// controllers holds no processes itself (cgroups(7), "no internal processes"), and an init that is about to give them
/// is not to find one there.
fn where_processes_live(group: OwnedFd, path: &Path, first: impl AsFd) -> Result<OwnedFd> {
    let failed = || Error::call("open the jail's control group");
    let list = sys::fs::open(first, "cgroup", sys::fs::O_RDONLY, 0);
    let list = list.and_then(|f| sys::fs::read_all(&f, 1 << 16)).map_err(failed())?;
    let list = String::from_utf8_lossy(&list);
    let top = path.file_name().unwrap_or_default();
    let within = list.lines().find_map(|line| {
        let mut parts = Path::new(line.strip_prefix("0::")?).components();
        parts.find(|part| part.as_os_str() == top)?;
        Some(parts.as_path().to_owned())
    });
    match within.filter(|within| !within.as_os_str().is_empty()) {
        Some(within) => {
            let flags = sys::fs::O_PATH | sys::fs::O_DIRECTORY;
            sys::fs::open_in(&group, &within, flags, 0, sys::fs::Within::Beneath).map_err(failed())
        }
        None => Ok(group),
    }
}

/// Moves a process into a version 1 group.
pub(crate) fn join(group: &Path, pid: i32) -> Result<()> {
    if let (Some(parent), true) = (group.parent(), group.join("cpuset.cpus").exists()) {
        // A new cpuset group is empty, and nobody can live in it.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let all = std::fs::read(parent.join(file)).map_err(Error::io("read", &parent.join(file)))?;
            std::fs::write(group.join(file), all).map_err(Error::io("write", &group.join(file)))?;
        }
    }
    let file = group.join("cgroup.procs");
    std::fs::write(&file, pid.to_string()).map_err(Error::io("write", &file))
}

/// Gives a group to a user, who makes groups of his own below it (cgroups(7), "delegation").
pub(crate) fn delegate(group: &Path, owner: u32) -> Result<()> {
    let most = group.join("cgroup.max.descendants");
    std::fs::write(&most, DESCENDANTS.to_string()).map_err(Error::io("write", &most))?;
    for file in std::iter::once("").chain(DELEGATED) {
        let path = PathBuf::from(format!("{}{file}", group.display()));
        std::os::unix::fs::chown(&path, Some(owner), Some(owner))
            .map_err(Error::io("give to the jail", &path))?;
    }
    Ok(())
}

/// Kills whatever is left in a group and removes it with all groups that the jail made below.
pub(crate) fn remove(group: &Path) -> Result<()> {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        match sys::fs::remove(sys::fs::CWD, group, true) {
            Ok(()) => return Ok(()),
            Err(e) if e.is(sys::errno::ENOENT) => return Ok(()),
            Err(e) if e.is(sys::errno::EBUSY) && Instant::now() < until => {
                empty(group);
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(e) => return Err(Error::call("remove the control group")(e)),
        }
    }
}

/// Is it a group of version 2?
pub(crate) fn is_unified(group: &Path) -> bool {
    sys::fs::magic(group).is_ok_and(|magic| magic == CGROUP2)
}

/// Is a process in the group, or in one below it (cgroups(7), `cgroup.events`)?
pub(crate) fn is_used(group: &Path) -> bool {
    let events = std::fs::read_to_string(group.join("cgroup.events")).unwrap_or_default();
    events.lines().any(|line| line == "populated 1")
}

/// Removes a group that nobody is in, with those below it.
pub(crate) fn remove_empty(group: &Path) -> Result<()> {
    match is_used(group) {
        false => remove(group),
        true => Err(Error::refused(
            format!("processes of a command still use the control group {}", group.display()),
            "end them: their numbers are in its file cgroup.procs",
        )),
    }
}

/// Kills all processes of a group (`cgroup.kill`, Linux 5.14, or one by one) and removes the
/// groups below it. What cannot be done shows when the group itself cannot be removed.
fn empty(group: &Path) {
    if std::fs::write(group.join("cgroup.kill"), "1").is_err() {
        for pid in std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default().lines() {
            if let Some(process) = pid.parse().ok().and_then(|pid| sys::process::open(pid).ok()) {
                let _ = sys::process::signal(&process, sys::signal::SIGKILL);
            }
        }
    }
    for entry in std::fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            empty(&entry.path());
            let _ = sys::fs::remove(sys::fs::CWD, entry.path(), true);
        }
    }
}
