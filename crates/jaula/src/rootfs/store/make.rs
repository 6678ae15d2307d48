//! Making a jail's files, from a template or by whoever knows how to fill a directory.

use super::{
    IMAGE, NumberOf, OVERLAY, OVERLAY_IMAGE, Opened, ROOT, at, base, btrfs, image, limit, open_stored,
    overlay,
};
use crate::error::{Error, Result};
use crate::house::House;
use crate::rootfs::duplicate;
use model::config::{Config, Store};
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

/// Makes the store of a jail in an empty directory that will be `lib/jails/NAME`, limited as the
/// configuration says, and opens it. Nothing of it is on the disk for sure yet.
///
/// With a template as its origin it holds the template's files: at once for `overlay`, as a snapshot for `btrfs`,
/// and with shared blocks for `image` where the file system can. Otherwise `fill` puts them into an empty directory; its
/// path may lead through this process's descriptors, to what is mounted nowhere.
pub fn make(
    house: &House,
    kept: &Path,
    id: NumberOf<'_>,
    config: &Config,
    fill: &mut dyn FnMut(&Path) -> Result<()>,
    progress: &mut duplicate::Progress<'_>,
) -> Result<Opened> {
    let Some(store) = config.root.store else {
        return Err(Error::Inside("a jail without root.store has no files to make".to_owned()));
    };
    let template = super::template(house, config);
    if let Some(template) = template.as_ref().filter(|template| !template.is_dir()) {
        let name = template.parent().and_then(Path::file_name).unwrap_or_default().display();
        return Err(Error::refused(
            format!("there is no template {name}"),
            "jaula template list shows those that are there",
        ));
    }
    crate::owners::check_store(house, &config.root)?;
    let mut put = |to: &Path| match &template {
        Some(template) => duplicate::tree(&real(template)?, to, progress).map(drop),
        None => fill(to),
    };
    let root = kept.join(ROOT);
    match store {
        Store::Overlay => layers(house, kept, id, config)?,
        Store::Dir => {
            sys::fs::make_dir(sys::fs::CWD, &root, 0o755).map_err(Error::call("make the jail's root"))?;
            limit::directory(house, &root, id, config)?;
            put(&root)?;
            limit::fits(house, &root, id, config)?;
        }
        Store::Btrfs => {
            btrfs::check(kept)?;
            let filled = match &template {
                Some(template) => {
                    btrfs::snapshot(template, &root, false)?
                        || base::subvolume(house, config, &root, &mut put)?
                }
                None => false,
            };
            if !filled {
                btrfs::create(kept, ROOT)?;
            }
            btrfs::limit(&root, config.root.size)?;
            match filled {
                true => btrfs::fits(&root, config.root.size)?,
                false => put(&root)?,
            }
        }
        Store::Image => {
            let file = kept.join(IMAGE);
            if !base::image(house, config, &file, &mut put)? {
                image::filled(&file, config, &mut put)?;
            }
        }
    }
    let stored = at(house, kept, config).ok_or_else(|| Error::Inside("the jail has no store".to_owned()))?;
    open_stored(&stored)
}

/// The layers that an overlay writes to: a directory, or if that cannot be limited, an image.
fn layers(house: &House, kept: &Path, id: NumberOf<'_>, config: &Config) -> Result<()> {
    let limited = config.root.size.is_some() || config.root.inodes.is_some();
    if limited && limit::why_not(kept).is_some() {
        return layers_image(&kept.join(OVERLAY_IMAGE), kept, config).map(drop);
    }
    let path = kept.join(OVERLAY);
    sys::fs::make_dir(sys::fs::CWD, &path, 0o700).map_err(Error::call("make the jail's layer"))?;
    limit::directory(house, &path, id, config)?;
    let flags = sys::fs::O_RDONLY | sys::fs::O_DIRECTORY;
    overlay::make(
        &sys::fs::open(sys::fs::CWD, &path, flags, 0).map_err(Error::call("open the jail's layer"))?,
    )
}

/// An image with the layers in it; `kept` is where it is kept. Returns its top directory.
pub(super) fn layers_image(file: &Path, kept: &Path, config: &Config) -> Result<image::Top> {
    limit::hard_only(kept, config)?;
    image::make(file, image::size(config.root.size), config.root.inodes)?;
    let top = image::top(image::mount(file)?)?;
    overlay::make(&top)?;
    Ok(top)
}

/// The path of a directory that has none.
pub(super) fn through(top: impl AsFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/.", top.as_fd().as_raw_fd()))
}

/// A template may be a link to where it is kept.
fn real(path: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(path).map_err(Error::io("use", path))
}
