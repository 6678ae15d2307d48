//! How long a jail of each mode takes to start, and what the kernel alone takes for the same links.

use super::scene::{BIND, Scene};
use crate::bench::Ground;
use crate::bench::timing::Times;
use crate::shell::{Result, command, output, run, top};
use std::fmt::Write;
use std::fs;
use std::path::Path;

const ROUNDS: usize = 5;
const RUNS: usize = 30;

/// A host without a BPF file system: each start loads its programs.
const UNSHARED: &str = "bind without shared programs";
/// What most hosts have, and how to be without it.
const BPF_FILE_SYSTEM: &str = "mount -t bpf bpf /sys/fs/bpf &&";
const NO_BPF_FILE_SYSTEM: &str = "umount --lazy --quiet /sys/fs/bpf;";

/// One that takes part: its name, and its command on the scene's host.
struct Starter {
    name: String,
    words: Vec<String>,
}

pub(super) fn starts(
    ground: &Ground,
    scene: &Scene,
    jaula: &Path,
    directory: &Path,
) -> Result<(String, serde_json::Value)> {
    super::servers::bridge(scene, "jbj", "10.92.0.1/24")?;
    let link = directory.join("link").display().to_string();
    run(command(&["cc", "-static", "-O2", "-o", &link]).arg(top().join("bench/link.c")))?;
    let mut starters: Vec<Starter> = ["none", "routed", "bridge"]
        .map(|kind| Starter {
            name: format!("links alone, {kind}"),
            words: vec![link.clone(), kind.to_owned()],
        })
        .into();
    let bind = || vec![format!("addresses=[\"{BIND}\"]")];
    for (mode, keys) in [
        ("none", vec![]),
        ("host", vec![]),
        ("bind", bind()),
        (UNSHARED, bind()),
        ("routed", vec!["addresses=[\"10.91.0.3\"]".to_owned()]),
        (
            "bridge",
            ["addresses=[\"10.92.0.3/24\"]", "gateway=[\"10.92.0.1\"]", "parent=\"jbj\""]
                .map(str::to_owned)
                .to_vec(),
        ),
    ] {
        let mut words = vec![jaula.display().to_string()];
        words.extend(ground.jaula_run());
        let key = mode.split(' ').next().unwrap_or(mode);
        for key in std::iter::once(format!("mode=\"{key}\"")).chain(keys) {
            words.extend(["--set".to_owned(), format!("network.{key}")]);
        }
        words.push("/bin/true".to_owned());
        starters.push(Starter { name: format!("jaula run, {mode}"), words });
    }
    let state = ground.jaula_root()?;
    let mut times = vec![Vec::new(); starters.len()];
    let file = directory.join("starts.json");
    for round in 0..ROUNDS {
        for turn in 0..starters.len() {
            let who = (turn + round) % starters.len();
            let quoted: Vec<String> = starters[who].words.iter().map(|word| format!("'{word}'")).collect();
            let (path, runs) = (file.to_string_lossy(), RUNS.to_string());
            let is_without = starters[who].name.ends_with(UNSHARED);
            let mounts = if is_without { NO_BPF_FILE_SYSTEM } else { BPF_FILE_SYSTEM };
            let begin = format!("{mounts} exec \"$@\"");
            let mut hyperfine = scene.host(&["unshare", "--mount", "sh", "-c", &begin, "sh"]);
            hyperfine.args(["hyperfine", "-N", "--style", "none", "--warmup", "2", "--runs"]);
            hyperfine.args([&runs, "--export-json", &*path, &quoted.join(" ")]);
            output(hyperfine.env("JAULA_ROOT", &state))?;
            let measured: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
            let seconds = measured["results"][0]["times"].as_array().ok_or("hyperfine wrote no times")?;
            times[who].extend(seconds.iter().filter_map(serde_json::Value::as_f64).map(|s| s * 1000.0));
        }
    }
    let times: Vec<Times> = times.into_iter().map(Times::new).collect();
    let median = |name: &str| {
        starters.iter().position(|starter| starter.name == name).map_or(f64::NAN, |at| times[at].median())
    };
    let mut text = format!(
        "Starts, by hyperfine on the same host; {ROUNDS} interleaved rounds of {RUNS} runs each. *Links alone* \
         (`bench/link.c`) is the least that the same links, addresses and routes cost the kernel; above *none* it has \
         only the network namespace. What a mode adds is the median above that of mode `none` (`bind`: of mode `host`).\n\n\
         | | median ms | adds ms | ÷ links alone |\n| --- | ---: | ---: | ---: |\n"
    );
    let mut values = Vec::new();
    for (starter, times) in starters.iter().zip(&times) {
        let (who, mode) = starter.name.split_once(", ").unwrap_or_default();
        let from = if mode.starts_with("bind") { "host" } else { "none" };
        let added = |who: &str| median(&format!("{who}, {mode}")) - median(&format!("{who}, {from}"));
        let is_base = mode == "none" || mode == "host";
        let adds = if is_base { "–".to_owned() } else { format!("{:.2}", added(who)) };
        let is_own = who == "jaula run" && (mode == "routed" || mode == "bridge");
        let ratio =
            if is_own { format!("{:.2}", added(who) / added("links alone")) } else { "–".to_owned() };
        writeln!(text, "| {} | {:.2} | {adds} | {ratio} |", starter.name, times.median())?;
        values.push(serde_json::json!({ "name": starter.name, "median_ms": times.median(),
            "p5_ms": times.percentile(5), "p95_ms": times.percentile(95) }));
    }
    Ok((text, values.into()))
}
