//! Where configurations meet running jails.

use crate::error::{Error, Result};
use crate::house::House;
use model::config::Mount;
use model::name::Name;

/// Starts jails that are configured.
pub fn start(_house: &House, names: &[Name]) -> Vec<(Name, Result<()>)> {
    names.iter().map(|name| (name.clone(), Err(missing("start")))).collect()
}

/// Stops running jails.
pub fn stop(_house: &House, names: &[Name]) -> Vec<(Name, Result<()>)> {
    names.iter().map(|name| (name.clone(), Err(missing("stop")))).collect()
}

/// Brings the mounts of a running jail to what its configuration says now.
pub fn mounts(_house: &House, _name: &Name, _old: &[Mount], _new: &[Mount]) -> Result<()> {
    Err(missing("live mounts"))
}

fn missing(what: &str) -> Error {
    Error::Inside(format!("this jaula is built without {what}"))
}
