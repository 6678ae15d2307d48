//! `boot`, `shutdown`, `units`: jails that live with the host.

use crate::act::operate::{Talk, failed};
use crate::act::printed;
use crate::command::{Boot, Shutdown};
use crate::exit;
use crate::exit::ExitCode;
use crate::output::error::warn;
use crate::output::{print_json, print_text};
use jaula::house::House;
use jaula::ops::boot::Came;
use jaula::ops::{boot, gc};
use jaula::{Error, Result};
use model::name::Name;
use serde::Serialize;
use std::path::Path;

/// What has become of a jail, for programs.
#[derive(Debug, Serialize)]
struct Line {
    name: Name,
    /// `started`, `running`, `stopped`, `idle`, `failed`, `skipped`, `impossible` or `late`.
    result: &'static str,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What has become of all, as it comes about.
struct Told {
    talk: Talk,
    json: bool,
    lines: Vec<Line>,
    status: u8,
}

impl Told {
    fn new(talk: Talk, json: bool) -> Self {
        Self { talk, json, lines: Vec::new(), status: 0 }
    }

    fn hear(&mut self, name: &Name, came: Came) {
        let (result, error) = match came {
            Came::Started(started) => {
                for warning in started.warnings.iter().filter(|_| !self.talk.quiet) {
                    warn(&format!("jail {name}: {warning}"), self.talk.color);
                }
                ("started", None)
            }
            Came::Running => ("running", None),
            Came::Stopped(_) => ("stopped", None),
            Came::Idle => ("idle", None),
            Came::Failed(error) => ("failed", Some(error)),
            Came::Skipped(on) => ("skipped", Some(Error::Dependency { name: name.clone(), on })),
            Came::NoPlace(why) => ("impossible", Some(Error::NoPlace(why))),
            Came::Late(begun) => ("late", Some(late(name, begun))),
        };
        self.line(name, result, error);
    }

    fn line(&mut self, name: &Name, result: &'static str, error: Option<Error>) {
        let line = error.as_ref().map(Error::line);
        // All of a circle have the same to say.
        let is_said = self.lines.iter().any(|told| line.is_some() && told.error == line);
        match &error {
            Some(_) if is_said => self.status = exit::FAILED,
            Some(error) => failed(error, self.talk, &mut self.status),
            None if self.json || self.talk.quiet => {}
            // Whoever reads this does not read it any more if it cannot be written.
            None => _ = print_text(&format!("{name}: {}\n", words(result))),
        }
        self.lines.push(Line { name: name.clone(), result, error: line });
    }

    fn end(self) -> Result<ExitCode> {
        if self.json {
            printed(print_json(&self.lines))?;
        }
        Ok(ExitCode::from(if self.status == 0 { 0 } else { exit::FAILED }))
    }
}

fn words(result: &str) -> &str {
    match result {
        "running" => "runs already",
        "idle" => "did not run",
        other => other,
    }
}

fn late(name: &Name, begun: bool) -> Error {
    let (what, help) = match begun {
        true => ("was not ready", format!("it may still become ready: jaula status {name}")),
        false => ("was not begun", format!("start it: jaula start {name}")),
    };
    Error::refused(format!("jail {name:?} {what} within the time for all"), help)
}

/// `jaula boot`
pub(crate) fn boot(given: &Boot, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    let mut told = Told::new(talk, given.json && !given.dry_run);
    let order = boot::autostart(&house, |name, error| told.line(name, "failed", Some(error)))?;
    if given.dry_run {
        printed(match given.json {
            true => print_json(&order.jails),
            false => print_text(&order.to_string()),
        })?;
        for (name, why) in order.without {
            told.hear(&name, Came::NoPlace(why));
        }
        return told.end();
    }
    if let Err(error) = gc::gc(&house, true) {
        // What cannot be cleared away must not keep the others from starting.
        failed(&error, talk, &mut told.status);
    }
    boot::start(&house, order, Some(given.timeout.0), |name, came| told.hear(name, came))?;
    told.end()
}

/// `jaula shutdown`
pub(crate) fn shutdown(given: &Shutdown, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    let mut told = Told::new(talk, given.json);
    let names = boot::running(&house)?;
    boot::stop(&house, &names, None, Some(given.timeout.0), |name, came| told.hear(name, came))?;
    told.end()
}

/// The files of `jaula units`, in which this stands for the program.
const PROGRAM: &str = "/usr/bin/jaula";

const UNITS: &[(&str, &str, u32)] = &[
    ("jaula.service", include_str!("../../../../dist/jaula.service"), 0o644),
    ("jaula@.service", include_str!("../../../../dist/jaula@.service"), 0o644),
    ("jaula.init", include_str!("../../../../dist/jaula.init"), 0o755),
    ("jaula.openrc", include_str!("../../../../dist/jaula.openrc"), 0o755),
];

/// `jaula units`
pub(crate) fn units(directory: &Path, talk: Talk) -> Result<ExitCode> {
    use std::os::unix::fs::PermissionsExt;
    let program = std::env::current_exe().map_err(Error::io("find", Path::new("/proc/self/exe")))?;
    let program = program.to_str().filter(|path| !path.contains([' ', '"', '\'', '%', '$', '\\']));
    let program = program.ok_or_else(|| {
        Error::refused("the path of this program cannot stand in a unit", "install it as /usr/bin/jaula")
    })?;
    for (name, text, mode) in UNITS {
        let path = directory.join(name);
        std::fs::write(&path, text.replace(PROGRAM, program))
            .and_then(|()| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(*mode)))
            .map_err(Error::io("write", &path))?;
        if !talk.quiet {
            printed(print_text(&format!("{}\n", path.display())))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
