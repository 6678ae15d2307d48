//! `image`: an ext4 file system in a file.

use super::make::through;
use super::{device, program};
use crate::error::{Error, Result};
use model::config::{Ceiling, Config, Store};
use model::units::{Bytes, Count};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// The size of a block, in bytes.
const BLOCK: u64 = 4096;
/// Below that ext4 has no room for itself.
const SMALLEST: u64 = 8 << 20;
/// The package that has the programs.
const PACKAGE: &str = "e2fsprogs";

/// How large a jail's image is to be.
pub(super) fn size(wanted: Option<Ceiling<Bytes>>) -> u64 {
    wanted.map_or(Store::IMAGE_SIZE, |size| size.hard.0) / BLOCK * BLOCK
}

/// Makes a file with an empty file system, which takes room as it is written to.
pub(super) fn make(path: &Path, size: u64, inodes: Option<Ceiling<Count>>) -> Result<()> {
    large_enough(size)?;
    let file = File::options().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|file| file.set_len(size)).map_err(Error::io("make", path))?;
    // No block is kept for the host's root, and tables are written when they are needed.
    let fixed = ["-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0", "-E"];
    let extended = "nodiscard,lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0";
    let mut arguments: Vec<OsString> = fixed.into_iter().chain([extended]).map(OsString::from).collect();
    if let Some(inodes) = inodes {
        arguments.extend(["-N".into(), inodes.hard.0.to_string().into()]);
    }
    arguments.push(path.into());
    program::run("mke2fs", &arguments, PACKAGE)
}

/// The same with what `put` puts into it.
pub(super) fn filled(path: &Path, config: &Config, put: &mut dyn FnMut(&Path) -> Result<()>) -> Result<()> {
    make(path, size(config.root.size), config.root.inodes)?;
    let top = top(mount(path)?)?;
    // What mke2fs leaves there is its own matter.
    match sys::fs::remove(&top, "lost+found", true) {
        Err(e) if !e.is(sys::errno::ENOENT) => return Err(Error::call("empty the image")(e)),
        _ => {}
    }
    put(&through(&top))
}

fn large_enough(size: u64) -> Result<()> {
    match size < SMALLEST {
        true => Err(Error::refused(
            format!("root.size: a file system of {} has no room for files", Bytes(size)),
            "8M is the least",
        )),
        false => Ok(()),
    }
}

/// Mounts an image, nowhere. What is written to it is not cached twice, and room that becomes free in
/// it is free on the host.
pub(crate) fn mount(path: &Path) -> Result<OwnedFd> {
    let file = open(path)?;
    let device = device::of(&file)?;
    // Mounted, it holds its device.
    mount_device(path, &device.path)
}

fn mount_device(path: &Path, device: &Path) -> Result<OwnedFd> {
    let options = [
        ("source", Some(device.as_os_str())),
        ("discard", None),
        // What df(1) tells is the size of the file, not what remains of it.
        ("minixdf", None),
        ("errors", Some(OsStr::new("remount-ro"))),
    ];
    sys::mount::new("ext4", &options, sys::mount::MOUNT_ATTR_NODEV).map_err(|e| match e.errno.0 {
        sys::errno::EINVAL => Error::refused(
            format!("{} is no ext4 file system, or a damaged one", path.display()),
            format!("mend it: e2fsck -f {}", path.display()),
        ),
        _ => Error::call("mount the jail's image")(e),
    })
}

fn open(path: &Path) -> Result<OwnedFd> {
    let flags = sys::fs::O_RDWR | sys::fs::O_NOFOLLOW;
    sys::fs::open(sys::fs::CWD, path, flags, 0).map_err(Error::call("open the jail's image"))
}

