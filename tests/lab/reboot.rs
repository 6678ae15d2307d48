//! The host starts anew: jails come up with it and are shut down before it ends, by systemd's units.
//!
//! `cargo xtask lab test` runs the first test, starts the units, restarts the machine and runs the others; see
//! `xtask/src/lab/selected.sh`. The house is the host's own, as units have no other.

use crate::declared::{busybox_template, runs, until};
use jaula_tests::harness::{Done, Outcome, Test, command};
use jaula_tests::trials;
use libtest_mimic::Trial;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

pub(super) fn trials() -> Vec<Trial> {
    trials!("lab::reboot": lab [units_are_enabled, jails_were_shut_down, jails_came_up, one_is_watched_over, a_script_does_the_same])
}

/// Is this the start of the machine that the test is of?
fn at_start(t: &Test, number: &str) -> Outcome {
    match std::env::var("LAB_BOOT").as_deref() == Ok(number) {
        true => Ok(()),
        false => t.skip(&format!("it is of start {number} of the machine")),
    }
}

/// The jaula that is installed.
const JAULA: &str = "/usr/bin/jaula";

fn jaula(words: &[&str]) -> Outcome<Done> {
    command(&[&[JAULA], words].concat())
}

/// Makes a jail that is ready a while after its start, and takes a while to stop.
fn make(name: &str, settings: &[&str]) -> Outcome {
    let script = "trap 'sleep 0.4; echo $(cat /proc/uptime) >>/down; exit 0' TERM; sleep 0.4; touch /run/up; while :; do sleep 0.05; done";
    let command = serde_json::to_string(&["/bin/sh", "-c", script])?;
    let mut words = vec!["build", name, "--from", "template:small"];
    let fixed =
        [format!("boot.command={command}"), "boot.ready=[\"/bin/test\", \"-e\", \"/run/up\"]".to_owned()];
    for setting in fixed.iter().map(String::as_str).chain(settings.iter().copied()) {
        words.extend(["--set", setting]);
    }
    jaula(&words)?.ok().map(drop)
}

/// What is known of a running jail.
fn state(name: &str) -> Outcome<Value> {
    let file = fs::read(Path::new("/run/jaula").join(name).join("state"))?;
    Ok(serde_json::from_slice(file.split(|byte| *byte == b'\n').next().unwrap_or_default())?)
}

/// When it started, in milliseconds.
fn started(name: &str) -> Outcome<u64> {
    Ok(state(name)?["started"].as_u64().ok_or("no time")?)
}

fn kept(name: &str) -> PathBuf {
    Path::new("/var/lib/jaula/jails").join(name)
}

/// How its last run ended.
fn last(name: &str) -> Outcome<Value> {
    Ok(serde_json::from_slice(&fs::read(kept(name).join("last.json"))?)?)
}

fn is(unit: &str, state: &str) -> Outcome {
    let said = command(&["systemctl", "is-active", unit])?.stdout;
    if said.trim() == state { Ok(()) } else { Err(format!("{unit} is {said}").into()) }
}

/// Those that `jaula boot` starts, one that it starts for another, one of a unit of its own, one started by hand.
const ALL: [&str; 6] = ["db", "www", "early", "late", "alone", "byhand"];

/// Units as `jaula units` writes them, for jails of the host's own house.
fn units_are_enabled(t: &Test) -> Outcome {
    at_start(t, "1")?;
    fs::copy(std::env::var("JAULA_BIN")?, JAULA)?;
    busybox_template(Path::new("/var/lib/jaula/templates/small"))?;
    make("db", &[])?;
    make("www", &["boot.autostart=true", "boot.depends=[\"db\"]"])?;
    make("early", &["boot.autostart=true", "boot.order=1"])?;
    make("late", &["boot.autostart=true", "boot.order=2"])?;
    make("alone", &[])?;
    make("byhand", &[])?;
    jaula(&["units", "/etc/systemd/system"])?.ok()?;
    let units = ["/etc/systemd/system/jaula.service", "/etc/systemd/system/jaula@alone.service"];
    let said = command(&["systemd-analyze", "verify", "--man=no", units[0], units[1]])?;
    assert!(said.status.success() && said.stdout.is_empty() && said.stderr.is_empty(), "{said}");
    // What was said before the machine started anew is read after it.
    fs::create_dir_all("/var/log/journal")?;
    command(&["systemctl", "restart", "systemd-journald"])?.ok()?;
    command(&["systemctl", "daemon-reload"])?.ok()?;
    command(&["systemctl", "enable", "jaula", "jaula@alone"])?.ok().map(drop)
}

