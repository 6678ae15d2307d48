//! Every probe of `tests/probe` in every kind of jail. Each tries the real thing: an escape that
//! was published, or an operation that a profile forbids. What each may answer stands in
//! [`table`]; whatever is not there must be refused.

mod table;

use crate::declared::Declared;
use crate::ground::{Outside, PROFILES, dir, tree, words};
use jaula_tests::harness::{Outcome, Pty, Test, command, probe};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::path::Path;
use table::{Answer, Cell};

pub(crate) fn trials() -> Vec<Trial> {
    trials!("escapes": privileged [
        the_table_names_probes,
        from_a_read_only_directory,
        from_an_ephemeral_directory,
        from_a_kept_directory,
        from_the_hosts_root,
        read_only_is_read_only_to_servers,
        from_an_app_jail,
        by_a_terminal,
        by_ipc_of_another_jail,
        the_table_would_find_an_escape,
    ])
}

/// What `probe all` printed in a jail and the table does not have.
pub(crate) fn faults<'a>(profile: &str, network: &str, printed: &'a str) -> Outcome<Vec<&'a str>> {
    table::faults(&Cell { profile, shared_network: network == "host" }, printed)
}

/// A row about a probe that is gone, or misspelled, would guard nothing.
fn the_table_names_probes(_: &Test) -> Outcome {
    let list = command(&[&probe()?.to_string_lossy(), "list"])?.ok()?;
    let known: Vec<&str> = list.lines().filter_map(|line| line.split(' ').next()).collect();
    let unknown: Vec<&str> = table::names().filter(|name| !known.contains(name)).collect();
    assert!(unknown.is_empty(), "no probes: {unknown:?}");
    Ok(())
}

