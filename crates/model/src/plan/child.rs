//! The child's half of a start: one linear list, from the first breath to the jail's program.
//!
//! The child builds the jail's root in a small file system in memory (the *scratch*), mounted
//! over `/proc` in the child's own mount namespace: a directory that every host has and every
//! child may reach, wherever jaula's own are. Nobody else can reach it,
//! so within it plain mount(2) with relative paths is safe and takes one call where the new
//! interface takes four to seven. What enters the jail's own tree, which may hold any symbolic
//! link, enters by descriptor: move_mount(2) follows no link in its last component, and longer
//! paths are first opened with openat2(2) `RESOLVE_IN_ROOT`.

use super::call::{Arg, Call, Expect, Flag, Text};
use super::flags::*;
use super::{AppEntry, AppFile, Jail, Step, Stream, tail};
use crate::config::{Mount, MountSource, NetworkMode, Profile, RootSpec, Writes};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub(super) const READ_ONLY: &[Flag] = &[MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV];

/// The sequence. Each verb is below, in this order.
pub(super) fn program(jail: &Jail<'_>) -> Vec<Step> {
    let mut steps = Steps(Vec::with_capacity(160));
    alone(&mut steps, jail);
    meet(&mut steps, jail);
    trees(&mut steps, jail);
    scratch(&mut steps, jail);
    root(&mut steps, jail);
    devices(&mut steps, jail);
    processes(&mut steps, jail);
    system(&mut steps, jail);
    memory(&mut steps, jail);
    mounts(&mut steps, jail);
    hide(&mut steps, jail);
    enter(&mut steps);
    tail::confine(&mut steps, jail.confinement, jail.first, jail.facts);
    tail::execute(&mut steps, jail.confinement, jail.first, jail.passing);
    steps.0
}

/// A list of steps that is being written.
pub(super) struct Steps(pub(super) Vec<Step>);

impl Steps {
    pub(super) fn say(&mut self, why: impl Into<Text>, call: Call) {
        self.0.push(Step { call, why: why.into() });
    }

    /// One more call for the reason of the step before.
    pub(super) fn and(&mut self, call: Call) {
        self.say("", call);
    }
}

pub(super) fn prctl(option: Flag, args: &[u64]) -> Call {
    let option = match option {
        PR_SET_PDEATHSIG => &[PR_SET_PDEATHSIG],
        PR_SET_KEEPCAPS => &[PR_SET_KEEPCAPS],
        PR_SET_NO_NEW_PRIVS => &[PR_SET_NO_NEW_PRIVS],
        PR_CAPBSET_DROP => &[PR_CAPBSET_DROP],
        _ => &[PR_CAP_AMBIENT][..],
    };
    let mut all = vec![Arg::Flags(option)];
    all.extend(args.iter().map(|n| Arg::Number(*n)));
    all.resize(5, Arg::Number(0));
    Call::new("prctl", all)
}

fn text(text: impl Into<Text>) -> Arg {
    Arg::Text(text.into())
}

fn path(path: &Path) -> Arg {
    Arg::Text(path.to_string_lossy().into_owned().into())
}

fn fd(name: impl Into<super::Fd>) -> Arg {
    Arg::Fd(name.into())
}

fn mkdir(name: impl Into<Text>, mode: u32) -> Call {
    Call::new("mkdirat", [Arg::Here, text(name), Arg::Mode(mode)])
}

const S_IFREG: u32 = 0o100_000;

fn touch(name: impl Into<Text>) -> Call {
    Call::new("mknodat", [Arg::Here, text(name), Arg::Mode(S_IFREG | 0o444), Arg::Number(0)])
}

/// mount(2) within the scratch.
fn mount(
    what: impl Into<Text>,
    at: impl Into<Text>,
    kind: Option<&'static str>,
    flags: &'static [Flag],
    data: impl Into<Text>,
) -> Call {
    let kind = kind.map_or(Arg::Null, text);
    Call::new("mount", [text(what), text(at), kind, Arg::Flags(flags), text(data)])
}

fn bind(what: impl Into<Text>, at: impl Into<Text>) -> Call {
    Call::new("mount", [text(what), text(at), Arg::Null, Arg::Flags(&[MS_BIND]), Arg::Null])
}

