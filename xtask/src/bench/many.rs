//! Many jails at once: how start, list and stop grow with their number, and what a keeper holds.

use super::contender::Contender;
use super::plot::{self, Series};
use super::{Ground, report, timing};
use crate::shell::{Result, command, output, top};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const COUNTS: [usize; 5] = [10, 30, 100, 300, 1000];

/// What one number of jails took; times in milliseconds.
struct Row {
    jails: usize,
    create: f64,
    start: f64,
    list: f64,
    stop: f64,
    /// Private memory of each keeper in KiB, sorted.
    keepers: Vec<u64>,
}

pub(super) fn many(ground: &Ground) -> Result {
    let jaula = ground.jaula.as_ref().ok_or("bench many needs a jaula that starts jails")?;
    let mut rows = Vec::new();
    for jails in COUNTS {
        let host = Host { jaula: jaula.clone(), root: ground.jaula_root()? };
        let row = host.measure(jails, ground);
        if row.is_err() {
            // Hundreds of running jails must not outlive a failed benchmark.
            _ = host.jaula(&["stop", "--all"]);
        }
        let row = row?;
        println!(
            "bench: {jails} jails: start {:.0} ms, list {:.1} ms, stop {:.0} ms",
            row.start, row.list, row.stop
        );
        rows.push(row);
    }
    write(&rows)
}

fn write(rows: &[Row]) -> Result {
    let mut table = String::from(
        "| jails | create ms | start ms | per jail | list ms | stop ms | keeper KiB, median | greatest |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    let mut figures = Vec::new();
    for row in rows {
        let (median, greatest) = (row.keepers.get(row.keepers.len() / 2), row.keepers.last());
        let (median, greatest) = (median.copied().unwrap_or(0), greatest.copied().unwrap_or(0));
        let each = row.start / float(row.jails);
        writeln!(
            table,
            "| {} | {:.0} | {:.0} | {each:.2} | {:.1} | {:.0} | {median} | {greatest} |",
            row.jails, row.create, row.start, row.list, row.stop,
        )?;
        figures.push(serde_json::json!({
            "jails": row.jails, "create_ms": row.create, "start_ms": row.start, "list_ms": row.list,
            "stop_ms": row.stop, "keeper_median_kib": median, "keeper_greatest_kib": greatest,
        }));
    }
    report::write_json("many", &figures.into())?;
    let series = |name: &str, of: fn(&Row) -> f64| Series {
        name: name.to_owned(),
        points: rows.iter().map(|row| (float(row.jails), of(row))).collect(),
    };
    let plot = plot::log_log(
        "jails",
        "milliseconds",
        &[
            series("start --all", |row| row.start),
            series("stop --all", |row| row.stop),
            series("list", |row| row.list),
        ],
    );
    fs::write(top().join("docs/many.svg"), plot)?;
    let text = format!(
        "Jails that wait, from one read-only root: `start --all`, `list --json` (median of 30), `stop --all`;\n\
         nothing of them is left afterwards. A keeper's memory is what it shares with nobody.\n\n\
         {table}\n![Time to start, stop and list over the number of jails](many.svg)"
    );
    report::write_section("many", "Many jails", &text)
}

fn float(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// A `JAULA_ROOT` and the jaula that works on it.
struct Host {
    jaula: PathBuf,
    root: PathBuf,
}

impl Host {
    fn command(&self) -> Command {
        let mut command = command(&[&self.jaula]);
        command.env("JAULA_ROOT", &self.root);
        command
    }

    /// Runs jaula; gives the time in milliseconds.
    fn jaula(&self, words: &[&str]) -> Result<f64> {
        let begun = Instant::now();
        output(self.command().args(words))?;
        Ok(begun.elapsed().as_secs_f64() * 1000.0)
    }

    fn measure(&self, jails: usize, ground: &Ground) -> Result<Row> {
        let root = format!("dir:{}", ground.root());
        let mut create = 0.0;
        for number in 0..jails {
            let name = format!("many{number:04}");
            create += self.jaula(&[
                "create",
                &name,
                "--root",
                &root,
                "--network",
                "none",
                "--",
                "/bin/true",
                "wait",
            ])?;
        }
        let start = self.jaula(&["start", "--all"])?;
        let list = self.list()?;
        let keepers = self.keepers()?;
        if keepers.len() != jails {
            return Err(format!("{jails} jails, but {} keepers", keepers.len()).into());
        }
        let stop = self.jaula(&["stop", "--all"])?;
        self.must_be_gone()?;
        self.jaula(&["delete", "--all", "--yes"])?;
        Ok(Row { jails, create, start, list, stop, keepers })
    }

    /// The median time of `list --json`.
    fn list(&self) -> Result<f64> {
        let list = Contender::new("list", &[&*self.jaula.to_string_lossy(), "list", "--json"]);
        let list = list.with_jaula_root(&self.root);
        Ok(timing::measure(&[list], 1, 30, &self.root)?.first().map_or(f64::NAN, timing::Times::median))
    }

    /// The private memory in KiB of each of our keepers, sorted (proc_pid_smaps_rollup(5)).
    fn keepers(&self) -> Result<Vec<u64>> {
        let mut sizes = Vec::new();
        for process in self.processes()? {
            let maps = fs::read_to_string(process.join("smaps_rollup"))?;
            let private = maps.lines().filter(|line| line.starts_with("Private_"));
            sizes.push(private.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum());
        }
        sizes.sort_unstable();
        Ok(sizes)
    }

    /// Processes that run our jaula on our root: when no command runs, these are keepers.
    fn processes(&self) -> Result<Vec<PathBuf>> {
        let binary = self.jaula.canonicalize()?;
        let root = format!("JAULA_ROOT={}", self.root.display());
        let ours = |process: &Path| {
            let environment = fs::read(process.join("environ")).unwrap_or_default();
            fs::read_link(process.join("exe")).is_ok_and(|exe| exe == binary)
                && environment.split(|byte| *byte == 0).any(|variable| variable == root.as_bytes())
        };
        Ok(fs::read_dir("/proc")?.flatten().map(|entry| entry.path()).filter(|path| ours(path)).collect())
    }

    fn must_be_gone(&self) -> Result {
        let processes = self.processes()?.len();
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let mounts = mounts.lines().filter(|line| line.contains(&*self.root.to_string_lossy())).count();
        let cgroups =
            output(&mut command(&["find", "/sys/fs/cgroup", "-type", "d", "-name", "*many[0-9]*"]))?;
        let cgroups = cgroups.lines().count();
        if processes + mounts + cgroups == 0 {
            return Ok(());
        }
        Err(format!("left behind: {processes} processes, {mounts} mounts, {cgroups} cgroups").into())
    }
}
