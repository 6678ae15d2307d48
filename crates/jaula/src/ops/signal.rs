//! `jaula signal`: what a running program is told without words, such as to read its configuration
//! again.

use crate::error::{Error, Result};
use crate::house::House;
use crate::running::Running;
use crate::signals::{Effect, effect};
use model::name::Name;
use model::signal::Signal;
use sys::signal::SIGSTOP;

/// Sends a signal to the first process of a jail.
///
/// # Errors
/// If the program does not handle it and it would have ended the program, were it not the first one: then
/// nothing is sent. Jails are ended by `stop`.
pub fn signal(house: &House, name: &Name, signal: Signal) -> Result<()> {
    let jail = Running::open(house, name)?;
    let first = jail.state.first.ok_or_else(|| Error::NotRunning(name.clone()))?;
    let number = signal.number();
    if number != SIGSTOP && effect(first.pid, number) == Effect::Ends {
        return Err(Error::refused(
            format!("the first process of {name} does not handle SIG{signal}"),
            format!("to end the jail: jaula stop {name}"),
        ));
    }
    sys::process::signal(&jail.first, number).map_err(Error::call("signal the first process"))
}
