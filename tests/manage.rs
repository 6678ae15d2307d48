//! Configurations and looks at them: what an administrator does all day.

use crate::ground::without_packages;
use jaula_tests::harness::{Outcome, SmallDisk, Survived, Test, Victim, busybox_root, fault_at_every_call};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("manage":
        privileged [
            a_jail_is_created_and_deleted,
            a_create_that_is_refused_leaves_nothing,
            creates_at_once_get_their_own_numbers,
            a_create_killed_anywhere_leaves_no_half,
            a_full_disk_leaves_no_half,
            what_a_jail_wrote_is_deleted_and_nothing_else,
            a_mount_in_what_it_wrote_stops_a_delete,
            a_delete_killed_anywhere_can_be_finished,
            a_delete_asks_first,
            settings_change_and_comments_stay,
            nothing_is_set_if_one_is_wrong,
            a_running_jail_is_told_what_needs_a_restart,
            faults_have_their_place,
            an_editor_changes_only_to_what_is_right,
            all_that_holds_is_shown,
            states_are_told,
            words_mean_jails,
            logs_go_over_rotations,
            a_log_is_followed_until_the_jail_stops,
            a_directory_goes_up_and_down,
            a_jail_of_somebody_else_is_left_alone,
            a_host_is_examined,
            a_hidden_proc_is_noticed,
            ],
    )
}

/// The file of a jail.
fn file(t: &Test, name: &str) -> PathBuf {
    t.root().join(format!("etc/jaula/jails/{name}.toml"))
}

/// Makes a jail of the busybox root.
fn create(t: &Test, word: &str, command: &[&str]) -> Outcome<String> {
    let name = t.name(word);
    let root = format!("dir:{}", busybox_root()?.display());
    t.jaula().ok(&[&["create", &name, "--root", &root, "--"], command].concat())?;
    Ok(name)
}

/// The same with the text of its file.
fn put(t: &Test, word: &str, text: &str) -> Outcome<String> {
    let name = t.name(word);
    fs::create_dir_all(t.root().join("etc/jaula/jails"))?;
    fs::write(file(t, &name), text)?;
    Ok(name)
}

/// All files and links below the test's root.
fn files(t: &Test) -> Outcome<BTreeSet<PathBuf>> {
    let mut all = BTreeSet::new();
    let mut directories = vec![t.root().to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => directories.push(entry.path()),
                false => drop(all.insert(entry.path())),
            }
        }
    }
    Ok(all)
}

fn a_jail_is_created_and_deleted(t: &Test) -> Outcome {
    let jaula = t.jaula();
    let (a, b) = (create(t, "a", &["sleep", "100"])?, create(t, "b", &["sh", "-c", "echo 'x y' \u{7f}"])?);
    let list = jaula.json(&["list", "--json"])?;
    assert_eq!(list[0]["name"], a.as_str());
    assert_eq!((&list[0]["id"], &list[1]["id"]), (&101.into(), &102.into()));
    assert_eq!(list[1]["command"][2], "echo 'x y' \u{7f}");
    assert_eq!(list[0]["state"], "stopped");
    jaula.ok(&["delete", &a, "--yes"])?;
    assert!(!file(t, &a).exists());
    // The lowest number is free again.
    let c = create(t, "c", &["true"])?;
    assert_eq!(jaula.json(&["list", "--json", &c])?[0]["id"], 101);
    jaula.ok(&["delete", "--all", "--yes"])?;
    assert_eq!(jaula.ok(&["list", "-q"])?, "");
    assert_eq!(files(t)?, BTreeSet::new(), "nothing is left of {b} and {c}");
    Ok(())
}

