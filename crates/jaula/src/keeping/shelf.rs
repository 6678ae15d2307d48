//! The snapshots of a jail, and the lock of all that changes what it keeps.

use crate::claim::{PATIENCE, owner};
use crate::error::{Error, Result};
use crate::house::{House, make_private};
use model::name::{BadName, Name};
use serde::{Deserialize, Serialize};
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where the snapshots of all jails are; no jail's name begins with a dot.
pub(crate) const SNAPSHOTS: &str = ".snapshots";
/// What a snapshot says of itself.
const ABOUT: &str = "about.json";
/// The jail's configuration at that time.
const CONFIG: &str = "config.toml";
/// What it kept.
pub(crate) const DATA: &str = "data";

/// A snapshot of a jail: `www@clean`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapName {
    /// The jail, as it was typed.
    pub jail: String,
    /// The snapshot, which has a name as jails have; none if only the jail was named.
    pub snapshot: Option<Name>,
}

impl std::str::FromStr for SnapName {
    type Err = BadName;

    fn from_str(text: &str) -> std::result::Result<Self, BadName> {
        let (jail, snapshot) = match text.split_once('@') {
            Some((jail, snapshot)) => (jail, Some(snapshot.parse()?)),
            None => (text, None),
        };
        Ok(Self { jail: jail.to_owned(), snapshot })
    }
}

/// What is known of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// When it was made, in milliseconds since 1970.
    pub made: u64,
    /// How many files it has.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many of these were shared with the jail's own when it was made, and took no space then.
    pub shared: u64,
    /// Did the jail run? Then this many milliseconds it stood still.
    pub frozen: Option<u64>,
    /// What somebody has noted.
    #[serde(default)]
    pub note: Option<String>,
}

/// The snapshots of one jail. As long as this lives, nobody else changes what the jail keeps; the lock
/// ends with its process.
#[derive(Debug)]
pub struct Shelf {
    path: PathBuf,
    _lock: OwnedFd,
}

/// Where a jail's snapshots are.
pub(crate) fn place(house: &House, name: &Name) -> PathBuf {
    house.lib.join("jails").join(SNAPSHOTS).join(name.as_str())
}

impl Shelf {
    /// Takes the lock; waits for whoever has it.
    pub fn take(house: &House, name: &Name) -> Result<Self> {
        let since = Instant::now();
        loop {
            if let Some(shelf) = Self::try_take(house, name)? {
                return Ok(shelf);
            }
            if since.elapsed() > PATIENCE {
                let owner = owner(&place(house, name));
                return Err(Error::Busy { name: name.clone(), owner, waited: since.elapsed() });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Takes the lock if nobody has it.
    pub(crate) fn try_take(house: &House, name: &Name) -> Result<Option<Self>> {
        let path = place(house, name);
        make_private(&path)?;
        let flags = sys::fs::O_RDONLY | sys::fs::O_DIRECTORY;
        let failed = || Error::call("lock what the jail keeps");
        let lock = match sys::fs::open(sys::fs::CWD, &path, flags, 0) {
            Err(e) if e.is(sys::errno::ENOENT) => return Ok(None),
            opened => opened.map_err(failed())?,
        };
        let free = sys::fs::try_lock(&lock).map_err(failed())?;
        // Whoever had it may have removed it, or given it another name.
        let same = || {
            let (ours, there) = (sys::fs::identity(&lock), fs::metadata(&path));
            matches!((ours, there), (Ok(ours), Ok(there)) if ours.inode == there.ino() && ours.device == there.dev())
        };
        Ok((free && same()).then(|| Self { path: path.clone(), _lock: lock }))
    }

    /// The directory of all snapshots.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory of one, whether it is there or not.
    pub(crate) fn at(&self, snapshot: &Name) -> PathBuf {
        self.path.join(snapshot.as_str())
    }

    /// One that must be there.
    pub(crate) fn known(&self, jail: &Name, snapshot: &Name) -> Result<PathBuf> {
        let path = self.at(snapshot);
        match path.join(DATA).is_dir() {
            true => Ok(path),
            false => Err(Error::refused(
                format!("jail {jail:?} has no snapshot {:?}", snapshot.as_str()),
                format!("see those that it has: jaula snapshot list {jail}"),
            )),
        }
    }

    /// A name that no snapshot has: this one, or with a number behind it.
    pub(crate) fn free(&self, wanted: &str) -> Result<Name> {
        for n in 1..10_000 {
            let text = if n == 1 { wanted.to_owned() } else { format!("{wanted}-{n}") };
            // One that would be too long gives way to what tells it apart.
            let text: String = text.chars().skip(text.chars().count().saturating_sub(Name::MAX)).collect();
            let name: Name = text.parse()?;
            if fs::symlink_metadata(self.at(&name)).is_err() {
                return Ok(name);
            }
        }
        Err(Error::refused(format!("too many snapshots begin with {wanted:?}"), "delete some"))
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        // One that is empty is none; it is still locked.
        let _ = fs::remove_dir(&self.path);
    }
}

/// The snapshots of a jail, the oldest first.
pub fn list(house: &House, name: &Name) -> Result<Vec<(Name, About)>> {
    let path = place(house, name);
    let read = match fs::read_dir(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(Error::io("read", &path))?,
    };
    let mut all = Vec::new();
    for entry in read {
        let entry = entry.map_err(Error::io("read", &path))?;
        let Some(snapshot) = entry.file_name().to_str().and_then(|name| name.parse::<Name>().ok()) else {
            continue;
        };
        match about(&entry.path()) {
            Ok(about) => all.push((snapshot, about)),
            // It was deleted while we looked.
            Err(_) if !entry.path().exists() => {}
            Err(error) => return Err(error),
        }
    }
    all.sort_by(|a, b| (a.1.made, &a.0).cmp(&(b.1.made, &b.0)));
    Ok(all)
}

/// What a snapshot says of itself.
pub(crate) fn about(snapshot: &Path) -> Result<About> {
    let path = snapshot.join(ABOUT);
    let text = fs::read(&path).map_err(Error::io("read", &path))?;
    serde_json::from_slice(&text)
        .map_err(|e| Error::Inside(format!("{} cannot be read: {e}", path.display())))
}

/// The configuration that the jail had.
pub(crate) fn config(snapshot: &Path) -> Result<String> {
    crate::registry::read_text(&snapshot.join(CONFIG))
}

/// Writes what is known of a snapshot that is being made.
pub(crate) fn describe(snapshot: &Path, about: &About, config: &str) -> Result<()> {
    let text = serde_json::to_vec_pretty(about)
        .map_err(|e| Error::Inside(format!("the snapshot cannot be described: {e}")))?;
    for (name, text) in [(ABOUT, &text[..]), (CONFIG, config.as_bytes())] {
        let path = snapshot.join(name);
        fs::write(&path, text).map_err(Error::io("write", &path))?;
    }
    Ok(())
}

/// The snapshots, of all jails, whose configuration says this of `root.from`: `www@clean`.
pub fn with_root(house: &House, from: &model::config::RootSpec) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for name in crate::registry::configured(house)? {
        for (snapshot, _) in list(house, &name)? {
            let text = config(&place(house, &name).join(snapshot.as_str())).unwrap_or_default();
            let is_it = model::config::Config::parse(&text).is_ok_and(|c| c.root.from.as_ref() == Some(from));
            if is_it {
                found.push(format!("{name}@{snapshot}"));
            }
        }
    }
    Ok(found)
}
