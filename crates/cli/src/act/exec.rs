//! `exec`, `enter` and `bind`.

use crate::act::operate::Talk;
use crate::command::{Bind, Enter, Exec};
use crate::exit::ExitCode;
use jaula::house::House;
use jaula::{Error, Result, ops, registry};

/// `jaula bind`
pub(crate) fn bind(given: Bind, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    let address = |text: &String| {
        model::address::parse(text).map_err(|bad| Error::Refused { message: bad.message, help: bad.help })
    };
    let addresses: Vec<_> = given.addresses.iter().map(address).collect::<Result<_>>()?;
    let warn = |text: &str| {
        if !talk.quiet {
            crate::output::error::warn(text, talk.color);
        }
    };
    ops::bind::bind(&house, &addresses, &given.command, warn).map(|exit| crate::act::code(exit.code()))
}

/// `jaula exec`
pub(crate) fn exec(given: Exec) -> Result<ExitCode> {
    let house = House::from_environment();
    let name = registry::one(&house, &given.name)?;
    let exec = ops::exec::Exec {
        command: given.command,
        user: given.user,
        terminal: given.tty,
        directory: given.directory.map(Into::into),
        environment: given.environment,
    };
    ops::exec::exec(&house, &name, &exec).map(|exit| crate::act::code(exit.code()))
}

/// `jaula enter`
pub(crate) fn enter(given: &Enter) -> Result<ExitCode> {
    let house = House::from_environment();
    let name = registry::one(&house, &given.name)?;
    ops::enter::enter(&house, &name, given.user.as_deref()).map(|exit| crate::act::code(exit.code()))
}
