//! Records of pax headers: `LENGTH KEY=VALUE\n`.

use super::base64;
use super::{Fault, Moment};

/// What pax headers said, as far as it means something here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pax {
    /// `path`
    pub path: Option<Vec<u8>>,
    /// `linkpath`
    pub link: Option<Vec<u8>>,
    /// `size`
    pub size: Option<u64>,
    /// `uid`
    pub user: Option<u64>,
    /// `gid`
    pub group: Option<u64>,
    /// `mtime`
    pub changed: Option<Moment>,
    /// `SCHILY.xattr.NAME`, `LIBARCHIVE.xattr.NAME`
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
    /// `SCHILY.acl.access`
    pub access: Option<Vec<u8>>,
    /// `SCHILY.acl.default`
    pub default: Option<Vec<u8>>,
    /// `GNU.sparse.name`
    pub sparse_name: Option<Vec<u8>>,
    /// `GNU.sparse.major`: the map stands before the content
    pub sparse_major: Option<u64>,
    /// `GNU.sparse.realsize`, `GNU.sparse.size`
    pub sparse_real: Option<u64>,
    /// `GNU.sparse.map`, or pairs of `GNU.sparse.offset` and `GNU.sparse.numbytes`: places and lengths in turn
    pub sparse_map: Option<Vec<u64>>,
}

impl Pax {
    /// Adds the records of a header; what they say holds over what was said before.
    pub fn add(&mut self, mut text: &[u8]) -> Result<(), Fault> {
        while !text.is_empty() {
            let space = text.iter().position(|b| *b == b' ').filter(|n| *n < 10).ok_or(Fault::Record)?;
            let length = decimal(&text[..space]).ok_or(Fault::Record)?;
            let length = usize::try_from(length).map_err(|_| Fault::Record)?;
            let record = text.get(space + 1..length).ok_or(Fault::Record)?;
            let record = record.strip_suffix(b"\n").ok_or(Fault::Record)?;
            let equals = record.iter().position(|b| *b == b'=').ok_or(Fault::Record)?;
            self.record(&record[..equals], &record[equals + 1..])?;
            text = &text[length..];
        }
        Ok(())
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        // An empty value takes back what a global header said.
        let text = || (!value.is_empty()).then(|| value.to_vec());
        let number = || match value {
            [] => Ok(None),
            digits => decimal(digits).map(Some).ok_or(Fault::Record),
        };
        match key {
            b"path" => self.path = text(),
            b"linkpath" => self.link = text(),
            b"size" => self.size = number()?,
            b"uid" => self.user = number()?,
            b"gid" => self.group = number()?,
            b"mtime" if value.is_empty() => self.changed = None,
            b"mtime" => self.changed = Some(moment(value).ok_or(Fault::Record)?),
            b"SCHILY.acl.access" => self.access = text(),
            b"SCHILY.acl.default" => self.default = text(),
            b"GNU.sparse.name" => self.sparse_name = text(),
            b"GNU.sparse.major" => self.sparse_major = number()?,
            b"GNU.sparse.realsize" | b"GNU.sparse.size" => self.sparse_real = number()?,
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => {
                let map = self.sparse_map.get_or_insert_default();
                // A place, then a length, then a place …
                if map.len().is_multiple_of(2) != (key == b"GNU.sparse.offset") {
                    return Err(Fault::Record);
                }
                map.push(decimal(value).ok_or(Fault::Record)?);
            }
            b"GNU.sparse.map" => {
                let numbers: Option<Vec<u64>> = value.split(|b| *b == b',').map(decimal).collect();
                self.sparse_map = Some(numbers.ok_or(Fault::Record)?);
            }
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    self.attribute(name.to_vec(), value.to_vec(), true);
                } else if let Some(name) = key.strip_prefix(b"LIBARCHIVE.xattr.") {
                    let value = base64::decode(value).ok_or(Fault::Record)?;
                    self.attribute(percent(name).ok_or(Fault::Record)?, value, false);
                }
            }
        }
        Ok(())
    }

    /// bsdtar writes each attribute in both ways; the plain one counts.
    fn attribute(&mut self, name: Vec<u8>, value: Vec<u8>, plain: bool) {
        match self.attributes.iter_mut().find(|(old, _)| *old == name) {
            Some((_, old)) if plain => *old = value,
            Some(_) => {}
            None => self.attributes.push((name, value)),
        }
    }
}

/// Digits and nothing else.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |n, digit| {
        let digit = digit.checked_sub(b'0').filter(|d| *d < 10)?;
        n.checked_mul(10)?.checked_add(digit.into())
    })
}

/// `1700000000.25`, also before 1970.
fn moment(text: &[u8]) -> Option<Moment> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        text => (false, text),
    };
    let (whole, part) = match text.iter().position(|b| *b == b'.') {
        Some(dot) => (&text[..dot], &text[dot + 1..]),
        None => (text, &b""[..]),
    };
    let seconds = i64::try_from(decimal(whole)?).ok()?;
    let mut nanoseconds = 0u32;
    for place in 0..9 {
        let digit = part.get(place).map_or(Some(0), |d| d.checked_sub(b'0').filter(|d| *d < 10))?;
        nanoseconds = nanoseconds * 10 + u32::from(digit);
    }
    Some(match (negative, nanoseconds) {
        (false, n) => (seconds, n),
        (true, 0) => (-seconds, 0),
        (true, n) => (-seconds - 1, 1_000_000_000 - n),
    })
}

/// `%41` as the byte that it stands for.
fn percent(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        if *first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            out.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    Some(out)
}
