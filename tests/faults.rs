//! Killed at every system call: whoever it is and wherever it happens, the next `jaula gc` or
//! the next start finds what is left. Also a full disk, and a kernel without a system call.

use crate::declared::{Declared, kill, one_line, runs, until};
use jaula_tests::harness::{
    Done, Outcome, SmallDisk, Snapshot, Survived, Test, ThingKind, Victim, fault_at_calls,
    fault_at_every_call,
};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("faults": privileged [
        the_command_that_starts_is_killed,
        a_keeper_is_killed_while_it_starts,
        a_keeper_is_killed_while_it_starts_and_a_start_follows,
        a_first_process_is_killed_before_its_program,
        a_keeper_is_killed_while_it_stops,
        a_keeper_is_killed_while_it_stops_and_a_start_follows,
        the_command_that_stops_is_killed,
        a_cleaner_is_killed,
        a_cleaner_is_killed_while_it_adopts,
        a_keeper_is_killed_while_it_starts_again,
        a_keeper_is_killed_while_it_makes_writable_directories,
        a_full_disk_refuses_a_start,
        a_disk_that_fills_up_while_it_starts,
        a_disk_that_fills_up_while_it_runs,
        a_kernel_without_a_call,
    ])
}

/// How a test repairs what a killed process left.
#[derive(Clone, Copy)]
enum Repair {
    /// By `jaula gc`.
    Gc,
    /// By the next start of the same jail.
    Start,
}

/// What must hold after a kill: one command repairs everything. Then either the jail is gone
/// with all that it had, or it runs, kept by a keeper, and stops cleanly.
fn repaired(t: &Test, jail: &Declared<'_>, repair: Repair) -> Outcome {
    let said = match repair {
        Repair::Gc => t.jaula().ok(&["gc"])?,
        Repair::Start => jail.start().map(|()| String::new())?,
    };
    // A keeper that lives may still be at it.
    let is_there = |who| jail.process(who).is_ok_and(runs);
    until("a jail that runs with a keeper, or is gone", || {
        (!jail.run().exists() || is_there("first") && is_there("keeper")).then_some(())
    })
    .map_err(|stop| format!("{stop:?}; {said}{:?}", jail.state()))?;
    if jail.run().exists() {
        let first = jail.first()?;
        jail.jaula("stop", &[])?.ok()?;
        if runs(first) {
            return Err("its first process survived".into());
        }
    } else if let Repair::Start = repair {
        return Err("it does not run after a start".into());
    }
    as_before(t)
}

/// Nothing of running jails is there: no files, no numbers, no control groups, no mounts. All
/// else that could be left is looked for at the test's end.
fn as_before(t: &Test) -> Outcome {
    let list = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let run = t.root().join("run/jaula");
    let groups = list(Path::new("/sys/fs/cgroup")).chain(list(Path::new("/sys/fs/cgroup/unified")));
    let left: Vec<PathBuf> = list(&run)
        .filter(|path| !path.ends_with(".ids"))
        .chain(list(&run.join(".ids")))
        .chain(groups.filter(|path| path.to_string_lossy().contains(t.mark())))
        .chain(Snapshot::mounts_below(t.root()).into_iter().map(PathBuf::from))
        .collect();
    if left.is_empty() { Ok(()) } else { Err(format!("left behind: {left:?}").into()) }
}

/// Kills this victim of `jaula start` at each of its calls.
fn start_with(t: &Test, victim: Victim, repair: Repair) -> Outcome<Survived> {
    let jail = Declared::idle(t, "victim")?;
    let command = || t.jaula().command(["start", &jail.name]);
    fault_at_every_call(victim, command, |done| {
        // Whoever lives to tell, tells in one line.
        if !done.status.success() && victim != Victim::Main {
            without_the_killer(done)?;
        }
        if victim == Victim::Main {
            // Its keeper goes on without it.
            until("the end of the start", || {
                let alone = || t.left_behind().of(ThingKind::Process).next().is_none();
                (jail.phase().as_deref() == Some("running") || alone()).then_some(())
            })?;
        }
        repaired(t, &jail, repair)
    })
}

