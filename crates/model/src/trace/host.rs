//! What a review must know of the host on which a program was traced.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// What stands at the paths of the record, and at the directories above what was written.
    pub found: BTreeMap<PathBuf, Found>,
    /// The units (see [`super::units`]) that were looked through to their end.
    pub searched: BTreeSet<PathBuf>,
    /// What nobody may have without asking in those, by path as they are reached from the unit.
    pub hidden: BTreeSet<PathBuf>,
    /// What the jail holds without a line about it: paths, and why each is there.
    pub linked: BTreeMap<PathBuf, String>,
    /// Libraries that came with the host's own name service, which the jail has not.
    pub of_names: BTreeSet<PathBuf>,
    /// The users of the host.
    pub users: Vec<User>,
    /// The package of the program, if it is known.
    pub package: Option<String>,
}

/// What stands at a path, links followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The path without links.
    pub real: PathBuf,
    /// Its kind.
    pub kind: Kind,
    /// Its owner.
    pub owner: u32,
    /// May everybody read it (and list it, if it is a directory), the directories above included?
    pub open: bool,
    /// May somebody execute it? Of a file only.
    pub executable: bool,
    /// What its content says about keys.
    pub key: Key,
}

/// The kinds of what stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A socket.
    Socket,
    /// A device or a pipe.
    Special,
}

/// What a file's first bytes say about keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Key {
    /// Nothing, or they were not looked at.
    #[default]
    Unknown,
    /// There is a private key among them.
    Private,
    /// They are a certificate or a public key, and no private one.
    Public,
}

impl Key {
    /// What a file that begins with these bytes holds. PEM files (RFC 7468) may hold several things,
    /// the key first or last, so the bytes should be all of it, or some dozens of kilobytes.
    pub fn of(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let labels = text.lines().filter_map(|line| line.trim().strip_prefix("-----BEGIN "));
        labels.fold(Self::Unknown, |key, label| match key {
            Self::Private => key,
            _ if label.contains("PRIVATE KEY") => Self::Private,
            _ => Self::Public,
        })
    }
}

/// A user of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// Number.
    pub id: u32,
    /// Home directory.
    pub home: PathBuf,
}

/// The first number of people's accounts; below stand those of services (adduser.conf(5)).
const PEOPLE: u32 = 1000;
/// The kernel's overflow id, and names of nobody in particular.
const NOBODY: u32 = 65534;

impl Host {
    /// The name of a user.
    pub fn user(&self, id: u32) -> Option<&str> {
        self.users.iter().find(|user| user.id == id).map(|user| user.name.as_str())
    }

    /// Whose home a path lies in. A service's home is where its data are, so those do not count.
    pub fn home_of(&self, path: &Path) -> Option<String> {
        if path.starts_with("/root") {
            return Some("root".to_owned());
        }
        let person = |user: &&User| user.id >= PEOPLE && user.id != NOBODY;
        let home = |user: &&User| user.home.components().count() > 2 && path.starts_with(&user.home);
        if let Some(user) = self.users.iter().filter(person).find(home) {
            return Some(user.name.clone());
        }
        // Of users whom the files do not name (LDAP), the directory is what is known.
        let name = path.strip_prefix("/home").ok()?.components().next()?;
        Some(name.as_os_str().to_string_lossy().into_owned())
    }

    /// The path by which the jail has it: where `/lib` leads to `/usr/lib` on the host and in the
    /// jail alike, that is the one to write.
    pub fn usual(&self, path: &Path) -> PathBuf {
        let mut names = path.components();
        let (Some(_), Some(first)) = (names.next(), names.next()) else { return path.to_owned() };
        let top = Path::new("/").join(first);
        let merged = Path::new("/usr").join(first);
        let is_merged = self.linked.contains_key(&top)
            && self.found.get(path).is_some_and(|found| !found.real.starts_with(&top));
        if is_merged { merged.join(names.as_path()) } else { path.to_owned() }
    }

    /// Does the jail hold the path without a line about it?
    pub fn is_linked(&self, path: &Path) -> bool {
        self.linked.contains_key(path)
    }

    /// Does something hidden stand at or below a path?
    pub fn hides(&self, directory: &Path) -> bool {
        below(&self.hidden, directory).next().is_some()
    }
}

/// The paths at or below one.
pub(super) fn below<'a>(paths: &'a BTreeSet<PathBuf>, top: &'a Path) -> impl Iterator<Item = &'a PathBuf> {
    paths.range(top.to_owned()..).take_while(move |path| path.starts_with(top))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        for (text, key) in [
            ("", Key::Unknown),
            ("key = value\n", Key::Unknown),
            ("-----BEGIN CERTIFICATE-----\nMII\n", Key::Public),
            ("-----BEGIN PUBLIC KEY-----\n", Key::Public),
            ("-----BEGIN CERTIFICATE-----\nMII\n-----BEGIN RSA PRIVATE KEY-----\n", Key::Private),
            ("  -----BEGIN OPENSSH PRIVATE KEY-----\r\n", Key::Private),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----", Key::Private),
        ] {
            assert_eq!(Key::of(text.as_bytes()), key, "{text:?}");
        }
    }

    #[test]
    fn homes() {
        let user = |name: &str, id, home: &str| User { name: name.to_owned(), id, home: home.into() };
        let users = vec![
            user("www-data", 33, "/var/www"),
            user("alice", 1000, "/srv/people/alice"),
            user("bin", 1001, "/bin"),
            user("nobody", 65534, "/nonexistent"),
        ];
        let host = Host { users, ..Host::default() };
        for (path, whose) in [
            ("/root/.ssh", Some("root")),
            ("/srv/people/alice/x", Some("alice")),
            ("/srv/people/alicia", None),
            ("/home/ldap/x", Some("ldap")),
            ("/home", None),
            ("/var/www/index.html", None),
            ("/bin/sh", None),
        ] {
            assert_eq!(host.home_of(Path::new(path)).as_deref(), whose, "{path}");
        }
    }

    #[test]
    fn what_is_below_a_path() {
        let paths: BTreeSet<PathBuf> = ["/a", "/a/b", "/a b", "/ab", "/a/c/d"].map(PathBuf::from).into();
        let at = |top: &str| below(&paths, Path::new(top)).count();
        assert_eq!((at("/a"), at("/a/c"), at("/ab"), at("/x")), (3, 1, 1, 0));
    }
}
