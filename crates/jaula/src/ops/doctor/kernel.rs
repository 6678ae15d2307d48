//! The kernel's own abilities.

use super::Finding;
use std::os::fd::AsRawFd;
use sys::errno::{ENOSYS, EPERM};
use sys::fs::{CWD, O_PATH, Within};

/// What `statfs` says of a pidfd since Linux 6.9, which gave each process an inode of its own.
const PIDFS: i64 = 0x5049_4446;
/// `SECCOMP_RET_USER_NOTIF`, `SECCOMP_RET_KILL_PROCESS`, `SECCOMP_RET_ERRNO` (`linux/seccomp.h`).
const FILTER_ACTIONS: [u32; 3] = [0x7fc0_0000, 0x8000_0000, 0x0005_0000];
/// The Landlock version that keeps signals and abstract sockets in.
const SCOPES: u8 = 6;

pub(super) fn findings() -> Vec<Finding> {
    vec![version(), calls(), processes(), seccomp(), landlock(), overlay()]
}

fn version() -> Finding {
    let release = sys::process::release();
    let mut numbers = release.split(['.', '-', '+']).map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let what = format!("Linux {release}");
    match version {
        v if v >= (6, 9) => Finding::ok(what, "6.9 or newer"),
        _ => Finding::missing(
            what,
            "jaula tells processes apart by the inodes that their descriptors have since 6.9",
            "boot a newer kernel",
        ),
    }
}

fn calls() -> Finding {
    let openat2 = sys::fs::open_in(CWD, ".", O_PATH, 0, Within::Root);
    let has_openat2 = openat2.as_ref().err().is_none_or(|e| !e.is(ENOSYS) && !e.is(EPERM));
    let all = [
        ("openat2", has_openat2),
        ("clone3", sys::probe::has_clone3()),
        ("close_range", sys::probe::has_close_range()),
    ];
    let lacking: Vec<&str> = all.iter().filter(|(_, has)| !has).map(|(name, _)| *name).collect();
    match lacking.is_empty() {
        true => Finding::ok("system calls", "openat2, clone3, close_range"),
        false => Finding::missing(
            "system calls",
            format!(
                "{} cannot be made: the kernel is too old, or a filter around jaula refuses them",
                lacking.join(", ")
            ),
            "run jaula outside of the container that it is in, or allow these calls to it",
        ),
    }
}

fn processes() -> Finding {
    let what = "process descriptors";
    let own = i32::try_from(std::process::id()).unwrap_or(-1);
    let magic = sys::process::open(own)
        .and_then(|pidfd| sys::fs::magic(format!("/proc/self/fd/{}", pidfd.as_raw_fd())));
    match magic {
        Ok(PIDFS) => Finding::ok(what, "each process has an inode of its own"),
        Ok(_) => Finding::missing(
            what,
            "two processes cannot be told apart (before Linux 6.9)",
            "boot a newer kernel",
        ),
        Err(error) => Finding::missing(what, error.to_string(), "boot a newer kernel"),
    }
}

fn seccomp() -> Finding {
    match FILTER_ACTIONS.iter().all(|action| sys::probe::has_seccomp_action(*action)) {
        true => Finding::ok("seccomp", "system-call filters"),
        false => Finding::missing(
            "seccomp",
            "this kernel has no system-call filters, or not all that jaula uses",
            "build the kernel with CONFIG_SECCOMP_FILTER=y",
        ),
    }
}

fn landlock() -> Finding {
    match sys::process::landlock() {
        0 => Finding::warning(
            "Landlock",
            "it is not switched on; a jail with network.mode = \"host\" reaches the host's abstract sockets",
            "add landlock to lsm=… of the kernel's command line (CONFIG_SECURITY_LANDLOCK=y)",
        ),
        version if version < SCOPES => Finding::warning(
            "Landlock",
            format!(
                "version {version}; from {SCOPES} on it keeps a jail with network.mode = \"host\" from the host's \
                 abstract sockets"
            ),
            "boot Linux 6.12 or newer",
        ),
        version => Finding::ok("Landlock", format!("version {version}, for jails with the host's network")),
    }
}

fn overlay() -> Finding {
    let what = "overlayfs";
    let lacks = |why: String| {
        let mend = "load it: modprobe overlay (CONFIG_OVERLAY_FS, Linux 5.11 or newer)";
        Finding::missing(what, format!("{why}; root.writes = \"kept\" and \"discarded\" need it"), mend)
    };
    match sys::probe::file_system_option("overlay", "userxattr") {
        Ok(()) => Finding::ok(what, "writable roots over read-only ones, with userxattr"),
        // Only root may ask so; anybody may read which file systems there are.
        Err(error) if error.is(EPERM) => {
            let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
            match known.lines().any(|line| line.ends_with("\toverlay")) {
                true => Finding::ok(what, "writable roots over read-only ones"),
                false => lacks("it is not among the kernel's file systems".to_owned()),
            }
        }
        Err(error) => lacks(error.to_string()),
    }
}
