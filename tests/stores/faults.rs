//! Killed on the way, and no room.

use super::{STORES, build, kept, template, words};
use crate::ground::one_clear_line;
use jaula_tests::harness::{Done, Outcome, SmallDisk, Test, Victim, fault_at_calls};
use std::cell::Cell;
use std::fs;

/// What is in the house's directory of jails, beside that of all snapshots.
fn there(t: &Test) -> Vec<String> {
    let entries = fs::read_dir(t.root().join("var/lib/jaula/jails")).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name != ".snapshots").collect()
}

/// There is the whole jail, or after `jaula gc` nothing at all: no file, no loop device, no mount.
pub(super) fn a_build_is_killed(t: &Test) -> Outcome {
    template(t)?;
    for (store, step) in [("overlay", 5), ("dir", 61), ("image", 61)] {
        let name = t.name(store);
        let whole = Cell::new(0);
        let command = || {
            let more: &[&str] = if store == "dir" { &[] } else { &["--size", "32M"] };
            Ok((Victim::Main, t.jaula().command([&words(&name, store)[..], more].concat())?))
        };
        let check = |done: &Done| {
            if done.stderr.contains("panicked") {
                return Err(done.to_string().into());
            }
            t.jaula().ok(&["gc"])?;
            // Files without a configuration are nobody's: they go with gc, or with the next of that name.
            let config = t.root().join("etc/jaula/jails").join(format!("{name}.toml"));
            if kept(t, &name).join(".orphan").exists() && !config.exists() {
                build(t, &name, store, &[])?;
                t.jaula().ok(&["delete", "--yes", &name])?;
            }
            if config.exists() {
                whole.set(whole.get() + 1);
                t.jaula().ok(&["start", &name])?;
                t.jaula().ok(&["stop", &name])?;
                t.jaula().ok(&["delete", "--yes", &name])?;
            }
            match there(t) {
                left if left.is_empty() => Ok(()),
                left => Err(format!("{store}: left behind: {left:?}").into()),
            }
        };
        let survived = fault_at_calls(step, command, check)?;
        assert!(survived.kills > 100 && whole.get() >= 1, "{store}: {survived:?}, {} whole", whole.get());
    }
    Ok(())
}

/// The jail is there to be deleted, or is gone.
pub(super) fn a_delete_is_killed(t: &Test) -> Outcome {
    template(t)?;
    for (store, step) in [("overlay", 5), ("dir", 97), ("image", 5)] {
        let name = t.name(store);
        let command = || {
            if !kept(t, &name).exists() {
                let _ = t.jaula().run(&["delete", "--yes", &name])?;
                build(t, &name, store, &[])?;
            }
            Ok((Victim::Main, t.jaula().command(["delete", "--yes", &name])?))
        };
        let check = |done: &Done| {
            if done.stderr.contains("panicked") {
                return Err(done.to_string().into());
            }
            let _ = t.jaula().run(&["delete", "--yes", &name])?;
            t.jaula().ok(&["gc"])?;
            match there(t) {
                left if left.is_empty() => Ok(()),
                left => Err(format!("{store}: left behind: {left:?}").into()),
            }
        };
        fault_at_calls(step, command, check)?;
    }
    Ok(())
}

pub(super) fn a_full_disk(t: &Test) -> Outcome {
    let disk = SmallDisk::mount(t, 96 << 20)?;
    template(t)?;
    for store in STORES {
        let name = t.name(store);
        for free in [0, 4096, 64 << 10, 1 << 20] {
            disk.fill_but(free)?;
            let done = t.jaula().run(&[&words(&name, store)[..], &["--set", "hostname=full"]].concat())?;
            disk.free()?;
            if done.status.success() {
                t.jaula().ok(&["delete", "--yes", &name])?;
                continue;
            }
            one_clear_line(&done, 1, &["ENOSPC"])
                .or_else(|_| one_clear_line(&done, 1, &["No space left"]))
                .or_else(|_| one_clear_line(&done, 1, &["mke2fs"]))?;
            let left = there(t);
            assert!(left.is_empty(), "{store}, {free} free: {left:?}");
        }
        build(t, &name, store, &[])?;
        t.jaula().ok(&["delete", "--yes", &name])?;
    }
    Ok(())
}
