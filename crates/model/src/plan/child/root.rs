//! The jail's root: a tree of the host, or an app's files put together, read-only or below an
//! overlay.

use super::steps::*;
use crate::config::{Mount, MountSource, Profile, RootSpec, Writes};
use crate::plan::call::{Arg, Call, Expect, Flag};
use crate::plan::flags::*;
use crate::plan::{AppEntry, AppFile, Jail, MOUNT_POINTS};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub(in crate::plan) const READ_ONLY: &[Flag] = &[MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV];

/// The flags of the mount that is the root.
pub(in crate::plan) fn root_attributes(jail: &Jail<'_>) -> &'static [Flag] {
    let setuid = jail.config.security.profile == Profile::Server;
    match (jail.writes() == Writes::Refused, setuid) {
        (true, false) => READ_ONLY,
        (true, true) => &[MOUNT_ATTR_RDONLY, MOUNT_ATTR_NODEV],
        (false, false) => &[MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV],
        (false, true) => &[MOUNT_ATTR_NODEV],
    }
}

pub(in crate::plan) fn root(steps: &mut Steps, jail: &Jail<'_>) {
    // Below an overlay the tree is a layer of its own; otherwise it is the root itself.
    if jail.traced.is_some() {
        return crate::plan::traced::root(steps, jail);
    }
    let layered = jail.layered();
    let base = if layered { "lower" } else { "root" };
    if layered {
        steps.say("the layer that is only read", mkdir("lower", 0o755));
    }
    match &jail.config.root.from {
        _ if jail.stored.is_some() => steps.say("the jail's root, owners mapped", place_tree("root", base)),
        Some(RootSpec::Dir(_)) => {
            steps.say("the jail's root, owners mapped", place_tree("root", base));
        }
        Some(RootSpec::Host) => {
            steps.say("the host's own root", place_tree("root", base));
        }
        Some(RootSpec::App(_)) if jail.taken.is_some() => {
            steps.say("the jail's files, owners mapped", place_tree("root", base));
        }
        Some(RootSpec::App(_)) => skeleton(steps, jail, base),
        // Those others have a store.
        Some(_) | None => {}
    }
    if layered {
        overlay(steps, jail);
    }
    if jail.stored.is_some() {
        mount_points(steps, jail);
    }
    if let (Some(RootSpec::App(_)), None) = (&jail.config.root.from, jail.taken) {
        files(steps, jail, layered);
    }
}

/// The jail may have removed them, or moved them away.
fn mount_points(steps: &mut Steps, jail: &Jail<'_>) {
    let mut why = "its own files must have them, to mount on";
    for name in MOUNT_POINTS.iter().filter(|name| **name != "sys" || jail.has_sys()) {
        let mode = if *name == "tmp" { 0o1777 } else { 0o755 };
        steps.say(std::mem::take(&mut why), mkdir(format!("root/{name}"), mode).expect(Expect::OrThere));
    }
}

pub(in crate::plan) fn overlay(steps: &mut Steps, jail: &Jail<'_>) {
    let setuid = jail.config.security.profile == Profile::Server;
    let flags: &'static [Flag] = if setuid { &[MS_NODEV] } else { &[MS_NODEV, MS_NOSUID] };
    // userxattr: in a user namespace overlayfs may keep its notes in user.* attributes only.
    let (layers, flags) = match jail.writes() {
        Writes::Kept => {
            steps.say("the layer that keeps what is written", mkdir("kept", 0o700));
            steps.and(place_tree("kept", "kept"));
            ("userxattr,lowerdir=lower,upperdir=kept/upper,workdir=kept/work", flags)
        }
        Writes::Discarded => {
            steps.say("the layer that is written to, in memory", mkdir("upper", 0o755));
            steps.and(mkdir("work", 0o700));
            ("userxattr,lowerdir=lower,upperdir=upper,workdir=work", flags)
        }
        // Root inside may remount, but an overlay without an upper layer has nowhere to write.
        Writes::Refused => {
            let flags: &'static [Flag] =
                if setuid { &[MS_RDONLY, MS_NODEV] } else { &[MS_RDONLY, MS_NODEV, MS_NOSUID] };
            ("userxattr,lowerdir=lower:mask/dir", flags)
        }
    };
    steps.say("the layers are the root", mount("jaula", "root", Some("overlay"), flags, layers));
}

/// The paths of an app jail's files, with the index of the tree that each is bound from.
pub(in crate::plan) fn sources(app: &[AppEntry]) -> impl Iterator<Item = (&AppEntry, &Path)> {
    app.iter().filter_map(|entry| match &entry.what {
        AppFile::File(source) | AppFile::Directory(source) => Some((entry, source.as_path())),
        AppFile::Link(_) | AppFile::Text(_) => None,
    })
}

/// The directories, links and empty files of an app jail, in the order that they need.
pub(in crate::plan) fn skeleton(steps: &mut Steps, jail: &Jail<'_>, base: &str) {
    let mut directories: BTreeSet<PathBuf> = MOUNT_POINTS.iter().map(PathBuf::from).collect();
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
    // Where it is behind a file of the program's, that one is a directory that has it.
    for writable in jail.writable.iter().filter(|w| !w.in_run()) {
        parents(&writable.path, &mut directories);
        directories.insert(writable.path.clone());
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
pub(in crate::plan) fn is_file(jail: &Jail<'_>, mount: &Mount) -> bool {
    matches!(&mount.source, MountSource::Bind { path, .. } if jail.files.contains(path))
}

/// May the target of a mount be made in the skeleton? Not where the program has a file already;
/// and behind a link only when the root stands, since here it would lead to the host's own files.
pub(in crate::plan) fn is_free(jail: &Jail<'_>, target: &Path) -> bool {
    let link = |path: &Path, entry: &AppEntry| entry.path == path && matches!(entry.what, AppFile::Link(_));
    let linked = |path: &Path| jail.app.iter().any(|entry| link(path, entry));
    !jail.app.iter().any(|entry| entry.path == target) && !target.ancestors().any(linked)
}

pub(in crate::plan) fn mkdir_all(base: &str, directory: Option<&PathBuf>) -> Call {
    let directory = directory.map(|d| d.display().to_string()).unwrap_or_default();
    let mode = if directory == "tmp" || directory == "var/tmp" { 0o1777 } else { 0o755 };
    mkdir(format!("{base}/{directory}"), mode)
}

pub(in crate::plan) fn files(steps: &mut Steps, jail: &Jail<'_>, layered: bool) {
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

pub(in crate::plan) fn bind_tree(at: &'static str) -> Call {
    Call::new("mount", [text(at), text(at), Arg::Null, Arg::Flags(&[MS_BIND, MS_REC]), Arg::Null])
}
