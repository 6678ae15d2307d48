//! What is known of a running jail, in one small file of its run directory.

use crate::error::{Error, Result};
use crate::files::{read_bytes, replace_small};
use crate::launch::Launched;
use model::boot::Kind;
use model::caps::CapSet;
use model::config::{Config, NetworkMode};
use model::confinement::Confinement;
use model::name::{Id, Name};
use model::seccomp::Instruction;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};
use sys::process::Exit;

/// How a jail ended last, in what it keeps.
pub const LAST: &str = "last.json";
pub(crate) const STATE: &str = "state";

/// A process by number and by the inode of its pidfd, which no other process ever has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number on the host.
    pub pid: i32,
    /// See [`sys::fs::identity`].
    pub inode: u64,
}

impl ProcessId {
    /// This process.
    pub fn own() -> Result<Self> {
        let pid = sys::process::number();
        let pidfd = sys::process::open(pid).map_err(Error::call("identify this process"))?;
        Self::of(pid, &pidfd)
    }

    /// A process that we hold.
    pub fn of(pid: i32, pidfd: impl AsFd) -> Result<Self> {
        let inode = sys::fs::identity(pidfd).map_err(Error::call("identify a process"))?.inode;
        Ok(Self { pid, inode })
    }

    /// The process itself, if it still runs.
    pub fn open(self) -> Option<OwnedFd> {
        crate::process::find(self.pid, self.inode).filter(crate::process::runs)
    }
}

/// What a jail is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Its first process runs, but it is not ready yet.
    Starting,
    /// It is ready.
    Running,
    /// It has been told to stop.
    Stopping,
    /// It ended, and starts again after a while.
    Waiting,
}

/// A running jail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Its number.
    pub id: Id,
    /// What it is doing.
    pub phase: Phase,
    /// Its first process; none while it waits to start again.
    pub first: Option<ProcessId>,
    /// Its keeper.
    pub keeper: ProcessId,
    /// When it started, in milliseconds since 1970.
    pub started: u64,
    /// How often it has started again by itself.
    pub restarts: u32,
    /// Does it end with the command that made it (`run`)?
    pub passing: bool,
    /// Its host name.
    pub hostname: String,
    /// Where its root comes from, as `root.from` has it.
    pub root: String,
    /// What its first process is.
    #[serde(default)]
    pub init: Kind,
    /// The command of its first process.
    pub command: Vec<String>,
    /// `boot.directory`, where `exec` begins as well.
    pub directory: PathBuf,
    /// The configuration's environment.
    pub environment: BTreeMap<String, String>,
    /// Whose network it sees.
    pub network: NetworkMode,
    /// Its addresses, as `network.addresses` has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpAddr>,
    /// May its root mount, and so undo what is read-only?
    pub may_mount: bool,
    /// What holds its processes, for `exec`.
    pub confinement: Kept,
    /// Its system-call filter, as the kernel takes it; after the JSON in the file.
    #[serde(skip)]
    filter: Vec<u8>,
}

/// A [`Confinement`] without its filter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    capabilities: u64,
    added: u64,
    no_new_privileges: bool,
    scoped: bool,
    limits: Vec<(u32, Option<u64>, Option<u64>)>,
}

impl From<&Confinement> for Kept {
    fn from(c: &Confinement) -> Self {
        Self {
            capabilities: c.capabilities.bits(),
            added: c.added.bits(),
            no_new_privileges: c.no_new_privileges,
            scoped: c.scoped,
            limits: c.limits.clone(),
        }
    }
}

impl State {
    /// The state of a jail that has just been launched.
    pub fn of(
        name: &Name,
        config: &Config,
        confinement: &Confinement,
        id: Id,
        launched: &Launched,
        phase: Phase,
        passing: bool,
    ) -> Result<Self> {
        Ok(Self {
            id,
            phase,
            first: Some(ProcessId { pid: launched.first.pid, inode: launched.inode }),
            keeper: ProcessId::own()?,
            started: now(),
            restarts: 0,
            passing,
            hostname: config.hostname.clone().unwrap_or_else(|| name.to_string()),
            root: config.root.from.as_ref().map(ToString::to_string).unwrap_or_default(),
            init: Kind::Command,
            command: config.boot.command.clone(),
            directory: config.boot.directory.clone(),
            environment: config.environment.clone(),
            network: config.network.mode,
            addresses: config.network.ips().collect(),
            may_mount: sys::process::user() == 0
                && model::confinement::may_mount(config, confinement.capabilities),
            confinement: Kept::from(confinement),
            filter: confinement.filter.iter().flat_map(bytes).collect(),
        })
    }

    /// The same of a jail whose first process may be an init, which has no command.
    pub fn booted(self, init: Kind) -> Self {
        let command = if init.is_init() { Vec::new() } else { self.command };
        Self { init, command, ..self }
    }

