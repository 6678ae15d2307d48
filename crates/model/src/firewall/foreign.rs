//! Rules of others that hold up what is forwarded to and from jails.

use super::message::{Family, attributes};
use std::fmt;

/// A chain of somebody else's that packets pass which are forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarding {
    /// Of IPv4, of IPv6, or of both.
    pub family: Family,
    /// Its table.
    pub table: String,
    /// Its name.
    pub chain: String,
    /// Where Docker lets an administrator add rules, if it made this chain.
    pub docker: bool,
    /// Is it one of iptables-legacy, which nf_tables do not show?
    pub legacy: bool,
    /// The interfaces that rules of its table name, and whether each means all that begin so.
    pub named: Vec<(String, bool)>,
    /// Is its policy to drop?
    pub(super) policy: bool,
    /// What its last rule does to all packets that come so far, if it is for all: does it drop them?
    pub(super) last: Option<bool>,
}

/// Interfaces, for a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interfaces {
    begins: String,
    all: bool,
}

impl Interfaces {
    /// All that jails of the host's own house have if it is one of those; else it alone.
    pub fn like(link: &str) -> Self {
        match link.strip_prefix("jv") {
            Some(number) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => {
                Self { begins: "jv".to_owned(), all: true }
            }
            _ => Self { begins: link.to_owned(), all: false },
        }
    }

    fn written(&self, more: char) -> String {
        let Self { begins, all } = self;
        if *all { format!("{begins}{more}") } else { begins.clone() }
    }
}

/// The chains that what is forwarded passes. `messages`: what the kernel sends of chains, each without its first 16
/// bytes.
pub fn forwarding(messages: &[Vec<u8>]) -> Vec<Forwarding> {
    let chains: Vec<_> = messages.iter().filter_map(|message| Chain::read(message)).collect();
    let mut found = Vec::new();
    for chain in &chains {
        // NF_INET_FORWARD
        if chain.hook != Some(2) || chain.table == super::TABLE {
            continue;
        }
        let same = |other: &&Chain| (other.family, &other.table) == (chain.family, &chain.table);
        found.push(Forwarding {
            family: chain.family,
            table: chain.table.clone(),
            chain: chain.name.clone(),
            docker: chains.iter().filter(same).any(|other| other.name == DOCKER),
            legacy: false,
            named: Vec::new(),
            // NF_DROP
            policy: chain.policy == Some(0),
            last: None,
        });
    }
    found
}

pub(super) const DOCKER: &str = "DOCKER-USER";

#[derive(Debug)]
struct Chain {
    family: Family,
    table: String,
    name: String,
    hook: Option<u32>,
    policy: Option<u32>,
}

impl Chain {
    fn read(message: &[u8]) -> Option<Self> {
        let family = Family::of(*message.first()?)?;
        let all = attributes(message.get(4..)?);
        // NFTA_CHAIN_TABLE, _NAME, _HOOK with NFTA_HOOK_HOOKNUM, _POLICY
        let hook = find(&all, 4).and_then(|hook| find(&attributes(hook), 1).and_then(number));
        let policy = find(&all, 5).and_then(number);
        Some(Self { family, table: text(find(&all, 1)?), name: text(find(&all, 3)?), hook, policy })
    }
}

impl fmt::Display for Forwarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let legacy = if self.legacy { " of iptables-legacy" } else { "" };
        write!(f, "chain {} of table {} {}{legacy}", self.chain, self.family.name(), self.table)
    }
}

impl Forwarding {
    /// Does it drop what none of its rules lets through, as far as is known of them?
    pub fn drops(&self) -> bool {
        self.last.unwrap_or(self.policy)
    }

