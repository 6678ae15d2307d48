//! Whoever takes part: a command line that runs a program in a jail.

use crate::shell::{Result, command, output};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One that takes part.
pub(super) struct Contender {
    pub(super) name: String,
    /// The command line, which ends in a `bench/true.c` that says it is there.
    pub(super) words: Vec<String>,
    /// What it needs around it, outside of what is measured.
    around: Vec<String>,
    /// The `JAULA_ROOT` of all its jails, if it is jaula and that matters.
    jaula_root: Option<PathBuf>,
}

impl Contender {
    pub(super) fn new(name: &str, words: &[&str]) -> Self {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Self { name: name.to_owned(), words, around: Vec::new(), jaula_root: None }
    }

    /// Has it work below this `JAULA_ROOT`.
    pub(super) fn with_jaula_root(mut self, root: &Path) -> Self {
        self.jaula_root = Some(root.to_owned());
        self
    }

    /// Runs the measurement in a mount namespace without the empty cgroup v2 that a hybrid host
    /// has beside v1: crun takes such a host for one with v2 and fails. The namespace is
    /// private, so that the host keeps its mount.
    pub(super) fn without_hybrid_cgroups(mut self) -> Self {
        let unified = "/sys/fs/cgroup/unified";
        if Path::new(unified).exists() {
            let script = format!("umount {unified}; exec \"$@\"");
            self.around = ["unshare", "--mount", "sh", "-c", &script, "sh"].map(str::to_owned).to_vec();
        }
        self
    }

    /// The contender run by a measuring program.
    pub(super) fn under(&self, measuring: &[&str]) -> Command {
        self.inside(measuring.iter().copied().chain(self.words.iter().map(String::as_str)))
    }

    /// Hyperfine on the contender: hyperfine takes the command as one word.
    pub(super) fn under_hyperfine(&self, options: &[&str]) -> Command {
        let quoted: Vec<String> = self.words.iter().map(|word| format!("'{word}'")).collect();
        let line = quoted.join(" ");
        self.inside(["hyperfine"].into_iter().chain(options.iter().copied()).chain([line.as_str()]))
    }

    fn inside<'w>(&'w self, words: impl Iterator<Item = &'w str>) -> Command {
        let around = self.around.iter().map(String::as_str);
        let mut command = command(&around.chain(words).collect::<Vec<_>>());
        command.envs(self.jaula_root.iter().map(|root| ("JAULA_ROOT", root)));
        command
    }

    /// Does it really run the program? One that fails early would come out fast.
    pub(super) fn must_work(&self) -> Result {
        let said = output(&mut self.under(&[]))?;
        if said.trim_end() == "here" {
            Ok(())
        } else {
            Err(format!("{} ran nothing: {said:?}", self.name).into())
        }
    }

    /// The system calls of one run, of all its processes.
    pub(super) fn system_calls(&self, directory: &Path) -> Result<u64> {
        let file = directory.join("strace");
        output(&mut self.under(&["strace", "-f", "-qq", "-o", &file.to_string_lossy()]))?;
        // A call that another process's line interrupts has a second line, "<… resumed>".
        let is_call =
            |line: &&str| !line.contains(" resumed>") && !line.contains(" +++ ") && !line.contains(" --- ");
        Ok(u64::try_from(fs::read_to_string(file)?.lines().filter(is_call).count())?)
    }

    /// The greatest resident set in KiB that any one of its processes had.
    pub(super) fn peak_memory(&self, directory: &Path) -> Result<u64> {
        let file = directory.join("memory");
        output(&mut self.under(&["time", "-f", "%M", "-o", &file.to_string_lossy()]))?;
        Ok(fs::read_to_string(file)?.trim().parse()?)
    }
}

/// A bundle for `crun` or `runc`: what its own `spec` writes, with our root and program.
pub(super) fn oci_bundle(runtime: &str, directory: &Path, root: &str) -> Result {
    output(command(&[runtime, "spec"]).current_dir(directory))?;
    let file = directory.join("config.json");
    let mut config: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
    config["process"]["terminal"] = false.into();
    config["process"]["args"] = serde_json::json!(["/bin/true", "say"]);
    config["root"] = serde_json::json!({ "path": root, "readonly": true });
    Ok(fs::write(file, config.to_string())?)
}
