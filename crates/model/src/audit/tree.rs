//! What lies in a jail's root, as far as it could be abused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is notable about something in the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trait {
    /// A program: a file that somebody may execute.
    Program,
    /// A setuid or setgid program on a mount where that counts.
    Setuid,
    /// A setuid or setgid program on a mount where that counts for nothing.
    SetuidInert,
    /// A program with file capabilities, wherever it is.
    Capable,
    /// A device node on a mount where it can be opened.
    Device,
    /// A device node on a mount where it cannot.
    DeviceInert,
    /// A unix socket of the host.
    HostSocket,
    /// A unix socket by which whoever reaches it commands the host.
    HostControl,
    /// A file that the jail's first process may write to.
    Writable,
    /// A program or library that it may write to.
    WritableProgram,
    /// A file or directory of the host's that it may write to.
    HostWritable,
    /// A directory where everybody may write and remove what is others'.
    WorldWritable,
    /// A shell.
    Shell,
    /// An interpreter of another language.
    Interpreter,
    /// A compiler, assembler or linker.
    Compiler,
    /// A package manager.
    PackageManager,
    /// A tool that fetches or listens.
    NetworkTool,
    /// A private key or password file that the first process may read.
    Secret,
}

/// What kind of file something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A character or block device.
    Device,
    /// A unix socket.
    Socket,
    /// A symbolic link, a FIFO.
    Other,
}

/// One thing in the root.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Where, inside; absolute.
    pub path: &'a Path,
    /// What.
    pub kind: Kind,
    /// Its permission bits with setuid, setgid and sticky.
    pub mode: u32,
    /// Its owner inside; none if that is nobody of the jail.
    pub user: Option<u32>,
    /// Its group inside.
    pub group: Option<u32>,
    /// Its length.
    pub size: u64,
    /// How it is mounted.
    pub mount: Mount,
    /// Has it file capabilities?
    pub capable: bool,
    /// Does its text begin as a private key?
    pub key: bool,
}

/// How a part of the root is mounted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// Can it be written to?
    pub writable: bool,
    /// Do setuid bits and file capabilities count on it?
    pub setuid: bool,
    /// Can devices on it be opened?
    pub devices: bool,
    /// Is it the host's, and not the jail's own?
    pub hosts: bool,
}

/// As whom the jail's first process goes through the tree.
#[derive(Clone, Debug, Default)]
pub struct Who {
    /// Its user.
    pub user: u32,
    /// Its groups.
    pub groups: Vec<u32>,
    /// Has it the capability to pass over permissions? That counts for owners of the jail only.
    pub overrides: bool,
}

/// How often something was found, and where first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// How often.
    pub count: u64,
    /// The first few, by path.
    pub examples: Vec<PathBuf>,
}

/// What was found in a root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Files that are no directories; one with several names counts once.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// The bytes of the files.
    pub bytes: u64,
    /// Directories that could not be read, or were too many.
    pub unseen: u64,
    /// What is notable.
    pub found: BTreeMap<Trait, Found>,
}

/// How many examples are kept of each.
const EXAMPLES: usize = 5;

impl Tree {
    /// What was found of this kind.
    pub fn of(&self, what: Trait) -> Found {
        self.found.get(&what).cloned().unwrap_or_default()
    }

    /// How often.
    pub fn count(&self, what: Trait) -> u64 {
        self.found.get(&what).map_or(0, |found| found.count)
    }

