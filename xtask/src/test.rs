//! All checks and tests, counted.

use crate::shell::{self, Result, command, typed};
use crate::{fuzz, lab, release, setup};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

/// What was done; a check such as the formatter's counts as one test.
#[derive(Default)]
struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
    /// Why each skipped test did not run.
    reasons: Vec<String>,
    /// Checks and test binaries that failed.
    failures: Vec<String>,
}

/// Everything that a change must pass.
pub(crate) fn all() -> Result {
    setup::setup()?;
    let mut tally = Tally::default();
    tally.check("formatting", &mut command(&["cargo", "fmt", "--all", "--check"]));
    tally.check("clippy", &mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]));
    tally.outcome("release build", || release::build().map(drop));
    // Those that need the lab come last, in it.
    tally.tests(&mut cargo(&["test", "--workspace", "--no-fail-fast", "--", "--skip=lab::"]));
    tally.check(
        "licences, bans, sources",
        &mut command(&["cargo", "deny", "check", "licenses", "bans", "sources"]),
    );
    tally.advisories();
    for target in fuzz::targets()? {
        tally.outcome(&format!("fuzz {target}"), || fuzz::one(&target, 10));
    }
    tally.lab();
    tally.close()
}

/// The tests whose names contain this, and nothing else.
pub(crate) fn filtered(filter: &str) -> Result {
    setup::setup()?;
    let mut tally = Tally::default();
    tally.outcome("release build", || release::build().map(drop));
    tally.tests(&mut cargo(&["test", "--workspace", "--no-fail-fast", filter]));
    tally.close()
}

fn cargo(args: &[&str]) -> Command {
    command(&[&["cargo"], args].concat())
}

impl Tally {
    /// Runs one check and says how it went and how long it took.
    fn outcome(&mut self, name: &str, check: impl FnOnce() -> Result) {
        println!("== {name}");
        let begun = Instant::now();
        match check() {
            Ok(()) => {
                println!("== {name}: passed in {:.0} s", begun.elapsed().as_secs_f64());
                self.passed += 1;
            }
            Err(error) => {
                println!("== {name}: FAILED: {error}");
                self.failed += 1;
                self.failures.push(name.to_owned());
            }
        }
    }

    fn check(&mut self, name: &str, command: &mut Command) {
        self.outcome(name, || shell::run(command));
    }

    fn skip(&mut self, reason: String) {
        self.skipped += 1;
        self.reasons.push(reason);
    }

    /// Runs cargo test on the release build of jaula and adds up what the test binaries count.
    fn tests(&mut self, command: &mut Command) {
        let failed_before = self.failed;
        println!("== tests");
        match self.count(command) {
            // A run can fail without a failed test: leftovers on the host, a crashed binary.
            Ok(false) if self.failed == failed_before => {
                self.failed += 1;
                self.failures.push(format!("{}: see above", typed(command)));
            }
            Ok(_) => {}
            Err(error) => {
                self.failed += 1;
                self.failures.push(error.to_string());
            }
        }
    }

    fn count(&mut self, command: &mut Command) -> Result<bool> {
        let mut child = command.env("JAULA_BIN", release::path()?).stdout(Stdio::piped()).spawn()?;
        for line in BufReader::new(child.stdout.take().ok_or("no output")?).lines() {
            let line = line?;
            println!("{line}");
            self.read(&line);
        }
        Ok(child.wait()?.success())
    }

    /// One line of a test binary: `test result: ok. 3 passed; 0 failed; 1 ignored; …`, or why a
    /// test was skipped: `test NAME ... ignored, REASON` from the standard harness, `test [KIND]
    /// NAME ... ignored (REASON)` from the product's.
    fn read(&mut self, line: &str) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            let number = |word: &str| {
                let before = counts.split_once(word).map_or("", |(before, _)| before);
                before.split_whitespace().last().and_then(|number| number.parse::<u64>().ok()).unwrap_or(0)
            };
            self.passed += number(" passed");
            self.failed += number(" failed");
            self.skipped += number(" ignored");
        } else if let Some((test, reason)) = line.split_once("... ignored") {
            let reason = reason.trim_matches([',', ' ', '(', ')']);
            let reason = if reason.is_empty() { "no reason given" } else { reason };
            self.reasons.push(format!("{}: {reason}", test.trim_start_matches("test ").trim()));
        } else if let Some((test, "FAILED")) = line.split_once("... ") {
            self.failures.push(test.trim_start_matches("test ").trim().to_owned());
        }
    }

    /// The tests that need the lab, in it. A machine on which none can be made skips them.
    fn lab(&mut self) {
        println!("== tests in the lab");
        let failed_before = self.failed;
        let disks = match lab::ready() {
            Ok(disks) => disks,
            Err(error) => {
                let error = error.to_string();
                let last = error.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
                return self.skip(format!("the lab: none can be made here: {last}"));
            }
        };
        let mut each_line = |line: &str| {
            println!("{line}");
            self.read(line);
        };
        match lab::selected(&disks, &mut each_line) {
            Ok(0) => {}
            Ok(_) if self.failed > failed_before => {}
            Ok(status) => self.failure(format!("the lab's tests: status {status}: see above")),
            Err(error) => self.failure(format!("the lab's tests: {error}")),
        }
    }

    fn failure(&mut self, what: String) {
        println!("== {what}");
        self.failed += 1;
        self.failures.push(what);
    }

    /// Known holes in dependencies. Their list comes from the network, which may not have it.
    fn advisories(&mut self) {
        let name = "advisories";
        let fetched = shell::output(&mut command(&["cargo", "deny", "fetch", "db"]));
        match fetched {
            Ok(_) => {
                self.check(name, &mut command(&["cargo", "deny", "check", "--disable-fetch", "advisories"]))
            }
            Err(_) => self.skip(format!("{name}: the advisory database cannot be fetched from here")),
        }
    }

    /// The closing lines.
    fn close(self) -> Result {
        println!();
        self.reasons.iter().for_each(|reason| println!("skipped: {reason}"));
        self.failures.iter().for_each(|failure| println!("failed: {failure}"));
        println!("\n{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped);
        if self.failed == 0 { Ok(()) } else { Err("not everything passed".into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn test_binaries_are_added_up() {
        let mut tally = Tally::default();
        for line in [
            "test a ... ok",
            "test b ... ignored, slow",
            "test c ... ignored",
            "test d ... FAILED",
            "test result: FAILED. 1 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.1s",
            "test [privileged] x::y ... ignored (no nft here)",
            "test [pure]       x::z ... ok",
            "test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        ] {
            tally.read(line);
        }
        assert_eq!((tally.passed, tally.failed, tally.skipped), (2, 1, 3));
        assert_eq!(tally.reasons, ["b: slow", "c: no reason given", "[privileged] x::y: no nft here"]);
        assert_eq!(tally.failures, ["d"]);
    }
}
