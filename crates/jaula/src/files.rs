//! Small files of a jail's run directory.

use crate::error::{Error, Result};
use std::os::fd::AsFd;

/// No file of jaula's own is larger.
const LIMIT: usize = 1 << 20;

/// A small text file; `None` if there is none.
pub(crate) fn read_small(dir: impl AsFd, name: &str) -> Result<Option<String>> {
    let bytes = read_bytes(dir, name)?;
    Ok(bytes.map(|b| String::from_utf8_lossy(&b).into_owned()))
}

/// The same for bytes.
pub(crate) fn read_bytes(dir: impl AsFd, name: &str) -> Result<Option<Vec<u8>>> {
    match sys::fs::open(dir, name, sys::fs::O_RDONLY | sys::fs::O_NOFOLLOW, 0) {
        Ok(file) => sys::fs::read_all(&file, LIMIT).map(Some).map_err(Error::call("read the jail's state")),
        Err(e) if e.is(sys::errno::ENOENT) => Ok(None),
        Err(e) => Err(Error::call("read the jail's state")(e)),
    }
}

/// Replaces a small file; a reader sees the old one or the new one. Without fsync: it does not
/// have to outlive the machine's run.
pub(crate) fn replace_small(dir: impl AsFd, name: &str, content: &[u8]) -> Result<()> {
    use sys::fs::{O_CREAT, O_TRUNC, O_WRONLY};
    let new = format!("{name}.new");
    let write = || {
        let file = sys::fs::open(&dir, &new, O_WRONLY | O_CREAT | O_TRUNC, 0o600)?;
        sys::fs::write(&file, content)?;
        sys::fs::rename(&dir, &new, name)
    };
    write().map_err(Error::call("write the jail's state"))
}
