//! How much a program is slowed down by being watched.

use super::{Ground, report};
use crate::shell::{Result, command, output};
use std::fmt::Write;
use std::fs;
use std::path::Path;

const ROUNDS: usize = 3;
const DIRECTORIES: usize = 500;
const FILES: usize = 100;

pub(super) fn trace(ground: &Ground) -> Result {
    let jaula = ground.jaula.as_ref().ok_or("there is no jaula that starts jails")?;
    let directory = ground.fresh("trace")?;
    let many = directory.join("many");
    for n in 0..DIRECTORIES {
        let place = many.join(n.to_string());
        fs::create_dir_all(&place)?;
        for file in 0..FILES {
            fs::write(place.join(file.to_string()), "x")?;
        }
    }
    let source = directory.join("hello.c");
    fs::write(&source, "#include <stdio.h>\nint main(void) { puts(\"hello\"); }\n")?;
    let [many, source, built] = [many, source, directory.join("hello")].map(|p| p.display().to_string());
    let read = format!("import glob\nfor f in glob.glob({many:?} + '/*/*'): open(f).read()");
    let programs: [(&str, Vec<&str>); 5] = [
        (
            "python3, ten modules",
            vec![
                "python3",
                "-B",
                "-c",
                "import json, ssl, asyncio, email, sqlite3, unittest, csv, zipfile, uuid, http.client",
            ],
        ),
        ("find, 500 directories", vec!["find", &many, "-name", "x"]),
        ("python3, 50,000 files read", vec!["python3", "-B", "-c", &read]),
        ("gcc, a small program", vec!["gcc", "-O2", "-o", &built, &source]),
        ("sh, 200 programs", vec!["sh", "-c", "i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i+1)); done"]),
    ];
    let jaula = jaula.display().to_string();
    let watchers: [(&str, Vec<&str>); 4] = [
        ("alone", vec![]),
        ("`jaula trace`", vec![&jaula, "trace", "--json"]),
        ("`strace -f`", vec!["strace", "-f", "-o", "/dev/null"]),
        (
            "`strace -f --seccomp-bpf`",
            vec!["strace", "-f", "--seccomp-bpf", "-e", "trace=%file,%process,%network", "-o", "/dev/null"],
        ),
    ];
    let mut table = String::from("| |");
    watchers.iter().try_for_each(|(name, _)| write!(table, " {name} |"))?;
    table.push_str("\n| --- | ---: | ---: | ---: | ---: |\n");
    let mut figures = Vec::new();
    for (name, program) in &programs {
        let mut times = vec![Vec::new(); watchers.len()];
        for _ in 0..ROUNDS {
            for ((_, watcher), times) in watchers.iter().zip(&mut times) {
                times.push(one(watcher, program, &directory, ground)?);
            }
        }
        write!(table, "| {name} |")?;
        for ((watcher, _), mut times) in watchers.iter().zip(times) {
            times.sort_by(|a, b| a.0.total_cmp(&b.0));
            let (wall, processor) = times[ROUNDS / 2];
            write!(table, " {wall:.2} ({processor:.2}) |")?;
            figures.push(serde_json::json!({
                "program": name, "watcher": watcher, "seconds": wall, "processor_seconds": processor,
            }));
        }
        table.push('\n');
    }
    report::write_json("trace", &figures.into())?;
    let text = format!(
        "Seconds from start to end, and in brackets of processor time, all processes together; the median of {ROUNDS}\n\
         interleaved rounds. `jaula trace` includes making and removing the jail, and\n\
         the review of what was seen. strace writes to `/dev/null`; with\n\
         `--seccomp-bpf` it stops the program at the calls on files, processes and networks only, by ptrace, as any\n\
         tracer by ptrace would have to.\n\n{table}"
    );
    report::write_section("trace", "Trace", &text)
}

/// Wall and processor seconds of one run.
fn one(watcher: &[&str], program: &[&str], directory: &Path, ground: &Ground) -> Result<(f64, f64)> {
    let file = directory.join("time").display().to_string();
    let time = ["time", "-f", "%e %U %S", "-o", &file];
    let mut run = command(&[&time, watcher, program].concat());
    output(run.env("JAULA_ROOT", ground.jaula_root()?))?;
    let text = fs::read_to_string(&file)?;
    let line = text.lines().last().unwrap_or_default();
    let seconds: Vec<f64> = line.split(' ').map(str::parse).collect::<std::result::Result<_, _>>()?;
    match seconds[..] {
        [wall, user, system] => Ok((wall, user + system)),
        _ => Err(format!("time said {text:?}").into()),
    }
}
