//! What is being collected, and the files that were read for it.

use super::elf::{self, BadElf, Elf};
use super::host::{Host, Node, Place};
use super::script::{self, Script};
use super::{ClosureError, Entry, Reason, What};
use object::ReadCache;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The entries so far, and the host that they come from.
#[derive(Debug)]
pub(super) struct Collection {
    pub(super) host: Host,
    entries: BTreeMap<PathBuf, (What, Reason)>,
    contents: HashMap<PathBuf, Rc<Content>>,
}

/// What a file is to the kernel and the loader.
#[derive(Debug)]
pub(super) enum Content {
    Elf(Rc<Elf>),
    Script(Script),
    Neither(BadElf),
}

impl Collection {
    pub(super) fn new(host: Host) -> Self {
        Self { host, entries: BTreeMap::new(), contents: HashMap::new() }
    }

    /// Adds what stands at a path, and the links that lead there. What is there already keeps
    /// its reason.
    pub(super) fn add(&mut self, path: &Path, place: &Place, reason: Reason) {
        self.add_links(path, place);
        let source = self.host.outside(&place.real);
        let what = match place.node {
            Node::Directory => What::Directory { source },
            _ => What::File { source },
        };
        self.insert(place.real.clone(), what, reason);
    }

    /// Adds the links that lead to a path.
    pub(super) fn add_links(&mut self, path: &Path, place: &Place) {
        for (link, target) in &place.links {
            let reason = || Reason::LeadsTo { path: path.to_owned() };
            let link = self.entries.entry(link.clone());
            link.or_insert_with(|| (What::Symlink { target: target.clone() }, reason()));
        }
    }

    /// Adds an entry, unless there is one at its path.
    pub(super) fn insert(&mut self, path: PathBuf, what: What, reason: Reason) {
        self.entries.entry(path).or_insert((what, reason));
    }

    /// Is there an entry below this directory?
    pub(super) fn has_below(&self, directory: &Path) -> bool {
        let mut after = self.entries.range::<Path, _>((Bound::Excluded(directory), Bound::Unbounded));
        after.next().is_some_and(|(path, _)| path.starts_with(directory))
    }

    /// Where a path leads. `None` if nothing is there.
    pub(super) fn walk(&mut self, path: &Path) -> Result<Option<Place>, ClosureError> {
        self.host.walk(path).map_err(|source| ClosureError::Read { path: path.to_owned(), source })
    }

    /// What a regular file is; read once.
    pub(super) fn content(&mut self, real: &Path) -> Result<Rc<Content>, ClosureError> {
        if let Some(content) = self.contents.get(real) {
            return Ok(Rc::clone(content));
        }
        let read = |source| ClosureError::Read { path: real.to_owned(), source };
        let content = Rc::new(self.read(real).map_err(read)?);
        self.contents.insert(real.to_owned(), Rc::clone(&content));
        Ok(content)
    }

    fn read(&self, real: &Path) -> io::Result<Content> {
        let mut file = self.host.open(real)?;
        let mut head = [0; script::HEAD];
        let length = file.read(&mut head)?;
        let head = &head[..length];
        if let Some(script) = script::parse(head) {
            return Ok(Content::Script(script));
        }
        if !head.starts_with(b"\x7fELF") {
            return Ok(Content::Neither(BadElf::NotElf));
        }
        Ok(match elf::parse(&ReadCache::new(file)) {
            Ok(elf) => Content::Elf(Rc::new(elf)),
            Err(bad) => Content::Neither(bad),
        })
    }

    /// All entries by path, without those that a directory brings along.
    pub(super) fn take_entries(&mut self) -> Vec<Entry> {
        let mut whole: Option<PathBuf> = None;
        let mut entries = Vec::with_capacity(self.entries.len());
        for (path, (what, reason)) in std::mem::take(&mut self.entries) {
            if whole.as_ref().is_some_and(|directory| path.starts_with(directory)) {
                continue;
            }
            if let What::Directory { .. } = what {
                whole = Some(path.clone());
            }
            entries.push(Entry { path, what, reason });
        }
        entries
    }
}
