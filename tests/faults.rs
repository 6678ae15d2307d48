//! Killed at every system call: whoever it is and wherever it happens, the next `jaula gc` or
//! the next start finds what is left. Also a full disk, and a kernel without a system call.

use crate::declared::{Declared, kill, one_line, runs, until};
use jaula_tests::harness::{
    Done, Outcome, SmallDisk, Snapshot, Survived, Test, ThingKind, Victim, fault_at_every_call,
    fault_at_every_call_of,
};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

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
    fault_at_every_call_of(begin, |_| repaired(t, &jail, repair))
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

/// Its first process ends, it waits half a second and starts again: the keeper is killed at each
/// call on this way.
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
    let survived = fault_at_every_call_of(begin, |_| repaired(t, &jail, Repair::Gc))?;
    assert!(survived.kills >= 80, "{survived:?}");
    Ok(())
}
