//! Whether a jail that starts is ready (`boot.ready`).

use super::init;
use crate::error::{Error, Result};
use crate::house::House;
use model::boot::{Kind, Waits};
use model::config::Boot;
use model::name::{IdRange, Name};
use model::ports::{Ports, Transport};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};
use sys::process::Child;
use sys::signal::SIGKILL;

/// How often a command is run.
const ASK_EVERY: Duration = Duration::from_millis(250);
/// How often the ports are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The longest message at the readiness socket that is read.
const MESSAGE: usize = 4096;

/// Where a start stands.
#[derive(Debug)]
pub(super) struct Starting {
    until: Instant,
    /// What it waits for.
    waits: Waits,
    /// When it is asked or looked next; never if it says so itself.
    next: Option<Instant>,
    /// A command that asks whether it is ready.
    asked: Option<Child>,
    /// How often in succession an init was seen with nothing left to do.
    quiet: u8,
}

/// The jail that starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Who<'a> {
    pub(super) house: &'a House,
    pub(super) name: &'a Name,
    pub(super) boot: &'a Boot,
    /// The number of its first process, which nobody has waited for.
    pub(super) first: i32,
    pub(super) ids: IdRange,
    pub(super) notify: Option<&'a OwnedFd>,
}

impl Starting {
    /// Begins to wait, unless there is nothing to wait for.
    pub(super) fn begin(kind: Kind, boot: &Boot) -> Option<Self> {
        let now = Instant::now();
        let waits = kind.waits(boot);
        let next = match waits {
            Waits::Alive => return None,
            Waits::Notify => None,
            Waits::Port(_) | Waits::Command(_) | Waits::Runlevel | Waits::Softlevel | Waits::Scripts => {
                Some(now)
            }
        };
        Some(Self { until: now + kind.start_timeout(boot), waits, next, asked: None, quiet: 0 })
    }

    /// When it must be looked at again, if nothing happens before.
    pub(super) fn deadline(&self) -> Instant {
        self.next.filter(|_| self.asked.is_none()).map_or(self.until, |next| next.min(self.until))
    }

    /// Ends when the command has an answer.
    pub(super) fn asked(&self) -> Option<BorrowedFd<'_>> {
        self.asked.as_ref().map(|child| child.pidfd.as_fd())
    }

    /// Is it ready? `Some(false)`: it will not be in time.
    pub(super) fn is_over(&mut self, who: Who<'_>) -> Result<Option<bool>> {
        let ready = match &self.waits {
            Waits::Alive => true,
            Waits::Notify => who.notify.is_some_and(has_said_so),
            Waits::Command(command) => {
                let command = command.clone();
                self.says(who, &command)?
            }
            _ if self.next.is_none_or(|at| at > Instant::now()) => false,
            waits => {
                self.next = Some(Instant::now() + LOOK_EVERY);
                let reached = match waits {
                    Waits::Port(ports) => listens(who, *ports),
                    Waits::Softlevel => init::softlevel(who.first),
                    Waits::Scripts => init::is_named(who.first, "init"),
                    _ => init::in_runlevel(who.first),
                };
                // Between entering a runlevel and running its scripts there is a moment.
                self.quiet = if reached { self.quiet + 1 } else { 0 };
                reached && (self.quiet > 1 || *waits != Waits::Runlevel)
            }
        };
        if ready {
            return Ok(Some(true));
        }
        let late = self.until <= Instant::now();
        if late && let Some(child) = &self.asked {
            // Its answer does not matter any more; nor does it if it has just ended.
            let _ = sys::process::signal(&child.pidfd, SIGKILL);
            let _ = sys::process::wait(&child.pidfd);
        }
        Ok(late.then_some(false))
    }

    /// Has the command said yes? Asks again if it said no.
    fn says(&mut self, who: Who<'_>, command: &[String]) -> Result<bool> {
        if let Some(child) = &self.asked {
            let exit =
                sys::process::try_wait(&child.pidfd).map_err(Error::call("ask whether it is ready"))?;
            let Some(exit) = exit else { return Ok(false) };
            self.asked = None;
            self.next = Some(Instant::now() + ASK_EVERY);
            return Ok(exit.code() == 0);
        }
        if self.next.is_some_and(|at| at <= Instant::now()) {
            self.asked = Some(super::probe(who.house, who.name, command, who.boot.user.as_deref())?);
        }
        Ok(false)
    }
}

