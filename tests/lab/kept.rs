//! Limits of jails whose files are kept, copied and put back.

use super::quota::{df, inside, server};
use crate::declared::Declared;
use jaula_tests::harness::{Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;

pub(super) fn trials() -> Vec<Trial> {
    trials!("lab": lab [
        the_limit_of_an_overlay_goes_along,
        the_limit_of_a_directory_goes_along,
        more_than_the_limit_is_not_begun,
        an_image_grows_while_it_runs,
    ])
}

fn the_limit_of_an_overlay_goes_along(t: &Test) -> Outcome {
    goes_along(t, "overlay")
}

fn the_limit_of_a_directory_goes_along(t: &Test) -> Outcome {
    goes_along(t, "dir")
}

/// Megabytes: what `df` says is there, and taken.
fn megabytes(t: &Test, jail: &Declared<'_>) -> Outcome<(u32, u32)> {
    let (size, used) = df(t, jail, "-m")?;
    Ok((size.parse()?, used.parse()?))
}

/// More than twenty megabytes cannot be added.
fn is_limited(t: &Test, jail: &Declared<'_>) -> Outcome {
    let said = inside(t, jail, "dd if=/dev/zero of=/more bs=1M count=21 || rm /more")?;
    assert!(said.contains("Disk quota exceeded"), "{}: {said}", jail.name);
    Ok(())
}

/// A jail of 40 MB with 20 in it: its snapshots take nothing of its room, and what is made of it has its own.
fn goes_along(t: &Test, store: &str) -> Outcome {
    let jail = server(t, &[&format!("root.store={store}"), "root.size=40M", "root.inodes=1000:1100"])?;
    let (name, jaula) = (jail.name.as_str(), t.jaula());
    jail.start()?;
    inside(t, &jail, "dd if=/dev/zero of=/data bs=1M count=20 2>/dev/null; ln -s data /link; mkfifo /pipe")?;
    let before = megabytes(t, &jail)?;
    assert!(before.0 == 40 && (20..25).contains(&before.1), "{before:?}");
    let inodes = df(t, &jail, "-i")?;
    jaula.ok(&["snapshot", "create", &format!("{name}@first")])?;
    assert_eq!((megabytes(t, &jail)?, df(t, &jail, "-i")?), (before, inodes.clone()), "a snapshot");
    jaula.ok(&["stop", name])?;

    // What was before lies among the snapshots, and what is now is the jail's.
    jaula.ok(&["snapshot", "rollback", &format!("{name}@first")])?;
    jail.start()?;
    assert_eq!((megabytes(t, &jail)?, df(t, &jail, "-i")?), (before, inodes), "a rollback");
    assert_eq!(
        inside(t, &jail, "mkdir /in && mv /link /pipe /data /in && mv /in/* / && echo moved")?,
        "moved\n"
    );
    is_limited(t, &jail)?;

    let copy = Declared::known(t, &t.name("copy"));
    jaula.ok(&["clone", name, &copy.name, "--set", "root.size=30M"])?;
    copy.start()?;
    let cloned = megabytes(t, &copy)?;
    assert!(cloned.0 == 30 && cloned.1.abs_diff(before.1) <= 1, "a clone: {cloned:?} of {before:?}");
    is_limited(t, &copy)?;
    assert_eq!(megabytes(t, &jail)?, before, "its clone takes nothing of its room");
    jaula.ok(&["stop", "--timeout", "0", &copy.name])?;
    jaula.ok(&["delete", "--yes", &copy.name])?;

    jaula.ok(&["stop", name])?;
    let other = Declared::known(t, &t.name("other"));
    jaula.ok(&["rename", name, &other.name])?;
    other.start()?;
    assert_eq!(megabytes(t, &other)?, before, "a rename");
    is_limited(t, &other)?;
    jaula.ok(&["stop", "--timeout", "0", &other.name])?;

    let archive = t.root().join("jail.tar.zst").to_string_lossy().into_owned();
    jaula.ok(&["export", &other.name, &archive])?;
    let back = Declared::known(t, &t.name("back"));
    jaula.ok(&["import", &archive, "--name", &back.name])?;
    back.start()?;
    let imported = megabytes(t, &back)?;
    assert_eq!(imported.0, 40, "an import: {imported:?}");
    if store == "dir" {
        assert!(imported.1.abs_diff(before.1) <= 1, "an import: {imported:?} of {before:?}");
        is_limited(t, &back)?;
    }
    back.end()?;
    jaula.ok(&["delete", "--yes", &back.name, &other.name]).map(drop)
}

/// The host's root, who makes the files, may go over any limit; a jail that begins beyond its own could write nothing.
fn more_than_the_limit_is_not_begun(t: &Test) -> Outcome {
    let jail = server(t, &["root.store=dir", "root.size=64M"])?;
    let name = t.name("large");
    let build = [
        "build",
        &name,
        "--quiet",
        "--from",
        "template:small",
        "--set",
        "root.store=dir",
        "--set",
        "root.size=1M",
    ];
    let said = t.jaula().fails(&build)?;
    crate::declared::one_line(&said, &["take", "root.size allows 1M", "root.size = "])?;
    assert!(!t.root().join("var/lib/jaula/jails").join(&name).exists());
    t.jaula().ok(&["delete", "--yes", &jail.name]).map(drop)
}

/// Which needs CAP_SYS_RESOURCE on the host.
fn an_image_grows_while_it_runs(t: &Test) -> Outcome {
    let jail = server(t, &["root.store=image", "root.size=32M"])?;
    jail.start()?;
    let fill = "dd if=/dev/zero of=/data bs=1M count=40 2>/dev/null && echo fits || rm /data";
    assert_eq!(inside(t, &jail, fill)?, "");
    let first = jail.first()?;
    t.jaula().ok(&["set", &jail.name, "root.size=64M"])?;
    assert_eq!((df(t, &jail, "-m")?.0.as_str(), jail.first()?), ("64", first));
    assert_eq!(inside(t, &jail, fill)?, "fits\n");
    // Smaller it becomes only when it does not run.
    let said = t.jaula().fails(&["set", &jail.name, "root.size=48M"])?;
    assert!(said.contains("smaller only when its jail does not run"), "{said}");
    t.jaula().ok(&["restart", &jail.name])?;
    assert_eq!(df(t, &jail, "-m")?.0, "64");
    assert_eq!(inside(t, &jail, "du -m /data | cut -f1")?, "40\n");
    jail.end()
}
