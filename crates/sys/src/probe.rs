//! What this kernel has, asked in ways that change nothing.

use crate::call::{check, own, path as c};
use crate::error::Result;
use std::os::fd::AsRawFd;

/// Has the kernel clone3(2)? Asked for a structure that is too short.
pub fn has_clone3() -> bool {
    // SAFETY: with size 0 the call reads nothing and fails.
    let returned = unsafe { libc::syscall(libc::SYS_clone3, std::ptr::null::<u8>(), 0) };
    check(returned, String::new).is_err_and(|e| e.is(libc::EINVAL))
}

/// Has the kernel close_range(2)? Asked for a range that ends before it begins.
pub fn has_close_range() -> bool {
    // SAFETY: the call takes no pointers and closes nothing in an empty range.
    let returned = unsafe { libc::syscall(libc::SYS_close_range, 2, 1, 0) };
    check(returned, String::new).is_err_and(|e| e.is(libc::EINVAL))
}

/// Knows the kernel this value of a seccomp filter (`SECCOMP_GET_ACTION_AVAIL`, seccomp(2))?
pub fn has_seccomp_action(action: u32) -> bool {
    const GET_ACTION_AVAIL: libc::c_uint = 2;
    // SAFETY: the call reads a u32, which lives over it.
    unsafe { libc::syscall(libc::SYS_seccomp, GET_ACTION_AVAIL, 0, &raw const action) == 0 }
}

/// Knows the kernel a file system with this flag (fsopen(2), fsconfig(2))? Nothing is mounted.
pub fn file_system_option(kind: &str, flag: &str) -> Result<()> {
    const SET_FLAG: u32 = 0;
    const CLOEXEC: u32 = 1;
    let (name, key) = (c(kind), c(flag));
    // SAFETY: `name` is a C string that lives over the call.
    let fs = unsafe { libc::syscall(libc::SYS_fsopen, name.as_ptr(), CLOEXEC) };
    let fs = check(fs, || format!("fsopen({kind:?})")).map(own)?;
    let null = std::ptr::null::<u8>();
    // SAFETY: `key` is a C string that lives over the call; a flag has no value.
    let set = unsafe { libc::syscall(libc::SYS_fsconfig, fs.as_raw_fd(), SET_FLAG, key.as_ptr(), null, 0) };
    check(set, || format!("fsconfig({kind}, {flag:?})")).map(drop)
}
