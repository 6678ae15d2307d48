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
