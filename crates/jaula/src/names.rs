//! The list of jails by name ([`model::hosts`]) as a file of the house.
//!
//! Jails have the file itself, read-only, as their `/etc/hosts`: it is changed in its place, so that all that run see
//! who comes and goes.

use crate::claim::PATIENCE;
use crate::error::{Error, Result};
use model::name::Name;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::net::IpAddr;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

/// The file in the directory of running jails.
pub(crate) const FILE: &str = ".hosts";

/// The host's own names.
const OWN: &str = "/etc/hosts";

/// Puts a jail into the list.
pub(crate) fn enter(path: &Path, name: &Name, hostname: Option<&str>, ips: &[IpAddr]) -> Result<()> {
    let own = std::fs::read_to_string(OWN).unwrap_or_default();
    let Some(file) = open(path, true)? else { return Ok(()) };
    let text = read(&file, path)?;
    write(&file, path, &text, &model::hosts::with(&text, &own, name, hostname, ips))
}

/// Takes a jail out of it; the last one takes the file along.
pub(crate) fn leave(path: &Path, name: &Name) -> Result<()> {
    let Some(file) = open(path, false)? else { return Ok(()) };
    let text = read(&file, path)?;
    match model::hosts::left(&text, name) {
        Some(rest) => write(&file, path, &text, &rest),
        None => sys::fs::remove(sys::fs::CWD, path, false).map_err(Error::call("remove the list of names")),
    }
}

/// The list, for this process alone.
fn open(path: &Path, make: bool) -> Result<Option<File>> {
    let since = Instant::now();
    loop {
        let file = OpenOptions::new().read(true).write(true).create(make).mode(0o644).open(path);
        let file = match file {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !make => return Ok(None),
            file => file.map_err(Error::io("open", path))?,
        };
        let failed = || Error::call("lock the list of names");
        if sys::fs::try_lock(&file).map_err(failed())? {
            // Whoever had it before may have been the last one.
            if !sys::fs::is_removed(&file).map_err(failed())? {
                return Ok(Some(file));
            }
        } else if since.elapsed() > PATIENCE {
            return Err(Error::refused(
                format!("{} is locked by {}", path.display(), crate::claim::owner(path)),
                "end it, or let it go on",
            ));
        } else {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn read(mut file: &File, path: &Path) -> Result<String> {
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(Error::io("read", path))?;
    Ok(text)
}

/// In one call, and shortened after it: who reads meanwhile finds whole lines.
fn write(file: &File, path: &Path, old: &str, new: &str) -> Result<()> {
    if old == new {
        return Ok(());
    }
    let written = file.write_all_at(new.as_bytes(), 0).and_then(|()| file.set_len(new.len() as u64));
    written.map_err(Error::io("write", path))
}
