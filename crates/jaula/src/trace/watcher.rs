//! Listens to a program's calls and writes down what they tell.

use super::interpreter::Interpreters;
use super::process::{Thread, path};
use super::sockets::Sockets;
use crate::error::{Error, Result};
use model::seccomp::{Abi, Arch, Call};
use model::trace::Touched;
use model::trace::calls::{At, Done, Tells, WATCHED};
use std::collections::{BTreeSet, HashMap};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;
use sys::notify::Listener;

/// How many paths are written down; a program that names more does so to no end.
const MOST: usize = 1 << 20;
const AT_FDCWD: i32 = -100;

/// A path as it was given: absolute, but otherwise as the program wrote it.
pub(super) type Raw = Vec<u8>;

/// What is known of a path while the program runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) touched: Touched,
    /// It was opened so that it is made if it is not there.
    pub(super) created: bool,
    /// It was opened for writing or reading, without a word about what it is.
    pub(super) opened: bool,
    /// It is only known as what a descriptor refers to.
    pub(super) by_descriptor: bool,
}

/// Listens to the calls of a jail's processes.
#[derive(Debug)]
pub(crate) struct Watcher {
    listener: Listener,
    /// By number.
    tells: Vec<Option<Tells>>,
    /// The jail's first process, which is jaula's own.
    first: i32,
    /// The process that began as the program.
    pub(crate) program: Option<i32>,
    pub(super) files: HashMap<Raw, Seen>,
    pub(super) sockets: Sockets,
    pub(super) users: BTreeSet<u32>,
    pub(super) groups: BTreeSet<u32>,
    /// By number.
    pub(super) calls: Vec<bool>,
    interpreters: Interpreters,
    /// Somebody has changed its root: paths may begin elsewhere.
    moved: bool,
    /// When something new was seen last.
    pub(crate) last: Instant,
}

impl Watcher {
    pub(crate) fn new(listener: OwnedFd, first: i32, arch: Arch) -> Self {
        let number = |call: Call| call.number(arch.native()).and_then(|n| usize::try_from(n).ok());
        let size = Call::all().filter_map(number).max().unwrap_or(0) + 1;
        let mut tells = vec![None; size];
        for watched in WATCHED {
            if let Some(n) = watched.call().and_then(number) {
                tells[n] = Some(watched.tells);
            }
        }
        Self {
            listener: Listener::new(listener),
            tells,
            first,
            program: None,
            files: HashMap::new(),
            sockets: Sockets::default(),
            users: BTreeSet::new(),
            groups: BTreeSet::new(),
            calls: vec![false; size],
            interpreters: Interpreters::default(),
            moved: false,
            last: Instant::now(),
        }
    }

    /// Does it wait for connections?
    pub(crate) fn listens(&self) -> bool {
        self.sockets.listens()
    }

    /// The next call: looked at, written down, let go.
    pub(crate) fn answer(&mut self) -> Result<()> {
        let heard = || Error::call("listen to the program");
        let Some(waiting) = self.listener.next().map_err(heard())? else { return Ok(()) };
        let number = usize::try_from(waiting.number).unwrap_or(usize::MAX);
        // Only the architecture's own calls are watched.
        let tells = self.tells.get(number).copied().flatten();
        let of_init = waiting.thread == self.first;
        let mut notes = Notes::default();
        if let Some(tells) = tells.filter(|_| !of_init) {
            self.note(Thread(&waiting), tells, &mut notes);
        }
        // Whatever was read of a thread that is gone may have been another's.
        if self.listener.go_on(&waiting).map_err(heard())? && !of_init {
            if let Some(called) = self.calls.get_mut(number) {
                *called = true;
            }
            self.keep(notes);
        }
        Ok(())
    }

    fn keep(&mut self, notes: Notes) {
        for (raw, seen) in notes.0 {
            if let Some(known) = self.files.get_mut(&raw) {
                known.touched.add(&seen.touched);
                known.created |= seen.created;
                known.opened |= seen.opened;
                known.by_descriptor &= seen.by_descriptor;
            } else if self.files.len() < MOST {
                self.files.insert(raw, seen);
                self.last = Instant::now();
            }
        }
    }

