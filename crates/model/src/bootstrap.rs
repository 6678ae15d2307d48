//! How a Debian or a relative is made: the command lines of mmdebstrap(1) and debootstrap(8).

mod failure;
mod meter;

pub use failure::{Failure, failure};
pub use meter::{Meter, Step};

use crate::name::Name;
use std::path::PathBuf;

/// What a server has beyond `minbase` if no variant is asked for: an init, a network, a way in, and what
/// whoever comes in looks with.
pub const SERVER: &[&str] = &[
    "systemd",
    "systemd-sysv",
    "libpam-systemd",
    "dbus",
    "login",
    "passwd",
    "iproute2",
    "iputils-ping",
    "procps",
    "netbase",
    "ca-certificates",
    "openssh-server",
    "less",
    "nano",
];

/// Suites whose version is known: the distribution, its version, and what brings its network up.
const SUITES: &[(&str, &str, &str, &[&str])] = &[
    ("buster", "debian", "10", &["ifupdown"]),
    ("bullseye", "debian", "11", &["ifupdown"]),
    ("bookworm", "debian", "12", &["ifupdown"]),
    ("trixie", "debian", "13", &["ifupdown"]),
    ("forky", "debian", "14", &["ifupdown"]),
    ("duke", "debian", "15", &["ifupdown"]),
    ("stable", "debian", "stable", &["ifupdown"]),
    ("testing", "debian", "testing", &["ifupdown"]),
    ("unstable", "debian", "sid", &["ifupdown"]),
    ("sid", "debian", "sid", &["ifupdown"]),
    ("focal", "ubuntu", "20.04", &[]),
    ("jammy", "ubuntu", "22.04", &[]),
    ("noble", "ubuntu", "24.04", &["systemd-resolved"]),
    ("plucky", "ubuntu", "25.04", &["systemd-resolved"]),
    ("questing", "ubuntu", "25.10", &["systemd-resolved"]),
];

/// Where the keys of a distribution's archive are, if its package of keys is installed.
const KEYRINGS: &[(&str, &str, &str)] = &[
    ("debian", "/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"),
    ("ubuntu", "/usr/share/keyrings/ubuntu-archive-keyring.gpg", "ubuntu-keyring"),
];

/// A program that makes such a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// mmdebstrap(1)
    Mmdebstrap,
    /// debootstrap(8)
    Debootstrap,
}

impl Tool {
    /// Those that are known, the faster one first.
    pub const ALL: [Self; 2] = [Self::Mmdebstrap, Self::Debootstrap];

    /// The program's name, which is its package's.
    pub fn program(self) -> &'static str {
        match self {
            Self::Mmdebstrap => "mmdebstrap",
            Self::Debootstrap => "debootstrap",
        }
    }
}

/// What is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipe {
    /// The distribution's suite: `trixie`.
    pub suite: String,
    /// Where its packages come from: addresses, or whole lines of sources.list(5); the distribution's own
    /// servers if there are none.
    pub mirrors: Vec<String>,
    /// What is installed beside `packages`; a small server if absent.
    pub variant: Option<String>,
    /// Packages beyond that.
    pub packages: Vec<String>,
    /// Parts of the archive: `main`.
    pub components: Vec<String>,
    /// The keys that the archive is signed with.
    pub keyring: Option<PathBuf>,
}

