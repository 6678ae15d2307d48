//! The console of a jail that boots, and shells in it.

use super::Server;
use jaula_tests::harness::{Outcome, Template, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;

pub(super) fn trials() -> Vec<Trial> {
    trials!("boot": privileged [
        somebody_logs_in,
        what_was_said_before_is_shown,
        a_shell_of_a_login,
    ])
}

/// By a password, at the getty of the console.
fn somebody_logs_in(t: &Test) -> Outcome {
    let server = Server::of(t, Template::Debian13, &[])?;
    server.start()?;
    server.shell("useradd -m -s /bin/bash bob && echo bob:secret-of-bob | chpasswd")?;
    let mut terminal = server.jaula().pty(&["console", &server.name])?;
    terminal.expect("Ctrl-]")?;
    terminal.expect("login: ")?;
    terminal.send("bob\n")?;
    terminal.expect("Password: ")?;
    terminal.send("secret-of-bob\n")?;
    terminal.expect("bob@")?;
    // A session of its own, with the console as the terminal that controls it.
    terminal.send("id -un; tty; stty size; echo job $(jobs -l | wc -l)\n")?;
    terminal.expect("bob\r\n/dev/console")?;
    terminal.expect("24 80")?;
    terminal.send("sleep 1000\n")?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    terminal.send("\x03")?;
    terminal.send("echo interrupted $?\n")?;
    terminal.expect("interrupted 130")?;
    terminal.send("\x1d")?;
    assert_eq!(terminal.wait()?.code(), Some(0));
    server.shell("loginctl --no-legend list-sessions | grep -q bob")?;
    server.end()
}

/// The prompt that waits was written before anybody looked.
fn what_was_said_before_is_shown(t: &Test) -> Outcome {
    let server = Server::of(t, Template::Debian13, &[])?;
    server.start()?;
    let mut terminal = server.jaula().pty(&["console", &server.name])?;
    terminal.expect("Ctrl-]")?;
    // Not the last target: it may be reached when the prompt is there already, and says nothing then.
    terminal.expect("Welcome to")?;
    terminal.expect("login: ")?;
    terminal.send("\x1d")?;
    terminal.wait()?;
    server.end()
}

/// `enter` is a login: home, shell, terminal with its size, job control.
fn a_shell_of_a_login(t: &Test) -> Outcome {
    let server = Server::of(t, Template::Debian13, &[])?;
    server.start()?;
    let mut terminal = server.jaula().pty(&["enter", &server.name])?;
    terminal.expect("# ")?;
    terminal.send("echo $0 $HOME $PWD $TERM $(tty) $(stty size)\n")?;
    terminal.expect("-bash /root /root ")?;
    terminal.expect("/dev/pts/")?;
    terminal.expect("24 80")?;
    terminal.send("sleep 1000\n")?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    terminal.send("\x1a")?;
    terminal.expect("Stopped")?;
    terminal.send("fg\n")?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    terminal.send("\x03")?;
    terminal.send("exit 5\n")?;
    assert_eq!(terminal.wait()?.code(), Some(5));
    server.end()
}
