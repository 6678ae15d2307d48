//! The root of an app jail (`root.from = "app:/usr/sbin/nginx"`): exactly the files that one
//! program needs, as far as they can be told without running it.
//!
//! In this order:
//!
//! 1. The program is found, and its `#!` interpreters ([`script`]) until an ELF file comes.
//! 2. The ELF file ([`elf`]) names its loader and its libraries; they are searched as that loader
//!    would: `DT_RPATH`, `DT_RUNPATH`, `/etc/ld.so.cache` ([`ldcache`]), default directories;
//!    then their libraries, and those that notes say are opened at run time.
//! 3. The same for programs, scripts and libraries among the listed files.
//! 4. What the C library reads: users and groups ([`users`]), name service, time zone, and what it opens
//!    itself.
//!
//! Every symbolic link on the way to a file is an entry of its own, so that each path which the
//! kernel or the loader opens on the host leads to the same file in the jail. Files that a
//! program only opens while it runs are found by tracing it, which will add entries with a
//! [`Reason`] of their own.
//!
//! The result is data: nothing on the host is changed, nothing is executed.

mod collect;
pub mod elf;
mod error;
mod files;
mod host;
pub mod ldcache;
mod libraries;
mod machine;
mod programs;
pub mod script;
mod search;
pub mod users;
mod writable;

pub use error::{BadFile, ClosureError};
pub use writable::{Directory, directories};

use collect::Collection;
use host::{Host, Node};
use programs::Programs;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Component, Path, PathBuf};

/// Where a program given by its bare name is searched, and what `env` in a script searches.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What an app jail is for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The host's root directory: `/`, except in tests.
    pub root: &'a Path,
    /// The program: an absolute path on the host, or a bare name that is searched in [`PATH`].
    pub program: &'a Path,
    /// `root.files`: absolute paths of further files, and of directories with all below them.
    pub files: &'a [PathBuf],
    /// The paths of `root.writable`: absolute, whether they are on the host or not.
    pub writable: &'a [PathBuf],
    /// `root.users`, `boot.user` and owners of `root.writable`: each `user`, `user:group` or numbers.
    pub users: &'a [String],
    /// Does the jail have a network? Then it knows the host's names for addresses and services.
    pub network: bool,
}

/// What an app jail holds.
#[derive(Debug)]
pub struct Closure {
    /// The program's absolute path, on the host as in the jail.
    pub program: PathBuf,
    /// Everything in the jail, sorted by path; the directories above each are implied.
    pub entries: Vec<Entry>,
    /// Where the writable directories are when the host's links are followed, in the order that they
    /// were asked for. Nothing in `entries` lies in them.
    pub writable: Vec<PathBuf>,
    /// What files in listed directories lack on this host, and libraries that notes call
    /// required although the program starts without them. They lack it outside the jail too.
    pub unmet: Vec<ClosureError>,
}

/// One thing in an app jail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it is in the jail; no component of its directory is a link.
    pub path: PathBuf,
    /// What is there.
    pub what: What,
    /// Why it is there.
    pub reason: Reason,
}

/// What an [`Entry`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A file of the host.
    File {
        /// Its path on the host, free of links when it was looked at: to be opened with
        /// `RESOLVE_NO_SYMLINKS`.
        source: PathBuf,
    },
    /// A directory of the host with all below it.
    Directory {
        /// Its path on the host, free of links when it was looked at: to be opened with
        /// `RESOLVE_NO_SYMLINKS`.
        source: PathBuf,
    },
    /// A symbolic link.
    Symlink {
        /// Where it leads; absolute, or from its directory.
        target: PathBuf,
    },
    /// A file made for this jail.
    Text {
        /// All of it.
        content: String,
    },
}

/// Why an [`Entry`] is there; as text, what follows "because it is".
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// It is the program.
    Program,
    /// A script is interpreted by it.
    Interpreter {
        /// The script.
        of: PathBuf,
    },
    /// The kernel starts it to load a program.
    Loader {
        /// The program.
        of: PathBuf,
    },
    /// A program or library is linked with it.
    LinkedBy {
        /// The program or library.
        of: PathBuf,
    },
    /// A program or library says in a note that it opens it at run time.
    OpenedBy {
        /// The program or library.
        of: PathBuf,
    },
    /// The configuration lists it, or a link in a directory that it lists leads there.
    Listed,
    /// It is a link on the way.
    LeadsTo {
        /// The path that is opened.
        path: PathBuf,
    },
    /// The C library reads it.
    System,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program => f.write_str("the program"),
            Self::Interpreter { of } => write!(f, "the interpreter of {}", of.display()),
            Self::Loader { of } => write!(f, "the loader of {}", of.display()),
            Self::LinkedBy { of } => write!(f, "linked by {}", of.display()),
            Self::OpenedBy { of } => write!(f, "opened by {}, says its note", of.display()),
            Self::Listed => f.write_str("listed in root.files"),
            Self::LeadsTo { path } => write!(f, "on the way to {}", path.display()),
            Self::System => f.write_str("read by the C library"),
        }
    }
}

