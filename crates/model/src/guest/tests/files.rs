use super::*;

#[test]
fn what_becomes_of_files() {
    let neighbours = Guest { others: "192.0.2.11 db\n".to_owned(), ..guest() };
    let other = Guest { hostname: "db".to_owned(), ..guest() };
    let asks = Guest {
        resolver: Some(Resolver {
            servers: vec!["192.0.2.53".to_owned()],
            search: vec!["example.org".to_owned()],
        }),
        ..guest()
    };
    let block = |lines: &str| format!("# --- BEGIN jaula ---\n{lines}# --- END jaula ---\n");
    let resolv = block("search example.org\nnameserver 192.0.2.53\n");
    let hosts = block("127.0.1.1 www.example.org www\n");
    let localhost = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";
    for (guest, path, before, after) in [
        (&guest(), "/etc/hostname", "machine\n", "www.example.org\n".to_owned()),
        (&guest(), "/etc/hostname", "# comment\nwww.example.org", "# comment\nwww.example.org".to_owned()),
        (&guest(), "/etc/hostname", "-> /proc/sys/kernel/hostname", "www.example.org\n".to_owned()),
        (&other, "/etc/HOSTNAME", "machine", "db\n".to_owned()),
        (&other, "/etc/sysconfig/network", "A=1\nHOSTNAME=x\n", "A=1\nHOSTNAME=\"db\"\n".to_owned()),
        (&other, "/etc/sysconfig/network", "A=1\n", "A=1\n".to_owned()),
        (&other, "/etc/conf.d/hostname", "hostname='db'\n", "hostname='db'\n".to_owned()),
        (&other, "/etc/conf.d/hostname", "# name", "# name\nhostname=\"db\"\n".to_owned()),
        (
            &neighbours,
            "/etc/hosts",
            "127.0.0.1 localhost www.example.org\n",
            format!("127.0.0.1 localhost www.example.org\n{}", block("192.0.2.11 db\n")),
        ),
        (&guest(), "/etc/hosts", "127.0.0.1 localhost", format!("127.0.0.1 localhost\n{hosts}")),
        (
            &guest(),
            "/etc/hosts",
            "192.0.2.1 www.example.org localhost # own\n",
            "192.0.2.1 www.example.org localhost # own\n".to_owned(),
        ),
        (
            &guest(),
            "/etc/hosts",
            "# www.example.org localhost\n",
            format!(
                "# www.example.org localhost\n{}",
                block(&format!("{localhost}127.0.1.1 www.example.org www\n"))
            ),
        ),
        (
            &other,
            "/etc/hosts",
            &format!("a localhost\n{hosts}b b\n"),
            format!("a localhost\n{}b b\n", block("127.0.1.1 db\n")),
        ),
        (
            &venet(),
            "/etc/hosts",
            "a localhost\n",
            format!("a localhost\n{}", block("192.0.2.10 www.example.org www\n")),
        ),
        (&guest(), "/etc/resolv.conf", "nameserver 192.0.2.1\n", "nameserver 192.0.2.1\n".to_owned()),
        (
            &asks,
            "/etc/resolv.conf",
            "# own\nsearch x\nnameserver 192.0.2.1\noptions rotate\n",
            format!("{resolv}# own\noptions rotate\n"),
        ),
        (&asks, "/etc/resolv.conf", &block("nameserver 192.0.2.9\n"), resolv.clone()),
        (&asks, "/etc/resolv.conf", "-> ../run/systemd/resolve/stub-resolv.conf", resolv.clone()),
        (&guest(), "/etc/fstab", "/dev/sda1 / ext4\n", "/dev/sda1 / ext4\n".to_owned()),
        (
            &built(),
            "/etc/fstab",
            "# own\n/dev/sda1 / ext4\n\nUUID=1 none swap\n",
            "# own\n#jaula# /dev/sda1 / ext4\n\n#jaula# UUID=1 none swap\n".to_owned(),
        ),
        (&built(), "/etc/machine-id", "uninitialized\n", format!("{ID}\n")),
        (&guest(), "/etc/machine-id", "", String::new()),
        (
            &guest(),
            "/etc/crontab",
            "# hwclock\n5 * * * * root /sbin/hwclock --systohc\n1,31 0-5 * * * root adjkerntz -a\n@daily root x\n",
            "# hwclock\n#jaula# 5 * * * * root /sbin/hwclock --systohc\n\
             #jaula# 1,31 0-5 * * * root adjkerntz -a\n@daily root x\n"
                .to_owned(),
        ),
        (
            &guest(),
            "/etc/cron.d/ntp",
            "* * * * * root test -x /usr/sbin/ntpdate && /usr/sbin/ntpdate -u pool",
            "#jaula# * * * * * root test -x /usr/sbin/ntpdate && /usr/sbin/ntpdate -u pool".to_owned(),
        ),
        (
            &guest(),
            "/etc/cron.d/php",
            "9 * * * * root php-chronyce\n",
            "9 * * * * root php-chronyce\n".to_owned(),
        ),
        (
            &guest(),
            "/etc/default/hwclock",
            "#HWCLOCKACCESS=yes\n",
            "#HWCLOCKACCESS=yes\nHWCLOCKACCESS=\"no\"\n".to_owned(),
        ),
        (&guest(), "/etc/securetty", "tty1\nconsole\n", format!("tty1\nconsole\n{}", block("pts/0\n"))),
        (
            &guest(),
            "/etc/inittab",
            "id:2:initdefault:\nsi::sysinit:/etc/init.d/rcS\n1:2345:respawn:/sbin/getty --noclear 38400 tty1\n#T0:23:respawn:/sbin/getty -L ttyS0 9600 vt100\n",
            format!(
                "id:2:initdefault:\nsi::sysinit:/etc/init.d/rcS\n#jaula# 1:2345:respawn:/sbin/getty --noclear 38400 tty1\n\
                 #T0:23:respawn:/sbin/getty -L ttyS0 9600 vt100\n{}",
                block("co:2345:respawn:/sbin/getty -L 38400 console linux\n")
            ),
        ),
        (
            &guest(),
            "/etc/inittab",
            "::sysinit:/sbin/openrc sysinit\ntty1::respawn:/sbin/getty 38400 tty1\n::ctrlaltdel:/sbin/reboot\n",
            format!(
                "::sysinit:/sbin/openrc sysinit\n#jaula# tty1::respawn:/sbin/getty 38400 tty1\n::ctrlaltdel:/sbin/reboot\n{}",
                block("console::respawn:/sbin/getty -L 38400 console linux\n")
            ),
        ),
        (
            &guest(),
            "/etc/inittab",
            "id:3:initdefault:\nc:23:respawn:/sbin/agetty console\n",
            "id:3:initdefault:\nc:23:respawn:/sbin/agetty console\n".to_owned(),
        ),
    ] {
        let tree = Tree::of(&[(path, before)]).fixed(guest);
        assert_eq!(tree.text(path), after, "{path}: {before:?}");
        // And of what is kept, nothing.
        for kept in [path, "/etc"] {
            let keeping = Guest { keep: vec![kept.into()], ..guest.clone() };
            let tree = Tree::of(&[(path, before)]).fixed(&keeping);
            assert_eq!(tree.0.get(path), Tree::of(&[(path, before)]).0.get(path), "{path}");
        }
    }
}

