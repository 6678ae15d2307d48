//! What stands at paths of the host, and who may read it.

use model::trace::{Found, Host, Key, Kind, Peer, Record, secret};
use std::collections::HashMap;
use std::fs::{self, Metadata, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How many files and directories are looked at before a directory counts as too large to be
/// taken as a whole.
const MOST: usize = 200_000;
/// How much of a file is read to see whether a key is in it.
const HEAD: u64 = 64 << 10;
/// How large a file with keys can be.
const LARGEST: u64 = 1 << 20;

/// Looks at paths, and remembers directories.
#[derive(Debug, Default)]
pub(super) struct Finder {
    /// Of each directory by its path: the path without links, and whether everybody may go there.
    directories: HashMap<PathBuf, Option<(PathBuf, bool)>>,
}

impl Finder {
    /// Looks at all that a record names, and the directories above what was written.
    pub(super) fn look(&mut self, record: &Record, host: &mut Host) {
        for (path, touched) in &record.files {
            self.add(path, host);
            if touched.written || touched.made {
                path.ancestors().skip(1).for_each(|above| self.add(above, host));
            }
        }
        for peer in record.peers.keys() {
            if let Peer::Unix(path) = peer {
                self.add(path, host);
            }
        }
    }

    fn add(&mut self, path: &Path, host: &mut Host) {
        if !host.found.contains_key(path)
            && let Some(found) = self.find(path)
        {
            host.found.insert(path.to_owned(), found);
        }
    }

    /// Looks through a directory for what is secret in it.
    pub(super) fn search(&mut self, unit: &Path, host: &mut Host) {
        let mut waiting = vec![unit.to_owned()];
        let mut left = MOST;
        while let Some(directory) = waiting.pop() {
            // What cannot be listed could hold anything.
            let Ok(entries) = fs::read_dir(&directory) else {
                host.hidden.insert(directory);
                continue;
            };
            for entry in entries {
                left = left.saturating_sub(1);
                let (Ok(entry), true) = (entry, left > 0) else { return };
                let path = entry.path();
                let Ok(kind) = entry.file_type() else { return };
                // Of links, an app jail gets those that lead to files.
                let found = match self.find(&path) {
                    Some(found) if !(kind.is_symlink() && found.kind == Kind::Directory) => found,
                    _ => continue,
                };
                if found.kind == Kind::Socket || secret(&path, &found, host).is_some() {
                    host.hidden.insert(path);
                } else if kind.is_dir() {
                    waiting.push(path);
                }
            }
        }
        host.searched.insert(unit.to_owned());
    }

    /// What stands at a path; `None` if that is nothing, or cannot be told.
    fn find(&mut self, path: &Path) -> Option<Found> {
        let (parent, name) = (path.parent(), path.file_name());
        let (real, reachable) = match (parent, name) {
            (Some(parent), Some(name)) => {
                let (parent, open) = self.directory(parent)?;
                (parent.join(name), open)
            }
            _ => (PathBuf::from("/"), true),
        };
        let meta = fs::symlink_metadata(&real).ok()?;
        if !meta.file_type().is_symlink() {
            return Some(found(real, &meta, reachable));
        }
        let real = fs::canonicalize(&real).ok()?;
        let reachable = self.directory(real.parent()?)?.1;
        let meta = fs::symlink_metadata(&real).ok()?;
        Some(found(real, &meta, reachable))
    }

    /// A directory without links, and whether everybody may go there.
    fn directory(&mut self, path: &Path) -> Option<(PathBuf, bool)> {
        if let Some(known) = self.directories.get(path) {
            return known.clone();
        }
        let about = || {
            let real = fs::canonicalize(path).ok()?;
            let may_pass = |above: &Path| fs::metadata(above).is_ok_and(|meta| meta.mode() & 0o001 != 0);
            let open = real.ancestors().all(may_pass);
            Some((real, open))
        };
        let about = about();
        self.directories.insert(path.to_owned(), about.clone());
        about
    }
}

fn found(real: PathBuf, meta: &Metadata, reachable: bool) -> Found {
    let kind = match meta.file_type() {
        kind if kind.is_file() => Kind::File,
        kind if kind.is_dir() => Kind::Directory,
        kind if kind.is_socket() => Kind::Socket,
        _ => Kind::Special,
    };
    let mode = meta.mode();
    let read = if kind == Kind::Directory { 0o005 } else { 0o004 };
    let key = if kind == Kind::File && may_hold_keys(&real, meta) { key(&real) } else { Key::Unknown };
    Found {
        kind,
        owner: meta.uid(),
        open: reachable && mode & read == read,
        executable: kind == Kind::File && mode & 0o111 != 0,
        key,
        real,
    }
}

/// Is it worth opening? Keys lie in small files, and not among what packages bring.
fn may_hold_keys(path: &Path, meta: &Metadata) -> bool {
    const NAMES: [&str; 7] = ["pem", "key", "crt", "cer", "cert", "pub", "conf"];
    let named = path.extension().and_then(|e| e.to_str()).is_some_and(|e| NAMES.contains(&e));
    let is_small = (1..=LARGEST).contains(&meta.len());
    is_small && !path.starts_with("/usr/share/zoneinfo") && (named || path.starts_with("/etc"))
}

fn key(path: &Path) -> Key {
    let flags = sys::fs::O_NOFOLLOW | sys::fs::O_NONBLOCK | sys::fs::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let mut bytes = Vec::new();
    match file.map(|file| file.take(HEAD).read_to_end(&mut bytes)) {
        Ok(Ok(_)) => Key::of(&bytes),
        _ => Key::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// A directory of the test's own, gone with it.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            // Not in /tmp, all of which is secret.
            let path = Path::new("/var/tmp").join(format!("jaula-{name}-{}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Self(fs::canonicalize(path).unwrap())
        }

        fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
            let path = self.0.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn who_may_read_what() {
        let t = Scratch::new("found");
        let open = t.file("d/open", "", 0o644);
        let closed = t.file("d/closed", "", 0o640);
        let below = t.file("shut/open", "", 0o755);
        fs::set_permissions(t.0.join("shut"), fs::Permissions::from_mode(0o750)).unwrap();
        symlink("shut/open", t.0.join("link")).unwrap();
        symlink("nowhere", t.0.join("dangling")).unwrap();
        let mut finder = Finder::default();
        let mut find = |path: &Path| finder.find(path);
        assert!(find(&open).unwrap().open);
        assert!(!find(&closed).unwrap().open);
        let through = find(&t.0.join("link")).unwrap();
        assert!(!through.open && through.executable);
        assert_eq!(through.real, below);
        assert_eq!(find(&t.0.join("d")).unwrap().kind, Kind::Directory);
        assert_eq!(find(&t.0.join("dangling")), None);
        assert_eq!(find(&t.0.join("nothing/at/all")), None);
        assert_eq!(find(Path::new("/")).unwrap().real, Path::new("/"));
        assert_eq!(find(Path::new("/dev/null")).unwrap().kind, Kind::Special);
    }

    #[test]
    fn secrets_are_found_wherever_they_are() {
        let t = Scratch::new("search");
        t.file("x/plain.txt", "hello", 0o644);
        t.file("x/a/cert.pem", "-----BEGIN CERTIFICATE-----\n", 0o644);
        let key = t.file("x/a/site.pem", "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n", 0o644);
        let closed = t.file("x/b/closed", "", 0o600);
        let far = t.file("elsewhere/id_rsa", "", 0o644);
        symlink(&far, t.0.join("x/harmless")).unwrap();
        symlink("/etc/ssl", t.0.join("x/directory")).unwrap();
        let mut host = Host::default();
        Finder::default().search(&t.0.join("x"), &mut host);
        let expected = [key, closed, t.0.join("x/harmless")].into();
        assert_eq!((host.hidden, host.searched.len()), (expected, 1));
    }
}
