//! Which init a jail boots: what its configuration says, or what lies in its root.

use super::Start;
use crate::error::{Error, Result};
use crate::house::House;
use crate::rootfs::store;
use model::boot::{Kind, Looks, NoInit, scripts};
use model::config::{Config, Init, Profile, RootSpec};
use model::facts::Facts;
use model::name::Name;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use sys::fs::{CWD, Kind as FileKind, O_DIRECTORY, O_PATH, O_RDONLY, Within};
use sys::init::Commands;

/// The first process of a start. A root is looked at only if it may have an init. `foreseen`: its files may yet
/// have to be made.
pub(super) fn kind(
    house: &House,
    name: &Name,
    config: &Config,
    facts: &Facts,
    start: Start<'_>,
    foreseen: bool,
) -> Result<Kind> {
    let said = match start {
        Start { rescue: true, .. } => Some(Kind::Rescue),
        Start { traced: Some(_), .. } | Start { command: [_, ..], .. } => Some(Kind::Command),
        _ => Kind::said(&config.boot, config.may_have_init()),
    };
    if let Some(kind @ (Kind::Command | Kind::Rescue)) = said {
        return Ok(kind);
    }
    if config.root.is_own() && !start.looks {
        // It runs: then it is known.
        let runs = crate::registry::live(house, name)?.filter(|live| live.runs);
        return Ok(said.or_else(|| runs.map(|live| live.state.init)).unwrap_or(Kind::Plain));
    }
    let Some(looks) = looks(house, name, config, foreseen)? else {
        return Ok(said.unwrap_or(Kind::Plain));
    };
    let kind = looks
        .settle(said, facts.cgroups.unified.is_some())
        .map_err(|why| refused(name, config, said, why))?;
    if !facts.root() {
        return Err(Error::refused(
            format!("jail {name} boots {kind}, which needs root: a distribution has users of its own"),
            "start it as root, or give it a command",
        ));
    }
    if config.security.profile != Profile::Server {
        return Err(Error::refused(
            format!(
                "jail {name} boots {kind}, which profile {:?} does not let work: it mounts, and has users and \
                 services of its own",
                config.security.profile.word()
            ),
            format!(
                "jaula set {name} security.profile=server, or give it a command of its own: boot.command"
            ),
        ));
    }
    Ok(kind)
}

/// What lies in the root; none if it is yet to be made.
fn looks(house: &House, name: &Name, config: &Config, foreseen: bool) -> Result<Option<Looks>> {
    match &config.root.from {
        _ if config.root.is_own() => match store::look(house, name, config) {
            Err(_) if foreseen => Ok(None),
            opened => opened.map(|opened| Some(look(opened.root()))),
        },
        Some(RootSpec::Dir(path)) => open(path).map(|tree| Some(look(&tree))),
        _ => Ok(None),
    }
}

/// Is there anything that its first process could be?
pub(crate) fn has_first(config: &Config) -> bool {
    let boot = &config.boot;
    match (&config.root.from, boot.init) {
        _ if !boot.command.is_empty() => true,
        (_, Init::Command) => false,
        (Some(RootSpec::App(_)), _) => true,
        _ if config.root.is_own() => true,
        (Some(RootSpec::Host) | None, _) => false,
        // Of a tree that is to be an app's root, one does not guess that it is to boot.
        (Some(RootSpec::Dir(_)), Init::Auto) if config.security.profile != Profile::Server => false,
        // One that is not there is told otherwise.
        (Some(RootSpec::Dir(path)), Init::Auto) => {
            open(path).map_or(true, |tree| look(&tree).kind().is_some())
        }
        _ => true,
    }
}

