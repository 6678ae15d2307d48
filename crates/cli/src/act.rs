//! What the verbs do: words into operations of `jaula`, results into text or JSON.

pub(crate) mod audit;
pub(crate) mod boot;
pub(crate) mod build;
pub(crate) mod config;
pub(crate) mod create;
pub(crate) mod declare;
pub(crate) mod delete;
pub(crate) mod doctor;
pub(crate) mod exec;
pub(crate) mod inspect;
pub(crate) mod keep;
pub(crate) mod logs;
pub(crate) mod make;
pub(crate) mod operate;
pub(crate) mod plan;
pub(crate) mod refresh;
pub(crate) mod template;
pub(crate) mod trace;
pub(crate) mod transfer;

use crate::command::{Op, Selection, Setting};
use crate::exit;
use crate::exit::ExitCode;
use jaula::house::House;
use jaula::{Error, Result, registry};
use model::config::edit;
use model::name::Name;
use model::select::SelectError;
use std::io;
use std::path::Path;

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

/// The jails that are meant.
pub(crate) fn selected(house: &House, jails: &Selection) -> Result<Vec<Name>> {
    match jails {
        Selection::All => registry::select(house, &[], true),
        Selection::Named(words) => registry::select(house, words, false),
    }
}

/// The end of a verb whose last act was to print.
pub(crate) fn printed(result: io::Result<()>) -> Result<ExitCode> {
    result.map_err(Error::io("write to", Path::new("standard output")))?;
    Ok(ExitCode::SUCCESS)
}

/// The status that an error stands for.
pub(crate) fn status(error: &Error) -> u8 {
    match error {
        Error::NoJail(_)
        | Error::NotRunning(_)
        | Error::Select(SelectError::Unknown { .. } | SelectError::NoMatch(_)) => exit::NO_JAIL,
        Error::Cancelled(_) => exit::INTERRUPTED,
        _ => exit::FAILED,
    }
}

/// A command line as a shell would read it.
pub(crate) fn words(command: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "%+,-./:=@_^~".contains(c) || !c.is_ascii();
    let one = |word: &String| match !word.is_empty() && word.chars().all(plain) {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    };
    command.iter().map(one).collect::<Vec<_>>().join(" ")
}
