//! The one nf_tables table of jaula: what stands in it once, and what each jail adds.
//!
//! Rules are made with the table and look into sets and maps; a jail adds elements to those, and a chain that
//! hangs on the host's end of its link. So a packet passes as many rules with a thousand jails as with one.

pub mod expression;
pub mod foreign;
pub mod legacy;
pub mod message;
mod share;
pub mod table;

pub use message::{Batch, Family};
pub use share::{Guard, Share};

use expression::Expression;

/// Its name, in every family.
pub const TABLE: &str = "jaula";

/// The set of whom the table is for; without them it goes.
pub const JAILS: &str = "jails";

/// What a set or map has as its key or data, in the words and numbers of nft(8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words say it")]
pub enum Type {
    Ipv4 = 7,
    Ipv6 = 8,
    Ether = 9,
    Protocol = 12,
    Port = 13,
    Name = 41,
}

impl Type {
    /// In bytes, as it stands in registers: a multiple of four.
    const fn size(self) -> u32 {
        match self {
            Self::Ipv4 | Self::Protocol | Self::Port => 4,
            Self::Ether => 8,
            Self::Ipv6 | Self::Name => 16,
        }
    }

    fn length(all: &[Self]) -> u32 {
        match all {
            // By itself it is not padded.
            [Self::Ether] => 6,
            [Self::Port] => 2,
            [Self::Protocol] => 1,
            all => all.iter().map(|one| one.size()).sum(),
        }
    }

    /// nft(8) has six bits for each.
    fn concatenated(all: &[Self]) -> u32 {
        all.iter().fold(0, |number, one| number << 6 | *one as u32)
    }
}

/// A set, or a map if it has data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set {
    /// Of which table.
    pub family: Family,
    /// Its name.
    pub name: &'static str,
    /// What is looked up.
    pub key: &'static [Type],
    /// What is found.
    pub data: &'static [Type],
}

/// A chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain<'a> {
    /// Of which table.
    pub family: Family,
    /// Its name.
    pub name: &'a str,
    /// Where packets come from into it; others jump to it.
    pub hook: Option<Hook<'a>>,
}

/// Where packets come into a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook<'a> {
    /// `filter`, `nat`
    pub kind: &'static str,
    /// `NF_INET_…`, `NF_NETDEV_…`
    pub number: u32,
    /// Lower is earlier.
    pub priority: i32,
    /// The interface, in family netdev.
    pub device: Option<&'a str>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule<'a> {
    /// Of which table.
    pub family: Family,
    /// Of which chain.
    pub chain: &'a str,
    /// What it does.
    pub expressions: Vec<Expression>,
}

/// What a jail adds to a set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Element {
    /// Of which table.
    pub family: Family,
    /// The set's name.
    pub set: &'static str,
    /// What is looked up.
    pub key: Vec<u8>,
    /// What is found, in a map.
    pub data: Vec<u8>,
    /// It is only found by whoever has more connections.
    pub most: Option<u32>,
}

#[cfg(test)]
mod tests;
