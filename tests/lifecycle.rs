//! The life of a jail that stays: started, ready, started again, stopped.

use crate::declared::{Declared, finish, nothing_left, one_line, program, runs, until};
use jaula_tests::harness::{Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

pub(crate) fn trials() -> Vec<Trial> {
    trials!("lifecycle": privileged [
        start_returns_when_its_program_runs,
        start_of_a_running_jail_changes_nothing,
        start_waits_for_readiness,
        start_asks_a_command_whether_it_is_ready,
        start_asks_in_vain,
        start_waits_for_a_port,
        start_that_is_never_ready_leaves_nothing,
        start_of_a_jail_that_ends_before_it_is_ready,
        readiness_is_only_what_says_so,
        start_of_a_jail_that_ends_at_once,
        start_of_a_missing_program,
        start_of_several_goes_on_after_a_failure,
        a_signal_reaches_the_first_process,
        stop_lets_a_handler_finish,
        stop_ends_a_first_process_without_handler_at_once,
        stop_waits_for_the_children_of_a_shell,
        stop_kills_who_ignores_it,
        stop_with_no_time_kills_at_once,
        stop_ends_all_who_left_their_session,
        stop_sends_the_signal_that_is_asked_for,
        stop_while_it_becomes_ready,
        stop_while_it_waits_to_start_again,
        stop_twice_at_once,
        stop_of_a_jail_that_does_not_run,
        stop_of_all_is_of_this_house,
        restart_keeps_the_number,
        an_ended_jail_stays_ended,
        a_failed_jail_starts_again_and_a_finished_one_does_not,
        pauses_between_starts_grow,
        a_start_again_follows_the_configuration,
        a_start_again_that_fails_is_tried_again,
    ])
}

/// What is not ended by `stop` at once but has ten seconds must not look like it.
const AT_ONCE: Duration = Duration::from_secs(6);

fn start_returns_when_its_program_runs(t: &Test) -> Outcome {
    let jail = Declared::idle(t, "www")?;
    jail.start()?;
    let command = fs::read(format!("/proc/{}/cmdline", jail.first()?))?;
    assert_eq!(String::from_utf8_lossy(&command), "/bin/sleep\x001000\0");
    let state = jail.state().ok_or("no state")?;
    assert_eq!((&state["phase"], &state["restarts"]), (&"running".into(), &0.into()));
    assert_eq!(state["passing"], false);
    jail.stop()
}

fn start_of_a_running_jail_changes_nothing(t: &Test) -> Outcome {
    let jail = Declared::idle(t, "www")?;
    jail.start()?;
    let before = (jail.state(), jail.processes()?);
    jail.start()?;
    assert_eq!((jail.state(), jail.processes()?), before);
    jail.stop()
}

/// Declares a jail that says these texts after a while, with a limit in `boot.start_timeout`.
fn saying<'t>(t: &'t Test, delay: &str, texts: &[&str], limit: &str) -> Outcome<Declared<'t>> {
    let (_, mount) = program("say")?;
    let jail = Declared::idle(t, "says")?;
    let command = [&["/run/say", delay], texts].concat();
    jail.declare(&command, &format!("ready = \"notify\"\nstart_timeout = \"{limit}\""), &mount)?;
    Ok(jail)
}

fn start_waits_for_readiness(t: &Test) -> Outcome {
    let jail = saying(t, "700", &["STATUS=nearly", "X=1\nREADY=1\nY=2"], "30s")?;
    let since = Instant::now();
    let start = jail.spawn("start", &[])?;
    until("the state of a jail that becomes ready", || (jail.phase()? == "starting").then_some(()))?;
    let (status, said) = finish(start)?;
    assert_eq!((status, said.as_str()), (0, ""));
    assert!(since.elapsed() >= Duration::from_millis(700), "it cannot have been ready before");
    assert_eq!(jail.phase().as_deref(), Some("running"));
    jail.stop()
}

/// The command runs inside as the jail's user, again and again.
fn start_asks_a_command_whether_it_is_ready(t: &Test) -> Outcome {
    let more = "user = \"alice\"\nready = [\"/bin/sh\", \"-c\", \"id -u >>/tmp/asked; test -e /tmp/up\"]";
    let jail = Declared::shell(t, "asked", "sleep 0.8; touch /tmp/up; exec sleep 1000", more)?;
    let since = Instant::now();
    jail.start()?;
    assert!(since.elapsed() >= Duration::from_millis(800), "{:?}", since.elapsed());
    assert_eq!(jail.phase().as_deref(), Some("running"));
    let asked = fs::read_to_string(format!("/proc/{}/root/tmp/asked", jail.first()?))?;
    assert!(asked.lines().count() >= 2 && asked.lines().all(|user| user == "1000"), "{asked}");
    until("the end of the last question", || (jail.processes().ok()?.len() == 1).then_some(()))?;
    jail.stop()
}

