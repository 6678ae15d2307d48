//! The keeper beside a jail: killed, told to end, small, quiet, and holding nothing of its
//! caller's. The log that it writes.

use crate::declared::{Declared, PATIENCE, kill, runs, signal, until};
use jaula_tests::harness::{Outcome, Test, command};
use jaula_tests::trials;
use libtest_mimic::Trial;
use rustix::process::Signal;
use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

pub(crate) fn trials() -> Vec<Trial> {
    trials!("keeper": privileged [
        a_jail_outlives_its_keeper,
        a_start_adopts,
        a_stop_adopts,
        a_jail_that_ended_without_its_keeper_is_undone,
        the_exit_of_an_adopted_jail_is_on_record,
        a_restart_policy_outlives_the_keeper,
        a_keeper_that_is_told_to_end_stops_the_jail,
        a_keeper_does_not_mind_a_hangup,
        nothing_of_the_callers_is_kept,
        it_is_small,
        it_waits_without_working,
        it_waits_without_working_when_the_console_is_closed,
        nonsense_on_its_socket_does_no_harm,
        the_log_is_rotated,
        the_log_survives_starts,
        a_first_process_keeps_the_console_alone,
    ])
}

/// A jail with a family: its first process and two children, one of which counts its hangups. (A
/// first process that handles a hangup gets one when its keeper is killed, for its console is gone.)
fn family<'t>(t: &'t Test, word: &str) -> Outcome<Declared<'t>> {
    let child = "sh -c 'trap \"echo >/tmp/hup\" HUP; echo up; while :; do sleep 0.05; done'";
    let script = format!("trap 'exit 7' TERM; {child} & sleep 1000 & while :; do sleep 0.05; done");
    let jail = Declared::shell(t, word, &script, "")?;
    jail.start()?;
    jail.says("up")?;
    Ok(jail)
}

/// The processes that last: not the short sleeps, which are 50 ms long.
fn lasting(jail: &Declared<'_>) -> Outcome<Vec<i32>> {
    let before = jail.processes()?;
    std::thread::sleep(Duration::from_millis(300));
    Ok(jail.processes()?.into_iter().filter(|pid| before.contains(pid)).collect())
}

fn a_jail_outlives_its_keeper(t: &Test) -> Outcome {
    let jail = family(t, "orphan")?;
    let before = lasting(&jail)?;
    assert_eq!(before.len(), 3, "{before:?}");
    let keeper = jail.keeper()?;
    kill(keeper)?;
    std::thread::sleep(Duration::from_millis(300));
    // One that is about to become a short sleep may be among them.
    let after = lasting(&jail)?;
    assert!(
        before.iter().all(|pid| after.contains(pid)),
        "its processes are untouched: {before:?} {after:?}"
    );
    let hup = format!("/proc/{}/root/tmp/hup", jail.first()?);
    assert!(!fs::exists(&hup)?, "a child was told of a hangup");
    let found = t.jaula().ok(&["gc"])?;
    assert!(found.contains(&jail.name), "{found:?}");
    assert!(runs(jail.keeper()?) && jail.keeper()? != keeper);
    assert_eq!(lasting(&jail)?, before);
    // Twice: nothing is found, nothing changes.
    assert_eq!(t.jaula().ok(&["gc"])?, "");
    jail.stop()
}

fn a_start_adopts(t: &Test) -> Outcome {
    let jail = Declared::idle(t, "orphan")?;
    jail.start()?;
    let first = jail.first()?;
    kill(jail.keeper()?)?;
    jail.start()?;
    assert!(runs(jail.keeper()?) && jail.first()? == first && runs(first));
    jail.stop()
}

fn a_stop_adopts(t: &Test) -> Outcome {
    let jail = family(t, "orphan")?;
    kill(jail.keeper()?)?;
    jail.stop()
}

fn a_jail_that_ended_without_its_keeper_is_undone(t: &Test) -> Outcome {
    let jail = Declared::idle(t, "abandoned")?;
    jail.start()?;
    let first = jail.first()?;
    kill(jail.keeper()?)?;
    kill(first)?;
    let dry = t.jaula().ok(&["gc", "--dry-run"])?;
    assert!(dry.contains(&jail.name) && jail.run().exists(), "{dry:?}");
    let found = t.jaula().ok(&["gc"])?;
    assert!(found.contains(&jail.name), "{found:?}");
    jail.is_gone()
}