fn a_create_that_is_refused_leaves_nothing(t: &Test) -> Outcome {
    let (name, root) = (t.name("x"), format!("dir:{}", busybox_root()?.display()));
    for (words, error, help) in [
        (&["--root", "dir:/nonexistent", "sh"][..], "there is no directory /nonexistent", "make it"),
        (&["--app", "/nonexistent"], "cannot make an app jail of /nonexistent", ""),
        (&["--app", "nonexistent"], "cannot make an app jail of nonexistent", ""),
        (&["--root", &root], "a command is missing", "-- PROGRAM"),
        (&["sh"], "a root is missing", "--root dir:PATH"),
        (&["--root", "host", "--set", "no.such=1", "sh"], "unknown key \"no.such\"", ""),
        (
            &["--root", "host", "--set", "declared_in=/x", "sh"],
            "declared_in is for `jaula up`",
            "leave it out",
        ),
        (&["--root", "host", "--user", "nobody-here", "sh"], "nobody-here", ""),
        (&["--root", "host", "--mount", "/nonexistent:/x", "sh"], "/nonexistent", ""),
    ] {
        let stderr = t.jaula().fails(&[&["create", &name], words].concat())?;
        assert!(stderr.contains(error) && stderr.contains(help), "{words:?}: {stderr}");
        assert_eq!(files(t)?, BTreeSet::new(), "{words:?}");
    }
    let twice = create(t, "twice", &["sh"])?;
    let stderr = t.jaula().fails(&["create", &twice, "--root", "host", "sh"])?;
    assert!(stderr.contains("exists already") && stderr.contains("jaula delete"), "{stderr}");
    let stderr = t.jaula().fails(&["create", &name, "--root", "host", "--set", "id=101", "sh"])?;
    assert!(stderr.contains(&format!("has id 101, which jail \"{twice}\" has as well")), "{stderr}");
    t.jaula().ok(&["create", &name, "--root", "host", "--dry-run", "sh"])?;
    assert_eq!(files(t)?.len(), 2, "the file and the number of {twice}");
    Ok(())
}

fn creates_at_once_get_their_own_numbers(t: &Test) -> Outcome {
    let names: Vec<String> = (0..20).map(|n| t.name(&format!("j{n}"))).collect();
    let same = t.name("same");
    let mut children = Vec::new();
    for name in names.iter().chain([&same; 4]) {
        children.push((
            name,
            t.jaula()
                .command(["create", "-q", name, "--app", "true"])?
                .stderr(std::process::Stdio::null())
                .spawn()?,
        ));
    }
    let mut good = 0;
    for (name, mut child) in children {
        let done = child.wait()?.success();
        assert!(done || *name == same, "{name}");
        good += usize::from(done);
    }
    assert_eq!(good, 21, "one of four gets the name");
    let list = t.jaula().json(&["list", "--json"])?;
    let ids: BTreeSet<u64> = list.as_array().into_iter().flatten().filter_map(|j| j["id"].as_u64()).collect();
    assert_eq!(ids, (101..122).collect());
    Ok(())
}

fn a_create_killed_anywhere_leaves_no_half(t: &Test) -> Outcome {
    let name = t.name("k");
    let path = file(t, &name);
    let Survived { kills } = fault_at_every_call(
        Victim::Main,
        || without_packages(t, &["create", "-q", &name, "--app", "true"]),
        |_| {
            if path.exists() {
                t.jaula().ok(&["config", "check", &name])?;
                t.jaula().ok(&["delete", &name, "--yes"])?;
            }
            let after = t.name("after");
            t.jaula().ok(&["create", &after, "--app", "true"])?;
            assert_eq!(t.jaula().json(&["list", "--json", &after])?[0]["id"], 101, "no number is lost");
            t.jaula().ok(&["delete", &after, "--yes"])?;
            assert_eq!(files(t)?, BTreeSet::new());
            Ok(())
        },
    )?;
    assert!(kills > 20, "{kills}");
    Ok(())
}

fn a_full_disk_leaves_no_half(t: &Test) -> Outcome {
    let disk = SmallDisk::mount(t, 1 << 20)?;
    let stands = create(t, "stands", &["true"])?;
    let before = fs::read_to_string(file(t, &stands))?;
    disk.fill_but(0)?;
    let stderr = t.jaula().fails(&["create", &t.name("x"), "--app", "true"])?;
    assert!(stderr.contains("No space left") && stderr.contains("help: make room"), "{stderr}");
    let stderr = t.jaula().fails(&["set", &stands, "hostname=other"])?;
    assert!(stderr.contains("No space left"), "{stderr}");
    assert_eq!(fs::read_to_string(file(t, &stands))?, before);
    assert_eq!(t.jaula().ok(&["list", "-q"])?, format!("{stands}\n"));
    disk.free()?;
    t.jaula().ok(&["create", &t.name("x"), "--app", "true"])?;
    assert_eq!(t.jaula().json(&["list", "--json", &t.name("x")])?[0]["id"], 102);
    Ok(())
}

