//! What benchmarks have around them that the host must not keep: a mount namespace, file systems, and programs of
//! Debian that do what jaula does.

use crate::shell::{Result, command, output, run};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Set for the process that is in a mount namespace of its own.
const INSIDE: &str = "JAULA_BENCH_INSIDE";
/// What has `lxc-copy`, `lxc-start` and `systemd-nspawn`, and what those need.
const PACKAGES: &[&str] =
    &["lxc", "liblxc1", "liblxc-common", "rsync", "libpopt0", "libxxhash0", "systemd-container"];

/// Runs a benchmark in a mount namespace of its own.
pub(super) fn apart(bench: &str, measure: impl FnOnce() -> Result) -> Result {
    if std::env::var_os(INSIDE).is_some() {
        return measure();
    }
    let this = std::env::current_exe()?;
    let words = ["unshare", "--mount", "--propagation", "private"];
    run(command(&words).arg(this).args(["bench", bench]).env(INSIDE, "1"))
}

/// The same, in which the peers lie over `/usr`.
pub(super) fn among(bench: &str, directory: &Path, measure: impl FnOnce() -> Result) -> Result {
    apart(bench, || {
        unpack(directory)?;
        measure()
    })
}

/// A file system in a sparse file, mounted for this process only; it goes with the namespace.
pub(super) fn file_system(directory: &Path, kind: &str) -> Result<PathBuf> {
    let (file, top) = (directory.join(format!("{kind}.img")), directory.join(kind));
    fs::File::create(&file)?.set_len(12 << 30)?;
    output(command(&[&format!("mkfs.{kind}"), "-q"]).arg(&file))?;
    fs::create_dir_all(&top)?;
    run(command(&["mount", "-o", "loop"]).arg(&file).arg(&top))?;
    // Its blocks go when this process has ended.
    fs::remove_file(&file)?;
    Ok(top)
}

fn unpack(directory: &Path) -> Result {
    let place = directory.join("peers");
    if !place.is_dir() {
        let new = super::empty(directory.join("peers.new"))?;
        for package in PACKAGES {
            if let Err(error) = output(command(&["apt-get", "download", package]).current_dir(&new)) {
                println!("bench: without {package}: {error}");
            }
        }
        for entry in fs::read_dir(&new)? {
            let file = entry?.path();
            if file.as_os_str().as_bytes().ends_with(b".deb") {
                run(command(&["dpkg", "-x"]).arg(&file).arg(new.join("root")))?;
                fs::remove_file(file)?;
            }
        }
        fs::rename(new, &place)?;
    }
    let layers = format!("lowerdir={}/root/usr:/usr", place.display());
    run(&mut command(&["mount", "-t", "overlay", "overlay", "-o", &layers, "/usr"]))
}
