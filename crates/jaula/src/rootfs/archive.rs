//! Trees out of archives and back: tar, as it is or compressed with gzip, xz or zstd.
//!
//! An archive is foreign data. Each name in it is one beneath the directory that it is unpacked into, each
//! directory on the way is opened with openat2(2) and no link on it, each file is made and never opened,
//! and what has no place in a jail's tree (devices, ids that no jail has) is left out or refused in words.
//!
//! The work is done in a row of threads: one reads and adds up the digest, one decompresses, the caller's
//! makes the files.

mod ahead;
mod contents;
mod entries;
mod error;
mod input;
pub mod manifest;
mod pack;
mod place;

#[cfg(test)]
mod tests;
mod unpack;
mod walk;

pub(crate) use ahead::apart;
pub use contents::Contents;
pub use entries::Entries;
pub use error::ArchiveError;
pub use input::{Input, hex};

pub use pack::{Pack, Packed, pack};
pub use unpack::{Layer, Unpack, Unpacked, unpack, walk};

use crate::error::Result;

/// The highest id of a jail's files; those of archives are the same as inside.
pub const MOST_ID: u32 = 65535;

/// How much an archive may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of content; holes do not count.
    pub bytes: u64,
    /// Files of every kind.
    pub files: u64,
}

impl Limits {
    /// What the file system of a directory has room for, if that is less than what is said; of its space a
    /// twentieth stays free.
    pub fn of(dir: impl std::os::fd::AsFd, bytes: Option<u64>) -> sys::Result<Self> {
        let room = sys::copy::room(dir)?;
        let free = room.bytes - room.bytes / 20;
        let files = if room.files == 0 { u64::MAX } else { room.files };
        Ok(Self { bytes: bytes.map_or(free, |most| most.min(free)), files })
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the archive.
    pub archive: u64,
    /// Files of every kind.
    pub files: u64,
    /// Bytes of content.
    pub bytes: u64,
}

/// Hears how far it is, and ends the work with an error.
pub type Report<'a> = &'a mut dyn FnMut(&Progress) -> Result<()>;
