//! Mounts that come and go while a jail runs, as `jaula set` changes them.

use crate::declared::{Declared, kill, until};
use jaula_tests::harness::{Outcome, Snapshot, Test, probe};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;
use std::path::PathBuf;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("mounts_live": privileged [
        a_directory_comes_and_goes,
        it_is_read_only_unless_asked,
        owners_are_mapped_when_asked,
        a_file_comes_and_goes,
        memory_comes_and_goes,
        mounts_go_one_by_one,
        it_is_there_after_a_restart_as_well,
        an_adopted_jail_gets_mounts,
        what_cannot_be_mounted_is_said,
        a_busy_mount_goes_from_sight,
        a_target_is_never_outside,
    ])
}

/// A directory of the host with a file in it.
fn data(t: &Test) -> Outcome<PathBuf> {
    let data = t.root().join("data");
    fs::create_dir_all(&data)?;
    fs::write(data.join("file"), "of the host\n")?;
    Ok(data)
}

/// A jail with a writable `/run`, which all have.
fn running<'t>(t: &'t Test) -> Outcome<Declared<'t>> {
    let jail = Declared::shell(t, "www", "mkdir -p /run/a /run/b; echo up; exec sleep 1000", "")?;
    jail.start()?;
    jail.says("up")?;
    Ok(jail)
}

/// `jaula set NAME mounts+=TEXT` and the like.
fn set(jail: &Declared<'_>, change: &str) -> Outcome {
    let done = jail.jaula("set", &[change])?;
    if done.status.success() { Ok(()) } else { Err(done.to_string().into()) }
}

/// The jail's mounts at this place, with their options.
fn seen(jail: &Declared<'_>, target: &str) -> Outcome<Vec<String>> {
    let table = fs::read_to_string(format!("/proc/{}/mountinfo", jail.first()?))?;
    Ok(table.lines().filter(|line| line.split(' ').nth(4) == Some(target)).map(str::to_owned).collect())
}

fn inside(jail: &Declared<'_>, script: &str) -> Outcome<String> {
    jail.jaula("exec", &["--", "/bin/sh", "-c", script])?.ok()
}

fn a_directory_comes_and_goes(t: &Test) -> Outcome {
    let (jail, data) = (running(t)?, data(t)?);
    let first = jail.first()?;
    let mount = format!("{}:/run/a", data.display());
    set(&jail, &format!("mounts+={mount}"))?;
    assert_eq!(fs::read_to_string(format!("/proc/{first}/root/run/a/file"))?, "of the host\n");
    assert_eq!(inside(&jail, "cat /run/a/file")?, "of the host\n");
    assert_eq!(Snapshot::mounts_below(t.root()), [""; 0], "it is nowhere on the host");
    set(&jail, &format!("mounts-={mount}"))?;
    assert!(!fs::exists(format!("/proc/{first}/root/run/a/file"))?);
    assert!(seen(&jail, "/run/a")?.is_empty());
    assert_eq!(jail.first()?, first, "the same jail all the time");
    jail.stop()
}

fn it_is_read_only_unless_asked(t: &Test) -> Outcome {
    let (jail, data) = (running(t)?, data(t)?);
    rustix::fs::chmod(&data, rustix::fs::Mode::from_raw_mode(0o777))?;
    set(&jail, &format!("mounts+={}:/run/a", data.display()))?;
    let tried = "echo x >/run/a/new && echo written; true";
    assert_eq!(inside(&jail, tried)?, "");
    let options = seen(&jail, "/run/a")?;
    assert!(
        options.len() == 1 && [" ro,", "nosuid", "nodev"].iter().all(|o| options[0].contains(o)),
        "{options:?}"
    );
    set(&jail, &format!("mounts+={}:/run/b:rw,noexec", data.display()))?;
    assert_eq!(inside(&jail, "echo x >/run/b/new && echo written; true")?, "written\n");
    let options = seen(&jail, "/run/b")?;
    assert!(
        options.len() == 1 && [" rw,", "nosuid", "nodev", "noexec"].iter().all(|o| options[0].contains(o)),
        "{options:?}"
    );
    jail.stop()
}

fn owners_are_mapped_when_asked(t: &Test) -> Outcome {
    let (jail, data) = (running(t)?, data(t)?);
    set(&jail, &format!("mounts+={}:/run/a:rw,idmap", data.display()))?;
    set(&jail, &format!("mounts+={}:/run/b:rw", data.display()))?;
    assert_eq!(inside(&jail, "stat -c %u /run/a/file /run/b/file")?, "0\n65534\n");
    inside(&jail, "echo x >/run/a/new; chown 1000 /run/a/new")?;
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&fs::metadata(data.join("new"))?), 1000);
    jail.stop()
}

fn a_file_comes_and_goes(t: &Test) -> Outcome {
    let (jail, data) = (running(t)?, data(t)?);
    let mount = format!("{}:/run/one", data.join("file").display());
    set(&jail, &format!("mounts+={mount}"))?;
    assert_eq!(inside(&jail, "cat /run/one")?, "of the host\n");
    set(&jail, &format!("mounts-={mount}"))?;
    assert_eq!(inside(&jail, "cat /run/one 2>/dev/null; true")?, "");
    jail.stop()
}