fn the_exit_of_an_adopted_jail_is_on_record(t: &Test) -> Outcome {
    let jail = family(t, "orphan")?;
    kill(jail.keeper()?)?;
    t.jaula().ok(&["gc"])?;
    jail.stop()?;
    let last = jail.last()?;
    assert_eq!((&last["status"], &last["stopped"]), (&7.into(), &true.into()));
    // One that ends by itself, by a signal.
    jail.start()?;
    kill(jail.keeper()?)?;
    t.jaula().ok(&["gc"])?;
    signal(jail.first()?, Signal::KILL)?;
    until("its end", || (!jail.run().exists()).then_some(()))?;
    let last = jail.last()?;
    assert_eq!((&last["signal"], &last["stopped"]), (&9.into(), &false.into()));
    Ok(())
}

fn a_restart_policy_outlives_the_keeper(t: &Test) -> Outcome {
    let jail = Declared::command(t, "always", &["/bin/sleep", "1000"], "restart = \"always\"")?;
    jail.start()?;
    let first = jail.first()?;
    kill(jail.keeper()?)?;
    t.jaula().ok(&["gc"])?;
    kill(first)?;
    until("another first process", || {
        (jail.phase()? == "running" && jail.first().ok()? != first).then_some(())
    })?;
    assert_eq!(jail.state().ok_or("no state")?["restarts"], 1);
    jail.stop()
}

fn a_keeper_that_is_told_to_end_stops_the_jail(t: &Test) -> Outcome {
    // Each has a log of its own, in which it says that it is up.
    for (word, told) in [("term", Signal::TERM), ("int", Signal::INT)] {
        let jail = family(t, word)?;
        signal(jail.keeper()?, told)?;
        until("its end", || (!jail.run().exists()).then_some(()))?;
        jail.is_gone()?;
        let last = jail.last()?;
        assert_eq!((&last["status"], &last["stopped"]), (&7.into(), &true.into()), "{told:?}: {last}");
    }
    Ok(())
}

fn a_keeper_does_not_mind_a_hangup(t: &Test) -> Outcome {
    let jail = family(t, "hangup")?;
    signal(jail.keeper()?, Signal::HUP)?;
    std::thread::sleep(Duration::from_millis(200));
    assert!(runs(jail.keeper()?) && jail.phase().as_deref() == Some("running"));
    jail.stop()
}

/// A script that reads the output of `jaula start` must see its end, whatever the script had open.
fn nothing_of_the_callers_is_kept(t: &Test) -> Outcome {
    let jail = Declared::idle(t, "clean")?;
    let jaula = t.jaula().command(["start", &jail.name])?;
    let start: Vec<_> =
        [jaula.get_program()].into_iter().chain(jaula.get_args()).map(|w| w.display().to_string()).collect();
    // 200 descriptors, one of them a pipe whose reader waits for its end; in a directory that is removed then.
    let script = format!(
        "mkdir -p $JAULA_ROOT/here; cd $JAULA_ROOT/here
         for n in $(seq 10 209); do eval \"exec $n</etc/passwd\"; done
         ( exec 210>&1; exec {} >/dev/null 2>&1 </dev/null 210>&210 ) | cat
         rmdir $JAULA_ROOT/here && echo end",
        start.join(" ")
    );
    let said = t.jaula().instead("/bin/bash").within(PATIENCE).ok(&["-c", &script])?;
    assert_eq!(said, "end\n");
    let keeper = jail.keeper()?;
    let process = format!("/proc/{keeper}");
    assert_eq!(fs::read_link(format!("{process}/cwd"))?.to_str(), Some("/"));
    let mut foreign = Vec::new();
    for entry in fs::read_dir(format!("{process}/fd"))?.flatten() {
        let to = fs::read_link(entry.path())?.display().to_string();
        let own = to.starts_with(&*t.root().to_string_lossy())
            || ["/dev/null", "/dev/pts/", "/dev/ptmx", "socket:", "anon_inode:["]
                .iter()
                .any(|start| to.starts_with(start));
        if !own {
            foreign.push(to);
        }
    }
    assert!(foreign.is_empty(), "{foreign:?}");
    let count = fs::read_dir(format!("{process}/fd"))?.count();
    assert!(count < 20, "{count} descriptors");
    // Its own session, without a terminal.
    let stat = fs::read_to_string(format!("{process}/stat"))?;
    let fields: Vec<&str> = stat.rsplit_once(") ").ok_or("no stat")?.1.split(' ').collect();
    assert_eq!((fields[3], fields[4]), (keeper.to_string().as_str(), "0"), "session and terminal");
    jail.stop()
}

/// What two keepers do not share is what one costs. Code that both run counts once for all.
fn it_is_small(t: &Test) -> Outcome {
    let jails = [Declared::idle(t, "a")?, Declared::idle(t, "b")?];
    for jail in &jails {
        jail.start()?;
    }
    let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", jails[0].keeper()?))?;
    let private: u64 = rollup
        .lines()
        .filter(|line| line.starts_with("Private_"))
        .filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
        .sum();
    assert!(private < 1024, "{private} kB of its own:\n{rollup}");
    t.jaula().ok(&["stop", &jails[0].name, &jails[1].name])?;
    jails[0].is_gone()
}

