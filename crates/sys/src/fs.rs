//! Files and directories, opened so that no symbolic link of a jail leads out of it.

use crate::call::{check, own, path as c};
use crate::error::Result;
use std::ffi::{CStr, OsStr, OsString};
use std::fmt::Debug;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

pub use libc::{
    O_APPEND, O_CLOEXEC, O_CREAT, O_DIRECTORY, O_EXCL, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY,
    O_RDWR, O_TMPFILE, O_TRUNC, O_WRONLY,
};

/// The current directory, where a call takes a directory's descriptor.
// SAFETY: AT_FDCWD is no descriptor that could be closed; every *at call knows it.
pub const CWD: BorrowedFd<'static> = unsafe { BorrowedFd::borrow_raw(libc::AT_FDCWD) };

/// How far [`open_in`] may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// As if the directory were `/`: absolute links and `..` stay in it (`RESOLVE_IN_ROOT`).
    Root,
    /// As `Root`, and no other mount may be on the way (`RESOLVE_NO_XDEV`).
    RootMount,
    /// No link may be on the way, nor `..` out of it (`RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS`).
    Beneath,
    /// As `Beneath`, and no other mount may be on the way (`RESOLVE_NO_XDEV`).
    Mount,
}

/// Opens a path (openat(2)); always close-on-exec. `mode` is for files that it creates.
pub fn open(dir: impl AsFd, path: impl AsRef<Path> + Debug, flags: i32, mode: u32) -> Result<OwnedFd> {
    let (dir, name) = (dir.as_fd().as_raw_fd(), c(path.as_ref()));
    // SAFETY: `name` is a C string that lives over the call.
    let fd = unsafe { libc::openat(dir, name.as_ptr(), flags | O_CLOEXEC, mode) };
    check(fd.into(), || format!("openat({dir}, {path:?}, {flags:#o})")).map(own)
}

/// How often openat2(2) is called again after `EAGAIN`: something was renamed or mounted anywhere
/// on the host while it followed a `..`, so that it cannot tell whether that led out.
pub(crate) const RENAMES: u32 = 1000;

/// Opens a path in a tree that is not trusted (openat2(2), Linux 5.6).
pub fn open_in(
    dir: impl AsFd,
    path: impl AsRef<Path> + Debug,
    flags: i32,
    mode: u32,
    within: Within,
) -> Result<OwnedFd> {
    let (dir, name) = (dir.as_fd().as_raw_fd(), c(path.as_ref()));
    let resolve = libc::RESOLVE_NO_MAGICLINKS
        | match within {
            Within::Root => libc::RESOLVE_IN_ROOT,
            Within::RootMount => libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_XDEV,
            Within::Beneath => libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS,
            Within::Mount => libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_XDEV,
        };
    let how = [u64::from((flags | O_CLOEXEC).cast_unsigned()), u64::from(mode), resolve];
    let call = || format!("openat2({dir}, {path:?}, {flags:#o}, {within:?})");
    let mut again = 0;
    loop {
        // SAFETY: `how` has the layout of struct open_how (three u64) and its size is given.
        let fd =
            unsafe { libc::syscall(libc::SYS_openat2, dir, name.as_ptr(), how.as_ptr(), size_of_val(&how)) };
        match check(fd, call) {
            Err(e) if e.is(libc::EAGAIN) && again < RENAMES => again += 1,
            opened => return opened.map(own),
        }
    }
}

/// Makes a directory (mkdirat(2)).
pub fn make_dir(dir: impl AsFd, path: impl AsRef<Path> + Debug, mode: u32) -> Result<()> {
    let (dir, name) = (dir.as_fd().as_raw_fd(), c(path.as_ref()));
    // SAFETY: `name` is a C string that lives over the call.
    let done = unsafe { libc::mkdirat(dir, name.as_ptr(), mode) };
    check(done.into(), || format!("mkdirat({dir}, {path:?}, {mode:#o})")).map(drop)
}

/// Sets which bits of a mode are taken from what this process makes (umask(2)).
pub fn set_umask(mask: u32) {
    // SAFETY: umask takes no pointers and cannot fail.
    unsafe { libc::umask(mask) };
}

/// Makes a symbolic link at `path` that reads `target` (symlinkat(2)).
pub fn make_link(
    target: impl AsRef<OsStr> + Debug,
    dir: impl AsFd,
    path: impl AsRef<Path> + Debug,
) -> Result<()> {
    let (dir, name, to) = (dir.as_fd().as_raw_fd(), c(path.as_ref()), c(target.as_ref()));
    // SAFETY: both are C strings that live over the call.
    let done = unsafe { libc::symlinkat(to.as_ptr(), dir, name.as_ptr()) };
    check(done.into(), || format!("symlinkat({target:?}, {dir}, {path:?})")).map(drop)
}

