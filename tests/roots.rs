//! Where a jail's files come from, and that nothing else of the host comes with them.

use crate::declared::Declared;
use crate::ground::{copy, dir, in_tree, one_clear_line, shell, tree, words};
use crate::isolation::Background;
use jaula_tests::harness::{Outcome, Test, command};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("roots": privileged [
        a_read_only_root_is_not_written_to,
        an_ephemeral_root_forgets,
        a_kept_root_remembers,
        owners_are_mapped,
        owners_are_the_hosts_if_asked_for,
        the_hosts_root_keeps_its_secrets,
        nginx_serves_a_page_from_an_app_jail,
        bind_mounts,
        tmpfs_mounts,
        targets_stay_in_the_jail,
        live_links_in_a_target_stay_in_the_jail,
        a_hostile_tree_is_refused,
        a_hostile_tree_of_etc_and_passwd,
        setuid_programs_gain_only_in_servers,
        device_nodes_of_a_tree_do_not_open,
        on_a_host_whose_mounts_are_shared,
    ])
}

/// Every file of a tree with type, mode, owner, times, size, link target and content.
fn fingerprint(tree: &Path) -> Outcome<String> {
    let script = "cd \"$1\"; find . -printf '%p %y %m %U:%G %s %T@ %C@ %l\\n' | sort; \
                  find . -type f -exec sha256sum {} + | sort";
    command(&["sh", "-ec", script, "sh", &tree.to_string_lossy()])?.ok()
}

/// What a program does that tries to change its root.
const SCRIBBLE: &str = "echo x >/etc/new; echo y >>/etc/passwd; rm -f /etc/group; mkdir /srv; chmod 700 /etc; \
    ln -s x /etc/link; mv /bin/cat /bin/dog; touch -d 2001-01-01 /bin/busybox; chown 33 /etc/passwd; true";

/// Refused, said as such, and the directory is the same byte for byte.
fn a_read_only_root_is_not_written_to(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let before = fingerprint(&tree)?;
    for options in ["--set root.writes=refused", ""] {
        for profile in crate::ground::PROFILES {
            let options = format!("--root {} {options} --profile {profile}", dir(&tree));
            let done = t.jaula().run(&words(&options, &["sh", "-c", SCRIBBLE]))?;
            assert!(done.stderr.matches("Read-only file system").count() >= 5, "{done}");
            // /tmp and /run are there to be written to.
            let said =
                t.jaula().ok(&words(&options, &["sh", "-c", "echo a >/tmp/a && echo b >/run/b && echo yes"]));
            assert!(profile == "strict" || said? == "yes\n");
        }
    }
    assert_eq!(fingerprint(&tree)?, before);
    Ok(())
}

/// Writes succeed, are seen inside, are forgotten at the end; the directory is the same.
fn an_ephemeral_root_forgets(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let before = fingerprint(&tree)?;
    let options = format!("--root {} --ephemeral", dir(&tree));
    let script = format!("{SCRIBBLE}; cat /etc/new; tail -1 /etc/passwd; ls /etc; stat -c %u /etc/passwd");
    let said = t.jaula().ok(&words(&options, &["sh", "-c", &script.replace("/bin/cat", "/bin/tac")]))?;
    assert_eq!(said, "x\ny\nlink\nnew\npasswd\n33\n");
    let again = t.jaula().ok(&words(&options, &["ls", "/etc"]))?;
    assert_eq!(again, "group\npasswd\n");
    assert_eq!(fingerprint(&tree)?, before);
    // Memory, not the host's disk.
    let disk = t.jaula().ok(&words(&options, &["sh", "-c", "df / | tail -1 | cut -d' ' -f1"]))?;
    assert_eq!(disk, "jaula\n");
    Ok(())
}

