//! A distribution's own files, made to fit a jail: shown, done once, and never through what a guest
//! has put in their way.

use crate::declared::{nothing_left, until};
use jaula_tests::harness::{Jaula, Outcome, Template, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub(crate) fn trials() -> Vec<Trial> {
    trials!("guest": privileged [
        a_plan_lists_what_a_start_does_once,
        a_name_is_changed_at_the_next_start,
        a_guests_own_lines_stay,
        what_is_to_be_kept_is_kept,
        nothing_is_done_where_nothing_is_wanted,
        the_hosts_nameservers_are_followed,
        a_running_guest_hears_of_the_hosts_nameservers,
        what_a_hostile_root_leaves_leads_nowhere,
    ])
}

const TEMPLATES: [Template; 3] = [Template::Debian13, Template::Debian12, Template::Debian13Sysv];

/// A server over a template that does nothing yet: its files are what is looked at.
struct Server<'t> {
    t: &'t Test,
    name: String,
}

impl<'t> Server<'t> {
    fn new(t: &'t Test, template: Template, more: &str) -> Outcome<Self> {
        Self::of(t, template.put(t)?, "web", 4242, more)
    }

    fn of(t: &'t Test, base: &str, word: &str, id: u16, more: &str) -> Outcome<Self> {
        let name = t.name(word);
        let kept = t.root().join("var/lib/jaula/jails").join(&name);
        fs::create_dir_all(kept.join("overlay/upper"))?;
        fs::create_dir_all(kept.join("overlay/work"))?;
        let jails = t.root().join("etc/jaula/jails");
        fs::create_dir_all(&jails)?;
        let text = format!(
            "id = {id}\nhostname = \"www.example.org\"\n{more}\n[root]\nfrom = \"template:{base}\"\n\
             store = \"overlay\"\n[boot]\ncommand = [\"/usr/bin/sleep\", \"infinity\"]\nstop_timeout = \"0s\"\n"
        );
        fs::write(jails.join(format!("{name}.toml")), text)?;
        Ok(Self { t, name })
    }

    /// What a start would do inside.
    fn planned(&self) -> Outcome<Vec<String>> {
        let plan = self.t.jaula().json(&["plan", &self.name, "--json"])?;
        let steps = plan["host"].as_array().cloned().unwrap_or_default();
        let inside =
            |step: &serde_json::Value| Some(step["step"].as_str()?.strip_prefix("inside: ")?.to_owned());
        Ok(steps.iter().filter_map(inside).collect())
    }

    fn start(&self) -> Outcome {
        let done = self.t.jaula().run(&["start", &self.name])?;
        match done.status.success() && done.stderr.is_empty() {
            true => Ok(()),
            false => Err(format!("not started without a warning: {done}").into()),
        }
    }

    fn stop(&self) -> Outcome {
        self.t.jaula().ok(&["stop", &self.name]).map(drop)
    }

    /// What a shell inside says.
    fn sh(&self, script: &str) -> Outcome<String> {
        self.t.jaula().exec(&self.name, &["/bin/sh", "-c", script])
    }

    fn upper(&self) -> PathBuf {
        self.t.root().join("var/lib/jaula/jails").join(&self.name).join("overlay/upper")
    }
}

