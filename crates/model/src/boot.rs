//! How a jail boots: which init is its first process, how that is asked to halt, and how it says that
//! it is ready.
//!
//! What the root has is looked at in its tree ([`Looks`]); each [`Kind`] of init is one row of a table.

mod looks;
pub mod scripts;

pub use looks::{Looks, NoInit};

use crate::config::{Boot, Init, Ready};
use crate::ports::Ports;
use crate::signal::Signal;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// A first process, by what it understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A program that is no init.
    #[default]
    Command,
    /// systemd.
    Systemd,
    /// System V's.
    Sysv,
    /// OpenRC, below whichever init.
    Openrc,
    /// An init that is none of these.
    Plain,
    /// jaula's own, which runs rc scripts.
    Emulated,
    /// jaula's own, which only waits: `jaula start --rescue`.
    Rescue,
}

/// What all jails of a kind have in common.
struct Row {
    kind: Kind,
    word: &'static str,
    /// The program, inside; empty where it follows from the configuration, or is jaula's own.
    program: &'static str,
    stop: &'static str,
    /// Commands that do it better than a signal, if one of them is there; each is tried in turn.
    halt: &'static [&'static str],
    stop_timeout: u64,
    start_timeout: u64,
    waits: Waits,
}

/// The signals are those that halt: of systemd(1), of jaula's own. sysvinit has none, but takes orders over a pipe
/// (telinit(8)). OpenRC is run by sysvinit (Debian, Gentoo), by busybox's init (Alpine), which has no telinit and starts
/// again when it gets SIGTERM, or by its own, which halts. To an unknown one SIGINT is Ctrl-Alt-Del. To start again is
/// as good as to halt for a jail that stops.
#[rustfmt::skip]
const ROWS: [Row; 7] = [
    Row { kind: Kind::Command, word: "command", program: "", stop: "TERM", halt: &[], stop_timeout: 10,
          start_timeout: 60, waits: Waits::Alive },
    Row { kind: Kind::Systemd, word: "systemd", program: "/sbin/init", stop: "RTMIN+3", halt: &[], stop_timeout: 90,
          start_timeout: 180, waits: Waits::Notify },
    Row { kind: Kind::Sysv, word: "sysv", program: "/sbin/init", stop: "INT", halt: &["/sbin/telinit 0"], stop_timeout: 90,
          start_timeout: 180, waits: Waits::Runlevel },
    Row { kind: Kind::Openrc, word: "openrc", program: "/sbin/init", stop: "TERM", halt: &["/sbin/telinit 0"], stop_timeout: 90,
          start_timeout: 180, waits: Waits::Softlevel },
    Row { kind: Kind::Plain, word: "plain", program: "/sbin/init", stop: "INT", halt: &[], stop_timeout: 90,
          start_timeout: 180, waits: Waits::Alive },
    Row { kind: Kind::Emulated, word: "emulated", program: "", stop: "PWR", halt: &[], stop_timeout: 90,
          start_timeout: 180, waits: Waits::Scripts },
    Row { kind: Kind::Rescue, word: "rescue", program: "", stop: "PWR", halt: &[], stop_timeout: 10,
          start_timeout: 60, waits: Waits::Alive },
];

/// What tells that a jail is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waits {
    /// That its first process runs.
    Alive,
    /// `READY=1` (sd_notify(3)).
    Notify,
    /// Ports that it listens on.
    Port(Ports),
    /// A command that is run inside and exits with 0.
    Command(Vec<String>),
    /// sysvinit is in a runlevel, and runs its scripts no more.
    Runlevel,
    /// OpenRC has reached a runlevel (`/run/openrc/softlevel`).
    Softlevel,
    /// jaula's own init has run its scripts.
    Scripts,
}

