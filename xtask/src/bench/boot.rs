//! How long a Debian 13 takes from the command that starts it until its systemd says that it is ready.
//!
//! Each starts the same root, through sd_notify(3) of its own systemd. systemd-nspawn and LXC start where they
//! find one control group hierarchy of version 2: on a host with others beside it, in a mount namespace that
//! shows them only that one.

use super::timing::Times;
use super::{Ground, peers, report};
use crate::shell::{Result, command, has, output, run, target};
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A key for RSA takes a quarter of a second or two: what is in the middle of few is chance.
const ROUNDS: usize = 15;
const KEYS: [&str; 2] = [
    "etc/systemd/system/jaula-ssh-host-keys.service",
    "etc/systemd/system/multi-user.target.wants/jaula-ssh-host-keys.service",
];
/// Longer than that nobody waits for a boot.
const PATIENCE: Duration = Duration::from_secs(60);
/// The control group that a peer is in, one for each boot: in one that had controllers for others below it there can
/// be no process any more.
const GROUP: &str = "bench-boot";

pub(super) fn boot(ground: &Ground) -> Result {
    peers::among("boot", &ground.directory, || measure(ground))
}

/// Who starts it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Jaula,
    Nspawn,
    Lxc,
}

impl Who {
    const ALL: [Self; 3] = [Self::Jaula, Self::Nspawn, Self::Lxc];

    fn name(self) -> &'static str {
        match self {
            Self::Jaula => "jaula start",
            Self::Nspawn => "systemd-nspawn -b",
            Self::Lxc => "lxc-start",
        }
    }
}

struct Place {
    jaula: PathBuf,
    directory: PathBuf,
    /// The root that all of them lie on.
    base: PathBuf,
    /// Where the control groups of version 2 are, and whether others are beside them.
    groups: PathBuf,
    hybrid: bool,
    /// The controllers that the top hands on to those below it.
    handed_on: String,
}

/// What became of one of them.
enum Found {
    Times { first: Vec<f64>, again: Vec<f64> },
    Not(String),
}

fn measure(ground: &Ground) -> Result {
    let jaula = ground.jaula.clone().ok_or("there is no jaula to measure")?;
    let base = target().join("tests/template-debian-13/tree").canonicalize();
    let base = base.map_err(|_| "there is no Debian 13 to boot: cargo xtask setup makes it")?;
    let unified = Path::new("/sys/fs/cgroup/unified");
    let hybrid = unified.is_dir();
    let groups = if hybrid { unified } else { Path::new("/sys/fs/cgroup") }.to_owned();
    let handed_on = fs::read_to_string(groups.join("cgroup.subtree_control"))?;
    let place = Place { jaula, directory: ground.fresh("boot")?, base, groups, hybrid, handed_on };
    place.prepare()?;
    let mut found: Vec<Found> =
        Who::ALL.iter().map(|_| Found::Times { first: Vec::new(), again: Vec::new() }).collect();
    for round in 0..=ROUNDS {
        for turn in 0..Who::ALL.len() {
            let which = (turn + round) % Who::ALL.len();
            let Found::Times { first, again } = &mut found[which] else { continue };
            let both = place.twice(Who::ALL[which], round);
            match both {
                // The first of all fills the page cache.
                Ok(_) if round == 0 => {}
                Ok((fresh, known)) => {
                    first.push(fresh);
                    again.push(known);
                }
                Err(error) => {
                    println!("bench: {}: {error}", Who::ALL[which].name());
                    found[which] = Found::Not(error.to_string());
                }
            }
        }
        println!("bench: round {round} of {ROUNDS}");
    }
    place.tidy();
    tell(&place, found)?;
    Ok(fs::remove_dir_all(&place.directory)?)
}

fn tell(place: &Place, found: Vec<Found>) -> Result {
    let mut text = format!(
        "A Debian 13 with systemd, sshd, nginx, cron, rsyslog, dbus and logind, from the command until its systemd says\n\
         `READY=1`; {ROUNDS} interleaved rounds, in milliseconds. The first boot is that of a root that was never\n\
         started, and makes its ssh host keys: in all by the unit that jaula writes. The second is that of the same\n\
         once more. All have a network namespace without a network. jaula's has a user namespace, ids mapped at\n\
         mount, a seccomp filter, and `jaula start` mounts its overlay; the overlays of the others are mounted\n\
         beforehand. {}\n\n\
         | | first boot | 5 % … 95 % | second boot | 5 % … 95 % |\n| --- | ---: | ---: | ---: | ---: |\n",
        match place.hybrid {
            true => "systemd-nspawn and LXC run in a mount namespace with nothing but cgroup v2.",
            false => "",
        }
    );
    let mut figures = Vec::new();
    for (who, found) in Who::ALL.iter().zip(found) {
        match found {
            Found::Times { first, again } => {
                let (first, again) = (Times::new(first), Times::new(again));
                let cell = |t: &Times| {
                    format!("{:.0} | {:.0} … {:.0}", t.median(), t.percentile(5), t.percentile(95))
                };
                writeln!(text, "| {} | {} | {} |", who.name(), cell(&first), cell(&again))?;
                figures.push(serde_json::json!({ "name": who.name(), "first_ms": first.median(),
                    "again_ms": again.median(), "runs": first.count() }));
            }
            Found::Not(why) => {
                let why =
                    why.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().replace('|', "/");
                writeln!(text, "| {} | does not run here: {why} | | | |", who.name())?;
                figures.push(serde_json::json!({ "name": who.name(), "error": why }));
            }
        }
    }
    report::write_json("boot", &figures.into())?;
    report::write_section("boot", "Boot", &text)
}

