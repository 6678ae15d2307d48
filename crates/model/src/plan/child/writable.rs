//! The directories of an app jail that it may write to (`root.writable`).

use super::mounts::{make_target, onto, open_in_root};
use super::steps::*;
use crate::plan::call::{Arg, Call, Expect, Flag};
use crate::plan::flags::*;
use crate::plan::{Directory, Jail, Writable};
use std::path::{Path, PathBuf};

/// Programs in it may be executed: what an interpreter runs needs no such right, and compilers,
/// hooks and virtual environments do.
pub(in crate::plan) const WRITABLE: &[Flag] = &[MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV];

/// Mounts those that are not in `/run`: the jail's own trees, or memory for a jail that passes.
pub(in crate::plan) fn writable(steps: &mut Steps, jail: &Jail<'_>) {
    for (n, writable) in jail.writable.iter().enumerate().filter(|(_, writable)| !writable.in_run()) {
        let (tree, target) = (format!("writable{n}"), format!("own{n}"));
        if writable.kept.is_none() {
            own(steps, jail, writable, Path::new(&tree));
            steps.and(bind(tree.clone(), tree.clone()));
        }
        let inside = Path::new("/").join(&writable.path);
        make_target(steps, &inside, false, &target);
        steps.say(format!("root.writable: {}", inside.display()), open_in_root(&inside, target.clone()));
        let [to, empty, flags] = onto(target);
        steps.and(match &writable.kept {
            Some(_) => Call::new("move_mount", [fd(tree), text(""), to, empty, flags]),
            None => Call::new(
                "move_mount",
                [Arg::Here, text(tree), to, empty, Arg::Flags(&[MOVE_MOUNT_T_EMPTY_PATH])],
            ),
        });
    }
}

/// Makes one of memory in the scratch, with the directories above it that are missing.
pub(in crate::plan) fn own(steps: &mut Steps, jail: &Jail<'_>, writable: &Writable, at: &Path) {
    let mut why = format!("root.writable: /{}, made anew", writable.path.display());
    let mut above: Vec<&Path> = at.ancestors().skip(1).filter(|a| a.iter().count() > 1).collect();
    above.reverse();
    for parent in above {
        let made = mkdir(parent.display().to_string(), 0o755).expect(Expect::OrThere);
        steps.say(std::mem::take(&mut why), made);
    }
    for Directory { path: below, user, group, mode } in &writable.make {
        let at: PathBuf = if below.as_os_str().is_empty() { at.to_owned() } else { at.join(below) };
        let at = at.display().to_string();
        steps.say(std::mem::take(&mut why), mkdir(at.clone(), 0o755).expect(Expect::OrThere));
        let owner = (*user, *group);
        if jail.facts.root() && owner != (0, 0) {
            let flags: &'static [Flag] = &[AT_SYMLINK_NOFOLLOW];
            let [user, group] = [user, group].map(|id| Arg::Number((*id).into()));
            steps.and(Call::new("fchownat", [Arg::Here, text(at.clone()), user, group, Arg::Flags(flags)]));
        }
        let mode = if jail.facts.root() { *mode } else { mode | 0o700 };
        if mode != 0o755 {
            steps.and(Call::new("fchmodat", [Arg::Here, text(at), Arg::Mode(mode)]));
        }
    }
}