/// Why a root does not boot, and the way out.
fn refused(name: &Name, config: &Config, said: Option<Kind>, why: NoInit) -> Error {
    let root = config.root.from.as_ref().map(ToString::to_string).unwrap_or_default();
    match (why, said) {
        (NoInit::Nothing, None) => Error::refused(
            format!("jail {name} has no command, and {root} has no init"),
            format!(
                "say what it runs: jaula set {name} boot.command='[\"PROGRAM\", \"ARGUMENT\"]', or install an init \
                 in it"
            ),
        ),
        (NoInit::Nothing, Some(Kind::Emulated)) => Error::refused(
            format!("boot.init = \"emulated\": {root} has no scripts of a runlevel (/etc/rc2.d)"),
            "boot.command is for roots without",
        ),
        (NoInit::Nothing, Some(kind)) => Error::refused(
            format!("boot.init = \"{kind}\": {root} has no /sbin/init"),
            "install one in it, or leave boot.init out: an init is emulated where there are scripts for one",
        ),
        (NoInit::Old(release), _) => Error::refused(
            format!(
                "{root} has systemd {release}, which knows only version 1 of control groups, and jails have version 2"
            ),
            "take a newer release of the distribution (systemd 231 and later), or run its services by boot.command",
        ),
        (NoInit::NoGroups, _) => Error::refused(
            format!(
                "{root} has systemd, which needs control groups of version 2, and this host has mounted none"
            ),
            "mount them where they are in nobody's way: mkdir /sys/fs/cgroup/unified; mount -t cgroup2 none \
             /sys/fs/cgroup/unified",
        ),
    }
}

fn open(path: &Path) -> Result<OwnedFd> {
    sys::fs::open(CWD, path, O_PATH | O_DIRECTORY, 0).map_err(Error::call("look at the jail's root"))
}

/// Looks at a root. Nothing in it is trusted: all links lead to where they lead inside.
pub(crate) fn look(tree: impl AsFd) -> Looks {
    let tree = tree.as_fd();
    let find = |path: &str| sys::fs::open_in(tree, path, O_PATH, 0, Within::Root).ok();
    let is = |path: &str, wanted: FileKind| {
        find(path).is_some_and(|found| sys::fs::kind(&found).is_ok_and(|kind| kind == wanted))
    };
    let init =
        find("sbin/init").filter(|found| sys::fs::kind(found).is_ok_and(|kind| kind == FileKind::Other));
    // The path in the kernel's words: only its last component means anything beyond this root.
    let leads = |found: OwnedFd| std::fs::read_link(format!("/proc/self/fd/{}", found.as_raw_fd())).ok();
    let scripts = ["etc/rc2.d", "etc/rc3.d", "etc/rc.d/rc2.d", "etc/rc.d/rc3.d"];
    Looks {
        init: init.and_then(leads),
        inittab: is("etc/inittab", FileKind::Other),
        openrc: is("sbin/openrc", FileKind::Other),
        scripts: scripts.iter().any(|path| is(path, FileKind::Directory)),
        systemd: release(tree),
    }
}

/// The release of systemd, by its library's name.
fn release(tree: impl AsFd) -> Option<u32> {
    // Where Debian, Fedora, SUSE and Arch have it.
    const PLACES: [&str; 6] = [
        "usr/lib/systemd",
        "lib/systemd",
        "usr/lib/x86_64-linux-gnu/systemd",
        "usr/lib/aarch64-linux-gnu/systemd",
        "usr/lib64/systemd",
        "lib/x86_64-linux-gnu",
    ];
    PLACES.iter().find_map(|place| {
        let directory = sys::fs::open_in(&tree, place, O_RDONLY | O_DIRECTORY, 0, Within::Root).ok()?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
        let names = std::fs::read_dir(path).ok()?.flatten();
        names.filter_map(|entry| Looks::release(&entry.file_name().to_string_lossy())).next()
    })
}

/// An init of jaula's own, as an executable file.
pub(super) fn own_init(kind: Kind, config: &Config) -> Vec<u8> {
    let level = config.boot.runlevel.to_string();
    let sh = |script: &'static str, level| ["/bin/sh", "-c", script, "rc", level];
    let start = sh(scripts::START, &level);
    let halt = [&sh(scripts::STOP, "0")[..], &[&level]].concat();
    let reboot = [&sh(scripts::STOP, "6")[..], &[&level]].concat();
    sys::init::server(match kind {
        Kind::Emulated => Commands { start: &start, halt: &halt, reboot: &reboot },
        _ => Commands::default(),
    })
}

/// Where the first process's program is, inside.
pub(super) fn program(kind: Kind) -> &'static str {
    if kind.is_ours() { model::plan::traced::INIT } else { kind.program() }
}
