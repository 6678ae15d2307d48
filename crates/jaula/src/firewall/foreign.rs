//! What rules of others do to packets of jails.

use super::open;
use crate::error::{Error, Result};
use model::firewall::Family;
use model::firewall::foreign::{Forwarding, forwarding};
use model::firewall::legacy;
use model::firewall::message::{Kind, question};

/// The chains of others that drop forwarded packets of IPv4, of IPv6, or of both, with what their tables say of
/// interfaces. One question for each family, and one more for each table of others that has a chain for such packets.
pub fn dropping(four: bool, six: bool) -> Result<Vec<Forwarding>> {
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
        let mut chains = forwarding(&ask(Kind::GetChain, None)?);
        for chain in &mut chains {
            let rules = ask(Kind::GetRule, Some(&chain.table))?;
            rules.iter().for_each(|rule| chain.note_rule(rule));
        }
        found.extend(chains);
    }
    for (_, six) in [(four, false), (six, true)].into_iter().filter(|(wanted, _)| *wanted) {
        found.extend(of_legacy(six));
    }
    found.retain(Forwarding::drops);
    Ok(found)
}

/// The chain of iptables-legacy, if this host has its table. Who changes it now is seen the next time.
fn of_legacy(six: bool) -> Option<Forwarding> {
    let names = format!("/proc/self/net/{}_tables_names", if six { "ip6" } else { "ip" });
    if !std::fs::read_to_string(names).ok()?.lines().any(|name| name == "filter") {
        return None;
    }
    let filter = sys::iptables::filter(six).ok()?;
    legacy::forwarding(six, &filter.entries, filter.forward, filter.policy)
}
