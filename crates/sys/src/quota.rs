//! Quota of projects: what all files with one project number may take (quotactl_fd(2), Linux 5.14;
//! ioctl_xfs_fsgetxattr(2), which ext4 has as well).
//!
//! Only root of the initial user namespace may change either.

use crate::call::{check, word};
use crate::error::{CallError, Result};
use std::os::fd::{AsFd, AsRawFd};

const PROJECT: u32 = 2;
const GET: u32 = 0x80_0007;
const SET: u32 = 0x80_0008;
/// `Q_XGETQSTATV`, which ext4 answers as well.
const STATE: u32 = 0x5808;
const PROJECT_COUNTED: u16 = 1 << 4;
const PROJECT_ENFORCED: u16 = 1 << 5;

/// `FS_IOC_FSGETXATTR` and `FS_IOC_FSSETXATTR`.
const GET_ATTRIBUTES: libc::Ioctl = libc::_IOR::<Attributes>(b'X' as u32, 31);
const SET_ATTRIBUTES: libc::Ioctl = libc::_IOW::<Attributes>(b'X' as u32, 32);
const INHERIT: u32 = 0x200;

/// Whether a file system keeps quota of projects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does not.
    Off,
    /// It counts, and refuses nothing.
    Counted,
    /// It counts, and refuses what goes over a limit.
    Enforced,
}

/// Limits of one resource; 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// May be exceeded for the file system's time of grace.
    pub soft: u64,
    /// May never be exceeded.
    pub hard: u64,
}

/// What a project takes and may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Of space, in bytes; the kernel keeps multiples of 1024.
    pub space: Limit,
    /// Of files of every kind.
    pub files: Limit,
    /// Bytes taken.
    pub space_used: u64,
    /// Files that are there.
    pub files_used: u64,
    /// Until when its space may be over the soft limit (seconds of the epoch); 0 if it is not.
    pub space_until: u64,
    /// The same for files.
    pub files_until: u64,
}

/// `struct if_dqblk`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    space_hard: u64,
    space_soft: u64,
    space_used: u64,
    files_hard: u64,
    files_soft: u64,
    files_used: u64,
    space_until: u64,
    files_until: u64,
    valid: u32,
}

/// The unit of limits of space.
const UNIT: u64 = 1024;
const LIMITS_ARE_VALID: u32 = 1 | 4;

/// `struct fsxattr`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Attributes {
    flags: u32,
    extent: u32,
    extents: u32,
    project: u32,
    cow_extent: u32,
    pad: [u8; 8],
}

fn quotactl<T>(fd: impl AsFd, command: u32, name: &str, project: u32, data: &mut T) -> Result<()> {
    let fd = fd.as_fd().as_raw_fd();
    let number = (command << 8) | PROJECT;
    // SAFETY: `data` is the structure that this command reads or writes, see each caller.
    let done = unsafe { libc::syscall(libc::SYS_quotactl_fd, fd, word(number.into()), project, data) };
    check(done, || format!("quotactl_fd({fd}, QCMD({name}, PRJQUOTA), {project}, …)")).map(drop)
}

/// Does the file system of this descriptor keep quota of projects?
pub fn state(fd: impl AsFd) -> Result<State> {
    // struct fs_quota_statv: a version, a byte, the flags, and numbers up to 256 bytes.
    let mut answer = [0u16; 128];
    answer[0] = u16::from_ne_bytes([1, 0]);
    match quotactl(fd, STATE, "Q_XGETQSTATV", 0, &mut answer) {
        Ok(()) if answer[1] & PROJECT_ENFORCED != 0 => Ok(State::Enforced),
        Ok(()) if answer[1] & PROJECT_COUNTED != 0 => Ok(State::Counted),
        Ok(()) => Ok(State::Off),
        Err(e) if is_off(&e) => Ok(State::Off),
        Err(e) => Err(e),
    }
}

/// A kernel or a file system without quota, and memory or a network behind it.
fn is_off(e: &CallError) -> bool {
    [libc::ENOSYS, libc::EOPNOTSUPP, libc::EINVAL, libc::ENODEV, libc::ENOTBLK, libc::ESRCH]
        .into_iter()
        .any(|n| e.is(n))
}

/// What a project takes and may take, on the file system of this descriptor.
pub fn get(fd: impl AsFd, project: u32) -> Result<Quota> {
    let mut block = Block::default();
    quotactl(fd, GET, "Q_GETQUOTA", project, &mut block)?;
    let bytes = |units: u64| units.saturating_mul(UNIT);
    Ok(Quota {
        space: Limit { soft: bytes(block.space_soft), hard: bytes(block.space_hard) },
        files: Limit { soft: block.files_soft, hard: block.files_hard },
        space_used: block.space_used,
        files_used: block.files_used,
        space_until: block.space_until,
        files_until: block.files_until,
    })
}

/// Sets what a project may take.
pub fn set(fd: impl AsFd, project: u32, space: Limit, files: Limit) -> Result<()> {
    let mut block = Block {
        space_hard: space.hard.div_ceil(UNIT),
        space_soft: space.soft.div_ceil(UNIT),
        files_hard: files.hard,
        files_soft: files.soft,
        valid: LIMITS_ARE_VALID,
        ..Block::default()
    };
    quotactl(fd, SET, "Q_SETQUOTA", project, &mut block)
}

fn attributes(fd: impl AsFd) -> Result<Attributes> {
    let fd = fd.as_fd().as_raw_fd();
    let mut all = Attributes::default();
    // SAFETY: the command writes a struct fsxattr, which `Attributes` is.
    let done = unsafe { libc::ioctl(fd, GET_ATTRIBUTES, &mut all) };
    check(done.into(), || format!("ioctl({fd}, FS_IOC_FSGETXATTR)"))?;
    Ok(all)
}

/// The project of an open file, and whether what is made in this directory gets it.
pub fn project(fd: impl AsFd) -> Result<(u32, bool)> {
    let all = attributes(fd)?;
    Ok((all.project, all.flags & INHERIT != 0))
}

/// Gives an open file to a project; with `inherit`, for directories, what is made in it from now on as well.
pub fn set_project(fd: impl AsFd, project: u32, inherit: bool) -> Result<()> {
    let fd = fd.as_fd();
    let mut all = attributes(fd)?;
    all.project = project;
    all.flags = if inherit { all.flags | INHERIT } else { all.flags & !INHERIT };
    // SAFETY: the command reads a struct fsxattr, which `Attributes` is.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), SET_ATTRIBUTES, &all) };
    check(done.into(), || format!("ioctl({}, FS_IOC_FSSETXATTR, {{project {project}}})", fd.as_raw_fd()))
        .map(drop)
}
