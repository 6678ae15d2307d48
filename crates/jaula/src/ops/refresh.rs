//! `jaula refresh` and `jaula outdated`: app jails and the host that they were taken from.

mod held;

use crate::error::{Error, Result};
use crate::house::House;
use crate::ops::{start, stop};
use crate::registry;
use crate::rootfs::packages;
use crate::rootfs::taken;
use held::Processes;
use model::config::{Config, RootSpec};
use model::manifest::{Group, Item, Manifest, by_package, differences};
use model::name::Name;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

/// How an app jail stands to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It holds what the host has now.
    Fresh,
    /// It holds other files than the host has now, or its processes still use such.
    Outdated,
    /// Its files were not taken yet, or for another configuration.
    Untaken,
    /// What it needs is not on the host any more.
    Broken,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fresh => "fresh",
            Self::Outdated => "outdated",
            Self::Untaken => "untaken",
            Self::Broken => "broken",
        })
    }
}

/// One app jail, compared with the host.
#[derive(Clone, Debug, Serialize)]
pub struct Outlook {
    /// The jail.
    pub name: Name,
    /// `root.method`
    pub method: &'static str,
    /// How it stands.
    pub state: Standing,
    /// Does it run?
    pub running: bool,
    /// What differs, by package.
    pub packages: Vec<Group>,
    /// Files of which the running jail has another than it would have if it started now, by path.
    pub held: Vec<String>,
    /// Why the host cannot give it its files.
    pub problem: Option<String>,
}

impl Outlook {
    /// Must it start again before its processes have what it has been refreshed to?
    pub fn wants_restart(&self) -> bool {
        self.running && self.state != Standing::Fresh && self.problem.is_none()
    }
}

/// How closely jails are compared with the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// By the files that they hold, which are not read: for many jails.
    Glance,
    /// With all that they need now.
    Whole,
}

/// Those of the jails that are app jails, compared with the host. A jail that goes meanwhile is left
/// out.
pub fn look(house: &House, names: &[Name], how: Look) -> Result<Vec<Outlook>> {
    let mut processes = Processes::default();
    let mut all = Vec::with_capacity(names.len());
    for name in names {
        let config = match registry::config(house, name) {
            Err(Error::NoJail(_)) => continue,
            config => config?,
        };
        if let Some(program) = program(&config) {
            all.push(compare(house, name, &config, program, how, &mut processes)?);
        }
    }
    // The databases of packages are large: they are read once for all.
    let owners = {
        let differ = all.iter().flat_map(|one| one.differing());
        let sources: BTreeSet<String> = differ.filter_map(|item| item.source.clone()).collect();
        packages::owners(Path::new("/"), sources.iter().map(String::as_str))
    };
    Ok(all.into_iter().map(|one| one.told(&owners)).collect())
}

/// Is it an app jail?
pub fn is_app(house: &House, name: &Name) -> bool {
    registry::config(house, name).is_ok_and(|config| program(&config).is_some())
}

fn program(config: &Config) -> Option<&Path> {
    match &config.root.from {
        Some(RootSpec::App(program)) => Some(program),
        _ => None,
    }
}

/// A jail that was compared, before packages are named.
struct Compared {
    outlook: Outlook,
    was: Manifest,
    is: Manifest,
    paths: Vec<model::manifest::Difference>,
}

impl Compared {
    fn differing(&self) -> impl Iterator<Item = &Item> {
        self.paths.iter().filter_map(|one| self.is.items.get(&one.path))
    }

    fn told(mut self, owners: &std::collections::HashMap<String, model::packages::Package>) -> Outlook {
        for one in &self.paths {
            let Some(item) = self.is.items.get_mut(&one.path) else { continue };
            if let Some(owner) = item.source.as_ref().and_then(|source| owners.get(source)) {
                item.package = Some(owner.name.clone());
                self.is.packages.insert(owner.name.clone(), owner.version.clone());
            }
        }
        self.outlook.packages = by_package(self.paths, &self.was, &self.is);
        self.outlook
    }
}

fn compare(
    house: &House,
    name: &Name,
    config: &Config,
    program: &Path,
    how: Look,
    processes: &mut Processes,
) -> Result<Compared> {
    let own = taken::wants_own(config);
    let known = taken::manifest(house, name)?;
    let was = known.clone().unwrap_or_default();
    let glance = match (&known, how) {
        (Some(known), Look::Glance) => taken::glance(known)?,
        _ => None,
    };
    let (is, problem) =
        match glance.map_or_else(|| taken::now(config, program, known.as_ref()).map(|(_, is)| is), Ok) {
            Ok(is) => (is, None),
            Err(error) => (Manifest::default(), Some(error.line())),
        };
    // Without a manifest there is nothing that could differ; nor with a host that cannot be told.
    let paths = if known.is_some() && problem.is_none() { differences(&was, &is) } else { Vec::new() };
    let tree = own.then(|| taken::tree(house, name));
    let held = held::held(house, name, if known.is_some() { &was } else { &is }, tree.as_deref(), processes)?;
    let current =
        !own || taken::head(house, name)?.is_some_and(|head| head.request == taken::request(config));
    let state = match () {
        () if problem.is_some() => Standing::Broken,
        () if !current => Standing::Untaken,
        () if !paths.is_empty() || held.as_ref().is_some_and(|held| !held.is_empty()) => Standing::Outdated,
        () => Standing::Fresh,
    };
    let outlook = Outlook {
        name: name.clone(),
        method: config.root.method.word(),
        state,
        running: held.is_some(),
        packages: Vec::new(),
        held: held.unwrap_or_default(),
        problem,
    };
    Ok(Compared { outlook, was, is, paths })
}

