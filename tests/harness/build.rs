//! C programs and directories that are made once and kept below `target`.

use super::test::Outcome;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// The workspace's target directory.
pub fn target_directory() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from)
}

/// Compiles C sources to a static program `target/tests/NAME`, unless it is there and newer
/// than they are.
pub fn c_program(name: &str, sources: &[PathBuf]) -> Outcome<PathBuf> {
    once(
        name,
        |path| {
            let made = std::fs::metadata(path).and_then(|meta| meta.modified());
            let newer = |source: &PathBuf| {
                let changed = std::fs::metadata(source).and_then(|meta| meta.modified());
                matches!((&made, changed), (Ok(made), Ok(changed)) if *made > changed)
            };
            sources.iter().all(newer)
        },
        |path| {
            let mut compiler = Command::new("cc");
            compiler
                .args(["-static", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"])
                .arg(path)
                .args(sources);
            successful(&mut compiler)
        },
    )
}

/// Compiles all programs of the tests, for where there is no compiler: `cargo xtask lab` takes them along.
pub(super) fn programs() -> Outcome {
    super::roots::probe()?;
    super::roots::busybox_root()?;
    for (name, source) in
        [("killer", "harness/killer.c"), ("say", "declared/say.c"), ("answer", "bind/answer.c")]
    {
        c_program(name, &[Path::new(env!("CARGO_MANIFEST_DIR")).join(source)])?;
    }
    Ok(())
}

/// Makes `target/tests/NAME` with `make` unless `is_good` says that it stands. `make` works
/// under another name, so that what is there is always whole.
pub(super) fn once(
    name: &str,
    is_good: impl Fn(&Path) -> bool,
    make: impl Fn(&Path) -> Outcome,
) -> Outcome<PathBuf> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _held = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let directory = target_directory().join("tests");
    std::fs::create_dir_all(&directory)?;
    let path = directory.canonicalize()?.join(name);
    if !is_good(&path) {
        let unfinished = directory.join(format!("{name}.{}", std::process::id()));
        make(&unfinished)?;
        std::fs::rename(&unfinished, &path)?;
    }
    Ok(path)
}

/// Runs a command that must succeed; an error has its command line and what it said.
pub(super) fn successful(command: &mut Command) -> Outcome {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{} {:?}: {}\n{said}",
        command.get_program().display(),
        command.get_args().collect::<Vec<&OsStr>>(),
        output.status
    )
    .into())
}
