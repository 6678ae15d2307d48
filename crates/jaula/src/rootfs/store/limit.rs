//! `root.size` and `root.inodes`: set, read back, told.

use super::make::{layers_image, through};
use super::{NumberOf, OVERLAY, OVERLAY_IMAGE, ROOT, btrfs, find, image};
use crate::error::{Error, Result};
use crate::house::House;
use crate::registry;
use crate::rootfs::duplicate;
use crate::rootfs::quota::{self, Limits, Project};
use model::config::{Ceiling, Config, Store};
use model::name::{Id, Name};
use model::plan::Stored;
use model::units::Bytes;
use std::fmt::Display;
use std::path::Path;

/// How much room a jail's own files take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Usage {
    /// On the host, in bytes. What it shares with a template does not count, but on btrfs.
    pub used: u64,
    /// The most that it may take.
    pub size: Option<u64>,
}

/// Brings the limits that the configuration says into a jail's store, whether it runs or not, and reads
/// them back.
pub fn limit(house: &House, name: &Name, id: Id, config: &Config) -> Result<()> {
    let Some(stored) = find(house, name, config) else { return Ok(()) };
    super::check(name, &stored)?;
    let wanted = config.root.size.is_some() || config.root.inodes.is_some();
    match &stored {
        Stored::Image(path) => image::resize(path, image::size(config.root.size)),
        Stored::Layers { kept, image: true, .. } if config.root.size.is_some() => {
            hard_only(kept, config)?;
            image::resize(kept, image::size(config.root.size))
        }
        // It keeps the size that it has.
        Stored::Layers { image: true, .. } => Ok(()),
        Stored::Layers { kept, .. } if wanted && why_not(kept).is_some() => into_image(house, name, config),
        Stored::Directory(path) if config.root.store == Some(Store::Btrfs) => {
            btrfs::limit(path, config.root.size)
        }
        Stored::Layers { kept: path, .. } | Stored::Directory(path) => {
            let first = wanted && !quota::is_marked(path, Project::of(house, id))?;
            if first && registry::live(house, name)?.is_some_and(|live| live.is_alive()) {
                return Err(Error::refused(
                    format!(
                        "jail {name} gets its first limit only when it does not run: its files are counted then"
                    ),
                    format!("stop it first: jaula stop {name}"),
                ));
            }
            directory(house, path, &mut || Ok(id), config)
        }
    }
}

/// How much room a jail's files take, if that can be told without looking at each.
pub fn usage(house: &House, name: &Name, config: &Config) -> Option<Usage> {
    match find(house, name, config)? {
        Stored::Image(path) | Stored::Layers { kept: path, image: true, .. } => {
            let (used, size) = image::usage(&path).ok()?;
            Some(Usage { used, size: Some(size) })
        }
        Stored::Directory(path) if config.root.store == Some(Store::Btrfs) => {
            let room = btrfs::usage(&path).ok()??;
            Some(Usage { used: room.used, size: room.limit })
        }
        Stored::Directory(path) | Stored::Layers { kept: path, .. } => {
            let project = Project::of(house, config.id?);
            let quota =
                quota::is_marked(&path, project).ok()?.then(|| quota::usage(&path, project).ok())??;
            let size = Some(quota.space.hard).filter(|hard| *hard > 0);
            Some(Usage { used: quota.space_used, size })
        }
    }
}

/// Limits a directory, which gets the jail's project if its file system has any.
pub(super) fn directory(house: &House, path: &Path, id: NumberOf<'_>, config: &Config) -> Result<()> {
    let limits = Limits::of(config);
    if let Some(lack) = quota::lack(path)? {
        return match limits.is_empty() {
            true => Ok(()),
            false => Err(quota::refused("root.size and root.inodes", &lack)),
        };
    }
    let project = Project::of(house, id()?);
    quota::mark(path, project)?;
    quota::limit(path, project, &limits)
}

/// A jail's files, in the directory that was its own, are not counted as what it takes any more.
pub(crate) fn uncounted(kept: &Path) -> Result<()> {
    [OVERLAY, ROOT]
        .iter()
        .map(|name| kept.join(name))
        .filter(|path| path.is_dir())
        .try_for_each(|path| quota::unmark(&path))
}