fn set_attributes(at: impl Into<Text>, how: &'static [Flag], attributes: &'static [Flag]) -> Call {
    Call::new(
        "mount_setattr",
        [Arg::Here, text(at), Arg::Flags(how), Arg::MountAttr(attributes), Arg::Number(32)],
    )
}

/// Moves a mount of the scratch onto a name of the jail's root. A symbolic link there is not
/// followed: the call fails on it.
fn place(what: &'static str, at: &'static str) -> Call {
    Call::new("move_mount", [Arg::Here, text(what), Arg::Here, text(at), Arg::Number(0)])
}

/// Moves a tree that has a descriptor onto a path of the scratch.
fn place_tree(tree: impl Into<super::Fd>, at: impl Into<Text>) -> Call {
    Call::new("move_mount", [fd(tree), text(""), Arg::Here, text(at), Arg::Flags(&[MOVE_MOUNT_F_EMPTY_PATH])])
}

/// Takes hold of the host's trees, before anything is mounted over them. An administrator's
/// parent has them ready, their owners mapped; without root only the child may clone one, in
/// its own user namespace.
fn trees(steps: &mut Steps, jail: &Jail<'_>) {
    if jail.facts.root() {
        return;
    }
    for tree in super::trees(jail) {
        let (clone, how): (&'static [Flag], &'static [Flag]) = if tree.recursive {
            (&[OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC, AT_RECURSIVE], &[AT_EMPTY_PATH, AT_RECURSIVE])
        } else {
            (&[OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC], &[AT_EMPTY_PATH])
        };
        let open = Call::new("open_tree", [Arg::Here, path(&tree.path), Arg::Flags(clone)]);
        steps.say(tree.why, open.into(tree.fd.clone()));
        if !tree.attributes.is_empty() {
            let args =
                [fd(tree.fd), text(""), Arg::Flags(how), Arg::MountAttr(tree.attributes), Arg::Number(32)];
            steps.and(Call::new("mount_setattr", args));
        }
    }
}

/// What needs no user of the jail yet, done while the parent maps them.
fn alone(steps: &mut Steps, jail: &Jail<'_>) {
    steps.say(
        "only the parent holds its end: its death is the end of this socket",
        Call::new("close", [fd("parent")]),
    );
    steps.say(
        "no mount of the host's may follow, nor be followed",
        set_attributes("/", &[AT_RECURSIVE], &[MS_PRIVATE]),
    );
    let hostname = jail.config.hostname.clone().unwrap_or_else(|| jail.name.to_string());
    steps.say("its name", Call::new("sethostname", [Arg::Bytes(hostname.into_bytes()), Arg::LengthOfLast]));
    if jail.config.network.mode == NetworkMode::None {
        steps.say(
            "loopback up",
            Call::new("socket", [Arg::Flags(&[AF_INET]), Arg::Flags(&[SOCK_DGRAM_CLOEXEC]), Arg::Number(0)])
                .into("loopback"),
        );
        // struct ifreq: the interface's name, then its flags: IFF_UP | IFF_RUNNING.
        let request = vec![u64::from_le_bytes(*b"lo\0\0\0\0\0\0").to_le(), 0, 0x41, 0, 0];
        steps.and(Call::new(
            "ioctl",
            [fd("loopback"), Arg::Flags(&[SIOCSIFFLAGS]), Arg::Words("lo: UP|RUNNING ", request)],
        ));
    }
}

fn meet(steps: &mut Steps, jail: &Jail<'_>) {
    steps.say(
        "wait: the parent maps the ids and moves this process where it belongs",
        Call::new("read", [fd("meeting"), Arg::Buffer(8), Arg::Number(8)]).expect(Expect::Exactly(1)),
    );
    let (user, group) = if jail.facts.root() { (0, 0) } else { (jail.first.user, jail.first.group) };
    steps.say("be a user of the jail from here", Call::new("setresgid", vec![Arg::Number(group.into()); 3]));
    steps.and(Call::new("setresuid", vec![Arg::Number(user.into()); 3]));
    steps.say(
        "the parent's death is this process's, until the jail is whole",
        prctl(PR_SET_PDEATHSIG, &[SIGKILL.1]),
    );
    steps.say("modes below are meant as they stand", Call::new("umask", [Arg::Mode(0)]));
}

