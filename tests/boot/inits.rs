//! Inits that are not systemd, and roots without one.

use super::Server;
use crate::declared::until;
use crate::ground::{one_clear_line, tree};
use jaula_tests::harness::{Outcome, Template, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;
use std::os::unix::fs::PermissionsExt;

pub(super) fn trials() -> Vec<Trial> {
    trials!("boot": privileged [
        system_v_boots_and_halts,
        system_v_reboots,
        scripts_without_an_init_are_run,
        a_root_without_anything_is_one_line,
        a_profile_that_is_too_narrow_is_one_line,
        a_jail_is_repaired,
    ])
}

fn system_v_boots_and_halts(t: &Test) -> Outcome {
    let server = Server::built(t, t.jaula(), Template::Debian13Sysv, "web", &[])?;
    server.start()?;
    // As the document shows it: the first process is `init` with its runlevel.
    let list = server.shell("ps ax")?;
    let first: Vec<&str> = list.lines().nth(1).unwrap_or_default().split_whitespace().collect();
    assert_eq!((first[0], &first[4..]), ("1", &["init", "[2]"][..]), "{list}");
    // The start has waited for the scripts of the runlevel.
    for service in ["nginx: master", "sshd", "rsyslogd", "cron"] {
        assert!(list.contains(service), "no {service}:\n{list}");
    }
    server.shell("logger word-of-the-test; sleep 0.2; grep -q word-of-the-test /var/log/syslog")?;
    server.stop()?;
    assert!(server.log().contains("Stopping enhanced syslogd"), "{}", server.log());
    assert_eq!(server.status()?["last"]["how"], "stopped");
    server.end()
}

fn system_v_reboots(t: &Test) -> Outcome {
    let server = Server::of(t, Template::Debian13Sysv, &[])?;
    server.start()?;
    server.shell("reboot")?;
    until("the second time", || (server.status().ok()?["restarts"] == 1).then_some(()))?;
    server.becomes("running")?;
    server.shell("poweroff")?;
    server.becomes("stopped")?;
    server.end()
}

/// A root of busybox with scripts of System V.
fn scripted(t: &Test) -> Outcome<String> {
    let tree = tree(t)?;
    // busybox can be an init.
    _ = fs::remove_file(tree.join("bin/init"));
    for (path, script) in [
        ("etc/rcS.d/S01first", "echo first $1 $RUNLEVEL"),
        (
            "etc/rc3.d/S10second",
            "echo second $1 $RUNLEVEL; sleep 0.5; (sleep 1000 & echo $! >/tmp/daemon); : >/tmp/up",
        ),
        ("etc/rc3.d/K10other", "echo never"),
        ("etc/rc0.d/K01last", "echo last $1 $RUNLEVEL"),
        ("etc/rc6.d/K01again", "echo again $1 $RUNLEVEL"),
    ] {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::write(&path, format!("#!/bin/sh\n{script}\n"))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(tree.to_string_lossy().into_owned())
}

fn scripts_without_an_init_are_run(t: &Test) -> Outcome {
    let server = Server::over(t, &scripted(t)?, &["--set", "boot.runlevel=3"])?;
    server.start()?;
    server.shell("test -e /tmp/up")?;
    let list = server.shell("ps ax -o pid,args | head -2; cat /proc/1/cmdline")?;
    assert!(list.contains("init [3]"), "{list}");
    assert_eq!(server.status()?["init"], "emulated");
    // Nothing is left of whoever ended, and the daemon that lost its parent is the first process's.
    let daemon = server.shell("sleep 0.1; (true &); sleep 0.1; grep -l '^State:.*Z' /proc/[0-9]*/status | wc -l; grep PPid /proc/$(cat /tmp/daemon)/status")?;
    assert_eq!(daemon.split_whitespace().collect::<Vec<_>>(), ["0", "PPid:", "1"]);
    server.shell("kill -TERM 1")?;
    until("the second time", || (server.status().ok()?["restarts"] == 1).then_some(()))?;
    server.becomes("running")?;
    server.stop()?;
    let log = server.log();
    // A getty may have written its prompt before.
    let words =
        |line: &'static str| log.match_indices(line).map(move |(at, _)| (at, line)).collect::<Vec<_>>();
    let lines = ["first start 3", "second start 3", "again stop 6", "last stop 0", "never"];
    let mut said: Vec<(usize, &str)> = lines.into_iter().flat_map(words).collect();
    said.sort_unstable();
    let said: Vec<&str> = said.into_iter().map(|(_, line)| line).collect();
    let once = ["first start 3", "second start 3"];
    assert_eq!(said, [&once[..], &["again stop 6"], &once, &["last stop 0"]].concat(), "{log}");
    assert_eq!(server.status()?["last"]["how"], "stopped");
    server.end()
}

fn a_root_without_anything_is_one_line(t: &Test) -> Outcome {
    let tree = t.root().join("empty");
    fs::create_dir(&tree)?;
    let root = format!("dir:{}", tree.display());
    let name = t.name("empty");
    let done = t.jaula().run(&["create", &name, "--profile", "server", "--root", &root])?;
    one_clear_line(&done, 1, &["a command is missing"])?;
    for (init, of) in [("systemd", "no /sbin/init"), ("sysv", "no /sbin/init"), ("emulated", "no scripts")] {
        let init = format!("boot.init={init}");
        let create = ["create", &name, "--profile", "server", "--root", &root, "--set", &init];
        one_clear_line(&t.jaula().run(&create)?, 1, &[of])?;
    }
    Ok(())
}

fn a_profile_that_is_too_narrow_is_one_line(t: &Test) -> Outcome {
    let root = format!("dir:{}", scripted(t)?);
    let done =
        t.jaula().run(&["create", &t.name("narrow"), "--root", &root, "--set", "boot.init=emulated"])?;
    one_clear_line(&done, 1, &["boots emulated", "security.profile=server"])
}

/// A jail whose init does not start is entered and repaired, with what it keeps.
fn a_jail_is_repaired(t: &Test) -> Outcome {
    let server = Server::over(t, &scripted(t)?, &["--set", "boot.runlevel=3", "--network", "host"])?;
    server.start()?;
    server.shell("rm /etc/rc3.d/*; ln -s /nothing /sbin/init; : >/kept")?;
    server.stop()?;
    server.jaula().ok(&["start", "--rescue", &server.name])?;
    assert_eq!(server.status()?["init"], "rescue");
    assert_eq!(
        server.shell("ls /kept; ls /tmp/up /sys/class/net 2>/dev/null | tr -d '\\n'")?.lines().next(),
        Some("/kept")
    );
    let processes = server.shell("ls -d /proc/[0-9]* | wc -l")?;
    assert!(processes.trim().parse::<u32>()? <= 4, "{processes}");
    let interfaces = server.shell("grep -c : /proc/net/dev")?;
    assert_eq!(interfaces, "1\n", "it has loopback only");
    let again = server.jaula().run(&["start", "--rescue", &server.name])?;
    one_clear_line(&again, 1, &["runs as it is"])?;
    server.stop()?;
    server.end()
}
