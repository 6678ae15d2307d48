//! `exec` and `enter`.

use crate::command::{Enter, Exec};
use jaula::house::House;
use jaula::{Result, ops};
use std::process::ExitCode;

/// `jaula exec`
pub(crate) fn exec(given: Exec) -> Result<ExitCode> {
    let name = given.name.parse()?;
    let exec = ops::exec::Exec {
        command: given.command,
        user: given.user,
        terminal: given.tty,
        directory: given.directory.map(Into::into),
        environment: given.environment,
    };
    ops::exec::exec(&House::from_environment(), &name, &exec).map(|exit| crate::act::code(exit.code()))
}

/// `jaula enter`
pub(crate) fn enter(given: &Enter) -> Result<ExitCode> {
    let name = given.name.parse()?;
    ops::enter::enter(&House::from_environment(), &name, given.user.as_deref())
        .map(|exit| crate::act::code(exit.code()))
}