    fn note(&mut self, thread: Thread<'_>, tells: Tells, notes: &mut Notes) {
        match tells {
            Tells::Paths(all) => {
                for named in all {
                    let Some(raw) = self.at(thread, named.at) else { continue };
                    let seen = self.seen(thread, notes, raw);
                    match named.done {
                        Done::Look => {}
                        Done::Change => seen.touched.written = true,
                        Done::Make => seen.touched.made = true,
                        Done::Root => self.moved = true,
                    }
                }
            }
            Tells::Open(at, flags) => self.open(thread, notes, at, thread.int(flags)),
            Tells::OpenHow(at, how) => {
                let flags = thread.memory(thread.word(how), 4);
                let flags = flags.try_into().map(i32::from_ne_bytes).unwrap_or_default();
                self.open(thread, notes, at, flags);
            }
            Tells::Execute(at) => self.execute(thread, notes, at),
            Tells::List(fd) => {
                if let Some(raw) = thread.descriptor(thread.int(fd)) {
                    self.by_descriptor(thread, notes, raw).touched.listed = true;
                }
            }
            Tells::Map(fd) => {
                if let Some(raw) = thread.descriptor(thread.int(fd)) {
                    self.by_descriptor(thread, notes, raw).touched.mapped = true;
                }
            }
            Tells::Users(all) => Self::ids(&mut self.users, thread, all),
            Tells::Groups(all) => Self::ids(&mut self.groups, thread, all),
            Tells::GroupList => {
                let count = usize::try_from(thread.int(0)).unwrap_or(0).min(65536);
                let list = thread.memory(thread.word(1), count * 4);
                self.groups.extend(list.as_chunks().0.iter().map(|id| u32::from_ne_bytes(*id)));
            }
            Tells::Bind
            | Tells::Listen
            | Tells::Connect
            | Tells::SendTo
            | Tells::SendMessage
            | Tells::SendMessages => {
                let mut sockets = std::mem::take(&mut self.sockets);
                let before = sockets.known();
                let made = sockets.note(thread, tells, |raw| self.absolute(thread, None, raw));
                self.sockets = sockets;
                if let Some(raw) = made {
                    self.seen(thread, notes, raw).touched.made = true;
                }
                if self.sockets.known() != before {
                    self.last = Instant::now();
                }
            }
        }
    }

    fn ids(into: &mut BTreeSet<u32>, thread: Thread<'_>, arguments: &[u8]) {
        let given = arguments.iter().map(|n| thread.int(*n).cast_unsigned());
        into.extend(given.filter(|id| *id != u32::MAX));
    }

    fn open(&mut self, thread: Thread<'_>, notes: &mut Notes, at: At, flags: i32) {
        use sys::fs::{O_CREAT, O_PATH, O_RDWR, O_TRUNC, O_WRONLY};
        let Some(raw) = self.at(thread, at) else { return };
        let seen = self.seen(thread, notes, raw);
        if flags & O_PATH == O_PATH {
            return;
        }
        seen.opened = true;
        seen.touched.read |= flags & O_WRONLY == 0;
        seen.touched.written |= flags & (O_WRONLY | O_RDWR | O_TRUNC) != 0;
        seen.created |= flags & O_CREAT != 0;
    }

    fn execute(&mut self, thread: Thread<'_>, notes: &mut Notes, at: At) {
        let Some(raw) = self.at(thread, at).or_else(|| thread.descriptor(thread.int(at.directory?))) else {
            return;
        };
        self.program = self.program.or(Some(thread.0.thread));
        let more = self.interpreters.of(thread, path(&raw));
        self.seen(thread, notes, raw).touched.executed = true;
        for raw in more {
            self.seen(thread, notes, raw).touched.executed = true;
        }
    }

    /// What is known of a path that a call names; new in the notes, if it is not there yet.
    fn seen<'n>(&self, thread: Thread<'_>, notes: &'n mut Notes, raw: Raw) -> &'n mut Seen {
        let by = match self.files.contains_key(&raw) {
            true => Default::default(),
            false => thread.program(),
        };
        // What starts the first program is nobody's.
        let by = if by.as_os_str() == model::plan::traced::INIT { Default::default() } else { by };
        notes.add(raw, Seen { touched: Touched { by, ..Touched::default() }, ..Seen::default() })
    }

    fn by_descriptor<'n>(&self, thread: Thread<'_>, notes: &'n mut Notes, raw: Raw) -> &'n mut Seen {
        let seen = self.seen(thread, notes, raw);
        seen.by_descriptor = true;
        seen
    }

    /// The path that a call names. None if it names a descriptor, or nothing that could be.
    fn at(&self, thread: Thread<'_>, at: At) -> Option<Raw> {
        let raw = thread.text(thread.word(at.path))?;
        if raw.is_empty() {
            return None;
        }
        self.absolute(thread, at.directory.map(|n| thread.int(n)), &raw)
    }

    fn absolute(&self, thread: Thread<'_>, directory: Option<i32>, raw: &[u8]) -> Option<Raw> {
        let mut begin = match (raw.first(), directory) {
            (Some(b'/'), _) if !self.moved => return Some(raw.to_vec()),
            (Some(b'/'), _) => thread.link("root")?,
            (_, None | Some(AT_FDCWD)) => thread.link("cwd")?,
            (_, Some(fd)) => thread.descriptor(fd)?,
        };
        begin.push(b'/');
        begin.extend_from_slice(raw);
        Some(begin)
    }

    /// Of calls that were not watched nothing is known.
    pub(super) fn names(&self, arch: Arch) -> impl Iterator<Item = String> {
        let abi: Abi = arch.native();
        let made = (0u32..).zip(&self.calls).filter(|(_, made)| **made);
        made.filter_map(move |(n, _)| Some(Call::from_number(abi, n)?.name().to_owned()))
    }
}

impl AsFd for Watcher {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

/// What one call tells, until it is certain that it was this call.
#[derive(Debug, Default)]
struct Notes(Vec<(Raw, Seen)>);

impl Notes {
    fn add(&mut self, raw: Raw, seen: Seen) -> &mut Seen {
        self.0.push((raw, seen));
        let last = self.0.len() - 1;
        &mut self.0[last].1
    }
}