/// What the command itself said was one clear line.
fn without_the_killer(done: &Done) -> Outcome {
    let said: Vec<&str> = done.stderr.lines().filter(|line| !line.starts_with("killer: ")).collect();
    one_line(&said.join("\n"), &[])
}

fn the_command_that_starts_is_killed(t: &Test) -> Outcome {
    let survived = start_with(t, Victim::Main, Repair::Gc)?;
    assert!(survived.kills > 20, "{survived:?}");
    Ok(())
}

fn a_keeper_is_killed_while_it_starts(t: &Test) -> Outcome {
    let survived = start_with(t, Victim::Keeper, Repair::Gc)?;
    assert!(survived.kills >= 80, "{survived:?}");
    Ok(())
}

fn a_keeper_is_killed_while_it_starts_and_a_start_follows(t: &Test) -> Outcome {
    let survived = start_with(t, Victim::Keeper, Repair::Start)?;
    assert!(survived.kills >= 80, "{survived:?}");
    Ok(())
}

/// What an app jail may write to is there whole or not at all, and the next start makes it.
fn a_keeper_is_killed_while_it_makes_writable_directories(t: &Test) -> Outcome {
    let state = t.root().join("state");
    for below in ["a/b", "c"] {
        fs::create_dir_all(state.join(below))?;
    }
    let jail = Declared::idle(t, "victim")?;
    let busybox = "/usr/bin/busybox";
    jail.write_config(&format!(
        "[root]\nfrom = \"app:{busybox}\"\nwritable = [{state:?}]\n[boot]\ncommand = [\"{busybox}\", \"sleep\", \"1000\"]\n"
    ))?;
    let kept = jail.kept().join("writable");
    let own = kept.join(state.display().to_string().trim_start_matches('/').replace('/', "+"));
    let whole = || ["a/b", "c"].iter().all(|below| own.join(below).is_dir());
    let command = || t.jaula().command(["start", &jail.name]);
    let survived = fault_at_every_call(Victim::Keeper, command, |_| {
        if own.exists() && !whole() {
            return Err("the half of it is there".into());
        }
        repaired(t, &jail, Repair::Start)?;
        if !whole() || fs::read_dir(kept.join(".new")).is_ok_and(|new| new.count() > 0) {
            return Err("not made by the next start".into());
        }
        Ok(fs::remove_dir_all(&kept)?)
    })?;
    assert!(survived.kills >= 80, "{survived:?}");
    Ok(())
}

fn a_first_process_is_killed_before_its_program(t: &Test) -> Outcome {
    let survived = start_with(t, Victim::First, Repair::Gc)?;
    assert!(survived.kills > 80, "{survived:?}");
    Ok(())
}

/// Kills the keeper of a running jail at each call that it makes when the jail is stopped.
fn stop_with(t: &Test, repair: Repair) -> Outcome<Survived> {
    let jail = Declared::idle(t, "victim")?;
    let begin = || {
        jail.start()?;
        Ok((Victim::Running(jail.keeper()?), t.jaula().command(["stop", &jail.name])?))
    };
    fault_at_calls(1, begin, |_| repaired(t, &jail, repair))
}

fn a_keeper_is_killed_while_it_stops(t: &Test) -> Outcome {
    let survived = stop_with(t, Repair::Gc)?;
    assert!(survived.kills > 30, "{survived:?}");
    Ok(())
}

fn a_keeper_is_killed_while_it_stops_and_a_start_follows(t: &Test) -> Outcome {
    let survived = stop_with(t, Repair::Start)?;
    assert!(survived.kills > 30, "{survived:?}");
    Ok(())
}

fn the_command_that_stops_is_killed(t: &Test) -> Outcome {
    let jail = Declared::idle(t, "victim")?;
    let begin = || {
        jail.start()?;
        t.jaula().command(["stop", &jail.name])
    };
    // The keeper may be at it on its own.
    let survived = fault_at_every_call(Victim::Main, begin, |_| repaired(t, &jail, Repair::Gc))?;
    assert!(survived.kills > 20, "{survived:?}");
    Ok(())
}

