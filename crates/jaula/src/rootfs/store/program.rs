//! Programs of the host that make and mend file systems.

use crate::error::{Error, Result};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PLACES: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/// Runs a program of a package; what it complains about is the error.
pub(super) fn run(name: &str, arguments: &[OsString], package: &str) -> Result<()> {
    let Some(program) = find(name) else {
        return Err(Error::refused(
            format!("this host has no {name}, which root.store = \"image\" needs"),
            format!("install {package}, or take another store"),
        ));
    };
    let output = Command::new(&program)
        .args(arguments)
        .env_clear()
        .env("PATH", PLACES.join(":"))
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(Error::io("execute", &program))?;
    // e2fsck says with 1 that it has mended something.
    let mended = name == "e2fsck" && output.status.code() == Some(1);
    if output.status.success() || mended {
        return Ok(());
    }
    let said =
        String::from_utf8_lossy(if output.stderr.is_empty() { &output.stdout } else { &output.stderr });
    let said = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it does not say why");
    let full =
        said.contains("No space left").then(|| "make room, or move the house with JAULA_ROOT".to_owned());
    Err(Error::Refused { message: format!("{name} failed ({}): {said}", output.status), help: full })
}

fn find(name: &str) -> Option<PathBuf> {
    PLACES.iter().map(|place| Path::new(place).join(name)).find(|path| path.is_file())
}
