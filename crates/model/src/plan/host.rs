//! The host's half of a start: what is done to the host, in order.

use super::{Directory, Jail, Link, MOUNT_POINTS, OnNet, Setting, Shared, Writable};
use crate::caps::Capability;
use crate::config::{NetworkMode, Rates, RootSpec};
use crate::firewall::Share;
use crate::guest::FixUp;
use crate::name::Name;
use crate::ports::Ports;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

/// Something that a start does to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostStep {
    /// The jail's run directory, made and locked before anything else; its undo removes it.
    Claim(PathBuf),
    /// The link that gives the jail its number, made when the jail was claimed; removed with it.
    Number(PathBuf),
    /// Make a directory in a root for the child to mount on, where there is none; no undo.
    MountPoint(PathBuf),
    /// Make a control group directory; its undo removes it.
    Cgroup {
        /// Which one.
        path: PathBuf,
        /// How the first process gets into it.
        join: Join,
    },
    /// Give a group to the jail's root, which makes groups of its own below it; goes with the group.
    Delegate {
        /// Which group.
        cgroup: PathBuf,
        /// The user and group on the host that the jail's root is.
        owner: u32,
    },
    /// Let the group's processes listen on ports below 1024; goes with the group.
    LowPorts(PathBuf),
    /// Let the group's processes listen on these ports only; goes with the group.
    Listen {
        /// Which group.
        cgroup: PathBuf,
        /// Which ports.
        ports: Vec<Ports>,
    },
    /// Keep the group's processes to these addresses of the host's network; goes with the group.
    Bind {
        /// Which group.
        cgroup: PathBuf,
        /// Which addresses.
        addresses: Vec<IpAddr>,
        /// What 127.0.0.1 is.
        loopback: Ipv4Addr,
        /// May they bind to ports below 1024?
        low_ports: bool,
    },
    /// Let only so much data in and out: of the group's sockets, or of the link if there is one; goes with that.
    Rate {
        /// Which group.
        cgroup: PathBuf,
        /// The host's end of the jail's link.
        link: Option<String>,
        /// How much.
        rates: Rates,
    },
    /// Put the jail into the list of names that jails share; its undo takes it out.
    Names {
        /// Where the list is.
        file: PathBuf,
        /// The jail.
        name: Name,
        /// What it calls itself.
        hostname: Option<String>,
        /// Its addresses.
        ips: Vec<IpAddr>,
    },
    /// Ask the nets whether other machines have these addresses, those that the host does not have itself.
    Probe(Vec<OnNet>),
    /// Something that the first jail that needs it brings, and the last takes away.
    Shared(Shared),
    /// Make the jail's own link, while its first process waits; its undo removes it.
    Link(Box<Link>),
    /// Put the jail into the host's table `jaula`; its undo takes it out.
    Firewall(Box<Share>),
    /// Switch the host's end of it on, with routes to addresses of the jail; goes with the link.
    LinkUp {
        /// The host's end.
        link: String,
        /// The addresses that are behind it.
        routes: Vec<IpAddr>,
    },
    /// Answer for an address of the jail to who asks for it on an interface of the host (proxy ARP and NDP).
    Answer {
        /// The address.
        ip: IpAddr,
        /// The interface.
        device: String,
    },
    /// Tell the nets where these addresses are now; no undo.
    Announce(Vec<OnNet>),
    /// Make a directory that the jail keeps when it stops; no undo.
    Keep(PathBuf),
    /// Make a directory of those that an app jail may write to, where there is none; no undo.
    Own {
        /// Where.
        path: PathBuf,
        /// Its user and group, by the jail's numbers; without root they are the caller.
        owner: Option<(u32, u32)>,
        /// Its mode.
        mode: u32,
    },
    /// Make a file of a virtual server's own fit a jail; no undo, a second time does nothing.
    Guest(FixUp),
    /// Put what was made where it belongs; no undo.
    Settle {
        /// Where it was made.
        from: PathBuf,
        /// Where it belongs.
        to: PathBuf,
    },
}

