//! Names and numbers of jails.

use std::fmt;
use std::str::FromStr;

/// The name of a jail: 1 to 63 letters, digits, `_`, `.` and `-`, the first one a letter or
/// digit, and not a number (numbers are ids).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Name(String);

/// Why a text is no [`Name`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a jail's name: {why}")]
pub struct BadName {
    /// What was given, cut to a printable length.
    name: String,
    why: &'static str,
}

impl Name {
    /// The longest name, in bytes; a host name's label has the same limit.
    pub const MAX: usize = 63;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let bad = |why| Err(BadName { name: text.chars().take(80).collect(), why });
        if text.is_empty() {
            return bad("it is empty");
        }
        if text.len() > Self::MAX {
            return bad("it is longer than 63 bytes");
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-')) {
            return bad("only letters, digits, '_', '.' and '-' may stand in it");
        }
        if !text.as_bytes()[0].is_ascii_alphanumeric() {
            return bad("it must begin with a letter or a digit");
        }
        if text.bytes().all(|b| b.is_ascii_digit()) {
            return bad("a number is an id; put a letter into the name");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Name {
    /// As a quoted text: messages name jails so.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number of a jail, unique on its host.
///
/// 0 is the host and never a jail's. The jail's user and group ids follow from it, see
/// [`Id::range`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Id(u16);

impl TryFrom<u16> for Id {
    type Error = BadId;

    fn try_from(number: u16) -> Result<Self, BadId> {
        Self::new(number)
    }
}

impl From<Id> for u16 {
    fn from(id: Id) -> Self {
        id.0
    }
}

/// Why a number is no [`Id`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a jail's id: ids are the numbers from 1 to {max}", max = Id::MAX)]
pub struct BadId(String);

impl Id {
    /// The highest id.
    pub const MAX: u16 = 32_766;
    /// Where ids for `jaula run` begin; `create` gives out those below.
    pub const FIRST_PASSING: u16 = 16_384;
    /// The first id that `create` gives out.
    pub const FIRST: u16 = 101;

    /// The id with this number.
    pub fn new(number: u16) -> Result<Self, BadId> {
        if (1..=Self::MAX).contains(&number) { Ok(Self(number)) } else { Err(BadId(number.to_string())) }
    }

    /// The id as a number.
    pub fn number(self) -> u16 {
        self.0
    }

    /// The host's ids that this jail's 0…65535 stand for.
    ///
    /// They follow from the id, so no two jails share one and nothing must be allocated or
    /// freed. The upper half of the 32-bit space is handed out by no distribution, directory
    /// service or container tool that we know (`docs/decisions/002-id-ranges.md`).
    pub fn range(self) -> IdRange {
        IdRange { inside: 0, outside: 0x8000_0000 + (u32::from(self.0) << 16), count: 0x1_0000 }
    }
}

impl FromStr for Id {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = || BadId(text.chars().take(40).collect());
        Self::new(text.parse().map_err(|_| bad())?).map_err(|_| bad())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A run of user and group ids: `inside`… in the jail are `outside`… on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct IdRange {
    /// The first id in the jail.
    pub inside: u32,
    /// The first id on the host.
    pub outside: u32,
    /// How many there are.
    pub count: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["www", "a", "1a", "web-1.example_org", &"x".repeat(63)] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in ["", "101", "-x", ".", "..", "a/b", "a\nb", "ü", &"x".repeat(64)] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ranges_never_overlap() {
        let end = |id: Id| u64::from(id.range().outside) + u64::from(id.range().count);
        for n in 1..Id::MAX {
            let (a, b) = (Id::new(n).unwrap(), Id::new(n + 1).unwrap());
            assert_eq!(end(a), u64::from(b.range().outside));
        }
        assert!(end(Id::new(Id::MAX).unwrap()) < u64::from(u32::MAX));
        assert!("0".parse::<Id>().is_err() && "32767".parse::<Id>().is_err() && "-1".parse::<Id>().is_err());
    }
}
