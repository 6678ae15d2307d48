//! Extended attributes (xattr(7)), of what a descriptor refers to, which may be one of `O_PATH`.

use crate::call::{check, path as c};
use crate::error::Result;
use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStringExt;

/// No list of names and no value is longer (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
const MOST: usize = 1 << 16;

/// The kernel takes no `O_PATH` descriptor for this, but its link in /proc; what that leads to is
/// followed no further, even if it is a symbolic link.
fn place(fd: &impl AsFd) -> CString {
    c(format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd()))
}

fn length(returned: isize, call: impl FnOnce() -> String) -> Result<usize> {
    let length = check(returned as libc::c_long, call)?;
    Ok(usize::try_from(length).unwrap_or(0))
}

/// The names of all that a caller may see (listxattr(2)).
pub fn names(fd: impl AsFd) -> Result<Vec<OsString>> {
    let at = place(&fd);
    let call = || format!("listxattr({at:?})");
    // SAFETY: `at` is a C string; of the list only its length is asked.
    let most = length(unsafe { libc::listxattr(at.as_ptr(), std::ptr::null_mut(), 0) }, call)?;
    if most == 0 {
        return Ok(Vec::new());
    }
    let mut list = vec![0u8; MOST];
    // SAFETY: `at` is a C string, and the pointer and length are those of `list`.
    let got = unsafe { libc::listxattr(at.as_ptr(), list.as_mut_ptr().cast(), list.len()) };
    list.truncate(length(got, call)?);
    let names = list.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(|name| OsString::from_vec(name.to_vec())).collect())
}

/// The value of one (getxattr(2)); `None` if there is none of this name.
pub fn get(fd: impl AsFd, name: impl AsRef<OsStr>) -> Result<Option<Vec<u8>>> {
    let (at, name) = (place(&fd), c(name.as_ref()));
    let call = || format!("getxattr({at:?}, {name:?})");
    let ask = |value: &mut [u8]| {
        // SAFETY: both are C strings, and the pointer and length are those of `value`.
        unsafe { libc::getxattr(at.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) }
    };
    let mut value = vec![0u8; 256];
    let mut got = length(ask(&mut value), call);
    if let Err(e) = &got
        && e.is(libc::ERANGE)
    {
        value.resize(MOST, 0);
        got = length(ask(&mut value), call);
    }
    match got {
        Ok(length) => {
            value.truncate(length);
            Ok(Some(value))
        }
        Err(e) if e.is(libc::ENODATA) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Sets one (setxattr(2)).
pub fn set(fd: impl AsFd, name: impl AsRef<OsStr>, value: &[u8]) -> Result<()> {
    let (at, name) = (place(&fd), c(name.as_ref()));
    // SAFETY: both are C strings, and the pointer and length are those of `value`.
    let done = unsafe { libc::setxattr(at.as_ptr(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) };
    check(done.into(), || format!("setxattr({at:?}, {name:?}, …, {})", value.len())).map(drop)
}

/// Removes one (removexattr(2)).
pub fn remove(fd: impl AsFd, name: impl AsRef<OsStr>) -> Result<()> {
    let (at, name) = (place(&fd), c(name.as_ref()));
    // SAFETY: both are C strings.
    let done = unsafe { libc::removexattr(at.as_ptr(), name.as_ptr()) };
    check(done.into(), || format!("removexattr({at:?}, {name:?})")).map(drop)
}
