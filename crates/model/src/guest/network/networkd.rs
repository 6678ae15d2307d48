//! systemd-networkd: `.network` files.

use super::super::{Fixer, Resolver};
use super::{File, Interface, WHY, Way};

const UNIT: &str = "systemd-networkd.service";

pub(super) fn files(interface: &Interface, resolver: Option<&Resolver>) -> Vec<File> {
    let name = &interface.name;
    let mut text = format!("[Match]\nName={name}\n\n[Network]\n");
    for address in &interface.addresses {
        text += &format!("Address={address}\n");
    }
    text += if interface.dhcp { "DHCP=yes\n" } else { "IPv6AcceptRA=no\n" };
    for server in super::servers(resolver) {
        text += &format!("DNS={server}\n");
    }
    if let Some(search) = resolver.map(|resolver| resolver.search.join(" ")).filter(|s| !s.is_empty()) {
        text += &format!("Domains={search}\n");
    }
    for four in [true, false] {
        let all = if four { "0.0.0.0/0" } else { "::/0" };
        text += &match interface.way(four) {
            Way::None => String::new(),
            Way::Device if four => format!("\n[Route]\nDestination={all}\nScope=link\n"),
            Way::Device => format!("\n[Route]\nDestination={all}\n"),
            Way::Gateway(gateway) => format!("\n[Route]\nGateway={gateway}\n"),
            Way::OnLink(gateway) => format!("\n[Route]\nGateway={gateway}\nGatewayOnLink=yes\n"),
        };
    }
    vec![File::new(format!("/etc/systemd/network/10-jaula-{name}.network"), text)]
}

/// Debian has it and does not start it.
pub(super) fn enable(fixer: &mut Fixer<'_>) {
    let directory = ["/usr/lib/systemd/system", "/lib/systemd/system"];
    let Some(unit) = directory.map(|at| format!("{at}/{UNIT}")).into_iter().find(|unit| fixer.has(unit))
    else {
        return;
    };
    let link = format!("/etc/systemd/system/multi-user.target.wants/{UNIT}");
    if !fixer.has(&link) {
        fixer.link(&link, &unit, WHY);
    }
}
