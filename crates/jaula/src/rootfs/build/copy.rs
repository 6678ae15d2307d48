//! A directory tree of the host, copied.

use super::tidy;
use super::work::Work;
use crate::error::{Error, Result};
use crate::rootfs::duplicate::{self, Take};
use std::fs::Metadata;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// Can it be copied?
pub(super) fn check(from: &Path) -> Result<()> {
    tidy::directory(from)
}

/// Copies it as it is, but for what no jail could use: device nodes and sockets.
pub(super) fn tree(from: &Path, into: &Path, work: &mut Work<'_>) -> Result<()> {
    apart(from, into)?;
    let mut filter =
        |_: &Path, about: &Metadata| if is_of_the_host(about) { Take::Nothing } else { Take::Whole };
    duplicate::part(from, into, &mut filter, &mut |count| work.count("copying", count.files, count.bytes))?;
    Ok(())
}

/// Is it a device node or a socket? Both mean something on the host that they are of only.
pub(super) fn is_of_the_host(about: &Metadata) -> bool {
    let kind = about.file_type();
    kind.is_char_device() || kind.is_block_device() || kind.is_socket()
}

/// A tree is not copied into itself.
fn apart(from: &Path, into: &Path) -> Result<()> {
    let whole = |path: &Path| std::fs::canonicalize(path).map_err(Error::io("find", path));
    if whole(into)?.starts_with(whole(from)?) {
        return Err(Error::refused(
            format!("{} holds what jaula keeps, which cannot be copied into itself", from.display()),
            "name a directory of less, or --from host",
        ));
    }
    Ok(())
}
