//! systemd as the first process.

use super::Server;
use crate::ground::one_clear_line;
use jaula_tests::harness::{Outcome, Template, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::time::Instant;

pub(super) fn trials() -> Vec<Trial> {
    trials!("boot": privileged [
        debian_12_is_running,
        debian_13_is_running,
        a_start_waits_for_the_default_target,
        its_groups_are_its_own_and_no_others,
        a_stop_is_clean,
        reboot_and_poweroff_mean_the_jail,
        what_comes_in_is_whole,
        too_old_or_without_groups_is_one_line,
    ])
}

/// A unit that notes that it was stopped in an orderly way.
const NOTES: &str = "[Unit]\nAfter=multi-user.target\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'sleep 1; echo up >/var/up'\nExecStop=/bin/sh -c 'echo down >/var/down'\n[Install]\nWantedBy=graphical.target\n";

fn runs(t: &Test, template: Template) -> Outcome {
    let server = Server::built(t, t.jaula(), template, "web", &[])?;
    server.start()?;
    server.nothing_failed()?;
    // What a server consists of runs, in services with private mounts and users.
    let services =
        "systemctl is-active ssh nginx cron rsyslog dbus systemd-logind systemd-journald console-getty";
    assert_eq!(server.shell(services)?.matches("active\n").count(), 8);
    server.shell("systemd-run --wait -q -p PrivateTmp=yes -p ProtectSystem=strict -p PrivateDevices=yes -p ProtectHome=yes -p DynamicUser=yes true")?;
    server.shell("logger word-of-the-test; journalctl --sync; journalctl -q | grep word-of-the-test")?;
    crate::declared::until("the line in syslog", || {
        server.shell("grep -q word-of-the-test /var/log/syslog").ok()
    })?;
    let first = server.shell("ps -o pid=,comm= -p 1")?;
    assert_eq!(first.split_whitespace().collect::<Vec<_>>(), ["1", "systemd"]);
    // The kernel's log is the host's, and whoever asks for it is not kept busy.
    let spent =
        "sleep 1; for p in $(pidof rsyslogd systemd-journald); do cut -d' ' -f14-15 /proc/$p/stat; done";
    let ticks: u32 = server.shell(spent)?.split_whitespace().filter_map(|n| n.parse::<u32>().ok()).sum();
    assert!(ticks < 60, "logging took {ticks} ticks");
    let status = server.status()?;
    assert_eq!((&status["init"], &status["state"]), (&"systemd".into(), &"running".into()));
    server.end()
}

fn debian_12_is_running(t: &Test) -> Outcome {
    runs(t, Template::Debian12)
}

fn debian_13_is_running(t: &Test) -> Outcome {
    runs(t, Template::Debian13)
}

/// `graphical.target` is Debian's default: a service of it that takes a while is up when the start returns. Its stop
/// is run, too.
fn a_start_waits_for_the_default_target(t: &Test) -> Outcome {
    let server = Server::of(t, Template::Debian13, &["--set", "root.writes=kept"])?;
    server.start()?;
    server.shell(
        &"printf %s \"$0\" >/etc/systemd/system/notes.service; systemctl -q enable notes"
            .replace("$0", NOTES),
    )?;
    server.stop()?;
    let begun = Instant::now();
    server.start()?;
    assert!(begun.elapsed().as_millis() > 1000, "it returned before the service was up");
    assert_eq!(server.shell("cat /var/up; cat /var/down 2>&1 || true")?.lines().next(), Some("up"));
    server.stop()?;
    server.start()?;
    assert_eq!(server.shell("cat /var/down")?, "down\n");
    server.end()
}

fn its_groups_are_its_own_and_no_others(t: &Test) -> Outcome {
    let server = Server::built(t, t.jaula(), Template::Debian13, "web", &[])?;
    server.start()?;
    // Its root may make groups and move its processes among them, and cannot change what the host has set.
    server.shell("mkdir /sys/fs/cgroup/mine; sleep 100 & echo $! >/sys/fs/cgroup/mine/cgroup.procs && kill $!; wait; rmdir /sys/fs/cgroup/mine")?;
    for refused in [
        "echo 1 >/sys/fs/cgroup/cgroup.kill",
        "echo 1 >/sys/fs/cgroup/cgroup.freeze",
        "echo max >/sys/fs/cgroup/cgroup.max.descendants",
        "mkdir /sys/fs/cgroup/../escaped",
        "mkdir /tmp/v1 && mount -t cgroup -o none,name=systemd x /tmp/v1 && mkdir /tmp/v1/escaped",
        "echo /x >/tmp/v1/release_agent",
        "echo $$ >/tmp/v1/cgroup.procs",
        "mount -t cgroup2 x /mnt && ls /mnt | grep jaula",
    ] {
        let done = server.jaula().run(&["exec", &server.name, "--", "sh", "-c", refused])?;
        assert!(!done.status.success(), "{done}");
    }
    assert_eq!(server.shell("cat /sys/fs/cgroup/cgroup.max.descendants")?, "4096\n");
    // What comes in by exec is no member of a group that has groups below it, and is still the jail's.
    assert_eq!(server.shell("tail -n 1 /proc/self/cgroup")?, "0::/init.scope\n");
    server.nothing_failed()?;
    server.end()
}

/// Its own services are told, and nobody is killed.
fn a_stop_is_clean(t: &Test) -> Outcome {
    let server = Server::of(t, Template::Debian12, &[])?;
    server.start()?;
    let begun = Instant::now();
    server.stop()?;
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    assert!(server.log().contains("System Halt") || server.log().contains("Halting"), "{}", server.log());
    assert_eq!(server.status()?["last"]["how"], "stopped");
    server.end()
}

fn reboot_and_poweroff_mean_the_jail(t: &Test) -> Outcome {
    let server = Server::of(t, Template::Debian13, &[])?;
    server.start()?;
    let first = server.status()?["pid"].clone();
    server.shell("systemctl reboot")?;
    crate::declared::until("another first process", || {
        let status = server.status().ok()?;
        (status["state"] == "running" && status["pid"] != first && !status["pid"].is_null()).then_some(())
    })?;
    assert_eq!(server.status()?["restarts"], 1);
    server.shell("poweroff")?;
    server.becomes("stopped")?;
    assert_eq!(server.status()?["last"]["how"], "halted from inside");
    server.start()?;
    server.shell("halt")?;
    server.becomes("stopped")?;
    server.end()
}

/// Ten megabytes in and out, the end of input, a status, a user, a directory, a variable.
fn what_comes_in_is_whole(t: &Test) -> Outcome {
    let server = Server::of(t, Template::Debian13, &[])?;
    server.start()?;
    let ten = vec![b'x'; 10 << 20];
    let done = server.jaula().feed(&["exec", &server.name, "--", "cat"], &ten)?;
    assert_eq!((done.stdout.len(), done.status.code()), (ten.len(), Some(0)));
    let done = server.jaula().run(&["exec", &server.name, "--", "sh", "-c", "kill -TERM $$"])?;
    assert_eq!(done.status.code(), Some(143), "{done}");
    let words = ["exec", "--user", "www-data", "--cwd", "/var/www", "--env", "WORD=said", &server.name];
    let command = ["--", "sh", "-c", "id -un; pwd; echo $WORD; exit 7"];
    let done = server.jaula().run(&[&words[..], &command].concat())?;
    assert_eq!((done.stdout.as_str(), done.status.code()), ("www-data\n/var/www\nsaid\n", Some(7)));
    server.end()
}

fn too_old_or_without_groups_is_one_line(t: &Test) -> Outcome {
    let tree = t.root().join("old");
    std::fs::create_dir_all(tree.join("usr/lib/systemd"))?;
    std::fs::create_dir_all(tree.join("sbin"))?;
    std::fs::write(tree.join("usr/lib/systemd/systemd"), "")?;
    std::fs::write(tree.join("usr/lib/systemd/libsystemd-shared-219.so"), "")?;
    std::os::unix::fs::symlink("../usr/lib/systemd/systemd", tree.join("sbin/init"))?;
    let root = format!("dir:{}", tree.display());
    let done = t.jaula().run(&["create", &t.name("old"), "--profile", "server", "--root", &root])?;
    one_clear_line(&done, 1, &["systemd 219", "version 1 of control groups", "231"])
}
