//! Other families than Debian with systemd: OpenRC below sysvinit, busybox's init and its own; a system of RPM packages;
//! and all of them beside each other.

use crate::declared::{nothing_left, until};
use jaula_tests::harness::{Jaula, Outcome, Template, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("families": privileged [
        openrc_below_sysvinit_boots_and_halts,
        openrc_below_busybox_boots_and_halts,
        openrc_with_an_init_of_its_own_boots_and_halts,
        somebody_sees_a_login_of_openrc,
        a_system_of_rpm_packages_boots,
        families_stand_side_by_side,
    ])
}

/// A server that was built on a template.
struct Server<'t> {
    t: &'t Test,
    name: String,
}

impl<'t> Server<'t> {
    fn build(t: &'t Test, word: &str, template: Template) -> Outcome<Self> {
        template.put(t)?;
        Self::another(t, word, template)
    }

    /// The second one of a template.
    fn another(t: &'t Test, word: &str, template: Template) -> Outcome<Self> {
        let name = t.name(word);
        t.jaula().ok(&["build", &name, "--quiet", "--from", &format!("template:{}", template.name())])?;
        Ok(Self { t, name })
    }

    fn jaula(&self) -> Jaula {
        self.t.jaula().within(Duration::from_secs(120))
    }

    fn start(&self) -> Outcome {
        let done = self.jaula().run(&["start", &self.name])?;
        match done.status.success() && done.stderr.is_empty() {
            true => Ok(()),
            false => Err(format!("not started without a warning: {done}").into()),
        }
    }

    fn sh(&self, script: &str) -> Outcome<String> {
        self.jaula().ok(&["exec", &self.name, "--", "sh", "-ec", script])
    }

    fn status(&self) -> Outcome<serde_json::Value> {
        // Its status says whether the jail runs.
        let done = self.jaula().run(&["status", &self.name, "--json"])?;
        let all: serde_json::Value =
            serde_json::from_str(&done.stdout).map_err(|e| format!("{e}: {done}"))?;
        Ok(all[0].clone())
    }

    fn becomes(&self, state: &str) -> Outcome {
        until(state, || (self.status().ok()?["state"] == state).then_some(()))
    }

    fn log(&self) -> String {
        let path: PathBuf = self.t.root().join(format!("var/lib/jaula/jails/{}/console.log", self.name));
        String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).replace('\r', "")
    }

    /// Halts as it should: what it runs is stopped, and nobody had to kill it.
    fn stop(&self, said: &str) -> Outcome {
        self.jaula().ok(&["stop", &self.name])?;
        assert_eq!(self.status()?["last"]["how"], "stopped", "{}", self.log());
        assert!(self.log().contains(said), "no {said:?}: {}", self.log());
        Ok(())
    }

    /// From inside, once again and then not any more.
    fn reboots_and_powers_off(&self, off: &str) -> Outcome {
        self.sh("reboot")?;
        until("the second time", || (self.status().ok()?["restarts"] == 1).then_some(()))?;
        self.becomes("running")?;
        self.sh(off)?;
        self.becomes("stopped")
    }
}

/// What OpenRC has in its runlevels when it stands, and what it must not have.
fn stands(server: &Server<'_>, running: &[&str], never: &[&str]) -> Outcome {
    assert_eq!(server.status()?["init"], "openrc");
    // The start waited for it.
    assert_eq!(server.sh("cat /run/openrc/softlevel")?.trim(), "default");
    let services = server.sh("rc-status --all")?;
    for service in running {
        let line = services.lines().find(|line| line.split_whitespace().next() == Some(service));
        assert!(line.is_some_and(|line| line.contains("started")), "{service}: {services}\n{}", server.log());
    }
    for service in never {
        assert!(!services.contains(&format!(" {service} ")), "{service}: {services}");
    }
    assert!(!services.contains("crashed") && !server.log().contains("ERROR"), "{services}\n{}", server.log());
    assert_eq!(server.sh("cat /etc/hostname; hostname")?, format!("{0}\n{0}\n", server.name));
    let list = server.sh("ps ax 2>/dev/null || ps")?;
    let logins: Vec<&str> =
        list.lines().filter(|line| line.contains("getty") && !line.contains("supervise")).collect();
    assert!(logins.len() == 1 && logins[0].contains("console"), "{list}");
    Ok(())
}

const OF_MACHINES: [&str; 5] = ["hwclock.sh", "udev", "kmod", "mount-configfs", "brightness"];

