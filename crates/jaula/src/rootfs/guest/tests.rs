//! Hostile trees: whatever a guest has put there, nothing outside is touched and nobody is held up.

use super::*;
use crate::rootfs::beneath::Found;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A tree to be, and beside it an `etc` that stands for the host's.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let place = Self(std::env::temp_dir().join(format!("jaula-guest-{name}-{}", std::process::id())));
        for directory in ["tree/usr/lib/systemd/system", "host/etc/ssh", "host/etc/systemd/system"] {
            fs::create_dir_all(place.0.join(directory)).unwrap();
        }
        for file in FILES {
            let at = place.0.join("host").join(&file[1..]);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::write(at, "the host's\n").unwrap();
        }
        fs::write(place.tree().join("usr/lib/systemd/systemd"), "").unwrap();
        fs::write(place.tree().join("usr/lib/systemd/system/hwclock.service"), "").unwrap();
        place
    }

    fn tree(&self) -> PathBuf {
        self.0.join("tree")
    }

    /// All that must not change.
    fn host(&self) -> BTreeMap<PathBuf, (u32, u64, i64, Vec<u8>)> {
        let (mut all, mut waiting) = (BTreeMap::new(), vec![self.0.join("host")]);
        while let Some(at) = waiting.pop() {
            let found = fs::symlink_metadata(&at).unwrap();
            let content = if found.is_dir() {
                waiting.extend(fs::read_dir(&at).unwrap().map(|entry| entry.unwrap().path()));
                Vec::new()
            } else {
                fs::read(&at).unwrap()
            };
            all.insert(at, (found.mode(), found.ino(), found.mtime_nsec(), content));
        }
        all
    }

    /// Fixes the tree up, in little time, and leaves the host as it was.
    fn fix(&self) -> Fixed {
        let before = self.host();
        let since = Instant::now();
        let tree = Beneath::at(&self.tree()).unwrap();
        let fixed = fix(&tree, &"web".parse().unwrap(), &config(), When::Built).unwrap();
        assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
        assert_eq!(self.host(), before);
        fixed
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Files that fix-ups write, edit or remove.
const FILES: [&str; 9] = [
    "/etc/hostname",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/fstab",
    "/etc/machine-id",
    "/etc/ssh/ssh_host_rsa_key",
    "/etc/crontab",
    "/etc/network/interfaces",
    "/etc/systemd/system/hwclock.service",
];

fn config() -> Config {
    Config::parse("hostname = \"web.example.org\"\n[network]\nnameservers = [\"192.0.2.53\"]\n").unwrap()
}

fn is_root() -> bool {
    sys::process::user() == 0
}

#[test]
fn a_plain_tree_is_fixed_once() {
    if !is_root() {
        return;
    }
    let place = Place::new("plain");
    fs::create_dir_all(place.tree().join("etc")).unwrap();
    let fixed = place.fix();
    assert!(fixed.failed.is_empty(), "{:?}", fixed.failed);
    let read = |path: &str| fs::read_to_string(place.tree().join(path)).unwrap();
    assert_eq!(read("etc/hostname"), "web.example.org\n");
    assert!(read("etc/hosts").contains("127.0.1.1 web.example.org web\n"));
    assert!(read("etc/resolv.conf").contains("nameserver 192.0.2.53\n"));
    assert_eq!(read("etc/machine-id").trim().len(), 32);
    assert_eq!(fs::metadata(place.tree().join("etc/machine-id")).unwrap().mode() & 0o7777, 0o444);
    assert_eq!(
        fs::read_link(place.tree().join("etc/systemd/system/hwclock.service")).unwrap(),
        Path::new("/dev/null")
    );
    let tree = Beneath::at(&place.tree()).unwrap();
    let again = fix(&tree, &"web".parse().unwrap(), &config(), When::Known).unwrap();
    assert!(again.done.is_empty() && again.failed.is_empty(), "{again:?}");
    let another = fix(&tree, &"web".parse().unwrap(), &config(), When::Cloned).unwrap();
    assert_eq!(another.done.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["/etc/machine-id"]);
}

#[test]
fn etc_that_is_none() {
    for kind in ["out", "up", "loop", "file", "fifo", "none"] {
        let place = Place::new(&format!("etc-{kind}"));
        let etc = place.tree().join("etc");
        match kind {
            "out" => symlink(place.0.join("host/etc"), &etc).unwrap(),
            "up" => symlink("../host/etc", &etc).unwrap(),
            "loop" => symlink("etc", &etc).unwrap(),
            "file" => fs::write(&etc, "x").unwrap(),
            "fifo" => assert!(std::process::Command::new("mkfifo").arg(&etc).status().unwrap().success()),
            _ => {}
        }
        assert!(place.fix().done.is_empty(), "{kind}");
    }
}

#[test]
fn links_in_place_of_files_and_directories() {
    if !is_root() {
        return;
    }
    for out in ["absolute", "relative", "dangling", "loop"] {
        let place = Place::new(&format!("links-{out}"));
        let tree = place.tree();
        for file in FILES {
            let at = tree.join(&file[1..]);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            let depth = file.matches('/').count();
            match out {
                "absolute" => symlink(place.0.join("host").join(&file[1..]), &at).unwrap(),
                "relative" => symlink(format!("{}host{file}", "../".repeat(depth)), &at).unwrap(),
                "dangling" => symlink("nowhere/at/all", &at).unwrap(),
                _ => symlink(at.file_name().unwrap(), &at).unwrap(),
            }
        }
        assert!(place.fix().failed.is_empty());
        assert_eq!(fs::read_to_string(tree.join("etc/hostname")).unwrap(), "web.example.org\n");
        assert!(fs::symlink_metadata(tree.join("etc/resolv.conf")).unwrap().is_file());
        // Somebody else's file is not edited through a link.
        assert!(fs::symlink_metadata(tree.join("etc/fstab")).unwrap().is_symlink());
        assert!(fs::symlink_metadata(tree.join("etc/ssh/ssh_host_rsa_key")).is_err());
    }
    for to in ["absolute", "relative"] {
        let place = Place::new(&format!("directories-{to}"));
        fs::create_dir(place.tree().join("etc")).unwrap();
        for directory in ["ssh", "systemd", "network", "cron.d", "default"] {
            let target = match to {
                "absolute" => place.0.join("host/etc").join(directory),
                _ => PathBuf::from("../../host/etc").join(directory),
            };
            symlink(target, place.tree().join("etc").join(directory)).unwrap();
        }
        let fixed = place.fix();
        assert!(fixed.done.iter().any(|f| f.path == "/etc/hostname"));
        assert!(!fixed.failed.is_empty(), "units cannot be masked in a directory that is not there");
    }
}

#[test]
fn what_is_no_file() {
    if !is_root() {
        return;
    }
    let place = Place::new("kinds");
    let tree = place.tree();
    let mut sockets = Vec::new();
    for (i, file) in FILES.iter().enumerate() {
        let at = tree.join(&file[1..]);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        let name = at.file_name().unwrap();
        let parent = fs::File::open(at.parent().unwrap()).unwrap();
        match i % 4 {
            0 => assert!(std::process::Command::new("mkfifo").arg(&at).status().unwrap().success()),
            // A terminal, a printer: reading one would wait, writing would do something.
            1 => {
                sys::copy::make_node(&parent, name, sys::look::S_IFCHR | 0o666, libc_makedev(4, 64)).unwrap()
            }
            2 => sockets.push(std::os::unix::net::UnixListener::bind(&at).unwrap()),
            _ => fs::create_dir(&at).unwrap(),
        }
    }
    place.fix();
    assert_eq!(fs::read_to_string(tree.join("etc/hostname")).unwrap(), "web.example.org\n");
}

/// A device's number, as the kernel has it.
fn libc_makedev(major: u64, minor: u64) -> u64 {
    (major << 8) | minor
}

#[test]
fn large_files_many_files_and_files_that_cannot_be_changed() {
    if !is_root() {
        return;
    }
    let place = Place::new("large");
    let tree = place.tree();
    for file in ["etc/hostname", "etc/hosts", "etc/fstab", "etc/crontab"] {
        fs::create_dir_all(tree.join("etc/cron.d")).unwrap();
        fs::File::create(tree.join(file)).unwrap().set_len(100 << 20).unwrap();
    }
    for i in 0..20_000 {
        fs::write(tree.join(format!("etc/cron.d/{i}")), "* * * * * root hwclock -w\n").unwrap();
    }
    fs::write(tree.join("etc/cron.d/\x1b[2J"), "* * * * * root hwclock -w\n").unwrap();
    fs::write(tree.join("etc/resolv.conf"), [0xff, 0xfe, 0]).unwrap();
    fs::set_permissions(tree.join("etc/resolv.conf"), fs::Permissions::from_mode(0o0)).unwrap();
    fs::write(tree.join("etc/inittab"), "1:2345:respawn:/sbin/getty 38400 tty1\n").unwrap();
    fs::set_permissions(tree.join("etc/inittab"), fs::Permissions::from_mode(0o6755)).unwrap();
    let fixed = place.fix();
    assert!(fixed.failed.is_empty(), "{:?}", fixed.failed);
    assert!(!fixed.done.iter().any(|f| f.path.chars().any(char::is_control)));
    assert_eq!(fs::read_to_string(tree.join("etc/hostname")).unwrap(), "web.example.org\n");
    assert_eq!(fs::metadata(tree.join("etc/hosts")).unwrap().len(), 100 << 20, "no text to be edited");
    assert!(fs::read_to_string(tree.join("etc/resolv.conf")).unwrap().contains("192.0.2.53"));

    // A file that not even root may replace: told, and all others are fixed.
    let chattr = |sign: &str, file: &str| {
        let done = std::process::Command::new("chattr").arg(format!("{sign}i")).arg(tree.join(file)).status();
        done.is_ok_and(|status| status.success())
    };
    fs::write(tree.join("etc/hostname"), "old\n").unwrap();
    fs::write(tree.join("etc/machine-id"), "").unwrap();
    if chattr("+", "etc/hostname") {
        let fixed = place.fix();
        chattr("-", "etc/hostname");
        let told: Vec<String> = fixed.failed.iter().map(Error::line).collect();
        assert!(told.len() == 1 && told[0].contains("/etc/hostname"), "{told:?}");
        assert!(fixed.done.iter().any(|f| f.path == "/etc/machine-id"));
    }
}

#[test]
fn a_tree_that_changes_meanwhile() {
    if !is_root() {
        return;
    }
    let place = Place::new("race");
    let tree = place.tree();
    fs::create_dir_all(tree.join("etc/systemd/system")).unwrap();
    for (link, target) in [("swap", "host/etc"), ("etc/swap", "host/etc/systemd")] {
        symlink(place.0.join(target), tree.join(link)).unwrap();
    }
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (until, top) = (stop.clone(), tree.clone());
    let swap = std::thread::spawn(move || {
        while !until.load(std::sync::atomic::Ordering::Relaxed) {
            // One of the two fails while the other has moved its directory away.
            let _ = sys::fs::exchange(top.join("etc"), top.join("swap"));
            let _ = sys::fs::exchange(top.join("etc/systemd"), top.join("etc/swap"));
        }
    });
    let before = place.host();
    let beneath = Beneath::at(&tree).unwrap();
    let mut done = 0;
    for _ in 0..300 {
        done += fix(&beneath, &"web".parse().unwrap(), &config(), When::Built).unwrap().done.len();
        let _ = beneath.remove("/etc/hostname");
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    swap.join().unwrap();
    assert!(done > 0);
    assert_eq!(place.host(), before);
    assert_ne!(beneath.look("/").unwrap(), Found::Nothing);
}
