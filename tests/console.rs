//! The console of a jail that stays, from a terminal: typed to, seen by several, left and resized.

use crate::declared::{Declared, kill, one_line, runs, until};
use jaula_tests::harness::{Outcome, Pty, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("console": privileged [
        what_is_typed_reaches_the_jail,
        the_size_reaches_the_jail,
        the_terminal_is_restored,
        two_at_once_see_the_same,
        it_ends_with_the_jail,
        it_comes_back_after_it_was_left,
        a_signal_key_is_the_jails,
        it_takes_what_a_pipe_has,
        one_who_never_reads_blocks_nobody,
        an_adopted_jail_says_that_it_has_none,
        a_shell_ends_with_its_keeper,
        a_jail_that_does_not_run_has_none,
    ])
}

/// A jail with a shell at its console.
fn shell<'t>(t: &'t Test) -> Outcome<Declared<'t>> {
    let jail = Declared::command(t, "shell", &["/bin/sh"], "")?;
    jail.start()?;
    Ok(jail)
}

/// At its console, and seen to be.
fn at(t: &Test, jail: &Declared<'_>) -> Outcome<Pty> {
    let mut terminal = t.jaula().pty(&["console", &jail.name])?;
    terminal.expect("Ctrl-]")?;
    // What was said before we came is in the log, so that the prompt is asked for again.
    terminal.send("\n")?;
    terminal.expect("# ")?;
    Ok(terminal)
}

fn what_is_typed_reaches_the_jail(t: &Test) -> Outcome {
    let jail = shell(t)?;
    let mut terminal = at(t, &jail)?;
    terminal.send("echo $((6*7)) $(tty)\n")?;
    terminal.expect("echo $((6*7)) $(tty)")?;
    terminal.expect("42 /dev/")?;
    terminal.send("\x1d")?;
    assert_eq!(terminal.wait()?.code(), Some(0));
    jail.says("42 /dev/")?;
    jail.end()
}

fn the_size_reaches_the_jail(t: &Test) -> Outcome {
    let script = "trap 'echo resized $(stty size)' WINCH; echo up; while :; do sleep 0.05; done";
    let jail = Declared::shell(t, "resized", script, "")?;
    jail.start()?;
    jail.says("up")?;
    let mut terminal = t.jaula().pty(&["console", &jail.name])?;
    terminal.expect("resized 24 80")?;
    terminal.resize(43, 132)?;
    terminal.expect("resized 43 132")?;
    terminal.send("\x1d")?;
    terminal.wait()?;
    jail.end()
}

/// A shell on the terminal prints its modes before and after, on a line of its own each.
fn the_terminal_is_restored(t: &Test) -> Outcome {
    let jail = shell(t)?;
    let console = t.jaula().command(["console", &jail.name])?;
    let words: Vec<String> = [console.get_program()]
        .into_iter()
        .chain(console.get_args())
        .map(|w| w.display().to_string())
        .collect();
    let script = format!("echo a $(stty -g) z; {}; echo b $(stty -g) z; sleep 0.1", words.join(" "));
    let mut around = Command::new("sh");
    around.args(["-c", &script]).env("JAULA_ROOT", t.root());
    let mut terminal = Pty::spawn(&around)?;
    let modes = |said: String, mark: &str| {
        said.rsplit_once(mark).map(|(_, rest)| rest.trim_end_matches(" z").to_owned()).ok_or("no modes")
    };
    let before = modes(terminal.expect(" z")?, "a ")?;
    terminal.expect("Ctrl-]")?;
    terminal.send("\n")?;
    terminal.expect("# ")?;
    terminal.send("\x1d")?;
    terminal.expect("b ")?;
    let after = modes(format!("b {}", terminal.expect(" z")?), "b ")?;
    assert_eq!(after, before);
    terminal.wait()?;
    jail.end()
}

fn two_at_once_see_the_same(t: &Test) -> Outcome {
    let jail = shell(t)?;
    let (mut one, mut other) = (at(t, &jail)?, at(t, &jail)?);
    one.send("echo from $((1)) one\n")?;
    one.expect("from 1 one")?;
    other.expect("from 1 one")?;
    other.send("echo from $((2)) other\n")?;
    one.expect("from 2 other")?;
    other.expect("from 2 other")?;
    // One goes, the other stays.
    one.send("\x1d")?;
    one.wait()?;
    other.send("echo still $((3))\n")?;
    other.expect("still 3")?;
    other.send("\x1d")?;
    other.wait()?;
    jail.end()
}

