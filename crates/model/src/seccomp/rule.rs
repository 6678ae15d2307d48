//! Calls whose arguments matter.

use super::{Action, EPERM};

/// A condition on the lower 32 bits of one argument.
///
/// That is enough. Every argument looked at is a C `int`, whose upper half the kernel throws
/// away (so a filter that compares 64 bits is fooled by a one up there), or a `long` of which
/// the kernel uses the lower half (`clone`) or refuses a non-zero upper one (`unshare`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Test {
    /// Which argument, from 0.
    pub(super) argument: u8,
    /// The bits that count.
    pub(super) mask: u32,
    /// What they must be.
    pub(super) value: u32,
}

impl Test {
    /// All bits of that argument.
    pub(super) fn is(argument: u8, value: u32) -> Self {
        Self::masked(argument, u32::MAX, value)
    }

    /// Some bits of that argument.
    pub(super) fn masked(argument: u8, mask: u32, value: u32) -> Self {
        Self { argument, mask, value }
    }

    fn holds(self, arguments: &[u64; 6]) -> bool {
        let low = arguments[usize::from(self.argument)] & u64::from(u32::MAX);
        low & u64::from(self.mask) == u64::from(self.value)
    }
}

/// If one test holds, or two, then this happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) when: Test,
    pub(super) and: Option<Test>,
    pub(super) then: Action,
}

impl Case {
    pub(super) fn new(when: Test, then: Action) -> Self {
        Self { when, and: None, then }
    }

    pub(super) fn both(when: Test, and: Test, then: Action) -> Self {
        Self { when, and: Some(and), then }
    }
}

/// The first case that holds decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) cases: Vec<Case>,
    pub(super) otherwise: Action,
}

impl Rule {
    /// What becomes of a call with these arguments.
    pub(super) fn decide(&self, arguments: &[u64; 6]) -> Action {
        let holds =
            |case: &&Case| case.when.holds(arguments) && case.and.is_none_or(|test| test.holds(arguments));
        self.cases.iter().find(holds).map_or(self.otherwise, |case| case.then)
    }

    /// No bit of `flags` in argument 0 (`clone`, `unshare`).
    pub(super) fn without_flags(flags: u32) -> Self {
        let none = Test::masked(0, flags, 0);
        Self { cases: vec![Case::new(none, Action::Allow)], otherwise: Action::Errno(EPERM) }
    }

    /// `ioctl` without the two that put words into a terminal's input as if somebody had typed
    /// them: a program left behind on a terminal that a shell of the host goes on using would
    /// give that shell commands (CVE-2016-10124, CVE-2017-5226; ioctl_tty(2), and for
    /// `TIOCLINUX` "paste selection" ioctl_console(2)). And without those that make subvolumes of
    /// btrfs, which every user may: a new one is in no limit of the jail's (btrfs-quota(5)).
    pub(super) fn ioctl() -> Self {
        const TIOCSTI: u32 = 0x5412;
        const TIOCLINUX: u32 = 0x541c;
        let refuse = |command| Case::new(Test::is(1, command), Action::Errno(EPERM));
        const SUBVOL_CREATE: u32 = 0x5000_940e;
        const SUBVOL_CREATE_V2: u32 = 0x5000_9418;
        const SNAP_CREATE: u32 = 0x5000_9401;
        const SNAP_CREATE_V2: u32 = 0x5000_9417;
        let refused = [TIOCSTI, TIOCLINUX, SUBVOL_CREATE, SUBVOL_CREATE_V2, SNAP_CREATE, SNAP_CREATE_V2];
        Self { cases: refused.map(refuse).to_vec(), otherwise: Action::Allow }
    }

    /// `personality` for the values that change no protection: the question what is set, the
    /// usual one, and for whole distributions 32-bit `uname` (setarch(8)). What is refused
    /// switches off address randomisation, or makes readable memory executable.
    pub(super) fn personality(values: &[u32]) -> Self {
        let cases = values.iter().map(|value| Case::new(Test::is(0, *value), Action::Allow)).collect();
        Self { cases, otherwise: Action::Errno(EPERM) }
    }

    /// When a tracer is not asked about a call that it looks at.
    pub(super) fn watch(name: &str) -> Option<Self> {
        const AT_EMPTY_PATH: u32 = 0x1000;
        const PROT_EXEC: u32 = 4;
        const MAP_ANONYMOUS: u32 = 0x20;
        let rule = |case, otherwise| Some(Self { cases: vec![case], otherwise });
        // With a descriptor instead of a path: fstat(3), which comes with nearly every open(2).
        let empty = |flags| Case::new(Test::masked(flags, AT_EMPTY_PATH, AT_EMPTY_PATH), Action::Allow);
        match name {
            "newfstatat" => rule(empty(3), Action::Notify),
            "statx" => rule(empty(2), Action::Notify),
            "sendto" => rule(Case::new(Test::is(4, 0), Action::Allow), Action::Notify),
            "mmap" => {
                let code = Test::masked(2, PROT_EXEC, PROT_EXEC);
                rule(Case::both(code, Test::masked(3, MAP_ANONYMOUS, 0), Action::Notify), Action::Allow)
            }
            _ => None,
        }
    }

    /// `setsockopt` without the tables of iptables, ip6tables, arptables and ebtables, which
    /// whoever is root in a network of its own may write (CVE-2021-22555, CVE-2016-3134). Each
    /// has two commands: replace the table, add to its counters.
    pub(super) fn setsockopt() -> Self {
        const SOL_IP: u32 = 0;
        const SOL_IPV6: u32 = 41;
        const IPT_BASE_CTL: u32 = 64;
        const ARPT_BASE_CTL: u32 = 96;
        const EBT_BASE_CTL: u32 = 128;
        let refuse =
            |level, base| Case::both(Test::masked(2, !1, base), Test::is(1, level), Action::Errno(EPERM));
        let cases = vec![
            refuse(SOL_IP, IPT_BASE_CTL),
            refuse(SOL_IPV6, IPT_BASE_CTL),
            refuse(SOL_IP, ARPT_BASE_CTL),
            refuse(SOL_IP, EBT_BASE_CTL),
        ];
        Self { cases, otherwise: Action::Allow }
    }
}
