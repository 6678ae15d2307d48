//! A machine of its own for a test of real services: Debian 13 with their packages, which `cargo xtask
//! setup` makes once (`xtask/src/debian.rs`), and in which the test is root.
//!
//! It has a process tree, a host name and a network with loopback of its own, so that tests beside each
//! other all have a port 80. Its root is the shared tree, read only; `/etc`, `/var`, `/home`, `/root`,
//! `/srv`, `/opt` and `/usr/local` are copies that go with it, `/tmp` and `/run` memory, the latter with what packages have there after a boot. The test's
//! `JAULA_ROOT` is at the same path inside, `examples/` is copied to `/srv/examples`.

use super::build::{successful, target_directory};
use super::jaula::{Done, Jaula, run};
use super::test::{Outcome, Stop, Test};
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// What a machine has its own copy of.
const COPIED: [&str; 6] = ["etc", "var", "home", "root", "srv", "opt"];

/// What a program is told when root logs in.
const ENVIRONMENT: [&str; 4] = [
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LANG=C.UTF-8",
    "SHELL=/bin/bash",
];

/// A machine that runs. Whatever runs in it ends with it; jails must be stopped before, as their
/// control groups are the host's. Of two in one test only one may have jails at a time, as they have one
/// `JAULA_ROOT`.
#[derive(Debug)]
pub struct Machine<'t> {
    t: &'t Test,
    /// Its own copies.
    own: PathBuf,
    /// `unshare`, the parent of its first process.
    unshare: Child,
    /// Its first process, by its number on the host.
    first: u32,
}

impl<'t> Machine<'t> {
    /// Starts one, in a tenth of a second; skips the test where there is no tree for it.
    pub fn boot(t: &'t Test) -> Outcome<Self> {
        Self::boot_with(t, false)
    }

    /// One whose `/usr` can be changed too, as for `dpkg -i`. Its files are hard links to the shared ones: replace
    /// them, as dpkg does, and never write into them.
    pub fn boot_with_own_usr(t: &'t Test) -> Outcome<Self> {
        Self::boot_with(t, true)
    }

    fn boot_with(t: &'t Test, own_usr: bool) -> Outcome<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let tests = target_directory().join("tests");
        let Ok(tree) = tests.join("debian-13").canonicalize() else {
            let why = fs::read_to_string(tests.join("debian-13.why"));
            return t
                .skip(&why.unwrap_or_else(|_| "it needs a Debian 13 tree: cargo xtask setup".to_owned()));
        };
        // Beside the tree, so that hard links to it are possible.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let own = tree.with_file_name(format!("machine.{}.{number}", t.mark()));
        fs::create_dir(&own)?;
        let made = copy(&tree, &own, own_usr).and_then(|()| start(t, &tree, &own));
        match made {
            Ok((unshare, first)) => Ok(Self { t, own, unshare, first }),
            Err(error) => {
                _ = fs::remove_dir_all(own);
                Err(error)
            }
        }
    }

    /// The command `jaula`, run by the machine's root with the test's `JAULA_ROOT`.
    pub fn jaula(&self) -> Jaula {
        self.t.jaula().instead("/usr/local/bin/jaula").through(self.words())
    }

    /// A program of the machine, run by its root; it must end within a minute.
    pub fn run(&self, words: &[&str]) -> Outcome<Done> {
        self.feed(words, b"")
    }

    /// The same with something on its standard input.
    pub fn feed(&self, words: &[&str], input: &[u8]) -> Outcome<Done> {
        run(self.command(words).env("JAULA_ROOT", self.t.root()), input, Duration::from_secs(60))
    }

    /// A script, which must succeed; gives what it printed.
    pub fn shell(&self, script: &str) -> Outcome<String> {
        self.run(&["bash", "-euo", "pipefail", "-c", script])?.ok()
    }

    /// A program of the machine, ready to run: for what the other functions do not do.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut all = self.words().into_iter();
        let mut command = Command::new(all.next().unwrap_or_default());
        command.args(all).args(words);
        command
    }

    /// Where the test finds a path of the machine.
    pub fn path(&self, inside: &str) -> PathBuf {
        Path::new(&format!("/proc/{}/root", self.first)).join(inside.trim_start_matches('/'))
    }

    /// The command line that runs another one in the machine.
    fn words(&self) -> Vec<OsString> {
        let target = format!("--target={}", self.first);
        let enter = ["nsenter", &target, "--mount", "--pid", "--net", "--uts", "--ipc", "--", "env"];
        enter.into_iter().chain(ENVIRONMENT).map(OsString::from).collect()
    }
}

impl Drop for Machine<'_> {
    fn drop(&mut self) {
        // Its first process reads from us; with it, the kernel ends all others.
        drop(self.unshare.stdin.take());
        _ = self.unshare.wait();
        _ = fs::remove_dir_all(&self.own);
    }
}

/// Makes the machine's own copies.
fn copy(tree: &Path, own: &Path, own_usr: bool) -> Outcome {
    fs::create_dir(own.join("new"))?;
    let copied = COPIED.map(|name| tree.join(name));
    successful(Command::new("cp").args(["-a", "--reflink=auto"]).args(copied).arg(own))?;
    let usr = own.join("usr");
    if own_usr {
        successful(Command::new("cp").arg("-al").args([&tree.join("usr"), &usr]))?;
        fs::remove_dir_all(usr.join("local"))?;
    } else {
        fs::create_dir(&usr)?;
    }
    successful(Command::new("cp").args(["-a", "--reflink=auto"]).args([&tree.join("usr/local"), &usr]))?;
    fs::write(usr.join("local/bin/jaula"), "")?;
    // The modes that a checkout makes, and root's.
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    successful(Command::new("cp").arg("-r").args([&examples, &own.join("srv")]))
}

fn start(t: &Test, tree: &Path, own: &Path) -> Outcome<(Child, u32)> {
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child", "--"]);
    unshare.args(["sh", "-c", include_str!("machine.sh"), "machine"]);
    unshare.args([tree, own, t.root(), &Jaula::binary()?.canonicalize()?]);
    // jaula is known by it on the host, as everywhere.
    unshare.env("JAULA_ROOT", t.root());
    let mut unshare = unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut line = String::new();
    if let Some(stdout) = unshare.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    match line.trim().parse() {
        Ok(first) => Ok((unshare, first)),
        Err(_) => {
            let said = unshare.wait_with_output()?.stderr;
            Err(Stop::Failed(format!("no machine: {}", String::from_utf8_lossy(&said))))
        }
    }
}
