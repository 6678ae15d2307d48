//! Runs all trials and compares the host before with the host after.

use super::host::Snapshot;
use libtest_mimic::{Arguments, Trial};
use std::fs::File;
use std::process::ExitCode;
use std::time::Duration;

/// Runs the trials that the command line chooses. Fails if one of them does, or if anything is
/// on the host afterwards that was not there before. With `JAULA_TESTS_PREPARE` it only makes what the trials
/// would compile.
pub fn run(trials: Vec<Trial>) -> ExitCode {
    if std::env::var_os("JAULA_TESTS_PREPARE").is_some() {
        return match super::build::programs() {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                println!("error: {why:?}");
                ExitCode::FAILURE
            }
        };
    }
    let arguments = Arguments::from_args();
    if arguments.list || !rustix::process::geteuid().is_root() {
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    // Two runs on one machine would each find the other's jails.
    let _alone = File::create("/run/lock/jaula-tests").and_then(|file| file.lock().map(|()| file));
    let before = Snapshot::take();
    let conclusion = libtest_mimic::run(&arguments, trials);
    let left = Snapshot::settle(Duration::from_secs(5), || Snapshot::take().since(&before));
    if left.is_empty() {
        println!("the host is as it was");
        conclusion.exit_code()
    } else {
        println!("error: {}", left.as_left_behind());
        ExitCode::from(101)
    }
}
