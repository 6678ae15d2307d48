//! Virtual servers are made: whole or not at all, with the owners that they have inside, apart from the host.

use crate::declared::nothing_left;
use crate::ground::one_clear_line;
use jaula_tests::harness::{Outcome, Template, Test, command};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) fn trials() -> Vec<Trial> {
    trials!("building": privileged [
        the_second_server_of_a_template_takes_no_room,
        a_directory_is_copied_with_its_owners,
        a_skeleton_is_there_to_be_filled,
        a_clone_is_built,
        snapshots_hold_a_template,
        a_copy_of_the_host_has_none_of_its_secrets,
        create_and_up_make_servers_of_templates,
        what_is_wrong_is_said_in_a_line_and_leaves_nothing,
        a_dry_run_does_nothing,
        an_interrupted_build_leaves_nothing,
        what_a_killed_build_leaves_gc_removes,
        a_debian_is_built_and_its_scripts_do_nothing_to_the_host,
    ])
}

/// What there is of jails and templates, with building directories.
fn all(t: &Test) -> Vec<String> {
    let mut found = Vec::new();
    for directory in ["jails", "templates"] {
        let entries = fs::read_dir(t.root().join("var/lib/jaula").join(directory)).into_iter().flatten();
        let names = entries.flatten().map(|e| format!("{directory}/{}", e.file_name().to_string_lossy()));
        found.extend(names);
    }
    found.sort();
    found
}

/// Bytes on the disk.
fn room(path: &Path) -> Outcome<u64> {
    let said = command(&["du", "-sx", "--block-size=1", &path.to_string_lossy()])?.ok()?;
    Ok(said.split_whitespace().next().unwrap_or_default().parse()?)
}

/// One shell line in a jail of its own over the server's files, which must succeed.
fn inside(t: &Test, name: &str, script: &str) -> Outcome<String> {
    t.jaula().ok(&["set", name, "boot.command=[\"/bin/sleep\", \"infinity\"]", "boot.stop_timeout=0s"])?;
    t.jaula().ok(&["start", name])?;
    let said = t.jaula().exec(name, &["sh", "-ec", script]);
    t.jaula().ok(&["stop", name])?;
    said
}

/// Overlays take some kilobytes whatever the template holds; every store has the template's files with their
/// owners, and what one server writes is its own.
fn the_second_server_of_a_template_takes_no_room(t: &Test) -> Outcome {
    let template = Template::Debian13.put(t)?;
    let from = format!("template:{template}");
    let base = room(&t.root().join("var/lib/jaula/templates").join(template).canonicalize()?)?;
    for store in ["overlay", "overlay", "dir", "image"] {
        let name = t.name(&format!("{store}{}", all(t).len()));
        let begun = Instant::now();
        let said = t.jaula().ok(&["build", &name, "--from", &from, "--store", store])?;
        assert!(said.starts_with(&format!("jail {name} is built with id ")), "{said}");
        let took = room(&t.root().join("var/lib/jaula/jails").join(&name))?;
        if store == "overlay" {
            assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
            assert!(took * 100 < base, "{took} of {base}");
        } else {
            assert!(took * 2 > base, "{took} of {base}");
        }
        let owners = "stat -c '%U:%G %a' / /etc/shadow /usr/bin/passwd /var/log/journal 2>/dev/null || true; \
                      touch /etc/mine; chown www-data /etc/mine; cat /etc/hostname";
        let said = inside(t, &name, owners)?;
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(&lines[..3], ["root:root 755", "root:shadow 640", "root:root 4755"], "{said}");
        assert_eq!(lines.last(), Some(&name.as_str()), "{said}");
        let again = t.jaula().run(&["build", &name, "--from", &from])?;
        one_clear_line(&again, 1, &["exists already"])?;
    }
    let tree = t.root().join("var/lib/jaula/templates").join(template).join("tree");
    assert!(!tree.join("etc/mine").exists(), "the template was written to");
    t.jaula().ok(&["delete", "--all", "--yes"])?;
    nothing_left(t)
}