fn a_plan_lists_what_a_start_does_once(t: &Test) -> Outcome {
    for template in TEMPLATES {
        let base = template.kept(t)?.join("tree/etc");
        let before = fs::read(base.join("hostname"))?;
        let server = Server::new(t, template, "")?;
        let planned = server.planned()?;
        for wanted in ["write /etc/hostname", "write /etc/hosts"] {
            assert!(planned.iter().any(|step| step == wanted), "{wanted}: {planned:?}");
        }
        let clock = match template {
            Template::Debian13Sysv => "rename /etc/rcS.d/S01hwclock.sh to K01hwclock.sh",
            Template::Debian13 => "link /etc/systemd/system/hwclock.service -> /dev/null",
            _ => "link /etc/systemd/system/getty@.service -> /dev/null",
        };
        assert!(planned.iter().any(|step| step == clock), "{clock}: {planned:?}");
        assert!(!server.upper().join("etc").exists(), "a plan does nothing");
        server.start()?;
        assert_eq!(server.planned()?, Vec::<String>::new(), "of one that runs nothing is looked at");
        assert_eq!(
            server.sh("hostname; cat /etc/hostname; getent hosts www | head -1")?,
            "www.example.org\nwww.example.org\n127.0.1.1       www.example.org www\n"
        );
        server.stop()?;
        assert_eq!(server.planned()?, Vec::<String>::new());
        server.start()?;
        server.stop()?;
        assert_eq!(fs::read(base.join("hostname"))?, before, "nothing is written into a template");
        t.jaula().ok(&["delete", &server.name, "--yes"])?;
    }
    nothing_left(t)
}

fn a_name_is_changed_at_the_next_start(t: &Test) -> Outcome {
    let server = Server::new(t, Template::Debian13, "")?;
    server.start()?;
    t.jaula().ok(&["set", &server.name, "hostname=db.example.net"])?;
    assert_eq!(server.sh("cat /etc/hostname")?, "www.example.org\n");
    server.stop()?;
    assert_eq!(server.planned()?, ["write /etc/hostname", "write /etc/hosts"]);
    server.start()?;
    assert_eq!(
        server.sh("hostname; cat /etc/hostname; grep -c www /etc/hosts || true")?,
        "db.example.net\ndb.example.net\n0\n"
    );
    server.stop()?;
    nothing_left(t)
}

