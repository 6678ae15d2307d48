//! Virtual servers on each store: made, started, limited, kept, deleted; and what becomes of them when
//! the disk is full or jaula is killed on the way.

#[path = "stores/bases.rs"]
mod bases;
#[path = "stores/exported.rs"]
mod exported;
#[path = "stores/faults.rs"]
mod faults;
#[path = "stores/kept.rs"]
mod kept;
#[path = "stores/limits.rs"]
mod limits;
#[path = "stores/overlaid.rs"]
mod overlaid;

use crate::ground::{copy, one_clear_line};
use bases::{
    a_base_is_made_once, a_killed_base_leaves_nothing, bases_go_with_what_they_are_of, limits_on_bases,
};
use exported::{
    a_killed_export_leaves_the_jail_going, a_live_export_is_of_one_moment, without_room_for_a_copy,
};
use faults::{a_build_is_killed, a_delete_is_killed, a_full_disk};
use jaula_tests::harness::{Outcome, Template, Test, busybox_root, command};
use jaula_tests::trials;
use kept::{
    no_room_for_a_copy, two_builds_at_once, what_changes_a_store_is_killed,
    what_comes_of_a_jail_has_its_limits,
};
use libtest_mimic::Trial;
use limits::{
    a_first_limit_of_an_overlay, a_limit_changes_while_running, a_limit_changes_while_stopped,
    df_tells_the_limit_and_it_holds, lists_tell_the_room, the_limit_of_a_subvolume,
    what_a_store_cannot_hold_is_refused,
};
use overlaid::{on_an_overlay_servers_are_in_images, what_an_overlay_cannot_map_is_said};
use rustix::mount::UnmountFlags;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(crate) fn trials() -> Vec<Trial> {
    trials!("stores": privileged [
        each_store_keeps_what_is_written,
        a_btrfs_jail_is_a_subvolume,
        a_btrfs_jail_makes_no_subvolume,
        the_second_from_a_template_is_made_at_once,
        a_base_is_made_once,
        bases_go_with_what_they_are_of,
        limits_on_bases,
        a_killed_base_leaves_nothing,
        nothing_mounted_is_deleted,
        what_the_files_are_made_of_is_not_changed_by_words,
        df_tells_the_limit_and_it_holds,
        lists_tell_the_room,
        a_limit_changes_while_stopped,
        a_limit_changes_while_running,
        a_first_limit_of_an_overlay,
        the_limit_of_a_subvolume,
        what_a_store_cannot_hold_is_refused,
        a_build_is_killed,
        a_delete_is_killed,
        a_full_disk,
        what_comes_of_a_jail_has_its_limits,
        what_changes_a_store_is_killed,
        no_room_for_a_copy,
        two_builds_at_once,
        a_live_export_is_of_one_moment,
        a_killed_export_leaves_the_jail_going,
        without_room_for_a_copy,
        on_an_overlay_servers_are_in_images,
        what_an_overlay_cannot_map_is_said,
    ])
}

/// The stores that every machine has.
const STORES: [&str; 3] = ["overlay", "dir", "image"];

/// A small template in the test's house, by the name `small`.
fn template(t: &Test) -> Outcome {
    let place = template_place(t)?;
    // With btrfs below, a jail's tree is a snapshot of it.
    jaula::rootfs::store::make_tree(&place, "tree")?;
    fill_template(&place)
}

fn template_place(t: &Test) -> Outcome<PathBuf> {
    let place = t.root().join("var/lib/jaula/templates/small");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&place)?;
    Ok(place)
}

fn fill_template(place: &Path) -> Outcome {
    for entry in fs::read_dir(busybox_root()?)?.flatten() {
        copy(&entry.path(), &place.join("tree").join(entry.file_name()))?;
    }
    fs::write(place.join("template.toml"), "origin = \"test\"\nmade = 1\nsize = 0\nfiles = 0\n")?;
    Ok(())
}

/// Builds a jail of the small template.
fn build(t: &Test, name: &str, store: &str, more: &[&str]) -> Outcome {
    t.jaula().ok(&[&words(name, store)[..], more].concat()).map(drop)
}

fn words<'a>(name: &'a str, store: &'a str) -> Vec<&'a str> {
    let command = "boot.command=[\"/bin/sleep\", \"1007\"]";
    vec!["build", "--quiet", name, "--from", "template:small", "--store", store, "--set", command]
}

/// Where a jail's files are.
fn kept(t: &Test, name: &str) -> PathBuf {
    t.root().join("var/lib/jaula/jails").join(name)
}

/// A btrfs at the house's files, unmounted when dropped.
struct Btrfs(PathBuf);

impl Btrfs {
    fn mount(t: &Test) -> Outcome<Self> {
        let (disk, at) = (t.root().join("disk"), t.root().join("var/lib/jaula"));
        fs::File::create(&disk)?.set_len(600 << 20)?;
        fs::create_dir_all(&at)?;
        let [disk, place] = [&disk, &at].map(|path| path.display().to_string());
        command(&["mkfs.btrfs", "-q", &disk])?.ok()?;
        command(&["mount", "-o", "loop", &disk, &place])?.ok()?;
        Ok(Self(at))
    }
}

impl Drop for Btrfs {
    fn drop(&mut self) {
        _ = rustix::mount::unmount(&self.0, UnmountFlags::DETACH);
    }
}