    /// Notes the interfaces that a rule of its table names, and what the chain's last one does: they come in their
    /// order. `message` as in [`forwarding`].
    pub fn note_rule(&mut self, message: &[u8]) {
        let all = attributes(message.get(4..).unwrap_or_default());
        // NFTA_RULE_TABLE, NFTA_RULE_CHAIN, NFTA_RULE_EXPRESSIONS
        if find(&all, 1).map(text).as_ref() != Some(&self.table) {
            return;
        }
        if find(&all, 2).map(text).as_ref() == Some(&self.chain) {
            self.last = for_all(find(&all, 4).unwrap_or_default());
        }
        let mut loaded = None;
        for (_, expression) in attributes(find(&all, 4).unwrap_or_default()) {
            let expression = attributes(expression);
            let inner = attributes(find(&expression, 2).unwrap_or_default());
            match find(&expression, 1).unwrap_or_default() {
                // NFTA_META_KEY
                b"meta\0" => loaded = find(&inner, 2).and_then(number),
                // NFT_META_IIFNAME, NFT_META_OIFNAME; NFTA_CMP_OP is NFT_CMP_EQ
                b"cmp\0" if matches!(loaded, Some(6 | 7)) && find(&inner, 2).and_then(number) == Some(0) => {
                    let value =
                        find(&inner, 3).and_then(|data| find(&attributes(data), 1).map(<[u8]>::to_vec));
                    let value = value.unwrap_or_default();
                    // A name to its end, or only what it begins with.
                    let end = value.iter().position(|byte| *byte == 0);
                    let name = String::from_utf8_lossy(&value[..end.unwrap_or(value.len())]).into_owned();
                    self.named.push((name, end.is_none()));
                }
                _ => {}
            }
        }
    }

    /// Do packets of IPv4, or of IPv6, pass it?
    pub fn concerns(&self, four: bool, six: bool) -> bool {
        match self.family {
            Family::Ip => four,
            Family::Ip6 => six,
            _ => four || six,
        }
    }

    /// Has its administrator thought of this interface? Then the rule that names it says what is meant.
    pub fn knows(&self, link: &str) -> bool {
        self.named.iter().any(|(name, all)| if *all { link.starts_with(name) } else { link == name })
    }

    /// The command that lets through what comes from, and goes to, these interfaces.
    pub fn mend(&self, interfaces: &Interfaces) -> String {
        let Self { table, chain, .. } = self;
        // What iptables has made is changed by iptables: nft(8) warns of doing it otherwise.
        match (self.family, table.as_str(), chain.as_str()) {
            (Family::Ip | Family::Ip6, "filter", "FORWARD") => {
                let program = match (self.family, self.legacy) {
                    (Family::Ip, false) => "iptables",
                    (Family::Ip, true) => "iptables-legacy",
                    (_, false) => "ip6tables",
                    (_, true) => "ip6tables-legacy",
                };
                let chain = if self.docker { DOCKER } else { "FORWARD" };
                let name = interfaces.written('+');
                format!("{program} -I {chain} -i {name} -j ACCEPT; {program} -I {chain} -o {name} -j ACCEPT")
            }
            (family, ..) => {
                let (family, name) = (family.name(), interfaces.written('*'));
                format!(
                    "nft insert rule {family} {table} {chain} iifname '\"{name}\"' accept; \
                     nft insert rule {family} {table} {chain} oifname '\"{name}\"' accept"
                )
            }
        }
    }
}

/// Does a rule of these expressions drop all packets, or let all through? `None` if it is for some only, or goes on.
fn for_all(expressions: &[u8]) -> Option<bool> {
    for (_, expression) in attributes(expressions) {
        let expression = attributes(expression);
        match find(&expression, 1)? {
            b"counter\0" | b"log\0" => {}
            b"reject\0" => return Some(true),
            b"immediate\0" => {
                // NFTA_IMMEDIATE_DATA, NFTA_DATA_VERDICT, NFTA_VERDICT_CODE: NF_DROP, NF_ACCEPT
                let inner = attributes(find(&expression, 2)?);
                let data = attributes(find(&inner, 2)?);
                let verdict = attributes(find(&data, 2)?);
                return match find(&verdict, 1).and_then(number)? {
                    0 => Some(true),
                    1 => Some(false),
                    _ => None,
                };
            }
            _ => return None,
        }
    }
    None
}

fn find<'a>(all: &[(u16, &'a [u8])], kind: u16) -> Option<&'a [u8]> {
    all.iter().find(|(of, _)| *of == kind).map(|(_, value)| *value)
}

fn number(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_be_bytes)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.strip_suffix(b"\0").unwrap_or(bytes)).into_owned()
}
