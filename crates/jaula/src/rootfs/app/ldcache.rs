//! `/etc/ld.so.cache`, in which glibc's loader finds libraries by name.
//!
//! The format is that of glibc's `sysdeps/generic/dl-cache.h`: a header, a table sorted by
//! name in falling order, then strings. Files of glibc before 2.32 have the table of an older
//! format before it.

use super::machine::HOST;
use std::cmp::Ordering;
use std::ffi::{OsStr, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const OLD_MAGIC: &[u8] = b"ld.so-1.7.0";
/// Magic (20 bytes), entries, length of strings, byte order, offset of extensions, three spare.
const HEADER: usize = 48;
/// Flags, offset of the name, offset of the path, OS version, hardware capabilities.
const ENTRY: usize = 24;
/// The old table's entries: flags, offset of the name, offset of the path.
const OLD_ENTRY: usize = 12;

/// The cache, checked as far as its header goes; entries are checked when they are read.
#[derive(Clone, Copy, Debug)]
pub struct LdCache<'a> {
    /// From the new magic on: offsets of strings count from there.
    data: &'a [u8],
    entries: &'a [[u8; ENTRY]],
}

/// One library of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Library<'a> {
    /// Where it is.
    pub path: &'a Path,
    /// Is it for any processor of the kind? Others need certain capabilities of it.
    pub baseline: bool,
}

/// Why a file is not a cache that glibc's loader takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCache {
    /// It is something else, or of a format that ended with glibc 2.1.
    #[error("it is not a library cache of glibc")]
    NotACache,
    /// It is for a host of the other byte order.
    #[error("it is of the other byte order")]
    ByteOrder,
    /// It ends before its table does.
    #[error("it ends too early")]
    Short,
}

impl<'a> LdCache<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// If it is no cache of this host's byte order, or cut short.
    pub fn parse(file: &'a [u8]) -> Result<Self, BadCache> {
        let data = if file.starts_with(OLD_MAGIC) { after_old_table(file)? } else { file };
        if !data.starts_with(MAGIC) {
            return Err(BadCache::NotACache);
        }
        let header = data.get(..HEADER).ok_or(BadCache::Short)?;
        // 0 is from before byte order was written down (glibc 2.33); 2 is little-endian.
        if !matches!(header[28] & 3, 0 | 2) {
            return Err(BadCache::ByteOrder);
        }
        let size = usize::try_from(number(header, 20))
            .ok()
            .and_then(|count| count.checked_mul(ENTRY))
            .ok_or(BadCache::Short)?;
        let (entries, _) = data[HEADER..].get(..size).ok_or(BadCache::Short)?.as_chunks();
        Ok(Self { data, entries })
    }

    /// The libraries of that name for this host's processor: those for better processors, and
    /// the one for all. Found as the loader finds them, by halving the sorted table.
    pub fn find(self, name: &OsStr) -> impl Iterator<Item = Library<'a>> {
        let order = move |entry: &[u8; ENTRY]| match self.string(entry, 4) {
            Some(key) => compare(key, name.as_bytes()).reverse(),
            None => Ordering::Greater,
        };
        let first = self.entries.partition_point(|e| order(e) == Ordering::Less);
        self.entries[first..].iter().take_while(move |e| order(e) == Ordering::Equal).filter_map(
            move |entry| {
                let path = Path::new(OsStr::from_bytes(self.string(entry, 8)?));
                let fits = number(entry, 0) == HOST.cache_flags && path.is_absolute();
                fits.then_some(Library { path, baseline: entry[16..] == [0; 8] })
            },
        )
    }

    /// The string whose offset stands at `at` in an entry.
    fn string(self, entry: &[u8; ENTRY], at: usize) -> Option<&'a [u8]> {
        let text = self.data.get(usize::try_from(number(entry, at)).ok()?..)?;
        let end = text.iter().take(4096).position(|b| *b == 0)?;
        Some(&text[..end])
    }
}

/// What follows the table of the old format: the new one, at the next multiple of eight.
fn after_old_table(file: &[u8]) -> Result<&[u8], BadCache> {
    let count = file.get(12..16).ok_or(BadCache::Short)?;
    let end = usize::try_from(number(count, 0))
        .ok()
        .and_then(|count| count.checked_mul(OLD_ENTRY)?.checked_add(16)?.checked_next_multiple_of(8))
        .ok_or(BadCache::Short)?;
    file.get(end..).ok_or(BadCache::Short)
}

/// The number at that place; 0 past the end, which callers have excluded.
fn number(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b))
}

/// glibc's order of names (`_dl_cache_libcmp`): as bytes, but runs of digits as numbers.
fn compare(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        match (a.first(), b.first()) {
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let by_value = leading_number(&mut a).cmp(&leading_number(&mut b));
                if by_value.is_ne() {
                    return by_value;
                }
            }
            // A digit comes after everything else.
            (Some(x), _) if x.is_ascii_digit() => return Ordering::Greater,
            (_, Some(y)) if y.is_ascii_digit() => return Ordering::Less,
            (Some(x), Some(y)) if x == y => (a, b) = (&a[1..], &b[1..]),
            (x, y) => return character(x).cmp(&character(y)),
        }
    }
}

/// A byte as C compares it on this architecture; the end of a string is 0.
fn character(byte: Option<&u8>) -> c_char {
    byte.map_or(0, |b| c_char::from_ne_bytes([*b]))
}

/// Takes the digits from the front, as a number that stops growing at its largest.
fn leading_number(text: &mut &[u8]) -> u64 {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (number, rest) = text.split_at(digits);
    *text = rest;
    number.iter().fold(0u64, |n, d| n.saturating_mul(10).saturating_add(u64::from(d - b'0')))
}
