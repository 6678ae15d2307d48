//! What rules of others do to packets of jails.

use super::open;
use crate::error::{Error, Result};
use model::firewall::Family;
use model::firewall::foreign::{Dropping, dropping as read};
use model::firewall::message::{Kind, question};

/// The chains of others that drop forwarded packets of IPv4, of IPv6, or of both, with what their tables say of
/// interfaces. One question for each family, and one more for each table that has such a chain.
pub fn dropping(four: bool, six: bool) -> Result<Vec<Dropping>> {
    let mut netfilter = open()?;
    let mut found = Vec::new();
    for (family, wanted) in [(Family::Ip, four), (Family::Ip6, six), (Family::Inet, four || six)] {
        if !wanted {
            continue;
        }
        let mut ask = |kind, table: Option<&str>| {
            let answers = netfilter.ask(question(kind, Some(family), table, None));
            answers.map_err(Error::call("read the host's firewall"))
        };
        let mut chains = read(&ask(Kind::GetChain, None)?);
        for chain in &mut chains {
            let rules = ask(Kind::GetRule, Some(&chain.table))?;
            rules.iter().for_each(|rule| chain.note_rule(rule));
        }
        found.extend(chains);
    }
    Ok(found)
}
