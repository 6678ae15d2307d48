//! The entries of an archive, one after the other, with their content.

use super::error::ArchiveError;
use super::input::problem;
use model::tar::gather::{Before, Gather, before};
use model::tar::sparse::{Map, Sparse};
use model::tar::write::padding;
use model::tar::{BLOCK, Entry, Fault, MOST_BEFORE, header};
use std::io::BufRead;

/// So many bytes of zeros may follow the end: tar fills up its records, tapes theirs.
const MOST_AFTER: u64 = 16 << 20;

/// Reads entries.
#[derive(Debug)]
pub struct Entries<R> {
    input: R,
    /// How many bytes were read.
    at: u64,
    gather: Gather,
    /// What is left of the entry's content.
    left: u64,
    /// What fills its last block.
    padding: usize,
    /// Must the end be marked? Layers of images are known by their digests.
    strict: bool,
}

impl<R: BufRead> Entries<R> {
    /// The entries of an archive. With `strict` its end must be marked as the format asks for.
    pub fn new(input: R, strict: bool) -> Self {
        Self { input, at: 0, gather: Gather::default(), left: 0, padding: 0, strict }
    }

    /// Where its bytes come from.
    pub fn input(&self) -> &R {
        &self.input
    }

    /// The same, when all entries were read.
    pub fn into_input(self) -> R {
        self.input
    }

    /// The next entry; what was not read of the content of the last one is passed over.
    pub fn following(&mut self) -> Result<Option<Entry>, ArchiveError> {
        self.skip()?;
        loop {
            let Some(block) = self.block()? else {
                // An archive of nothing at all is none.
                return match self.gather.is_empty() && !self.strict && self.at > 0 {
                    true => Ok(None),
                    false => Err(ArchiveError::Cut(self.at)),
                };
            };
            let Some(header) = header::parse(&block, self.at - BLOCK as u64)? else {
                self.end()?;
                return Ok(None);
            };
            (self.left, self.padding) = (header.size, padding(header.size));
            match before(&header)? {
                Before::Entry => return self.entry(header).map(Some),
                Before::Nothing => self.skip()?,
                Before::Extension => {
                    let mut content = Vec::new();
                    while let Some(part) = self.part()? {
                        content.extend_from_slice(part);
                        let taken = part.len();
                        self.take(taken);
                    }
                    self.gather.add(&header, &content)?;
                    self.skip()?;
                }
            }
        }
    }

    fn entry(&mut self, header: header::Header) -> Result<Entry, ArchiveError> {
        let (mut more, mut follows) = (Vec::new(), header.more_pieces);
        let name = header.name.clone();
        let damaged = || Fault::Sparse(name.clone());
        while follows {
            let block = self.block()?.ok_or(ArchiveError::Cut(self.at))?;
            let (pieces, another) = header::more_pieces(&block).ok_or_else(damaged)?;
            more.extend(pieces);
            follows = another;
            if more.len() as u64 * 24 > MOST_BEFORE {
                return Err(damaged().into());
            }
        }
        let (mut entry, has_map) = self.gather.entry(header, more)?;
        (self.left, self.padding) = (entry.size, padding(entry.size));
        if has_map && let Some(sparse) = &mut entry.sparse {
            let mut map = Map::default();
            let pieces = loop {
                let block = self.block()?.ok_or(ArchiveError::Cut(self.at))?;
                if let Some(pieces) = map.add(&block).map_err(|_| damaged())? {
                    break pieces;
                }
            };
            entry.size = entry.size.checked_sub(map.taken).ok_or_else(damaged)?;
            *sparse = Sparse::new(sparse.real, pieces, entry.size).ok_or_else(damaged)?;
            self.left = entry.size;
        }
        Ok(entry)
    }

    /// Some of the content of the entry; `None` at its end. [`take`](Self::take) it when it was used.
    pub fn part(&mut self) -> Result<Option<&[u8]>, ArchiveError> {
        if self.left == 0 {
            return Ok(None);
        }
        let at = self.at;
        let ready = self.input.fill_buf().map_err(|e| problem(e, at))?;
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(ready.len());
        if most == 0 { Err(ArchiveError::Cut(at)) } else { Ok(Some(&ready[..most])) }
    }

    /// So much of the part was used.
    pub fn take(&mut self, amount: usize) {
        self.input.consume(amount);
        self.left = self.left.saturating_sub(amount as u64);
        self.at += amount as u64;
    }

    /// Passes over what is left of the entry.
    fn skip(&mut self) -> Result<(), ArchiveError> {
        self.left += std::mem::take(&mut self.padding) as u64;
        while let Some(part) = self.part()? {
            let length = part.len();
            self.take(length);
        }
        Ok(())
    }

    /// The next block; `None` at the end of the input.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, ArchiveError> {
        let mut block = [0; BLOCK];
        let mut have = 0;
        while have < BLOCK {
            let at = self.at + have as u64;
            let ready = self.input.fill_buf().map_err(|e| problem(e, at))?;
            let n = ready.len().min(BLOCK - have);
            if n == 0 {
                return if have == 0 { Ok(None) } else { Err(ArchiveError::Cut(at)) };
            }
            block[have..have + n].copy_from_slice(&ready[..n]);
            self.input.consume(n);
            have += n;
        }
        self.at += BLOCK as u64;
        Ok(Some(block))
    }

    /// After the block of zeros: only zeros follow.
    fn end(&mut self) -> Result<(), ArchiveError> {
        if !self.gather.is_empty() {
            return Err(Fault::Cut.into());
        }
        let mut after = 0;
        loop {
            let at = self.at;
            let ready = self.input.fill_buf().map_err(|e| problem(e, at))?;
            let length = ready.len();
            if length == 0 {
                return Ok(());
            }
            after += length as u64;
            if after > MOST_AFTER || ready.iter().any(|byte| *byte != 0) {
                return Err(ArchiveError::After);
            }
            self.input.consume(length);
        }
    }
}
