//! Quota of projects, on ext4 and xfs.

use crate::declared::{Declared, busybox_template, one_line, until};
use jaula_tests::harness::{Outcome, Test, command};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;
use std::path::Path;

pub(super) fn trials() -> Vec<Trial> {
    trials!("lab": lab [
        the_quota_of_an_overlay,
        the_quota_of_a_directory,
        xfs_has_quota,
        the_time_of_grace_ends,
        inodes_are_limited,
        a_limit_comes_later,
        no_quota_is_said,
    ])
}

/// A template of busybox in the test's house.
fn template(t: &Test) -> Outcome {
    busybox_template(&t.root().join("var/lib/jaula/templates/small"))
}

/// A jail from it that runs `sleep`, with these settings.
pub(super) fn server<'t>(t: &'t Test, settings: &[&str]) -> Outcome<Declared<'t>> {
    if !t.root().join("var/lib/jaula/templates").exists() {
        template(t)?;
    }
    let jail = Declared::known(t, &t.name("small"));
    let mut words = vec!["build", jail.name.as_str(), "--from", "template:small"];
    for setting in ["boot.command=[\"sleep\", \"1000\"]"].iter().chain(settings) {
        words.extend(["--set", setting]);
    }
    t.jaula().ok(&words)?;
    Ok(jail)
}

/// A line of shell in it, with what it said on both ends.
pub(super) fn inside(t: &Test, jail: &Declared<'_>, script: &str) -> Outcome<String> {
    let script = format!("({script}) 2>&1; true");
    t.jaula().exec(&jail.name, &["sh", "-c", &script])
}

/// What `df` says of the root inside: size and used.
pub(super) fn df(t: &Test, jail: &Declared<'_>, options: &str) -> Outcome<(String, String)> {
    let said = inside(t, jail, &format!("df {options} / | tail -1"))?;
    let mut words = said.split_whitespace().skip(1).map(str::to_owned);
    Ok((words.next().unwrap_or_default(), words.next().unwrap_or_default()))
}

/// The number that what a jail writes has, which lies there.
fn project(place: &Path) -> Outcome<String> {
    let said = command(&["lsattr", "-p", "-d", &place.to_string_lossy()])?.ok()?;
    Ok(said.split_whitespace().next().unwrap_or_default().to_owned())
}

/// The line of the file system's report on one project; none if it has neither limits nor files.
fn report(project: &str, on: &Path) -> Outcome<Option<String>> {
    let all = command(&["repquota", "-P", "-n", "-v", &on.to_string_lossy()])?.ok()?;
    Ok(all.lines().find(|line| line.split(' ').next() == Some(&format!("#{project}"))).map(str::to_owned))
}

fn the_quota_of_an_overlay(t: &Test) -> Outcome {
    quota(t, "overlay", Path::new("/"))
}

fn the_quota_of_a_directory(t: &Test) -> Outcome {
    quota(t, "dir", Path::new("/"))
}

/// Puts a file system of its own below the house, for as long as `then` takes.
fn on(t: &Test, make: &[&str], then: impl FnOnce(&Path) -> Outcome) -> Outcome {
    let image = t.root().join("disk.img").to_string_lossy().into_owned();
    let at = t.root().join("var/lib/jaula");
    fs::create_dir_all(&at)?;
    command(&["truncate", "-s", "10G", &image])?.ok()?;
    command(&[make, &[&image]].concat())?.ok()?;
    command(&["mount", "-o", "loop,prjquota", &image, &at.to_string_lossy()])?.ok()?;
    let done = then(&at);
    command(&["umount", &at.to_string_lossy()])?.ok()?;
    done
}

fn xfs_has_quota(t: &Test) -> Outcome {
    on(t, &["mkfs.xfs", "-q", "-K"], |at| {
        quota(t, "overlay", at)?;
        quota(t, "dir", at)?;
        inodes(t, &["root.store=overlay", "root.inodes=100:150"])
    })
}