fn what_a_jail_wrote_is_deleted_and_nothing_else(t: &Test) -> Outcome {
    let outside = t.root().join("outside");
    fs::create_dir(&outside)?;
    fs::write(outside.join("file"), "x")?;
    let script = "mkdir -p /var/1/2 /var/closed && chmod 0 /var/closed && ln -s / /var/root && \
                  ln -s ../../../../../../../outside /var/up && mkfifo /var/1/fifo && echo x > /var/1/2/x && \
                  d=/var; for i in $(seq 60); do d=$d/directory; done; mkdir -p $d";
    let name = create(t, "w", &["sh", "-c", script])?;
    t.jaula().ok(&["start", &name])?;
    t.jaula().ok(&["logs", "-f", &name])?;
    let status = t.jaula().json(&["status", "--json", "--all"])?;
    assert_eq!(status[0]["last"]["status"], 0, "{status}");
    assert!(t.root().join(format!("var/lib/jaula/jails/{name}/overlay/upper/var/up")).is_symlink());
    t.jaula().ok(&["delete", &name, "--yes"])?;
    assert_eq!(files(t)?, [outside.join("file")].into());
    assert!(busybox_root()?.join("bin/busybox").exists(), "what it was made of stays");
    Ok(())
}

fn a_mount_in_what_it_wrote_stops_a_delete(t: &Test) -> Outcome {
    let name = create(t, "m", &["true"])?;
    let inside = t.root().join(format!("var/lib/jaula/jails/{name}/overlay/upper/a b"));
    fs::create_dir_all(&inside)?;
    fs::write(inside.with_file_name("file"), "x")?;
    rustix::mount::mount_bind("/usr", &inside)?;
    let refused = t.jaula().fails(&["delete", &name, "--yes"]);
    let kept = inside.with_file_name("file").exists() && file(t, &name).exists();
    rustix::mount::unmount(&inside, rustix::mount::UnmountFlags::DETACH)?;
    let stderr = refused?;
    assert!(stderr.contains("something is mounted on") && stderr.contains("umount"), "{stderr}");
    assert!(kept, "nothing was removed");
    t.jaula().ok(&["delete", &name, "--yes"])?;
    Ok(())
}

fn a_delete_killed_anywhere_can_be_finished(t: &Test) -> Outcome {
    let name = t.name("d");
    let Survived { kills } = fault_at_every_call(
        Victim::Main,
        || {
            t.jaula().ok(&["create", &name, "--app", "true"])?;
            let kept = t.root().join(format!("var/lib/jaula/jails/{name}/overlay/upper/a/b"));
            fs::create_dir_all(&kept)?;
            fs::write(kept.join("file"), "x")?;
            t.jaula().command(["delete", &name, "--yes"])
        },
        |_| {
            if file(t, &name).exists() {
                t.jaula().ok(&["delete", &name, "--yes"])?;
            }
            // What no file knows any more is nobody's, and gone by the next look.
            t.jaula().ok(&["gc"])?;
            t.jaula().ok(&["create", &t.name("next"), "--app", "true"])?;
            t.jaula().ok(&["delete", &t.name("next"), "--yes"])?;
            assert_eq!(files(t)?, BTreeSet::new());
            Ok(())
        },
    )?;
    assert!(kills > 20, "{kills}");
    Ok(())
}

