//! What the kernel shows in a root: `/dev`, `/proc`, `/sys`, and memory to write to.

use super::steps::*;
use super::writable::own;
use crate::config::{Profile, RootSpec, Writes};
use crate::plan::call::{Arg, Call, Expect, Flag};
use crate::plan::flags::*;
use crate::plan::{Jail, Stream};

/// Terminals, and the harmless devices: the host's own nodes, since nobody but the host's
/// root may make any.
pub(in crate::plan) fn devices(steps: &mut Steps, jail: &Jail<'_>) {
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
pub(in crate::plan) fn console(steps: &mut Steps) {
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
pub(in crate::plan) const PROC_HIDDEN: &[&str] = &[
    "acpi",
    "asound",
    "bus",
    "fs",
    "irq",
    "kcore",
    "keys",
    "kmsg",
    "latency_stats",
    "scsi",
    "sysrq-trigger",
    "timer_list",
];

/// Directories among them; the rest are files.
pub(in crate::plan) const PROC_DIRECTORIES: &[&str] = &["acpi", "asound", "bus", "fs", "irq", "scsi"];

pub(in crate::plan) fn processes(steps: &mut Steps, jail: &Jail<'_>) {
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
            let mask = match *name {
                name if PROC_DIRECTORIES.contains(&name) => "mask/dir",
                // A syslog daemon would read an empty one for ever.
                "kmsg" if jail.boot.is_init() => "mask/socket",
                _ => "mask/file",
            };
            let hide = bind(mask, format!("new/{name}")).expect(Expect::OrAbsent);
            steps.say(format!("/proc/{name} is the host's"), hide);
        }
        // A server sets what belongs to its own namespaces; the kernel refuses it the rest.
        if jail.config.security.profile != Profile::Server {
            steps.say("/proc/sys is only read", bind("new/sys", "new/sys").expect(Expect::OrAbsent));
            let attributes: &'static [Flag] =
                &[MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC];
            steps.and(set_attributes("new/sys", &[], attributes).expect(Expect::OrAbsent));
        }
    }
    steps.say("into the root", place("new", "root/proc"));
}

/// The host's own root comes with the host's `/proc` and `/sys`, which tell of all its processes
/// and devices: a jail without its own sees an empty directory there.
pub(in crate::plan) fn cover(steps: &mut Steps, jail: &Jail<'_>, name: &'static str, at: &'static str) {
    if jail.config.root.from == Some(RootSpec::Host) && jail.stored.is_none() {
        steps.say(format!("not the host's /{name}"), bind("mask/dir", "new"));
        steps.and(place("new", at));
    }
}

pub(in crate::plan) fn system(steps: &mut Steps, jail: &Jail<'_>) {
    if !jail.has_sys() {
        if jail.has_groups() {
            steps.say("a /sys with nothing but its control groups", mkdir("sys", 0o755));
            steps.and(mkdir("sys/fs", 0o755));
            steps.and(mkdir("sys/fs/cgroup", 0o755));
            steps.and(bind("sys", "sys"));
            groups(steps, "sys/fs/cgroup");
            steps.say("into the root", place("sys", "root/sys"));
        } else {
            cover(steps, jail, "sys", "root/sys");
        }
        return;
    }
    let attributes: &'static [Flag] = &[MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC];
    steps.say("/sys, only read", mount("sysfs", "new", Some("sysfs"), attributes, ""));
    steps.and(bind("mask/dir", "new/firmware").expect(Expect::OrAbsent));
    if jail.has_groups() {
        groups(steps, "new/fs/cgroup");
    }
    steps.say("into the root", place("new", "root/sys"));
}

/// Version 2, which begins at the jail's own group for whoever is in its cgroup namespace.
fn groups(steps: &mut Steps, at: &'static str) {
    let flags: &'static [Flag] = &[MS_NOSUID, MS_NODEV, MS_NOEXEC];
    steps.say("its control groups, from its own downwards", mount("cgroup2", at, Some("cgroup2"), flags, ""));
}

pub(in crate::plan) fn memory(steps: &mut Steps, jail: &Jail<'_>) {
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
    for writable in jail.writable.iter().filter(|writable| writable.in_run()) {
        own(steps, jail, writable, &writable.path);
    }
    crate::plan::traced::run(steps, jail);
    if let Some(init) = jail.init {
        crate::plan::traced::own_init(steps, init);
    }
    steps.and(place("run", "root/run"));
    let own_tmp = jail.app.iter().any(|entry| entry.path.starts_with("tmp"))
        || jail.taken.is_some_and(|taken| taken.in_tmp);
    if jail.writes() == Writes::Refused && !own_tmp {
        steps.say("a place to write, in memory", mkdir("tmp", 0o1777));
        steps.and(bind("tmp", "tmp"));
        steps.and(place("tmp", "root/tmp"));
    }
}
