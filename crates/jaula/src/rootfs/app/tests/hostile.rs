//! The parsers of foreign bytes, on damaged and on arbitrary ones: no panic, and bounds kept.

use super::super::elf::{self, BadElf};
use super::super::ldcache::LdCache;
use super::super::{script, users};
use super::sample::Sample;
use proptest::prelude::*;
use std::ffi::OsStr;
use std::fs;

fn sample() -> Vec<u8> {
    Sample {
        interpreter: Some("/lib/ld.so"),
        soname: Some("libme.so"),
        needed: &["liba.so", "libb.so.1"],
        rpath: Some("$ORIGIN"),
        runpath: Some("/x"),
        opens: Some(r#"[{"soname":["libc.so"]}]"#),
        machine: None,
    }
    .bytes()
}

/// A cache as ldconfig of glibc since 2.32 writes it, with these libraries in falling order.
fn cache(libraries: &[(&str, &str, u64)]) -> Vec<u8> {
    let strings_at = 48 + 24 * libraries.len();
    let (mut table, mut strings) = (Vec::new(), Vec::new());
    for (name, path, hwcap) in libraries {
        table.extend(super::super::machine::HOST.cache_flags.to_le_bytes());
        for text in [name, path] {
            table.extend(u32::try_from(strings_at + strings.len()).unwrap().to_le_bytes());
            strings.extend([text.as_bytes(), b"\0"].concat());
        }
        table.extend(0u32.to_le_bytes());
        table.extend(hwcap.to_le_bytes());
    }
    let mut file = b"glibc-ld.so.cache1.1".to_vec();
    file.extend(u32::try_from(libraries.len()).unwrap().to_le_bytes());
    file.extend(u32::try_from(strings.len()).unwrap().to_le_bytes());
    file.extend([2, 0, 0, 0]);
    file.resize(48, 0);
    [file, table, strings].concat()
}

fn find(cache: &[u8], name: &str) -> Vec<(String, bool)> {
    let Ok(cache) = LdCache::parse(cache) else { return Vec::new() };
    cache.find(OsStr::new(name)).map(|l| (l.path.display().to_string(), l.baseline)).collect()
}

#[test]
fn a_whole_file_says_all() {
    let elf = elf::parse(sample().as_slice()).unwrap();
    assert_eq!(elf.interpreter.as_deref(), Some(std::path::Path::new("/lib/ld.so")));
    assert_eq!(elf.needed, ["liba.so", "libb.so.1"]);
    assert_eq!(elf.soname.as_deref(), Some(OsStr::new("libme.so")));
    assert_eq!(elf.rpath.as_deref(), Some(OsStr::new("$ORIGIN")));
    assert_eq!(elf.runpath.as_deref(), Some(OsStr::new("/x")));
    assert_eq!(elf.opens[0].names, ["libc.so"]);
    assert_eq!(elf.opens[0].priority, elf::Priority::Recommended);
}

#[test]
fn cut_elf_files() {
    for whole in [sample(), fs::read("/bin/ls").unwrap()] {
        let complete = elf::parse(whole.as_slice()).unwrap();
        for length in 0..whole.len() {
            match elf::parse(&whole[..length]) {
                // Behind what is read anything may be missing, but nothing may be misread.
                Ok(elf) => assert!(elf == complete || elf.opens.len() < complete.opens.len()),
                Err(BadElf::NotElf) => assert!(length < 4),
                Err(BadElf::Damaged(_)) => {}
                Err(other) => panic!("{length}: {other}"),
            }
        }
    }
}

#[test]
fn every_byte_of_the_headers_changed() {
    let whole = sample();
    for at in 0..whole.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut changed = whole.clone();
            changed[at] = value;
            let _ = elf::parse(changed.as_slice());
        }
    }
}

/// A file that has room for all its header asks for: half a tebibyte of it.
#[test]
fn no_more_is_read_than_is_reasonable() {
    let mut bytes = sample();
    let dynamic = (0..4).map(|n| 64 + 56 * n).find(|at| bytes[*at] == 2).unwrap();
    bytes[dynamic + 32..dynamic + 40].copy_from_slice(&(1u64 << 39).to_le_bytes());
    let path = std::env::temp_dir().join(format!("jaula-app-{}-sparse", std::process::id()));
    fs::write(&path, bytes).unwrap();
    let file = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    file.set_len(1 << 40).unwrap();
    let parsed = elf::parse(&object::ReadCache::new(file));
    assert_eq!(parsed, Err(BadElf::Damaged("its dynamic section")));
}

#[test]
fn the_cache_finds_as_the_loader_does() {
    let cache = cache(&[
        ("libz.so.10", "/a/libz.so.10", 0),
        ("libz.so.9", "/a/libz.so.9", 0),
        ("libz.so.1", "/a/v3/libz.so.1", 1 << 62),
        ("libz.so.1", "/a/libz.so.1", 0),
        ("liba.so", "relative/liba.so", 0),
    ]);
    assert_eq!(
        find(&cache, "libz.so.1"),
        [("/a/v3/libz.so.1".to_owned(), false), ("/a/libz.so.1".to_owned(), true)]
    );
    assert_eq!(find(&cache, "libz.so.10"), [("/a/libz.so.10".to_owned(), true)]);
    assert_eq!(find(&cache, "liba.so"), []);
    assert_eq!(find(&cache, "libb.so"), []);
    // The old format before it: one entry, padded to a multiple of eight.
    let mut old = b"ld.so-1.7.0\0".to_vec();
    old.extend(1u32.to_le_bytes());
    old.resize(32, 0);
    assert_eq!(find(&[old, cache.clone()].concat(), "libz.so.9"), [("/a/libz.so.9".to_owned(), true)]);
    let mut other_order = cache;
    other_order[28] = 3;
    assert!(LdCache::parse(&other_order).is_err());
}

#[test]
fn the_hosts_own_cache() {
    let Ok(whole) = fs::read("/etc/ld.so.cache") else { return };
    assert!(!find(&whole, "libc.so.6").is_empty());
    for length in 0..whole.len() {
        for (path, _) in find(&whole[..length], "libc.so.6") {
            assert!(path.ends_with("/libc.so.6"), "{length}: {path}");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes(bytes: Vec<u8>, name: String) {
        let _ = elf::parse(bytes.as_slice());
        let _ = elf::parse([b"\x7fELF".as_slice(), &bytes].concat().as_slice());
        let _ = script::parse(&[b"#!".as_slice(), &bytes].concat());
        let _ = script::program_of_env(OsStr::new(&format!("-S{name}")));
        let _ = users::parse_passwd(&bytes);
        let _ = users::parse_group(&bytes);
        find(&[b"glibc-ld.so.cache1.1".as_slice(), &bytes].concat(), &name);
        find(&[b"ld.so-1.7.0\0".as_slice(), &bytes].concat(), &name);
    }

    #[test]
    fn changed_elf_files(changes in prop::collection::vec((0usize..600, any::<u8>()), 1..8)) {
        let mut bytes = sample();
        for (at, value) in changes {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        let _ = elf::parse(bytes.as_slice());
    }

    #[test]
    fn changed_caches(changes in prop::collection::vec((20usize..200, any::<u8>()), 1..8)) {
        let mut bytes = cache(&[("libz.so.2", "/z", 0), ("libz.so.1", "/y", 0), ("liba.so", "/a", 0)]);
        for (at, value) in changes {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        find(&bytes, "libz.so.1");
    }
}
