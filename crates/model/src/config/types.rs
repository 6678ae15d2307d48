//! The types of a jail's configuration.

use crate::address::Address;
use crate::caps::Capability;
use crate::forward::{Forward, Nat};
use crate::link::Mac;
use crate::name::{Id, Name};
use crate::ports::Ports;
use crate::units::{Bytes, Count, Rate, Span};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

/// The whole of a jail's configuration. `Default` is an empty file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// `id`: the jail's number; `create` writes one.
    pub id: Option<Id>,
    /// `hostname`: what `hostname` says inside; the jail's name if absent.
    pub hostname: Option<String>,
    /// `declared_in`: the `jaula.toml` that declares this jail; `jaula up` writes it.
    pub declared_in: Option<PathBuf>,
    /// `[root]`
    pub root: Root,
    /// `[boot]`
    pub boot: Boot,
    /// `[network]`
    pub network: Network,
    /// `[security]`
    pub security: Security,
    /// `[limits]`
    pub limits: Limits,
    /// `[guest]`
    pub guest: Guest,
    /// `mounts`
    pub mounts: Vec<Mount>,
    /// `[environment]`: variables of the first process and of `exec`.
    pub environment: BTreeMap<String, String>,
}

/// `[root]`: where the jail's files come from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Root {
    /// `root.from`
    pub from: Option<RootSpec>,
    /// `root.store`: the jail's files are its own, kept so; absent, they are used where they are.
    pub store: Option<Store>,
    /// `root.size`: how much room its own files may take.
    pub size: Option<Ceiling<Bytes>>,
    /// `root.inodes`: how many files it may have.
    pub inodes: Option<Ceiling<Count>>,
    /// `root.writes`; by default `kept` for `dir:` and with a store, else `refused`.
    pub writes: Option<Writes>,
    /// `root.owners`; by default `mapped`, but `host` for `from = "host"`.
    pub owners: Option<Owners>,
    /// `root.method`
    pub method: Method,
    /// `root.files`: what an app jail holds beside its program's closure (absolute paths of
    /// the host; directories with all below them).
    pub files: Vec<PathBuf>,
    /// `root.users`: users of the host that an app jail knows (beside root and `boot.user`).
    pub users: Vec<String>,
    /// `root.writable`: directories of an app jail that are its own and that it may write to.
    pub writable: Vec<Writable>,
}

/// One of `root.writable`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writable {
    /// Where it is, inside as on the host; absolute.
    pub path: PathBuf,
    /// Whom it belongs to; the owner of the host's directory if absent.
    pub user: Option<String>,
    /// Its group; that user's own if absent.
    pub group: Option<String>,
    /// Its mode; that of the host's directory if absent.
    pub mode: Option<u32>,
}

/// Where a root comes from, as `root.from` and `--root` have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootSpec {
    /// `dir:PATH`: a directory tree.
    Dir(PathBuf),
    /// `app:PROGRAM`: one program, by path or bare name, and what it needs.
    App(PathBuf),
    /// `host`: the host's own root; with a store, a copy of it.
    Host,
    /// `template:NAME`: one of the house's templates.
    Template(Name),
    /// `debootstrap:SUITE`: a Debian or Ubuntu suite.
    Debootstrap(String),
    /// `oci:REF`: an image of the Open Container Initiative.
    Oci(String),
    /// `clone:JAIL`: another jail's files.
    Clone(Name),
    /// `skeleton`: directories and nothing in them.
    Skeleton,
}

/// `root.store`: how a jail's own files are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// `overlay`: what differs from a template that others share.
    Overlay,
    /// `dir`: a directory.
    Dir,
    /// `image`: a file system in a file.
    Image,
    /// `btrfs`: a subvolume.
    Btrfs,
}

/// A limit as quotas have it: `soft:hard`, or one for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ceiling<T> {
    /// May be exceeded for a time.
    pub soft: T,
    /// Is never exceeded.
    pub hard: T,
}

