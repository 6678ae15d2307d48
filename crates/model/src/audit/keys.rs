//! Checks of what the configuration and the profile allow.

use super::Jail;
use super::checks::{Finding, Fix};
use crate::caps::Capability;
use crate::config::{DEVICES, MountSource, NetworkMode, Profile, RootSpec, Writes};
use std::path::Path;

pub(super) fn user(jail: &Jail<'_>) -> Finding {
    match jail.user {
        0 if !jail.privileged => Finding::holds("root inside, without a capability"),
        0 => {
            let known = jail.config.root.users.iter().find(|user| *user != "root");
            let user = known.map_or("1000", String::as_str);
            Finding::open(
                10,
                "root inside",
                Fix::set(format!("boot.user={user}"), "if it need not begin as root"),
            )
        }
        user => Finding::holds(format!("user {user}")),
    }
}

pub(super) fn network(jail: &Jail<'_>) -> Finding {
    match jail.config.network.mode {
        NetworkMode::None => Finding::holds("loopback only"),
        NetworkMode::Host => Finding::open(1, "the host's network", no_network(jail)),
        NetworkMode::Bind => Finding::open(1, "the host's interfaces, seen", no_network(jail)),
        NetworkMode::Routed | NetworkMode::Bridge | NetworkMode::Macvlan => {
            Finding::holds("a link of its own")
        }
    }
}

pub(super) fn addresses(jail: &Jail<'_>) -> Finding {
    match jail.config.network.mode {
        NetworkMode::None => Finding::holds("none can be reached"),
        NetworkMode::Host => Finding::open(10, "all that the host reaches", no_network(jail)),
        mode if jail.config.network.addresses.is_empty()
            && (mode == NetworkMode::Bind || !jail.config.network.dhcp) =>
        {
            Finding::holds("none can be reached")
        }
        NetworkMode::Routed | NetworkMode::Bridge | NetworkMode::Macvlan => {
            Finding::open(9, "all that its link leads to", no_network(jail))
        }
        NetworkMode::Bind => Finding::open(9, "all that the host reaches but its loopback", no_network(jail)),
    }
}

/// Who named the ports that it serves does not want to hear that it could do without.
fn no_network(jail: &Jail<'_>) -> Fix {
    match jail.config.network.listen.as_deref() {
        None | Some([]) => Fix::set("network.mode=none", "if it needs no network"),
        Some(_) => Fix::None,
    }
}

/// How much an open port counts: a few named ones little, each one the kernel lets it much.
pub(super) fn listen(jail: &Jail<'_>) -> Finding {
    let listed = jail.config.network.listen.as_deref().filter(|_| jail.decides_ports);
    match (jail.config.network.mode, listed) {
        (NetworkMode::None, _) => Finding::holds("nobody outside can reach one"),
        (_, None) => {
            let fix = match jail.config.network.listen {
                Some(_) => Fix::Do("start it as root on a host with cgroup version 2".to_owned()),
                None => Fix::set("network.listen=[]", "with the ports that it serves in the list"),
            };
            Finding::open(10, "every port", fix)
        }
        (_, Some([])) => Finding::holds("none"),
        (_, Some(ports)) => {
            let count: u32 = ports.iter().map(|p| u32::from(p.last - p.first) + 1).sum();
            let words: Vec<String> = ports.iter().map(ToString::to_string).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let badness = if count <= 10 { 1 } else { 3 };
            Finding::open(badness, super::calls::some(&words), Fix::None)
        }
    }
}

pub(super) fn devices(jail: &Jail<'_>) -> Finding {
    let more: Vec<&str> =
        jail.config.security.devices().into_iter().filter(|name| !DEVICES[..5].contains(name)).collect();
    if more.is_empty() {
        return Finding::holds("no");
    }
    let list: Vec<String> = more.iter().map(|name| format!("security.devices-={name}")).collect();
    let fix = Fix::Set { settings: list, when: "if it does without them" };
    Finding::open(5, more.join(", "), fix)
}

