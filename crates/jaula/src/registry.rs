//! Which jails there are.

use crate::error::{Error, Result};
use crate::house::House;
use model::config::Config;
use model::name::Name;

/// A jail's configuration.
pub fn config(house: &House, name: &Name) -> Result<Config> {
    let path = house.config(name);
    let text = match std::fs::read_to_string(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(Error::NoJail(name.to_string())),
        read => read.map_err(Error::io("read", &path))?,
    };
    Config::parse(&text).map_err(|problems| Error::problems(&problems, Some(&path)))
}