fn a_delete_asks_first(t: &Test) -> Outcome {
    let name = create(t, "q", &["sleep", "1000"])?;
    let stderr = t.jaula().fails(&["delete", &name])?;
    assert!(stderr.contains("needs a confirmation") && stderr.contains("--yes"), "{stderr}");
    for (answer, gone) in [("n\n", false), ("yes\n", true)] {
        let mut terminal = t.jaula().pty(&["delete", &name])?;
        terminal.expect("[y/N]")?;
        terminal.send(answer)?;
        assert_eq!(terminal.wait()?.success(), gone);
        assert_eq!(file(t, &name).exists(), !gone);
    }
    let name = create(t, "q", &["sleep", "1000"])?;
    t.jaula().ok(&["start", &name])?;
    let stderr = t.jaula().fails(&["delete", &name, "--yes"])?;
    assert!(stderr.contains("is running") && stderr.contains("stop it first"), "{stderr}");
    t.jaula().ok(&["delete", &name, "--yes", "--force"])?;
    assert_eq!(files(t)?, BTreeSet::new());
    assert_eq!(t.jaula().run(&["delete", &name, "--yes"])?.status.code(), Some(3));
    Ok(())
}

fn settings_change_and_comments_stay(t: &Test) -> Outcome {
    let text = "# mine\nid = 7 # lucky\n\n[root]\nfrom = \"host\" # all\n";
    let name = put(t, "s", text)?;
    t.jaula().ok(&["set", &name, "boot.restart=always", "mounts+=tmpfs:/x"])?;
    let expected = "# mine\nid = 7 # lucky\nmounts = [\"tmpfs:/x\"]\n\n[root]\nfrom = \"host\" # all\n\n\
                    [boot]\nrestart = \"always\"\n";
    assert_eq!(fs::read_to_string(file(t, &name))?, expected);
    t.jaula().ok(&["set", &name, "boot.restart=", "mounts-=/x"])?;
    t.jaula().ok(&["set", "7", "id=8"])?;
    assert_eq!(t.jaula().json(&["list", "--json", "8"])?[0]["name"], name.as_str());
    assert_eq!(t.jaula().run(&["list", "7"])?.status.code(), Some(3));
    Ok(())
}

fn nothing_is_set_if_one_is_wrong(t: &Test) -> Outcome {
    let (good, bad) = (put(t, "a", "hostname = \"a\"\n")?, put(t, "b", "hostnam = \"b\"\n")?);
    let stderr = t.jaula().fails(&["set", &good, &bad, "boot.restart=always"])?;
    assert!(stderr.contains(&format!("{bad}.toml:1:1: unknown key \"hostnam\"")), "{stderr}");
    assert_eq!(fs::read_to_string(file(t, &good))?, "hostname = \"a\"\n");
    for (setting, error) in [
        ("boot.restart=sometimes", "error: boot.restart: \"sometimes\" is not one of"),
        ("security.system_calls=+no_such_call", "\"no_such_call\" is no system call"),
        ("boot.no=1", "error: unknown key \"boot.no\""),
    ] {
        let stderr = t.jaula().fails(&["set", &good, setting])?;
        assert!(stderr.contains(error), "{stderr}");
    }
    let third = put(t, "c", "id = 300\n")?;
    let stderr = t.jaula().fails(&["set", &good, "id=300"])?;
    assert!(stderr.contains(&format!("has id 300, which jail \"{third}\" has as well")), "{stderr}");
    Ok(())
}

fn a_running_jail_is_told_what_needs_a_restart(t: &Test) -> Outcome {
    let name = create(t, "r", &["sleep", "1000"])?;
    assert_eq!(t.jaula().run(&["set", &name, "hostname=a"])?.stderr, "");
    t.jaula().ok(&["start", &name])?;
    let done = t.jaula().run(&["set", &name, "hostname=b", "boot.restart=always", "mounts+=tmpfs:/var"])?;
    let said = format!(
        "warning: hostname, boot.restart of {name} counts from its next start: jaula restart {name}\n"
    );
    assert_eq!((done.status.code(), done.stderr.as_str()), (Some(0), said.as_str()));
    t.jaula().ok(&["delete", "--force", "--yes", &name])?;
    Ok(())
}

