//! Each command to what does it.

use crate::act::operate::{self, Talk};
use crate::act::{
    audit, boot, build, config, create, declare, delete, doctor, exec, inspect, keep, logs, make, plan,
    refresh, template, trace, transfer,
};
use crate::command::{Command, Invocation, Json, When};
use crate::doc;
use crate::exit;
use crate::exit::ExitCode;
use crate::output::error::report;
use crate::output::style::Style;
use crate::output::{print_json, print_text};
use serde::Serialize;
use std::fmt::Write;
use std::io;
use std::path::Path;

/// Does what was asked for.
pub(crate) fn dispatch(invocation: Invocation) -> ExitCode {
    let color = invocation.color;
    let talk = Talk { quiet: invocation.quiet, color };
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
        Command::Run(run) => command(|| make::run(run, talk), color),
        Command::Trace(given) => command(|| trace::trace(given, talk), color),
        Command::Create(given) => done(|| create::create(given, talk), color),
        Command::Build(given) => done(|| build::build(&given, talk), color),
        Command::Template(given) => done(|| template::template(given, talk), color),
        Command::Export(given) => done(|| transfer::export(&given, talk), color),
        Command::Import(given) => done(|| transfer::import(given, talk), color),
        Command::Refresh(given) => done(|| refresh::refresh(&given, talk), color),
        Command::Outdated(given) => done(|| refresh::outdated(&given, color), color),
        Command::Delete(given) => done(|| delete::delete(given, talk), color),
        Command::List(given) => done(|| inspect::list(given, color), color),
        Command::Status(given) => done(|| inspect::status(given, color), color),
        Command::Logs(given) => done(|| logs::logs(&given), color),
        Command::Plan(given) => done(|| plan::of_jail(&given.name, given.json), color),
        Command::Audit(given) => done(|| audit::audit(&given, color), color),
        Command::Set(given) => done(|| config::set(&given, talk), color),
        Command::ConfigShow(given) => done(|| config::show(&given), color),
        Command::ConfigEdit(name) => done(|| config::edit::edit(&name, talk), color),
        Command::ConfigCheck(given) => done(|| config::check(&given, talk), color),
        Command::ConfigPath(name) => done(|| config::path(&name), color),
        Command::ConfigKeys(given) => done(|| config::keys(&given), color),
        Command::Up(directory) => done(|| declare::up(&directory, talk), color),
        Command::Down(directory) => done(|| declare::down(&directory, talk), color),
        Command::CompleteNames => done(inspect::names, color),
        Command::SnapshotCreate(given) => done(|| keep::create(given, talk), color),
        Command::SnapshotList(given) => done(|| keep::list(&given, color), color),
        Command::SnapshotRollback(given) => done(|| keep::rollback(&given, talk), color),
        Command::SnapshotDelete { snapshots, yes } => done(|| keep::delete(&snapshots, yes), color),
        Command::Clone(given) => done(|| keep::clone(&given, talk), color),
        Command::Rename { name, new } => done(|| keep::rename(&name, &new), color),
        Command::Boot(given) => done(|| boot::boot(&given, talk), color),
        Command::Shutdown(given) => done(|| boot::shutdown(&given, talk), color),
        Command::Units(directory) => done(|| boot::units(&directory, talk), color),
        Command::Start(start) => done(|| operate::start(&start, talk), color),
        Command::Stop(stop) => done(|| operate::stop(&stop, talk), color),
        Command::Restart(which) => done(|| operate::restart(&which, talk), color),
        Command::Signal { name, signal } => done(|| operate::signal(&name, signal), color),
        Command::Console(name) => done(|| operate::console(&name, talk), color),
        Command::Gc(gc) => done(|| operate::gc(&gc), color),
        Command::Doctor(given) => done(|| doctor::examine(given, talk), color),
        Command::Bind(given) => command(|| exec::bind(given, talk), color),
        Command::Exec(given) => command(|| exec::exec(given), color),
        Command::Enter(given) => command(|| exec::enter(&given), color),
    }
}

/// A verb about jails. Each has a stack of its own: as parts of one function they would all begin with
/// what all of them need together.
#[inline(never)]
fn done(verb: impl FnOnce() -> jaula::Result<ExitCode>, color: When) -> ExitCode {
    verb().unwrap_or_else(|error| {
        report(&error, error.help().as_deref(), color);
        ExitCode::from(crate::act::status(&error))
    })
}

/// A verb that runs a command: its own failures are told from the command's.
#[inline(never)]
fn command(verb: impl FnOnce() -> jaula::Result<ExitCode>, color: When) -> ExitCode {
    verb().unwrap_or_else(|error| {
        report(&error, error.help().as_deref(), color);
        ExitCode::from(match error {
            jaula::Error::NoProgram { .. } | jaula::Error::NoCommand { .. } => exit::NOT_FOUND,
            jaula::Error::NotExecutable { .. } => exit::NOT_EXECUTABLE,
            _ => exit::NOT_BEGUN,
        })
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
