//! The groups that a review's entries stand in.

use serde::{Serialize, Serializer};

/// Entries that are there for the same purpose, in the order in which people read about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Other programs that it starts.
    Programs,
    /// Libraries that it opens by itself, not because it is linked with them.
    Libraries,
    /// What interpreters load.
    Modules,
    /// What tells users, hosts and services.
    Names,
    /// Languages and character sets.
    Locale,
    /// Time zones.
    TimeZone,
    /// Whom to trust.
    Certificates,
    /// Kinds of terminals.
    Terminal,
    /// Configuration.
    Configuration,
    /// All other files that it reads.
    Data,
    /// Files that are not taken unless they are named.
    Secrets,
    /// Directories that it writes to.
    Writable,
    /// Directories below `/run` that must be there before it starts.
    Runtime,
    /// What it would change on the host.
    Changes,
    /// Users that it becomes, or that own what it writes.
    Users,
    /// Sockets of other programs of the host.
    Sockets,
    /// Ports that it waits on.
    Ports,
    /// Capabilities.
    Capabilities,
    /// System calls.
    Calls,
}

impl Group {
    /// Every group, in order.
    pub const ALL: [Self; 19] = [
        Self::Programs,
        Self::Libraries,
        Self::Modules,
        Self::Names,
        Self::Locale,
        Self::TimeZone,
        Self::Certificates,
        Self::Terminal,
        Self::Configuration,
        Self::Data,
        Self::Secrets,
        Self::Writable,
        Self::Runtime,
        Self::Changes,
        Self::Users,
        Self::Sockets,
        Self::Ports,
        Self::Capabilities,
        Self::Calls,
    ];

    /// The key of a jail's configuration that its entries belong to.
    pub fn key(self) -> &'static str {
        match self {
            Self::Writable | Self::Runtime | Self::Changes => "root.writable",
            Self::Users => "root.users",
            Self::Sockets => "mounts",
            Self::Ports => "network.listen",
            Self::Capabilities => "security.capabilities",
            Self::Calls => "security.system_calls",
            _ => "root.files",
        }
    }

    /// What stands above its entries in a file.
    pub fn title(self) -> &'static str {
        match self {
            Self::Programs => "programs that it starts",
            Self::Libraries => "libraries opened while running",
            Self::Modules => "modules of interpreters",
            Self::Names => "name service",
            Self::Locale => "languages and character sets",
            Self::TimeZone => "time zones",
            Self::Certificates => "certificates",
            Self::Terminal => "terminals",
            Self::Configuration => "configuration",
            Self::Data => "data",
            Self::Secrets => "secrets: not taken; to take one, take away its #",
            Self::Writable => "its own directories",
            Self::Runtime => "made anew at each start",
            Self::Changes => "not changed: a jail only reads it",
            Self::Users => "users",
            Self::Sockets => "programs of the host: not reached; to let it, take away the #",
            Self::Ports => "ports",
            Self::Capabilities => "capabilities",
            Self::Calls => "system calls",
        }
    }

    /// What it is called in a table, and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Programs => "programs",
            Self::Libraries => "libraries",
            Self::Modules => "modules",
            Self::Names => "name service",
            Self::Locale => "locale",
            Self::TimeZone => "time zone",
            Self::Certificates => "certificates",
            Self::Terminal => "terminfo",
            Self::Configuration => "configuration",
            Self::Data => "data",
            Self::Secrets => "secrets",
            Self::Writable => "writable",
            Self::Runtime => "run time",
            Self::Changes => "not changed",
            Self::Users => "users",
            Self::Sockets => "sockets",
            Self::Ports => "ports",
            Self::Capabilities => "capabilities",
            Self::Calls => "system calls",
        }
    }
}

impl Serialize for Group {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
