//! What users type wrongly, what hosts lack, and what is full: one clear line, the right status,
//! nothing left behind.

use crate::ground::{dir, in_tree, one_clear_line, tree, words};
use jaula_tests::harness::{Done, Jaula, Outcome, SmallDisk, Test, command};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

pub(crate) fn trials() -> Vec<Trial> {
    trials!("badinput": privileged [
        a_program_that_is_not_there,
        a_program_that_cannot_be_executed,
        a_command_that_dies,
        names,
        keys_and_values,
        roots_that_are_none,
        mounts_that_cannot_be,
        a_full_disk,
        a_read_only_house,
        configurations_that_are_none,
        two_runs_with_one_name,
        a_kernel_that_lacks_a_call,
        a_call_that_is_refused,
    ])
}

fn leaves_nothing(t: &Test, done: &Done) -> Outcome {
    let left = jaula_tests::harness::Snapshot::settle(std::time::Duration::from_secs(2), || t.left_behind());
    if left.is_empty() { Ok(()) } else { Err(format!("left after {done}:\n{left}").into()) }
}

/// 127 and its name, with and without a `/`, as a plain user, in every kind of root.
fn a_program_that_is_not_there(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let long = "x".repeat(300);
    for name in ["nothing", "/bin/nothing", "bin/nothing", "/bin/sh/x", "new\nline", &long, "-x", ""] {
        for options in ["", "--user 1000"] {
            let done = in_tree(t, &tree, options, &[name, "argument"])?;
            // A directory is there, but is no program; an empty name is nobody's.
            let status = if name.is_empty() { 125..=127 } else { 127..=127 };
            let code = done.status.code().unwrap_or_default();
            assert!(status.contains(&code), "{done}");
            one_clear_line(&done, code, &[])?;
        }
    }
    one_clear_line(&in_tree(t, &tree, "", &["nothing"])?, 127, &["\"nothing\"", "help: "])?;
    one_clear_line(&t.jaula().run(&words("--root host", &["nothing-there"]))?, 127, &["nothing-there"])?;
    one_clear_line(&t.jaula().run(&["run", "--app", "nothing-there"])?, 125, &["nothing-there"])?;
    one_clear_line(&t.jaula().run(&["run", "--app", "/bin/nothing-there"])?, 125, &["nothing-there"])
}

/// 126 and why: no ELF, another machine, cut short, a directory, no permission, a script whose
/// interpreter is not there.
fn a_program_that_cannot_be_executed(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let put = |name: &str, content: &[u8], mode: u32| -> Outcome {
        let path = tree.join("bin").join(name);
        fs::write(&path, content)?;
        Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
    };
    let mut other = fs::read(tree.join("bin/busybox"))?;
    // e_machine (elf(5)): s390, which no machine that jaula runs on is.
    other[18..20].copy_from_slice(&22u16.to_le_bytes());
    put("text", b"hello\n", 0o755)?;
    put("other-machine", &other, 0o755)?;
    put("cut", &other[..40], 0o755)?;
    put("empty", b"", 0o755)?;
    put("closed", b"#!/bin/sh\n", 0o000)?;
    put("data", b"#!/bin/sh\n", 0o644)?;
    fs::create_dir(tree.join("bin/directory"))?;
    for name in ["text", "other-machine", "cut", "empty"] {
        let done = in_tree(t, &tree, "", &[name])?;
        one_clear_line(&done, 126, &[name, "help: ", "no program for this machine"])?;
    }
    for (name, options) in [("closed", "--user 1000"), ("data", ""), ("directory", ""), ("closed", "")] {
        one_clear_line(&in_tree(t, &tree, options, &[&format!("/bin/{name}")])?, 126, &[name])?;
    }
    // The kernel says of both that there is no such file.
    put("script", b"#!/bin/no-interpreter\n", 0o755)?;
    let done = in_tree(t, &tree, "", &["script"])?;
    let code = done.status.code().unwrap_or_default();
    assert!((126..=127).contains(&code), "{done}");
    one_clear_line(&done, code, &["script"])
}

