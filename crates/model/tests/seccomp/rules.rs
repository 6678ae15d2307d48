//! What each profile and key lets through.

use super::{ABIS, ARCHES, PROFILES, arch_of, changes, decide, made, profile, security};
use model::config::{Profile, Security};
use model::seccomp::{Abi, Action, BadPolicy, Call, Policy, explain};

const ALLOW: Action = Action::Allow;
const EPERM: Action = Action::Errno(1);
const ENOSYS: Action = Action::Errno(38);
const EPROTONOSUPPORT: Action = Action::Errno(93);
const EAFNOSUPPORT: Action = Action::Errno(97);

const NEWUSER: u64 = 0x1000_0000;
const NEWNET: u64 = 0x4000_0000;
const TIOCSTI: u64 = 0x5412;

/// Call, arguments, and what app, strict and server do with it.
type Row = (&'static str, &'static [u64], [Action; 3]);

const TABLE: [Row; 78] = [
    ("read", &[], [ALLOW, ALLOW, ALLOW]),
    ("execve", &[], [ALLOW, ALLOW, ALLOW]),
    ("exit_group", &[], [ALLOW, ALLOW, ALLOW]),
    ("futex", &[], [ALLOW, ALLOW, ALLOW]),
    ("chmod", &[], [ALLOW, EPERM, ALLOW]),
    ("setuid", &[], [ALLOW, EPERM, ALLOW]),
    ("chroot", &[], [ALLOW, EPERM, ALLOW]),
    ("ptrace", &[], [ALLOW, EPERM, ALLOW]),
    ("name_to_handle_at", &[], [ALLOW, EPERM, ALLOW]),
    ("open_by_handle_at", &[], [EPERM, EPERM, EPERM]),
    ("mount", &[], [EPERM, EPERM, ALLOW]),
    ("umount2", &[], [EPERM, EPERM, ALLOW]),
    ("pivot_root", &[], [EPERM, EPERM, ALLOW]),
    ("fsconfig", &[], [EPERM, EPERM, ALLOW]),
    ("open_tree_attr", &[], [EPERM, EPERM, ALLOW]),
    ("mount_setattr", &[], [EPERM, EPERM, ALLOW]),
    ("setns", &[], [EPERM, EPERM, ALLOW]),
    ("unshare", &[0x200], [ALLOW, EPERM, ALLOW]),
    ("unshare", &[NEWNET], [EPERM, EPERM, ALLOW]),
    ("unshare", &[0x80], [EPERM, EPERM, ALLOW]),
    ("unshare", &[NEWUSER], [EPERM, EPERM, EPERM]),
    ("clone", &[0x3d_0f00], [ALLOW, ALLOW, ALLOW]),
    ("clone", &[17], [ALLOW, ALLOW, ALLOW]),
    ("clone", &[NEWNET | 17], [EPERM, EPERM, ALLOW]),
    ("clone", &[0x2_0000], [EPERM, EPERM, ALLOW]),
    ("clone", &[NEWUSER | NEWNET], [EPERM, EPERM, EPERM]),
    ("clone", &[0xff00_0000_0000_0000 | NEWUSER], [EPERM, EPERM, EPERM]),
    ("clone3", &[], [ENOSYS, ENOSYS, ENOSYS]),
    ("add_key", &[], [EPERM, EPERM, ENOSYS]),
    ("keyctl", &[], [EPERM, EPERM, ENOSYS]),
    ("io_uring_setup", &[], [EPERM, EPERM, EPERM]),
    ("bpf", &[], [EPERM, EPERM, EPERM]),
    ("perf_event_open", &[], [EPERM, EPERM, EPERM]),
    ("userfaultfd", &[], [EPERM, EPERM, EPERM]),
    ("kexec_file_load", &[], [EPERM, EPERM, EPERM]),
    ("finit_module", &[], [EPERM, EPERM, EPERM]),
    ("swapon", &[], [EPERM, EPERM, EPERM]),
    ("clock_settime", &[], [EPERM, EPERM, EPERM]),
    ("adjtimex", &[], [ALLOW, EPERM, ALLOW]),
    ("acct", &[], [EPERM, EPERM, EPERM]),
    ("quotactl", &[], [EPERM, EPERM, EPERM]),
    ("syslog", &[], [EPERM, EPERM, EPERM]),
    ("fanotify_init", &[], [EPERM, EPERM, EPERM]),
    ("reboot", &[], [EPERM, EPERM, ALLOW]),
    ("vhangup", &[], [EPERM, EPERM, ALLOW]),
    ("mbind", &[], [EPERM, EPERM, ALLOW]),
    ("sethostname", &[], [EPERM, EPERM, ALLOW]),
    ("shmget", &[], [ALLOW, ENOSYS, ALLOW]),
    ("nfsservctl", &[], [ENOSYS, ENOSYS, ENOSYS]),
    ("personality", &[0], [ALLOW, EPERM, ALLOW]),
    ("personality", &[0xffff_ffff], [ALLOW, EPERM, ALLOW]),
    ("personality", &[u64::MAX], [ALLOW, EPERM, ALLOW]),
    ("personality", &[8], [EPERM, EPERM, ALLOW]),
    ("personality", &[0x4_0000], [EPERM, EPERM, EPERM]),
    ("ioctl", &[0, 0x5401], [ALLOW, ALLOW, ALLOW]),
    ("ioctl", &[0, TIOCSTI], [EPERM, EPERM, EPERM]),
    ("ioctl", &[0, 0x5000_940e], [EPERM, EPERM, EPERM]),
    ("ioctl", &[0, 0x5000_9417], [EPERM, EPERM, EPERM]),
    ("ioctl", &[0, 0x5000_940f], [ALLOW, ALLOW, ALLOW]),
    ("ioctl", &[0, 1 << 32 | TIOCSTI], [EPERM, EPERM, EPERM]),
    ("ioctl", &[0, 0xffff_ffff_0000_541c], [EPERM, EPERM, EPERM]),
    ("socket", &[1, 1, 0], [ALLOW, EPERM, ALLOW]),
    ("socket", &[1 << 32 | 38, 5, 0], [EAFNOSUPPORT, EPERM, EAFNOSUPPORT]),
    ("socket", &[40, 1, 0], [EAFNOSUPPORT, EPERM, EAFNOSUPPORT]),
    ("socket", &[10, 0x8_0002, 17], [ALLOW, EPERM, ALLOW]),
    ("socket", &[2, 3, 1], [EPERM, EPERM, ALLOW]),
    ("socket", &[2, 0x8_0803, 1], [EPERM, EPERM, ALLOW]),
    ("socket", &[2, 10, 0x300], [EPERM, EPERM, ALLOW]),
    ("socket", &[10, 3, 58], [EPERM, EPERM, ALLOW]),
    ("socket", &[17, 3, 0x300], [EAFNOSUPPORT, EPERM, ALLOW]),
    ("socket", &[16, 3, 0], [ALLOW, EPERM, ALLOW]),
    ("socket", &[16, 3, 12], [EPROTONOSUPPORT, EPERM, ALLOW]),
    ("socket", &[16, 3, 9], [EPROTONOSUPPORT, EPERM, EPROTONOSUPPORT]),
    ("socket", &[16, 3, 21], [EPROTONOSUPPORT, EPERM, EPROTONOSUPPORT]),
    ("socketpair", &[1, 1, 0], [ALLOW, EPERM, ALLOW]),
    ("socketpair", &[30, 1, 0], [EAFNOSUPPORT, EPERM, EAFNOSUPPORT]),
    ("setsockopt", &[3, 0, 64], [EPERM, EPERM, ALLOW]),
    ("setsockopt", &[3, 1, 64], [ALLOW, EPERM, ALLOW]),
];

