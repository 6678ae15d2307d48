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
    let entries = journal::read(&claim)?;
    undo_all(house, claim, &entries)
}

/// The same with a journal that is known.
pub(crate) fn undo_all(house: &House, claim: Claim, entries: &[Entry]) -> Result<()> {
    let mut failures = launch::undo(entries, &claim.name, &house.run);
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
    if let Some(state) = State::read(claim)?
        && (state.first.is_some_and(|first| first.open().is_some()) || state.keeper.open().is_some())
    {
        return Err(Error::Running(claim.name.clone()));
    }
    let failures = launch::undo(&entries, &claim.name, &house.run);
    if failures.is_empty() { claim.clear() } else { Err(Error::Several(failures)) }
}

/// Undoes a claimed jail that has ended without its keeper; one that runs, or that somebody
/// keeps, is left alone. Returns whether there was anything to undo.
pub(crate) fn abandoned(house: &House, claim: Claim) -> Result<bool> {
    if let Some(state) = State::read(&claim)?
        && (state.keeper.open().is_some() || state.first.is_some_and(|first| first.open().is_some()))
    {
        return Ok(false);
    }
    undo(house, claim).map(|()| true)
}
