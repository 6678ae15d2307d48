//! What the kernel and the loader open to run a program: its interpreters, its loader, its
//! libraries and theirs, found in the loader's own order.

use super::collect::{Collection, Content};
use super::elf::{Elf, Opens, Priority};
use super::host::{Node, Place};
use super::ldcache::LdCache;
use super::machine::HOST;
use super::search::{self, Link, Loader, Step};
use super::{ClosureError, PATH, Reason, script};
use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

const CACHE: &str = "/etc/ld.so.cache";

/// Adds to a collection what programs and libraries need.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) collection: Collection,
    /// What a library or program would open if it were there, or needs in vain.
    pub(super) unmet: Vec<ClosureError>,
    /// The programs that are done, by path without links.
    done: HashMap<PathBuf, Rc<Process>>,
    /// `/etc/ld.so.cache`, once it was asked for; empty if there is none.
    cache: Option<Rc<[u8]>>,
}

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
}

impl Process {
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
    pub(super) fn new(collection: Collection) -> Self {
        Self { collection, unmet: Vec::new(), done: HashMap::new(), cache: None }
    }

    /// The executable of that name in [`PATH`].
    pub(super) fn in_path(&mut self, name: &OsStr) -> Option<PathBuf> {
        PATH.split(':').map(|directory| Path::new(directory).join(name)).find(|path| {
            let place = self.collection.host.walk(path);
            matches!(place, Ok(Some(Place { node: Node::File { executable: true }, .. })))
        })
    }

    /// Adds what it takes to execute a path. `None` if nothing is there.
    pub(super) fn execute(
        &mut self,
        path: &Path,
        reason: Reason,
    ) -> Result<Option<Rc<Process>>, ClosureError> {
        self.execute_nested(path, reason, 0)
    }

    fn execute_nested(
        &mut self,
        path: &Path,
        reason: Reason,
        depth: usize,
    ) -> Result<Option<Rc<Process>>, ClosureError> {
        let Some(place) = self.collection.walk(path)? else { return Ok(None) };
        match place.node {
            Node::File { executable: true } => {}
            Node::File { executable: false } => return Err(ClosureError::NotExecutable(path.to_owned())),
            _ => return Err(ClosureError::NotAFile(path.to_owned())),
        }
        let content = self.collection.content(&place.real)?;
        self.collection.add(path, &place, reason);
        if let Some(process) = self.done.get(&place.real) {
            return Ok(Some(Rc::clone(process)));
        }
        let process = match &*content {
            Content::Elf(elf) => self.load(path, &place, elf)?,
            Content::Script(_) if depth == script::MAX_NESTED => {
                return Err(ClosureError::NestedScripts(path.to_owned()));
            }
            Content::Script(script) => self.interpret(path, script, depth)?,
            Content::Neither(bad) => {
                return Err(ClosureError::NotAProgram { path: path.to_owned(), source: bad.clone() });
            }
        };
        self.done.insert(place.real, Rc::clone(&process));
        Ok(Some(process))
    }

    /// Adds a script's interpreter, and behind `env` the one that is meant.
    fn interpret(
        &mut self,
        path: &Path,
        script: &script::Script,
        depth: usize,
    ) -> Result<Rc<Process>, ClosureError> {
        let of = || Reason::Interpreter { of: path.to_owned() };
        let absent = |interpreter: &Path| ClosureError::NoInterpreter {
            script: path.to_owned(),
            interpreter: interpreter.to_owned(),
        };
        let interpreter = &script.interpreter;
        if !interpreter.is_absolute() {
            return Err(absent(interpreter));
        }
        let process =
            self.execute_nested(interpreter, of(), depth + 1)?.ok_or_else(|| absent(interpreter))?;
        let argument =
            script.argument.as_deref().filter(|_| interpreter.file_name() == Some(OsStr::new("env")));
        let Some(name) = argument.and_then(script::program_of_env) else { return Ok(process) };
        let named = Path::new(&name);
        let meant = if named.is_absolute() { Some(named.to_owned()) } else { self.in_path(&name) };
        // `env` executes it afresh: scripts nest anew from there, but not in a circle.
        let process = match meant {
            Some(meant) if depth < script::MAX_NESTED => self.execute_nested(&meant, of(), depth + 1)?,
            Some(_) => return Err(ClosureError::NestedScripts(path.to_owned())),
            None => None,
        };
        process.ok_or_else(|| absent(named))
    }

