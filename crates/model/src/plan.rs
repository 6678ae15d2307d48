//! A plan: all that a start does to the host and in the child, as data.
//!
//! [`plan`] is a pure function of a jail's configuration and what is known of the host and the
//! jail's root. `jaula plan NAME` prints its result; `launch` carries it out; nothing happens
//! to the host that is not in it.

pub mod call;
mod child;
mod flags;
mod host;
mod link;
mod tail;
pub mod traced;

use crate::boot::Kind;
use crate::config::{Config, MountSource, Owners, RootSpec, Writes};
use crate::confinement::Confinement;
use crate::facts::Facts;
use crate::guest::FixUp;
use crate::name::{Id, IdRange, Name};
use call::{Call, Fd, Text};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use traced::Traced;

pub use call::{Arg, Expect, Flag};
pub use host::{DELEGATED, DESCENDANTS, HostStep, Join};
pub use link::{Leads, Link, OnNet, Setting, Shared};
pub use tail::{LISTENER, exec, execute_here};

/// All that a start does.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What is done to the host, in order, and undone from the end.
    pub host: Vec<HostStep>,
    /// Mounted trees that the parent takes hold of for its child; they are nowhere on the host.
    pub trees: Vec<Tree>,
    /// The child's namespaces.
    pub namespaces: Vec<Namespace>,
    /// User ids, and group ids likewise, that the child's stand for.
    pub users: IdRange,
    /// See `users`; without root only the caller's own.
    pub groups: IdRange,
    /// The child's program.
    pub child: Vec<Step>,
    /// Does the child send the other end of its console?
    pub console: bool,
    /// What the host lacks for the full confinement, in words.
    pub warnings: Vec<String>,
}

/// A tree of mounts that the parent clones, before the child's program goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// Its name in the child's program.
    pub fd: Fd,
    /// Where it is on the host.
    pub path: PathBuf,
    /// With the mounts below it.
    pub recursive: bool,
    /// `MOUNT_ATTR_…`
    pub attributes: &'static [Flag],
    /// Is it a file system in a file, and not a directory? Then it is mounted, from a loop device.
    pub image: bool,
    /// Are its owners mapped into the jail's?
    pub mapped: bool,
    /// Why.
    pub why: Text,
}

/// A kind of namespace (namespaces(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// User and group ids, capabilities.
    User,
    /// Mounts.
    Mount,
    /// Processes.
    Pid,
    /// Host name.
    Uts,
    /// System V IPC and POSIX message queues.
    Ipc,
    /// Network.
    Net,
    /// The view of control groups.
    Cgroup,
}

/// One step of the child: a call and why it stands there.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The call.
    pub call: Call,
    /// Why.
    pub why: Text,
}

/// A jail that is to start: its configuration and what was found out for it.
#[derive(Clone, Debug)]
pub struct Jail<'a> {
    /// Its name.
    pub name: &'a Name,
    /// Its number.
    pub id: Id,
    /// What it is to be.
    pub config: &'a Config,
    /// The host.
    pub facts: &'a Facts,
    /// What holds its processes.
    pub confinement: &'a Confinement,
    /// What its first process is.
    pub first: &'a First,
    /// The files of an app jail; empty for others.
    pub app: &'a [AppEntry],
    /// Where the files of an app jail were put, if it has its own; then `app` is empty.
    pub taken: Option<Taken<'a>>,
    /// Where the files of a jail with a store are.
    pub stored: Option<&'a Stored>,
    /// What is not yet as it must be in the tree of a virtual server.
    pub guest: &'a [FixUp],
    /// The directories that an app jail may write to; empty for others.
    pub writable: &'a [Writable],
    /// Those sources of `mounts` that are no directories.
    pub files: &'a [PathBuf],
    /// The socket on the host where it says that it is ready (sd_notify(3)).
    pub notify: Option<&'a Path>,
    /// What its first process is.
    pub boot: crate::boot::Kind,
    /// That one as an executable file, if it is one of jaula's own.
    pub init: Option<&'a [u8]>,
    /// Does it live only as long as the command that made it (`run`)?
    pub passing: bool,
    /// What it has if it is traced; its root is the host's.
    pub traced: Option<&'a Traced>,
}

