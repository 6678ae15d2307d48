//! `jaula audit`: each thing that is planted in a jail is found, and is gone when its cause is.

mod systemd;

use crate::ground::{dir, one_clear_line, tree};
use jaula_tests::harness::{Jaula, Outcome, Test, command};
use jaula_tests::trials;
use libtest_mimic::Trial;
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = trials!("audit": privileged [
        what_lies_in_the_root_is_found,
        what_is_mounted_from_the_host_is_found,
        who_it_is_decides_what_counts,
        a_running_jail_is_looked_at_as_it_is,
        running_and_stopped_are_the_same,
        one_that_ends_meanwhile_is_looked_at_whole,
        what_it_wrote_lies_over_what_it_was_made_of,
        a_hostile_tree_leads_nowhere,
        steps_do_what_they_promise,
        statuses_and_words,
        without_root,
    ]);
    trials.extend(systemd::trials());
    trials
}

/// What is found out about one jail.
struct Found(Value);

impl Found {
    fn of(jaula: &Jaula, name: &str) -> Outcome<Self> {
        let mut all = jaula.json(&["audit", name, "--json"])?;
        Ok(Self(all[0].take()))
    }

    fn check(&self, name: &str) -> Outcome<&Value> {
        let checks = self.0["checks"].as_array().ok_or("no checks")?;
        Ok(checks.iter().find(|check| check["name"] == name).ok_or_else(|| format!("no check {name}"))?)
    }

    fn holds(&self, name: &str) -> Outcome<bool> {
        Ok(self.check(name)?["holds"] == true)
    }

    fn text(&self, name: &str) -> Outcome<String> {
        Ok(self.check(name)?["found"].as_str().unwrap_or_default().to_owned())
    }

    fn number(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap_or(u64::MAX)
    }

    /// In tenths.
    fn score(&self) -> i64 {
        let text = self.0["score"].to_string();
        text.replace('.', "").parse().unwrap_or(i64::MAX)
    }
}

/// Makes a jail of a tree that sleeps.
fn jail(t: &Test, tree: &Path, settings: &[&str]) -> Outcome<String> {
    let name = t.name("a");
    let root = dir(tree);
    let mut words = vec!["create", &name, "--root", &root];
    words.extend(settings.iter().flat_map(|setting| ["--set", setting]));
    words.extend(["--", "sleep", "1000"]);
    t.jaula().ok(&words)?;
    Ok(name)
}

fn program(path: &Path, mode: u32) -> Outcome {
    fs::create_dir_all(path.parent().ok_or("no parent")?)?;
    fs::write(path, "#!/bin/sh\n")?;
    Ok(fs::set_permissions(path, Permissions::from_mode(mode))?)
}

