//! A list of steps as it is written, and the calls that it is most often made of.

use crate::plan::Step;
use crate::plan::call::{Arg, Call, Fd, Flag, Text};
use crate::plan::flags::*;
use std::path::Path;

/// A list of steps that is being written.
pub(in crate::plan) struct Steps(pub(in crate::plan) Vec<Step>);

impl Steps {
    pub(in crate::plan) fn say(&mut self, why: impl Into<Text>, call: Call) {
        self.0.push(Step { call, why: why.into() });
    }

    /// One more call for the reason of the step before.
    pub(in crate::plan) fn and(&mut self, call: Call) {
        self.say("", call);
    }
}

pub(in crate::plan) fn prctl(option: Flag, args: &[u64]) -> Call {
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

pub(in crate::plan) fn text(text: impl Into<Text>) -> Arg {
    Arg::Text(text.into())
}

pub(in crate::plan) fn path(path: &Path) -> Arg {
    Arg::Text(path.to_string_lossy().into_owned().into())
}

pub(in crate::plan) fn fd(name: impl Into<Fd>) -> Arg {
    Arg::Fd(name.into())
}

pub(in crate::plan) fn mkdir(name: impl Into<Text>, mode: u32) -> Call {
    Call::new("mkdirat", [Arg::Here, text(name), Arg::Mode(mode)])
}

pub(in crate::plan) const S_IFREG: u32 = 0o100_000;

pub(in crate::plan) fn touch(name: impl Into<Text>) -> Call {
    Call::new("mknodat", [Arg::Here, text(name), Arg::Mode(S_IFREG | 0o444), Arg::Number(0)])
}

pub(in crate::plan) const S_IFSOCK: u32 = 0o140_000;

/// A socket that nobody listens at: open(2) fails on it.
pub(in crate::plan) fn socket(name: impl Into<Text>) -> Call {
    Call::new("mknodat", [Arg::Here, text(name), Arg::Mode(S_IFSOCK | 0o444), Arg::Number(0)])
}

/// mount(2) within the scratch.
pub(in crate::plan) fn mount(
    what: impl Into<Text>,
    at: impl Into<Text>,
    kind: Option<&'static str>,
    flags: &'static [Flag],
    data: impl Into<Text>,
) -> Call {
    let kind = kind.map_or(Arg::Null, text);
    Call::new("mount", [text(what), text(at), kind, Arg::Flags(flags), text(data)])
}

pub(in crate::plan) fn bind(what: impl Into<Text>, at: impl Into<Text>) -> Call {
    Call::new("mount", [text(what), text(at), Arg::Null, Arg::Flags(&[MS_BIND]), Arg::Null])
}

pub(in crate::plan) fn set_attributes(
    at: impl Into<Text>,
    how: &'static [Flag],
    attributes: &'static [Flag],
) -> Call {
    Call::new(
        "mount_setattr",
        [Arg::Here, text(at), Arg::Flags(how), Arg::MountAttr(attributes), Arg::Number(32)],
    )
}

/// Moves a mount of the scratch onto a name of the jail's root. A symbolic link there is not
/// followed: the call fails on it.
pub(in crate::plan) fn place(what: &'static str, at: &'static str) -> Call {
    Call::new("move_mount", [Arg::Here, text(what), Arg::Here, text(at), Arg::Number(0)])
}

/// Moves a tree that has a descriptor onto a path of the scratch.
pub(in crate::plan) fn place_tree(tree: impl Into<Fd>, at: impl Into<Text>) -> Call {
    Call::new("move_mount", [fd(tree), text(""), Arg::Here, text(at), Arg::Flags(&[MOVE_MOUNT_F_EMPTY_PATH])])
}
