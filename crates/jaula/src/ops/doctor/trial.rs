//! A child in namespaces of its own, as a jail's first process is: what it is refused, a jail
//! would be.

use super::Finding;
use crate::cgroup;
use crate::house::House;
use crate::rootfs::quota::mounted;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use sys::CallError;
use sys::errno::{EACCES, EINVAL, ENOSPC, EPERM, EUSERS};
use sys::fs::{CWD, O_DIRECTORY, O_PATH, O_RDONLY, O_WRONLY};
use sys::process::{
    CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS,
    Child, Loan,
};
use sys::program::{Arg, Expect, Op, Program};

const NAMESPACES: [(i32, &str, &str); 7] = [
    (CLONE_NEWUSER, "user", "user"),
    (CLONE_NEWNS, "mount", "mnt"),
    (CLONE_NEWPID, "process", "pid"),
    (CLONE_NEWUTS, "host name", "uts"),
    (CLONE_NEWIPC, "IPC", "ipc"),
    (CLONE_NEWNET, "network", "net"),
    (CLONE_NEWCGROUP, "control group", "cgroup"),
];

/// Where a child finds that it may not mount its own `/proc` in the list of its calls.
const MOUNT: usize = 1;

pub(super) fn findings(house: &House) -> Vec<Finding> {
    let all = NAMESPACES.iter().fold(0, |flags, (flag, ..)| flags | flag);
    let mut found = Vec::new();
    match Trial::begin(all, None) {
        Err(error) => found.push(refused(&error)),
        Ok(trial) => {
            found.push(Finding::ok(
                "namespaces",
                "user, mount, process, host name, IPC, network, control group",
            ));
            found.extend(trial.findings(house));
        }
    }
    found.push(control_groups(all));
    found
}

/// A child in its own namespaces that waits until it is let go.
struct Trial {
    child: Child,
    ours: OwnedFd,
    _loan: Loan,
}

impl Trial {
    fn begin(flags: i32, group: Option<&OwnedFd>) -> sys::Result<Self> {
        let (ours, theirs) = sys::socket::pair()?;
        let mut program = Program::with_capacity(2);
        let byte = program.memory(1);
        let (kind, at) = (program.bytes(b"proc"), program.bytes(b"/proc"));
        let fd = Arg::Value(u64::from(theirs.as_raw_fd().cast_unsigned()));
        let zero = Arg::Value(0);
        let mut call = |name, args, expect| {
            program.push(Op { number: sys::program::number(name), args, into: None, expect });
        };
        call("read", [fd, Arg::Address(byte), Arg::Value(1), zero, zero, zero], Expect::Exactly(1));
        let mount = [Arg::Address(kind), Arg::Address(at), Arg::Address(kind), zero, zero, zero];
        call("mount", mount, Expect::Success);
        let (child, loan) = sys::process::spawn(program, flags, group.map(AsFd::as_fd), theirs.as_fd())?;
        Ok(Self { child, ours, _loan: loan })
    }

    fn findings(&self, house: &House) -> Vec<Finding> {
        let mut found = Vec::new();
        match self.map_ids() {
            Ok(()) => {
                if sys::process::user() == 0 {
                    found.push(self.mapped_mount(house));
                }
                found.push(self.proc());
            }
            Err(error) => found.push(Finding::missing(
                "user ids",
                format!("a jail's ids cannot be mapped: {error}"),
                "run jaula as root in the host's own user namespace",
            )),
        }
        if let Some(after) = self.end() {
            found.push(after);
        }
        found
    }

    /// As a start does: 65536 ids, or without root the caller's own.
    fn map_ids(&self) -> sys::Result<()> {
        let proc = format!("/proc/{}", self.child.pid);
        let put = |file: &str, text: String| {
            let fd = sys::fs::open(CWD, format!("{proc}/{file}"), O_WRONLY, 0)?;
            sys::fs::write(&fd, text.as_bytes())
        };
        match sys::process::user() {
            0 => {
                ["uid_map", "gid_map"].iter().try_for_each(|file| put(file, "0 2147483648 65536".to_owned()))
            }
            user => {
                put("setgroups", "deny".to_owned())?;
                put("uid_map", format!("0 {user} 1"))?;
                put("gid_map", format!("0 {} 1", sys::process::group()))
            }
        }
    }

    /// Can owners be mapped on the file system that jails are kept on?
    fn mapped_mount(&self, house: &House) -> Finding {
        let lib = house.lib.ancestors().find(|path| path.is_dir()).unwrap_or_else(|| Path::new("/"));
        let what = format!("id-mapped mounts of {}", lib.display());
        let users = format!("/proc/{}/ns/user", self.child.pid);
        let tried = sys::mount::clone_tree(CWD, lib, false).and_then(|tree| {
            let users = sys::fs::open(CWD, &users, O_RDONLY, 0)?;
            sys::mount::set(&tree, sys::mount::MOUNT_ATTR_IDMAP, Some(users.as_fd()), false)
        });
        match tried {
            Ok(()) => Finding::ok(what, "files keep the ids 0 to 65535 on disk"),
            Err(error) if error.is(EINVAL) => Finding::missing(
                what,
                format!(
                    "{} has none; root.owners = \"mapped\" and what jails write need them",
                    mounted(lib).1
                ),
                format!(
                    "put {} on ext4, xfs, btrfs or tmpfs, or all that is jaula's: JAULA_ROOT; jaula build --store \
                     image works here",
                    house.lib.display()
                ),
            ),
            Err(error) => {
                Finding::missing(what, error.to_string(), "see what confines jaula: cat /proc/self/status")
            }
        }
    }

