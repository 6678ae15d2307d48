//! `export` and `import`

use crate::act::operate::Talk;
use crate::act::template::{Archive, at_work, input, limit, output};
use crate::act::{printed, settings};
use crate::command::{Export, Import};
use crate::exit::ExitCode;
use crate::output::{print_json, print_text};
use jaula::Result;
use jaula::house::House;
use jaula::ops::transfer;
use jaula::registry;
use serde::Serialize;

/// `jaula export`
pub(crate) fn export(given: &Export, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    let name = registry::one(&house, &given.name)?;
    output(&name, given.file.as_deref(), given.json, talk, |to| {
        at_work(name.as_str(), talk, false, |work| {
            transfer::export(&house, &name, to, !given.no_freeze, work)
        })
    })
}

/// What was imported.
#[derive(Serialize)]
struct Told<'a> {
    name: &'a str,
    id: u16,
    config: String,
}

/// `jaula import`
pub(crate) fn import(given: Import, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    let Archive { read: archive, called, size, digest } =
        input(given.file.as_deref(), given.digest.as_deref())?;
    let name = given.name.as_deref().map(str::parse).transpose()?;
    let of = given.name.clone().unwrap_or_else(|| called.clone());
    let (limit, settings) = (limit(given.limit.as_deref())?, settings(&given.settings));
    let what = transfer::Import { archive, called, size, digest, limit, name, settings };
    let made = at_work(&of, talk, false, |work| transfer::import(&house, what, work))?;
    let (name, path) = (made.name.as_str(), made.path.display().to_string());
    if given.json {
        return printed(print_json(&Told { name, id: made.id.into(), config: path }));
    }
    if talk.quiet {
        return Ok(ExitCode::SUCCESS);
    }
    printed(print_text(&format!("jail {name} is imported with id {}: {path}\n", made.id)))
}