/// Owners, modes and links as they are; devices and sockets of the host stay where they are.
fn a_directory_is_copied_with_its_owners(t: &Test) -> Outcome {
    let from = t.root().join("from");
    fs::create_dir_all(from.join("etc"))?;
    fs::write(from.join("etc/mine"), "x")?;
    chown(from.join("etc/mine"), Some(33), Some(44))?;
    fs::set_permissions(from.join("etc/mine"), fs::Permissions::from_mode(0o4750))?;
    fs::hard_link(from.join("etc/mine"), from.join("etc/other"))?;
    command(&["mknod", &from.join("null").to_string_lossy(), "c", "1", "3"])?.ok()?;
    let (name, spec) = (t.name("copy"), format!("dir:{}", from.display()));
    t.jaula().ok(&["build", &name, "--from", &spec, "--store", "dir"])?;
    let root = t.root().join("var/lib/jaula/jails").join(&name).join("root");
    let about = fs::metadata(root.join("etc/mine"))?;
    assert_eq!((about.uid(), about.gid(), about.mode() & 0o7777, about.nlink()), (33, 44, 0o4750, 2));
    assert_eq!(about.ino(), fs::metadata(root.join("etc/other"))?.ino());
    assert!(!root.join("null").exists(), "a device node was copied");
    // With an overlay the copy is a template of the jail's name.
    let second = t.name("layer");
    t.jaula().ok(&["build", &second, "--from", &spec])?;
    assert!(all(t).contains(&format!("templates/{second}")), "{:?}", all(t));
    let own = t.jaula().run(&["build", &t.name("loop"), "--from", &format!("dir:{}", t.root().display())])?;
    one_clear_line(&own, 1, &["cannot be copied into itself"])?;
    Ok(())
}

fn a_clone_is_built(t: &Test) -> Outcome {
    let from = format!("template:{}", Template::Debian13.put(t)?);
    let (first, second, third) = (t.name("first"), t.name("second"), t.name("third"));
    t.jaula().ok(&["build", &first, "--from", &from])?;
    inside(t, &first, "echo mine >/etc/mine")?;
    t.jaula().ok(&["snapshot", "create", &format!("{first}@then")])?;
    inside(t, &first, "echo later >/etc/mine")?;
    let clone = format!("clone:{first}");
    let dry = t.jaula().ok(&["build", &second, "--from", &clone, "--set", "root.size=1G", "--dry-run"])?;
    assert!(dry.contains("size = \"1G\"") && dry.contains(&format!("hostname = \"{second}\"")), "{dry}");
    assert!(!all(t).iter().any(|name| name.contains("second")), "{:?}", all(t));
    let told =
        t.jaula().json(&["build", &second, "--from", &clone, "--set", "hostname=x.example.org", "--json"])?;
    assert_eq!((&told["name"], &told["store"]), (&second.as_str().into(), &"overlay".into()), "{told}");
    assert_eq!(inside(t, &second, "cat /etc/mine /etc/hostname")?, "later\nx.example.org\n");
    t.jaula().ok(&["build", &third, "--from", &format!("{clone}@then")])?;
    assert_eq!(inside(t, &third, "cat /etc/mine /etc/hostname")?, format!("mine\n{third}\n"));
    for (more, of) in [
        (&["--packages", "vim"][..], "--packages is for debootstrap: only"),
        (&["--store", "dir"], "a clone has its files where and as the other jail has them"),
        (&["--template", "x"], "a clone has no template"),
    ] {
        let done = t.jaula().run(&[&["build", &t.name("x"), "--quiet", "--from", &clone], more].concat())?;
        one_clear_line(&done, 1, &[of])?;
    }
    t.jaula().ok(&["delete", "--all", "--yes"])?;
    nothing_left(t)
}

/// A jail may have been another's before.
fn snapshots_hold_a_template(t: &Test) -> Outcome {
    let made = |name: &str| -> Outcome {
        let tree = t.root().join("tree");
        fs::create_dir_all(tree.join("etc"))?;
        t.jaula().ok(&["template", "make", name, "--from", &format!("dir:{}", tree.display())]).map(drop)
    };
    made("one")?;
    made("two")?;
    let name = t.name("moved");
    t.jaula().ok(&["build", &name, "--from", "template:one"])?;
    t.jaula().ok(&["snapshot", "create", &format!("{name}@before")])?;
    let config = t.root().join(format!("etc/jaula/jails/{name}.toml"));
    fs::write(&config, fs::read_to_string(&config)?.replace("template:one", "template:two"))?;
    let held = t.jaula().run(&["template", "delete", "one", "--yes"])?;
    one_clear_line(&held, 1, &["snapshots lie on the template one", &format!("{name}@before")])?;
    t.jaula().ok(&["snapshot", "delete", &format!("{name}@before"), "--yes"])?;
    t.jaula().ok(&["template", "delete", "one", "--yes"]).map(drop)
}

