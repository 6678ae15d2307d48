//! sshd inside, and a real client on another host.

use crate::boot::Server;
use jaula_tests::harness::{CLIENT, Cable, Done, Outcome, Template, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;

pub(super) fn trials() -> Vec<Trial> {
    trials!("servers": privileged [
        somebody_logs_in_at_an_address_of_debian_13,
        somebody_logs_in_on_the_network_of_the_host_of_debian_12,
        somebody_logs_in_over_a_route_of_debian_13,
        somebody_logs_in_over_a_route_of_debian_12,
        somebody_logs_in_without_systemd,
        each_server_has_host_keys_of_its_own,
    ])
}

const ADDRESS: &str = "192.0.2.10";

/// The ssh of the host that looks, with a home of its own.
struct Ssh<'t> {
    cable: &'t Cable<'t>,
    home: PathBuf,
}

impl<'t> Ssh<'t> {
    fn new(t: &Test, cable: &'t Cable<'t>) -> Outcome<Self> {
        let home = t.root().join("client");
        fs::create_dir(&home)?;
        // What asks for the password where there is no terminal.
        let ask = home.join("ask");
        fs::write(&ask, "#!/bin/sh\necho \"$PASSWORD\"\n")?;
        fs::set_permissions(ask, fs::Permissions::from_mode(0o700))?;
        Ok(Self { cable, home })
    }

    /// Options that leave the user's own files alone.
    fn options(&self, more: &[&str]) -> Vec<String> {
        let known = format!("UserKnownHostsFile={}", self.home.join("known_hosts").display());
        let all =
            ["-F", "none", "-o", &known, "-o", "StrictHostKeyChecking=accept-new", "-o", "ConnectTimeout=20"];
        all.iter().chain(more).map(|word| (*word).to_owned()).collect()
    }

    fn run(&self, program: &str, password: &str, words: &[String]) -> Outcome<Done> {
        let mut command = self.cable.client_command(&["setsid", "--wait", program]);
        command.args(words).env("SSH_ASKPASS", self.home.join("ask")).env("SSH_ASKPASS_REQUIRE", "force");
        command.env("PASSWORD", password).env_remove("SSH_AUTH_SOCK").stdin(Stdio::null());
        let done = command.output()?;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Ok(Done {
            command: format!("{program} {}", words.join(" ")),
            status: done.status,
            stdout: text(&done.stdout),
            stderr: text(&done.stderr),
        })
    }

    /// Logs in by a password.
    fn with(&self, password: &str, to: &str, script: &str) -> Outcome<Done> {
        let mut words = self.options(&["-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1"]);
        words.extend([format!("bob@{to}"), script.to_owned()]);
        self.run("ssh", password, &words)
    }

    /// Logs in by the key; there is nobody to ask.
    fn by_key(&self, program: &str, words: &[&str]) -> Outcome<Done> {
        let key = self.home.join("key");
        let mut all = self.options(&["-o", "BatchMode=yes", "-i", &key.to_string_lossy()]);
        all.extend(words.iter().map(|word| (*word).to_owned()));
        self.run(program, "", &all)
    }
}