/// What a jail writes is there after it stopped, belongs to whom it belonged, and is nobody else's.
fn each_store_keeps_what_is_written(t: &Test) -> Outcome {
    template(t)?;
    let base = t.root().join("var/lib/jaula/templates/small/tree");
    for store in STORES {
        let name = t.name(store);
        build(t, &name, store, &[])?;
        t.jaula().ok(&["start", &name])?;
        t.jaula()
            .exec(&name, &["sh", "-c", "echo kept > /etc/kept; chown 1000:1000 /etc/kept; rm /etc/passwd"])?;
        t.jaula().ok(&["restart", &name])?;
        let said = t.jaula().exec(
            &name,
            &["sh", "-c", "cat /etc/kept; stat -c %u:%g /etc/kept; [ -e /etc/passwd ] || echo gone"],
        )?;
        assert_eq!(said, "kept\n1000:1000\ngone\n", "{store}");
        // The profile of a virtual server.
        assert_eq!(t.jaula().exec(&name, &["hostname", "other"])?, "", "{store}");
        t.jaula().ok(&["stop", &name])?;
        assert!(base.join("etc/passwd").exists() && !base.join("etc/kept").exists(), "{store}");
        t.jaula().ok(&["delete", "--yes", &name])?;
        assert!(!kept(t, &name).exists(), "{store}");
    }
    Ok(())
}

fn a_btrfs_jail_is_a_subvolume(t: &Test) -> Outcome {
    let _btrfs = Btrfs::mount(t)?;
    template(t)?;
    let name = t.name("sub");
    build(t, &name, "btrfs", &[])?;
    assert_eq!(fs::metadata(kept(t, &name).join("root"))?.ino(), 256);
    t.jaula().ok(&["start", &name])?;
    t.jaula().exec(&name, &["sh", "-c", "echo kept > /etc/kept"])?;
    t.jaula().ok(&["restart", &name])?;
    assert_eq!(t.jaula().exec(&name, &["cat", "/etc/kept"])?, "kept\n");
    t.jaula().ok(&["stop", &name])?;
    t.jaula().ok(&["delete", "--yes", &name])?;
    assert!(!kept(t, &name).exists());
    // Elsewhere it is refused, with a way out.
    drop(_btrfs);
    template(t)?;
    let done = t.jaula().run(&words(&name, "btrfs"))?;
    one_clear_line(&done, 1, &["is not on btrfs"])
}

/// A subvolume of its own making would be in no limit of the jail's.
fn a_btrfs_jail_makes_no_subvolume(t: &Test) -> Outcome {
    let _btrfs = Btrfs::mount(t)?;
    template(t)?;
    let name = t.name("nosub");
    build(t, &name, "btrfs", &[])?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("stores/subvolume.c");
    let program = jaula_tests::harness::c_program("subvolume", &[source])?;
    fs::copy(program, kept(t, &name).join("root/bin/subvolume"))?;
    t.jaula().ok(&["start", &name])?;
    assert_eq!(t.jaula().exec(&name, &["subvolume", "/", "inner"])?, "EPERM\n");
    t.jaula().ok(&["stop", &name])?;
    t.jaula().ok(&["delete", "--yes", &name]).map(drop)
}

/// However large the template is: nothing of it is looked at.
fn the_second_from_a_template_is_made_at_once(t: &Test) -> Outcome {
    let template = Template::Debian13.put(t)?;
    let from = format!("template:{template}");
    let mut best = Duration::MAX;
    for n in 0..3 {
        let name = t.name(&format!("fast{n}"));
        let since = Instant::now();
        t.jaula().ok(&["build", &name, "--from", &from])?;
        best = best.min(since.elapsed());
        let used = command(&["du", "-s", "--block-size=1", &kept(t, &name).display().to_string()])?.ok()?;
        let used: u64 = used.split_whitespace().next().unwrap_or_default().parse()?;
        assert!(used < 1 << 20, "{used} bytes");
    }
    // A copy of it takes a second or more; this leaves room for a debug build on a busy machine.
    assert!(best < Duration::from_millis(500), "{best:?}");
    Ok(())
}

/// Deleting does not reach into what somebody has mounted in a jail's files.
fn nothing_mounted_is_deleted(t: &Test) -> Outcome {
    template(t)?;
    let name = t.name("mounted");
    build(t, &name, "dir", &[])?;
    let outside = t.root().join("outside");
    fs::create_dir(&outside)?;
    fs::write(outside.join("precious"), "x")?;
    let at = kept(t, &name).join("root/var");
    let [from, to] = [&outside, &at].map(|path| path.display().to_string());
    command(&["mount", "--bind", &from, &to])?.ok()?;
    let done = t.jaula().run(&["delete", "--yes", &name]);
    rustix::mount::unmount(&at, UnmountFlags::DETACH)?;
    one_clear_line(&done?, 1, &["mounted on"])?;
    assert!(outside.join("precious").exists() && kept(t, &name).join("root/bin/busybox").exists());
    t.jaula().ok(&["delete", "--yes", &name]).map(drop)
}

fn what_the_files_are_made_of_is_not_changed_by_words(t: &Test) -> Outcome {
    template(t)?;
    let name = t.name("words");
    build(t, &name, "overlay", &[])?;
    for (setting, what) in [("root.store=dir", "root.store"), ("root.from=template:other", "root.from")] {
        let done = t.jaula().run(&["set", &name, setting])?;
        one_clear_line(&done, 1, &[what, "stay what they are"])?;
    }
    Ok(())
}
