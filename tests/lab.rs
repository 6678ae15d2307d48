//! What needs a host as it is installed: systemd as its process 1, cgroup version 2 alone, AppArmor, and file
//! systems with project quota. `cargo xtask lab` is one.

use crate::declared::{Declared, one_line};
use jaula_tests::harness::{Outcome, Test, busybox_root, command};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;
use std::os::unix::fs::DirBuilderExt;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("lab": lab [
        a_host_with_systemd,
        the_quota_of_an_overlay,
        the_quota_of_a_directory,
        inodes_are_limited,
        a_limit_comes_later,
        no_quota_is_said,
    ])
}

/// A template of busybox in the test's house.
fn template(t: &Test) -> Outcome {
    let place = t.root().join("var/lib/jaula/templates/small");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&place)?;
    command(&["cp", "-a", &busybox_root()?.to_string_lossy(), &place.join("tree").to_string_lossy()])?
        .ok()?;
    Ok(fs::write(
        place.join("template.toml"),
        "origin = \"dir:/small\"\narchitecture = \"x86_64\"\ndistribution = \"\"\nversion = \"\"\ninit = \"\"\nsize = 1000000\n",
    )?)
}

/// A jail from it that runs `sleep`, with these settings.
fn server<'t>(t: &'t Test, settings: &[&str]) -> Outcome<Declared<'t>> {
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
fn inside(t: &Test, jail: &Declared<'_>, script: &str) -> Outcome<String> {
    let script = format!("({script}) 2>&1; true");
    t.jaula().exec(&jail.name, &["sh", "-c", &script])
}

/// What `df` says of the root inside: size and used.
fn df(t: &Test, jail: &Declared<'_>, options: &str) -> Outcome<(String, String)> {
    let said = inside(t, jail, &format!("df {options} / | tail -1"))?;
    let mut words = said.split_whitespace().skip(1).map(str::to_owned);
    Ok((words.next().unwrap_or_default(), words.next().unwrap_or_default()))
}

/// All that jails need is there, and one runs, from a service and from a login's scope.
fn a_host_with_systemd(t: &Test) -> Outcome {
    let found = t.jaula().json(&["doctor", "--json"])?;
    let text = found.to_string();
    assert!(!text.contains("\"missing\""), "{found}");
    assert!(fs::read_to_string("/proc/1/comm")?.starts_with("systemd"));
    let tree = busybox_root()?;
    let jaula =
        t.jaula().command(["run", "--root", &format!("dir:{}", tree.display()), "--", "echo", "works"])?;
    let words: Vec<String> = std::iter::once(jaula.get_program())
        .chain(jaula.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let house = format!("JAULA_ROOT={}", t.root().display());
    for how in [vec!["--scope", "--quiet"], vec!["--pipe", "--quiet", "--wait"]] {
        let own = format!("--setenv={house}");
        let mut all = vec!["systemd-run", &own];
        all.extend(how);
        all.extend(words.iter().map(String::as_str));
        assert_eq!(command(&all)?.ok()?, "works\n");
    }
    Ok(())
}

fn the_quota_of_an_overlay(t: &Test) -> Outcome {
    quota(t, "root.store=overlay")
}

fn the_quota_of_a_directory(t: &Test) -> Outcome {
    quota(t, "root.store=dir")
}

/// 6 GB soft and 7 GB hard, as `df -h` shows it; then small enough to be filled, live.
fn quota(t: &Test, store: &str) -> Outcome {
    let jail = server(t, &[store, "root.size=6G:7G"])?;
    let name = jail.name.as_str();
    assert!(!t.root().join(format!("var/lib/jaula/jails/{name}/overlay.img")).exists());
    t.jaula().ok(&["start", name])?;
    assert_eq!(df(t, &jail, "-h")?.0, "6.0G");
    t.jaula().ok(&["set", name, "root.size=24M:32M"])?;
    assert_eq!(df(t, &jail, "-h")?.0, "24.0M");
    // Over the soft limit for the time of grace; not over the hard one.
    assert_eq!(
        inside(t, &jail, "dd if=/dev/zero of=/over bs=1M count=26 2>/dev/null && echo fits")?,
        "fits\n"
    );
    let report = command(&["repquota", "-P", "-v", "/"])?.ok()?;
    assert!(report.lines().any(|line| line.contains(" +- ") && line.contains("24576   32768")), "{report}");
    let said = inside(t, &jail, "dd if=/dev/zero of=/more bs=1M count=20")?;
    assert!(said.contains("Disk quota exceeded"), "{said}");
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
    let report = command(&["repquota", "-P", "-n", "-v", "/"])?.ok()?;
    assert!(!report.contains("65536"), "{report}");
    Ok(())
}

/// Row O10, as far as limits go.
fn inodes_are_limited(t: &Test) -> Outcome {
    let jail = server(t, &["root.store=overlay", "root.inodes=100:150"])?;
    t.jaula().ok(&["start", &jail.name])?;
    assert_eq!(df(t, &jail, "-i")?.0, "100");
    let script = "mkdir /many; cd /many; for n in $(seq 1 200); do touch f$n || break; done; ls | wc -l";
    let said = inside(t, &jail, script)?;
    assert!(said.contains("Disk quota exceeded"), "{said}");
    let made: u32 = said.lines().last().unwrap_or_default().trim().parse()?;
    assert!((130..150).contains(&made), "{said}");
    t.jaula().ok(&["set", &jail.name, "root.inodes=100:400"])?;
    assert_eq!(
        inside(t, &jail, "cd /many; for n in $(seq 1 200); do touch f$n; done; ls | wc -l")?.trim(),
        "200"
    );
    jail.end()
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
    let renamed = "mkdir /c && mv /a/b/link /a/b/pipe /a/b/file /c; ls /c";
    assert_eq!(inside(t, &jail, renamed)?, "file\nlink\npipe\n");
    let counted = df(t, &jail, "-i")?.1.parse::<usize>()?;
    let there = command(&["find", &root.to_string_lossy(), "-xdev", "-printf", "%i\n"])?.ok()?;
    let mut inodes: Vec<&str> = there.lines().collect();
    inodes.sort_unstable();
    inodes.dedup();
    // None with another project; what was made at the start may not be there yet, or already.
    assert!(counted.abs_diff(inodes.len()) <= 1, "{counted} of {}", inodes.len());
    jail.end()
}

/// Where it is switched off, the way to switch it on is said.
fn no_quota_is_said(t: &Test) -> Outcome {
    let image = t.root().join("plain.img");
    let (at, image) = (t.root().join("var/lib/jaula"), image.to_string_lossy().into_owned());
    fs::create_dir_all(&at)?;
    let at = at.to_string_lossy().into_owned();
    command(&["truncate", "-s", "64M", &image])?.ok()?;
    for (features, help) in [("^quota", "tune2fs -O quota,project"), ("quota,project", "quotaon -P")] {
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
