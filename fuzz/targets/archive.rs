//! Archives, before anything of them becomes a file.
#![no_main]

use jaula::rootfs::archive::walk;
use libfuzzer_sys::fuzz_target;
use model::tar::acl;
use model::tar::pax::Pax;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(entries) = walk(bytes) {
        assert!(entries <= bytes.len() as u64 / 512);
    }
    let mut pax = Pax::default();
    let _ = pax.add(bytes);
    if let Some(text) = acl::text(bytes) {
        let value = acl::value(text.as_bytes(), |_| None, |_| None);
        assert!(value.is_ok());
    }
    let _ = acl::value(bytes, |_| None, |name| name.parse().ok());
});
