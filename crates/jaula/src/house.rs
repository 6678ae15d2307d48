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
    let directory = path.parent().unwrap_or_else(|| Path::new("/"));
    let temporary = path.with_extension(format!("new.{}", std::process::id()));
    // Who could read the old one may read the new one.
    let mode = std::fs::metadata(path).map_or(0o600, |old| old.mode() & 0o777);
    let write = || {
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        std::fs::File::open(directory)?.sync_all()
    };
    write().map_err(|e| {
        // The old file stands; what could not be written whole must not lie about.
        let _ = std::fs::remove_file(&temporary);
        Error::io("write", path)(e)
    })
}
