use super::*;
use model::tar::sparse::{Piece, Sparse};
use model::tar::{BLOCK, Entry, Kind, write};
use std::fs::{self, File};
use std::io::Cursor;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// A directory that goes when the test ends.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("jaula-archive-{name}-{}", std::process::id()));
        _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

fn file(path: &str) -> Entry {
    let (user, group) = (sys::process::user().into(), sys::process::group().into());
    Entry {
        path: path.into(),
        kind: Kind::File,
        mode: 0o644,
        user,
        group,
        size: 0,
        changed: (1_000_000_000, 0),
        attributes: Vec::new(),
        access: None,
        default: None,
        sparse: None,
    }
}

fn of(path: &str, kind: Kind) -> Entry {
    Entry { kind, mode: 0o755, ..file(path) }
}

fn symlink_to(path: &str, to: &str) -> Entry {
    of(path, Kind::Symlink(to.into()))
}

/// An archive of entries, whose content is as many `x` as they say.
fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        out.extend(write::blocks(entry));
        let size = usize::try_from(entry.size).unwrap();
        out.resize(out.len() + size, b'x');
        out.resize(out.len() + write::padding(entry.size), 0);
    }
    out.extend(write::END);
    out
}

const ROOM: Limits = Limits { bytes: 1 << 30, files: 1000 };

fn put(archive: Vec<u8>, into: &Path, limits: Limits) -> Result<Unpacked> {
    let into = File::open(into).unwrap();
    unpack(Input::new(Cursor::new(archive))?, into.as_fd(), limits, &mut |_| Ok(()))
}

/// The error of an archive in a line.
fn refused(entries: &[Entry]) -> String {
    let place = Place::new("refused");
    put(tar(entries), &place.0, ROOM).unwrap_err().line()
}

