//! Servers that do not stop, do not start, or have an init of their own kind.

use crate::boot::Server;
use crate::ground::tree;
use jaula_tests::harness::{Outcome, Template, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;
use std::os::unix::fs::PermissionsExt;

pub(super) fn trials() -> Vec<Trial> {
    trials!("servers": privileged [
        what_does_not_stop_is_ended_after_its_time,
        a_server_that_does_not_start_is_repaired,
        an_init_that_nobody_knows_is_started_and_told,
    ])
}

/// A service that refuses to be stopped, and an init that waits for it for ever.
fn what_does_not_stop_is_ended_after_its_time(t: &Test) -> Outcome {
    const STUBBORN: &str = "[Service]\\nExecStart=/bin/sh -c \"trap : TERM HUP; while :; do sleep 1; done\"\\n\
                            SendSIGKILL=no\\nTimeoutStopSec=infinity\\n[Install]\\nWantedBy=multi-user.target\\n";
    let options = ["--network", "none", "--set", "boot.stop_timeout=3s"];
    let server = Server::built(t, t.jaula(), Template::Debian13, "web", &options)?;
    server.start()?;
    server.shell(&format!(
        "printf '{STUBBORN}' >/etc/systemd/system/stubborn.service; systemctl -q enable --now stubborn"
    ))?;
    server.stop()?;
    assert_eq!(server.status()?["last"]["signal"], 9, "{}", server.status()?);
    // All of it is gone, and it starts again.
    crate::declared::nothing_left(t)?;
    server.start()?;
    server.nothing_failed()?;
    server.jaula().ok(&["stop", &server.name, "--timeout", "0"])?;
    server.end()
}

/// Its init is gone: the start says so, and a rescue mends it with the server's own programs.
fn a_server_that_does_not_start_is_repaired(t: &Test) -> Outcome {
    // By itself it would take the scripts of a runlevel, which are there too.
    let options = ["--network", "none", "--set", "boot.init=systemd"];
    let server = Server::built(t, t.jaula(), Template::Debian12, "web", &options)?;
    server.start()?;
    server.shell("mv /lib/systemd/systemd /lib/systemd/away")?;
    server.jaula().ok(&["stop", &server.name, "--timeout", "0"])?;
    let said = server.jaula().fails(&["start", &server.name])?;
    assert!(said.lines().count() <= 2 && said.contains("/sbin/init") && said.contains("help:"), "{said}");
    crate::declared::nothing_left(t)?;
    server.jaula().ok(&["start", "--rescue", &server.name])?;
    let mut terminal = server.jaula().pty(&["enter", &server.name])?;
    terminal.expect("# ")?;
    terminal.send("mv /lib/systemd/away /lib/systemd/systemd && echo me' 'nded\n")?;
    terminal.expect("me nded")?;
    terminal.send("exit\n")?;
    terminal.wait()?;
    server.stop()?;
    server.start()?;
    server.nothing_failed()?;
    server.end()
}

/// An init that is none of the known ones is told by SIGINT.
fn an_init_that_nobody_knows_is_started_and_told(t: &Test) -> Outcome {
    let root = tree(t)?;
    _ = fs::remove_file(root.join("bin/init"));
    let init = root.join("sbin/init");
    fs::create_dir_all(root.join("sbin"))?;
    _ = fs::remove_file(&init);
    fs::write(
        &init,
        "#!/bin/sh\ntrap 'echo told to end; exit 0' INT\necho begun\nwhile :; do sleep 0.1; done\n",
    )?;
    fs::set_permissions(&init, fs::Permissions::from_mode(0o755))?;
    let server = Server::over(t, &root.to_string_lossy(), &[])?;
    server.start()?;
    assert_eq!(server.status()?["init"], "plain");
    server.becomes("running")?;
    crate::declared::until("its first word", || server.log().contains("begun").then_some(()))?;
    server.stop()?;
    assert!(server.log().contains("told to end"), "{}", server.log());
    assert_eq!(server.status()?["last"]["how"], "stopped");
    server.end()
}