/// The files of a group that belong to whoever has groups of his own below it (cgroups(7), "delegation"); all
/// others stay the host's, so that what limits the jail as a whole cannot be changed from inside.
pub const DELEGATED: [&str; 3] = ["/cgroup.procs", "/cgroup.subtree_control", "/cgroup.threads"];

/// How many groups a jail may have below its own: far more than any distribution makes, and few enough that they
/// do not fill the host's memory.
pub const DESCENDANTS: u32 = 4096;

/// How a process gets into a control group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// It is made there (`CLONE_INTO_CGROUP`): version 2.
    Born,
    /// It is moved there before its program begins: version 1.
    Moved,
}

impl fmt::Display for HostStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cgroup { path, .. } => write!(f, "mkdir {}", path.display()),
            Self::Delegate { cgroup, owner } => {
                let files = DELEGATED.map(|file| format!(",{file}")).concat();
                write!(
                    f,
                    "chown {owner}:{owner} {}{{{files}}}; {DESCENDANTS} > cgroup.max.descendants",
                    cgroup.display()
                )
            }
            Self::Claim(path) => write!(f, "mkdir, lock {}", path.display()),
            Self::Number(path) => write!(f, "link {}", path.display()),
            Self::MountPoint(path) => write!(f, "mkdir {} or EEXIST, EROFS", path.display()),
            Self::LowPorts(path) => write!(f, "bpf: bind to low ports, {}", path.display()),
            Self::Listen { cgroup, ports } => {
                let ports: Vec<String> = ports.iter().map(Ports::to_string).collect();
                let ports = if ports.is_empty() { "no port".to_owned() } else { ports.join(", ") };
                write!(f, "bpf: bind to {ports}, {}", cgroup.display())
            }
            Self::Bind { cgroup, addresses, loopback, .. } => {
                let addresses: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
                let addresses =
                    if addresses.is_empty() { "no address".to_owned() } else { addresses.join(", ") };
                write!(f, "bpf: be at {addresses}, 127.0.0.1 is {loopback}, {}", cgroup.display())
            }
            Self::Names { file, name, ips, .. } => {
                let ips: Vec<String> = ips.iter().map(IpAddr::to_string).collect();
                write!(f, "{name} [{}] >> {}", ips.join(", "), file.display())
            }
            Self::Rate { cgroup, link, rates } => {
                let ways = [("in", rates.inward), ("out", rates.outward)];
                let ways = ways.iter().filter_map(|(way, rate)| Some(format!("{way} {}", (*rate)?)));
                write!(f, "bpf: pass {}, ", ways.collect::<Vec<_>>().join(", "))?;
                match link {
                    Some(link) => f.write_str(link),
                    None => write!(f, "{}", cgroup.display()),
                }
            }
            Self::Probe(all) => write!(f, "ask who has {}", listed(all)),
            Self::Announce(all) => write!(f, "announce {}", listed(all)),
            Self::Shared(shared) => shared.fmt(f),
            Self::Link(link) => link.fmt(f),
            Self::Firewall(share) => write!(f, "nft: {share}"),
            Self::LinkUp { link, routes } => {
                write!(f, "ip link set {link} up")?;
                routes.iter().try_for_each(|ip| write!(f, "; ip route add {ip} dev {link}"))
            }
            Self::Answer { ip, device } => write!(f, "ip neighbour add proxy {ip} dev {device}"),
            Self::Keep(path) => write!(f, "mkdir -p {}", path.display()),
            Self::Own { path, owner: Some((user, group)), mode } => {
                write!(f, "mkdir -p {} {mode:#o} {user}:{group}", path.display())
            }
            Self::Own { path, owner: None, mode } => write!(f, "mkdir -p {} {mode:#o}", path.display()),
            Self::Guest(fix_up) => write!(f, "inside: {fix_up}"),
            Self::Settle { from, to } => write!(f, "rename {} {}", from.display(), to.display()),
        }
    }
}

impl HostStep {
    /// Is it done while the first process builds the jail's root, and before it enters it? It opens no socket until
    /// then, so that what decides about sockets is in time. The kernel takes as long for programs on a control group
    /// as for half of the rest of a start: where no other group has any, it patches its own code for each.
    pub fn is_meanwhile(&self) -> bool {
        matches!(self, Self::LowPorts(_) | Self::Listen { .. } | Self::Bind { .. } | Self::Rate { .. })
    }

