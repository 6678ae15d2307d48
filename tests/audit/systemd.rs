//! The checks that are systemd's, against systemd: jails are translated into units, and
//! `systemd-analyze security --offline=true` says what it thinks of them.

use super::{Found, jail};
use crate::ground::tree;
use jaula_tests::harness::{Outcome, Test, command};
use jaula_tests::trials;
use libtest_mimic::Trial;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

pub(super) fn trials() -> Vec<Trial> {
    trials!("audit": privileged [
        each_row_is_what_systemd_says_of_the_same_unit,
    ], pure [
        weights_are_systemds,
    ])
}

/// What systemd says of a unit: the rows that count, by name, and the whole in tenths. None if there
/// is no systemd-analyze.
fn analyzed(t: &Test, lines: &str) -> Outcome<(BTreeMap<String, bool>, i64)> {
    if !Path::new("/usr/bin/systemd-analyze").exists() {
        return t.skip("no systemd-analyze here; run: cargo xtask setup");
    }
    let version = command(&["systemd-analyze", "--version"])?.ok()?;
    if !version.starts_with("systemd 252") {
        return t.skip("the table has the checks of systemd 252; this is another");
    }
    let unit = t.root().join("x.service");
    fs::write(&unit, format!("[Service]\nExecStart=/bin/true\n{lines}"))?;
    let analyze = |option: &str| {
        let unit = unit.to_string_lossy();
        command(&["systemd-analyze", "security", "--offline=true", "--no-pager", option, &unit])?.ok()
    };
    let rows: Vec<Value> = serde_json::from_str(&analyze("--json=short")?)?;
    let mut all = BTreeMap::new();
    for row in rows.iter().filter(|row| !row["set"].is_null()) {
        let name = row["json_field"].as_str().ok_or("a row without a name")?;
        all.insert(name.to_owned(), row["exposure"].is_null());
    }
    let said = analyze("--json=off")?;
    let score = said.lines().last().and_then(|line| line.split(": ").nth(1)).unwrap_or_default();
    let score = score.split(' ').next().unwrap_or_default().replace('.', "").parse()?;
    Ok((all, score))
}

/// All rows of systemd's are there, and with the weights and the arithmetic of the table they come to
/// what systemd says, whatever a unit has.
fn weights_are_systemds(t: &Test) -> Outcome {
    let weights: BTreeMap<&str, (u32, u32)> = model::audit::checks::all()
        .filter_map(|check| Some((check.systemd?, (check.weight, check.range))))
        .collect();
    for lines in [
        "",
        "PrivateNetwork=yes",
        "CapabilityBoundingSet=",
        "CapabilityBoundingSet=~CAP_SYS_ADMIN CAP_SETUID CAP_SETGID CAP_SETPCAP CAP_SYS_PTRACE",
        "PrivateDevices=yes\nProtectClock=yes\nProtectKernelModules=yes\nProtectKernelLogs=yes",
        "ProtectHome=yes\nProtectSystem=strict\nRootDirectory=/srv\nUMask=0077",
        "RestrictAddressFamilies=AF_UNIX\nNoNewPrivileges=yes\nPrivateUsers=yes\nPrivateTmp=yes",
        "RestrictAddressFamilies=AF_INET AF_INET6\nRestrictRealtime=yes\nRestrictSUIDSGID=yes",
        "RestrictNamespaces=yes\nLockPersonality=yes\nMemoryDenyWriteExecute=yes",
        "SystemCallArchitectures=native\nProtectProc=invisible\nProcSubset=pid\nProtectHostname=yes",
        "SystemCallFilter=~@clock @debug @module @mount @raw-io @reboot @swap",
        "SystemCallFilter=~@privileged @resources @cpu-emulation @obsolete\nIPAddressDeny=any",
    ] {
        let (rows, score) = analyzed(t, lines)?;
        let names: BTreeSet<&str> = rows.keys().map(String::as_str).collect();
        let known: BTreeSet<&str> = weights.keys().copied().collect();
        // What other groups a user is in is no check of a jail; RemoveIPC= is one of users only.
        let not_ours: Vec<_> = names.difference(&known).collect();
        assert!(not_ours.iter().all(|name| **name == "SupplementaryGroups"), "{not_ours:?}");
        let gone: Vec<_> = known.difference(&names).collect();
        assert!(gone.iter().all(|name| **name == "RemoveIPC"), "{gone:?}");

        let parts = rows.iter().filter_map(|(name, holds)| Some((weights.get(name.as_str())?, *holds)));
        let all: u32 = parts.clone().map(|((weight, _), _)| weight).sum();
        let bad: u32 = parts.clone().filter(|(_, holds)| !holds).map(|((weight, _), _)| weight).sum();
        // What is open is open in full in these units, but for files that others may read by the umask.
        let bad = if rows.get("UMask") == Some(&false) { bad - 50 } else { bad };
        assert_eq!(i64::from((bad * 100).div_ceil(all)), score, "{lines:?}");
    }
    Ok(())
}

