//! A command on a terminal: what a person at a keyboard does.

use super::jaula::under;
use super::test::Outcome;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// A command whose three streams and controlling terminal are a pseudo-terminal; dropped, it
/// is killed.
#[derive(Debug)]
pub struct Pty {
    child: Child,
    master: File,
    output: mpsc::Receiver<Vec<u8>>,
    /// All that has come from the terminal and was not yet asked for.
    unread: String,
}

impl Pty {
    /// How long [`Pty::expect`] and [`Pty::wait`] wait.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// Starts the command on a new terminal of 24 rows and 80 columns.
    pub fn spawn(command: &Command) -> Outcome<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let path = ptsname(&master, Vec::new())?.into_string()?;
        let slave = File::options().read(true).write(true).open(path)?;
        // setsid(1) makes the terminal the controlling one in the child, which the standard
        // library cannot do without an unsafe block.
        let mut session = under("setsid", &["--ctty"], command);
        session.env("TERM", "xterm");
        session.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(slave);
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size)?;
        let child = session.spawn()?;
        let master = File::from(master);
        let output = read_on(master.try_clone()?);
        Ok(Self { child, master, output, unread: String::new() })
    }

    /// Types this.
    pub fn send(&mut self, text: &str) -> Outcome {
        Ok(self.master.write_all(text.as_bytes())?)
    }

    /// Gives the terminal another size.
    pub fn resize(&self, rows: u16, columns: u16) -> Outcome {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(tcsetwinsize(&self.master, size)?)
    }

    /// Waits until this text appears; gives everything up to and with it.
    pub fn expect(&mut self, text: &str) -> Outcome<String> {
        self.expect_within(text, Self::PATIENCE)
    }

    /// The same of what takes longer.
    pub fn expect_within(&mut self, text: &str, patience: Duration) -> Outcome<String> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(at) = self.unread.find(text) {
                let rest = self.unread.split_off(at + text.len());
                return Ok(std::mem::replace(&mut self.unread, rest));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.unread.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => return Err(format!("{text:?} did not appear in {:?}", self.unread).into()),
            }
        }
    }

    /// Waits for the end of the command.
    pub fn wait(mut self) -> Outcome<ExitStatus> {
        let deadline = Instant::now() + Self::PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(5));
        }
        Err(format!("the command on the terminal did not end; it wrote {:?}", self.unread).into())
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Reads until the last user of the terminal is gone, which the master sees as EIO.
fn read_on(mut master: File) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = master.read(&mut buffer) {
            if sender.send(buffer[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}
