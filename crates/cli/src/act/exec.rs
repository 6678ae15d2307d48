//! `exec` and `enter`.

use crate::command::{Enter, Exec};
use crate::exit::ExitCode;
use jaula::house::House;
use jaula::{Result, ops, registry};

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
