//! The command `jaula`, run as a user runs it.

use super::build::target_directory;
use super::pty::Pty;
use super::test::Outcome;
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The command `jaula` with a `JAULA_ROOT`, and perhaps with a fault.
#[derive(Clone, Debug)]
pub struct Jaula {
    root: PathBuf,
    /// What is run in jaula's place.
    instead: Option<PathBuf>,
    /// A command line that runs the rest of it, with a fault.
    under: Vec<OsString>,
    limit: Duration,
}

/// What a command did.
#[derive(Clone, Debug)]
pub struct Done {
    /// The command line, for messages.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to its standard output.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
}

impl Jaula {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), instead: None, under: Vec::new(), limit: Duration::from_secs(60) }
    }

    /// The binary under test: `JAULA_BIN`, or the release build, or the debug build.
    pub fn binary() -> Outcome<PathBuf> {
        if let Some(path) = std::env::var_os("JAULA_BIN") {
            return Ok(path.into());
        }
        // target/TRIPLE/PROFILE/deps/THIS
        let this = std::env::current_exe()?;
        let triple = this.ancestors().nth(3).map_or_else(target_directory, Path::to_owned);
        let built = ["release/jaula", "debug/jaula"].map(|name| triple.join(name));
        let found = built.iter().find(|path| path.exists()).cloned();
        Ok(found.ok_or("jaula is not built; run: cargo build --release --package jaula-cli")?)
    }

    /// Another program in jaula's place, with the same `JAULA_ROOT`, time limit and faults.
    pub fn instead(mut self, program: &str) -> Self {
        self.instead = Some(program.into());
        self
    }

    /// The same command, run by the command line that takes it as its end.
    pub fn through(mut self, words: Vec<OsString>) -> Self {
        self.under = words;
        self
    }

    /// The same command that must end within another time than 60 seconds.
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The same command on a kernel without these system calls: they fail with `ENOSYS`, in
    /// jaula and in every process that it makes.
    pub fn without_system_calls(mut self, names: &[&str]) -> Self {
        // -D: jaula, not strace, is our child, so that strace's staying with the keeper does
        // not look as if the command did not end.
        let injection = format!("inject={}:error=ENOSYS", names.join(","));
        let strace = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", &injection];
        self.under = strace.into_iter().map(OsString::from).collect();
        self
    }

    /// The command line, ready to run: for what the other helpers do not do.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Outcome<Command> {
        let mut words = self.under.clone();
        words.push(self.instead.clone().map_or_else(Self::binary, Ok)?.into());
        words.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).env("JAULA_ROOT", &self.root).env_remove("RUST_BACKTRACE");
        Ok(command)
    }

    /// Runs the command to its end, with nothing on its standard input.
    pub fn run(&self, args: &[&str]) -> Outcome<Done> {
        run(&mut self.command(args)?, b"", self.limit)
    }

    /// Runs the command with this on its standard input.
    pub fn feed(&self, args: &[&str], input: &[u8]) -> Outcome<Done> {
        run(&mut self.command(args)?, input, self.limit)
    }

    /// Runs a command that must succeed; gives its standard output.
    pub fn ok(&self, args: &[&str]) -> Outcome<String> {
        self.run(args)?.ok()
    }

    /// Runs a command that must fail; gives its standard error.
    pub fn fails(&self, args: &[&str]) -> Outcome<String> {
        let done = self.run(args)?;
        if done.status.success() {
            Err(format!("succeeded, but should not: {done}").into())
        } else {
            Ok(done.stderr)
        }
    }

    /// `jaula exec NAME -- CMD…`, which must succeed; gives its standard output.
    pub fn exec(&self, name: &str, command: &[&str]) -> Outcome<String> {
        self.ok(&[&["exec", name, "--"], command].concat())
    }

    /// Runs a command that must succeed and print JSON.
    pub fn json(&self, args: &[&str]) -> Outcome<serde_json::Value> {
        let printed = self.ok(args)?;
        Ok(serde_json::from_str(&printed).map_err(|error| format!("{args:?}: {error} in {printed:?}"))?)
    }

    /// Starts the command on a terminal of its own.
    pub fn pty(&self, args: &[&str]) -> Outcome<Pty> {
        Pty::spawn(&self.command(args)?)
    }
}

impl Done {
    /// The standard output of a command that succeeded.
    pub fn ok(self) -> Outcome<String> {
        if self.status.success() { Ok(self.stdout) } else { Err(self.to_string().into()) }
    }
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "$ {}\n{}", self.command, self.status)?;
        writeln!(f, "stdout: {}\nstderr: {}", self.stdout.trim_end(), self.stderr.trim_end())
    }
}

/// A command line from words, for [`run`]ning other programs than jaula.
pub fn command(words: &[&str]) -> Outcome<Done> {
    let (program, args) = words.split_first().ok_or("an empty command line")?;
    run(Command::new(program).args(args), b"", Duration::from_secs(60))
}

/// Runs a command to its end. It must end within `limit`, and when it has ended nobody may
/// still hold its outputs open: a script that reads them would wait for ever.
pub(super) fn run(command: &mut Command, input: &[u8], limit: Duration) -> Outcome<Done> {
    let text = format!("{} {}", command.get_program().display(), words(command));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("{text}: {error}"))?;
    let mut stdin = child.stdin.take().ok_or("no standard input")?;
    let input = input.to_vec();
    // A command may end without reading what it is given.
    thread::spawn(move || _ = stdin.write_all(&input));
    let stdout = read_in_background(child.stdout.take());
    let stderr = read_in_background(child.stderr.take());
    let begun = Instant::now();
    let mut pause = Duration::from_micros(200);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begun.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Err(format!("not ended after {limit:?}: {text}").into());
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    };
    let patience = Duration::from_secs(5);
    let late = |_| format!("ended, but its output is still held open: {text}");
    let stdout = stdout.recv_timeout(patience).map_err(late)?;
    let stderr = stderr.recv_timeout(patience).map_err(late)?;
    Ok(Done { command: text, status, stdout, stderr })
}

/// The same command run by another program, which takes it as the end of its command line.
pub(super) fn under(program: impl AsRef<OsStr>, args: &[&str], command: &Command) -> Command {
    let mut outer = Command::new(program);
    outer.args(args).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    outer
}

fn words(command: &Command) -> String {
    command.get_args().map(|arg| arg.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn read_in_background(stream: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.map(|mut stream| stream.read_to_end(&mut bytes));
        _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}