#[test]
fn a_tree_goes_there_and_back() {
    let place = Place::new("back");
    let (from, to) = (place.0.join("from"), place.0.join("to"));
    fs::create_dir_all(from.join("a/b")).unwrap();
    fs::create_dir(&to).unwrap();
    fs::write(from.join("a/file"), "content").unwrap();
    fs::write(from.join("a/new\nline"), "").unwrap();
    fs::hard_link(from.join("a/file"), from.join("a/b/same")).unwrap();
    symlink("/etc/passwd", from.join("link")).unwrap();
    fs::set_permissions(from.join("a/file"), PermissionsExt::from_mode(0o4711)).unwrap();
    let holes = File::create(from.join("holes")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&holes, b"end", 5 << 20).unwrap();
    holes.set_len(10 << 30).unwrap();
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(200));
    fs::create_dir(from.join("d".repeat(200))).unwrap();
    fs::write(from.join(&long), "deep").unwrap();
    let root = sys::process::user() == 0;
    if root {
        std::os::unix::fs::chown(from.join("a/b"), Some(1000), Some(33)).unwrap();
        fs::set_permissions(from.join("a/b"), PermissionsExt::from_mode(0o2775)).unwrap();
        let fd = File::open(from.join("a/file")).unwrap();
        sys::xattr::set(&fd, "user.test", b"a\0b").unwrap();
        // cap_net_bind_service
        let capability = [[1, 0, 0, 2], [0, 4, 0, 0], [0; 4], [0; 4], [0; 4]].concat();
        sys::xattr::set(&fd, "security.capability", &capability).unwrap();
        let list = model::tar::acl::value(
            b"user::rwx,user:1000:r-x,group::r-x,mask::rwx,other::---",
            |_| None,
            |_| None,
        );
        sys::xattr::set(File::open(from.join("a")).unwrap(), "system.posix_acl_default", &list.unwrap())
            .unwrap();
        sys::copy::make_node(File::open(&from).unwrap(), "pipe", 0o010_640, 0).unwrap();
        sys::copy::make_node(File::open(&from).unwrap(), "null", 0o020_666, 0x103).unwrap();
    }
    sys::copy::touch_at(sys::fs::CWD, from.join("a"), (1_000_000_000, 123_456_789)).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(from.join("socket")).unwrap();

    let mut archive = Vec::new();
    let packed = pack(File::open(&from).unwrap().as_fd(), &mut archive, &mut |_| Ok(())).unwrap();
    drop(socket);
    assert_eq!(packed.size, archive.len() as u64);
    assert_eq!(packed.left_out.get("socket"), Some(&1));
    let mut again = Vec::new();
    pack(File::open(&from).unwrap().as_fd(), &mut again, &mut |_| Ok(())).unwrap();
    assert_eq!(archive, again, "the same tree is the same archive");

    let unpacked = put(archive, &to, ROOM).unwrap();
    let [old, new] = [&from, &to]
        .map(|top| manifest::Manifest::of(File::open(top).unwrap().as_fd(), &mut |_| Ok(())).unwrap());
    assert_eq!(old.compare(&new), []);
    assert_eq!(old.digest(), new.digest());
    assert_eq!(unpacked.digest, packed.digest);
    assert_eq!(unpacked.bytes, packed.bytes);
    assert!(unpacked.bytes < 1 << 20, "holes are no content");
    let (a, b) = (fs::metadata(to.join("a/file")).unwrap(), fs::metadata(to.join("a/b/same")).unwrap());
    assert_eq!((a.ino(), a.nlink(), a.mode() & 0o7777), (b.ino(), 2, 0o4711));
    assert_eq!(fs::read_link(to.join("link")).unwrap(), Path::new("/etc/passwd"));
    assert_eq!(fs::read(to.join(&long)).unwrap(), b"deep");
    assert!(to.join("a/new\nline").exists() && !to.join("socket").exists() && !to.join("null").exists());
    let holes = fs::metadata(to.join("holes")).unwrap();
    assert_eq!((holes.len(), holes.blocks() < 100), (10 << 30, true));
    let a = fs::metadata(to.join("a")).unwrap();
    assert_eq!((a.mtime(), a.mtime_nsec()), (1_000_000_000, 123_456_789));
    if root {
        let b = fs::metadata(to.join("a/b")).unwrap();
        assert_eq!((b.uid(), b.gid(), b.mode() & 0o7777), (1000, 33, 0o2775));
        for (path, name) in
            [("a/file", "user.test"), ("a/file", "security.capability"), ("a", "system.posix_acl_default")]
        {
            let [old, new] =
                [&from, &to].map(|top| sys::xattr::get(File::open(top.join(path)).unwrap(), name));
            let old = old.unwrap();
            assert!(old.is_some() && old == new.unwrap(), "{name}");
        }
        assert_eq!(fs::metadata(to.join("pipe")).unwrap().mode(), 0o010_640);
    }
}

#[test]
fn a_list_tells_what_has_changed() {
    let place = Place::new("list");
    let list = || manifest::Manifest::of(File::open(&place.0).unwrap().as_fd(), &mut |_| Ok(())).unwrap();
    for name in ["content", "mode", "kind", "gone", "a b\\c\n"] {
        fs::write(place.0.join(name), "x").unwrap();
    }
    let old = list();
    assert!(old.text.contains("a\\x20b\\x5cc\\x0a\tf\t"), "{}", old.text);
    fs::write(place.0.join("content"), "y").unwrap();
    fs::set_permissions(place.0.join("mode"), PermissionsExt::from_mode(0o755)).unwrap();
    fs::remove_file(place.0.join("gone")).unwrap();
    fs::remove_file(place.0.join("kind")).unwrap();
    fs::create_dir(place.0.join("kind")).unwrap();
    fs::write(place.0.join("new"), "").unwrap();
    let found = old.compare(&list());
    let found: Vec<(&str, &str)> = found.iter().map(|d| (&d.path[..], d.what[0])).collect();
    let wanted =
        [("content", "content"), ("gone", "missing"), ("kind", "kind"), ("mode", "mode"), ("new", "new")];
    assert_eq!(found, wanted);
}

