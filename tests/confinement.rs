//! Keys of `[security]` that the documents know from FreeBSD's rc.conf (J15 to J20), and what
//! chroot cannot hold but a jail must (C4, C5). Each is tried as a real operation, off and on.

use crate::ground::{PROFILES, in_tree, shell, tree, words};
use jaula_tests::harness::{Outcome, Test, probe};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::path::Path;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("confinement": privileged [
        j15_set_hostname,
        j16_socket_families,
        j16_raw_sockets,
        j17_sysvipc,
        j18_devices,
        j19_no_proc,
        j20_mount,
        c4_chroot_does_not_break_out,
        c5_chroot_pivot_root_and_signals,
        j4_a_thin_jail,
        nesting_is_refused_unless_asked_for,
        system_calls_are_added_and_taken_away,
        limits_hold,
        hidden_paths_read_as_empty,
    ])
}

/// Runs a probe with these options and compares the beginning of its line.
fn says(t: &Test, tree: &Path, options: &str, probe: &[&str], expected: &str) -> Outcome {
    let done = in_tree(t, tree, options, &[&["/bin/probe"], probe].concat())?;
    let line = done.stdout.lines().next().unwrap_or_default();
    let rest = line.split_once(' ').map_or(line, |(_, rest)| rest);
    if rest.starts_with(expected) { Ok(()) } else { Err(format!("not {expected:?}: {done}").into()) }
}

/// `jail_set_hostname_allow=NO`, the default but for servers.
fn j15_set_hostname(t: &Test) -> Outcome {
    let tree = tree(t)?;
    for profile in PROFILES {
        let by_default = if profile == "server" { "harmless" } else { "refused EPERM" };
        says(t, &tree, &format!("--profile {profile}"), &["sethostname"], by_default)?;
    }
    let no = "--profile server --set security.set_hostname=false";
    says(t, &tree, no, &["sethostname"], "refused EPERM at sethostname")?;
    says(t, &tree, no, &["setdomainname"], "refused EPERM at setdomainname")?;
    // Allowing it to `app` needs the capability as well: then it is the jail's own name.
    let yes = "--set security.set_hostname=true --set security.capabilities=+sys_admin";
    says(t, &tree, yes, &["sethostname"], "harmless")
}

/// `jail_socket_unixiproute_only=YES`.
fn j16_socket_families(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let only = "--profile server --set security.socket_families=unix,inet,inet6,route";
    says(t, &tree, only, &["netlink-route"], "harmless")?;
    for refused in [
        "netlink-sock-diag",
        "netlink-netfilter",
        "netlink-generic",
        "netlink-uevent",
        "socket-packet",
        "socket-alg",
        "socket-vsock",
        "socket-bluetooth",
        "socket-can",
        "socket-unusual",
    ] {
        says(t, &tree, only, &[refused], "refused")?;
    }
    let talk = "nc -l -p 80 -e echo heard & sleep 0.2; nc ::1 80 </dev/null; nc -l -p 81 -e echo heard & \
                sleep 0.2; nc 127.0.0.1 81 </dev/null; ip route; ifconfig lo | grep -c 127.0.0.1";
    assert_eq!(shell(t, &tree, only, talk)?, "heard\nheard\n1\n");
    // Fewer families: no IPv6 and no routes, which a server otherwise has.
    let fewer = "--profile server --set security.socket_families=unix,inet";
    says(t, &tree, fewer, &["netlink-route"], "refused EAFNOSUPPORT at socket")?;
    let said = shell(t, &tree, fewer, "nc -w 1 ::1 80 </dev/null 2>&1; true")?;
    assert!(said.contains("Address family not supported"), "{said}");
    Ok(())
}

/// Raw sockets: refused unless allowed, and then only to who has the capability.
fn j16_raw_sockets(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let raw = ["socket-raw", "socket-raw-icmp", "socket-raw6-icmp", "socket-packet"];
    for probe in raw {
        says(t, &tree, "", &[probe], "refused")?;
        let off = "--profile server --set security.raw_sockets=false";
        says(t, &tree, off, &[probe], "refused")?;
        says(t, &tree, "--profile server", &[probe], "harmless")?;
        let on = "--set security.raw_sockets=true --set security.capabilities=+net_raw";
        says(t, &tree, on, &[probe], "harmless")?;
    }
    // Over the host's network nobody inside has a capability, and asking for it is no use.
    let asked = in_tree(t, &tree, "--network host --set security.raw_sockets=true", &["true"])?;
    crate::ground::one_clear_line(&asked, 125, &["raw_sockets", "help: "])?;
    for probe in raw {
        says(t, &tree, "--network host --profile server", &[probe], "refused")?;
    }
    let ping = "ping -c 1 -W 1 127.0.0.1 | grep -c ' 0% packet loss'";
    assert_eq!(shell(t, &tree, "--profile server", ping)?, "1\n");
    Ok(())
}

