//! `root.size` and `root.inodes`: told by `df`, held, changed.

use super::{Btrfs, build, kept, template, words};
use crate::ground::one_clear_line;
use jaula_tests::harness::{Outcome, Test, command};
use std::fs;

/// The second column of `df` for the root, in KiB.
fn size(t: &Test, name: &str) -> Outcome<u64> {
    let said = t.jaula().exec(name, &["df", "-k", "/"])?;
    let line = said.lines().last().unwrap_or_default();
    Ok(line.split_whitespace().nth(1).ok_or("df says nothing")?.parse()?)
}

/// Writes so many MiB, and tells what came of it.
fn write(t: &Test, name: &str, mib: u32) -> Outcome<String> {
    let script = format!("dd if=/dev/zero of=/big bs=1M count={mib} 2>&1 | head -1; rm /big");
    t.jaula().exec(name, &["sh", "-c", &script])
}

const FULL: [&str; 2] = ["No space left on device", "quota exceeded"];

pub(super) fn df_tells_the_limit_and_it_holds(t: &Test) -> Outcome {
    template(t)?;
    for store in ["overlay", "image"] {
        let name = t.name(store);
        build(t, &name, store, &["--size", "96M", "--set", "root.inodes=3000"])?;
        t.jaula().ok(&["start", &name])?;
        let human = t.jaula().exec(&name, &["df", "-h", "/"])?;
        assert!(human.contains(" 96.0M "), "{store}: {human}");
        let said = write(t, &name, 200)?;
        assert!(FULL.iter().any(|full| said.contains(full)), "{store}: {said}");
        assert!(!write(t, &name, 40)?.contains("No space"), "{store}: there is room again");
        let many =
            "i=0; while [ $i -lt 3500 ]; do touch /root/f$i || break; i=$((i+1)); done 2>/dev/null; echo $i";
        let made: u32 = t.jaula().exec(&name, &["sh", "-c", many])?.trim().parse()?;
        assert!((2000..3200).contains(&made), "{store}: {made} files");
        let status = t.jaula().json(&["status", "--json", &name])?;
        assert_eq!(status[0]["disk"]["size"], 96 << 20, "{store}: {status}");
        t.jaula().ok(&["stop", &name])?;
        t.jaula().ok(&["delete", "--yes", &name])?;
    }
    Ok(())
}

pub(super) fn a_limit_changes_while_stopped(t: &Test) -> Outcome {
    template(t)?;
    for store in ["overlay", "image"] {
        let name = t.name(store);
        build(t, &name, store, &["--size", "64M"])?;
        for (wanted, kib) in [("200M", 200 << 10), ("80M", 80 << 10)] {
            t.jaula().ok(&["set", &name, &format!("root.size={wanted}")])?;
            t.jaula().ok(&["start", &name])?;
            assert_eq!(size(t, &name)?, kib, "{store}");
            t.jaula().ok(&["stop", &name])?;
        }
        // What it has written does not fit into less.
        t.jaula().ok(&["start", &name])?;
        t.jaula()
            .exec(&name, &["sh", "-c", "dd if=/dev/urandom of=/kept bs=1M count=50 2>/dev/null; sync"])?;
        t.jaula().ok(&["stop", &name])?;
        let done = t.jaula().run(&["set", &name, "root.size=32M"])?;
        if !done.status.success() {
            one_clear_line(&done, 1, &["resize2fs"])?;
            assert!(t.jaula().ok(&["config", "show", &name])?.contains("80M"), "{store}");
        }
        t.jaula().ok(&["start", &name])?;
        assert_eq!(t.jaula().exec(&name, &["stat", "-c", "%s", "/kept"])?, "52428800\n", "{store}");
        t.jaula().ok(&["stop", &name])?;
    }
    Ok(())
}

/// A mounted file system grows with `CAP_SYS_RESOURCE` only, which not every root has.
pub(super) fn a_limit_changes_while_running(t: &Test) -> Outcome {
    template(t)?;
    let own = fs::read_to_string("/proc/self/status")?;
    let held = own.lines().find_map(|line| line.strip_prefix("CapEff:")).ok_or("no capabilities")?;
    let may_grow = u64::from_str_radix(held.trim(), 16)? & 1 << 24 != 0;
    let name = t.name("live");
    build(t, &name, "image", &["--size", "64M"])?;
    t.jaula().ok(&["start", &name])?;
    t.jaula().exec(&name, &["sh", "-c", "echo before > /kept"])?;
    let done = t.jaula().run(&["set", &name, "root.size=256M"])?;
    if may_grow {
        done.ok()?;
        assert_eq!(size(t, &name)?, 256 << 10);
        assert!(!write(t, &name, 150)?.contains("No space"));
    } else {
        one_clear_line(&done, 1, &["CAP_SYS_RESOURCE"])?;
        assert!(t.jaula().ok(&["config", "show", &name])?.contains("64M"));
        assert_eq!(fs::metadata(kept(t, &name).join("root.img"))?.len(), 64 << 20);
        assert_eq!(size(t, &name)?, 64 << 10);
    }
    let done = t.jaula().run(&["set", &name, "root.size=32M"])?;
    one_clear_line(&done, 1, &["smaller only when its jail does not run"])?;
    assert_eq!(t.jaula().exec(&name, &["cat", "/kept"])?, "before\n");
    t.jaula().ok(&["stop", &name]).map(drop)
}

