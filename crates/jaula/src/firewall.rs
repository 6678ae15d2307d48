//! The host's nf_tables table `jaula`: jails come into it and leave it.
//!
//! Who comes first makes the table, who leaves last removes it. All changes of one jail are one batch, which
//! the kernel makes whole or not at all.

pub mod foreign;
pub mod whole;

use crate::error::{Error, Result};
use crate::journal::{self, Entry};
use model::firewall::message::{Kind, ask_chain, ask_element, attributes, names, question};
use model::firewall::{Batch, Element, Family, JAILS, Share, TABLE, table};
use std::path::Path;
use sys::errno::{EBUSY, EEXIST, EINTR, EINVAL, ENOENT, EOPNOTSUPP, ERESTART};
use sys::netfilter::{Netfilter, Refused};

/// How often it is tried again when others change tables at the same time.
const TRIES: usize = 64;

/// Puts a jail's share into the table. The host's end of its link is there. `others`: what jails that run
/// have in it; if somebody has removed something of the table, they come back with it.
pub fn enter(share: &Share, others: impl Fn() -> Vec<Share>) -> Result<()> {
    let mut netfilter = open()?;
    let own = share.elements();
    let mut make = false;
    for _ in 0..TRIES {
        let mut batch = Batch::new(TABLE, None);
        if make {
            restore(&mut batch, others().iter().filter(|other| other.jail != share.jail));
        }
        batch.add(&own);
        hang(&mut batch, share);
        match netfilter.change(batch.end()) {
            Ok(()) if make || whole::is_table_whole(&mut netfilter)? => return Ok(()),
            Ok(()) => {
                return put_back(&mut netfilter, &[&others()[..], std::slice::from_ref(share)].concat());
            }
            Err(e) if e.error.is(ERESTART) || e.error.is(EINTR) => {}
            Err(e) if e.error.is(ENOENT) && !make => make = true,
            // Whoever made the table has brought this share along, by this jail's journal.
            Err(e) if e.error.is(EEXIST) && is_in(&mut netfilter, share)? => return Ok(()),
            Err(e) => {
                let others = others();
                return match taken(share, &own, &e, &others) {
                    Some(error) => Err(error),
                    None if is_in_the_way(&e) => {
                        let all = [&others[..], std::slice::from_ref(share)].concat();
                        // What another house's jail has is not shared with it.
                        no_strangers(&mut netfilter, &all)?;
                        put_back(&mut netfilter, &all)
                    }
                    None => Err(Error::call("put the jail into the host's firewall")(e.error)),
                };
            }
        }
    }
    Err(Error::Inside("the host's nf_tables change faster than a jail can come into them".to_owned()))
}

/// Puts back what somebody has removed of the table, and of what these jails have in it. Where another version's
/// chains and sets are in the way, or somebody's, all of it is made anew at once, if all in it is these jails'.
fn put_back(netfilter: &mut Netfilter, shares: &[Share]) -> Result<()> {
    let mut anew = false;
    for _ in 0..TRIES {
        let mut batch = Batch::new(TABLE, None);
        if anew {
            for family in [Family::Inet, Family::Netdev] {
                // One that is not there cannot be removed.
                batch.table(family);
                batch.remove_table(family);
            }
        }
        restore(&mut batch, shares);
        match netfilter.change(batch.end()) {
            Ok(()) => return Ok(()),
            Err(e) if e.error.is(ERESTART) || e.error.is(EINTR) => {}
            Err(e) if !anew && is_in_the_way(&e) => {
                no_strangers(netfilter, shares)?;
                anew = true;
            }
            Err(e) => return Err(Error::call("put back the rules of the host's table jaula")(e.error)),
        }
    }
    Err(Error::Inside("the host's nf_tables change faster than they can be put back".to_owned()))
}

/// Is something there already, and other than it is to be?
fn is_in_the_way(refused: &Refused) -> bool {
    [EEXIST, EBUSY, EINVAL, EOPNOTSUPP].iter().any(|number| refused.error.is(*number))
}

