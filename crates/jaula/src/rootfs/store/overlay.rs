//! `overlay`: what differs from a template, in a directory or in the image of one.

use super::image::{self, Top};
use crate::error::{Error, Result};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// What the jail writes, and what overlayfs works in.
pub(super) const LAYERS: [(&str, u32); 2] = [("upper", 0o755), ("work", 0o700)];
/// What overlayfs works in while we write; nothing of it is there afterwards.
const ASIDE: &str = "aside";

/// Makes the layers that are written to.
pub(super) fn make(kept: impl AsFd) -> Result<()> {
    for (name, mode) in LAYERS {
        sys::fs::make_dir(&kept, name, mode).map_err(Error::call("make the jail's layer"))?;
    }
    Ok(())
}

/// The layers as one tree that is written to, mounted nowhere.
#[derive(Debug)]
pub(super) struct Written {
    // In this order: what the kernel works in goes after the mount.
    top: Top,
    _aside: Aside,
}

impl AsFd for Written {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.top.as_fd()
    }
}

/// The directory that the kernel works in, in this one, as long as we write.
#[derive(Debug)]
struct Aside(OwnedFd);

impl Drop for Aside {
    fn drop(&mut self) {
        // What stays is removed before it is used the next time.
        let _ = crate::tree::remove_in(&self.0, OsStr::new(ASIDE));
    }
}

/// The layers as one tree, with the marks that the jail's own overlay has. Nobody else may have them open.
///
/// It is `volatile`: otherwise the kernel would write the whole file system that the layers are on to its disk
/// when this is closed. Whoever needs what was written there after a crash asks for it.
pub(super) fn open(base: &Path, kept: &Path) -> Result<Written> {
    let failed = || Error::call("open the jail's layer");
    let flags = sys::fs::O_RDONLY | sys::fs::O_DIRECTORY | sys::fs::O_NOFOLLOW;
    let aside = Aside(sys::fs::open(sys::fs::CWD, kept, flags, 0).map_err(failed())?);
    // Of somebody who was killed. The kernel takes no such directory a second time.
    crate::tree::remove_in(&aside.0, OsStr::new(ASIDE))?;
    sys::fs::make_dir(&aside.0, ASIDE, 0o700).map_err(failed())?;
    let lower = escaped([base]);
    let (upper, work) = (kept.join(LAYERS[0].0), kept.join(ASIDE));
    let options = [
        ("userxattr", None),
        ("volatile", None),
        ("lowerdir", Some(&*lower)),
        ("upperdir", Some(upper.as_os_str())),
        ("workdir", Some(work.as_os_str())),
    ];
    Ok(Written { top: mount(&options)?, _aside: aside })
}

/// The layers as one tree that is only looked at, which a jail may have that runs.
pub(super) fn look(base: &Path, kept: &Path) -> Result<Top> {
    let lower = escaped([&kept.join(LAYERS[0].0), base]);
    mount(&[("userxattr", None), ("lowerdir", Some(&*lower))])
}

/// Does this with layers that are in an image, where it is mounted. Before Linux 6.15 layers must be mounted
/// somewhere: that is in a mount namespace that lives as long as this takes.
pub(super) fn in_image<T: Send>(
    kept: &OwnedFd,
    at: &Path,
    open: impl FnOnce(&Path) -> Result<T> + Send,
) -> Result<T> {
    let there = move || {
        let failed = || Error::call("open the jail's files");
        sys::mount::own_namespace().map_err(failed())?;
        sys::mount::attach(kept, at).map_err(failed())?;
        open(at)
    };
    let died = |_| Error::Inside("a thread of jaula's died".to_owned());
    std::thread::scope(|scope| scope.spawn(there).join().map_err(died)?)
}

fn mount(options: &[(&str, Option<&OsStr>)]) -> Result<Top> {
    let attributes = sys::mount::MOUNT_ATTR_NOSUID | sys::mount::MOUNT_ATTR_NODEV;
    let mount = sys::mount::new("overlay", options, attributes);
    image::top(mount.map_err(Error::call("open the jail's files"))?)
}

/// Paths as `lowerdir` takes them: a colon is between two, unless a backslash is before it.
fn escaped<'a>(paths: impl IntoIterator<Item = &'a Path>) -> OsString {
    let mut text = Vec::new();
    for path in paths {
        if !text.is_empty() {
            text.push(b':');
        }
        for byte in path.as_os_str().as_bytes() {
            if matches!(byte, b':' | b'\\') {
                text.push(b'\\');
            }
            text.push(*byte);
        }
    }
    OsString::from_vec(text)
}
