//! Bases: the files of a template as a store keeps them, of which jails are made at once, whatever their size: a
//! read-only subvolume of btrfs to make snapshots of, or an image whose blocks its copies share.
//!
//! `lib/jails/.bases/TEMPLATE/btrfs` and `…/image-SIZE` are made at the first jail that needs one. Each says which
//! template it was made of, in `of`; nothing but time is lost with it. `jaula gc` removes those that no jail's
//! configuration asks for, and a template takes its own along.

use super::{IMAGE, ROOT, btrfs, image};
use crate::building::{self, Building};
use crate::error::{Error, Result};
use crate::house::House;
use crate::registry;
use model::config::{Config, RootSpec, Store};
use model::name::Name;
use model::template::FILE;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The directory of all bases, beside those of jails; no jail's name begins so.
const BASES: &str = ".bases";
/// In a base: which template it was made of.
const OF: &str = "of";
/// How often somebody else may take a base away before we give up.
const TRIES: usize = 3;

/// Fills an empty directory with the template's files.
pub(super) type Put<'a> = &'a mut dyn FnMut(&Path) -> Result<()>;

/// A base that is there, or could be.
struct Base {
    path: PathBuf,
    of: String,
}

impl Base {
    /// That of a jail's configuration; `None` if its store or its template has none.
    fn of(house: &House, config: &Config) -> Result<Option<Self>> {
        let Some((template, what)) = wanted(config) else { return Ok(None) };
        let of = identity(house, &template)?;
        Ok(of.map(|of| Self { path: place(house, &template).join(what), of }))
    }

    fn is_there(&self) -> bool {
        fs::read_to_string(self.path.join(OF)).is_ok_and(|of| of == self.of)
    }

    /// Makes it, in the place of one that was made of another template of this name.
    fn make(&self, fill: &mut dyn FnMut(&Path) -> Result<()>) -> Result<()> {
        let (parent, name) = parts(&self.path);
        let building = Building::begin(parent, name)?;
        fill(building.path())?;
        let of = building.path().join(OF);
        fs::write(&of, &self.of).map_err(Error::io("write", &of))?;
        building.sync()?;
        if !self.is_there() {
            remove(&self.path)?;
        }
        match building.settle_for_good(&self.path) {
            // Somebody else was faster.
            Err(_) if self.is_there() => Ok(()),
            made => made,
        }
    }
}

/// A new subvolume with a template's files; `false` if it has no base.
pub(super) fn subvolume(house: &House, config: &Config, to: &Path, put: Put<'_>) -> Result<bool> {
    let Some(base) = Base::of(house, config)? else { return Ok(false) };
    for _ in 0..TRIES {
        if !base.is_there() {
            base.make(&mut |at| {
                let root = at.join(ROOT);
                btrfs::create(at, ROOT)?;
                put(&root)?;
                btrfs::protect(&root)
            })?;
        }
        let from = base.path.join(ROOT);
        match btrfs::snapshot(&from, to, false) {
            Err(_) if !from.exists() => {}
            made => return made,
        }
    }
    Ok(false)
}

/// A new image with a template's files; `false` if the file system cannot share its blocks with others.
pub(super) fn image(house: &House, config: &Config, to: &Path, put: Put<'_>) -> Result<bool> {
    let Some(base) = Base::of(house, config)? else { return Ok(false) };
    if !base.is_there() && !shares(to)? {
        return Ok(false);
    }
    for _ in 0..TRIES {
        if !base.is_there() {
            base.make(&mut |at| image::filled(&at.join(IMAGE), config, put))?;
        }
        let Ok(from) = File::open(base.path.join(IMAGE)) else { continue };
        let file = File::options().write(true).create_new(true).mode(0o600).open(to);
        let file = file.map_err(Error::io("make", to))?;
        if sys::fs::share_blocks(&from, &file).is_ok() {
            return Ok(true);
        }
        // Such as one that is not to be written elsewhere (`chattr +C`), and another that is.
        fs::remove_file(to).map_err(Error::io("remove", to))?;
        return Ok(false);
    }
    Ok(false)
}

