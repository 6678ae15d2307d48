//! Waiting for several descriptors at once (poll(2)).

use crate::call::check;
use crate::error::Result;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// Waits until one of `wanted` can be read or is at its end, or `timeout` has passed; a
/// second flag asks for writability. Returns for each whether it is ready.
pub fn wait(wanted: &[(BorrowedFd<'_>, bool)], timeout: Option<Duration>) -> Result<Vec<bool>> {
    let mut polls: Vec<libc::pollfd> = wanted
        .iter()
        .map(|(fd, write)| libc::pollfd {
            fd: fd.as_raw_fd(),
            events: if *write { libc::POLLIN | libc::POLLOUT } else { libc::POLLIN },
            revents: 0,
        })
        .collect();
    let ms = timeout.map_or(-1, |t| i32::try_from(t.as_micros().div_ceil(1000)).unwrap_or(i32::MAX));
    // SAFETY: pointer and length are those of `polls`.
    let n = unsafe { libc::poll(polls.as_mut_ptr(), polls.len() as libc::nfds_t, ms) };
    match check(n.into(), || format!("poll({} descriptors, {ms})", polls.len())) {
        Ok(_) => Ok(polls.iter().map(|p| p.revents != 0).collect()),
        Err(e) if e.is(libc::EINTR) => Ok(vec![false; polls.len()]),
        Err(e) => Err(e),
    }
}