/// Refuses files of a new jail that are more than it may have: who made them, the host's root, may go over every
/// limit.
pub(super) fn fits(house: &House, path: &Path, id: NumberOf<'_>, config: &Config) -> Result<()> {
    let Some(size) = config.root.size.filter(|_| why_not(path).is_none()) else { return Ok(()) };
    let used = quota::usage(path, Project::of(house, id()?))?.space_used;
    no_more(used, size)
}

/// The files of a new jail may take what it may have, and no more.
pub(super) fn no_more(used: u64, size: Ceiling<Bytes>) -> Result<()> {
    let whole = |bytes: u64| Bytes(bytes.next_multiple_of(1 << 20));
    match used > size.hard.0 {
        true => Err(Error::refused(
            format!("the files of the new jail take {}, and root.size allows {}", whole(used), size.hard),
            format!("allow it more, such as root.size = \"{}\"", whole(used.saturating_mul(2))),
        )),
        false => Ok(()),
    }
}

/// What a jail does not see of its limit, in words; `None` if it sees all of it.
pub fn unseen(config: &Config) -> Option<String> {
    let size = config.root.size.filter(|_| config.root.store == Some(Store::Btrfs))?;
    Some(format!(
        "df inside shows the whole btrfs, whose kernel tells no subvolume's limit; that of {} holds, as jaula \
         status shows",
        size.hard
    ))
}

/// Why a directory here cannot have a limit.
pub(super) fn why_not(path: &Path) -> Option<String> {
    match quota::lack(path) {
        Ok(lack) => lack.map(|lack| lack.to_string()),
        Err(error) => Some(error.to_string()),
    }
}

/// Takes the limits of a jail away whose files are gone.
pub(crate) fn release(house: &House, id: Id) {
    quota::release(&house.lib, Project::of(house, id));
}

/// An image has no soft limit.
pub(super) fn hard_only(kept: &Path, config: &Config) -> Result<()> {
    let refused = |key: &str, soft: &dyn Display, hard: &dyn Display| {
        let why = why_not(kept.parent().unwrap_or(kept)).unwrap_or_default();
        Err(Error::refused(
            format!("{key}: {soft} cannot be a soft limit: {why}, so that the jail's files are in an image"),
            format!("write the hard one alone: {key} = \"{hard}\""),
        ))
    };
    match (config.root.size, config.root.inodes) {
        (Some(Ceiling { soft, hard }), _) if soft != hard => refused("root.size", &soft, &hard),
        (_, Some(Ceiling { soft, hard })) if soft != hard => refused("root.inodes", &soft, &hard),
        _ => Ok(()),
    }
}

/// Puts the layers of a jail that does not run, and that had no limit so far, into an image.
fn into_image(house: &House, name: &Name, config: &Config) -> Result<()> {
    let kept = house.kept(name);
    let claim = crate::claim::Claim::try_take(house, name, true)?;
    let Some(claim) = claim.filter(|claim| crate::recover::stale(house, claim).is_ok()) else {
        return Err(Error::refused(
            format!("jail {name} gets its first limit only when it does not run: its files go into an image"),
            format!("stop it first: jaula stop {name}"),
        ));
    };
    let new = kept.join(".overlay.img.new");
    match std::fs::remove_file(&new) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::io("remove", &new)(e)),
        _ => {}
    }
    let fill = || {
        let top = layers_image(&new, &kept, config)?;
        let upper = through(&top).join("upper");
        duplicate::tree(&kept.join(OVERLAY).join("upper"), &upper, &mut |_| Ok(()))?;
        let failed = Error::call("write the image");
        sys::fs::sync_file_system(&top).map_err(failed)
    };
    let image = kept.join(OVERLAY_IMAGE);
    fill().and_then(|()| std::fs::rename(&new, &image).map_err(Error::io("make", &image))).inspect_err(
        |_| {
            let _ = std::fs::remove_file(&new);
        },
    )?;
    // From here on the image counts.
    crate::tree::remove(&kept.join(OVERLAY))?;
    claim.remove()
}