    /// Takes one thing in.
    pub fn note(&mut self, entry: &Entry<'_>, who: &Who) {
        match entry.kind {
            Kind::Directory => self.directories += 1,
            _ => {
                self.files += 1;
                self.bytes += if entry.kind == Kind::File { entry.size } else { 0 };
            }
        }
        let writes = entry.mount.writable && may(entry, who, 0o2);
        let mut add = |what| {
            let found = self.found.entry(what).or_default();
            found.count += 1;
            // By path, so that the order of the walk does not matter.
            let at = found.examples.partition_point(|known| known.as_path() < entry.path);
            if at < EXAMPLES {
                found.examples.insert(at, entry.path.to_owned());
                found.examples.truncate(EXAMPLES);
            }
        };
        match entry.kind {
            Kind::File => file(entry, who, writes, &mut add),
            Kind::Directory if writes && entry.mode & 0o1002 == 0o0002 => add(Trait::WorldWritable),
            Kind::Device => add(if entry.mount.devices { Trait::Device } else { Trait::DeviceInert }),
            // Whoever may write to a socket may speak to it, on a read-only mount too.
            Kind::Socket if entry.mount.hosts && may(entry, who, 0o2) => {
                add(if commands(entry.path) { Trait::HostControl } else { Trait::HostSocket });
            }
            _ => {}
        }
        if writes && entry.mount.hosts && matches!(entry.kind, Kind::File | Kind::Directory) {
            add(Trait::HostWritable);
        }
    }
}

fn file(entry: &Entry<'_>, who: &Who, writes: bool, add: &mut impl FnMut(Trait)) {
    let name = entry.path.file_name().unwrap_or_default().to_string_lossy();
    let program = entry.mode & 0o111 != 0;
    let library = name.ends_with(".so") || name.contains(".so.");
    if program {
        add(Trait::Program);
        names::of_program(&name).into_iter().for_each(&mut *add);
        if entry.mode & 0o6000 != 0 {
            add(if entry.mount.setuid { Trait::Setuid } else { Trait::SetuidInert });
        }
        if entry.capable && entry.mount.setuid {
            add(Trait::Capable);
        }
    }
    if writes {
        add(Trait::Writable);
        if program || library {
            add(Trait::WritableProgram);
        }
    }
    if may(entry, who, 0o4) && (entry.key || secrecy(entry.path) == Some(Secrecy::ByName) && entry.size > 0) {
        add(Trait::Secret);
    }
}

/// May it be used in this way (4 read, 2 write) by these permissions?
fn may(entry: &Entry<'_>, who: &Who, how: u32) -> bool {
    if who.overrides && entry.user.is_some() && entry.group.is_some() {
        return true;
    }
    let shift = if entry.user == Some(who.user) {
        6
    } else if entry.group.is_some_and(|group| who.groups.contains(&group)) {
        3
    } else {
        0
    };
    entry.mode >> shift & how != 0
}

/// How a file is known to be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrecy {
    /// Its name says it.
    ByName,
    /// Its first bytes may say it ([`is_key`]).
    ByContent,
}

/// Does the path look like that of a secret?
pub fn secrecy(path: &Path) -> Option<Secrecy> {
    // A name need not be text to end as a key's does.
    let name: &str = &path.file_name()?.to_string_lossy();
    let directory: &str = &path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    const NAMES: &[&str] = &[
        ".git-credentials",
        ".htpasswd",
        ".my.cnf",
        ".netrc",
        ".pgpass",
        "gshadow",
        "krb5.keytab",
        "shadow",
    ];
    const IN: &[(&str, &str)] = &[(".aws", "credentials"), (".docker", "config.json"), (".kube", "config")];
    if NAMES.contains(&name) || IN.contains(&(directory, name)) {
        return Some(Secrecy::ByName);
    }
    let key = name.ends_with(".key") || name.ends_with(".pem") || name.ends_with("_key");
    (key || name.starts_with("id_") && !name.ends_with(".pub")).then_some(Secrecy::ByContent)
}

/// Is that the beginning of a private key?
pub fn is_key(text: &[u8]) -> bool {
    const MARK: &[u8] = b"PRIVATE KEY-----";
    text.windows(MARK.len()).any(|window| window == MARK)
}

/// Does who reaches this socket command the host?
fn commands(path: &Path) -> bool {
    const NAMES: &[&str] = &[
        "containerd.sock",
        "control.socket",
        "crio.sock",
        "docker.sock",
        "libvirt-sock",
        "podman.sock",
        "private",
        "snapd.socket",
        "system_bus_socket",
    ];
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| NAMES.contains(&name))
}

mod names;

#[cfg(test)]
mod tests;