/// `jaula gc` has something of everything to do: a jail that ended without its keeper, a
/// number, a temporary file.
fn a_cleaner_is_killed(t: &Test) -> Outcome {
    let jail = Declared::idle(t, "victim")?;
    let begin = || {
        jail.start()?;
        let first = jail.first()?;
        kill(jail.keeper()?)?;
        kill(first)?;
        std::os::unix::fs::symlink("nobody", t.root().join("run/jaula/.ids/77"))?;
        fs::write(t.root().join(format!("etc/jaula/jails/{}.new.4194999", jail.name)), "half")?;
        t.jaula().command(["gc"])
    };
    let survived = fault_at_every_call(Victim::Main, begin, |_| {
        repaired(t, &jail, Repair::Gc)?;
        let half = fs::read_dir(t.root().join("etc/jaula/jails"))?.count();
        if half == 1 { Ok(()) } else { Err("a temporary file is left".into()) }
    })?;
    assert!(survived.kills > 30, "{survived:?}");
    Ok(())
}

/// Both the cleaner and the keeper that it makes are killed.
fn a_cleaner_is_killed_while_it_adopts(t: &Test) -> Outcome {
    let jail = Declared::idle(t, "victim")?;
    for victim in [Victim::Main, Victim::Keeper] {
        let first = Cell::new(0);
        let begin = || {
            jail.start()?;
            first.set(jail.first()?);
            kill(jail.keeper()?)?;
            t.jaula().command(["gc"])
        };
        let survived = fault_at_every_call(victim, begin, |_| {
            if !runs(first.get()) {
                return Err("the jail did not survive its keepers".into());
            }
            repaired(t, &jail, Repair::Gc)
        })?;
        assert!(survived.kills > 20, "{victim:?} {survived:?}");
    }
    Ok(())
}

/// Its first process ends, it waits half a second and starts again: the keeper is killed at calls
/// all along this way.
fn a_keeper_is_killed_while_it_starts_again(t: &Test) -> Outcome {
    let go = t.root().join("go");
    fs::create_dir(&go)?;
    let jail = Declared::idle(t, "victim")?;
    let mount = format!("mounts = [\"{}:/run/go\"]", go.display());
    jail.declare(
        &["/bin/sh", "-c", "until [ -e /run/go/1 ]; do sleep 0.01; done"],
        "restart = \"always\"",
        &mount,
    )?;
    let begin = || {
        _ = fs::remove_file(go.join("1"));
        jail.start()?;
        let keeper = jail.keeper()?;
        // The command only lets the jail go on, and waits until it has started again or the keeper is gone.
        let script = format!(
            "touch {0}/1; sleep 0.2; rm {0}/1; while kill -0 {keeper} && ! grep -q '\"restarts\":1' {1}/state; do sleep 0.02; done 2>/dev/null; sleep 0.05",
            go.display(),
            jail.run().display(),
        );
        Ok((Victim::Running(keeper), t.jaula().instead("/bin/sh").command(["-c", &script])?))
    };
    // Each run waits out the pause, and most of its calls are those of a start.
    let survived = fault_at_calls(9, begin, |_| repaired(t, &jail, Repair::Gc))?;
    assert!(survived.kills >= 80, "{survived:?}");
    Ok(())
}

/// A full disk refuses a start in one line, and nothing is left; when there is room, it starts.
fn a_full_disk_refuses_a_start(t: &Test) -> Outcome {
    let disk = SmallDisk::mount(t, 1 << 20)?;
    let jail = Declared::idle(t, "full")?;
    disk.fill_but(0)?;
    let done = jail.jaula("start", &[])?;
    assert_eq!(done.status.code(), Some(1), "{done}");
    one_line(&done.stderr, &["No space left"])?;
    // The disk itself is the only thing of ours.
    assert!(!jail.run().exists() || fs::read_dir(jail.run())?.next().is_none());
    disk.free()?;
    jail.start()?;
    jail.stop_on_a_disk()
}

