//! `jaula run` killed at each of its system calls, and at each of its child's: the jail is gone
//! with its keeper, what is left stands in the journal, and the next run of that name, or
//! `jaula gc`, clears it away.

use crate::ground::{dir, words};
use jaula_tests::harness::{Done, Outcome, Survived, Test, Victim, busybox_root, fault_at_every_call};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(crate) fn trials() -> Vec<Trial> {
    trials!("interrupted": privileged [
        a_run_is_killed,
        a_first_process_is_killed_before_its_program,
        a_jail_dies_with_its_run,
    ])
}

/// The control groups that bear this test's mark.
fn groups(t: &Test) -> Vec<PathBuf> {
    let list = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let hierarchies = list(Path::new("/sys/fs/cgroup")).chain([PathBuf::from("/sys/fs/cgroup")]);
    let all = hierarchies.flat_map(|at| list(&at).collect::<Vec<_>>());
    all.filter(|path| path.to_string_lossy().contains(t.mark()) && path.is_dir()).collect()
}

/// What is left of the jail must be in its journal, or be its run directory and number; nothing
/// of it may run. (That nothing is mounted either is looked for at the test's end.)
fn as_the_journal_says(t: &Test, name: &str) -> Outcome {
    // The kernel ends a jail's processes behind the back of whoever killed its keeper. All of
    // them were born in its group.
    let until = Instant::now() + Duration::from_secs(5);
    let living =
        |group: &PathBuf| fs::read_to_string(group.join("cgroup.procs")).is_ok_and(|p| !p.is_empty());
    while let Some(group) = groups(t).iter().find(|group| living(group)) {
        if Instant::now() > until {
            return Err(format!("the jail outlived its keeper: {}", group.display()).into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let run = t.root().join("run/jaula");
    let journal = fs::read_to_string(run.join(name).join("journal")).unwrap_or_default();
    for group in groups(t) {
        if !journal.contains(&format!("cgroup {}\n", group.display())) {
            return Err(format!("{} is not in the journal:\n{journal}", group.display()).into());
        }
    }
    for entry in fs::read_dir(run.join(".ids")).into_iter().flatten().flatten() {
        // Taken first and then written down: whose it is has a run directory, else it is free.
        let ours = fs::read_link(entry.path()).is_ok_and(|owner| owner == Path::new(name));
        if !ours || !run.join(name).exists() {
            return Err(format!("{} has no owner; the journal:\n{journal}", entry.path().display()).into());
        }
    }
    Ok(())
}

/// Nothing at all is left.
fn clean(t: &Test) -> Outcome {
    let run = t.root().join("run/jaula");
    let list = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = list(&run).filter(|path| !path.ends_with(".ids")).chain(list(&run.join(".ids")));
    let left: Vec<PathBuf> = files.chain(groups(t)).collect();
    if left.is_empty() { Ok(()) } else { Err(format!("left behind: {left:?}").into()) }
}

/// `jaula gc` leaves nothing at all, once the jail's processes have let go of it.
pub(crate) fn clean_after_gc(t: &Test) -> Outcome {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        t.jaula().ok(&["gc"])?;
        match clean(t) {
            Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(2)),
            done => return done,
        }
    }
}

/// Kills `jaula run` at each call; `repair` must then leave nothing.
fn killed(t: &Test, victim: Victim, repair: impl Fn(&str) -> Outcome) -> Outcome<Survived> {
    let name = t.name("victim");
    let data = t.root().join("data");
    fs::create_dir(&data)?;
    let options = format!(
        "--name {name} --root {} --mount {}:/var:idmap --set limits.account=pids",
        dir(&busybox_root()?),
        data.display()
    );
    let ran = Cell::new(0u32);
    let command = || t.jaula().command(words(&options, &["echo", "ran"]));
    let check = |done: &Done| {
        ran.set(ran.get() + u32::from(done.stdout.contains("ran")));
        if done.stderr.contains("panicked") {
            return Err(done.to_string().into());
        }
        as_the_journal_says(t, &name)?;
        repair(&options)?;
        clean(t)
    };
    let survived = fault_at_every_call(victim, command, check)?;
    // The last one was not killed; of those before it the first were before the program began.
    assert!(ran.get() >= 1 && survived.kills > 60, "{survived:?}, {} ran", ran.get());
    Ok(survived)
}

fn again(t: &Test, options: &str) -> Outcome {
    let said = t.jaula().ok(&words(options, &["echo", "again"]))?;
    if said == "again\n" { Ok(()) } else { Err(format!("it said {said:?}").into()) }
}

/// Cleared away by the next run of that name and by `jaula gc`, in turns.
fn a_run_is_killed(t: &Test) -> Outcome {
    let (turn, left) = (Cell::new(false), Cell::new(0));
    killed(t, Victim::Main, |options| {
        left.set(left.get() + groups(t).len());
        if turn.replace(!turn.get()) { t.jaula().ok(&["gc"]).map(drop) } else { again(t, options) }
    })
    .map(drop)?;
    // Kills that leave nothing would not have tried anything.
    if left.get() > 20 { Ok(()) } else { Err(format!("only {} groups were left", left.get()).into()) }
}

/// The jail's own first process, on its way to its program: the run says so and clears away.
fn a_first_process_is_killed_before_its_program(t: &Test) -> Outcome {
    killed(t, Victim::Children, |options| {
        clean(t)?;
        again(t, options)
    })
    .map(drop)
}

/// A jail of many processes, some in sessions of their own, ends with the run that is killed.
fn a_jail_dies_with_its_run(t: &Test) -> Outcome {
    for profile in crate::ground::PROFILES {
        let options =
            format!("--name {} --root {} --profile {profile}", t.name("many"), dir(&busybox_root()?));
        let script = "for n in 1 2 3 4 5; do setsid sleep 1006 </dev/null >/dev/null 2>&1 & done; \
                      trap '' TERM INT HUP; echo ready; sleep 1006";
        let mut jail = crate::isolation::Background::run(t, &options, &["sh", "-c", script])?;
        jail.wait_for("ready")?;
        let first = jail.jail_process()?;
        assert!(Path::new(&format!("/proc/{first}")).exists());
        // Its own way out is not asked for.
        drop(jail);
        as_the_journal_says(t, &t.name("many"))?;
        // It has left its group, and ends when it has let go of all else; whoever is init here may
        // then take its time to bury it.
        let until = Instant::now() + Duration::from_secs(5);
        let state = || fs::read_to_string(format!("/proc/{first}/stat")).unwrap_or_default();
        while !state().is_empty() && !state().contains(") Z ") {
            assert!(Instant::now() < until, "{profile}: {}", state());
            std::thread::sleep(Duration::from_millis(1));
        }
        again(t, &options)?;
    }
    clean(t)
}