pub(super) fn root(jail: &Jail<'_>) -> Finding {
    match &jail.config.root.from {
        Some(RootSpec::Host) if !jail.config.root.is_own() => {
            let fix = Fix::Do("give it a root of its own: root.from=app:PROGRAM".to_owned());
            Finding::open(1, "the host's own", fix)
        }
        Some(from) => Finding::holds(from.to_string()),
        None => Finding::holds("none yet"),
    }
}

pub(super) fn writes(jail: &Jail<'_>) -> Finding {
    let fix = || Fix::set("root.writes=refused", "if it writes to /run, /tmp and mounts only");
    match jail.config.root.writes_in_force() {
        Writes::Refused => Finding::holds("read-only"),
        Writes::Discarded => Finding::open(3, "until it stops", fix()),
        Writes::Kept => Finding::open(5, "and it keeps what it wrote", fix()),
    }
}

pub(super) fn home(jail: &Jail<'_>) -> Finding {
    let homes = [Path::new("/home"), Path::new("/root"), Path::new("/")];
    let mounted = jail.config.mounts.iter().find_map(|mount| match &mount.source {
        MountSource::Bind { path, .. } if homes.contains(&path.as_path()) || path.starts_with("/home") => {
            Some((path, mount.writable))
        }
        _ => None,
    });
    match (mounted, &jail.config.root.from) {
        (Some((path, writable)), _) => {
            let fix = Fix::Do("take its mount out".to_owned());
            Finding::open(if writable { 10 } else { 5 }, format!("{} is mounted", path.display()), fix)
        }
        (None, Some(RootSpec::Host)) if !jail.config.root.is_own() => {
            Finding::open(5, "read-only", Fix::set("security.hide+=/home,/root", "if it needs none of them"))
                .unless(hidden(jail, "/home") && hidden(jail, "/root"))
        }
        _ => Finding::holds("no"),
    }
}

fn hidden(jail: &Jail<'_>, path: &str) -> bool {
    jail.config.security.hide.iter().any(|hidden| hidden == Path::new(path))
}

impl Finding {
    fn unless(self, hidden: bool) -> Self {
        if hidden { Self::holds("hidden") } else { self }
    }
}

pub(super) fn new_setuid(jail: &Jail<'_>) -> Finding {
    let counts = jail.config.security.profile == Profile::Server && !jail.confinement.no_new_privileges;
    match counts {
        false => Finding::holds("setuid bits of its making count for nothing"),
        true => {
            let fix = Fix::set("security.no_new_privileges=true", "if nobody needs su, sudo, ping of old");
            Finding::open(1, "yes, for its own users", fix)
        }
    }
}

pub(super) fn no_new_privileges(jail: &Jail<'_>) -> Finding {
    match jail.confinement.no_new_privileges {
        true => Finding::holds("yes"),
        false => {
            let fix = Fix::set("security.no_new_privileges=true", "if nobody needs su, sudo, ping of old");
            Finding::open(1, "no", fix)
        }
    }
}

pub(super) fn ambient(jail: &Jail<'_>) -> Finding {
    let added = jail.confinement.added;
    if jail.user == 0 || !jail.privileged || added.bits() == 0 {
        return Finding::holds("no");
    }
    let names: Vec<&str> = added.iter().map(Capability::name).collect();
    let fix = Fix::set(format!("security.capabilities-=+{}", names.join(",+")), "if it does without them");
    Finding::open(1, names.join(", "), fix)
}

pub(super) fn umask(_: &Jail<'_>) -> Finding {
    Finding::open(5, "read them, by 022", Fix::None)
}

pub(super) fn proc_subset(jail: &Jail<'_>) -> Finding {
    let security = &jail.config.security;
    match (security.proc, security.profile) {
        (Some(false), _) => Finding::holds("there is no /proc"),
        (_, Profile::Strict) => Finding::holds("processes only"),
        _ => Finding::open(
            1,
            "yes, without what is the host's",
            Fix::set("security.proc=false", "if it needs no /proc"),
        ),
    }
}

