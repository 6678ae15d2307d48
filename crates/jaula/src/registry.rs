//! Which jails there are: a file for each that is configured, a run directory for each that runs.

mod ids;

pub use ids::Ids;

use crate::error::{Error, Result};
use crate::house::{Aside, House, make_private};
use crate::state::State;
use model::config::{Config, LONGEST_TEXT};
use model::name::{Id, Name};
use model::select::select as meant;
use std::fs::OpenOptions;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a command waits for another one that changes configurations; each takes moments.
const PATIENCE: Duration = Duration::from_secs(30);

/// A jail's file.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Where it is.
    pub path: PathBuf,
    /// All of it.
    pub text: String,
    /// What it says.
    pub config: Config,
}

/// A jail that runs, or whose run directory says that it did when its keeper died.
#[derive(Clone, Debug)]
pub struct Live {
    /// What its keeper wrote last.
    pub state: State,
    /// Does its first process run?
    pub runs: bool,
    /// Does its keeper?
    pub kept: bool,
}

impl Live {
    /// Is anything of it left that acts? If not, it is a remainder for `jaula gc`.
    pub fn is_alive(&self) -> bool {
        self.runs || self.kept
    }
}

/// The jails that have a file, by name.
pub fn configured(house: &House) -> Result<Vec<Name>> {
    let directory = house.etc.join("jails");
    let of_file = |file: &str| file.strip_suffix(".toml")?.parse().ok();
    let mut names = entries(&directory, of_file)?;
    names.sort();
    Ok(names)
}

/// All jails by name: those that have a file, and those without one that run (`jaula run`).
pub fn all(house: &House) -> Result<Vec<Name>> {
    let mut names = configured(house)?;
    let file = names.len();
    for name in entries(&house.run, |file| file.parse().ok())? {
        if names[..file].binary_search(&name).is_err() && live(house, &name)?.is_some_and(|l| l.is_alive()) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// What `of` makes of the names in a directory; of one that is absent, nothing.
fn entries<T>(directory: &Path, of: impl Fn(&str) -> Option<T>) -> Result<Vec<T>> {
    let read = match std::fs::read_dir(directory) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(Error::io("read", directory))?,
    };
    let mut found = Vec::new();
    for entry in read {
        let entry = entry.map_err(Error::io("read", directory))?;
        found.extend(entry.file_name().to_str().and_then(&of));
    }
    Ok(found)
}

/// The jails that words mean: names, ids, patterns, beginnings of names; or all of them.
pub fn select(house: &House, words: &[String], everything: bool) -> Result<Vec<Name>> {
    let mut known: Vec<(Name, Option<Id>)> = all(house)?.into_iter().map(|name| (name, None)).collect();
    // Ids stand in the files: they are only looked up for words that are numbers.
    for id in words.iter().filter_map(|word| word.parse::<Id>().ok()) {
        let owner = owner(house, id)?;
        if let Some((_, of)) = known.iter_mut().find(|(name, _)| Some(name) == owner.as_ref()) {
            *of = Some(id);
        }
    }
    Ok(meant(words, everything, &known)?)
}

/// The one jail that a word means.
pub fn one(house: &House, word: &str) -> Result<Name> {
    // A whole name needs no look at all the others.
    if let Ok(name) = word.parse::<Name>()
        && exists(house, &name)?
    {
        return Ok(name);
    }
    let mut names = select(house, &[word.to_owned()], false)?;
    match names.len() {
        1 => Ok(names.remove(0)),
        n => Err(Error::refused(format!("{word:?} means {n} jails"), "this takes one jail; name it")),
    }
}

/// Has it a file, or does it run?
pub fn exists(house: &House, name: &Name) -> Result<bool> {
    Ok(has_file(house, name) || live(house, name)?.is_some_and(|l| l.is_alive()))
}

/// Has it a file, of whatever kind?
pub(crate) fn has_file(house: &House, name: &Name) -> bool {
    std::fs::symlink_metadata(house.config(name)).is_ok()
}

/// The jail that has a number: one that runs, or one whose file says so.
pub fn owner(house: &House, id: Id) -> Result<Option<Name>> {
    let running = house.run.join(crate::claim::IDS).join(id.to_string());
    if let Some(name) = ids::read(&running)
        && live(house, &name)?.is_some_and(|l| l.is_alive() && l.state.id == id)
    {
        return Ok(Some(name));
    }
    let says_so = |name: &Name| read(house, name).is_ok_and(|stored| stored.config.id == Some(id));
    if let Some(name) = ids::read(&ids::link(house, id))
        && says_so(&name)
    {
        return Ok(Some(name));
    }
    // A file that somebody wrote by hand.
    Ok(configured(house)?.into_iter().find(says_so))
}

/// What a jail's run directory says of it; `None` if it has none, or no state in it (yet).
pub fn live(house: &House, name: &Name) -> Result<Option<Live>> {
    let flags = sys::fs::O_RDONLY | sys::fs::O_DIRECTORY | sys::fs::O_NOFOLLOW;
    let run = match sys::fs::open(sys::fs::CWD, house.running(name), flags, 0) {
        Err(e) if e.is(sys::errno::ENOENT) || e.is(sys::errno::ENOTDIR) => return Ok(None),
        opened => opened.map_err(Error::call("open the jail's run directory"))?,
    };
    let Some(state) = State::read(&run)? else { return Ok(None) };
    let runs = state.first.is_some_and(|first| first.open().is_some());
    let kept = state.keeper.open().is_some();
    Ok(Some(Live { state, runs, kept }))
}

/// Reads a jail's file. Everything that is wrong with it comes at once.
pub fn read(house: &House, name: &Name) -> Result<Stored> {
    let (path, text) = text(house, name)?;
    let config = Config::parse(&text).map_err(|p| Error::problems(&p, Some(&path)))?;
    Ok(Stored { path, text, config })
}

/// Reads a jail's file in order to change it: one that is wrong says nothing.
pub(crate) fn read_whatever(house: &House, name: &Name) -> Result<Stored> {
    let (path, text) = text(house, name)?;
    let config = Config::parse(&text).unwrap_or_default();
    Ok(Stored { path, text, config })
}

/// A jail's file and all of it, whatever it says.
pub fn text(house: &House, name: &Name) -> Result<(PathBuf, String)> {
    let path = house.config(name);
    match read_text(&path) {
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Err(match live(house, name)? {
                Some(live) if live.is_alive() => Error::refused(
                    format!("jail {name:?} has no configuration: it is one of `jaula run`"),
                    "jaula create makes jails that stay",
                ),
                _ => Error::NoJail(name.to_string()),
            })
        }
        text => Ok((path, text?)),
    }
}