/// A jail that stays keeps what it writes, over stops, above a directory that does not change;
/// on disk it belongs to the numbers that it has inside, and its users may enter it.
fn a_kept_root_remembers(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let before = fingerprint(&tree)?;
    let jail = Declared::idle(t, "kept")?;
    jail.write_config(&format!(
        "[root]\nfrom = \"{}\"\n[boot]\ncommand = [\"/bin/sleep\", \"1000\"]\n",
        dir(&tree)
    ))?;
    jail.start()?;
    let inside = |script: &str| t.jaula().exec(&jail.name, &["sh", "-c", script]);
    inside(&SCRIBBLE.replace("mv /bin/cat /bin/dog; ", ""))?;
    inside("echo www >/srv/www; chown 33:33 /srv/www")?;
    let as_user = t.jaula().ok(&["exec", "--user", "1000", &jail.name, "--", "cat", "/srv/www"])?;
    assert_eq!(as_user, "www\n");
    jail.jaula("stop", &["--now"]).or_else(|_| jail.jaula("stop", &[]))?;
    jail.start()?;
    assert_eq!(
        inside("cat /etc/new /srv/www; ls /etc; stat -c %u:%g /srv/www")?,
        "x\nwww\nlink\nnew\npasswd\n33:33\n"
    );
    assert_eq!(fingerprint(&tree)?, before);
    let kept = t.root().join("var/lib/jaula/jails").join(&jail.name);
    let on_disk = fs::metadata(kept.join("overlay/upper/srv/www"))?;
    assert_eq!((on_disk.uid(), on_disk.gid()), (33, 33));
    assert_eq!(fs::metadata(kept.join("overlay/upper/etc/new"))?.uid(), 0);
    // Nobody else on the host may look in.
    assert_eq!(fs::metadata(&kept)?.mode() & 0o777, 0o700);
    jail.jaula("stop", &[])?.ok()?;
    Ok(())
}

/// Numbers on disk are those inside: what uid 33 inside writes is uid 33's on the host.
fn owners_are_mapped(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let data = t.root().join("data");
    fs::create_dir(&data)?;
    fs::write(data.join("of-www"), "x")?;
    chown(data.join("of-www"), Some(33), Some(34))?;
    chown(tree.join("etc/group"), Some(7), Some(8))?;
    let mount = format!("--mount {}:/var:rw,idmap", data.display());
    let write = "stat -c %u:%g /etc/group /var/of-www /etc/passwd; echo a >/var/root; echo b >/var/www; \
                 chown 33:33 /var/www; ls -n /var/www | cut -c1-10";
    assert_eq!(shell(t, &tree, &mount, write)?, "7:8\n33:34\n0:0\n-rw-r--r--\n");
    for (name, owner) in [("root", 0), ("www", 33)] {
        let on_disk = fs::metadata(data.join(name))?;
        assert_eq!((on_disk.uid(), on_disk.gid()), (owner, owner), "{name}");
    }
    // A user of the jail is held by the modes of files as anywhere.
    let user = shell(t, &tree, &format!("{mount} --user 1000"), "echo x >>/var/www || id -u")?;
    assert_eq!(user, "1000\n");
    // A file of an id that no jail has does not become anybody's.
    chown(data.join("of-www"), Some(70_000), Some(70_000))?;
    assert_eq!(shell(t, &tree, &mount, "stat -c %u:%g /var/of-www")?, "65534:65534\n");
    Ok(())
}

/// `root.owners = "host"`, and bind mounts without `idmap`: the host's ids are nobody inside.
fn owners_are_the_hosts_if_asked_for(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let data = t.root().join("data");
    fs::create_dir(&data)?;
    let options = format!("--set root.owners=host --mount {}:/var:rw", data.display());
    let said =
        shell(t, &tree, &options, "stat -c %u:%g / /etc/passwd /var; echo x >/var/new || echo refused")?;
    assert_eq!(said, "65534:65534\n65534:65534\n65534:65534\nrefused\n");
    assert_eq!(fs::read_dir(&data)?.count(), 0);
    Ok(())
}