impl Place {
    fn prepare(&self) -> Result {
        let templates = self.house().join("var/lib/jaula/templates");
        fs::create_dir_all(&templates)?;
        let template = self.base.parent().ok_or("the root has no place")?;
        std::os::unix::fs::symlink(template, templates.join("debian-13"))?;
        for directory in ["notify", "root", "lxc/bench"] {
            fs::create_dir_all(self.directory.join(directory))?;
        }
        self.take_units()?;
        let root = self.directory.join("root");
        fs::write(
            self.directory.join("lxc/bench/config"),
            format!(
                "lxc.rootfs.path = dir:{root}\nlxc.uts.name = bench\nlxc.tty.max = 0\nlxc.pty.max = 16\n\
                 lxc.mount.auto = proc:mixed sys:mixed cgroup:rw:force\nlxc.net.0.type = empty\n\
                 lxc.init.cmd = /sbin/init\nlxc.signal.halt = SIGRTMIN+3\nlxc.cgroup.dir = {GROUP}/lxc\n\
                 lxc.environment = NOTIFY_SOCKET=/notify/socket\n\
                 lxc.mount.entry = {notify} notify none bind,create=dir 0 0\n",
                root = root.display(),
                notify = self.directory.join("notify").display(),
            ),
        )?;
        Ok(())
    }

    /// What makes the ssh host keys of a jail, for the others.
    fn take_units(&self) -> Result {
        self.make(Who::Jaula, "units")?;
        let upper = self.house().join("var/lib/jaula/jails/units/overlay/upper");
        for unit in KEYS {
            let kept = self.directory.join("units").join(unit);
            fs::create_dir_all(kept.parent().ok_or("no place for it")?)?;
            run(command(&["cp", "-a"]).arg(upper.join(unit)).arg(kept))?;
        }
        self.remove(Who::Jaula, "units")
    }

    fn house(&self) -> PathBuf {
        self.directory.join("house")
    }

    /// Boots a root that was never started, and once more.
    fn twice(&self, who: Who, round: usize) -> Result<(f64, f64)> {
        let name = format!("b{round}");
        self.make(who, &name)?;
        let both = self.once(who, &name).and_then(|first| Ok((first, self.once(who, &name)?)));
        self.remove(who, &name)?;
        both
    }

