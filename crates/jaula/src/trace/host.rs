//! What a trace takes of the host: its file systems, the directories of its `/run`, and memory.

use crate::error::{Error, Result};
use crate::tree::unescaped;
use model::plan::Directory;
use model::plan::traced::{Layer, Traced, is_kernels, is_the_jails};
use std::ffi::OsString;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How many file systems are shown beside `/`; each costs three mounts.
const MOST: usize = 64;

/// Those whose owners the kernel can map, by type (the flag `FS_ALLOW_IDMAP`; Linux 5.12 to 6.3).
const MAPPED: &[&str] = &[
    "bcachefs", "btrfs", "erofs", "ext2", "ext3", "ext4", "f2fs", "ntfs3", "squashfs", "tmpfs", "vfat",
    "xfs", "zfs",
];

/// How many ids a jail has.
const IDS: u32 = 1 << 16;

/// What a trace on this host has.
pub(crate) fn gather() -> Result<Traced> {
    let (layers, links) = match sys::process::user() {
        0 => (layers()?, Vec::new()),
        _ => top()?,
    };
    Ok(Traced { layers, links, run: run(), memory: memory(), init: sys::init::file() })
}

/// Where links are, and what they read.
type Links = Vec<(PathBuf, PathBuf)>;

/// The directories at the top, and the links. One in which something is mounted is only read; of
/// `/tmp` nothing is then seen.
fn top() -> Result<(Vec<Layer>, Links)> {
    let failed = || Error::io("read", Path::new("/"));
    let mounted = mount_points()?;
    let (mut layers, mut links) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir("/").map_err(failed())? {
        let path = entry.map_err(failed())?.path();
        let Ok(found) = std::fs::symlink_metadata(&path) else { continue };
        if found.is_symlink() {
            links.extend(std::fs::read_link(&path).ok().map(|to| (path, to)));
        } else if found.is_dir() && !is_the_jails(&path) {
            let written = !mounted.iter().any(|point| point != &path && point.starts_with(&path));
            if written || path != Path::new("/tmp") {
                layers.push(Layer { at: directory(path, &found), written, mapped: false });
            }
        }
    }
    layers.sort_by(|a, b| a.at.path.cmp(&b.at.path));
    Ok((layers, links))
}

fn mount_points() -> Result<Vec<PathBuf>> {
    let path = Path::new("/proc/self/mountinfo");
    let table = std::fs::read(path).map_err(Error::io("read", path))?;
    let point =
        |line: &[u8]| Some(PathBuf::from(OsString::from_vec(unescaped(line.split(|b| *b == b' ').nth(4)?))));
    Ok(table.split(|b| *b == b'\n').filter_map(point).collect())
}

/// The file systems that hold files, as they are seen from here.
fn layers() -> Result<Vec<Layer>> {
    let path = Path::new("/proc/self/mountinfo");
    let table = std::fs::read(path).map_err(Error::io("read", path))?;
    let mut found: Vec<Layer> = table.split(|b| *b == b'\n').filter_map(layer).collect();
    found.sort_by(|a, b| a.at.path.cmp(&b.at.path));
    found.dedup_by(|a, b| a.at.path == b.at.path);
    found.truncate(MOST);
    Ok(found)
}

/// A line of proc_pid_mountinfo(5).
fn layer(line: &[u8]) -> Option<Layer> {
    let mut words = line.split(|b| *b == b' ');
    let id = std::str::from_utf8(words.next()?).ok()?.to_owned();
    let path = PathBuf::from(OsString::from_vec(unescaped(words.nth(3)?)));
    let kind = std::str::from_utf8(words.skip_while(|word| *word != b"-").nth(1)?).ok()?;
    if is_kernels(kind) || is_the_jails(&path) || !is_seen(&path, &id) {
        return None;
    }
    let found = std::fs::metadata(&path).ok()?;
    let mapped = MAPPED.contains(&kind);
    Some(Layer { at: directory(path, &found), written: mapped && found.is_dir(), mapped })
}

/// Is this mount what one finds at its path, or does another lie over it?
fn is_seen(path: &Path, id: &str) -> bool {
    let Ok(found) = sys::fs::open(sys::fs::CWD, path, sys::fs::O_PATH, 0) else { return false };
    let info =
        std::fs::read_to_string(format!("/proc/self/fdinfo/{}", found.as_raw_fd())).unwrap_or_default();
    info.lines().any(|line| line.strip_prefix("mnt_id:").is_some_and(|n| n.trim() == id))
}

/// The directories that services expect, made by the host's own start. Those of an init tell programs
/// that there is one.
fn run() -> Vec<Directory> {
    const NOT: &[&str] = &["credentials", "initctl", "jaula", "mount", "systemd", "udev", "user"];
    let read = std::fs::read_dir("/run").into_iter().flatten().flatten();
    let directories =
        read.filter(|entry| !NOT.iter().any(|not| entry.file_name() == *not)).filter_map(|entry| {
            let found = entry.metadata().ok().filter(std::fs::Metadata::is_dir)?;
            Some(directory(entry.path(), &found))
        });
    let mut directories: Vec<Directory> = directories.collect();
    directories.sort_by(|a, b| a.path.cmp(&b.path));
    directories
}

fn directory(path: PathBuf, found: &std::fs::Metadata) -> Directory {
    let mode = found.mode() & 0o7777;
    let caller = sys::process::user();
    if caller == 0 {
        let known = |id| if id < IDS { id } else { 0 };
        return Directory { path, mode, user: known(found.uid()), group: known(found.gid()) };
    }
    // It is the caller's inside, who may do with it what the caller may with the host's.
    let others = mode & 7;
    let mode = if found.uid() == caller { mode } else { others << 6 | others << 3 | others };
    Directory { path, mode, user: 0, group: 0 }
}

/// How much a traced program may write: a quarter of the memory, and no more than a gigabyte.
fn memory() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total =
        text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok());
    (total.unwrap_or(0u64) * 1024 / 4).min(1 << 30)
}