/// Removes a file, or with `directory` an empty directory (unlinkat(2)).
pub fn remove(dir: impl AsFd, path: impl AsRef<Path> + Debug, directory: bool) -> Result<()> {
    let (dir, name) = (dir.as_fd().as_raw_fd(), c(path.as_ref()));
    let flags = if directory { libc::AT_REMOVEDIR } else { 0 };
    // SAFETY: `name` is a C string that lives over the call.
    let done = unsafe { libc::unlinkat(dir, name.as_ptr(), flags) };
    check(done.into(), || format!("unlinkat({dir}, {path:?}, {flags:#x})")).map(drop)
}

/// Gives a file another name in the same directory, over an old one (renameat(2)).
pub fn rename(dir: impl AsFd, from: impl AsRef<Path> + Debug, to: impl AsRef<Path> + Debug) -> Result<()> {
    let (dir, old, new) = (dir.as_fd().as_raw_fd(), c(from.as_ref()), c(to.as_ref()));
    // SAFETY: both are C strings that live over the call.
    let done = unsafe { libc::renameat(dir, old.as_ptr(), dir, new.as_ptr()) };
    check(done.into(), || format!("renameat({dir}, {from:?}, {dir}, {to:?})")).map(drop)
}

/// renameat2(2), which not every C library has.
fn rename_with(from_dir: RawFd, from: &CStr, to_dir: RawFd, to: &CStr, flags: u32) -> libc::c_long {
    // SAFETY: both are C strings that live over the call.
    unsafe { libc::syscall(libc::SYS_renameat2, from_dir, from.as_ptr(), to_dir, to.as_ptr(), flags) }
}

/// Moves a file into another directory, where nothing of that name may be (renameat2(2)).
pub fn move_to(
    from_dir: impl AsFd,
    from: impl AsRef<Path> + Debug,
    to_dir: impl AsFd,
    to: impl AsRef<Path> + Debug,
) -> Result<()> {
    let [from_dir, to_dir] = [from_dir.as_fd().as_raw_fd(), to_dir.as_fd().as_raw_fd()];
    let (old, new) = (c(from.as_ref()), c(to.as_ref()));
    let done = rename_with(from_dir, &old, to_dir, &new, libc::RENAME_NOREPLACE);
    check(done, || format!("renameat2({from_dir}, {from:?}, {to_dir}, {to:?}, RENAME_NOREPLACE)")).map(drop)
}

/// Two files or directories get each other's names, in one step (renameat2(2)).
pub fn exchange(one: impl AsRef<Path> + Debug, other: impl AsRef<Path> + Debug) -> Result<()> {
    let (a, b) = (c(one.as_ref()), c(other.as_ref()));
    let here = libc::AT_FDCWD;
    let done = rename_with(here, &a, here, &b, libc::RENAME_EXCHANGE);
    check(done, || format!("renameat2(AT_FDCWD, {one:?}, AT_FDCWD, {other:?}, RENAME_EXCHANGE)")).map(drop)
}

/// Lets a file share another's blocks, as its copy (ioctl_ficlone(2)); not every file system can.
pub fn share_blocks(from: impl AsFd, to: impl AsFd) -> Result<()> {
    let (from, to) = (from.as_fd().as_raw_fd(), to.as_fd().as_raw_fd());
    // SAFETY: the argument of FICLONE is a descriptor, no address.
    let done = unsafe { libc::ioctl(to, libc::FICLONE, from) };
    check(done.into(), || format!("ioctl({to}, FICLONE, {from})")).map(drop)
}

/// Waits until all that was written to a file system is on its disk (syncfs(2)).
pub fn sync_file_system(fd: impl AsFd) -> Result<()> {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: syncfs takes no pointers.
    check(unsafe { libc::syncfs(fd) }.into(), || format!("syncfs({fd})")).map(drop)
}

/// Begins to write what a file has in memory to the disk, and waits for nothing (sync_file_range(2)).
pub fn begin_to_write(fd: impl AsFd) -> Result<()> {
    write_out(fd.as_fd(), libc::SYNC_FILE_RANGE_WRITE)
}

