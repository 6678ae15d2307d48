//! Every probe of `tests/probe` in a server that has booted: as what comes in by `exec`, as a service of its
//! systemd with all that a service may have, and as a user.

use crate::boot::Server;
use crate::escapes::faults;
use crate::ground::Outside;
use jaula_tests::harness::{Outcome, Template, Test, probe};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;

pub(super) fn trials() -> Vec<Trial> {
    trials!("servers": privileged [
        no_probe_gets_out_of_systemd,
        no_probe_gets_out_of_system_v,
        what_would_change_the_kernel_is_refused,
    ])
}

/// Puts the probe into a server that runs.
fn put(server: &Server<'_>) -> Outcome {
    let words = ["exec", &server.name, "--", "sh", "-c", "cat >/usr/bin/probe && chmod 755 /usr/bin/probe"];
    server.jaula().feed(&words, &fs::read(probe()?)?)?.ok().map(drop)
}

fn tried(t: &Test, template: Template, network: &str, ways: &[&[&str]]) -> Outcome {
    let outside = Outside::put(t)?;
    let server = Server::built(t, t.jaula(), template, "web", &["--network", network])?;
    server.start()?;
    put(&server)?;
    let told = outside.options();
    let mut wrong = Vec::new();
    for way in ways {
        let mut words = vec!["exec", server.name.as_str(), "--"];
        words.extend(*way);
        words.extend(["/usr/bin/probe", "all"]);
        words.extend(told.iter().map(String::as_str));
        let done = server.jaula().run(&words)?;
        let found = faults("server", network, &done.stdout).map_err(|_| done.to_string())?;
        wrong.extend(found.iter().map(|fault| format!("{way:?}: {fault}")));
    }
    server.stop()?;
    outside.still_lives()?;
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

fn no_probe_gets_out_of_systemd(t: &Test) -> Outcome {
    let all = "CapabilityBoundingSet=~";
    let ways: [&[&str]; 3] = [
        &[],
        &["systemd-run", "--quiet", "--wait", "--pipe", "-p", all, "-p", "Delegate=yes"],
        &["setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups"],
    ];
    tried(t, Template::Debian13, "none", &ways)
}

fn no_probe_gets_out_of_system_v(t: &Test) -> Outcome {
    tried(t, Template::Debian13Sysv, "none", &[&[]])
}

/// What a root of a machine would write to. The host's own values are compared.
fn what_would_change_the_kernel_is_refused(t: &Test) -> Outcome {
    let values = [
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/modprobe",
        "/proc/sys/kernel/sysrq",
        "/proc/sys/kernel/hotplug",
        "/proc/sys/kernel/panic",
        "/proc/sys/kernel/printk",
        "/proc/sys/vm/swappiness",
        "/proc/sys/vm/drop_caches",
        "/proc/sys/fs/binfmt_misc/register",
        "/sys/kernel/uevent_helper",
        "/sys/kernel/mm/transparent_hugepage/enabled",
        "/proc/sysrq-trigger",
        "/proc/sys/kernel/random/boot_id",
        "/proc/sys/kernel/hostname",
    ];
    let read = || values.map(|path| fs::read_to_string(path).unwrap_or_default());
    let before = read();
    let server = Server::built(t, t.jaula(), Template::Debian13, "web", &["--network", "none"])?;
    server.start()?;
    // Twice: as jaula has mounted these, and as its root mounts them anew.
    let fresh = "mkdir -p /tmp/p /tmp/s && mount -t proc proc /tmp/p && { mount -t sysfs sys /tmp/s 2>/dev/null || :; }";
    server.shell(fresh)?;
    for path in values {
        for top in ["", "/tmp/p", "/tmp/s"] {
            let at = match top {
                "/tmp/p" => path.replace("/proc/", "/tmp/p/"),
                "/tmp/s" => path.replace("/sys/", "/tmp/s/"),
                _ => path.to_owned(),
            };
            // Its own name is its own.
            let value = if path.ends_with("hostname") { "changed" } else { "1" };
            server.shell(&format!("echo {value} >{at} 2>/dev/null || :"))?;
        }
    }
    assert_eq!(read(), before, "the host's kernel was changed");
    // Devices: none can be made, none of the host's is there, none is opened by another name.
    for script in [
        "mknod /root/disk b 8 0",
        "mknod /root/mem c 1 1",
        "mount -t devtmpfs dev /mnt && ls /mnt | grep -E '^(sd|vd|nvme|mem|kmsg)'",
        "ls /dev | grep -E '^(sd|vd|nvme|loop|dm-|mem|port|kmsg$|kvm|fuse)'",
        "dmesg",
        "losetup -f /usr/bin/env",
        "swapon /swap",
        "modprobe dummy && lsmod",
        "hwclock -w --noadjfile --utc",
        "date -s 2001-01-01 && test $(date +%Y) = 2001",
        "ls /sys/fs/cgroup/../cgroup/cgroup.kill /sys/fs/cgroup/release_agent",
        "mount -t cgroup -o memory m /mnt && mkdir /mnt/out",
        "mount -t debugfs d /mnt",
        "mount -t tracefs d /mnt",
        "mount -t bpf b /mnt && ls /sys/fs/bpf/*",
    ] {
        let done = server.jaula().run(&["exec", &server.name, "--", "sh", "-c", script])?;
        assert!(!done.status.success(), "{script}: {done}");
    }
    server.nothing_failed()?;
    server.end()
}
