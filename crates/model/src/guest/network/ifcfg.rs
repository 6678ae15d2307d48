//! `ifcfg-*`: of Red Hat and its kin, and of SUSE.

use super::{Address, File, Interface, Way};

/// Red Hat's.
pub(super) fn scripts(interface: &Interface) -> Vec<File> {
    const TOP: &str = "/etc/sysconfig/network-scripts";
    let name = &interface.name;
    let boot = if interface.dhcp { "dhcp" } else { "none" };
    let mut text = format!("DEVICE={name}\nTYPE=Ethernet\nONBOOT=yes\nBOOTPROTO={boot}\n");
    for (i, Address { ip, prefix }) in interface.of(true).enumerate() {
        let number = if i == 0 { String::new() } else { i.to_string() };
        text += &format!("IPADDR{number}={ip}\nPREFIX{number}={prefix}\n");
    }
    let six: Vec<String> = interface.of(false).map(ToString::to_string).collect();
    if let [first, more @ ..] = &six[..] {
        text += &format!("IPV6INIT=yes\nIPV6_AUTOCONF=no\nIPV6ADDR={first}\n");
        if !more.is_empty() {
            text += &format!("IPV6ADDR_SECONDARIES=\"{}\"\n", more.join(" "));
        }
    }
    let mut files = Vec::new();
    for four in [true, false] {
        let file = if four { "route" } else { "route6" };
        let routes = match interface.way(four) {
            Way::None => continue,
            Way::Device => format!("default dev {name}\n"),
            Way::Gateway(gateway) => {
                text += &format!("{}={gateway}\n", if four { "GATEWAY" } else { "IPV6_DEFAULTGW" });
                continue;
            }
            Way::OnLink(gateway) => format!("{gateway} dev {name}\ndefault via {gateway} dev {name}\n"),
        };
        files.push(File::new(format!("{TOP}/{file}-{name}"), routes));
    }
    files.insert(0, File::new(format!("{TOP}/ifcfg-{name}"), text));
    files
}

/// SUSE's.
pub(super) fn suse(interface: &Interface) -> Vec<File> {
    const TOP: &str = "/etc/sysconfig/network";
    let name = &interface.name;
    let boot = if interface.dhcp { "dhcp" } else { "static" };
    let mut text = format!("STARTMODE='auto'\nBOOTPROTO='{boot}'\n");
    for (i, address) in interface.addresses.iter().enumerate() {
        let number = if i == 0 { String::new() } else { format!("_{i}") };
        text += &format!("IPADDR{number}='{address}'\n");
    }
    let mut routes = String::new();
    for four in [true, false] {
        let all = if four { "default" } else { "::/0" };
        routes += &match interface.way(four) {
            Way::None => String::new(),
            Way::Device => format!("{all} - - {name}\n"),
            Way::Gateway(gateway) => format!("{all} {gateway} - {name}\n"),
            Way::OnLink(gateway) => format!("{gateway} - - {name}\n{all} {gateway} - {name}\n"),
        };
    }
    let mut files = vec![File::new(format!("{TOP}/ifcfg-{name}"), text)];
    if !routes.is_empty() {
        files.push(File::new(format!("{TOP}/ifroute-{name}"), routes));
    }
    files
}
