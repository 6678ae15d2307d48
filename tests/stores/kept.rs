//! Snapshots, clones, other names and archives of jails on each store: what they hold, and whether the limits
//! hold after it.

use super::{Btrfs, STORES, build, kept, template, words};
use crate::ground::one_clear_line;
use jaula_tests::harness::{Done, Outcome, SmallDisk, Test, Victim, command, fault_at_calls};
use std::fs;
use std::path::Path;

/// A store, with the limits that it can have on any machine.
struct Case {
    store: &'static str,
    limits: &'static [&'static str],
}

const CASES: [Case; 4] = [
    Case { store: "overlay", limits: &["--size", "96M", "--set", "root.inodes=3000"] },
    // Limited by project quota only, which the lab has.
    Case { store: "dir", limits: &[] },
    Case { store: "image", limits: &["--size", "96M", "--set", "root.inodes=3000"] },
    Case { store: "btrfs", limits: &["--size", "96M"] },
];

/// Stops what runs when a test fails, so that its file system can be unmounted.
struct Stopped<'t>(&'t Test);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            _ = self.0.jaula().run(&["stop", "--all", "--quiet"]);
        }
    }
}

/// What is kept in a jail: read, changed and read again from inside.
fn has(t: &Test, name: &str, wanted: &str) -> Outcome {
    let said = t.jaula().exec(name, &["sh", "-c", "cat /etc/kept; [ ! -e /etc/group ] || echo group"])?;
    if said == wanted { Ok(()) } else { Err(format!("{name}: {said:?}, not {wanted:?}").into()) }
}

/// The limits that a jail was built with hold in one that came of it, which runs.
fn is_limited(t: &Test, name: &str, case: &Case) -> Outcome {
    if case.limits.is_empty() {
        return Ok(());
    }
    let script = "dd if=/dev/zero of=/big bs=1M count=200 2>&1 | head -1; rm /big";
    let said = t.jaula().exec(name, &["sh", "-c", script])?;
    assert!(said.contains("No space left") || said.contains("quota exceeded"), "{name}: {said}");
    let status = t.jaula().json(&["status", "--json", name])?;
    assert_eq!(status[0]["disk"]["size"], 96 << 20, "{name}: {status}");
    if case.store == "btrfs" {
        return Ok(());
    }
    let df = t.jaula().exec(name, &["df", "-k", "/"])?;
    assert!(df.contains(" 98304 "), "{name}: {df}");
    let many = "i=0; while [ $i -lt 3500 ]; do touch /root/f$i || break; i=$((i+1)); done 2>/dev/null; \
                rm -r /root/f*; echo $i";
    let made: u32 = t.jaula().exec(name, &["sh", "-c", many])?.trim().parse()?;
    assert!((2000..3200).contains(&made), "{name}: {made} files");
    Ok(())
}

