//! Tests of the registry, on directories of their own.

use super::*;

/// A house in a directory that goes with it.
struct Place(House, PathBuf);

impl Place {
    fn new(test: &str) -> Self {
        let root = std::env::temp_dir().join(format!("jaula-{test}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        std::fs::create_dir_all(root.join("etc/jaula/jails")).unwrap();
        Self(House::below(&root), root)
    }

    fn put(&self, name: &str, text: &str) {
        std::fs::write(self.0.etc.join(format!("jails/{name}")), text).unwrap();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.1);
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn id(number: u16) -> Id {
    Id::new(number).unwrap()
}

#[test]
fn files_are_jails_if_their_names_are() {
    let place = Place::new("files");
    for file in ["b.toml", "a.toml", "a.toml~", "a.new.12", "101.toml", ".toml", "c"] {
        place.put(file, "");
    }
    assert_eq!(all(&place.0).unwrap(), [name("a"), name("b")]);
    assert_eq!(one(&place.0, "b").unwrap(), name("b"));
    assert!(matches!(one(&place.0, "nothing"), Err(Error::Select(_))));
    assert!(matches!(read(&place.0, &name("c")), Err(Error::NoJail(_))));
}

#[test]
fn what_is_no_file_of_text_is_told() {
    let place = Place::new("kinds");
    std::fs::create_dir(place.0.etc.join("jails/dir.toml")).unwrap();
    place.put("long.toml", &" ".repeat(LONGEST_TEXT + 1));
    std::fs::write(place.0.etc.join("jails/bytes.toml"), b"# a\n#\xc3\xa9 \xff").unwrap();
    std::os::unix::net::UnixListener::bind(place.0.etc.join("jails/socket.toml")).unwrap();
    for (jail, says) in [
        ("dir", "dir.toml is a directory, not a file"),
        ("long", "long.toml is longer than 1 MiB, which no configuration is"),
        ("bytes", "bytes.toml:2:4: this is not UTF-8"),
        ("socket", "socket.toml"),
    ] {
        let error = read(&place.0, &name(jail)).unwrap_err().to_string();
        assert!(error.ends_with(says), "{error}");
    }
}

#[test]
fn numbers_follow_the_files() {
    let place = Place::new("numbers");
    let house = &place.0;
    let owners = || {
        let lock = lock(house).unwrap();
        let ids = Ids::load(house, &lock).unwrap();
        (
            ids.free().unwrap().number(),
            ids.duplicates().map(|(n, i, o)| format!("{n} {i} {o}")).collect::<Vec<_>>(),
        )
    };
    assert_eq!(owners(), (101, vec![]));
    place.put("a.toml", "id = 101");
    place.put("b.toml", "id = 103");
    place.put("c.toml", "id = 101");
    assert_eq!(owners(), (102, vec!["c 101 a".to_owned()]));
    assert_eq!(owner(house, id(103)).unwrap(), Some(name("b")));
    // Changed by hand, broken, gone.
    place.put("a.toml", "id = 102");
    assert_eq!(owners(), (104, vec![]));
    place.put("b.toml", "id = ");
    assert_eq!(owners(), (104, vec![]), "a file that cannot be read keeps its number");
    std::fs::remove_file(house.config(&name("c"))).unwrap();
    assert_eq!(owners(), (101, vec![]));
    assert_eq!(owner(house, id(102)).unwrap(), Some(name("a")));
    assert_eq!(owner(house, id(101)).unwrap(), None);
}

#[test]
fn a_number_is_taken_once() {
    let place = Place::new("taken");
    place.put("a.toml", "");
    let lock = lock(&place.0).unwrap();
    let mut ids = Ids::load(&place.0, &lock).unwrap();
    ids.take(id(200), &name("a")).unwrap();
    ids.take(id(200), &name("a")).unwrap();
    assert!(matches!(ids.take(id(200), &name("b")), Err(Error::SameId { .. })));
    ids.release(&name("a")).unwrap();
    ids.take(id(200), &name("b")).unwrap();
    // Nobody wrote a file for it.
    assert_eq!(Ids::load(&place.0, &lock).unwrap().free().unwrap(), id(101));
    assert!(std::fs::read_dir(place.0.lib.join(".ids")).unwrap().next().is_none());
}

#[test]
fn what_a_killed_writer_left_goes() {
    let place = Place::new("tidy");
    for file in ["a.toml", "a.new.123", "a.new.1.toml", "a.new.x"] {
        place.put(file, "");
    }
    let lock = lock(&place.0).unwrap();
    Ids::load(&place.0, &lock).unwrap();
    let mut left = entries(&place.0.etc.join("jails"), |f| Some(f.to_owned())).unwrap();
    left.sort();
    assert_eq!(left, ["a.new.1.toml", "a.new.x", "a.toml"]);
}
