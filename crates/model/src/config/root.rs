//! Where a root comes from, and what follows from it.

use super::problem::{BadValue, shown};
use super::types::{Ceiling, Owners, Profile, Root, RootSpec, Store, Writes};
use super::value;
use crate::name::Name;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

impl FromStr for RootSpec {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        match text.split_once(':') {
            None if text == "host" => Ok(Self::Host),
            Some(("dir", "/")) => {
                Err(BadValue::new("the root of the host is not a directory to give away")
                    .help("say \"host\""))
            }
            Some(("dir", path)) => value::absolute(path).map(Self::Dir),
            // A bare name is searched on the host, as a shell does.
            Some(("app", name)) if !matches!(name, "" | "." | "..") && !name.contains('/') => {
                Ok(Self::App(name.into()))
            }
            Some(("app", program)) => value::absolute(program).map(Self::App),
            Some(("template", name)) => template(name).map(Self::Template),
            Some(("debootstrap", suite)) => self::suite(suite).map(Self::Debootstrap),
            Some(("oci", image)) => reference(image).map(Self::Oci),
            Some(("clone", name)) => name
                .parse()
                .map(Self::Clone)
                .map_err(|bad: crate::name::BadName| BadValue::new(bad.to_string())),
            None if text == "skeleton" => Ok(Self::Skeleton),
            _ => {
                let bad = BadValue::new(format!(
                    "{} is not a root: roots are dir:PATH, app:PROGRAM, host, template:NAME, debootstrap:SUITE, \
                     oci:IMAGE, clone:JAIL and skeleton",
                    shown(text)
                ));
                Err(if text.starts_with('/') {
                    bad.help(format!("write {:?}", format!("dir:{text}")))
                } else {
                    bad
                })
            }
        }
    }
}

impl fmt::Display for RootSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dir(path) => write!(f, "dir:{}", path.display()),
            Self::App(program) => write!(f, "app:{}", program.display()),
            Self::Host => f.write_str("host"),
            Self::Template(name) => write!(f, "template:{name}"),
            Self::Debootstrap(suite) => write!(f, "debootstrap:{suite}"),
            Self::Oci(image) => write!(f, "oci:{image}"),
            Self::Clone(name) => write!(f, "clone:{name}"),
            Self::Skeleton => f.write_str("skeleton"),
        }
    }
}

/// A template's name, which has the form of a jail's.
fn template(text: &str) -> Result<Name, BadValue> {
    text.parse().map_err(|_| {
        BadValue::new(format!("{} is not a template's name", shown(text))).help(
            "names are letters, digits, '_', '.' and '-'; `jaula template list` shows those that are there",
        )
    })
}

/// The name of a distribution's suite: `trixie`, `stable`, `noble`.
fn suite(text: &str) -> Result<String, BadValue> {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    match text.as_bytes() {
        [first, rest @ ..]
            if first.is_ascii_alphanumeric() && rest.len() < 64 && rest.iter().all(|b| good(*b)) =>
        {
            Ok(text.to_owned())
        }
        _ => Err(BadValue::new(format!("{} is not the name of a suite", shown(text)))
            .help("suites are such as trixie, stable or noble")),
    }
}

/// An image: a path, or a name that a registry knows.
fn reference(text: &str) -> Result<String, BadValue> {
    match text.is_empty() || text.len() > 4096 || text.contains(|c: char| c.is_control() || c.is_whitespace())
    {
        false => Ok(text.to_owned()),
        true => Err(BadValue::new(format!("{} is not an image", shown(text)))
            .help("write the path of a layout or archive, or a name such as registry.example/debian:13")),
    }
}

/// A root's text with its path made absolute. A program's bare name stays as it is: it means
/// no file beside the `jaula.toml`.
pub(super) fn rebase(text: &str, base: &Path) -> Option<String> {
    let (kind, path) = text.split_once(':')?;
    let is_path = match kind {
        "dir" => true,
        "app" => path.contains('/'),
        "oci" => path.starts_with("./") || path.starts_with("../"),
        _ => false,
    };
    is_path.then(|| value::rebase(path, base).map(|path| format!("{kind}:{path}")))?
}

impl Root {
    /// Are the files the jail's own, made for it? Then it is a virtual server.
    pub fn is_own(&self) -> bool {
        self.store.is_some()
    }

    /// `root.writes`, or what it is by default: `kept` for `dir:` and with a store, else `refused`.
    pub fn writes_in_force(&self) -> Writes {
        let kept = self.is_own() || matches!(self.from, Some(RootSpec::Dir(_)));
        self.writes.unwrap_or(if kept { Writes::Kept } else { Writes::Refused })
    }

