//! Users and passwords inside are not the host's, and not another server's.

use crate::boot::Server;
use jaula_tests::harness::{Outcome, Pty, Template, Test, command};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;
use std::os::unix::fs::MetadataExt;

pub(super) fn trials() -> Vec<Trial> {
    trials!("servers": privileged [
        the_same_name_is_another_user_in_each,
        a_user_changes_a_password_and_logs_in,
    ])
}

const BUILT: &[&str] = &["--set", "network.mode=none"];

/// Same name, same number, another password, other files, other processes; nothing of it is the host's.
fn the_same_name_is_another_user_in_each(t: &Test) -> Outcome {
    let before = super::hosts_own();
    let mut servers = Vec::new();
    for (word, template) in [("one", Template::Debian13), ("two", Template::Debian12)] {
        let server = Server::built(t, t.jaula(), template, word, BUILT)?;
        server.start()?;
        server.shell(&format!(
            "useradd -m -u 1000 -s /bin/bash bob && echo bob:secret-of-{word} | chpasswd && echo of {word} >/home/bob/mine && chown bob /home/bob/mine && chmod 600 /home/bob/mine"
        ))?;
        servers.push((word, server));
    }
    let mut hashes = Vec::new();
    for (word, server) in &servers {
        let bob = ["exec", "--user", "bob", &server.name, "--", "cat", "/home/bob/mine"];
        assert_eq!(server.jaula().ok(&bob)?, format!("of {word}\n"));
        // Nobody else inside reads it, but root does.
        let other = ["exec", "--user", "www-data", &server.name, "--", "cat", "/home/bob/mine"];
        assert!(server.jaula().fails(&other)?.contains("Permission denied"));
        assert_eq!(
            server.shell("cat /home/bob/mine; find / -xdev -name mine | wc -l")?,
            format!("of {word}\n1\n")
        );
        hashes.push(server.shell("grep ^bob: /etc/shadow | cut -d: -f2")?);
        // On the disk he has the number that he has inside; his processes have one of the jail's range.
        let file = t.root().join(format!("var/lib/jaula/jails/{}/overlay/upper/home/bob/mine", server.name));
        assert_eq!((fs::metadata(&file)?.uid(), fs::metadata(&file)?.mode() & 0o7777), (1000, 0o600));
        server.jaula().ok(&[
            "exec",
            "--user",
            "bob",
            &server.name,
            "--",
            "sh",
            "-c",
            "sleep 98762 >/dev/null 2>&1 </dev/null &",
        ])?;
        let base = server.status()?["ids"]["outside"].as_u64().ok_or("no range")?;
        let pids = command(&["pgrep", "-u", &(base + 1000).to_string(), "-fx", "sleep 98762"])?.ok()?;
        assert_eq!(pids.lines().count(), 1, "{pids}");
    }
    assert_ne!(hashes[0], hashes[1]);
    let seen = servers[1].1.shell("ps ax -o args | grep -c 'sleep 9876[2]'")?;
    assert_eq!(seen, "1\n", "it sees its own only");
    // The host's user of this number reads neither: the way to a jail's files is root's.
    for (_, server) in &servers {
        let file = t.root().join(format!("var/lib/jaula/jails/{}/overlay/upper/home/bob/mine", server.name));
        let done = command(&[
            "setpriv",
            "--reuid=1000",
            "--regid=1000",
            "--clear-groups",
            "cat",
            &file.to_string_lossy(),
        ])?;
        assert!(done.stderr.contains("Permission denied"), "{done}");
    }
    assert_eq!(super::hosts_own(), before, "the host's own users are as they were");
    for (_, server) in &servers {
        server.stop()?;
    }
    crate::declared::nothing_left(t)
}

/// `su` as a user, with this password; what it says then.
fn becomes(server: &Server<'_>, password: &str) -> Outcome<(Pty, String)> {
    let su =
        ["exec", "--tty", "--user", "www-data", &server.name, "--", "su", "-", "bob", "-c", "id -un; pwd"];
    let mut terminal = server.jaula().pty(&su)?;
    terminal.expect("Password: ")?;
    terminal.send(&format!("{password}\n"))?;
    terminal.expect("\n")?;
    let said = terminal.expect("\n")?;
    Ok((terminal, said))
}

/// Programs that are set to root's id work inside: `passwd`, `su`; and `login` at the console.
fn a_user_changes_a_password_and_logs_in(t: &Test) -> Outcome {
    let server = Server::built(t, t.jaula(), Template::Debian13, "web", BUILT)?;
    server.start()?;
    server.shell("useradd -m -s /bin/bash bob && echo bob:first-secret | chpasswd")?;
    let (terminal, said) = becomes(&server, "first-secret")?;
    assert_eq!((said.trim(), terminal.wait()?.code()), ("bob", Some(0)));
    let (terminal, said) = becomes(&server, "another")?;
    assert!(said.contains("Authentication failure"), "{said}");
    assert_eq!(terminal.wait()?.code(), Some(1));

    let mut terminal =
        server.jaula().pty(&["exec", "--tty", "--user", "bob", &server.name, "--", "passwd"])?;
    for (asked, answer) in [
        ("Current password: ", "first-secret"),
        ("New password: ", "Second:4711"),
        ("Retype new password: ", "Second:4711"),
    ] {
        terminal.expect(asked)?;
        terminal.send(&format!("{answer}\n"))?;
    }
    terminal.expect("password updated successfully")?;
    assert_eq!(terminal.wait()?.code(), Some(0));
    let (_, said) = becomes(&server, "first-secret")?;
    assert!(said.contains("Authentication failure"), "{said}");

    let mut terminal = server.jaula().pty(&["console", &server.name])?;
    terminal.expect("login: ")?;
    terminal.send("bob\n")?;
    terminal.expect("Password: ")?;
    terminal.send("Second:4711\n")?;
    terminal.expect("bob@")?;
    terminal.send("\x1d")?;
    terminal.wait()?;
    server.nothing_failed()?;
    server.end()
}