    /// A root for it.
    fn make(&self, who: Who, name: &str) -> Result {
        if who == Who::Jaula {
            let words = ["build", "--quiet", name, "--from", "template:debian-13"];
            return output(&mut self.jaula(&words)).map(drop);
        }
        let layer = |word: &str| self.directory.join(word);
        for word in ["upper", "work"] {
            super::empty(layer(word))?;
        }
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            self.base.display(),
            layer("upper").display(),
            layer("work").display()
        );
        run(command(&["cp", "-aT"]).arg(layer("units")).arg(layer("upper")))?;
        fs::write(layer("upper").join("etc/machine-id"), format!("{:032x}\n", 0xb007))?;
        run(command(&["mount", "-t", "overlay", "overlay", "-o", &options]).arg(layer("root")))
    }

    fn remove(&self, who: Who, name: &str) -> Result {
        if who == Who::Jaula {
            return output(&mut self.jaula(&["delete", "--quiet", "--yes", name])).map(drop);
        }
        run(command(&["umount"]).arg(self.directory.join("root")))
    }

    /// Milliseconds of one boot; it is stopped afterwards.
    fn once(&self, who: Who, name: &str) -> Result<f64> {
        if who == Who::Jaula {
            let begun = Instant::now();
            let started = output(&mut self.jaula(&["start", "--quiet", name]));
            let taken = begun.elapsed();
            output(&mut self.jaula(&["stop", "--quiet", name]))?;
            started?;
            return Ok(taken.as_secs_f64() * 1000.0);
        }
        let socket = self.directory.join("notify/socket");
        drop(fs::remove_file(&socket));
        let ready = UnixDatagram::bind(&socket)?;
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o666))?;
        ready.set_read_timeout(Some(Duration::from_millis(100)))?;
        fs::create_dir_all(self.groups.join(GROUP))?;
        let mut start = self.start(who, &socket)?;
        let begun = Instant::now();
        let mut child = start.spawn()?;
        let taken = wait(&ready, &mut child, begun);
        self.stop(who, &mut child)?;
        let taken = taken.map_err(|error| {
            let said = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
            format!("{error}: {}", said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default())
        })?;
        if !self.directory.join("upper/etc/ssh/ssh_host_ed25519_key").exists() {
            return Err("it made no host keys: its sshd cannot have started".into());
        }
        Ok(taken)
    }

    fn start(&self, who: Who, socket: &Path) -> Result<Command> {
        let words: Vec<String> = match who {
            Who::Nspawn => {
                let root = format!("--directory={}", self.directory.join("root").display());
                ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--machine=bench", &root]
                    .into_iter()
                    .chain(["--private-network", "--notify-ready=yes", "--console=pipe", "--boot"])
                    .map(str::to_owned)
                    .collect()
            }
            _ => {
                let path = self.directory.join("lxc").display().to_string();
                ["lxc-start", "-P", &path, "-n", "bench", "-F"].map(str::to_owned).to_vec()
            }
        };
        if !has(&words[0]) {
            return Err(format!("there is no {}", words[0]).into());
        }
        // Into its control group, and with version 2 in the place where it looks for it; then it itself.
        let group = self.groups.join(GROUP).join("cgroup.procs");
        let mut script = format!("echo $$ > {}; ", group.display());
        if self.hybrid {
            script.push_str("umount -l /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup; ");
        }
        script.push_str("exec \"$@\"");
        let mut start = command(&["unshare", "--mount", "sh", "-e", "-c", &script, "sh"]);
        let log = fs::File::create(self.directory.join("log"))?;
        start.args(words).env("NOTIFY_SOCKET", socket);
        start.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(start)
    }

    fn stop(&self, who: Who, child: &mut Child) -> Result {
        let (id, path) = (child.id().to_string(), self.directory.join("lxc").display().to_string());
        // Both ask the init to power off.
        let words: &[&str] = match who {
            Who::Lxc => &["lxc-stop", "-P", &path, "-n", "bench", "-t", "10"],
            _ => &["kill", "-TERM", &id],
        };
        if let Err(error) = output(&mut command(words)) {
            println!("bench: {error}");
        }
        let since = Instant::now();
        while child.try_wait()?.is_none() {
            if since.elapsed() > Duration::from_secs(15) {
                fs::write(self.groups.join(GROUP).join("cgroup.kill"), "1")?;
                child.wait()?;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        fs::write(self.groups.join(GROUP).join("cgroup.kill"), "1")?;
        // What was killed is gone a moment later.
        let since = Instant::now();
        while !self.tidy() && since.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn jaula(&self, words: &[&str]) -> Command {
        let mut jaula = command(&[&self.jaula]);
        jaula.args(words).env("JAULA_ROOT", self.house());
        jaula
    }

    /// Removes the control groups; says whether they are gone. LXC has one beside them, and lets the top hand on
    /// what it did not hand on before.
    fn tidy(&self) -> bool {
        drop(fs::remove_dir(self.groups.join("lxc.pivot")));
        let control = self.groups.join("cgroup.subtree_control");
        let now = fs::read_to_string(&control).unwrap_or_default();
        for more in
            now.split_whitespace().filter(|word| !self.handed_on.split_whitespace().any(|old| old == *word))
        {
            drop(fs::write(&control, format!("-{more}")));
        }
        let group = self.groups.join(GROUP);
        let find = ["-depth", "-type", "d", "-exec", "rmdir", "{}", "+"];
        drop(output(command(&["find"]).arg(&group).args(find)));
        !group.exists()
    }
}

/// Milliseconds until it is ready.
fn wait(ready: &UnixDatagram, child: &mut Child, begun: Instant) -> Result<f64> {
    let mut buffer = [0; 4096];
    while begun.elapsed() < PATIENCE {
        if let Ok(n) = ready.recv(&mut buffer)
            && buffer[..n].split(|b| *b == b'\n').any(|line| line == b"READY=1")
        {
            return Ok(begun.elapsed().as_secs_f64() * 1000.0);
        }
        if let Some(status) = child.try_wait()? {
            return Err(format!("it ended: {status}").into());
        }
    }
    Err("it was not ready within a minute".into())
}
