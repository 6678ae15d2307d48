//! Where a review is written to: a file of its own, or a jail's.

use crate::error::{Error, Result};
use crate::house::{self, House};
use crate::ops::set::{self, Changed};
use crate::registry;
use model::config::{Config, Profile, RootSpec, Setting};
use model::name::Name;
use model::trace::list::{self, Written};
use model::trace::{Entry, Review};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A place for a review, and what stands there.
#[derive(Debug)]
pub struct Target {
    place: Place,
    /// All that stands there; `None` if nothing does.
    old: Option<String>,
    config: Config,
}

#[derive(Debug)]
enum Place {
    File(PathBuf),
    Jail(Name),
}

/// What was written.
#[derive(Debug)]
pub struct Saved {
    /// The file.
    pub path: PathBuf,
    /// Was it there before?
    pub existed: bool,
    /// What is new in it.
    pub added: Vec<Entry>,
    /// Of a jail, what that means for it.
    pub changed: Option<Changed>,
}

impl Target {
    /// A file, which is not there yet or was made by a trace.
    pub fn file(path: &Path) -> Result<Self> {
        let old = match registry::read_text(path) {
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
            text => Some(text?).filter(|text| !text.trim().is_empty()),
        };
        if old.as_ref().is_some_and(|text| !list::is_traced(text)) {
            return Err(Error::refused(
                format!("{} is there, and jaula trace has not made it", path.display()),
                "name another file; to add to a jail that there is: --into NAME",
            ));
        }
        Self::of(Place::File(path.to_owned()), path, old)
    }

    /// A jail that there is.
    pub fn jail(house: &House, name: &Name) -> Result<Self> {
        let (path, text) = registry::text(house, name)?;
        Self::of(Place::Jail(name.clone()), &path, Some(text))
    }

    fn of(place: Place, path: &Path, old: Option<String>) -> Result<Self> {
        let config = Config::parse(old.as_deref().unwrap_or_default());
        let config = config.map_err(|problems| Error::problems(&problems, Some(path)))?;
        let target = Self { place, old, config };
        if target.old.is_some() && target.program().is_none() {
            return Err(Error::refused(
                format!("{} is not about an app jail", path.display()),
                "only those list what they hold; a root of another kind has its own files",
            ));
        }
        Ok(target)
    }

    /// The program that it is about already.
    pub fn program(&self) -> Option<&Path> {
        match &self.config.root.from {
            Some(RootSpec::App(program)) => Some(program),
            _ => None,
        }
    }

    /// Is it of profile `strict`?
    pub fn is_strict(&self) -> bool {
        self.config.security.profile == Profile::Strict
    }

    /// What somebody has decided about files: those that are taken, and those that are not.
    pub fn decided(&self) -> (Vec<PathBuf>, BTreeSet<PathBuf>) {
        list::decided(self.old.as_deref().unwrap_or_default())
    }

    /// Writes a review down: with these settings if nothing is there yet, else only what is new.
    pub fn save(
        &self,
        house: &House,
        program: &Path,
        settings: &[Setting],
        review: &Review,
    ) -> Result<Saved> {
        let Written { text, added } = match &self.old {
            Some(old) => list::added(old, review).map_err(|p| Error::problems(&p, None))?,
            None => text(program, settings, review)?,
        };
        let existed = self.old.is_some();
        match &self.place {
            Place::File(path) => {
                if self.old.as_ref() != Some(&text) {
                    write(path, &text)?;
                }
                Ok(Saved { path: path.clone(), existed, added, changed: None })
            }
            Place::Jail(name) => {
                let changed = set::replace(house, name, self.old.as_deref().unwrap_or_default(), &text)?;
                Ok(Saved { path: house.config(name), existed, added, changed: Some(changed) })
            }
        }
    }
}

/// A review as the text of a new configuration.
pub fn text(program: &Path, settings: &[Setting], review: &Review) -> Result<Written> {
    let path = program.to_str().ok_or_else(|| {
        Error::refused(
            format!("{} is not UTF-8, as a configuration is", program.display()),
            "give the program another name",
        )
    })?;
    let from = Setting::set("root.from", format!("app:{path}"));
    let settings: Vec<Setting> = std::iter::once(from).chain(settings.iter().cloned()).collect();
    list::new(path, &settings, review).map_err(|p| Error::problems(&p, None))
}

/// Writes a file that people edit: whole or not at all, and theirs to read.
fn write(path: &Path, text: &str) -> Result<()> {
    let is_new = std::fs::symlink_metadata(path).is_err();
    let absolute = std::path::absolute(path).map_err(Error::io("write", path))?;
    house::replace(&absolute, text.as_bytes())?;
    if is_new {
        use std::os::unix::fs::PermissionsExt;
        let readable = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(path, readable).map_err(Error::io("write", path))?;
    }
    Ok(())
}
