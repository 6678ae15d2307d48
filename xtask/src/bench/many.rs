//! Many jails at once: how start, list and stop grow with their number, what an address for each adds, and what a
//! keeper holds.

use super::contender::Contender;
use super::network::scene::Scene;
use super::plot::{self, Series};
use super::timing::Times;
use super::{Ground, report, timing};
use crate::shell::{Result, command, output, run, top};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const COUNTS: [usize; 5] = [10, 30, 100, 300, 1000];

/// How many have an address each, in which modes, and how often they are started and stopped.
const WITH_ADDRESS: usize = 500;
const MODES: [&str; 3] = ["none", "bind", "routed"];
const ROUNDS: usize = 3;

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
    let mut rows = Vec::new();
    for jails in COUNTS {
        let host = Host { jaula: jaula(ground)?, root: ground.jaula_root()?, scene: None };
        rows.push(host.row(jails, "none", 1, ground)?);
    }
    write(&rows)
}

/// The same with an address for each.
pub(super) fn addresses(ground: &Ground) -> Result {
    let mut rows = Vec::new();
    for mode in MODES {
        let scene = Scene::make()?;
        let host = Host { jaula: jaula(ground)?, root: ground.jaula_root()?, scene: Some(&scene) };
        if mode == "bind" {
            host.has_addresses(WITH_ADDRESS)?;
        }
        rows.push((mode, host.row(WITH_ADDRESS, mode, ROUNDS, ground)?));
    }
    let mut table = String::from(
        "| `network.mode` | start ms | per jail | list ms | stop ms | keeper KiB, median | greatest |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for (mode, row) in &rows {
        writeln!(table, "| {mode} | {} |", row.figures())?;
    }
    let figures: Vec<_> = rows.iter().map(|(mode, row)| row.json(mode)).collect();
    report::write_json("addresses", &figures.into())?;
    let text = format!(
        "{WITH_ADDRESS} jails as above, in a network namespace that stands for a host: with `bind` it has an address \
         for each, with `routed` each has a link. Medians of {ROUNDS} rounds of `start --all` and `stop --all`; no \
         link, rule or route is left after any. `none` is for comparison.\n\n{table}"
    );
    report::write_section("addresses", "Many jails with an address each", &text)
}

fn jaula(ground: &Ground) -> Result<PathBuf> {
    Ok(ground.jaula.clone().ok_or("there is no jaula that starts jails")?)
}

/// The address of a jail.
fn address(number: usize) -> String {
    format!("10.91.{}.{}", number >> 8, number & 255)
}

fn write(rows: &[Row]) -> Result {
    let mut table = String::from(
        "| jails | create ms | start ms | per jail | list ms | stop ms | keeper KiB, median | greatest |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for row in rows {
        writeln!(table, "| {} | {:.0} | {} |", row.jails, row.create, row.figures())?;
    }
    let figures: Vec<_> = rows.iter().map(|row| row.json("none")).collect();
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

impl Row {
    /// As they stand in a table.
    fn figures(&self) -> String {
        let (median, greatest) = self.keeper();
        let each = self.start / float(self.jails);
        format!("{:.0} | {each:.2} | {:.1} | {:.0} | {median} | {greatest}", self.start, self.list, self.stop)
    }

    /// The median and the greatest.
    fn keeper(&self) -> (u64, u64) {
        let at = |n: usize| self.keepers.get(n).copied().unwrap_or(0);
        (at(self.keepers.len() / 2), at(self.keepers.len().saturating_sub(1)))
    }

    fn json(&self, mode: &str) -> serde_json::Value {
        let (median, greatest) = self.keeper();
        serde_json::json!({
            "jails": self.jails, "mode": mode, "create_ms": self.create, "start_ms": self.start,
            "list_ms": self.list, "stop_ms": self.stop, "keeper_median_kib": median,
            "keeper_greatest_kib": greatest,
        })
    }
}

fn float(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// A `JAULA_ROOT`, the jaula that works on it, and the network that it does so in.
struct Host<'a> {
    jaula: PathBuf,
    root: PathBuf,
    scene: Option<&'a Scene>,
}

impl Host<'_> {
    fn command(&self) -> Command {
        let mut command = match self.scene {
            Some(scene) => scene.host(&[&*self.jaula.to_string_lossy()]),
            None => command(&[&self.jaula]),
        };
        command.env("JAULA_ROOT", &self.root);
        command
    }

    /// Gives the host the addresses of that many jails.
    fn has_addresses(&self, jails: usize) -> Result {
        let scene = self.scene.ok_or("no network of its own")?;
        let lines: String = (0..jails).map(|n| format!("address add {}/32 dev lo\n", address(n))).collect();
        let file = self.root.with_extension("addresses");
        fs::write(&file, lines)?;
        run(&mut scene.host(&["ip", "-batch", &file.to_string_lossy()]))
    }

    /// Runs jaula; gives the time in milliseconds.
    fn jaula(&self, words: &[&str]) -> Result<f64> {
        let begun = Instant::now();
        output(self.command().args(words))?;
        Ok(begun.elapsed().as_secs_f64() * 1000.0)
    }

    fn row(&self, jails: usize, mode: &str, rounds: usize, ground: &Ground) -> Result<Row> {
        let row = self.measure(jails, mode, rounds, ground);
        if row.is_err() {
            // Hundreds of running jails must not outlive a failed benchmark.
            _ = self.jaula(&["stop", "--all"]);
        }
        let row = row?;
        println!(
            "bench: {jails} jails, {mode}: start {:.0} ms, list {:.1} ms, stop {:.0} ms",
            row.start, row.list, row.stop
        );
        Ok(row)
    }

    fn measure(&self, jails: usize, mode: &str, rounds: usize, ground: &Ground) -> Result<Row> {
        let root = format!("dir:{}", ground.root());
        let mut create = 0.0;
        for number in 0..jails {
            let (name, ip) = (format!("many{number:04}"), address(number));
            let network = if mode == "none" { vec![] } else { vec!["--ip", &ip] };
            let before = ["create", &name, "--root", &root, "--network", mode];
            create += self.jaula(&[&before[..], &network, &["--", "/bin/true", "wait"]].concat())?;
        }
        let (mut start, mut stop) = (Vec::new(), Vec::new());
        let (mut list, mut keepers) = (0.0, Vec::new());
        let before = self.network()?;
        for round in 1..=rounds {
            start.push(self.jaula(&["start", "--all"])?);
            if round == rounds {
                list = self.list()?;
                keepers = self.keepers()?;
                if keepers.len() != jails {
                    return Err(format!("{jails} jails, but {} keepers", keepers.len()).into());
                }
            }
            stop.push(self.jaula(&["stop", "--all"])?);
            self.must_be_gone()?;
            if self.network()? != before {
                return Err(format!("left in the network: {}, before: {before}", self.network()?).into());
            }
        }
        self.jaula(&["delete", "--all", "--yes"])?;
        let (start, stop) = (Times::new(start).median(), Times::new(stop).median());
        Ok(Row { jails, create, start, list, stop, keepers })
    }

    /// What the host has of networks.
    fn network(&self) -> Result<String> {
        let look =
            "ip -o link | wc -l; ip -o address | wc -l; ip route show table all | wc -l; nft list ruleset";
        match self.scene {
            Some(scene) => output(&mut scene.host(&["sh", "-c", look])),
            None => Ok(String::new()),
        }
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
