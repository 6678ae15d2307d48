//! The same interface for each of those that configure interfaces.

use super::*;
use crate::guest::lines::{BEGIN, END};

fn text_of(files: &[(&str, &str)], guest: &Guest, path: &str) -> String {
    Tree::of(files).fixed(guest).text(path).trim_start_matches(MARK).to_owned()
}

/// What ifup does before it gives addresses that are there already.
fn afresh(name: &str, v: u8) -> String {
    format!(
        "\tpre-up ip -{v} address flush dev {name} scope global || true\n\
         \tpre-up ip -{v} route del default dev {name} 2>/dev/null || true\n"
    )
}

#[test]
fn a_venet_device_in_the_files_of_each() {
    let asks = Guest { resolver: Some(Resolver::of(&["192.0.2.53".parse().unwrap()])), ..venet() };
    let interfaces = text_of(&[("/etc/network/interfaces", "# own\n")], &asks, "/etc/network/interfaces");
    assert_eq!(
        interfaces,
        format!(
            "# own\n{BEGIN}\nauto lo\niface lo inet loopback\n\nauto venet0\niface venet0 inet static\n\
             \taddress 192.0.2.10\n\tnetmask 255.255.255.255\n{}\tup ip route replace default dev venet0\n{END}\n",
            afresh("venet0", 4)
        )
    );
    let networkd =
        [("/usr/lib/systemd/systemd-networkd", ""), ("/usr/lib/systemd/system/systemd-networkd.service", "")];
    assert_eq!(
        text_of(&networkd, &asks, "/etc/systemd/network/10-jaula-venet0.network"),
        "[Match]\nName=venet0\n\n[Network]\nAddress=192.0.2.10/32\nIPv6AcceptRA=no\nDNS=192.0.2.53\n\n\
         [Route]\nDestination=0.0.0.0/0\nScope=link\n"
    );
    assert_eq!(
        text_of(&[("/usr/sbin/netplan", "")], &asks, "/etc/netplan/90-jaula.yaml"),
        "network:\n  version: 2\n  ethernets:\n    \"venet0\":\n      dhcp4: false\n      accept-ra: false\n      \
         addresses: [\"192.0.2.10/32\"]\n      routes:\n        - { to: \"0.0.0.0/0\", scope: link }\n      \
         nameservers: { addresses: [\"192.0.2.53\"], search: [] }\n"
    );
    assert_eq!(
        text_of(
            &[("/usr/sbin/NetworkManager", "")],
            &asks,
            "/etc/NetworkManager/system-connections/jaula-venet0.nmconnection"
        ),
        "[connection]\nid=jaula-venet0\ntype=ethernet\ninterface-name=venet0\nautoconnect=true\n\n\
         [ipv4]\nmethod=manual\naddress1=192.0.2.10/32\nroute1=0.0.0.0/0,0.0.0.0\ndns=192.0.2.53;\n\n\
         [ipv6]\nmethod=disabled\n"
    );
    let redhat = [("/etc/sysconfig/network-scripts", "dir")];
    assert_eq!(
        text_of(&redhat, &asks, "/etc/sysconfig/network-scripts/ifcfg-venet0"),
        "DEVICE=venet0\nTYPE=Ethernet\nONBOOT=yes\nBOOTPROTO=none\nIPADDR=192.0.2.10\nPREFIX=32\n"
    );
    assert_eq!(
        text_of(&redhat, &asks, "/etc/sysconfig/network-scripts/route-venet0"),
        "default dev venet0\n"
    );
    let suse = [("/etc/sysconfig/network", "dir")];
    assert_eq!(
        text_of(&suse, &asks, "/etc/sysconfig/network/ifcfg-venet0"),
        "STARTMODE='auto'\nBOOTPROTO='static'\nIPADDR='192.0.2.10/32'\n"
    );
    assert_eq!(text_of(&suse, &asks, "/etc/sysconfig/network/ifroute-venet0"), "default - - venet0\n");
}

#[test]
fn gateways_and_both_versions() {
    let gateways = |all: &[&str]| Route::Gateways(all.iter().map(|ip| ip.parse().unwrap()).collect());
    let plain = with(
        "eth0",
        &[("192.0.2.10", 24), ("2001:db8::10", 64), ("192.0.2.11", 24)],
        gateways(&["192.0.2.1", "fe80::1"]),
    );
    let file = "/etc/network/interfaces";
    let own = "auto lo\niface lo inet loopback\n";
    assert_eq!(
        text_of(&[(file, own)], &plain, file),
        format!(
            "{own}{BEGIN}\n\nauto eth0\niface eth0 inet static\n\taddress 192.0.2.10\n\tnetmask 255.255.255.0\n\
             {}\tgateway 192.0.2.1\niface eth0 inet static\n\taddress 192.0.2.11\n\tnetmask 255.255.255.0\n\
             iface eth0 inet6 static\n\taddress 2001:db8::10\n\tnetmask 64\n{}\
             \tup ip -6 route replace fe80::1 dev eth0\n\
             \tup ip -6 route replace default via fe80::1 dev eth0\n{END}\n",
            afresh("eth0", 4),
            afresh("eth0", 6)
        )
    );
    let away = with("eth0", &[("192.0.2.10", 32)], gateways(&["198.51.100.1"]));
    let networkd = [("/usr/lib/systemd/systemd-networkd", "")];
    let text = text_of(&networkd, &away, "/etc/systemd/network/10-jaula-eth0.network");
    assert!(text.ends_with("\n[Route]\nGateway=198.51.100.1\nGatewayOnLink=yes\n"), "{text}");
    let mut dhcp = with("eth0", &[], Route::None);
    dhcp.network.interfaces[0].dhcp = true;
    assert!(text_of(&[(file, own)], &dhcp, file).contains("\nauto eth0\niface eth0 inet dhcp\n"));
    assert!(text_of(&networkd, &dhcp, "/etc/systemd/network/10-jaula-eth0.network").contains("DHCP=yes"));
}

