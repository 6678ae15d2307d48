//! `delete`

use crate::act::operate::{Talk, failed};
use crate::act::selected;
use crate::command::{Delete, Selection};
use crate::exit::ExitCode;
use crate::output::confirm::confirm;
use jaula::house::House;
use jaula::ops::{delete, list, snapshot, stop};
use jaula::{Error, Result};
use model::name::Name;

/// `jaula delete`
pub(crate) fn delete(given: Delete, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    let mut jails = list::list(&house, &selected(&house, &given.jails)?)?;
    if given.jails == Selection::All {
        // Those of `jaula run` are not meant.
        jails.retain(|jail| !jail.passing);
    }
    if let Some(passing) = jails.iter().find(|jail| jail.passing) {
        let name = &passing.name;
        return Err(Error::refused(
            format!("jail {name:?} is one of `jaula run`: it goes when its command ends"),
            format!("end it: jaula stop {name}"),
        ));
    }
    let is_up = |jail: &&list::Summary| jail.state.runs() || jail.state == list::Condition::Waiting;
    let running: Vec<Name> = jails.iter().filter(is_up).map(|jail| jail.name.clone()).collect();
    if let Some(name) = running.first()
        && !given.force
    {
        return Err(Error::Running(name.clone()));
    }
    let names: Vec<Name> = jails.into_iter().map(|jail| jail.name).collect();
    if names.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let count = |name| Ok(snapshot::list(&house, name)?.len());
    let snapshots = match names.iter().map(count).sum::<Result<usize>>()? {
        0 => String::new(),
        1 => ", and 1 snapshot".to_owned(),
        n => format!(", and {n} snapshots"),
    };
    let question = match &names[..] {
        [name] => format!("Delete jail {name} with all that it has written{snapshots}?"),
        names => {
            let list: Vec<&str> = names.iter().map(Name::as_str).collect();
            let list = list.join(", ");
            format!("Delete {} jails with all that they have written{snapshots} ({list})?", names.len())
        }
    };
    match confirm(&question, given.yes) {
        Ok(true) => {}
        Ok(false) => return Err(Error::Refused { message: "nothing was deleted".to_owned(), help: None }),
        Err(none) => return Err(Error::refused(none.to_string(), none.help())),
    }
    let mut status = 0;
    let mut left = names;
    stop::stop(&house, &running, None, |name, done| match done {
        Ok(_) | Err(Error::NotRunning(_)) => {}
        Err(error) => {
            failed(&error, talk, &mut status);
            left.retain(|other| other != name);
        }
    });
    for name in &left {
        if let Err(error) = delete::delete(&house, name) {
            failed(&error, talk, &mut status);
        }
    }
    Ok(ExitCode::from(status))
}
