//! Exports of jails that run: of one moment, and the jail goes on.

use super::{Btrfs, STORES, kept, template};
use crate::declared::{nothing_left, until};
use jaula_tests::harness::{Outcome, SmallDisk, Test};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Files between the two that are written, in the order in which they are packed: a reader of a jail that goes on
/// finds the two far apart. Each number is a file of its own, so that none is ever half written. It counts more than
/// often enough for that, and leaves the processor to the export.
const COUNTING: &str = "mkdir -p /m; i=0; while [ $i -lt 1500 ]; do echo x >/m/$i; i=$((i+1)); done; n=0; \
                        while :; do n=$((n+1)); echo $n >/.n; mv /.n /a; echo $n >/.n; mv /.n /z; usleep 5000; done";

/// A jail in such a store that runs and counts.
fn counting(t: &Test, name: &str, store: &str) -> Outcome {
    let command = format!("boot.command={}", serde_json::to_string(&["/bin/sh", "-c", COUNTING])?);
    let words = ["--from", "template:small", "--store", store, "--set", &command];
    t.jaula().ok(&[&["build", "--quiet", name][..], &words].concat())?;
    t.jaula().ok(&["start", name])?;
    until("the first numbers", || count(t, name).ok().filter(|n| *n > 0)).map(drop)
}

/// How far it is.
fn count(t: &Test, name: &str) -> Outcome<u64> {
    Ok(t.jaula().exec(name, &["cat", "/z"])?.trim().parse()?)
}

/// It goes on, with nobody's help.
fn goes_on(t: &Test, name: &str) -> Outcome {
    let before = count(t, name)?;
    until("more numbers", || count(t, name).ok().filter(|n| *n > before)).map(drop)
}

fn is_frozen(t: &Test, name: &str) -> Outcome<bool> {
    let journal = fs::read_to_string(t.root().join("run/jaula").join(name).join("journal"))?;
    let group = journal.lines().find_map(|line| line.strip_prefix("cgroup ")).ok_or("no group")?;
    Ok(fs::read_to_string(Path::new(group).join("cgroup.freeze"))?.trim() == "1")
}

/// What was half made and is there still.
fn half_made(t: &Test) -> Vec<PathBuf> {
    let all = fs::read_dir(t.root().join("var/lib/jaula/jails")).into_iter().flatten().flatten();
    all.filter(|entry| entry.file_name().to_string_lossy().starts_with(".new.")).map(|e| e.path()).collect()
}

/// Both numbers of an archive, as a jail that comes of it has them.
fn numbers(t: &Test, archive: &str) -> Outcome<(i64, i64)> {
    let name = t.name("back");
    t.jaula().ok(&["import", archive, "--name", &name, "--store", "dir", "--quiet"])?;
    let read = |file: &str| -> Outcome<i64> {
        Ok(fs::read_to_string(kept(t, &name).join("root").join(file))?.trim().parse()?)
    };
    let both = (read("a")?, read("z")?);
    t.jaula().ok(&["delete", &name, "--yes", "--quiet"])?;
    Ok(both)
}

pub(super) fn a_live_export_is_of_one_moment(t: &Test) -> Outcome {
    for store in STORES.into_iter().chain(["btrfs"]) {
        let btrfs = (store == "btrfs").then(|| Btrfs::mount(t)).transpose()?;
        if !t.root().join("var/lib/jaula/templates/small").exists() {
            template(t)?;
        }
        let name = t.name(store);
        counting(t, &name, store)?;
        for n in 0..2 {
            let archive = t.root().join(format!("{store}{n}.tar.zst")).display().to_string();
            let told = t.jaula().json(&["export", &name, &archive, "--json"])?;
            assert!(told["frozen"].is_u64() && told["files"].as_u64() > Some(1500), "{store}: {told}");
            assert!(!is_frozen(t, &name)?, "{store}");
            assert_eq!(half_made(t), [""; 0].map(PathBuf::from), "{store}");
            let (a, z) = numbers(t, &archive)?;
            assert!((0..=1).contains(&(a - z)), "{store}: a {a}, z {z}");
            goes_on(t, &name)?;
        }
        // As it goes on, if that is wanted.
        let archive = t.root().join(format!("{store}.tar.zst")).display().to_string();
        let told = t.jaula().json(&["export", &name, &archive, "--no-freeze", "--json"])?;
        assert_eq!(told["frozen"], Value::Null, "{store}: {told}");
        numbers(t, &archive)?;
        t.jaula().ok(&["stop", &name, "--timeout", "0"])?;
        let told = t.jaula().json(&["export", &name, &format!("{archive}.2"), "--json"])?;
        assert_eq!(told["frozen"], Value::Null, "{store}: {told}");
        t.jaula().ok(&["delete", &name, "--yes"])?;
        drop(btrfs);
    }
    nothing_left(t)
}

pub(super) fn a_killed_export_leaves_the_jail_going(t: &Test) -> Outcome {
    template(t)?;
    let name = t.name("www");
    counting(t, &name, "dir")?;
    let archive = t.root().join("archive").display().to_string();
    let mut export = t.jaula().command(["export", &name, &archive, "--quiet"])?;
    let mut export = export.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    until("a copy of the frozen jail", || {
        (is_frozen(t, &name).ok()? && !half_made(t).is_empty()).then_some(())
    })?;
    export.kill()?;
    export.wait()?;
    until("the jail to go on", || (!is_frozen(t, &name).ok()?).then_some(()))?;
    goes_on(t, &name)?;
    assert!(!Path::new(&archive).exists());
    assert_eq!(half_made(t).len(), 1);
    t.jaula().ok(&["gc"])?;
    assert_eq!(half_made(t).len(), 0);
    // A stop ends the export: it would not be of one moment.
    let mut export = t.jaula().command(["export", &name, &archive, "--quiet"])?;
    let mut export = export.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    until("the jail to be frozen", || is_frozen(t, &name).ok()?.then_some(()))?;
    t.jaula().ok(&["stop", &name, "--timeout", "0"])?;
    assert!(!export.wait()?.success());
    assert!(!Path::new(&archive).exists() && half_made(t).is_empty());
    nothing_left(t)
}

/// Then it stands still until it is packed, and that is said.
pub(super) fn without_room_for_a_copy(t: &Test) -> Outcome {
    let disk = SmallDisk::mount(t, 64 << 20)?;
    template(t)?;
    let name = t.name("www");
    counting(t, &name, "dir")?;
    t.jaula().exec(&name, &["sh", "-c", "dd if=/dev/zero of=/much bs=1M count=8 2>&1"])?;
    disk.fill_but(4 << 20)?;
    let archive = t.root().join("archive").display().to_string();
    let done = t.jaula().run(&["export", &name, &archive])?;
    assert!(done.status.success() && done.stderr.contains("no room for a copy"), "{done}");
    assert!(done.stderr.contains("the jail stood still for"), "{done}");
    assert!(!is_frozen(t, &name)? && half_made(t).is_empty());
    disk.free()?;
    let (a, z) = numbers(t, &archive)?;
    assert!((0..=1).contains(&(a - z)), "a {a}, z {z}");
    goes_on(t, &name)?;
    t.jaula().ok(&["stop", &name, "--timeout", "0"]).map(drop)
}
