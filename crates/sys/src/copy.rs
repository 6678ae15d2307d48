//! What copies of files need beside their content: nodes, times, holes.

use crate::call::{check, path as c};
use crate::error::Result;
use std::fmt::Debug;
use std::fs::Metadata;
use std::io::{Seek, SeekFrom};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Makes a device, a FIFO or a socket (mknodat(2)); `mode` has its kind, `S_IF…`, as well.
pub fn make_node(dir: impl AsFd, name: impl AsRef<Path> + Debug, mode: u32, device: u64) -> Result<()> {
    let (dir, at) = (dir.as_fd().as_raw_fd(), c(name.as_ref()));
    // SAFETY: `at` is a C string that lives over the call.
    let done = unsafe { libc::mknodat(dir, at.as_ptr(), mode, device) };
    check(done.into(), || format!("mknodat({dir}, {name:?}, {mode:#o}, {device:#x})")).map(drop)
}

/// Gives what a descriptor refers to, which may be one of `O_PATH`, the times of another file
/// (utimensat(2)); of a symbolic link, its own.
pub fn set_times(fd: impl AsFd, of: &Metadata) -> Result<()> {
    let fd = fd.as_fd().as_raw_fd();
    let time = |tv_sec, tv_nsec| libc::timespec { tv_sec, tv_nsec };
    let times = [time(of.atime(), of.atime_nsec()), time(of.mtime(), of.mtime_nsec())];
    // SAFETY: the empty path is a C string, and `times` are the two that the call reads.
    let done = unsafe { libc::utimensat(fd, c"".as_ptr(), times.as_ptr(), libc::AT_EMPTY_PATH) };
    check(done.into(), || format!("utimensat({fd}, \"\", …, AT_EMPTY_PATH)")).map(drop)
}

/// Sets when an open file was changed last, and read last with it (futimens(3)).
pub fn touch(fd: impl AsFd, moment: (i64, u32)) -> Result<()> {
    let fd = fd.as_fd().as_raw_fd();
    let times = [timespec(moment); 2];
    // SAFETY: `times` are the two that the call reads.
    check(unsafe { libc::futimens(fd, times.as_ptr()) }.into(), || format!("futimens({fd}, {moment:?})"))
        .map(drop)
}

/// The same for a name in a directory; of a symbolic link, its own (utimensat(2)).
pub fn touch_at(dir: impl AsFd, name: impl AsRef<Path> + Debug, moment: (i64, u32)) -> Result<()> {
    let (dir, at) = (dir.as_fd().as_raw_fd(), c(name.as_ref()));
    let times = [timespec(moment); 2];
    // SAFETY: `at` is a C string, and `times` are the two that the call reads.
    let done = unsafe { libc::utimensat(dir, at.as_ptr(), times.as_ptr(), libc::AT_SYMLINK_NOFOLLOW) };
    check(done.into(), || format!("utimensat({dir}, {name:?}, {moment:?}, AT_SYMLINK_NOFOLLOW)")).map(drop)
}

fn timespec((seconds, nanoseconds): (i64, u32)) -> libc::timespec {
    libc::timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() }
}

/// Gives a name in a directory to a user and group; a symbolic link itself (fchownat(2)).
pub fn set_owner_at(dir: impl AsFd, name: impl AsRef<Path> + Debug, user: u32, group: u32) -> Result<()> {
    let (dir, at) = (dir.as_fd().as_raw_fd(), c(name.as_ref()));
    // SAFETY: `at` is a C string that lives over the call.
    let done = unsafe { libc::fchownat(dir, at.as_ptr(), user, group, libc::AT_SYMLINK_NOFOLLOW) };
    check(done.into(), || format!("fchownat({dir}, {name:?}, {user}, {group}, AT_SYMLINK_NOFOLLOW)"))
        .map(drop)
}

/// Sets the permissions of what a descriptor of `O_PATH` refers to, but not of a symbolic link (chmod(2)).
pub fn set_mode_of(fd: impl AsFd, mode: u32) -> Result<()> {
    let at = c(format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd()));
    // SAFETY: `at` is a C string that lives over the call.
    check(unsafe { libc::chmod(at.as_ptr(), mode) }.into(), || format!("chmod({at:?}, {mode:#o})")).map(drop)
}