#[test]
fn a_new_server_is_no_other() {
    let files = [
        ("/etc/ssh/ssh_host_rsa_key", "secret"),
        ("/etc/ssh/ssh_host_rsa_key.pub", "known"),
        ("/etc/ssh/sshd_config", "x"),
        ("/usr/sbin/sshd", ""),
        ("/usr/bin/ssh-keygen", ""),
        ("/usr/lib/systemd/systemd", ""),
        ("/usr/lib/systemd/system/sshd-keygen.service", "ConditionFirstBoot=yes"),
        ("/var/lib/dbus/machine-id", "old"),
        ("/etc/mtab", "/dev/sda1 / ext4"),
        ("/etc/fstab", "/srv /mnt none bind\n"),
    ];
    let tree = Tree::of(&files).fixed(&built());
    assert_eq!(tree.0.keys().filter(|path| path.contains("ssh_host_")).count(), 0);
    assert!(tree.0.contains_key("/etc/ssh/sshd_config"));
    assert_eq!(tree.text("/etc/machine-id"), format!("{ID}\n"));
    assert_eq!(tree.0["/var/lib/dbus/machine-id"], At::Link("/etc/machine-id".to_owned()));
    assert_eq!(tree.0["/etc/mtab"], At::Link("../proc/self/mounts".to_owned()));
    assert!(tree.text("/etc/systemd/system/jaula-ssh-host-keys.service").contains("ssh-keygen -A"));
    // A clone keeps what its root has written.
    let cloned = Guest { age: Age::Cloned { machine_id: ID.replace('0', "f") }, ..guest() };
    let mut before = tree.clone();
    before.0.insert("/etc/ssh/ssh_host_ed25519_key".to_owned(), At::Text("of the first".to_owned()));
    before.0.insert("/etc/fstab".to_owned(), At::Text("tmpfs /x tmpfs\n".to_owned()));
    let after = before.fixed(&cloned);
    assert!(!after.0.contains_key("/etc/ssh/ssh_host_ed25519_key"));
    assert_eq!(after.text("/etc/machine-id"), format!("{}\n", ID.replace('0', "f")));
    assert_eq!(after.text("/etc/fstab"), "tmpfs /x tmpfs\n");
    // One that has been there keeps its keys and its id.
    let mut known = after;
    known.0.insert("/etc/ssh/ssh_host_ed25519_key".to_owned(), At::Text("its own".to_owned()));
    let again = known.clone().fixed(&guest());
    assert_eq!(again.0, known.0);
}