fn a_skeleton_is_there_to_be_filled(t: &Test) -> Outcome {
    let name = t.name("empty");
    t.jaula().ok(&["build", &name, "--from", "skeleton", "--store", "dir"])?;
    let root = t.root().join("var/lib/jaula/jails").join(&name).join("root");
    assert_eq!(fs::metadata(root.join("tmp"))?.mode() & 0o7777, 0o1777);
    assert_eq!(fs::metadata(root.join("root"))?.mode() & 0o7777, 0o700);
    fs::copy("/bin/busybox", root.join("bin/busybox"))?;
    fs::copy("/bin/busybox", root.join("bin/sh"))?;
    fs::copy("/bin/busybox", root.join("bin/sleep"))?;
    assert_eq!(
        inside(t, &name, "echo $0; read line </etc/passwd; echo $line")?,
        "sh\nroot:x:0:0:root:/root:/bin/sh\n"
    );
    Ok(())
}

/// The host is a copy of a template, which the command changes its root to.
fn a_copy_of_the_host_has_none_of_its_secrets(t: &Test) -> Outcome {
    let host = t.root().join("host");
    crate::ground::copy(&Template::Debian12.kept(t)?.join("tree"), &host)?;
    fs::copy(jaula_tests::harness::Jaula::binary()?, host.join("usr/local/bin/jaula"))?;
    let secrets = "cd \"$1\"; mkdir -p root/.ssh; echo k >root/.ssh/id_rsa; echo k >root/.ssh/authorized_keys; \
                   echo k >etc/ssh/ssh_host_rsa_key; echo k >etc/ssl/private/key; echo l >var/log/some.log; \
                   sed -i 's/^root:[^:]*:/root:secret:/' etc/shadow; mount -t proc proc proc; mount -t tmpfs t srv; \
                   echo k >srv/elsewhere; mkdir -p var/lib; chown 33:33 var/lib; \
                   exec env -u JAULA_ROOT chroot . jaula build copy --from host --store dir";
    let words = ["unshare", "-m", "sh", "-ec", secrets, "sh", &host.to_string_lossy()];
    let done = command(&words)?;
    assert!(done.stderr.contains("keys and histories: /etc/ssh/ssh_host_*"), "{done}");
    assert!(done.stderr.contains("other file systems: /srv"), "{done}");
    done.ok()?;
    let copy = host.join("var/lib/jaula/jails/copy/root");
    let gone = [
        "root/.ssh/id_rsa",
        "etc/ssh/ssh_host_rsa_key",
        "etc/ssl/private/key",
        "var/log/some.log",
        "srv/elsewhere",
    ];
    for path in gone {
        assert!(!copy.join(path).exists(), "{path} was copied");
    }
    for path in ["root/.ssh/authorized_keys", "usr/bin/env", "etc/passwd", "srv", "proc"] {
        assert!(copy.join(path).exists(), "{path} was not copied");
    }
    assert!(fs::read_to_string(copy.join("etc/shadow"))?.starts_with("root:!:"));
    assert_eq!(
        (fs::metadata(copy.join("var/lib"))?.uid(), fs::metadata(copy.join("etc/shadow"))?.gid()),
        (33, 42)
    );
    Ok(())
}