/// `--root host`: all files, as nobody; what only root may read stays closed to the jail's root.
fn the_hosts_root_keeps_its_secrets(t: &Test) -> Outcome {
    let secret = t.root().join("secret");
    fs::write(&secret, "x")?;
    for profile in ["app", "server --set security.mount=false"] {
        let run = |script: &str| {
            t.jaula().run(&words(&format!("--root host --profile {profile}"), &["sh", "-c", script]))
        };
        let said =
            run("id -u; stat -c %u:%g /etc/passwd; cat /etc/shadow; echo x >/etc/new; ls /root; true")?;
        assert_eq!(said.stdout, "0\n65534:65534\n", "{said}");
        assert!(said.stderr.contains("/etc/shadow: Permission denied"), "{said}");
        assert!(!Path::new("/etc/new").exists());
        // No files of those who use the machine: temporary ones, sockets, terminals.
        let said =
            run(&format!("ls {} /dev/vda /dev/kmsg 2>/dev/null; ls /run /tmp /dev/pts", secret.display()))?;
        assert_eq!(said.stdout, "/dev/pts:\nptmx\n\n/run:\n\n/tmp:\n", "{said}");
        let said = run("ls -d /proc/[0-9]* | wc -l; cat /proc/1/comm")?;
        assert!(said.stdout.starts_with("3\n") || said.stdout.starts_with("2\n"), "{said}");
    }
    let first = t.jaula().ok(&words("--root host", &["readlink", "/proc/1/ns/mnt"]))?;
    assert_ne!(Path::new(first.trim()), fs::read_link("/proc/self/ns/mnt")?);
    Ok(())
}

