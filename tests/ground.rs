//! What tests of real jails share: a root with busybox and the probe in it, what of the host a
//! probe may not reach, and short ways to run something in a jail.

use jaula_tests::harness::{Done, Outcome, Test, busybox_root, command, probe};
use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The profiles by their names in a configuration, in the order of every table here.
pub(crate) const PROFILES: [&str; 3] = ["app", "strict", "server"];

/// A fresh root below the test's directory: busybox, `/bin/probe`, users root and alice (1000).
pub(crate) fn tree(t: &Test) -> Outcome<PathBuf> {
    let tree = t.root().join("tree");
    copy(&busybox_root()?, &tree)?;
    fs::copy(probe()?, tree.join("bin/probe"))?;
    Ok(tree)
}

/// `cp -a`.
pub(crate) fn copy(from: &Path, to: &Path) -> Outcome {
    command(&["cp", "-a", &from.to_string_lossy(), &to.to_string_lossy()])?.ok()?;
    Ok(())
}

/// `dir:PATH`
pub(crate) fn dir(tree: &Path) -> String {
    format!("dir:{}", tree.display())
}

/// The words of `jaula run` with these options, split at spaces, and this command.
pub(crate) fn words<'a>(options: &'a str, command: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec!["run"];
    words.extend(options.split(' ').filter(|word| !word.is_empty()));
    words.push("--");
    words.extend(command);
    words
}

/// Runs a command in a jail with this root, which nothing is written to; `options` are more
/// options of `jaula run`, split at spaces.
pub(crate) fn in_tree(t: &Test, tree: &Path, options: &str, command: &[&str]) -> Outcome<Done> {
    let options = format!("--root {} --set root.writes=refused {options}", dir(tree));
    t.jaula().run(&words(&options, command))
}

/// The same for a line of shell, which must succeed; gives what it printed.
pub(crate) fn shell(t: &Test, tree: &Path, options: &str, script: &str) -> Outcome<String> {
    in_tree(t, tree, options, &["sh", "-c", script])?.ok()
}

/// An error is one line of what failed and at most one of help, and is no panic.
pub(crate) fn one_clear_line(done: &Done, status: i32, of: &[&str]) -> Outcome {
    let lines: Vec<&str> = done.stderr.lines().collect();
    let plain = match lines[..] {
        [error] => error.starts_with("error: "),
        [error, help] => error.starts_with("error: ") && help.starts_with("help: "),
        _ => false,
    };
    let text = &done.stderr;
    if !plain || text.contains("panicked") || done.status.code() != Some(status) {
        return Err(format!("not one clear line with status {status}: {done}").into());
    }
    match of.iter().find(|word| !text.contains(**word)) {
        Some(word) => Err(format!("nothing of {word:?} in: {done}").into()),
        None => Ok(()),
    }
}

/// What is the host's and no jail may reach.
pub(crate) struct Outside {
    marker: PathBuf,
    process: Child,
    socket: String,
    namespaces: String,
    _listening: (UnixListener, UnixDatagram),
}

impl Outside {
    /// Puts a file, a process and an abstract socket on the host.
    pub(crate) fn put(t: &Test) -> Outcome<Self> {
        let marker = t.root().join("marker");
        fs::write(&marker, "the host's\n")?;
        let socket = t.name("socket");
        let address = SocketAddr::from_abstract_name(&socket)?;
        let listening = (UnixListener::bind_addr(&address)?, UnixDatagram::bind_addr(&address)?);
        let mut namespaces = Vec::new();
        for kind in ["mnt", "uts", "ipc", "net", "pid", "user", "cgroup", "time"] {
            namespaces.push(fs::read_link(format!("/proc/self/ns/{kind}"))?.display().to_string());
        }
        let process = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn()?;
        Ok(Self { marker, process, socket, namespaces: namespaces.join(" "), _listening: listening })
    }

    /// Fails if something has ended the process.
    pub(crate) fn still_lives(mut self) -> Outcome {
        match self.process.try_wait()? {
            None => Ok(()),
            Some(how) => Err(format!("the host's process was ended: {how}").into()),
        }
    }

    /// The probe's options that name these things.
    pub(crate) fn options(&self) -> Vec<String> {
        let words = [
            ("--marker", self.marker.display().to_string()),
            ("--pid", self.process.id().to_string()),
            ("--name", self.socket.clone()),
            ("--host-ns", self.namespaces.clone()),
        ];
        words.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// `jaula` on a host without packages, whose lists take thousands of system calls to read.
pub(crate) fn without_packages(t: &Test, words: &[&str]) -> Outcome<Command> {
    let script = "mount -t tmpfs none /var/lib/dpkg && exec \"$@\"";
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(jaula_tests::harness::Jaula::binary()?)
        .args(words);
    command.env("JAULA_ROOT", t.root()).stdout(Stdio::null());
    Ok(command)
}