/// Waits until all bytes of a file have their place on the disk and are written there (sync_file_range(2)). Its
/// name, its length and where its bytes are may not be, nor does the disk's own cache count.
pub fn wait_for_writes(fd: impl AsFd) -> Result<()> {
    let (before, after) = (libc::SYNC_FILE_RANGE_WAIT_BEFORE, libc::SYNC_FILE_RANGE_WAIT_AFTER);
    write_out(fd.as_fd(), before | libc::SYNC_FILE_RANGE_WRITE | after)
}

fn write_out(fd: BorrowedFd<'_>, flags: libc::c_uint) -> Result<()> {
    let fd = fd.as_raw_fd();
    // SAFETY: sync_file_range takes no pointers; no length means to the end.
    let done = unsafe { libc::sync_file_range(fd, 0, 0, flags) };
    check(done.into(), || format!("sync_file_range({fd}, 0, 0, {flags:#x})")).map(drop)
}

/// Writes all bytes in one call where the kernel takes them (write(2)).
pub fn write(fd: impl AsFd, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        let n = write_some(&fd, bytes)?;
        bytes = &bytes[n.min(bytes.len())..];
    }
    Ok(())
}

/// Writes once, as many bytes as are taken (write(2)).
pub fn write_some(fd: impl AsFd, bytes: &[u8]) -> Result<usize> {
    let fd = fd.as_fd().as_raw_fd();
    loop {
        // SAFETY: the pointer and length are those of `bytes`.
        let n = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
        match check(n as libc::c_long, || format!("write({fd}, …, {})", bytes.len())) {
            Ok(n) => return Ok(usize::try_from(n).unwrap_or(0)),
            Err(e) if e.is(libc::EINTR) => {}
            Err(e) => return Err(e),
        }
    }
}

/// Reads once into `buffer`; 0 is the end (read(2)).
pub fn read(fd: impl AsFd, buffer: &mut [u8]) -> Result<usize> {
    let fd = fd.as_fd().as_raw_fd();
    loop {
        // SAFETY: the pointer and length are those of `buffer`, which is ours alone.
        let n = unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) };
        match check(n as libc::c_long, || format!("read({fd}, …, {})", buffer.len())) {
            Ok(n) => return Ok(usize::try_from(n).unwrap_or(0)),
            Err(e) if e.is(libc::EINTR) => {}
            Err(e) => return Err(e),
        }
    }
}

/// The whole of a small file; more than `limit` bytes are `EFBIG`.
pub fn read_all(fd: impl AsFd, limit: usize) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut part = [0; 8192];
    loop {
        match read(&fd, &mut part)? {
            0 => return Ok(all),
            n => all.extend_from_slice(&part[..n]),
        }
        if all.len() > limit {
            let call = format!("read({}, …) past {limit} bytes", fd.as_fd().as_raw_fd());
            return Err(crate::CallError { call, errno: crate::Errno(libc::EFBIG) });
        }
    }
}

/// What a descriptor refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The device (or pseudo file system) that the inode lives on.
    pub device: u64,
    /// The inode's number there.
    pub inode: u64,
}

fn stat(fd: i32, name: &std::ffi::CStr, flags: i32) -> Result<libc::stat> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `name` is a C string and `stat` has room for the result.
    let done = unsafe { libc::fstatat(fd, name.as_ptr(), stat.as_mut_ptr(), flags) };
    check(done.into(), || format!("fstatat({fd}, {name:?}, {flags:#x})"))?;
    // SAFETY: the call succeeded and filled it.
    Ok(unsafe { stat.assume_init() })
}

/// Which inode a descriptor refers to (fstat(2)). A pidfd's tells processes apart over the
/// whole uptime of the host (Linux 6.9).
pub fn identity(fd: impl AsFd) -> Result<Identity> {
    let stat = stat(fd.as_fd().as_raw_fd(), c"", libc::AT_EMPTY_PATH)?;
    Ok(Identity { device: stat.st_dev, inode: stat.st_ino })
}

/// Has it no name any more? A directory that is removed has no link left (stat(2)).
pub fn is_removed(fd: impl AsFd) -> Result<bool> {
    Ok(stat(fd.as_fd().as_raw_fd(), c"", libc::AT_EMPTY_PATH)?.st_nlink == 0)
}

/// The same by path; a symbolic link is itself.
pub fn identity_at(dir: impl AsFd, path: impl AsRef<Path>) -> Result<Identity> {
    let stat = stat(dir.as_fd().as_raw_fd(), &c(path.as_ref()), libc::AT_SYMLINK_NOFOLLOW)?;
    Ok(Identity { device: stat.st_dev, inode: stat.st_ino })
}

