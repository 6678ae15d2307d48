//! How long it takes to start a jail, run a program that writes a line, and be gone again.

use super::contender::{Contender, oci_bundle};
use super::{Ground, report, timing};
use crate::shell::{Result, command, has, run};
use std::fmt::Write;

const ROUNDS: usize = 5;
const RUNS: usize = 60;

pub(super) fn start(ground: &Ground) -> Result {
    let directory = ground.fresh("start")?;
    let contenders = contenders(ground)?;
    for contender in &contenders {
        contender.must_work()?;
    }
    let times = timing::measure(&contenders, ROUNDS, RUNS, &directory)?;
    let median = |name: &str| {
        contenders
            .iter()
            .zip(&times)
            .find(|(contender, _)| contender.name == name)
            .map(|(_, times)| times.median())
    };
    let (floor, small, jaula) = (median(FLOOR_WITH_USER), median(FLOOR_BY_MUSL), median("jaula run"));
    let mut table = String::from(
        "| | median ms | 5 % … 95 % | ÷ floor | ÷ floor, musl | ÷ jaula | system calls | peak KiB |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    let mut figures = Vec::new();
    for (contender, times) in contenders.iter().zip(&times) {
        let ratio =
            |to: Option<f64>| to.map_or_else(|| "–".to_owned(), |to| format!("{:.2}", times.median() / to));
        let (calls, peak) = (contender.system_calls(&directory)?, contender.peak_memory(&directory)?);
        writeln!(
            table,
            "| {} | {:.2} | {:.2} … {:.2} | {} | {} | {} | {calls} | {peak} |",
            contender.name,
            times.median(),
            times.percentile(5),
            times.percentile(95),
            ratio(floor),
            ratio(small),
            ratio(jaula),
        )?;
        figures.push(serde_json::json!({
            "name": contender.name, "command": contender.words, "runs": times.count(),
            "median_ms": times.median(), "p5_ms": times.percentile(5), "p95_ms": times.percentile(95),
            "system_calls": calls, "peak_kib": peak,
        }));
    }
    report::write_json("start", &figures.into())?;
    let text = format!(
        "A static program that writes a line, in a jail made for it with a root of its own and gone\n\
         afterwards; {ROUNDS} interleaved rounds of {RUNS} runs each. The floor (`bench/floor.c`) makes the\n\
         namespaces and the mounts and nothing else; it is built with glibc, and once more with musl, whose\n\
         programs begin sooner. System calls are those of all processes, the\n\
         peak is that of the largest. runc and crun, as their `spec` sets them up, make no user and no\n\
         cgroup namespace.\n\n{table}"
    );
    report::write_section("start", "Start", &text)
}

const FLOOR_WITH_USER: &str = "floor, with user namespace";
const FLOOR_BY_MUSL: &str = "floor by musl, with user namespace";

fn contenders(ground: &Ground) -> Result<Vec<Contender>> {
    let (root, floor) = (ground.root(), ground.program("floor"));
    let mut all = vec![
        Contender::new("floor, no user namespace", &[&floor, &root, "/bin/true", "say"]),
        Contender::new(FLOOR_WITH_USER, &[&floor, "--user", &root, "/bin/true", "say"]),
    ];
    if has("musl-gcc") {
        let small = ground.program("floor-musl");
        // The kernel's headers are beside the other C library's.
        let kernel = format!("/usr/include/{}-linux-gnu", std::env::consts::ARCH);
        let headers = ["-idirafter", "/usr/include", "-idirafter", &kernel];
        run(command(&["musl-gcc", "-static", "-O2", "-o", &small, "bench/floor.c"]).args(headers))?;
        all.push(Contender::new(FLOOR_BY_MUSL, &[&small, "--user", &root, "/bin/true", "say"]));
    }
    if let Some(jaula) = &ground.jaula {
        let mut words = vec![jaula.display().to_string()];
        words.extend(ground.jaula_run());
        words.extend(["/bin/true", "say"].map(str::to_owned));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        all.push(Contender::new("jaula run", &words).with_jaula_root(&ground.jaula_root()?));
    }
    all.push(Contender::new(
        "bubblewrap",
        &[
            "bwrap",
            "--unshare-all",
            "--ro-bind",
            &root,
            "/",
            "--proc",
            "/proc",
            "--dev",
            "/dev",
            "/bin/true",
            "say",
        ],
    ));
    for runtime in ["crun", "runc"] {
        let bundle = ground.fresh(&format!("{runtime}-bundle"))?;
        oci_bundle(runtime, &bundle, &root)?;
        let name = format!("jaula-bench-{}", std::process::id());
        let state = format!("/dev/shm/{name}");
        let words = [runtime, "--root", &state, "run", "--bundle", &bundle.to_string_lossy(), &name];
        all.push(Contender::new(runtime, &words).without_hybrid_cgroups());
    }
    Ok(all)
}
