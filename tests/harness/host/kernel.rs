//! Mounts, cgroups, loop devices and files: what the kernel shows in its file systems.

use super::{Kind, Snapshot};
use std::fs;
use std::path::{Path, PathBuf};

/// `/proc/self/mountinfo`, without the numbers of mounts and devices, which differ from one
/// mount of the same thing to the next (proc_pid_mountinfo(5)).
pub(super) fn mounts(all: &mut Snapshot) {
    for line in fs::read_to_string("/proc/self/mountinfo").unwrap_or_default().lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let after_dash = fields.iter().position(|field| *field == "-").unwrap_or(fields.len());
        let (Some(root), Some(point)) = (fields.get(3), fields.get(4)) else { continue };
        let source = fields.get(after_dash + 1..).unwrap_or_default().join(" ");
        all.add(Kind::Mount, format!("{point} ({root})"), format!("{point} {root} {source}"));
    }
}

/// Every directory below every mount of a cgroup hierarchy.
pub(super) fn cgroups(all: &mut Snapshot) {
    let mounted = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let hierarchies =
        mounted.lines().filter(|line| line.contains(" - cgroup")).filter_map(|l| l.split(' ').nth(4));
    let mut unread: Vec<PathBuf> = hierarchies.map(PathBuf::from).collect();
    while let Some(directory) = unread.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let path = entry.path();
                all.add(Kind::Cgroup, path.display().to_string(), String::new());
                unread.push(path);
            }
        }
    }
}

/// Loop devices that have a file behind them.
pub(super) fn loops(all: &mut Snapshot) {
    for device in fs::read_dir("/sys/block").into_iter().flatten().flatten() {
        if let Ok(file) = fs::read_to_string(device.path().join("loop/backing_file")) {
            all.add(Kind::Loop, device.file_name().display().to_string(), file.trim().to_owned());
        }
    }
}

/// What every test's `JAULA_ROOT` has of running jails: all below `run/jaula`, and what a jail of
/// `jaula run` keeps on disk while it runs. Directories that begin with a dot and empty lock files
/// are no jail's and stay.
pub(super) fn run_files(all: &mut Snapshot) {
    for test in fs::read_dir("/tmp").into_iter().flatten().flatten() {
        if test.file_name().as_encoded_bytes().starts_with(b"t") {
            below(&test.path().join("run/jaula"), all);
            for kept in fs::read_dir(test.path().join("var/lib/jaula/jails")).into_iter().flatten().flatten()
            {
                if kept.file_name().as_encoded_bytes().starts_with(b"run-") {
                    all.add(Kind::RunFile, kept.path().display().to_string(), String::new());
                }
            }
        }
    }
}

fn below(directory: &Path, all: &mut Snapshot) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
        let is_own = entry.file_name().as_encoded_bytes().starts_with(b".");
        let is_lock =
            path.to_string_lossy().ends_with("lock") && entry.metadata().is_ok_and(|meta| meta.len() == 0);
        if !(kind.is_dir() && is_own || is_lock) {
            all.add(Kind::RunFile, path.display().to_string(), String::new());
        }
        if kind.is_dir() {
            below(&path, all);
        }
    }
}