/// 6 GB soft and 7 GB hard, as `df -h` shows it; then small enough to be filled, live.
fn quota(t: &Test, store: &str, disk: &Path) -> Outcome {
    let jail = server(t, &[&format!("root.store={store}"), "root.size=6G:7G"])?;
    let name = jail.name.as_str();
    let kept = t.root().join("var/lib/jaula/jails").join(name);
    assert!(!kept.join("overlay.img").exists());
    let project = project(&kept.join(if store == "dir" { "root" } else { store }))?;
    t.jaula().ok(&["start", name])?;
    assert_eq!(df(t, &jail, "-h")?.0, "6.0G");
    t.jaula().ok(&["set", name, "root.size=24M:32M"])?;
    assert_eq!(df(t, &jail, "-h")?.0, "24.0M");
    // Over the soft limit for the time of grace; not over the hard one.
    assert_eq!(
        inside(t, &jail, "dd if=/dev/zero of=/over bs=1M count=26 2>/dev/null && echo fits")?,
        "fits\n"
    );
    let line = report(&project, disk)?.unwrap_or_default();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert!(words.get(1) == Some(&"+-") && words.get(3..5) == Some(&["24576", "32768"]), "{line}");
    let said = inside(t, &jail, "dd if=/dev/zero of=/more bs=1M count=20")?;
    assert!(said.contains("Disk quota exceeded") || said.contains("No space left"), "{said}");
    let status = t.jaula().json(&["status", name, "--json"])?;
    assert!(status.to_string().contains(&(32u64 << 20).to_string()), "{status}");
    // Room again, live, and over a stop.
    t.jaula().ok(&["set", name, "root.size=64M"])?;
    assert_eq!(
        inside(t, &jail, "dd if=/dev/zero of=/more bs=1M count=20 2>/dev/null && echo fits")?,
        "fits\n"
    );
    t.jaula().ok(&["restart", name])?;
    let (size, used) = df(t, &jail, "-m")?;
    assert_eq!(size, "64");
    assert!((44..50).contains(&used.parse::<u32>()?), "{used}");
    // Gone with the jail.
    t.jaula().ok(&["stop", name])?;
    t.jaula().ok(&["delete", "--yes", name])?;
    let line = report(&project, disk)?.unwrap_or_default();
    assert!(!line.contains("65536"), "{line}");
    Ok(())
}

/// A file system whose time of grace is two seconds: what is over the soft limit then is refused.
fn the_time_of_grace_ends(t: &Test) -> Outcome {
    let make = ["mke2fs", "-q", "-F", "-t", "ext4", "-O", "quota,project", "-E", "quotatype=prjquota"];
    on(t, &make, |at| {
        command(&["setquota", "-P", "-t", "2", "2", &at.to_string_lossy()])?.ok()?;
        let jail = server(t, &["root.store=dir", "root.size=8M:32M"])?;
        jail.start()?;
        let write = "dd if=/dev/zero of=/over bs=1M count=9 2>/dev/null && echo fits";
        assert_eq!(inside(t, &jail, write)?, "fits\n");
        let said = until("the end of grace", || {
            let said = inside(t, &jail, "dd if=/dev/zero of=/late bs=64k count=1").ok()?;
            said.contains("Disk quota exceeded").then_some(said)
        });
        said?;
        // Below the soft limit again, all is as before.
        assert_eq!(inside(t, &jail, "rm -f /over /late; echo x >/again && cat /again")?, "x\n");
        jail.stop_on_a_disk()?;
        t.jaula().ok(&["delete", "--yes", &jail.name]).map(drop)
    })
}

/// Row O10, as far as limits go.
fn inodes_are_limited(t: &Test) -> Outcome {
    inodes(t, &["root.store=overlay", "root.inodes=100:150"])
}

fn inodes(t: &Test, settings: &[&str]) -> Outcome {
    let jail = server(t, settings)?;
    t.jaula().ok(&["start", &jail.name])?;
    assert_eq!(df(t, &jail, "-i")?.0, "100");
    let script = "mkdir /many; cd /many; for n in $(seq 1 200); do touch f$n || break; done; ls | wc -l";
    let said = inside(t, &jail, script)?;
    assert!(said.contains("Disk quota exceeded") || said.contains("No space left"), "{said}");
    let made: u32 = said.lines().last().unwrap_or_default().trim().parse()?;
    assert!((130..150).contains(&made), "{said}");
    t.jaula().ok(&["set", &jail.name, "root.inodes=100:400"])?;
    assert_eq!(
        inside(t, &jail, "cd /many; for n in $(seq 1 200); do touch f$n; done; ls | wc -l")?.trim(),
        "200"
    );
    t.jaula().ok(&["stop", &jail.name])?;
    t.jaula().ok(&["delete", "--yes", &jail.name]).map(drop)
}