/// A process that is to be: the jail's first one, or one that `exec` brings in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct First {
    /// Where the program may be, in the order of trying; all but the last may be missing.
    pub programs: Vec<PathBuf>,
    /// The argument list, with its own name first.
    pub arguments: Vec<OsString>,
    /// The whole environment, as `NAME=value`.
    pub environment: Vec<OsString>,
    /// Where it starts; inside.
    pub directory: PathBuf,
    /// Does it start at `/` if it cannot start there? A login does, when there is no home.
    pub or_top: bool,
    /// Its user, inside.
    pub user: u32,
    /// Its group.
    pub group: u32,
    /// Its other groups.
    pub groups: Vec<u32>,
    /// What its standard input, output and error are.
    pub streams: [Stream; 3],
    /// Which init it is, if it is one. An init takes no terminal to be controlled by: that is for those who log
    /// in there.
    pub init: Kind,
}

/// What a standard stream of a process inside is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stream {
    /// The caller's, as it is; never a terminal.
    #[default]
    Caller,
    /// The jail's own new terminal.
    Terminal,
    /// `/dev/null`
    Null,
}

/// One file of an app jail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppEntry {
    /// Where it is inside, without the leading `/`.
    pub path: PathBuf,
    /// What it is.
    pub what: AppFile,
}

/// What a path of an app jail is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppFile {
    /// A file of the host.
    File(PathBuf),
    /// A directory of the host with all below it.
    Directory(PathBuf),
    /// A symbolic link.
    Link(PathBuf),
    /// A text that jaula writes.
    Text(String),
}

/// The files of an app jail that were copied or linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken<'a> {
    /// The tree of them.
    pub tree: &'a Path,
    /// Are some of them in `/tmp`?
    pub in_tmp: bool,
}

/// Where a jail's own files are (`root.store`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// `overlay`: in two layers.
    Layers {
        /// The template's tree.
        base: PathBuf,
        /// What holds `upper` and `work`: a directory, or the image of one.
        kept: PathBuf,
        /// Is it an image?
        image: bool,
    },
    /// `dir` and `btrfs`: in a directory.
    Directory(PathBuf),
    /// `image`: in a file system in a file.
    Image(PathBuf),
}

/// A directory that an app jail may write to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writable {
    /// Where it is inside, without the leading `/`; no component of it is a link.
    pub path: PathBuf,
    /// Where it is kept on the host; `None` if it is memory.
    pub kept: Option<PathBuf>,
    /// What must be made, parents first: itself and what is in it. Empty if it is there.
    pub make: Vec<Directory>,
}

/// A directory that is made in a [`Writable`] one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// Where it is: on the host if it is one of those, else below what it belongs to.
    pub path: PathBuf,
    /// Its user, by the jail's numbers.
    pub user: u32,
    /// Its group.
    pub group: u32,
    /// Its mode.
    pub mode: u32,
}

impl Writable {
    /// Is it a directory of `/run`, which is memory already?
    fn in_run(&self) -> bool {
        self.kept.is_none() && self.path.starts_with("run")
    }
}

