//! Processes that jaula knows from its records: a number alone may have been given to another.

use crate::error::{Error, Result};
use std::os::fd::OwnedFd;
use std::time::Duration;

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