#[test]
fn profiles() {
    for (which, policy) in PROFILES.iter().map(|which| profile(*which)).enumerate() {
        for (name, arguments, actions) in TABLE {
            let call = Call::from_name(name).unwrap();
            assert!(call.number(Abi::X86_64).is_some(), "{name}");
            for arch in ARCHES {
                if let Some(number) = call.number(arch.native()) {
                    let action = policy.decide(arch, &made(arch.native(), number, arguments));
                    assert_eq!(
                        action, actions[which],
                        "{:?} {arch:?} {name} {arguments:x?}",
                        PROFILES[which]
                    );
                }
            }
        }
    }
}

#[test]
fn calls_of_32_bit_programs() {
    for abi in [Abi::I386, Abi::Arm] {
        for which in [Profile::App, Profile::Strict] {
            for number in [0, 1, 3, 5, 102, 0xf_0005, u32::MAX] {
                assert_eq!(profile(which).decide(arch_of(abi), &made(abi, number, &[])), ENOSYS);
            }
        }
        let server = profile(Profile::Server);
        for (name, arguments, actions) in TABLE {
            if let Some(number) = Call::from_name(name).unwrap().number(abi) {
                let action = server.decide(arch_of(abi), &made(abi, number, arguments));
                assert_eq!(action, actions[2], "{abi:?} {name} {arguments:x?}");
            }
        }
    }
    let server = profile(Profile::Server);
    assert_eq!(decide(&server, Abi::I386, "socketcall", &[1]), ENOSYS);
    assert_eq!(decide(&server, Abi::I386, "ipc", &[23]), ALLOW);
    assert_eq!(decide(&server, Abi::Arm, "set_tls", &[]), ALLOW);
    assert_eq!(decide(&server, Abi::Arm, "cacheflush", &[]), ALLOW);
    let without = Policy::of(&Security { sysvipc: Some(false), ..security(Profile::Server) }).unwrap();
    assert_eq!(decide(&without, Abi::I386, "ipc", &[23]), ENOSYS);
}