/// What kind of file a descriptor refers to, as far as callers tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A character device.
    Device {
        /// The number of its driver.
        major: u32,
        /// Its number there.
        minor: u32,
    },
    /// Anything else.
    Other,
}

/// What kind of file a descriptor refers to (fstat(2)).
pub fn kind(fd: impl AsFd) -> Result<Kind> {
    let stat = stat(fd.as_fd().as_raw_fd(), c"", libc::AT_EMPTY_PATH)?;
    Ok(match stat.st_mode & libc::S_IFMT {
        libc::S_IFDIR => Kind::Directory,
        libc::S_IFCHR => Kind::Device { major: libc::major(stat.st_rdev), minor: libc::minor(stat.st_rdev) },
        _ => Kind::Other,
    })
}

/// Opens what a descriptor made with `O_PATH` refers to, without a look at any path again.
pub fn reopen(fd: impl AsFd, flags: i32) -> Result<OwnedFd> {
    open(CWD, format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd()), flags, 0)
}

/// Gives a file to another user; its group stays (fchown(2)).
pub fn give(fd: impl AsFd, user: u32) -> Result<()> {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: fchown takes no pointers; the last argument stands for no change.
    check(unsafe { libc::fchown(fd, user, u32::MAX) }.into(), || format!("fchown({fd}, {user}, -1)"))
        .map(drop)
}

/// Gives what a descriptor refers to, which may be one of `O_PATH`, to a user and group (fchownat(2)).
pub fn set_owner(fd: impl AsFd, user: u32, group: u32) -> Result<()> {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: the empty path is a C string.
    let done = unsafe { libc::fchownat(fd, c"".as_ptr(), user, group, libc::AT_EMPTY_PATH) };
    check(done.into(), || format!("fchownat({fd}, \"\", {user}, {group}, AT_EMPTY_PATH)")).map(drop)
}

/// Sets the permissions of an open file (fchmod(2)).
pub fn set_mode(fd: impl AsFd, mode: u32) -> Result<()> {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: fchmod takes no pointers.
    check(unsafe { libc::fchmod(fd, mode) }.into(), || format!("fchmod({fd}, {mode:#o})")).map(drop)
}

/// What a symbolic link reads (readlinkat(2)); an empty name is the descriptor itself.
pub fn read_link(dir: impl AsFd, name: impl AsRef<Path> + Debug) -> Result<OsString> {
    let (dir, at) = (dir.as_fd().as_raw_fd(), c(name.as_ref()));
    // No path is longer (PATH_MAX).
    let mut text = vec![0u8; 4096];
    // SAFETY: `at` is a C string, and the pointer and length are those of `text`.
    let got = unsafe { libc::readlinkat(dir, at.as_ptr(), text.as_mut_ptr().cast(), text.len()) };
    let got = check(got as libc::c_long, || format!("readlinkat({dir}, {name:?})"))?;
    text.truncate(usize::try_from(got).unwrap_or(0));
    Ok(OsString::from_vec(text))
}