pub(super) fn personality(jail: &Jail<'_>) -> Finding {
    const ADDR_NO_RANDOMIZE: u64 = 0x4_0000;
    match jail.allows("personality", [ADDR_NO_RANDOMIZE, 0, 0]) {
        false => Finding::holds("only asked for"),
        true => {
            Finding::open(1, "yes", Fix::set("security.system_calls+=-personality", "if it is no debugger"))
        }
    }
}

pub(super) fn write_execute(_: &Jail<'_>) -> Finding {
    Finding::open(1, "yes", Fix::None)
}

pub(super) fn architectures(jail: &Jail<'_>) -> Finding {
    match jail.config.security.profile {
        Profile::Server => Finding::open(
            10,
            "32-bit programs run",
            Fix::set("security.profile=app", "if it is no whole distribution"),
        ),
        _ => Finding::holds("refused"),
    }
}

pub(super) fn limits(jail: &Jail<'_>) -> Finding {
    let has = |name: &str| jail.config.limits.process.get(name).is_some_and(|(soft, _)| soft.is_some());
    let (processes, memory) = (has("nproc"), has("as") || has("data"));
    let mut settings = Vec::new();
    if !processes {
        settings.push("limits.process.nproc=256".to_owned());
    }
    if !memory {
        settings.push("limits.process.as=4G".to_owned());
    }
    let found = match (processes, memory) {
        (true, true) => return Finding::holds("processes, and memory of each"),
        (false, false) => "no limit of either",
        (false, true) => "no limit of processes",
        (true, false) => "no limit of memory",
    };
    let badness = if processes || memory { 5 } else { 10 };
    Finding::open(badness, found, Fix::Set { settings, when: "with numbers that fit it" })
}

pub(super) fn capabilities(jail: &Jail<'_>, names: &[&str]) -> Finding {
    let held = jail.capabilities();
    let holds = |name: &&&str| Capability::from_name(name).is_some_and(|cap| held.contains(cap));
    let left: Vec<&str> = names.iter().filter(holds).copied().collect();
    if left.is_empty() {
        return Finding::holds("none can be had");
    }
    let list: Vec<String> = left.iter().map(|name| format!("-{name}")).collect();
    let fix = Fix::set(format!("security.capabilities+={}", list.join(",")), "if it does without them");
    Finding::open(1, left.join(", "), fix)
}

pub(super) fn namespace(jail: &Jail<'_>, flag: u64) -> Finding {
    let made = ["clone", "unshare"].iter().any(|call| jail.allows(call, [flag, 0, 0]));
    // Its flags lie in memory, and by a descriptor no filter sees what is joined.
    let unseen = jail.allows("clone3", [0, 0, 0]) || jail.allows("setns", [0, flag, 0]);
    if !made && !unseen {
        return Finding::holds("refused");
    }
    let fix = if jail.config.security.nesting {
        Fix::set("security.nesting=false", "if it makes no jails of its own")
    } else {
        Fix::set("security.profile=app", "if it is no whole distribution")
    };
    Finding::open(1, "can be made", fix)
}

pub(super) fn families(jail: &Jail<'_>, families: &[u64]) -> Finding {
    const KNOWN: [u64; 5] = [1, 2, 10, 16, 17];
    const RAW: u64 = 3;
    let open = |family: u64| {
        (0..=31).any(|protocol| {
            jail.allows("socket", [family, 2, protocol]) || jail.allows("socket", [family, RAW, protocol])
        })
    };
    let left = match families {
        [] => (0..64).filter(|family| !KNOWN.contains(family)).any(open),
        own => own.iter().any(|family| open(*family)),
    };
    if !left {
        return Finding::holds("refused");
    }
    const NAMES: [(&str, u64); 4] = [("unix", 1), ("inet", 2), ("inet6", 10), ("netlink", 16)];
    let rest = NAMES.iter().filter(|(_, family)| !families.contains(family) && open(*family));
    let rest: Vec<&str> = rest.map(|(name, _)| *name).collect();
    let fix = Fix::set(format!("security.socket_families=[{}]", quoted(&rest)), "if it does without them");
    Finding::open(1, "can be opened", fix)
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}
