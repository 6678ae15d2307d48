//! The loader's cache, `/etc/ld.so.cache`.
#![no_main]

use std::ffi::OsStr;

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    if let Ok(cache) = jaula::rootfs::app::ldcache::LdCache::parse(file) {
        cache.find(OsStr::new("libc.so.6")).for_each(drop);
    }
});