impl Jail<'_> {
    /// What becomes of writes to the root.
    pub fn writes(&self) -> Writes {
        self.config.root.writes_in_force()
    }

    /// See [`crate::confinement::may_mount`]; without root a jail has no capability.
    fn may_mount(&self) -> bool {
        self.facts.root() && crate::confinement::may_mount(self.config, self.confinement.capabilities)
    }

    /// Has it control groups of its own, below its group of version 2?
    fn has_groups(&self) -> bool {
        self.boot.has_groups() && self.facts.root() && self.facts.cgroups.unified.is_some()
    }

    /// sysfs belongs to a network namespace; with the host's, only the host may mount it.
    fn has_sys(&self) -> bool {
        self.config.security.sys() && !self.config.network.mode.is_hosts()
    }

    fn mapped(&self) -> bool {
        self.facts.root() && self.config.root.owners_in_force() == Owners::Mapped
    }

    /// Where the jail keeps what it writes over its root, if that is a layer of its own; and is it
    /// an image?
    fn kept(&self) -> Option<(PathBuf, bool)> {
        match self.stored {
            _ if self.writes() != Writes::Kept => None,
            Some(Stored::Layers { kept, image, .. }) => Some((kept.clone(), *image)),
            Some(Stored::Directory(_) | Stored::Image(_)) => None,
            None => Some((self.facts.lib.join(self.name.as_str()).join("overlay"), false)),
        }
    }

    /// Is the root put together from layers? Otherwise its tree is the root itself.
    fn layered(&self) -> bool {
        self.writes() == Writes::Discarded
            || self.kept().is_some()
            || self.writes() == Writes::Refused && self.may_mount()
    }
}

/// The plan of a start.
pub fn plan(jail: &Jail<'_>) -> Plan {
    let facts = jail.facts;
    let (users, groups) = if facts.root() {
        (jail.id.range(), jail.id.range())
    } else {
        // One id can be had without a privileged helper: the caller's own.
        let own = |inside, outside| IdRange { inside, outside, count: 1 };
        (own(jail.first.user, facts.user), own(jail.first.group, facts.group))
    };
    Plan {
        host: host::steps(jail),
        trees: if facts.root() { trees(jail) } else { Vec::new() },
        namespaces: namespaces(jail),
        users,
        groups,
        child: child::program(jail),
        console: jail.first.streams.contains(&Stream::Terminal),
        warnings: warnings(jail),
    }
}

/// The mount points that every root must have.
pub(crate) const MOUNT_POINTS: &[&str] = &["proc", "sys", "dev", "run", "tmp"];

fn trees(jail: &Jail<'_>) -> Vec<Tree> {
    let mut trees = Vec::new();
    let mapped = jail.mapped();
    match &jail.config.root.from {
        _ if jail.stored.is_some() => trees.extend(jail.stored.map(|stored| own(jail, stored))),
        Some(RootSpec::Dir(path)) => trees.push(Tree {
            fd: "root".into(),
            path: path.clone(),
            recursive: false,
            image: false,
            attributes: child::root_attributes(jail),
            mapped,
            why: "the jail's root".into(),
        }),
        Some(RootSpec::Host) if jail.traced.is_some() => trees.extend(traced::trees(jail)),
        Some(RootSpec::Host) => trees.push(Tree {
            fd: "root".into(),
            path: PathBuf::from("/"),
            recursive: true,
            image: false,
            attributes: child::root_attributes(jail),
            mapped: false,
            why: "the host's own root".into(),
        }),
        Some(RootSpec::App(_)) => {
            trees.extend(jail.taken.map(|taken| Tree {
                fd: "root".into(),
                path: taken.tree.to_owned(),
                recursive: false,
                image: false,
                // Below an overlay as well: a hard link is the host's own file.
                attributes: child::READ_ONLY,
                mapped,
                why: "the jail's files, as they were taken".into(),
            }));
            for (n, (entry, source)) in child::sources(jail.app).enumerate() {
                trees.push(Tree {
                    fd: format!("file{n}").into(),
                    path: source.to_owned(),
                    recursive: false,
                    image: false,
                    attributes: child::READ_ONLY,
                    mapped,
                    why: format!("/{}", entry.path.display()).into(),
                });
            }
        }
        // These have a store.
        Some(
            RootSpec::Template(_)
            | RootSpec::Debootstrap(_)
            | RootSpec::Oci(_)
            | RootSpec::Clone(_)
            | RootSpec::Skeleton,
        )
        | None => {}
    }
    if let Some((path, image)) = jail.kept() {
        trees.push(Tree {
            fd: "kept".into(),
            path,
            recursive: false,
            image,
            attributes: &[],
            mapped,
            why: "what the jail writes".into(),
        });
    }
    for (n, writable) in jail.writable.iter().enumerate() {
        let Some(kept) = &writable.kept else { continue };
        trees.push(Tree {
            fd: format!("writable{n}").into(),
            path: kept.clone(),
            recursive: false,
            image: false,
            attributes: child::WRITABLE,
            mapped: jail.facts.root(),
            why: format!("root.writable: /{}", writable.path.display()).into(),
        });
    }
    if let Some(socket) = jail.notify {
        trees.push(Tree {
            fd: "notify".into(),
            path: socket.to_owned(),
            recursive: false,
            image: false,
            attributes: &[],
            mapped: false,
            why: "where it says that it is ready".into(),
        });
    }
    for (n, mount) in jail.config.mounts.iter().enumerate() {
        if let MountSource::Bind { path, mapped } = &mount.source {
            trees.push(Tree {
                fd: format!("mount{n}").into(),
                path: path.clone(),
                recursive: false,
                image: false,
                attributes: mount.attributes(),
                mapped: *mapped,
                why: format!("mounts: {}", mount.target.display()).into(),
            });
        }
    }
    trees
}

