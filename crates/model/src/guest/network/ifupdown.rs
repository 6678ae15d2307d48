//! `/etc/network/interfaces`, of Debian, and of Alpine and others with busybox.

use super::super::lines::{Place, block, switch_off};
use super::super::{At, Fixer};
use super::{GONE, Interface, Network, WHY, Way};

const FILE: &str = "/etc/network/interfaces";

/// `used`: it is this file that configures the interfaces.
pub(super) fn fix(fixer: &mut Fixer<'_>, network: &Network, used: bool) {
    let text = match fixer.files.at(FILE) {
        At::Text(text) => text,
        At::Nothing if used => String::new(),
        _ => return,
    };
    let busybox = is_busybox(fixer);
    let text = switch_off(&text, others(network, busybox));
    let has_lo = super::super::lines::own(&text).any(|line| is_stanza_of(line, "lo"));
    let mut lines = String::new();
    if used && busybox {
        // It would fail to give it the address that it has; without any interface Alpine's service fails.
        lines += "auto lo\niface lo inet manual\n";
    }
    if used && !network.shared {
        if !has_lo && !busybox {
            lines += "auto lo\niface lo inet loopback\n";
        }
        for interface in &network.interfaces {
            lines += &stanzas(interface);
        }
    }
    let why = if network.shared || network.interfaces.is_empty() { GONE } else { WHY };
    fixer.write(FILE, block(&text, &lines, Place::Bottom), why);
    for name in fixer.files.names("/etc/network/interfaces.d") {
        fixer.edit(&format!("/etc/network/interfaces.d/{name}"), GONE, |text| {
            switch_off(text, others(network, busybox))
        });
    }
}

fn is_stanza_of(line: &str, interface: &str) -> bool {
    let mut words = line.split_whitespace();
    words.next() == Some("iface") && words.next() == Some(interface)
}

/// Is it busybox's ifup, which Alpine had before 3.13 and small systems have?
fn is_busybox(fixer: &mut Fixer<'_>) -> bool {
    ["/sbin/ifup", "/usr/sbin/ifup", "/bin/ifup"]
        .iter()
        .any(|path| matches!(fixer.files.at(path), At::Link(to) if to.ends_with("busybox")))
}

/// Is a line about an interface that the guest has not, or that jaula describes? With the host's
/// network, it has none at all.
fn others(network: &Network, describes_lo: bool) -> impl FnMut(&str) -> bool + use<> {
    let shared = network.shared;
    let described: Vec<String> = network.interfaces.iter().map(|interface| interface.name.clone()).collect();
    let is_other = move |name: &str| {
        let plain = name.split([':', '.']).next().unwrap_or_default();
        shared
            || (describes_lo && plain == "lo")
            || described.iter().any(|own| own == plain)
            || is_hardware(plain)
    };
    let mut inside = false;
    move |line| {
        let mut words = line.split_whitespace();
        match words.next() {
            None => false,
            Some(word) if word.starts_with('#') => false,
            Some("auto" | "iface" | "mapping") | Some("no-auto-down" | "no-scripts") => {
                // Of several on one line, one that is no use makes all so: ifup would fail.
                let iface = line.trim_start().starts_with("iface");
                let mut names = words.take(if iface { 1 } else { usize::MAX });
                inside = names.any(&is_other);
                inside
            }
            Some(word) if word.starts_with("allow-") => {
                inside = words.any(&is_other);
                inside
            }
            Some("source" | "source-directory" | "template" | "rename") => {
                inside = false;
                false
            }
            Some(_) => inside,
        }
    }
}

/// A name that only a device of a machine has, or one of another kind of container.
fn is_hardware(name: &str) -> bool {
    let rest =
        ["eth", "enp", "ens", "eno", "enx", "end", "wlan", "wlp", "wlx", "venet", "ib", "usb", "hotplug"]
            .iter()
            .find_map(|start| name.strip_prefix(start));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_hexdigit()))
}

fn stanzas(interface: &Interface) -> String {
    let name = &interface.name;
    let mut out = format!("\nauto {name}\n");
    let mut stanzas = 0;
    if interface.dhcp {
        out += &format!("iface {name} inet dhcp\n");
        stanzas += 1;
    }
    for four in [true, false] {
        let family = if four { "inet" } else { "inet6" };
        for (i, address) in interface.of(four).enumerate() {
            // busybox knows no address with its prefix in one.
            let mask = if four { address.mask().to_string() } else { address.prefix.to_string() };
            out += &format!("iface {name} {family} static\n\taddress {}\n\tnetmask {mask}\n", address.ip);
            if i == 0 {
                out += &afresh(name, if four { "-4" } else { "-6" });
                out += &routes(name, interface.way(four), if four { "" } else { "-6 " });
            }
            stanzas += 1;
        }
    }
    if stanzas == 0 {
        out += &format!("iface {name} inet manual\n\tup ip link set dev {name} up\n");
    }
    out
}

/// The interface has its addresses before the guest begins, and `ifup` fails on what is there.
fn afresh(name: &str, v: &str) -> String {
    format!(
        "\tpre-up ip {v} address flush dev {name} scope global || true\n\
         \tpre-up ip {v} route del default dev {name} 2>/dev/null || true\n"
    )
}

/// `v`: what tells ip(8) that it is about version 6.
fn routes(name: &str, way: Way, v: &str) -> String {
    match way {
        Way::None => String::new(),
        Way::Device => format!("\tup ip {v}route replace default dev {name}\n"),
        Way::Gateway(gateway) => format!("\tgateway {gateway}\n"),
        Way::OnLink(gateway) => format!(
            "\tup ip {v}route replace {gateway} dev {name}\n\
             \tup ip {v}route replace default via {gateway} dev {name}\n"
        ),
    }
}