/// With room for this many pages each: wherever the disk is full, the start is refused as a whole,
/// or the jail runs and can be stopped.
fn a_disk_that_fills_up_while_it_starts(t: &Test) -> Outcome {
    let disk = SmallDisk::mount(t, 1 << 20)?;
    let jail = Declared::idle(t, "tight")?;
    let (mut refused, mut started) = (0, 0);
    for pages in 0..14 {
        disk.fill_but(pages * 4096)?;
        let done = jail.jaula("start", &[])?;
        match done.status.code() {
            Some(0) => {
                assert!(runs(jail.first()?) && runs(jail.keeper()?), "{pages} pages");
                started += 1;
                jail.stop_on_a_disk()?;
            }
            Some(1) => {
                one_line(&done.stderr, &["No space left"])?;
                refused += 1;
            }
            _ => return Err(format!("{pages} pages: {done}").into()),
        }
        disk.free()?;
        t.jaula().ok(&["gc"])?;
        let left: Vec<_> =
            fs::read_dir(t.root().join("run/jaula"))?.flatten().map(|e| e.file_name()).collect();
        assert!(left.iter().all(|name| name == ".ids"), "{pages} pages: {left:?}");
        assert_eq!(
            fs::read_dir(t.root().join("run/jaula/.ids")).map_or(0, Iterator::count),
            0,
            "{pages} pages"
        );
    }
    assert!(refused > 0 && started > 0, "{refused} refused, {started} started");
    Ok(())
}

/// The log is lost, and nothing else: the jail goes on, can be looked at and stopped.
fn a_disk_that_fills_up_while_it_runs(t: &Test) -> Outcome {
    let disk = SmallDisk::mount(t, 1 << 20)?;
    let script = "trap 'exit 7' TERM; i=0; while :; do echo line $i; i=$((i+1)); done";
    let jail = Declared::shell(t, "talks", script, "log_size = \"64M\"")?;
    jail.start()?;
    jail.says("line 100\n")?;
    let log = jail.kept().join("console.log");
    let size = || fs::metadata(&log).map_or(0, |meta| meta.len());
    disk.fill_but(0)?;
    until("a log that does not grow", || {
        let before = size();
        std::thread::sleep(std::time::Duration::from_millis(100));
        (size() == before).then_some(())
    })?;
    assert!(runs(jail.first()?) && runs(jail.keeper()?));
    jail.stop_on_a_disk()?;
    disk.free()?;
    // What follows is written again.
    let before = size();
    jail.start()?;
    until("a log that grows", || (size() > before).then_some(()))?;
    jail.stop_on_a_disk()?;
    assert_eq!(jail.last()?["status"], 7);
    Ok(())
}

/// A call that the kernel lacks: an error in one line that leaves nothing, or a jail all the same.
fn a_kernel_without_a_call(t: &Test) -> Outcome {
    let jail = Declared::idle(t, "old")?;
    let mut refused = 0;
    for call in [
        "clone3",
        "pidfd_open",
        "open_tree",
        "move_mount",
        "mount_setattr",
        "fsopen",
        "fsconfig",
        "fsmount",
        "openat2",
        "close_range",
        "pivot_root",
        "unshare",
        "setns",
        "signalfd4",
        "socketpair",
        "flock",
        "keyctl",
        "seccomp",
        "prctl",
        "landlock_create_ruleset",
        "bpf",
        "symlinkat",
        "renameat",
        "renameat2",
        "mkdirat",
        "faccessat2",
        "statx",
        "eventfd2",
    ] {
        // Into a file: what takes the call away stays beside the keeper, and would hold a pipe open.
        let said = t.root().join("said");
        let mut start = t.jaula().without_system_calls(&[call]).command(["start", &jail.name])?;
        let status =
            start.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&said)?).status()?;
        let said = fs::read_to_string(said)?;
        match status.code() {
            Some(0) => drop(jail.jaula("stop", &["--timeout", "0"])?.ok()?),
            Some(1) => {
                one_line(&said, &[]).map_err(|stop| format!("{call}: {stop:?}"))?;
                refused += 1;
            }
            _ => return Err(format!("{call}: {status}: {said}").into()),
        }
        t.jaula().ok(&["gc"])?;
        as_before(t).map_err(|stop| format!("{call}: {stop:?}"))?;
    }
    assert!(refused >= 8, "only {refused} calls are missed");
    Ok(())
}