/// By a password that was given inside, and by a key: a command, files, a terminal, ten megabytes.
fn logs_in(t: &Test, template: Template, network: &[&str]) -> Outcome {
    let before = super::hosts_own();
    let routed = network.contains(&"routed");
    // The host's own; what is routed is the server's alone.
    let cable =
        Cable::lay(t, if routed { &["192.0.2.9", "2001:db8::9"] } else { &[ADDRESS, "2001:db8::10"] })?;
    if routed {
        cable.forwards()?;
    }
    let server = Server::built(t, cable.jaula(), template, "web", network)?;
    server.start()?;
    let systemd = template != Template::Debian13Sysv;
    if systemd {
        server.nothing_failed()?;
    }
    server.shell("useradd -m -s /bin/bash bob && echo bob:secret-of-bob | chpasswd")?;
    let ssh = Ssh::new(t, &cable)?;

    let script = "id -un; hostname; echo ${SSH_CONNECTION%% *}; cat /proc/1/comm; exit 9";
    let done = ssh.with("secret-of-bob", ADDRESS, script)?;
    let init = if systemd { "systemd" } else { "init" };
    assert_eq!(done.stdout, format!("bob\n{}\n{CLIENT}\n{init}\n", server.name), "{done}");
    assert_eq!(done.status.code(), Some(9), "{done}");
    let wrong = ssh.with("secret-of-alice", ADDRESS, "id")?;
    assert!(wrong.status.code() == Some(255) && wrong.stderr.contains("Permission denied"), "{wrong}");

    let key = ssh.home.join("key");
    let made =
        cable.client(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", &key.to_string_lossy()])?;
    made.ok()?;
    let public = fs::read_to_string(key.with_extension("pub"))?;
    let to = format!("bob@{ADDRESS}");
    assert_eq!(ssh.by_key("ssh", &[&to, "id"])?.status.code(), Some(255), "nobody has let the key in");
    let put = ssh.with(
        "secret-of-bob",
        ADDRESS,
        &format!("umask 077; mkdir .ssh; echo '{public}' >.ssh/authorized_keys"),
    )?;
    put.ok()?;
    let terminal = ssh.by_key("ssh", &["-tt", &to, "tty; stat -c %U $(tty); who | grep -c bob"])?;
    assert!(terminal.stdout.starts_with("/dev/pts/") && terminal.stdout.contains("bob"), "{terminal}");
    // Over IPv6, and ten megabytes both ways.
    let file = t.root().join("ten");
    fs::write(&file, vec![b'j'; 10 << 20])?;
    let path = file.to_string_lossy();
    ssh.by_key("scp", &["-q", &path, "bob@[2001:db8::10]:ten"])?.ok()?;
    let back = format!("{path}.back");
    ssh.by_key("scp", &["-q", "bob@[2001:db8::10]:ten", &back])?.ok()?;
    assert!(fs::read(&file)? == fs::read(back)?, "what came back is not what was sent");
    if systemd {
        server.shell("loginctl --no-legend list-sessions >/dev/null; journalctl -q -b _COMM=sshd _COMM=sshd-session + _COMM=sshd-session | grep 'Accepted password for bob'")?;
        server.nothing_failed()?;
    }
    assert_eq!(super::hosts_own(), before, "the host's own users are as they were");
    server.end()
}

fn somebody_logs_in_at_an_address_of_debian_13(t: &Test) -> Outcome {
    logs_in(t, Template::Debian13, &["--ip", ADDRESS, "--ip", "2001:db8::10"])
}

fn somebody_logs_in_on_the_network_of_the_host_of_debian_12(t: &Test) -> Outcome {
    logs_in(t, Template::Debian12, &["--network", "host"])
}

fn somebody_logs_in_over_a_route_of_debian_13(t: &Test) -> Outcome {
    logs_in(t, Template::Debian13, &["--network", "routed", "--ip", ADDRESS, "--ip", "2001:db8::10"])
}

fn somebody_logs_in_over_a_route_of_debian_12(t: &Test) -> Outcome {
    logs_in(t, Template::Debian12, &["--network", "routed", "--ip", ADDRESS, "--ip", "2001:db8::10"])
}

fn somebody_logs_in_without_systemd(t: &Test) -> Outcome {
    logs_in(t, Template::Debian13Sysv, &["--ip", ADDRESS, "--ip", "2001:db8::10"])
}

/// A template has none, two servers of it have not the same, and a restart keeps them.
fn each_server_has_host_keys_of_its_own(t: &Test) -> Outcome {
    for template in [Template::Debian13, Template::Debian12, Template::Debian13Sysv] {
        let tree = template.kept(t)?.join("tree/etc/ssh");
        let keys = |name: &fs::DirEntry| name.file_name().to_string_lossy().starts_with("ssh_host_");
        assert_eq!(fs::read_dir(&tree)?.flatten().filter(keys).count(), 0, "{}", tree.display());
        let cable = Cable::lay(t, &[ADDRESS, "192.0.2.11"])?;
        let mut seen = Vec::new();
        for (word, ip) in [("one", ADDRESS), ("two", "192.0.2.11")] {
            let word = format!("{word}-{}", template.name());
            let server = Server::built(t, cable.jaula(), template, &word, &["--ip", ip])?;
            server.start()?;
            if template != Template::Debian13Sysv {
                made_beside_all_else(&server)?;
            }
            let inside = "for key in /etc/ssh/ssh_host_*_key.pub; do cut -d' ' -f1,2 $key; done | sort";
            let own = server.shell(inside)?;
            assert_eq!(own.lines().count(), 3, "{own}");
            let outside = cable.client(&["ssh-keyscan", "-T", "10", ip])?.ok()?;
            let mut outside: Vec<&str> =
                outside.lines().filter_map(|line| line.split_once(' ').map(|all| all.1)).collect();
            outside.sort_unstable();
            assert_eq!(own.lines().collect::<Vec<_>>(), outside);
            assert_eq!(server.shell("stat -c %a:%U /etc/ssh/ssh_host_*_key")?, "600:root\n".repeat(3));
            server.stop()?;
            server.start()?;
            assert_eq!(server.shell(inside)?, own, "a restart makes no other keys");
            server.stop()?;
            seen.push(own);
        }
        let shared: Vec<&str> = seen[0].lines().filter(|key| seen[1].contains(*key)).collect();
        assert_eq!(shared, Vec::<&str>::new(), "two servers have the same keys");
    }
    crate::declared::nothing_left(t)
}

/// They are begun before what every service waits for is there, and are there before the server starts: a start waits
/// for as little of them as can be.
fn made_beside_all_else(server: &Server<'_>) -> Outcome {
    let when = |unit: &str, property: &str| -> Outcome<u64> {
        let said = server.shell(&format!("systemctl show --value -p {property}TimestampMonotonic {unit}"))?;
        said.trim().parse().map_err(|error| format!("{unit}, {property}: {error}: {said}").into())
    };
    let keys = "jaula-ssh-host-keys.service";
    let (begun, done) = (when(keys, "ExecMainStart")?, when(keys, "ExecMainExit")?);
    let (basic, listens) = (when("sysinit.target", "ActiveEnter")?, when("ssh.service", "ActiveEnter")?);
    assert!(0 < begun && begun < basic && done < listens, "{begun} {basic} {done} {listens}");
    Ok(())
}