fn faults_have_their_place(t: &Test) -> Outcome {
    let a = put(t, "a", "id = 5\n[root]\nfrom = \"host\"\n[boot]\ncommand = [\"true\"]\n")?;
    assert_eq!(t.jaula().ok(&["config", "check"])?, "1 checked: no faults\n");
    let b = put(t, "b", "id = 5\n[root]\nfrom = \"host\"\n[boot]\ncommand = [\"true\"]\n")?;
    let c = put(t, "c", "[network]\n  mode = \"hots\"\n")?;
    let d = put(t, "d", "[root]\nfrom = \"dir:/nonexistent\"\n")?;
    let done = t.jaula().run(&["config", "check"])?;
    assert_eq!(done.status.code(), Some(1));
    let place = |name: &str| file(t, name).display().to_string();
    for line in [
        format!("{}: jail \"{a}\" has id 5, which jail \"{b}\" has as well\n", place(&a)),
        format!("{}: jail \"{b}\" has id 5, which jail \"{a}\" has as well\n", place(&b)),
        format!(
            "{}:2:10: network.mode: \"hots\" is not one of none, host, bind, routed, bridge, macvlan\nhelp: did you mean \"host\"?\n",
            place(&c)
        ),
        format!("{}: root.from: there is no directory /nonexistent\n", place(&d)),
    ] {
        assert!(done.stdout.contains(&line), "{line}in\n{}", done.stdout);
    }
    // A file is judged by what it says, not by what this host has.
    t.jaula().ok(&["config", "check", &place(&d)])?;
    fs::write(file(t, &a), b"a = \"\xff\"")?;
    let done = t.jaula().run(&["config", "check", &a, "/nonexistent", "/etc"])?;
    assert!(done.stdout.contains(&format!("{}:1:6: this is not UTF-8\n", place(&a))), "{done}");
    assert!(done.stdout.contains("cannot read /nonexistent: No such file"), "{done}");
    assert!(done.stdout.contains("/etc is a directory, not a file\n"), "{done}");
    let json: serde_json::Value =
        serde_json::from_str(&t.jaula().run(&["config", "check", &c, "--json"])?.stdout)?;
    assert_eq!((&json[0]["faults"][0]["line"], &json[0]["faults"][0]["column"]), (&2.into(), &10.into()));
    Ok(())
}

fn an_editor_changes_only_to_what_is_right(t: &Test) -> Outcome {
    let name = put(t, "e", "hostname = \"old\"\n")?;
    let edit = |editor: &str| -> Outcome<_> {
        let mut command = t.jaula().command(["config", "edit", &name])?;
        command.env("EDITOR", editor).env_remove("VISUAL").env("TMPDIR", t.root());
        Ok(command.stdin(std::process::Stdio::null()).output()?)
    };
    assert!(edit("sed -i s/old/new/")?.status.success());
    assert_eq!(fs::read_to_string(file(t, &name))?, "hostname = \"new\"\n");
    assert!(edit("true")?.status.success());
    let bad = edit("sed -i s/new/a..b/")?;
    let stderr = String::from_utf8(bad.stderr)?;
    assert!(!bad.status.success() && stderr.contains("is not a host name"), "{stderr}");
    let kept =
        stderr.lines().find_map(|line| line.strip_prefix("help: your text is in ")).ok_or("no place")?;
    assert_eq!(fs::read_to_string(kept)?, "hostname = \"a..b\"\n");
    assert_eq!(fs::read_to_string(file(t, &name))?, "hostname = \"new\"\n");
    let stderr = String::from_utf8(edit("false")?.stderr)?;
    assert!(stderr.contains("the editor \"false\" failed"), "{stderr}");
    let late = format!("sh -c 'echo \"# also\" >> {}; echo \"# me\" >> \"$0\"'", file(t, &name).display());
    let stderr = String::from_utf8(edit(&late)?.stderr)?;
    assert!(stderr.contains("has been changed meanwhile"), "{stderr}");
    let left = fs::read_dir(t.root())?
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().starts_with("jaula-edit"));
    assert_eq!(left.count(), 2, "only texts that were refused are kept");

    // On a terminal it can be edited again.
    let script = t.root().join("editor");
    fs::write(
        &script,
        "grep -q wrong \"$1\" && sed -i s/wrong/right/ \"$1\" || sed -i '1s/.*/hostname = \"wrong..\"/' \"$1\"\n",
    )?;
    let mut command = t.jaula().command(["config", "edit", &name])?;
    command.env("VISUAL", format!("sh {}", script.display())).env("TMPDIR", t.root());
    let mut terminal = jaula_tests::harness::Pty::spawn(&command)?;
    terminal.expect("Edit it again?")?;
    terminal.send("y\n")?;
    terminal.expect("Edit it again?")?;
    terminal.send("n\n")?;
    terminal.expect("your text is in")?;
    assert!(!terminal.wait()?.success());
    Ok(())
}