#[test]
fn what_is_no_plain_tree_is_refused() {
    let long = "x".repeat(256);
    let hard = |path, to: &str| of(path, Kind::Hardlink(to.into()));
    for (entries, words) in [
        (vec![file("../x")], "\"../x\" leads out of the tree"),
        (vec![file("a/../../x")], "leads out of the tree"),
        (vec![file("/etc/passwd")], "\"/etc/passwd\" is an absolute name"),
        (vec![file(&long)], "more than 255 bytes"),
        (vec![file("a\0b")], ""),
        (vec![symlink_to("a", "/tmp"), file("a/x")], "\"a/x\" lies behind a link"),
        (vec![symlink_to("a", "nowhere"), file("a/x")], "\"a/x\" lies behind a link"),
        (vec![file("a"), file("a/x")], "lies behind a link or a file"),
        (vec![symlink_to("a", "/etc/passwd"), file("a")], "it has \"a\" twice"),
        (vec![file("a"), file("a")], "it has \"a\" twice"),
        (vec![of("a", Kind::Directory), file("a")], "it has \"a\" twice"),
        (vec![file("a"), of("a", Kind::Directory)], "it has \"a\" twice"),
        (vec![hard("a", "/etc/passwd")], "is an absolute name"),
        (vec![hard("a", "../../etc/passwd")], "leads out of the tree"),
        (vec![hard("a", "b")], "\"a\" is a hard link to \"b\", which the archive does not have"),
        (vec![symlink_to("d", "/etc"), hard("a", "d/passwd")], "lies behind a link"),
        (vec![of("d", Kind::Directory), hard("a", "d")], "is a hard link to"),
        (vec![Entry { user: 100_000, ..file("a") }], "belongs to user 100000"),
        (vec![Entry { group: 65536, ..file("a") }], "belongs to group 65536"),
        (vec![Entry { access: Some(b"user:nobody-here:rwx".to_vec()), ..file("a") }], "is no access list"),
    ] {
        if !words.is_empty() {
            let line = refused(&entries);
            assert!(line.contains(words), "{line}");
            assert!(!line.contains('\n'));
        }
    }
    assert!(Path::new("/etc/passwd").metadata().unwrap().nlink() == 1);
}

#[test]
fn a_name_with_a_nul_is_refused() {
    let mut pax = b"20 path=abc\0defghij\n".to_vec();
    pax.resize(BLOCK, 0);
    let header = write::blocks(&Entry { size: 20, path: b"p".to_vec(), ..file("p") });
    let mut archive = header;
    // Its type is at 156; the sum changes by as much.
    archive[156] = b'x';
    let sum: u32 = archive[..BLOCK]
        .iter()
        .enumerate()
        .map(|(i, b)| if (148..156).contains(&i) { 32 } else { u32::from(*b) })
        .sum();
    archive[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    archive.extend(pax);
    archive.extend(tar(&[file("x")]));
    let place = Place::new("nul");
    let line = put(archive, &place.0, ROOM).unwrap_err().line();
    assert!(line.contains("NUL"), "{line}");
}

#[test]
fn what_no_jail_can_use_is_left_out() {
    let place = Place::new("left");
    let entries = [
        of("null", Kind::Device { block: false, major: 1, minor: 3 }),
        of("sda", Kind::Device { block: true, major: 8, minor: 0 }),
        Entry {
            attributes: vec![
                (b"user.overlay.opaque".to_vec(), b"y".to_vec()),
                (b"trusted.overlay.redirect".to_vec(), b"/x".to_vec()),
                (b"security.selinux".to_vec(), b"x".to_vec()),
            ],
            ..file("a")
        },
    ];
    let done = put(tar(&entries), &place.0, ROOM).unwrap();
    assert_eq!(done.left_out.get("device"), Some(&2));
    assert_eq!(done.left_out.len(), 4);
    assert_eq!(fs::read_dir(&place.0).unwrap().count(), 1);
    assert_eq!(
        sys::xattr::names(File::open(place.0.join("a")).unwrap()).unwrap(),
        Vec::<std::ffi::OsString>::new()
    );
}

#[test]
fn limits_hold() {
    let place = Place::new("limits");
    let entries = [Entry { size: 600, ..file("a") }, Entry { size: 600, ..file("b") }];
    let small = Limits { bytes: 1000, ..ROOM };
    let line = put(tar(&entries), &place.0, small).unwrap_err().line();
    assert!(line.contains("holds more than 1000"), "{line}");
    let line = put(tar(&entries), &Place::new("few").0, Limits { files: 1, ..ROOM }).unwrap_err().line();
    assert!(line.contains("more than 1 files"), "{line}");
    let sparse = Sparse::new(1 << 60, vec![Piece { at: 0, length: 5 }], 5);
    let entries = [Entry { size: 5, sparse, ..file("c") }];
    let done = put(tar(&entries), &place.0, ROOM);
    // As large as a file can be is not the same everywhere.
    assert!(done.is_ok() || done.unwrap_err().line().contains("holds more than"));
}

/// Compressed as the tools do it.
fn compressed(plain: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    use std::io::Write;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(plain).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 0);
    xz.write_all(plain).unwrap();
    let mut zstd = zstd::Encoder::new(Vec::new(), 1).unwrap();
    zstd.include_checksum(true).unwrap();
    zstd.write_all(plain).unwrap();
    vec![
        ("tar", plain.to_vec()),
        ("gzip", gzip.finish().unwrap()),
        ("xz", xz.finish().unwrap()),
        ("zstd", zstd.finish().unwrap()),
    ]
}

