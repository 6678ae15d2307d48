//! An entry from its header and all that stands before it.

use super::header::Header;
use super::pax::Pax;
use super::sparse::{Piece, Sparse, pairs};
use super::{Entry, Fault, Kind, MOST_BEFORE};

/// What is known before an entry's own header comes.
#[derive(Clone, Debug, Default)]
pub struct Gather {
    global: Pax,
    pax: Option<Pax>,
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    /// How many bytes were added since the last entry.
    added: u64,
}

/// What a header is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Its content is for [`Gather::add`].
    Extension,
    /// Its content is nothing to us.
    Nothing,
    /// It is an entry's own.
    Entry,
}

/// What a header is.
pub fn before(header: &Header) -> Result<Before, Fault> {
    match header.kind {
        b'x' | b'g' | b'X' | b'L' | b'K' if header.size > MOST_BEFORE => Err(Fault::Long(header.size)),
        b'x' | b'g' | b'X' | b'L' | b'K' => Ok(Before::Extension),
        // The label of a volume.
        b'V' => Ok(Before::Nothing),
        _ => Ok(Before::Entry),
    }
}

impl Gather {
    /// The content of a header that says more of the entry after it.
    pub fn add(&mut self, header: &Header, content: &[u8]) -> Result<(), Fault> {
        let text = || Some(content.split(|b| *b == 0).next().unwrap_or_default().to_vec());
        self.added += content.len() as u64;
        if self.added > MOST_BEFORE {
            return Err(Fault::Long(self.added));
        }
        match header.kind {
            b'L' => self.name = text(),
            b'K' => self.link = text(),
            b'g' => {
                self.global.add(content)?;
                // Every entry would have them.
                self.global.attributes.clear();
            }
            _ => self.pax.get_or_insert_with(|| self.global.clone()).add(content)?,
        }
        Ok(())
    }

    /// Is nothing waiting for an entry?
    pub fn is_empty(&self) -> bool {
        self.pax.is_none() && self.name.is_none() && self.link.is_none()
    }

    /// The entry, without the map of a sparse file that has it in its content ([`wants_map`](Self::wants_map)).
    /// `more` are the pieces of blocks after the header.
    pub fn entry(&mut self, header: Header, more: Vec<Piece>) -> Result<(Entry, bool), Fault> {
        self.added = 0;
        let pax = self.pax.take().unwrap_or_else(|| self.global.clone());
        let (name, long_link) = (self.name.take(), self.link.take());
        let link = pax.link.or(long_link).unwrap_or(header.link);
        let has_map = pax.sparse_major.is_some_and(|major| major > 0);
        let path = pax.sparse_name.or(pax.path).or(name).unwrap_or(header.name);
        let mut size = pax.size.unwrap_or(header.size);
        let kind = match header.kind {
            // Before there were types, a directory was told by its slash.
            b'0' | b'S' if path.ends_with(b"/") => Kind::Directory,
            b'0' | b'S' => Kind::File,
            b'1' => Kind::Hardlink(link),
            b'2' => Kind::Symlink(link),
            b'3' | b'4' => {
                Kind::Device { block: header.kind == b'4', major: header.major, minor: header.minor }
            }
            b'5' | b'D' => Kind::Directory,
            b'6' => Kind::Fifo,
            kind => return Err(Fault::Type { kind, of: path }),
        };
        if matches!(kind, Kind::Hardlink(_)) {
            // Some programs tell the length of what it leads to; nothing follows.
            size = 0;
        }
        let sparse = match (header.kind, pax.sparse_map, pax.sparse_real) {
            (b'S', ..) => {
                let pieces = [header.pieces, more].concat();
                Some(Sparse::new(header.real, pieces, size).ok_or_else(|| Fault::Sparse(path.clone()))?)
            }
            (_, Some(map), Some(real)) => {
                let pieces = pairs(&map);
                let sparse = pieces.and_then(|pieces| Sparse::new(real, pieces, size));
                Some(sparse.ok_or_else(|| Fault::Sparse(path.clone()))?)
            }
            (_, None, Some(real)) if has_map => Some(Sparse { real, pieces: Vec::new() }),
            _ if has_map => return Err(Fault::Sparse(path)),
            _ => None,
        };
        let entry = Entry {
            path,
            kind,
            mode: header.mode,
            user: pax.user.unwrap_or(header.user),
            group: pax.group.unwrap_or(header.group),
            size,
            changed: pax.changed.unwrap_or((header.changed, 0)),
            attributes: pax.attributes,
            access: pax.access,
            default: pax.default,
            sparse,
        };
        Ok((entry, has_map))
    }
}
