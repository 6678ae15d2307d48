//! Services that are about hardware, the clock or another's network, switched off in the way of each
//! init.

use super::{Action, Fixer, Init, marked};

const HARDWARE: &str = "hardware is the host's";
const CLOCK: &str = "the clock is the host's";
const NETWORK: &str = "the network is the host's, who configures it";
const NO_LINK: &str = "it has no interface to wait for";

/// Units of systemd that are masked where they are.
const MASKED: &[(&str, &[&str])] = &[
    (
        CLOCK,
        &[
            "hwclock.service",
            "hwclock-save.service",
            "hwclock-stop.service",
            "fake-hwclock.service",
            "fake-hwclock-load.service",
            "fake-hwclock-save.service",
            "systemd-timesyncd.service",
            "chrony.service",
            "chronyd.service",
            "chrony-wait.service",
            "ntp.service",
            "ntpd.service",
            "ntpdate.service",
            "ntpsec.service",
            "openntpd.service",
        ],
    ),
    (
        HARDWARE,
        &[
            "systemd-udevd.service",
            "systemd-udevd-control.socket",
            "systemd-udevd-kernel.socket",
            "systemd-udevd-varlink.socket",
            "systemd-udev-trigger.service",
            "systemd-udev-settle.service",
            "systemd-udev-load-credentials.service",
            "systemd-hwdb-update.service",
            "systemd-modules-load.service",
            "kmod-static-nodes.service",
            "systemd-rfkill.service",
            "systemd-rfkill.socket",
            "systemd-pstore.service",
            "systemd-binfmt.service",
            "proc-sys-fs-binfmt_misc.automount",
            "proc-sys-fs-binfmt_misc.mount",
            "sys-kernel-config.mount",
            "sys-kernel-debug.mount",
            "sys-kernel-tracing.mount",
            "dev-hugepages.mount",
            "systemd-journald-audit.socket",
            "systemd-vconsole-setup.service",
            "keyboard-setup.service",
            "console-setup.service",
            "getty@.service",
            "serial-getty@.service",
            "getty-static.service",
            "fstrim.timer",
            "e2scrub_all.timer",
            "e2scrub_reap.service",
            "lvm2-monitor.service",
            "lvm2-lvmpolld.socket",
            "dm-event.socket",
            "blk-availability.service",
            "mdmonitor.service",
            "multipathd.service",
            "smartmontools.service",
            "smartd.service",
            "irqbalance.service",
            "thermald.service",
            "acpid.service",
            "acpid.socket",
            "auditd.service",
            "wpa_supplicant.service",
        ],
    ),
];

/// Those that are about the network; they come back when the guest has one of its own.
const OF_NETWORK: &[&str] = &[
    "networking.service",
    "systemd-networkd.service",
    "systemd-networkd.socket",
    "NetworkManager.service",
    "dhcpcd.service",
    "wicked.service",
    "wickedd.service",
    "nftables.service",
    "netfilter-persistent.service",
    "iptables.service",
    "firewalld.service",
    "ufw.service",
];

/// Those that wait until an interface has an address.
const WAITING: &[&str] = &[
    "systemd-networkd-wait-online.service",
    "NetworkManager-wait-online.service",
    "ifupdown-wait-online.service",
];

/// Scripts of System V's init, by their names in `/etc/init.d`.
const SCRIPTS: &[(&str, &[&str])] = &[
    (
        CLOCK,
        &[
            "hwclock.sh",
            "hwclockfirst.sh",
            "hwclock",
            "ntp",
            "ntpd",
            "ntpsec",
            "ntpdate",
            "chrony",
            "chronyd",
            "openntpd",
            "fake-hwclock",
        ],
    ),
    (
        HARDWARE,
        &[
            "udev",
            "eudev",
            "udev-mtab",
            "kmod",
            "module-init-tools",
            "keyboard-setup",
            "keyboard-setup.sh",
            "console-setup",
            "console-setup.sh",
            "console-screen.sh",
            "checkroot.sh",
            "checkfs.sh",
            "mount-configfs",
            "mountdevsubfs.sh",
            "brightness",
            "lvm2",
            "mdadm",
            "smartd",
            "smartmontools",
            "irqbalance",
            "acpid",
            "auditd",
            "microcode_ctl",
            "haldaemon",
        ],
    ),
];