#[test]
fn what_a_machine_had_is_switched_off_and_comes_back() {
    let file = "/etc/network/interfaces";
    let machine = "source interfaces.d/*\nauto lo\niface lo inet loopback\n\nallow-hotplug enp3s0\n\
                   iface enp3s0 inet static\n    address 192.0.2.7/24\n\nauto br7\niface br7 inet manual\n    up true\n";
    let off = "source interfaces.d/*\nauto lo\niface lo inet loopback\n\n#jaula# allow-hotplug enp3s0\n\
               #jaula# iface enp3s0 inet static\n#jaula#     address 192.0.2.7/24\n\nauto br7\niface br7 inet manual\n    up true\n";
    let tree =
        Tree::of(&[(file, machine), ("/etc/network/interfaces.d/x", "auto eth0\niface eth0 inet dhcp\n")]);
    let none = tree.fixed(&guest());
    assert_eq!(none.text(file), off);
    assert_eq!(none.text("/etc/network/interfaces.d/x"), "#jaula# auto eth0\n#jaula# iface eth0 inet dhcp\n");
    // On the host's network nothing is configured, not even lo.
    let shared = Guest { network: Network { shared: true, ..Network::default() }, ..guest() };
    let host = none.fixed(&shared);
    assert!(
        super::lines::block(host.text(file), "", super::lines::Place::Top)
            .lines()
            .all(|line| { line.is_empty() || line.starts_with("#jaula# ") || line.starts_with("source") })
    );
    assert_eq!(host.fixed(&guest()).text(file), off);
}

#[test]
fn files_of_interfaces_that_are_gone_go() {
    for (files, at) in [
        (&[("/usr/lib/systemd/systemd-networkd", "")][..], "/etc/systemd/network/10-jaula-venet0.network"),
        (&[("/usr/sbin/netplan", "")], "/etc/netplan/90-jaula.yaml"),
        (&[("/etc/sysconfig/network-scripts/ifcfg-lo", "")], "/etc/sysconfig/network-scripts/route-venet0"),
    ] {
        let tree = Tree::of(files).fixed(&venet());
        assert!(tree.0.contains_key(at));
        assert!(!tree.fixed(&guest()).0.contains_key(at), "{at}");
    }
    let own = "/etc/systemd/network/10-jaula-like.network";
    let tree = Tree::of(&[("/usr/lib/systemd/systemd-networkd", ""), (own, "[Match]\n")]).fixed(&guest());
    assert!(tree.0.contains_key(own), "what is not marked is the guest's");
}

#[test]
fn units_of_the_network_follow_it() {
    let units = ["systemd-networkd.service", "systemd-networkd-wait-online.service", "networking.service"];
    let files = units.map(|unit| (format!("/usr/lib/systemd/system/{unit}"), String::new()));
    let mut files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    files.push(("/usr/lib/systemd/systemd", ""));
    files.push(("/usr/lib/systemd/systemd-resolved", ""));
    let off = |tree: &Tree| {
        let names = tree.0.keys().filter_map(|path| path.strip_prefix("/etc/systemd/"));
        names
            .map(|name| name.trim_start_matches("system/").trim_end_matches(".d/jaula.conf").to_owned())
            .collect::<Vec<_>>()
    };
    let none = Tree::of(&files).fixed(&guest());
    assert_eq!(off(&none), ["systemd-networkd-wait-online.service"]);
    let shared = Guest { network: Network { shared: true, ..Network::default() }, ..guest() };
    let host = none.fixed(&shared);
    assert_eq!(
        off(&host),
        [
            "resolved.conf",
            "networking.service",
            "systemd-networkd-wait-online.service",
            "systemd-networkd.service"
        ]
    );
    let tree = host.fixed(&venet());
    let conf: Vec<&String> = tree.0.keys().filter(|path| path.ends_with("/jaula.conf")).collect();
    assert_eq!(conf, Vec::<&String>::new());
}

#[test]
fn busyboxs_ifup_leaves_loopback_as_it_is() {
    let own = "auto lo\niface lo inet loopback\n";
    let tree = [("/sbin/ifup", "-> /bin/busybox"), ("/etc/network/interfaces", own)];
    let shared = Guest { network: Network { shared: true, ..Network::default() }, ..guest() };
    for guest in [guest(), shared] {
        let text = Tree::of(&tree).fixed(&guest).text("/etc/network/interfaces").to_owned();
        assert_eq!(
            text,
            "#jaula# auto lo\n#jaula# iface lo inet loopback\n# --- BEGIN jaula ---\nauto lo\niface lo inet manual\n\
             # --- END jaula ---\n"
        );
    }
    let text = Tree::of(&tree).fixed(&venet()).text("/etc/network/interfaces").to_owned();
    assert!(text.contains("iface lo inet manual\n\nauto venet0\n"), "{text}");
}
