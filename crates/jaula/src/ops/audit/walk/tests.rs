//! Trees that were made to lead astray whoever goes through them.

use super::*;
use model::audit::tree::Trait;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

/// A directory of its own, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("jaula-walk-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn walk(&self, left: usize) -> Tree {
        let user = sys::process::user();
        let who = Who { user, groups: vec![user], overrides: false };
        let region = |path: &Path| match path.starts_with("/skipped") {
            true => Region::Skip,
            false => Region::Shown { mount: None, hosts: false },
        };
        let mut budget = Budget { left, seen: HashSet::new() };
        let mut walk = Walk {
            who: &who,
            ids: Ids::Same(u32::MAX),
            region: &region,
            budget: &mut budget,
            covered: HashSet::new(),
        };
        let top = sys::fs::open(sys::fs::CWD, &self.0, O_PATH | O_DIRECTORY, 0).unwrap();
        let mut tree = Tree::default();
        walk.tree(&top, Path::new("/"), &mut tree);
        tree
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn links_are_not_followed_and_pipes_not_opened() {
    let place = Place::new("links");
    let at = |name: &str| place.0.join(name);
    symlink("/etc", at("etc")).unwrap();
    symlink(".", at("loop")).unwrap();
    symlink("/etc/ssl/private/a.key", at("a.key")).unwrap();
    // Whoever opened these would wait for ever.
    for name in ["id_rsa", "b.key", "c.pem"] {
        assert!(Command::new("mkfifo").arg(at(name)).status().unwrap().success());
    }
    fs::create_dir(at("id_dsa")).unwrap();
    fs::write(at("id_ecdsa"), "-----BEGIN OPENSSH PRIVATE KEY-----\nx").unwrap();
    fs::write(at("d.pem"), "-----BEGIN CERTIFICATE-----\nx").unwrap();
    fs::write(at("big.key"), vec![b' '; 1 << 20]).unwrap();
    let tree = place.walk(MOST);
    assert_eq!((tree.files, tree.directories, tree.unseen), (9, 1, 0));
    assert_eq!(tree.of(Trait::Secret).examples, [PathBuf::from("/id_ecdsa")]);
}

#[test]
fn it_ends_and_says_what_it_has_not_seen() {
    let place = Place::new("many");
    for directory in ["a", "b", "c"] {
        fs::create_dir(place.0.join(directory)).unwrap();
        (0..50).for_each(|n| fs::write(place.0.join(format!("{directory}/{n}")), "x").unwrap());
    }
    let tree = place.walk(MOST);
    assert_eq!((tree.files, tree.bytes, tree.unseen), (150, 150, 0));
    let tree = place.walk(80);
    // Two directories in part, one not at all; what was seen is counted.
    assert_eq!((tree.files, tree.unseen), (77, 2));
}

#[test]
fn names_of_one_file_count_once() {
    let place = Place::new("hard");
    fs::write(place.0.join("a"), "12345").unwrap();
    fs::hard_link(place.0.join("a"), place.0.join("b")).unwrap();
    fs::create_dir(place.0.join("skipped")).unwrap();
    fs::write(place.0.join("skipped/x"), "12345").unwrap();
    let tree = place.walk(MOST);
    assert_eq!((tree.files, tree.bytes, tree.directories), (1, 5, 0));
}

#[test]
fn what_cannot_be_read_is_told() {
    let place = Place::new("closed");
    let deep = (0..300).fold(place.0.clone(), |path, _| path.join("a-directory-with-a-long-name"));
    // Longer than any path may be: it is made step by step.
    let script = "import os, sys\nos.chdir(sys.argv[1])\nfor _ in range(300):\n \
                  os.mkdir('a-directory-with-a-long-name'); os.chdir('a-directory-with-a-long-name')";
    let made = Command::new("python3").args(["-c", script]).arg(&place.0).status().unwrap();
    assert!(made.success() && fs::metadata(deep).is_err());
    let tree = place.walk(MOST);
    assert_eq!(tree.unseen, 1);
    assert!(tree.directories > 100 && tree.directories < 300, "{}", tree.directories);
    let cleared = Command::new("rm").arg("-rf").arg(&place.0).status().unwrap();
    assert!(cleared.success());
}

#[test]
fn permissions_are_those_of_the_one_who_asks() {
    let place = Place::new("who");
    fs::write(place.0.join("tool"), "x").unwrap();
    fs::set_permissions(place.0.join("tool"), fs::Permissions::from_mode(0o755)).unwrap();
    let tree = place.walk(MOST);
    assert_eq!(tree.count(Trait::WritableProgram), 1);
    assert_eq!(tree.of(Trait::Program).examples, [PathBuf::from("/tool")]);
}

#[test]
fn ids_are_those_inside() {
    for (ids, outside, inside) in [
        (Ids::Same(65536), 65535, Some(65535)),
        (Ids::Same(65536), 65536, None),
        (Ids::From(100_000, 10), 100_009, Some(9)),
        (Ids::From(100_000, 10), 100_010, None),
        (Ids::From(100_000, 10), 0, None),
        (Ids::Own(1000, 0), 1000, Some(0)),
        (Ids::Own(1000, 0), 0, None),
    ] {
        assert_eq!(ids.inside(outside), inside, "{ids:?} {outside}");
    }
}
