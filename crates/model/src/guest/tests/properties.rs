//! Of any texts: once is enough, and a guest's own lines stay.

use super::*;
use crate::guest::lines::{BEGIN, END, OFF, Place, block, own, switch_off, variable};
use proptest::prelude::*;

/// Lines as they are found, torn and mixed up.
fn text() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just(BEGIN.to_owned()),
        Just(END.to_owned()),
        Just(format!("{OFF}x y")),
        Just(format!("{OFF}{OFF}z")),
        Just("iface eth0 inet dhcp".to_owned()),
        Just("auto lo eth0".to_owned()),
        Just("    address 192.0.2.1".to_owned()),
        Just("nameserver 192.0.2.1".to_owned()),
        Just("search a b".to_owned()),
        Just("127.0.0.1 localhost www.example.org".to_owned()),
        Just("/dev/sda1 / ext4 defaults 0 1".to_owned()),
        Just("1:2345:respawn:/sbin/getty 38400 tty1".to_owned()),
        Just("tty1::respawn:/sbin/getty 38400 tty1".to_owned()),
        Just("* * * * * root hwclock -w".to_owned()),
        Just("HOSTNAME=x".to_owned()),
        Just("rc_sys=\"\"".to_owned()),
        Just(MARK.trim_end().to_owned()),
        "[ -~]{0,20}",
        "\\PC{0,8}\r?",
    ];
    (prop::collection::vec(line, 0..12), any::<bool>()).prop_map(|(lines, ends)| {
        let mut text = lines.join("\n");
        if ends {
            text.push('\n');
        }
        text
    })
}

const PATHS: &[&str] = &[
    "/etc/hostname",
    "/etc/HOSTNAME",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/fstab",
    "/etc/mtab",
    "/etc/machine-id",
    "/etc/crontab",
    "/etc/cron.d/x",
    "/etc/inittab",
    "/etc/securetty",
    "/etc/rc.conf",
    "/etc/conf.d/hostname",
    "/etc/conf.d/hwclock",
    "/etc/default/ssh",
    "/etc/default/hwclock",
    "/etc/sysconfig/network",
    "/etc/network/interfaces",
    "/etc/network/interfaces.d/x",
    "/etc/systemd/network/10-jaula-eth0.network",
    "/etc/netplan/50-jaula.yaml",
    "/etc/ssh/ssh_host_rsa_key",
    "/etc/rcS.d/S01udev",
    "/etc/rcS.d/K01udev",
    "/etc/rc.d/rc3.d/S55ntpd",
    "/etc/runlevels/boot/hwclock",
    "/usr/sbin/netplan",
    "/usr/sbin/sshd",
    "/usr/bin/ssh-keygen",
    "/etc/init.d/ssh",
    "/usr/lib/systemd/systemd",
    "/sbin/openrc",
    "/usr/lib/systemd/system/networking.service",
    "/usr/lib/systemd/system/systemd-udevd.service",
    "/usr/lib/systemd/systemd-networkd",
    "/usr/lib/systemd/systemd-resolved",
    "/etc/sysconfig/network-scripts/ifcfg-eth0",
    "/var/lib/dbus/machine-id",
];

fn tree() -> impl Strategy<Value = Tree> {
    let at = prop_oneof![
        6 => text().prop_map(At::Text),
        1 => "[a-z./]{1,9}".prop_map(At::Link),
        1 => Just(At::Directory),
        1 => Just(At::Other),
    ];
    prop::collection::btree_map(prop::sample::select(PATHS).prop_map(str::to_owned), at, 0..14).prop_map(
        |mut map| {
            map.insert("/etc/os-release".to_owned(), At::Other);
            Tree(map)
        },
    )
}

fn guests() -> impl Strategy<Value = Guest> {
    let age = prop_oneof![
        Just(Age::Known),
        Just(Age::Built { machine_id: ID.to_owned() }),
        Just(Age::Cloned { machine_id: ID.to_owned() })
    ];
    let base = prop_oneof![Just(guest()), Just(venet())];
    (base, age, any::<bool>(), any::<bool>()).prop_map(|(base, age, asks, shared)| {
        let resolver = asks.then(|| Resolver::of(&["192.0.2.53".parse().unwrap()]));
        let network = if shared { Network { shared, interfaces: Vec::new() } } else { base.network.clone() };
        Guest { age, resolver, network, ..base }
    })
}

proptest! {
    #[test]
    fn once_is_enough(tree in tree(), guest in guests()) {
        let _ = tree.fixed(&guest);
    }

    #[test]
    fn what_is_changed_back_is_as_if_it_had_never_been(tree in tree(), guest in guests()) {
        // Names and networks come and go; only what is removed for good does not come back.
        let known = Guest { age: Age::Known, ..guest };
        let once = tree.fixed(&super::guest());
        let there = once.clone().fixed(&Guest { resolver: None, ..known });
        for path in ["/etc/network/interfaces", "/etc/hosts", "/etc/sysconfig/network"] {
            let back = there.clone().fixed(&super::guest());
            // Lines of jaula's that had stood elsewhere come back behind the guest's own.
            let parts = |tree: &Tree| match tree.0.get(path) {
                Some(At::Text(text)) => {
                    let own: Vec<String> = own(text).map(str::to_owned).collect();
                    let without = block(text, "", Place::Bottom);
                    (own, text.lines().count() - without.lines().count())
                }
                _ => (Vec::new(), 0),
            };
            if once.0.contains_key(path) {
                prop_assert_eq!(parts(&back), parts(&once));
            }
        }
    }

    #[test]
    fn own_lines_stay(text in text(), lines in prop_oneof![Just(""), Just("a\n"), Just("a\nb\n")]) {
        for place in [Place::Top, Place::Bottom] {
            let with = block(&text, lines, place);
            prop_assert_eq!(own(&with).collect::<Vec<_>>(), own(&text).collect::<Vec<_>>());
            prop_assert_eq!(block(&with, lines, place), with.clone());
            let has = block(&text, "", place).contains("\na\n");
            prop_assert_eq!(with.contains("\na\n"), !lines.is_empty() || has);
        }
    }

    #[test]
    fn lines_go_off_and_on(text in text()) {
        let off = switch_off(&text, |line| line.contains('a'));
        prop_assert_eq!(switch_off(&off, |line| line.contains('a')), off.clone());
        prop_assert_eq!(switch_off(&off, |_| false), switch_off(&text, |_| false));
    }

    #[test]
    fn a_variable_has_its_value(text in text()) {
        let set = variable(&text, "HOSTNAME", "new", true);
        prop_assert!(set.contains("HOSTNAME=\"new\"\n"));
        prop_assert_eq!(variable(&set, "HOSTNAME", "new", true), set);
    }
}