/// What every jail has, as a unit.
const ALWAYS: &str = "\
PrivateUsers=yes
PrivateMounts=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectControlGroups=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectKernelLogs=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
ProtectHome=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
LockPersonality=yes
NoNewPrivileges=yes
RemoveIPC=yes
SystemCallArchitectures=native
";

fn each_row_is_what_systemd_says_of_the_same_unit(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let mut scores = Vec::new();
    for (settings, lines) in [
        (&["network.mode=host"][..], "ProtectSystem=yes\n"),
        (&["network.mode=host", "root.writes=refused"], "ProtectSystem=strict\n"),
        (&["root.writes=kept"], "PrivateNetwork=yes\nIPAddressDeny=any\nProtectSystem=yes\n"),
        (
            &["network.mode=host", "boot.user=alice", "root.writes=refused"],
            "User=daemon\nProtectSystem=strict\n",
        ),
        (
            &["security.profile=strict", "boot.user=alice", "root.writes=refused"],
            "User=daemon\nPrivateNetwork=yes\nIPAddressDeny=any\nProtectSystem=strict\nProcSubset=pid\n",
        ),
        (
            &["network.mode=host", "root.writes=refused", "security.capabilities=-all"],
            "ProtectSystem=strict\n",
        ),
    ] {
        let name = jail(t, &tree, settings)?;
        let found = Found::of(&t.jaula(), &name)?;
        let shown = t.jaula().json(&["config", "show", &name, "--effective", "--json"])?;
        let texts = |value: &Value| -> Vec<String> {
            value.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
        };
        let capabilities: Vec<String> =
            texts(&found.0["capabilities"]).iter().map(|c| format!("CAP_{}", c.to_uppercase())).collect();
        let families = if settings.contains(&"security.profile=strict") {
            "none"
        } else {
            "AF_UNIX AF_INET AF_INET6 AF_NETLINK"
        };
        let unit = format!(
            "{ALWAYS}{lines}RootDirectory={}\nCapabilityBoundingSet={}\nRestrictAddressFamilies={families}\n\
             SystemCallFilter=~{}\n",
            tree.display(),
            capabilities.join(" "),
            texts(&shown["system_calls"]["refused"]).join(" "),
        );
        let (rows, score) = analyzed(t, &unit)?;
        for check in found.0["checks"].as_array().into_iter().flatten() {
            // ProtectClock= lets a unit read the hardware clock, which is a device more.
            let field = check["systemd"].as_str().filter(|field| *field != "DeviceAllow");
            let Some(holds) = field.and_then(|field| rows.get(field)) else { continue };
            assert_eq!(check["holds"], *holds, "{settings:?}: {check}");
        }
        scores.push((found.score(), score, settings));
        t.jaula().ok(&["delete", "--yes", &name])?;
    }
    // Whichever of two jails is better, systemd thinks so too.
    for (ours, systemds, settings) in &scores {
        for (other, systemds_other, others) in &scores {
            let same = ours.cmp(other) == systemds.cmp(systemds_other);
            let near = (ours - other).abs() <= 1 || (systemds - systemds_other).abs() <= 1;
            assert!(same || near, "{settings:?} {ours} {systemds}; {others:?} {other} {systemds_other}");
        }
    }
    Ok(())
}
