//! What the jail of a traced program has that others have not: the host's root as a whole, with its
//! owners, below a layer that is forgotten; the directories of the host's `/run`; and a first process
//! of jaula's, so that the program may fork and leave.

use super::child::{Steps, bind, fd, mkdir, mount, place_tree, text};
use super::flags::*;
use super::{Arg, Call, Directory, Expect, Flag, Jail, MOUNT_POINTS, Tree};
use std::path::{Path, PathBuf};

/// A traced start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traced {
    /// The host's file systems, each after the one that it is mounted in; `/` is the first. Without
    /// root, its top directories.
    pub layers: Vec<Layer>,
    /// Without root, the links at the top, and where they lead.
    pub links: Vec<(PathBuf, PathBuf)>,
    /// Directories of the host's `/run`, each after the one that it is in.
    pub run: Vec<Directory>,
    /// How much the program may write, in bytes.
    pub memory: u64,
    /// The first process, an executable file.
    pub init: Vec<u8>,
}

/// A file system of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Where it is mounted.
    pub at: Directory,
    /// Can the program write over it, for as long as it lives? If not, it is only read.
    pub written: bool,
    /// Are its owners mapped?
    pub mapped: bool,
}

/// Where the first process is.
pub const INIT: &str = "/run/jaula-init";

/// How many files a program may make.
const INODES: u32 = 262_144;

impl Traced {
    /// The options of the scratch, which holds what is written.
    pub(super) fn scratch(&self) -> String {
        format!("mode=755,size={},nr_inodes={INODES}", self.memory)
    }
}

const READ: &[Flag] = &[MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV];
const WRITTEN: &[Flag] = &[MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV];

pub(super) fn trees(jail: &Jail<'_>) -> impl Iterator<Item = Tree> {
    let root = jail.facts.root();
    let layers = jail.traced.into_iter().flat_map(|traced| &traced.layers).enumerate();
    layers.filter(move |(_, layer)| root || !layer.written).map(move |(n, layer)| Tree {
        fd: format!("layer{n}").into(),
        path: layer.at.path.clone(),
        recursive: !root,
        image: false,
        attributes: if layer.written { WRITTEN } else { READ },
        mapped: layer.mapped,
        why: format!("the host's {}", layer.at.path.display()).into(),
    })
}

/// Each of the host's file systems below a layer in memory.
///
/// Without root the kernel lays nothing over a file system of the host in which another is mounted, and
/// `/` always has some: so it is done for each directory at the top.
pub(super) fn root(steps: &mut Steps, jail: &Jail<'_>) {
    let by_path = !jail.facts.root();
    if by_path {
        steps.say("a root to put them in", bind("root", "root"));
        for name in MOUNT_POINTS {
            steps.and(mkdir(format!("root/{name}"), if *name == "tmp" { 0o1777 } else { 0o755 }));
        }
        for (at, to) in jail.traced.into_iter().flat_map(|traced| &traced.links) {
            let at = text(format!("root{}", at.display()));
            steps.and(Call::new("symlinkat", [text(to.to_string_lossy().into_owned()), Arg::Here, at]));
        }
    }
    for (n, layer) in jail.traced.into_iter().flat_map(|traced| &traced.layers).enumerate() {
        let at = format!("root{}", layer.at.path.display());
        let at = at.trim_end_matches('/').to_owned();
        let tree = format!("layer{n}");
        let why = format!("the host's {}", layer.at.path.display());
        if by_path && !MOUNT_POINTS.iter().any(|name| layer.at.path == Path::new("/").join(name)) {
            steps.and(mkdir(at.clone(), 0o755));
        }
        if !layer.written {
            steps.say(why, place_tree(tree, at));
            continue;
        }
        let lower = if by_path { layer.at.path.display().to_string() } else { format!("lower{n}") };
        if !by_path {
            steps.say(why, mkdir(lower.clone(), 0o755));
            steps.and(place_tree(tree, lower.clone()));
        }
        // The directory of the upper layer is what the root of both shows.
        make(steps, &Directory { path: format!("upper{n}").into(), ..layer.at.clone() });
        steps.and(mkdir(format!("work{n}"), 0o700));
        let layers = format!("userxattr,lowerdir={lower},upperdir=upper{n},workdir=work{n}");
        steps.and(mount("jaula", at, Some("overlay"), &[MS_NODEV, MS_NOSUID], layers));
    }
    if by_path {
        // An overlay does not write into a directory whose owner is nobody in the jail.
        steps.say("a place to write, in memory", mkdir("var-tmp", 0o1777));
        steps.and(bind("var-tmp", "root/var/tmp").expect(Expect::OrAbsent));
    }
}

/// What is in `/run` before the program begins.
pub(super) fn run(steps: &mut Steps, jail: &Jail<'_>) {
    let Some(traced) = jail.traced else { return };
    for directory in &traced.run {
        let path = directory.path.strip_prefix("/").unwrap_or(&directory.path);
        make(steps, &Directory { path: path.to_owned(), ..directory.clone() });
    }
    own_init(steps, &traced.init);
}

/// Puts a first process of jaula's own into `/run`.
pub(super) fn own_init(steps: &mut Steps, file: &[u8]) {
    let flags: &'static [Flag] = &[O_WRONLY, O_CREAT, O_EXCL, O_CLOEXEC];
    let at = INIT.trim_start_matches('/');
    steps.say(
        "the first process, which waits for all that is left",
        Call::new("openat", [Arg::Here, text(at), Arg::Flags(flags), Arg::Mode(0o555)]).into("init"),
    );
    steps.and(Call::new("write", [fd("init"), Arg::Bytes(file.to_vec()), Arg::LengthOfLast]));
    steps.and(Call::new("close", [fd("init")]));
}

fn make(steps: &mut Steps, directory: &Directory) {
    let path = directory.path.to_string_lossy().into_owned();
    steps.and(mkdir(path.clone(), directory.mode & 0o7777));
    if (directory.user, directory.group) != (0, 0) {
        let [user, group] = [directory.user, directory.group].map(|id| Arg::Number(id.into()));
        steps.and(Call::new("fchownat", [Arg::Here, text(path.clone()), user, group, Arg::Number(0)]));
    }
    // What mkdir(2) does not make, and a change of owner takes away.
    if directory.mode & 0o6000 != 0 {
        steps.and(Call::new("fchmodat", [Arg::Here, text(path), Arg::Mode(directory.mode & 0o7777)]));
    }
}

/// Is a file system of this type one of the kernel's own, which shows the host and holds no files?
pub fn is_kernels(kind: &str) -> bool {
    const KINDS: &[&str] = &[
        "autofs",
        "binder",
        "binfmt_misc",
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "debugfs",
        "devpts",
        "devtmpfs",
        "efivarfs",
        "fuse.lxcfs",
        "fusectl",
        "hugetlbfs",
        "mqueue",
        "nsfs",
        "proc",
        "pstore",
        "resctrl",
        "rpc_pipefs",
        "securityfs",
        "selinuxfs",
        "smackfs",
        "sysfs",
        "tracefs",
    ];
    KINDS.contains(&kind)
}

/// Is a mount there that a traced program sees otherwise: the jail's own `/dev`, `/proc`, `/run`, `/sys`?
pub fn is_the_jails(path: &Path) -> bool {
    ["/dev", "/proc", "/run", "/sys"].iter().any(|own| path.starts_with(own))
}