#[test]
fn sysv_makes_keys_in_the_servers_script() {
    let files = [("/usr/sbin/sshd", ""), ("/usr/bin/ssh-keygen", ""), ("/etc/init.d/ssh", "#!/bin/sh")];
    let tree = Tree::of(&files).fixed(&built());
    assert!(tree.text("/etc/default/ssh").contains("ssh-keygen -A"));
    assert!(!tree.0.contains_key("/etc/machine-id"));
}

#[test]
fn services_of_hardware_and_clock_are_off() {
    let mut files: Vec<(String, String)> =
        ["hwclock.service", "getty@.service", "cron.service", "console-getty.service"]
            .iter()
            .map(|unit| (format!("/usr/lib/systemd/system/{unit}"), "x".to_owned()))
            .collect();
    files.push(("/usr/lib/systemd/systemd".to_owned(), String::new()));
    let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let tree = Tree::of(&files).fixed(&guest());
    let masked: Vec<&String> = tree.0.keys().filter(|path| path.starts_with("/etc/systemd")).collect();
    assert_eq!(masked, ["/etc/systemd/system/getty@.service", "/etc/systemd/system/hwclock.service"]);
    assert_eq!(tree.0["/etc/systemd/system/hwclock.service"], At::Link("/dev/null".to_owned()));

    let script = "-> ../init.d/x";
    let rc = [
        ("/etc/rcS.d/S01hwclock.sh", script),
        ("/etc/rcS.d/S02udev", script),
        ("/etc/rc2.d/S03cron", script),
    ];
    let tree = Tree::of(&rc).fixed(&guest());
    let links: Vec<&String> = tree.0.keys().filter(|path| path.starts_with("/etc/rc")).collect();
    assert_eq!(links, ["/etc/rc2.d/S03cron", "/etc/rcS.d/K01hwclock.sh", "/etc/rcS.d/K01udev"]);

    let openrc = [
        ("/sbin/openrc", ""),
        ("/etc/rc.conf", "#rc_sys=\"\"\n"),
        ("/etc/runlevels/boot/hwclock", script),
        ("/etc/runlevels/boot/hostname", script),
        ("/etc/runlevels/sysinit/mdev", script),
    ];
    let tree = Tree::of(&openrc).fixed(&guest());
    let links: Vec<&String> = tree.0.keys().filter(|path| path.starts_with("/etc/runlevels")).collect();
    assert_eq!(links, ["/etc/runlevels/boot/hostname"]);
    assert!(tree.text("/etc/rc.conf").contains("\nrc_sys=\"lxc\"\n"));
    // Debian's has the scripts of System V's init; its own init has a service for each login.
    let own = [
        ("/sbin/openrc", ""),
        ("/sbin/init", "-> openrc-init"),
        ("/etc/init.d/agetty", script),
        ("/etc/runlevels/sysinit/hwclock.sh", "-> /etc/init.d/hwclock.sh"),
        ("/etc/runlevels/default/agetty.tty1", "-> /etc/init.d/agetty.tty1"),
        ("/etc/runlevels/default/cron", "-> /etc/init.d/cron"),
    ];
    let tree = Tree::of(&own).fixed(&guest());
    let links: Vec<&String> = tree.0.keys().filter(|path| path.starts_with("/etc/runlevels")).collect();
    assert_eq!(links, ["/etc/runlevels/default/agetty.console", "/etc/runlevels/default/cron"]);
    assert_eq!(tree.0["/etc/init.d/agetty.console"], At::Link("agetty".to_owned()));
}

#[test]
fn the_hosts_servers_as_far_as_they_can_be_reached() {
    let stub = "nameserver 127.0.0.53\nsearch example.org\n";
    let behind = "# comment\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\ndomain a\nsearch b c\n";
    let of = |host, behind, shared| {
        Resolver::inherited(host, behind, shared)
            .map(|found| (found.servers.join(" "), found.search.join(" ")))
    };
    let plain = |servers: &str, search: &str| Some((servers.to_owned(), search.to_owned()));
    assert_eq!(of(stub, Some(behind), true), plain("127.0.0.53", "example.org"));
    assert_eq!(of(stub, Some(behind), false), plain("192.0.2.53 fe80::1%eth0", "b c"));
    assert_eq!(of(stub, None, false), None);
    assert_eq!(of("nameserver 127.0.0.1\nnameserver 192.0.2.1", None, false), plain("192.0.2.1", ""));
    assert_eq!(of("", None, true), None);
}

#[test]
fn what_is_no_distribution_stays_as_it_is() {
    for etc in [At::Text("x".to_owned()), At::Link("/etc".to_owned()), At::Other] {
        let mut tree = Tree::default();
        tree.0.insert("/etc".to_owned(), etc);
        assert_eq!(fix_ups(&built(), &mut tree), []);
    }
    assert_eq!(fix_ups(&built(), &mut Tree::default()), []);
}
