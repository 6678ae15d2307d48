//! `jaula set`: keys of configurations that exist.

use crate::error::{Error, Result};
use crate::house::House;
use crate::ops::{live, prepare};
use crate::registry::{self, Ids, Lock, Stored};
use crate::rootfs::store;
use model::config::keys::{self, Applies, Key};
use model::config::{Config, Setting, edit};
use model::name::Name;

/// A configuration that was changed.
#[derive(Debug)]
pub struct Changed {
    /// Whose.
    pub name: Name,
    /// The keys that say something else now; none if it said so before.
    pub keys: Vec<&'static Key>,
    /// Does the jail run?
    pub running: bool,
    /// What the jail does not see of its new limit, in words.
    pub unseen: Option<String>,
    /// Why a change that counts at once could not be brought into the running jail.
    pub failure: Option<Error>,
}

impl Changed {
    /// The keys that count in the running jail only when it starts again.
    pub fn later(&self) -> impl Iterator<Item = &'static Key> {
        self.keys.iter().copied().filter(|key| self.running && key.applies == Applies::NextStart)
    }
}

/// Changes keys of these jails' configurations. All are checked before any is written.
pub fn set(house: &House, names: &[Name], settings: &[Setting]) -> Result<Vec<Changed>> {
    let lock = registry::lock(house)?;
    let change = |name: &Name| {
        let old = registry::read_whatever(house, name)?;
        let text = edit::apply(&old.text, settings).map_err(|problems| {
            // What has no place came from the command line.
            let file = problems.iter().any(|p| p.at.is_some()).then_some(old.path.as_path());
            Error::problems(&problems, file)
        })?;
        Ok((name.clone(), old, text))
    };
    let changes = names.iter().map(change).collect::<Result<Vec<_>>>()?;
    write(house, changes, &lock)
}

/// Puts another text in the place of a jail's configuration, unless it is wrong, or the
/// configuration is no longer `old`, on which the new text was based.
pub fn replace(house: &House, name: &Name, old: &str, new: &str) -> Result<Changed> {
    let lock = registry::lock(house)?;
    let stored = registry::read_whatever(house, name)?;
    if stored.text != old {
        return Err(Error::Refused {
            message: format!("{} has been changed meanwhile", stored.path.display()),
            help: None,
        });
    }
    let mut changed = write(house, vec![(name.clone(), stored, new.to_owned())], &lock)?;
    changed.pop().ok_or_else(|| Error::NoJail(name.to_string()))
}

/// Writes texts in the place of others, and brings what counts at once into jails that run.
pub(crate) fn write(
    house: &House,
    changes: Vec<(Name, Stored, String)>,
    lock: &Lock,
) -> Result<Vec<Changed>> {
    let mut ids = None;
    let mut ready = Vec::with_capacity(changes.len());
    for (name, old, text) in changes {
        let new = Config::parse(&text).map_err(|p| Error::problems(&p, Some(&old.path)))?;
        prepare::confinement(&new)?;
        if let Some(id) = new.id.filter(|id| old.config.id != Some(*id)) {
            if ids.is_none() {
                ids = Some(Ids::load(house, lock)?);
            }
            // A number that is taken here and then not written is free at the next look.
            ids.as_mut().map_or(Ok(()), |ids| ids.take(id, &name))?;
        }
        ready.push((name, old, new, text));
    }
    for (name, old, new, _) in &ready {
        store::may_change(house, name, &old.config, new)?;
    }
    let mut changed = Vec::with_capacity(ready.len());
    for (name, old, new, text) in ready {
        // A store that cannot hold a limit refuses it, and then the old configuration stands.
        let root = |config: &Config| (config.root.size, config.root.inodes, config.id);
        if root(&old.config) != root(&new)
            && let Some(id) = new.id
            && store::is_made(house, &name, &new)
        {
            store::limit(house, &name, id, &new)?;
        }
        if text != old.text {
            registry::write(house, &name, &text, lock)?;
        }
        let keys: Vec<_> = keys::all().filter(|k| k.written(&old.config) != k.written(&new)).collect();
        let running = registry::live(house, &name)?.is_some_and(|live| live.is_alive());
        let mounts = running && old.config.mounts != new.mounts;
        let mounts =
            mounts.then(|| live::mounts(house, &name, &old.config.mounts, &new.mounts).err()).flatten();
        let rates = running && old.config.network.rate != new.network.rate;
        let rates = rates.then(|| live::rates(house, &name, &new.network.rate).err()).flatten();
        let failure = mounts.or(rates);
        let unseen = store::unseen(&new).filter(|_| keys.iter().any(|key| key.path == "root.size"));
        changed.push(Changed { name, keys, running, unseen, failure });
    }
    Ok(changed)
}
