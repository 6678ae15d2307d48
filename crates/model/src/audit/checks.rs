//! The table of checks.

use super::{Jail, calls, files, keys};

/// One check.
#[derive(Debug)]
pub struct Check {
    /// What it is called, for programs.
    pub name: &'static str,
    /// The check of `systemd-analyze security` that is about the same, by its `json_field`; its weight
    /// and range are this one's.
    pub systemd: Option<&'static str>,
    /// How much it counts.
    pub weight: u32,
    /// The worst badness.
    pub range: u32,
    /// What it is about, in a line.
    pub doc: &'static str,
    /// How it is decided.
    pub(super) how: How,
}

/// How a check is decided.
#[derive(Debug)]
pub(super) enum How {
    /// Every jail has it, for this reason.
    Always(&'static str),
    /// No process can come to hold one of these capabilities.
    Capabilities(&'static [&'static str]),
    /// None of these system calls is carried out.
    Calls(&'static [&'static str]),
    /// No namespace of this kind (`CLONE_NEW…`) can be made or joined.
    Namespace(u64),
    /// No socket of these families can be made; of all but the known ones if empty.
    Families(&'static [u64]),
    /// By a function.
    Ask(fn(&Jail<'_>) -> Finding),
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// From 0, where it holds, to the check's range.
    pub badness: u32,
    /// What was found, in words; names of files in it are the jail's.
    pub found: String,
    /// What lowers it.
    pub fix: Fix,
}

/// What lowers a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fix {
    /// Nothing that jaula has, or nothing is left to lower.
    None,
    /// Settings, as `jaula set` takes them.
    Set {
        /// `KEY=VALUE`, `KEY+=VALUE`.
        settings: Vec<String>,
        /// What must be true of the program for it.
        when: &'static str,
    },
    /// Something else, in words.
    Do(String),
}

impl Finding {
    /// It holds.
    pub(super) fn holds(found: impl Into<String>) -> Self {
        Self { badness: 0, found: found.into(), fix: Fix::None }
    }

    /// It does not.
    pub(super) fn open(badness: u32, found: impl Into<String>, fix: Fix) -> Self {
        Self { badness, found: found.into(), fix }
    }
}

impl Fix {
    /// One setting.
    pub(super) fn set(setting: impl Into<String>, when: &'static str) -> Self {
        Self::Set { settings: vec![setting.into()], when }
    }
}

impl Check {
    pub(super) fn find(&self, jail: &Jail<'_>) -> Finding {
        match &self.how {
            How::Always(why) => Finding::holds(*why),
            How::Capabilities(names) => keys::capabilities(jail, names),
            How::Calls(names) => calls::find(jail, names),
            How::Namespace(flag) => keys::namespace(jail, *flag),
            How::Families(families) => keys::families(jail, families),
            How::Ask(ask) => ask(jail),
        }
    }
}

/// All checks, in the order of the table.
pub fn all() -> impl Iterator<Item = &'static Check> {
    SYSTEMD.iter().chain(OWN)
}

/// A check of systemd's with its weight.
const fn same(
    name: &'static str,
    systemd: &'static str,
    weight: u32,
    range: u32,
    doc: &'static str,
    how: How,
) -> Check {
    Check { name, systemd: Some(systemd), weight, range, doc, how }
}

