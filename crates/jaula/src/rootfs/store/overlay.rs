//! `overlay`: what differs from a template, in a directory or in the image of one.

use super::image::{self, Top};
use crate::error::{Error, Result};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// What the jail writes, and what overlayfs works in.
pub(super) const LAYERS: [(&str, u32); 2] = [("upper", 0o755), ("work", 0o700)];

/// Makes the layers that are written to.
pub(super) fn make(kept: impl AsFd) -> Result<()> {
    for (name, mode) in LAYERS {
        sys::fs::make_dir(&kept, name, mode).map_err(Error::call("make the jail's layer"))?;
    }
    Ok(())
}

/// The layers as one tree, mounted nowhere, with the marks that the jail's own overlay has.
pub(super) fn open(base: &Path, kept: &Path) -> Result<Top> {
    image::top(mount(base, kept)?)
}

/// The same with the layers that are written to in an image. Before Linux 6.15 layers must be mounted
/// somewhere: that is in a mount namespace that lives as long as this takes.
pub(super) fn open_image(base: &Path, kept: &OwnedFd, at: &Path) -> Result<Top> {
    let there = || {
        let failed = || Error::call("open the jail's files");
        sys::mount::own_namespace().map_err(failed())?;
        sys::mount::attach(kept, at).map_err(failed())?;
        open(base, at)
    };
    let died = |_| Error::Inside("a thread of jaula's died".to_owned());
    std::thread::scope(|scope| scope.spawn(there).join().map_err(died)?)
}

fn mount(base: &Path, kept: &Path) -> Result<OwnedFd> {
    let layers = LAYERS.map(|(name, _)| kept.join(name));
    let options = [
        ("userxattr", None),
        ("lowerdir", Some(base.as_os_str())),
        ("upperdir", Some(layers[0].as_os_str())),
        ("workdir", Some(layers[1].as_os_str())),
    ];
    let attributes = sys::mount::MOUNT_ATTR_NOSUID | sys::mount::MOUNT_ATTR_NODEV;
    sys::mount::new("overlay", &options, attributes).map_err(Error::call("open the jail's files"))
}