/// Gives a file another name; a symbolic link itself gets it (linkat(2)).
pub fn link(
    from_dir: impl AsFd,
    from: impl AsRef<Path> + Debug,
    to_dir: impl AsFd,
    to: impl AsRef<Path> + Debug,
) -> Result<()> {
    let [from_dir, to_dir] = [from_dir.as_fd().as_raw_fd(), to_dir.as_fd().as_raw_fd()];
    let (old, new) = (c(from.as_ref()), c(to.as_ref()));
    // SAFETY: both are C strings that live over the call.
    let done = unsafe { libc::linkat(from_dir, old.as_ptr(), to_dir, new.as_ptr(), 0) };
    check(done.into(), || format!("linkat({from_dir}, {from:?}, {to_dir}, {to:?}, 0)")).map(drop)
}

/// Where a file has content: the runs between its holes, in order.
pub fn pieces(file: &std::fs::File, length: u64) -> std::io::Result<Vec<(u64, u64)>> {
    let (mut all, mut at) = (Vec::new(), 0);
    while at < length {
        let Some((begin, end)) = data(file, at, length)? else { break };
        if begin < end {
            all.push((begin, end - begin));
        }
        at = end.max(at + 1);
    }
    Ok(all)
}

/// What a file system has room for, for whoever may not take what is kept for root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// In bytes.
    pub bytes: u64,
    /// In files; 0 where their number is not limited.
    pub files: u64,
}

/// What the file system of a descriptor has room for (fstatvfs(3)).
pub fn room(fd: impl AsFd) -> Result<Room> {
    let fd = fd.as_fd().as_raw_fd();
    let mut found = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: `found` has room for the result.
    check(unsafe { libc::fstatvfs(fd, found.as_mut_ptr()) }.into(), || format!("fstatvfs({fd})"))?;
    // SAFETY: the call succeeded and filled it.
    let found = unsafe { found.assume_init() };
    Ok(Room { bytes: found.f_bavail.saturating_mul(found.f_frsize), files: found.f_favail })
}

/// Copies the content of a file into an empty one, within the kernel where it can
/// (copy_file_range(2)); holes stay holes. `wrote` hears of each part and says whether to go on.
///
/// # Errors
/// Whatever a read, a write or a seek of either file fails with.
pub fn copy_content(
    from: &std::fs::File,
    to: &std::fs::File,
    mut wrote: impl FnMut(u64) -> bool,
) -> std::io::Result<()> {
    let (mut source, mut target) = (from, to);
    let length = source.metadata()?.len();
    let mut at = 0;
    while at < length {
        let Some((begin, end)) = data(from, at, length)? else { break };
        let mut left = end - begin;
        source.seek(SeekFrom::Start(begin))?;
        target.seek(SeekFrom::Start(begin))?;
        while left > 0 {
            // std copies with copy_file_range(2), and with read(2) and write(2) where that cannot.
            let part = std::io::copy(&mut std::io::Read::take(source, left.min(1 << 26)), &mut target)?;
            if part == 0 {
                // It has become shorter meanwhile.
                break;
            }
            left -= part;
            if !wrote(part) {
                return Ok(());
            }
        }
        at = end;
    }
    to.set_len(length)
}

/// The next run of data from `at` on (lseek(2), `SEEK_DATA`); all there is where a file system knows
/// of no holes.
fn data(file: &std::fs::File, at: u64, length: u64) -> std::io::Result<Option<(u64, u64)>> {
    let fd = file.as_fd().as_raw_fd();
    let seek = |at: u64, whence| {
        let at = libc::off_t::try_from(at).map_err(|_| std::io::Error::from_raw_os_error(libc::EFBIG))?;
        // SAFETY: lseek takes no pointers.
        let found = unsafe { libc::lseek(fd, at, whence) };
        u64::try_from(found).map_err(|_| std::io::Error::last_os_error())
    };
    let begin = match seek(at, libc::SEEK_DATA) {
        Err(e) if e.raw_os_error() == Some(libc::ENXIO) => return Ok(None),
        Err(e) if e.raw_os_error() == Some(libc::EINVAL) => return Ok(Some((at, length))),
        found => found?,
    };
    Ok(Some((begin, seek(begin, libc::SEEK_HOLE)?.min(length).max(begin))))
}
