//! btrfs: subvolumes, snapshots, and how much room they may take (btrfs-ioctl(2)).

use crate::call::check;
use crate::error::{CallError, Errno, Result};
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;

/// The file system's magic number (statfs(2)).
pub const MAGIC: i64 = 0x9123_683e;
/// The inode of every subvolume's top directory.
const TOP: u64 = 256;
/// The longest name.
const NAME: usize = 255;

/// An ioctl's number: the direction of its argument, its place in btrfs's list, its size.
const fn number(direction: u32, place: u32, size: usize) -> libc::Ioctl {
    #[expect(clippy::cast_possible_truncation, reason = "sizes here are below 16384")]
    crate::call::request(direction << 30 | (size as u32) << 16 | 0x94 << 8 | place)
}
const NONE: u32 = 0;
const WRITE: u32 = 1;
const READ: u32 = 2;

/// `struct btrfs_ioctl_vol_args`
#[repr(C)]
struct Volume {
    fd: i64,
    name: [u8; 4088],
}

/// `struct btrfs_ioctl_vol_args_v2`
#[repr(C)]
struct VolumeTwo {
    fd: i64,
    transaction: u64,
    flags: u64,
    unused: [u64; 4],
    name: [u8; 4040],
}

fn put(name: &OsStr, into: &mut [u8], call: &str) -> Result<()> {
    let bytes = name.as_bytes();
    if bytes.is_empty() || bytes.len() > NAME || bytes.contains(&b'/') {
        return Err(CallError { call: format!("{call}({name:?})"), errno: Errno(libc::EINVAL) });
    }
    into[..bytes.len()].copy_from_slice(bytes);
    Ok(())
}

fn with_volume(dir: BorrowedFd<'_>, name: &OsStr, place: u32, what: &str) -> Result<()> {
    let mut volume = Box::new(Volume { fd: 0, name: [0; 4088] });
    put(name, &mut volume.name, what)?;
    let fd = dir.as_raw_fd();
    // SAFETY: the structure is the kernel's `struct btrfs_ioctl_vol_args`, whose name ends in a 0.
    let done = unsafe { libc::ioctl(fd, number(WRITE, place, size_of::<Volume>()), &raw const *volume) };
    check(done.into(), || format!("ioctl({fd}, {what}, {name:?})")).map(drop)
}

/// Is it the top directory of a subvolume?
pub fn is_subvolume(fd: impl AsFd) -> Result<bool> {
    Ok(crate::fs::identity(&fd)?.inode == TOP && crate::fs::magic_of(fd)? == MAGIC)
}

/// Makes an empty subvolume in a directory.
pub fn create(dir: impl AsFd, name: impl AsRef<OsStr>) -> Result<()> {
    with_volume(dir.as_fd(), name.as_ref(), 14, "BTRFS_IOC_SUBVOL_CREATE")
}

/// Makes a snapshot of a subvolume in a directory of the same file system.
pub fn snapshot(of: impl AsFd, dir: impl AsFd, name: impl AsRef<OsStr>, read_only: bool) -> Result<()> {
    const RDONLY: u64 = 2;
    let name = name.as_ref();
    let mut volume = Box::new(VolumeTwo {
        fd: of.as_fd().as_raw_fd().into(),
        transaction: 0,
        flags: if read_only { RDONLY } else { 0 },
        unused: [0; 4],
        name: [0; 4040],
    });
    put(name, &mut volume.name, "BTRFS_IOC_SNAP_CREATE_V2")?;
    let fd = dir.as_fd().as_raw_fd();
    // SAFETY: the structure is the kernel's `struct btrfs_ioctl_vol_args_v2`, whose name ends in a 0.
    let done = unsafe { libc::ioctl(fd, number(WRITE, 23, size_of::<VolumeTwo>()), &raw const *volume) };
    check(done.into(), || format!("ioctl({fd}, BTRFS_IOC_SNAP_CREATE_V2, {}, {name:?})", volume.fd)).map(drop)
}

/// Makes a subvolume read-only.
pub fn protect(fd: impl AsFd) -> Result<()> {
    let read_only: u64 = 2;
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: the argument is a word of flags that lives over the call.
    let done = unsafe { libc::ioctl(fd, number(WRITE, 26, size_of::<u64>()), &raw const read_only) };
    check(done.into(), || format!("ioctl({fd}, BTRFS_IOC_SUBVOL_SETFLAGS, read-only)")).map(drop)
}

/// Removes a subvolume with all in it, unless it holds another one (`ENOTEMPTY`).
pub fn remove(dir: impl AsFd, name: impl AsRef<OsStr>) -> Result<()> {
    with_volume(dir.as_fd(), name.as_ref(), 15, "BTRFS_IOC_SNAP_DESTROY")
}

/// The number of the subvolume that a file is in.
pub fn id(fd: impl AsFd) -> Result<u64> {
    let fd = fd.as_fd().as_raw_fd();
    // struct btrfs_ioctl_ino_lookup_args: tree, inode, a path
    let mut args = Box::new([0u64; 512]);
    args[1] = TOP;
    // SAFETY: the structure has the kernel's size and is ours alone.
    let done = unsafe { libc::ioctl(fd, number(READ | WRITE, 18, 4096), args.as_mut_ptr()) };
    check(done.into(), || format!("ioctl({fd}, BTRFS_IOC_INO_LOOKUP)"))?;
    Ok(args[0])
}

