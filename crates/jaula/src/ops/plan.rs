//! `jaula plan`: what a start would do, with nothing done.

use crate::error::{Error, Result};
use crate::house::House;
use crate::ops::prepare::{Start, prepare};
use crate::registry;
use crate::state::STATE;
use model::name::{Id, Name};
use model::plan::Plan;

/// The plan of a start. A jail without a number gets the first of those that a start gives out.
pub fn plan(house: &House, name: &Name) -> Result<Plan> {
    let config = registry::config(house, name)?;
    let id = config.id.map_or_else(|| Id::new(Id::FIRST_PASSING).map_err(|_| Error::NoId), Ok)?;
    let looks = !is_there(house, name);
    Ok(prepare(house, name, id, &config, Start { looks, ..Start::LASTING })?.plan)
}

/// Does somebody run from its files, or undo it? If that ends just now, less is shown.
pub(crate) fn is_there(house: &House, name: &Name) -> bool {
    house.running(name).join(STATE).exists()
}
