//! Rules of others that hold up what is forwarded to and from jails.

use super::message::{Kind, attributes};

/// A chain of somebody else's that drops what none of its rules lets through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropping {
    /// `ip`, `ip6`, `inet`
    pub family: &'static str,
    /// Its table.
    pub table: String,
    /// Its name.
    pub chain: String,
}

/// The policy of a chain that forwarded packets pass, if it is to drop. `message`: one that the kernel sends of
/// a chain, without its first 16 bytes.
pub fn dropping(message: &[u8]) -> Option<Dropping> {
    let family = match message.first()? {
        1 => "inet",
        2 => "ip",
        10 => "ip6",
        _ => return None,
    };
    let all = attributes(message.get(4..)?);
    let find = |kind| all.iter().find(|(of, _)| *of == kind).map(|(_, value)| *value);
    let number = |value: &[u8]| value.try_into().ok().map(u32::from_be_bytes);
    let hook = attributes(find(4)?).into_iter().find(|(kind, _)| *kind == 1).and_then(|(_, n)| number(n));
    // NF_INET_FORWARD, NF_DROP
    if hook != Some(2) || number(find(5)?) != Some(0) {
        return None;
    }
    let table = text(find(1)?);
    let chain = text(find(3)?);
    (table != super::TABLE).then_some(Dropping { family, table, chain })
}

/// Does a rule speak of an interface whose name begins so? `message` as in [`dropping`].
pub fn names_link(message: &[u8], begins: &str) -> bool {
    message.windows(begins.len()).any(|bytes| bytes == begins.as_bytes())
}

/// The kind of message that is asked for chains, and for rules.
pub const CHAINS: Kind = Kind::GetChain;
/// See [`CHAINS`].
pub const RULES: Kind = Kind::GetRule;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.strip_suffix(b"\0").unwrap_or(bytes)).into_owned()
}

impl Dropping {
    /// The command that lets through what comes from, and goes to, interfaces whose names begin so.
    pub fn mend(&self, begins: &str, docker: bool) -> String {
        let Self { family, table, chain } = self;
        // What iptables has made is changed by iptables: nft(8) warns of doing it otherwise.
        match (*family, table.as_str(), chain.as_str()) {
            ("ip" | "ip6", "filter", "FORWARD") => {
                let program = if *family == "ip" { "iptables" } else { "ip6tables" };
                let chain = if docker { "DOCKER-USER" } else { "FORWARD" };
                format!(
                    "{program} -I {chain} -i {begins}+ -j ACCEPT; {program} -I {chain} -o {begins}+ -j ACCEPT"
                )
            }
            _ => format!(
                "nft insert rule {family} {table} {chain} iifname \"{begins}*\" accept; \
                 nft insert rule {family} {table} {chain} oifname \"{begins}*\" accept"
            ),
        }
    }
}