/// A jail that had none, whose files are of every kind: all are counted, and can be renamed still.
fn a_limit_comes_later(t: &Test) -> Outcome {
    let jail = server(t, &["root.store=dir"])?;
    let name = jail.name.as_str();
    let root = t.root().join(format!("var/lib/jaula/jails/{name}/root"));
    // As it is where the quota was switched on later: nothing has a project.
    command(&["chattr", "-R", "-f", "-P", "-p", "0", &root.to_string_lossy()])?;
    t.jaula().ok(&["start", name])?;
    inside(
        t,
        &jail,
        "mkdir -p /a/b; echo x >/a/b/file; ln -s file /a/b/link; mkfifo /a/b/pipe; ln /a/b/file /a/b/hard",
    )?;
    command(&["chattr", "-R", "-f", "-P", "-p", "0", &root.to_string_lossy()])?;
    let said = t.jaula().fails(&["set", name, "root.size=64M"])?;
    one_line(&said, &["does not run", "jaula stop"])?;
    t.jaula().ok(&["stop", name])?;
    let before = command(&["find", &root.to_string_lossy(), "-printf", "%p %y %m %U %G %T@ %l\n"])?.ok()?;
    t.jaula().ok(&["set", name, "root.size=64M", "root.inodes=5000"])?;
    let after = command(&["find", &root.to_string_lossy(), "-printf", "%p %y %m %U %G %T@ %l\n"])?.ok()?;
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    // Times of directories change with what is made again in them.
    let but_times_of_directories = |text: &str| {
        let mut lines = sorted(text);
        lines.retain(|line| line.split(' ').nth(1) != Some("d"));
        lines
    };
    assert_eq!(but_times_of_directories(&after), but_times_of_directories(&before));
    t.jaula().ok(&["start", name])?;
    assert_eq!(df(t, &jail, "-m")?.0, "64");
    // As those of the top directory, of which a Debian has many.
    let renamed = "mkdir /c && mv /a/b/link /a/b/pipe /a/b/file /sbin /c; ls /c";
    assert_eq!(inside(t, &jail, renamed)?, "file\nlink\npipe\nsbin\n");
    let counted = df(t, &jail, "-i")?.1.parse::<usize>()?;
    let there = command(&["find", &root.to_string_lossy(), "-xdev", "-printf", "%i\n"])?.ok()?;
    let mut inodes: Vec<&str> = there.lines().collect();
    inodes.sort_unstable();
    inodes.dedup();
    assert_eq!(counted, inodes.len(), "each has its project, and is counted once");
    jail.end()
}

/// Where it is switched off, the way to switch it on is said.
fn no_quota_is_said(t: &Test) -> Outcome {
    let at = t.root().join("var/lib/jaula");
    fs::create_dir_all(&at)?;
    let at = at.to_string_lossy().into_owned();
    for (features, help) in [("^quota", "tune2fs -O quota,project"), ("quota,project", "quotaon -P")] {
        // A file of its own each: a jail that starts elsewhere just then may hold the mount a moment longer.
        let image = t.root().join(format!("{features}.img")).to_string_lossy().into_owned();
        command(&["truncate", "-s", "64M", &image])?.ok()?;
        command(&["mke2fs", "-q", "-F", "-t", "ext4", "-O", features, &image])?.ok()?;
        command(&["mount", "-o", "loop", &image, &at])?.ok()?;
        let tried = template(t).and_then(|()| {
            let settings = ["root.store=dir", "root.size=16M"];
            let name = t.name("small");
            let words =
                ["build", &name, "--from", "template:small", "--set", settings[0], "--set", settings[1]];
            let said = t.jaula().fails(&words)?;
            let found = t.jaula().run(&["doctor"])?.stdout;
            Ok((said, found))
        });
        command(&["umount", &at])?.ok()?;
        let (said, found) = tried?;
        one_line(&said, &["quota", help])?;
        assert!(found.contains(help), "{found}");
    }
    Ok(())
}