/// `jail_sysvipc_allow=NO`: all three kinds, as FreeBSD's kernel says it.
fn j17_sysvipc(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let off = "--set security.sysvipc=false";
    says(t, &tree, off, &["sysv-put", "4713"], "refused ENOSYS at shmget")?;
    says(t, &tree, "--profile strict", &["sysv-put", "4713"], "refused ENOSYS")?;
    let both = "/bin/probe sysv-put 4713; /bin/probe sysv-get 4713 | grep -c escaped";
    let said = shell(t, &tree, "", both)?;
    assert!(said.contains("harmless") && said.ends_with("1\n"), "{said}");
    Ok(())
}

/// `devfs_ruleset=devfsrules_jail`, and other choices from the fixed list.
fn j18_devices(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let list = "find /dev -type c -o -type b | sort | tr '\\n' ' '";
    let with = |devices: &str| shell(t, &tree, &format!("--set security.devices={devices}"), list);
    assert_eq!(with("null")?, "/dev/null /dev/pts/ptmx /dev/tty ");
    assert_eq!(with("null,urandom")?, "/dev/null /dev/pts/ptmx /dev/tty /dev/urandom ");
    let bad = in_tree(t, &tree, "--set security.devices=null,mem", &["true"])?;
    crate::ground::one_clear_line(&bad, 125, &["security.devices", "mem"])?;
    // None can be made: not in /dev, nor elsewhere.
    for profile in PROFILES {
        let make = "mknod /dev/mem c 1 1 2>&1; mknod /tmp/null c 1 3 2>&1; ls /dev/mem /tmp/null 2>/dev/null; \
                    true";
        let said = shell(t, &tree, &format!("--profile {profile}"), make)?;
        assert_eq!(said.matches("Operation not permitted").count(), 2, "{profile}: {said}");
    }
    Ok(())
}

/// `jail_procfs_enable=NO`: an empty directory, whatever the root.
fn j19_no_proc(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let look = ["sh", "-c", "ls -A /proc | wc -l; echo /proc/[0-9]*"];
    for profile in PROFILES {
        let off = format!("--profile {profile} --set security.proc=false");
        assert_eq!(in_tree(t, &tree, &off, &look)?.ok()?, "0\n/proc/[0-9]*\n", "{profile}");
        // The host's own root has a /proc, with all processes of the host.
        let off = format!("{off} --set security.mount=false");
        let done = t.jaula().run(&words(&format!("--root host {off}"), &look))?;
        assert_eq!(done.ok()?, "0\n/proc/[0-9]*\n", "host, {profile}");
    }
    let sys = ["sh", "-c", "ls -A /sys | wc -l"];
    for options in
        ["--root host --profile strict", "--root host --network host", "--root host --set security.sys=false"]
    {
        assert_eq!(t.jaula().ok(&words(options, &sys))?, "0\n", "{options}");
    }
    Ok(())
}

/// `jail_mount_enable=NO`: by every way that the kernel has.
fn j20_mount(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let ways = [
        "mount-tmpfs",
        "mount-proc",
        "bind-root",
        "fsopen-tmpfs",
        "open-tree-root",
        "remount-root",
        "setattr-root",
        "pivot-root",
    ];
    for probe in ways {
        for off in ["", "--profile strict", "--profile server --set security.mount=false"] {
            says(t, &tree, off, &[probe], "refused EPERM")?;
        }
    }
    // Off means the call, not only the capability.
    let capable = "--set security.capabilities=+sys_admin";
    says(t, &tree, capable, &["mount-tmpfs"], "refused EPERM at mount")?;
    let on = "--set security.capabilities=+sys_admin --set security.mount=true";
    says(t, &tree, on, &["mount-tmpfs"], "harmless")
}

/// C4: the break with `chroot`, `fchdir` and `..`, tried by who may chroot.
fn c4_chroot_does_not_break_out(t: &Test) -> Outcome {
    let tree = tree(t)?;
    for options in ["--profile server", "--set security.capabilities=+sys_chroot"] {
        for probe in ["chroot-break", "chroot-twice"] {
            says(t, &tree, options, &[probe], "harmless")?;
        }
    }
    Ok(())
}

/// C5, as grsecurity has it: no second chroot, no pivot_root, no signal to the outside.
fn c5_chroot_pivot_root_and_signals(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let outside = crate::ground::Outside::put(t)?;
    let told = outside.options();
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    for profile in ["app", "strict"] {
        for probe in ["chroot-break", "chroot-twice", "pivot-root"] {
            says(t, &tree, &format!("--profile {profile}"), &[probe], "refused EPERM")?;
        }
    }
    for profile in PROFILES {
        for network in ["none", "host"] {
            let options = format!("--profile {profile} --network {network}");
            for probe in ["signal-pid", "pidfd-open-pid", "sigio-pid"] {
                let all = [&[probe], &told[..]].concat();
                says(t, &tree, &options, &all, "refused")?;
            }
            // To everybody: it does not reach the host's process, which Outside ends itself.
            let done = in_tree(t, &tree, &options, &["sh", "-c", "kill -9 -1; kill -0 1"])?;
            assert!(done.stderr.is_empty() || done.status.code().is_some(), "{done}");
        }
    }
    outside.still_lives()
}

