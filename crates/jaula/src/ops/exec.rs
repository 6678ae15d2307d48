//! `jaula exec`: one more program in a jail that runs.

use crate::error::{Error, Result};
use crate::facts;
use crate::foreground::{self, Role};
use crate::house::House;
use crate::launch;
use crate::ops::prepare::{environment, first};
use crate::running::{Running, Terminal};
use crate::session::{Session, no_directories, streams};
use crate::signals;
use model::name::Name;
use model::plan::{First, Step, Stream};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use sys::process::{Child, Exit};
use sys::signal::Signals;

/// What to run.
#[derive(Clone, Debug, Default)]
pub struct Exec {
    /// Program and arguments.
    pub command: Vec<OsString>,
    /// `user`, `user:group` or numbers; root by default.
    pub user: Option<String>,
    /// A terminal of its own: yes, no, or if the caller has one.
    pub terminal: Option<bool>,
    /// Where it begins, inside; `boot.directory` by default.
    pub directory: Option<PathBuf>,
    /// Variables on top of the jail's.
    pub environment: Vec<(String, String)>,
}

/// Runs it, and waits for its end.
pub fn exec(house: &House, name: &Name, exec: &Exec) -> Result<Exit> {
    let jail = Running::open(house, name)?;
    let (streams, typing) = streams(exec.terminal);
    bring_in(&jail, &program(&jail, exec, streams)?, typing, Role::Command)
}

/// Runs a command that nobody listens to, for its exit status.
pub(crate) fn quietly(house: &House, name: &Name, command: &[String], user: Option<&str>) -> Result<Exit> {
    let jail = Running::open(house, name)?;
    let command = command.iter().map(OsString::from).collect();
    let exec = Exec { command, user: user.map(str::to_owned), ..Exec::default() };
    bring_in(&jail, &program(&jail, &exec, [Stream::Null; 3])?, false, Role::Command)
}

fn program(jail: &Running, exec: &Exec, streams: [Stream; 3]) -> Result<First> {
    let identity = jail.identity(exec.user.as_deref())?;
    let mut own = jail.state.environment.clone();
    own.extend(exec.environment.iter().cloned());
    let environment = environment(&identity, &own, streams.contains(&Stream::Terminal));
    let directory = exec.directory.clone().unwrap_or_else(|| jail.state.directory.clone());
    let mut program = first(&exec.command, environment, directory, &identity, streams);
    // Where the first process begins need not be open to everybody.
    program.or_top = exec.directory.is_none();
    Ok(program)
}

/// Brings a program into a jail, with the caller in front of it. This process joins the jail and
/// cannot leave it again.
pub(crate) fn bring_in(jail: &Running, program: &First, typing: bool, role: Role) -> Result<Exit> {
    no_directories(program.streams)?;
    let facts = facts::of_process(jail.state.network.is_hosts());
    let has_terminal = program.streams.contains(&Stream::Terminal);
    let terminal = has_terminal.then(|| jail.terminal(program.user)).transpose()?;
    let moved = !jail.groups.moved.is_empty();
    let steps = model::plan::exec(&jail.confinement, program, &facts, moved);

    // From here to its exec the child is a piece of the host inside the jail: nobody may look
    // into it (CVE-2016-9962, CVE-2019-5736).
    sys::process::set_dumpable(false).map_err(Error::call("close this process to others"))?;
    jail.join()?;
    let signals = Signals::take(signals::PASSED_ON).map_err(Error::call("take signals"))?;
    let child = begin(jail, &steps, terminal.as_ref())?;
    let session = match terminal {
        Some(Terminal { ours, .. }) => Some(Session::join(ours, typing)?.showing(program.streams)),
        None => None,
    };
    foreground::watch(&child, session, &signals, role)
}

/// Makes the child. When this returns, it has become the program.
fn begin(jail: &Running, steps: &[Step], terminal: Option<&Terminal>) -> Result<Child> {
    let (ours, theirs) = sys::socket::pair().map_err(Error::call("prepare the program"))?;
    let mut descriptors: BTreeMap<&str, i32> =
        [("parent", ours.as_raw_fd()), ("meeting", theirs.as_raw_fd()), ("jail", jail.first.as_raw_fd())]
            .into();
    descriptors.extend(terminal.map(|t| ("terminal", t.theirs.as_raw_fd())));
    let program = launch::lower(steps, &descriptors);
    let born = jail.groups.born.as_ref().map(AsFd::as_fd);
    let (child, _loan) = sys::process::spawn(program, 0, born, theirs.as_fd())
        .map_err(Error::call("make a process in the jail"))?;
    drop(theirs);
    match meet(jail, &child, steps, &ours) {
        Ok(()) => Ok(child),
        Err(error) => {
            // It may have ended by itself; then there is nobody to kill.
            let _ = sys::process::signal(&child.pidfd, sys::signal::SIGKILL);
            let _ = sys::process::wait(&child.pidfd);
            Err(error)
        }
    }
}

fn meet(jail: &Running, child: &Child, steps: &[Step], ours: &OwnedFd) -> Result<()> {
    if !jail.groups.moved.is_empty() {
        jail.move_into_groups(child.pid)?;
        sys::fs::write(ours, b"g").map_err(Error::call("let the program go on"))?;
    }
    launch::outcome(steps, ours.as_fd()).map(drop).map_err(|error| match error {
        Error::Child { call, number, .. } if call.name == "chdir" => {
            let directory = call.args.first().map(ToString::to_string).unwrap_or_default();
            Error::refused(
                format!("cannot begin in {directory}, inside: {}", number.words()),
                "--directory names another",
            )
        }
        other => other,
    })
}
