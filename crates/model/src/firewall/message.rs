//! Messages to nf_tables, as bytes (netlink(7), linux/netfilter/nf_tables.h).
//!
//! Lengths and types are in the machine's order of bytes, numbers in attributes in the network's.

use super::expression::Expression;
use super::{Chain, Element, Rule, Set};

/// `NFNL_SUBSYS_NFTABLES`
const NF_TABLES: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
const NLM_F_APPEND: u16 = 0x800;
const NLM_F_DUMP: u16 = 0x300;
const NESTED: u16 = 0x8000;

/// What is asked of nf_tables (`NFT_MSG_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the kernel's names")]
pub enum Kind {
    NewTable = 0,
    DelTable = 2,
    NewChain = 3,
    GetChain = 4,
    DelChain = 5,
    NewRule = 6,
    GetRule = 7,
    DelRule = 8,
    NewSet = 9,
    NewSetElem = 12,
    GetSetElem = 13,
    DelSetElem = 14,
    NewGen = 15,
    GetGen = 16,
    /// As `DelChain`, and no error if it is not there (Linux 6.3).
    DestroyChain = 27,
}

impl Kind {
    /// What stands in a message's head.
    pub const fn number(self) -> u16 {
        NF_TABLES << 8 | self as u16
    }
}

/// The family of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4 and IPv6.
    Inet = 1,
    /// IPv4.
    Ip = 2,
    /// Frames of one device.
    Netdev = 5,
    /// IPv6.
    Ip6 = 10,
}

impl Family {
    /// The one of this number, if anything of it is looked at here.
    pub(super) fn of(number: u8) -> Option<Self> {
        [Self::Inet, Self::Ip, Self::Netdev, Self::Ip6].into_iter().find(|family| *family as u8 == number)
    }

    /// As nft(8) calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inet => "inet",
            Self::Ip => "ip",
            Self::Netdev => "netdev",
            Self::Ip6 => "ip6",
        }
    }
}

/// Attributes that are being put together.
#[derive(Debug, Default)]
pub(super) struct Attributes(Vec<u8>);

impl Attributes {
    #[cfg(test)]
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn bytes(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    pub(super) fn text(&mut self, kind: u16, value: &str) -> &mut Self {
        self.bytes(kind, &[value.as_bytes(), b"\0"].concat())
    }

    pub(super) fn number(&mut self, kind: u16, value: u32) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    pub(super) fn nested(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let mut inner = Self::default();
        fill(&mut inner);
        self.bytes(kind | NESTED, &inner.0)
    }

    /// `struct nft_data`: a value (`NFTA_DATA_VALUE`).
    pub(super) fn data(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        self.nested(kind, |a| _ = a.bytes(1, value))
    }

    /// An expression by name (`NFTA_EXPR_NAME`, `NFTA_EXPR_DATA`).
    pub(super) fn expression(&mut self, kind: u16, expression: &Expression) -> &mut Self {
        self.nested(kind, |a| {
            a.text(1, expression.name()).nested(2, |a| expression.attributes(a));
        })
    }
}

fn message(kind: u16, flags: u16, family: u8, resource: u16, attributes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(20 + attributes.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(20 + attributes.len());
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((NLM_F_REQUEST | flags).to_ne_bytes());
    // The number in a row, which whoever sends it writes, and the port, which the kernel knows.
    bytes.extend([0; 8]);
    bytes.extend([family, 0]);
    bytes.extend(resource.to_be_bytes());
    bytes.extend(attributes);
    bytes
}

/// A question to nf_tables.
pub fn question(kind: Kind, family: Option<Family>, table: Option<&str>, set: Option<&str>) -> Vec<u8> {
    let mut a = Attributes::default();
    if let Some(table) = table {
        a.text(1, table);
    }
    if let Some(set) = set {
        a.text(2, set);
    }
    let flags = if kind == Kind::GetGen { 0 } else { NLM_F_DUMP };
    message(kind.number(), flags, family.map_or(0, |f| f as u8), 0, &a.0)
}

/// Asks for one chain; `ENOENT` if it is not there.
pub fn ask_chain(table: &str, family: Family, chain: &str) -> Vec<u8> {
    let mut a = Attributes::default();
    a.text(1, table).text(3, chain);
    message(Kind::GetChain.number(), 0, family as u8, 0, &a.0)
}

/// Asks for one element; `ENOENT` if it is not there.
pub fn ask_element(table: &str, element: &Element) -> Vec<u8> {
    message(Kind::GetSetElem.number(), 0, element.family as u8, 0, &elements(table, &[element]))
}

/// Changes that the kernel makes all at once, or none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    table: &'static str,
    sets: u32,
    /// The messages in their order, with the first and last that hold them together.
    pub messages: Vec<Vec<u8>>,
}

impl Batch {
    /// Without changes. `generation`: the state of all tables that it is meant for; the kernel refuses it
    /// with `ERESTART` if somebody has changed them since.
    pub fn new(table: &'static str, generation: Option<u32>) -> Self {
        let mut a = Attributes::default();
        if let Some(generation) = generation {
            a.number(1, generation);
        }
        Self { table, sets: 0, messages: vec![message(BATCH_BEGIN, 0, 0, NF_TABLES, &a.0)] }
    }