pub(super) fn what_comes_of_a_jail_has_its_limits(t: &Test) -> Outcome {
    for case in &CASES {
        let btrfs = (case.store == "btrfs").then(|| Btrfs::mount(t)).transpose()?;
        if !t.root().join("var/lib/jaula/templates/small").exists() {
            template(t)?;
        }
        let stopped = Stopped(t);
        let jaula = t.jaula();
        let name = t.name(case.store);
        let at = |snapshot: &str| format!("{name}@{snapshot}");
        build(t, &name, case.store, case.limits)?;
        jaula.ok(&["start", &name])?;
        jaula.exec(&name, &["sh", "-c", "echo one > /etc/kept; sync"])?;
        // Of one that runs, and of one that does not.
        let live = jaula.run(&["snapshot", "create", &at("live")])?;
        jaula.exec(&name, &["sh", "-c", "echo two > /etc/kept; rm /etc/group; sync"])?;
        jaula.ok(&["stop", &name])?;
        jaula.ok(&["snapshot", "create", &at("stopped")])?;
        if live.status.success() {
            jaula.ok(&["snapshot", "rollback", &at("live")])?;
            jaula.ok(&["start", &name])?;
            has(t, &name, "one\ngroup\n")?;
            is_limited(t, &name, case)?;
            jaula.ok(&["stop", &name])?;
        }
        jaula.ok(&["snapshot", "rollback", &at("stopped")])?;
        jaula.ok(&["start", &name])?;
        has(t, &name, "two\n")?;
        is_limited(t, &name, case)?;
        jaula.ok(&["stop", &name])?;

        let clone = t.name("clone");
        jaula.ok(&["clone", &name, &clone])?;
        jaula.ok(&["start", &clone])?;
        has(t, &clone, "two\n")?;
        is_limited(t, &clone, case)?;
        // Its own.
        jaula.exec(&clone, &["sh", "-c", "echo clone > /etc/kept"])?;
        jaula.ok(&["stop", &clone])?;

        let other = t.name("other");
        jaula.ok(&["rename", &name, &other])?;
        jaula.ok(&["start", &other])?;
        has(t, &other, "two\n")?;
        is_limited(t, &other, case)?;
        jaula.ok(&["stop", &other])?;
        let listed = jaula.json(&["snapshot", "list", &other, "--json"])?;
        assert!(listed.as_array().is_some_and(|all| all.len() >= 2), "{listed}");

        let (archive, back) = (t.root().join(format!("{}.tar.zst", case.store)), t.name("back"));
        let archive = archive.to_str().ok_or("a name")?;
        jaula.ok(&["export", &other, archive])?;
        jaula.ok(&["import", archive, "--name", &back])?;
        jaula.ok(&["start", &back])?;
        has(t, &back, "two\n")?;
        is_limited(t, &back, case)?;
        jaula.ok(&["stop", &back])?;

        for jail in [&other, &clone, &back] {
            jaula.ok(&["delete", "--yes", jail])?;
        }
        nothing_is_left(t)?;
        drop(stopped);
        drop(btrfs);
    }
    Ok(())
}

/// Of all jails there is nothing any more: no file, no snapshot, no subvolume.
fn nothing_is_left(t: &Test) -> Outcome {
    let jails = t.root().join("var/lib/jaula/jails");
    let names = |at: &Path| -> Vec<_> {
        fs::read_dir(at).into_iter().flatten().flatten().map(|e| e.path()).collect()
    };
    let mut left = names(&jails);
    left.retain(|path| !path.ends_with(".snapshots"));
    left.extend(names(&jails.join(".snapshots")));
    if left.is_empty() { Ok(()) } else { Err(format!("left: {left:?}").into()) }
}

/// Each of them, killed on its way on a store whose files are not plain directories: there is what was before or
/// what is after, and it starts.
pub(super) fn what_changes_a_store_is_killed(t: &Test) -> Outcome {
    for (store, step) in [("image", 41), ("btrfs", 23)] {
        let btrfs = (store == "btrfs").then(|| Btrfs::mount(t)).transpose()?;
        template(t)?;
        let stopped = Stopped(t);
        let (name, new) = (t.name(store), t.name("new"));
        let at = format!("{name}@s");
        let make = || -> Outcome {
            if !t.root().join(format!("etc/jaula/jails/{name}.toml")).exists() {
                build(t, &name, store, &["--size", "32M"])?;
            }
            Ok(())
        };
        make()?;
        t.jaula().ok(&["snapshot", "create", &at])?;
        let all: [&[&str]; 4] = [
            &["snapshot", "create", &format!("{name}@more")],
            &["snapshot", "rollback", &at, "--discard", "--yes"],
            &["clone", &name, &new],
            &["rename", &name, &new],
        ];
        for words in all {
            let victim = || Ok((Victim::Main, t.jaula().command(words)?));
            let check = |done: &Done| {
                if done.stderr.contains("panicked") {
                    return Err(done.to_string().into());
                }
                t.jaula().ok(&["gc"])?;
                let there = |name: &str| t.root().join(format!("etc/jaula/jails/{name}.toml")).exists();
                for jail in [&name, &new] {
                    if there(jail) {
                        t.jaula().ok(&["start", jail])?;
                        t.jaula().exec(jail, &["ls", "/etc"])?;
                        t.jaula().ok(&["stop", jail])?;
                    }
                }
                if words[0] == "rename" && there(&new) {
                    t.jaula().ok(&["rename", &new, &name])?;
                } else if there(&new) {
                    t.jaula().ok(&["delete", "--yes", &new])?;
                }
                if words[1] == "create" {
                    _ = t.jaula().run(&["snapshot", "delete", &format!("{name}@more"), "--yes"])?;
                }
                Ok(())
            };
            fault_at_calls(step, victim, check)?;
        }
        t.jaula().ok(&["delete", "--yes", &name])?;
        nothing_is_left(t)?;
        drop(stopped);
        drop(btrfs);
    }
    Ok(())
}

