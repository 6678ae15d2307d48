//! What a tree holds, as a list: one line for each name, in the order of their bytes.
//!
//! A line has, between tabs: the path; `d`, `f`, `l`, `p` or `h` for a directory, file, symbolic link, pipe or further
//! name of a file; the mode in octal; user and group; the length of a file; SHA-256 of its content, or where a link
//! leads; SHA-256 of the extended attributes, access lists among them, or `-`. Control characters, spaces and
//! backslashes in names are `\\xHH`. Times are not in it: they say nothing of what a tree does. The digest of a tree
//! is SHA-256 of the list.

use super::walk::{self, LeftOut, failed, read};
use super::{Contents, Progress, Report, hex};
use crate::error::Result;
use model::tar::Kind;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;
use sys::fs::{O_NONBLOCK, O_RDONLY};

/// A tree's list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The lines.
    pub text: String,
}

/// What differs between two lists.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// The path, as the lists have it.
    pub path: String,
    /// `missing`, `new`, or what has changed: `content`, `mode`, `owner`, `kind`, `attributes`.
    pub what: Vec<&'static str>,
}

/// How much a tree is, its top not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Names of every kind.
    pub files: u64,
    /// Bytes that they take on the disk.
    pub room: u64,
}

impl Manifest {
    /// Looks at a tree, and reads all of it.
    pub fn of(top: BorrowedFd<'_>, report: Report<'_>) -> Result<Self> {
        Self::knowing(&Contents::default(), top, report).map(|(list, _)| list)
    }

    /// The same, without reading those files whose content is known. Also says how much it is.
    pub fn knowing(known: &Contents, top: BorrowedFd<'_>, report: Report<'_>) -> Result<(Self, Extent)> {
        let mut text = String::new();
        let mut buffer = vec![0; 256 << 10];
        let (mut done, mut extent) = (Progress::default(), Extent::default());
        walk::each(top, 0, &mut LeftOut::new(), &mut |found| {
            let entry = &found.entry;
            if !entry.path.is_empty() {
                extent.files += 1;
            }
            if !entry.path.is_empty() && !matches!(entry.kind, Kind::Hardlink(_)) {
                extent.room += found.about.blocks() * 512;
            }
            let (letter, last) = match &entry.kind {
                Kind::Directory => ('d', String::new()),
                Kind::Symlink(to) => ('l', escaped(to)),
                Kind::Hardlink(to) => ('h', escaped(to)),
                Kind::Fifo | Kind::Device { .. } => ('p', String::new()),
                Kind::File => {
                    let digest = match known.of(found.about) {
                        Some(digest) => digest,
                        None => {
                            let file = sys::fs::reopen(found.fd, O_RDONLY | O_NONBLOCK)
                                .map_err(failed(&entry.path))?;
                            content(&mut File::from(file), &mut buffer).map_err(read(&entry.path))?
                        }
                    };
                    done.bytes += entry.size;
                    ('f', digest)
                }
            };
            let path = if entry.path.is_empty() { ".".to_owned() } else { escaped(&entry.path) };
            let (mode, user, group, size) = (entry.mode & 0o7777, entry.user, entry.group, entry.size);
            let attributes = attributes(entry);
            let _ =
                writeln!(text, "{path}\t{letter}\t{mode:o}\t{user}:{group}\t{size}\t{last}\t{attributes}");
            done.files += 1;
            report(&done)
        })?;
        Ok((Self { text }, extent))
    }

    /// SHA-256 of the list, in hexadecimal.
    pub fn digest(&self) -> String {
        hex(&Sha256::digest(&self.text))
    }

    /// What another list, of the same tree at a later time, has otherwise.
    pub fn compare(&self, other: &Self) -> Vec<Difference> {
        const WHAT: [&str; 6] = ["kind", "mode", "owner", "content", "content", "attributes"];
        let rows = |text| -> std::collections::BTreeMap<String, Vec<String>> {
            let row = |line: &str| {
                let mut fields = line.split('\t').map(str::to_owned);
                Some((fields.next()?, fields.collect()))
            };
            str::lines(text).filter_map(row).collect()
        };
        let (old, mut new) = (rows(&self.text), rows(&other.text));
        let mut all = Vec::new();
        for (path, was) in old {
            let what = match new.remove(&path) {
                None => vec!["missing"],
                Some(is) => {
                    let pairs = was.iter().zip(&is).zip(WHAT);
                    let mut what: Vec<_> = pairs.filter(|((a, b), _)| a != b).map(|(_, what)| what).collect();
                    what.dedup();
                    what
                }
            };
            if !what.is_empty() {
                all.push(Difference { path, what });
            }
        }
        all.extend(new.into_keys().map(|path| Difference { path, what: vec!["new"] }));
        all.sort_by(|a, b| a.path.cmp(&b.path));
        all
    }
}

/// SHA-256 of what a file holds.
fn content(file: &mut File, buffer: &mut [u8]) -> std::io::Result<String> {
    let mut sum = Sha256::new();
    loop {
        match file.read(buffer)? {
            0 => return Ok(hex(&sum.finalize())),
            n => sum.update(&buffer[..n]),
        }
    }
}

/// SHA-256 of the attributes of an entry, each with its length, and its access lists.
fn attributes(entry: &model::tar::Entry) -> String {
    let lists = [(&b"access"[..], &entry.access), (b"default", &entry.default)];
    let lists = lists.into_iter().filter_map(|(name, list)| Some((name, &list.as_ref()?[..])));
    let all = entry.attributes.iter().map(|(name, value)| (&name[..], &value[..])).chain(lists);
    let mut sum = Sha256::new();
    let mut any = false;
    for (name, value) in all {
        any = true;
        for part in [name, value] {
            sum.update((part.len() as u64).to_le_bytes());
            sum.update(part);
        }
    }
    if any { hex(&sum.finalize()) } else { "-".to_owned() }
}

/// A name without what separates fields and lines.
fn escaped(name: &[u8]) -> String {
    let mut out = String::with_capacity(name.len());
    for part in name.utf8_chunks() {
        for c in part.valid().chars() {
            match c {
                ' ' | '\\' | '\0'..='\x1f' | '\x7f' => {
                    let _ = write!(out, "\\x{:02x}", u32::from(c));
                }
                c => out.push(c),
            }
        }
        for byte in part.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}