/// Are all jails in the table among these? What others have there is not known here, and would be lost.
fn no_strangers(netfilter: &mut Netfilter, shares: &[Share]) -> Result<()> {
    let mut strangers = jails(netfilter)?.map(|(_, jails)| jails).unwrap_or_default();
    strangers.retain(|jail| !shares.iter().any(|share| share.jail == *jail));
    if strangers.is_empty() {
        return Ok(());
    }
    Err(Error::refused(
        format!(
            "the host's table jaula has other chains, sets or elements than this version makes, and jails of another \
             JAULA_ROOT are in it: behind {}",
            strangers.join(", ")
        ),
        "start those anew with this version; or remove it, and jaula gc of each JAULA_ROOT makes it anew: nft delete \
         table inet jaula; nft delete table netdev jaula",
    ))
}

/// All of the table, and what these jails have in it, as far as it is not there.
fn restore<'a>(batch: &mut Batch, shares: impl IntoIterator<Item = &'a Share>) {
    table::make(batch);
    let links = sys::netlink::Socket::route();
    for share in shares {
        // The journal of a jail that was killed stands until it is undone; its link may be gone.
        if links.as_ref().is_ok_and(|links| links.index(&share.jail).is_ok()) {
            batch.complete(&share.elements());
            hang(batch, share);
        }
    }
}

/// Is a jail in the table? A share comes and goes as a whole.
fn is_in(netfilter: &mut Netfilter, share: &Share) -> Result<bool> {
    Ok(jails(netfilter)?.is_some_and(|(_, jails)| jails.contains(&share.jail)))
}

/// What hangs on the jail's link.
fn hang(batch: &mut Batch, share: &Share) {
    if let Some(guard) = &share.guard {
        let (chain, rules) = table::on_link(guard, &share.addresses);
        batch.chain(&chain);
        batch.empty_chain(chain.family, chain.name);
        rules.iter().for_each(|rule| batch.rule(rule));
    }
}

/// What another has already, by name.
fn taken(share: &Share, own: &[Element], refused: &Refused, others: &[Share]) -> Option<Error> {
    let taken = refused.error.is(EEXIST) || refused.error.is(EBUSY);
    for other in others.iter().filter(|other| taken && other.jail != share.jail) {
        let theirs = other.elements();
        let same = |a: &&Element| theirs.iter().any(|b| (b.set, &b.key) == (a.set, &a.key));
        if let Some(element) = own.iter().filter(|element| element.set != JAILS).find(same) {
            let jail = &other.jail;
            return Some(match share.forward_of(element) {
                Some(forward) => Error::refused(
                    format!("network.forward: \"{forward}\" is taken: the jail behind {jail} has it"),
                    "take another port of the host, or another of its addresses: \"tcp ADDRESS:PORT -> PORT\"",
                ),
                None => {
                    let same = share.addresses.iter().find(|ip| other.addresses.contains(ip));
                    let ip = same.map_or_else(|| "one of them".to_owned(), ToString::to_string);
                    Error::refused(
                        format!("network.addresses: the jail behind {jail} has {ip} already"),
                        "give each jail its own",
                    )
                }
            });
        }
    }
    None
}

/// Takes a jail's share out of the table; what is not there, is out. The last one takes the table along.
/// `others`: what jails that run have in it.
pub fn leave(share: &Share, others: impl Fn() -> Vec<Share>) -> Result<()> {
    let mut netfilter = open()?;
    for _ in 0..TRIES {
        let Some((generation, jails)) = jails(&mut netfilter)? else {
            return leave_remains(&mut netfilter, share, &others());
        };
        if !jails.iter().all(|jail| *jail == share.jail) {
            // The generation is nothing to it: with many that leave at once it would always be an older one.
            return leave_others(&mut netfilter, share);
        }
        let mut batch = Batch::new(TABLE, Some(generation));
        batch.remove_table(Family::Inet);
        batch.remove_table(Family::Netdev);
        match netfilter.change(batch.end()) {
            Ok(()) => return Ok(()),
            Err(e) if e.error.is(ERESTART) || e.error.is(EINTR) => {}
            Err(e) if is_not_there(&e) => return leave_in_parts(&mut netfilter, share),
            Err(e) => return Err(Error::call("take the jail out of the host's firewall")(e.error)),
        }
    }
    Err(Error::Inside("the host's nf_tables change faster than a jail can leave them".to_owned()))
}

