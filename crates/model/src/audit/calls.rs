//! Checks of system calls, by groups as systemd has them (`systemd-analyze syscall-filter`, 252),
//! without calls of architectures that jaula has no table of.

use super::Jail;
use super::checks::{Finding, Fix};
use crate::config::Profile;
use crate::seccomp::{Call, explain};

pub(super) const CLOCK: &[&str] =
    &["adjtimex", "clock_adjtime", "clock_adjtime64", "clock_settime", "clock_settime64", "settimeofday"];
pub(super) const DEBUG: &[&str] = &["lookup_dcookie", "perf_event_open", "pidfd_getfd", "ptrace"];
pub(super) const MODULE: &[&str] = &["delete_module", "finit_module", "init_module"];
pub(super) const MOUNT: &[&str] = &[
    "chroot",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "mount",
    "mount_setattr",
    "move_mount",
    "open_tree",
    "pivot_root",
    "umount",
    "umount2",
];
pub(super) const RAW_IO: &[&str] =
    &["ioperm", "iopl", "pciconfig_iobase", "pciconfig_read", "pciconfig_write"];
pub(super) const REBOOT: &[&str] = &["kexec_file_load", "kexec_load", "reboot"];
pub(super) const SWAP: &[&str] = &["swapoff", "swapon"];
pub(super) const PRIVILEGED: &[&str] = &[
    "chown",
    "chown32",
    "fchown",
    "fchown32",
    "fchownat",
    "lchown",
    "lchown32",
    "adjtimex",
    "clock_adjtime",
    "clock_settime",
    "settimeofday",
    "delete_module",
    "finit_module",
    "init_module",
    "ioperm",
    "iopl",
    "kexec_file_load",
    "kexec_load",
    "reboot",
    "swapoff",
    "swapon",
    "_sysctl",
    "acct",
    "bpf",
    "capset",
    "chroot",
    "fanotify_init",
    "fanotify_mark",
    "nfsservctl",
    "open_by_handle_at",
    "pivot_root",
    "quotactl",
    "quotactl_fd",
    "setdomainname",
    "setfsuid",
    "setfsuid32",
    "setgroups",
    "setgroups32",
    "sethostname",
    "setresuid",
    "setresuid32",
    "setreuid",
    "setreuid32",
    "setuid",
    "setuid32",
    "vhangup",
];
pub(super) const RESOURCES: &[&str] = &[
    "ioprio_set",
    "mbind",
    "migrate_pages",
    "move_pages",
    "nice",
    "sched_setaffinity",
    "sched_setattr",
    "sched_setparam",
    "sched_setscheduler",
    "set_mempolicy",
    "set_mempolicy_home_node",
    "setpriority",
    "setrlimit",
];
pub(super) const CPU_EMULATION: &[&str] = &["modify_ldt", "subpage_prot", "switch_endian", "vm86", "vm86old"];
pub(super) const OBSOLETE: &[&str] = &[
    "_sysctl",
    "afs_syscall",
    "bdflush",
    "break",
    "create_module",
    "ftime",
    "get_kernel_syms",
    "getpmsg",
    "gtty",
    "idle",
    "lock",
    "mpx",
    "prof",
    "profil",
    "putpmsg",
    "query_module",
    "security",
    "sgetmask",
    "ssetmask",
    "stime",
    "stty",
    "sysfs",
    "tuxcall",
    "ulimit",
    "uselib",
    "ustat",
    "vserver",
];

/// What escapes of the last years went through, and hardly a service needs.
const DANGEROUS: &[&str] = &[
    "add_key",
    "bpf",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "keyctl",
    "open_by_handle_at",
    "perf_event_open",
    "request_key",
    "userfaultfd",
];

/// Those of these calls that this machine has and that are not refused whatever their arguments.
fn left<'n>(jail: &Jail<'_>, names: &[&'n str]) -> Vec<&'n str> {
    let refused = explain(&jail.policy).refused;
    let abi = jail.arch.native();
    let here = |name: &&str| Call::from_name(name).is_some_and(|call| call.number(abi).is_some());
    names.iter().copied().filter(here).filter(|name| !refused.contains(name)).collect()
}

/// None of these calls.
pub(super) fn find(jail: &Jail<'_>, names: &[&str]) -> Finding {
    let left = left(jail, names);
    if left.is_empty() {
        return Finding::holds("refused");
    }
    // As systemd: a list of what is allowed counts a little better than one of what is refused.
    let badness = if jail.config.security.profile == Profile::Strict { 9 } else { 10 };
    Finding::open(badness, format!("allowed: {}", some(&left)), without(&left))
}

/// The calls behind escapes.
pub(super) fn dangerous(jail: &Jail<'_>) -> Finding {
    match left(jail, DANGEROUS) {
        left if left.is_empty() => Finding::holds("refused"),
        left => Finding::open(10, format!("allowed: {}", some(&left)), without(&left)),
    }
}

/// How many calls are left, and how many there are here.
pub(super) fn count(jail: &Jail<'_>) -> (usize, usize) {
    let abi = jail.arch.native();
    let known = Call::all().filter(|call| call.number(abi).is_some()).count();
    let refused = explain(&jail.policy).refused;
    let here = |name: &&&str| Call::from_name(name).is_some_and(|call| call.number(abi).is_some());
    (known - refused.iter().filter(here).count(), known)
}

/// The more calls, the worse.
pub(super) fn counted(jail: &Jail<'_>) -> Finding {
    let (left, known) = count(jail);
    let badness = u32::try_from((left * 100).div_ceil(known.max(1))).unwrap_or(100);
    let fix = match jail.config.security.profile {
        Profile::Strict => Fix::None,
        Profile::Server => Fix::set("security.profile=app", "if it is no whole distribution"),
        Profile::App => {
            Fix::Do("trace the program for a list: jaula trace, then security.profile=strict".to_owned())
        }
    };
    Finding::open(badness, format!("{left} of {known}"), fix)
}

fn without(names: &[&str]) -> Fix {
    let list: Vec<String> = names.iter().map(|name| format!("-{name}")).collect();
    Fix::set(format!("security.system_calls+={}", list.join(",")), "if it does without them")
}

/// A few of many names.
pub(super) fn some(names: &[&str]) -> String {
    match names {
        [a, b, c, rest @ ..] if !rest.is_empty() => format!("{a}, {b}, {c} and {} more", rest.len()),
        _ => names.join(", "),
    }
}