    /// Why it stands in the plan.
    pub fn why(&self) -> &'static str {
        match self {
            Self::Cgroup { join: Join::Born, .. } => "the jail's processes, counted and killed as one",
            Self::Cgroup { join: Join::Moved, .. } => "a controller that this host has in version 1 only",
            Self::Delegate { .. } => "its init makes groups of its own below",
            Self::Claim(_) => "its state, journal and sockets; the lock is the claim to it",
            Self::Number(_) => "its number, and with it its ids, are nobody else's",
            Self::MountPoint(_) => "the root must have it, to mount on",
            Self::LowPorts(_) => "cap_net_bind_service inside is none on the host's network",
            Self::Listen { .. } => "the only ports that it may listen on",
            Self::Bind { .. } => "the only addresses that it has",
            Self::Names { .. } => "other jails know it by its name, and it knows them",
            Self::Rate { .. } => "network.rate",
            Self::Shared(Shared::Bridge { .. }) => "jails on it reach each other and the host",
            Self::Shared(Shared::Address { .. }) => "an address that is there while jails need it",
            Self::Shared(Shared::Setting { setting: Setting::Ndp, .. }) => {
                "answers for the addresses that are listed, and no others"
            }
            Self::Shared(Shared::Setting { setting: Setting::AtOnce4 | Setting::AtOnce6, .. }) => {
                "who asks for the jail's address hears at once"
            }
            Self::Probe(_) => "an address that another machine has is not the jail's",
            Self::Announce(_) => "whoever knew another machine by the address learns anew",
            Self::Link(_) => "the jail's own interface, ready before its first program runs",
            Self::Firewall(_) => "its translation and forwards, and what may come from its link",
            Self::LinkUp { .. } => "the way to the jail",
            Self::Answer { .. } => "the net finds the jail's address at this host",
            Self::Keep(_) => "what the jail writes, kept over stops",
            Self::Own { .. } => "root.writable: a directory as the host has it",
            Self::Guest(fix_up) => fix_up.why,
            Self::Settle { .. } => "the jail has all of it, or nothing yet",
        }
    }
}

/// The sequence.
pub(super) fn steps(jail: &Jail<'_>) -> Vec<HostStep> {
    let run = &jail.facts.run;
    let mut steps = vec![
        HostStep::Claim(run.join(jail.name.as_str())),
        HostStep::Number(run.join(".ids").join(jail.id.to_string())),
    ];
    if let (Some(RootSpec::Dir(root)), None) = (&jail.config.root.from, jail.stored) {
        let wanted = MOUNT_POINTS.iter().filter(|name| **name != "sys" || jail.has_sys());
        steps.extend(wanted.map(|name| HostStep::MountPoint(root.join(name))));
    }
    if let Some((kept, false)) = jail.kept() {
        for name in ["upper", "work"] {
            steps.push(HostStep::Keep(kept.join(name)));
        }
    }
    steps.extend(jail.guest.iter().cloned().map(HostStep::Guest));
    steps.extend(jail.writable.iter().flat_map(|writable| own(jail, writable)));
    if !jail.facts.root() {
        return steps;
    }
    if jail.config.network.mode != NetworkMode::None && jail.traced.is_none() {
        steps.push(HostStep::Names {
            file: run.join(".hosts"),
            name: jail.name.clone(),
            hostname: jail.config.hostname.clone(),
            ips: jail.config.network.ips().collect(),
        });
    }
    let directory = directory(jail);
    steps.extend(super::link::before(jail));
    let cgroups = &jail.facts.cgroups;
    if let Some(unified) = &cgroups.unified {
        let path = unified.join(&directory);
        steps.push(HostStep::Cgroup { path: path.clone(), join: Join::Born });
        if jail.has_groups() {
            let owner = jail.id.range().outside;
            steps.push(HostStep::Delegate { cgroup: path, owner });
        }
    }
    // Moving a process between version 1 groups takes up to 10 ms (it waits for all processors
    // to pass a quiet point), so that only controllers that are asked for are joined.
    let wanted = jail.config.limits.account.iter();
    let mut legacy: Vec<&PathBuf> = wanted.filter_map(|c| cgroups.legacy.get(c.as_str())).collect();
    if cgroups.unified.is_none() {
        legacy.extend(cgroups.legacy.get("freezer").or_else(|| cgroups.legacy.values().next()));
    }
    legacy.sort();
    legacy.dedup();
    steps.extend(
        legacy.into_iter().map(|at| HostStep::Cgroup { path: at.join(&directory), join: Join::Moved }),
    );
    steps.extend(super::link::meeting(jail));
    steps.extend(super::link::announce(jail));
    steps.extend(programs(jail));
    steps
}