/// Processor time that a process has used, in clock ticks.
fn ticks(pid: i32) -> Outcome<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit_once(") ").ok_or("no stat")?.1.split(' ').collect();
    Ok(fields[11].parse::<u64>()? + fields[12].parse::<u64>()?)
}

/// How often a process has given up the processor: a process that waits does not.
fn switches(pid: i32) -> Outcome<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let counts = status.lines().filter(|line| line.contains("ctxt_switches"));
    Ok(counts.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum())
}

fn waits(jail: &Declared<'_>) -> Outcome {
    let keeper = jail.keeper()?;
    std::thread::sleep(Duration::from_millis(200));
    let before = (ticks(keeper)?, switches(keeper)?);
    std::thread::sleep(Duration::from_secs(2));
    let after = (ticks(keeper)?, switches(keeper)?);
    assert_eq!(after, before, "processor time and context switches of an idle keeper");
    Ok(())
}

fn it_waits_without_working(t: &Test) -> Outcome {
    let jail = Declared::idle(t, "idle")?;
    jail.start()?;
    waits(&jail)?;
    jail.stop()
}

fn it_waits_without_working_when_the_console_is_closed(t: &Test) -> Outcome {
    let jail = Declared::shell(t, "closed", "exec sleep 1000 </dev/null >/dev/null 2>&1", "")?;
    jail.start()?;
    waits(&jail)?;
    jail.stop()
}

fn nonsense_on_its_socket_does_no_harm(t: &Test) -> Outcome {
    let jail = Declared::idle(t, "calm")?;
    jail.start()?;
    let path = jail.run().join("control");
    let long = vec![b'x'; 1 << 20];
    for message in
        [&b""[..], b"\n", b"{}\n", b"{\"stop\":1}\n", b"\xff\0\n", b"\"console\"\n\x01\xff\xff", &long]
    {
        let mut socket = UnixStream::connect(&path)?;
        socket.set_write_timeout(Some(Duration::from_secs(1)))?;
        // It may hang up on us.
        let _ = socket.write_all(message);
    }
    // More than may wait, without a word, and all at once gone.
    let silent: Vec<_> = (0..100).map_while(|_| UnixStream::connect(&path).ok()).collect();
    drop(silent);
    assert!(runs(jail.keeper()?));
    waits(&jail)?;
    jail.stop()
}

fn the_log_is_rotated(t: &Test) -> Outcome {
    let script = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; echo done; exec sleep 1000";
    let jail = Declared::shell(t, "talks", script, "log_size = 4096\nlog_files = 2")?;
    jail.start()?;
    jail.says("done")?;
    let mut names: Vec<String> =
        fs::read_dir(jail.kept())?.flatten().map(|entry| entry.file_name().display().to_string()).collect();
    names.retain(|name| name.starts_with("console.log"));
    names.sort();
    assert_eq!(names, ["console.log", "console.log.1", "console.log.2"]);
    let part = |name: &str| fs::read_to_string(jail.kept().join(name));
    let all = part("console.log.2")? + &part("console.log.1")? + &part("console.log")?;
    for name in &names {
        let size = part(name)?.len();
        assert!(size <= 4096, "{name} has {size} bytes");
    }
    assert!(all.len() > 4096, "only {} bytes are kept", all.len());
    // The newest lines, without a hole. The oldest one may be cut.
    let numbers: Vec<u32> =
        all.lines().skip(1).filter_map(|line| line.strip_prefix("line ")?.trim().parse().ok()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    assert_eq!(numbers.last(), Some(&2999));
    jail.stop()
}

fn the_log_survives_starts(t: &Test) -> Outcome {
    let jail = Declared::shell(t, "twice", "echo here I am; exec sleep 1000", "")?;
    for count in 1..=3 {
        jail.start()?;
        until("another line", || (jail.log().matches("here I am").count() == count).then_some(()))?;
        jail.stop()?;
    }
    Ok(())
}

/// What the first process says last, however much it is, is in the log before it counts as ended.
fn a_first_process_keeps_the_console_alone(t: &Test) -> Outcome {
    let script = "seq 1 2000; echo the end; exit 0";
    let jail = Declared::shell(t, "last", script, "")?;
    let since = Instant::now();
    jail.start()?;
    until("its end", || (!jail.run().exists()).then_some(()))?;
    assert!(since.elapsed() < PATIENCE);
    let log = jail.log();
    assert!(log.ends_with("2000\nthe end\n"), "{:?}", log.get(log.len().saturating_sub(100)..));
    assert_eq!(command(&["sh", "-c", "exit 0"])?.status.code(), Some(0));
    Ok(())
}
