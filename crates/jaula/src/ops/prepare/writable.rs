//! What must be made of the directories that an app jail may write to.

use crate::error::{Error, Result};
use crate::rootfs::app;
use model::config;
use model::plan::{Directory, Writable};
use model::users::Identity;
use std::path::{Path, PathBuf};

/// The directories that the configuration lists, at `places`.
///
/// `kept`: where the jail keeps them; `None` if it is one that passes. `first` is the user of the jail's
/// first process, `find` knows the jail's users.
pub(super) fn writable(
    wanted: &[config::Writable],
    places: &[PathBuf],
    kept: Option<&Path>,
    first: &Identity,
    find: impl Fn(&str) -> Result<Identity>,
) -> Result<Vec<Writable>> {
    let mut all = Vec::with_capacity(wanted.len());
    for (wanted, place) in wanted.iter().zip(places) {
        let kept = kept.filter(|_| !place.starts_with("/run")).map(|kept| kept.join(name(place)));
        let make = match &kept {
            Some(kept) if sys::fs::identity_at(sys::fs::CWD, kept).is_ok() => Vec::new(),
            _ => directories(wanted, place, first, &find)?,
        };
        let path = place.strip_prefix("/").unwrap_or(place).to_owned();
        all.push(Writable { path, kept, make });
    }
    Ok(all)
}

/// The owner of an entry as `root.users` has it.
pub(super) fn owner(entry: &config::Writable) -> Option<String> {
    let user = entry.user.as_ref()?;
    Some(entry.group.as_ref().map_or_else(|| user.clone(), |group| format!("{user}:{group}")))
}

/// The name under which a directory is kept. All lie beside each other: a jail may have made what
/// it likes in one of them, also what looks like another.
fn name(place: &Path) -> String {
    let path = place.strip_prefix("/").unwrap_or(place).display().to_string();
    path.replace('%', "%25").replace('+', "%2B").replace('/', "+")
}

/// What a new directory begins with.
fn directories(
    wanted: &config::Writable,
    place: &Path,
    first: &Identity,
    find: impl Fn(&str) -> Result<Identity>,
) -> Result<Vec<Directory>> {
    let empty =
        |of: &Identity| Directory { path: PathBuf::new(), user: of.user, group: of.group, mode: 0o755 };
    let mut all = match owner(wanted) {
        Some(owner) => vec![empty(&find(&owner)?)],
        None => hosts(place)?,
    };
    if all.is_empty() {
        all.push(empty(first));
    }
    if let (Some(mode), Some(top)) = (wanted.mode, all.first_mut()) {
        top.mode = mode;
    }
    Ok(all)
}

/// The host's directories. In `/run`, where programs make theirs when they start, it is only the one.
fn hosts(place: &Path) -> Result<Vec<Directory>> {
    let all = app::directories(Path::new("/"), place, !place.starts_with("/run"))
        .map_err(|e| Error::refused(e.to_string(), "jaula config keys root.writable describes the key"))?;
    // Of an owner that no jail can have, it is root's.
    let id = |id: u32| u16::try_from(id).map_or(0, u32::from);
    let own =
        |d: app::Directory| Directory { path: d.path, user: id(d.user), group: id(d.group), mode: d.mode };
    Ok(all.into_iter().map(own).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_paths_have_one_name() {
        let paths = ["/var/lib", "/var+lib", "/var%2Blib", "/var/lib/g++", "/var/lib/g%2B%2B"];
        let mut names: Vec<String> = paths.iter().map(|path| name(Path::new(path))).collect();
        assert_eq!(names[0], "var+lib");
        names.sort();
        names.dedup();
        assert_eq!(names.len(), paths.len());
    }
}
