//! What keys cannot say together.

use super::problem::Found;
use super::read::Reading;
use super::{CapabilityChange, Change, Method, Owners, Root, RootSpec, Store};
use crate::caps::Capability;
use std::collections::BTreeMap;

mod network;

use network::network;

/// Notes the contradictions between keys, each at one of them. That a key is missing is none:
/// a file may be completed by what the command line says.
pub(super) fn contradictions(reading: &Reading, found: &mut Found<'_>) {
    let config = &reading.config;
    let mut note = |path: &'static str, message: String, help: &str| {
        if let Some((_, at)) = reading.given.iter().find(|(key, _)| key.path == path) {
            let help = Some(help.to_owned()).filter(|help| !help.is_empty());
            found.note(*at, path, format!("{path}: {message}"), help);
        }
    };

    stored(&config.root, &mut note);
    if let Some(from) = config.root.from.as_ref().filter(|from| !matches!(from, RootSpec::App(_))) {
        for (path, given) in [
            ("root.method", config.root.method != Method::Bind),
            ("root.files", !config.root.files.is_empty()),
            ("root.writable", !config.root.writable.is_empty()),
            ("root.users", !config.root.users.is_empty()),
        ] {
            if given {
                let help = "write what else the jail should see into `mounts`";
                note(
                    path,
                    format!("only an app jail is put together from files, and root.from is \"{from}\""),
                    help,
                );
            }
        }
    }

    let writable = || config.root.writable.iter().map(|entry| entry.path.as_path());
    for path in writable() {
        if let Some(outer) = writable().find(|outer| path != *outer && path.starts_with(outer)) {
            let message = format!("{} lies in {}, which is writable", path.display(), outer.display());
            note("root.writable", message, "keep one of them");
        }
    }
    twice(writable(), |path| {
        note("root.writable", format!("{} stands there twice", path.display()), "keep one of them");
    });

    let security = &config.security;
    let removed = |name| {
        let has = |change| security.capabilities.contains(&change);
        let cap = Capability::from_name(name);
        cap.is_some_and(|cap| {
            has(CapabilityChange::Remove(cap))
                || has(CapabilityChange::RemoveAll) && !has(CapabilityChange::Add(cap))
        })
    };
    for (path, allowed, cap) in [
        ("security.raw_sockets", security.raw_sockets, "net_raw"),
        ("security.mount", security.mount, "sys_admin"),
    ] {
        if allowed == Some(true) && removed(cap) {
            note(path, format!("needs the capability {cap}, which security.capabilities takes away"), "");
        }
    }
    if security.raw_sockets == Some(true) && config.network.mode.is_hosts() {
        let help = "give the jail a network of its own, or leave raw sockets to the host";
        note("security.raw_sockets", "the host's network gives no raw sockets to a jail".to_owned(), help);
    }
    network(reading, &mut note);
    twice(
        security.capabilities.iter().map(|change| match change {
            CapabilityChange::RemoveAll => "all",
            CapabilityChange::Add(cap) | CapabilityChange::Remove(cap) => cap.name(),
        }),
        |name| note("security.capabilities", format!("{name} is changed twice"), "keep one of them"),
    );
    twice(
        security.system_calls.iter().map(|change| match change {
            Change::Add(name) | Change::Remove(name) => name.as_str(),
        }),
        |name| note("security.system_calls", format!("{name} is changed twice"), "keep one of them"),
    );
    twice(config.mounts.iter().map(|mount| mount.target.as_path()), |target| {
        note("mounts", format!("two mounts have the target {}", target.display()), "keep one of them");
    });
}

/// What the keys about a jail's own files cannot say together.
fn stored(root: &Root, note: &mut impl FnMut(&'static str, String, &str)) {
    let Some(store) = root.store else { return };
    match &root.from {
        Some(RootSpec::App(_)) => note(
            "root.store",
            "the files of an app jail are the host's".to_owned(),
            "root.method = \"copy\" gives it copies",
        ),
        Some(RootSpec::Template(_)) | None => {}
        Some(from) if store == Store::Overlay => note(
            "root.store",
            format!("an overlay lies on a template, and root.from is \"{from}\""),
            "`jaula build` makes the template; or take another store",
        ),
        Some(_) => {}
    }
    if root.owners == Some(Owners::Host) {
        let message = "the jail's own files have its own owners".to_owned();
        note("root.owners", message, "leave it out, or take root.store away");
    }
    if matches!(store, Store::Image | Store::Btrfs) {
        let message = |what: &str| format!("{store} has a hard limit only, and {what} comes before it");
        if let Some(size) = root.size.filter(|size| size.soft != size.hard) {
            let help = format!("write the hard one alone: root.size = \"{}\"", size.hard);
            note("root.size", message(&size.soft.to_string()), &help);
        }
        if let Some(inodes) = root.inodes.filter(|inodes| inodes.soft != inodes.hard) {
            let help = format!("write the hard one alone: root.inodes = \"{}\"", inodes.hard);
            note("root.inodes", message(&inodes.soft.to_string()), &help);
        }
    }
    if store == Store::Btrfs && root.inodes.is_some() {
        let message = "btrfs has no limit on the number of files".to_owned();
        note("root.inodes", message, "limit the room: root.size; or take another store");
    }
}

/// Calls `tell` with each item that comes more than once.
fn twice<T: Ord>(items: impl Iterator<Item = T>, tell: impl FnMut(T)) {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_insert(0) += 1;
    }
    counts.into_iter().filter(|(_, count)| *count > 1).map(|(item, _)| item).for_each(tell);
}
