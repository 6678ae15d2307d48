//! The files that a jail's configuration lists beside its program.

use super::collect::Content;
use super::error::BadFile;
use super::host::{Node, Place};
use super::libraries::Process;
use super::programs::Programs;
use super::{ClosureError, Reason};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Directories that a jail has its own of.
const REFUSED: [&str; 4] = ["/proc", "/sys", "/dev", "/run"];

/// Adds the listed files, with what the programs, scripts and libraries among them need.
/// Libraries are loaded by `process`.
///
/// What is listed by its own name must be complete. What merely lies in a listed directory need
/// not be: what it lacks is noted as unmet.
pub(super) fn add(programs: &mut Programs, process: &Process, files: &[PathBuf]) -> Result<(), ClosureError> {
    let mut places = Vec::new();
    let mut bad = Vec::new();
    for path in files {
        match check(programs, path) {
            Ok(place) => places.push((path, place)),
            Err(why) => bad.push(BadFile { path: path.clone(), why: why.into() }),
        }
    }
    if !bad.is_empty() {
        return Err(ClosureError::Files(bad));
    }
    for (path, place) in places {
        programs.collection.add(path, &place, Reason::Listed);
        match place.node {
            Node::Directory => add_below(programs, process, &place.real)?,
            _ => add_needs(programs, process, path, &place)?,
        }
    }
    Ok(())
}

/// Where a listed path leads, or what is wrong with it.
fn check(programs: &mut Programs, path: &Path) -> Result<Place, &'static str> {
    if !path.is_absolute() {
        return Err("is not absolute");
    }
    if path.components().any(|c| c == Component::ParentDir) {
        return Err("has .. in it");
    }
    let refused = |path: &Path| REFUSED.iter().any(|r| path.starts_with(r));
    if refused(path) {
        return Err("is in a directory that a jail has its own of; use mounts");
    }
    let place = match programs.collection.host.walk(path) {
        Ok(Some(place)) => place,
        Ok(None) => return Err("does not exist"),
        Err(_) => return Err("cannot be reached"),
    };
    if place.real == Path::new("/") {
        return Err("is the whole host; use root.from = \"host\"");
    }
    if refused(&place.real) {
        return Err("leads into a directory that a jail has its own of; use mounts");
    }
    if place.node == Node::Special {
        return Err("is a device, socket or pipe; use mounts");
    }
    Ok(place)
}

/// Adds what a file needs if it is a program, a script or a library. Any other is just data.
fn add_needs(
    programs: &mut Programs,
    process: &Process,
    path: &Path,
    place: &Place,
) -> Result<(), ClosureError> {
    let executable = place.node == Node::File { executable: true };
    match &*programs.collection.content(&place.real)? {
        Content::Elf(elf) if elf.program || elf.interpreter.is_some() => {
            if executable {
                programs.execute(path, Reason::Listed)?;
            }
        }
        Content::Elf(elf) => programs.open(process, path, &place.real, elf)?,
        Content::Script(_) if executable => drop(programs.execute(path, Reason::Listed)?),
        Content::Script(_) | Content::Neither(_) => {}
    }
    Ok(())
}

/// Adds what the files below a directory need, and the files that links in it lead to.
///
/// Of links, only those that root made are followed: whoever may write into the directory must not decide
/// which of the host's files the jail sees.
fn add_below(programs: &mut Programs, process: &Process, directory: &Path) -> Result<(), ClosureError> {
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        let read = |source| ClosureError::Read { path: directory.clone(), source };
        for name in programs.collection.host.list(&directory).map_err(read)? {
            let path = directory.join(name);
            let read = |source| ClosureError::Read { path: path.clone(), source };
            match programs.collection.host.look(&path).map_err(read)? {
                Node::Directory => directories.push(path),
                Node::File { executable } if executable || is_library(&path) => {
                    add_needs_if_any(programs, process, &path);
                }
                Node::Link { .. } => add_needs_if_any(programs, process, &path),
                _ => {}
            }
        }
    }
    Ok(())
}

fn add_needs_if_any(programs: &mut Programs, process: &Process, path: &Path) {
    let Ok(Some(place)) = programs.collection.host.walk(path) else { return };
    let refused = REFUSED.iter().any(|r| place.real.starts_with(r));
    if refused || !place.roots || !matches!(place.node, Node::File { .. }) {
        return;
    }
    programs.collection.add(path, &place, Reason::Listed);
    if let Err(error) = add_needs(programs, process, path, &place) {
        programs.unmet.push(error);
    }
}

/// `libx.so`, `libx.so.1`
fn is_library(path: &Path) -> bool {
    let name = path.file_name().map_or(&[][..], OsStrExt::as_bytes);
    name.ends_with(b".so") || name.windows(4).any(|w| w == b".so.")
}
