//! Who is at a jail: its run directory, which is its lock, and its number.

use crate::error::{Error, Result};
use crate::house::{House, make_private};
use crate::journal::{self, Entry, Journal};
use crate::state;
use model::name::{Id, Name};
use std::cell::Cell;
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a command waits for another one that has the jail.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A jail's run directory, locked. The lock ends with the last process that has it open, so
/// that a dead owner blocks nobody.
#[derive(Debug)]
pub struct Claim {
    /// The jail.
    pub name: Name,
    /// Its run directory.
    pub path: PathBuf,
    /// Its configuration, if it has one.
    pub config: PathBuf,
    /// Its run directory was made just now: nothing of an earlier start can be in it.
    pub fresh: bool,
    /// The number that was taken with it and not given back yet.
    number: Cell<Option<Id>>,
    directory: OwnedFd,
}

impl AsFd for Claim {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

impl Claim {
    /// Takes a jail, making its run directory if there is none; waits for whoever has it.
    pub fn take(house: &House, name: &Name) -> Result<Self> {
        let since = Instant::now();
        loop {
            if let Some(claim) = Self::try_take(house, name, true)? {
                return Ok(claim);
            }
            if since.elapsed() > PATIENCE {
                let owner = owner(&house.running(name));
                return Err(Error::Busy { name: name.clone(), owner, waited: since.elapsed() });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Takes a jail if nobody has it. With `make` unset, a jail without run directory is `None`
    /// as well.
    pub fn try_take(house: &House, name: &Name, make: bool) -> Result<Option<Self>> {
        let path = house.running(name);
        let mut fresh = false;
        if make {
            match sys::fs::make_dir(sys::fs::CWD, &path, 0o700) {
                Err(e) if e.is(sys::errno::EEXIST) => {}
                Err(e) if e.is(sys::errno::ENOENT) => {
                    // The first one since the machine began.
                    make_private(path.parent().unwrap_or(&path))?;
                    return Self::try_take(house, name, make);
                }
                made => fresh = made.map(|()| true).map_err(Error::call("make the jail's run directory"))?,
            }
        }
        let flags = sys::fs::O_RDONLY | sys::fs::O_DIRECTORY | sys::fs::O_NOFOLLOW;
        let directory = match sys::fs::open(sys::fs::CWD, &path, flags, 0) {
            Err(e) if e.is(sys::errno::ENOENT) => return Ok(None),
            opened => opened.map_err(Error::call("open the jail's run directory"))?,
        };
        if !sys::fs::try_lock(&directory).map_err(Error::call("lock the jail"))? {
            return Ok(None);
        }
        // Whoever had it may have removed it while we waited for the lock.
        let current = !sys::fs::is_removed(&directory).map_err(Error::call("lock the jail"))?;
        let (config, number) = (house.config(name), Cell::new(None));
        Ok(current.then(|| Self { name: name.clone(), path, config, fresh, number, directory }))
    }

    /// Gives the lock back; the jail stays what it is.
    pub fn unlock(&self) -> Result<()> {
        sys::fs::unlock(self).map_err(Error::call("unlock the jail"))
    }

    /// Takes the lock again, waiting for whoever has it.
    pub fn lock(&self) -> Result<()> {
        let since = Instant::now();
        while !sys::fs::try_lock(self).map_err(Error::call("lock the jail"))? {
            if since.elapsed() > PATIENCE {
                let (name, owner) = (self.name.clone(), owner(&self.path));
                return Err(Error::Busy { name, owner, waited: since.elapsed() });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Gives the jail a number: its own, or with `None` the first free one of those for jails
    /// that pass. Each is in the journal before it is taken; giving back one that was never had
    /// does nothing.
    pub fn id(&self, house: &House, wanted: Option<Id>, journal: &mut Journal) -> Result<Id> {
        let ids = house.run.join(IDS);
        let mut take = |id| {
            journal.write(&Entry::Id(id))?;
            let other = claim_id(&ids, id, &self.name)?;
            self.number.set(other.is_none().then_some(id));
            Ok::<_, Error>(other)
        };
        if let Some(id) = wanted {
            return match take(id)? {
                None => Ok(id),
                Some(other) => Err(Error::SameId { name: self.name.clone(), id, other }),
            };
        }
        // Begin anywhere, so that many starts at once do not try the same numbers.
        let span = u32::from(Id::MAX - Id::FIRST_PASSING) + 1;
        let begin = sys::process::number().unsigned_abs() % span;
        for n in (0..span).map(|n| (begin + n) % span) {
            let id =
                u16::try_from(n).ok().and_then(|n| Id::new(Id::FIRST_PASSING + n).ok()).ok_or(Error::NoId)?;
            if take(id)?.is_none() {
                return Ok(id);
            }
        }
        Err(Error::NoId)
    }

    /// Removes the run directory with all in it. The claim means nothing any more.
    pub fn remove(&self) -> Result<()> {
        let remove = || sys::fs::remove(sys::fs::CWD, &self.path, true);
        // Those that every jail has; most have no others.
        self.remove_files([state::STATE, journal::FILE].map(OsString::from))?;
        match remove() {
            Err(e) if e.is(sys::errno::ENOTEMPTY) => {
                self.clear()?;
                remove()
            }
            removed => removed,
        }
        .map_err(Error::call("remove the run directory"))
    }

    /// Removes what is in the run directory, the journal last: without one, nothing was begun.
    pub fn clear(&self) -> Result<()> {
        let entries = std::fs::read_dir(&self.path).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name()).filter(|name| name != journal::FILE);
        self.remove_files(names.chain([journal::FILE.into()]))
    }

    fn remove_files(&self, names: impl IntoIterator<Item = OsString>) -> Result<()> {
        for name in names {
            match sys::fs::remove(&self.directory, name, false) {
                Err(e) if e.is(sys::errno::ENOENT) => {}
                removed => removed.map_err(Error::call("tidy the run directory"))?,
            }
        }
        Ok(())
    }
}

/// The directory of numbers: a symbolic link `N` that reads the name of the jail that has it.
pub(crate) const IDS: &str = ".ids";

/// Takes a number; `Some` is the jail that has it.
fn claim_id(ids: &Path, id: Id, name: &Name) -> Result<Option<String>> {
    let link = ids.join(id.to_string());
    let make = || sys::fs::make_link(name.as_str(), sys::fs::CWD, &link);
    let mut made = make();
    if made.as_ref().is_err_and(|e| e.is(sys::errno::ENOENT)) {
        make_private(ids)?;
        made = make();
    }
    if made.as_ref().is_err_and(|e| e.is(sys::errno::EEXIST)) {
        let _alone = settle_ids(ids)?;
        match id_owner(ids, &id.to_string()) {
            Some((owner, _)) if owner == name.as_str() => return Ok(None),
            Some((owner, true)) => return Ok(Some(owner)),
            // Its owner is gone.
            Some((_, false)) => _ = sys::fs::remove(sys::fs::CWD, &link, false),
            None => {}
        }
        made = make();
    }
    match made {
        Ok(()) => Ok(None),
        // Somebody took it between our looking and our taking, since a free one needs no lock.
        Err(e) if e.is(sys::errno::EEXIST) => {
            Ok(Some(id_owner(ids, &id.to_string()).map_or_else(String::new, |(owner, _)| owner)))
        }
        Err(e) => Err(Error::call("take a number")(e)),
    }
}

/// Keeps others from deciding that a number's owner is gone, for as long as the result lives:
/// two that decide it at the same time would both take the number.
pub(crate) fn settle_ids(ids: &Path) -> Result<OwnedFd> {
    let failed = || Error::call("look after the numbers");
    let flags = sys::fs::O_RDONLY | sys::fs::O_DIRECTORY;
    let directory = sys::fs::open(sys::fs::CWD, ids, flags, 0).map_err(failed())?;
    let since = Instant::now();
    while !sys::fs::try_lock(&directory).map_err(failed())? {
        if since.elapsed() > PATIENCE {
            let owner = owner(ids);
            return Err(Error::refused(
                format!("the numbers of jails are busy: {owner} has had them for more than 30 s"),
                "end it, or let it go on",
            ));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(directory)
}

/// Who has a number, and whether there is something of that jail; `None` if nobody has it.
pub(crate) fn id_owner(ids: &Path, number: &str) -> Option<(String, bool)> {
    let owner = std::fs::read_link(ids.join(number)).ok()?.to_string_lossy().into_owned();
    let there = ids.parent().is_some_and(|run| run.join(&owner).exists());
    Some((owner, there))
}

/// Gives a number back, if it is this jail's.
pub(crate) fn release_id(run: &Path, claim: &Claim, id: Id) -> Result<()> {
    let link = run.join(IDS).join(id.to_string());
    let reads = || std::fs::read_link(&link);
    let ours = claim.number.take() == Some(id);
    if ours || reads().is_ok_and(|owner| owner.as_os_str() == claim.name.as_str()) {
        match sys::fs::remove(sys::fs::CWD, &link, false) {
            Err(e) if !e.is(sys::errno::ENOENT) => return Err(Error::call("give the number back")(e)),
            _ => {}
        }
    }
    Ok(())
}

/// Who has a run directory's lock, in words (proc_locks(5)).
pub(crate) fn owner(path: &Path) -> String {
    let inode = sys::fs::identity_at(sys::fs::CWD, path).map(|i| i.inode.to_string()).unwrap_or_default();
    let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    let pid = locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let here = words.get(5)?.rsplit(':').next()? == inode;
        here.then(|| words.get(4).copied().unwrap_or_default().to_owned())
    });
    let Some(pid) = pid else { return "another command".to_owned() };
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    format!("{} (pid {pid})", command.trim())
}