/// Where directories cannot be limited, its files go into an image then.
pub(super) fn a_first_limit_of_an_overlay(t: &Test) -> Outcome {
    template(t)?;
    let name = t.name("first");
    build(t, &name, "overlay", &[])?;
    t.jaula().ok(&["start", &name])?;
    t.jaula().exec(&name, &["sh", "-c", "echo kept > /etc/kept; rm /etc/group"])?;
    if !t.jaula().run(&["set", &name, "root.size=64M"])?.status.success() {
        t.jaula().ok(&["stop", &name])?;
        t.jaula().ok(&["set", &name, "root.size=64M"])?;
        t.jaula().ok(&["start", &name])?;
    }
    assert_eq!(size(t, &name)?, 64 << 10);
    assert_eq!(
        t.jaula().exec(&name, &["sh", "-c", "cat /etc/kept; [ -e /etc/group ] || echo gone"])?,
        "kept\ngone\n"
    );
    t.jaula().ok(&["stop", &name]).map(drop)
}

pub(super) fn the_limit_of_a_subvolume(t: &Test) -> Outcome {
    let btrfs = Btrfs::mount(t)?;
    template(t)?;
    let name = t.name("qgroup");
    // Nothing pretends: that the jail sees another size is said.
    let said =
        t.jaula().run(&[&["build", &name][..], &words(&name, "btrfs")[3..], &["--size", "64M"]].concat())?;
    assert!(said.status.success() && said.stderr.contains("df inside shows the whole btrfs"), "{said}");
    t.jaula().ok(&["start", &name])?;
    let said = write(t, &name, 100)?;
    assert!(said.contains("Disk quota exceeded") || said.contains("quota exceeded"), "{said}");
    // In a jail that runs, at once; and however many subvolumes are younger than its own.
    for n in 0..20 {
        let other = btrfs.0.join(format!("other{n}")).display().to_string();
        command(&["btrfs", "subvolume", "create", &other])?.ok()?;
    }
    let said = t.jaula().run(&["set", &name, "root.size=200M"])?;
    assert!(said.status.success() && said.stderr.contains("that of 200M holds"), "{said}");
    assert!(!write(t, &name, 100)?.contains("quota"));
    assert_eq!(t.jaula().json(&["status", "--json", &name])?[0]["disk"]["size"], 200 << 20);
    t.jaula()
        .ok(&["set", "--unset", "root.size", &name])
        .or_else(|_| t.jaula().ok(&["set", &name, "root.size="]))?;
    t.jaula().ok(&["stop", &name])?;
    t.jaula().ok(&["delete", "--yes", &name]).map(drop)
}

pub(super) fn what_a_store_cannot_hold_is_refused(t: &Test) -> Outcome {
    template(t)?;
    let name = t.name("refused");
    for (store, settings, why) in [
        ("image", &["--size", "6G:7G"][..], "hard limit only"),
        ("image", &["--size", "1M"], "has no room for files"),
        ("btrfs", &["--set", "root.inodes=5"], "no limit on the number of files"),
        ("image", &["--size", "16M"], "No space left"),
    ] {
        if why == "No space left" {
            let much = t.root().join("var/lib/jaula/templates/small/tree/much");
            fs::write(much, vec![7; 24 << 20])?;
        }
        let done = t.jaula().run(&[&words(&name, store)[..], settings].concat())?;
        one_clear_line(&done, 1, &[why]).or_else(|_| one_clear_line(&done, 1, &["ENOSPC"]))?;
        assert!(!kept(t, &name).exists(), "{store} {settings:?}");
    }
    let left = fs::read_dir(t.root().join("var/lib/jaula/jails")).map_or(0, Iterator::count);
    assert_eq!(left, 0);
    Ok(())
}

/// Only if it is asked for, and only what is known without a look at every file.
pub(super) fn lists_tell_the_room(t: &Test) -> Outcome {
    template(t)?;
    let (image, plain) = (t.name("image"), t.name("plain"));
    build(t, &image, "image", &["--size", "64M"])?;
    build(t, &plain, "dir", &[])?;
    let listed = t.jaula().json(&["list", "--disk", "--json", &image, &plain])?;
    let (used, size) = (&listed[0]["disk"]["used"], &listed[0]["disk"]["size"]);
    assert!(used.as_u64().is_some_and(|used| used > 0 && used < 64 << 20) && *size == 64 << 20, "{listed}");
    // A number where the file system has quota of projects, else null.
    assert!(listed[1].get("disk").is_some(), "{listed}");
    assert!(t.jaula().json(&["list", "--json", &image])?[0].get("disk").is_none());
    let text = t.jaula().ok(&["list", "--disk"])?;
    assert!(text.lines().next().is_some_and(|line| line.contains(" DISK ")), "{text}");
    assert!(text.lines().any(|line| line.contains(&image) && line.contains(" of 64.0 MiB ")), "{text}");
    assert!(!t.jaula().ok(&["list"])?.contains("DISK"));
    // What is written counts.
    t.jaula().ok(&["start", &image])?;
    let before = used.as_u64().unwrap_or_default();
    t.jaula().exec(&image, &["sh", "-c", "dd if=/dev/zero of=/big bs=1M count=20 2>&1 && sync"])?;
    let listed = t.jaula().json(&["list", "--disk", "--json", &image])?;
    assert!(listed[0]["disk"]["used"].as_u64() > Some(before + (15 << 20)), "{listed}");
    t.jaula().ok(&["stop", &image]).map(drop)
}
