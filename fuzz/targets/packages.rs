//! Package databases of a host.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::packages::{apk, dpkg, rpm};
use std::collections::HashMap;

fuzz_target!(|text: &str| {
    let wanted: HashMap<String, String> =
        ["/usr/bin/x", "/bin/x", "/a/b"].map(|path| (path.to_owned(), path.to_owned())).into();
    let diversions = dpkg::Diversions::parse(text);
    for package in dpkg::status(text).into_values() {
        assert!(!package.name.is_empty());
        dpkg::list(&package.name, text, &diversions, &wanted, |file| assert!(wanted.contains_key(file)));
    }
    apk::installed(text, &wanted, |file, _| assert!(wanted.contains_key(file)));
    rpm::files(text, &wanted, |file, _| assert!(wanted.contains_key(file)));
});