/// Takes a jail's share out of a table that others need, and the table if they have left meanwhile.
fn leave_others(netfilter: &mut Netfilter, share: &Share) -> Result<()> {
    let mut batch = Batch::new(TABLE, None);
    batch.remove(&share.elements());
    if let Some(guard) = &share.guard {
        // The kernel removes the chain of a link with the link.
        batch.remove_chain_if_there(Family::Netdev, &guard.link);
    }
    match netfilter.change(batch.end()) {
        Ok(()) => last_removes(netfilter),
        Err(e) if is_not_there(&e) || e.error.is(ERESTART) || e.error.is(EINTR) => {
            leave_in_parts(netfilter, share)
        }
        Err(e) => Err(Error::call("take the jail out of the host's firewall")(e.error)),
    }
}

/// There is no such thing to remove, or in another version's set there cannot be.
fn is_not_there(refused: &Refused) -> bool {
    refused.error.is(ENOENT) || refused.error.is(EINVAL)
}

/// Somebody has removed the table, or so much of it that nobody knows any more who is in it.
fn leave_remains(netfilter: &mut Netfilter, share: &Share, others: &[Share]) -> Result<()> {
    let others: Vec<_> = others.iter().filter(|other| other.jail != share.jail).cloned().collect();
    if !others.is_empty() {
        put_back(netfilter, &others)?;
        return leave_in_parts(netfilter, share);
    }
    for family in [Family::Inet, Family::Netdev] {
        let mut batch = Batch::new(TABLE, None);
        batch.remove_table(family);
        match netfilter.change(batch.end()) {
            Err(e) if !e.error.is(ENOENT) => {
                return Err(Error::call("remove the host's table jaula")(e.error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Takes out what is there of a jail's share. Questions wait for nobody, as changes do for all others: with many jails
/// that leave at once, those that are in vain would take the most time.
fn leave_in_parts(netfilter: &mut Netfilter, share: &Share) -> Result<()> {
    let mut there = share.elements();
    there.retain(|element| is_there(netfilter.ask(ask_element(TABLE, element))));
    let guard = share.guard.as_ref();
    let guard = guard.filter(|guard| is_there(netfilter.ask(ask_chain(TABLE, Family::Netdev, &guard.link))));
    if !there.is_empty() || guard.is_some() {
        let mut batch = Batch::new(TABLE, None);
        batch.remove(&there);
        if let Some(guard) = guard {
            batch.remove_chain_if_there(Family::Netdev, &guard.link);
        }
        if netfilter.change(batch.end()).is_err() {
            leave_one_by_one(netfilter, share)?;
        }
    }
    last_removes(netfilter)
}

/// Is it there? If others change tables meanwhile, it may be.
fn is_there(answer: sys::Result<Vec<Vec<u8>>>) -> bool {
    answer.map_or_else(|e| e.is(EINTR) || e.is(ERESTART), |_| true)
}

fn leave_one_by_one(netfilter: &mut Netfilter, share: &Share) -> Result<()> {
    let mut one = |fill: &dyn Fn(&mut Batch)| {
        let mut batch = Batch::new(TABLE, None);
        fill(&mut batch);
        match netfilter.change(batch.end()) {
            Err(e) if !is_not_there(&e) => {
                Err(Error::call("take the jail out of the host's firewall")(e.error))
            }
            _ => Ok(()),
        }
    };
    let elements = share.elements();
    for element in &elements {
        one(&|batch| batch.remove(std::slice::from_ref(element)))?;
    }
    if let Some(guard) = &share.guard {
        one(&|batch| batch.remove_chain(Family::Netdev, &guard.link))?;
    }
    Ok(())
}

/// Removes the table if nobody is in it.
fn last_removes(netfilter: &mut Netfilter) -> Result<()> {
    for _ in 0..TRIES {
        let Some((generation, jails)) = jails(netfilter)? else { return Ok(()) };
        if !jails.is_empty() {
            return Ok(());
        }
        // With a half that somebody has removed, the other half alone.
        for families in [&[Family::Inet, Family::Netdev][..], &[Family::Inet]] {
            let mut batch = Batch::new(TABLE, Some(generation));
            families.iter().for_each(|family| batch.remove_table(*family));
            match netfilter.change(batch.end()) {
                Ok(()) => return Ok(()),
                // Somebody came in, or changed other tables.
                Err(e) if e.error.is(ERESTART) || e.error.is(EINTR) => break,
                Err(e) if e.error.is(ENOENT) => {}
                Err(e) => return Err(Error::call("remove the host's table jaula")(e.error)),
            }
        }
    }
    Ok(())
}

/// Who is in the table, and of which generation of all tables that is true; `None` without a table.
fn jails(netfilter: &mut Netfilter) -> Result<Option<(u32, Vec<String>)>> {
    let what = || Error::call("read the host's firewall");
    let mut interrupted = 0;
    loop {
        let generation = netfilter.ask(question(Kind::GetGen, None, None, None)).map_err(what())?;
        // NFTA_GEN_ID
        let generation = generation.iter().flat_map(|body| attributes(body.get(4..).unwrap_or_default()));
        let generation = generation.filter(|(kind, _)| *kind == 1).find_map(|(_, id)| id.try_into().ok());
        let elements = question(Kind::GetSetElem, Some(Family::Inet), Some(TABLE), Some(JAILS));
        let answers = match netfilter.ask(elements) {
            Err(e) if e.is(ENOENT) => return Ok(None),
            // Somebody changed tables meanwhile: what was read is not whole.
            Err(e) if e.is(EINTR) && interrupted < TRIES => {
                interrupted += 1;
                continue;
            }
            // The kernel refuses what follows.
            Err(e) if e.is(EINTR) => Vec::new(),
            answers => answers.map_err(what())?,
        };
        let names = answers.iter().flat_map(|body| names(body)).collect();
        return Ok(Some((generation.map_or(0, u32::from_be_bytes), names)));
    }
}

/// What the running jails of a house have in the table, by their journals. `run`: where those are.
pub fn shares(run: &Path) -> Vec<Share> {
    let Ok(running) = std::fs::read_dir(run) else { return Vec::new() };
    running.flatten().filter_map(|entry| share(&entry.path())).collect()
}

/// What a jail has in the table of the network namespace that we are in, by the journal in its run directory. A
/// jail that was started in another one has nothing here, and must not be given anything.
fn share(run: &Path) -> Option<Share> {
    let text = std::fs::read_to_string(run.join(journal::FILE)).ok()?;
    let (theirs, share) = journal::parse(&text).into_iter().find_map(|entry| match entry {
        Entry::Firewall { namespace, share } => Some((namespace, *share)),
        _ => None,
    })?;
    (namespace().ok()? == theirs).then_some(share)
}

/// The network namespace that we are in, as namespaces(7) names it: `net:[4026531840]`.
pub fn namespace() -> Result<String> {
    let path = Path::new("/proc/thread-self/ns/net");
    let name = std::fs::read_link(path).map_err(Error::io("read", path))?;
    Ok(name.to_string_lossy().into_owned())
}

fn open() -> Result<Netfilter> {
    Netfilter::open().map_err(Error::call("reach the host's firewall"))
}
