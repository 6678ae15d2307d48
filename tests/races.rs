//! Commands at the same time: on one jail, on many, beside a cleaner, and behind one that holds a
//! lock and does not move.

use crate::declared::{Declared, PATIENCE, finish, kill, one_line, runs, signal, until};
use jaula_tests::harness::{Outcome, Test, probe};
use jaula_tests::trials;
use libtest_mimic::Trial;
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) fn trials() -> Vec<Trial> {
    trials!("races": privileged [
        two_starts_make_one_jail,
        a_start_and_a_stop,
        a_stop_and_an_end,
        a_cleaner_among_starts_and_stops,
        numbers_of_the_dead_are_given_once,
        a_command_that_does_not_move_is_named,
        a_dead_owner_blocks_nobody,
        a_hundred_jails,
        two_jails_share_nothing,
    ])
}

fn two_starts_make_one_jail(t: &Test) -> Outcome {
    let jail = Declared::idle(t, "one")?;
    for round in 0..10 {
        let both = [jail.spawn("start", &[])?, jail.spawn("start", &[])?];
        for start in both {
            assert_eq!(finish(start)?, (0, String::new()), "round {round}");
        }
        assert_eq!(jail.processes()?, [jail.first()?]);
        jail.stop()?;
    }
    Ok(())
}

/// Whoever comes first: a stop finds the jail or none, and then it runs or does not.
fn a_start_and_a_stop(t: &Test) -> Outcome {
    let jail = Declared::idle(t, "both")?;
    let mut stopped = 0;
    for round in 0..50_u64 {
        let start = jail.spawn("start", &[])?;
        thread::sleep(Duration::from_millis(round % 25));
        let stop = jail.spawn("stop", &[])?;
        let (start, stop) = (finish(start)?, finish(stop)?);
        let (status, said) = &start;
        // A jail that was stopped before its start had looked is no start that failed.
        assert_eq!((*status, said.as_str()), (0, ""), "round {round}: {start:?} {stop:?}");
        match stop.0 {
            0 => {
                assert!(!jail.run().exists(), "round {round}: stopped, but {:?}", jail.state());
                stopped += 1;
            }
            3 => {
                one_line(&stop.1, &["not running"])?;
                assert!(runs(jail.first()?) && runs(jail.keeper()?), "round {round}");
                jail.stop()?;
            }
            _ => return Err(format!("round {round}: {stop:?}").into()),
        }
    }
    assert!(stopped > 0, "no stop came after the start");
    jail.is_gone()
}

/// It ends by itself while it is told to stop.
fn a_stop_and_an_end(t: &Test) -> Outcome {
    let jail = Declared::idle(t, "ends")?;
    for round in 0..30_u64 {
        jail.start()?;
        signal(jail.first()?, Signal::KILL)?;
        thread::sleep(Duration::from_micros(round * 200));
        let stop = finish(jail.spawn("stop", &[])?)?;
        assert!(matches!(stop.0, 0 | 3), "round {round}: {stop:?}");
        until("its end", || (!jail.run().exists()).then_some(()))?;
    }
    jail.is_gone()
}

fn a_cleaner_among_starts_and_stops(t: &Test) -> Outcome {
    let jails: Vec<Declared<'_>> =
        (0..10).map(|n| Declared::idle(t, &format!("j{n}"))).collect::<Outcome<_>>()?;
    let names: Vec<&str> = jails.iter().map(|jail| jail.name.as_str()).collect();
    let over = AtomicBool::new(false);
    let cleaned = thread::scope(|scope| {
        let cleaner = scope.spawn(|| -> Result<u32, String> {
            let mut rounds = 0;
            while !over.load(Ordering::Relaxed) {
                let found = t.jaula().ok(&["gc"]).map_err(|stop| format!("{stop:?}"))?;
                if !found.is_empty() {
                    return Err(format!("gc took for dead what was alive: {found}"));
                }
                rounds += 1;
            }
            Ok(rounds)
        });
        let done = (0..20).try_for_each(|round| -> Outcome {
            t.jaula().ok(&[&["start", "-q"], &names[..]].concat())?;
            for jail in &jails {
                if !runs(jail.first()?) || !runs(jail.keeper()?) {
                    return Err(format!("round {round}: {:?}", jail.state()).into());
                }
            }
            drop(t.jaula().ok(&[&["stop", "-q", "--timeout", "0"], &names[..]].concat())?);
            Ok(())
        });
        over.store(true, Ordering::Relaxed);
        let cleaned = cleaner.join().map_err(|_| "the cleaner panicked".to_owned());
        done.map(|()| cleaned)
    })?;
    let rounds = cleaned??;
    assert!(rounds > 10, "{rounds} rounds of gc are no race");
    assert_eq!(fs::read_dir(t.root().join("run/jaula/.ids"))?.count(), 0);
    jails[0].is_gone()
}