/// `root.writes`: what becomes of writes to the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// `refused`: the root is read-only.
    Refused,
    /// `kept`: in an overlay that belongs to the jail.
    Kept,
    /// `discarded`: in memory, gone when the jail stops.
    Discarded,
}

/// `root.method`: how the files of an app jail get into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// `bind`: as mounts of the host's, at each start.
    #[default]
    Bind,
    /// `copy`: as copies, taken once.
    Copy,
    /// `link`: as hard links, made once.
    Link,
}

/// `root.owners`: whom files of the root belong to inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owners {
    /// `mapped`: id 0…65535 on disk is id 0…65535 inside.
    Mapped,
    /// `host`: ids on disk are the host's, so that everything belongs to `nobody` inside
    /// and the jail reads only what everybody may read.
    Host,
}

/// `[boot]`: what runs, and for how long.
#[derive(Clone, Debug, PartialEq)]
pub struct Boot {
    /// `boot.init`: what the first process is.
    pub init: Init,
    /// `boot.runlevel`: of [`Init::Emulated`]; 2 by default.
    pub runlevel: u8,
    /// `boot.command`: program and arguments of the first process.
    pub command: Vec<String>,
    /// `boot.user`: `user`, `user:group` or numbers; root if absent.
    pub user: Option<String>,
    /// `boot.directory`: the working directory, `/` by default.
    pub directory: PathBuf,
    /// `boot.stop_signal`: what `stop` sends first, by name without `SIG`; see [`crate::boot`].
    pub stop_signal: Option<String>,
    /// `boot.stop_timeout`: how long `stop` waits before it kills; see [`crate::boot`].
    pub stop_timeout: Option<Span>,
    /// `boot.ready`
    pub ready: Ready,
    /// `boot.start_timeout`: how long `start` waits for readiness; see [`crate::boot`].
    pub start_timeout: Option<Span>,
    /// `boot.restart`
    pub restart: Restart,
    /// `boot.log_size`: the size at which the console's log is rotated; 1 MiB by default.
    pub log_size: Bytes,
    /// `boot.log_files`: how many rotated logs are kept; 3 by default.
    pub log_files: u8,
    /// `boot.autostart`: does `jaula boot` start it?
    pub autostart: bool,
    /// `boot.order`: what has a lower number is started before.
    pub order: Option<u16>,
    /// `boot.depends`: jails that must be ready before.
    pub depends: Vec<Name>,
}

impl Default for Boot {
    fn default() -> Self {
        Self {
            init: Init::default(),
            runlevel: 2,
            command: Vec::new(),
            user: None,
            directory: PathBuf::from("/"),
            stop_signal: None,
            stop_timeout: None,
            ready: Ready::default(),
            start_timeout: None,
            restart: Restart::default(),
            log_size: Bytes(1 << 20),
            log_files: 3,
            autostart: false,
            order: None,
            depends: Vec::new(),
        }
    }
}

/// `boot.init`: what the first process is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Init {
    /// `auto`: `boot.command` if there is one, else what the root has.
    #[default]
    Auto,
    /// `systemd`: the distribution's own.
    Systemd,
    /// `sysv`: System V's, with `/etc/inittab`.
    Sysv,
    /// `openrc`: OpenRC below busybox or another init.
    Openrc,
    /// `plain`: some other `/sbin/init`.
    Plain,
    /// `emulated`: jaula's, which runs the scripts of a runlevel.
    Emulated,
    /// `command`: `boot.command`.
    Command,
}

/// `boot.ready`: when a jail counts as started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ready {
    /// `auto`: when its init says so, or as `alive` if it has none.
    #[default]
    Auto,
    /// `alive`: the first process runs its program.
    Alive,
    /// `notify`: it said `READY=1` (sd_notify(3)).
    Notify,
    /// `tcp 80`: the jail listens there, at all of a range.
    Port(Ports),
    /// `["program", "argument", …]`: this command, run inside every 250 ms, exits with 0.
    Command(Vec<String>),
}

