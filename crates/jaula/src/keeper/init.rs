//! How far an init has come that does not say so itself, as seen from the host. Nothing that is read here is trusted
//! for more than when a start returns.

use std::os::fd::OwnedFd;
use sys::fs::{CWD, O_DIRECTORY, O_NOCTTY, O_NONBLOCK, O_PATH, O_RDONLY, Within};

/// Has the process this name?
pub(super) fn is_named(pid: i32, name: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim_end() == name)
}

/// Is a System V init in one of its runlevels for users, and runs the scripts of none? It shows the level where its
/// arguments were, and the scripts are run by a child of its own.
pub(super) fn in_runlevel(pid: i32) -> bool {
    let title = arguments(pid);
    let level = title.trim_start_matches("init [").chars().next();
    if !title.starts_with("init [") || !level.is_some_and(|level| ('2'..='5').contains(&level)) {
        return false;
    }
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let runs_scripts = |child: &str| {
        let words = child.parse().map(arguments).unwrap_or_default();
        words
            .split(' ')
            .any(|word| word.ends_with("/rc") || word.ends_with("/rcS") || word.contains("/rc.d/rc."))
    };
    !children.split_ascii_whitespace().any(runs_scripts)
}

/// Has OpenRC reached a runlevel that is not one of the way there?
pub(super) fn softlevel(pid: i32) -> bool {
    const ON_THE_WAY: [&str; 4] = ["sysinit", "boot", "shutdown", "single"];
    let Some(root) = root(pid) else { return false };
    let flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
    let level = sys::fs::open_in(&root, "run/openrc/softlevel", flags, 0, Within::Root)
        .and_then(|file| sys::fs::read_all(&file, 256))
        .map(|text| String::from_utf8_lossy(&text).trim().to_owned());
    let on_its_way = sys::fs::open_in(&root, "run/openrc/rc.starting", O_PATH, 0, Within::Root).is_ok();
    level.is_ok_and(|level| !level.is_empty() && !ON_THE_WAY.contains(&level.as_str())) && !on_its_way
}

/// The first process's root directory.
fn root(pid: i32) -> Option<OwnedFd> {
    sys::fs::open(CWD, format!("/proc/{pid}/root"), O_PATH | O_DIRECTORY, 0).ok()
}

/// A process's arguments, with spaces between.
fn arguments(pid: i32) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim_end_matches('\0').replace('\0', " ")
}