fn all_that_holds_is_shown(t: &Test) -> Outcome {
    let name =
        put(t, "h", "# why\nid = 9\n[root]\nfrom = \"host\"\n[security]\ncapabilities = [\"-chown\"]\n")?;
    assert!(t.jaula().ok(&["config", "show", &name])?.starts_with("# why\n"));
    let shown = t.jaula().ok(&["config", "show", &name, "--effective"])?;
    for (key, says) in [
        ("id = 9 ", "2148073472 to 2148139007 on the host"),
        ("root.writes = \"refused\" ", "# default: the root is read-only"),
        ("security.capabilities = [\"-chown\"]", "dac_override fowner"),
        ("security.mount ", "# profile app: mounts: refused (EPERM)"),
        ("# io_uring:", "refused"),
    ] {
        let line =
            shown.lines().find(|line| line.starts_with(key)).ok_or_else(|| format!("{key} in {shown}"))?;
        assert!(line.contains(says), "{line}");
    }
    assert_eq!(t.jaula().ok(&["config", "path", &name])?, format!("{}\n", file(t, &name).display()));
    assert!(t.jaula().ok(&["config", "keys"])?.contains("security.system_calls\n"));
    assert_eq!(t.jaula().ok(&["complete-names"])?, format!("{name}\n"));
    let plan = t.jaula().ok(&["plan", &name]);
    assert!(plan.is_err(), "it has no command");
    t.jaula().ok(&["set", &name, "boot.command=true"])?;
    assert!(t.jaula().ok(&["plan", &name])?.contains("pivot_root"));
    assert!(t.jaula().json(&["plan", &name, "--json"])?["child"].is_array());
    Ok(())
}

fn states_are_told(t: &Test) -> Outcome {
    let state = |name: &str| -> Outcome<String> {
        Ok(t.jaula().json(&["list", "--json", name])?[0]["state"].as_str().unwrap_or_default().to_owned())
    };
    let name = create(t, "s", &["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"])?;
    assert_eq!(state(&name)?, "stopped");
    assert_eq!(t.jaula().run(&["status", &name])?.status.code(), Some(3));
    t.jaula().ok(&["start", &name])?;
    assert_eq!(state(&name)?, "running");
    let status = t.jaula().json(&["status", &name, "--json"])?;
    assert!(status[0]["pid"].is_u64() && status[0]["keeper"]["alive"] == true, "{status}");
    let started = status[0]["started"].as_str().unwrap_or_default();
    assert!(started.starts_with("20") && started.ends_with('Z'), "{status}");
    t.jaula().ok(&["stop", &name])?;
    assert_eq!(state(&name)?, "stopped");
    let bad = create(t, "bad", &["sh", "-c", "exit 7"])?;
    t.jaula().run(&["start", &bad])?;
    t.jaula().ok(&["logs", "-f", &bad])?;
    assert_eq!(state(&bad)?, "failed");
    let told = t.jaula().run(&["status", &bad])?;
    assert!(told.stdout.contains("exited with status 7"), "{told}");
    let broken = put(t, "broken", "id =")?;
    let list = t.jaula().ok(&["list"])?;
    assert!(list.contains(&format!("its configuration is faulty: jaula config check {broken}")), "{list}");
    Ok(())
}

