//! Packages are installed inside, as on a machine: with their users and services, and nothing of the host's.

use super::hosts_own;
use crate::boot::Server;
use jaula_tests::harness::{CLIENT, Cable, Outcome, Template, Test, command};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Stdio};

pub(super) fn trials() -> Vec<Trial> {
    trials!("servers": privileged [
        a_package_brings_a_user_and_a_service,
        a_package_brings_a_script_of_a_runlevel,
        a_package_comes_from_the_distributions_mirror,
    ])
}

/// A package with a user of its own and a service for each kind of init.
const CONTROL: &str = "Package: greeter\nVersion: 1.0\nArchitecture: all\nDepends: adduser, netcat-openbsd\n\
                       Maintainer: nobody <nobody@example.org>\nDescription: says hello\n";
const UNIT: &str = "[Unit]\nDescription=Says hello\n[Service]\nUser=_greeter\nStateDirectory=greeter\nPrivateTmp=yes\n\
                    ExecStart=/usr/bin/nc -lk 127.0.0.1 8099\n[Install]\nWantedBy=multi-user.target\n";
const SCRIPT: &str = "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: greeter\n# Required-Start: $remote_fs\n\
                      # Required-Stop: $remote_fs\n# Default-Start: 2 3 4 5\n# Default-Stop: 0 1 6\n### END INIT INFO\n\
                      case $1 in start) start-stop-daemon --start --background --make-pidfile --pidfile /run/greeter.pid \
                      --chuid _greeter --exec /usr/bin/nc -- -lk 127.0.0.1 8099 ;;\n\
                      stop) start-stop-daemon --stop --oknodo --remove-pidfile --pidfile /run/greeter.pid ;; esac\n";
const INSTALLED: &str = "#!/bin/sh\nset -e\n[ \"$1\" = configure ] || exit 0\n\
                         adduser --system --group --quiet --home /var/lib/greeter _greeter\n\
                         if [ -d /run/systemd/system ]; then systemctl daemon-reload; systemctl enable --now greeter\n\
                         else update-rc.d greeter defaults; invoke-rc.d greeter start; fi\n";
const REMOVED: &str = "#!/bin/sh\nset -e\n[ \"$1\" = remove ] || exit 0\n\
                       if [ -d /run/systemd/system ]; then systemctl disable --now greeter\n\
                       else invoke-rc.d greeter stop; fi\n";

/// A repository of one package.
fn repository(place: &Path) -> Outcome {
    let files = [
        ("DEBIAN/control", CONTROL, 0o644),
        ("DEBIAN/postinst", INSTALLED, 0o755),
        ("DEBIAN/prerm", REMOVED, 0o755),
        ("etc/init.d/greeter", SCRIPT, 0o755),
        ("usr/lib/systemd/system/greeter.service", UNIT, 0o644),
    ];
    for (path, text, mode) in files {
        let path = place.join("greeter").join(path);
        fs::create_dir_all(path.parent().unwrap_or(place))?;
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    }
    let make = "cd \"$1\" && chmod -R go+rX . && dpkg-deb --root-owner-group -b greeter greeter.deb >/dev/null && \
                { dpkg-deb -f greeter.deb; echo Filename: ./greeter.deb; echo \"Size: $(stat -c %s greeter.deb)\"; \
                echo \"SHA256: $(sha256sum greeter.deb | cut -d' ' -f1)\"; } >Packages";
    command(&["sh", "-ec", make, "sh", &place.to_string_lossy()])?.ok().map(drop)
}

/// The repository on the other host, until it is dropped.
struct Mirror(Child);

