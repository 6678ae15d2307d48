//! What is left of a jail whose keeper died, or whose start was cut short.

use crate::claim::Claim;
use crate::error::{Error, Result};
use crate::house::House;
use crate::journal::{self, Entry};
use crate::launch;
use crate::state::State;

/// Undoes what a jail's journal says and removes its run directory. All is tried, whatever
/// fails; what could not be undone stays in the journal.
pub(crate) fn undo(house: &House, claim: Claim) -> Result<()> {
    undo_all(house, &claim, &standing(&journal::read(&claim)?))
}

/// The same with a journal that is the caller's own.
pub(crate) fn undo_all(house: &House, claim: &Claim, entries: &[Entry]) -> Result<()> {
    let mut failures = launch::undo(entries, claim, &house.run);
    if entries.contains(&Entry::Keep) {
        failures.extend(crate::keeping::settle::jail(house, &claim.name, true).err());
    }
    match failures.len() {
        0 => claim.remove(),
        1 => Err(failures.remove(0)),
        _ => Err(Error::Several(failures)),
    }
}

/// Makes a claimed jail ready for a start: one that runs is an error, one that does not but has
/// left something is undone.
pub(crate) fn stale(house: &House, claim: &Claim) -> Result<()> {
    if claim.fresh {
        return Ok(());
    }
    // The journal is the first file that comes and the last that goes.
    let Some(entries) = journal::find(claim)? else { return Ok(()) };
    if !is_void(&entries)
        && let Some(state) = State::read(claim)?
        && (state.first.is_some_and(|first| first.open().is_some()) || state.keeper.open().is_some())
    {
        return Err(Error::Running(claim.name.clone()));
    }
    let failures = launch::undo(&standing(&entries), claim, &house.run);
    if entries.contains(&Entry::Keep) {
        crate::keeping::settle::jail(house, &claim.name, true)?;
    }
    if failures.is_empty() { claim.clear() } else { Err(Error::Several(failures)) }
}

/// Undoes a claimed jail that has ended without its keeper; one that runs, or that somebody
/// keeps, is left alone. Returns whether there was anything to undo.
pub(crate) fn abandoned(house: &House, claim: Claim) -> Result<bool> {
    if !is_void(&journal::read(&claim)?)
        && let Some(state) = State::read(&claim)?
        && (state.keeper.open().is_some() || state.first.is_some_and(|first| first.open().is_some()))
    {
        return Ok(false);
    }
    undo(house, claim).map(|()| true)
}

/// Is the journal one of an earlier run of the machine? On a disk it outlives a crash of the host, and
/// the numbers of processes in it mean others by then. A control group stands as long as a process is in
/// it: without one, none of the jail's runs.
pub(crate) fn is_void(entries: &[Entry]) -> bool {
    let mut groups = entries.iter().filter_map(|entry| match entry {
        Entry::Cgroup(path) => Some(path),
        _ => None,
    });
    let all = groups.clone().all(|group| !group.exists());
    groups.next().is_some() && all
}

/// Is this the journal of a `jaula bind` whose command is still running, or has left somebody behind?
pub(crate) fn is_used(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| matches!(entry, Entry::Group(path) if crate::cgroup::is_used(path)))
}

/// What a journal's entries still mean.
fn standing(entries: &[Entry]) -> Vec<Entry> {
    let void = is_void(entries);
    entries.iter().filter(|entry| !void || !matches!(entry, Entry::Process { .. })).cloned().collect()
}