fn words_mean_jails(t: &Test) -> Outcome {
    let (a, b) = (put(t, "web1", "id = 500\n")?, put(t, "web2", "")?);
    let list = |words: &[&str]| t.jaula().ok(&[&["list", "-q"], words].concat());
    assert_eq!(list(&["web*"])?, format!("{a}\n{b}\n"));
    assert_eq!(list(&["500"])?, format!("{a}\n"));
    assert_eq!(list(&["web2"])?, format!("{b}\n"));
    let stderr = t.jaula().fails(&["config", "path", "web"])?;
    assert!(stderr.contains("could be"), "{stderr}");
    let done = t.jaula().run(&["logs", "nothing"])?;
    assert_eq!(
        (done.status.code(), done.stderr.as_str()),
        (Some(3), "error: there is no jail \"nothing\"\nhelp: jaula list shows all jails\n")
    );
    Ok(())
}

fn logs_go_over_rotations(t: &Test) -> Outcome {
    let name = put(t, "l", "")?;
    assert_eq!(t.jaula().ok(&["logs", &name])?, "");
    let kept = t.root().join(format!("var/lib/jaula/jails/{name}"));
    fs::create_dir_all(&kept)?;
    for (part, text) in
        [("console.log.2", "1\n2\n3 be"), ("console.log.1", "gins\n4\n"), ("console.log", "5\n\x1b[2J6")]
    {
        fs::write(kept.join(part), text)?;
    }
    let all = "1\n2\n3 begins\n4\n5\n\x1b[2J6";
    assert_eq!(t.jaula().ok(&["logs", &name])?, all);
    assert_eq!(t.jaula().ok(&["logs", "-f", &name])?, all);
    for (lines, text) in [
        ("0", ""),
        ("1", "\x1b[2J6"),
        ("2", "5\n\x1b[2J6"),
        ("3", "4\n5\n\x1b[2J6"),
        ("4", "3 begins\n4\n5\n\x1b[2J6"),
        ("5", "2\n3 begins\n4\n5\n\x1b[2J6"),
        ("99", all),
    ] {
        assert_eq!(t.jaula().ok(&["logs", &name, "-n", lines])?, text, "{lines}");
    }
    let mut terminal = t.jaula().pty(&["logs", &name])?;
    assert!(!terminal.expect("\\x1b[2J6")?.contains('\x1b'));
    assert!(terminal.wait()?.success());
    Ok(())
}

fn a_log_is_followed_until_the_jail_stops(t: &Test) -> Outcome {
    let script = "i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo line $i of many; [ $((i % 10)) = 0 ] && sleep 0.01; done";
    let name = create(t, "f", &["sh", "-c", script])?;
    t.jaula().ok(&["set", &name, "boot.log_size=4k", "boot.log_files=3"])?;
    let (name_too, jaula) = (name.clone(), t.jaula());
    t.jaula().ok(&["start", &name])?;
    let follower = std::thread::spawn(move || jaula.run(&["logs", "-f", &name_too]));
    let done = follower.join().map_err(|_| "the follower panicked")??.ok()?;
    let lines: Vec<&str> = done.lines().collect();
    assert_eq!(lines.last(), Some(&"line 300 of many"), "{done}");
    let numbers: Vec<u32> = lines.iter().filter_map(|l| l.split(' ').nth(1)?.parse().ok()).collect();
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "no line is lost or told twice: {numbers:?}"
    );
    Ok(())
}

