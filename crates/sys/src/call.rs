//! The one way from here into the kernel.

use crate::error::{CallError, Errno, Result};
use std::ffi::{CString, OsStr};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

/// Turns -1 into an error that names the call; `call` is only put into words if it failed.
pub(crate) fn check(returned: libc::c_long, call: impl FnOnce() -> String) -> Result<libc::c_long> {
    if returned == -1 { Err(CallError { errno: Errno::last(), call: call() }) } else { Ok(returned) }
}

/// A path for the kernel. One with a NUL byte names nothing: it becomes the empty path, for
/// which the kernel has `ENOENT`.
pub(crate) fn path(path: impl AsRef<OsStr>) -> CString {
    CString::new(path.as_ref().as_bytes()).unwrap_or_default()
}

/// Takes a descriptor that a call has just returned.
pub(crate) fn own(returned: libc::c_long) -> OwnedFd {
    let fd = RawFd::try_from(returned).unwrap_or(-1);
    assert!(fd >= 0, "the kernel returned {returned} as a descriptor");
    // SAFETY: `returned` is the fresh descriptor of a successful call and nobody else has it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// A number that the kernel takes as the machine word of an argument.
pub(crate) fn word(n: u64) -> libc::c_long {
    n.cast_signed()
}

/// The number of an ioctl, in the type that the C library has for it.
#[cfg(target_env = "musl")]
pub(crate) const fn request(number: u32) -> libc::Ioctl {
    number.cast_signed()
}

/// The number of an ioctl, in the type that the C library has for it.
#[cfg(not(target_env = "musl"))]
pub(crate) const fn request(number: u32) -> libc::Ioctl {
    number as libc::Ioctl
}