fn create_and_up_make_servers_of_templates(t: &Test) -> Outcome {
    let from = format!("template:{}", Template::Debian13.put(t)?);
    let made = t.name("made");
    t.jaula().ok(&["create", &made, "--from", &from, "--", "sleep", "infinity"])?;
    assert_eq!(inside(t, &made, "cat /etc/hostname")?.trim(), made);
    let (web, db) = (t.name("web"), t.name("db"));
    let declared = |name: &str| {
        format!(
            "[jails.{name}]\nroot = {{ from = \"{from}\", store = \"overlay\" }}\n\
             boot = {{ command = [\"sleep\", \"infinity\"], stop_timeout = \"0s\" }}\n"
        )
    };
    let site = t.root().join("site");
    fs::create_dir(&site)?;
    fs::write(site.join("jaula.toml"), declared(&web) + &declared(&db))?;
    let site = site.to_string_lossy();
    for _ in 0..2 {
        t.jaula().ok(&["up", &site])?;
        assert_eq!(t.jaula().exec(&web, &["cat", "/etc/hostname"])?.trim(), web);
        assert_eq!(t.jaula().exec(&db, &["cat", "/etc/hostname"])?.trim(), db);
        t.jaula().ok(&["down", &site])?;
    }
    Ok(())
}

fn what_is_wrong_is_said_in_a_line_and_leaves_nothing(t: &Test) -> Outcome {
    let name = t.name("bad");
    let table: &[(&[&str], i32, &[&str])] = &[
        (&["--from", "template:nosuch"], 1, &["there is no template \"nosuch\""]),
        (&["--from", "debootstrap:--help"], 1, &["not the name of a suite"]),
        (&["--from", "dir:/nonexistent"], 1, &["/nonexistent"]),
        (&["--from", "dir:/etc/passwd", "--store", "dir"], 1, &["is no directory"]),
        (&["--from", "skeleton", "--packages", "vim"], 1, &["--packages is for debootstrap: only"]),
        (&["--from", "skeleton", "--store", "dir", "--template", "x"], 1, &["overlay"]),
        (&["--from", "app:/bin/sh"], 1, &["app jail"]),
        (&["--from", "debootstrap:trixie", "--mirror", "--help"], 1, &["is no mirror"]),
        (&["--from", "debootstrap:trixie", "--packages", "a;b"], 1, &["is no package"]),
        (&["--from", "debootstrap:trixie", "--keyring", "/nonexistent"], 1, &["--keyring: there is no file"]),
        (&[], 2, &["--from is missing"]),
    ];
    for (words, status, of) in table {
        let done = t.jaula().run(&[&["build", &name, "--quiet"], *words].concat())?;
        one_clear_line(&done, *status, of)?;
        assert_eq!(all(t), Vec::<String>::new(), "{words:?}");
    }
    if Path::new("/usr/bin/mmdebstrap").exists() {
        let words = [
            "build",
            &name,
            "--quiet",
            "--from",
            "debootstrap:trixie",
            "--mirror",
            "http://127.0.0.1:9/debian",
        ];
        one_clear_line(&t.jaula().run(&words)?, 1, &["the mirror cannot be reached", "help:"])?;
        assert_eq!(all(t), Vec::<String>::new());
    }
    nothing_left(t)
}

