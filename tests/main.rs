//! The runner of all tests of jaula: `cargo xtask test [FILTER]`.
#![forbid(unsafe_code)]

mod escapes;
mod exec;
mod ground;
mod selftest;

use std::process::ExitCode;

fn main() -> ExitCode {
    let areas = [selftest::trials(), escapes::trials(), exec::trials()];
    jaula_tests::harness::run(areas.into_iter().flatten().collect())
}
