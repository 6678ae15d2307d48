//! jaula without root: what works, works as its caller and nothing more; what does not, says so.

use crate::ground::{Outside, PROFILES, copy, dir, one_clear_line, words};
use jaula_tests::harness::{Done, Jaula, Outcome, Test, busybox_root, command, probe};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

pub(crate) fn trials() -> Vec<Trial> {
    trials!("unprivileged": privileged [
        roots_work,
        ids_are_the_callers,
        writes_are_the_callers,
        confinement_is_the_same,
        mounts_and_devices,
        writable_directories,
        a_terminal,
        a_program_is_traced,
        statuses,
        what_needs_root_says_so,
        nothing_is_left,
        no_probe_escapes,
    ])
}

/// A number that is no user's; also not of the ranges that jails get.
const USER: u32 = 12345;

/// That user's place: a copy of jaula, a root and a house.
struct Place<'t> {
    t: &'t Test,
    at: PathBuf,
}

impl<'t> Place<'t> {
    fn make(t: &'t Test) -> Outcome<Self> {
        let at = t.root().join("user");
        fs::create_dir(&at)?;
        fs::copy(Jaula::binary()?, at.join("jaula"))?;
        copy(&busybox_root()?, &at.join("tree"))?;
        fs::copy(probe()?, at.join("tree/bin/probe"))?;
        fs::write(at.join("tree/etc/shadow"), "secret\n")?;
        chown(&at, Some(USER), Some(USER))?;
        command(&["chmod", "600", &at.join("tree/etc/shadow").to_string_lossy()])?.ok()?;
        let place = Self { t, at };
        let able = place.run_any("unshare", &["--user", "true"])?;
        if able.status.success() { Ok(place) } else { t.skip("no user namespace without root here") }
    }

    fn tree(&self) -> PathBuf {
        self.at.join("tree")
    }

    /// Runs a program as that user, with a house of its own.
    fn run_any(&self, program: &str, more: &[&str]) -> Outcome<Done> {
        let user = USER.to_string();
        let house = format!("JAULA_ROOT={}/house", self.at.display());
        let home = format!("HOME={}", self.at.display());
        let before = ["--reuid", &user, "--regid", &user, "--clear-groups", "env", &house, &home, program];
        self.t.jaula().instead("setpriv").run(&[&before[..], more].concat())
    }

    fn run(&self, options: &str, inside: &[&str]) -> Outcome<Done> {
        self.run_any(&self.at.join("jaula").to_string_lossy(), &words(options, inside))
    }

    /// A line of shell in the tree.
    fn shell(&self, options: &str, script: &str) -> Outcome<String> {
        self.run(&format!("--root {} {options}", dir(&self.tree())), &["sh", "-c", script])?.ok()
    }
}

/// A directory, the host's root, one program of the host; with and without the host's network.
fn roots_work(t: &Test) -> Outcome {
    let place = Place::make(t)?;
    let tree = dir(&place.tree());
    for network in ["none", "host"] {
        for profile in PROFILES {
            let common = format!("--network {network} --profile {profile}");
            for root in
                [format!("--root {tree}"), format!("--root {tree} --ephemeral"), "--root host".to_owned()]
            {
                let done = place.run(&format!("{root} {common}"), &["sh", "-c", "echo in $$"])?;
                assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("in 1\n", ""), "{done}");
            }
            let done = place.run(&format!("--app /bin/echo {common}"), &["echo", "in"])?;
            assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("in\n", ""), "{done}");
        }
    }
    let processes = place.shell("", "ls -d /proc/[0-9]* | wc -l")?;
    assert!(processes.trim().parse::<u32>()? <= 4, "{processes}");
    Ok(())
}