/// Tells what an app jail holds.
///
/// # Errors
/// If the program, something it cannot start without, a listed file or a user is not on the
/// host, or cannot be read.
pub fn closure(request: &Request<'_>) -> Result<Closure, ClosureError> {
    let mut programs = Programs::new(Collection::new(Host::new(request.root)));
    let program = locate(&mut programs, request.program)?;
    let absent = || no_program(&mut Host::new(request.root), request.program);
    let process = programs.execute(&program, Reason::Program)?.ok_or_else(absent)?;
    files::add(&mut programs, &process, request.files)?;
    if process.has_glibc() {
        // Since glibc 2.34 they are part of libc itself; before, it opens them by name.
        let dns = request.network.then_some("libnss_dns.so.2");
        // Opened by glibc itself where a thread ends before its function returns; without it, it aborts.
        for library in ["libnss_files.so.2", "libgcc_s.so.1"].into_iter().chain(dns) {
            programs.open_by_name(&process, OsStr::new(library), &Reason::System)?;
        }
    }
    programs.add_system_file(Path::new("/etc/localtime"));
    let Programs { mut collection, unmet, .. } = programs;
    add_names(&mut collection, request)?;
    add_old_names(&mut collection);
    let writable = writable::add(&mut collection, request.writable)?;
    let entries = collection.take_entries();
    writable::check(&mut collection, &entries, &writable)?;
    Ok(Closure { program, entries, writable, unmet })
}

/// The absolute path of a program.
fn locate(programs: &mut Programs, program: &Path) -> Result<PathBuf, ClosureError> {
    if program.is_absolute() {
        return Ok(program.to_owned());
    }
    let mut components = program.components();
    let (Some(Component::Normal(name)), None) = (components.next(), components.next()) else {
        return Err(ClosureError::RelativeProgram(program.to_owned()));
    };
    programs.in_path(name).ok_or_else(|| no_program(&mut programs.collection.host, program))
}

/// The error for a program that is not there, with those of the same or nearly the same name.
fn no_program(host: &mut Host, program: &Path) -> ClosureError {
    let wanted = program.file_name().unwrap_or_default().to_string_lossy();
    let mut nearest = Vec::new();
    for directory in PATH.split(':').map(Path::new) {
        // Where /bin is a link to /usr/bin, that has been looked through already.
        let Ok(Some(place)) = host.walk(directory) else { continue };
        if place.real != directory {
            continue;
        }
        for name in host.list(directory).unwrap_or_default() {
            let far = distance(&wanted, &name.to_string_lossy());
            if far <= wanted.chars().count() / 4 {
                nearest.push((far, directory.join(name)));
            }
        }
    }
    nearest.sort();
    let nearest = nearest.into_iter().map(|(_, path)| path).take(3).collect();
    ClosureError::NoProgram { program: program.to_owned(), nearest }
}

/// How many letters must be put in, taken out or changed to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let cost = (diagonal + usize::from(x != *y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], cost);
        }
    }
    row[b.len()]
}

/// Directories that programs call by older names, such as /bin/sh: links on most hosts.
const OLD_NAMES: [&str; 5] = ["/bin", "/sbin", "/lib", "/lib64", "/var/run"];

/// Adds the host's links from older names to directories that the jail has.
fn add_old_names(collection: &mut Collection) {
    for path in OLD_NAMES.map(Path::new) {
        let Ok(Some(place)) = collection.host.walk(path) else { continue };
        if place.real == Path::new("/run") || collection.has_below(&place.real) {
            collection.add_links(path, &place);
        }
    }
}

/// Adds what names users, groups, hosts and services.
fn add_names(collection: &mut Collection, request: &Request<'_>) -> Result<(), ClosureError> {
    let mut read = |path: &str| {
        let read = collection.host.read(Path::new(path));
        read.map_err(|source| ClosureError::Read { path: path.into(), source })
    };
    let passwd = users::parse_passwd(&read("/etc/passwd")?.unwrap_or_default());
    let group = users::parse_group(&read("/etc/group")?.unwrap_or_default());
    let names = users::select(&passwd, &group, request.users).map_err(ClosureError::NoUsers)?;
    let hosts = if request.network { "files dns" } else { "files" };
    let nsswitch =
        format!("passwd: files\ngroup: files\nhosts: {hosts}\nservices: files\nprotocols: files\n");
    for (path, content) in
        [("/etc/passwd", names.passwd), ("/etc/group", names.group), ("/etc/nsswitch.conf", nsswitch)]
    {
        collection.insert(path.into(), What::Text { content }, Reason::System);
    }
    if !request.network {
        // Its own loopback has a name too.
        let content = "127.0.0.1 localhost\n::1 localhost\n".to_owned();
        collection.insert("/etc/hosts".into(), What::Text { content }, Reason::System);
        return Ok(());
    }
    // Some are links into /run, of which a jail has its own: what they lead to takes their place.
    for path in ["/etc/hosts", "/etc/resolv.conf", "/etc/services", "/etc/protocols"] {
        if let Ok(Some(place)) = collection.host.walk(Path::new(path))
            && matches!(place.node, Node::File { .. })
        {
            let source = collection.host.outside(&place.real);
            collection.insert(path.into(), What::File { source }, Reason::System);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
