//! One header block, as it stands in the archive.

use super::{BLOCK, Fault, sparse::Piece};

/// A header without what the blocks before it say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The name, with the prefix of ustar.
    pub name: Vec<u8>,
    /// What a link reads or leads to.
    pub link: Vec<u8>,
    /// The letter of its type.
    pub kind: u8,
    /// Permissions.
    pub mode: u32,
    /// The owner.
    pub user: u64,
    /// The group.
    pub group: u64,
    /// Bytes that follow.
    pub size: u64,
    /// When it was changed, in seconds since 1970.
    pub changed: i64,
    /// A device's number.
    pub major: u32,
    /// A device's number.
    pub minor: u32,
    /// Of GNU's own sparse files: the pieces in this block.
    pub pieces: Vec<Piece>,
    /// Another block of pieces follows.
    pub more_pieces: bool,
    /// Of GNU's own sparse files: the length.
    pub real: u64,
}

/// Reads a header; `None` for a block of zeros, which ends an archive. `at` is where it stands.
pub fn parse(block: &[u8; BLOCK], at: u64) -> Result<Option<Header>, Fault> {
    if block.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    check(block, at)?;
    let is_gnu = &block[257..265] == b"ustar  \0";
    let is_ustar = &block[257..262] == b"ustar" && !is_gnu;
    let mut name = text(&block[..100]).to_vec();
    let prefix = text(&block[345..500]);
    if is_ustar && !prefix.is_empty() {
        name = [prefix, b"/", &name].concat();
    }
    let number = |range: std::ops::Range<usize>, field| {
        number(&block[range]).ok_or_else(|| Fault::Number { field, of: name.clone() })
    };
    let unsigned = |range, field| {
        let n = number(range, field)?;
        u64::try_from(n).map_err(|_| Fault::Number { field, of: name.clone() })
    };
    let small = |range, field| {
        let n = number(range, field)?;
        u32::try_from(n).map_err(|_| Fault::Number { field, of: name.clone() })
    };
    let kind = match block[156] {
        0 | b'7' => b'0',
        kind => kind,
    };
    let is_device = matches!(kind, b'3' | b'4');
    let is_sparse = kind == b'S' && is_gnu;
    let mut header = Header {
        link: text(&block[157..257]).to_vec(),
        kind,
        mode: small(100..108, "mode")? & 0o7777,
        user: unsigned(108..116, "owner")?,
        group: unsigned(116..124, "group")?,
        size: unsigned(124..136, "size")?,
        changed: number(136..148, "time")?,
        major: if is_device { small(329..337, "device number")? } else { 0 },
        minor: if is_device { small(337..345, "device number")? } else { 0 },
        pieces: Vec::new(),
        more_pieces: is_sparse && block[482] != 0,
        real: if is_sparse { unsigned(483..495, "length")? } else { 0 },
        name: Vec::new(),
    };
    if is_sparse {
        header.pieces = pieces(&block[386..482]).ok_or_else(|| Fault::Sparse(name.clone()))?;
    }
    header.name = name;
    Ok(Some(header))
}

/// The pieces of a further block of GNU's own sparse files, and whether yet another follows.
pub fn more_pieces(block: &[u8; BLOCK]) -> Option<(Vec<Piece>, bool)> {
    Some((pieces(&block[..504])?, block[504] != 0))
}

/// Rows of two numbers of 12 bytes, up to the first empty one.
fn pieces(rows: &[u8]) -> Option<Vec<Piece>> {
    let rows = rows.chunks_exact(24).take_while(|row| row[0] != 0);
    rows.map(|row| {
        let [at, length] = [number(&row[..12])?, number(&row[12..])?];
        Some(Piece { at: at.try_into().ok()?, length: length.try_into().ok()? })
    })
    .collect()
}

/// Is the sum of its bytes the one that it tells? Some old programs added them up as signed.
fn check(block: &[u8; BLOCK], at: u64) -> Result<(), Fault> {
    let field = 148..156;
    let bytes = || block.iter().enumerate().map(|(i, b)| if field.contains(&i) { b' ' } else { *b });
    let unsigned: i64 = bytes().map(i64::from).sum();
    let signed: i64 = bytes().map(|b| i64::from(b.cast_signed())).sum();
    match number(&block[field.clone()]) {
        Some(told) if told == unsigned || told == signed => Ok(()),
        _ => Err(Fault::Checksum(at)),
    }
}

/// Up to the first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|b| *b == 0).next().unwrap_or_default()
}

/// A number in octal digits, or in binary if the first bit is set.
pub(super) fn number(field: &[u8]) -> Option<i64> {
    let first = *field.first()?;
    if first & 0x80 != 0 {
        let start = if first & 0x40 != 0 { -1i64 } else { 0 };
        let low = i64::from(first & 0x3f) | if start < 0 { !0x3f } else { 0 };
        return field[1..].iter().try_fold(low, |n, byte| Some(n.checked_mul(256)? | i64::from(*byte)));
    }
    let is_space = |b: &u8| *b == b' ' || *b == 0;
    let start = field.iter().position(|b| *b != b' ').unwrap_or(field.len());
    let digits = &field[start..];
    let end = digits.iter().position(is_space).unwrap_or(digits.len());
    digits[..end].iter().try_fold(0i64, |n, digit| {
        let digit = digit.checked_sub(b'0').filter(|d| *d < 8)?;
        n.checked_mul(8)?.checked_add(digit.into())
    })
}
