//! What `ps` shows on each side, as the documents of other managers show it, and whose the terminal is.

use crate::boot::Server;
use jaula_tests::harness::{Outcome, Template, Test, busybox_root, command};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

pub(super) fn trials() -> Vec<Trial> {
    trials!("servers": privileged [
        who_enters_sees_own_processes_and_the_host_sees_all,
        the_list_begins_with_init,
        the_console_belongs_to_who_logs_in,
        an_init_in_the_keepers_group_cannot_signal_it,
    ])
}

/// Enters on a terminal, as a person does.
fn who_enters_sees_own_processes_and_the_host_sees_all(t: &Test) -> Outcome {
    let server = Server::of(t, Template::Debian13, &[])?;
    server.start()?;
    let mut hosts = Command::new("sleep").arg("98760").spawn()?;
    server.shell("setsid sleep 98761 >/dev/null 2>&1 </dev/null &")?;
    let mut terminal = server.jaula().pty(&["enter", &server.name])?;
    terminal.expect("# ")?;
    // What is typed is shown too, and is not what is waited for.
    terminal.send("ps aux | cat; echo THE' 'END\n")?;
    let said = terminal.expect("THE END\r\n");
    terminal.send("exit\n")?;
    let status = terminal.wait()?;
    let on_host = command(&["ps", "axww", "-o", "pid,uid,args"])?.ok();
    hosts.kill()?;
    hosts.wait()?;
    let (said, on_host) = (said?, on_host?);
    let list: Vec<&str> = said.lines().skip_while(|line| !line.contains("USER ")).collect();
    let words = |line: &&str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let head: Vec<String> = list.first().map(words).unwrap_or_default();
    assert!(head.join(" ").ends_with("USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND"), "{said}");
    let first = list.get(1).map(words).unwrap_or_default();
    assert_eq!(
        (first[0].as_str(), first[1].as_str(), first[10].as_str()),
        ("root", "1", "/sbin/init"),
        "{said}"
    );
    let own = |args: &str| list.iter().any(|line| line.contains(args));
    assert!(own("ps aux") && own("-bash") && own("sleep 98761"), "{said}");
    assert!(!own("sleep 98760") && !own("jaula"), "a process of the host: {said}");
    assert_eq!(status.code(), Some(0));
    // The host sees both, the jail's under the ids that they have there, of which `ps` says the large ones as
    // negative numbers.
    let uid = |args: &str| {
        let line = on_host.lines().find(|line| line.ends_with(args))?;
        line.split_whitespace().nth(1)?.parse::<i64>().ok()
    };
    let ids = [uid("sleep 98760"), uid("sleep 98761").map(|id| id.rem_euclid(1 << 32))];
    let base = server.status()?["ids"]["outside"].as_i64();
    assert!(base > Some(0), "{base:?}");
    assert_eq!(ids, [Some(0), base]);
    server.end()
}

/// `1 ? Ss 0:00 init [2]`, and what a runlevel starts after it.
fn the_list_begins_with_init(t: &Test) -> Outcome {
    let server = Server::built(t, t.jaula(), Template::Debian13Sysv, "web", &["--network", "none"])?;
    server.start()?;
    let list = server.shell("ps ax")?;
    let row = |n: usize| list.lines().nth(n).unwrap_or_default().split_whitespace().collect::<Vec<_>>();
    assert_eq!(row(0), ["PID", "TTY", "STAT", "TIME", "COMMAND"], "{list}");
    let first = row(1);
    assert_eq!((&first[..3], &first[4..]), (&["1", "?", "Ss"][..], &["init", "[2]"][..]), "{list}");
    for daemon in ["rsyslogd", "sshd", "cron"] {
        assert!(list.contains(&format!("/usr/sbin/{daemon}")), "no {daemon}: {list}");
    }
    server.end()
}

/// Not to System V's init, so that what is typed there can interrupt.
fn the_console_belongs_to_who_logs_in(t: &Test) -> Outcome {
    let server = Server::built(t, t.jaula(), Template::Debian13Sysv, "web", &["--network", "none"])?;
    server.start()?;
    server.shell("useradd -m -s /bin/bash bob && echo bob:secret-of-bob | chpasswd")?;
    let mut terminal = server.jaula().pty(&["console", &server.name])?;
    terminal.expect("login: ")?;
    terminal.send("bob\n")?;
    terminal.expect("Password: ")?;
    terminal.send("secret-of-bob\n")?;
    terminal.expect("bob@")?;
    terminal.send("ps -o tty=,args= -p $$; echo here' 'now\n")?;
    let said = terminal.expect("here now\r\n")?;
    assert!(said.contains("-bash") && !said.contains("?   "), "{said}");
    terminal.send("sleep 1000\n")?;
    terminal.expect("sleep 1000\r\n")?;
    crate::declared::until("the program", || server.shell("pgrep -u bob -x sleep").ok())?;
    terminal.send("\x03")?;
    terminal.send("echo interrupted $?\n")?;
    terminal.expect("interrupted 130")?;
    terminal.send("\x1d")?;
    terminal.wait()?;
    server.end()
}

/// System V's init begins in its keeper's group of processes (decision 038). Whatever it sends there ends itself or
/// nobody: the keeper goes on, and stops it when it is asked to.
fn an_init_in_the_keepers_group_cannot_signal_it(t: &Test) -> Outcome {
    let name = t.name("web");
    let from = format!("dir:{}", busybox_root()?.display());
    let settings = [
        "--set",
        "boot.init=sysv",
        "--set",
        "boot.stop_timeout=1s",
        "--set",
        "boot.ready=[\"/bin/test\", \"-e\", \"/run/sent\"]",
    ];
    t.jaula()
        .ok(&[&["build", "--quiet", &name, "--from", &from, "--store", "dir"][..], &settings].concat())?;
    let root = t.root().join("var/lib/jaula/jails").join(&name).join("root");
    // Its group, which is none that the jail knows; then every signal that ends a process, to the whole group.
    let init = "#!/bin/sh\ncut -d' ' -f5 /proc/self/stat > /run/group\ntrap '' HUP INT QUIT TERM USR1 USR2\n\
                for signal in HUP INT QUIT USR1 USR2 TERM KILL STOP; do kill -$signal 0; done\n\
                echo done > /run/sent\nwhile :; do sleep 1; done\n";
    let path = root.join("sbin/init");
    _ = fs::remove_file(&path);
    fs::write(&path, init)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    t.jaula().ok(&["start", &name])?;
    assert_eq!(t.jaula().exec(&name, &["cat", "/run/group"])?, "0\n", "it has a group of its own");
    let status = t.jaula().json(&["status", "--json", &name])?;
    let keeper = status[0]["keeper"]["pid"].as_u64().ok_or("no keeper")?;
    let state = fs::read_to_string(format!("/proc/{keeper}/stat"))?;
    let state = state.rsplit(") ").next().and_then(|rest| rest.chars().next());
    assert!(status[0]["keeper"]["alive"] == true && matches!(state, Some('S' | 'R')), "{state:?}: {status}");
    assert_eq!(status[0]["state"], "running", "{status}");
    t.jaula().ok(&["stop", &name])?;
    t.jaula().ok(&["delete", "--yes", &name]).map(drop)
}