fn memory_comes_and_goes(t: &Test) -> Outcome {
    let jail = running(t)?;
    set(&jail, "mounts+=tmpfs:/run/a:size=1m,mode=0700")?;
    assert_eq!(
        inside(
            &jail,
            "stat -c %a /run/a; dd if=/dev/zero of=/run/a/f bs=64k count=100 2>/dev/null; stat -c %s /run/a/f"
        )?,
        "700\n1048576\n"
    );
    set(&jail, "mounts-=tmpfs:/run/a:size=1m,mode=0700")?;
    assert_eq!(inside(&jail, "ls /run/a")?, "");
    jail.stop()
}

fn mounts_go_one_by_one(t: &Test) -> Outcome {
    let (jail, data) = (running(t)?, data(t)?);
    let (a, b) = (format!("{}:/run/a", data.display()), format!("{}:/run/b", data.display()));
    set(&jail, &format!("mounts+={a}"))?;
    set(&jail, &format!("mounts+={b}"))?;
    set(&jail, &format!("mounts-={a}"))?;
    assert_eq!((seen(&jail, "/run/a")?.len(), seen(&jail, "/run/b")?.len()), (0, 1));
    // What the configuration has already is not mounted twice.
    set(&jail, &format!("mounts+={b}"))?;
    assert_eq!(seen(&jail, "/run/b")?.len(), 1);
    jail.stop()
}

fn it_is_there_after_a_restart_as_well(t: &Test) -> Outcome {
    let (jail, data) = (running(t)?, data(t)?);
    set(&jail, &format!("mounts+={}:/run/a", data.display()))?;
    jail.jaula("restart", &[])?.ok()?;
    assert_eq!(inside(&jail, "cat /run/a/file")?, "of the host\n");
    jail.stop()
}

fn an_adopted_jail_gets_mounts(t: &Test) -> Outcome {
    let (jail, data) = (running(t)?, data(t)?);
    kill(jail.keeper()?)?;
    set(&jail, &format!("mounts+={}:/run/a", data.display()))?;
    assert_eq!(fs::read_to_string(format!("/proc/{}/root/run/a/file", jail.first()?))?, "of the host\n");
    jail.stop()
}

fn what_cannot_be_mounted_is_said(t: &Test) -> Outcome {
    let jail = running(t)?;
    let done = jail.jaula("set", &["mounts+=/nowhere/at/all:/run/a"])?;
    let said = format!("{}{}", done.stdout, done.stderr);
    assert!(said.contains("/nowhere/at/all"), "{done}");
    assert!(seen(&jail, "/run/a")?.is_empty());
    jail.stop()
}

/// Whoever works in it keeps it; it is gone from the tree.
fn a_busy_mount_goes_from_sight(t: &Test) -> Outcome {
    let (jail, data) = (running(t)?, data(t)?);
    let mount = format!("{}:/run/a", data.display());
    set(&jail, &format!("mounts+={mount}"))?;
    let mut busy = jail.spawn("exec", &["--", "/bin/sh", "-c", "cd /run/a; exec sleep 1000"])?;
    until("somebody in it", || (jail.processes().ok()?.len() >= 2).then_some(()))?;
    std::thread::sleep(std::time::Duration::from_millis(50));
    set(&jail, &format!("mounts-={mount}"))?;
    assert!(seen(&jail, "/run/a")?.is_empty());
    jail.end()?;
    busy.wait()?;
    Ok(())
}

/// The jail swaps a directory of its own for a symbolic link to a place of the host's, as fast as
/// can be, while mounts come and go there (CVE-2021-30465, CVE-2025-31133 and their kin).
fn a_target_is_never_outside(t: &Test) -> Outcome {
    let data = data(t)?;
    let outside = t.root().join("outside");
    fs::create_dir_all(outside.join("x"))?;
    let program = probe()?;
    let jail = Declared::idle(t, "hostile")?;
    let script = format!(
        "mkdir -p /run/t; ln -s {} /run/link; echo up; exec /run/probe symlink-swap /run/t /run/link 1000",
        outside.display()
    );
    let mount = format!("mounts = [\"{}:/run/probe\"]", program.display());
    jail.declare(&["/bin/sh", "-c", &script], "", &mount)?;
    jail.start()?;
    jail.says("up")?;
    let first = jail.first()?;
    let mut mounted = 0;
    for _ in 0..60 {
        let add = format!("mounts+={}:/run/t/x", data.display());
        jail.jaula("set", &[&add])?;
        let table = fs::read_to_string(format!("/proc/{first}/mountinfo"));
        let table = table.map_err(|e| format!("the jail: {e}; {}; {:?}", jail.log(), jail.last()))?;
        mounted += table.lines().filter(|line| line.contains("/data ")).count();
        assert_eq!(Snapshot::mounts_below(t.root()), [""; 0], "a mount is on the host");
        let there = fs::read_dir(outside.join("x")).map_err(|e| format!("the place outside: {e}"))?;
        assert_eq!(there.count(), 0, "something is outside");
        // It may be under the other name by now; then it stays until the jail stops.
        jail.jaula("set", &[&add.replace("+=", "-=")])?;
    }
    assert!(mounted > 0, "nothing was mounted at all");
    jail.end()
}
