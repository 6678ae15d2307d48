//! Has the linker lay what a start runs side by side (docs/decisions/036-hot-code.md).
//!
//! `hot.txt` has the functions, in the order in which they are first called. A line is the end of a section's
//! name, with `*` for what differs from build to build; one that fits nothing does no harm, and neither
//! does a function that is in no line.

use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=hot.txt");
    // Other C libraries are larger than all of jaula and have an order of their own.
    let is_release = std::env::var("PROFILE")? == "release";
    if !is_release || std::env::var("CARGO_CFG_TARGET_ENV")? != "musl" {
        return Ok(());
    }
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let script = out.join("hot.ld");
    std::fs::write(&script, script_of(&std::fs::read_to_string("hot.txt")?))?;
    println!("cargo:rustc-link-arg-bins=-Wl,-T,{}", script.display());
    // Beside the program, for `cargo xtask order`: target/TRIPLE/PROFILE/build/THIS/out.
    let beside = out.ancestors().nth(3).map_or_else(PathBuf::new, Path::to_owned).join("jaula.map");
    println!("cargo:rustc-link-arg-bins=-Wl,-Map={}", beside.display());
    Ok(())
}

/// A linker script that goes before the linker's own (`INSERT`).
fn script_of(list: &str) -> String {
    let functions = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let functions: String = functions.map(|name| format!("    *(.text.{name})\n")).collect();
    // The C library is small and called everywhere. A segment of its own, with data between it and all other
    // code, keeps apart what the kernel maps: since Linux 6.18 the whole of a large piece of page cache at the first
    // touch of any of it, within one mapping. The allocator's piece (`sys::memory`) comes after all other
    // data, which then lie together.
    format!(
        "SECTIONS\n{{\n  .text.hot ALIGN(CONSTANT(MAXPAGESIZE)) :\n  {{\n    *crt1.o(.text .text.*)\n    *libc.a:*(.text .text.*)\n\
         {functions}  }}\n}}\nINSERT AFTER .gcc_except_table;\n\
         SECTIONS\n{{\n  .bss.piece (NOLOAD) :\n  {{\n    *(.bss._ZN5jaula6MEMORY*)\n  }}\n}}\nINSERT AFTER .bss;\n"
    )
}