/// Statuses are those of a shell, whoever ended the program.
fn a_command_that_dies(t: &Test) -> Outcome {
    let tree = tree(t)?;
    for (script, status) in [("exit 7", 7), ("exit 255", 255), ("kill -9 $$; exit 3", 3), ("true", 0)] {
        let done = in_tree(t, &tree, "", &["sh", "-c", script])?;
        assert_eq!(done.status.code(), Some(status), "{script}: {done}");
        assert_eq!(done.stderr, "");
    }
    // A program that a signal of the kernel's ends: the first process is not immune to those.
    let mut jail = crate::isolation::Background::run(
        t,
        &format!("--root {}", dir(&tree)),
        &["sh", "-c", "echo ready; exec sleep 100"],
    )?;
    jail.wait_for("ready")?;
    let pid = rustix::process::Pid::from_raw(i32::try_from(jail.pid())?).ok_or("no pid")?;
    rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
    assert_eq!(jail.status()?, Some(143), "ended for the signal that it does not handle");
    Ok(())
}

/// Names of jails that are none: long, with `/`, newline, dots, of other alphabets.
fn names(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let root = dir(&tree);
    let long = "x".repeat(300);
    for name in ["a/b", "../x", "a\nb", "", ".", "..", "-a", "a b", "é", "a\0b", &long] {
        if name.contains('\0') {
            continue; // No command line can have it.
        }
        let done = t.jaula().run(&["run", "--name", name, "--root", &root, "--", "true"])?;
        assert!(matches!(done.status.code(), Some(2 | 125)), "{name:?}: {done}");
        one_clear_line(&done, done.status.code().unwrap_or_default(), &[])?;
        assert!(done.stderr.len() < 400, "too long: {done}");
    }
    let done = t.jaula().run(&["run", "--name", "ok", "--root", &root, "--", "hostname"])?;
    assert_eq!(done.ok()?, "ok\n");
    let done = t.jaula().run(&["run", "--hostname", "a b", "--root", &root, "--", "true"])?;
    one_clear_line(&done, 125, &["hostname"])
}

/// Keys that are none, values out of their range, each named, with the nearest that is one.
fn keys_and_values(t: &Test) -> Outcome {
    let tree = tree(t)?;
    for (setting, words) in [
        ("netwrok.mode=none", &["netwrok.mode", "network.mode"][..]),
        ("network.mode=hots", &["hots", "host"]),
        ("security.profile=srever", &["srever", "server"]),
        ("security.capabilities=+net_adminn", &["net_adminn"]),
        ("security.capabilities=net_raw", &["net_raw", "+"]),
        ("security.socket_families=alg", &["alg"]),
        ("security.socket_families=inett", &["inett", "inet"]),
        ("boot.stop_timeout=10parsecs", &["10parsecs"]),
        ("boot.log_size=1X", &["1X"]),
        ("limits.process.nofile=-1", &["-1"]),
        ("limits.process.nofiles=10", &["nofiles", "nofile"]),
        ("limits.account=memry", &["memry", "memory"]),
        ("id=0", &["0"]),
        ("id=99999", &["99999"]),
        ("id=x", &["x"]),
        ("root.owners=mine", &["mine"]),
        ("mounts=/srv", &["/srv"]),
        ("mounts=/srv:relative", &["relative"]),
        ("mounts=/tmp:/x:rx", &["rx"]),
        ("environment.A-B=1", &["A-B"]),
        ("security.proc=perhaps", &["perhaps"]),
        ("=", &[]),
        ("x", &[]),
    ] {
        let options = format!("--set {setting}");
        let done = in_tree(t, &tree, &options, &["true"])?;
        assert!(matches!(done.status.code(), Some(2 | 125)), "{setting}: {done}");
        one_clear_line(&done, done.status.code().unwrap_or_default(), words)?;
    }
    // All that is wrong at once, each on its own line, the help last.
    let done = in_tree(t, &tree, "--set network.mode=hots --set boot.log_size=1X", &["true"])?;
    assert!(done.stderr.contains("hots") && done.stderr.contains("1X"), "{done}");
    // Nothing above what the caller itself may have.
    let done = in_tree(t, &tree, "--set limits.process.nofile=1G", &["true"])?;
    one_clear_line(&done, 125, &["nofile"]).or_else(|_| one_clear_line(&done, 125, &["limit", "help: "]))?;
    for options in
        ["--network", "--nonsense", "--user nobody-there", "--directory relative", "--mount", "--set"]
    {
        let done = in_tree(t, &tree, options, &["true"])?;
        assert!(matches!(done.status.code(), Some(2 | 125)), "{done}");
        one_clear_line(&done, done.status.code().unwrap_or_default(), &[])?;
    }
    one_clear_line(&in_tree(t, &tree, "--directory /nowhere", &["true"])?, 125, &["/nowhere"])
}

