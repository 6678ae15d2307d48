//! A policy in words.

use super::policy::{Policy, Verdict};
use super::sockets::{FAMILIES, PROTOCOLS};
use super::table::{Call, Group};
use super::{Abi, Action, Arch, ENOSYS, EPERM, Invocation};
use std::fmt;

/// A policy in words, for `jaula config show --effective`. `Display` prints all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What it is about, and what becomes of it: `("mounts", "refused (EPERM)")`.
    pub groups: Vec<(&'static str, String)>,
    /// Every call that is refused whatever its arguments, by name.
    pub refused: Vec<&'static str>,
}

/// What people call the groups, in the order in which they are told.
const GROUPS: [(Group, &str); 25] = [
    (Group::Base, "starting, threads, files and pipes"),
    (Group::Ordinary, "ordinary calls"),
    (Group::Socket, "sockets"),
    (Group::Inspect, "looking into other processes"),
    (Group::SysvIpc, "System V IPC"),
    (Group::Mount, "mounts"),
    (Group::Namespace, "namespaces"),
    (Group::Clone3, "clone3"),
    (Group::Hostname, "setting the host name"),
    (Group::Init, "rebooting, hanging up terminals"),
    (Group::Numa, "memory nodes"),
    (Group::Keyring, "keyrings"),
    (Group::IoUring, "io_uring"),
    (Group::Tracing, "BPF programs, performance counters"),
    (Group::PageFault, "userfaultfd"),
    (Group::Kernel, "kexec, kernel modules"),
    (Group::Accounting, "swap, accounting, quotas"),
    (Group::Clock, "setting the clock"),
    (Group::Ports, "I/O ports"),
    (Group::Segments, "segment tables, 16-bit code"),
    (Group::Handle, "files by handle"),
    (Group::KernelLog, "the kernel's log"),
    (Group::Fanotify, "watching file systems"),
    (Group::Multiplexer, "socketcall"),
    (Group::Retired, "retired calls"),
];

/// The policy in words. Everything is read off the policy itself, not off the configuration.
pub fn explain(policy: &Policy) -> Explanation {
    let mut groups: Vec<_> = GROUPS.iter().map(|(group, words)| (*words, of_group(policy, *group))).collect();
    groups.push(("socket families", socket_families(policy)));
    groups.push(("raw sockets", word(of_call(policy, "socket", [2, 3, 0]))));
    groups.push(("new user namespaces", user_namespaces(policy)));
    groups.push(("typing into terminals (TIOCSTI)", word(of_call(policy, "ioctl", [0, 0x5412, 0]))));
    groups.push(("making subvolumes of btrfs", word(of_call(policy, "ioctl", [0, 0x5000_940e, 0]))));
    let compat = if policy.compat() { Action::Allow } else { Policy::NO_COMPAT };
    groups.push(("32-bit calls", word(compat)));
    groups.push(("x32 calls, unknown calls", word(Action::Errno(ENOSYS))));
    let refused = Call::all().filter(|call| always(policy, *call).is_some_and(|a| a != Action::Allow));
    Explanation { groups, refused: refused.map(Call::name).collect() }
}

/// What becomes of a call whatever its arguments, if they do not matter.
fn always(policy: &Policy, call: Call) -> Option<Action> {
    match policy.verdict(call) {
        Verdict::Always(action) => Some(action),
        Verdict::Rule(_) => None,
    }
}

/// What becomes of most calls of the group, and of which not.
fn of_group(policy: &Policy, group: Group) -> String {
    let calls = || Call::all().filter(move |call| call.group() == group);
    let mut actions: Vec<(Option<Action>, usize)> = Vec::new();
    for action in calls().map(|call| always(policy, call)) {
        match actions.iter_mut().find(|(known, _)| *known == action) {
            Some((_, count)) => *count += 1,
            None => actions.push((action, 1)),
        }
    }
    let most = actions.iter().rev().max_by_key(|(_, count)| *count).and_then(|(action, _)| *action);
    let how = |action: Option<Action>| action.map_or_else(|| "by their arguments".to_owned(), word);
    let mut text = how(most);
    for (action, _) in actions.iter().filter(|(action, _)| *action != most) {
        let names = calls().filter(|call| always(policy, *call) == *action).map(Call::name);
        let names: Vec<_> = names.collect();
        text += &format!("; {} {}", names.join(" "), how(*action));
    }
    if group == Group::IoUring && calls().any(|call| always(policy, call) == Some(Action::Allow)) {
        text += ", with sockets of any family, since no filter sees what a ring does";
    }
    text
}

fn word(action: Action) -> String {
    match action {
        Action::Allow => "allowed".to_owned(),
        Action::Errno(EPERM) => "refused (EPERM)".to_owned(),
        Action::Errno(ENOSYS) => "refused (ENOSYS)".to_owned(),
        Action::Errno(super::EPROTONOSUPPORT) => "refused (EPROTONOSUPPORT)".to_owned(),
        Action::Errno(super::EAFNOSUPPORT) => "refused (EAFNOSUPPORT)".to_owned(),
        Action::Errno(number) => format!("refused (error {number})"),
        Action::Kill => "killed".to_owned(),
        Action::Notify => "decided by the keeper".to_owned(),
    }
}

/// What becomes of this call with these arguments.
fn of_call(policy: &Policy, name: &str, [a, b, c]: [u64; 3]) -> Action {
    let number = Call::from_name(name).and_then(|call| call.number(Abi::X86_64)).unwrap_or(u32::MAX);
    let made = Invocation { arch: Abi::X86_64.audit_arch(), number, arguments: [a, b, c, 0, 0, 0] };
    policy.decide(Arch::X86_64, &made)
}

fn socket_families(policy: &Policy) -> String {
    const SOCK_DGRAM: u64 = 2;
    let allowed = |family: u8, protocol: u8| {
        of_call(policy, "socket", [family.into(), SOCK_DGRAM, protocol.into()]) == Action::Allow
    };
    let mut names: Vec<String> = Vec::new();
    for (name, family) in FAMILIES {
        match name {
            "netlink" => names.extend(
                PROTOCOLS.iter().filter(|(_, protocol)| allowed(family, *protocol)).map(|(protocol, _)| {
                    if *protocol == "route" { "route".to_owned() } else { format!("netlink:{protocol}") }
                }),
            ),
            name if allowed(family, 0) => names.push(name.to_owned()),
            _ => {}
        }
    }
    if names.is_empty() { "none".to_owned() } else { names.join(" ") }
}

fn user_namespaces(policy: &Policy) -> String {
    const CLONE_NEWUSER: u64 = 0x1000_0000;
    word(of_call(policy, "clone", [CLONE_NEWUSER, 0, 0]))
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, how) in &self.groups {
            writeln!(f, "{what}: {how}")?;
        }
        write!(f, "refused calls: {}", self.refused.join(" "))
    }
}
