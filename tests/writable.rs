//! `root.writable`: directories of an app jail that are its own.

use crate::declared::Declared;
use crate::ground::{one_clear_line, words};
use jaula_tests::harness::{Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

pub(crate) fn trials() -> Vec<Trial> {
    trials!("writable": privileged [
        it_is_the_jails_own_and_lasts,
        it_begins_as_the_hosts_does,
        in_run_it_is_made_anew,
        a_run_forgets_it,
        it_lies_in_what_is_only_read,
        links_of_the_host_lead_to_it,
        what_a_jail_wrote_leads_nowhere,
        what_cannot_be_is_refused,
    ])
}

const BUSYBOX: &str = "/usr/bin/busybox";

/// A jail of the host's busybox that idles, with these keys in `[root]`.
fn jail<'t>(t: &'t Test, word: &str, keys: &str) -> Outcome<Declared<'t>> {
    let jail = Declared::idle(t, word)?;
    rewrite(&jail, keys)?;
    Ok(jail)
}

fn rewrite(jail: &Declared<'_>, keys: &str) -> Outcome {
    jail.write_config(&format!(
        "[root]\nfrom = \"app:{BUSYBOX}\"\n{keys}\n[boot]\ncommand = [\"{BUSYBOX}\", \"sleep\", \"1000\"]\n"
    ))
}

/// A line of busybox's shell in a jail, as root or another user.
fn inside(t: &Test, jail: &Declared<'_>, user: &str, script: &str) -> Outcome<String> {
    t.jaula().ok(&["exec", "--user", user, &jail.name, "--", BUSYBOX, "sh", "-c", script])
}

/// A directory of the host that belongs to 33:34.
fn state(t: &Test) -> Outcome<PathBuf> {
    let state = t.root().join("state");
    fs::create_dir(&state)?;
    chown(&state, Some(33), Some(34))?;
    fs::set_permissions(&state, Permissions::from_mode(0o2750))?;
    Ok(state)
}

/// What the user of the directory writes stays over stops, belongs to that user on disk, and is not
/// in the host's directory; nobody else may write, nothing else is writable; `delete` takes it away.
fn it_is_the_jails_own_and_lasts(t: &Test) -> Outcome {
    let state = state(t)?;
    fs::write(state.join("file"), "of the host\n")?;
    let jail = jail(t, "own", &format!("writable = [{state:?}]"))?;
    jail.start()?;
    let at = state.display();
    let said =
        inside(t, &jail, "33:34", &format!("echo 1 >{at}/x; ls {at}; grep ' {at} ' /proc/self/mountinfo"))?;
    let (list, mount) = said.split_once('\n').ok_or("nothing said")?;
    assert_eq!(list, "x");
    assert!(mount.contains("rw,nosuid,nodev,relatime,idmapped"), "{mount}");
    let others = format!("echo 2 >{at}/x || echo 3 >/etc/z || id -u");
    assert_eq!(inside(t, &jail, "1000", &others)?, "1000\n");
    assert_eq!(inside(t, &jail, "0", "echo 3 >/etc/z || echo 4 >/z || id -u")?, "0\n");
    // Programs that it writes run; devices that it could write do not open.
    let run = format!("cp {BUSYBOX} {at}/busybox && {at}/busybox echo ran");
    assert_eq!(inside(t, &jail, "33:34", &run)?, "ran\n");
    jail.stop()?;
    assert_eq!(fs::read_dir(&state)?.count(), 1, "the host's directory is as it was");
    let name = at.to_string().trim_start_matches('/').replace('/', "+");
    let kept = jail.kept().join("writable").join(name);
    let on_disk = fs::metadata(kept.join("x"))?;
    assert_eq!((on_disk.uid(), on_disk.gid()), (33, 34));
    assert_eq!(fs::metadata(jail.kept().join("writable"))?.mode() & 0o777, 0o700);
    jail.start()?;
    assert_eq!(inside(t, &jail, "33:34", &format!("cat {at}/x"))?, "1\n");
    jail.stop()?;
    jail.jaula("delete", &["--yes"])?.ok()?;
    assert!(!jail.kept().exists());
    assert_eq!(fs::read_to_string(state.join("file"))?, "of the host\n");
    Ok(())
}