/// Begins to count how much room each subvolume takes, which goes on over mounts. What is there is
/// counted before this returns.
pub fn count_room(fd: impl AsFd) -> Result<()> {
    const ENABLE: u64 = 1;
    let fd = fd.as_fd().as_raw_fd();
    let mut args = [ENABLE, 0];
    // SAFETY: the structure is the kernel's `struct btrfs_ioctl_quota_ctl_args`.
    let done = unsafe { libc::ioctl(fd, number(READ | WRITE, 40, size_of_val(&args)), args.as_mut_ptr()) };
    check(done.into(), || format!("ioctl({fd}, BTRFS_IOC_QUOTA_CTL, ENABLE)"))?;
    // SAFETY: the command takes no argument.
    let done = unsafe { libc::ioctl(fd, number(NONE, 46, 0)) };
    check(done.into(), || format!("ioctl({fd}, BTRFS_IOC_QUOTA_RESCAN_WAIT)")).map(drop)
}

/// How much room a subvolume takes, and how much it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// All that it refers to, in bytes, be it its own or shared.
    pub used: u64,
    /// What of that is nobody else's.
    pub own: u64,
    /// The most that it may refer to.
    pub limit: Option<u64>,
}

/// Sets the most that a subvolume may refer to; `EINVAL` or `ENOTCONN` if nothing is counted.
pub fn set_limit(fd: impl AsFd, subvolume: u64, limit: Option<u64>) -> Result<()> {
    const MAX_REFERENCED: u64 = 1;
    let fd = fd.as_fd().as_raw_fd();
    // struct btrfs_ioctl_qgroup_limit_args: group, flags, referenced, exclusive, two reservations.
    // All bits set takes a limit away.
    let args = [subvolume, MAX_REFERENCED, limit.unwrap_or(u64::MAX), 0, 0, 0];
    // SAFETY: the structure has the kernel's layout and lives over the call.
    let done = unsafe { libc::ioctl(fd, number(READ, 43, size_of_val(&args)), args.as_ptr()) };
    check(done.into(), || format!("ioctl({fd}, BTRFS_IOC_QGROUP_LIMIT, {subvolume}, {limit:?})")).map(drop)
}

/// Forgets the counter of a subvolume that is gone; `EBUSY` as long as it is not gone wholly.
pub fn forget(fd: impl AsFd, subvolume: u64) -> Result<()> {
    let fd = fd.as_fd().as_raw_fd();
    // struct btrfs_ioctl_qgroup_create_args: make it?, which
    let args = [0, subvolume];
    // SAFETY: the structure has the kernel's layout and lives over the call.
    let done = unsafe { libc::ioctl(fd, number(WRITE, 42, size_of_val(&args)), args.as_ptr()) };
    check(done.into(), || format!("ioctl({fd}, BTRFS_IOC_QGROUP_CREATE, remove, {subvolume})")).map(drop)
}

/// What is counted for a subvolume; `None` if nothing is.
pub fn room(fd: impl AsFd, subvolume: u64) -> Result<Option<Room>> {
    const INFO: u32 = 242;
    const LIMIT: u32 = 244;
    // Each is asked for by its key: between the two are those of all other subvolumes.
    let Some(info) = quota_item(&fd, INFO, subvolume)? else { return Ok(None) };
    let mut room = Room {
        // Generation, referenced, compressed, exclusive, compressed.
        used: long(&info, 8).unwrap_or_default(),
        own: long(&info, 24).unwrap_or_default(),
        limit: None,
    };
    if let Some(limit) = quota_item(&fd, LIMIT, subvolume)? {
        // Flags, the most referenced.
        let limited = long(&limit, 0).is_some_and(|flags| flags & 1 != 0);
        room.limit = long(&limit, 8).filter(|_| limited);
    }
    Ok(Some(room))
}

/// One item of the tree of quotas (ioctl `BTRFS_IOC_TREE_SEARCH`); `None` if it or the tree is not there.
fn quota_item(fd: impl AsFd, kind: u32, subvolume: u64) -> Result<Option<Vec<u8>>> {
    const QUOTA_TREE: u64 = 8;
    let fd = fd.as_fd().as_raw_fd();
    // struct btrfs_ioctl_search_args: a key of 104 bytes, and room for what is found.
    let mut args = Box::new([0u64; 512]);
    args[..7].copy_from_slice(&[QUOTA_TREE, 0, 0, subvolume, subvolume, 0, u64::MAX]);
    args[7] = pair(kind, kind);
    args[8] = pair(1, 0);
    // SAFETY: the structure has the kernel's size and is ours alone.
    let done = unsafe { libc::ioctl(fd, number(READ | WRITE, 17, 4096), args.as_mut_ptr()) };
    match check(done.into(), || format!("ioctl({fd}, BTRFS_IOC_TREE_SEARCH, quota tree)")) {
        Err(e) if e.is(libc::ENOENT) => return Ok(None),
        searched => searched?,
    };
    if args[8] & 0xffff_ffff == 0 {
        return Ok(None);
    }
    let bytes: Vec<u8> = args[13..].iter().flat_map(|word| word.to_ne_bytes()).collect();
    // struct btrfs_ioctl_search_header: transaction, object, offset (64 bits), type, length (32)
    let length = short(&bytes, 28).unwrap_or_default() as usize;
    Ok(bytes.get(32..32 + length).map(<[u8]>::to_vec))
}

/// Two halves of a word, as they lie in memory.
fn pair(first: u32, second: u32) -> u64 {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&first.to_ne_bytes());
    bytes[4..].copy_from_slice(&second.to_ne_bytes());
    u64::from_ne_bytes(bytes)
}

/// What is on the disk is little-endian; the header is as the processor has it.
fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn short(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

const _: () = assert!(size_of::<Volume>() == 4096 && size_of::<VolumeTwo>() == 4096);