/// Roots that are not there, are files, pipes, links to nowhere, or the host's own `/`.
fn roots_that_are_none(t: &Test) -> Outcome {
    let place = t.root().join("place");
    fs::create_dir(&place)?;
    fs::write(place.join("file"), "x")?;
    symlink("nowhere", place.join("link"))?;
    symlink("loop", place.join("loop"))?;
    command(&["mkfifo", &place.join("pipe").to_string_lossy()])?.ok()?;
    for name in ["nothing", "file", "link", "loop", "pipe"] {
        let path = place.join(name);
        let done = t.jaula().run(&words(&format!("--root {}", dir(&path)), &["true"]))?;
        one_clear_line(&done, 125, &[&path.to_string_lossy()])?;
    }
    for spec in ["dir:/", "dir:relative", "dir:", "hots", "", "app:", "oci:debian", "/srv/www"] {
        let done = t.jaula().run(&["run", "--root", spec, "--", "true"])?;
        assert!(matches!(done.status.code(), Some(2 | 125)), "{spec}: {done}");
        one_clear_line(&done, done.status.code().unwrap_or_default(), &[])?;
    }
    // An empty directory is a root without a program, and without a place for /proc.
    let empty = t.root().join("empty");
    fs::create_dir(&empty)?;
    one_clear_line(&t.jaula().run(&words(&format!("--root {}", dir(&empty)), &["sh"]))?, 127, &["\"sh\""])?;
    one_clear_line(&t.jaula().run(&["run"])?, 125, &["root"])
        .or_else(|_| one_clear_line(&t.jaula().run(&["run"])?, 2, &[]))?;
    // No command, and the root has none of its own.
    let tree = tree(t)?;
    one_clear_line(&t.jaula().run(&["run", "--root", &dir(&tree)])?, 125, &["command"])
        .or_else(|_| one_clear_line(&t.jaula().run(&["run", "--root", &dir(&tree)])?, 2, &["CMD"]))
}

/// Mounts without source, onto a file, into a root that cannot be written to.
fn mounts_that_cannot_be(t: &Test) -> Outcome {
    let tree = tree(t)?;
    for (mount, word) in [
        ("/nothing/here:/var", "/nothing/here"),
        ("/etc:/etc/passwd", "/etc/passwd"),
        ("/etc/passwd:/var", "/var"),
        ("tmpfs:/no/such/place", "/no/such/place"),
        ("tmpfs:/etc/passwd/x", "/etc/passwd/x"),
    ] {
        let done = in_tree(t, &tree, &format!("--mount {mount}"), &["true"])?;
        one_clear_line(&done, 125, &[word])?;
    }
    Ok(())
}

