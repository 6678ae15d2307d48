//! `jaula export` and `jaula import`: a jail as one archive, with its configuration and all its files.
//!
//! `jaula/about.json` and `jaula/config.toml` come first, so that whoever reads from a pipe knows what follows; then
//! `root/`, the files as the jail sees them, whatever they are kept in. So a jail may come back in another store.

use crate::building::Building;
use crate::error::{Error, Result};
use crate::house::House;
use crate::keeping::hold::{self, Hold};
use crate::keeping::shelf::Shelf;
use crate::keeping::{data, settle as unfinished};
use crate::ops::build::settle;
use crate::ops::create::{Created, free};
use crate::registry;
use crate::rootfs::archive::{ArchiveError, Entries, Input, Layer, Limits, Pack, Packed, Unpack};
use crate::rootfs::build::Work;
use crate::rootfs::duplicate::Count;
use crate::rootfs::{store, template};
use model::config::{Config, RootSpec, Setting, Store, edit};
use model::name::Name;
use model::tar::Entry;
use model::template::Template;
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::Path;

/// What the origin of a template begins with that an imported jail lies on.
const IMPORT: &str = "import:";
/// No file of an archive before its tree is longer.
const MOST_TEXT: u64 = 1 << 20;

/// What an archive says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The jail's name.
    pub name: String,
    /// When it was packed, in milliseconds since 1970.
    pub packed: u64,
    /// Did it run meanwhile?
    pub live: bool,
    /// The version of jaula that packed it.
    pub by: String,
}

/// What became of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The archive.
    pub packed: Packed,
    /// How many milliseconds the jail stood still, if it ran and was frozen.
    pub frozen: Option<u64>,
}

/// Packs a jail, which may run. Then it is frozen, unless `freeze` says no, for as long as its files are copied, so
/// that the archive is of one moment; where there is no room for a copy, until they are packed.
pub fn export(
    house: &House,
    name: &Name,
    to: impl Write,
    freeze: bool,
    work: &mut Work<'_>,
) -> Result<Exported> {
    let config = registry::config(house, name)?;
    if !config.root.is_own() {
        return Err(Error::refused(
            format!("jail {:?} has no files of its own to export", name.as_str()),
            "its configuration is all of it: jaula config path tells where that is",
        ));
    }
    let live = registry::live(house, name)?.is_some_and(|live| live.is_alive());
    if live && !freeze {
        let opened = store::look(house, name, &config)?;
        let packed = pack(house, name, true, &opened, to, work)?.finish()?;
        return Ok(Exported { packed, frozen: None });
    }
    let shelf = Shelf::take(house, name)?;
    let is_image = store::is_image(house, name, &config);
    if live && is_image {
        // What is on the disk by then is not waited for while the jail stands still.
        hold::sync(house, name)?;
    }
    let held = Hold::take(house, name)?;
    unfinished::jail(house, name, true)?;
    let config = registry::config(house, name)?;
    let live = matches!(held, Hold::Frozen(_));
    let copied = match live {
        true => {
            if is_image {
                held.sync(house, name)?;
            }
            copy(house, name, work)?
        }
        false => None,
    };
    let (held, stood) = match copied {
        Some(_) => (None, held.release()?),
        None => (Some(held), None),
    };
    drop(shelf);
    let kept = copied.as_ref().map_or_else(|| house.kept(name), |copy| copy.path().to_owned());
    let opened = store::look_in(house, name, &kept, &config)?;
    let pack = pack(house, name, live, &opened, to, work)?;
    drop(opened);
    // Before the archive has its end: one of a jail that went on is none.
    let stood = held.map(Hold::release).transpose()?.flatten().or(stood);
    let frozen = stood.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    Ok(Exported { packed: pack.finish()?, frozen })
}