/// The jail's own socket counts, in its own network or the host's, and nobody else's.
fn start_waits_for_a_port(t: &Test) -> Outcome {
    let ready = |port| format!("ready = \"tcp {port}\"\nstart_timeout = \"5s\"");
    let jail = Declared::shell(t, "port", "sleep 0.4; touch /tmp/late; exec nc -l -p 8080", &ready(8080))?;
    jail.start()?;
    assert!(Path::new(&format!("/proc/{}/root/tmp/late", jail.first()?)).exists());
    jail.end()?;

    let ours = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = ours.local_addr()?.port();
    let more = ready(port).replace("5s", "500ms") + "\n[network]\nmode = \"host\"";
    let jail = Declared::command(t, "other", &["/bin/sleep", "1000"], &more)?;
    let done = jail.jaula("start", &[])?;
    one_line(&done.stderr, &["was not ready within"])?;
    jail.is_gone()
}

/// One question that hangs, and many that are answered with no.
fn start_asks_in_vain(t: &Test) -> Outcome {
    for question in ["sleep 1000", "exit 1"] {
        let more = format!("ready = [\"/bin/sh\", \"-c\", \"{question}\"]\nstart_timeout = \"1s\"");
        let jail = Declared::command(t, "vain", &["/bin/sleep", "1000"], &more)?;
        let since = Instant::now();
        let done = jail.jaula("start", &[])?;
        assert!((1..10).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
        assert_eq!(done.status.code(), Some(1));
        let ask = format!("jaula exec {} -- /bin/sh -c '{question}'", jail.name);
        one_line(&done.stderr, &["was not ready within 1 s", &ask])?;
        jail.is_gone()?;
    }
    Ok(())
}

fn start_that_is_never_ready_leaves_nothing(t: &Test) -> Outcome {
    let jail = saying(t, "0", &["READY=0", "NOTREADY=1"], "1s")?;
    let since = Instant::now();
    let done = jail.jaula("start", &[])?;
    assert!((1..10).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
    assert_eq!(done.status.code(), Some(1));
    one_line(&done.stderr, &["was not ready within 1 s", &jail.name])?;
    jail.is_gone()
}

fn start_of_a_jail_that_ends_before_it_is_ready(t: &Test) -> Outcome {
    let more = "ready = \"notify\"\nrestart = \"always\"";
    let jail = Declared::shell(t, "ends", "sleep 0.2; exit 5", more)?;
    let done = jail.jaula("start", &[])?;
    assert_eq!(done.status.code(), Some(1));
    one_line(&done.stderr, &["ended before it was ready", "status 5"])?;
    jail.is_gone()?;
    assert_eq!(jail.last()?["status"], 5);
    Ok(())
}

/// Only the jail and the host's root reach the socket. Whatever comes there, the keeper lives.
fn readiness_is_only_what_says_so(t: &Test) -> Outcome {
    let jail = saying(t, "900", &["READY=1"], "30s")?;
    let start = jail.spawn("start", &[])?;
    let path = jail.run().join("notify");
    until("the socket", || (path.exists() && jail.phase()? == "starting").then_some(()))?;
    let keeper = jail.keeper()?;
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    let long = [b'x'; 100_000];
    for message in [&b""[..], b"\n\n", b"READY=10", b"\xff\xfe\0READY=1\0", b"READY", &long] {
        // The keeper may be slower than we are; then the queue is full.
        let _ = socket.send_to(message, &path);
    }
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(jail.phase().as_deref(), Some("starting"), "none of these says that it is ready");
    assert_eq!(finish(start)?.0, 0);
    assert_eq!(jail.keeper()?, keeper);
    // A jail that is ready may say what it likes.
    for _ in 0..1000 {
        let _ = socket.send_to(b"WATCHDOG=1", &path);
    }
    jail.stop()
}

fn start_of_a_jail_that_ends_at_once(t: &Test) -> Outcome {
    let jail = Declared::shell(t, "ends", "exit 3", "")?;
    jail.start()?;
    until("its end", || (!jail.run().exists()).then_some(()))?;
    jail.is_gone()?;
    let last = jail.last()?;
    assert_eq!((&last["status"], &last["stopped"]), (&3.into(), &false.into()));
    Ok(())
}

fn start_of_a_missing_program(t: &Test) -> Outcome {
    let jail = Declared::command(t, "none", &["/bin/nowhere"], "restart = \"always\"")?;
    let done = jail.jaula("start", &[])?;
    assert_eq!(done.status.code(), Some(1));
    one_line(&done.stderr, &["/bin/nowhere"])?;
    jail.is_gone()?;
    let failure = jail.last()?["failure"].clone();
    assert!(failure.as_str().is_some_and(|why| why.contains("/bin/nowhere")), "{failure}");
    Ok(())
}

fn start_of_several_goes_on_after_a_failure(t: &Test) -> Outcome {
    let jails =
        [Declared::idle(t, "a")?, Declared::command(t, "b", &["/bin/nowhere"], "")?, Declared::idle(t, "c")?];
    let names: Vec<&str> = jails.iter().map(|jail| jail.name.as_str()).collect();
    let done = t.jaula().run(&[&["start", "--quiet"], &names[..]].concat())?;
    assert_eq!(done.status.code(), Some(1));
    one_line(&done.stderr, &["/bin/nowhere"])?;
    assert!(jails[0].first().is_ok() && jails[1].first().is_err() && jails[2].first().is_ok());
    t.jaula().ok(&["stop", "--quiet", names[0], names[2]])?;
    nothing_left(t)
}

fn stop_lets_a_handler_finish(t: &Test) -> Outcome {
    let script = "trap 'sleep 0.5; echo finished; exit 7' TERM; echo up; while :; do sleep 0.05; done";
    let jail = Declared::shell(t, "handles", script, "")?;
    jail.start()?;
    jail.says("up")?;
    jail.stop()?;
    jail.says("finished")?;
    let last = jail.last()?;
    assert_eq!((&last["status"], &last["stopped"]), (&7.into(), &true.into()));
    Ok(())
}

/// The kernel keeps a signal without handler from a first process (pid_namespaces(7)).
fn stop_ends_a_first_process_without_handler_at_once(t: &Test) -> Outcome {
    let jail = Declared::idle(t, "deaf")?;
    jail.start()?;
    let since = Instant::now();
    jail.stop()?;
    assert!(since.elapsed() < AT_ONCE, "{:?}", since.elapsed());
    assert_eq!(jail.last()?["signal"], 9);
    Ok(())
}

fn stop_waits_for_the_children_of_a_shell(t: &Test) -> Outcome {
    let child = "(trap 'sleep 1; echo saved; exit 0' TERM; echo up; while :; do sleep 0.05; done) & wait";
    let jail = Declared::shell(t, "parent", child, "")?;
    jail.start()?;
    jail.says("up")?;
    let since = Instant::now();
    jail.stop()?;
    assert!(since.elapsed() < AT_ONCE, "{:?}", since.elapsed());
    jail.says("saved")
}

fn stop_kills_who_ignores_it(t: &Test) -> Outcome {
    let script = "trap '' TERM; echo up; while :; do sleep 0.05; done";
    let jail = Declared::shell(t, "ignores", script, "stop_timeout = \"1s\"")?;
    jail.start()?;
    jail.says("up")?;
    let since = Instant::now();
    jail.stop()?;
    assert!((1..6).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
    assert_eq!(jail.last()?["signal"], 9);
    Ok(())
}

fn stop_with_no_time_kills_at_once(t: &Test) -> Outcome {
    let script = "trap 'echo handled' TERM; echo up; while :; do sleep 0.05; done";
    let jail = Declared::shell(t, "stays", script, "")?;
    jail.start()?;
    jail.says("up")?;
    let since = Instant::now();
    jail.jaula("stop", &["--timeout", "0"])?.ok()?;
    assert!(since.elapsed() < AT_ONCE, "{:?}", since.elapsed());
    jail.is_gone()?;
    assert!(!jail.log().contains("handled"), "it got a signal that it could handle");
    Ok(())
}

fn stop_ends_all_who_left_their_session(t: &Test) -> Outcome {
    let fled =
        "(setsid sh -c 'trap \"\" TERM HUP; echo fled; while :; do sleep 0.05; done' &) ; exec sleep 1000";
    let jail = Declared::shell(t, "flees", fled, "stop_timeout = \"500ms\"")?;
    jail.start()?;
    jail.says("fled")?;
    let (inside, group) = (jail.processes()?, jail.group()?);
    assert!(inside.len() >= 2, "{inside:?}");
    jail.stop()?;
    assert!(!group.exists(), "{} is still there", group.display());
    let left: Vec<i32> = inside.into_iter().filter(|pid| runs(*pid)).collect();
    assert!(left.is_empty(), "still running: {left:?}");
    Ok(())
}

fn stop_sends_the_signal_that_is_asked_for(t: &Test) -> Outcome {
    let script = "trap 'exit 1' TERM; trap 'exit 42' USR1; echo up; while :; do sleep 0.05; done";
    let jail = Declared::shell(t, "usr1", script, "stop_signal = \"USR1\"")?;
    jail.start()?;
    jail.says("up")?;
    jail.stop()?;
    assert_eq!(jail.last()?["status"], 42);
    Ok(())
}

fn stop_while_it_becomes_ready(t: &Test) -> Outcome {
    let jail = saying(t, "0", &["STATUS=never"], "60s")?;
    let start = jail.spawn("start", &[])?;
    until("the state of a jail that becomes ready", || (jail.phase()? == "starting").then_some(()))?;
    let since = Instant::now();
    jail.stop()?;
    let (status, said) = finish(start)?;
    assert!(since.elapsed() < AT_ONCE, "{:?}", since.elapsed());
    assert_eq!(status, 1, "it never was ready");
    one_line(&said, &["ended before it was ready"])
}

fn stop_while_it_waits_to_start_again(t: &Test) -> Outcome {
    let jail = Declared::shell(t, "fails", "echo once; exit 1", "restart = \"always\"")?;
    jail.start()?;
    // The third pause is two seconds long.
    until("the third pause", || {
        let state = jail.state()?;
        (state["phase"] == "waiting" && state["restarts"] == 2).then_some(())
    })?;
    let since = Instant::now();
    jail.stop()?;
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    assert_eq!(jail.log().matches("once").count(), 3);
    Ok(())
}

fn stop_twice_at_once(t: &Test) -> Outcome {
    let script = "trap 'sleep 0.5; exit 0' TERM; echo up; while :; do sleep 0.05; done";
    let jail = Declared::shell(t, "once", script, "")?;
    jail.start()?;
    jail.says("up")?;
    let both = [jail.spawn("stop", &[])?, jail.spawn("stop", &[])?];
    for stop in both {
        assert_eq!(finish(stop)?, (0, String::new()));
    }
    jail.is_gone()
}

fn stop_of_a_jail_that_does_not_run(t: &Test) -> Outcome {
    let jail = Declared::idle(t, "still")?;
    let done = jail.jaula("stop", &[])?;
    assert_eq!(done.status.code(), Some(3), "{done}");
    one_line(&done.stderr, &["not running"])
}

fn stop_of_all_is_of_this_house(t: &Test) -> Outcome {
    let jails = [Declared::idle(t, "a")?, Declared::idle(t, "b")?];
    // The same names in another house.
    let other = t.root().join("other");
    fs::create_dir_all(other.join("etc"))?;
    jaula_tests::harness::command(&[
        "cp",
        "-r",
        &t.root().join("etc/jaula").to_string_lossy(),
        &other.join("etc").to_string_lossy(),
    ])?
    .ok()?;
    let there = |verb: &str| -> Outcome {
        let mut command = t.jaula().command([verb, "-q", "--all"])?;
        let done = command.env("JAULA_ROOT", &other).output()?;
        if done.status.success() { Ok(()) } else { Err(format!("{verb}: {done:?}").into()) }
    };
    t.jaula().ok(&["start", "-q", "--all"])?;
    there("start")?;
    let theirs = |name: &str| fs::exists(other.join("run/jaula").join(name).join("control"));
    assert!(theirs(&jails[0].name)? && theirs(&jails[1].name)?);
    t.jaula().ok(&["stop", "-q", "--all"])?;
    assert!(!jails[0].run().exists() && !jails[1].run().exists());
    assert!(theirs(&jails[0].name)? && theirs(&jails[1].name)?, "another house's jails were stopped");
    there("stop")?;
    nothing_left(t)
}

fn restart_keeps_the_number(t: &Test) -> Outcome {
    let jail = Declared::idle(t, "again")?;
    jail.declare(&["/bin/sleep", "1000"], "", "id = 4711")?;
    // One that does not run is started.
    jail.jaula("restart", &[])?.ok()?;
    let (id, first) = (jail.state().ok_or("no state")?["id"].clone(), jail.first()?);
    assert_eq!(id, 4711);
    jail.jaula("restart", &[])?.ok()?;
    assert_eq!(jail.state().ok_or("no state")?["id"], id);
    assert!(!runs(first) && jail.first()? != first);
    jail.stop()
}

fn an_ended_jail_stays_ended(t: &Test) -> Outcome {
    let jail = Declared::shell(t, "once", "sleep 0.2; exit 1", "")?;
    jail.start()?;
    until("its end", || (!jail.run().exists()).then_some(()))?;
    std::thread::sleep(Duration::from_millis(800));
    jail.is_gone()?;
    assert_eq!(jail.last()?["status"], 1);
    Ok(())
}

fn a_failed_jail_starts_again_and_a_finished_one_does_not(t: &Test) -> Outcome {
    // It counts its starts in what it keeps, and the third one succeeds.
    let jail = Declared::idle(t, "third")?;
    let count = t.root().join("count");
    fs::create_dir(&count)?;
    let script = "ls /run/count | wc -l | grep -q 2 && exit 0; : >/run/count/$(date +%s%N)$$; exit 1";
    let mount = format!("mounts = [\"{}:/run/count:rw,idmap\"]", count.display());
    jail.declare(&["/bin/sh", "-c", script], "restart = \"on-failure\"", &mount)?;
    rustix::fs::chmod(&count, rustix::fs::Mode::from_raw_mode(0o777))?;
    jail.start()?;
    until("its end", || (!jail.run().exists()).then_some(()))?;
    assert_eq!(fs::read_dir(&count)?.count(), 2, "two failures, then a success");
    assert_eq!(jail.last()?["status"], 0);
    jail.is_gone()
}

fn pauses_between_starts_grow(t: &Test) -> Outcome {
    let jail = Declared::shell(t, "fails", "cat /proc/uptime; exit 0", "restart = \"always\"")?;
    jail.start()?;
    until("three starts again", || (jail.state()?["restarts"] == 3).then_some(()))?;
    until("its fourth word", || (jail.log().lines().count() == 4).then_some(()))?;
    let log = jail.log();
    let times: Vec<f64> = log.lines().filter_map(|line| line.split(' ').next()?.parse().ok()).collect();
    let pauses: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let long_enough = pauses.iter().zip([0.5, 1.0, 2.0]).all(|(pause, least)| *pause >= least - 0.02);
    assert!(pauses.len() == 3 && long_enough, "{pauses:?}");
    jail.stop()
}

fn a_start_again_follows_the_configuration(t: &Test) -> Outcome {
    let jail = Declared::shell(t, "old", "echo old; exit 1", "restart = \"always\"")?;
    jail.start()?;
    jail.says("old")?;
    jail.declare(&["/bin/sh", "-c", "echo new; exec sleep 1000"], "restart = \"always\"", "")?;
    jail.says("new")?;
    until("running", || (jail.phase()? == "running").then_some(()))?;
    assert_eq!(jail.state().ok_or("no state")?["command"][2], "echo new; exec sleep 1000");
    jail.stop()
}

fn a_start_again_that_fails_is_tried_again(t: &Test) -> Outcome {
    let jail = Declared::shell(t, "broken", "exit 1", "restart = \"always\"")?;
    jail.start()?;
    jail.write_config("[root]\nform = \"host\"\n")?;
    until("the failure on record", || {
        jail.last().ok()?["failure"].as_str().is_some_and(|why| why.contains("form")).then_some(())
    })?;
    assert_eq!(jail.phase().as_deref(), Some("waiting"));
    jail.declare(&["/bin/sleep", "1000"], "", "")?;
    until("running", || (jail.phase()? == "running").then_some(()))?;
    jail.stop()
}

/// `jaula signal` reaches the program, unless it would have been its end.
fn a_signal_reaches_the_first_process(t: &Test) -> Outcome {
    let script = "trap 'echo reads again' HUP; echo begun; while :; do sleep 0.1; done";
    let jail = Declared::shell(t, "told", script, "")?;
    let absent = jail.jaula("signal", &["HUP"])?;
    one_line(&absent.stderr, &["is not running"])?;
    assert_eq!(absent.status.code(), Some(3));
    jail.start()?;
    jail.says("begun")?;
    jail.jaula("signal", &["HUP"])?.ok()?;
    jail.says("reads again")?;
    let refused = jail.jaula("signal", &["usr1"])?;
    one_line(&refused.stderr, &["does not handle SIGUSR1", "jaula stop"])?;
    one_line(&jail.jaula("signal", &["HOP"])?.stderr, &["\"HOP\" is not a signal"])?;
    assert_eq!(jail.phase().as_deref(), Some("running"));
    jail.end()
}
