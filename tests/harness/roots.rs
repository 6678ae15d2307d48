//! What jails run: a small root, and a program that tells what it can do.

use super::build::{c_program, once, successful};
use super::test::Outcome;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A root directory with busybox and a link for each of its commands, made once. It is shared:
/// a test that writes to its root asks for an overlay or copies it.
pub fn busybox_root() -> Outcome<PathBuf> {
    once("busybox-root", |root| root.join("bin/busybox").exists(), make_busybox_root)
}

fn make_busybox_root(root: &Path) -> Outcome {
    for directory in ["bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "var"] {
        fs::create_dir_all(root.join(directory))?;
    }
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777))?;
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n")?;
    fs::write(root.join("etc/group"), "root:x:0:\nalice:x:1000:\n")?;
    symlink("bin", root.join("sbin"))?;
    let installed = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
    let busybox = root.join("bin/busybox");
    fs::copy(installed.ok_or("no busybox here; run: cargo xtask setup")?, &busybox)?;
    successful(Command::new(&busybox).args(["--install", "-s"]).arg(root.join("bin")))?;
    // `--install` links to the path it was called by, which is not there inside.
    for link in fs::read_dir(root.join("bin"))?.flatten() {
        if link.file_type()?.is_symlink() {
            fs::remove_file(link.path())?;
            symlink("busybox", link.path())?;
        }
    }
    Ok(())
}

/// The program `tests/probe`, which tries what a jail must refuse and says what happened;
/// compiled once, static.
pub fn probe() -> Outcome<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("probe");
    let files = fs::read_dir(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut sources: Vec<PathBuf> = files.flatten().map(|entry| entry.path()).collect();
    sources.retain(|path| path.extension().is_some_and(|extension| extension == "c"));
    sources.sort();
    c_program("probe", &sources)
}