    /// Loads a program: its loader, then all it links.
    fn load(&mut self, path: &Path, place: &Place, elf: &Rc<Elf>) -> Result<Rc<Process>, ClosureError> {
        let program =
            Object { path: path.to_owned(), real: place.real.clone(), elf: Rc::clone(elf), parent: None };
        let mut process = Process { loader: Loader::Glibc, objects: vec![program], names: HashSet::new() };
        let Some(interpreter) = &elf.interpreter else {
            return Ok(Rc::new(process)); // static
        };
        process.loader = self.loader(interpreter)?;
        let absent = || ClosureError::NoLoader { program: path.to_owned(), loader: interpreter.clone() };
        let place = if interpreter.is_absolute() { self.collection.walk(interpreter)? } else { None };
        let place = place.filter(|p| matches!(p.node, Node::File { .. })).ok_or_else(absent)?;
        match &*self.collection.content(&place.real)? {
            Content::Elf(loader) => process.names.extend(loader.soname.clone()),
            Content::Script(_) => return Err(absent()),
            Content::Neither(bad) => {
                return Err(ClosureError::NotAProgram { path: interpreter.clone(), source: bad.clone() });
            }
        }
        self.collection.add(interpreter, &place, Reason::Loader { of: path.to_owned() });
        self.link_all(&mut process, 0)?;
        Ok(Rc::new(process))
    }

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
        process.holds(Object { path, real, elf: Rc::clone(elf), parent: Some(0) });
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
    fn link_all(&mut self, process: &mut Process, mut next: usize) -> Result<(), ClosureError> {
        let mut running = next;
        while running < process.objects.len() {
            while next < process.objects.len() {
                self.link(process, next)?;
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
        let mut found = false;
        for candidate in self.candidates(process, object, name) {
            let Some(place) = self.place(&candidate)? else { continue };
            let elf = match &*self.collection.content(&place.real)? {
                Content::Elf(elf) => Rc::clone(elf),
                Content::Neither(bad @ super::elf::BadElf::Damaged(_)) => {
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
                self.add_cache();
            }
            process.names.insert(name.to_owned());
            process.holds(Object { path: candidate.path, real: place.real, elf, parent: Some(object) });
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
    fn place(&mut self, candidate: &Candidate) -> Result<Option<Place>, ClosureError> {
        let place = self.collection.host.walk(&candidate.path).ok().flatten();
        Ok(place.filter(|p| matches!(p.node, Node::File { .. })))
    }

    fn cache(&mut self) -> Rc<[u8]> {
        let host = &mut self.collection.host;
        let read = || Rc::from(host.read(Path::new(CACHE)).ok().flatten().unwrap_or_default());
        Rc::clone(self.cache.get_or_insert_with(read))
    }

    /// Adds the cache itself: without it the loader would not find what is not in its default
    /// directories, and those only it knows.
    fn add_cache(&mut self) {
        self.add_system_file(Path::new(CACHE));
    }

    /// Adds a file that a C library reads, if it is there.
    pub(super) fn add_system_file(&mut self, path: &Path) {
        if let Ok(Some(place)) = self.collection.host.walk(path)
            && matches!(place.node, Node::File { .. })
        {
            self.collection.add(path, &place, Reason::System);
        }
    }

    /// The rules of the loader at that path.
    fn loader(&mut self, interpreter: &Path) -> Result<Loader, ClosureError> {
        let Some(list) = Loader::musl_path_file(interpreter) else { return Ok(Loader::Glibc) };
        let text = self
            .collection
            .host
            .read(&list)
            .map_err(|source| ClosureError::Read { path: list.clone(), source })?;
        self.add_system_file(&list);
        Ok(Loader::musl(text.as_deref()))
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
