//! How long it takes to run a program in a jail that is already there.

use super::contender::Contender;
use super::{Ground, report, timing};
use crate::shell::{Result, command, output};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;
const RUNS: usize = 100;

pub(super) fn exec(ground: &Ground) -> Result {
    let directory = ground.fresh("exec")?;
    let waiting = WaitingJail::start(ground)?;
    let jaula_root = ground.jaula_root()?;
    let enter = ground.program("enter");
    let mut contenders =
        vec![Contender::new("floor", &[&enter, &waiting.first_process()?.to_string(), "/bin/true", "say"])];
    if let Some(jaula) = &ground.jaula {
        create_and_start(jaula, &jaula_root, ground)?;
        let words = [&*jaula.to_string_lossy(), "exec", "bench", "--", "/bin/true", "say"];
        contenders.push(Contender::new("jaula exec", &words).with_jaula_root(&jaula_root));
    }
    let measured = measured(&contenders, &directory);
    if let Some(jaula) = &ground.jaula {
        output(in_root(jaula, &jaula_root).args(["stop", "bench"]))?;
    }
    let text = format!(
        "`/bin/true` in a running jail; {ROUNDS} interleaved rounds of {RUNS} runs each. The floor\n\
         (`bench/enter.c`) joins all namespaces by pidfd, forks, execs and waits.\n\n{}",
        measured?
    );
    report::write_section("exec", "Exec", &text)
}

fn measured(contenders: &[Contender], directory: &Path) -> Result<String> {
    for contender in contenders {
        contender.must_work()?;
    }
    let times = timing::measure(contenders, ROUNDS, RUNS, directory)?;
    let mut table = String::from(
        "| | median ms | 5 % … 95 % | ÷ floor | system calls | peak KiB |\n| --- | ---: | ---: | ---: | ---: | ---: |\n",
    );
    let mut figures = Vec::new();
    for (contender, taken) in contenders.iter().zip(&times) {
        let (calls, peak) = (contender.system_calls(directory)?, contender.peak_memory(directory)?);
        let (median, low, high) = (taken.median(), taken.percentile(5), taken.percentile(95));
        let ratio = median / times[0].median();
        writeln!(
            table,
            "| {} | {median:.2} | {low:.2} … {high:.2} | {ratio:.2} | {calls} | {peak} |",
            contender.name
        )?;
        figures.push(serde_json::json!({
            "name": contender.name, "runs": taken.count(), "median_ms": median, "p5_ms": low, "p95_ms": high,
            "system_calls": calls, "peak_kib": peak,
        }));
    }
    report::write_json("exec", &figures.into())?;
    Ok(table)
}

fn in_root(jaula: &Path, root: &Path) -> Command {
    let mut command = command(&[jaula]);
    command.env("JAULA_ROOT", root);
    command
}

fn create_and_start(jaula: &Path, jaula_root: &Path, ground: &Ground) -> Result {
    let root = format!("dir:{}", ground.root());
    let words = ["create", "bench", "--root", &root, "--", "/bin/true", "wait"];
    output(in_root(jaula, jaula_root).args(words))?;
    output(in_root(jaula, jaula_root).args(["start", "bench"])).map(drop)
}

/// A jail of the floor's in which a program waits; killed when dropped.
struct WaitingJail(Child);

impl WaitingJail {
    fn start(ground: &Ground) -> Result<Self> {
        let words = [&ground.program("floor"), "--user", &ground.root(), "/bin/true", "wait"];
        Ok(Self(command(&words).stdin(Stdio::null()).spawn()?))
    }

    /// Our number for the jail's first process, once that runs the program.
    fn first_process(&self) -> Result<u32> {
        let floor = self.0.id();
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            let children = fs::read_to_string(format!("/proc/{floor}/task/{floor}/children"))?;
            if let Some(child) = children.split_whitespace().next()
                && fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|name| name == "true\n")
            {
                return Ok(child.parse()?);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Err("the floor's jail did not start".into())
    }
}

impl Drop for WaitingJail {
    fn drop(&mut self) {
        if let Ok(first) = self.first_process() {
            _ = output(&mut command(&["kill", "-KILL", &first.to_string()]));
        }
        _ = self.0.wait();
    }
}