/// Is `READY=1` among what came to the readiness socket? Much else comes there, also later, and whoever says it waits
/// until it is read; but one who talks without end must not keep the keeper from its other work.
pub(super) fn has_said_so(socket: &OwnedFd) -> bool {
    let mut message = [0; MESSAGE];
    let mut said = false;
    for _ in 0..64 {
        let Ok(length) = sys::fs::read(socket, &mut message) else { break };
        said |= message[..length].split(|byte| *byte == b'\n').any(|line| line == b"READY=1");
    }
    said
}

/// Does the jail wait at these ports, at each of them?
fn listens(who: Who<'_>, ports: Ports) -> bool {
    let protocol = ports.transport;
    // With the host's network, what others listen on is there as well. Without root the jail's one user is ours.
    let owned = |owner: u32| match sys::process::user() {
        0 => owner.wrapping_sub(who.ids.outside) < who.ids.count,
        own => owner == own,
    };
    let tables = ["", "6"].map(|version| format!("/proc/{}/net/{protocol}{version}", who.first));
    let tables: Vec<String> = tables.iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect();
    let open = |port| {
        tables
            .iter()
            .flat_map(|table| listening(table, protocol))
            .any(|(at, owner)| at == port && owned(owner))
    };
    (ports.first..=ports.last).all(open)
}

/// The ports of a table of the kernel (`/proc/net/tcp`, `/proc/net/udp`) that wait for others, with the user that
/// opened each.
fn listening(table: &str, transport: Transport) -> impl Iterator<Item = (u16, u32)> {
    // TCP_LISTEN; a datagram socket that is bound and has no peer is TCP_CLOSE.
    let state = match transport {
        Transport::Tcp => "0A",
        Transport::Udp => "07",
    };
    table.lines().skip(1).filter_map(move |line| {
        let mut words = line.split_ascii_whitespace();
        let (_, port) = words.nth(1)?.rsplit_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        let is_open = words.nth(1)? == state;
        let owner = words.nth(3)?.parse().ok()?;
        is_open.then_some((port, owner))
    })
}

/// Why a start fails that took too long.
pub(super) fn not_ready(name: &Name, kind: Kind, boot: &Boot) -> Error {
    let asked = match kind.waits(boot) {
        Waits::Command(command) => {
            let user = boot.user.as_ref().map(|user| format!("--user {user} "));
            let command: Vec<_> = command.iter().map(|word| for_shell(word)).collect();
            Some(format!("{}{name} -- {}", user.unwrap_or_default(), command.join(" ")))
        }
        _ => None,
    };
    Error::NotReady { name: name.clone(), after: kind.start_timeout(boot), asked }
}

/// A word as a shell takes it.
fn for_shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_read() {
        let tcp = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
                   \u{20}  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  2154102817        0 10 1 0 100\n\
                   \u{20}  1: 0100007F:0050 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100\n\
                   \u{20}  2: nonsense\n";
        assert_eq!(listening(tcp, Transport::Tcp).collect::<Vec<_>>(), [(8080, 2_154_102_817)]);
        let udp6 = "  sl  local_address\n\
                    53: 00000000000000000000000000000000:0035 00000000000000000000000000000000:0000 07 00000000:00000000 \
                    00:00000000 00000000 7 0 12 2 0 0\n";
        assert_eq!(listening(udp6, Transport::Udp).collect::<Vec<_>>(), [(53, 7)]);
        assert_eq!(listening("", Transport::Tcp).count(), 0);
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        for (word, quoted) in
            [("redis-cli", "redis-cli"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("", "''")]
        {
            assert_eq!(for_shell(word), quoted);
        }
    }
}
