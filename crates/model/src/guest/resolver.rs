//! Whom the guest asks for names: `/etc/resolv.conf`.

use super::lines::{Place, block, own};
use super::{At, Fixer, marked};
use std::net::IpAddr;

const WHY: &str = "network.nameservers: it asks those servers for names";

/// What the library of the C language reads in `/etc/resolv.conf`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolver {
    /// Whom to ask; each as it stands there.
    pub servers: Vec<String>,
    /// What is put behind short names.
    pub search: Vec<String>,
}

impl Resolver {
    /// Asks these.
    pub fn of(servers: &[IpAddr]) -> Self {
        Self { servers: servers.iter().map(IpAddr::to_string).collect(), search: Vec::new() }
    }

    /// As the host does. `behind` is what systemd-resolved asks, if that runs on the host; `shared`:
    /// the guest has the host's network. `None` if the guest could reach none of them.
    pub fn inherited(host: &str, behind: Option<&str>, shared: bool) -> Option<Self> {
        let reachable = |server: &String| shared || !server.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        [Some(host), behind].into_iter().flatten().map(Self::parse).find_map(|mut found| {
            found.servers.retain(reachable);
            (!found.servers.is_empty()).then_some(found)
        })
    }

    fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => found.servers.extend(words.next().map(str::to_owned)),
                // Of several, the last counts (resolv.conf(5)).
                Some("search" | "domain") => found.search = words.map(str::to_owned).collect(),
                _ => {}
            }
        }
        found
    }

    fn lines(&self) -> String {
        let search = if self.search.is_empty() { None } else { Some(self.search.join(" ")) };
        let search = search.map(|search| format!("search {search}\n"));
        let servers = self.servers.iter().map(|server| format!("nameserver {server}\n"));
        search.into_iter().chain(servers).collect()
    }
}

pub(super) fn fix(fixer: &mut Fixer<'_>) {
    stub(fixer);
    let Some(resolver) = &fixer.guest.resolver else { return };
    let lines = resolver.lines();
    let text = match fixer.files.at("/etc/resolv.conf") {
        At::Text(text) => text,
        // A link leads to what a service of the guest writes once it has servers of its own, which it
        // has not; a directory stays.
        _ => String::new(),
    };
    let is_ours =
        |line: &str| matches!(line.split_whitespace().next(), Some("nameserver" | "search" | "domain"));
    let rest: String = keep_between(&text, is_ours);
    fixer.write("/etc/resolv.conf", block(&rest, &lines, Place::Top), WHY);
}

/// The text without these lines, but for those between markers.
fn keep_between(text: &str, is_gone: impl Fn(&str) -> bool) -> String {
    let (without, with) = (block(text, "", Place::Top), text);
    if !own(with).any(&is_gone) {
        return with.to_owned();
    }
    without.split_inclusive('\n').filter(|line| !is_gone(line)).collect()
}

/// Where the network is the host's, the host's own systemd-resolved listens on the stub's address.
fn stub(fixer: &mut Fixer<'_>) {
    let path = "/etc/systemd/resolved.conf.d/jaula.conf";
    let has = fixer.has("/usr/lib/systemd/systemd-resolved") || fixer.has("/lib/systemd/systemd-resolved");
    if has && fixer.guest.network.shared {
        fixer.write(path, marked("[Resolve]\nDNSStubListener=no\n"), "127.0.0.53 is the host's");
    } else {
        fixer.remove(path, "127.0.0.53 is its own");
    }
}
