//! What the kernel opens beside a program to start it: the interpreters of scripts, and loaders.

use super::process::{Thread, path};
use super::watcher::Raw;
use crate::rootfs::app::{elf, script};
use std::collections::HashMap;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use sys::fs::{O_NOCTTY, O_NONBLOCK, O_RDONLY, Within};

/// How much of a program is looked at: its headers, and the name of its loader, lie at its beginning.
const HEAD: usize = 1 << 16;
/// How many programs are remembered.
const MOST: usize = 1 << 12;

/// What starts which program, as far as it was asked.
#[derive(Debug, Default)]
pub(super) struct Interpreters(HashMap<Raw, Vec<Raw>>);

impl Interpreters {
    /// Each program that the kernel starts in place of this one, and the last one's loader.
    pub(super) fn of(&mut self, thread: Thread<'_>, program: &Path) -> Vec<Raw> {
        let key = program.to_path_buf().into_os_string().into_vec();
        if let Some(known) = self.0.get(&key) {
            return known.clone();
        }
        let mut found: Vec<Raw> = Vec::new();
        if let Some(root) = thread.root() {
            let mut next = Some(key.clone());
            for _ in 0..=script::MAX_NESTED {
                let Some(file) = next.take() else { break };
                next = one(&root, path(&file));
                found.extend(next.clone());
            }
        }
        if self.0.len() < MOST {
            self.0.insert(key, found.clone());
        }
        found
    }
}

/// The file is the jail's, and may be anything.
fn one(root: &std::os::fd::OwnedFd, program: &Path) -> Option<Raw> {
    let flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
    let file = sys::fs::open_in(root, program.strip_prefix("/").ok()?, flags, 0, Within::Root).ok()?;
    let mut head = vec![0; HEAD];
    let mut length = 0;
    while let n @ 1.. = sys::fs::read(&file, &mut head[length..]).ok()? {
        length += n;
    }
    head.truncate(length);
    let script = script::parse(&head).map(|script| script.interpreter);
    script.or_else(|| elf::loader(&head)).map(|path| path.into_os_string().into_vec())
}
