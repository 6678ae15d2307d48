//! Processes that a jail could have left: in other namespaces, below us, or jaula's own.

use super::{Kind, Snapshot};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

struct Process {
    parent: u32,
    /// In clock ticks since boot: tells a process from a later one with the same number.
    started: String,
    name: String,
}

/// Adds the processes that are in another namespace than ours, that descend from us, that are
/// called jaula, or that have a `JAULA_ROOT`; each with its command, cgroups and `JAULA_ROOT`.
pub(super) fn processes(all: &mut Snapshot) {
    let running = running();
    let ours = namespaces("self");
    for (&pid, process) in &running {
        let directory = PathBuf::from(format!("/proc/{pid}"));
        let root = jaula_root(&fs::read(directory.join("environ")).unwrap_or_default());
        // Without root the links of other people's processes cannot be read.
        let elsewhere = namespaces(&pid.to_string()).is_some_and(|theirs| Some(theirs) != ours);
        let below_us = pid != std::process::id() && descends_from(pid, std::process::id(), &running);
        if !(elsewhere || below_us || root.is_some() || process.name.contains("jaula")) || is_me(pid) {
            continue;
        }
        let command = fs::read(directory.join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        let cgroups = fs::read_to_string(directory.join("cgroup")).unwrap_or_default().replace('\n', " ");
        let text = format!("{} [{}] {} {cgroups}", process.name, command.trim(), root.unwrap_or_default());
        all.add(Kind::Process, format!("{pid} since {}", process.started), text);
    }
}

fn is_me(pid: u32) -> bool {
    pid == std::process::id()
}

/// All processes, by number. Fields of stat(5) come after the name in brackets, in which
/// anything may stand.
fn running() -> BTreeMap<u32, Process> {
    let mut running = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let stat = fs::read(entry.path().join("stat")).unwrap_or_default();
        let stat = String::from_utf8_lossy(&stat);
        let Some((before, after)) = stat.rsplit_once(") ") else { continue };
        let fields: Vec<&str> = after.split(' ').collect();
        let (Some(parent), Some(started)) = (fields.get(1).and_then(|p| p.parse().ok()), fields.get(19))
        else {
            continue;
        };
        let name = before.split_once('(').map_or("", |(_, name)| name);
        running.insert(pid, Process { parent, started: (*started).to_owned(), name: name.to_owned() });
    }
    running
}

fn descends_from(mut pid: u32, ancestor: u32, running: &BTreeMap<u32, Process>) -> bool {
    while let Some(process) = running.get(&pid) {
        if process.parent == ancestor {
            return true;
        }
        pid = process.parent;
    }
    false
}

fn namespaces(pid: &str) -> Option<[PathBuf; 4]> {
    let link = |kind| fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok();
    Some([link("pid")?, link("mnt")?, link("user")?, link("net")?])
}

fn jaula_root(environment: &[u8]) -> Option<String> {
    let variable = environment.split(|byte| *byte == 0).find(|line| line.starts_with(b"JAULA_ROOT="))?;
    Some(String::from_utf8_lossy(variable).into_owned())
}