/// Services of OpenRC.
const SERVICES: &[(&str, &[&str])] = &[
    (CLOCK, &["hwclock", "swclock", "osclock", "ntpd", "openntpd", "chronyd", "ntp-client", "sntp"]),
    (
        HARDWARE,
        &[
            "devfs",
            "dmesg",
            "mdev",
            "mdevd",
            "udev",
            "udev-trigger",
            "udev-settle",
            "udev-postmount",
            "hwdrivers",
            "modules",
            "modloop",
            "keymaps",
            "consolefont",
            "loadkmap",
            "termencoding",
            "swap",
            "fsck",
            "root",
            "binfmt",
            "kmod-static-nodes",
            "acpid",
            "numlock",
        ],
    ),
];

pub(super) fn fix(fixer: &mut Fixer<'_>) {
    match fixer.init {
        Init::Systemd => systemd(fixer),
        Init::OpenRc => openrc(fixer),
        Init::Other => {}
    }
    // Some systemd distributions still have scripts, whose links it reads.
    if fixer.init != Init::OpenRc {
        sysv(fixer);
    }
}

fn systemd(fixer: &mut Fixer<'_>) {
    let mut units = fixer.files.names("/usr/lib/systemd/system");
    units.extend(fixer.files.names("/lib/systemd/system"));
    units.sort();
    let has = |name: &str| units.binary_search_by(|unit| unit.as_str().cmp(name)).is_ok();
    for (why, names) in MASKED {
        for name in names.iter().filter(|name| has(name)) {
            fixer.link(&format!("/etc/systemd/system/{name}"), "/dev/null", why);
        }
    }
    let network = &fixer.guest.network;
    let (shared, waits) = (network.shared, !network.interfaces.is_empty());
    for (names, off, why) in [(OF_NETWORK, shared, NETWORK), (WAITING, !waits, NO_LINK)] {
        for name in names {
            let path = format!("/etc/systemd/system/{name}.d/jaula.conf");
            if off && has(name) {
                // Skipped rather than masked: what is masked stays so when the network is another.
                fixer.write(&path, marked("[Unit]\nConditionPathExists=!/\n"), why);
            } else if fixer.text(&path).is_some() {
                fixer.remove(&path, "the network is its own");
            }
        }
    }
}

/// A script that starts in a runlevel is renamed as Debian's update-rc.d and Red Hat's chkconfig do.
fn sysv(fixer: &mut Fixer<'_>) {
    for top in ["/etc", "/etc/rc.d"] {
        for level in ["S", "2", "3", "4", "5"] {
            let directory = format!("{top}/rc{level}.d");
            for link in fixer.files.names(&directory) {
                let Some(why) = started(&link, SCRIPTS) else { continue };
                let stopped = format!("K01{}", &link[3..]);
                fixer.push(&format!("{directory}/{link}"), Action::Rename(stopped), why);
            }
        }
        // Where /etc/rc0.d and the like are links into it, both are the same.
        if top == "/etc" && !fixer.files.names("/etc/rc2.d").is_empty() {
            return;
        }
    }
}

/// Why a link of a runlevel is not to start its script.
fn started(link: &str, scripts: &[(&'static str, &[&str])]) -> Option<&'static str> {
    let numbered = link.strip_prefix('S')?;
    let name = numbered.get(2..)?;
    let digits = numbered.get(..2)?.bytes().all(|b| b.is_ascii_digit());
    scripts.iter().find(|(_, names)| digits && names.contains(&name)).map(|(why, _)| *why)
}

fn openrc(fixer: &mut Fixer<'_>) {
    for level in ["sysinit", "boot", "default", "shutdown"] {
        let directory = format!("/etc/runlevels/{level}");
        for name in fixer.files.names(&directory) {
            let of = |(_, names): &&(&str, &[&str])| names.contains(&name.as_str());
            // Debian's OpenRC starts the scripts that it has for System V's init.
            if let Some((why, _)) = SERVICES.iter().chain(SCRIPTS).find(of) {
                fixer.remove(&format!("{directory}/{name}"), why);
            }
        }
    }
    fixer.edit("/etc/rc.conf", "OpenRC knows by it what a container has", |text| {
        use super::lines::{Place, block, own};
        let has = own(text).any(|line| line.trim_start().starts_with("rc_sys="));
        block(text, if has { "" } else { "rc_sys=\"lxc\"\nrc_controller_cgroups=\"NO\"\n" }, Place::Bottom)
    });
}