/// The caller's own number and no other; or another one that stands for it.
fn ids_are_the_callers(t: &Test) -> Outcome {
    let place = Place::make(t)?;
    let look = "id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map | tr -s ' '; cat /proc/self/setgroups; \
                stat -c %u /bin; grep Groups: /proc/self/status | tr -d '[:space:]'";
    for (options, id) in [("", USER), ("--user 0", 0), ("--user 1000", 1000)] {
        let map = format!(" {id} {USER} 1\n");
        let expected = format!("{id}\n{id}\n{map}{map}deny\n65534\nGroups:");
        assert_eq!(place.shell(options, look)?, expected, "{options}");
    }
    Ok(())
}

/// What the caller may write, and what not: the host's permissions hold.
fn writes_are_the_callers(t: &Test) -> Outcome {
    let place = Place::make(t)?;
    let data = place.at.join("data");
    fs::create_dir(&data)?;
    chown(&data, Some(USER), Some(USER))?;
    let mount = format!("--mount {}:/var:rw", data.display());
    let script = "echo x >/var/mine; echo x >/etc/new; cat /etc/shadow; id -u >/tmp/t; cat /tmp/t";
    assert_eq!(place.shell(&mount, script)?, format!("{USER}\n"));
    assert_eq!(fs::metadata(data.join("mine"))?.uid(), USER);
    // As "root" of the jail as well: it is the same user of the host.
    assert_eq!(
        place.shell(&format!("{mount} --user 0"), "cat /etc/shadow; echo x >/var/root; id -u")?,
        "0\n"
    );
    assert_eq!(fs::metadata(data.join("root"))?.uid(), USER);
    let host =
        place.run("--root host --user 0", &["sh", "-c", "cat /etc/shadow; echo x >/etc/new; id -u"])?;
    assert_eq!(host.stdout, "0\n", "{host}");
    assert!(!Path::new("/etc/new").exists() && !place.tree().join("etc/new").exists());
    // An ephemeral root of its own files.
    let own = place.at.join("own");
    copy(&busybox_root()?, &own)?;
    command(&["chown", "-R", &format!("{USER}:{USER}"), &own.to_string_lossy()])?.ok()?;
    let options = format!("--root {} --ephemeral --user 0", dir(&own));
    let done =
        place.run(&options, &["sh", "-c", "echo new >/etc/new; rm /etc/group; cat /etc/new; ls /etc"])?;
    assert_eq!(done.ok()?, "new\nnew\npasswd\n");
    assert!(own.join("etc/group").exists() && !own.join("etc/new").exists());
    Ok(())
}

/// The same filter and limits as with root, and no capability.
fn confinement_is_the_same(t: &Test) -> Outcome {
    let place = Place::make(t)?;
    for profile in PROFILES {
        let fields = "grep -E '^(CapPrm|CapEff|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status | cut -f2; \
                      ulimit -Hc; umask";
        let said = place.shell(&format!("--profile {profile}"), fields)?;
        let zero = "0000000000000000";
        let nnp = if profile == "server" { 0 } else { 1 };
        assert_eq!(said, format!("{zero}\n{zero}\n{zero}\n{nnp}\n2\n0\n0022\n"), "{profile}");
    }
    Ok(())
}

fn mounts_and_devices(t: &Test) -> Outcome {
    let place = Place::make(t)?;
    let list = "cd /dev; find . | sort | tr '\\n' ' '; head -c 2 /dev/urandom | wc -c; echo x >/dev/null; \
                cut -d' ' -f5 /proc/self/mountinfo | grep -v -e ^/dev -e ^/proc -e ^/sys | tr '\\n' ' '";
    let devices = ". ./fd ./full ./null ./ptmx ./pts ./pts/ptmx ./random ./shm ./stderr ./stdin ./stdout ./tty \
                   ./urandom ./zero ";
    assert_eq!(place.shell("", list)?, format!("{devices}2\n/ /run /tmp "));
    let tmpfs =
        place.shell("--mount tmpfs:/var:size=64k", "df -k /var | tail -1 | tr -s ' ' | cut -d' ' -f2")?;
    assert_eq!(tmpfs, "64\n");
    // Read-only unless said otherwise, also for the caller's own files.
    let own = place.at.join("own");
    fs::create_dir(&own)?;
    chown(&own, Some(USER), Some(USER))?;
    let said = place.shell(&format!("--mount {}:/var", own.display()), "echo x >/var/x || echo refused")?;
    assert_eq!(said, "refused\n");
    assert_eq!(place.shell("--set security.hide=/etc/passwd,/bin", "cat /etc/passwd").ok(), None);
    Ok(())
}