/// Owners, modes and directories are the host's when the jail's is made, and not looked at again.
fn it_begins_as_the_hosts_does(t: &Test) -> Outcome {
    let state = state(t)?;
    fs::create_dir_all(state.join("a/b"))?;
    chown(state.join("a/b"), Some(7), Some(70_000))?;
    fs::set_permissions(state.join("a"), Permissions::from_mode(0o1777))?;
    fs::set_permissions(state.join("a/b"), Permissions::from_mode(0o700))?;
    fs::write(state.join("a/file"), "")?;
    symlink("/etc", state.join("a/link"))?;
    let other = t.root().join("nowhere/at/all");
    let given = t.root().join("given");
    fs::create_dir_all(given.join("below"))?;
    let keys = format!("writable = [{state:?}, {other:?}, \"{}:33:www-data:02770\"]", given.display());
    let jail = jail(t, "begins", &keys)?;
    jail.start()?;
    let list = |at: &Path| {
        inside(
            t,
            &jail,
            "0",
            &format!("cd {} && {BUSYBOX} find . -exec stat -c '%n %a %u:%g' {{}} +", at.display()),
        )
    };
    assert_eq!(list(&state)?, ". 2750 33:34\n./a 1777 0:34\n./a/b 700 7:0\n");
    assert_eq!(list(&other)?, ". 755 0:0\n");
    assert_eq!(list(&given)?, ". 2770 33:33\n");
    jail.stop()?;
    fs::create_dir(state.join("later"))?;
    jail.start()?;
    assert_eq!(list(&state)?, ". 2750 33:34\n./a 1777 0:34\n./a/b 700 7:0\n");
    jail.stop()
}

/// Directories of /run are memory with the owner that is given; those of /run itself stay root's.
fn in_run_it_is_made_anew(t: &Test) -> Outcome {
    let jail = jail(t, "memory", "writable = [\"/run/one:www-data\", \"/run/deep/two:33:nogroup:0710\"]")?;
    for _ in 0..2 {
        jail.start()?;
        let list = "cd /run && find . -exec stat -c '%n %a %U:%G' {} + | sort; echo x >/run/one/x; \
                    echo y >/run/deep/y || true";
        let said = inside(t, &jail, "www-data", list)?;
        assert_eq!(
            said,
            ". 755 root:root\n./deep 755 root:root\n./deep/two 710 www-data:nogroup\n./one 755 www-data:www-data\n"
        );
        let left = inside(t, &jail, "0", "find /run -type f")?;
        assert_eq!(left, "/run/one/x\n");
        jail.stop()?;
    }
    assert!(!jail.kept().join("writable").exists());
    // One that nobody says anything of is the first process's.
    let options = format!("--app {BUSYBOX} --user 33:34 --set root.writable=/run/a,/run/b:0");
    let said = t.jaula().ok(&words(&options, &[BUSYBOX, "stat", "-c", "%u:%g", "/run/a", "/run/b"]))?;
    assert_eq!(said, "33:34\n0:0\n");
    Ok(())
}

/// A jail of `run` has them in memory.
fn a_run_forgets_it(t: &Test) -> Outcome {
    let state = state(t)?;
    fs::create_dir(state.join("below"))?;
    let name = t.name("forgets");
    let options = format!("--name {name} --app {BUSYBOX} --user 33 --set root.writable={}", state.display());
    let script =
        format!("cd {} && echo x >x && stat -c '%n %u:%g %a' . below x && df . | tail -1", state.display());
    let said = t.jaula().ok(&words(&options, &[BUSYBOX, "sh", "-c", &script]))?;
    let (list, df) = said.rsplit_once("644\n").ok_or("no file")?;
    assert_eq!(list, ". 33:34 2750\nbelow 0:34 2755\nx 33:34 ");
    assert!(df.starts_with("jaula "), "{df}");
    assert!(!t.root().join("var/lib/jaula/jails").join(name).exists());
    assert_eq!(fs::read_dir(&state)?.count(), 1);
    Ok(())
}

/// A directory of `root.files` may hold one that is writable, if the host's does.
fn it_lies_in_what_is_only_read(t: &Test) -> Outcome {
    let site = t.root().join("site");
    fs::create_dir_all(site.join("uploads"))?;
    fs::write(site.join("page"), "page\n")?;
    let uploads = site.join("uploads");
    let jail = jail(t, "inner", &format!("files = [{site:?}]\nwritable = [{uploads:?}]"))?;
    jail.start()?;
    let at = site.display();
    let said = inside(
        t,
        &jail,
        "0",
        &format!("cat {at}/page; echo x >{at}/uploads/x && ls {at}; echo y >{at}/y || true"),
    )?;
    assert_eq!(said, "page\npage\nuploads\n");
    jail.stop()?;
    assert_eq!((fs::read_dir(&site)?.count(), fs::read_dir(&uploads)?.count()), (2, 0));
    Ok(())
}

