//! Is all there that jails put into the table? Somebody may have flushed it.

use super::{enter, leave, open, shares};
use crate::error::{Error, Result};
use crate::house::House;
use crate::journal::{self, Entry};
use crate::registry;
use model::firewall::message::{Kind, ask_element, attributes, question};
use model::firewall::{Batch, Family, Guard, Share, TABLE, table};
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
    let whole = is_table_whole(&rules);
    let mut broken = Vec::new();
    for (name, share) in &running {
        if !whole || !is_whole(share, &rules, &mut netfilter)? {
            broken.push(name.clone());
        }
    }
    Ok((running.len(), broken))
}

/// Puts back what is gone.
pub fn mend(house: &House, names: &[Name]) -> Result<()> {
    let running_now = running(house);
    let mut netfilter = open()?;
    let rules_now = rules(&mut netfilter)?;
    let mut gone = Vec::new();
    for one in running_now.iter().filter(|(name, _)| names.contains(name)) {
        if !is_whole(&one.1, &rules_now, &mut netfilter)? {
            gone.push(one);
        }
    }
    // All of them first: a table that has lost the other one goes with the last jail, and comes back whole.
    for (_, share) in &gone {
        leave(share)?;
    }
    for (name, share) in gone {
        // That of another may have brought it back.
        let rules_now = rules(&mut netfilter)?;
        if !is_whole(share, &rules_now, &mut netfilter)? {
            enter(share, || shares(&house.run))?;
        }
        // It ended meanwhile, and has left already.
        if !runs(house, name) {
            leave(share)?;
        }
    }
    if running(house).is_empty() || is_table_whole(&rules(&mut netfilter)?) {
        return Ok(());
    }
    let mut batch = Batch::new(TABLE, None);
    table::renew(&mut batch);
    netfilter.change(batch.end()).map_err(|e| match e.error {
        error if error.is(ENOENT) => Error::refused(
            "somebody has removed chains of the host's table jaula",
            "remove the rest, and then it is made anew: nft delete table inet jaula; nft delete table netdev jaula; jaula gc",
        ),
        error => Error::call("put back the rules of the host's table jaula")(error),
    })
}

/// The jails that run and have a part in the table.
fn running(house: &House) -> Vec<(Name, Share)> {
    let Ok(all) = std::fs::read_dir(&house.run) else { return Vec::new() };
    let names = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<Name>().ok());
    let share = |name: Name| {
        let text = std::fs::read_to_string(house.running(&name).join(journal::FILE)).ok()?;
        let of = |entry| if let Entry::Firewall(share) = entry { Some(*share) } else { None };
        let share = journal::parse(&text).into_iter().find_map(of)?;
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

fn is_table_whole(rules: &Rules) -> bool {
    let whole =
        |(family, chain): &(Family, &str)| has(rules, *family, chain, table::rules_of(*family, chain));
    table::chains().iter().all(whole)
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