impl Kind {
    fn row(self) -> &'static Row {
        // Every kind has its row, see the test.
        ROWS.iter().find(|row| row.kind == self).unwrap_or(&ROWS[0])
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        self.row().word
    }

    /// Is the first process an init, so that `reboot` and `halt` inside mean the jail?
    pub fn is_init(self) -> bool {
        !matches!(self, Self::Command)
    }

    /// Is it one of jaula's own, which is no file of the root?
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Emulated | Self::Rescue)
    }

    /// Has it control groups of its own, below the jail's?
    pub fn has_groups(self) -> bool {
        self.is_init() && self != Self::Rescue
    }

    /// The first process's program, inside.
    pub fn program(self) -> &'static str {
        self.row().program
    }

    /// What the configuration says without a look at the root. `rooted`: there is a root that may have an
    /// init, which app and service jails do not.
    pub fn said(boot: &Boot, rooted: bool) -> Option<Self> {
        match boot.init {
            Init::Auto if !boot.command.is_empty() || !rooted => Some(Self::Command),
            Init::Auto => None,
            Init::Command => Some(Self::Command),
            Init::Systemd => Some(Self::Systemd),
            Init::Sysv => Some(Self::Sysv),
            Init::Openrc => Some(Self::Openrc),
            Init::Plain => Some(Self::Plain),
            Init::Emulated => Some(Self::Emulated),
        }
    }

    /// How `ps` shows an init at its beginning.
    pub fn title(self, boot: &Boot) -> String {
        match self {
            Self::Emulated => format!("init [{}]", boot.runlevel),
            Self::Rescue => "init [S]".to_owned(),
            // It writes its runlevel over this, and has no more room than this.
            Self::Sysv => "init [0]".to_owned(),
            _ => self.program().to_owned(),
        }
    }

    /// What tells that it is ready.
    pub fn waits(self, boot: &Boot) -> Waits {
        match &boot.ready {
            // One that only waits for its repair has nothing that could say more.
            _ if self == Self::Rescue => Waits::Alive,
            Ready::Auto => self.row().waits.clone(),
            Ready::Alive => Waits::Alive,
            Ready::Notify => Waits::Notify,
            Ready::Port(ports) => Waits::Port(*ports),
            Ready::Command(command) => Waits::Command(command.clone()),
        }
    }

    /// The signal that asks it to stop.
    pub fn stop_signal(self, boot: &Boot) -> i32 {
        let own = boot.stop_signal.as_deref().filter(|_| self != Self::Rescue);
        let signal = own.unwrap_or_else(|| self.row().stop).parse::<Signal>();
        signal.map_or(15, Signal::number)
    }

    /// A command that does the same inside; none if the configuration names a signal.
    pub fn halt(self, boot: &Boot) -> Option<Vec<String>> {
        let commands = if boot.stop_signal.is_none() { self.row().halt } else { &[] };
        commands.first().map(|words| words.split(' ').map(str::to_owned).collect())
    }

    /// How long a stop takes before what is left is killed.
    pub fn stop_timeout(self, boot: &Boot) -> Duration {
        boot.stop_timeout.map_or_else(|| Duration::from_secs(self.row().stop_timeout), |span| span.0)
    }

    /// How long a start may take.
    pub fn start_timeout(self, boot: &Boot) -> Duration {
        boot.start_timeout.map_or_else(|| Duration::from_secs(self.row().start_timeout), |span| span.0)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_row() {
        use Kind::*;
        for kind in [Command, Systemd, Sysv, Openrc, Plain, Emulated, Rescue] {
            assert_eq!(kind.row().kind, kind);
            assert!(kind.row().stop.parse::<Signal>().is_ok());
        }
    }

    #[test]
    fn the_configuration_comes_first() {
        let boot = |text: &str| crate::config::Config::parse(text).unwrap().boot;
        let plain = boot("");
        assert_eq!(Kind::said(&plain, true), None);
        assert_eq!(Kind::said(&plain, false), Some(Kind::Command));
        assert_eq!(Kind::said(&boot("boot.command = ['/bin/x']"), true), Some(Kind::Command));
        assert_eq!(
            Kind::said(&boot("boot.init = 'sysv'\nboot.command = ['/bin/x']"), true),
            Some(Kind::Sysv)
        );
        assert_eq!(Kind::Systemd.stop_signal(&plain), 37);
        assert_eq!(Kind::Systemd.stop_signal(&boot("boot.stop_signal = 'INT'")), 2);
        assert_eq!(Kind::Sysv.halt(&plain).unwrap(), ["/sbin/telinit", "0"]);
        assert_eq!(Kind::Sysv.halt(&boot("boot.stop_signal = 'INT'")), None);
        assert_eq!(Kind::Command.stop_timeout(&plain), Duration::from_secs(10));
        assert_eq!(Kind::Rescue.waits(&boot("boot.ready = 'notify'")), Waits::Alive);
    }
}