    /// The whole, to be sent.
    pub fn end(mut self) -> Vec<Vec<u8>> {
        self.messages.push(message(BATCH_END, 0, 0, NF_TABLES, &[]));
        self.messages
    }

    fn push(&mut self, kind: Kind, flags: u16, family: Family, attributes: &Attributes) {
        self.messages.push(message(kind.number(), flags, family as u8, 0, &attributes.0));
    }

    /// Makes the table if it is not there.
    pub fn table(&mut self, family: Family) {
        let mut a = Attributes::default();
        a.text(1, self.table).number(2, 0);
        self.push(Kind::NewTable, NLM_F_CREATE, family, &a);
    }

    /// Removes it with all that is in it.
    pub fn remove_table(&mut self, family: Family) {
        let mut a = Attributes::default();
        a.text(1, self.table);
        self.push(Kind::DelTable, 0, family, &a);
    }

    /// Makes a set or a map if it is not there.
    pub fn set(&mut self, set: &Set) {
        self.sets += 1;
        let mut a = Attributes::default();
        a.text(1, self.table).text(2, set.name);
        // NFT_SET_MAP
        a.number(3, if set.data.is_empty() { 0 } else { 8 });
        a.number(4, super::Type::concatenated(set.key)).number(5, super::Type::length(set.key));
        if !set.data.is_empty() {
            a.number(6, super::Type::concatenated(set.data)).number(7, super::Type::length(set.data));
        }
        a.number(10, self.sets);
        if set.key == [super::Type::Name] {
            // For nft(8), which reads names from their end if it is not told (libnftnl/udata.h:
            // NFTNL_UDATA_SET_KEYBYTEORDER, 4 bytes, BYTEORDER_HOST_ENDIAN).
            a.bytes(13, &[&[0, 4][..], &1_u32.to_ne_bytes()].concat());
        }
        self.push(Kind::NewSet, NLM_F_CREATE, set.family, &a);
    }

    /// Makes a chain if it is not there.
    pub fn chain(&mut self, chain: &Chain<'_>) {
        let mut a = Attributes::default();
        a.text(1, self.table).text(3, chain.name);
        if let Some(hook) = &chain.hook {
            a.nested(4, |a| {
                a.number(1, hook.number).number(2, hook.priority.cast_unsigned());
                if let Some(device) = hook.device {
                    a.text(3, device);
                }
            });
            // NF_ACCEPT
            a.number(5, 1).text(7, hook.kind);
        }
        self.push(Kind::NewChain, NLM_F_CREATE, chain.family, &a);
    }

    /// Removes a chain with its rules.
    pub fn remove_chain(&mut self, family: Family, name: &str) {
        let mut a = Attributes::default();
        a.text(1, self.table).text(3, name);
        self.push(Kind::DelChain, 0, family, &a);
    }

