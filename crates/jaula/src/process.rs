//! Processes that jaula knows from its records: a number alone may have been given to another.

use crate::error::{Error, Result};
use std::os::fd::OwnedFd;
use std::time::Duration;
use sys::process::{Child, Exit};

/// The process with this number, if it still is the one whose pidfd had this inode.
pub(crate) fn find(pid: i32, inode: u64) -> Option<OwnedFd> {
    let pidfd = sys::process::open(pid).ok()?;
    (sys::fs::identity(&pidfd).ok()?.inode == inode).then_some(pidfd)
}

/// Does it run? A zombie that nobody has waited for has ended.
pub(crate) fn runs(pidfd: &OwnedFd) -> bool {
    use std::os::fd::AsFd;
    !sys::poll::wait(&[(pidfd.as_fd(), false)], Some(Duration::ZERO)).is_ok_and(|ready| ready[0])
}

/// How a process ended that is not our child. While it is a zombie its stat has it
/// (proc_pid_stat(5)); once its own parent has waited for it, only its pidfd.
pub(crate) fn exit_of(process: &Child) -> Option<Exit> {
    let zombie = std::fs::read_to_string(format!("/proc/{}/stat", process.pid)).ok();
    // If nobody has waited for it even now, it was its own number that we read.
    let waited_for = sys::process::exit_of(&process.pidfd);
    waited_for.or_else(|| exit_in_stat(&zombie?))
}

fn exit_in_stat(stat: &str) -> Option<Exit> {
    // The name in brackets may hold anything; after it come the fields from the third on.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split_whitespace().collect();
    let status = fields.get(52 - 3)?.parse().ok()?;
    (fields.first() == Some(&"Z")).then(|| Exit::from_wait(status))
}

/// Kills it and waits until it is gone. A jail's first process takes all others with it.
pub(crate) fn kill(pid: i32, inode: u64) -> Result<()> {
    use std::os::fd::AsFd;
    let Some(pidfd) = find(pid, inode) else { return Ok(()) };
    match sys::process::signal(&pidfd, sys::signal::SIGKILL) {
        Err(e) if !e.is(sys::errno::ESRCH) => return Err(Error::call("kill the jail's first process")(e)),
        _ => {}
    }
    let limit = Some(Duration::from_secs(10));
    sys::poll::wait(&[(pidfd.as_fd(), false)], limit)
        .map_err(Error::call("wait for the jail's first process"))?;
    // If it is our own child, its zombie keeps it in its control group.
    let _ = sys::process::try_wait(&pidfd);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zombie_tells_how_it_ended() {
        let stat = |state: &str, exit: i32| format!("7 (a) Z (b) {state} {}{exit}\n", "0 ".repeat(48));
        assert_eq!(exit_in_stat(&stat("Z", 7 << 8)), Some(Exit::Status(7)));
        assert_eq!(exit_in_stat(&stat("Z", 15)), Some(Exit::Signal(15)));
        assert_eq!(exit_in_stat(&stat("S", 0)), None);
        assert_eq!(exit_in_stat("7 (a) Z 0"), None);
    }
}
