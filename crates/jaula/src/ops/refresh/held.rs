//! What a running app jail still has although the host, or its own tree, has another by now.

use crate::error::{Error, Result};
use crate::house::House;
use crate::running::Running;
use model::manifest::{Kind, Manifest};
use model::name::Name;
use std::collections::{BTreeSet, HashMap};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use sys::fs::{CWD, Identity, O_NOFOLLOW, O_PATH, Within};

/// The processes of the host by their pid namespaces, once they were asked for.
#[derive(Debug, Default)]
pub(super) struct Processes(Option<HashMap<PathBuf, Vec<i32>>>);

impl Processes {
    /// Those of the jail with this first process; also those without root, where there is no control
    /// group that has them.
    fn of(&mut self, first: i32) -> Vec<i32> {
        let namespace = |pid: i32| std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let all = self.0.get_or_insert_with(|| {
            let mut all: HashMap<PathBuf, Vec<i32>> = HashMap::new();
            for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
                let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
                if let Some((pid, namespace)) = pid.and_then(|pid| Some((pid, namespace(pid)?))) {
                    all.entry(namespace).or_default().push(pid);
                }
            }
            all
        });
        namespace(first).and_then(|namespace| all.get(&namespace).cloned()).unwrap_or_else(|| vec![first])
    }
}

/// The files of a manifest that the running jail has others of, by path; `None` if it does not run.
///
/// `tree`: its own files, if it has such; else it should have the host's.
pub(super) fn held(
    house: &House,
    name: &Name,
    manifest: &Manifest,
    tree: Option<&Path>,
    processes: &mut Processes,
) -> Result<Option<Vec<String>>> {
    let jail = match Running::open(house, name) {
        Err(Error::NotRunning(_)) => return Ok(None),
        jail => jail?,
    };
    let mut held: BTreeSet<String> = BTreeSet::new();
    for (path, item) in &manifest.items {
        let wanted = match (tree, &item.source) {
            (Some(tree), _) => tree.join(path.trim_start_matches('/')),
            (None, Some(source)) => PathBuf::from(source),
            (None, None) => continue,
        };
        // What is gone from the host is told by the manifest.
        let Ok(wanted) = sys::fs::identity_at(CWD, &wanted) else { continue };
        if item.kind == Kind::File && inside(&jail.root, path).is_none_or(|has| has.inode != wanted.inode) {
            held.insert(path.clone());
        }
    }
    if let Some(first) = jail.state.first {
        let mapped = processes.of(first.pid).into_iter().flat_map(deleted);
        held.extend(mapped.filter(|path| manifest.items.contains_key(path)));
    }
    Ok(Some(held.into_iter().collect()))
}

/// Which file a path is inside. Of a layered root only the inode is the file's own.
fn inside(root: &OwnedFd, path: &str) -> Option<Identity> {
    let path = path.trim_start_matches('/');
    let file = sys::fs::open_in(root, path, O_PATH | O_NOFOLLOW, 0, Within::Root).ok()?;
    sys::fs::identity(&file).ok()
}

/// The files that a process has mapped and that are gone by now (proc_pid_maps(5)).
fn deleted(pid: i32) -> Vec<String> {
    let maps = std::fs::read(format!("/proc/{pid}/maps")).unwrap_or_default();
    String::from_utf8_lossy(&maps)
        .lines()
        .filter_map(|line| Some(line[line.find('/')?..].strip_suffix(" (deleted)")?.to_owned()))
        .collect()
}
