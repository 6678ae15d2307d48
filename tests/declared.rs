//! A jail that stays, as tests declare it: by a file in their house.

use jaula_tests::harness::{Done, Outcome, Snapshot, Test, busybox_root, c_program, command};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long something that comes about by itself may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// A declared jail.
pub(crate) struct Declared<'t> {
    t: &'t Test,
    pub(crate) name: String,
}

impl<'t> Declared<'t> {
    /// A jail that is declared otherwise.
    pub(crate) fn known(t: &'t Test, name: &str) -> Self {
        Self { t, name: name.to_owned() }
    }

    /// A jail of busybox that runs this command. `more` is put into `[boot]`.
    pub(crate) fn command(t: &'t Test, word: &str, command: &[&str], more: &str) -> Outcome<Self> {
        let jail = Self { t, name: t.name(word) };
        jail.declare(command, more, "")?;
        Ok(jail)
    }

    /// One that jaula makes itself.
    pub(crate) fn named(t: &'t Test, word: &str) -> Self {
        Self { t, name: t.name(word) }
    }

    /// The same with a line of shell.
    pub(crate) fn shell(t: &'t Test, word: &str, script: &str, more: &str) -> Outcome<Self> {
        Self::command(t, word, &["/bin/sh", "-c", script], more)
    }

    /// A jail that does nothing for a long time.
    pub(crate) fn idle(t: &'t Test, word: &str) -> Outcome<Self> {
        Self::command(t, word, &["/bin/sleep", "1000"], "")
    }

    /// Declares it anew. `before` is put before the tables.
    pub(crate) fn declare(&self, command: &[&str], more: &str, before: &str) -> Outcome {
        let root = format!("dir:{}", busybox_root()?.display());
        // A text of JSON is one of TOML.
        let command = serde_json::to_string(command)?;
        let text = format!(
            "{before}\n[root]\nfrom = {root:?}\nwrites = \"refused\"\n[boot]\ncommand = {command}\n{more}\n"
        );
        self.write_config(&text)
    }

    pub(crate) fn write_config(&self, text: &str) -> Outcome {
        let directory = self.t.root().join("etc/jaula/jails");
        fs::create_dir_all(&directory)?;
        Ok(fs::write(directory.join(format!("{}.toml", self.name)), text)?)
    }

    /// `jaula VERB NAME …`
    pub(crate) fn jaula(&self, verb: &str, more: &[&str]) -> Outcome<Done> {
        self.t.jaula().run(&[&[verb, &self.name], more].concat())
    }

    /// Starts it, which must succeed without a word.
    pub(crate) fn start(&self) -> Outcome {
        let done = self.jaula("start", &[])?;
        match (done.status.success(), done.stdout.is_empty() && done.stderr.is_empty()) {
            (true, true) => Ok(()),
            _ => Err(format!("not started without a word: {done}").into()),
        }
    }

    /// Stops it, which must succeed, and leave nothing.
    pub(crate) fn stop(&self) -> Outcome {
        self.jaula("stop", &[])?.ok()?;
        self.is_gone()
    }

    /// Stops it in a house that is a mount of the test's own; its run directory is gone.
    pub(crate) fn stop_on_a_disk(&self) -> Outcome {
        self.jaula("stop", &[])?.ok()?;
        if self.run().exists() { Err("stopped, but its run directory is there".into()) } else { Ok(()) }
    }

    /// Ends it at once, for one that would take its time.
    pub(crate) fn end(&self) -> Outcome {
        self.jaula("stop", &["--timeout", "0"])?.ok()?;
        self.is_gone()
    }

