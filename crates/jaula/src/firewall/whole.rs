//! Is all there that jails put into the table? Somebody may have flushed it.

use super::{leave, open, put_back, shares as all};
use crate::error::{Error, Result};
use crate::house::House;
use crate::registry;
use model::firewall::message::{Kind, ask_chain, ask_element, attributes, question};
use model::firewall::{Family, Guard, Share, TABLE, table};
use model::name::Name;
use std::collections::BTreeMap;
use sys::errno::{EINTR, ENOENT, ERESTART};
use sys::netfilter::Netfilter;

/// The jails of a house that run and of whose part of the host's firewall something is gone; how many have one
/// comes with them.
pub fn broken(house: &House) -> Result<(usize, Vec<Name>)> {
    let running = running(house);
    if running.is_empty() {
        return Ok((0, Vec::new()));
    }
    let mut netfilter = open()?;
    let rules = rules(&mut netfilter)?;
    let whole = are_all_there(&rules);
    let mut broken = Vec::new();
    for (name, share) in &running {
        if !whole || !is_whole(share, &rules, &mut netfilter)? {
            broken.push(name.clone());
        }
    }
    Ok((running.len(), broken))
}

/// Puts back what is gone, of the table and of what these jails have in it.
pub fn mend(house: &House, names: &[Name]) -> Result<()> {
    let running = running(house);
    if !running.iter().any(|(name, _)| names.contains(name)) {
        return Ok(());
    }
    // With those that are starting, or that nobody has cleared away.
    put_back(&mut open()?, &all(&house.run))?;
    for (_, share) in running.iter().filter(|(name, _)| !runs(house, name)) {
        // It ended meanwhile, and has left already.
        leave(share, || all(&house.run))?;
    }
    Ok(())
}

/// The jails that run and have a part in the table.
fn running(house: &House) -> Vec<(Name, Share)> {
    let Ok(all) = std::fs::read_dir(&house.run) else { return Vec::new() };
    let names = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<Name>().ok());
    let share = |name: Name| {
        let share = super::share(&house.running(&name))?;
        runs(house, &name).then_some((name, share))
    };
    let mut found: Vec<_> = names.filter_map(share).collect();
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found
}

fn runs(house: &House, name: &Name) -> bool {
    registry::live(house, name).is_ok_and(|live| live.is_some_and(|live| live.runs))
}

type Rules = BTreeMap<(Family, String), usize>;

/// How many rules each chain of the table has.
fn rules(netfilter: &mut Netfilter) -> Result<Rules> {
    let mut count = Rules::new();
    for family in [Family::Inet, Family::Netdev] {
        let answers = match netfilter.ask(question(Kind::GetRule, Some(family), Some(TABLE), None)) {
            Err(e) if e.is(ENOENT) => Vec::new(),
            answers => answers.map_err(Error::call("read the host's firewall"))?,
        };
        for rule in answers {
            // NFTA_RULE_TABLE, NFTA_RULE_CHAIN
            let all = attributes(rule.get(4..).unwrap_or_default());
            let text = |wanted| {
                let found = all.iter().find(|(kind, _)| *kind == wanted).map_or(&[][..], |(_, value)| value);
                String::from_utf8_lossy(found.strip_suffix(b"\0").unwrap_or(found)).into_owned()
            };
            if text(1) == TABLE {
                *count.entry((family, text(2))).or_default() += 1;
            }
        }
    }
    Ok(count)
}

fn has(rules: &Rules, family: Family, chain: &str, count: usize) -> bool {
    rules.get(&(family, chain.to_owned())).is_some_and(|there| *there >= count)
}

/// Are all rules of the table itself there, as far as the kernel has counted them? No set that one of them looks
/// into can then be missing. Asked at each start: a few short questions.
pub(super) fn is_table_whole(netfilter: &mut Netfilter) -> Result<bool> {
    for (family, chain, uses) in table::ends() {
        let answer = match netfilter.ask(ask_chain(TABLE, family, chain)) {
            Err(e) if e.is(ENOENT) => return Ok(false),
            answer => answer.map_err(Error::call("read the host's firewall"))?,
        };
        let all = answer.iter().flat_map(|body| attributes(body.get(4..).unwrap_or_default()));
        // NFTA_CHAIN_USE
        let counted = all.filter(|(kind, _)| *kind == 6).find_map(|(_, count)| count.try_into().ok());
        if counted.map_or(0, u32::from_be_bytes) < u32::try_from(uses).unwrap_or(u32::MAX) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn are_all_there(rules: &Rules) -> bool {
    table::chains().iter().all(|(family, chain)| has(rules, *family, chain, table::rules_of(*family, chain)))
}

fn is_whole(share: &Share, rules: &Rules, netfilter: &mut Netfilter) -> Result<bool> {
    let is_guarded = |guard: &Guard| {
        let (chain, own) = table::on_link(guard, &share.addresses);
        has(rules, Family::Netdev, chain.name, own.len())
    };
    if share.guard.as_ref().is_some_and(|guard| !is_guarded(guard)) {
        return Ok(false);
    }
    for element in share.elements() {
        match netfilter.ask(ask_element(TABLE, &element)) {
            Ok(_) => {}
            Err(e) if e.is(ENOENT) => return Ok(false),
            // Others change tables at this moment; who asks again hears it.
            Err(e) if e.is(EINTR) || e.is(ERESTART) => {}
            Err(e) => return Err(Error::call("read the host's firewall")(e)),
        }
    }
    Ok(true)
}