fn a_dry_run_does_nothing(t: &Test) -> Outcome {
    let name = t.name("dry");
    let said = t.jaula().ok(&["build", &name, "--from", "host", "--dry-run"])?;
    for word in ["/etc/ssh/ssh_host_*", "/var/log/**", "keys and histories", "from = \"template:"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let told = t.jaula().json(&["build", &name, "--from", "debootstrap:trixie", "--dry-run", "--json"])?;
    assert_eq!((&told["template"], &told["template_made"]), (&"debian-13".into(), &true.into()), "{told}");
    assert_eq!(all(t), Vec::<String>::new());
    nothing_left(t)
}

/// A build that waits for a mirror which never answers, and the mirror.
fn slow_build(t: &Test, name: &str) -> Outcome<(std::process::Child, std::net::TcpListener)> {
    if !Path::new("/usr/bin/mmdebstrap").exists() {
        return t.skip("it needs mmdebstrap: cargo xtask setup");
    }
    let silent = std::net::TcpListener::bind("127.0.0.1:0")?;
    let mirror = format!("http://127.0.0.1:{}/debian", silent.local_addr()?.port());
    let mut build =
        t.jaula().command(["build", name, "--from", "debootstrap:trixie", "--mirror", &mirror])?;
    let build = build.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let begun = Instant::now();
    silent.set_nonblocking(true)?;
    while silent.accept().is_err() {
        if begun.elapsed() > Duration::from_secs(30) {
            return Err("nobody asks the mirror".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(all(t).iter().any(|path| path.starts_with("templates/.new.")), "{:?}", all(t));
    Ok((build, silent))
}

fn an_interrupted_build_leaves_nothing(t: &Test) -> Outcome {
    for signal in ["-INT", "-TERM"] {
        let (build, _mirror) = slow_build(t, &t.name("cut"))?;
        command(&["kill", signal, &build.id().to_string()])?.ok()?;
        let done = build.wait_with_output()?;
        assert_eq!(done.status.code(), Some(130), "{done:?}");
        assert!(
            String::from_utf8_lossy(&done.stderr).contains("error: interrupted; nothing is left of it"),
            "{done:?}"
        );
        assert_eq!(all(t), Vec::<String>::new());
        nothing_left(t)?;
    }
    Ok(())
}

fn what_a_killed_build_leaves_gc_removes(t: &Test) -> Outcome {
    let (mut build, _mirror) = slow_build(t, &t.name("killed"))?;
    build.kill()?;
    build.wait()?;
    assert_eq!(all(t).len(), 1, "{:?}", all(t));
    // Its jail ends with it, and the mounts of that.
    std::thread::sleep(Duration::from_millis(500));
    t.jaula().ok(&["gc"])?;
    assert_eq!(all(t), Vec::<String>::new());
    nothing_left(t)
}

/// The mirror that this machine's own packages come from.
pub(crate) fn mirror(t: &Test) -> Outcome<String> {
    let read = "cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null; true";
    let text = command(&["sh", "-c", read])?.ok()?;
    let found = text
        .split_whitespace()
        .find(|word| word.starts_with("http") && word.trim_end_matches('/').ends_with("/debian"));
    match found {
        Some(mirror) => Ok(mirror.to_owned()),
        None => t.skip("this machine has no mirror of Debian"),
    }
}

/// Skips the test where nothing can be built from it.
pub(crate) fn reachable(t: &Test, mirror: &str) -> Outcome {
    let reach = format!("{mirror}/dists/trixie/InRelease");
    let probe = Command::new("/usr/lib/apt/apt-helper").args(["download-file", &reach, "/dev/null"]).output();
    let here = Path::new("/usr/bin/mmdebstrap").exists();
    match here && probe.is_ok_and(|done| String::from_utf8_lossy(&done.stdout).contains("Get:")) {
        true => Ok(()),
        false => t.skip("it needs mmdebstrap and a mirror that can be reached"),
    }
}

/// What a hostile package does as root when it is installed: all that it can to whoever installs it.
const HOSTILE: &str = r#"#!/bin/sh
mkdir -p /var/lib/evil
exec >/var/lib/evil/report 2>&1
cat /proc/self/uid_map
touch @MARK@/escaped
touch /proc/1/root@MARK@/escaped /proc/1/cwd/escaped
cd /
mount -o remount,rw / ; mount -o remount,rw /proc/1/root
mount -t proc proc /media
for pid in /proc/[0-9]*; do ls -d $pid/root@MARK@ && touch $pid/root@MARK@/escaped; done
kill -9 @VICTIM@
mknod /var/lib/evil/disk b 254 0 && head -c1 /var/lib/evil/disk && echo READ A DISK
echo evil >/proc/sys/kernel/hostname
echo /bin/false >/proc/sys/kernel/core_pattern
echo b >/proc/sysrq-trigger
date -s 2001-01-01
chown 4242 /var/lib/evil
chmod 4755 /bin/true
exit 0
"#;

/// A repository with one package, of which nothing is signed.
fn repository(place: &Path, script: &str) -> Outcome {
    let package = place.join("evil");
    fs::create_dir_all(package.join("DEBIAN"))?;
    fs::create_dir_all(package.join("usr/share/evil"))?;
    fs::write(package.join("usr/share/evil/file"), "x")?;
    fs::write(
        package.join("DEBIAN/control"),
        "Package: evil\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: evil\n",
    )?;
    fs::write(package.join("DEBIAN/postinst"), script)?;
    fs::set_permissions(package.join("DEBIAN/postinst"), fs::Permissions::from_mode(0o755))?;
    let make = "cd \"$1\" && chmod -R go+rX . && dpkg-deb --root-owner-group -b evil evil.deb >/dev/null && \
                { dpkg-deb -f evil.deb; echo Filename: ./evil.deb; echo \"Size: $(stat -c %s evil.deb)\"; \
                echo \"SHA256: $(sha256sum evil.deb | cut -d' ' -f1)\"; } >Packages && rm -r evil";
    command(&["sh", "-ec", make, "sh", &place.to_string_lossy()])?.ok()?;
    Ok(())
}

/// A whole Debian from this machine's mirror, with a package that attacks whoever installs it.
fn a_debian_is_built_and_its_scripts_do_nothing_to_the_host(t: &Test) -> Outcome {
    let mirror = mirror(t)?;
    reachable(t, &mirror)?;
    // Not below /tmp, which is the building jail's own.
    let place = PathBuf::from(format!("/var/tmp/{}", t.mark()));
    fs::create_dir(&place)?;
    let done = hostile_build(t, &mirror, &place);
    fs::remove_dir_all(&place)?;
    done
}

fn hostile_build(t: &Test, mirror: &str, place: &Path) -> Outcome {
    let mut victim = Command::new("sleep").arg("600").spawn()?;
    let open = place.join("open");
    fs::create_dir(&open)?;
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777))?;
    let script =
        HOSTILE.replace("@MARK@", &open.to_string_lossy()).replace("@VICTIM@", &victim.id().to_string());
    repository(place, &script)?;
    let (name, hostname) = (t.name("deb"), fs::read_to_string("/proc/sys/kernel/hostname")?);
    let (main, own) =
        (format!("deb {mirror} trixie main"), format!("deb [trusted=yes] copy:{} ./", place.display()));
    let words = [
        "build",
        &name,
        "--from",
        "debootstrap:trixie",
        "--variant",
        "minbase",
        "--packages",
        "evil,passwd",
        "--mirror",
        &main,
        "--mirror",
        &own,
        "--template",
        "evil",
    ];
    let built = t.jaula().within(Duration::from_secs(300)).run(&words);
    let lives = victim.try_wait()?.is_none();
    victim.kill()?;
    victim.wait()?;
    let built = built?;
    let said = built.stderr.clone();
    built.ok()?;
    for phase in
        ["reading lists of packages", "fetching packages", "unpacking packages", "setting packages up"]
    {
        assert!(said.contains(phase), "{phase}: {said}");
    }
    let tree = t.root().join("var/lib/jaula/templates/evil/tree");
    let report = fs::read_to_string(tree.join("var/lib/evil/report"))?;
    assert!(lives, "it killed a process of the host: {report}");
    assert!(report.contains("65536"), "{report}");
    assert!(!report.contains("READ A DISK"), "{report}");
    assert!(!open.join("escaped").exists(), "it wrote to the host: {report}");
    assert_eq!(fs::read_to_string("/proc/sys/kernel/hostname")?, hostname);
    // What it did to its own tree is as it is inside.
    assert_eq!(fs::metadata(tree.join("var/lib/evil"))?.uid(), 4242);
    assert_eq!(fs::metadata(tree.join("usr/bin/passwd"))?.mode() & 0o7777, 0o4755);
    assert_eq!(fs::metadata(tree.join("etc/shadow"))?.gid(), 42);
    assert_eq!(fs::read_dir(tree.join("dev"))?.count(), 0);
    assert_eq!(fs::read_to_string(tree.join("etc/machine-id")).unwrap_or_default(), "");
    // The second one is there at once, and knows only its own users.
    let (second, begun) = (t.name("deb2"), Instant::now());
    t.jaula().ok(&[&["build", &second], &words[2..]].concat())?;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let said = inside(t, &second, "useradd -m guest; grep -c ^guest: /etc/passwd; stat -c %U /home/guest")?;
    assert_eq!(said, "1\nguest\n");
    assert!(!fs::read_to_string("/etc/passwd")?.contains("\nguest:"), "a user of the host was made");
    assert!(
        !fs::read_to_string(tree.join("etc/passwd"))?.contains("\nguest:"),
        "the template was written to"
    );
    let other =
        t.jaula().run(&["build", &t.name("x"), "--from", "debootstrap:trixie", "--template", "evil"])?;
    one_clear_line(&other, 1, &["there is a template evil already"])?;
    let fresh = t.jaula().run(&[&["build", &t.name("x")], &words[2..], &["--fresh"]].concat())?;
    one_clear_line(&fresh, 1, &["jails lie on the template evil"])
}
