//! `overlay`: what differs from a template.

use crate::error::{Error, Result};
use std::os::fd::OwnedFd;
use std::path::Path;

/// The layers as one tree, mounted nowhere, with the marks that the jail's own overlay has.
pub(super) fn mount(base: &Path, kept: &Path) -> Result<OwnedFd> {
    let (upper, work) = (kept.join("upper"), kept.join("work"));
    let options = [
        ("userxattr", None),
        ("lowerdir", Some(base.as_os_str())),
        ("upperdir", Some(upper.as_os_str())),
        ("workdir", Some(work.as_os_str())),
    ];
    let attributes = sys::mount::MOUNT_ATTR_NOSUID | sys::mount::MOUNT_ATTR_NODEV;
    let mount =
        sys::mount::new("overlay", &options, attributes).map_err(Error::call("open the jail's files"))?;
    // The mount's own descriptor is none to read names from.
    let flags = sys::fs::O_RDONLY | sys::fs::O_DIRECTORY;
    sys::fs::open(&mount, ".", flags, 0).map_err(Error::call("open the jail's files"))
}
