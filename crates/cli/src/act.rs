//! What the verbs do: words into operations of `jaula`, results into text or JSON.

pub(crate) mod exec;
pub(crate) mod make;
pub(crate) mod operate;
pub(crate) mod plan;

use crate::command::{Op, Setting};
use model::config::edit;
use std::process::ExitCode;

/// Settings as the model takes them.
pub(crate) fn settings(given: &[Setting]) -> Vec<edit::Setting> {
    let operation = |op| match op {
        Op::Set => edit::Operation::Set,
        Op::Add => edit::Operation::Add,
        Op::Remove => edit::Operation::Remove,
        Op::Unset => edit::Operation::Unset,
    };
    given
        .iter()
        .map(|s| edit::Setting { key: s.key.clone(), operation: operation(s.op), value: s.value.clone() })
        .collect()
}

/// A status as a shell sees it.
pub(crate) fn code(status: i32) -> ExitCode {
    ExitCode::from(u8::try_from(status & 0xff).unwrap_or(u8::MAX))
}

/// The status of a failed verb that names jails.
pub(crate) fn status(error: &jaula::Error) -> u8 {
    match error {
        jaula::Error::NoJail(_) | jaula::Error::NotRunning(_) => crate::exit::NO_JAIL,
        _ => crate::exit::FAILED,
    }
}
