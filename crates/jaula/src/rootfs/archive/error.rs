//! What is wrong with an archive.

use super::MOST_ID;
use model::tar::{Fault, shown};
use model::units::Bytes;

/// Why an archive cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file cannot be read.
    #[error("it cannot be read")]
    Read(#[source] std::io::Error),
    /// Nothing is in it.
    #[error("it is empty")]
    Empty,
    /// A format that jaula does not read.
    #[error("it is {0}, which jaula does not read")]
    Format(&'static str),
    /// It ends too early.
    #[error("it is cut short: it ends after {0} bytes of content, and its end is missing")]
    Cut(u64),
    /// What decompresses it cannot.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It is no tar, or holds what has no place in a tree.
    #[error(transparent)]
    Tar(#[from] Fault),
    /// Something follows the end of it.
    #[error("something follows the end of the archive in it")]
    After,
    /// An id that no jail has.
    #[error("{} belongs to {who} {id}, and a jail's files have ids up to {MOST_ID}", shown(.path))]
    Id {
        /// Of which entry.
        path: Vec<u8>,
        /// `user` or `group`
        who: &'static str,
        /// The id.
        id: u64,
    },
    /// A second entry of the same name.
    #[error("it has {} twice", shown(.0))]
    Twice(Vec<u8>),
    /// An entry behind what is no directory.
    #[error("{} lies behind a link or a file of the archive, not in a directory", shown(.0))]
    Behind(Vec<u8>),
    /// A hard link to nothing.
    #[error("{} is a hard link to {}, which the archive does not have before it", shown(.path), shown(.to))]
    Link {
        /// The link.
        path: Vec<u8>,
        /// Where it leads.
        to: Vec<u8>,
    },
    /// More than there is room for.
    #[error("it holds more than {}", Bytes(*.0))]
    Large(u64),
    /// More files than there is room for.
    #[error("it holds more than {0} files")]
    Many(u64),
    /// A file cannot be made.
    #[error("{} cannot be made", shown(.path))]
    Make {
        /// Which.
        path: Vec<u8>,
        /// The call.
        #[source]
        source: sys::CallError,
    },
    /// What a layer replaces cannot be removed.
    #[error("{} cannot be replaced", shown(.path))]
    Replace {
        /// Which.
        path: Vec<u8>,
        /// Why.
        #[source]
        source: Box<crate::error::Error>,
    },
    /// The archive is not the one that was asked for.
    #[error("its digest is sha256:{found}, not sha256:{wanted}")]
    Digest {
        /// What was asked for.
        wanted: String,
        /// What it has.
        found: String,
    },
}

impl ArchiveError {
    /// The way out, in one line.
    pub fn help(&self) -> Option<String> {
        Some(
            match self {
                Self::Format(_) => "tar, tar.gz, tar.xz and tar.zst are read; compress it anew: … | zstd",
                Self::Cut(_) | Self::Damaged(_) | Self::Tar(Fault::Checksum(_)) => {
                    "get it again, and compare its digest with what its maker tells: sha256sum FILE"
                }
                Self::Digest { .. } => {
                    "get it again; if it is meant to be another, ask for its digest or for none"
                }
                Self::Id { .. } => {
                    "it was made from a tree whose ids were shifted; make it inside, or with tar --owner-map"
                }
                Self::Large(_) | Self::Many(_) => "make room, or allow more with --limit",
                Self::Make { source, .. } if source.is(sys::errno::ENOSPC) => {
                    "make room, or move the house with JAULA_ROOT"
                }
                Self::Make { source, .. } if source.is(sys::errno::EPERM) && sys::process::user() != 0 => {
                    "this needs root: the files of a tree belong to many users"
                }
                Self::Tar(_) | Self::Twice(_) | Self::Behind(_) | Self::Link { .. } => {
                    "jaula unpacks nothing of an archive that is not plain; make it anew with tar"
                }
                _ => return None,
            }
            .to_owned(),
        )
    }
}
