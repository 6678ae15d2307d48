//! Linux capabilities: names, numbers and sets (capabilities(7)).

use std::fmt;

/// The names in the order of their numbers, as `linux/capability.h` has them, without `CAP_`.
const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// One capability that jaula knows by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capability(u8);

impl Capability {
    /// The capability of that name, with or without `cap_`, in either case.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let name = name.strip_prefix("cap_").unwrap_or(&name);
        let number = NAMES.iter().position(|n| *n == name)?;
        u8::try_from(number).ok().map(Self)
    }

    /// Every capability that jaula knows.
    pub fn all() -> impl Iterator<Item = Self> {
        (0u8..).take(NAMES.len()).map(Self)
    }

    /// Its number, as in `linux/capability.h`.
    pub fn number(self) -> u8 {
        self.0
    }

    /// Its name in lower case, without `cap_`.
    pub fn name(self) -> &'static str {
        NAMES[usize::from(self.0)]
    }
}

/// A set of capabilities, as the kernel's bit mask. Only known ones can be in it: a
/// capability of a newer kernel is never granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapSet(u64);

impl CapSet {
    /// The set with exactly these names; a test keeps the callers' lists free of misspellings.
    pub fn of(names: &[&str]) -> Self {
        names.iter().filter_map(|n| Capability::from_name(n)).collect()
    }

    /// The set with this bit mask; bits that no known capability has are dropped.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits & ((1 << NAMES.len()) - 1))
    }

    /// The kernel's bit mask.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Is it in the set?
    pub fn contains(self, cap: Capability) -> bool {
        self.0 & (1 << cap.0) != 0
    }

    /// With this one.
    pub fn with(self, cap: Capability) -> Self {
        Self(self.0 | 1 << cap.0)
    }

    /// Without this one.
    pub fn without(self, cap: Capability) -> Self {
        Self(self.0 & !(1 << cap.0))
    }

    /// Those in the set, by number.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::all().filter(move |c| self.contains(*c))
    }
}

impl FromIterator<Capability> for CapSet {
    fn from_iter<I: IntoIterator<Item = Capability>>(caps: I) -> Self {
        caps.into_iter().fold(Self::default(), Self::with)
    }
}

impl fmt::Display for CapSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("none");
        }
        for (i, cap) in self.iter().enumerate() {
            write!(f, "{}{}", if i > 0 { " " } else { "" }, cap.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_kernels() {
        for (name, number) in [("chown", 0), ("sys_admin", 21), ("mknod", 27), ("checkpoint_restore", 40)] {
            assert_eq!(Capability::from_name(name).unwrap().number(), number);
        }
        assert_eq!(Capability::from_name("CAP_NET_RAW").unwrap().name(), "net_raw");
        assert!(Capability::from_name("cap_everything").is_none());
    }
}