/// An app jail's own directories: the caller's outside, whatever the host's are.
fn writable_directories(t: &Test) -> Outcome {
    let place = Place::make(t)?;
    let state = t.root().join("state");
    fs::create_dir_all(state.join("below"))?;
    fs::create_dir(state.join("closed"))?;
    chown(&state, Some(33), Some(33))?;
    command(&["chmod", "0500", &state.join("closed").to_string_lossy()])?.ok()?;
    let (jaula, name) = (place.at.join("jaula").display().to_string(), t.name("own"));
    let jaula = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        place.run_any(&jaula, &words)?.ok()
    };
    let busybox = "/usr/bin/busybox";
    let set = format!("--set root.writable={},/run/service:33:0710", state.display());
    jaula(&format!("create {name} --app {busybox} {set} -- {busybox} sleep 1000"))?;
    for said in ["", "x\n"] {
        jaula(&format!("start {name}"))?;
        let inside = |script: &str| {
            place
                .run_any(
                    &place.at.join("jaula").to_string_lossy(),
                    &["exec", &name, "--", busybox, "sh", "-c", script],
                )?
                .ok()
        };
        let at = state.display();
        assert_eq!(inside(&format!("cat {at}/below/x 2>/dev/null; true"))?, said);
        inside(&format!("echo x >{at}/below/x && echo y >{at}/closed/y && echo z >/run/service/z"))?;
        let stat = inside(&format!("stat -c '%a %u' {at} {at}/below {at}/closed /run/service"))?;
        assert_eq!(stat, format!("755 {USER}\n755 {USER}\n700 {USER}\n710 {USER}\n"));
        jaula(&format!("stop {name}"))?;
    }
    assert_eq!(fs::read_dir(state.join("below"))?.count(), 0);
    jaula(&format!("delete --yes {name}"))?;
    Ok(())
}

/// It sees what its caller sees, and writes where its caller could, for as long as it runs.
fn a_program_is_traced(t: &Test) -> Outcome {
    let place = Place::make(t)?;
    let script = "cat /etc/hostname; cat /etc/shadow; mkdir /etc/x /var/x; ls /root; echo tmp >/var/tmp/x; cat /var/tmp/x; \
                  python3 -c 'import socket; socket.create_server((\"\", 8080))'; id -u";
    let jaula = place.at.join("jaula");
    let done = place.run_any(&jaula.to_string_lossy(), &["trace", "--json", "sh", "-c", script])?;
    for refused in
        ["/etc/shadow: Permission", "'/etc/x': Permission", "'/var/x': Permission", "'/root': Permission"]
    {
        assert!(done.stderr.contains(refused), "{refused}: {done}");
    }
    assert!(done.stderr.contains("tmp\n12345\n"), "{done}");
    let seen: serde_json::Value = serde_json::from_str(&done.ok()?)?;
    assert_eq!((&seen["listens"], &seen["calls_whole"]), (&serde_json::json!(["tcp 8080"]), &false.into()));
    let files = seen["files"].as_array().ok_or("no files")?;
    let file = files.iter().find(|file| file["path"] == "/etc/hostname").ok_or("not seen")?;
    assert_eq!(file["uses"], serde_json::json!(["read"]));
    assert!(!Path::new("/var/tmp/x").exists());
    Ok(())
}

fn a_terminal(t: &Test) -> Outcome {
    let place = Place::make(t)?;
    let options = format!("--tty --root {}", dir(&place.tree()));
    let done = place.run(&options, &["sh", "-c", "tty; echo typed on it >/dev/console"])?;
    assert!(done.stdout.contains("/dev/pts/0") && done.stdout.contains("typed on it"), "{done}");
    Ok(())
}

