//! Mounts and rates that change while a jail runs.

use crate::error::{Error, Result};
use crate::house::House;
use crate::journal::{self, Entry};
use crate::launch;
use crate::state::State;
use model::config::{Mount, MountSource, Rates};
use model::name::{Id, Name};
use model::plan::Step;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Brings a running jail's mounts from `old` to `new`. A jail that does not run has none.
pub fn mounts(house: &House, name: &Name, old: &[Mount], new: &[Mount]) -> Result<()> {
    let flags = sys::fs::O_PATH | sys::fs::O_DIRECTORY;
    let Ok(run) = sys::fs::open(sys::fs::CWD, house.running(name), flags, 0) else { return Ok(()) };
    let Some(state) = State::read(&run)? else { return Ok(()) };
    let Some(first) = state.first.and_then(|f| Some((f.pid, f.open()?))) else { return Ok(()) };
    let read_only =
        |m: &&Mount| matches!(m.source, MountSource::Bind { .. }) && !m.writable && !old.contains(m);
    if let Some(mount) = new.iter().find(read_only).filter(|_| state.may_mount) {
        return Err(Error::refused(
            format!("jail {name:?} may mount: it could make {} writable", mount.target.display()),
            "say rw, or take profile app or security.mount=false",
        ));
    }
    for gone in old.iter().filter(|m| !new.contains(m)).rev() {
        inside(&model::plan::unmount_live(&gone.target), &first.1, None)?;
    }
    for added in new.iter().filter(|m| !old.contains(m)) {
        let (tree, file) = tree(added, first.0, state.id)?;
        inside(&model::plan::mount_live(added, file), &first.1, Some(&tree))?;
    }
    Ok(())
}

/// Gives a running jail other rates. A jail that does not run has none.
pub fn rates(house: &House, name: &Name, new: &Rates) -> Result<()> {
    let flags = sys::fs::O_PATH | sys::fs::O_DIRECTORY;
    let Ok(run) = sys::fs::open(sys::fs::CWD, house.running(name), flags, 0) else { return Ok(()) };
    let entries = journal::read(&run)?;
    let mut groups = entries.iter().filter_map(|entry| match entry {
        Entry::Cgroup(path) if crate::cgroup::is_unified(path) => Some(path),
        _ => None,
    });
    let Some(group) = groups.next() else {
        return Err(crate::ops::prepare::network::no_unified("network.rate"));
    };
    let link = entries.iter().find_map(|entry| if let Entry::Link(name) = entry { Some(name) } else { None });
    launch::limit(group, link.map(String::as_str), new)
}

/// The mount, detached, with its owners mapped as it asks; and whether it is a file.
fn tree(mount: &Mount, first: i32, id: Id) -> Result<(OwnedFd, bool)> {
    let bits = model::plan::call::bits(mount.attributes());
    match &mount.source {
        MountSource::Bind { path, mapped } => {
            let failed = |e| Error::tree(path, "mounts", e);
            let file = !std::fs::metadata(path).map_err(Error::io("use", path))?.is_dir();
            let tree = sys::mount::clone_tree(sys::fs::CWD, path, false).map_err(failed)?;
            let users = format!("/proc/{first}/ns/user");
            let users = sys::fs::open(sys::fs::CWD, &users, sys::fs::O_RDONLY, 0).map_err(failed)?;
            let bits = if *mapped { bits | sys::mount::MOUNT_ATTR_IDMAP } else { bits };
            sys::mount::set(&tree, bits, mapped.then_some(users.as_fd()), false)
                .map_err(|e| crate::owners::refused(path, "mounts", *mapped, e))?;
            Ok((tree, file))
        }
        MountSource::Tmpfs { size, mode } => {
            // It is made out here, and is to belong to the jail's root.
            let root = id.range().outside.to_string();
            let (user, group) = (("uid", root.clone()), ("gid", root));
            let options = [("size", size.0.to_string()), ("mode", format!("{mode:o}")), user, group];
            let options = options.each_ref().map(|(key, value)| (*key, Some(value.as_ref())));
            let tree =
                sys::mount::new("tmpfs", &options, bits).map_err(Error::call("make memory to mount"))?;
            Ok((tree, false))
        }
    }
}

/// Has a child do these steps in the jail's mount namespace.
fn inside(steps: &[Step], jail: &OwnedFd, tree: Option<&OwnedFd>) -> Result<()> {
    let failed = || Error::call("reach into the jail");
    let (ours, theirs) = sys::socket::pair().map_err(failed())?;
    let mut descriptors: BTreeMap<&str, i32> =
        [("parent", ours.as_raw_fd()), ("meeting", theirs.as_raw_fd()), ("jail", jail.as_raw_fd())].into();
    descriptors.extend(tree.map(|tree| ("tree", tree.as_raw_fd())));
    let program = launch::lower(steps, &descriptors);
    let (child, _loan) = sys::process::spawn(program, 0, None, theirs.as_fd()).map_err(failed())?;
    drop(theirs);
    let done = launch::outcome(steps, ours.as_fd());
    sys::process::wait(&child.pidfd).map_err(failed())?;
    done.map(drop)
}
