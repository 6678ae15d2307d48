//! The loop device of an image: it goes with its last user.

use crate::error::{Error, Result};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A file as a block device.
pub(super) struct Device {
    /// As long as it is open, or mounted, it is there.
    pub(super) fd: OwnedFd,
    /// Where the kernel finds it.
    pub(super) path: PathBuf,
}

/// The device of a file: the one that it has, or else a new one. Two for one file would be two file
/// systems on it.
pub(super) fn of(file: &OwnedFd) -> Result<Device> {
    // Whoever else is between looking and attaching waits for us, and finds ours.
    let locked = lock(file)?;
    let device = match attached(file)? {
        Some(device) => Ok(device),
        None => attach(file),
    };
    drop(locked);
    device
}

/// The device that a file has, if it has one.
pub(super) fn attached(file: &OwnedFd) -> Result<Option<Device>> {
    let failed = || Error::call("find the image's loop device");
    let wanted = sys::fs::identity(file).map_err(failed())?;
    let name = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let name = name.map_err(Error::io("find", Path::new("/proc/self/fd")))?;
    for entry in std::fs::read_dir("/sys/block").into_iter().flatten().flatten() {
        let device = entry.file_name();
        let number = device.to_str().and_then(|name| name.strip_prefix("loop")?.parse::<u32>().ok());
        let Some(number) = number else { continue };
        // Of a file that was renamed the kernel tells the new name.
        let backing = std::fs::read(entry.path().join("loop/backing_file")).unwrap_or_default();
        if !backing.starts_with(name.as_os_str().as_encoded_bytes()) {
            continue;
        }
        // It may go at any moment, as long as we do not have it open.
        let Ok(device) = open(number) else { continue };
        if sys::loops::attached(&device.fd).is_ok_and(|found| found == wanted) {
            return Ok(Some(device));
        }
    }
    Ok(None)
}

/// A descriptor of its own, so that the lock goes with it.
fn lock(file: &OwnedFd) -> Result<OwnedFd> {
    let failed = || Error::call("lock the image");
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    let own = sys::fs::open(sys::fs::CWD, own, sys::fs::O_RDONLY, 0).map_err(failed())?;
    let since = Instant::now();
    while !sys::fs::try_lock(&own).map_err(failed())? {
        if since.elapsed() > crate::claim::PATIENCE {
            return Err(Error::refused("the jail's image is busy", "somebody else has it locked"));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(own)
}

fn attach(file: &OwnedFd) -> Result<Device> {
    let failed = || Error::call("take a loop device");
    let control =
        sys::fs::open(sys::fs::CWD, "/dev/loop-control", sys::fs::O_RDWR, 0).map_err(|e| {
            match e.is(sys::errno::ENOENT) || e.is(sys::errno::ENODEV) {
                true => Error::refused(
                    "this host has no loop devices",
                    "load the kernel's module: modprobe loop; or take another store",
                ),
                false => failed()(e),
            }
        })?;
    loop {
        let device = open(sys::loops::free(&control).map_err(failed())?)?;
        match sys::loops::attach(&device.fd, file) {
            // Somebody else took it between the two calls.
            Err(e) if e.is(sys::errno::EBUSY) => {}
            attached => return attached.map(|()| device).map_err(failed()),
        }
    }
}

/// Opens a loop device. Where `/dev` is not the kernel's own, its node is made for a moment.
fn open(number: u32) -> Result<Device> {
    let failed = || Error::call("open a loop device");
    let path = PathBuf::from(format!("/dev/loop{number}"));
    match sys::fs::open(sys::fs::CWD, &path, sys::fs::O_RDWR, 0) {
        Err(e) if e.is(sys::errno::ENOENT) => {}
        opened => return opened.map(|fd| Device { fd, path }).map_err(failed()),
    }
    let node = PathBuf::from(format!("/dev/.jaula-loop{number}.{}", std::process::id()));
    sys::loops::make_node(&node, number).map_err(failed())?;
    let opened = sys::fs::open(sys::fs::CWD, &node, sys::fs::O_RDWR, 0).map_err(failed());
    sys::fs::remove(sys::fs::CWD, &node, false).map_err(failed())?;
    let fd = opened?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()));
    Ok(Device { fd, path })
}
