//! How a jail's own files are kept (`root.store`): one interface, four kinds.
//!
//! Below `lib/jails/NAME` lie `overlay/` with `upper` and `work`, or `overlay.img` with the same in a
//! file system of its own; or `root/`, a directory or btrfs subvolume; or `root.img`. What such are copies of is
//! in `lib/jails/.bases`.

mod base;
mod btrfs;
mod device;
pub(crate) mod image;
mod limit;
mod make;
mod overlay;
mod program;
#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::house::House;
use model::config::{Config, RootSpec, Store};
use model::name::{Id, Name};
use model::plan::Stored;
use model::template::TREE;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

pub(crate) use base::{forget as forget_bases, unneeded as unneeded_bases};
pub use btrfs::{make_tree, snapshot};
pub(crate) use btrfs::{protect, remove as remove_subvolume};
pub use limit::{Usage, limit, unseen, usage};
pub(crate) use limit::{release, uncounted};
pub use make::make;

/// The names below `lib/jails/NAME`.
const OVERLAY: &str = "overlay";
const OVERLAY_IMAGE: &str = "overlay.img";
const ROOT: &str = "root";
const IMAGE: &str = "root.img";

/// Tells a jail's number. It is asked only where the store counts by it.
pub type NumberOf<'a> = &'a mut dyn FnMut() -> Result<Id>;

/// The root of a jail that does not run, as a directory that is mounted nowhere. Ids are those on
/// disk, which are those inside.
#[derive(Debug)]
pub struct Opened(Root);

#[derive(Debug)]
enum Root {
    Image(image::Top),
    /// An overlay that is looked at.
    Look(image::Top),
    /// An overlay that is written to.
    Layers(overlay::Written),
    Directory(OwnedFd),
}

impl Opened {
    /// Its top directory.
    pub fn root(&self) -> BorrowedFd<'_> {
        self.as_fd()
    }

    /// What was written is in the file system that the store is on, if it has one of its own. The disk has it
    /// when that one is written there.
    pub(crate) fn sync(&self) -> Result<()> {
        match &self.0 {
            Root::Image(top) => {
                sys::fs::sync_file_system(top).map_err(Error::call("write the jail's files to its image"))
            }
            Root::Look(_) | Root::Layers(_) | Root::Directory(_) => Ok(()),
        }
    }
}

impl AsFd for Opened {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Root::Image(top) | Root::Look(top) => top.as_fd(),
            Root::Layers(layers) => layers.as_fd(),
            Root::Directory(top) => top.as_fd(),
        }
    }
}

/// Where the files of a jail are; `None` if they are not its own.
pub fn find(house: &House, name: &Name, config: &Config) -> Option<Stored> {
    at(house, &house.kept(name), config)
}

/// The same for what lies in this directory and will be a jail's.
fn at(house: &House, kept: &Path, config: &Config) -> Option<Stored> {
    Some(match config.root.store? {
        Store::Overlay => {
            let base = template(house, config)?;
            let image = kept.join(OVERLAY_IMAGE);
            let is_image = image.exists();
            Stored::Layers { base, kept: if is_image { image } else { kept.join(OVERLAY) }, image: is_image }
        }
        Store::Dir | Store::Btrfs => Stored::Directory(kept.join(ROOT)),
        Store::Image => Stored::Image(kept.join(IMAGE)),
    })
}

/// Where the files are that were written since an overlay was made here, if it is one in a directory.
pub(crate) fn few(kept: &Path) -> Option<&'static str> {
    kept.join(OVERLAY).is_dir().then_some(OVERLAY)
}

/// Are its files in an image, which has a jail's last writes when it was synced?
pub(crate) fn is_image(house: &House, name: &Name, config: &Config) -> bool {
    matches!(find(house, name, config), Some(Stored::Image(_) | Stored::Layers { image: true, .. }))
}

/// The tree of the template that a jail is made from.
fn template(house: &House, config: &Config) -> Option<PathBuf> {
    match &config.root.from {
        Some(RootSpec::Template(template)) => Some(house.template(template).join(TREE)),
        _ => None,
    }
}

