//! What an app jail holds without a line about it.

use crate::rootfs::app::{self, ClosureError, Reason, Request};
use model::trace::Host;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Asks for the files of app jails of one program.
#[derive(Debug)]
pub(super) struct Linker<'a> {
    program: &'a Path,
    network: bool,
}

/// What a jail of the program alone holds.
#[derive(Debug)]
pub(super) struct Base {
    /// The program's absolute path.
    pub(super) program: PathBuf,
    /// All of it, with its reasons.
    pub(super) linked: BTreeMap<PathBuf, String>,
}

impl<'a> Linker<'a> {
    pub(super) fn new(program: &'a Path, network: bool) -> Self {
        Self { program, network }
    }

    /// What there is without any further file.
    pub(super) fn base(&self) -> Result<Base, ClosureError> {
        let closure = self.closure(&[])?;
        let linked = closure.entries.into_iter().map(|entry| (entry.path, entry.reason.to_string()));
        Ok(Base { program: closure.program, linked: linked.collect() })
    }

    /// Adds what comes along with these files, but not they themselves.
    pub(super) fn add_needs(&self, files: &[PathBuf], host: &mut Host) {
        let Some(closure) = self.possible(files) else { return };
        for entry in closure.entries {
            let is_top = entry.path.components().count() == 2;
            let comes_along = match &entry.reason {
                Reason::Listed => false,
                // `/lib` and the like, on the way to anything.
                Reason::LeadsTo { .. } => is_top,
                _ => true,
            };
            if comes_along {
                host.linked.entry(entry.path).or_insert_with(|| entry.reason.to_string());
            }
        }
    }

    /// The libraries that these need, and the program does not.
    pub(super) fn needs(&self, files: &[PathBuf]) -> BTreeSet<PathBuf> {
        let (Some(with), Ok(without)) = (self.possible(files), self.base()) else { return BTreeSet::new() };
        let is_theirs = |entry: &app::Entry| matches!(entry.reason, Reason::LinkedBy { .. });
        let theirs = with.entries.into_iter().filter(is_theirs).map(|entry| entry.path);
        theirs.filter(|path| !without.linked.contains_key(path)).collect()
    }

    /// Files that no jail can have, and why.
    pub(super) fn refused(&self, files: &[PathBuf]) -> Vec<(PathBuf, String)> {
        match self.closure(files) {
            Err(ClosureError::Files(bad)) => bad.into_iter().map(|bad| (bad.path, bad.why.into())).collect(),
            Err(_) => {
                let alone = |file: &PathBuf| self.closure(std::slice::from_ref(file)).err();
                files.iter().filter_map(|file| Some((file.clone(), alone(file)?.to_string()))).collect()
            }
            Ok(_) => Vec::new(),
        }
    }

    /// The jail with those of the files that it can have.
    fn possible(&self, files: &[PathBuf]) -> Option<app::Closure> {
        self.closure(files).ok().or_else(|| {
            let refused = self.refused(files);
            let good = files.iter().filter(|file| refused.iter().all(|(bad, _)| bad != *file));
            self.closure(&good.cloned().collect::<Vec<_>>()).ok()
        })
    }

    fn closure(&self, files: &[PathBuf]) -> Result<app::Closure, ClosureError> {
        app::closure(&Request {
            root: Path::new("/"),
            program: self.program,
            files,
            writable: &[],
            users: &[],
            network: self.network,
        })
    }
}
