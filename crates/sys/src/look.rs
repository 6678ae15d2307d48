//! Looking at files without using them: what they are, whose, and how they are mounted.

use crate::call::{check, path as c};
use crate::error::Result;
use std::ffi::OsString;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

pub use libc::{S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK};

/// What a path or descriptor refers to (stat(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Kind (`S_IF…`) and permissions.
    pub mode: u32,
    /// The owner, as this process's user namespace has it.
    pub user: u32,
    /// The group.
    pub group: u32,
    /// The length in bytes.
    pub size: u64,
    /// How many names it has.
    pub links: u64,
    /// The device that the inode lives on.
    pub device: u64,
    /// The inode's number there.
    pub inode: u64,
}

/// What a name in a directory refers to; a symbolic link is itself, and nothing is mounted by asking.
/// An empty name is the descriptor itself.
pub fn status_at(dir: impl AsFd, name: impl AsRef<Path>) -> Result<Status> {
    let (fd, name) = (dir.as_fd().as_raw_fd(), c(name.as_ref()));
    let flags = libc::AT_SYMLINK_NOFOLLOW | libc::AT_NO_AUTOMOUNT | libc::AT_EMPTY_PATH;
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `name` is a C string and `stat` has room for the result.
    let done = unsafe { libc::fstatat(fd, name.as_ptr(), stat.as_mut_ptr(), flags) };
    check(done.into(), || format!("fstatat({fd}, {name:?}, {flags:#x})"))?;
    // SAFETY: the call succeeded and filled it.
    let stat = unsafe { stat.assume_init() };
    Ok(Status {
        mode: stat.st_mode,
        user: stat.st_uid,
        group: stat.st_gid,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        // Its width differs between machines.
        #[allow(clippy::useless_conversion, reason = "u32 on arm")]
        links: stat.st_nlink.into(),
        device: stat.st_dev,
        inode: stat.st_ino,
    })
}

/// How the file system of a descriptor is mounted (statvfs(3)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mounted {
    /// Nothing can be written.
    pub read_only: bool,
    /// Setuid bits and file capabilities count for nothing.
    pub nosuid: bool,
    /// Devices cannot be opened.
    pub nodev: bool,
}

/// How the file system of a descriptor is mounted.
pub fn mounted(fd: impl AsFd) -> Result<Mounted> {
    let fd = fd.as_fd().as_raw_fd();
    let mut found = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: `found` has room for the result.
    check(unsafe { libc::fstatvfs(fd, found.as_mut_ptr()) }.into(), || format!("fstatvfs({fd})"))?;
    // SAFETY: the call succeeded and filled it.
    let flags = unsafe { found.assume_init() }.f_flag;
    let has = |flag| flags & flag != 0;
    // statvfs(3) of the C library tells this one only by its number in the kernel.
    const NODEV: libc::c_ulong = 4;
    Ok(Mounted { read_only: has(libc::ST_RDONLY), nosuid: has(libc::ST_NOSUID), nodev: has(NODEV) })
}

/// Has the file of a descriptor, which may be one of `O_PATH`, this extended attribute (getxattr(2))?
pub fn has_attribute(fd: impl AsFd, name: &str) -> bool {
    // The kernel takes no O_PATH descriptor for this, but its link in /proc.
    let path = c(format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd()));
    let name = c(name);
    // SAFETY: both are C strings; of the value only its length is asked.
    unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), std::ptr::null_mut(), 0) >= 0 }
}

/// So many bytes of entries are read at a time: those of most directories.
const ENTRIES: usize = 16 << 10;

/// The names in a directory, in no order; at most `most` of them, and whether that is all (getdents64(2)). The
/// descriptor may be one of `O_PATH`, and its position does not matter.
pub fn names(dir: impl AsFd, most: usize) -> Result<(Vec<OsString>, bool)> {
    let own = crate::fs::open(dir, ".", libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
    let fd = own.as_raw_fd();
    let mut names = Vec::new();
    let mut buffer = vec![0u8; ENTRIES];
    loop {
        // SAFETY: the pointer and length are those of `buffer`, which is ours alone.
        let got = unsafe { libc::syscall(libc::SYS_getdents64, fd, buffer.as_mut_ptr(), buffer.len()) };
        let got = check(got, || format!("getdents64({fd})"))?;
        let mut entries = buffer.get(..usize::try_from(got).unwrap_or(0)).unwrap_or_default();
        if entries.is_empty() {
            return Ok((names, true));
        }
        while let Some((name, rest)) = entry(entries) {
            entries = rest;
            if name == b"." || name == b".." {
                continue;
            }
            if names.len() == most {
                return Ok((names, false));
            }
            names.push(OsString::from_vec(name.to_vec()));
        }
    }
}

/// The first entry's name, and what is behind the entry. It is `struct linux_dirent64`: two numbers of 64 bits, its
/// length in 16 and its kind in 8, and the name with a zero at its end.
fn entry(entries: &[u8]) -> Option<(&[u8], &[u8])> {
    const NAME: usize = 19;
    let length = usize::from(u16::from_ne_bytes(entries.get(16..18)?.try_into().ok()?));
    let name = entries.get(NAME..length)?;
    let end = name.iter().position(|byte| *byte == 0)?;
    Some((&name[..end], &entries[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_names_of_a_large_directory() {
        let place = std::env::temp_dir().join(format!("jaula-names-{}", std::process::id()));
        std::fs::create_dir_all(&place).unwrap();
        let mut made: Vec<OsString> =
            (0..3000).map(|n| format!("{n}-{}", "x".repeat(n % 200)).into()).collect();
        for name in &made {
            std::fs::write(place.join(name), "").unwrap();
        }
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        let directory = crate::fs::open(crate::fs::CWD, &place, flags, 0).unwrap();
        let (mut found, is_all) = names(&directory, usize::MAX).unwrap();
        made.sort();
        found.sort();
        assert!(is_all && found == made);
        let (some, is_all) = names(&directory, 10).unwrap();
        assert_eq!((some.len(), is_all), (10, false));
        assert_eq!(names(&directory, 3000).unwrap().0.len(), 3000);
        std::fs::remove_dir_all(place).unwrap();
    }
}