/// Are a jail's files there?
pub(crate) fn check(name: &Name, stored: &Stored) -> Result<()> {
    let missing = |message: String, help: String| Err(Error::refused(message, help));
    match stored {
        Stored::Layers { base, .. } if !base.is_dir() => {
            let template = base.parent().and_then(Path::file_name).unwrap_or_default().display();
            missing(
                format!("jail {name} lies on the template {template}, which is not there"),
                "jaula template list shows those that are".to_owned(),
            )
        }
        Stored::Layers { kept: path, .. } | Stored::Directory(path) | Stored::Image(path)
            if !path.exists() =>
        {
            missing(
                format!("jail {name} has no files yet"),
                format!("make them: jaula build {name} --from …"),
            )
        }
        _ => Ok(()),
    }
}

/// Are a jail's own files there?
pub fn is_made(house: &House, name: &Name, config: &Config) -> bool {
    find(house, name, config).is_some_and(|stored| check(name, &stored).is_ok())
}

/// May a configuration become this one? What the jail's files are made of is not changed by words.
pub(crate) fn may_change(house: &House, name: &Name, old: &Config, new: &Config) -> Result<()> {
    let (was, is) = (&old.root, &new.root);
    let key = match (was.store, is.store) {
        (was, is) if was != is => "root.store",
        (Some(Store::Overlay), _) if was.from != is.from => "root.from",
        _ => return Ok(()),
    };
    if !is_made(house, name, old) {
        return Ok(());
    }
    Err(Error::refused(
        format!("{key}: the files of jail {name} are made, and stay what they are"),
        format!("make another jail of them, and delete this one: jaula clone {name} NEW"),
    ))
}

/// Opens the root of a jail that does not run and that the caller has claimed. It must be closed
/// before the jail starts. What is written is on the disk when somebody asks for it.
pub fn open(house: &House, name: &Name, config: &Config) -> Result<Opened> {
    open_stored(&own(house, name, &house.kept(name), config)?)
}

/// The same to look at only. Then the jail may run.
pub fn look(house: &House, name: &Name, config: &Config) -> Result<Opened> {
    look_in(house, name, &house.kept(name), config)
}

/// The same of a copy of what a jail keeps, in this directory.
pub(crate) fn look_in(house: &House, name: &Name, kept: &Path, config: &Config) -> Result<Opened> {
    match own(house, name, kept, config)? {
        Stored::Layers { base, kept, image: false } => Ok(Opened(Root::Look(overlay::look(&base, &kept)?))),
        Stored::Layers { base, kept, image: true } => {
            let at = kept.parent().unwrap_or(&kept);
            let layers = overlay::in_image(&image::mount(&kept)?, at, |at| overlay::look(&base, at))?;
            Ok(Opened(Root::Look(layers)))
        }
        stored => open_stored(&stored),
    }
}

fn own(house: &House, name: &Name, kept: &Path, config: &Config) -> Result<Stored> {
    let Some(stored) = at(house, kept, config) else {
        return Err(Error::refused(
            format!("the files of jail {name} are not its own"),
            "only a jail with root.store has files of its own",
        ));
    };
    check(name, &stored)?;
    Ok(stored)
}

fn open_stored(stored: &Stored) -> Result<Opened> {
    let root = match stored {
        Stored::Layers { base, kept, image: false } => Root::Layers(overlay::open(base, kept)?),
        Stored::Layers { base, kept, image: true } => {
            let at = kept.parent().unwrap_or(kept);
            Root::Layers(overlay::in_image(&image::mount(kept)?, at, |at| overlay::open(base, at))?)
        }
        Stored::Directory(path) => {
            let flags = sys::fs::O_RDONLY | sys::fs::O_DIRECTORY | sys::fs::O_NOFOLLOW;
            let open = sys::fs::open(sys::fs::CWD, path, flags, 0);
            Root::Directory(open.map_err(Error::call("open the jail's files"))?)
        }
        Stored::Image(path) => Root::Image(image::top(image::mount(path)?)?),
    };
    Ok(Opened(root))
}

/// An overlay over a directory, with `upper` and `work` beside it, as tests have it.
#[cfg(test)]
pub(crate) fn test_overlay(base: &Path, kept: &Path) -> Opened {
    Opened(Root::Layers(overlay::open(base, kept).unwrap()))
}
