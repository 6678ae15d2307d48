//! The runner of all tests of jaula: `cargo xtask test [FILTER]`.
#![forbid(unsafe_code)]

mod confinement;
mod escapes;
mod ground;
mod isolation;
mod manage;
mod selftest;

use std::process::ExitCode;

fn main() -> ExitCode {
    let areas =
        [selftest::trials(), escapes::trials(), isolation::trials(), confinement::trials(), manage::trials()];
    jaula_tests::harness::run(areas.into_iter().flatten().collect())
}
