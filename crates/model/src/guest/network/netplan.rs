//! netplan, Ubuntu's: one file in YAML for systemd-networkd or NetworkManager.

use super::super::{Fixer, MARK, Resolver};
use super::{Interface, Network, WHY, Way};

const FILE: &str = "/etc/netplan/90-jaula.yaml";

pub(super) fn fix(
    fixer: &mut Fixer<'_>,
    network: &Network,
    resolver: Option<&Resolver>,
    wanted: &mut Vec<String>,
) {
    if network.interfaces.is_empty() {
        return;
    }
    let mut text = format!("{MARK}network:\n  version: 2\n  ethernets:\n");
    for interface in &network.interfaces {
        text += &entry(interface, resolver);
    }
    // netplan complains of files that others may read.
    fixer.write_mode(FILE, text, 0o600, WHY);
    wanted.push(FILE.to_owned());
}

fn entry(interface: &Interface, resolver: Option<&Resolver>) -> String {
    let list = |items: &[String]| items.iter().map(|item| format!("{item:?}")).collect::<Vec<_>>().join(", ");
    let mut text =
        format!("    {:?}:\n      dhcp4: {}\n      accept-ra: false\n", interface.name, interface.dhcp);
    let addresses: Vec<String> = interface.addresses.iter().map(ToString::to_string).collect();
    if !addresses.is_empty() {
        text += &format!("      addresses: [{}]\n", list(&addresses));
    }
    let mut routes = String::new();
    for four in [true, false] {
        let all = if four { "0.0.0.0/0" } else { "::/0" };
        routes += &match interface.way(four) {
            Way::None => String::new(),
            Way::Device => format!("        - {{ to: {all:?}, scope: link }}\n"),
            Way::Gateway(gateway) => format!("        - {{ to: {all:?}, via: \"{gateway}\" }}\n"),
            Way::OnLink(gateway) => {
                format!("        - {{ to: {all:?}, via: \"{gateway}\", on-link: true }}\n")
            }
        };
    }
    if !routes.is_empty() {
        text += &format!("      routes:\n{routes}");
    }
    let servers: Vec<String> = super::servers(resolver).iter().map(ToString::to_string).collect();
    if !servers.is_empty() {
        let search = resolver.map_or(&[][..], |resolver| &resolver.search);
        text += &format!(
            "      nameservers: {{ addresses: [{}], search: [{}] }}\n",
            list(&servers),
            list(search)
        );
    }
    text
}