/// Numbers whose owners are gone are taken over by many starts at once: each has one owner.
fn numbers_of_the_dead_are_given_once(t: &Test) -> Outcome {
    let jails: Vec<Declared<'_>> =
        (0..12).map(|n| Declared::idle(t, &format!("j{n}"))).collect::<Outcome<_>>()?;
    for _ in 0..5 {
        let ids = t.root().join("run/jaula/.ids");
        fs::create_dir_all(&ids)?;
        // A start without a number of its own begins to look at a place that follows from its process id.
        for number in 1000..60_000 {
            let link = ids.join(number.to_string());
            if number % 16 != 0 {
                continue;
            }
            std::os::unix::fs::symlink("nobody", link)?;
        }
        let starts = jails.iter().map(|jail| jail.spawn("start", &[])).collect::<Outcome<Vec<_>>>()?;
        for start in starts {
            assert_eq!(finish(start)?, (0, String::new()));
        }
        let numbers: BTreeSet<String> =
            jails.iter().filter_map(|jail| Some(jail.state()?["id"].to_string())).collect();
        assert_eq!(numbers.len(), jails.len(), "{numbers:?}");
        let names: Vec<&str> = jails.iter().map(|jail| jail.name.as_str()).collect();
        t.jaula().ok(&[&["stop", "-q", "--timeout", "0"], &names[..]].concat())?;
        t.jaula().ok(&["gc"])?;
        assert_eq!(fs::read_dir(&ids)?.count(), 0);
    }
    jails[0].is_gone()
}

/// Holds a jail's lock in a process of its own, as a command does that was stopped (SIGSTOP).
fn hold(jail: &Declared<'_>) -> Outcome<std::process::Child> {
    fs::create_dir_all(jail.run())?;
    let mut holder = Command::new("flock");
    holder.arg(jail.run()).args(["sleep", "1000"]);
    let holder = holder.spawn()?;
    let lock = File::open(jail.run())?;
    until("the lock", || match lock.try_lock() {
        Ok(()) => {
            let _ = lock.unlock();
            None
        }
        Err(_) => Some(()),
    })?;
    signal(i32::try_from(holder.id())?, Signal::STOP)?;
    Ok(holder)
}

