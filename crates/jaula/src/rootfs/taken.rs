//! What an app jail keeps of its files: a manifest of them, and with `root.method` `copy` or `link`
//! the files themselves.
//!
//! All of it is one directory, `/var/lib/jaula/jails/NAME/files`, which is made aside as `files.N`
//! and then exchanged with the one before, in one step: whoever is killed leaves a whole one. The one
//! before is `files.N` then, for as long as the jail still runs from it.

mod put;

use super::app::Closure;
use super::survey::{again, survey};
use crate::claim::PATIENCE;
use crate::error::{Error, Result};
use crate::house::{House, make_private, replace};
use model::config::{Config, Method, MountSource, NetworkMode, RootSpec};
use model::manifest::Manifest;
use model::name::Name;
use serde::{Deserialize, Serialize};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const FILES: &str = "files";
const ASIDE: &str = "files.";
const MANIFEST: &str = "manifest.json";
const HEAD: &str = "head.json";
const ROOT: &str = "root";

/// What a start must know of files that were taken, without reading their manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// What the configuration asked for, see [`request`].
    pub(crate) request: String,
    /// The program, in the jail as on the host.
    pub(crate) program: PathBuf,
    /// Where the directories of `root.writable` are.
    pub(crate) writable: Vec<PathBuf>,
    /// Are some of the files in `/tmp`?
    pub(crate) in_tmp: bool,
}

/// All in a configuration that decides which files an app jail holds, as one text: if it is another
/// now, the files are to be taken anew.
pub(crate) fn request(config: &Config) -> String {
    let root = &config.root;
    let from = root.from.as_ref().map(RootSpec::to_string);
    let writable: Vec<String> = root.writable.iter().map(ToString::to_string).collect();
    // A target must be there to be mounted on; whether as a file or a directory follows its source.
    let targets: Vec<(&Path, bool)> =
        config.mounts.iter().map(|mount| (mount.target.as_path(), is_file(&mount.source))).collect();
    let network = config.network.mode != NetworkMode::None;
    serde_json::json!([
        from,
        root.method.word(),
        root.files,
        root.users,
        config.boot.user,
        writable,
        targets,
        network
    ])
    .to_string()
}

fn is_file(source: &MountSource) -> bool {
    matches!(source, MountSource::Bind { path, .. } if std::fs::metadata(path).is_ok_and(|found| !found.is_dir()))
}

/// The tree of a jail's own files.
pub(crate) fn tree(house: &House, name: &Name) -> PathBuf {
    house.kept(name).join(FILES).join(ROOT)
}

/// What a start must know; `None` if no files were taken.
pub(crate) fn head(house: &House, name: &Name) -> Result<Option<Head>> {
    read(&house.kept(name).join(FILES).join(HEAD))
}

/// What the jail holds, as far as that was noted.
pub(crate) fn manifest(house: &House, name: &Name) -> Result<Option<Manifest>> {
    read(&house.kept(name).join(FILES).join(MANIFEST))
}

/// A file of ours; one that does not parse is as good as none, for it is made anew from the host.
fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match std::fs::read(path) {
        Ok(text) => Ok(serde_json::from_slice(&text).ok()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io("read", path)(e)),
    }
}