/// Locks an open file or directory for this open alone (flock(2)); `false`: somebody has it.
pub fn try_lock(fd: impl AsFd) -> Result<bool> {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: flock takes no pointers.
    let done = unsafe { libc::flock(fd, libc::LOCK_EX | libc::LOCK_NB) };
    match check(done.into(), || format!("flock({fd}, LOCK_EX | LOCK_NB)")) {
        Ok(_) => Ok(true),
        Err(e) if e.is(libc::EWOULDBLOCK) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Gives a lock back before its descriptor is closed (flock(2), `LOCK_UN`).
pub fn unlock(fd: impl AsFd) -> Result<()> {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: flock takes no pointers.
    check(unsafe { libc::flock(fd, libc::LOCK_UN) }.into(), || format!("flock({fd}, LOCK_UN)")).map(drop)
}

/// The magic number of the file system that a path is on (statfs(2)).
pub fn magic(path: impl AsRef<Path> + Debug) -> Result<i64> {
    let name = c(path.as_ref());
    let mut statfs = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: `name` is a C string and `statfs` has room for the result.
    let done = unsafe { libc::statfs(name.as_ptr(), statfs.as_mut_ptr()) };
    check(done.into(), || format!("statfs({path:?})"))?;
    // SAFETY: the call succeeded and filled it.
    Ok(number(u32::try_from(unsafe { statfs.assume_init() }.f_type)))
}

/// The magic number of the file system that a descriptor's file is on (fstatfs(2)).
pub fn magic_of(fd: impl AsFd) -> Result<i64> {
    let fd = fd.as_fd().as_raw_fd();
    let mut statfs = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: `statfs` has room for the result.
    let done = unsafe { libc::fstatfs(fd, statfs.as_mut_ptr()) };
    check(done.into(), || format!("fstatfs({fd})"))?;
    // SAFETY: the call succeeded and filled it.
    Ok(number(u32::try_from(unsafe { statfs.assume_init() }.f_type)))
}

/// All magic numbers have 32 bits; C libraries differ in how many they make of them.
fn number<E>(magic: std::result::Result<u32, E>) -> i64 {
    magic.map_or(-1, i64::from)
}

/// How much room a file system has, as df(1) asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Its size in bytes.
    pub size: u64,
    /// What of it is taken.
    pub used: u64,
    /// How many files it can have; 0 if it does not know.
    pub files: u64,
    /// How many it has.
    pub files_used: u64,
}

/// How much room a descriptor's file system has (fstatfs(2)); a quota of its directory counts.
pub fn space(fd: impl AsFd) -> Result<Space> {
    let fd = fd.as_fd().as_raw_fd();
    let mut statfs = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: `statfs` has room for the result.
    let done = unsafe { libc::fstatfs(fd, statfs.as_mut_ptr()) };
    check(done.into(), || format!("fstatfs({fd})"))?;
    // SAFETY: the call succeeded and filled it.
    let found = unsafe { statfs.assume_init() };
    let block = u32::try_from(found.f_frsize).map_or(0, u64::from);
    Ok(Space {
        size: found.f_blocks.saturating_mul(block),
        used: found.f_blocks.saturating_sub(found.f_bfree).saturating_mul(block),
        files: found.f_files,
        files_used: found.f_files.saturating_sub(found.f_ffree),
    })
}

/// Sends this process SIGIO whenever a file of a directory is written to, made, removed or renamed (fcntl(2),
/// `F_NOTIFY`), until the descriptor is closed. Unlike inotify's, of which a user has 128 for all that runs as he, these
/// are not counted.
///
/// # Errors
/// `EINVAL` on a kernel without it.
pub fn tell_of_changes(directory: impl AsFd) -> Result<()> {
    // DN_MODIFY, DN_CREATE, DN_DELETE, DN_RENAME, DN_MULTISHOT
    const F_NOTIFY: libc::c_int = 1026;
    const CHANGES: libc::c_long = 0x8000_001e;
    let fd = directory.as_fd().as_raw_fd();
    // SAFETY: F_NOTIFY takes no pointers.
    check(unsafe { libc::fcntl(fd, F_NOTIFY, CHANGES) }.into(), || format!("fcntl({fd}, F_NOTIFY)")).map(drop)
}

/// Sets a descriptor's flags anew: `O_NONBLOCK` or nothing (fcntl(2), `F_SETFL`).
pub fn set_nonblocking(fd: impl AsFd, on: bool) -> Result<()> {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: F_GETFL and F_SETFL take no pointers.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    check(flags.into(), || format!("fcntl({fd}, F_GETFL)"))?;
    let flags = if on { flags | O_NONBLOCK } else { flags & !O_NONBLOCK };
    // SAFETY: as above.
    check(unsafe { libc::fcntl(fd, libc::F_SETFL, flags) }.into(), || format!("fcntl({fd}, F_SETFL)"))
        .map(drop)
}

/// Opens `/dev/null` where a standard stream is closed: otherwise the next file that is opened
/// would be that stream, of this process and of those that it makes (poll(2)).
pub fn open_standard_streams() {
    let mut streams = [0, 1, 2].map(|fd| libc::pollfd { fd, events: 0, revents: 0 });
    // SAFETY: pointer and length are those of `streams`.
    let n = unsafe { libc::poll(streams.as_mut_ptr(), 3, 0) };
    if n > 0 && streams.iter().any(|stream| stream.revents & libc::POLLNVAL != 0) {
        // Each takes the lowest number that is free; the last one, above 2, is closed again.
        while let Ok(null) = open(CWD, "/dev/null", O_RDWR, 0) {
            if null.as_raw_fd() > 2 {
                break;
            }
            let number = std::os::fd::IntoRawFd::into_raw_fd(null);
            // SAFETY: F_SETFD takes no pointer. A standard stream is one over exec too.
            unsafe { libc::fcntl(number, libc::F_SETFD, 0) };
        }
    }
}