/// A jail's configuration.
pub fn config(house: &House, name: &Name) -> Result<Config> {
    read(house, name).map(|stored| stored.config)
}

/// Reads a file of configuration: a regular file of UTF-8, and not a large one.
pub fn read_text(path: &Path) -> Result<String> {
    let failed = || Error::io("read", path);
    let flags = sys::fs::O_NONBLOCK | sys::fs::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed())?;
    let about = file.metadata().map_err(failed())?;
    let bad =
        |what: String| Error::Config { problems: vec![format!("{} {what}", path.display())], help: None };
    if !about.is_file() {
        let what = if about.is_dir() { "a directory" } else { "something else" };
        return Err(bad(format!("is {what}, not a file")));
    }
    let mut bytes = Vec::new();
    let most = LONGEST_TEXT as u64;
    if about.len() <= most {
        file.take(most + 1).read_to_end(&mut bytes).map_err(failed())?;
    }
    if about.len() > most || bytes.len() > LONGEST_TEXT {
        return Err(bad("is longer than 1 MiB, which no configuration is".to_owned()));
    }
    String::from_utf8(bytes).map_err(|e| {
        let before = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = 1 + before.iter().filter(|b| **b == b'\n').count();
        let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let column = 1 + String::from_utf8_lossy(&before[start..]).chars().count();
        let problem = format!("{}:{line}:{column}: this is not UTF-8", path.display());
        Error::Config { problems: vec![problem], help: None }
    })
}

/// The right to change configurations and numbers; it ends when this is dropped. Nobody else's
/// change comes between what was read and what is written.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "it is there to be closed")] OwnedFd);

/// Waits for the right to change configurations and numbers.
pub fn lock(house: &House) -> Result<Lock> {
    let directory = house.etc.join("jails");
    make_private(&directory)?;
    let flags = sys::fs::O_RDONLY | sys::fs::O_DIRECTORY;
    let fd = sys::fs::open(sys::fs::CWD, &directory, flags, 0)
        .map_err(Error::call("open the directory of configurations"))?;
    let since = Instant::now();
    while !sys::fs::try_lock(&fd).map_err(Error::call("lock the configurations"))? {
        if since.elapsed() > PATIENCE {
            return Err(Error::refused(
                format!("{} is locked by another command", directory.display()),
                "try again when it has ended; flock(2) on the directory is what it holds",
            ));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(Lock(fd))
}

/// Writes a jail's file, as a whole or not at all. Where it is a link, the file that it leads to
/// is written.
pub fn write(house: &House, name: &Name, text: &str, lock: &Lock) -> Result<()> {
    let aside = write_aside(house, name, text, lock)?;
    aside.sync()?;
    aside.put()
}

/// Writes it, but not into its place yet.
pub(crate) fn write_aside(house: &House, name: &Name, text: &str, _lock: &Lock) -> Result<Aside> {
    let path = house.config(name);
    let path = std::fs::canonicalize(&path).unwrap_or(path);
    Aside::write(&path, text.as_bytes())
}

/// Removes a jail's file and gives its number back.
pub(crate) fn remove(house: &House, name: &Name, lock: &Lock) -> Result<()> {
    let path = house.config(name);
    let id = read(house, name).ok().and_then(|stored| stored.config.id);
    std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
    match id.map(|id| ids::link(house, id)) {
        Some(link) if ids::read(&link).as_ref() == Some(name) => ids::remove(&link),
        // Whatever number it had, nobody has it now.
        _ => Ids::load(house, lock).map(drop),
    }
}

#[cfg(test)]
mod tests;
