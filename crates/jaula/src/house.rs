//! Where jaula keeps things on a host, and how it writes them.

use crate::error::Error;
use model::name::Name;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The directories of one house. `JAULA_ROOT=DIR` moves all of them below `DIR`.
#[derive(Clone, Debug)]
pub struct House {
    /// Host defaults and `jails/NAME.toml`: `/etc/jaula`.
    pub etc: PathBuf,
    /// What jails keep: `/var/lib/jaula`.
    pub lib: PathBuf,
    /// What running jails have: `/run/jaula`.
    pub run: PathBuf,
    /// Tells this house's control groups from another's; empty for the host's own.
    pub tag: String,
}

impl House {
    /// The house that the environment names: `JAULA_ROOT`, or the host's for root, or the
    /// user's own (XDG base directories).
    pub fn from_environment() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        if let Some(root) = variable("JAULA_ROOT") {
            return Self::below(&std::path::absolute(&root).unwrap_or(root));
        }
        if sys::process::user() == 0 {
            let [etc, lib, run] = ["/etc/jaula", "/var/lib/jaula", "/run/jaula"].map(PathBuf::from);
            return Self { etc, lib, run, tag: String::new() };
        }
        let home = variable("HOME").unwrap_or_else(|| PathBuf::from("/nonexistent"));
        let xdg = |name, default: &str| variable(name).unwrap_or_else(|| home.join(default)).join("jaula");
        let run =
            variable("XDG_RUNTIME_DIR").map_or_else(|| home.join(".cache/jaula/run"), |d| d.join("jaula"));
        let (etc, lib) = (xdg("XDG_CONFIG_HOME", ".config"), xdg("XDG_DATA_HOME", ".local/share"));
        Self { etc, lib, run, tag: String::new() }
    }

    /// The house below a directory.
    pub fn below(root: &Path) -> Self {
        let tag = format!("{:08x}", fnv(root.as_os_str()));
        Self {
            etc: root.join("etc/jaula"),
            lib: root.join("var/lib/jaula"),
            run: root.join("run/jaula"),
            tag,
        }
    }

    /// A jail's configuration.
    pub fn config(&self, name: &Name) -> PathBuf {
        self.etc.join("jails").join(format!("{name}.toml"))
    }

    /// What a jail keeps over stops: its overlay, its console's log, how it ended last.
    pub fn kept(&self, name: &Name) -> PathBuf {
        self.lib.join("jails").join(name.as_str())
    }

    /// What jails are made from.
    pub fn templates(&self) -> PathBuf {
        self.lib.join("templates")
    }

    /// A template: a directory with its files, `tree`, and what is known of them, `template.toml`.
    pub fn template(&self, name: &Name) -> PathBuf {
        self.templates().join(name.as_str())
    }

    /// What a running jail has: state, journal, sockets. Its lock is on the directory itself.
    pub fn running(&self, name: &Name) -> PathBuf {
        self.run.join(name.as_str())
    }
}

/// FNV-1a: short, stable names from paths, where nobody gains by a collision.
fn fnv(text: &OsStr) -> u32 {
    text.as_encoded_bytes()
        .iter()
        .fold(0x811c_9dc5, |hash, b| (hash ^ u32::from(*b)).wrapping_mul(0x0100_0193))
}

/// Makes a directory that only the owner may enter, with its parents.
pub fn make_private(path: &Path) -> Result<(), Error> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(Error::io("make", path))
}

/// Replaces a file as a whole: temporary file, fsync, rename. A reader sees the old one or the
/// new one, and so does the next start after a crash.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    let aside = Aside::write(path, content)?;
    aside.sync()?;
    aside.put()
}

/// A file that is written, and not in its place yet. What is not put there is removed.
#[derive(Debug)]
pub(crate) struct Aside {
    file: std::fs::File,
    temporary: PathBuf,
    path: PathBuf,
    put: bool,
}

impl Aside {
    /// Writes it beside its place.
    pub(crate) fn write(path: &Path, content: &[u8]) -> Result<Self, Error> {
        let temporary = path.with_extension(format!("new.{}", std::process::id()));
        // Who could read the old one may read the new one.
        let mode = std::fs::metadata(path).map_or(0o600, |old| old.mode() & 0o777);
        let failed = || Error::io("write", path);
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(mode).open(&temporary);
        let mut aside = Self { file: file.map_err(failed())?, temporary, path: path.to_owned(), put: false };
        aside.file.write_all(content).map_err(failed())?;
        Ok(aside)
    }

    /// Sees to it that the disk has it (fsync(2)). Before that it must not be put in its place.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.file.sync_all().map_err(Error::io("write", &self.path))
    }

    /// Sees to it that the disk has it when it has its place.
    pub(crate) fn before_what_follows(&self) -> Result<(), Error> {
        crate::disk::file_before_what_follows(&self.file, &self.path)
    }

    /// Where it is as long as it is not in its place.
    pub(crate) fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Puts it in its place, also for the next start after a crash.
    pub(crate) fn put(mut self) -> Result<(), Error> {
        let directory = self.path.parent().unwrap_or_else(|| Path::new("/"));
        let failed = || Error::io("write", &self.path);
        std::fs::rename(&self.temporary, &self.path).map_err(failed())?;
        std::fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed())?;
        self.put = true;
        Ok(())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.put {
            // The old file stands; what could not be written whole must not lie about.
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}
