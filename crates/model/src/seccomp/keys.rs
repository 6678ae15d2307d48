//! What the profiles and the keys of `[security]` mean for each group of calls, and why.

use super::policy::{BadPolicy, Verdict};
use super::rule::Rule;
use super::sockets::Sockets;
use super::table::{Call, Group};
use super::{Action, ENOSYS, EPERM};
use crate::config::{Profile, Security};

const CLONE: Call = Call::named("clone");
const IOCTL: Call = Call::named("ioctl");
const PERSONALITY: Call = Call::named("personality");
const SETSOCKOPT: Call = Call::named("setsockopt");
const SOCKET: Call = Call::named("socket");
const SOCKETPAIR: Call = Call::named("socketpair");
const UNSHARE: Call = Call::named("unshare");

const CLONE_NEWUSER: u32 = 0x1000_0000;
/// Mount, cgroup, host name, IPC, user, process and network namespace (`linux/sched.h`).
const CLONE_NEW: u32 = 0x7e02_0000;
/// The time namespace, for `unshare` alone: for `clone` the bit belongs to the signal.
const CLONE_NEWTIME: u32 = 0x80;

/// The calls for which [`Keys::rule`] may have a rule.
pub(super) const WITH_ARGUMENTS: [Call; 7] =
    [CLONE, UNSHARE, IOCTL, PERSONALITY, SETSOCKOPT, SOCKET, SOCKETPAIR];

/// The keys of `[security]` that say something about system calls, with the profile's defaults.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) profile: Profile,
    set_hostname: bool,
    sysvipc: bool,
    mount: bool,
    pub(super) nesting: bool,
    sockets: Sockets,
    /// Does `strict` let sockets be made at all?
    asks_for_sockets: bool,
}

impl Keys {
    pub(super) fn of(security: &Security, problems: &mut Vec<BadPolicy>) -> Self {
        let server = security.profile == Profile::Server;
        // A jail in a jail has mounts and a host name of its own; its first process makes them
        // before there is another filter.
        let own_house = server || security.nesting;
        Self {
            profile: security.profile,
            set_hostname: security.set_hostname.unwrap_or(own_house),
            // An IPC namespace keeps them apart, and databases need them.
            sysvipc: security.sysvipc.unwrap_or(security.profile != Profile::Strict),
            mount: security.mount.unwrap_or(own_house),
            nesting: security.nesting,
            sockets: Sockets::of(security, problems),
            asks_for_sockets: security.socket_families.as_ref().is_some_and(|f| !f.is_empty())
                || security.raw_sockets == Some(true),
        }
    }

    /// What the calls of a group meet with, before rules about arguments.
    pub(super) fn action(&self, group: Group) -> Action {
        let allow = |allowed| if allowed { Action::Allow } else { Action::Errno(EPERM) };
        let allow_or_absent = |allowed| if allowed { Action::Allow } else { Action::Errno(ENOSYS) };
        let strict = self.profile == Profile::Strict;
        let server = self.profile == Profile::Server;
        match group {
            Group::Base => Action::Allow,
            // `Inspect`: strace, gdb and crash reporters work through it. Seccomp has been checked
            // after ptrace since Linux 4.8, so a tracer gets no call past the filter, and the
            // kernel lets nobody trace a process with more privileges or of another namespace.
            //
            // `Ordinary` has what some refuse. `chroot`, `mknod`: what they may do follows from
            // capabilities and the user namespace. `adjtimex`, `clock_adjtime`: mostly asked,
            // and setting needs a capability over the host. `name_to_handle_at`: gives a number,
            // which only `open_by_handle_at` could turn into a file. `seccomp`, `landlock_*`: who
            // restricts himself further may. `vmsplice`, `splice`: the bugs they had part in
            // (CVE-2022-0847, CVE-2026-31431) need page cache shared with others or `AF_ALG`.
            Group::Ordinary | Group::Inspect => allow(!strict),
            Group::Socket => allow(!strict || self.asks_for_sockets),
            // FreeBSD's jails and a kernel without System V IPC say the same.
            Group::SysvIpc => allow_or_absent(self.sysvipc),
            Group::Mount => allow(self.mount),
            // `setns` with a user namespace needs one below the jail's, so it needs nesting too.
            Group::Namespace => allow(server || self.nesting),
            // C libraries and systemd fall back to `clone`, whose flags a filter sees.
            Group::Clone3 => allow_or_absent(self.nesting),
            Group::Hostname => allow(self.set_hostname),
            // In a process namespace of its own, `reboot` ends that namespace and no more. Where
            // pages lie is for a whole distribution's administrator; single programs do without
            // (Docker's containers do), and with it goes much seldom used code.
            Group::Init | Group::Numa => allow(server),
            // Old bugs live here, and nothing that a jail needs. systemd, PAM and runc all know
            // kernels without it, but not all of them a refusal.
            Group::Keyring if server => Action::Errno(ENOSYS),
            // These are the host's: no namespace divides them, or (io_uring, `bpf`,
            // `userfaultfd`, performance counters, 16-bit segments) they were part of many
            // ways out of a container. What a file is called must stay the way to it: by handle,
            // root opens any file of the file system that the jail's tree lies on (CVE-2014-3519).
            Group::Keyring
            | Group::IoUring
            | Group::Tracing
            | Group::PageFault
            | Group::Kernel
            | Group::Accounting
            | Group::Clock
            | Group::Ports
            | Group::Segments
            | Group::Handle
            | Group::KernelLog
            | Group::Fanotify => Action::Errno(EPERM),
            Group::Multiplexer | Group::Retired => Action::Errno(ENOSYS),
        }
    }

    /// The profile's rule about a call's arguments, if it has one and the call is not refused.
    pub(super) fn rule(&self, call: Call, verdict: Verdict) -> Option<Rule> {
        let guests = self.nesting || self.profile == Profile::Server;
        let allowed = verdict == Verdict::Always(Action::Allow);
        match call {
            CLONE if !guests => Some(Rule::without_flags(CLONE_NEW)),
            // Without a namespace, `unshare` gives a thread its own working directory; Samba
            // does not start without it.
            UNSHARE if !guests && self.profile == Profile::App => {
                Some(Rule::without_flags(CLONE_NEW | CLONE_NEWTIME))
            }
            PERSONALITY if allowed && self.profile == Profile::App => Some(Rule::personality(&[0, u32::MAX])),
            PERSONALITY if allowed => {
                const PER_LINUX32: u32 = 8;
                const UNAME26: u32 = 0x2_0000;
                let values = [0, u32::MAX, PER_LINUX32, UNAME26, PER_LINUX32 | UNAME26];
                Some(Rule::personality(&values))
            }
            SETSOCKOPT if allowed && self.profile != Profile::Server => Some(Rule::setsockopt()),
            _ if allowed => self.widest(call),
            _ => None,
        }
    }

    /// The rule about a call's arguments that holds in every profile, even for a call that
    /// `system_calls` adds.
    pub(super) fn widest(&self, call: Call) -> Option<Rule> {
        match call {
            CLONE | UNSHARE if !self.nesting => Some(Rule::without_flags(CLONE_NEWUSER)),
            IOCTL => Some(Rule::ioctl()),
            SOCKET | SOCKETPAIR => Some(self.sockets.rule()),
            _ => None,
        }
    }
}