    /// `root.owners`, or what it is by default: `host` for `from = "host"` without a store, else
    /// `mapped`.
    pub fn owners_in_force(&self) -> Owners {
        let hosts = self.from == Some(RootSpec::Host) && !self.is_own();
        self.owners.unwrap_or(if hosts { Owners::Host } else { Owners::Mapped })
    }

    /// What `security.profile` is when nothing is said: `server` with a store, else `app`.
    pub fn usual_profile(&self) -> Profile {
        if self.is_own() { Profile::Server } else { Profile::App }
    }
}

impl RootSpec {
    /// Do files that it names have to be made before a jail can have them?
    pub fn must_be_made(&self) -> bool {
        match self {
            Self::Dir(_) | Self::App(_) | Self::Host => false,
            Self::Template(_) | Self::Debootstrap(_) | Self::Oci(_) | Self::Clone(_) | Self::Skeleton => true,
        }
    }
}

impl Store {
    /// The most that an image holds if `root.size` says nothing.
    pub const IMAGE_SIZE: u64 = 10 << 30;
}

impl<T: FromStr<Err: Into<BadValue>> + Ord + Copy + fmt::Display> FromStr for Ceiling<T> {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let (soft, hard) = text.split_once(':').unwrap_or((text, text));
        let (soft, hard): (T, T) = (soft.parse().map_err(Into::into)?, hard.parse().map_err(Into::into)?);
        if soft > hard {
            return Err(BadValue::new(format!("{}: the soft limit is above the hard limit", shown(text))));
        }
        if soft.to_string() == "0" {
            return Err(BadValue::new("0 leaves no room for anything"));
        }
        Ok(Self { soft, hard })
    }
}

impl<T: fmt::Display + PartialEq> fmt::Display for Ceiling<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.soft == self.hard {
            true => self.hard.fmt(f),
            false => write!(f, "{}:{}", self.soft, self.hard),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots() {
        for (text, back) in [
            ("host", "host"),
            ("dir:/srv/www", "dir:/srv/www"),
            ("dir:/srv//a/./b/", "dir:/srv/a/b"),
            ("dir:/a:b", "dir:/a:b"),
            ("app:/usr/sbin/nginx", "app:/usr/sbin/nginx"),
            ("app:nginx", "app:nginx"),
            ("template:debian-13", "template:debian-13"),
            ("template:debian-13.1", "template:debian-13.1"),
            ("debootstrap:trixie", "debootstrap:trixie"),
            ("oci:registry.example:5000/debian:13", "oci:registry.example:5000/debian:13"),
            ("oci:/srv/image", "oci:/srv/image"),
            ("clone:www", "clone:www"),
            ("skeleton", "skeleton"),
        ] {
            assert_eq!(text.parse::<RootSpec>().unwrap().to_string(), back);
        }
        for bad in [
            "",
            "dir",
            "dir:",
            "dir:/",
            "dir:srv",
            "dir:/a/../b",
            "app:",
            "app:..",
            "app:bin/nginx",
            "hosts",
            "host:",
            "oci:",
            "oci:a b",
            "template:",
            "template:a:b",
            "template:../x",
            "template:13",
            "debootstrap:",
            "debootstrap:-x",
            "debootstrap:a/b",
            "debootstrap:a b",
            "clone:",
            "clone:..",
            "skeleton:",
        ] {
            assert!(bad.parse::<RootSpec>().is_err(), "{bad}");
        }
        let bad = "/srv/www".parse::<RootSpec>().unwrap_err();
        assert_eq!(bad.help.unwrap(), "write \"dir:/srv/www\"");
    }

    #[test]
    fn ceilings() {
        type Size = Ceiling<crate::units::Bytes>;
        for (text, back) in [("6G", "6G"), ("6G:7G", "6G:7G"), ("1024k:1M", "1M"), ("1", "1")] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), back);
        }
        for bad in ["", ":", "6G:", ":6G", "7G:6G", "1:2:3", "0", "0:5", "big"] {
            assert!(bad.parse::<Size>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_follows_from_a_store() {
        let own = Root { from: Some(RootSpec::Host), store: Some(Store::Dir), ..Root::default() };
        assert_eq!((own.writes_in_force(), own.owners_in_force()), (Writes::Kept, Owners::Mapped));
        assert_eq!(own.usual_profile(), Profile::Server);
        let hosts = Root { store: None, ..own };
        assert_eq!((hosts.writes_in_force(), hosts.owners_in_force()), (Writes::Refused, Owners::Host));
        assert_eq!(hosts.usual_profile(), Profile::App);
    }
}