/// No room for a snapshot, a clone or an archive: one line, and nothing is left of it.
pub(super) fn no_room_for_a_copy(t: &Test) -> Outcome {
    let disk = SmallDisk::mount(t, 160 << 20)?;
    template(t)?;
    for store in STORES {
        let (name, new) = (t.name(store), t.name("new"));
        build(t, &name, store, if store == "dir" { &[] } else { &["--size", "48M"] })?;
        t.jaula().ok(&["start", &name])?;
        let script = "dd if=/dev/urandom of=/kept bs=1M count=8 2>/dev/null; sync";
        t.jaula().exec(&name, &["sh", "-c", script])?;
        t.jaula().ok(&["stop", &name])?;
        let before = there(t)?;
        let archive = t.root().join("archive.tar.zst").display().to_string();
        for free in [0, 64 << 10, 3 << 20] {
            disk.fill_but(free)?;
            let done = [
                t.jaula().run(&["snapshot", "create", &format!("{name}@s")])?,
                t.jaula().run(&["clone", &name, &new])?,
                t.jaula().run(&["export", "--quiet", &name, &archive])?,
            ];
            disk.free()?;
            for done in &done {
                one_clear_line(done, 1, &["ENOSPC"])
                    .or_else(|_| one_clear_line(done, 1, &["No space left"]))
                    .map_err(|_| format!("{store}, {free} free: {done}"))?;
            }
            assert_eq!(there(t)?, before, "{store}, {free} free");
            assert!(!Path::new(&archive).exists());
        }
        // There is room again.
        t.jaula().ok(&["snapshot", "create", &format!("{name}@s")])?;
        t.jaula().ok(&["delete", "--yes", &name])?;
        assert!(!kept(t, &name).exists());
    }
    Ok(())
}

/// All that the house has of jails.
fn there(t: &Test) -> Outcome<Vec<String>> {
    let [etc, jails] =
        ["etc/jaula", "var/lib/jaula/jails"].map(|path| t.root().join(path).display().to_string());
    let said = command(&["find", &etc, &jails, "-maxdepth", "3", "-not", "-name", ".snapshots"])?.ok()?;
    let mut all: Vec<String> = said.lines().map(str::to_owned).collect();
    all.sort();
    Ok(all)
}

/// Two that want the same name: one gets it, the other says so; two that want other names both get them.
pub(super) fn two_builds_at_once(t: &Test) -> Outcome {
    template(t)?;
    for store in STORES {
        let (one, other) = (t.name("one"), t.name("two"));
        for names in [[&one, &one], [&one, &other]] {
            let running: Vec<_> = names
                .iter()
                .map(|name| t.jaula().command(words(name, store))?.spawn().map_err(Into::into))
                .collect::<Outcome<_>>()?;
            let mut made = 0;
            for mut child in running {
                made += usize::from(child.wait()?.success());
            }
            let there = |name: &str| t.root().join(format!("etc/jaula/jails/{name}.toml")).exists();
            assert_eq!(made, if names[0] == names[1] { 1 } else { 2 }, "{store}");
            for name in [&one, &other].into_iter().filter(|name| there(name)) {
                t.jaula().ok(&["start", name])?;
                t.jaula().ok(&["stop", name])?;
                t.jaula().ok(&["delete", "--yes", name])?;
            }
            nothing_is_left(t)?;
        }
    }
    Ok(())
}