#[test]
fn numbers_that_are_no_calls() {
    for policy in PROFILES.map(profile) {
        for arch in ARCHES {
            for number in [470, 511, 512, 9999, 0x4000_0000, 0x4000_0001, 0x7fff_ffff, u32::MAX - 1] {
                assert_eq!(policy.decide(arch, &made(arch.native(), number, &[])), ENOSYS, "{number}");
            }
            // A call that a tracer took away.
            assert_eq!(policy.decide(arch, &made(arch.native(), u32::MAX, &[])), ALLOW);
            let foreign = ABIS.into_iter().find(|abi| arch_of(*abi) != arch).unwrap();
            assert_eq!(policy.decide(arch, &made(foreign, 0, &[])), Action::Kill);
        }
    }
}

#[test]
fn keys_open_and_close() {
    let base = || security(Profile::App);
    let policy = |security: Security| Policy::of(&security).unwrap();
    let x86 = |policy: &Policy, name: &str, arguments: &[u64]| decide(policy, Abi::X86_64, name, arguments);

    let hostname = policy(Security { set_hostname: Some(true), ..base() });
    assert_eq!(x86(&hostname, "sethostname", &[]), ALLOW);
    assert_eq!(x86(&hostname, "setdomainname", &[]), ALLOW);
    let hostname = policy(Security { set_hostname: Some(false), ..security(Profile::Server) });
    assert_eq!(x86(&hostname, "sethostname", &[]), EPERM);

    let mount = policy(Security { mount: Some(true), ..base() });
    assert_eq!(x86(&mount, "mount", &[]), ALLOW);
    assert_eq!(x86(&mount, "unshare", &[0x2_0000]), EPERM);
    let mount = policy(Security { mount: Some(false), ..security(Profile::Server) });
    assert_eq!(x86(&mount, "fsopen", &[]), EPERM);

    let sysvipc = policy(Security { sysvipc: Some(false), ..base() });
    for name in ["msgget", "msgsnd", "msgrcv", "msgctl", "semget", "semop", "semtimedop", "semctl", "shmget"]
    {
        assert_eq!(x86(&sysvipc, name, &[]), ENOSYS, "{name}");
    }
    let sysvipc = policy(Security { sysvipc: Some(true), ..security(Profile::Strict) });
    assert_eq!(x86(&sysvipc, "shmat", &[]), ALLOW);

    let raw = policy(Security { raw_sockets: Some(true), ..base() });
    assert_eq!(x86(&raw, "socket", &[2, 3, 1]), ALLOW);
    assert_eq!(x86(&raw, "socket", &[17, 3, 0x300]), ALLOW);
    let raw = policy(Security { raw_sockets: Some(false), ..security(Profile::Server) });
    assert_eq!(x86(&raw, "socket", &[2, 3, 1]), EPERM);
    assert_eq!(x86(&raw, "socket", &[17, 2, 0]), EAFNOSUPPORT);

    for which in PROFILES {
        let nesting = policy(Security { nesting: true, ..security(which) });
        assert_eq!(x86(&nesting, "clone3", &[]), ALLOW);
        assert_eq!(x86(&nesting, "clone", &[NEWUSER]), ALLOW);
        assert_eq!(x86(&nesting, "unshare", &[NEWUSER | NEWNET]), ALLOW);
        assert_eq!(x86(&nesting, "setns", &[]), ALLOW);
        assert_eq!(x86(&nesting, "pivot_root", &[]), ALLOW);
        assert_eq!(x86(&nesting, "ioctl", &[0, TIOCSTI]), EPERM);
    }
}