impl Mirror {
    fn serve(cable: &Cable<'_>, place: &Path) -> Outcome<Self> {
        let place = place.to_string_lossy();
        let words = ["python3", "-m", "http.server", "--bind", CLIENT, "--directory", &place, "8000"];
        let mut serve = cable.client_command(&words);
        let mirror = Self(serve.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        let ask = format!("import socket; socket.create_connection(('{CLIENT}', 8000), 1)");
        crate::declared::until("the mirror", || {
            cable.client(&["python3", "-c", &ask]).ok()?.status.success().then_some(())
        })?;
        Ok(mirror)
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

const APT: &str = "export DEBIAN_FRONTEND=noninteractive; apt-get -q";

/// Installed over the network, seen to run, and removed again.
fn installs(t: &Test, template: Template, stands: fn(&Server<'_>) -> Outcome) -> Outcome {
    let before = hosts_own();
    let cable = Cable::lay(t, &["192.0.2.10", "192.0.2.11", "2001:db8::10", "2001:db8::11"])?;
    let place = t.root().join("mirror");
    repository(&place)?;
    let mirror = Mirror::serve(&cable, &place)?;
    let options = ["--ip", "192.0.2.10", "--ip", "2001:db8::10"];
    let server = Server::built(t, cable.jaula(), template, "web", &options)?;
    server.start()?;
    server.shell(&format!(
        "rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*; echo 'deb [trusted=yes] http://{CLIENT}:8000 ./' >/etc/apt/sources.list"
    ))?;
    server.shell(&format!("{APT} update && {APT} install -y greeter"))?;
    assert_eq!(server.shell("dpkg-query -W -f '${Status} ${Version}' greeter")?, "install ok installed 1.0");
    assert_eq!(server.shell("dpkg --audit")?, "");
    // Its own user runs it, and somebody can talk to it.
    crate::declared::until("the service", || server.shell("pgrep -u _greeter -x nc >/dev/null").ok())?;
    crate::declared::until("an answer", || server.shell("nc -z 127.0.0.1 8099").ok())?;
    stands(&server)?;
    server.stop()?;
    server.start()?;
    crate::declared::until("the service again", || server.shell("pgrep -u _greeter -x nc >/dev/null").ok())?;
    stands(&server)?;
    server.shell(&format!("{APT} purge -y greeter"))?;
    assert_eq!(server.shell("pgrep -u _greeter -x nc || echo none")?, "none\n");
    server.stop()?;
    drop(mirror);
    // Not the host's, and not the next server's of the same template.
    assert_eq!(hosts_own(), before, "the host's own packages and users are as they were");
    let second = Server::built(t, cable.jaula(), template, "two", &["--ip", "192.0.2.11"])?;
    second.start()?;
    assert_eq!(
        second.shell("dpkg -s greeter 2>/dev/null || id _greeter 2>/dev/null || echo nothing")?,
        "nothing\n"
    );
    second.end()
}

fn a_package_brings_a_user_and_a_service(t: &Test) -> Outcome {
    installs(t, Template::Debian13, |server| server.nothing_failed())?;
    t.jaula().ok(&["delete", "--all", "--yes"])?;
    fs::remove_dir_all(t.root().join("mirror"))?;
    installs(t, Template::Debian12, |server| server.nothing_failed())
}

fn a_package_brings_a_script_of_a_runlevel(t: &Test) -> Outcome {
    installs(t, Template::Debian13Sysv, |_| Ok(()))
}

/// From the mirror that this machine reaches, checked by the distribution's keys.
fn a_package_comes_from_the_distributions_mirror(t: &Test) -> Outcome {
    let before = hosts_own();
    let mirror = crate::building::mirror(t)?;
    // What listens would listen on this machine: none of its services are started.
    let idle = [
        "--network",
        "host",
        "--set",
        "boot.command=[\"/usr/bin/sleep\", \"infinity\"]",
        "--set",
        "boot.stop_timeout=0s",
    ];
    let server = Server::built(t, t.jaula(), Template::Debian13, "web", &idle)?;
    server.start()?;
    server.shell(&format!(
        "rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*; echo 'deb {mirror} trixie main' >/etc/apt/sources.list"
    ))?;
    let update = server.jaula().run(&[
        "exec",
        &server.name,
        "--",
        "sh",
        "-c",
        &format!("{APT} --error-on=any update"),
    ])?;
    if !update.status.success() {
        server.end()?;
        return t.skip(&format!(
            "the mirror cannot be reached: {}",
            update.stderr.lines().next().unwrap_or_default()
        ));
    }
    server.shell(&format!("{APT} install -y --no-install-recommends hello"))?;
    assert_eq!(server.shell("hello")?, "Hello, world!\n");
    assert_eq!(hosts_own(), before);
    server.end()
}
