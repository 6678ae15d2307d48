//! Times, measured by hyperfine in interleaved rounds.

use super::contender::Contender;
use crate::shell::{Result, output};
use std::fs;
use std::path::Path;

/// How long many runs of one contender took, in milliseconds, sorted.
pub(super) struct Times(Vec<f64>);

impl Times {
    pub(super) fn new(mut milliseconds: Vec<f64>) -> Self {
        milliseconds.sort_by(f64::total_cmp);
        Self(milliseconds)
    }

    /// The time that this many hundredths of the runs do not exceed.
    pub(super) fn percentile(&self, hundredths: usize) -> f64 {
        let last = self.0.len().saturating_sub(1);
        self.0.get(last * hundredths / 100).copied().unwrap_or(f64::NAN)
    }

    pub(super) fn median(&self) -> f64 {
        self.percentile(50)
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

/// Measures all contenders `rounds` times `runs`. In each round everyone has a turn, and each
/// round begins with another one, so that whatever else the machine does meets all alike.
pub(super) fn measure(
    contenders: &[Contender],
    rounds: usize,
    runs: usize,
    directory: &Path,
) -> Result<Vec<Times>> {
    let mut times = vec![Vec::new(); contenders.len()];
    for round in 0..rounds {
        for turn in 0..contenders.len() {
            let who = (turn + round) % contenders.len();
            times[who].extend(one_turn(&contenders[who], runs, directory)?);
        }
        println!("bench: round {} of {rounds}", round + 1);
    }
    Ok(times.into_iter().map(Times::new).collect())
}

fn one_turn(contender: &Contender, runs: usize, directory: &Path) -> Result<Vec<f64>> {
    let file = directory.join("hyperfine.json");
    let (path, runs) = (file.to_string_lossy(), runs.to_string());
    let options = ["-N", "--style", "none", "--warmup", "5", "--runs", &runs, "--export-json", &path];
    output(&mut contender.under_hyperfine(&options))?;
    let measured: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
    let seconds = measured["results"][0]["times"].as_array().ok_or("hyperfine wrote no times")?;
    Ok(seconds.iter().filter_map(serde_json::Value::as_f64).map(|seconds| seconds * 1000.0).collect())
}
