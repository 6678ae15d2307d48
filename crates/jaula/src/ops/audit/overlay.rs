//! The upper layer of an overlay (Linux's `Documentation/filesystems/overlayfs.rst`).

use model::audit::tree::Kind;
use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use sys::fs::{O_DIRECTORY, O_NONBLOCK, O_RDONLY, Within};

/// What an upper layer does to the one below, by paths inside.
#[derive(Debug, Default)]
pub(super) struct Layer {
    /// Its marks of what is removed, which nobody sees.
    pub(super) whiteouts: HashSet<PathBuf>,
    /// What of the layer below nobody sees: all that is here too, but for directories, which are
    /// seen together unless they are marked.
    pub(super) covers: HashSet<PathBuf>,
}

impl Layer {
    /// Looks through a layer.
    pub(super) fn of(top: &OwnedFd) -> Self {
        let mut layer = Self::default();
        let mut todo = vec![PathBuf::new()];
        let mut left = super::walk::MOST;
        while let Some(below) = todo.pop() {
            let name = if below.as_os_str().is_empty() { Path::new(".") } else { &below };
            let flags = O_RDONLY | O_DIRECTORY | O_NONBLOCK;
            let Ok(dir) = sys::fs::open_in(top, name, flags, 0, Within::Mount) else { continue };
            let Ok((names, _)) = sys::look::names(&dir, left) else { continue };
            left -= names.len();
            if !below.as_os_str().is_empty() && sys::look::has_attribute(&dir, "user.overlay.opaque") {
                layer.covers.insert(Path::new("/").join(&below));
            }
            for name in names {
                let path = below.join(&name);
                let inside = Path::new("/").join(&path);
                match sys::look::status_at(&dir, &name).map(|status| super::walk::kind(status.mode)) {
                    Ok(Kind::Directory) => todo.push(path),
                    // No jail can make another device.
                    Ok(Kind::Device) => {
                        layer.whiteouts.insert(inside.clone());
                        layer.covers.insert(inside);
                    }
                    _ => _ = layer.covers.insert(inside),
                }
            }
        }
        layer
    }
}
