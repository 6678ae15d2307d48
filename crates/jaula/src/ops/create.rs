//! `jaula create`: a configuration for a new jail, with a number of its own.

use crate::error::{Error, Result};
use crate::house::House;
use crate::ops::prepare::{Start, foresee};
use crate::ops::{build, refresh};
use crate::registry::{self, Ids};
use model::config::{Config, Operation, RootSpec, Setting, edit};
use model::name::{Id, Name};
use model::plan::Plan;
use std::path::PathBuf;

/// What to create.
#[derive(Debug)]
pub struct Create {
    /// The new jail's name.
    pub name: Name,
    /// The text that its configuration begins as; empty for a new one.
    pub base: String,
    /// What its configuration says, on top of that.
    pub settings: Vec<Setting>,
}

/// A jail that was created.
#[derive(Debug)]
pub struct Created {
    /// Its name.
    pub name: Name,
    /// Its number.
    pub id: Id,
    /// Its configuration.
    pub path: PathBuf,
}

/// Could a jail have this name?
pub fn free(house: &House, name: &Name) -> Result<()> {
    if registry::exists(house, name)? { Err(Error::Exists(name.clone())) } else { Ok(()) }
}

/// The plan of its first start, if it were created now. Nothing is written.
pub fn plan(house: &House, create: &Create) -> Result<Plan> {
    let config = check(house, create)?;
    let id = match config.id {
        Some(id) => id,
        None => Id::new(Id::FIRST).map_err(|_| Error::NoId)?,
    };
    Ok(foresee(house, &create.name, id, &config, Start::LASTING)?.plan)
}

/// Creates it. If this fails, or is killed, there is no jail and its number is free.
pub fn create(house: &House, create: &Create) -> Result<Created> {
    let checked = check(house, create)?;
    if checked.root.is_own() {
        let text = match create.base.is_empty() {
            true => edit::declare("", &settings(create)),
            false => edit::apply(&create.base, &settings(create)),
        };
        let text = text.map_err(|p| Error::problems(&p, None))?;
        return build::on_template(house, &create.name, &text, &checked);
    }
    // All that takes time comes before the lock.
    plan(house, create)?;
    let lock = registry::lock(house)?;
    if registry::exists(house, &create.name)? {
        return Err(Error::Exists(create.name.clone()));
    }
    // Of one that was deleted, or never came to be.
    crate::keeping::settle::jail(house, &create.name, true)?;
    let mut ids = Ids::load(house, &lock)?;
    let wanted = config(create)?.id;
    let id = wanted.map_or_else(|| ids.free(), Ok)?;
    ids.take(id, &create.name)?;
    let number = Setting { key: "id".to_owned(), operation: Operation::Set, value: id.to_string() };
    let settings: Vec<Setting> =
        create.settings.iter().filter(|s| s.key != "id").cloned().chain([number]).collect();
    let written = match create.base.is_empty() {
        true => edit::declare("", &settings),
        false => edit::apply(&create.base, &settings),
    };
    let written = written
        .map_err(|p| Error::problems(&p, None))
        .and_then(|text| registry::write(house, &create.name, &text, &lock));
    if let Err(error) = written {
        // The number is free again at the next look in any case: no file says that it is taken.
        let _ = ids.release(&create.name);
        return Err(error);
    }
    drop(lock);
    if let Err(error) = refresh::first(house, &create.name) {
        crate::ops::delete::delete(house, &create.name)?;
        return Err(error);
    }
    Ok(Created { name: create.name.clone(), id, path: house.config(&create.name) })
}

/// What is said of it. On a template, its files are what differs from that, unless it is said otherwise.
fn settings(create: &Create) -> Vec<Setting> {
    let says = |key: &str| create.settings.iter().rfind(|s| s.key == key && s.operation == Operation::Set);
    let on_template = says("root.from").is_some_and(|s| s.value.starts_with("template:"));
    let store = (on_template && says("root.store").is_none()).then(|| Setting::set("root.store", "overlay"));
    create.settings.iter().cloned().chain(store).collect()
}

/// The configuration that it asks for.
fn config(create: &Create) -> Result<Config> {
    let settings = settings(create);
    let config = match create.base.is_empty() {
        true => Config::from_settings(&settings),
        false => edit::apply(&create.base, &settings).and_then(|text| Config::parse(&text)),
    };
    config.map_err(|p| Error::problems(&p, None))
}

/// Could it be created? What is missing is told in the words of `create`.
fn check(house: &House, create: &Create) -> Result<Config> {
    let name = &create.name;
    free(house, name)?;
    let config = config(create)?;
    if config.declared_in.is_some() {
        return Err(Error::refused("declared_in is for `jaula up` to write", "leave it out"));
    }
    match &config.root.from {
        None => Err(Error::refused(
            format!("a root is missing for jail {:?}", name.as_str()),
            "say where its files come from: --root dir:PATH, --app PROGRAM or --root host",
        )),
        Some(RootSpec::Template(_)) if config.root.is_own() => Ok(config),
        Some(from) if from.must_be_made() || config.root.is_own() => Err(Error::refused(
            format!("the files of {from} are yet to be made"),
            format!("make the jail with its files: jaula build {name} --from {from}"),
        )),
        Some(_) if !crate::ops::prepare::has_first(&config) => Err(Error::refused(
            format!("a command is missing for jail {:?}", name.as_str()),
            format!("say what it runs: jaula create {name} … -- PROGRAM [ARGUMENT…]"),
        )),
        Some(_) => Ok(config),
    }
}
