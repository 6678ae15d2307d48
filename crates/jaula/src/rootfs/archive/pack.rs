//! A tree as an archive: always the same one for the same tree.
//!
//! Names come in the order of their bytes, a file with several names is a file once and a hard link after that,
//! holes stay holes.

use super::walk::{self, LeftOut, failed, plain, read};
use super::{Progress, Report, hex};
use crate::error::{Error, Result};
use model::tar::sparse::{Piece, Sparse};
use model::tar::{Entry, Kind, write};
use sha2::{Digest, Sha256};
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use sys::fs::{O_NONBLOCK, O_RDONLY};

/// So hard zstd tries: its own default, which writes as fast as disks do.
const LEVEL: i32 = 3;
/// What is copied at a time.
const PART: usize = 256 << 10;

/// What became of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// SHA-256 of the archive, in hexadecimal.
    pub digest: String,
    /// Its length.
    pub size: u64,
    /// How many files of every kind are in it.
    pub files: u64,
    /// Bytes of content; holes do not count.
    pub bytes: u64,
    /// What was left out, and how many of it: devices, sockets, what vanished meanwhile.
    pub left_out: LeftOut,
}

/// An archive in the making: trees and single files, in the order in which they are added.
pub struct Pack<W: Write> {
    out: zstd::Encoder<'static, Sum<W>>,
    done: Packed,
    part: Vec<u8>,
}

impl<W: Write> std::fmt::Debug for Pack<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pack").field("done", &self.done).finish_non_exhaustive()
    }
}

/// Adds up what goes through it.
struct Sum<W> {
    to: W,
    sum: Sha256,
    size: u64,
}

impl<W: Write> Write for Sum<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.to.write(bytes)?;
        self.sum.update(&bytes[..n]);
        self.size += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl<W: Write> Pack<W> {
    /// Begins an archive, compressed with zstd.
    pub fn new(to: W) -> Result<Self> {
        let begin = || {
            let mut out = zstd::Encoder::new(Sum { to, sum: Sha256::new(), size: 0 }, LEVEL)?;
            out.include_checksum(true)?;
            // A thread that compresses while this one reads; with one alone, what comes out is the same everywhere.
            out.multithread(1)?;
            Ok(out)
        };
        let out = begin().map_err(wrote)?;
        Ok(Self { out, done: Packed::default(), part: vec![0; PART] })
    }

    /// Adds a file that is text of ours.
    pub fn text(&mut self, path: &str, text: &[u8]) -> Result<()> {
        let entry = Entry { size: text.len() as u64, ..plain(path.as_bytes().to_vec(), Kind::File) };
        self.header(&entry)?;
        self.write(text)?;
        self.fill(entry.size)
    }

    /// Adds a directory with all in it, below `prefix` (`root/`, or nothing). What is taken from the ids of the files
    /// makes them those inside.
    pub fn tree(&mut self, top: BorrowedFd<'_>, prefix: &str, shift: u32, report: Report<'_>) -> Result<()> {
        let mut left_out = LeftOut::new();
        let below = |path: Vec<u8>| [prefix.as_bytes(), &path[..]].concat();
        walk::each(top, shift, &mut left_out, &mut |found| {
            let mut entry = Entry { path: below(found.entry.path), ..found.entry };
            match &mut entry.kind {
                Kind::Directory if entry.path.is_empty() => entry.path = b"./".to_vec(),
                Kind::Directory if !entry.path.ends_with(b"/") => entry.path.push(b'/'),
                Kind::Hardlink(to) => *to = below(std::mem::take(to)),
                _ => {}
            }
            match entry.kind {
                Kind::File => self.file(found.fd, entry, found.about)?,
                _ => self.header(&entry)?,
            }
            report(&Progress {
                archive: self.out.get_ref().size,
                files: self.done.files,
                bytes: self.done.bytes,
            })
        })?;
        self.done.left_out.append(&mut left_out);
        Ok(())
    }

    fn file(&mut self, fd: &OwnedFd, mut entry: Entry, about: &Metadata) -> Result<()> {
        let mut file = File::from(sys::fs::reopen(fd, O_RDONLY | O_NONBLOCK).map_err(failed(&entry.path))?);
        let length = about.len();
        let mut pieces = vec![Piece { at: 0, length }];
        if about.blocks().saturating_mul(512) < length {
            let found = sys::copy::pieces(&file, length).map_err(read(&entry.path))?;
            pieces = found.into_iter().map(|(at, length)| Piece { at, length }).collect();
        }
        entry.size = pieces.iter().map(|piece| piece.length).sum();
        if entry.size < length {
            entry.sparse = Sparse::new(length, pieces.clone(), entry.size);
        }
        self.header(&entry)?;
        for piece in pieces {
            file.seek(SeekFrom::Start(piece.at)).map_err(read(&entry.path))?;
            self.content(&mut file, piece.length, &entry.path)?;
        }
        self.done.bytes += entry.size;
        self.fill(entry.size)
    }

    /// So many bytes of a file; if it has become shorter meanwhile, zeros.
    fn content(&mut self, file: &mut File, mut left: u64, path: &[u8]) -> Result<()> {
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(PART).min(PART);
            let mut got = file.read(&mut self.part[..most]).map_err(read(path))?;
            if got == 0 {
                self.part[..most].fill(0);
                got = most;
            }
            self.out.write_all(&self.part[..got]).map_err(wrote)?;
            left -= got as u64;
        }
        Ok(())
    }

    fn header(&mut self, entry: &Entry) -> Result<()> {
        self.done.files += 1;
        self.write(&write::blocks(entry))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(wrote)
    }

    fn fill(&mut self, size: u64) -> Result<()> {
        self.write(&write::END[..write::padding(size)])
    }

    /// Ends the archive.
    pub fn finish(mut self) -> Result<Packed> {
        self.write(&write::END)?;
        let mut sum = self.out.finish().map_err(wrote)?;
        sum.flush().map_err(wrote)?;
        self.done.digest = hex(&sum.sum.finalize());
        self.done.size = sum.size;
        Ok(self.done)
    }
}

/// A tree as an archive of its own.
pub fn pack(top: BorrowedFd<'_>, to: impl Write, report: Report<'_>) -> Result<Packed> {
    let mut pack = Pack::new(to)?;
    pack.tree(top, "", 0, report)?;
    pack.finish()
}

fn wrote(error: io::Error) -> Error {
    Error::io("write", std::path::Path::new("the archive"))(error)
}