/// What became of a jail that was refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// Was it started again?
    pub restarted: bool,
}

/// Brings an app jail to what the host has now: its files are taken anew, or what it sees at its next
/// start is noted, and one that runs is started again if `restart` says so.
///
/// If this fails, the jail has the files that it had.
pub fn refresh(house: &House, name: &Name, restart: bool) -> Result<Refreshed> {
    let _alone = taken::lock(house, name)?;
    let config = registry::config(house, name)?;
    let old = take(house, name, &config)?;
    let runs = registry::live(house, name)?.is_some_and(|live| live.is_alive());
    if !(runs && restart) {
        if !runs {
            taken::settle(house, name)?;
        }
        return Ok(Refreshed { restarted: false });
    }
    if let Err(error) = again(house, name) {
        // It ran with what it had before; it had better run with that than not at all.
        let Some(old) = old else { return Err(error) };
        taken::swap_back(house, name, &old)?;
        let back = again(house, name);
        let message = match back {
            Ok(()) => format!(
                "jail {:?} does not start with its new files and has its old ones again: {}",
                name.as_str(),
                error.line()
            ),
            Err(_) => format!(
                "jail {:?} starts neither with its new files nor with its old ones, which it has again: {}",
                name.as_str(),
                error.line()
            ),
        };
        return Err(Error::Refused { message, help: error.help() });
    }
    taken::settle(house, name)?;
    Ok(Refreshed { restarted: true })
}

/// Removes what a refresh that was killed has left of a jail that is fresh.
pub fn tidy(house: &House, name: &Name) -> Result<()> {
    let _alone = taken::lock(house, name)?;
    let runs = registry::live(house, name)?.is_some_and(|live| live.is_alive());
    if runs { Ok(()) } else { taken::settle(house, name) }
}

/// Takes the files of a jail that was just made.
pub(crate) fn first(house: &House, name: &Name) -> Result<()> {
    let config = registry::config(house, name)?;
    if program(&config).is_none() {
        return Ok(());
    }
    let _alone = taken::lock(house, name)?;
    take(house, name, &config).map(drop)
}

/// The same for a jail that is declared, if it is `new` or has no files for what it asks for now.
pub(crate) fn declared(house: &House, name: &Name, new: bool) -> Result<()> {
    let config = registry::config(house, name)?;
    let current = || {
        Ok::<bool, Error>(
            taken::head(house, name)?.is_some_and(|head| head.request == taken::request(&config)),
        )
    };
    if new || taken::wants_own(&config) && !current()? { first(house, name) } else { Ok(()) }
}

/// Takes what a jail holds, or notes it. Returns where the files are that it had before.
fn take(house: &House, name: &Name, config: &Config) -> Result<Option<PathBuf>> {
    let Some(program) = program(config) else {
        return Err(Error::refused(
            format!("jail {:?} is no app jail: it has no files that were taken from the host", name.as_str()),
            "refresh is for jails with root.from = \"app:PROGRAM\"",
        ));
    };
    let known = taken::manifest(house, name)?;
    let (closure, mut manifest) = taken::now(config, program, known.as_ref())?;
    taken::name_packages(&mut manifest, known.as_ref());
    if taken::wants_own(config) {
        let new = taken::take(house, name, config, &closure, &mut manifest, known.as_ref())?;
        taken::swap(house, name, &new)
    } else {
        taken::note(house, name, &manifest)?;
        Ok(None)
    }
}

fn again(house: &House, name: &Name) -> Result<()> {
    let names = [name.clone()];
    let mut done = Ok(());
    stop::stop(house, &names, None, |_, stopped| match stopped {
        Ok(_) | Err(Error::NotRunning(_)) => {}
        Err(error) => done = Err(error),
    });
    done?;
    let mut done = Ok(());
    start::start(house, &names, |_, started| done = started.map(drop));
    done
}

/// Notes what a jail that has just started sees of the host, if that is other than what was noted,
/// and removes files that it had before. For the keeper, which does not wait for it.
pub(crate) fn started(house: &House, name: &Name, config: &Config) -> Result<()> {
    let Some(program) = program(config) else { return Ok(()) };
    let _alone = taken::lock(house, name)?;
    if taken::wants_own(config) {
        return taken::settle(house, name);
    }
    let known = taken::manifest(house, name)?;
    let (_, mut manifest) = taken::now(config, program, known.as_ref())?;
    if known
        .as_ref()
        .is_some_and(|known| differences(known, &manifest).is_empty() && known.inputs == manifest.inputs)
    {
        return Ok(());
    }
    taken::name_packages(&mut manifest, known.as_ref());
    taken::note(house, name, &manifest)
}
