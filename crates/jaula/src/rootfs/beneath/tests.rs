//! Trees that want to be led out of.

use super::*;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

const HERE: Access = Access { user: 0, group: 0, mode: 0o644 };

/// A tree, and beside it what must stay as it is.
struct Place {
    top: PathBuf,
}

impl Place {
    fn new(name: &str) -> Self {
        let top = std::env::temp_dir().join(format!("jaula-beneath-{name}-{}", std::process::id()));
        fs::create_dir_all(top.join("tree/etc")).unwrap();
        fs::create_dir_all(top.join("outside/etc")).unwrap();
        for file in ["outside/file", "outside/etc/hostname"] {
            fs::write(top.join(file), "the host's").unwrap();
        }
        Self { top }
    }

    fn tree(&self) -> PathBuf {
        self.top.join("tree")
    }

    fn open(&self) -> Beneath {
        Beneath::at(&self.tree()).unwrap()
    }

    fn is_whole(&self) {
        for file in ["outside/file", "outside/etc/hostname"] {
            assert_eq!(fs::read_to_string(self.top.join(file)).unwrap(), "the host's");
        }
        assert_eq!(fs::read_dir(self.top.join("outside")).unwrap().count(), 2);
        assert_eq!(fs::read_dir(self.top.join("outside/etc")).unwrap().count(), 1);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.top);
    }
}

/// Without root, files are the caller's.
fn access(mode: u32) -> Access {
    Access { user: sys::process::user(), group: sys::process::group(), mode }
}

#[test]
fn what_is_written_stays_inside() {
    let place = Place::new("inside");
    let (tree, outside) = (place.tree(), place.top.join("outside"));
    symlink(outside.join("file"), tree.join("etc/absolute")).unwrap();
    symlink("../../outside/file", tree.join("etc/relative")).unwrap();
    symlink("nowhere", tree.join("etc/dangling")).unwrap();
    symlink("loop", tree.join("etc/loop")).unwrap();
    symlink(&outside, tree.join("out")).unwrap();
    symlink("../outside", tree.join("up")).unwrap();
    let beneath = place.open();
    for name in ["absolute", "relative", "dangling", "loop", "new"] {
        let path = format!("/etc/{name}");
        beneath.replace(&path, name.as_bytes(), access(0o640)).unwrap();
        let at = tree.join("etc").join(name);
        let found = fs::symlink_metadata(&at).unwrap();
        assert!(found.is_file(), "{name}");
        assert_eq!(found.mode() & 0o7777, 0o640);
        assert_eq!(beneath.read(&path, 100).unwrap().unwrap(), name.as_bytes());
    }
    // As if the tree were all there is: these directories are not there.
    for path in ["out/etc/hostname", "up/etc/hostname", "out/new", "up/new"] {
        assert!(beneath.replace(path, b"x", access(0o644)).is_err(), "{path}");
        assert_eq!(beneath.read(path, 100).unwrap(), None, "{path}");
        assert!(!beneath.remove(path).unwrap(), "{path}");
        assert!(beneath.link(path, "x").is_err(), "{path}");
        assert!(beneath.make_dirs(path, access(0o755)).is_err(), "{path}");
    }
    beneath.replace("../../outside/file", b"x", access(0o644)).unwrap_err();
    beneath.make_dirs("../outside/new", access(0o755)).unwrap_err();
    for path in ["", "/", ".", "..", "etc/.."] {
        beneath.replace(path, b"x", access(0o644)).unwrap_err();
        beneath.link(path, "x").unwrap_err();
    }
    place.is_whole();
    let left: Vec<_> = beneath.list("etc", 100).unwrap();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(NEW)), "{left:?}");
}

#[test]
fn links_of_the_tree_lead_where_they_lead_inside() {
    let place = Place::new("links");
    let tree = place.tree();
    fs::create_dir_all(tree.join("usr/lib/systemd")).unwrap();
    symlink("/usr/lib", tree.join("lib")).unwrap();
    fs::write(tree.join("usr/lib/systemd/file"), "inside").unwrap();
    symlink("/lib/systemd/file", tree.join("etc/file")).unwrap();
    let beneath = place.open();
    assert_eq!(beneath.read("/etc/file", 100).unwrap().unwrap(), b"inside");
    assert_eq!(beneath.look("/etc/file").unwrap(), Found::Link("/lib/systemd/file".into()));
    beneath.make_dirs("lib/systemd/system/x.d", access(0o755)).unwrap();
    beneath.replace("lib/systemd/system/x.d/y", b"z", access(0o644)).unwrap();
    assert_eq!(fs::read(tree.join("usr/lib/systemd/system/x.d/y")).unwrap(), b"z");
    beneath.link("lib/systemd/system/masked", "/dev/null").unwrap();
    beneath.link("lib/systemd/system/masked", "/dev/zero").unwrap();
    assert_eq!(beneath.look("lib/systemd/system/masked").unwrap(), Found::Link("/dev/zero".into()));
    assert!(beneath.remove("lib/systemd/system/masked").unwrap());
    assert!(!beneath.remove("lib/systemd/system/masked").unwrap());
    assert_eq!(beneath.list("nowhere", 9).unwrap(), Vec::<OsString>::new());
}