/// A path with links on the host is the same directory inside, by both names; one that leads to /run
/// is memory.
fn links_of_the_host_lead_to_it(t: &Test) -> Outcome {
    let real = t.root().join("real");
    fs::create_dir(&real)?;
    symlink(&real, t.root().join("link"))?;
    symlink("/run", t.root().join("old-run"))?;
    let (link, run) = (t.root().join("link/new"), t.root().join("old-run/service"));
    let jail = jail(t, "links", &format!("writable = [{link:?}, \"{}:33\"]", run.display()))?;
    jail.start()?;
    let script = format!(
        "echo x >{}/x; cat {}/new/x; stat -c %u /run/service {}",
        link.display(),
        real.display(),
        run.display()
    );
    assert_eq!(inside(t, &jail, "0", &script)?, "x\n33\n33\n");
    jail.stop()?;
    assert_eq!(fs::read_dir(&real)?.count(), 0);
    Ok(())
}

/// A jail that had a large directory and has a part of it now: what it made in the large one under the
/// part's name, a link to the host's files, is not what it gets.
fn what_a_jail_wrote_leads_nowhere(t: &Test) -> Outcome {
    let (large, secret) = (t.root().join("large"), t.root().join("secret"));
    let part = large.join("part");
    fs::create_dir_all(&part)?;
    fs::create_dir(&secret)?;
    fs::write(secret.join("file"), "the host's\n")?;
    let jail = jail(t, "narrow", &format!("writable = [{large:?}]"))?;
    jail.start()?;
    let lay = format!("rmdir {p}; ln -s {} {p}; ls -l {p}", secret.display(), p = part.display());
    inside(t, &jail, "0", &lay)?;
    jail.stop()?;
    rewrite(&jail, &format!("writable = [{part:?}]"))?;
    jail.start()?;
    let said = inside(t, &jail, "0", &format!("ls -A {p}; echo x >{p}/file", p = part.display()))?;
    assert_eq!(said, "");
    jail.stop()?;
    assert_eq!(fs::read_to_string(secret.join("file"))?, "the host's\n");
    Ok(())
}

/// One line for each that says what is wrong.
fn what_cannot_be_is_refused(t: &Test) -> Outcome {
    let root = t.root().display();
    let file = t.root().join("file");
    let site = t.root().join("site");
    fs::write(&file, "")?;
    fs::create_dir(&site)?;
    symlink(&site, t.root().join("same"))?;
    let long = t.root().join("many");
    for n in 0..1001 {
        fs::create_dir_all(long.join(n.to_string()))?;
    }
    for (set, told) in [
        (format!("root.writable={root}/file"), "is no directory"),
        (format!("root.writable={root}/file/below"), "is no directory"),
        ("root.writable=/usr".to_owned(), "would hide /usr/bin/busybox, which is the program"),
        ("root.writable=/etc".to_owned(), "would hide /etc/"),
        (format!("root.files={root}/site root.writable={root}/site/up"), "is missing in"),
        (format!("root.files={root}/site root.writable={root}/site"), "would hide"),
        (format!("root.writable={root}/same,{root}/site"), "leads to"),
        (format!("root.writable={root}/many"), "more than 1000 directories"),
        (format!("root.writable={root}/x:no-such-user"), "no-such-user"),
        ("root.writable=/run".to_owned(), "/run"),
        ("root.writable=/a,/a/b".to_owned(), "lies in /a"),
    ] {
        let sets: String = set.split(' ').map(|set| format!(" --set {set}")).collect();
        let options = format!("--app {BUSYBOX}{sets}");
        let done = t.jaula().run(&words(&options, &[BUSYBOX, "true"]))?;
        let status = done.status.code().unwrap_or_default();
        one_clear_line(&done, status, &["root.writable"])
            .or_else(|_| one_clear_line(&done, status, &["root."]))?;
        assert!(status != 0 && done.stderr.contains(told), "{done}");
    }
    Ok(())
}