fn openrc_below_sysvinit_boots_and_halts(t: &Test) -> Outcome {
    let server = Server::build(t, "orc", Template::Debian13Openrc)?;
    server.start()?;
    stands(&server, &["ssh", "rsyslog", "cron"], &OF_MACHINES)?;
    let keys = server.sh("ls /etc/ssh/*_key; cat /proc/1/comm")?;
    assert!(keys.contains("ed25519") && keys.ends_with("init\n"), "{keys}");
    server.stop("Will now halt")?;
    server.start()?;
    server.reboots_and_powers_off("poweroff")?;
    nothing_left(t)
}

fn openrc_below_busybox_boots_and_halts(t: &Test) -> Outcome {
    let server = Server::build(t, "alp", Template::AlpineShaped)?;
    server.start()?;
    let never = ["hwclock", "devfs", "dmesg", "mdev", "hwdrivers", "modules", "swap"];
    stands(&server, &["networking", "hostname", "syslog", "crond", "httpd", "sshd"], &never)?;
    assert_eq!(server.sh("wget -qO- http://127.0.0.1/; readlink /proc/1/exe")?, "it works\n/bin/busybox\n");
    // What a machine has of networks, disks and clocks is switched off, and nothing of it is lost.
    let files = server.sh("cat /etc/network/interfaces /etc/fstab /etc/crontabs/root /etc/inittab")?;
    for line in [
        "#jaula# auto eth0",
        "#jaula# iface eth0 inet dhcp",
        "#jaula# /dev/vda1 / ext4 defaults 0 1",
        "#jaula# 0 * * * * hwclock -w",
        "#jaula# tty1::respawn:/sbin/getty 38400 tty1",
        "::shutdown:/sbin/openrc shutdown",
    ] {
        assert!(files.lines().any(|one| one == line), "{line}: {files}");
    }
    server.sh("logger word-of-the-test; sleep 0.3; grep -q word-of-the-test /var/log/messages")?;
    server.stop("Requesting system")?;
    assert!(server.log().contains("stopped /usr/sbin/httpd"), "{}", server.log());
    server.start()?;
    server.reboots_and_powers_off("poweroff")?;
    server.start()?;
    server.sh("halt")?;
    server.becomes("stopped")?;
    nothing_left(t)
}

fn openrc_with_an_init_of_its_own_boots_and_halts(t: &Test) -> Outcome {
    let server = Server::build(t, "own", Template::Debian13Openrc)?;
    server.jaula().ok(&["start", "--rescue", &server.name])?;
    server.sh("ln -sfn openrc-init /sbin/init")?;
    server.jaula().ok(&["stop", &server.name])?;
    server.start()?;
    assert!(server.sh("readlink /proc/1/exe")?.ends_with("/openrc-init\n"));
    stands(&server, &["ssh", "agetty.console"], &OF_MACHINES)?;
    server.stop("Sending the final kill signal")?;
    server.start()?;
    server.sh("openrc-shutdown --reboot now || openrc-shutdown -r now")?;
    until("the second time", || (server.status().ok()?["restarts"] == 1).then_some(()))?;
    server.becomes("running")?;
    server.stop("Sending the final kill signal")?;
    nothing_left(t)
}

fn somebody_sees_a_login_of_openrc(t: &Test) -> Outcome {
    let server = Server::build(t, "login", Template::AlpineShaped)?;
    server.start()?;
    server.sh("sed -i \"s,^root:[^:]*:,root:$(mkpasswd secret-of-root ab):,\" /etc/shadow")?;
    let mut terminal = server.jaula().pty(&["console", &server.name])?;
    terminal.expect("Ctrl-]")?;
    terminal.expect("login: ")?;
    terminal.send("root\n")?;
    terminal.expect("Password: ")?;
    terminal.send("secret-of-root\n")?;
    terminal.send("tty; echo $HOME\n")?;
    terminal.expect("/dev/console\r\n/root")?;
    terminal.send("\x1d")?;
    assert_eq!(terminal.wait()?.code(), Some(0));
    server.jaula().ok(&["stop", &server.name])?;
    nothing_left(t)
}