/// Each was told, and had its time, those that others depend on last.
fn jails_were_shut_down(t: &Test) -> Outcome {
    at_start(t, "2")?;
    for name in ALL {
        let last = last(name)?;
        assert_eq!((&last["stopped"], &last["status"]), (&true.into(), &0.into()), "{name}: {last}");
        let noted = fs::read_to_string(kept(name).join("overlay/upper/down"))?;
        assert_eq!(noted.lines().count(), 1, "{name}: {noted}");
    }
    let at = |name: &str| last(name).map(|last| last["at"].as_u64().unwrap_or_default());
    assert!(at("db")? >= at("www")? + 400, "db stopped before www");
    assert!(at("early")? >= at("late")? + 400, "early stopped before late");
    for unit in ["jaula.service", "jaula@alone.service"] {
        let said = command(&["journalctl", "-b", "-1", "--no-pager", "-q", "-o", "cat", "-u", unit])?.ok()?;
        assert!(said.contains("Stopped") && !said.contains("Failed") && !said.contains("error:"), "{said}");
    }
    Ok(())
}

/// In their order, without a failed unit, and nobody who was not asked for.
fn jails_came_up(t: &Test) -> Outcome {
    at_start(t, "2")?;
    is("jaula.service", "active")?;
    is("jaula@alone.service", "active")?;
    assert!(started("www")? >= started("db")? + 400, "www started before db was ready");
    assert!(started("late")? >= started("early")? + 400, "late started before early was ready");
    assert!(state("byhand").is_err());
    let failed = command(&["systemctl", "list-units", "--failed", "--plain", "--no-legend"])?.ok()?;
    assert!(!failed.contains("jaula"), "{failed}");
    Ok(())
}

/// systemd knows the keeper of a unit's jail, and gives a jail that lost its keeper a new one.
fn one_is_watched_over(t: &Test) -> Outcome {
    at_start(t, "2")?;
    let unit = "jaula@alone.service";
    let main = || -> Outcome<u64> {
        let said = command(&["systemctl", "show", "--value", "-p", "MainPID", unit])?.ok()?;
        Ok(said.trim().parse()?)
    };
    let first = state("alone")?["first"].clone();
    let keeper = main()?;
    assert_eq!(state("alone")?["keeper"]["pid"], keeper);
    command(&["kill", "-KILL", &keeper.to_string()])?.ok()?;
    until("another keeper", || main().ok().filter(|now| *now != keeper && *now != 0))?;
    until("the unit to be active", || is(unit, "active").ok())?;
    assert_eq!((&state("alone")?["first"], &state("alone")?["keeper"]["pid"]), (&first, &main()?.into()));
    command(&["systemctl", "restart", unit])?.ok()?;
    assert_ne!(state("alone")?["first"], first);
    let pid = i32::try_from(state("alone")?["first"]["pid"].as_i64().unwrap_or_default())?;
    command(&["systemctl", "stop", unit])?.ok()?;
    is(unit, "inactive")?;
    assert!(!runs(pid) && state("alone").is_err());
    // One that ends by itself, or is stopped by hand, has no failed unit, and is not started again.
    for end in [&["stop", "alone"][..], &["exec", "alone", "--", "kill", "-TERM", "1"]] {
        command(&["systemctl", "start", unit])?.ok()?;
        jaula(end)?.ok()?;
        until("the unit to see it", || is(unit, "inactive").ok())?;
        let restarts = command(&["systemctl", "show", "--value", "-p", "NRestarts", unit])?.ok()?;
        assert_eq!(restarts, "0\n");
    }
    Ok(())
}

/// For hosts without systemd: the same by the plain script. The first is stopped before.
fn a_script_does_the_same(t: &Test) -> Outcome {
    at_start(t, "2")?;
    command(&["systemctl", "stop", "jaula"])?.ok()?;
    assert!(ALL.iter().all(|name| state(name).is_err()));
    jaula(&["units", &t.root().to_string_lossy()])?.ok()?;
    let script = t.root().join("jaula.init").to_string_lossy().into_owned();
    // As an init calls it: with next to no environment.
    let run = |word: &str| command(&["env", "-i", &script, word]);
    assert_eq!(run("status")?.status.code(), Some(3));
    run("start")?.ok()?;
    assert!(started("www")? >= started("db")? + 400);
    assert_eq!(run("status")?.status.code(), Some(0));
    let first = state("www")?["first"].clone();
    run("reload")?.ok()?;
    assert_eq!(state("www")?["first"], first);
    run("restart")?.ok()?;
    assert_ne!(state("www")?["first"], first);
    run("stop")?.ok()?;
    assert!(ALL.iter().all(|name| state(name).is_err()));
    assert_eq!(run("what")?.status.code(), Some(2));
    Ok(())
}