/// `jail_socket_unixiproute_only` of FreeBSD: TCP/IP, unix and route sockets, nothing else.
#[test]
fn only_these_socket_families() {
    let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    for which in PROFILES {
        let families = names(&["unix", "inet", "inet6", "route"]);
        let policy =
            Policy::of(&Security { socket_families: families, raw_sockets: Some(false), ..security(which) });
        let policy = policy.unwrap();
        for abi in [Abi::X86_64, Abi::Aarch64] {
            for family in 0..64 {
                let expected = if [1, 2, 10, 16].contains(&family) { ALLOW } else { EAFNOSUPPORT };
                assert_eq!(decide(&policy, abi, "socket", &[family, 1, 0]), expected, "{family}");
                assert_eq!(decide(&policy, abi, "socketpair", &[family, 1, 0]), expected, "{family}");
            }
            for (family, kind) in [(2, 3), (10, 3), (2, 10), (2, 0x8_0003)] {
                assert_eq!(decide(&policy, abi, "socket", &[family, kind, 0]), EPERM);
            }
            assert_eq!(decide(&policy, abi, "socket", &[16, 3, 15]), EPROTONOSUPPORT);
            assert_eq!(decide(&policy, abi, "connect", &[]), ALLOW);
        }
    }
    // Any protocol but two of the host's.
    let netlink =
        Policy::of(&Security { socket_families: names(&["netlink"]), ..Security::default() }).unwrap();
    for protocol in 0..32 {
        let expected = if [9, 21].contains(&protocol) { EPROTONOSUPPORT } else { ALLOW };
        assert_eq!(decide(&netlink, Abi::X86_64, "socket", &[16, 3, protocol]), expected, "{protocol}");
    }
    // `packet` left out is out by its old name, too.
    let raw = Security { socket_families: names(&["inet"]), raw_sockets: Some(true), ..Security::default() };
    let raw = Policy::of(&raw).unwrap();
    assert_eq!(decide(&raw, Abi::X86_64, "socket", &[2, 3, 1]), ALLOW);
    assert_eq!(decide(&raw, Abi::X86_64, "socket", &[2, 10, 0x300]), EAFNOSUPPORT);
    // No family at all.
    let none = Policy::of(&Security { socket_families: Some(Vec::new()), ..Security::default() }).unwrap();
    assert_eq!(decide(&none, Abi::X86_64, "socket", &[1, 1, 0]), EAFNOSUPPORT);
}