    /// The same if it is there.
    pub fn remove_chain_if_there(&mut self, family: Family, name: &str) {
        let mut a = Attributes::default();
        a.text(1, self.table).text(3, name);
        self.push(Kind::DestroyChain, 0, family, &a);
    }

    /// Adds a rule at the end of a chain.
    pub fn rule(&mut self, rule: &Rule<'_>) {
        let mut a = Attributes::default();
        a.text(1, self.table).text(2, rule.chain);
        a.nested(4, |a| {
            for expression in &rule.expressions {
                a.expression(1, expression);
            }
        });
        self.push(Kind::NewRule, NLM_F_CREATE | NLM_F_APPEND, rule.family, &a);
    }

    /// Removes all rules of a chain.
    pub fn empty_chain(&mut self, family: Family, name: &str) {
        let mut a = Attributes::default();
        a.text(1, self.table).text(2, name);
        self.push(Kind::DelRule, 0, family, &a);
    }

    /// Adds elements; none of them may be there.
    pub fn add(&mut self, all: &[Element]) {
        self.each_set(Kind::NewSetElem, NLM_F_CREATE | NLM_F_EXCL, all);
    }

    /// Adds those that are not there.
    pub fn complete(&mut self, all: &[Element]) {
        self.each_set(Kind::NewSetElem, NLM_F_CREATE, all);
    }

    /// Removes elements; all of them must be there.
    pub fn remove(&mut self, all: &[Element]) {
        self.each_set(Kind::DelSetElem, 0, all);
    }

    /// One message for what stands together in one set, as far as it goes into one attribute.
    fn each_set(&mut self, kind: Kind, flags: u16, all: &[Element]) {
        for of_set in all.chunk_by(|a, b| (a.family, a.set) == (b.family, b.set)) {
            for part in of_set.chunks(256) {
                let part: Vec<&Element> = part.iter().collect();
                let attributes = elements(self.table, &part);
                let family = part.first().map_or(0, |first| first.family as u8);
                self.messages.push(message(kind.number(), flags, family, 0, &attributes));
            }
        }
    }
}

fn elements(table: &str, all: &[&Element]) -> Vec<u8> {
    let mut a = Attributes::default();
    a.text(1, table).text(2, all.first().map_or("", |first| first.set));
    a.nested(3, |a| {
        for element in all {
            a.nested(1, |a| {
                a.data(1, &element.key);
                if !element.data.is_empty() {
                    a.data(2, &element.data);
                }
                if let Some(most) = element.most {
                    a.expression(7, &Expression::MoreConnections(most));
                }
            });
        }
    });
    a.0
}

/// The attributes of a message of nf_tables that the kernel sent, with their kinds.
pub fn attributes(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut all = Vec::new();
    while let [a, b, c, d, ..] = *bytes {
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let Some(value) = bytes.get(4..length) else { break };
        all.push((u16::from_ne_bytes([c, d]) & 0x3fff, value));
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    all
}

/// The keys in a set of names. `message`: what the kernel sends of its elements, without its first 16 bytes.
pub fn names(message: &[u8]) -> Vec<String> {
    let inner = |bytes, wanted: u16| {
        attributes(bytes).into_iter().filter(move |(kind, _)| *kind == wanted).map(|(_, value)| value)
    };
    // NFTA_SET_ELEM_LIST_ELEMENTS, NFTA_LIST_ELEM, NFTA_SET_ELEM_KEY, NFTA_DATA_VALUE
    let lists = inner(message.get(4..).unwrap_or_default(), 3);
    let keys = lists.flat_map(|list| inner(list, 1)).flat_map(|element| inner(element, 1));
    let text = |key: &[u8]| {
        let end = key.iter().position(|byte| *byte == 0).unwrap_or(key.len());
        String::from_utf8_lossy(&key[..end]).into_owned()
    };
    keys.flat_map(|key| inner(key, 1)).map(text).collect()
}