/// No room for the run directory: before anything is done, or at any later write.
fn a_full_disk(t: &Test) -> Outcome {
    let disk = SmallDisk::mount(t, 64 << 20)?;
    let tree = tree(t)?;
    let name = t.name("full");
    for free in [0, 4096, 8192, 3 * 4096, 4 * 4096] {
        disk.fill_but(free)?;
        let done = t.jaula().run(&["run", "--name", &name, "--root", &dir(&tree), "--", "echo", "ran"])?;
        disk.free()?;
        if done.status.success() {
            // That was room enough.
            assert_eq!(done.stdout, "ran\n");
        } else {
            one_clear_line(&done, 125, &["ENOSPC"])
                .or_else(|_| one_clear_line(&done, 125, &["No space left"]))?;
        }
        let run = t.root().join("run/jaula").join(&name);
        assert!(!run.exists(), "left behind with {free} free: {run:?}");
    }
    // With room again the same name works.
    let done = t.jaula().run(&["run", "--name", &name, "--root", &dir(&tree), "--", "echo", "ran"])?;
    assert_eq!(done.ok()?, "ran\n");
    Ok(())
}

/// A house that cannot be written to, or that is a file.
fn a_read_only_house(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let file = t.root().join("file");
    fs::write(&file, "x")?;
    let env = t.jaula().instead("env");
    let binary = Jaula::binary()?;
    let run = |house: &str| {
        let set = format!("JAULA_ROOT={house}");
        env.run(&[&set, &binary.to_string_lossy(), "run", "--root", &dir(&tree), "--", "true"])
    };
    one_clear_line(&run(&file.to_string_lossy())?, 125, &[&file.to_string_lossy()])?;
    one_clear_line(&run("/proc/no")?, 125, &["/proc/no"])?;
    one_clear_line(&run("/sys/fs")?, 125, &["/sys/fs"])
}

/// Files of a jail that are directories, huge, no text, no TOML, or a link.
fn configurations_that_are_none(t: &Test) -> Outcome {
    let jails = t.root().join("etc/jaula/jails");
    fs::create_dir_all(&jails)?;
    let name = t.name("bad");
    let file = jails.join(format!("{name}.toml"));
    let start = || t.jaula().run(&["start", &name]);
    let refused = |words: &[&str]| -> Outcome {
        let begun = std::time::Instant::now();
        let done = start()?;
        one_clear_line(&done, 1, words)?;
        assert!(begun.elapsed().as_secs() < 5, "slow: {done}");
        leaves_nothing(t, &done)
    };
    let done = start()?;
    one_clear_line(&done, 3, &[&name])?;
    fs::create_dir(&file)?;
    refused(&[&name])?;
    fs::remove_dir(&file)?;
    fs::File::create(&file)?.set_len(100 << 20)?;
    refused(&[&name])?;
    for (text, word) in [
        (&b"\xff\xfe"[..], ""),
        (b"root = \n", "1"),
        (b"[root]\nfrom = \"dir:/nothing/there\"\n[boot]\ncommand = [\"true\"]\n", "/nothing/there"),
        (b"[root]\nform = \"host\"\n", "root.form"),
        (b"[root]\nfrom = 3\n", "root.from"),
        (b"", "root"),
    ] {
        fs::write(&file, text)?;
        refused(&[word])?;
    }
    fs::remove_file(&file)?;
    symlink("/dev/zero", &file)?;
    refused(&[])?;
    fs::remove_file(&file)?;
    command(&["mkfifo", &file.to_string_lossy()])?.ok()?;
    refused(&[])?;
    Ok(())
}