#[test]
fn single_calls_are_added_and_removed() {
    let policy =
        |which, words| Policy::of(&Security { system_calls: changes(words), ..security(which) }).unwrap();
    let x86 = |policy: &Policy, name: &str, arguments: &[u64]| decide(policy, Abi::X86_64, name, arguments);

    let app = policy(Profile::App, "+keyctl +personality -ptrace -read +read -write");
    assert_eq!(x86(&app, "keyctl", &[]), ALLOW);
    assert_eq!(x86(&app, "personality", &[0x4_0000]), ALLOW);
    assert_eq!(x86(&app, "ptrace", &[]), EPERM);
    assert_eq!(x86(&app, "read", &[]), ALLOW);
    assert_eq!(x86(&app, "write", &[]), EPERM);

    // What no profile lets through stays so.
    let app = policy(Profile::App, "+clone +unshare +ioctl +socket");
    assert_eq!(x86(&app, "unshare", &[NEWNET]), ALLOW);
    assert_eq!(x86(&app, "unshare", &[NEWUSER]), EPERM);
    assert_eq!(x86(&app, "clone", &[NEWUSER]), EPERM);
    assert_eq!(x86(&app, "ioctl", &[0, TIOCSTI]), EPERM);
    assert_eq!(x86(&app, "socket", &[38, 5, 0]), EAFNOSUPPORT);

    let strict = policy(Profile::Strict, "+socket +connect +chmod -ioctl");
    assert_eq!(x86(&strict, "socket", &[2, 1, 0]), ALLOW);
    assert_eq!(x86(&strict, "socket", &[40, 1, 0]), EAFNOSUPPORT);
    assert_eq!(x86(&strict, "connect", &[]), ALLOW);
    assert_eq!(x86(&strict, "bind", &[]), EPERM);
    assert_eq!(x86(&strict, "ioctl", &[0, 0x5401]), EPERM);
}

#[test]
fn everything_wrong_is_reported_at_once() {
    let security = Security {
        system_calls: changes("+opeanat -x +clone3 +socketcall"),
        socket_families: Some(["inet4", "alg", "packet"].map(str::to_owned).to_vec()),
        ..Security::default()
    };
    let problems = Policy::of(&security).unwrap_err();
    let lines: Vec<_> = problems.iter().map(BadPolicy::to_string).collect();
    assert_eq!(lines.len(), 7, "{lines:#?}");
    assert_eq!(
        lines[0],
        "security.socket_families: \"inet4\" is no family that jaula knows; was inet meant?"
    );
    assert_eq!(lines[3], "security.system_calls: \"opeanat\" is no system call; was openat meant?");
    assert_eq!(lines[4], "security.system_calls: \"x\" is no system call");
    assert!(lines[5].contains("clone3 cannot be allowed"));
}

/// Docker's default list, of 2026, as the yardstick for `app`: what it refuses to a container
/// without capabilities and `app` allows is on purpose.
#[test]
fn app_refuses_what_docker_refuses() {
    const REFUSED_BY_DOCKER: &str = "acct add_key bpf clock_settime clone3 delete_module fanotify_init \
        finit_module fsconfig fsmount fsopen fspick get_mempolicy init_module io_uring_enter \
        io_uring_register io_uring_setup ioperm iopl kexec_file_load kexec_load keyctl lookup_dcookie mbind \
        migrate_pages modify_ldt mount mount_setattr move_mount move_pages nfsservctl open_by_handle_at \
        open_tree perf_event_open pivot_root quotactl quotactl_fd reboot request_key set_mempolicy \
        set_mempolicy_home_node setdomainname sethostname setns settimeofday swapoff swapon sysfs syslog \
        umount2 uselib userfaultfd ustat vhangup";
    let app = profile(Profile::App);
    for name in REFUSED_BY_DOCKER.split_whitespace() {
        assert_ne!(decide(&app, Abi::X86_64, name, &[]), ALLOW, "{name}");
    }
}

#[test]
fn explained() {
    let text = explain(&profile(Profile::App)).to_string();
    for line in [
        "mounts: refused (EPERM)",
        "32-bit calls: refused (ENOSYS)",
        "socket families: unix inet inet6 route netlink:uevent",
        "raw sockets: refused (EPERM)",
        "System V IPC: allowed",
        "new user namespaces: refused (EPERM)",
        "namespaces: refused (EPERM); unshare by their arguments",
    ] {
        assert!(text.lines().any(|l| l == line), "{line:?} in\n{text}");
    }
    // No filter sees what a ring does, and that is said.
    let rings = Security { system_calls: changes("+io_uring_setup"), ..Security::default() };
    let rings = explain(&Policy::of(&rings).unwrap()).to_string();
    assert!(rings.contains("io_uring_setup allowed, with sockets of any family"), "{rings}");
    let server = explain(&profile(Profile::Server));
    assert!(server.refused.contains(&"io_uring_setup") && !server.refused.contains(&"mount"));
    assert!(server.groups.contains(&("mounts", "allowed".to_owned())));
}