fn scratch(steps: &mut Steps, jail: &Jail<'_>) {
    // Room for what the jail may write to a discarded root; else for /tmp, /run and /dev/shm.
    let size = if jail.writes() == Writes::Discarded { "mode=755,size=50%" } else { "mode=755,size=128m" };
    steps.say(
        "the scratch: memory to build the root in",
        mount("jaula", "/proc", Some("tmpfs"), &[MS_NOSUID, MS_NODEV], size),
    );
    steps.and(Call::new("chdir", [text("/proc")]));
    for directory in ["root", "dev", "new", "mask", "mask/dir"] {
        steps.and(mkdir(directory, 0o755));
    }
    steps.say("an empty file and directory of our own, to hide others with", touch("mask/file"));
    steps.and(bind("mask", "mask"));
    steps.and(set_attributes(
        "mask",
        &[],
        &[MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC],
    ));
}

/// The flags of the mount that is the root.
pub(super) fn root_attributes(jail: &Jail<'_>) -> &'static [Flag] {
    let setuid = jail.config.security.profile == Profile::Server;
    match (jail.writes() == Writes::Refused, setuid) {
        (true, false) => READ_ONLY,
        (true, true) => &[MOUNT_ATTR_RDONLY, MOUNT_ATTR_NODEV],
        (false, false) => &[MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV],
        (false, true) => &[MOUNT_ATTR_NODEV],
    }
}

fn root(steps: &mut Steps, jail: &Jail<'_>) {
    // Below an overlay the tree is a layer of its own; otherwise it is the root itself.
    let layered = jail.writes() != Writes::Refused;
    let base = if layered { "lower" } else { "root" };
    if layered {
        steps.say("the layer that is only read", mkdir("lower", 0o755));
    }
    match &jail.config.root.from {
        Some(RootSpec::Dir(_)) => {
            steps.say("the jail's root, owners mapped", place_tree("root", base));
        }
        Some(RootSpec::Host) => {
            steps.say("the host's own root", place_tree("root", base));
        }
        Some(RootSpec::App(_)) => skeleton(steps, jail, base),
        None => {}
    }
    if layered {
        overlay(steps, jail);
    }
    if let Some(RootSpec::App(_)) = &jail.config.root.from {
        files(steps, jail, layered);
    }
}

fn overlay(steps: &mut Steps, jail: &Jail<'_>) {
    let upper = if jail.writes() == Writes::Kept {
        steps.say("the layer that keeps what is written", mkdir("kept", 0o700));
        steps.and(place_tree("kept", "kept"));
        "kept/upper"
    } else {
        steps.say("the layer that is written to, in memory", mkdir("upper", 0o755));
        steps.and(mkdir("work", 0o700));
        "upper"
    };
    let work = if upper == "upper" { "work" } else { "kept/work" };
    // userxattr: in a user namespace overlayfs may keep its notes in user.* attributes only.
    let data = format!("userxattr,lowerdir=lower,upperdir={upper},workdir={work}");
    let flags: &'static [Flag] =
        if jail.config.security.profile == Profile::Server { &[MS_NODEV] } else { &[MS_NODEV, MS_NOSUID] };
    steps.say("both layers are the root", mount("jaula", "root", Some("overlay"), flags, data));
}

/// The paths of an app jail's files, with the index of the tree that each is bound from.
pub(super) fn sources(app: &[AppEntry]) -> impl Iterator<Item = (&AppEntry, &Path)> {
    app.iter().filter_map(|entry| match &entry.what {
        AppFile::File(source) | AppFile::Directory(source) => Some((entry, source.as_path())),
        AppFile::Link(_) | AppFile::Text(_) => None,
    })
}

/// The directories, links and empty files of an app jail, in the order that they need.
fn skeleton(steps: &mut Steps, jail: &Jail<'_>, base: &str) {
    let mut directories: BTreeSet<PathBuf> = super::MOUNT_POINTS.iter().map(PathBuf::from).collect();
    directories.insert("tmp".into());
    let parents = |path: &Path, all: &mut BTreeSet<PathBuf>| {
        all.extend(path.ancestors().skip(1).filter(|a| !a.as_os_str().is_empty()).map(PathBuf::from));
    };
    for entry in jail.app {
        parents(&entry.path, &mut directories);
        if matches!(entry.what, AppFile::Directory(_)) {
            directories.insert(entry.path.clone());
        }
    }
    for mount in &jail.config.mounts {
        let target = mount.target.strip_prefix("/").unwrap_or(&mount.target);
        if !is_free(jail, target) {
            continue;
        }
        parents(target, &mut directories);
        if !is_file(jail, mount) {
            directories.insert(target.to_owned());
        }
    }
    // A directory that is a link elsewhere (`lib64 -> usr/lib64`) holds nothing of its own.
    for entry in jail.app.iter().filter(|e| matches!(e.what, AppFile::Link(_))) {
        directories.remove(&entry.path);
    }
    steps.say("the directories of the program's files", mkdir_all(base, directories.iter().next()));
    for directory in directories.iter().skip(1) {
        steps.and(mkdir_all(base, Some(directory)));
    }
    let free = |m: &&crate::config::Mount| is_free(jail, m.target.strip_prefix("/").unwrap_or(&m.target));
    for mount in jail.config.mounts.iter().filter(|m| is_file(jail, m)).filter(free) {
        steps.and(touch(format!("{base}{}", mount.target.display())).expect(Expect::OrThere));
    }
    for entry in jail.app {
        let at = format!("{base}/{}", entry.path.display());
        match &entry.what {
            AppFile::File(_) => steps.and(touch(at)),
            AppFile::Link(to) => steps.and(Call::new("symlinkat", [path(to), Arg::Here, text(at)])),
            AppFile::Text(content) => {
                let flags: &'static [Flag] = &[O_WRONLY, O_CREAT, O_EXCL, O_CLOEXEC];
                let made = format!("text{}", steps.0.len());
                steps.and(
                    Call::new("openat", [Arg::Here, text(at), Arg::Flags(flags), Arg::Mode(0o644)])
                        .into(made.clone()),
                );
                steps.and(Call::new(
                    "write",
                    [fd(made.clone()), Arg::Bytes(content.clone().into_bytes()), Arg::LengthOfLast],
                ));
                steps.and(Call::new("close", [fd(made)]));
            }
            AppFile::Directory(_) => {}
        }
    }
}

/// Is what is mounted no directory?
fn is_file(jail: &Jail<'_>, mount: &Mount) -> bool {
    matches!(&mount.source, MountSource::Bind { path, .. } if jail.files.contains(path))
}

/// May the target of a mount be made in the skeleton? Not where the program has a file already;
/// and behind a link only when the root stands, since here it would lead to the host's own files.
fn is_free(jail: &Jail<'_>, target: &Path) -> bool {
    let link = |path: &Path, entry: &AppEntry| entry.path == path && matches!(entry.what, AppFile::Link(_));
    let linked = |path: &Path| jail.app.iter().any(|entry| link(path, entry));
    !jail.app.iter().any(|entry| entry.path == target) && !target.ancestors().any(linked)
}

fn mkdir_all(base: &str, directory: Option<&PathBuf>) -> Call {
    let directory = directory.map(|d| d.display().to_string()).unwrap_or_default();
    let mode = if directory == "tmp" || directory == "var/tmp" { 0o1777 } else { 0o755 };
    mkdir(format!("{base}/{directory}"), mode)
}

fn files(steps: &mut Steps, jail: &Jail<'_>, layered: bool) {
    for (n, (entry, _)) in sources(jail.app).enumerate() {
        let name = format!("file{n}");
        steps.say(
            format!("/{}", entry.path.display()),
            place_tree(name, format!("root/{}", entry.path.display())),
        );
    }
    if !layered {
        steps.say("the whole of it is only read", bind_tree("root"));
        steps.and(set_attributes("root", &[AT_RECURSIVE], READ_ONLY));
    }
}

fn bind_tree(at: &'static str) -> Call {
    Call::new("mount", [text(at), text(at), Arg::Null, Arg::Flags(&[MS_BIND, MS_REC]), Arg::Null])
}

/// Terminals, and the harmless devices: the host's own nodes, since nobody but the host's
/// root may make any.
fn devices(steps: &mut Steps, jail: &Jail<'_>) {
    steps.say("a fresh /dev", bind("dev", "dev"));
    for (name, mode) in [("pts", 0o755), ("shm", 0o1777)] {
        steps.and(mkdir(format!("dev/{name}"), mode));
    }
    // Every process has a terminal of its own under this name, if it has one.
    for name in jail.config.security.devices().into_iter().chain(["tty"]) {
        steps.say(format!("/dev/{name}"), touch(format!("dev/{name}")));
        steps.and(bind(format!("/dev/{name}"), format!("dev/{name}")));
    }
    let links = [
        ("fd", "/proc/self/fd"),
        ("stdin", "fd/0"),
        ("stdout", "fd/1"),
        ("stderr", "fd/2"),
        ("ptmx", "pts/ptmx"),
    ];
    for (name, to) in links {
        steps.and(Call::new("symlinkat", [text(to), Arg::Here, text(format!("dev/{name}"))]));
    }
    // The group `tty` is 5 in every distribution; an own map of one id does not have it.
    let data = if jail.facts.root() { "gid=5,mode=620,ptmxmode=666" } else { "mode=620,ptmxmode=666" };
    steps.say(
        "terminals of its own",
        mount("devpts", "dev/pts", Some("devpts"), &[MS_NOSUID, MS_NOEXEC], data),
    );
    if jail.first.streams.contains(&Stream::Terminal) {
        console(steps);
    }
    steps.say("into the root", place("dev", "root/dev"));
}

/// The first terminal of the jail is its console; the other end goes to the parent.
fn console(steps: &mut Steps) {
    let flags: &'static [Flag] = &[O_RDWR, O_NOCTTY, O_CLOEXEC];
    steps.say(
        "the console: one end is the jail's",
        Call::new("openat", [Arg::Here, text("dev/pts/ptmx"), Arg::Flags(flags), Arg::Mode(0)])
            .into("console"),
    );
    steps.and(Call::new("ioctl", [fd("console"), Arg::Flags(&[TIOCSPTLCK]), Arg::Buffer(8)]));
    steps.and(
        Call::new("ioctl", [fd("console"), Arg::Flags(&[TIOCGPTPEER]), Arg::Flags(flags)]).into("terminal"),
    );
    steps.and(touch("dev/console"));
    steps.and(bind("dev/pts/0", "dev/console"));
    steps.say(
        "the other the parent's",
        Call::new("sendmsg", [fd("meeting"), Arg::SendFd("console".into()), Arg::Number(0)]),
    );
}

/// What tells of the host's hardware and keys, or acts on the host.
const PROC_HIDDEN: &[&str] = &[
    "acpi",
    "asound",
    "kcore",
    "keys",
    "kmsg",
    "latency_stats",
    "sched_debug",
    "scsi",
    "sysrq-trigger",
    "timer_list",
];
/// Directories among them; the rest are files.
const PROC_DIRECTORIES: &[&str] = &["acpi", "asound", "scsi"];
/// What has files that root writes to.
const PROC_READ_ONLY: &[&str] = &["bus", "fs", "irq", "sys"];

fn processes(steps: &mut Steps, jail: &Jail<'_>) {
    if jail.config.security.proc == Some(false) {
        cover(steps, jail, "proc", "root/proc");
        return;
    }
    let strict = jail.config.security.profile == Profile::Strict;
    let (why, subset) = match strict {
        true => ("its own processes and nothing else", "subset=pid"),
        false => ("its own processes", ""),
    };
    steps.say(why, mount("proc", "new", Some("proc"), &[MS_NOSUID, MS_NODEV, MS_NOEXEC], subset));
    if !strict {
        // What this kernel does not have needs no hiding; to ask it first costs more.
        for name in PROC_HIDDEN {
            let mask = if PROC_DIRECTORIES.contains(name) { "mask/dir" } else { "mask/file" };
            let hide = bind(mask, format!("new/{name}")).expect(Expect::OrAbsent);
            steps.say(format!("/proc/{name} is the host's"), hide);
        }
        // A server sets what belongs to its own namespaces; the kernel refuses it the rest.
        let server = jail.config.security.profile == Profile::Server;
        for name in PROC_READ_ONLY.iter().filter(|n| !(server && **n == "sys")) {
            let at = format!("new/{name}");
            let again = bind(at.clone(), at.clone()).expect(Expect::OrAbsent);
            steps.say(format!("/proc/{name} is only read"), again);
            let attributes: &'static [Flag] =
                &[MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC];
            steps.and(set_attributes(at, &[], attributes).expect(Expect::OrAbsent));
        }
    }
    steps.say("into the root", place("new", "root/proc"));
}

/// The host's own root comes with the host's `/proc` and `/sys`, which tell of all its processes
/// and devices: a jail without its own sees an empty directory there.
fn cover(steps: &mut Steps, jail: &Jail<'_>, name: &'static str, at: &'static str) {
    if jail.config.root.from == Some(RootSpec::Host) {
        steps.say(format!("not the host's /{name}"), bind("mask/dir", "new"));
        steps.and(place("new", at));
    }
}

fn system(steps: &mut Steps, jail: &Jail<'_>) {
    // sysfs belongs to a network namespace; with the host's, only the host may mount it, and a
    // program that does not look after hardware misses nothing.
    let wanted = jail.config.security.sys.unwrap_or(jail.config.security.profile != Profile::Strict);
    if !wanted || jail.config.network.mode == NetworkMode::Host {
        cover(steps, jail, "sys", "root/sys");
        return;
    }
    let attributes: &'static [Flag] = &[MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC];
    steps.say("/sys, only read", mount("sysfs", "new", Some("sysfs"), attributes, ""));
    steps.and(bind("mask/dir", "new/firmware").expect(Expect::OrAbsent));
    steps.say("into the root", place("new", "root/sys"));
}

fn memory(steps: &mut Steps, jail: &Jail<'_>) {
    steps.say("/run is made anew at each start", mkdir("run", 0o755));
    if jail.config.security.profile == Profile::Server {
        // Users who fill /tmp must not stop the services.
        steps.and(mount("run", "run", Some("tmpfs"), &[MS_NOSUID, MS_NODEV], "mode=755,size=64m"));
    } else {
        steps.and(bind("run", "run"));
    }
    if jail.notify.is_some() {
        steps.say("where it says that it is ready", touch("run/notify"));
        steps.and(place_tree("notify", "run/notify"));
    }
    steps.and(place("run", "root/run"));
    let own_tmp = jail.app.iter().any(|entry| entry.path.starts_with("tmp"));
    if jail.writes() == Writes::Refused && !own_tmp {
        steps.say("a place to write, in memory", mkdir("tmp", 0o1777));
        steps.and(bind("tmp", "tmp"));
        steps.and(place("tmp", "root/tmp"));
    }
}

const IN_ROOT: &[Flag] = &[RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS];

fn open_in_root(at: &Path, name: String) -> Call {
    open_in_root_as(at, name, &[O_PATH, O_CLOEXEC])
}

fn open_in_root_as(at: &Path, name: String, flags: &'static [Flag]) -> Call {
    let at = at.strip_prefix("/").unwrap_or(at);
    let at = if at.as_os_str().is_empty() { Path::new(".") } else { at };
    Call::new("openat2", [fd("top"), path(at), Arg::OpenHow(flags, IN_ROOT), Arg::Number(24)]).into(name)
}

fn onto(target: String) -> [Arg; 3] {
    [fd(target), text(""), Arg::Flags(&[MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_EMPTY_PATH])]
}

fn top(steps: &mut Steps) {
    let flags: &'static [Flag] = &[O_PATH, O_CLOEXEC];
    steps.say(
        "the root as it stands",
        Call::new("openat", [Arg::Here, text("root"), Arg::Flags(flags), Arg::Mode(0)]).into("top"),
    );
}

fn mounts(steps: &mut Steps, jail: &Jail<'_>) {
    if jail.config.mounts.is_empty() && jail.config.security.hide.is_empty() {
        return;
    }
    top(steps);
    for (n, wanted) in jail.config.mounts.iter().enumerate() {
        let (tree, target) = (format!("mount{n}"), format!("target{n}"));
        let file = match &wanted.source {
            MountSource::Bind { path, .. } => jail.files.contains(path),
            MountSource::Tmpfs { size, mode } => {
                steps.say("memory", mkdir(tree.clone(), 0o755));
                let data = format!("mode={mode:o},size={}", size.0);
                let flags: &'static [Flag] =
                    if wanted.exec { &[MS_NOSUID, MS_NODEV] } else { &[MS_NOSUID, MS_NODEV, MS_NOEXEC] };
                steps.and(mount("tmpfs", tree.clone(), Some("tmpfs"), flags, data));
                false
            }
        };
        make_target(steps, &wanted.target, file, n);
        steps.say(
            format!("mounts: {}", wanted.target.display()),
            open_in_root(&wanted.target, target.clone()),
        );
        let [to, empty, flags] = onto(target);
        let move_it = match &wanted.source {
            MountSource::Bind { .. } => Call::new("move_mount", [fd(tree), text(""), to, empty, flags]),
            MountSource::Tmpfs { .. } => Call::new(
                "move_mount",
                [Arg::Here, text(tree), to, empty, Arg::Flags(&[MOVE_MOUNT_T_EMPTY_PATH])],
            ),
        };
        steps.and(move_it);
    }
}

/// Makes the directories down to a mount's target where the root can be written to, and the
/// target itself.
fn make_target(steps: &mut Steps, target: &Path, file: bool, n: usize) {
    let parts: Vec<&std::ffi::OsStr> = target.iter().skip(1).collect();
    let mut parent = PathBuf::from("/");
    for (depth, part) in parts.iter().enumerate() {
        let name = format!("parent{n}.{depth}");
        let why = if depth == 0 { format!("a place for {}", target.display()) } else { String::new() };
        steps.say(why, open_in_root(&parent, name.clone()));
        let (call, mode) =
            if file && depth + 1 == parts.len() { ("mknodat", S_IFREG | 0o644) } else { ("mkdirat", 0o755) };
        let mut args = vec![fd(name), path(Path::new(part)), Arg::Mode(mode)];
        if call == "mknodat" {
            args.push(Arg::Number(0));
        }
        steps.and(Call::new(call, args).expect(Expect::OrThere));
        parent.push(part);
    }
}

/// An empty directory over each directory, an empty file over everything else. A directory is
/// opened as one, so that whatever else goes wrong with it is an error; over the directory that
/// then lies there, the file does not fit.
fn hide(steps: &mut Steps, jail: &Jail<'_>) {
    for (n, hidden) in jail.config.security.hide.iter().enumerate() {
        let mut why = format!("hide {}", hidden.display());
        for (mask, flags, expect) in [
            ("dir", &[O_PATH, O_DIRECTORY, O_CLOEXEC][..], Expect::OrAbsent),
            ("file", &[O_PATH, O_CLOEXEC][..], Expect::OrUnlike),
        ] {
            let (target, name) = (format!("hidden.{mask}{n}"), format!("{mask}{n}"));
            let open = open_in_root_as(hidden, target.clone(), flags).expect(Expect::OrAbsent);
            steps.say(std::mem::take(&mut why), open);
            let clone: &'static [Flag] = &[OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC];
            let args = [Arg::Here, text(format!("mask/{mask}")), Arg::Flags(clone)];
            steps.and(Call::new("open_tree", args).into(name.clone()));
            let [to, empty, how] = onto(target);
            steps.and(Call::new("move_mount", [fd(name), text(""), to, empty, how]).expect(expect));
        }
    }
}

fn enter(steps: &mut Steps) {
    steps.say("change roots", Call::new("chdir", [text("root")]));
    steps.and(Call::new("pivot_root", [text("."), text(".")]));
    // On the new root now lies the host's.
    steps.say(
        "the host's root is gone, and the scratch with it",
        Call::new("umount2", [text("."), Arg::Flags(&[MNT_DETACH])]),
    );
}

/// With the tree as `$tree` and the jail's first process as `$jail`: no user namespace is
/// joined, since the mount namespace's own owner may attach it, and no program is executed.
pub(super) fn mount_live(wanted: &crate::config::Mount, file: bool) -> Vec<Step> {
    let mut steps = Steps(Vec::new());
    live(&mut steps);
    make_target(&mut steps, &wanted.target, file, 0);
    steps.say(
        format!("mounts: {}", wanted.target.display()),
        open_in_root(&wanted.target, "target".to_owned()),
    );
    let [to, empty, flags] = onto("target".to_owned());
    steps.and(Call::new("move_mount", [fd("tree"), text(""), to, empty, flags]));
    steps.0
}

pub(super) fn unmount_live(target: &Path) -> Vec<Step> {
    let mut steps = Steps(Vec::new());
    live(&mut steps);
    steps.say(
        format!("out with {}", target.display()),
        Call::new("umount2", [path(target), Arg::Flags(&[MNT_DETACH])]),
    );
    steps.0
}

fn live(steps: &mut Steps) {
    steps.say("only the parent holds its end", Call::new("close", [fd("parent")]));
    steps.say("the jail's mounts and root", Call::new("setns", [fd("jail"), Arg::Flags(&[CLONE_NEWNS])]));
    let flags: &'static [Flag] = &[O_PATH, O_CLOEXEC];
    steps.and(Call::new("openat", [Arg::Here, text("/"), Arg::Flags(flags), Arg::Mode(0)]).into("top"));
}
