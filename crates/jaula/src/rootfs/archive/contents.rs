//! What the files hold that were just made, by their inodes: whoever lists them need not read them again.

use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use sys::look::Status;

/// SHA-256 of the content of files of one tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents(HashMap<u64, Known>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    size: u64,
    /// Whoever writes to the file, or to another one that got its number, changes this.
    changed: (i64, u32),
    digest: [u8; 32],
}

impl Contents {
    /// A file holds what was added up, and will be said to be changed last at that moment.
    pub(super) fn add(&mut self, file: &Status, changed: (i64, u32), sum: Sha256) {
        let digest = sum.finalize().into();
        self.0.insert(file.inode, Known { size: file.size, changed, digest });
    }

    /// Nothing is known of a file, which may have the number of one that was removed.
    pub(super) fn forget(&mut self, file: &Status) {
        self.0.remove(&file.inode);
    }

    /// What a file holds, if it is known and still the same.
    pub(super) fn of(&self, file: &Metadata) -> Option<String> {
        let known = self.0.get(&file.ino())?;
        let changed = (file.mtime(), u32::try_from(file.mtime_nsec()).ok()?);
        (known.size == file.len() && known.changed == changed).then(|| super::hex(&known.digest))
    }
}
