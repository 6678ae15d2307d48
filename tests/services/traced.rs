//! `jaula trace` against the recipes, which were written by hand: it finds all that they name, and the recipes lack
//! no program and no library that it finds.

use super::login::keys;
use super::up;
use jaula_tests::harness::{Machine, Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("services": privileged [a_trace_finds_what_nginx_needs, a_trace_finds_what_named_needs, a_trace_finds_what_sshd_needs])
}

fn a_trace_finds_what_nginx_needs(t: &Test) -> Outcome {
    compare(&Machine::boot(t)?, "nginx-tls", "www", "curl -kfsS https://localhost/")
}

fn a_trace_finds_what_named_needs(t: &Test) -> Outcome {
    compare(&Machine::boot(t)?, "named", "dns", "dig @127.0.0.1 www.example.test | grep -q 192.0.2.80")
}

fn a_trace_finds_what_sshd_needs(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    keys(&machine, "sshd")?;
    let session = "ssh -tt -o BatchMode=yes alice@localhost 'mkdir -p a; echo x > a/b; cat a/b; ls; rm a/b; tty; id' < /dev/null";
    compare(&machine, "sshd", "ssh", session)
}

/// Traces a jail's command over the machine's files, with the jail's mounts and network, while it is used.
const TRACE: &str = r#"set -m
    jaula trace --json --network host "$@" > /tmp/record 2> /tmp/said &
    for _ in $(seq 200); do if eval "$USE" > /dev/null 2>&1; then used=1; break; fi; sleep 0.1; done
    kill -INT $!; wait $! || true
    [ "${used:-}" ] || { cat /tmp/said >&2; exit 1; }
    cat /tmp/record"#;

fn compare(machine: &Machine<'_>, recipe: &str, jail: &str, r#use: &str) -> Outcome {
    up(machine, recipe)?;
    let shown = machine.jaula().json(&["config", "show", jail, "--json"])?;
    let plan = machine.jaula().json(&["plan", jail, "--json"])?;
    machine.jaula().ok(&["stop", jail])?;
    let texts = |key: &str| -> Vec<String> {
        let key = shown["keys"].as_array().into_iter().flatten().find(|shown| shown["key"] == key);
        let values = key.and_then(|key| key["value"].as_array()).into_iter().flatten();
        values.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let user = shown["keys"].as_array().into_iter().flatten().find(|key| key["key"] == "boot.user");
    let user = user.and_then(|key| key["value"].as_str()).unwrap_or("root");

    // What the jail keeps for itself, the host must have.
    let writable: Vec<String> = texts("root.writable");
    for entry in &writable {
        let (path, owner) = entry.split_once(':').unwrap_or((entry, user));
        let owner = owner.split(":0").next().unwrap_or(owner);
        machine.shell(&format!("mkdir -p {path}; chown {owner} {path}"))?;
    }
    let mut words = vec!["--user".to_owned(), user.to_owned()];
    words.extend(
        texts("mounts").into_iter().flat_map(|mount| ["--set".to_owned(), format!("mounts+={mount}")]),
    );
    words.push("--".to_owned());
    words.extend(texts("boot.command"));
    let script = format!("USE=\"{}\"\n{TRACE}", r#use.replace('"', "\\\""));
    let all: Vec<&str> =
        ["bash", "-uc", &script, "trace"].into_iter().chain(words.iter().map(String::as_str)).collect();
    let record: Value = serde_json::from_str(&machine.run(&all)?.ok()?)?;

    let files: BTreeMap<&str, BTreeSet<&str>> = record["files"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|file| {
            let uses = file["uses"].as_array().into_iter().flatten().filter_map(Value::as_str);
            Some((file["path"].as_str()?, uses.collect()))
        })
        .collect();
    let mut lacks = Vec::new();
    let is_used = |path: &str, uses: &[&str]| {
        let below = format!("{path}/");
        files.iter().any(|(seen, of)| {
            (*seen == path || seen.starts_with(&below)) && uses.iter().any(|one| of.contains(one))
        })
    };
    for path in texts("root.files") {
        if !is_used(&path, &["read", "mapped", "executed"]) {
            lacks.push(format!("the trace has not {path}"));
        }
    }
    for path in writable.iter().map(|entry| entry.split(':').next().unwrap_or(entry)) {
        if !is_used(path, &["written", "made", "directory"]) {
            lacks.push(format!("the trace has nothing written to {path}"));
        }
    }
    for port in texts("network.listen") {
        if !record["listens"].as_array().into_iter().flatten().any(|seen| *seen == *port) {
            lacks.push(format!("the trace has not {port}"));
        }
    }
    let held: BTreeSet<&str> =
        plan["trees"].as_array().into_iter().flatten().filter_map(|tree| tree["path"].as_str()).collect();
    for (path, _) in files.iter().filter(|(_, uses)| uses.contains("mapped") || uses.contains("executed")) {
        let real = machine.shell(&format!("realpath {path}"))?;
        let real = Path::new(real.trim());
        if !held.iter().any(|tree| real.starts_with(tree)) {
            lacks.push(format!("the recipe has not {path}"));
        }
    }
    if lacks.is_empty() { Ok(()) } else { Err(format!("{}\n{record:#}", lacks.join("\n")).into()) }
}
