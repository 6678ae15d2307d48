//! The program `jaula`: where the C library calls it.
//!
//! Without the standard library's own beginning a start takes eleven system calls less
//! (docs/decisions/025-beginning.md). What else it does that jaula needs is in `forget_caller`.
#![no_main]
#![deny(unsafe_code)]

use sys::entry::Words;

#[global_allocator]
static MEMORY: sys::memory::Memory = sys::memory::Memory::new();

#[expect(unsafe_code, reason = "a function is called by the name that it has here, and by nobody else")]
#[unsafe(no_mangle)]
extern "C" fn main(_: i32, words: Words) -> i32 {
    jaula_cli::main(words.list()).into()
}