#[test]
fn nothing_but_files_is_read() {
    let place = Place::new("kinds");
    let tree = place.tree();
    let fifo = tree.join("etc/fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(tree.join("etc/socket")).unwrap();
    fs::create_dir(tree.join("etc/directory")).unwrap();
    fs::write(tree.join("etc/large"), vec![b'x'; 1000]).unwrap();
    fs::write(tree.join("etc/file"), "x").unwrap();
    let beneath = place.open();
    for name in ["fifo", "socket", "directory", "large"] {
        beneath.read(format!("etc/{name}"), 100).unwrap_err();
    }
    assert_eq!(beneath.read("etc/file/x", 100).unwrap(), None);
    assert_eq!(beneath.look("etc/fifo").unwrap(), Found::Other);
    beneath.replace("etc/fifo", b"now a file", access(0o600)).unwrap();
    assert_eq!(fs::read(&fifo).unwrap(), b"now a file");
    beneath.replace("etc/directory", b"x", access(0o600)).unwrap_err();
    assert!(tree.join("etc/directory").is_dir());
}

#[test]
fn a_new_file_has_what_the_old_one_had() {
    let place = Place::new("kept");
    let at = place.tree().join("etc/file");
    fs::write(&at, "old").unwrap();
    let keeps = std::fs::File::open(&at).is_ok_and(|f| sys::xattr::set(&f, "user.note", b"n").is_ok());
    fs::set_permissions(&at, fs::Permissions::from_mode(0o6751)).unwrap();
    // What was left over by somebody who was killed, and a directory in the way.
    fs::write(place.tree().join("etc/.jaula.new"), "left").unwrap();
    fs::create_dir(place.tree().join("etc/.jaula.new.1")).unwrap();
    place.open().replace("etc/file", b"new", HERE).unwrap();
    let found = fs::metadata(&at).unwrap();
    assert_eq!(found.mode() & 0o7777, 0o751);
    if keeps {
        let file = fs::File::open(&at).unwrap();
        assert_eq!(sys::xattr::get(&file, "user.note").unwrap().unwrap(), b"n");
        assert_eq!(sys::xattr::get(&file, "user.none").unwrap(), None);
    }
    assert!(!place.tree().join("etc/.jaula.new").exists());
}

#[test]
fn names_swapped_meanwhile_lead_nowhere() {
    let place = Place::new("race");
    let tree = place.tree();
    symlink(place.top.join("outside/etc"), tree.join("link")).unwrap();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (until, swapped) = (stop.clone(), tree.clone());
    let swap = std::thread::spawn(move || {
        // Exchanged under the writer's feet, as the root of a jail could.
        while !until.load(std::sync::atomic::Ordering::Relaxed) {
            sys::fs::exchange(swapped.join("etc"), swapped.join("link")).unwrap();
        }
    });
    let beneath = place.open();
    let mut written = 0;
    for _ in 0..5000 {
        written += u32::from(beneath.replace("etc/hostname", b"jail", access(0o644)).is_ok());
        let _ = beneath
            .read("etc/hostname", 100)
            .map(|read| assert_ne!(read.as_deref(), Some(&b"the host's"[..])));
        let _ = beneath.make_dirs("etc/made", access(0o755));
        let _ = beneath.remove("etc/hostname");
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    swap.join().unwrap();
    assert!(written > 0);
    place.is_whole();
}

#[test]
fn a_link_with_two_dots_is_followed_in_a_mount_that_is_nowhere() {
    if sys::process::user() != 0 {
        return;
    }
    let place = Place::new("dots");
    let tree = place.tree();
    for directory in ["upper", "work", "tree/usr"] {
        fs::create_dir_all(place.top.join(directory)).unwrap();
    }
    fs::write(tree.join("etc/hostname"), "inside").unwrap();
    symlink("../etc/hostname", tree.join("usr/link")).unwrap();
    let opened = crate::rootfs::store::test_overlay(&tree, &place.top);
    assert_eq!(Beneath::new(opened).read("usr/link", 100).unwrap().unwrap(), b"inside");
}
