//! NetworkManager: a connection's keyfile.

use super::super::Resolver;
use super::{File, Interface, Way};

pub(super) fn files(interface: &Interface, resolver: Option<&Resolver>) -> Vec<File> {
    let name = &interface.name;
    let mut text =
        format!("[connection]\nid=jaula-{name}\ntype=ethernet\ninterface-name={name}\nautoconnect=true\n");
    for four in [true, false] {
        text += &section(interface, resolver, four);
    }
    let path = format!("/etc/NetworkManager/system-connections/jaula-{name}.nmconnection");
    // NetworkManager takes no file that others may read.
    vec![File { path, text, mode: 0o600 }]
}

fn section(interface: &Interface, resolver: Option<&Resolver>, four: bool) -> String {
    let method = match interface.of(four).next() {
        Some(_) if !(four && interface.dhcp) => "manual",
        _ if four && interface.dhcp => "auto",
        _ => "disabled",
    };
    let mut text = format!("\n[ipv{}]\nmethod={method}\n", if four { 4 } else { 6 });
    for (i, address) in interface.of(four).enumerate() {
        text += &format!("address{}={address}\n", i + 1);
    }
    let (all, nobody) = if four { ("0.0.0.0/0", "0.0.0.0") } else { ("::/0", "::") };
    text += &match interface.way(four) {
        Way::None => String::new(),
        Way::Device => format!("route1={all},{nobody}\n"),
        Way::Gateway(gateway) => format!("gateway={gateway}\n"),
        Way::OnLink(gateway) => format!("route1={all},{gateway}\nroute1_options=onlink=true\n"),
    };
    if method == "disabled" {
        return text;
    }
    let servers = super::servers(resolver).into_iter().filter(|server| server.is_ipv4() == four);
    let servers: String = servers.map(|server| format!("{server};")).collect();
    if !servers.is_empty() {
        text += &format!("dns={servers}\n");
    }
    if let Some(resolver) = resolver.filter(|resolver| !resolver.search.is_empty()) {
        text += &format!("dns-search={};\n", resolver.search.join(";"));
    }
    text
}