/// Keeps others from taking a jail's files, for as long as the result lives.
pub(crate) fn lock(house: &House, name: &Name) -> Result<OwnedFd> {
    let failed = || Error::call("take the jail's files");
    let kept = house.kept(name);
    make_private(&kept)?;
    let flags = sys::fs::O_RDONLY | sys::fs::O_DIRECTORY | sys::fs::O_NOFOLLOW;
    let directory = sys::fs::open(sys::fs::CWD, &kept, flags, 0).map_err(failed())?;
    let since = Instant::now();
    while !sys::fs::try_lock(&directory).map_err(failed())? {
        if since.elapsed() > PATIENCE {
            let owner = crate::claim::owner(&kept);
            return Err(Error::Busy { name: name.clone(), owner, waited: since.elapsed() });
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(directory)
}

/// What the jail would hold if its files were taken now.
pub(crate) fn now(config: &Config, program: &Path, known: Option<&Manifest>) -> Result<(Closure, Manifest)> {
    let closure = crate::ops::prepare::host_closure(config, program)?;
    let manifest = survey(&closure, known)?;
    Ok((closure, manifest))
}

/// The same as far as it can be told from the files that are known, which is much faster; `None` if
/// it cannot.
pub(crate) fn glance(known: &Manifest) -> Result<Option<Manifest>> {
    again(known)
}

/// Names the packages of these items; what is known of others stays.
pub(crate) fn name_packages(manifest: &mut Manifest, known: Option<&Manifest>) {
    let mut unknown = Vec::new();
    for (path, item) in &mut manifest.items {
        let same = known.and_then(|known| known.items.get(path)).filter(|old| old.is_same(item));
        match (same, &item.source) {
            (Some(old), _) => item.package.clone_from(&old.package),
            (None, Some(source)) => unknown.push(source.clone()),
            (None, None) => {}
        }
    }
    let owners = super::packages::owners(Path::new("/"), unknown.iter().map(String::as_str));
    for item in manifest.items.values_mut() {
        if let Some(owner) = item.source.as_ref().and_then(|source| owners.get(source)) {
            item.package = Some(owner.name.clone());
            manifest.packages.insert(owner.name.clone(), owner.version.clone());
        } else if let Some(package) = &item.package
            && let Some(version) = known.and_then(|known| known.packages.get(package))
        {
            manifest.packages.entry(package.clone()).or_insert_with(|| version.clone());
        }
    }
}

/// Notes what a jail holds that has no files of its own.
pub(crate) fn note(house: &House, name: &Name, manifest: &Manifest) -> Result<()> {
    let directory = house.kept(name).join(FILES);
    make_private(&directory)?;
    replace(&directory.join(MANIFEST), &text(manifest))
}

fn text(of: &impl Serialize) -> Vec<u8> {
    // Nothing in it has another key than a text.
    serde_json::to_vec(of).unwrap_or_default()
}

/// Takes a jail's files from the host and puts them aside, where this says; [`swap`] makes them the
/// jail's.
pub(crate) fn take(
    house: &House,
    name: &Name,
    config: &Config,
    closure: &Closure,
    manifest: &mut Manifest,
    known: Option<&Manifest>,
) -> Result<PathBuf> {
    let kept = house.kept(name);
    // Those that are there the jail may still run from, or somebody was killed over them.
    let free = (1u32..).map(|n| kept.join(format!("{ASIDE}{n}"))).find(|new| !new.exists());
    let new = free.unwrap_or_else(|| kept.join(ASIDE));
    make_private(&new)?;
    let put = (|| {
        let old = kept.join(FILES).join(ROOT);
        put::tree(&new.join(ROOT), config, closure, manifest, known.map(|known| (known, old.as_path())))?;
        let head = Head {
            request: request(config),
            program: closure.program.clone(),
            writable: closure.writable.clone(),
            in_tmp: closure.entries.iter().any(|entry| entry.path.starts_with("/tmp")),
        };
        replace(&new.join(HEAD), &text(&head))?;
        replace(&new.join(MANIFEST), &text(manifest))?;
        let directory = sys::fs::open(sys::fs::CWD, &new, sys::fs::O_RDONLY | sys::fs::O_DIRECTORY, 0);
        // Without it, a loss of power could leave whole names on empty files.
        directory.and_then(sys::fs::sync_file_system).map_err(Error::call("write the jail's files"))
    })();
    match put {
        Ok(()) => Ok(new),
        Err(error) => {
            // What cannot be whole must not take up room.
            let _ = crate::tree::remove(&new);
            Err(error)
        }
    }
}

/// The files that were taken become the jail's, in one step. Returns where those before them are.
pub(crate) fn swap(house: &House, name: &Name, new: &Path) -> Result<Option<PathBuf>> {
    let files = house.kept(name).join(FILES);
    match sys::fs::exchange(new, &files) {
        Err(e) if e.is(sys::errno::ENOENT) => {
            let renamed = sys::fs::rename(sys::fs::CWD, new, &files);
            renamed.map_err(Error::call("put the jail's files in place")).map(|()| None)
        }
        exchanged => {
            exchanged.map_err(Error::call("put the jail's files in place")).map(|()| Some(new.to_owned()))
        }
    }
}

/// Those before become the jail's files again.
pub(crate) fn swap_back(house: &House, name: &Name, old: &Path) -> Result<()> {
    let kept = house.kept(name);
    sys::fs::exchange(old, kept.join(FILES)).map_err(Error::call("put the jail's old files back"))?;
    crate::tree::remove(old)
}

/// Removes the files that the jail had before, and what somebody who was killed left. It must not
/// run from them any more.
pub(crate) fn settle(house: &House, name: &Name) -> Result<()> {
    let kept = house.kept(name);
    for entry in std::fs::read_dir(&kept).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(ASIDE) {
            crate::tree::remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Does the configuration want files of the jail's own?
pub(crate) fn wants_own(config: &Config) -> bool {
    matches!(config.root.from, Some(RootSpec::App(_))) && config.root.method != Method::Bind
}
