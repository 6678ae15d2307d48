//! Each command to what does it.

use crate::act::operate::Talk;
use crate::act::{self, operate};
use crate::command::{Command, Invocation, Json, When};
use crate::doc;
use crate::exit;
use crate::output::error::report;
use crate::output::style::Style;
use crate::output::{print_json, print_text};
use serde::Serialize;
use std::fmt::Write;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// Does what was asked for.
pub(crate) fn dispatch(invocation: Invocation) -> ExitCode {
    let Invocation { command: _, quiet, color } = invocation;
    let talk = Talk { quiet, color };
    match invocation.command {
        Command::Help(verb) => {
            let style = Style::of(color, &io::stdout());
            printed(print_text(&doc::help::help(verb, style)), color)
        }
        Command::Version(json) => printed(version(json), color),
        Command::Completions(shell) => printed(print_text(doc::completions::script(shell)), color),
        Command::Complete(words) => printed(complete(&words), color),
        Command::Manual(directory) => match manual(&directory) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error, None, color),
        },
        Command::Run(run) => command(act::make::run(run), color),
        Command::Exec(exec) => command(act::exec::exec(exec), color),
        Command::Enter(enter) => command(act::exec::enter(&enter), color),
        Command::Create(create) => done(act::create::create(create, talk), color),
        Command::Delete(delete) => done(act::delete::delete(delete, talk), color),
        Command::List(list) => done(act::inspect::list(list, color), color),
        Command::Status(status) => done(act::inspect::status(status, color), color),
        Command::CompleteNames => done(act::inspect::names(), color),
        Command::Start(start) => done(operate::start(&start, talk), color),
        Command::Stop(stop) => done(operate::stop(&stop, talk), color),
        Command::Restart(which) => done(operate::restart(&which, talk), color),
        Command::Console(name) => done(operate::console(&name, talk), color),
        Command::Gc(gc) => done(operate::gc(&gc), color),
        Command::Up(directory) => done(act::declare::up(&directory, talk), color),
        Command::Down(directory) => done(act::declare::down(&directory, talk), color),
        Command::Logs(logs) => done(act::logs::logs(&logs), color),
        Command::Plan(plan) => done(act::plan::of_jail(&plan.name, plan.json), color),
        Command::Set(set) => done(act::config::set(&set, talk), color),
        Command::ConfigShow(show) => done(act::config::show(&show), color),
        Command::ConfigEdit(name) => done(act::config::edit::edit(&name, talk), color),
        Command::ConfigCheck(check) => done(act::config::check(&check, talk), color),
        Command::ConfigPath(name) => done(act::config::path(&name), color),
        Command::ConfigKeys(keys) => done(act::config::keys(&keys), color),
        Command::Doctor(json) => done(act::doctor::examine(json, talk), color),
    }
}

/// The end of a verb that runs a command: its own failures are told from the command's.
fn command(result: jaula::Result<ExitCode>, color: When) -> ExitCode {
    result.unwrap_or_else(|error| {
        report(&error, error.help().as_deref(), color);
        ExitCode::from(match error {
            jaula::Error::NoProgram { .. } => exit::NOT_FOUND,
            jaula::Error::NotExecutable { .. } => exit::NOT_EXECUTABLE,
            _ => exit::NOT_BEGUN,
        })
    })
}

/// The end of a verb about jails.
fn done(result: jaula::Result<ExitCode>, color: When) -> ExitCode {
    result.unwrap_or_else(|error| {
        report(&error, error.help().as_deref(), color);
        ExitCode::from(act::status(&error))
    })
}

/// Prints the error; the command failed.
fn fail(error: &dyn std::error::Error, help: Option<&str>, color: When) -> ExitCode {
    report(error, help, color);
    ExitCode::from(exit::FAILED)
}

/// What cannot be written to standard output, or to a manual page.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {to}")]
struct CannotWrite {
    to: String,
    source: io::Error,
}

/// The end of a command that only prints.
fn printed(result: io::Result<()>, color: When) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(source) => fail(&CannotWrite { to: "to standard output".to_owned(), source }, None, color),
    }
}

fn version(json: Json) -> io::Result<()> {
    #[derive(Serialize)]
    struct Version {
        version: &'static str,
    }
    let version = env!("CARGO_PKG_VERSION");
    if json.0 { print_json(&Version { version }) } else { print_text(&format!("jaula {version}\n")) }
}

fn complete(words: &[std::ffi::OsString]) -> io::Result<()> {
    let mut text = String::new();
    for candidate in doc::complete::candidates(words) {
        let _ = writeln!(text, "{candidate}");
    }
    print_text(&text)
}

fn manual(directory: &Path) -> Result<(), CannotWrite> {
    doc::manual::pages().into_iter().try_for_each(|(name, text)| {
        let path = directory.join(name);
        std::fs::write(&path, text).map_err(|source| CannotWrite { to: path.display().to_string(), source })
    })
}
