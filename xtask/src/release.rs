//! The release build of jaula: for musl, whose C library is ready at once.
//!
//! A static glibc asks the processor some fifty questions before `main`, which in a virtual machine
//! takes longer than all else that `jaula run` does before its first system call
//! (docs/decisions/025-beginning.md). Where musl cannot be had, jaula is built for the machine's
//! own target and does the same, 0.3 ms later.

use crate::shell::{Result, command, has, output, run, target};
use std::path::{Path, PathBuf};

/// The target for this machine's processor.
fn musl() -> String {
    format!("{}-unknown-linux-musl", std::env::consts::ARCH)
}

/// Is there a standard library for it, and a compiler for the parts that are written in C?
fn is_here() -> bool {
    let library = output(&mut command(&["rustc", "--print", "target-libdir", "--target", &musl()]));
    library.is_ok_and(|path| Path::new(path.trim()).is_dir()) && has("musl-gcc")
}

/// Gets what is missing of it; without, things go on.
pub(crate) fn setup() {
    if !is_here() && has("rustup") {
        println!("setup: adding Rust's target {}", musl());
        let _ = run(&mut command(&["rustup", "target", "add", &musl()]));
    }
    if is_here() {
        println!("setup: jaula is built for {}", musl());
    } else {
        println!("setup: no {}: jaula is built with this machine's C library, and starts slower", musl());
    }
}

/// Builds it.
pub(crate) fn build() -> Result<PathBuf> {
    let mut cargo = command(&["cargo", "build", "--release", "--quiet", "--package", "jaula-cli"]);
    if is_here() {
        cargo.args(["--target", &musl()]);
    }
    run(&mut cargo)?;
    path()
}

/// Where it is.
pub(crate) fn path() -> Result<PathBuf> {
    if is_here() {
        return Ok(target().join(musl()).join("release/jaula"));
    }
    Ok(native()?.join("release/jaula"))
}

/// Where cargo puts what it builds for this machine's own target.
pub(crate) fn native() -> Result<PathBuf> {
    // target/TRIPLE/PROFILE/xtask
    let this = std::env::current_exe()?;
    Ok(this.ancestors().nth(2).ok_or("xtask is in no target directory")?.to_owned())
}
