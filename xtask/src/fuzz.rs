//! Coverage-guided fuzzing of the parsers, with the stable compiler.
//!
//! cargo-fuzz asks for a nightly compiler, for its sanitizers. LLVM's coverage counters, which
//! are what guides the search, need none, and in code without `unsafe` there is nothing for an
//! address sanitizer to find.

use crate::shell::{Result, command, output, target, top, typed};
use std::fs;
use std::path::PathBuf;

/// What makes LLVM count edges and comparisons; the panics that release builds leave out are on.
const FLAGS: &str = "--cfg fuzzing -C debug-assertions -C overflow-checks -C codegen-units=1 \
    -C passes=sancov-module -C llvm-args=-sanitizer-coverage-level=4 \
    -C llvm-args=-sanitizer-coverage-inline-8bit-counters \
    -C llvm-args=-sanitizer-coverage-pc-table -C llvm-args=-sanitizer-coverage-trace-compares";

/// `fuzz [TARGET] [--seconds N]`
pub(crate) fn fuzz(words: &[&str]) -> Result {
    let (wanted, seconds) = match *words {
        [] => (None, 60),
        ["--seconds", seconds] => (None, seconds.parse()?),
        [target] => (Some(target), 60),
        [target, "--seconds", seconds] => (Some(target), seconds.parse()?),
        _ => return Err("usage: cargo xtask fuzz [TARGET] [--seconds N]".into()),
    };
    let targets = targets()?;
    if let Some(wanted) = wanted.filter(|wanted| !targets.iter().any(|target| target == wanted)) {
        return Err(format!("no target {wanted:?}; there are: {}", targets.join(" ")).into());
    }
    for target in targets.iter().filter(|target| wanted.is_none_or(|wanted| wanted == *target)) {
        one(target, seconds)?;
    }
    Ok(())
}

/// Every file in `fuzz/targets` is a target.
pub(crate) fn targets() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(top().join("fuzz/targets"))? {
        let path = entry?.path();
        names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// Fuzzes one target from its seeds and from what earlier runs found worth keeping.
pub(crate) fn one(name: &str, seconds: u32) -> Result {
    let binary = build(name)?;
    // What is found is kept below target; a seed is added to the repository by hand.
    let (corpus, crashes) =
        (target().join("fuzz/corpus").join(name), target().join("fuzz/crashes").join(name));
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&crashes)?;
    let mut fuzzer = command(&[binary]);
    fuzzer.arg(format!("-max_total_time={seconds}")).arg(format!("-artifact_prefix={}/", crashes.display()));
    fuzzer.args(["-timeout=5", "-rss_limit_mb=1024", "-verbosity=0", "-print_final_stats=1"]);
    let done = fuzzer.arg(corpus).arg(top().join("fuzz/seeds").join(name)).output()?;
    let said = String::from_utf8_lossy(&done.stderr);
    if !done.status.success() {
        return Err(format!("{}: {}\n{said}", typed(&fuzzer), done.status).into());
    }
    let inputs = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    println!("fuzz: {name}: {} inputs in {seconds} s, no crash", inputs.unwrap_or("?").trim());
    Ok(())
}

fn build(name: &str) -> Result<PathBuf> {
    let directory = target().join("fuzz");
    output(
        command(&["cargo", "build", "--release", "--bin", name])
            .current_dir(top().join("fuzz"))
            .env("RUSTFLAGS", FLAGS)
            .env("CARGO_TARGET_DIR", &directory),
    )?;
    // The triple's directory is there because the work tree names a target.
    let triple = output(&mut command(&["rustc", "--print", "host-tuple"]))?;
    Ok(directory.join(triple.trim()).join("release").join(name))
}