#[test]
fn each_compression_whole_cut_and_damaged() {
    let entries: Vec<Entry> = (0..50).map(|n| Entry { size: n * 997, ..file(&format!("f{n}")) }).collect();
    for (what, whole) in compressed(&tar(&entries)) {
        let place = Place::new(what);
        let done = put(whole.clone(), &place.0, ROOM).unwrap_or_else(|e| panic!("{what}: {}", e.line()));
        assert_eq!(done.files, 50);
        assert_eq!(fs::metadata(place.0.join("f49")).unwrap().len(), 49 * 997);
        for part in [10, 300, whole.len() / 2, whole.len() - 1500.min(whole.len() / 3), whole.len() - 1] {
            // Of plain tar the last byte is one of many zeros.
            if what == "tar" && part == whole.len() - 1 {
                continue;
            }
            let line = put(whole[..part].to_vec(), &Place::new("cut").0, ROOM).unwrap_err().line();
            assert!(line.contains("is cut short") && !line.contains('\n'), "{what} {part}: {line}");
        }
        let mut damaged = whole.clone();
        let middle = damaged.len() / 2;
        damaged[middle..middle + 8].fill(0xff);
        // Plain tar has sums of its headers only.
        if what != "tar" {
            let line = put(damaged, &Place::new("damaged").0, ROOM).unwrap_err().line();
            assert!(line.contains("damaged") || line.contains("is cut short"), "{what}: {line}");
        }
    }
    for (bytes, words) in [
        (&b""[..], "it is empty"),
        (b"BZh91AY", "bzip2"),
        (b"PK\x03\x04", "zip"),
        (&[b'x'; 5000], "no tar archive"),
        (b"x", "cut short"),
    ] {
        let line = put(bytes.to_vec(), &Place::new("other").0, ROOM).unwrap_err().line();
        assert!(line.contains(words), "{line}");
    }
    let mut after = tar(&entries);
    after.extend(b"more");
    let line = put(after, &Place::new("after").0, ROOM).unwrap_err().line();
    assert!(line.contains("something follows the end"), "{line}");
}