/// `boot.restart`: what happens when the first process ends by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// `no`: the jail stops.
    #[default]
    No,
    /// `on-failure`: it starts again unless the exit status was 0.
    OnFailure,
    /// `always`: it starts again.
    Always,
}

/// `[network]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// `network.mode`
    pub mode: NetworkMode,
    /// `network.addresses`: those of the jail, in their order.
    pub addresses: Vec<Address>,
    /// `"dhcp"` in `network.addresses`: the guest asks for more.
    pub dhcp: bool,
    /// `network.parent`: the bridge, or the interface of the host below a macvlan.
    pub parent: Option<String>,
    /// `network.interface`: what the jail's interface is called inside.
    pub interface: Option<String>,
    /// `network.gateway`: where all goes that is for nobody else.
    pub gateway: Vec<IpAddr>,
    /// `network.mac`: the hardware address of the jail's interface.
    pub mac: Option<Mac>,
    /// `network.mtu`: the longest packet of the jail's interface, in bytes.
    pub mtu: Option<u16>,
    /// `network.nat`
    pub nat: Nat,
    /// `network.forward`
    pub forward: Vec<Forward>,
    /// `network.rate`
    pub rate: Rates,
    /// `network.connections`: how many the host keeps track of for the jail.
    pub connections: Option<Count>,
    /// `network.guard`: is it kept to its own addresses?
    pub guard: bool,
    /// `network.probe`: are other machines asked for its addresses before it starts?
    pub probe: bool,
    /// `network.listen`: the only ports that the jail may bind to; absent for all.
    pub listen: Option<Vec<Ports>>,
    /// `network.nameservers`: whom a virtual server asks for names.
    pub nameservers: Option<Vec<Nameserver>>,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            mode: NetworkMode::default(),
            addresses: Vec::new(),
            dhcp: false,
            parent: None,
            interface: None,
            gateway: Vec::new(),
            mac: None,
            mtu: None,
            nat: Nat::default(),
            forward: Vec::new(),
            rate: Rates::default(),
            connections: None,
            guard: true,
            probe: true,
            listen: None,
            nameservers: None,
        }
    }
}

impl Network {
    /// What the jail's interface is called inside, if it has one beside `lo`.
    pub fn inside(&self) -> Option<&str> {
        let name = self.interface.as_deref().unwrap_or(crate::link::INSIDE);
        self.mode.has_link().then_some(name)
    }

    /// The bridge of mode `bridge`, and whether jaula makes it.
    pub fn bridge(&self) -> Option<(&str, bool)> {
        let name = self.parent.as_deref().unwrap_or(crate::link::BRIDGE);
        (self.mode == NetworkMode::Bridge).then_some((name, name == crate::link::BRIDGE))
    }

    /// Its addresses without what belongs to them.
    pub fn ips(&self) -> impl Iterator<Item = IpAddr> {
        self.addresses.iter().map(|address| address.ip)
    }
}

/// `network.rate`: how much data passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// `in`: to the jail.
    pub inward: Option<Rate>,
    /// `out`: from the jail.
    pub outward: Option<Rate>,
}

/// One of `network.nameservers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nameserver {
    /// `inherit`: those of the host.
    Inherit,
    /// This one.
    Address(IpAddr),
}

/// `[guest]`: what jaula does to a virtual server's own files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// `guest.manage`: are they made to fit at all?
    pub manage: bool,
    /// `guest.keep`: what stays as it is.
    pub keep: Vec<PathBuf>,
}

impl Default for Guest {
    fn default() -> Self {
        Self { manage: true, keep: Vec::new() }
    }
}

/// `network.mode`: whose network the jail sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// `none`: a network of its own with a loopback interface only.
    #[default]
    None,
    /// `host`: the host's.
    Host,
    /// `bind`: the host's, and of its addresses the jail's own.
    Bind,
    /// `routed`: its own, with a link to the host, which routes.
    Routed,
    /// `bridge`: its own, with a link to a bridge of the host.
    Bridge,
    /// `macvlan`: its own, with a second hardware address on an interface of the host.
    Macvlan,
}