/// J11 in an app jail: the real nginx, started as the host has it, on an own port and page.
fn nginx_serves_a_page_from_an_app_jail(t: &Test) -> Outcome {
    if !Path::new("/usr/sbin/nginx").exists() {
        return t.skip("no nginx here; run: cargo xtask setup");
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let site = t.root().join("site");
    fs::create_dir(&site)?;
    fs::write(site.join("index.html"), "a page from a jail\n")?;
    let conf = t.root().join("nginx.conf");
    fs::write(
        &conf,
        format!(
            "user www-data; daemon off; pid /run/nginx.pid; error_log stderr;\nevents {{}}\nhttp {{ access_log off; \
         client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f; \
         uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;\nserver {{ listen 127.0.0.1:{port}; root /srv/www; }} }}\n"
        ),
    )?;
    let options = format!(
        "--app /usr/sbin/nginx --network host --set root.users=www-data --mount {}:/srv/www --mount \
         {}:/srv/nginx.conf",
        site.display(),
        conf.display()
    );
    let mut jail = Background::run(t, &options, &["nginx", "-c", "/srv/nginx.conf", "-e", "stderr"])?;
    let fetch = || -> Outcome<String> {
        use std::io::{Read, Write};
        let mut web = std::net::TcpStream::connect(("127.0.0.1", port))?;
        web.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut page = String::new();
        web.read_to_string(&mut page)?;
        Ok(page)
    };
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let page = loop {
        match fetch() {
            Ok(page) => break page,
            Err(_) if std::time::Instant::now() < until && jail.runs() => {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            Err(stop) => return Err(stop),
        }
    };
    assert!(page.ends_with("a page from a jail\n"), "{page}");
    // Through the first process's root: only its files are there.
    let root = format!("/proc/{}/root", jail.jail_process()?);
    for there in ["usr/sbin/nginx", "etc/passwd", "srv/www/index.html"] {
        assert!(Path::new(&root).join(there).exists(), "{there}");
    }
    for not in ["etc/shadow", "bin/sh", "usr/bin/apt", "home", "var/lib/dpkg"] {
        assert!(!Path::new(&root).join(not).exists(), "{not}");
    }
    // Its workers are www-data of the jail, which is no user of the host.
    let workers =
        command(&["sh", "-c", &format!("stat -c %u /proc/$(pgrep -P {} | head -1)", jail.jail_process()?)])?;
    assert_eq!(workers.ok()?.trim().parse::<u32>()? % 65536, 33);
    jail.end()
}

/// `mounts`: read-only unless `rw`, `noexec`, one file, and seen by the others inside.
fn bind_mounts(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let data = t.root().join("data");
    fs::create_dir(&data)?;
    fs::write(data.join("file"), "of the host\n")?;
    fs::copy("/usr/bin/busybox", data.join("busybox"))?;
    let at = data.display();
    let probe = "cat /var/file; echo x >/var/new && echo wrote; /var/busybox true && echo ran; \
                 grep ' /var ' /proc/self/mountinfo | cut -d' ' -f6";
    let said = |options: &str| shell(t, &tree, &format!("--mount {at}:/var{options}"), probe);
    assert_eq!(said("")?, "of the host\nran\nro,nosuid,nodev,relatime\n");
    assert_eq!(said(":noexec")?, "of the host\nro,nosuid,nodev,noexec,relatime\n");
    assert_eq!(said(":rw,idmap")?, "of the host\nwrote\nran\nrw,nosuid,nodev,relatime,idmapped\n");
    assert!(data.join("new").exists());
    // One file, over one of the root that stays as it was.
    let file = format!("--mount {at}/file:/etc/passwd");
    assert_eq!(shell(t, &tree, &file, "cat /etc/passwd; echo x >/etc/passwd; true")?, "of the host\n");
    assert!(fs::read_to_string(tree.join("etc/passwd"))?.starts_with("root:"));
    // What lies below a mounted directory on another file system is not mounted with it.
    fs::create_dir(data.join("below"))?;
    rustix::mount::mount(t.mark(), data.join("below"), "tmpfs", rustix::mount::MountFlags::empty(), None)?;
    fs::write(data.join("below/secret"), "x")?;
    let below = said("").and_then(|_| shell(t, &tree, &format!("--mount {at}:/var"), "ls -A /var/below"));
    rustix::mount::unmount(data.join("below"), rustix::mount::UnmountFlags::DETACH)?;
    assert_eq!(below?, "");
    Ok(())
}

/// A tmpfs has the size that is said, as df shows it, is full there, and runs nothing.
fn tmpfs_mounts(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let df = "df -k /var | tail -1 | tr -s ' ' | cut -d' ' -f1,2; stat -c %a /var; cp /bin/busybox /var/b 2>&1; \
              grep ' /var ' /proc/self/mountinfo | cut -d' ' -f6";
    let said = shell(t, &tree, "--mount tmpfs:/var:size=512k,mode=711", df)?;
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        (lines[0], lines[1], lines[3]),
        ("tmpfs 512", "711", "rw,nosuid,nodev,noexec,relatime"),
        "{said}"
    );
    assert!(lines[2].contains("No space left"), "{said}");
    let run = "cp /bin/probe /var/b; /var/b list >/dev/null && echo ran";
    assert_eq!(shell(t, &tree, "--mount tmpfs:/var:size=8M", run).ok(), None);
    assert_eq!(shell(t, &tree, "--mount tmpfs:/var:size=8M,exec", run)?, "ran\n");
    Ok(())
}

/// Targets through links that point out of the tree, absolute and relative: what is mounted
/// comes to lie in the jail, and nothing happens on the host.
fn targets_stay_in_the_jail(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let (data, host) = (t.root().join("data"), t.root().join("host-dir"));
    fs::create_dir(&data)?;
    fs::write(data.join("file"), "mounted\n")?;
    fs::create_dir(&host)?;
    symlink("../../../../../../..", tree.join("up"))?;
    symlink(&host, tree.join("absolute"))?;
    symlink("/etc", tree.join("etc-link"))?;
    let before = fingerprint(&tree)?;
    let at = data.display();
    for ephemeral in [false, true] {
        let writes = if ephemeral { "--ephemeral" } else { "--set root.writes=refused" };
        let run = |mount: &str| {
            let options = format!("--root {} {writes} --mount {at}:{mount}", dir(&tree));
            t.jaula().run(&words(&options, &["sh", "-c", "cut -d' ' -f5 /proc/self/mountinfo"]))
        };
        // `up` is the jail's own root, and `/etc` the jail's.
        let done = run("/up/var")?;
        assert!(done.stdout.lines().any(|line| line == "/var"), "{done}");
        let done = run("/etc-link/group")?;
        assert!(!done.status.success(), "a directory on a file: {done}");
        one_clear_line(&done, 125, &["/etc-link/group"])?;
        // The link's target is not there inside; it is neither made nor followed on the host.
        let done = run("/absolute")?;
        one_clear_line(&done, 125, &["/absolute"])?;
        let done = run("/absolute/below")?;
        one_clear_line(&done, 125, &["/absolute/below"])?;
    }
    assert_eq!(fs::read_dir(&host)?.count(), 0);
    assert_eq!(fingerprint(&tree)?, before);
    Ok(())
}

/// A root that swaps a directory for a link again and again while jails start over it.
fn live_links_in_a_target_stay_in_the_jail(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let (data, host) = (t.root().join("data"), t.root().join("host-dir"));
    fs::create_dir(&data)?;
    fs::create_dir_all(host.join("target"))?;
    fs::create_dir_all(tree.join("swap/target"))?;
    symlink(&host, tree.join("other"))?;
    let [a, b] = ["swap", "other"].map(|name| tree.join(name).display().to_string());
    let probe = jaula_tests::harness::probe()?;
    let mut swapper = std::process::Command::new(probe)
        .args(["symlink-swap", &a, &b, "2"])
        .stdout(std::process::Stdio::null())
        .spawn()?;
    let options = format!("--root {} --mount tmpfs:/swap/target:size=4k", dir(&tree));
    let mut results = Ok(());
    for _ in 0..40 {
        match t.jaula().run(&words(&options, &["grep", "target", "/proc/self/mountinfo"])) {
            // In the tree, or refused since it was a link to nowhere at that moment.
            Ok(done) if done.status.success() || done.status.code() == Some(125) => {}
            Ok(done) => results = Err(done.to_string()),
            Err(stop) => results = Err(format!("{stop:?}")),
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        if mounts.contains(&*host.to_string_lossy()) {
            results = Err(format!("mounted on the host:\n{mounts}"));
        }
    }
    swapper.wait()?;
    Ok(results?)
}

/// A tree whose mount points are links to the host's directories: one line each, and nothing is
/// mounted, made or changed outside.
fn a_hostile_tree_is_refused(t: &Test) -> Outcome {
    let plain = tree(t)?;
    let host = t.root().join("host-dir");
    fs::create_dir(&host)?;
    fs::write(host.join("file"), "x")?;
    let before = (fingerprint(&host)?, fs::read_to_string("/proc/self/mountinfo")?);
    for (n, point) in ["proc", "dev", "sys", "run", "tmp"].into_iter().enumerate() {
        for (m, to) in [
            host.display().to_string(),
            format!("../../../../..{}", host.display()),
            "/".to_owned(),
            "..".to_owned(),
            ".".to_owned(),
            "/nowhere".to_owned(),
            "/proc/self/cwd".to_owned(),
        ]
        .into_iter()
        .enumerate()
        {
            let bad = t.root().join(format!("bad{n}{m}"));
            copy(&plain, &bad)?;
            fs::remove_dir_all(bad.join(point))?;
            symlink(&to, bad.join(point))?;
            for writes in ["refused", "discarded"] {
                if point == "tmp" && writes == "discarded" {
                    // Nothing is mounted there: /tmp is the tree's own.
                    continue;
                }
                let options =
                    format!("--root {} --set root.writes={writes} --set security.sys=true", dir(&bad));
                let done = t.jaula().run(&words(&options, &["true"]))?;
                one_clear_line(&done, 125, &[&format!("/{point}"), "symbolic link"])?;
            }
            fs::remove_dir_all(&bad)?;
        }
    }
    assert_eq!(fingerprint(&host)?, before.0);
    let ours = |table: &str| table.lines().filter(|l| l.contains(t.mark())).count();
    assert_eq!(ours(&fs::read_to_string("/proc/self/mountinfo")?), ours(&before.1));
    Ok(())
}

/// Files that jaula itself reads in a tree: a link to the host's, a directory, a pipe, a huge
/// file. What they say counts inside only, and none holds a start up.
fn a_hostile_tree_of_etc_and_passwd(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let host = t.root().join("host-passwd");
    fs::write(&host, "bob:x:4242:4242::/:/bin/sh\n")?;
    let passwd = tree.join("etc/passwd");
    let run = || in_tree(t, &tree, "--user bob", &["id", "-u"]);
    for to in [host.display().to_string(), format!("../../../../../../..{}", host.display())] {
        fs::remove_file(&passwd)?;
        symlink(to, &passwd)?;
        one_clear_line(&run()?, 125, &["bob"])?;
    }
    fs::remove_file(&passwd)?;
    command(&["mkfifo", &passwd.to_string_lossy()])?.ok()?;
    one_clear_line(&run()?, 125, &["bob"])?;
    fs::remove_file(&passwd)?;
    fs::create_dir(&passwd)?;
    one_clear_line(&run()?, 125, &["bob"])?;
    fs::remove_dir(&passwd)?;
    fs::File::create(&passwd)?.set_len(1 << 36)?;
    let begun = std::time::Instant::now();
    one_clear_line(&run()?, 125, &["bob"])?;
    assert!(begun.elapsed().as_secs() < 5);
    // /etc itself a link to the host's.
    fs::remove_dir_all(tree.join("etc"))?;
    symlink("/etc", tree.join("etc"))?;
    one_clear_line(&in_tree(t, &tree, "--user daemon", &["id", "-u"])?, 125, &["daemon"])?;
    // Numbers need no file.
    assert_eq!(in_tree(t, &tree, "--user 4242", &["id", "-u"])?.ok()?, "4242\n");
    Ok(())
}

/// A setuid program works where users of a distribution need it, in `server`, and there only.
fn setuid_programs_gain_only_in_servers(t: &Test) -> Outcome {
    let tree = tree(t)?;
    command(&["chmod", "4755", &tree.join("bin/probe").to_string_lossy()])?.ok()?;
    for (profile, ids) in [("app", 43), ("strict", 43), ("server", 42)] {
        for writes in ["refused", "discarded"] {
            let options =
                format!("--root {} --set root.writes={writes} --profile {profile} --user 1000", dir(&tree));
            let done = t.jaula().run(&words(&options, &["/bin/probe", "am-i-root"]))?;
            assert_eq!(done.status.code(), Some(ids), "{profile} {writes}: {done}");
        }
    }
    // On a bind mount of the host it never gains.
    let options = format!("--profile server --user 1000 --mount {}:/var:rw", tree.join("bin").display());
    let done = in_tree(t, &tree, &options, &["/var/probe", "am-i-root"])?;
    assert_eq!(done.status.code(), Some(43), "{done}");
    Ok(())
}

/// A device node that a tree brings along is only a name.
fn device_nodes_of_a_tree_do_not_open(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let node = tree.join("etc/zero");
    command(&["mknod", "-m", "666", &node.to_string_lossy(), "c", "1", "5"])?.ok()?;
    for profile in crate::ground::PROFILES {
        for writes in ["refused", "discarded"] {
            let options = format!("--root {} --set root.writes={writes} --profile {profile}", dir(&tree));
            let done = t.jaula().run(&words(&options, &["head", "-c1", "/etc/zero"]))?;
            assert!(done.stderr.contains("Permission denied"), "{done}");
        }
    }
    Ok(())
}

/// As all are under systemd: what is mounted inside stays there, what is mounted outside later too.
fn on_a_host_whose_mounts_are_shared(t: &Test) -> Outcome {
    let (tree, data) = (tree(t)?, t.root().join("data"));
    fs::create_dir(tree.join("mnt"))?;
    fs::create_dir_all(data.join("inside"))?;
    fs::create_dir_all(data.join("outside"))?;
    fs::set_permissions(&data, fs::Permissions::from_mode(0o777))?;
    // Outside is a mount namespace of the test's own, shared throughout.
    let script = format!(
        "\"$JAULA\" run --root {} --profile server --set mounts='[\"{}:/mnt:rw\"]' -- sh -c \
             'mount -t tmpfs t /mnt/inside && echo mounted >/mnt/inside/file && echo inside: $(cat /mnt/inside/file)
              touch /mnt/mounted; while [ ! -e /mnt/go ]; do sleep 0.05; done; echo outside: $(ls /mnt/outside)' &
         until [ -e {data}/mounted ]; do sleep 0.05; kill -0 $! || exit 1; done
         echo leaked: $(ls {data}/inside); mount -t tmpfs t {data}/outside && touch {data}/outside/file
         touch {data}/go; wait",
        dir(&tree),
        data.display(),
        data = data.display(),
    );
    let jaula = t.jaula().command(&[] as &[&str])?;
    let mut shared = std::process::Command::new("unshare");
    shared.args(["--mount", "--propagation", "shared", "sh", "-c", &script]);
    shared.env("JAULA_ROOT", t.root()).env("JAULA", jaula.get_program());
    let done = shared.output()?;
    let said = String::from_utf8_lossy(&done.stdout);
    assert_eq!(said, "inside: mounted\nleaked:\noutside:\n", "{}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}