/// What the jail's control groups are called.
fn directory(jail: &Jail<'_>) -> String {
    match jail.facts.house.as_str() {
        "" => format!("jaula.{}", jail.name),
        house => format!("jaula.{house}.{}", jail.name),
    }
}

/// Programs on the jail's control group and its link ([`HostStep::is_meanwhile`]).
pub(super) fn programs(jail: &Jail<'_>) -> Vec<HostStep> {
    let unified = jail.facts.cgroups.unified.as_ref().filter(|_| jail.facts.root());
    let network = &jail.config.network;
    let Some(path) = unified.map(|unified| unified.join(directory(jail))) else { return Vec::new() };
    let rates = network.rate;
    let link = network.mode.passes_host().then(|| jail.id.link(&jail.facts.house));
    let rate = (rates != Rates::default()).then(|| HostStep::Rate { cgroup: path.clone(), link, rates });
    addresses(jail, &path).into_iter().chain(rate).chain(listening(jail, path)).collect()
}

fn listed(all: &[OnNet]) -> String {
    all.iter().map(OnNet::to_string).collect::<Vec<_>>().join(", ")
}

/// What keeps the group's processes to their addresses.
fn addresses(jail: &Jail<'_>, cgroup: &Path) -> Option<HostStep> {
    let network = &jail.config.network;
    (network.mode == NetworkMode::Bind).then(|| HostStep::Bind {
        cgroup: cgroup.to_owned(),
        addresses: network.ips().collect(),
        loopback: jail.id.loopback(),
        low_ports: may_bind_low(jail),
    })
}

/// Has the jail's root the capability for ports below 1024?
fn may_bind_low(jail: &Jail<'_>) -> bool {
    Capability::from_name("net_bind_service").is_some_and(|cap| jail.confinement.capabilities.contains(cap))
}

/// What decides about the ports that the group's processes listen on.
fn listening(jail: &Jail<'_>, cgroup: PathBuf) -> Option<HostStep> {
    let network = &jail.config.network;
    match &network.listen {
        Some(ports) if jail.facts.decides_ports => Some(HostStep::Listen { cgroup, ports: ports.clone() }),
        _ => (may_bind_low(jail) && network.mode == NetworkMode::Host).then_some(HostStep::LowPorts(cgroup)),
    }
}

/// Makes a directory that the jail may write to, aside and then whole: the next start finds all of
/// it or nothing.
fn own(jail: &Jail<'_>, writable: &Writable) -> Vec<HostStep> {
    let Some(kept) = writable.kept.as_ref().filter(|_| !writable.make.is_empty()) else { return Vec::new() };
    let name = kept.file_name().unwrap_or_default();
    let new = kept.with_file_name(".new").join(name);
    let mut steps: Vec<HostStep> = Vec::with_capacity(writable.make.len() + 1);
    for Directory { path, user, group, mode } in &writable.make {
        let at = if path.as_os_str().is_empty() { new.clone() } else { new.join(path) };
        // Who has one user only must be able to use what belongs to it.
        let (owner, mode) =
            if jail.facts.root() { (Some((*user, *group)), *mode) } else { (None, mode | 0o700) };
        steps.push(HostStep::Own { path: at, owner, mode });
    }
    steps.push(HostStep::Settle { from: new, to: kept.clone() });
    steps
}