impl Recipe {
    /// Is all of it something that the programs can take as it is meant?
    ///
    /// # Errors
    /// What is not, in words.
    pub fn check(&self) -> Result<(), String> {
        let word = |what: &str, text: &str, more: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
            let good =
                text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '?') && text.chars().all(plain);
            if good { Ok(()) } else { Err(format!("{text:?} is no {what}")) }
        };
        word("suite", &self.suite, "-._")?;
        self.variant.iter().try_for_each(|v| word("variant", v, "-"))?;
        self.packages.iter().try_for_each(|p| word("package", p, "-+.:~=/"))?;
        self.components.iter().try_for_each(|c| word("component", c, "-/"))?;
        let mirror = |m: &String| {
            let known = ["http://", "https://", "file://", "file:/", "copy:/", "ftp://", "deb "];
            let plain = !m.contains(char::is_control) && known.iter().any(|k| m.starts_with(k));
            if plain {
                Ok(())
            } else {
                Err(format!("{m:?} is no mirror: write http://HOST/PATH or a line \"deb …\""))
            }
        };
        self.mirrors.iter().try_for_each(mirror)
    }

    fn known(&self) -> Option<&'static (&'static str, &'static str, &'static str, &'static [&'static str])> {
        SUITES.iter().find(|(suite, ..)| *suite == self.suite)
    }

    /// The name that a template of it gets: `debian-13`.
    pub fn template(&self) -> Option<Name> {
        let name = match self.known() {
            Some((_, distribution, version, _)) => format!("{distribution}-{version}"),
            None => self.suite.clone(),
        };
        name.parse().ok()
    }

    /// All of it in a line, so that two that differ are told apart.
    pub fn origin(&self) -> String {
        let mut text = format!("debootstrap:{}", self.suite);
        let mut say = |name: &str, value: &str| {
            if !value.is_empty() {
                text += &format!(" {name}={value}");
            }
        };
        say("variant", self.variant.as_deref().unwrap_or_default());
        say("packages", &self.packages.join(","));
        say("components", &self.components.join(","));
        say("mirror", &self.mirrors.join(" "));
        text
    }

    /// Where the keys are expected that the archive is signed with, and the package that has them;
    /// `None` for a distribution that is not known.
    pub fn keys(&self) -> Option<(&'static str, &'static str)> {
        let (_, distribution, ..) = self.known()?;
        KEYRINGS.iter().find(|(of, ..)| of == distribution).map(|(_, path, package)| (*path, *package))
    }

    /// The variant and packages as the programs take them.
    fn contents(&self) -> (String, Vec<String>) {
        let own = self.packages.iter().cloned();
        match &self.variant {
            Some(variant) => (variant.clone(), own.collect()),
            None => {
                let network = self.known().map_or(&[][..], |(.., network)| *network);
                let base = SERVER.iter().chain(network).map(|package| (*package).to_owned());
                ("minbase".to_owned(), base.chain(own).collect())
            }
        }
    }

    /// The command line that makes it in the directory `target`. What mounts do to it is the
    /// program's own business: it is run in a jail.
    pub fn command(&self, tool: Tool, target: &str) -> Vec<String> {
        let (variant, packages) = self.contents();
        let mut words = vec![tool.program().to_owned(), format!("--variant={variant}")];
        if !packages.is_empty() {
            words.push(format!("--include={}", packages.join(",")));
        }
        if !self.components.is_empty() {
            words.push(format!("--components={}", self.components.join(",")));
        }
        if let Some(keyring) = &self.keyring {
            words.push(format!("--keyring={}", keyring.display()));
        }
        match tool {
            Tool::Mmdebstrap => {
                words.extend(
                    ["--mode=root", "--format=directory", "--verbose", "--skip=chroot/mount/sys"]
                        .map(str::to_owned),
                );
            }
            // It takes the first only.
            Tool::Debootstrap if self.keyring.is_some() => words.push("--force-check-gpg".to_owned()),
            Tool::Debootstrap => {}
        }
        words.extend([self.suite.clone(), target.to_owned()]);
        words.extend(self.mirrors.iter().cloned());
        words
    }

    /// What a program cannot do of it, and what it takes.
    pub fn beyond(&self, tool: Tool) -> Option<String> {
        if tool == Tool::Mmdebstrap {
            return None;
        }
        match &self.variant {
            Some(variant) if !matches!(variant.as_str(), "minbase" | "buildd" | "-") => {
                Some(format!("debootstrap knows no variant {variant:?}"))
            }
            _ if self.mirrors.len() > 1 => Some("debootstrap takes one mirror only".to_owned()),
            _ if self.mirrors.iter().any(|m| m.starts_with("deb ")) => {
                Some("debootstrap takes a mirror's address, and no line of sources.list".to_owned())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trixie() -> Recipe {
        Recipe { suite: "trixie".to_owned(), ..Recipe::default() }
    }

    #[test]
    fn names_follow_from_suites() {
        let name = |suite: &str| Recipe { suite: suite.to_owned(), ..Recipe::default() }.template().unwrap();
        assert_eq!(name("trixie").as_str(), "debian-13");
        assert_eq!(name("noble").as_str(), "ubuntu-24.04");
        assert_eq!(name("kali-rolling").as_str(), "kali-rolling");
    }

    #[test]
    fn a_server_unless_a_variant_is_asked_for() {
        let line = trixie().command(Tool::Mmdebstrap, "/mnt").join(" ");
        assert!(line.starts_with("mmdebstrap --variant=minbase --include=systemd,systemd-sysv,"), "{line}");
        assert!(
            line.ends_with(
                ",nano,ifupdown --mode=root --format=directory --verbose --skip=chroot/mount/sys trixie /mnt"
            ),
            "{line}"
        );
        let recipe = Recipe {
            variant: Some("buildd".to_owned()),
            packages: vec!["git".to_owned()],
            mirrors: vec!["http://mirror.example/debian".to_owned()],
            ..trixie()
        };
        assert_eq!(
            recipe.command(Tool::Debootstrap, "/mnt").join(" "),
            "debootstrap --variant=buildd --include=git trixie /mnt http://mirror.example/debian"
        );
        assert_eq!(
            recipe.origin(),
            "debootstrap:trixie variant=buildd packages=git mirror=http://mirror.example/debian"
        );
    }

    #[test]
    fn words_are_no_options() {
        assert_eq!(trixie().check(), Ok(()));
        for suite in ["", "-x", "--help", "a b", "../x", "a,b"] {
            assert!(Recipe { suite: suite.to_owned(), ..trixie() }.check().is_err(), "{suite:?}");
        }
        for package in ["--x", "", "a;b", "a,b"] {
            assert!(
                Recipe { packages: vec![package.to_owned()], ..trixie() }.check().is_err(),
                "{package:?}"
            );
        }
        for mirror in ["--x", "mirror.example", "deb\nx", "/srv/debian"] {
            assert!(Recipe { mirrors: vec![mirror.to_owned()], ..trixie() }.check().is_err(), "{mirror:?}");
        }
    }

    #[test]
    fn what_debootstrap_cannot_do() {
        let with = |variant: &str| Recipe { variant: Some(variant.to_owned()), ..trixie() };
        assert_eq!(with("minbase").beyond(Tool::Debootstrap), None);
        assert!(with("essential").beyond(Tool::Debootstrap).is_some());
        assert_eq!(with("essential").beyond(Tool::Mmdebstrap), None);
    }
}
