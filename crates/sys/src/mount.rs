//! Mounts by descriptor: trees that are nowhere until they are moved into place.

use crate::call::{check, own, path as c};
use crate::error::Result;
use std::ffi::OsStr;
use std::fmt::Debug;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

pub use libc::{MOUNT_ATTR_IDMAP, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY};

/// A detached copy of the mount at a path, with all mounts below it if `recursive`
/// (open_tree(2), Linux 5.2).
pub fn clone_tree(dir: impl AsFd, path: impl AsRef<Path> + Debug, recursive: bool) -> Result<OwnedFd> {
    let (dir, name) = (dir.as_fd().as_raw_fd(), c(path.as_ref()));
    let flags = libc::OPEN_TREE_CLONE
        | libc::OPEN_TREE_CLOEXEC
        | libc::AT_EMPTY_PATH.cast_unsigned()
        | if recursive { libc::AT_RECURSIVE.cast_unsigned() } else { 0 };
    // SAFETY: `name` is a C string that lives over the call.
    let fd = unsafe { libc::syscall(libc::SYS_open_tree, dir, name.as_ptr(), flags) };
    check(fd, || format!("open_tree({dir}, {path:?}, {flags:#x})")).map(own)
}

/// Sets `MOUNT_ATTR_…` flags of a mount, and of those below it if `recursive`; with `MOUNT_ATTR_IDMAP`
/// its files' owners are mapped as in the user namespace `users` (mount_setattr(2), Linux 5.12).
///
/// It becomes private. The clone of a shared mount, as all are on a host with systemd, is a peer of it: what is
/// mounted in one appears in the other.
pub fn set(mount: impl AsFd, attributes: u64, users: Option<BorrowedFd<'_>>, recursive: bool) -> Result<()> {
    let fd = mount.as_fd().as_raw_fd();
    let users = users.map_or(0, |u| u64::from(u.as_raw_fd().cast_unsigned()));
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // struct mount_attr: attr_set, attr_clr, propagation, userns_fd
    let attr = [attributes, 0, libc::MS_PRIVATE, users];
    // SAFETY: `attr` has the layout of struct mount_attr and its size is given.
    let done = unsafe {
        libc::syscall(libc::SYS_mount_setattr, fd, c"".as_ptr(), flags, attr.as_ptr(), size_of_val(&attr))
    };
    check(done, || format!("mount_setattr({fd}, {attributes:#x}, userns: {users})")).map(drop)
}

/// A file system, mounted nowhere (fsopen(2), fsconfig(2), fsmount(2), Linux 5.2). An option without
/// a value is a flag.
pub fn new(kind: &str, options: &[(&str, Option<&OsStr>)], attributes: u64) -> Result<OwnedFd> {
    const SET_FLAG: u32 = 0;
    const SET_STRING: u32 = 1;
    const CREATE: u32 = 6;
    const CLOEXEC: u32 = 1;
    let name = c(kind);
    // SAFETY: `name` is a C string that lives over the call.
    let fs = unsafe { libc::syscall(libc::SYS_fsopen, name.as_ptr(), CLOEXEC) };
    let fs = check(fs, || format!("fsopen({kind:?})")).map(own)?;
    for (key, value) in options {
        let (k, v) = (c(key), value.map(c));
        let (command, v) = v.as_ref().map_or((SET_FLAG, std::ptr::null()), |v| (SET_STRING, v.as_ptr()));
        // SAFETY: both are C strings that live over the call; a flag has no value.
        let set = unsafe { libc::syscall(libc::SYS_fsconfig, fs.as_raw_fd(), command, k.as_ptr(), v, 0) };
        check(set, || format!("fsconfig({kind}, {key:?}, {value:?})"))?;
    }
    let null = std::ptr::null::<u8>();
    // SAFETY: this command takes neither key nor value.
    let made = unsafe { libc::syscall(libc::SYS_fsconfig, fs.as_raw_fd(), CREATE, null, null, 0) };
    check(made, || format!("fsconfig({kind}, CREATE)"))?;
    // SAFETY: fsmount takes no pointers.
    let mount = unsafe { libc::syscall(libc::SYS_fsmount, fs.as_raw_fd(), CLOEXEC, attributes) };
    check(mount, || format!("fsmount({kind}, {attributes:#x})")).map(own)
}

/// Gives this thread mounts of its own, which no other sees (unshare(2)).
pub fn own_namespace() -> Result<()> {
    // SAFETY: unshare takes no pointers.
    let done = unsafe { libc::unshare(libc::CLONE_NEWNS) };
    check(done.into(), || "unshare(CLONE_NEWNS)".to_owned())?;
    // struct mount_attr: attr_set, attr_clr, propagation, userns_fd
    let attr = [0u64, 0, libc::MS_PRIVATE, 0];
    // SAFETY: the path is a C string, `attr` has the layout of struct mount_attr and its size is given.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            c"/".as_ptr(),
            libc::AT_RECURSIVE,
            attr.as_ptr(),
            size_of_val(&attr),
        )
    };
    check(done, || "mount_setattr(AT_FDCWD, \"/\", AT_RECURSIVE, MS_PRIVATE)".to_owned()).map(drop)
}

/// Puts a mount that is nowhere onto a directory (move_mount(2)).
pub fn attach(mount: impl AsFd, at: impl AsRef<Path> + Debug) -> Result<()> {
    let (fd, to) = (mount.as_fd().as_raw_fd(), c(at.as_ref()));
    let here = libc::AT_FDCWD;
    // SAFETY: both paths are C strings that live over the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            fd,
            c"".as_ptr(),
            here,
            to.as_ptr(),
            libc::MOVE_MOUNT_F_EMPTY_PATH,
        )
    };
    check(done, || format!("move_mount({fd}, \"\", AT_FDCWD, {at:?}, MOVE_MOUNT_F_EMPTY_PATH)")).map(drop)
}
