use super::*;
use std::os::unix::fs::{PermissionsExt, symlink};

fn place(word: &str) -> PathBuf {
    let place = std::env::temp_dir().join(format!("jaula-duplicate-{word}-{}", std::process::id()));
    fs::create_dir_all(place.join("from")).unwrap();
    fs::create_dir_all(place.join("to")).unwrap();
    place
}

#[test]
fn a_tree_comes_out_as_it_was() {
    let place = place("all");
    let (from, to) = (place.join("from"), place.join("to"));
    fs::create_dir_all(from.join("a/b")).unwrap();
    fs::write(from.join("a/file"), "x").unwrap();
    fs::hard_link(from.join("a/file"), from.join("a/b/same")).unwrap();
    symlink("/etc/passwd", from.join("link")).unwrap();
    fs::set_permissions(from.join("a/b"), fs::Permissions::from_mode(0o1755)).unwrap();
    let holes = File::create(from.join("holes")).unwrap();
    holes.set_len(1 << 30).unwrap();
    std::os::unix::fs::FileExt::write_at(&holes, b"end", (1 << 30) - 3).unwrap();
    let top = File::open(&from).unwrap();
    sys::copy::make_node(&top, "fifo", sys::look::S_IFIFO | 0o640, 0).unwrap();
    // An overlay's whiteout, which nobody needs a privilege to make.
    sys::copy::make_node(&top, "gone", sys::look::S_IFCHR, 0).unwrap();
    let file = File::open(from.join("a/file")).unwrap();
    let has_attributes = sys::xattr::set(&file, "user.jaula", b"value").is_ok();
    let mut heard = 0;
    let count = tree(&from, &to, &mut |count| {
        heard = count.files;
        Ok(())
    })
    .unwrap();
    assert_eq!((count.files, heard), (8, 8));
    assert!(count.bytes < 1 << 20, "holes were copied: {count:?}");
    let about = |path: &str| fs::symlink_metadata(to.join(path)).unwrap();
    assert_eq!(about("a/file").ino(), about("a/b/same").ino());
    assert_eq!(about("a/b").permissions().mode() & 0o7777, 0o1755);
    assert_eq!(fs::read_link(to.join("link")).unwrap(), Path::new("/etc/passwd"));
    assert_eq!((about("holes").len(), about("holes").blocks() < 2048), (1 << 30, true));
    assert!(about("fifo").file_type().is_fifo() && about("fifo").mode() & 0o777 == 0o640);
    assert_eq!((about("gone").file_type().is_char_device(), about("gone").rdev()), (true, 0));
    for path in ["", "a", "a/b", "a/file", "link", "fifo", "holes"] {
        let original = fs::symlink_metadata(from.join(path)).unwrap();
        let time = |about: &Metadata| (about.mtime(), about.mtime_nsec(), about.uid(), about.mode());
        assert_eq!(time(&original), time(&about(path)), "{path}");
    }
    if has_attributes {
        let copy = File::open(to.join("a/b/same")).unwrap();
        assert_eq!(sys::xattr::get(&copy, "user.jaula").unwrap().unwrap(), b"value");
    }
    fs::remove_dir_all(&place).unwrap();
}

#[test]
fn a_tree_deeper_than_descriptors_and_paths() {
    let place = place("deep");
    let flags = O_RDONLY | O_DIRECTORY;
    let mut deep = sys::fs::open(CWD, place.join("from"), flags, 0).unwrap();
    for _ in 0..3000 {
        sys::fs::make_dir(&deep, "directory", 0o700).unwrap();
        deep = sys::fs::open(&deep, "directory", flags, 0).unwrap();
    }
    fs::write(inside(&deep, OsStr::new("one")), "x").unwrap();
    fs::hard_link(inside(&deep, OsStr::new("one")), inside(&deep, OsStr::new("two"))).unwrap();
    let count = tree(&place.join("from"), &place.join("to"), &mut |_| Ok(())).unwrap();
    assert_eq!(count.files, 3003);
    crate::tree::remove(&place).unwrap();
}

#[test]
fn a_part_of_a_tree() {
    let place = place("part");
    for path in ["proc/1", "keep/in", "home/alice"] {
        fs::create_dir_all(place.join("from").join(path)).unwrap();
    }
    let mut filter = |path: &Path, about: &Metadata| match path.to_str() {
        Some("home") => Take::Nothing,
        Some("proc") if about.is_dir() => Take::Empty,
        _ => Take::Whole,
    };
    part(&place.join("from"), &place.join("to"), &mut filter, &mut |_| Ok(())).unwrap();
    let there = |path: &str| place.join("to").join(path).exists();
    assert_eq!(["proc", "proc/1", "keep/in", "home"].map(there), [true, false, true, false]);
    let ended = tree(&place.join("from"), &place.join("to/keep"), &mut |_| Err(Error::NoId));
    assert!(matches!(ended, Err(Error::NoId)));
    fs::remove_dir_all(&place).unwrap();
}
