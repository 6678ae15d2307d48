//! What the kernel opens to execute a path: the interpreters of scripts, a program, its loader.

use super::collect::{Collection, Content};
use super::elf::Elf;
use super::host::{Node, Place};
use super::libraries::Process;
use super::search::Loader;
use super::{ClosureError, PATH, Reason, script};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Adds to a collection what programs and libraries need.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) collection: Collection,
    /// What a library or program would open if it were there, or needs in vain.
    pub(super) unmet: Vec<ClosureError>,
    /// The programs that are done, by path without links.
    done: HashMap<PathBuf, Rc<Process>>,
    /// `/etc/ld.so.cache`, once it was asked for; empty if there is none.
    pub(super) cache: Option<Rc<[u8]>>,
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
        // To the kernel this is a new execution, but the depth goes on, so that a circle ends.
        let process = match meant {
            Some(meant) => self.execute_nested(&meant, of(), depth + 1)?,
            None => None,
        };
        process.ok_or_else(|| absent(named))
    }

    /// Loads a program: its loader, then all it links.
    fn load(&mut self, path: &Path, place: &Place, elf: &Rc<Elf>) -> Result<Rc<Process>, ClosureError> {
        let Some(interpreter) = &elf.interpreter else {
            return Ok(Rc::new(Process::new(Loader::Glibc, path, &place.real, elf))); // static
        };
        let mut process = Process::new(self.loader(interpreter)?, path, &place.real, elf);
        let absent = || ClosureError::NoLoader { program: path.to_owned(), loader: interpreter.clone() };
        let place = if interpreter.is_absolute() { self.collection.walk(interpreter)? } else { None };
        let place = place.filter(|p| matches!(p.node, Node::File { .. })).ok_or_else(absent)?;
        match &*self.collection.content(&place.real)? {
            Content::Elf(loader) => process.knows(loader.soname.as_ref()),
            Content::Script(_) => return Err(absent()),
            Content::Neither(bad) => {
                return Err(ClosureError::NotAProgram { path: interpreter.clone(), source: bad.clone() });
            }
        }
        self.collection.add(interpreter, &place, Reason::Loader { of: path.to_owned() });
        self.link_all(&mut process, 0)?;
        Ok(Rc::new(process))
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
