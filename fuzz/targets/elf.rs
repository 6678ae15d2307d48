//! Programs and libraries of which an app jail is made.
#![no_main]

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    _ = jaula::rootfs::app::elf::parse(file);
});
