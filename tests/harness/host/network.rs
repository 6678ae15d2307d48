//! Interfaces, addresses, routes, firewall and abstract sockets of our network namespace.

use super::{Kind, Snapshot};
use std::fs;
use std::process::{Command, Stdio};

/// From `/sys/class/net` and `/proc/net`. Fields that change by themselves (use counts) are
/// left out.
pub(super) fn links_addresses_routes(all: &mut Snapshot) {
    let mut add = |key: String| all.add(Kind::Network, key, String::new());
    for link in fs::read_dir("/sys/class/net").into_iter().flatten().flatten() {
        let alias = fs::read_to_string(link.path().join("ifalias")).unwrap_or_default();
        add(format!("interface {} {}", link.file_name().display(), alias.trim()));
    }
    let trie = fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    let mut address = "";
    // The trie has each address twice, in the tables local and main.
    let mut addresses = std::collections::BTreeSet::new();
    for line in trie.lines() {
        match line.trim().strip_prefix("|-- ") {
            Some(leaf) => address = leaf,
            None if line.ends_with("host LOCAL") => _ = addresses.insert(address),
            None => {}
        }
    }
    addresses.into_iter().for_each(|address| add(format!("address {address}")));
    for line in fs::read_to_string("/proc/net/if_inet6").unwrap_or_default().lines() {
        add(format!("address {}", line.split_whitespace().next().unwrap_or_default()));
    }
    for line in fs::read_to_string("/proc/net/route").unwrap_or_default().lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        add(format!("route {}", [0, 1, 2, 7].map(|n| *fields.get(n).unwrap_or(&"")).join(" ")));
    }
    for line in fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default().lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        add(format!("route {}", [0, 1, 4, 9].map(|n| *fields.get(n).unwrap_or(&"")).join(" ")));
    }
    let forwarding = fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap_or_default();
    add(format!("net.ipv4.ip_forward {}", forwarding.trim()));
}

/// The ruleset as text without counters; each line carries its table, so that it can be told
/// whose it is.
pub(super) fn firewall(all: &mut Snapshot) {
    let listed = Command::new("nft").args(["-s", "list", "ruleset"]).stderr(Stdio::null()).output();
    let Ok(listed) = listed else { return };
    let mut table = String::new();
    for line in String::from_utf8_lossy(&listed.stdout).lines() {
        if line.starts_with("table ") {
            table = line.trim_end_matches(" {").to_owned();
        }
        if line.trim() != "}" {
            all.add(Kind::Firewall, format!("{table}: {}", line.trim()), String::new());
        }
    }
}

/// Sockets of `/proc/net/unix` whose name begins with `@`.
pub(super) fn abstract_sockets(all: &mut Snapshot) {
    for line in fs::read_to_string("/proc/net/unix").unwrap_or_default().lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let [.., inode, name] = fields[..]
            && name.starts_with('@')
        {
            all.add(Kind::Socket, format!("{name} {inode}"), String::new());
        }
    }
}
