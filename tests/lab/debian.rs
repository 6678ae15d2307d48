//! A Debian in a jail on a host whose systemd has all controllers on version 2.

use crate::boot::Server;
use jaula_tests::harness::{Jaula, Outcome, Template, Test, busybox_root, command};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;
use std::time::{Duration, Instant};

pub(super) fn trials() -> Vec<Trial> {
    trials!("lab": lab [a_debian_has_controllers, a_switch_of_the_host_is_named])
}

/// It is running without a failed unit, limits its services, and cannot loosen what the host has set. It comes again
/// after a reboot, and stops in an orderly way.
fn a_debian_has_controllers(t: &Test) -> Outcome {
    let server = Server::built(t, t.jaula(), Template::Debian13, "web", &[])?;
    server.start()?;
    server.nothing_failed()?;
    let has = server.shell("cat /sys/fs/cgroup/cgroup.controllers")?;
    assert!(
        ["cpu", "memory", "pids"].iter().all(|word| has.split_whitespace().any(|has| has == *word)),
        "{has}"
    );
    let limited = "systemd-run --wait --pipe -q -p MemoryMax=64M -p TasksMax=5 sh -c '\
                   cd /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup); cat memory.max pids.max; \
                   for n in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait' 2>&1 || true";
    let said = server.shell(limited)?;
    assert!(said.starts_with("67108864\n5\n") && said.contains("Cannot fork"), "{said}");
    // The limits of the jail itself are the host's.
    for file in ["memory.max", "pids.max", "cpu.max", "cgroup.freeze"] {
        let done = server.jaula().run(&[
            "exec",
            &server.name,
            "--",
            "sh",
            "-c",
            &format!("echo 1 >/sys/fs/cgroup/{file}"),
        ])?;
        assert!(!done.status.success(), "{file}: {done}");
    }
    // Host and jail are both without a profile: nothing of the host's AppArmor is in the way.
    let pid = server.status()?["pid"].as_u64().ok_or("no pid")?;
    assert_eq!(fs::read_to_string(format!("/proc/{pid}/attr/current"))?.trim(), "unconfined");
    server.shell("systemctl reboot")?;
    // As long as it may take to start; emulated, that is half a minute.
    let until = Instant::now() + Duration::from_secs(120);
    while server.status()?["pid"] == pid || server.status()?["state"] != "running" {
        assert!(Instant::now() < until, "it does not come again: {}", server.status()?);
        std::thread::sleep(Duration::from_millis(200));
    }
    server.nothing_failed()?;
    server.stop()?;
    assert_eq!(server.status()?["last"]["how"], "stopped");
    server.end()
}

/// Debian's kernels can refuse user namespaces to all but root: then jails without root are refused with the switch's
/// name, and root's run.
fn a_switch_of_the_host_is_named(t: &Test) -> Outcome {
    let switch = "kernel.unprivileged_userns_clone";
    let (user, at) = ("12345", t.root().join("user"));
    fs::create_dir(&at)?;
    fs::copy(Jaula::binary()?, at.join("jaula"))?;
    std::os::unix::fs::chown(&at, Some(12345), Some(12345))?;
    let (program, house) = (at.join("jaula"), format!("JAULA_ROOT={}/house", at.display()));
    let root = format!("dir:{}", busybox_root()?.display());
    let run = |words: &[&str]| {
        let before = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", "env", &house];
        command(&[&before[..], &[&program.to_string_lossy()], words].concat())
    };
    let jail = ["run", "--root", &root, "--", "echo", "works"];
    assert_eq!(run(&jail)?.ok()?, "works\n");
    command(&["sysctl", "-q", &format!("{switch}=0")])?.ok()?;
    let tried = (run(&jail), run(&["doctor"]), t.jaula().run(&jail));
    command(&["sysctl", "-q", &format!("{switch}=1")])?.ok()?;
    let (refused, doctor, by_root) = (tried.0?, tried.1?, tried.2?);
    crate::ground::one_clear_line(&refused, 125, &["clone3", "jaula doctor"])?;
    assert!(doctor.stdout.contains(switch), "{doctor}");
    assert_eq!(by_root.ok()?, "works\n");
    Ok(())
}