fn a_system_of_rpm_packages_boots(t: &Test) -> Outcome {
    let server = Server::build(t, "rpm", Template::RpmShaped)?;
    server.start()?;
    assert_eq!(server.status()?["init"], "systemd");
    assert_eq!(server.sh("systemctl is-system-running; systemctl --failed --no-legend")?, "running\n");
    assert_eq!(
        server.sh("rpm -qf /usr/lib/systemd/systemd /usr/bin/bash --qf '%{NAME}\\n'")?,
        "systemd\nbash\n"
    );
    assert_eq!(
        server.sh("hostname; cat /etc/hostname; grep ^HOSTNAME /etc/sysconfig/network")?,
        format!("{0}\n{0}\nHOSTNAME=\"{0}\"\n", server.name)
    );
    // Nothing but what jaula writes differs from what was installed.
    let changed = server.sh("rpm -Va --nomtime --nodeps --nomode --nocaps || true")?;
    let expected = [
        "/etc/hosts",
        "/etc/sysconfig/network",
        "/etc/machine-id",
        "/etc/fstab",
        "/etc/mtab",
        "/etc/ld.so.cache",
    ];
    for line in changed.lines().filter(|line| line.contains(" /etc/") && !line.starts_with("missing")) {
        assert!(expected.iter().any(|path| line.ends_with(path)), "{changed}");
    }
    server.stop("Reached target")?;
    nothing_left(t)
}

/// Row V2: users, files and packages of each are its own. Row O20: two of one template are alike but for what tells
/// them apart.
fn families_stand_side_by_side(t: &Test) -> Outcome {
    let debian = Server::build(t, "deb13", Template::Debian13)?;
    let old = Server::build(t, "deb12", Template::Debian12)?;
    let alpine = Server::build(t, "alp1", Template::AlpineShaped)?;
    let second = Server::another(t, "alp2", Template::AlpineShaped)?;
    let rpm = Server::build(t, "rpm1", Template::RpmShaped)?;
    let third = Server::another(t, "rpm2", Template::RpmShaped)?;
    let all = [&debian, &old, &alpine, &second, &rpm, &third];
    for server in all {
        server.start()?;
    }
    let release = |server: &Server<'_>| server.sh(". /etc/os-release; echo $ID-$VERSION_ID");
    let said = all.iter().map(|server| release(server)).collect::<Outcome<Vec<_>>>()?;
    assert_eq!(said[..4], ["debian-13\n", "debian-12\n", "alpineshaped-3.0.0\n", "alpineshaped-3.0.0\n"]);
    assert_eq!(said[4..], ["rpmshaped-13\n", "rpmshaped-13\n"]);
    // Each has its own way to say what is installed, and none another's.
    for (server, ask, others) in [
        (&debian, "dpkg-query -W -f '${Status}' systemd", "rpm -q systemd"),
        (&alpine, "grep -c ^P:openrc$ /lib/apk/db/installed", "dpkg -l"),
        (&rpm, "rpm -q systemd", "dpkg -l"),
    ] {
        server.sh(ask)?;
        assert!(server.sh(others).is_err(), "{others} in {}", server.name);
    }
    // The same user in each is another.
    for (number, server) in (2000..).zip(all) {
        server.sh(&format!("echo guest:x:{number}:{number}::/home/guest:/bin/sh >>/etc/passwd; mkdir -p /home/guest; chown guest /home/guest; echo {number} >/etc/mine"))?;
    }
    for (number, server) in (2000..).zip(all) {
        assert_eq!(
            server.sh("id -u guest; cat /etc/mine; stat -c %u /home/guest")?,
            format!("{0}\n{0}\n{0}\n", number)
        );
    }
    assert!(!std::fs::read_to_string("/etc/passwd")?.contains("\nguest:"));
    // Alike, but for name, id and keys.
    let apart = "cat /etc/hostname /etc/machine-id; cat /etc/ssh/ssh_host_ed25519_key.pub";
    let (one, two) = (rpm.sh(apart)?, third.sh(apart)?);
    for (one, two) in one.lines().zip(two.lines()) {
        assert_ne!(one, two);
    }
    let alike =
        "rpm -qa | sort | sha256sum; cksum /etc/shadow /usr/bin/bash; ls /usr/lib/systemd/system | cksum";
    assert_eq!(rpm.sh(alike)?, third.sh(alike)?);
    let list = t.jaula().json(&["template", "list", "--json"])?;
    let shared = list.as_array().into_iter().flatten().find(|one| one["name"] == "rpm-shaped");
    assert_eq!(shared.map(|one| one["used_by"].as_array().map_or(0, Vec::len)), Some(2));
    t.jaula().within(Duration::from_secs(120)).ok(&["stop", "--all"])?;
    nothing_left(t)
}