fn statuses(t: &Test) -> Outcome {
    let place = Place::make(t)?;
    let tree = format!("--root {}", dir(&place.tree()));
    assert_eq!(place.run(&tree, &["sh", "-c", "exit 7"])?.status.code(), Some(7));
    one_clear_line(&place.run(&tree, &["nothing"])?, 127, &["nothing"])?;
    one_clear_line(&place.run(&tree, &["/etc/passwd"])?, 126, &["/etc/passwd"])?;
    one_clear_line(&place.run("--root dir:/nothing/there", &["true"])?, 125, &["/nothing/there"])?;
    // A program that only root may read and run.
    one_clear_line(&place.run(&tree, &["/etc/shadow"])?, 126, &["/etc/shadow"])
}

/// One line each, with a way out.
fn what_needs_root_says_so(t: &Test) -> Outcome {
    let place = Place::make(t)?;
    let tree = dir(&place.tree());
    for options in [
        format!("--root {tree} --mount {}:/var:idmap", place.at.display()),
        format!("--root {tree} --set limits.account=memory"),
        format!("--root {tree} --user 1000:1001 --set root.owners=mapped"),
    ] {
        let done = place.run(&options, &["true"])?;
        if !done.status.success() {
            one_clear_line(&done, 125, &["root", "help: "])?;
        }
    }
    let idmap = place.run(&format!("--root {tree} --mount /tmp:/var:idmap"), &["true"])?;
    one_clear_line(&idmap, 125, &["idmap", "needs root", "help: "])?;
    // A house that is not the caller's.
    let user = USER.to_string();
    let jaula = place.at.join("jaula");
    let before = ["--reuid", &user, "--regid", &user, "--clear-groups", "env", "JAULA_ROOT=/root/x"];
    let jaula = jaula.to_string_lossy();
    let all = [&before[..], &[&jaula, "run", "--root", &tree, "true"]].concat();
    one_clear_line(&t.jaula().instead("setpriv").run(&all)?, 125, &["/root/x"])?;
    // A root directory that the caller may not enter.
    let closed = t.root().join("closed");
    copy(&busybox_root()?, &closed)?;
    command(&["chmod", "700", &closed.to_string_lossy()])?.ok()?;
    let done = place.run(&format!("--root {}", dir(&closed)), &["true"])?;
    assert!(matches!(done.status.code(), Some(125..=127)), "{done}");
    one_clear_line(&done, done.status.code().unwrap_or_default(), &[])
}

fn nothing_is_left(t: &Test) -> Outcome {
    let place = Place::make(t)?;
    let name = t.name("user");
    for _ in 0..2 {
        place.shell(&format!("--name {name}"), "setsid sleep 1005 >/dev/null 2>&1 </dev/null & true")?;
        let run = place.at.join("house/run/jaula");
        let left: Vec<_> =
            fs::read_dir(&run)?.flatten().map(|e| e.file_name()).filter(|n| n != ".ids").collect();
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(fs::read_dir(run.join(".ids")).map(Iterator::count).unwrap_or_default(), 0);
    }
    assert_eq!(command(&["pgrep", "-f", "^sleep 1005$"])?.stdout, "");
    Ok(())
}

/// All probes, as the one user of the jail and as its "root", by the table of the escapes.
fn no_probe_escapes(t: &Test) -> Outcome {
    let place = Place::make(t)?;
    let outside = Outside::put(t)?;
    let told = outside.options();
    let mut all: Vec<&str> = vec!["/bin/probe", "all"];
    all.extend(told.iter().map(String::as_str));
    let mut wrong = Vec::new();
    for profile in PROFILES {
        for network in ["none", "host"] {
            for user in ["", "--user 0"] {
                let options =
                    format!("--root {} --profile {profile} --network {network} {user}", dir(&place.tree()));
                let done = place.run(&options, &all)?;
                let faults = crate::escapes::faults(profile, network, &done.stdout)?;
                wrong.extend(faults.iter().map(|fault| format!("{profile} {network} {user}: {fault}")));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}