/// Can files that lie here share blocks? Only a trial tells: XFS can be made without that.
fn shares(beside: &Path) -> Result<bool> {
    let paths = [".shared", ".shares"].map(|name| beside.with_file_name(name));
    let made = paths.each_ref().map(|path| File::create_new(path).map_err(Error::io("make", path)));
    let [from, to] = made;
    let (mut from, to) = (from?, to?);
    std::io::Write::write_all(&mut from, &[1; 4096]).map_err(Error::io("write", &paths[0]))?;
    let shares = sys::fs::share_blocks(&from, &to).is_ok();
    paths.iter().try_for_each(|path| fs::remove_file(path).map_err(Error::io("remove", path)))?;
    Ok(shares)
}

/// The template that a jail was made of, and its kind of base.
fn wanted(config: &Config) -> Option<(Name, String)> {
    let Some(RootSpec::Template(template)) = &config.root.from else { return None };
    let what = match config.root.store? {
        Store::Btrfs => "btrfs".to_owned(),
        Store::Image => {
            let inodes = config.root.inodes.map_or_else(String::new, |inodes| format!("-{}", inodes.hard.0));
            format!("image-{}{inodes}", image::size(config.root.size))
        }
        Store::Overlay | Store::Dir => return None,
    };
    Some((template.clone(), what))
}

/// What tells a template from one that has its name later: nothing changes what is written of it once.
fn identity(house: &House, template: &Name) -> Result<Option<String>> {
    let path = house.template(template).join(FILE);
    match fs::metadata(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        found => {
            let found = found.map_err(Error::io("look at", &path))?;
            Ok(Some(format!("{} {}.{:09}\n", found.ino(), found.ctime(), found.ctime_nsec())))
        }
    }
}

fn place(house: &House, template: &Name) -> PathBuf {
    house.lib.join("jails").join(BASES).join(template.as_str())
}

fn parts(path: &Path) -> (&Path, &str) {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    (path.parent().unwrap_or(path), name)
}

/// Removes a base; one that is not there is no error.
fn remove(path: &Path) -> Result<()> {
    let (parent, name) = parts(path);
    let aside = Building::begin(parent, &format!("{name}.old"))?;
    match sys::fs::exchange(aside.path(), path) {
        Err(e) if e.is(sys::errno::ENOENT) => return Ok(()),
        done => done.map_err(Error::call("put the base of a template aside"))?,
    }
    // The empty directory that has its name now.
    fs::remove_dir(path).map_err(Error::io("remove", path))
}

/// Removes the bases of a template that is no more.
pub(crate) fn forget(house: &House, template: &Name) -> Result<()> {
    let place = place(house, template);
    for path in entries(&place)?.iter().filter(|path| !building::is_one(path)) {
        remove(path)?;
    }
    tidy(&place);
    Ok(())
}

/// The bases that no jail's configuration asks for, or that are of a template that is no more; with `mend` they are
/// removed, and so is what somebody was making who was killed, which is told apart.
pub(crate) fn unneeded(house: &House, mend: bool) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let (mut bases, mut half) = (Vec::new(), Vec::new());
    let top = house.lib.join("jails").join(BASES);
    let templates = entries(&top)?;
    let needed = if templates.is_empty() { Vec::new() } else { needed(house)? };
    for template in templates {
        half.extend(building::abandoned(&template, mend)?);
        for path in entries(&template)? {
            let base = needed.iter().find(|base| base.path == path);
            if building::is_one(&path) || base.is_some_and(Base::is_there) {
                continue;
            }
            if mend {
                remove(&path)?;
            }
            bases.push(path);
        }
        if mend {
            tidy(&template);
        }
    }
    if mend {
        // Others may be in it.
        let _ = fs::remove_dir(&top);
    }
    Ok((bases, half))
}

/// The bases that jails' configurations ask for.
fn needed(house: &House) -> Result<Vec<Base>> {
    let mut needed = Vec::new();
    for jail in registry::configured(house)? {
        // One that cannot be read asks for none; making it again loses time only.
        let Ok(config) = registry::config(house, &jail) else { continue };
        needed.extend(Base::of(house, &config)?);
    }
    Ok(needed)
}

/// Removes the directories of bases if they are empty, and the last of them that of all.
fn tidy(template: &Path) {
    if fs::remove_dir(template).is_ok()
        && let Some(all) = template.parent()
    {
        // Others are in it.
        let _ = fs::remove_dir(all);
    }
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    match fs::read_dir(directory) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        read => Ok(read.map_err(Error::io("read", directory))?.flatten().map(|e| e.path()).collect()),
    }
}
