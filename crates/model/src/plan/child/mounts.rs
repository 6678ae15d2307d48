//! What the configuration mounts and hides, at a start and while a jail runs: targets are paths in
//! a tree that is not trusted.

use super::steps::*;
use crate::config::{Mount, MountSource};
use crate::plan::call::{Arg, Call, Expect, Flag};
use crate::plan::flags::*;
use crate::plan::{Jail, Step, Writable};
use std::path::{Path, PathBuf};

pub(in crate::plan) const IN_ROOT: &[Flag] = &[RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS];

pub(in crate::plan) fn open_in_root(at: &Path, name: String) -> Call {
    open_in_root_as(at, name, &[O_PATH, O_CLOEXEC])
}

pub(in crate::plan) fn open_in_root_as(at: &Path, name: String, flags: &'static [Flag]) -> Call {
    let at = at.strip_prefix("/").unwrap_or(at);
    let at = if at.as_os_str().is_empty() { Path::new(".") } else { at };
    Call::new("openat2", [fd("top"), path(at), Arg::OpenHow(flags, IN_ROOT), Arg::Number(24)]).into(name)
}

pub(in crate::plan) fn onto(target: String) -> [Arg; 3] {
    [fd(target), text(""), Arg::Flags(&[MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_EMPTY_PATH])]
}

/// The root as it stands, if something is to be mounted in it.
pub(in crate::plan) fn top(steps: &mut Steps, jail: &Jail<'_>) {
    let none = jail.config.mounts.is_empty() && jail.config.security.hide.is_empty();
    if none && jail.writable.iter().all(Writable::in_run) {
        return;
    }
    let flags: &'static [Flag] = &[O_PATH, O_CLOEXEC];
    steps.say(
        "the root as it stands",
        Call::new("openat", [Arg::Here, text("root"), Arg::Flags(flags), Arg::Mode(0)]).into("top"),
    );
}

pub(in crate::plan) fn mounts(steps: &mut Steps, jail: &Jail<'_>) {
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
        make_target(steps, &wanted.target, file, &n.to_string());
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
pub(in crate::plan) fn make_target(steps: &mut Steps, target: &Path, file: bool, name_of: &str) {
    let parts: Vec<&std::ffi::OsStr> = target.iter().skip(1).collect();
    let mut parent = PathBuf::from("/");
    for (depth, part) in parts.iter().enumerate() {
        let name = format!("parent{name_of}.{depth}");
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
pub(in crate::plan) fn hide(steps: &mut Steps, jail: &Jail<'_>) {
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

/// With the tree as `$tree` and the jail's first process as `$jail`. It is done as the jail's own
/// root: what is made on the way to the target belongs to somebody inside, which memory of the
/// jail's insists on, and whatever the tree leads to, no more is done there than the jail could.
pub(in crate::plan) fn mount_live(wanted: &Mount, file: bool) -> Vec<Step> {
    let mut steps = Steps(Vec::new());
    live(&mut steps);
    make_target(&mut steps, &wanted.target, file, "0");
    steps.say(
        format!("mounts: {}", wanted.target.display()),
        open_in_root(&wanted.target, "target".to_owned()),
    );
    let [to, empty, flags] = onto("target".to_owned());
    steps.and(Call::new("move_mount", [fd("tree"), text(""), to, empty, flags]));
    steps.0
}

pub(in crate::plan) fn unmount_live(target: &Path) -> Vec<Step> {
    let mut steps = Steps(Vec::new());
    live(&mut steps);
    steps.say(
        format!("out with {}", target.display()),
        Call::new("umount2", [path(target), Arg::Flags(&[MNT_DETACH])]),
    );
    steps.0
}

pub(in crate::plan) fn live(steps: &mut Steps) {
    steps.say("only the parent holds its end", Call::new("close", [fd("parent")]));
    let both = [fd("jail"), Arg::Flags(&[CLONE_NEWUSER, CLONE_NEWNS])];
    steps.say("the jail's users, its mounts and its root", Call::new("setns", both));
    let root = || vec![Arg::Number(0); 3];
    steps.say("be root inside", Call::new("setresgid", root()).expect(Expect::OrRefused));
    steps.and(Call::new("setresuid", root()).expect(Expect::OrRefused));
    let flags: &'static [Flag] = &[O_PATH, O_CLOEXEC];
    steps.and(Call::new("openat", [Arg::Here, text("/"), Arg::Flags(flags), Arg::Mode(0)]).into("top"));
}