/// Copies what a jail keeps that stands still, beside the jails; nothing if there is no room for that.
fn copy(house: &House, name: &Name, work: &mut Work<'_>) -> Result<Option<Building>> {
    // Not among its snapshots: it may be renamed and deleted while the copy is packed.
    let copy = Building::begin(&house.lib.join("jails"), name.as_str())?;
    let mut report = |count: &Count| {
        work.go_on()?;
        work.count("copying", count.files, count.bytes)
    };
    match data::copy(&house.kept(name), copy.path(), &mut report) {
        Err(error) if error.is_full() => {
            drop(copy);
            work.tell("there is no room for a copy: the jail stands still until all is packed");
            Ok(None)
        }
        copied => copied.map(|_| Some(copy)),
    }
}

/// Packs all but the archive's end.
fn pack<W: Write>(
    house: &House,
    name: &Name,
    live: bool,
    opened: &store::Opened,
    to: W,
    work: &mut Work<'_>,
) -> Result<Pack<W>> {
    let about = About {
        name: name.to_string(),
        packed: crate::state::now(),
        live,
        by: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let about = serde_json::to_vec(&about).map_err(|e| Error::Inside(e.to_string()))?;
    let mut pack = Pack::new(to)?;
    pack.text("jaula/about.json", &about)?;
    pack.text("jaula/config.toml", registry::text(house, name)?.1.as_bytes())?;
    let mut report = |progress: &crate::rootfs::archive::Progress| match progress.files % 64 {
        0 => work.reading(progress),
        _ => Ok(()),
    };
    // Its files as it sees them, wherever they are kept; other mounts are not entered.
    pack.tree(opened.root(), "root/", 0, &mut report)?;
    Ok(pack)
}

/// What to make a jail of.
pub struct Import {
    /// The archive.
    pub archive: Box<dyn Read + Send>,
    /// What it is called in messages.
    pub called: String,
    /// How long it is, if that is known.
    pub size: Option<u64>,
    /// The SHA-256 that it must have, in hexadecimal.
    pub digest: Option<String>,
    /// How much it may become.
    pub limit: Option<model::units::Bytes>,
    /// The jail's name, if it is not to be the old one.
    pub name: Option<Name>,
    /// What the configuration says otherwise.
    pub settings: Vec<Setting>,
}

impl std::fmt::Debug for Import {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Import")
            .field("called", &self.called)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Makes a jail of an archive. If this fails, or is killed, there is none.
pub fn import(house: &House, given: Import, work: &mut Work<'_>) -> Result<Created> {
    let called = given.called.clone();
    unpack(house, given, work).map_err(|error| match work.ended_by(error) {
        Error::Archive { source, .. } => Error::Archive { archive: called, source },
        other => other,
    })
}

fn unpack(house: &House, given: Import, work: &mut Work<'_>) -> Result<Created> {
    let mut entries = Entries::new(Input::new(given.archive)?, true);
    let head = Head::read(&mut entries)?;
    let name = given.name.clone().map_or_else(|| head.about.name.parse(), Ok)?;
    free(house, &name)?;
    let (text, config) = configuration(house, &head, &name, &given.settings)?;
    let mut rest = Some((head.first, entries));
    let (limit, size, wanted) = (given.limit, given.size, given.digest);
    let mut fill = |into: &Path| {
        let Some((first, entries)) = rest.take() else {
            return Err(Error::Inside("an archive was read twice".into()));
        };
        let top = sys::fs::open(sys::fs::CWD, into, sys::fs::O_RDONLY | sys::fs::O_DIRECTORY, 0)
            .map_err(|e| Error::tree(into, "a tree to unpack into", e))?;
        let limits = Limits::of(&top, limit.map(|limit| limit.0))
            .map_err(Error::call("see how much room there is"))?;
        let mut tree = Unpack::new(top.as_fd(), Layer::Whole, limits).below("root");
        let found = {
            let mut report = work.unpacking(size);
            tree.rest(first, entries, &mut report)?
        };
        let done = tree.finish()?;
        work.left_out(&done.left_out);
        match wanted.clone() {
            Some(wanted) if wanted != found => Err(ArchiveError::Digest { wanted, found }.into()),
            _ => Ok(done.contents),
        }
    };
    let mut quiet = |_: &crate::rootfs::duplicate::Count| Ok(());
    let (id, path, _) = if config.root.store == Some(Store::Overlay) {
        // Its files become what the new jail lies on; what it writes from now on is its own.
        let about = Template { origin: format!("{IMPORT}{}", head.about.name), ..Template::default() };
        let mut fill = |into: &Path, _: &mut Template| fill(into);
        // What a jail that is gone lay on, or an import that was killed has left, is in nobody's way.
        match template::read(house, &name)? {
            Some(old) if old.origin.starts_with(IMPORT) => {
                template::make_anew(house, &name, about, &mut fill)?;
            }
            _ => drop(template::make(house, &name, about, &mut fill)?),
        }
        let made = settle(house, &name, &text, &config, &mut |_| Ok(()), &mut quiet);
        if made.is_err() {
            template::delete(house, &name)?;
        }
        made?
    } else {
        // Not copied from a template again.
        let mut own = config.clone();
        own.root.from = Some(RootSpec::Skeleton);
        settle(house, &name, &text, &own, &mut |into| fill(into).map(drop), &mut quiet)?
    };
    Ok(Created { name, id, path })
}

/// What comes before the tree.
struct Head {
    about: About,
    config: String,
    /// The first entry of the tree.
    first: Option<Entry>,
}

impl Head {
    fn read(entries: &mut Entries<Input>) -> Result<Self> {
        let (mut about, mut config): (Option<String>, Option<String>) = (None, None);
        while let Some(entry) = entries.following()? {
            let into = match &entry.path[..] {
                b"jaula/about.json" => &mut about,
                b"jaula/config.toml" => &mut config,
                _ => {
                    let (Some(about), Some(config)) = (about, config) else { break };
                    let about = serde_json::from_str(&about).map_err(|_| no_jail())?;
                    return Ok(Self { about, config, first: Some(entry) });
                }
            };
            let mut text = Vec::new();
            while let Some(part) = entries.part()? {
                let length = part.len();
                text.extend_from_slice(part);
                entries.take(length);
                if text.len() as u64 > MOST_TEXT {
                    return Err(no_jail());
                }
            }
            *into = Some(String::from_utf8(text).map_err(|_| no_jail())?);
        }
        Err(no_jail())
    }
}

fn no_jail() -> Error {
    Error::refused(
        "the archive is not one of a jail",
        "jaula export makes those; an archive of a whole root becomes a template: jaula template import",
    )
}

/// The configuration of the new jail: with a number that is free, and what else is asked for.
fn configuration(house: &House, head: &Head, name: &Name, settings: &[Setting]) -> Result<(String, Config)> {
    let problems = |p| Error::problems(&p, Some(Path::new("jaula/config.toml")));
    let old = Config::parse(&head.config).map_err(problems)?;
    let mut own = vec![Setting::unset("declared_in")];
    let is_taken = match old.id {
        Some(id) => registry::owner(house, id)?.is_some(),
        None => false,
    };
    if is_taken {
        own.push(Setting::unset("id"));
    }
    if name.as_str() != head.about.name && old.hostname.as_deref() == Some(head.about.name.as_str()) {
        own.push(Setting::set("hostname", name.to_string()));
    }
    let asked =
        settings.iter().rfind(|s| s.key == "root.store").map(|s| s.value.trim_matches('"').to_owned());
    let store = asked.or_else(|| old.root.store.map(|store| store.to_string()));
    if store == Some(Store::Overlay.to_string()) {
        own.push(Setting::set("root.from", format!("template:{name}")));
    }
    own.extend_from_slice(settings);
    let text = edit::apply(&head.config, &own).map_err(problems)?;
    let config = Config::parse(&text).map_err(problems)?;
    Ok((text, config))
}