/// A check of jaula's own, from 0 to 10.
const fn own(name: &'static str, weight: u32, doc: &'static str, ask: fn(&Jail<'_>) -> Finding) -> Check {
    Check { name, systemd: None, weight, range: 10, doc, how: How::Ask(ask) }
}

use How::{Always, Ask, Calls, Capabilities, Families, Namespace};

/// The checks that systemd has for services, with its weights.
#[rustfmt::skip]
static SYSTEMD: &[Check] = &[
    same("user", "UserOrDynamicUser", 2000, 10, "Is the first process root inside?", Ask(keys::user)),
    same("private-users", "PrivateUsers", 1000, 1, "Are its users its own?", Always("a user namespace: root inside is nobody outside")),
    same("private-network", "PrivateNetwork", 2500, 1, "Has it a network of its own?", Ask(keys::network)),
    same("ip-addresses", "IPAddressDeny", 1000, 10, "Can it reach other machines?", Ask(keys::addresses)),
    same("private-mounts", "PrivateMounts", 1000, 1, "Are its mounts its own?", Always("a mount namespace")),
    same("private-tmp", "PrivateTmp", 1000, 1, "Is /tmp its own?", Always("memory of its own")),
    same("private-devices", "PrivateDevices", 1000, 1, "Is /dev its own?", Always("a /dev of its own")),
    same("devices", "DeviceAllow", 1000, 10, "Does /dev hold more than null, zero, full and random?", Ask(keys::devices)),
    same("root", "RootDirectoryOrRootImage", 200, 1, "Is its root another than the host's?", Ask(keys::root)),
    same("root-writes", "ProtectSystem", 1000, 10, "Can it write to its root?", Ask(keys::writes)),
    same("home", "ProtectHome", 1000, 10, "Does it see the host's home directories?", Ask(keys::home)),
    same("control-groups", "ProtectControlGroups", 1000, 1, "Can it change control groups?", Always("none can be written to")),
    same("kernel-modules", "ProtectKernelModules", 1000, 1, "Can it load kernel modules?", Always("the kernel asks for root of the host")),
    same("kernel-tunables", "ProtectKernelTunables", 1000, 1, "Can it change the kernel's settings?", Always("/proc/sys is read-only, or its own")),
    same("kernel-log", "ProtectKernelLogs", 1000, 1, "Can it read the kernel's log?", Always("/dev/kmsg and syslog(2) are not there")),
    same("clock", "ProtectClock", 1000, 1, "Can it set the clock?", Always("the kernel asks for root of the host")),
    same("hostname", "ProtectHostname", 50, 1, "Can it change the host's name?", Always("its name is its own")),
    same("keyring", "KeyringMode", 1000, 1, "Does it share the kernel's keyrings?", Always("a session keyring of its own")),
    same("ipc", "RemoveIPC", 100, 1, "Does it leave IPC objects behind?", Always("an IPC namespace")),
    same("delegate", "Delegate", 100, 1, "Does it make control groups of its own?", Always("none")),
    same("notify", "NotifyAccess", 1000, 1, "Who may say that it is ready?", Always("only its own keeper listens")),
    same("realtime", "RestrictRealtime", 500, 1, "Can it take processors for itself?", Always("the kernel asks for root of the host")),
    same("new-setuid", "RestrictSUIDSGID", 1000, 1, "Can it make setuid programs that count?", Ask(keys::new_setuid)),
    same("no-new-privileges", "NoNewPrivileges", 1000, 1, "Do setuid programs gain nothing?", Ask(keys::no_new_privileges)),
    same("ambient", "AmbientCapabilities", 500, 1, "Does a user that is not root begin with capabilities?", Ask(keys::ambient)),
    same("umask", "UMask", 100, 10, "Can others read the files that it makes?", Ask(keys::umask)),
    same("proc", "ProtectProc", 1000, 3, "Does /proc show processes that are not its own?", Always("its own processes only")),
    same("proc-subset", "ProcSubset", 10, 1, "Does /proc show more than processes?", Ask(keys::proc_subset)),
    same("personality", "LockPersonality", 100, 1, "Can it change its personality(2)?", Ask(keys::personality)),
    same("write-execute", "MemoryDenyWriteExecute", 100, 1, "Can memory be written to and executed?", Ask(keys::write_execute)),
    same("architectures", "SystemCallArchitectures", 1000, 10, "Are calls of another architecture refused?", Ask(keys::architectures)),
    same("cap-sys-admin", "CapabilityBoundingSet_CAP_SYS_ADMIN", 1500, 1, "Administration: mounts, namespaces.", Capabilities(&["sys_admin"])),
    same("cap-setuid", "CapabilityBoundingSet_CAP_SET_UID_GID_PCAP", 1500, 1, "Becoming other users.", Capabilities(&["setuid", "setgid", "setpcap"])),
    same("cap-sys-ptrace", "CapabilityBoundingSet_CAP_SYS_PTRACE", 1500, 1, "Tracing others' processes.", Capabilities(&["sys_ptrace"])),
    same("cap-sys-time", "CapabilityBoundingSet_CAP_SYS_TIME", 1000, 1, "Setting the clock.", Capabilities(&["sys_time"])),
    same("cap-net-admin", "CapabilityBoundingSet_CAP_NET_ADMIN", 1000, 1, "Configuring networks.", Capabilities(&["net_admin"])),
    same("cap-sys-rawio", "CapabilityBoundingSet_CAP_SYS_RAWIO", 1000, 1, "Raw input and output.", Capabilities(&["sys_rawio"])),
    same("cap-sys-module", "CapabilityBoundingSet_CAP_SYS_MODULE", 1000, 1, "Kernel modules.", Capabilities(&["sys_module"])),
    same("cap-chown", "CapabilityBoundingSet_CAP_CHOWN_FSETID_SETFCAP", 1000, 1, "Giving files away.", Capabilities(&["chown", "fsetid", "setfcap"])),
    same("cap-dac", "CapabilityBoundingSet_CAP_DAC_FOWNER_IPC_OWNER", 1000, 1, "Passing over permissions of files.", Capabilities(&["dac_override", "dac_read_search", "fowner", "ipc_owner"])),
    same("cap-audit", "CapabilityBoundingSet_CAP_AUDIT", 500, 1, "The audit system.", Capabilities(&["audit_control", "audit_read", "audit_write"])),
    same("cap-syslog", "CapabilityBoundingSet_CAP_SYSLOG", 500, 1, "The kernel's log.", Capabilities(&["syslog"])),
    same("cap-sys-nice", "CapabilityBoundingSet_CAP_SYS_NICE_RESOURCE", 500, 1, "Priorities and limits.", Capabilities(&["sys_nice", "sys_resource"])),
    same("cap-mknod", "CapabilityBoundingSet_CAP_MKNOD", 500, 1, "Device nodes.", Capabilities(&["mknod"])),
    same("cap-kill", "CapabilityBoundingSet_CAP_KILL", 500, 1, "Signals to others' processes.", Capabilities(&["kill"])),
    same("cap-net", "CapabilityBoundingSet_CAP_NET_BIND_SERVICE_BROADCAST_RAW)", 500, 1, "Low ports, broadcast, raw sockets.", Capabilities(&["net_bind_service", "net_broadcast", "net_raw"])),
    same("cap-sys-boot", "CapabilityBoundingSet_CAP_SYS_BOOT", 100, 1, "Rebooting.", Capabilities(&["sys_boot"])),
    same("cap-mac", "CapabilityBoundingSet_CAP_MAC", 100, 1, "Mandatory access control.", Capabilities(&["mac_admin", "mac_override"])),
    same("cap-linux-immutable", "CapabilityBoundingSet_CAP_LINUX_IMMUTABLE", 75, 1, "Immutable files.", Capabilities(&["linux_immutable"])),
    same("cap-ipc-lock", "CapabilityBoundingSet_CAP_IPC_LOCK", 50, 1, "Locking memory.", Capabilities(&["ipc_lock"])),
    same("cap-sys-chroot", "CapabilityBoundingSet_CAP_SYS_CHROOT", 50, 1, "chroot(2).", Capabilities(&["sys_chroot"])),
    same("cap-block-suspend", "CapabilityBoundingSet_CAP_BLOCK_SUSPEND", 25, 1, "Keeping the machine awake.", Capabilities(&["block_suspend"])),
    same("cap-wake-alarm", "CapabilityBoundingSet_CAP_WAKE_ALARM", 25, 1, "Waking the machine.", Capabilities(&["wake_alarm"])),
    same("cap-lease", "CapabilityBoundingSet_CAP_LEASE", 25, 1, "Leases on files.", Capabilities(&["lease"])),
    same("cap-tty-config", "CapabilityBoundingSet_CAP_SYS_TTY_CONFIG", 25, 1, "Hanging up terminals.", Capabilities(&["sys_tty_config"])),
    same("cap-pacct", "CapabilityBoundingSet_CAP_SYS_PACCT", 25, 1, "Process accounting.", Capabilities(&["sys_pacct"])),
    same("cap-bpf", "CapabilityBoundingSet_CAP_BPF", 25, 1, "BPF programs.", Capabilities(&["bpf"])),
    same("namespaces-user", "RestrictNamespaces_user", 1500, 1, "New user namespaces.", Namespace(0x1000_0000)),
    same("namespaces-mnt", "RestrictNamespaces_mnt", 500, 1, "New mount namespaces.", Namespace(0x2_0000)),
    same("namespaces-ipc", "RestrictNamespaces_ipc", 500, 1, "New IPC namespaces.", Namespace(0x0800_0000)),
    same("namespaces-pid", "RestrictNamespaces_pid", 500, 1, "New process namespaces.", Namespace(0x2000_0000)),
    same("namespaces-cgroup", "RestrictNamespaces_cgroup", 500, 1, "New cgroup namespaces.", Namespace(0x0200_0000)),
    same("namespaces-net", "RestrictNamespaces_net", 500, 1, "New network namespaces.", Namespace(0x4000_0000)),
    same("namespaces-uts", "RestrictNamespaces_uts", 100, 1, "New host name namespaces.", Namespace(0x0400_0000)),
    same("sockets-inet", "RestrictAddressFamilies_AF_INET_INET6", 1500, 1, "Sockets of the internet.", Families(&[2, 10])),
    same("sockets-packet", "RestrictAddressFamilies_AF_PACKET", 1000, 1, "Packet sockets.", Families(&[17])),
    same("sockets-netlink", "RestrictAddressFamilies_AF_NETLINK", 200, 1, "Sockets to the kernel.", Families(&[16])),
    same("sockets-unix", "RestrictAddressFamilies_AF_UNIX", 25, 1, "Local sockets.", Families(&[1])),
    same("sockets-other", "RestrictAddressFamilies_OTHER", 1250, 1, "Sockets of other families.", Families(&[])),
    same("calls-clock", "SystemCallFilter_clock", 1000, 10, "@clock: setting the clock.", Calls(calls::CLOCK)),
    same("calls-debug", "SystemCallFilter_debug", 1000, 10, "@debug: tracing.", Calls(calls::DEBUG)),
    same("calls-module", "SystemCallFilter_module", 1000, 10, "@module: kernel modules.", Calls(calls::MODULE)),
    same("calls-mount", "SystemCallFilter_mount", 1000, 10, "@mount: mounts, chroot.", Calls(calls::MOUNT)),
    same("calls-raw-io", "SystemCallFilter_raw_io", 1000, 10, "@raw-io: I/O ports.", Calls(calls::RAW_IO)),
    same("calls-reboot", "SystemCallFilter_reboot", 1000, 10, "@reboot: rebooting, kexec.", Calls(calls::REBOOT)),
    same("calls-swap", "SystemCallFilter_swap", 1000, 10, "@swap: swap.", Calls(calls::SWAP)),
    same("calls-privileged", "SystemCallFilter_privileged", 700, 10, "@privileged: what takes capabilities.", Calls(calls::PRIVILEGED)),
    same("calls-resources", "SystemCallFilter_resources", 700, 10, "@resources: priorities, limits, memory nodes.", Calls(calls::RESOURCES)),
    same("calls-cpu-emulation", "SystemCallFilter_cpu_emulation", 250, 10, "@cpu-emulation: old processors.", Calls(calls::CPU_EMULATION)),
    same("calls-obsolete", "SystemCallFilter_obsolete", 250, 10, "@obsolete: what nobody should call.", Calls(calls::OBSOLETE)),
];

/// The checks that take a jail's own root, or keys that services have not.
#[rustfmt::skip]
static OWN: &[Check] = &[
    own("calls-dangerous", 1000, "Calls that were part of many escapes: io_uring, bpf, userfaultfd, keyrings.", calls::dangerous),
    Check { range: 100, ..own("calls-count", 500, "How many system calls are left?", calls::counted) },
    own("listen", 1000, "Which ports can it listen on?", keys::listen),
    own("limits", 500, "Can it use up the host's processes and memory?", keys::limits),
    own("host-writable", 1500, "What of the host can it write to?", files::host_writable),
    own("host-sockets", 1500, "Which of the host's sockets can it speak to?", files::host_sockets),
    own("secrets", 1500, "Which private keys and password files can it read?", files::secrets),
    own("setuid", 1000, "Which setuid programs count?", files::setuid),
    own("file-capabilities", 500, "Which programs with file capabilities count?", files::capable),
    own("device-nodes", 1000, "Which device nodes can it open?", files::devices),
    own("writable-programs", 1500, "Which programs and libraries can it change?", files::writable_programs),
    own("writable-files", 250, "Which files of its root can it change?", files::writable),
    own("world-writable", 250, "Where can everybody write and remove?", files::world_writable),
    own("programs", 1000, "How many programs are there?", files::programs),
    own("shells", 500, "Is there a shell?", files::shells),
    own("interpreters", 500, "Is there an interpreter?", files::interpreters),
    own("compilers", 500, "Is there a compiler?", files::compilers),
    own("package-managers", 200, "Is there a package manager?", files::package_managers),
    own("network-tools", 200, "Are there tools that fetch or listen?", files::network_tools),
];
