//! Settings of the host's interfaces that are lent to jails: what was set before stands in a file, and comes back.

use crate::error::{Error, Result};
use model::plan::Setting;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

fn file(setting: Setting, device: &str) -> PathBuf {
    Path::new("/proc/sys").join(setting.name(device))
}

/// Is it set as jails need it? Where the kernel hides it, or nobody may write to it, that an answer comes late is no
/// reason for a start to fail.
pub(super) fn stands(setting: Setting, device: &str) -> Result<bool> {
    let file = file(setting, device);
    match std::fs::read_to_string(&file) {
        Ok(now) => Ok(now.trim() == setting.value()),
        Err(_) if setting != Setting::Ndp => Ok(true),
        Err(e) => Err(Error::io("read", &file)(e)),
    }
}

/// Sets it, and first writes down what it was.
pub(super) fn lend(setting: Setting, device: &str, made: &Path) -> Result<()> {
    let file = file(setting, device);
    let before = std::fs::read(&file).map_err(Error::io("read", &file))?;
    std::fs::write(made, before).map_err(Error::io("write", made))?;
    match std::fs::write(&file, setting.value()) {
        Err(e) if setting == Setting::Ndp => Err(Error::io("write", &file)(e)),
        _ => Ok(()),
    }
}

/// Sets it as it was, unless somebody set it to something else since.
pub(super) fn give_back(setting: Setting, device: &str, made: &Path) -> Result<()> {
    let file = file(setting, device);
    let before = std::fs::read(made).map_err(Error::io("read", made))?;
    // With the interface it went. Where nothing is written down it was not set yet.
    let now = std::fs::read_to_string(&file).unwrap_or_default();
    if before.is_empty() || now.trim() != setting.value() {
        return Ok(());
    }
    match std::fs::write(&file, before) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::io("write", &file)(e)),
        _ => Ok(()),
    }
}