/// Gives an image another size. While it is mounted it can only grow.
pub(super) fn resize(path: &Path, size: u64) -> Result<()> {
    large_enough(size)?;
    let image = open(path)?;
    let file = File::from(image.try_clone().map_err(Error::io("open", path))?);
    let is = file.metadata().map_err(Error::io("look at", path))?.len();
    let attached = device::attached(&image)?;
    match attached {
        None if size == is && blocks(&file, path)? == size / BLOCK => return Ok(()),
        None => resize_stopped(path, &file, is, size)?,
        Some(_) if size == is => return Ok(()),
        Some(_) if size < is => {
            return Err(Error::refused(
                format!("an image becomes smaller only when its jail does not run: it has {}", Bytes(is)),
                "stop the jail and set it again",
            ));
        }
        Some(device) => grow_mounted(path, &file, is, size, &device)?,
    }
    // Read back: what the file system says of itself counts.
    let has = blocks(&file, path)? * BLOCK;
    // A last group of blocks that is too small for its own tables is left out.
    match has <= size && size - has < 1 << 27 {
        true => Ok(()),
        false => Err(Error::Inside(format!("the image was to have {}, and has {}", Bytes(size), Bytes(has)))),
    }
}

fn grow_mounted(path: &Path, file: &File, is: u64, size: u64, device: &device::Device) -> Result<()> {
    let failed = || Error::call("let the image grow");
    file.set_len(size).map_err(Error::io("let grow", path))?;
    let grow = || {
        sys::loops::follow_size(&device.fd).map_err(failed())?;
        let top = top(mount_device(path, &device.path)?)?;
        sys::loops::grow_ext4(&top, size / BLOCK).map_err(|e| match e.is(sys::errno::EPERM) {
            true => Error::refused(
                "a mounted file system grows only by whoever has CAP_SYS_RESOURCE on the host; jaula has not",
                "stop the jail and set it again: the image of a stopped one is changed without that",
            ),
            false => failed()(e),
        })?;
        // So that the superblock in the file says what the one in memory does.
        sys::fs::sync_file_system(&top).map_err(failed())
    };
    grow().inspect_err(|_| {
        // The old size stands.
        let _ = file.set_len(is);
        let _ = sys::loops::follow_size(&device.fd);
    })
}

fn resize_stopped(path: &Path, file: &File, is: u64, size: u64) -> Result<()> {
    let failed = || Error::io("change the size of", path);
    program::run("e2fsck", &["-f".into(), "-p".into(), path.into()], PACKAGE)?;
    if size > is {
        file.set_len(size).map_err(failed())?;
    }
    let blocks = OsString::from((size / BLOCK).to_string());
    let done = program::run("resize2fs", &[path.into(), blocks], PACKAGE);
    let length = if done.is_ok() { size } else { is };
    let cut = file.set_len(length).map_err(failed());
    done.and(cut)
}

/// How many blocks the file system has, by its superblock.
fn blocks(file: &File, path: &Path) -> Result<u64> {
    let mut superblock = [0; 1024];
    file.read_exact_at(&mut superblock, 1024).map_err(Error::io("read", path))?;
    let word = |at: usize| superblock.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
    let word = |at: usize| u64::from(word(at).unwrap_or_default());
    Ok(word(4) | word(0x150) << 32)
}

/// What an image takes on the host, and its size.
pub(super) fn usage(path: &Path) -> Result<(u64, u64)> {
    let found = std::fs::symlink_metadata(path).map_err(Error::io("look at", path))?;
    Ok((found.blocks() * 512, found.len()))
}

/// The top directory of a mount that is nowhere. The mount's own descriptor is none to read names from; but
/// when it is closed the kernel takes the mount apart, and then finds no `..` in it any more for whoever may not
/// leave it (openat2(2) says `EAGAIN`).
#[derive(Debug)]
pub(crate) struct Top {
    directory: OwnedFd,
    _mount: OwnedFd,
}

impl AsFd for Top {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

/// Opens it.
pub(super) fn top(mount: OwnedFd) -> Result<Top> {
    let flags = sys::fs::O_RDONLY | sys::fs::O_DIRECTORY;
    let directory = sys::fs::open(&mount, ".", flags, 0).map_err(Error::call("open the jail's files"))?;
    Ok(Top { directory, _mount: mount })
}