/// The jail's own files.
fn own(jail: &Jail<'_>, stored: &Stored) -> Tree {
    let (path, image) = match stored {
        Stored::Layers { base, .. } => (base, false),
        Stored::Directory(path) => (path, false),
        Stored::Image(path) => (path, true),
    };
    let shared = matches!(stored, Stored::Layers { .. });
    Tree {
        fd: "root".into(),
        path: path.clone(),
        recursive: false,
        image,
        attributes: if shared { child::READ_ONLY } else { child::root_attributes(jail) },
        mapped: jail.mapped(),
        why: if shared { "the template" } else { "the jail's root" }.into(),
    }
}

impl crate::config::Mount {
    /// The flags of the mount. Setuid programs on it never gain anything, devices never open.
    pub fn attributes(&self) -> &'static [Flag] {
        use flags::{MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY};
        match (self.writable, self.exec) {
            (true, true) => &[MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV],
            (true, false) => &[MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC],
            (false, true) => &[MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV],
            (false, false) => &[MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC],
        }
    }
}

/// The plan of a mount into a jail that runs: the tree, and what a child does that has the
/// tree, with the jail's first process as `$jail`. `file`: its source is no directory.
pub fn mount_live(mount: &crate::config::Mount, file: bool) -> Vec<Step> {
    child::mount_live(mount, file)
}

/// What a child does to take a mount out of a jail that runs.
pub fn unmount_live(target: &Path) -> Vec<Step> {
    child::unmount_live(target)
}

fn namespaces(jail: &Jail<'_>) -> Vec<Namespace> {
    use Namespace::{Cgroup, Ipc, Mount, Net, Pid, User, Uts};
    let mut all = vec![User, Mount, Pid, Uts, Ipc, Cgroup];
    if !jail.config.network.mode.is_hosts() {
        all.push(Net);
    }
    all
}

fn warnings(jail: &Jail<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    if jail.confinement.scoped && jail.facts.landlock < tail::LANDLOCK_SCOPES {
        warnings.push(
            "this kernel cannot keep the jail from the host's abstract unix sockets while it shares the \
             host's network; Linux 6.12 with Landlock can, or use network.mode = \"none\""
                .to_owned(),
        );
    }
    let decided = jail.facts.root() && jail.facts.cgroups.unified.is_some() && jail.facts.decides_ports;
    if jail.config.network.listen.is_some() && !decided {
        warnings.push(
            "network.listen is not enforced, the jail may listen on every port: that needs root, cgroup \
             version 2 and Linux 5.18 with CONFIG_CGROUP_BPF"
                .to_owned(),
        );
    }
    warnings
}
