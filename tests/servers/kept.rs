//! A server is built by one command, and starts with the host after what it depends on.

use crate::boot::Server;
use jaula_tests::harness::{Outcome, Template, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;

pub(super) fn trials() -> Vec<Trial> {
    trials!("servers": privileged [
        two_commands_make_a_server,
        servers_start_with_the_host_in_order,
    ])
}

/// The whole of it on a terminal, as a person sees it: what is done is shown while it is done.
fn two_commands_make_a_server(t: &Test) -> Outcome {
    let mirror = crate::building::mirror(t)?;
    crate::building::reachable(t, &mirror)?;
    let name = t.name("web");
    let build = [
        "build",
        &name,
        "--from",
        "debootstrap:trixie",
        "--mirror",
        &format!("deb {mirror} trixie main"),
        "--hostname",
        "www.example.org",
        "--ip",
        "192.0.2.10",
    ];
    let mut terminal = t.jaula().pty(&build)?;
    for phase in
        ["reading lists of packages", "fetching packages", "unpacking packages", "setting packages up"]
    {
        terminal.expect_within(phase, std::time::Duration::from_secs(300))?;
    }
    let told = format!("jail {name} is built with id 101 on the template debian-13, which is new");
    terminal.expect_within(&told, std::time::Duration::from_secs(300))?;
    assert_eq!(terminal.wait()?.code(), Some(0));
    // Its files are below the house, and its configuration is for people.
    let house = t.root().join("var/lib/jaula");
    assert!(house.join("templates/debian-13/tree/usr/bin/apt-get").exists());
    assert!(house.join("jails").join(&name).join("overlay").is_dir());
    let text = fs::read_to_string(t.root().join(format!("etc/jaula/jails/{name}.toml")))?;
    for line in
        ["hostname = \"www.example.org\"", "from = \"template:debian-13\"", "addresses = [\"192.0.2.10\"]"]
    {
        assert!(text.contains(line), "{line}: {text}");
    }
    t.jaula().ok(&["set", &name, "network.mode=none", "network.addresses="])?;
    let server = Server::known(t, name);
    server.start()?;
    server.nothing_failed()?;
    assert_eq!(server.shell("hostname; . /etc/os-release; echo $VERSION_ID")?, "www.example.org\n13\n");
    server.end()
}

/// Notes when it has started and is stopped, by the clock of the kernel.
const NOTES: &str = "[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/bin/sh -c \"sleep 1; cut -d. -f1,2 /proc/uptime >/var/up\"\\nExecStop=/bin/sh -c \"cat /proc/uptime >/var/down\"\\n[Install]\\nWantedBy=graphical.target\\n";

fn servers_start_with_the_host_in_order(t: &Test) -> Outcome {
    let mut servers = Vec::new();
    for (word, template) in [("db", Template::Debian13), ("web", Template::Debian12)] {
        let server = Server::built(t, t.jaula(), template, word, &["--set", "boot.autostart=true"])?;
        server.start()?;
        server.shell(&format!(
            "printf '{NOTES}' >/etc/systemd/system/notes.service; systemctl -q enable notes"
        ))?;
        server.stop()?;
        servers.push(server);
    }
    let [db, web] = &servers[..] else { return Err("two servers".into()) };
    t.jaula().ok(&["set", &web.name, &format!("boot.depends={}", db.name)])?;
    web.jaula().ok(&["boot"])?;
    // The one is ready before the other's init begins: both tell it by the kernel's clock.
    let moment = |server: &Server<'_>, what: &str| -> Outcome<u64> {
        let said = server.shell(&format!("systemctl show {what}"))?;
        Ok(said.trim().rsplit('=').next().unwrap_or_default().parse()?)
    };
    let ready = moment(db, "-p ActiveEnterTimestampMonotonic graphical.target")?;
    let begun = moment(web, "-p UserspaceTimestampMonotonic")?;
    assert!(0 < ready && ready < begun, "ready at {ready}, begun at {begun}");
    for server in &servers {
        server.nothing_failed()?;
    }
    web.jaula().ok(&["shutdown"])?;
    let down = |server: &Server<'_>| -> Outcome<f64> {
        let path = t.root().join(format!("var/lib/jaula/jails/{}/overlay/upper/var/down", server.name));
        Ok(fs::read_to_string(path)?.split(' ').next().unwrap_or_default().parse()?)
    };
    assert!(down(web)? < down(db)?, "{} {}", down(web)?, down(db)?);
    crate::declared::nothing_left(t)
}
