//! The tar format: blocks of 512 bytes into entries, and back.
//!
//! All that archives of whole systems hold is read: the old formats, ustar, GNU's long names,
//! numbers and sparse files, and POSIX (pax) records with extended attributes and access lists.
//! Anything else is refused, never guessed. Nothing here reads or writes a file.

pub mod acl;
mod base64;
pub mod gather;
pub mod header;
pub mod path;
pub mod pax;
pub mod sparse;
#[cfg(test)]
mod tests;
pub mod write;

/// An archive is a row of blocks of so many bytes.
pub const BLOCK: usize = 512;

/// So many bytes may stand before an entry: a long name, pax records with extended attributes.
pub const MOST_BEFORE: u64 = 4 << 20;

/// A moment: seconds since 1970, and nanoseconds.
pub type Moment = (i64, u32);

/// One thing in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path as the archive has it; see [`path::beneath`].
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permissions, with setuid, setgid and sticky bit.
    pub mode: u32,
    /// Its owner.
    pub user: u64,
    /// Its group.
    pub group: u64,
    /// How many bytes of content follow in the archive.
    pub size: u64,
    /// When it was changed last.
    pub changed: Moment,
    /// Extended attributes, by name.
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
    /// Access lists as text; see [`acl`].
    pub access: Option<Vec<u8>>,
    /// The access list that a directory's new files get.
    pub default: Option<Vec<u8>>,
    /// Where the content of a file with holes belongs.
    pub sparse: Option<sparse::Sparse>,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file with content.
    File,
    /// A directory.
    Directory,
    /// A symbolic link that reads this.
    Symlink(Vec<u8>),
    /// Another name of what the archive has under this path.
    Hardlink(Vec<u8>),
    /// A named pipe.
    Fifo,
    /// A device.
    Device {
        /// A block device, not one of characters?
        block: bool,
        /// The number of its driver.
        major: u32,
        /// Its number there.
        minor: u32,
    },
}

/// Why something is no archive that could be unpacked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No header.
    #[error("it is no tar archive, or damaged: the checksum of the block at byte {0} is wrong")]
    Checksum(u64),
    /// A number that is none.
    #[error("the {field} of {} is no number", shown(.of))]
    Number {
        /// Which.
        field: &'static str,
        /// Of which entry.
        of: Vec<u8>,
    },
    /// A type that nobody knows.
    #[error("{} is of type {:?}, which is unknown", shown(.of), char::from(*.kind))]
    Type {
        /// The letter.
        kind: u8,
        /// Of which entry.
        of: Vec<u8>,
    },
    /// A record of a pax header that is none.
    #[error("a pax record is damaged")]
    Record,
    /// What stands before an entry is too long.
    #[error("the name or the attributes of an entry take {0} bytes")]
    Long(u64),
    /// A sparse map that makes no sense.
    #[error("the map of the sparse file {} is damaged", shown(.0))]
    Sparse(Vec<u8>),
    /// A header of names or attributes, and no entry that they belong to.
    #[error("the archive ends within an entry")]
    Cut,
    /// A name that no tree can have.
    #[error("{} {why}", shown(.path))]
    Path {
        /// The name.
        path: Vec<u8>,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An access list that is none.
    #[error("{:?} is no access list", String::from_utf8_lossy(.0))]
    Acl(Vec<u8>),
}

/// A path for a message: quoted, and not longer than a line.
pub fn shown(path: &[u8]) -> String {
    let text = String::from_utf8_lossy(path);
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
