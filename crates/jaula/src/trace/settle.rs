//! From what was seen to a record: what is true of the host is asked of the host.

use super::process::path;
use super::uses::Uses;
use super::watcher::{Seen, Watcher};
use model::caps::{CapSet, Capability};
use model::plan::traced::INIT;
use model::seccomp::Arch;
use model::trace::{Peer, Record, Touched};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

impl Watcher {
    /// The record of all that was seen.
    ///
    /// Without `uses`, of the capabilities only those are known that some calls need.
    pub(crate) fn record(self, arch: Arch, uses: Option<&Uses>) -> Record {
        let mut calls: BTreeSet<String> = self.names(arch).collect();
        calls.extend(uses.into_iter().flat_map(|uses| uses.calls(arch.native())));
        let told = uses.and_then(Uses::capabilities);
        let (capabilities, mut refused) = told.unwrap_or_else(|| (self.guessed(&calls), CapSet::default()));
        // The one is asked for before the other, which comes to the same.
        if let (Some(search), Some(override_)) = (cap("dac_read_search"), cap("dac_override"))
            && capabilities.contains(override_)
        {
            refused = refused.without(search);
        }
        let mut files: BTreeMap<PathBuf, Seen> = BTreeMap::new();
        for (raw, seen) in self.files {
            let known = files.entry(plain(path(&raw))).or_insert_with(|| Seen {
                by_descriptor: true,
                touched: Touched { by: seen.touched.by.clone(), ..Touched::default() },
                ..Seen::default()
            });
            known.touched.add(&seen.touched);
            known.created |= seen.created;
            known.by_descriptor &= seen.by_descriptor;
        }
        files.remove(Path::new(INIT));
        let there = Listening::on_this_host();
        let others = self.sockets.peers.iter().filter(|peer| !self.sockets.is_own(peer));
        let peers = others.map(|peer| (peer.clone(), there.answers(peer))).collect();
        Record {
            files: settle(files),
            listens: self.sockets.ports,
            peers,
            users: self.users,
            groups: self.groups,
            calls,
            calls_whole: uses.is_some(),
            capabilities,
            capabilities_whole: told.is_some(),
            refused,
        }
    }

    /// The capabilities that calls need which were made.
    fn guessed(&self, calls: &BTreeSet<String>) -> CapSet {
        let made = |names: &[&str]| names.iter().any(|name| calls.contains(*name));
        let low = self.sockets.ports.iter().any(|port| port.number < 1024);
        let all = [
            ("chown", made(&["chown", "lchown", "fchownat"])),
            ("setuid", !self.users.is_empty()),
            ("setgid", !self.groups.is_empty()),
            ("sys_chroot", made(&["chroot"])),
            ("net_bind_service", low),
        ];
        all.iter().filter(|(_, used)| *used).filter_map(|(name, _)| cap(name)).collect()
    }
}

fn cap(name: &str) -> Option<Capability> {
    Capability::from_name(name)
}

/// An absolute path without `.`, `..` and empty parts. Where `..` follows a link, it leads where the
/// kernel would go.
fn plain(raw: &Path) -> PathBuf {
    let mut plain = PathBuf::from("/");
    for part in raw.components() {
        match part {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir => {
                if plain.is_symlink()
                    && let Ok(real) = std::fs::canonicalize(&plain)
                {
                    plain = real;
                }
                plain.pop();
            }
            _ => {}
        }
    }
    plain
}

/// Device and number.
type Inode = (u64, u64);

/// Asks the host about each path; what only a descriptor told goes to those that were opened.
fn settle(files: BTreeMap<PathBuf, Seen>) -> BTreeMap<PathBuf, Touched> {
    let mut settled: BTreeMap<PathBuf, Touched> = BTreeMap::new();
    let mut opened: HashMap<Inode, Vec<PathBuf>> = HashMap::new();
    let mut loose: Vec<(PathBuf, Touched, Option<Inode>)> = Vec::new();
    for (path, seen) in files {
        let Seen { mut touched, created, by_descriptor, .. } = seen;
        let there = std::fs::metadata(&path).ok();
        touched.directory = there.as_ref().is_some_and(std::fs::Metadata::is_dir);
        touched.missing = there.is_none() && std::fs::symlink_metadata(&path).is_err();
        touched.made |= touched.missing && created;
        touched.read &= !touched.directory;
        touched.executed &= there.as_ref().is_none_or(|there| there.is_file() && there.mode() & 0o111 != 0);
        if there.is_none() && !touched.made {
            // The call failed.
            touched = Touched { missing: touched.missing, by: touched.by, ..Touched::default() };
        }
        let identity = there.map(|there| (there.dev(), there.ino()));
        match (by_descriptor, identity) {
            (true, _) => loose.push((path, touched, identity)),
            (false, Some(identity)) => {
                opened.entry(identity).or_default().push(path.clone());
                settled.insert(path, touched);
            }
            (false, None) => drop(settled.insert(path, touched)),
        }
    }
    for (path, touched, identity) in loose {
        match identity.and_then(|identity| opened.get(&identity)) {
            Some(names) => {
                for name in names {
                    if let Some(known) = settled.get_mut(name) {
                        known.listed |= touched.listed;
                        known.mapped |= touched.mapped;
                    }
                }
            }
            None => drop(settled.insert(path, touched)),
        }
    }
    settled
}

/// Who waits for connections and datagrams on this host.
#[derive(Debug, Default)]
struct Listening {
    paths: BTreeSet<PathBuf>,
    names: BTreeSet<String>,
    /// Ports, with whether they are TCP's.
    ports: BTreeSet<(bool, u16)>,
}

impl Listening {
    fn on_this_host() -> Self {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default();
        let mut found = Self::default();
        for line in read("unix").lines().skip(1) {
            match line.split_whitespace().nth(7) {
                Some(name) if name.starts_with('@') => drop(found.names.insert(name.to_owned())),
                Some(path) => drop(found.paths.insert(PathBuf::from(path))),
                None => {}
            }
        }
        for (name, tcp) in [("tcp", true), ("tcp6", true), ("udp", false), ("udp6", false)] {
            found.ports.extend(read(name).lines().skip(1).filter_map(|line| {
                let mut words = line.split_whitespace().skip(1);
                let (local, state) = (words.next()?, words.nth(1)?);
                let port = u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()?;
                // proc_net_tcp: 0A listens; a UDP socket is 07 while it is not connected.
                (state == if tcp { "0A" } else { "07" }).then_some((tcp, port))
            }));
        }
        found
    }

    fn answers(&self, peer: &Peer) -> bool {
        match peer {
            Peer::Unix(path) => {
                self.paths.contains(path)
                    || std::fs::canonicalize(path).is_ok_and(|real| self.paths.contains(&real))
            }
            Peer::Other(name) => self.names.contains(name),
            Peer::Inet { address, port } => {
                let local = address.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
                local && self.ports.contains(&(port.tcp, port.number))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_as_they_were_meant() {
        for (raw, meant) in [
            ("/etc//./nginx/", "/etc/nginx"),
            ("/nowhere/x/../y", "/nowhere/y"),
            ("/../etc", "/etc"),
            ("/proc/self/exe/../x", std::env::current_exe().unwrap().with_file_name("x").to_str().unwrap()),
        ] {
            assert_eq!(plain(Path::new(raw)), Path::new(meant), "{raw}");
        }
    }
}
