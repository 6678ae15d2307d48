//! `docs/json.md` has every name that programs may find.

use crate::declared::Declared;
use jaula_tests::harness::{Jaula, Outcome, Template, Test, busybox_root};
use jaula_tests::trials;
use libtest_mimic::Trial;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("documents": privileged [
        json_of_jails_is_as_documented,
        json_of_virtual_servers_is_as_documented,
    ])
}

/// What a command prints has only names that stand in the section of its verb. Those that must be there are
/// told, so that an empty list proves nothing.
fn documented(jaula: &Jaula, verb: &str, words: &[&str], must: &[&str]) -> Outcome {
    let docs = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/json.md"))?;
    let title = |line: &&str| line.starts_with("## ") && line.contains(&format!("`jaula {verb}`"));
    let heading = docs.lines().find(title).ok_or_else(|| format!("no section of {verb}"))?;
    let section = docs.split_once(&format!("\n{heading}\n")).ok_or("no section")?.1;
    let section = section.split("\n## ").next().unwrap_or_default();
    let printed = jaula.run(&[words, &["--json"]].concat())?;
    let mut names = BTreeSet::new();
    let value = serde_json::from_str(&printed.stdout).map_err(|e| format!("{verb}: {e}: {printed}"))?;
    keys(&value, &mut names);
    for key in &names {
        assert!(section.contains(&format!("`{key}`")), "{verb}: `{key}` is not documented");
    }
    let missing: Vec<&&str> = must.iter().filter(|name| !names.contains(**name)).collect();
    assert!(missing.is_empty(), "{verb} does not print {missing:?}: {printed}");
    Ok(())
}

fn keys(value: &Value, all: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            all.insert(key.clone());
            // What stands below `value` and `example` is the user's own.
            if key != "value" && key != "example" {
                keys(value, all);
            }
        }),
        Value::Array(list) => list.iter().for_each(|value| keys(value, all)),
        _ => {}
    }
}

fn json_of_jails_is_as_documented(t: &Test) -> Outcome {
    let jail = Declared::idle(t, "j")?;
    jail.start()?;
    let name = &jail.name;
    let broken = t.root().join("broken.toml");
    fs::write(&broken, "id = 1\nx = 2\n")?;
    let jaula = t.jaula();
    documented(&jaula, "list", &["list"], &["state"])?;
    documented(&jaula, "list", &["list", "--disk"], &["state", "disk"])?;
    documented(&jaula, "status", &["status"], &["keeper"])?;
    documented(&jaula, "audit", &["audit", name], &["score"])?;
    documented(&jaula, "plan", &["plan", name], &["host"])?;
    documented(&jaula, "config show", &["config", "show", name, "--effective"], &["keys"])?;
    documented(&jaula, "config check", &["config", "check", &broken.to_string_lossy()], &["faults"])?;
    documented(&jaula, "config keys", &["config", "keys"], &["takes"])?;
    documented(&jaula, "doctor", &["doctor"], &["verdict"])?;
    documented(&jaula, "version", &["version"], &["version"])?;
    documented(&jaula, "gc", &["gc", "--dry-run"], &[])?;
    jail.stop()
}

fn json_of_virtual_servers_is_as_documented(t: &Test) -> Outcome {
    let jaula = t.jaula();
    let template = Template::Debian13.put(t)?;
    let (name, from) = (t.name("web"), format!("template:{template}"));
    documented(&jaula, "build", &["build", &name, "--from", &from], &["template_made", "id"])?;
    let host = ["build", "h", "--from", "host", "--dry-run"];
    documented(&jaula, "build", &host, &["left_out", "config"])?;
    let at = format!("{name}@clean");
    documented(&jaula, "snapshot create", &["snapshot", "create", &at, "--note", "x"], &["shared"])?;
    documented(&jaula, "snapshot list", &["snapshot", "list"], &["note"])?;

    // Small files, so that packing takes no time.
    let small = t.name("small");
    let root = busybox_root()?.display().to_string();
    jaula.ok(&["build", &small, "--quiet", "--from", &format!("dir:{root}"), "--template", "busybox"])?;
    documented(&jaula, "template list", &["template", "list"], &["used_by", "origin"])?;
    documented(&jaula, "template verify", &["template", "verify", "busybox"], &["recorded", "differences"])?;
    let archive = t.root().join("t.tar.zst").display().to_string();
    documented(&jaula, "template export", &["template", "export", "busybox", &archive], &["digest"])?;
    documented(&jaula, "template import", &["template", "import", "again", &archive], &["tree"])?;
    fs::write(t.root().join("var/lib/jaula/templates/busybox/tree/new"), "x")?;
    documented(&jaula, "template verify", &["template", "verify", "busybox"], &["differences"])?;
    let archive = t.root().join("j.tar.zst").display().to_string();
    documented(&jaula, "export", &["export", &small, &archive], &["digest"])?;
    documented(&jaula, "import", &["import", &archive, "--name", &t.name("back")], &["config"])?;

    jaula.ok(&[
        "set",
        &small,
        "boot.autostart=true",
        "boot.command=[\"sleep\", \"1000\"]",
        "boot.stop_timeout=0s",
    ])?;
    documented(&jaula, "boot", &["boot", "--dry-run"], &["order", "depends"])?;
    documented(&jaula, "boot", &["boot"], &["result"])?;
    documented(&jaula, "shutdown", &["shutdown"], &["result"])?;
    jaula.ok(&["set", &small, "boot.depends=nobody"])?;
    documented(&jaula, "boot", &["boot"], &["result", "error"])
}
