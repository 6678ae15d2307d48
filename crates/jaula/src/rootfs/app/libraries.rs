//! The libraries that a loader loads for a program, found in its own order.

use super::collect::Content;
use super::elf::{BadElf, Elf, Opens, Priority};
use super::host::{Node, Place};
use super::ldcache::LdCache;
use super::machine::HOST;
use super::programs::Programs;
use super::search::{self, Link, Loader, Step};
use super::{ClosureError, Reason};
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

const CACHE: &str = "/etc/ld.so.cache";

/// What the loader has in memory once a program runs.
#[derive(Clone, Debug)]
pub(super) struct Process {
    loader: Loader,
    /// The program, then libraries in the order of loading.
    objects: Vec<Object>,
    /// Names that need no search any more: names that were searched, and `DT_SONAME`s.
    names: HashSet<OsString>,
}

#[derive(Clone, Debug)]
struct Object {
    /// The path it was opened by.
    path: PathBuf,
    real: PathBuf,
    elf: Rc<Elf>,
    /// Which object made the loader load it.
    parent: Option<usize>,
    /// Does the program run without it?
    optional: bool,
}

impl Process {
    /// A program before its loader has done anything.
    pub(super) fn new(loader: Loader, path: &Path, real: &Path, elf: &Rc<Elf>) -> Self {
        let (path, real) = (path.to_owned(), real.to_owned());
        let program = Object { path, real, elf: Rc::clone(elf), parent: None, optional: false };
        Self { loader, objects: vec![program], names: HashSet::new() }
    }

    /// Takes note of a library that needs no search: the loader itself.
    pub(super) fn knows(&mut self, name: Option<&OsString>) {
        self.names.extend(name.cloned());
    }

    /// Does glibc's loader run this program?
    pub(super) fn has_glibc(&self) -> bool {
        self.loader == Loader::Glibc && self.objects.len() > 1
    }

    fn holds(&mut self, object: Object) {
        self.names.extend(object.elf.soname.clone());
        if self.objects.iter().all(|o| o.real != object.real) {
            self.objects.push(object);
        }
    }

    /// The steps by which what `object` needs is searched.
    fn steps(&self, object: usize) -> Vec<Step> {
        let parents = std::iter::successors(Some(object), |o| self.objects[*o].parent);
        let chain: Vec<_> =
            parents.map(|o| &self.objects[o]).map(|o| Link { elf: &o.elf, origin: origin(o) }).collect();
        self.loader.steps(&chain)
    }
}

/// `$ORIGIN`: the kernel tells a program its path without links, the loader leaves those of
/// libraries as they are.
fn origin(object: &Object) -> &Path {
    let path = if object.parent.is_none() { &object.real } else { &object.path };
    path.parent().unwrap_or_else(|| Path::new("/"))
}

impl Programs {
    /// Adds what a library needs that a running program opens; it is in the collection itself.
    pub(super) fn open(
        &mut self,
        process: &Process,
        path: &Path,
        real: &Path,
        elf: &Rc<Elf>,
    ) -> Result<(), ClosureError> {
        let mut process = process.clone();
        let first = process.objects.len();
        let (path, real) = (path.to_owned(), real.to_owned());
        process.holds(Object { path, real, elf: Rc::clone(elf), parent: Some(0), optional: false });
        self.link_all(&mut process, first)
    }

    /// Adds a library that a running program opens by name. Is it on the host?
    pub(super) fn open_by_name(
        &mut self,
        process: &Process,
        name: &OsStr,
        reason: &Reason,
    ) -> Result<bool, ClosureError> {
        let mut process = process.clone();
        let first = process.objects.len();
        let found = self.find(&mut process, 0, name, reason)?;
        self.link_all(&mut process, first)?;
        Ok(found)
    }

    /// Loads all that the objects from `next` on need, breadth first as the loaders do.
    pub(super) fn link_all(&mut self, process: &mut Process, mut next: usize) -> Result<(), ClosureError> {
        let mut running = next;
        while running < process.objects.len() {
            while next < process.objects.len() {
                match self.link(process, next) {
                    Err(error) if process.objects[next].optional => self.unmet.push(error),
                    result => result?,
                }
                next += 1;
            }
            // Only when all is loaded does the program run, and open more.
            let Object { path, elf, .. } = process.objects[running].clone();
            for opens in elf.opens.iter().filter(|o| o.priority != Priority::Suggested) {
                self.open_noted(process, running, &path, opens)?;
            }
            running += 1;
        }
        Ok(())
    }

    fn link(&mut self, process: &mut Process, object: usize) -> Result<(), ClosureError> {
        let Object { path, elf, .. } = process.objects[object].clone();
        let reason = Reason::LinkedBy { of: path.clone() };
        for name in &elf.needed {
            if !self.find(process, object, name, &reason)? {
                return Err(not_found(process, object, name));
            }
        }
        for name in &elf.auxiliary {
            self.find(process, object, name, &reason)?;
        }
        Ok(())
    }