    /// Lets the child mount its own `/proc`, which the kernel refuses where the host's is not
    /// fully visible: its own would show more.
    fn proc(&self) -> Finding {
        let mut report = [0; sys::program::Failed::LENGTH];
        let answer = sys::fs::write(&self.ours, b"g").and_then(|()| {
            // The child's own copy of the socket ends with it.
            sys::poll::wait(&[(self.child.pidfd.as_fd(), false)], None)?;
            let ready = sys::poll::wait(&[(self.ours.as_fd(), false)], Some(std::time::Duration::ZERO))?;
            if ready[0] { sys::socket::receive(&self.ours, &mut report).map(|(n, _)| n) } else { Ok(0) }
        });
        match answer {
            Ok(n) if n == report.len() => {
                let failed = sys::program::Failed::parse(report);
                match (failed.step, failed.errno) {
                    (MOUNT, EPERM) => Finding::missing(
                        "/proc",
                        "something is mounted over parts of the host's /proc, and then no jail gets its own",
                        "unmount what findmnt -R /proc shows below it, or use security.proc = false",
                    ),
                    (_, errno) => Finding::missing(
                        "/proc",
                        format!("a jail's own fails: {}", sys::Errno(errno)),
                        "jaula plan NAME shows how it is mounted",
                    ),
                }
            }
            Ok(_) => Finding::ok("/proc", "fully visible, so that each jail can have its own"),
            Err(error) => Finding::missing("/proc", error.to_string(), "see the cause"),
        }
    }

    /// Ends the child; does the kernel say afterwards how it ended?
    fn end(&self) -> Option<Finding> {
        let _ = sys::process::signal(&self.child.pidfd, sys::signal::SIGKILL);
        let waited = sys::process::wait(&self.child.pidfd).is_ok();
        let told = sys::process::exit_of(&self.child.pidfd).is_some();
        waited.then(|| match told {
            true => Finding::ok("exit statuses", "known of adopted jails too"),
            false => Finding::warning(
                "exit statuses",
                "how a jail ended is not known if its keeper was replaced meanwhile",
                "boot Linux 6.15 or newer",
            ),
        })
    }
}

/// Which namespace it is that cannot be made, and why.
fn refused(error: &CallError) -> Finding {
    let one = NAMESPACES.iter().find(|(flag, ..)| {
        // Other than a user namespace, each needs one around it, or root.
        let tried = Trial::begin(flag | CLONE_NEWUSER, None).map(|trial| trial.end());
        tried.is_err()
    });
    let (what, sysctl) = one.map_or(("all", "user"), |(_, what, sysctl)| (*what, *sysctl));
    let what = format!("namespaces ({what})");
    let mend = match error.errno.0 {
        ENOSPC | EUSERS => format!("sysctl -w user.max_{sysctl}_namespaces=65536"),
        EPERM | EACCES => settings_against_users(),
        EINVAL => "build the kernel with CONFIG_NAMESPACES and all that it offers".to_owned(),
        _ => "see the error".to_owned(),
    };
    Finding::missing(what, format!("a jail's first process cannot be made: {error}"), mend)
}

/// What keeps users, or all, from making user namespaces.
fn settings_against_users() -> String {
    let is = |name: &str, value: &str| {
        let path = PathBuf::from("/proc/sys").join(name.replace('.', "/"));
        std::fs::read_to_string(path).is_ok_and(|text| text.trim() == value)
    };
    for (name, bad, good) in [
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
    ] {
        if is(name, bad) && sys::process::user() != 0 {
            return format!("sysctl -w {name}={good}, or run jaula as root");
        }
    }
    "run jaula as root, and outside of a container or chroot".to_owned()
}

/// Are there control groups that a child can be born into? Tried with the group that jaula is in.
fn control_groups(flags: i32) -> Finding {
    let groups = cgroup::find(true);
    let what = match (&groups.unified, groups.legacy.is_empty()) {
        (Some(_), true) => "control groups (v2)",
        (Some(_), false) => "control groups (v2 and v1 side by side)",
        (None, false) => "control groups (v1)",
        (None, true) => "control groups",
    };
    let legacy: Vec<&str> = groups.legacy.keys().map(String::as_str).collect();
    let Some(unified) = &groups.unified else {
        return match legacy.is_empty() {
            true => Finding::missing(
                what,
                "none are mounted; a jail's processes are killed and counted by its group",
                "mount -t cgroup2 none /sys/fs/cgroup",
            ),
            false => Finding::warning(
                what,
                format!("version 1 only ({}): a start is slower by some milliseconds", legacy.join(" ")),
                "mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified",
            ),
        };
    };
    if sys::process::user() != 0 {
        return Finding::ok(what, "jails without root have none of their own");
    }
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let tried = sys::fs::open(CWD, unified.join(own), O_PATH | O_DIRECTORY, 0)
        .and_then(|group| Trial::begin(flags, Some(&group)))
        .map(|trial| trial.end());
    let controllers = std::fs::read_to_string(unified.join("cgroup.controllers")).unwrap_or_default();
    let v1 = if legacy.is_empty() { String::new() } else { format!("; v1: {}", legacy.join(" ")) };
    match tried {
        Ok(_) => {
            Finding::ok(what, format!("at {}; v2: {}{v1}", unified.display(), or_none(controllers.trim())))
        }
        Err(error) => Finding::missing(
            what,
            format!("no process can be made in them: {error}"),
            format!("see that {} is writable for root", unified.display()),
        ),
    }
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "no controllers" } else { text }
}