/// Somebody waits for it for thirty seconds and then says who it is; nobody waits for ever.
fn a_command_that_does_not_move_is_named(t: &Test) -> Outcome {
    let jail = Declared::idle(t, "held")?;
    let mut holder = hold(&jail)?;
    let since = Instant::now();
    // A cleaner passes by.
    assert_eq!(t.jaula().ok(&["gc"])?, "");
    let start = jail.spawn("start", &[])?;
    let (status, said) = finish(start)?;
    assert_eq!(status, 1);
    one_line(&said, &["busy", &jail.name, "sleep 1000", "30 s"])?;
    assert!((25..50).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
    signal(i32::try_from(holder.id())?, Signal::KILL)?;
    holder.wait()?;
    command_of_the_holder_ends(&jail)?;
    t.jaula().ok(&["gc"])?;
    jail.is_gone()
}

/// flock(1) has its command as a child, which has the lock as well.
fn command_of_the_holder_ends(jail: &Declared<'_>) -> Outcome {
    let inode = std::os::unix::fs::MetadataExt::ino(&fs::metadata(jail.run())?);
    for process in fs::read_dir("/proc")?.flatten() {
        for fd in fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten() {
            let same =
                fs::metadata(fd.path()).is_ok_and(|m| std::os::unix::fs::MetadataExt::ino(&m) == inode);
            let pid = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
            if let Some(pid) = pid.filter(|pid| same && *pid != std::process::id()) {
                kill(i32::try_from(pid)?)?;
            }
        }
    }
    Ok(())
}

fn a_dead_owner_blocks_nobody(t: &Test) -> Outcome {
    let jail = Declared::idle(t, "held")?;
    let mut holder = hold(&jail)?;
    command_of_the_holder_ends(&jail)?;
    let _ = holder.kill();
    holder.wait()?;
    let since = Instant::now();
    jail.start()?;
    assert!(since.elapsed() < PATIENCE);
    jail.stop()
}

/// All run, each with a number and ids of its own; all stop, and nothing is left.
fn a_hundred_jails(t: &Test) -> Outcome {
    let jails: Vec<Declared<'_>> =
        (0..100).map(|n| Declared::idle(t, &format!("j{n:02}"))).collect::<Outcome<_>>()?;
    t.jaula().ok(&["start", "-q", "--all"])?;
    let mut numbers = BTreeSet::new();
    let mut ranges = BTreeSet::new();
    let mut namespaces = BTreeSet::new();
    for jail in &jails {
        let first = jail.first()?;
        assert!(runs(first) && runs(jail.keeper()?));
        numbers.insert(jail.state().ok_or("no state")?["id"].to_string());
        for kind in ["user", "pid", "ipc", "net", "mnt", "uts", "cgroup"] {
            namespaces.insert(fs::read_link(format!("/proc/{first}/ns/{kind}"))?);
        }
        let map = fs::read_to_string(format!("/proc/{first}/uid_map"))?;
        let words: Vec<u64> = map.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [0, begin, 65536] = words[..] else { return Err(format!("an odd map: {map}").into()) };
        assert_eq!(begin % 65536, 0, "{map}");
        ranges.insert(begin);
    }
    assert_eq!((numbers.len(), ranges.len(), namespaces.len()), (100, 100, 700));
    t.jaula().ok(&["stop", "-q", "--timeout", "0", "--all"])?;
    jails[0].is_gone()
}

/// What one jail leaves in kernel objects with names, another one does not find, on the host's
/// network either; nor does it reach the other's processes by their numbers.
fn two_jails_share_nothing(t: &Test) -> Outcome {
    let things = [("sysv", "4713"), ("mq", "shared"), ("shm", "shared"), ("keyctl", "shared")];
    let put: Vec<String> =
        things.iter().map(|(kind, name)| format!("/run/probe {kind}-put {name}")).collect();
    let script = format!("{}; echo put; exec sleep 1000", put.join("; "));
    let jails = [Declared::idle(t, "one")?, Declared::idle(t, "other")?];
    let before = format!("mounts = [\"{}:/run/probe\"]", probe()?.display());
    jails[0].declare(&["/bin/sh", "-c", &script], "", &format!("{before}\n[network]\nmode = \"host\""))?;
    jails[1].declare(&["/bin/sleep", "1000"], "", &format!("{before}\n[network]\nmode = \"host\""))?;
    for jail in &jails {
        jail.start()?;
    }
    jails[0].says("put")?;
    let ask = |script: &str| jails[1].jaula("exec", &["--", "/bin/sh", "-c", script]);
    for (kind, name) in things {
        let own = jails[0].jaula("exec", &["--", "/run/probe", &format!("{kind}-get"), name])?;
        let others = ask(&format!("/run/probe {kind}-get {name}"))?;
        assert!(others.stdout.contains(" refused "), "{kind}: {others}");
        // A key is in a session's keyring, which is another one for exec.
        assert!(kind == "keyctl" || own.stdout.contains(" escaped "), "{kind}: was not there: {own}");
    }
    let first = jails[0].first()?;
    let reached = ask(&format!("kill -0 {first} && echo reached; ls -d /proc/{first}; kill -9 -1; true"))?;
    assert_eq!(reached.stdout, "", "{reached}");
    assert!(runs(first) && runs(jails[1].first()?));
    t.jaula().ok(&["stop", &jails[0].name, &jails[1].name])?;
    jails[0].is_gone()
}
