//! The keys that take one word of a few.

use super::problem::BadValue;
use super::types::{Init, Method, NetworkMode, Owners, Profile, Restart, Store, Writes};
use std::fmt;
use std::str::FromStr;

/// Gives an enum its words, and each word its meaning.
macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal: $meaning:literal,)* }) => {
        impl $type {
            /// Every word with its meaning.
            pub const CHOICES: &[(&str, &str)] = &[$(($word, $meaning)),*];

            /// The word for it.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }

        impl FromStr for $type {
            type Err = BadValue;

            fn from_str(text: &str) -> Result<Self, BadValue> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(BadValue::none_of(text, &[$($word),*])),
                }
            }
        }
    };
}

words!(Writes {
    Refused = "refused": "the root is read-only",
    Kept = "kept": "writes go to an overlay that belongs to the jail",
    Discarded = "discarded": "writes stay in memory and are gone when the jail stops",
});

words!(Store {
    Overlay = "overlay": "what differs from a template that other jails share; made in milliseconds",
    Dir = "dir": "a directory of the jail's own",
    Image = "image": "an ext4 file system in a file of the jail's own, which takes as much room as is used of it",
    Btrfs = "btrfs": "a subvolume, if /var/lib/jaula is on btrfs",
});

words!(Method {
    Bind = "bind": "nothing is copied: the jail sees the host's files, as they are when it starts",
    Copy = "copy": "the jail has copies of its own, which share their blocks where the file system can",
    Link = "link": "the jail has hard links, which take no room; all must be on the file system of /var/lib/jaula",
});

words!(Owners {
    Mapped = "mapped": "id 0…65535 on disk is id 0…65535 inside",
    Host = "host": "ids on disk are the host's, so that all belongs to nobody inside",
});

words!(Restart {
    No = "no": "the jail stops",
    OnFailure = "on-failure": "it starts again unless the exit status was 0",
    Always = "always": "it starts again",
});

words!(Init {
    Auto = "auto": "`boot.command` if there is one, else the init that the root has",
    Systemd = "systemd": "the distribution's systemd",
    Sysv = "sysv": "the distribution's System V init",
    Openrc = "openrc": "OpenRC, below busybox's or another init",
    Plain = "plain": "whatever `/sbin/init` is",
    Emulated = "emulated": "a small init of jaula's own, which runs the scripts of `boot.runlevel`",
    Command = "command": "no init: `boot.command` is the first process",
});

words!(NetworkMode {
    None = "none": "a network of its own with a loopback interface only",
    Host = "host": "the host's network",
    Bind = "bind": "the host's network, and of its addresses only those of `network.addresses`",
    Routed = "routed": "a network of its own, whose addresses the host routes to it: nobody else on the host's net sees \
                        more of it than of the host",
    Bridge = "bridge": "a network of its own, on a bridge of the host",
    Macvlan = "macvlan": "a network of its own, with a second hardware address on an interface of the host; it reaches \
                          everybody there but the host itself",
});

words!(Profile {
    App = "app": "refuses what programs do not need",
    Strict = "strict": "a list of what one program needs, all else is refused",
    Server = "server": "lets a distribution's own init, mounts and firewall work",
});
