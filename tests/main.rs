//! The runner of all tests of jaula: `cargo xtask test [FILTER]`.
#![forbid(unsafe_code)]

mod confinement;
mod declared;
mod escapes;
mod faults;
mod ground;
mod isolation;
mod keeper;
mod lifecycle;
mod selftest;

use std::process::ExitCode;

fn main() -> ExitCode {
    let areas = [
        selftest::trials(),
        escapes::trials(),
        isolation::trials(),
        confinement::trials(),
        lifecycle::trials(),
        faults::trials(),
        keeper::trials(),
    ];
    jaula_tests::harness::run(areas.into_iter().flatten().collect())
}