#[test]
fn layers_go_over_each_other() {
    let place = Place::new("layers");
    let top = File::open(&place.0).unwrap();
    let mut tree = Unpack::new(top.as_fd(), Layer::OfImage, ROOM);
    let dir = |path| of(path, Kind::Directory);
    let mut add =
        |entries: &[Entry]| tree.add(Input::new(Cursor::new(tar(entries))).unwrap(), &mut |_| Ok(()));
    add(&[
        dir("usr"),
        dir("usr/bin"),
        symlink_to("bin", "usr/bin"),
        symlink_to("out", "/../../.."),
        file("usr/bin/a"),
        file("gone"),
        dir("opaque"),
        dir("opaque/old"),
        file("opaque/old/x"),
        dir("both"),
        file("both/old"),
        dir("becomes-file"),
        file("becomes-file/x"),
        file("becomes-directory"),
    ])
    .unwrap();
    add(&[
        Entry { size: 3, ..file("bin/a") },
        file("bin/b"),
        file("out/inside"),
        file(".wh.gone"),
        file("opaque/new"),
        file("opaque/.wh..wh..opq"),
        dir("both"),
        file("both/new"),
        file("becomes-file"),
        dir("becomes-directory"),
        file(".wh..wh.plnk"),
        file(".wh.."),
        file(".wh..."),
        file(".wh.never-there"),
    ])
    .unwrap();
    let contents = tree.finish().unwrap().contents;
    // What was added up on the way is what is read, also of files that were replaced, or changed since.
    for change in [None, Some("both/new")] {
        if let Some(path) = change {
            fs::write(place.0.join(path), "changed").unwrap();
        }
        let read = manifest::Manifest::of(top.as_fd(), &mut |_| Ok(())).unwrap();
        let mut names = 0;
        let (known, extent) = manifest::Manifest::knowing(&contents, top.as_fd(), &mut |_| {
            names += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(known, read, "{change:?}");
        assert_eq!(extent.files + 1, names);
    }
    let there = |path: &str| fs::symlink_metadata(place.0.join(path)).is_ok();
    for path in ["usr/bin/b", "inside", "opaque/new", "both/old", "both/new", "usr"] {
        assert!(there(path), "{path}");
    }
    for path in ["gone", "opaque/old", ".wh.gone", "opaque/.wh..wh..opq", ".wh..wh.plnk"] {
        assert!(!there(path), "{path}");
    }
    assert_eq!(fs::metadata(place.0.join("usr/bin/a")).unwrap().len(), 3);
    assert!(place.0.join("becomes-file").is_file() && place.0.join("becomes-directory").is_dir());
}

#[test]
fn archives_of_other_programs() {
    let place = Place::new("others");
    let from = place.0.join("from");
    fs::create_dir_all(from.join("d")).unwrap();
    fs::write(from.join("d/file"), "x".repeat(1000)).unwrap();
    fs::write(from.join("d").join("n".repeat(150)), "long").unwrap();
    fs::hard_link(from.join("d/file"), from.join("same")).unwrap();
    let holes = File::create(from.join("holes")).unwrap();
    for n in 0..40u64 {
        std::os::unix::fs::FileExt::write_all_at(&holes, b"data", n << 20).unwrap();
    }
    holes.set_len(42 << 20).unwrap();
    for options in [
        &["--format=gnu", "-S"][..],
        &["--format=posix", "-S", "--sparse-version=0.0"],
        &["--format=posix", "-S", "--sparse-version=0.1"],
        &["--format=posix", "-S", "--sparse-version=1.0"],
        &["--format=v7", "--exclude=n*"],
        &["--format=oldgnu"],
        &["--format=ustar", "--exclude=n*"],
    ] {
        let archive =
            std::process::Command::new("tar").args(options).arg("-C").arg(&from).args(["-c", "."]).output();
        let archive = archive.unwrap();
        assert!(archive.status.success(), "{archive:?}");
        let to = place.0.join("to");
        fs::create_dir(&to).unwrap();
        put(archive.stdout, &to, ROOM).unwrap_or_else(|e| panic!("{options:?}: {}", e.line()));
        assert!(fs::read(to.join("holes")).unwrap() == fs::read(from.join("holes")).unwrap(), "{options:?}");
        assert_eq!(fs::metadata(to.join("same")).unwrap().nlink(), 2, "{options:?}");
        if options.contains(&"-S") {
            assert_eq!(fs::read(to.join("d").join("n".repeat(150))).unwrap(), b"long");
            assert!(fs::metadata(to.join("holes")).unwrap().blocks() < 2000, "{options:?}");
        }
        fs::remove_dir_all(&to).unwrap();
    }
}