/// Two at once: one runs, the other one waits or says who has it; afterwards both work.
fn two_runs_with_one_name(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let name = t.name("one");
    let options = format!("--name {name} --root {}", dir(&tree));
    let mut first =
        crate::isolation::Background::run(t, &options, &["sh", "-c", "echo ready; exec sleep 100"])?;
    first.wait_for("ready")?;
    let second = t.jaula().run(&words(&options, &["echo", "ran"]))?;
    one_clear_line(&second, 125, &[&name, "running"])?;
    assert!(first.runs(), "the first one was disturbed");
    first.end()?;
    assert_eq!(t.jaula().ok(&words(&options, &["echo", "ran"]))?, "ran\n");
    // Begun in the same moment, many times: never two, never none.
    for _ in 0..5 {
        let both: Vec<_> = (0..2)
            .map(|_| crate::isolation::Background::run(t, &options, &["sh", "-c", "echo ready; sleep 0.3"]))
            .collect::<Outcome<_>>()?;
        let done: Vec<_> = both.into_iter().map(|jail| jail.status()).collect::<Outcome<Vec<_>>>()?;
        assert!(done.iter().all(|code| matches!(code, Some(0 | 125))) && done.contains(&Some(0)), "{done:?}");
    }
    // The same number twice.
    let options = format!("--root {} --set id=4711", dir(&tree));
    let mut first =
        crate::isolation::Background::run(t, &options, &["sh", "-c", "echo ready; exec sleep 100"])?;
    first.wait_for("ready")?;
    one_clear_line(&t.jaula().run(&words(&options, &["true"]))?, 125, &["4711"])?;
    first.end()
}

/// Each call that jaula cannot do without, missing: one line that names it, nothing left. Those
/// that it can do without are not missed.
fn a_kernel_that_lacks_a_call(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let data = t.root().join("data");
    fs::create_dir(&data)?;
    let options = format!("--root {} --mount {}:/var:idmap", dir(&tree), data.display());
    let needed = [
        "clone3",
        "openat2",
        "open_tree",
        "move_mount",
        "mount_setattr",
        "pivot_root",
        "close_range",
        "seccomp",
        "pidfd_send_signal",
        "signalfd4",
        "sethostname",
        "capset",
        "umount2",
        "setgroups",
        "prctl",
    ];
    for name in needed {
        let done = t.jaula().without_system_calls(&[name]).run(&words(&options, &["echo", "ran"]))?;
        // Not needed as long as nobody signals; and a C library (musl) takes signalfd in its place.
        if matches!(name, "pidfd_send_signal" | "signalfd4") && done.stdout == "ran\n" {
            continue;
        }
        assert!(!done.stdout.contains("ran"), "not confined without {name}: {done}");
        one_clear_line(&done, 125, &[]).map_err(|stop| format!("{name}: {stop:?}"))?;
        assert!(done.stderr.contains("ENOSYS") || done.stderr.contains("not implemented"), "{name}: {done}");
        leaves_nothing(t, &done)?;
    }
    // A host's network is shared without Landlock's scopes, which is said, not hidden.
    let shared = format!("--network host --root {}", dir(&tree));
    let without = t.jaula().without_system_calls(&["landlock_create_ruleset"]);
    let done = without.run(&words(&format!("{shared} --dry-run"), &["echo", "ran"]))?;
    assert!(done.stdout.contains("abstract unix sockets"), "unsaid: {done}");
    assert_eq!(without.run(&words(&shared, &["echo", "ran"]))?.ok()?, "ran\n");
    let done = t.jaula().without_system_calls(&["keyctl"]).run(&words(&options, &["echo", "ran"]))?;
    assert_eq!(done.ok()?, "ran\n", "a kernel without keys has none to hide");
    Ok(())
}

/// The same calls refused, as by a container around jaula.
fn a_call_that_is_refused(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let binary = Jaula::binary()?;
    for name in ["clone3", "open_tree", "mount", "mount_setattr", "pivot_root", "sethostname", "seccomp"] {
        for error in ["EPERM", "ENOMEM"] {
            let inject = format!("inject={name}:error={error}");
            let mut all = vec!["-D", "-f", "-qq", "-o", "/dev/null", "-e", &inject];
            let binary = binary.to_string_lossy();
            all.push(&binary);
            let root = format!("--root {}", dir(&tree));
            all.extend(words(&root, &["echo", "ran"]));
            let done = t.jaula().instead("strace").run(&all)?;
            assert!(!done.stdout.contains("ran"), "not confined without {name}: {done}");
            one_clear_line(&done, 125, &[error])?;
            leaves_nothing(t, &done)?;
        }
    }
    Ok(())
}
