//! Developer tasks: `cargo xtask` lists them.
#![forbid(unsafe_code)]

mod bench;
mod debian;
mod docs;
mod fuzz;
mod lab;
mod order;
mod release;
mod setup;
mod shell;
mod templates;
mod test;

use shell::Result;
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask setup                         install what tests and benchmarks need
cargo xtask test [FILTER]                 check, build, test; with FILTER only the tests so named
cargo xtask bench WHAT                    measure start, exec, many, addresses, trace, app, store, unpack, boot, network or all, for docs/benchmarks.md
cargo xtask lab make|run CMD…|test [FILTER]|shell   a virtual machine with systemd, cgroup v2, AppArmor, quota
cargo xtask build                         the program for installing: static, for musl; says where it is
cargo xtask fuzz [TARGET] [--seconds N]   feed the parsers with mutated input (60 s each)
cargo xtask docs                          write the generated documents
cargo xtask order                         run the release build step by step, for the order of its functions";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result {
    match words {
        ["setup"] => setup::setup(),
        ["test"] => test::all(),
        ["test", filter] => test::filtered(filter),
        ["bench", which] => bench::bench(which),
        ["lab", rest @ ..] => lab::lab(rest),
        ["fuzz", rest @ ..] => fuzz::fuzz(rest),
        ["build"] => release::build().map(|path| println!("{}", path.display())),
        ["docs"] => docs::docs(),
        ["order"] => order::order(),
        _ => Err(format!("no such task\n\n{USAGE}").into()),
    }
}