fn a_guests_own_lines_stay(t: &Test) -> Outcome {
    let server = Server::new(t, Template::Debian13Sysv, "")?;
    server.start()?;
    server.sh("echo '192.0.2.9 backup' >> /etc/hosts; chmod 600 /etc/hosts; chown 33:33 /etc/hosts
         echo '# own' >> /etc/inittab; echo 'T0:23:respawn:/sbin/getty -L ttyS0 9600' >> /etc/inittab
         sed -i '/BEGIN jaula/,/END jaula/d' /etc/hosts")?;
    server.stop()?;
    assert_eq!(server.planned()?, ["write /etc/hosts", "write /etc/inittab"]);
    server.start()?;
    assert_eq!(
        server.sh("grep backup /etc/hosts; stat -c '%a %u:%g' /etc/hosts; tail -1 /etc/inittab")?,
        "192.0.2.9 backup\n600 33:33\n#jaula# T0:23:respawn:/sbin/getty -L ttyS0 9600\n"
    );
    assert!(server.sh("getent hosts www.example.org")?.starts_with("127.0.1.1"));
    server.stop()?;
    nothing_left(t)
}

fn what_is_to_be_kept_is_kept(t: &Test) -> Outcome {
    let server = Server::new(t, Template::Debian13, "guest.keep = [\"/etc/hosts\", \"/etc/systemd\"]")?;
    assert_eq!(server.planned()?, ["write /etc/hostname"]);
    server.start()?;
    assert_eq!(server.sh("grep -c jaula /etc/hosts || true")?, "0\n");
    server.stop()?;
    nothing_left(t)
}

fn nothing_is_done_where_nothing_is_wanted(t: &Test) -> Outcome {
    let server = Server::new(t, Template::Debian13, "guest.manage = false")?;
    assert_eq!(server.planned()?, Vec::<String>::new());
    server.start()?;
    server.stop()?;
    assert!(!server.upper().join("etc/hostname").exists());
    nothing_left(t)
}

/// Commands that find another `/etc/resolv.conf` than the host's, which nobody may write to.
fn asking(t: &Test, server: &str, name: &str, verb: &str) -> Outcome {
    let file = t.root().join("resolv.conf");
    fs::write(&file, format!("search {server}.example\nnameserver {server}\noptions rotate\n"))?;
    let script = "mount --bind \"$1\" \"$(readlink -f /etc/resolv.conf)\" && exec \"$2\" \"$3\" \"$4\"";
    let jaula = t.jaula().command([verb, name])?;
    let done = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(&file)
        .arg(jaula.get_program())
        .args(jaula.get_args())
        .env("JAULA_ROOT", t.root())
        .output()?;
    match done.status.success() {
        true => Ok(()),
        false => Err(format!("{verb}: {}", String::from_utf8_lossy(&done.stderr)).into()),
    }
}

/// A host whose `/etc` is a copy that the test may change: a mount namespace, until its standard input ends.
struct OwnEtc {
    keep: Child,
    etc: PathBuf,
}

impl OwnEtc {
    fn new(t: &Test) -> Outcome<Self> {
        let etc = t.root().join("own-etc");
        let script = "cp -a /etc \"$1\" && mount --bind \"$1\" /etc && echo ready && exec cat >/dev/null";
        let mut keep = Command::new("unshare");
        keep.args(["--mount", "sh", "-c", script, "sh"]).arg(&etc);
        let mut keep = keep.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        std::io::Read::read_exact(&mut keep.stdout.take().ok_or("no output")?, &mut [0; 6])?;
        Ok(Self { keep, etc })
    }

    fn jaula(&self, t: &Test) -> Jaula {
        let into = format!("--mount=/proc/{}/ns/mnt", self.keep.id());
        t.jaula().through(["nsenter", &into, "--"].map(Into::into).to_vec())
    }

    /// In place, or as most programs do, by another file.
    fn ask(&self, server: &str, in_place: bool) -> Outcome {
        let text = format!("nameserver {server}\n");
        if in_place {
            return Ok(fs::write(self.etc.join("resolv.conf"), text)?);
        }
        fs::write(self.etc.join("resolv.conf.new"), text)?;
        Ok(fs::rename(self.etc.join("resolv.conf.new"), self.etc.join("resolv.conf"))?)
    }
}

impl Drop for OwnEtc {
    fn drop(&mut self) {
        drop(self.keep.stdin.take());
        _ = self.keep.wait();
    }
}

fn a_running_guest_hears_of_the_hosts_nameservers(t: &Test) -> Outcome {
    let host = OwnEtc::new(t)?;
    host.ask("192.0.2.1", false)?;
    let base = Template::Debian13.put(t)?;
    let inherit = "[network]\nnameservers = [\"inherit\"]\n";
    let web = Server::of(t, base, "web", 4242, inherit)?;
    let edits = Server::of(t, base, "edits", 4243, inherit)?;
    let keeps =
        Server::of(t, base, "keeps", 4244, &format!("guest.keep = [\"/etc/resolv.conf\"]\n{inherit}"))?;
    for server in [&web, &edits, &keeps] {
        host.jaula(t).ok(&["start", &server.name])?;
    }
    let kept = keeps.sh("cat /etc/resolv.conf 2>&1 || true")?;
    assert!(!kept.contains("192.0.2.1"), "{kept}");
    let file = |ip: &str| {
        format!("# --- BEGIN jaula ---\nnameserver {ip}\n# --- END jaula ---\n-rw-r--r-- root root\n")
    };
    let look = "cat /etc/resolv.conf; ls -l /etc/resolv.conf | awk '{print $1, $3, $4}'";
    assert_eq!(web.sh(look)?, file("192.0.2.1"));
    edits.sh("echo 'nameserver 192.0.2.99' >/etc/resolv.conf")?;
    for (ip, in_place) in [("192.0.2.2", false), ("192.0.2.3", true), ("192.0.2.4", false)] {
        host.ask(ip, in_place)?;
        until(ip, || (web.sh(look).ok()? == file(ip)).then_some(()))?;
    }
    // None left, for a moment or for good: it asks whom it asked.
    fs::remove_file(host.etc.join("resolv.conf"))?;
    host.ask("192.0.2.5", false)?;
    until("the last one", || (web.sh(look).ok()? == file("192.0.2.5")).then_some(()))?;
    assert_eq!(edits.sh("cat /etc/resolv.conf")?, "nameserver 192.0.2.99\n");
    assert_eq!(keeps.sh("cat /etc/resolv.conf 2>&1 || true")?, kept);
    for server in [&web, &edits, &keeps] {
        server.stop()?;
    }
    nothing_left(t)
}

fn the_hosts_nameservers_are_followed(t: &Test) -> Outcome {
    // In Debian 13 it is a link of systemd-resolved's, which would ask nobody.
    let server = Server::new(t, Template::Debian13, "[network]\nnameservers = [\"inherit\"]\n")?;
    for host in ["192.0.2.1", "192.0.2.2"] {
        asking(t, host, &server.name, "start")?;
        let lines = format!("search {host}.example\nnameserver {host}\n");
        assert_eq!(
            server.sh("cat /etc/resolv.conf; test -L /etc/resolv.conf || echo file")?,
            format!("# --- BEGIN jaula ---\n{lines}# --- END jaula ---\nfile\n")
        );
        server.stop()?;
    }
    // One that only the host's own loopback reaches is no use.
    asking(t, "127.0.0.1", &server.name, "start")?;
    assert!(server.sh("cat /etc/resolv.conf")?.contains("nameserver 192.0.2.2"));
    server.stop()?;
    nothing_left(t)
}

/// All files below the host's `/etc`, with what would show that somebody was there.
fn host() -> BTreeMap<PathBuf, (u32, u64, u64, i64, i64)> {
    let (mut all, mut waiting) = (BTreeMap::new(), vec![PathBuf::from("/etc")]);
    while let Some(at) = waiting.pop() {
        let Ok(found) = fs::symlink_metadata(&at) else { continue };
        if found.is_dir() {
            waiting.extend(fs::read_dir(&at).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
        all.insert(at, (found.mode(), found.ino(), found.size(), found.mtime(), found.mtime_nsec()));
    }
    all
}

fn what_a_hostile_root_leaves_leads_nowhere(t: &Test) -> Outcome {
    let before = host();
    let server = Server::new(t, Template::Debian13, "[network]\nnameservers = [\"192.0.2.53\"]\n")?;
    let files = "hostname hosts resolv.conf crontab securetty";
    for trick in [
        format!("cd /etc; for f in {files}; do ln -sfn /etc/$f $f; done"),
        format!("cd /etc; for f in {files}; do ln -sfn ../../../../../../../../../etc/$f $f; done"),
        format!("cd /etc; for f in {files}; do rm -f $f; mkfifo $f; done"),
        format!("cd /etc; for f in {files}; do rm -f $f; mkdir $f; done"),
        format!("cd /etc; rmdir {files}; for f in {files}; do ln -s $f $f; done"),
        "rm -rf /etc/systemd; ln -s /proc/self/root/etc /etc/systemd; ln -s /proc/1/root/etc/hostname /etc/hostname.x".to_owned(),
        "mv /etc /was; ln -s /was /etc".to_owned(),
        "rm /etc; ln -s ../../../../../../etc /etc".to_owned(),
        "rm /etc; cp /bin/true /etc".to_owned(),
        "rm /etc; mv /was /etc".to_owned(),
    ] {
        t.jaula().ok(&["start", &server.name])?;
        t.jaula().exec(&server.name, &["/bin/sh", "-c", &format!("{trick}; true")])?;
        server.stop()?;
        t.jaula().ok(&["set", &server.name, &format!("hostname=n{}.example.org", trick.len())])?;
        t.jaula().ok(&["plan", &server.name])?;
    }
    t.jaula().ok(&["start", &server.name])?;
    // All is as it should be again.
    assert!(server.sh("cat /etc/resolv.conf")?.contains("nameserver 192.0.2.53"));
    assert_eq!(server.sh("cat /etc/hostname")?, server.sh("hostname")?);
    server.stop()?;
    let after = host();
    let changed: Vec<&Path> = after
        .iter()
        .filter(|(at, found)| before.get(*at) != Some(found))
        .map(|(at, _)| at.as_path())
        .collect();
    assert!(changed.is_empty() && before.len() == after.len(), "{changed:?}");
    nothing_left(t)
}
