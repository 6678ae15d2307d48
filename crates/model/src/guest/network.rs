//! The interfaces of a guest, in the files of whatever configures interfaces in it.
//!
//! One of them is written to: the one that the distribution uses. What the tree says about interfaces
//! that it had as a machine is switched off, since nothing in a jail will ever have them.

mod ifcfg;
mod ifupdown;
mod netplan;
mod network_manager;
mod networkd;

use super::{Fixer, Resolver};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

const WHY: &str = "the addresses that its configuration gives it";
const GONE: &str = "its configuration has no such interface";

/// What a guest has of networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Has it the host's? Then it must not configure anything.
    pub shared: bool,
    /// Its interfaces beside `lo`.
    pub interfaces: Vec<Interface>,
}

/// An interface that the guest configures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name inside.
    pub name: String,
    /// Its addresses.
    pub addresses: Vec<Address>,
    /// Does it ask for more by DHCP?
    pub dhcp: bool,
    /// Where all goes that is for nobody else.
    pub route: Route,
}

/// A default route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// There is none, or DHCP tells it.
    None,
    /// Through the interface, to whoever is at its other end: for the kinds of addresses that it has.
    Device,
    /// To these, one for each kind of address; reached through the interface even if they are not in a
    /// net of its addresses.
    Gateways(Vec<IpAddr>),
}

/// An address with the net that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// How many of its bits are the net's.
    pub prefix: u8,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix)
    }
}

impl Address {
    /// The net's bits as an address of version 4 has them.
    fn mask(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::MAX.checked_shl(32 - u32::from(self.prefix.min(32))).unwrap_or(0))
    }

    /// Is another in the same net?
    fn reaches(&self, other: IpAddr) -> bool {
        match (self.ip, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mask = u32::from(self.mask());
                u32::from(own) & mask == u32::from(other) & mask
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix.min(128))).unwrap_or(0);
                u128::from(own) & mask == u128::from(other) & mask
            }
            _ => false,
        }
    }
}

impl Network {
    /// The address that the guest's own name stands for.
    pub(super) fn first_address(&self) -> Option<IpAddr> {
        self.interfaces.iter().flat_map(|interface| &interface.addresses).map(|address| address.ip).next()
    }
}

impl Interface {
    /// Its addresses of version 4, or 6.
    fn of(&self, four: bool) -> impl Iterator<Item = &Address> {
        self.addresses.iter().filter(move |address| address.ip.is_ipv4() == four)
    }

    /// The default route of this version.
    fn way(&self, four: bool) -> Way {
        match &self.route {
            Route::Device if self.of(four).next().is_some() => Way::Device,
            Route::Gateways(all) => match all.iter().find(|gateway| gateway.is_ipv4() == four) {
                Some(gateway) if self.addresses.iter().any(|address| address.reaches(*gateway)) => {
                    Way::Gateway(*gateway)
                }
                Some(gateway) => Way::OnLink(*gateway),
                None => Way::None,
            },
            Route::None | Route::Device => Way::None,
        }
    }
}

/// A default route of one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    None,
    Device,
    /// A gateway in a net of the interface's.
    Gateway(IpAddr),
    /// One that is not, but at the other end of the interface.
    OnLink(IpAddr),
}

/// What configures interfaces in a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manager {
    Netplan,
    Ifupdown,
    /// NetworkManager.
    Keyfiles,
    /// `/etc/sysconfig/network-scripts`, of Red Hat and its kin.
    Scripts,
    /// `/etc/sysconfig/network`, of SUSE.
    Suse,
    Networkd,
}

fn manager(fixer: &mut Fixer<'_>) -> Option<Manager> {
    let is_directory = |fixer: &mut Fixer<'_>, path| fixer.files.at(path) == super::At::Directory;
    Some(if fixer.has("/usr/sbin/netplan") {
        Manager::Netplan
    } else if is_directory(fixer, "/etc/network") {
        Manager::Ifupdown
    } else if fixer.has("/usr/sbin/NetworkManager") {
        Manager::Keyfiles
    } else if is_directory(fixer, "/etc/sysconfig/network-scripts") {
        Manager::Scripts
    } else if is_directory(fixer, "/etc/sysconfig/network") {
        Manager::Suse
    } else if fixer.has("/usr/lib/systemd/systemd-networkd") || fixer.has("/lib/systemd/systemd-networkd") {
        Manager::Networkd
    } else {
        return None;
    })
}

pub(super) fn fix(fixer: &mut Fixer<'_>) {
    let manager = manager(fixer);
    let guest = fixer.guest;
    let (network, resolver) = (&guest.network, guest.resolver.as_ref());
    let mut wanted = Vec::new();
    for interface in &network.interfaces {
        let files = match manager {
            Some(Manager::Keyfiles) => network_manager::files(interface, resolver),
            Some(Manager::Scripts) => ifcfg::scripts(interface),
            Some(Manager::Suse) => ifcfg::suse(interface),
            Some(Manager::Networkd) => networkd::files(interface, resolver),
            Some(Manager::Netplan | Manager::Ifupdown) | None => Vec::new(),
        };
        for File { path, text, mode } in files {
            fixer.write_mode(&path, format!("{}{text}", super::MARK), mode, WHY);
            wanted.push(path);
        }
    }
    if manager == Some(Manager::Netplan) {
        netplan::fix(fixer, network, resolver, &mut wanted);
    }
    if manager == Some(Manager::Networkd) && !network.interfaces.is_empty() {
        networkd::enable(fixer);
    }
    if fixer.files.at("/etc/network") == super::At::Directory {
        ifupdown::fix(fixer, network, manager == Some(Manager::Ifupdown));
    }
    let ours = |name: &str| name.contains("jaula");
    for directory in ["/etc/systemd/network", "/etc/netplan", "/etc/NetworkManager/system-connections"] {
        fixer.only(directory, ours, &wanted, GONE);
    }
    let scripts =
        |name: &str| ["ifcfg-", "route-", "route6-", "ifroute-"].iter().any(|start| name.starts_with(start));
    for directory in ["/etc/sysconfig/network-scripts", "/etc/sysconfig/network"] {
        fixer.only(directory, scripts, &wanted, GONE);
    }
}

/// A file that is jaula's whole.
struct File {
    path: String,
    text: String,
    mode: u32,
}

impl File {
    fn new(path: String, text: String) -> Self {
        Self { path, text, mode: 0o644 }
    }
}

/// Servers with nothing but an address to ask, for files that take no others.
fn servers(resolver: Option<&Resolver>) -> Vec<IpAddr> {
    let all = resolver.map_or(&[][..], |resolver| &resolver.servers);
    all.iter().filter_map(|server| server.parse().ok()).collect()
}