/// Each of these is planted, found, taken out, and gone: when the jail is stopped and while it runs.
fn what_lies_in_the_root_is_found(t: &Test) -> Outcome {
    type Plant = fn(&Path) -> Outcome;
    // Setuid bits count in a server.
    let plants: [(&str, &str, Plant); 9] = [
        ("setuid", "opt/su", |at| program(at, 0o4755)),
        ("file-capabilities", "opt/ping", |at| {
            program(at, 0o755)?;
            // cap_net_raw, effective and permitted: version 2 of struct vfs_cap_data.
            let value = [1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            Ok(rustix::fs::setxattr(at, "security.capability", &value, rustix::fs::XattrFlags::empty())?)
        }),
        ("world-writable", "opt/drop", |at| {
            fs::create_dir_all(at)?;
            Ok(fs::set_permissions(at, Permissions::from_mode(0o777))?)
        }),
        ("secrets", "etc/ssl/private/web.key", |at| {
            fs::create_dir_all(at.parent().ok_or("no parent")?)?;
            Ok(fs::write(at, "-----BEGIN RSA PRIVATE KEY-----\n")?)
        }),
        ("interpreters", "opt/python3.11", |at| program(at, 0o755)),
        ("compilers", "opt/x86_64-linux-gnu-gcc-12", |at| program(at, 0o755)),
        ("package-managers", "opt/apt-get", |at| program(at, 0o755)),
        ("network-tools", "opt/curl", |at| program(at, 0o755)),
        ("secrets", "etc/shadow", |at| Ok(fs::write(at, "root:$y$secret:::::::\n")?)),
    ];
    let tree = tree(t)?;
    let name = jail(t, &tree, &["security.profile=server", "root.writes=kept"])?;
    let before = Found::of(&t.jaula(), &name)?;
    for (check, path, plant) in &plants {
        let at = tree.join(path);
        assert!(before.holds(check)?, "{check}: {}", before.text(check)?);
        plant(&at)?;
        let with = Found::of(&t.jaula(), &name)?;
        assert!(!with.holds(check)?, "{check} at {path}");
        let text = with.text(check)?;
        assert!(text.starts_with("1 ") && text.ends_with(&format!(": /{path}")), "{text}");
        if at.is_dir() {
            fs::remove_dir(&at)?
        } else {
            fs::remove_file(&at)?
        }
        assert_eq!(Found::of(&t.jaula(), &name)?.score(), before.score(), "{check}");
    }
    // While it runs, its own root makes them.
    t.jaula().ok(&["start", &name])?;
    let before = Found::of(&t.jaula(), &name)?;
    t.jaula().exec(&name, &["sh", "-c", "cp /bin/busybox /opt/nc; chmod 4755 /opt/nc; chmod 777 /opt"])?;
    let with = Found::of(&t.jaula(), &name)?;
    for check in ["setuid", "network-tools", "world-writable"] {
        assert!(!with.holds(check)? && with.text(check)?.contains("/opt"), "{}", with.text(check)?);
    }
    t.jaula().exec(&name, &["rm", "-r", "/opt"])?;
    assert_eq!(Found::of(&t.jaula(), &name)?.score(), before.score());
    t.jaula().ok(&["stop", &name])?;
    t.jaula().ok(&["delete", "--yes", &name])?;
    let name = jail(t, &tree, &[])?;
    // What counts for nothing is told, and does not count: a device, and a setuid bit in `app`.
    let before = Found::of(&t.jaula(), &name)?.score();
    command(&["mknod", &tree.join("opt/sda").to_string_lossy(), "b", "8", "0"])?.ok()?;
    fs::copy(tree.join("bin/busybox"), tree.join("opt/su"))?;
    fs::set_permissions(tree.join("opt/su"), Permissions::from_mode(0o4755))?;
    let with = Found::of(&t.jaula(), &name)?;
    assert!(with.holds("setuid")? && with.holds("device-nodes")?, "{}", with.text("setuid")?);
    assert!(with.text("setuid")?.contains("counts for nothing"), "{}", with.text("setuid")?);
    assert!(with.text("device-nodes")?.contains("cannot be opened"), "{}", with.text("device-nodes")?);
    assert!(with.score() - before <= 1);
    Ok(())
}

fn what_is_mounted_from_the_host_is_found(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let shared = t.root().join("shared");
    fs::create_dir(&shared)?;
    fs::write(shared.join("data"), "x")?;
    let name = jail(t, &tree, &["root.writes=refused"])?;
    let before = Found::of(&t.jaula(), &name)?;
    assert!(before.holds("host-writable")? && before.holds("host-sockets")?);
    let mount = |options: &str| format!("mounts=[\"{}:/run/shared:{options}\"]", shared.display());

    t.jaula().ok(&["set", &name, &mount("ro")])?;
    assert!(Found::of(&t.jaula(), &name)?.holds("host-writable")?);
    // Without idmap everything there belongs to nobody inside, and only what all may write counts.
    t.jaula().ok(&["set", &name, &mount("rw")])?;
    assert!(Found::of(&t.jaula(), &name)?.holds("host-writable")?);
    t.jaula().ok(&["set", &name, &mount("rw,idmap")])?;
    let with = Found::of(&t.jaula(), &name)?;
    assert_eq!(
        with.text("host-writable")?,
        "2 things: /run/shared, /run/shared/data, and execute what it wrote"
    );
    assert!(!with.holds("writable-files")?);

    // A socket is spoken to on a read-only mount too.
    t.jaula().ok(&["set", &name, &mount("ro")])?;
    for (socket, score) in [("log", 1), ("docker.sock", 2)] {
        let _listener = UnixListener::bind(shared.join(socket))?;
        fs::set_permissions(shared.join(socket), Permissions::from_mode(0o666))?;
        for running in [false, true] {
            if running {
                t.jaula().ok(&["start", &name])?;
            }
            let with = Found::of(&t.jaula(), &name)?;
            assert!(!with.holds("host-sockets")?, "{socket} {running}");
            assert!(with.text("host-sockets")?.contains(&format!("/run/shared/{socket}")));
            assert!(with.score() >= before.score() + score - 1);
            if running {
                t.jaula().ok(&["stop", &name])?;
            }
        }
        fs::set_permissions(shared.join(socket), Permissions::from_mode(0o600))?;
        assert!(Found::of(&t.jaula(), &name)?.holds("host-sockets")?, "nobody inside may speak to it");
        fs::remove_file(shared.join(socket))?;
    }
    Ok(())
}

fn who_it_is_decides_what_counts(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let key = tree.join("etc/web.key");
    fs::write(&key, "-----BEGIN PRIVATE KEY-----\n")?;
    fs::set_permissions(&key, Permissions::from_mode(0o600))?;
    let name = jail(t, &tree, &["root.writes=kept"])?;
    let root = Found::of(&t.jaula(), &name)?;
    assert_eq!(root.0["capabilities"].as_array().map(Vec::len), Some(8));
    assert!(!root.holds("secrets")? && !root.holds("writable-programs")? && !root.holds("user")?);
    t.jaula().ok(&["set", &name, "boot.user=alice"])?;
    let alice = Found::of(&t.jaula(), &name)?;
    assert_eq!(alice.0["capabilities"].as_array().map(Vec::len), Some(0));
    assert!(alice.holds("secrets")? && alice.holds("writable-programs")? && alice.holds("user")?);
    assert!(alice.score() < root.score() - 5, "{} {}", alice.score(), root.score());
    // Her own key she may read, and her own program she may change.
    chown(&key, Some(1000), None)?;
    program(&tree.join("opt/mine"), 0o755)?;
    chown(tree.join("opt/mine"), Some(1000), None)?;
    let alice = Found::of(&t.jaula(), &name)?;
    assert!(!alice.holds("secrets")? && alice.text("writable-programs")? == "1 file: /opt/mine");
    // The keys of the configuration.
    for (setting, check) in [
        ("network.mode=host", "private-network"),
        ("network.mode=host", "listen"),
        ("security.no_new_privileges=false", "no-new-privileges"),
        ("security.capabilities=+sys_ptrace", "cap-sys-ptrace"),
        ("security.capabilities=+kill", "ambient"),
        ("security.system_calls=+io_uring_setup", "calls-dangerous"),
        ("security.system_calls=+swapon", "calls-swap"),
        ("security.nesting=true", "namespaces-user"),
        ("security.devices=null,fuse", "devices"),
        ("security.socket_families=unix,can", "sockets-other"),
        ("security.profile=server", "architectures"),
    ] {
        assert!(alice.holds(check)?, "{check}: {}", alice.text(check)?);
        t.jaula().ok(&["set", &name, setting])?;
        assert!(!Found::of(&t.jaula(), &name)?.holds(check)?, "{setting}");
        let (key, _) = setting.split_once('=').ok_or("a setting")?;
        t.jaula().ok(&["set", &name, &format!("{key}=")])?;
        assert_eq!(Found::of(&t.jaula(), &name)?.score(), alice.score(), "{setting}");
    }
    // Those that close what is open by default.
    for (setting, check) in [
        ("root.writes=refused", "root-writes"),
        ("security.socket_families=inet", "sockets-unix"),
        ("security.system_calls=-chroot", "calls-mount"),
        ("security.proc=false", "proc-subset"),
    ] {
        assert!(!alice.holds(check)?, "{check}");
        t.jaula().ok(&["set", &name, setting])?;
        assert!(Found::of(&t.jaula(), &name)?.holds(check)?, "{setting}");
    }
    t.jaula().ok(&["set", &name, "limits.process.nproc=64", "limits.process.as=1G"])?;
    assert!(Found::of(&t.jaula(), &name)?.holds("limits")?);
    Ok(())
}

fn a_running_jail_is_looked_at_as_it_is(t: &Test) -> Outcome {
    let name = jail(t, &tree(t)?, &["root.writes=discarded"])?;
    t.jaula().ok(&["start", &name])?;
    let before = Found::of(&t.jaula(), &name)?;
    assert!(before.holds("compilers")?);
    // What is in memory of its own is no part of the root.
    t.jaula().exec(&name, &["sh", "-c", "cp /bin/busybox /tmp/gcc; cp /bin/busybox /run/gcc"])?;
    assert!(Found::of(&t.jaula(), &name)?.holds("compilers")?);
    t.jaula().exec(&name, &["cp", "/bin/busybox", "/bin/gcc"])?;
    let with = Found::of(&t.jaula(), &name)?;
    assert_eq!(with.text("compilers")?, "1 tool: /bin/gcc");
    assert_eq!(with.number("files"), before.number("files") + 1);
    t.jaula().ok(&["stop", &name])?;
    assert!(Found::of(&t.jaula(), &name)?.holds("compilers")?, "it was discarded");
    Ok(())
}

/// Two ways to the same root: through the first process, and from the configuration.
fn running_and_stopped_are_the_same(t: &Test) -> Outcome {
    let tree = tree(t)?;
    fs::create_dir(tree.join("srv"))?;
    let shared = t.root().join("shared");
    fs::create_dir_all(shared.join("below"))?;
    fs::write(shared.join("below/x.key"), "-----BEGIN PRIVATE KEY-----\n")?;
    let mount = format!("mounts=[\"{}:/srv:rw,idmap\"]", shared.display());
    let root = dir(&tree);
    // In a jail that runs, a file of an app is a mount of its own.
    fs::write(t.root().join("own.key"), "-----BEGIN PRIVATE KEY-----\n")?;
    let key = t.root().join("own.key").display().to_string();
    for (word, options) in [
        ("dir", &["--root", &root][..]),
        ("refused", &["--root", &root, "--set", "root.writes=refused"]),
        ("app", &["--app", "/bin/sleep", "--file", "/etc/services", "--file", &key]),
        ("alice", &["--root", &root, "--user", "alice"]),
        ("server", &["--root", &root, "--profile", "server"]),
    ] {
        let name = t.name(word);
        t.jaula().ok(&[&["create", &name], options, &["--set", &mount, "--", "sleep", "1000"]].concat())?;
        let stopped = Found::of(&t.jaula(), &name)?;
        t.jaula().ok(&["start", &name])?;
        let running = Found::of(&t.jaula(), &name)?;
        t.jaula().ok(&["stop", &name])?;
        let checks = |found: &Found| found.0["checks"].as_array().cloned().unwrap_or_default();
        for (stopped, running) in checks(&stopped).iter().zip(&checks(&running)) {
            assert_eq!(stopped, running, "{word}");
        }
        assert_eq!(stopped.text("secrets")?.contains(&key), word == "app", "{word}");
        assert_eq!(stopped.0["steps"], running.0["steps"], "{word}");
        for figure in ["files", "bytes", "score", "unseen", "system_calls", "capabilities"] {
            assert_eq!(stopped.0[figure], running.0[figure], "{word}: {figure}");
        }
        assert_eq!((&stopped.0["running"], &running.0["running"]), (&false.into(), &true.into()));
    }
    Ok(())
}

/// With the last process of a jail go its mounts, and an app jail's root is nothing but mounts.
fn one_that_ends_meanwhile_is_looked_at_whole(t: &Test) -> Outcome {
    let name = t.name("brief");
    t.jaula().ok(&[
        "create",
        &name,
        "--app",
        "/bin/sleep",
        "--file",
        "/etc/services",
        "--",
        "sleep",
        "0.1",
    ])?;
    let whole = Found::of(&t.jaula(), &name)?;
    for _ in 0..10 {
        t.jaula().ok(&["start", &name])?;
        loop {
            let found = Found::of(&t.jaula(), &name)?;
            for figure in ["files", "bytes", "score"] {
                assert_eq!(found.0[figure], whole.0[figure], "{figure}");
            }
            if found.0["running"] == false {
                break;
            }
        }
        t.jaula().run(&["stop", &name])?;
    }
    Ok(())
}

fn what_it_wrote_lies_over_what_it_was_made_of(t: &Test) -> Outcome {
    let tree = tree(t)?;
    program(&tree.join("opt/gcc"), 0o755)?;
    program(&tree.join("opt/old/curl"), 0o755)?;
    let name = jail(t, &tree, &[])?;
    let before = Found::of(&t.jaula(), &name)?;
    assert!(!before.holds("compilers")? && !before.holds("network-tools")?);
    t.jaula().ok(&["start", &name])?;
    t.jaula()
        .exec(&name, &["sh", "-c", "rm /opt/gcc; rm -r /opt/old; mkdir /opt/old; echo x >/opt/old/data"])?;
    let running = Found::of(&t.jaula(), &name)?;
    t.jaula().ok(&["stop", &name])?;
    let stopped = Found::of(&t.jaula(), &name)?;
    for found in [&running, &stopped] {
        assert!(found.holds("compilers")? && found.holds("network-tools")?, "{}", found.text("compilers")?);
        assert_eq!(found.number("files"), before.number("files") - 1);
    }
    Ok(())
}

/// Links to everywhere, pipes, a directory mounted into itself, names made to write on the terminal.
fn a_hostile_tree_leads_nowhere(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let evil = tree.join("evil");
    fs::create_dir(&evil)?;
    symlink("/", evil.join("root"))?;
    symlink("/etc/shadow", evil.join("shadow"))?;
    symlink("..", evil.join("up"))?;
    for name in ["id_rsa", "x.key", "bash"] {
        command(&["mkfifo", "-m", "777", &evil.join(name).to_string_lossy()])?.ok()?;
    }
    for name in
        ["\u{1b}[2J\u{1b}[Hgcc\n", "\u{1b}]0;title\u{7}\nscore of x: 0.0 PERFECT\n.key", "\u{202e}yek.key"]
    {
        let at = evil.join(name);
        fs::write(&at, "-----BEGIN PRIVATE KEY-----\n")?;
        fs::set_permissions(&at, Permissions::from_mode(0o755))?;
    }
    use std::os::unix::ffi::OsStrExt;
    fs::write(evil.join(std::ffi::OsStr::from_bytes(b"\xff\xfe.key")), "-----BEGIN PRIVATE KEY-----\n")?;
    fs::create_dir(tree.join("loop"))?;
    let name = jail(t, &tree, &["root.writes=refused"])?;
    t.jaula().ok(&["set", &name, &format!("mounts=[\"{}:/loop\"]", tree.display())])?;
    for running in [false, true] {
        if running {
            t.jaula().ok(&["start", &name])?;
        }
        let found = Found::of(&t.jaula(), &name)?;
        assert!(found.text("secrets")?.starts_with("3 files: "), "{running}: {}", found.text("secrets")?);
        assert_eq!(found.text("shells")?, "1 shell: /bin/busybox");
        for words in [&["audit", &name, "--full"][..], &["audit", &name]] {
            let mut pty = t.jaula().pty(words)?;
            let shown = pty.expect(&format!("score of {name}: "))?;
            pty.wait()?;
            assert!(
                !shown.contains("\u{1b}[2J") && !shown.contains("\u{1b}]0") && !shown.contains('\u{202e}')
            );
            let plain = t.jaula().ok(words)?;
            assert!(!plain.contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}'), "{plain}");
        }
    }
    t.jaula().ok(&["stop", &name])?;
    Ok(())
}

/// The first steps, one after the other: each can be typed as it stands, and the score falls as it says.
fn steps_do_what_they_promise(t: &Test) -> Outcome {
    let name =
        jail(t, &tree(t)?, &["network.mode=host", "security.devices=null,fuse", "root.writes=refused"])?;
    let mut last = Found::of(&t.jaula(), &name)?;
    for _ in 0..8 {
        let Some(step) = last.0["steps"].as_array().and_then(|steps| steps.first()) else { break };
        let line = step["command"].as_str().ok_or("no command")?;
        assert!(line.starts_with(&format!("jaula set {name} ")), "{line}");
        let program = Jaula::binary()?;
        let done =
            t.jaula().instead("sh").run(&["-c", &line.replacen("jaula", &program.to_string_lossy(), 1)])?;
        done.ok()?;
        let now = Found::of(&t.jaula(), &name)?;
        let promised = step["hundredths"].as_i64().ok_or("no gain")?;
        // Scores are rounded up to tenths.
        let fell = (last.score() - now.score()) * 10;
        assert!((fell - promised).abs() <= 10, "{line}: {promised}, but {fell}");
        last = now;
    }
    assert!(last.score() <= 12, "{}", last.score());
    Ok(())
}

fn statuses_and_words(t: &Test) -> Outcome {
    let name = jail(t, &tree(t)?, &[])?;
    let other = t.name("b");
    t.jaula().ok(&["create", &other, "--app", "/bin/true"])?;
    let score = Found::of(&t.jaula(), &name)?.score();
    let status = |words: &[&str]| -> Outcome<Option<i32>> { Ok(t.jaula().run(words)?.status.code()) };
    let at = format!("{}.{}", score / 10, score % 10);
    let below = format!("{}.{}", (score - 1) / 10, (score - 1) % 10);
    assert_eq!(status(&["audit", &name, "--threshold", &at])?, Some(0));
    assert_eq!(status(&["audit", &name, "--threshold", &below])?, Some(1));
    assert_eq!(status(&["audit", "--all", "--threshold", "0"])?, Some(1));
    for bad in ["11", "-1", "3.00", "x", "10.1", ""] {
        one_clear_line(&t.jaula().run(&["audit", &name, &format!("--threshold={bad}")])?, 2, &["threshold"])?;
    }
    one_clear_line(&t.jaula().run(&["audit", "nobody"])?, 3, &["nobody"])?;
    let said = t.jaula().ok(&["audit", &name])?;
    for words in [
        "cheapest next steps",
        "  jaula set ",
        "as its next start would make it",
        &format!("score of {name}: {at} OK\n"),
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(said.lines().any(|line| line.starts_with("x  user ")), "{said}");
    let full = t.jaula().ok(&["audit", &name, "--full"])?;
    assert!(full.contains("ok  private-users ") && full.contains("lowered by"), "{full}");
    // Signs beyond ASCII are for terminals that have them.
    let program = Jaula::binary()?.display().to_string();
    for (locale, sign) in [("C.UTF-8", "✗"), ("C", "x")] {
        let words = [&format!("LC_ALL={locale}"), "NO_COLOR=1", &program, "audit", &name];
        let mut terminal = t.jaula().instead("env").pty(&words)?;
        terminal.expect(&format!("\r\n{sign}  user "))?;
        terminal.wait()?;
    }
    let all = t.jaula().ok(&["audit"])?;
    assert_eq!(all.lines().count(), 3, "{all}");
    assert!(all.starts_with("NAME ") && all.contains(&name) && all.contains(&other));
    // A configuration that is faulty is told as such.
    fs::write(t.root().join(format!("etc/jaula/jails/{other}.toml")), "id = 1\nx = 2\n")?;
    assert!(t.jaula().fails(&["audit", &other])?.contains("unknown key"));
    Ok(())
}

fn without_root(t: &Test) -> Outcome {
    let at = t.root().join("user");
    fs::create_dir(&at)?;
    fs::copy(Jaula::binary()?, at.join("jaula"))?;
    chown(&at, Some(12345), Some(12345))?;
    let house = format!("JAULA_ROOT={}/house", at.display());
    let program = at.join("jaula").display().to_string();
    let run = |words: &[&str]| {
        let before = ["--reuid", "12345", "--regid", "12345", "--clear-groups", "env", &house, &program];
        t.jaula().instead("setpriv").run(&[&before[..], words].concat())
    };
    run(&["create", "j", "--app", "/bin/sh", "--network", "host", "--set", "network.listen=tcp 80"])?.ok()?;
    let said = run(&["audit", "j", "--json"])?.ok()?;
    let mut all: Value = serde_json::from_str(&said)?;
    let found = Found(all[0].take());
    assert!(found.holds("user")? && found.0["capabilities"].as_array().is_some_and(Vec::is_empty), "{said}");
    // Nothing keeps it to that port.
    assert_eq!(found.text("listen")?, "every port");
    assert!(found.number("files") > 1 && found.number("unseen") == 0, "{said}");
    Ok(())
}