    /// Reads the state; `None` if the jail has none (yet).
    pub fn read(run: impl AsFd) -> Result<Option<Self>> {
        let Some(file) = read_bytes(run, STATE)? else { return Ok(None) };
        let end = file.iter().position(|byte| *byte == b'\n').unwrap_or(file.len());
        let state: Self = serde_json::from_slice(&file[..end])
            .map_err(|e| Error::Inside(format!("the state of a running jail cannot be read: {e}")))?;
        Ok(Some(Self { filter: file[(end + 1).min(file.len())..].to_vec(), ..state }))
    }

    /// Replaces the state.
    pub fn write(&self, run: impl AsFd) -> Result<()> {
        let mut file = serde_json::to_vec(self)
            .map_err(|e| Error::Inside(format!("the state cannot be written: {e}")))?;
        file.push(b'\n');
        file.extend_from_slice(&self.filter);
        replace_small(run, STATE, &file)
    }

    /// How all processes of the jail are held, exactly as its first one is.
    pub fn confinement(&self) -> Result<Confinement> {
        let filter: Vec<Instruction> = self
            .filter
            .chunks_exact(8)
            .map(|b| Instruction {
                code: u16::from_ne_bytes([b[0], b[1]]),
                jt: b[2],
                jf: b[3],
                k: u32::from_ne_bytes([b[4], b[5], b[6], b[7]]),
            })
            .collect();
        if filter.is_empty() {
            return Err(Error::Inside("the jail's system-call filter is not on record".to_owned()));
        }
        let kept = &self.confinement;
        Ok(Confinement {
            capabilities: CapSet::from_bits(kept.capabilities),
            added: CapSet::from_bits(kept.added),
            no_new_privileges: kept.no_new_privileges,
            filter,
            watched: false,
            scoped: kept.scoped,
            limits: kept.limits.clone(),
        })
    }
}

/// One instruction of a filter as the kernel takes it (`struct sock_filter`).
fn bytes(i: &Instruction) -> [u8; 8] {
    let ([a, b], [c, d, e, f]) = (i.code.to_ne_bytes(), i.k.to_ne_bytes());
    [a, b, i.jt, i.jf, c, d, e, f]
}

/// How a jail ended last; kept when it does not run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// The first process's exit status.
    pub status: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Why a start failed.
    pub failure: Option<String>,
    /// Was it told to stop?
    #[serde(default)]
    pub stopped: bool,
    /// What an init that ended by itself did.
    #[serde(default)]
    pub inside: Option<Inside>,
}

/// What somebody in a jail has told its init to do. The kernel ends the first process of a pid namespace by a signal
/// that tells (reboot(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Inside {
    /// `halt`, `poweroff`.
    Halted,
    /// `reboot`.
    Rebooted,
}

impl Inside {
    fn of(signal: Option<i32>) -> Option<Self> {
        match signal {
            Some(sys::signal::SIGINT) => Some(Self::Halted),
            Some(sys::signal::SIGHUP) => Some(Self::Rebooted),
            _ => None,
        }
    }
}

impl Ended {
    /// A first process that ended now.
    pub fn now(exit: Option<Exit>) -> Self {
        let (status, signal) = match exit {
            Some(Exit::Status(status)) => (Some(status), None),
            Some(Exit::Signal(signal)) => (None, Some(signal)),
            None => (None, None),
        };
        Self { at: now(), status, signal, failure: None, stopped: false, inside: None }
    }

    /// The same of an init, for which some signals have a meaning.
    pub fn of_init(self) -> Self {
        Self { inside: Inside::of(self.signal), ..self }
    }

    /// A start that failed now.
    pub fn failed(why: String) -> Self {
        Self { at: now(), failure: Some(why), ..Self::default() }
    }

    /// Did it end with status 0?
    pub fn success(&self) -> bool {
        self.status == Some(0)
    }

    /// In words.
    pub fn words(&self) -> String {
        match (self.status, self.signal, &self.failure) {
            (_, _, Some(failure)) => format!("failed to start: {failure}"),
            _ if self.stopped && self.inside.is_some() => "stopped".to_owned(),
            _ if self.inside == Some(Inside::Halted) => "halted from inside".to_owned(),
            _ if self.inside == Some(Inside::Rebooted) => "rebooted from inside".to_owned(),
            (Some(0), ..) if self.stopped => "stopped".to_owned(),
            (Some(status), ..) if self.stopped => format!("stopped with status {status}"),
            (_, Some(signal), _) if self.stopped => format!("stopped by signal {signal}"),
            (Some(status), _, _) => format!("exited with status {status}"),
            (_, Some(signal), _) => format!("ended by signal {signal}"),
            _ => "ended; how is not known".to_owned(),
        }
    }
}

/// Milliseconds since 1970.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}