/// All probes in all profiles and networks, as root of the jail and as a plain user of it, with
/// these options of `jaula run`.
fn everywhere(t: &Test, profiles: &[&str], options: &str, program: &str) -> Outcome {
    let outside = Outside::put(t)?;
    let mut wrong = Vec::new();
    for &profile in profiles {
        for network in ["none", "host"] {
            for user in ["0", "1000"] {
                let options = format!("{options} --profile {profile} --network {network} --user {user}");
                let told = outside.options();
                let mut probe: Vec<&str> = vec![program, "all"];
                probe.extend(told.iter().map(String::as_str));
                let done = t.jaula().run(&words(&options, &probe))?;
                // 1 only says that some line says `escaped`.
                if !matches!(done.status.code(), Some(0 | 1)) || !done.stderr.is_empty() {
                    return Err(format!("the probe did not run: {done}").into());
                }
                let cell = Cell { profile, shared_network: network == "host" };
                let faults = table::faults(&cell, &done.stdout)?;
                wrong.extend(faults.into_iter().map(|fault| format!("{profile} {network} {user}: {fault}")));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("{options}:\n{}", wrong.join("\n")).into()) }
}

fn in_directory(t: &Test, writes: &str) -> Outcome {
    let root = dir(&tree(t)?);
    everywhere(t, &PROFILES, &format!("--root {root} --set root.writes={writes}"), "/bin/probe")
}

fn from_a_read_only_directory(t: &Test) -> Outcome {
    in_directory(t, "refused")
}

fn from_an_ephemeral_directory(t: &Test) -> Outcome {
    in_directory(t, "discarded")
}

/// In a jail that stays, by `jaula exec`: what comes in from the outside later is held as well.
fn from_a_kept_directory(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let outside = Outside::put(t)?;
    let told = outside.options();
    let mut probe: Vec<&str> = vec!["/bin/probe", "all"];
    probe.extend(told.iter().map(String::as_str));
    let mut wrong = Vec::new();
    for profile in PROFILES {
        for network in ["none", "host"] {
            let jail = Declared::idle(t, &format!("{profile}-{network}"))?;
            jail.write_config(&format!(
                "[root]\nfrom = \"{}\"\n[boot]\ncommand = [\"/bin/sleep\", \"1000\"]\n[network]\nmode = \
                 \"{network}\"\n[security]\nprofile = \"{profile}\"\n",
                dir(&tree)
            ))?;
            jail.start()?;
            for user in ["0", "1000"] {
                let exec = ["exec", "--user", user, &jail.name, "--"];
                let done = t.jaula().run(&[&exec[..], &probe].concat())?;
                let faults = faults(profile, network, &done.stdout).map_err(|_| done.to_string())?;
                wrong.extend(faults.iter().map(|fault| format!("{profile} {network} {user}: {fault}")));
            }
            jail.jaula("stop", &[])?.ok()?;
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

fn from_the_hosts_root(t: &Test) -> Outcome {
    // The host's /tmp, where the probe's own directory may be, is not seen inside.
    let place = t.root().join("probe");
    std::fs::copy(probe()?, &place)?;
    let options = format!("--root host --mount {}:/run/probe", place.display());
    refused_to_servers(t, &options)?;
    everywhere(t, &["app", "strict"], &options, "/run/probe")
}

fn from_an_app_jail(t: &Test) -> Outcome {
    let program = probe()?;
    let program = program.to_string_lossy();
    let options = format!("--app {program}");
    refused_to_servers(t, &options)?;
    everywhere(t, &["app", "strict"], &options, &program)
}

/// A server's root may remount, so that nothing of the host's that is only read is given to it.
fn refused_to_servers(t: &Test, options: &str) -> Outcome {
    let done = t.jaula().run(&words(&format!("{options} --profile server"), &["true"]))?;
    assert_eq!(done.status.code(), Some(125), "{done}");
    assert!(done.stderr.contains("it may remount what is read-only"), "{done}");
    Ok(())
}

/// As root of a server: what is only read stays so, whatever is remounted.
fn read_only_is_read_only_to_servers(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let root = format!("--root {}", dir(&tree));
    let remount = "mount -o remount,rw /; mount -o remount,rw,bind /; echo x >/etc/x; ls /etc/x";
    let done = t.jaula().run(&words(&format!("{root} --profile server"), &["sh", "-c", remount]))?;
    assert!(done.stderr.contains("/etc/x: Read-only file system"), "{done}");
    assert!(!tree.join("etc/x").exists());
    refused_to_servers(t, &format!("{root} --mount {}:/var", tree.display()))
}

/// The probes that need a terminal: TIOCSTI types into whoever reads it next (CVE-2017-5226),
/// TIOCLINUX likewise, also with high bits that a careless filter overlooks (CVE-2019-10063).
/// The jail has a terminal of its own, and both are refused on it all the same.
fn by_a_terminal(t: &Test) -> Outcome {
    let tree = tree(t)?;
    for profile in PROFILES {
        let options = format!("--tty --root {} --ephemeral --profile {profile}", dir(&tree));
        for name in [
            "tiocsti-stdin",
            "tiocsti-stdin-high",
            "tiocsti-tty",
            "tiocsti-tty-high",
            "tioclinux-stdin",
            "tioclinux-stdin-high",
            "tioclinux-tty",
            "tiocsti-console",
        ] {
            let words = words(&options, &["/bin/probe", name]);
            let mut terminal = Pty::spawn(&t.jaula().command(words)?)?;
            let said = terminal.expect("\n")?;
            let status = terminal.wait()?;
            let refused = said.contains(&format!("{name} refused")) && status.success();
            assert!(refused, "{profile}: {said} ({status})");
        }
    }
    Ok(())
}

/// What one jail leaves in kernel objects with names, no other jail and not the host finds:
/// System V IPC, POSIX queues, shared memory, keys. (The way back is tried by `isolation`.)
fn by_ipc_of_another_jail(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let host = probe()?;
    let host = host.to_string_lossy();
    for profile in PROFILES {
        let options = format!("--root {} --ephemeral --profile {profile}", dir(&tree));
        for (put, get, name) in [
            ("sysv-put", "sysv-get", "4711"),
            ("mq-put", "mq-get", "from-the-host"),
            ("shm-put", "shm-get", "from-the-host"),
            ("keyctl-put", "keyctl-get", "from-the-host"),
        ] {
            // The host's own is there before the jail looks, and is taken away afterwards.
            command(&[&host, put, name])?;
            let inside = t.jaula().run(&words(&options, &["/bin/probe", get, name]))?;
            let cleared = command(&[&host, get, name])?;
            assert!(inside.stdout.contains(" refused "), "{profile}: {inside}");
            assert!(cleared.stdout.contains(" escaped ") || put == "keyctl-put", "was not there: {cleared}");
        }
    }
    Ok(())
}

/// The table itself: on the host, with nothing around it, the same probes must not pass.
fn the_table_would_find_an_escape(t: &Test) -> Outcome {
    let outside = Outside::put(t)?;
    let mut words = vec![probe()?.to_string_lossy().into_owned(), "all".to_owned()];
    words.extend(outside.options().split_off(2));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // A user without privilege: what the probes do as root of the host is not for a test.
    let user = ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups"];
    let copy = t.root().join("probe");
    std::fs::copy(Path::new(words[0]), &copy)?;
    let copy = copy.to_string_lossy();
    let done = command(&[&user[..], &[&*copy], &words[1..]].concat())?;
    for profile in PROFILES {
        let faults = table::faults(&Cell { profile, shared_network: false }, &done.stdout)?;
        assert!(faults.len() > 20, "{profile}: only {faults:?}");
    }
    assert_eq!(table::answer("x escaped outside: y"), Some(("x", Answer::Outside)));
    Ok(())
}