fn a_directory_goes_up_and_down(t: &Test) -> Outcome {
    let (a, b) = (t.name("a"), t.name("b"));
    let site = t.root().join("site");
    fs::create_dir(&site)?;
    let write = |text: &str| fs::write(site.join("jaula.toml"), text);
    let jail = |name: &str, seconds: u32| {
        let root = busybox_root()?;
        Outcome::Ok(format!(
            "[jails.{name}]\nroot.from = \"dir:{}\" # {name}\nboot.command = [\"sleep\", \"{seconds}\"]\n",
            root.display()
        ))
    };
    let both = jail(&a, 1000)? + &jail(&b, 1000)?;
    write(&both)?;
    let directory = site.display().to_string();
    assert_eq!(t.jaula().ok(&["up", &directory])?, format!("{a}: created, starts\n{b}: created, starts\n"));
    let pids = || -> Outcome<Vec<Option<u64>>> {
        let status = t.jaula().json(&["status", "--json"])?;
        Ok(status.as_array().into_iter().flatten().map(|jail| jail["pid"].as_u64()).collect())
    };
    let before = (pids()?, fs::read_to_string(file(t, &a))?);
    assert!(before.1.contains(&format!("# {a}")) && before.1.contains("declared_in"), "{}", before.1);
    let again = t.jaula().ok(&["up", &directory])?;
    assert!(again.starts_with("nothing to do"), "{again}");
    assert_eq!(before, (pids()?, fs::read_to_string(file(t, &a))?));
    // One that changed starts again, the other is left alone.
    write(&(jail(&a, 1000)? + &jail(&b, 1001)?))?;
    assert_eq!(t.jaula().ok(&["up", &directory])?, format!("{b}: changed, restarts\n"));
    let after = pids()?;
    assert!(after[0] == before.0[0] && after[1] != before.0[1], "{after:?}");
    // Nothing is done if anything is wrong.
    write(&(jail(&a, 1)? + "[jails.c]\nroot.from = \"dir:/nonexistent\"\nboot.command = [\"x\"]\n"))?;
    assert!(t.jaula().fails(&["up", &directory])?.contains("there is no directory /nonexistent"));
    assert_eq!(before.1, fs::read_to_string(file(t, &a))?);
    write(&jail(&a, 1000)?)?;
    let done = t.jaula().run(&["up", &directory])?;
    assert!(done.stderr.contains(&format!("does not declare {b} any more")), "{done}");
    t.jaula().ok(&["down", &directory])?;
    assert_eq!(pids()?, [None, None]);
    t.jaula().ok(&["down", &directory])?;
    t.jaula().ok(&["delete", "--all", "--yes"])?;
    assert!(t.jaula().fails(&["up", "/nonexistent"])?.contains("cannot enter /nonexistent"));
    Ok(())
}

fn a_jail_of_somebody_else_is_left_alone(t: &Test) -> Outcome {
    let name = create(t, "own", &["sleep", "1"])?;
    let before = fs::read_to_string(file(t, &name))?;
    let text = format!("[jails.{name}]\nroot.from = \"host\"\nboot.command = [\"true\"]\n");
    fs::write(t.root().join("jaula.toml"), text)?;
    let directory = t.root().display().to_string();
    let stderr = t.jaula().fails(&["up", &directory])?;
    assert!(stderr.contains("exists already: it was made by itself"), "{stderr}");
    t.jaula().ok(&["set", &name, "declared_in=/elsewhere/jaula.toml"])?;
    let stderr = t.jaula().fails(&["up", &directory])?;
    assert!(stderr.contains("it is declared in /elsewhere/jaula.toml"), "{stderr}");
    t.jaula().ok(&["set", &name, "declared_in="])?;
    assert_eq!(fs::read_to_string(file(t, &name))?, before);
    Ok(())
}

fn a_host_is_examined(t: &Test) -> Outcome {
    let done = t.jaula().run(&["doctor"])?;
    assert!(done.status.success(), "{done}");
    assert!(!done.stdout.contains("missing"), "{done}");
    assert_eq!(files(t)?, BTreeSet::new());
    assert_eq!(fs::read_dir(t.root())?.count(), 0, "it makes nothing");
    let without = t.jaula().without_system_calls(&["openat2"]).run(&["doctor"])?;
    assert_eq!(without.status.code(), Some(1), "{without}");
    assert!(without.stdout.contains("missing  system calls: openat2 cannot be made"), "{without}");
    Ok(())
}

fn a_hidden_proc_is_noticed(t: &Test) -> Outcome {
    // As in many containers: something lies over a file of /proc.
    let script = "mount --bind /dev/null /proc/version && exec \"$0\" doctor";
    let jaula = jaula_tests::harness::Jaula::binary()?;
    let done = t.jaula().instead("/usr/bin/unshare").run(&[
        "-m",
        "sh",
        "-c",
        script,
        &jaula.display().to_string(),
    ])?;
    assert_eq!(done.status.code(), Some(1), "{done}");
    assert!(done.stdout.contains("missing  /proc: something is mounted over parts"), "{done}");
    Ok(())
}
