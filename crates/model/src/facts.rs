//! What a plan must know of the host. Gathered by `jaula::facts`; plain data here.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

/// A host, as far as plans depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Who asks: the effective user and group id. User 0 is the administrator.
    pub user: u32,
    /// See `user`.
    pub group: u32,
    /// The highest capability that the kernel knows.
    pub last_capability: u8,
    /// The Landlock version that the kernel speaks; 0 if none.
    pub landlock: u8,
    /// Do programs of ours on control groups decide who binds to which port? Asked of the kernel
    /// only for jails with `network.listen`.
    pub decides_ports: bool,
    /// Where jaula may make control groups.
    pub cgroups: Cgroups,
    /// The directory of running jails: `/run/jaula`.
    pub run: PathBuf,
    /// The directory that holds what jails keep: `/var/lib/jaula/jails`.
    pub lib: PathBuf,
    /// What tells control groups of this house from those of another (`JAULA_ROOT`): empty for
    /// the host's own.
    pub house: String,
    /// What this host is told from others by, for jails with a link of their own.
    pub machine: String,
    /// Interfaces on which the host is to answer for addresses of a `routed` jail.
    pub answers: Vec<(IpAddr, String)>,
}

impl Facts {
    /// Is it the administrator who asks?
    pub fn root(&self) -> bool {
        self.user == 0
    }
}

/// The control group hierarchies of a host (cgroups(7)). On a hybrid host both are filled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cgroups {
    /// Where version 2 is mounted.
    pub unified: Option<PathBuf>,
    /// The controllers that version 2 has; on a hybrid host most are not among them.
    pub unified_controllers: Vec<String>,
    /// Where version 1 has which controller.
    pub legacy: BTreeMap<String, PathBuf>,
}