    /// Adds the first library there is of those that a note names.
    fn open_noted(
        &mut self,
        process: &mut Process,
        object: usize,
        path: &Path,
        opens: &Opens,
    ) -> Result<(), ClosureError> {
        let reason = Reason::OpenedBy { of: path.to_owned() };
        for name in &opens.names {
            if self.find(process, object, OsStr::new(name), &reason)? {
                return Ok(());
            }
        }
        if let (Priority::Required, Some(name)) = (opens.priority, opens.names.first()) {
            self.unmet.push(not_found(process, object, OsStr::new(name)));
        }
        Ok(())
    }

    /// Finds a library and adds it, with its variants for better processors: which one is taken
    /// the loader decides when it runs. Is it there?
    fn find(
        &mut self,
        process: &mut Process,
        object: usize,
        name: &OsStr,
        reason: &Reason,
    ) -> Result<bool, ClosureError> {
        if process.names.contains(name) || process.loader.has_built_in(name) {
            return Ok(true);
        }
        let opened = matches!(reason, Reason::OpenedBy { .. } | Reason::System);
        let optional = opened || process.objects[object].optional;
        let mut found = false;
        for candidate in self.candidates(process, object, name) {
            let Some(place) = self.place(&candidate) else { continue };
            let elf = match &*self.collection.content(&place.real)? {
                Content::Elf(elf) => Rc::clone(elf),
                Content::Neither(bad @ BadElf::Damaged(_)) => {
                    let of = process.objects[object].path.clone();
                    return Err(ClosureError::BadLibrary {
                        library: candidate.path,
                        of,
                        source: bad.clone(),
                    });
                }
                _ => continue, // for another processor, or no library at all: the loader goes on
            };
            found = true;
            self.collection.add(&candidate.path, &place, reason.clone());
            if candidate.cached {
                // Without it the loader finds only what is in its default directories, and which
                // those are only it knows.
                self.add_system_file(Path::new(CACHE));
            }
            process.names.insert(name.to_owned());
            let (path, real) = (candidate.path, place.real);
            process.holds(Object { path, real, elf, parent: Some(object), optional });
            if candidate.baseline {
                break;
            }
        }
        Ok(found)
    }

    /// The places where the loader looks for a library, in its order.
    fn candidates(&mut self, process: &Process, object: usize, name: &OsStr) -> Vec<Candidate> {
        if name.as_bytes().contains(&b'/') {
            let paths = process.loader.expand(name, origin(&process.objects[object])).unwrap_or_default();
            let absolute = paths.into_iter().filter(|p| p.is_absolute());
            return absolute.map(|path| Candidate { path, baseline: true, cached: false }).collect();
        }
        let mut candidates = Vec::new();
        for step in process.steps(object) {
            match step {
                Step::Directory(directory) => {
                    let better = directory.join("glibc-hwcaps");
                    if process.loader == Loader::Glibc
                        && matches!(self.collection.host.walk(&better), Ok(Some(_)))
                    {
                        let paths = HOST.hwcaps.iter().map(|kind| better.join(kind).join(name));
                        candidates.extend(paths.map(|path| Candidate {
                            path,
                            baseline: false,
                            cached: false,
                        }));
                    }
                    candidates.push(Candidate { path: directory.join(name), baseline: true, cached: false });
                }
                Step::Cache { defaults } => {
                    let bytes = self.cache();
                    let Ok(cache) = LdCache::parse(&bytes) else { continue };
                    let allowed = |p: &Path| defaults || !search::glibc_defaults().any(|d| p.starts_with(d));
                    candidates.extend(cache.find(name).filter(|l| allowed(l.path)).map(|l| Candidate {
                        path: l.path.to_owned(),
                        baseline: l.baseline,
                        cached: true,
                    }));
                }
            }
        }
        candidates
    }

    /// Where a candidate leads, if it is a file: the loader passes over what it may not open.
    fn place(&mut self, candidate: &Candidate) -> Option<Place> {
        let place = self.collection.host.walk(&candidate.path).ok().flatten();
        place.filter(|p| matches!(p.node, Node::File { .. }))
    }

    fn cache(&mut self) -> Rc<[u8]> {
        let host = &mut self.collection.host;
        let read = || Rc::from(host.read(Path::new(CACHE)).ok().flatten().unwrap_or_default());
        Rc::clone(self.cache.get_or_insert_with(read))
    }
}

/// A path at which a library may be.
#[derive(Debug)]
struct Candidate {
    path: PathBuf,
    /// Is it for any processor of the kind? Then the search ends here.
    baseline: bool,
    /// Does the loader know it from its cache?
    cached: bool,
}

fn not_found(process: &Process, object: usize, library: &OsStr) -> ClosureError {
    let steps = process.steps(object).into_iter();
    let searched = steps.map(|step| match step {
        Step::Directory(directory) => directory,
        Step::Cache { .. } => PathBuf::from(CACHE),
    });
    let of = process.objects[object].path.clone();
    ClosureError::NoLibrary { library: library.to_owned(), of, searched: searched.collect() }
}