    /// Starts a command and goes on.
    pub(crate) fn spawn(&self, verb: &str, more: &[&str]) -> Outcome<Child> {
        let mut command = self.t.jaula().command([&[verb, self.name.as_str()], more].concat())?;
        Ok(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
    }

    /// What a running jail has.
    pub(crate) fn run(&self) -> PathBuf {
        self.t.root().join("run/jaula").join(&self.name)
    }

    /// What it keeps.
    pub(crate) fn kept(&self) -> PathBuf {
        self.t.root().join("var/lib/jaula/jails").join(&self.name)
    }

    /// What jaula knows of the running jail.
    pub(crate) fn state(&self) -> Option<Value> {
        // Behind the first line is the filter.
        let file = fs::read(self.run().join("state")).ok()?;
        serde_json::from_slice(file.split(|byte| *byte == b'\n').next()?).ok()
    }

    pub(crate) fn phase(&self) -> Option<String> {
        Some(self.state()?["phase"].as_str()?.to_owned())
    }

    /// Its first process, on the host.
    pub(crate) fn first(&self) -> Outcome<i32> {
        self.process("first")
    }

    /// Its keeper.
    pub(crate) fn keeper(&self) -> Outcome<i32> {
        self.process("keeper")
    }

    /// One of the two.
    pub(crate) fn process(&self, who: &str) -> Outcome<i32> {
        let state = self.state().ok_or("the jail has no state")?;
        let pid = state[who]["pid"].as_i64().ok_or_else(|| format!("no {who} in {state}"))?;
        Ok(i32::try_from(pid)?)
    }

    /// How it ended last.
    pub(crate) fn last(&self) -> Outcome<Value> {
        let path = self.kept().join("last.json");
        let text = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// The log of its console, without carriage returns.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.kept().join("console.log")).unwrap_or_default().replace('\r', "")
    }

    /// Waits until its log has this text.
    pub(crate) fn says(&self, text: &str) -> Outcome {
        until(&format!("{text:?} in the log"), || self.log().contains(text).then_some(()))
            .map_err(|_| format!("{text:?} is not in the log: {:?}", self.log()).into())
    }

    /// Its control group of version 2.
    pub(crate) fn group(&self) -> Outcome<PathBuf> {
        let journal = fs::read_to_string(self.run().join("journal"))?;
        let mut groups = journal.lines().filter_map(|line| line.strip_prefix("cgroup "));
        Ok(groups.next().ok_or("the jail has no control group")?.into())
    }

    /// All processes inside.
    pub(crate) fn processes(&self) -> Outcome<Vec<i32>> {
        let list = fs::read_to_string(self.group()?.join("cgroup.procs"))?;
        Ok(list.lines().filter_map(|line| line.parse().ok()).collect())
    }

    /// Nothing of it runs, and of what running jails have nothing is there.
    pub(crate) fn is_gone(&self) -> Outcome {
        nothing_left(self.t)
    }
}

/// Of this test nothing is on the host, and its house has no number in use.
pub(crate) fn nothing_left(t: &Test) -> Outcome {
    let left = Snapshot::settle(Duration::from_secs(3), || t.left_behind());
    if left.is_empty() { Ok(()) } else { Err(left.as_left_behind().into()) }
}

/// Puts a template of busybox there.
pub(crate) fn busybox_template(place: &Path) -> Outcome {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(place)?;
    command(&["cp", "-a", &busybox_root()?.to_string_lossy(), &place.join("tree").to_string_lossy()])?
        .ok()?;
    Ok(fs::write(
        place.join("template.toml"),
        "origin = \"dir:/small\"\narchitecture = \"x86_64\"\ndistribution = \"\"\nversion = \"\"\ninit = \"\"\nsize = 1000000\n",
    )?)
}

/// Waits until something is there.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> Outcome<T> {
    let deadline = Instant::now() + PATIENCE;
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if Instant::now() > deadline {
            return Err(format!("waited in vain for {what}").into());
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Does this process run? One that nobody has waited for does not.
pub(crate) fn runs(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z') && !rest.starts_with('X'))
}

/// Sends a signal to a process that the test knows.
pub(crate) fn signal(pid: i32, signal: rustix::process::Signal) -> Outcome {
    let pid = rustix::process::Pid::from_raw(pid).ok_or("no process has the number 0")?;
    Ok(rustix::process::kill_process(pid, signal)?)
}

/// Kills a process and waits until it is gone.
pub(crate) fn kill(pid: i32) -> Outcome {
    signal(pid, rustix::process::Signal::KILL)?;
    until("the end of a killed process", || (!runs(pid)).then_some(()))
}

/// The end of a command that was spawned: its status and what it wrote to standard error.
pub(crate) fn finish(child: Child) -> Outcome<(i32, String)> {
    let output = child.wait_with_output()?;
    let status = output.status.code().ok_or_else(|| format!("ended by a signal: {output:?}"))?;
    Ok((status, String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// An error is one line of what failed, with these words in it, and at most one of help.
pub(crate) fn one_line(said: &str, words: &[&str]) -> Outcome {
    let lines: Vec<&str> = said.lines().collect();
    let plain = match lines[..] {
        [error] => error.starts_with("error: "),
        [error, help] => error.starts_with("error: ") && help.starts_with("help: "),
        _ => false,
    };
    match words.iter().find(|word| !said.contains(**word)) {
        None if plain => Ok(()),
        None => Err(format!("not one clear line: {said}").into()),
        Some(word) => Err(format!("nothing of {word:?} in: {said}").into()),
    }
}

/// A C program of `tests/declared`, and the mount that brings it into a jail as `/run/NAME`.
pub(crate) fn program(name: &str) -> Outcome<(PathBuf, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("declared/{name}.c"));
    let program = c_program(name, &[source])?;
    let mount = format!("mounts = [\"{}:/run/{name}\"]", program.display());
    Ok((program, mount))
}