/// J4, the thin jail: one program with what it needs and nothing else.
fn j4_a_thin_jail(t: &Test) -> Outcome {
    let bash = Path::new("/bin/bash");
    if !bash.exists() {
        return t.skip("no bash here");
    }
    let list = "shopt -s globstar dotglob nullglob; cd /; for f in **; do case $f in proc/*|dev/*|sys/*) ;; \
                *) if [ -f $f ]; then echo /$f; fi;; esac; done";
    let said = t.jaula().ok(&words("--app /bin/bash", &["bash", "-c", list]))?;
    let files: Vec<&str> = said.lines().collect();
    assert!(
        files.iter().any(|f| f.ends_with("/bash")) && files.iter().any(|f| f.contains("libc.so")),
        "{said}"
    );
    assert!(files.len() < 100, "{said}");
    let foreign = ["/bin/ls", "/usr/bin/ls", "/etc/shadow", "/usr/bin/su", "/usr/bin/mount"];
    assert!(!files.iter().any(|file| foreign.contains(file)), "{said}");
    // Nothing of it can be changed.
    let write = "echo x >/usr/bin/new; echo x >>/lib/x86_64-linux-gnu/libc.so.6; echo x >/etc/passwd; :>/tmp/yes && echo yes";
    let done = t.jaula().run(&words("--app /bin/bash", &["bash", "-c", write]))?;
    assert_eq!((done.stdout.as_str(), done.stderr.matches("Read-only").count()), ("yes\n", 3), "{done}");
    Ok(())
}

/// A new user namespace opens much of the kernel: only by `security.nesting`.
fn nesting_is_refused_unless_asked_for(t: &Test) -> Outcome {
    let tree = tree(t)?;
    for profile in PROFILES {
        for probe in ["unshare-user", "clone-user", "clone3-user"] {
            says(t, &tree, &format!("--profile {profile}"), &[probe], "refused")?;
            let asked = format!("--profile {profile} --set security.nesting=true");
            says(t, &tree, &asked, &[probe], "escaped surface")?;
        }
    }
    Ok(())
}

/// `security.system_calls` in both directions, and a name that is none.
fn system_calls_are_added_and_taken_away(t: &Test) -> Outcome {
    let tree = tree(t)?;
    says(t, &tree, "", &["io-uring"], "refused EPERM")?;
    says(t, &tree, "--set security.system_calls=+io_uring_setup", &["io-uring"], "escaped surface")?;
    says(t, &tree, "", &["inotify"], "harmless")?;
    let less = "--set security.system_calls=-inotify_init,-inotify_init1";
    says(t, &tree, less, &["inotify"], "refused EPERM at inotify")?;
    let bad = in_tree(t, &tree, "--set security.system_calls=+io_urine_setup", &["true"])?;
    crate::ground::one_clear_line(&bad, 125, &["io_urine_setup", "io_uring_setup"])
}

/// `[limits.process]`, and that no core file is written where the host's core_pattern says.
fn limits_hold(t: &Test) -> Outcome {
    let tree = tree(t)?;
    let options = "--set limits.process.nofile=7:9 --set limits.process.fsize=4k";
    let look = "ulimit -Sn; ulimit -Hn; ulimit -Sf; ulimit -Hc; ulimit -Hn 99 2>&1";
    let said = in_tree(t, &tree, options, &["sh", "-c", look])?.stdout;
    // busybox counts the size of files in blocks of 512 bytes.
    assert!(said.starts_with("7\n9\n8\n0\n"), "{said}");
    let write = "(head -c 5000 /dev/zero >/tmp/big); wc -c </tmp/big";
    assert!(
        in_tree(t, &tree, "--set limits.process.fsize=4k", &["sh", "-c", write])?.stdout.starts_with("4096"),
        "not held"
    );
    Ok(())
}

/// `security.hide`: files and directories of the root and of /proc read as empty; what is not
/// there does not matter; a link is followed inside only.
fn hidden_paths_read_as_empty(t: &Test) -> Outcome {
    let tree = tree(t)?;
    std::os::unix::fs::symlink("/etc/passwd", tree.join("etc/link"))?;
    std::os::unix::fs::symlink("../../../../etc", tree.join("etc/up"))?;
    let hide = "--set security.hide=/proc/interrupts,/etc/link,/bin/ls,/var,/nothing/here,/etc/up/group";
    let look =
        "cat /proc/interrupts /etc/passwd /etc/group /bin/ls | wc -c; echo /var/*; mount | grep -c /nothing";
    std::fs::write(tree.join("var/file"), "x")?;
    // (busybox is one file with many names, of which /bin/ls is a link: hiding it hides all.)
    std::fs::remove_file(tree.join("bin/ls"))?;
    std::fs::write(tree.join("bin/ls"), "x")?;
    let done = in_tree(t, &tree, hide, &["sh", "-c", look])?;
    assert_eq!(done.stdout, "0\n/var/*\n0\n", "{done}");
    // The host's are as they were.
    assert!(std::fs::metadata("/etc/passwd")?.len() > 0 && probe()?.exists());
    Ok(())
}
