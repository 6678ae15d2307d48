//! The child's half of a start: one linear list, from the first breath to the jail's program.
//!
//! The child builds the jail's root in a small file system in memory (the *scratch*), mounted
//! over `/proc` in the child's own mount namespace: a directory that every host has and every
//! child may reach, wherever jaula's own are. Nobody else can reach it,
//! so within it plain mount(2) with relative paths is safe and takes one call where the new
//! interface takes four to seven. What enters the jail's own tree, which may hold any symbolic
//! link, enters by descriptor: move_mount(2) follows no link in its last component, and longer
//! paths are first opened with openat2(2) `RESOLVE_IN_ROOT`.

mod kernel;
mod mounts;
mod root;
mod steps;
mod writable;

use super::call::{Arg, Call, Expect, Flag, Text};
use super::flags::*;
use super::{Jail, Step, tail};
use crate::config::Writes;
use kernel::{devices, memory, processes, system};
use mounts::{hide, mounts, top};
use root::root;
use steps::*;
use writable::writable;

pub(super) use mounts::{mount_live, unmount_live};
pub(super) use root::{READ_ONLY, root_attributes, sources};
pub(super) use steps::{Steps, bind, fd, mkdir, mount, place_tree, prctl, text};
pub(super) use writable::WRITABLE;

/// The sequence. Each verb is below, in this order.
pub(super) fn program(jail: &Jail<'_>) -> Vec<Step> {
    let mut steps = Steps(Vec::with_capacity(192));
    alone(&mut steps, jail);
    meet(&mut steps, jail);
    trees(&mut steps, jail);
    scratch(&mut steps, jail);
    root(&mut steps, jail);
    devices(&mut steps, jail);
    processes(&mut steps, jail);
    system(&mut steps, jail);
    memory(&mut steps, jail);
    top(&mut steps, jail);
    writable(&mut steps, jail);
    mounts(&mut steps, jail);
    hide(&mut steps, jail);
    meet_again(&mut steps, jail);
    enter(&mut steps);
    tail::confine(&mut steps, jail.confinement, jail.first, jail.facts);
    tail::execute(&mut steps, jail.confinement, jail.first, death(jail), true);
    steps.0
}

/// What the program must be told of its parent's death: `meet` said that it dies with it, which
/// holds until a change of user.
fn death(jail: &Jail<'_>) -> Option<tail::Death> {
    let changes = jail.facts.root() && (jail.first.user, jail.first.group) != (0, 0);
    match (jail.passing, changes) {
        (false, _) => Some(tail::Death::Alone),
        (true, true) => Some(tail::Death::WithParent),
        (true, false) => None,
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
    if !jail.config.network.mode.is_hosts() {
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

/// What the parent does to the jail's control group meanwhile must be done before a program of the jail's runs.
fn meet_again(steps: &mut Steps, jail: &Jail<'_>) {
    if !super::host::programs(jail).is_empty() {
        steps.say(
            "wait: the parent has put programs on its control group",
            Call::new("read", [fd("meeting"), Arg::Buffer(8), Arg::Number(8)]).expect(Expect::Exactly(1)),
        );
    }
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

fn scratch(steps: &mut Steps, jail: &Jail<'_>) {
    // Room for what the jail may write to a discarded root; else for /tmp, /run and /dev/shm.
    let size = match jail.traced {
        Some(traced) => traced.scratch().into(),
        None if jail.writes() == Writes::Discarded => Text::from("mode=755,size=50%"),
        None => "mode=755,size=128m".into(),
    };
    steps.say(
        "the scratch: memory to build the root in",
        mount("jaula", "/proc", Some("tmpfs"), &[MS_NOSUID, MS_NODEV], size),
    );
    steps.and(Call::new("chdir", [text("/proc")]));
    for directory in ["root", "dev", "new", "mask", "mask/dir"] {
        steps.and(mkdir(directory, 0o755));
    }
    steps.say("an empty file and directory of our own, to hide others with", touch("mask/file"));
    if jail.boot.is_init() {
        steps.say("what cannot be opened, for what would be read without end", socket("mask/socket"));
    }
    steps.and(bind("mask", "mask"));
    steps.and(set_attributes(
        "mask",
        &[],
        &[MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC],
    ));
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
