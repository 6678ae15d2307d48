//! Files with holes.

use super::{BLOCK, pax};

/// So many pieces a file may have.
const MOST: usize = 1 << 20;

/// Where the content of a file with holes belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sparse {
    /// The file's length.
    pub real: u64,
    /// In order, one after the other.
    pub pieces: Vec<Piece>,
}

/// A part of a file that is no hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it begins.
    pub at: u64,
    /// How many bytes it has.
    pub length: u64,
}

/// A map that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the map of a sparse file is damaged")]
pub struct Damaged;

impl Sparse {
    /// Pieces that make sense: in order, within the file, and as long as what the archive holds.
    pub fn new(real: u64, pieces: Vec<Piece>, held: u64) -> Option<Self> {
        let (mut end, mut sum) = (0u64, 0u64);
        for piece in &pieces {
            if piece.at < end {
                return None;
            }
            end = piece.at.checked_add(piece.length)?;
            sum = sum.checked_add(piece.length)?;
        }
        (end <= real && sum == held && i64::try_from(real).is_ok()).then_some(Self { real, pieces })
    }
}

/// Places and lengths in turn.
pub fn pairs(numbers: &[u64]) -> Option<Vec<Piece>> {
    let pairs = numbers.chunks(2);
    pairs.map(|pair| <[u64; 2]>::try_from(pair).ok().map(|[at, length]| Piece { at, length })).collect()
}

/// The map that stands before the content (version 1.0): decimal numbers, one a line, the first of which is the
/// number of pieces, filled up to whole blocks. It is read block by block.
#[derive(Debug, Default)]
pub struct Map {
    numbers: Vec<u64>,
    digits: Vec<u8>,
    /// How many bytes it took.
    pub taken: u64,
}

impl Map {
    /// Reads a block; the map when it is complete, `Err` if it is none.
    pub fn add(&mut self, block: &[u8; BLOCK]) -> Result<Option<Vec<Piece>>, Damaged> {
        self.taken += BLOCK as u64;
        for byte in block {
            if *byte != b'\n' {
                if self.digits.len() > 20 {
                    return Err(Damaged);
                }
                self.digits.push(*byte);
                continue;
            }
            self.numbers.push(pax::decimal(&self.digits).ok_or(Damaged)?);
            self.digits.clear();
            let count = usize::try_from(self.numbers[0]).map_err(|_| Damaged)?;
            if count > MOST {
                return Err(Damaged);
            }
            if self.numbers.len() == 1 + 2 * count {
                return pairs(&self.numbers[1..]).map(Some).ok_or(Damaged);
            }
        }
        Ok(None)
    }
}