impl NetworkMode {
    /// Does the jail see the host's interfaces, in its network namespace?
    pub fn is_hosts(self) -> bool {
        matches!(self, Self::Host | Self::Bind)
    }

    /// Has it an interface of its own beside `lo`?
    pub fn has_link(self) -> bool {
        matches!(self, Self::Routed | Self::Bridge | Self::Macvlan)
    }

    /// Does what it sends and receives pass through the host's network stack on its way?
    pub fn passes_host(self) -> bool {
        matches!(self, Self::Routed | Self::Bridge)
    }
}

/// `[security]`: what the jail may do. Absent keys follow the profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// `security.profile`
    pub profile: Profile,
    /// `security.capabilities`: `"-all"`, `"+name"` or `"-name"`, on top of the profile's.
    pub capabilities: Vec<CapabilityChange>,
    /// `security.system_calls`: `"+name"` or `"-name"`, on top of the profile's.
    pub system_calls: Vec<Change<String>>,
    /// `security.no_new_privileges`: setuid programs gain nothing.
    pub no_new_privileges: Option<bool>,
    /// `security.set_hostname`: may the jail change its host name (FreeBSD `allow.set_hostname`).
    pub set_hostname: Option<bool>,
    /// `security.sysvipc`: System V message queues, semaphores, shared memory (`allow.sysvipc`).
    pub sysvipc: Option<bool>,
    /// `security.mount`: may the jail mount (`allow.mount`).
    pub mount: Option<bool>,
    /// `security.raw_sockets` (`allow.raw_sockets`).
    pub raw_sockets: Option<bool>,
    /// `security.socket_families`: the only ones allowed: `unix inet inet6 route netlink packet …`
    pub socket_families: Option<Vec<String>>,
    /// `security.nesting`: may the jail make user namespaces, that is, jails in it.
    pub nesting: bool,
    /// `security.proc`: is there a `/proc`.
    pub proc: Option<bool>,
    /// `security.sys`: is there a `/sys`.
    pub sys: Option<bool>,
    /// `security.devices`: what `/dev` holds beside terminals: `null zero full random urandom`
    /// by default, from a fixed list.
    pub devices: Option<Vec<String>>,
    /// `security.hide`: paths inside that read as empty.
    pub hide: Vec<PathBuf>,
}

/// `security.profile`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// `app`: refuses what programs do not need.
    #[default]
    App,
    /// `strict`: a list of what one program needs.
    Strict,
    /// `server`: lets a distribution's own init, mounts and firewall work.
    Server,
}

/// An addition to a set, or a removal from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<T> {
    /// `+x`
    Add(T),
    /// `-x`
    Remove(T),
}

/// A change to a set of capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapabilityChange {
    /// `-all`: what is left is what others add, wherever they stand in the list.
    RemoveAll,
    /// `+x`
    Add(Capability),
    /// `-x`
    Remove(Capability),
}

/// `[limits]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// `limits.account`: cgroup controllers that count this jail (`memory`, `pids`, `cpu`, …).
    pub account: Vec<String>,
    /// `[limits.process]`: limits of each process (getrlimit(2)), by name without `RLIMIT_`,
    /// soft and hard; `None` is unlimited.
    pub process: BTreeMap<String, (Option<u64>, Option<u64>)>,
}

/// One of `mounts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted.
    pub source: MountSource,
    /// Where, inside; absolute.
    pub target: PathBuf,
    /// May the jail write to it? Bind mounts are read-only unless `rw` is said.
    pub writable: bool,
    /// May programs on it be executed?
    pub exec: bool,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountSource {
    /// A file or directory of the host.
    Bind {
        /// Absolute path on the host.
        path: PathBuf,
        /// `idmap`: id 0…65535 on disk is id 0…65535 inside.
        mapped: bool,
    },
    /// Memory.
    Tmpfs {
        /// How much of it.
        size: Bytes,
        /// The mode of its top directory.
        mode: u32,
    },
}
