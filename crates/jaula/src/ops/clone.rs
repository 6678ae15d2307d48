//! `jaula clone`: a new jail with the files and the configuration of another.

use crate::building::Building;
use crate::error::{Error, Result};
use crate::house::House;
use crate::keeping::birth::{self, Unwritten};
use crate::keeping::hold::Hold;
use crate::keeping::shelf::{self, DATA, Shelf};
use crate::keeping::{data, settle};
use crate::registry;
use crate::rootfs::duplicate::{Count, Progress};
use crate::rootfs::guest;
use model::config::{Config, Operation, Setting, Store, edit};
use model::name::{Id, Name};

/// A jail that was cloned.
#[derive(Debug)]
pub struct Cloned {
    /// Its number.
    pub id: Id,
    /// What was copied.
    pub count: Count,
    /// Directories of the host that both may write to.
    pub common: Vec<String>,
    /// What could not be made its own, and why.
    pub failed: Vec<Error>,
}

/// Makes `new` as `jail` is, or as a snapshot of it was, with these settings on top. A jail that runs is
/// frozen for as long as its files are copied.
pub fn clone(
    house: &House,
    jail: &Name,
    snapshot: Option<&Name>,
    new: &Name,
    settings: &[Setting],
    progress: &mut Progress<'_>,
) -> Result<Cloned> {
    crate::ops::create::free(house, new)?;
    let shelf = Shelf::take(house, jail)?;
    let text = match snapshot {
        Some(snapshot) => shelf::config(&shelf.known(jail, snapshot)?)?,
        None => registry::text(house, jail)?.1,
    };
    let (text, config) = configuration(&text, jail, new, settings)?;
    let building = Building::begin(&house.lib.join("jails"), new.as_str())?;
    let copied = match snapshot {
        Some(snapshot) => data::copy(&shelf.at(snapshot).join(DATA), building.path(), progress)?,
        None => {
            let held = Hold::take(house, jail)?;
            settle::jail(house, jail, true)?;
            held.sync(house, jail)?;
            let copied = data::copy(&house.kept(jail), building.path(), progress)?;
            held.release()?;
            copied
        }
    };
    let count = copied.count()?;
    drop(shelf);
    // Nobody else that makes a jail waits for that.
    building.sync()?;
    let mut failed = Vec::new();
    let id = birth::settle(house, new, building, Unwritten::Any, &text, config.id, |id, config| {
        if config.root.store.is_some() {
            crate::rootfs::store::limit(house, new, id, config)?;
            // What tells one server from another: host name, machine id, keys of its sshd.
            failed = guest::apply(house, new, config, guest::When::Cloned)?.failed;
        }
        Ok(())
    })?;
    let common =
        config.mounts.iter().filter(|mount| mount.writable).filter_map(|mount| match &mount.source {
            model::config::MountSource::Bind { path, .. } => Some(path.display().to_string()),
            model::config::MountSource::Tmpfs { .. } => None,
        });
    Ok(Cloned { id, count, common: common.collect(), failed })
}

/// The configuration that a clone would have, and how its files are kept.
pub fn outline(
    house: &House,
    jail: &Name,
    snapshot: Option<&Name>,
    new: &Name,
    settings: &[Setting],
) -> Result<(String, Option<Store>)> {
    crate::ops::create::free(house, new)?;
    let text = match snapshot {
        Some(snapshot) => {
            let shelf = Shelf::take(house, jail)?;
            shelf::config(&shelf.known(jail, snapshot)?)?
        }
        None => registry::text(house, jail)?.1,
    };
    let (text, config) = configuration(&text, jail, new, settings)?;
    Ok((text, config.root.store))
}

/// The clone's configuration: with a number, a name and a file of its own.
fn configuration(text: &str, jail: &Name, new: &Name, settings: &[Setting]) -> Result<(String, Config)> {
    let problems = |p| Error::problems(&p, None);
    let old = Config::parse(text).map_err(problems)?;
    let unset =
        |key: &str| Setting { key: key.to_owned(), operation: Operation::Unset, value: String::new() };
    let mut own = vec![unset("id"), unset("declared_in")];
    if let Some(hostname) = &old.hostname {
        // `www.example.org` of www becomes `www2.example.org` of www2.
        let value = match hostname.split_once('.') {
            Some((first, domain)) if first == jail.as_str() => format!("{new}.{domain}"),
            _ => new.to_string(),
        };
        own.push(Setting { key: "hostname".to_owned(), operation: Operation::Set, value });
    }
    own.extend_from_slice(settings);
    let text = edit::apply(text, &own).map_err(problems)?;
    let config = Config::parse(&text).map_err(problems)?;
    if (&config.root.from, config.root.store) != (&old.root.from, old.root.store) {
        return Err(Error::refused(
            "a clone has its files where and as the other jail has them",
            format!(
                "leave root.from and root.store out; for another store: jaula export {jail} and jaula import --store"
            ),
        ));
    }
    Ok((text, config))
}
