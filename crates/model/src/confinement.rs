//! What a jail's processes may do: its profile, with the configuration's changes applied.

use crate::caps::{CapSet, Capability};
use crate::config::{CapabilityChange, Config, Profile};
use crate::limits;
use crate::seccomp::{Arch, Instruction};

/// All that holds a jail's processes in, beside its namespaces and mounts. The first process
/// and everything that `exec` brings in get exactly the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Confinement {
    /// The most that any process inside can have; root inside has all of it.
    pub capabilities: CapSet,
    /// Those that the configuration adds by name: a first process that is not root gets them.
    pub added: CapSet,
    /// Setuid programs and file capabilities gain nothing.
    pub no_new_privileges: bool,
    /// The system-call filter.
    pub filter: Vec<Instruction>,
    /// Does the filter ask a tracer about calls that it allows?
    pub watched: bool,
    /// No abstract unix socket beyond the jail (Landlock); for jails that share the host's network
    /// and with it its abstract sockets.
    pub scoped: bool,
    /// Limits of each process: the kernel's number, soft, hard; `None` is unlimited.
    pub limits: Vec<(u32, Option<u64>, Option<u64>)>,
}

/// What programs that do not administer a machine need: own their files, change user, take a
/// low port. `sys_chroot` is not among them, so that a second chroot is refused.
const APP: &[&str] =
    &["chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "net_bind_service"];

/// What a distribution's init needs inside its own user namespace. All of these act on the
/// jail's own namespaces only; what would reach the whole host (`sys_module`, `sys_rawio`,
/// `sys_time`, `sys_boot`'s kexec, `mac_*`, `syslog`, `wake_alarm`, `block_suspend`, `bpf`,
/// `perfmon`) is not among them, although the kernel would refuse it here as well.
const SERVER: &[&str] = &[
    "audit_write",
    "chown",
    "dac_override",
    "fowner",
    "fsetid",
    "ipc_lock",
    "ipc_owner",
    "kill",
    "lease",
    "linux_immutable",
    "mknod",
    "net_admin",
    "net_bind_service",
    "net_broadcast",
    "net_raw",
    "setfcap",
    "setgid",
    "setpcap",
    "setuid",
    "sys_admin",
    "sys_boot",
    "sys_chroot",
    "sys_nice",
    "sys_pacct",
    "sys_ptrace",
    "sys_resource",
    "sys_tty_config",
];

/// The capabilities of a profile.
pub fn capabilities(profile: Profile) -> CapSet {
    match profile {
        Profile::App => CapSet::of(APP),
        Profile::Strict => CapSet::default(),
        Profile::Server => CapSet::of(SERVER),
    }
}

impl crate::config::Security {
    /// Is there a `/sys`? Programs that look after no hardware miss nothing, and it tells much
    /// of the host's.
    pub fn sys(&self) -> bool {
        self.sys.unwrap_or(self.profile == Profile::Server)
    }

    /// What `/dev` holds beside terminals.
    pub fn devices(&self) -> Vec<&str> {
        match &self.devices {
            Some(names) => names.iter().map(String::as_str).collect(),
            None => DEVICES.to_vec(),
        }
    }
}

/// The devices of every jail, unless its configuration names others: none of them stores or
/// reaches anything.
pub const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom"];

impl Confinement {
    /// What a configuration comes to; what is wrong with its system calls is an error.
    pub fn of(config: &Config, arch: Arch) -> Result<Self, Vec<crate::seccomp::BadPolicy>> {
        let security = &config.security;
        let none = security.capabilities.contains(&CapabilityChange::RemoveAll);
        let mut set = if none { CapSet::default() } else { capabilities(security.profile) };
        let mut added = CapSet::default();
        for change in &security.capabilities {
            (set, added) = match change {
                CapabilityChange::RemoveAll => continue,
                CapabilityChange::Add(cap) => (set.with(*cap), added.with(*cap)),
                CapabilityChange::Remove(cap) => (set.without(*cap), added.without(*cap)),
            };
        }
        let policy = crate::seccomp::Policy::of(security)?;
        Ok(Self {
            capabilities: set,
            added,
            no_new_privileges: security.no_new_privileges.unwrap_or(security.profile != Profile::Server),
            filter: crate::seccomp::compile(&policy, arch),
            watched: false,
            scoped: config.network.mode.is_hosts(),
            limits: process_limits(config),
        })
    }
}

/// What root of a traced program has beyond profile `app`. Services that shut themselves in end where
/// they cannot; whatever else is refused is seen, and most do without.
const TRACED: &[&str] = &["setpcap", "sys_chroot"];

impl Confinement {
    /// What holds a program that is traced: profile `app`, with more capabilities, and a filter that
    /// asks the tracer.
    pub fn traced(config: &Config, arch: Arch) -> Result<Self, Vec<crate::seccomp::BadPolicy>> {
        let plain = Self::of(config, arch)?;
        let mut policy = crate::seccomp::Policy::of(&config.security)?;
        policy.watch();
        let more = CapSet::of(TRACED).bits();
        Ok(Self {
            capabilities: CapSet::from_bits(plain.capabilities.bits() | more),
            filter: crate::seccomp::compile(&policy, arch),
            watched: true,
            ..plain
        })
    }
}

/// May root inside mount? Then nothing that only a mount's flag holds is held: whoever owns a mount
/// namespace may remount what is in it.
pub fn may_mount(config: &Config, capabilities: CapSet) -> bool {
    let security = &config.security;
    let calls = security.mount.unwrap_or(security.profile == Profile::Server || security.nesting);
    calls && Capability::from_name("sys_admin").is_some_and(|cap| capabilities.contains(cap))
}

/// A core file would be written by the host's kernel to wherever the host's `core_pattern`
/// says: none, unless the configuration wants them.
fn process_limits(config: &Config) -> Vec<(u32, Option<u64>, Option<u64>)> {
    let core = (!config.limits.process.contains_key("core")).then(|| limits::number("core")).flatten();
    let own = config.limits.process.iter();
    core.map(|core| (core, Some(0), Some(0)))
        .into_iter()
        .chain(own.filter_map(|(name, (soft, hard))| Some((limits::number(name)?, *soft, *hard))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_name_only_what_exists() {
        assert_eq!(CapSet::of(APP).iter().count(), APP.len());
        assert_eq!(CapSet::of(SERVER).iter().count(), SERVER.len());
        assert_eq!(CapSet::of(TRACED).iter().count(), TRACED.len());
    }

    #[test]
    fn all_are_taken_away_before_some_are_added() {
        let changes = |words: &str| {
            let text = format!("root.from = \"host\"\n[security]\ncapabilities = [{words}]\n");
            let config = Config::parse(&text).unwrap();
            Confinement::of(&config, Arch::X86_64).unwrap().capabilities
        };
        assert_eq!(changes("'-all'"), CapSet::default());
        assert_eq!(changes("'+chown', '-all'"), CapSet::of(&["chown"]));
        assert_eq!(changes("'-chown'").iter().count(), APP.len() - 1);
    }
}
