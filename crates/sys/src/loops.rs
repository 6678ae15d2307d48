//! Loop devices: a file as a block device (loop(4)).

use crate::call::{check, path as c};
use crate::error::Result;
use std::os::fd::{AsFd, AsRawFd};

const LOOP_CTL_GET_FREE: libc::Ioctl = 0x4c82;
const LOOP_CONFIGURE: libc::Ioctl = 0x4c0a;
const LOOP_GET_STATUS64: libc::Ioctl = 0x4c05;
const LOOP_SET_CAPACITY: libc::Ioctl = 0x4c07;
const AUTOCLEAR: u32 = 4;
const DIRECT_IO: u32 = 16;

/// `struct loop_info64`
#[repr(C)]
#[derive(Clone, Copy)]
struct Info {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

impl Info {
    const EMPTY: Self = Self {
        device: 0,
        inode: 0,
        rdevice: 0,
        offset: 0,
        size_limit: 0,
        number: 0,
        encrypt_type: 0,
        encrypt_key_size: 0,
        flags: 0,
        file_name: [0; 64],
        crypt_name: [0; 64],
        encrypt_key: [0; 32],
        init: [0; 2],
    };
}

/// `struct loop_config`
#[repr(C)]
struct Configuration {
    file: u32,
    block_size: u32,
    info: Info,
    reserved: [u64; 8],
}

/// The number of a device that is free now, which is made if none is.
pub fn free(control: impl AsFd) -> Result<u32> {
    let fd = control.as_fd().as_raw_fd();
    // SAFETY: the command takes no argument.
    let number = unsafe { libc::ioctl(fd, LOOP_CTL_GET_FREE) };
    let number = check(number.into(), || format!("ioctl({fd}, LOOP_CTL_GET_FREE)"))?;
    Ok(u32::try_from(number).unwrap_or_default())
}

/// Binds a device to a file (Linux 5.8), until nobody has the device open or mounted. The file's pages
/// are not cached twice where its file system reads past the cache. `EBUSY`: somebody else was faster.
pub fn attach(device: impl AsFd, file: impl AsFd) -> Result<()> {
    let (fd, file) = (device.as_fd().as_raw_fd(), file.as_fd().as_raw_fd());
    let info = Info { flags: AUTOCLEAR | DIRECT_IO, ..Info::EMPTY };
    let configuration = Configuration { file: file.cast_unsigned(), block_size: 0, info, reserved: [0; 8] };
    // SAFETY: the structure is the kernel's `struct loop_config` and lives over the call.
    let done = unsafe { libc::ioctl(fd, LOOP_CONFIGURE, &raw const configuration) };
    check(done.into(), || format!("ioctl({fd}, LOOP_CONFIGURE, {file})")).map(drop)
}

/// The file that a device is bound to, as its file system's device and its inode; `ENXIO`: to none.
pub fn attached(device: impl AsFd) -> Result<crate::fs::Identity> {
    let fd = device.as_fd().as_raw_fd();
    let mut info = Info::EMPTY;
    // SAFETY: the structure is the kernel's `struct loop_info64`, and ours alone.
    let done = unsafe { libc::ioctl(fd, LOOP_GET_STATUS64, &raw mut info) };
    check(done.into(), || format!("ioctl({fd}, LOOP_GET_STATUS64)"))?;
    Ok(crate::fs::Identity { device: info.device, inode: info.inode })
}

/// Lets a device be as long as its file is now.
pub fn follow_size(device: impl AsFd) -> Result<()> {
    let fd = device.as_fd().as_raw_fd();
    // SAFETY: the command takes no argument.
    check(unsafe { libc::ioctl(fd, LOOP_SET_CAPACITY, 0) }.into(), || {
        format!("ioctl({fd}, LOOP_SET_CAPACITY)")
    })
    .map(drop)
}

/// Makes the node of a loop device, where the kernel has not (mknod(2)).
pub fn make_node(path: impl AsRef<std::path::Path>, number: u32) -> Result<()> {
    const MAJOR: u32 = 7;
    let (name, device) = (c(path.as_ref()), libc::makedev(MAJOR, number));
    // SAFETY: `name` is a C string that lives over the call.
    let done = unsafe { libc::mknod(name.as_ptr(), libc::S_IFBLK | 0o600, device) };
    check(done.into(), || format!("mknod({:?}, S_IFBLK, 7:{number})", path.as_ref())).map(drop)
}

/// Grows a mounted ext4 file system to so many blocks (ioctl_ext4, `EXT4_IOC_RESIZE_FS`). It needs
/// `CAP_SYS_RESOURCE` on the host.
pub fn grow_ext4(mounted: impl AsFd, blocks: u64) -> Result<()> {
    // _IOW('f', 16, __u64)
    const EXT4_IOC_RESIZE_FS: libc::Ioctl = 0x4008_6610;
    let fd = mounted.as_fd().as_raw_fd();
    // SAFETY: the command reads a u64, which lives over the call.
    let done = unsafe { libc::ioctl(fd, EXT4_IOC_RESIZE_FS, &raw const blocks) };
    check(done.into(), || format!("ioctl({fd}, EXT4_IOC_RESIZE_FS, {blocks})")).map(drop)
}

const _: () = assert!(size_of::<Info>() == 232 && size_of::<Configuration>() == 304);