fn it_ends_with_the_jail(t: &Test) -> Outcome {
    let jail = shell(t)?;
    let mut terminal = at(t, &jail)?;
    terminal.send("echo bye; exit 3\n")?;
    terminal.expect("\nbye")?;
    assert_eq!(terminal.wait()?.code(), Some(0));
    until("the end of the jail", || (!jail.run().exists()).then_some(()))?;
    jail.is_gone()?;
    assert_eq!(jail.last()?["status"], 3);
    Ok(())
}

fn it_comes_back_after_it_was_left(t: &Test) -> Outcome {
    let jail = shell(t)?;
    let mut terminal = at(t, &jail)?;
    terminal.send("kept=$((40+2))\n")?;
    terminal.expect("# ")?;
    // What is typed before the key is the jail's, in one piece with it.
    terminal.send("again=yes\n\x1d")?;
    terminal.wait()?;
    let mut terminal = at(t, &jail)?;
    terminal.send("echo kept: $kept $again\n")?;
    terminal.expect("kept: 42 yes")?;
    drop(terminal);
    assert!(runs(jail.first()?) && runs(jail.keeper()?));
    jail.end()
}

/// Ctrl-C is for what runs inside, not for the command that shows it.
fn a_signal_key_is_the_jails(t: &Test) -> Outcome {
    let jail = shell(t)?;
    let mut terminal = at(t, &jail)?;
    terminal.send("sleep 1000\n")?;
    terminal.expect("sleep 1000")?;
    let sleeps = || jail.processes().is_ok_and(|all| all.len() == 2);
    until("the sleep", || sleeps().then_some(()))?;
    until("the end of the sleep", || {
        // The shell may still be on its way to give it the terminal.
        terminal.send("\x03").ok()?;
        std::thread::sleep(Duration::from_millis(50));
        (!sleeps()).then_some(())
    })?;
    terminal.send("echo still $((5))\n")?;
    terminal.expect("still 5")?;
    terminal.send("\x1d")?;
    terminal.wait()?;
    jail.end()
}

fn it_takes_what_a_pipe_has(t: &Test) -> Outcome {
    let jail = shell(t)?;
    let done = t.jaula().feed(&["console", "--quiet", &jail.name], b"echo piped $((7))\nexit\n")?;
    assert!(done.status.success(), "{done}");
    assert!(done.stdout.contains("piped 7"), "{done}");
    until("the end of the jail", || (!jail.run().exists()).then_some(()))?;
    jail.is_gone()
}

/// It is cut off when too much waits for it; jail and log go on.
fn one_who_never_reads_blocks_nobody(t: &Test) -> Outcome {
    let script = "read go; seq 1 200000; echo all said; exec sleep 1000";
    let jail = Declared::shell(t, "talks", script, "log_size = \"16M\"")?;
    jail.start()?;
    let mut socket = UnixStream::connect(jail.run().join("control"))?;
    socket.write_all(b"\"console\"\n")?;
    let mut answer = [0; 1];
    socket.read_exact(&mut answer)?;
    // A frame of four typed bytes.
    socket.write_all(b"\x00\x00\x03go\n")?;
    jail.says("all said")?;
    let log = jail.log();
    let numbers = log.lines().filter(|line| line.parse::<u32>().is_ok()).count();
    assert_eq!(numbers, 200_000, "nothing is lost from the log");
    // The keeper has not kept it all for us either: what is left to read ends soon.
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest)?;
    assert!(rest.len() < 1 << 20, "{} bytes waited", rest.len());
    jail.end()
}

fn an_adopted_jail_says_that_it_has_none(t: &Test) -> Outcome {
    let jail = Declared::idle(t, "orphan")?;
    jail.start()?;
    kill(jail.keeper()?)?;
    let done = jail.jaula("console", &[])?;
    assert_eq!(done.status.code(), Some(1), "{done}");
    one_line(&done.stderr, &["no console", "restart"])?;
    assert!(runs(jail.keeper()?), "it was adopted");
    jail.end()
}

/// A shell whose terminal is gone ends.
fn a_shell_ends_with_its_keeper(t: &Test) -> Outcome {
    let jail = shell(t)?;
    let first = jail.first()?;
    kill(jail.keeper()?)?;
    until("its end", || (!runs(first)).then_some(()))?;
    let done = jail.jaula("console", &[])?;
    assert_eq!(done.status.code(), Some(3), "{done}");
    one_line(&done.stderr, &["not running"])?;
    t.jaula().ok(&["gc"])?;
    jail.is_gone()
}

fn a_jail_that_does_not_run_has_none(t: &Test) -> Outcome {
    let jail = Declared::idle(t, "still")?;
    let done = jail.jaula("console", &[])?;
    assert_eq!(done.status.code(), Some(3), "{done}");
    one_line(&done.stderr, &["not running"])
}
