//! What the keys of `[network]` cannot say together.

use super::twice;
use crate::address;
use crate::config::NetworkMode::{Bind, Bridge, Host, Macvlan, None as Nothing, Routed};
use crate::config::read::Reading;
use crate::config::{NetworkMode, Rates};
use crate::forward::{self, Nat};
use crate::ports;

/// Which modes a key means something in.
const MEANT_FOR: &[(&str, &[NetworkMode])] = &[
    ("network.addresses", &[Bind, Routed, Bridge, Macvlan]),
    ("network.parent", &[Bridge, Macvlan]),
    ("network.interface", &[Routed, Bridge, Macvlan]),
    ("network.gateway", &[Bridge, Macvlan]),
    ("network.mac", &[Routed, Bridge, Macvlan]),
    ("network.mtu", &[Routed, Bridge, Macvlan]),
    ("network.nat", &[Routed, Bridge]),
    ("network.forward", &[Routed, Bridge]),
    ("network.rate", &[Host, Bind, Routed, Bridge, Macvlan]),
    ("network.connections", &[Routed, Bridge]),
    ("network.guard", &[Routed, Bridge]),
    ("network.probe", &[Bind, Routed, Bridge, Macvlan]),
];

pub(super) fn network(reading: &Reading, note: &mut impl FnMut(&'static str, String, &str)) {
    let network = &reading.config.network;
    let mode = network.mode;
    // A file may be completed by what the command line says.
    let says_mode = reading.given.iter().any(|(key, _)| key.path == "network.mode");
    let says = |path: &str| match path {
        "network.addresses" => !network.addresses.is_empty() || network.dhcp,
        "network.gateway" => !network.gateway.is_empty(),
        "network.nat" => network.nat != Nat::Auto,
        "network.forward" => !network.forward.is_empty(),
        "network.rate" => network.rate != Rates::default(),
        "network.guard" => !network.guard,
        "network.probe" => !network.probe,
        _ => true,
    };
    for (path, modes) in MEANT_FOR {
        if says_mode && says(path) && !modes.contains(&mode) {
            let words: Vec<String> = modes.iter().map(|mode| format!("\"{mode}\"")).collect();
            let message = match *path {
                "network.addresses" => {
                    format!("a jail with network.mode = \"{mode}\" has no addresses of its own")
                }
                _ => format!("it means nothing with network.mode = \"{mode}\""),
            };
            note(path, message, &format!("say network.mode = {}", words.join(" or ")));
        }
    }
    if says_mode {
        addresses(reading, note);
    }

    let addresses = &network.addresses;
    for (path, length, most) in [
        ("network.addresses", addresses.len(), address::MOST),
        ("network.forward", network.forward.len(), forward::MOST),
    ] {
        if length > most {
            note(path, format!("{length} entries are too many, {most} is the most"), "");
        }
    }
    twice(network.ips(), |ip| {
        note("network.addresses", format!("{ip} stands there twice"), "keep one of them");
    });
    for four in [true, false] {
        if network.gateway.iter().filter(|ip| ip.is_ipv4() == four).count() > 1 {
            let message = format!("two gateways for IPv{} are one too many", if four { 4 } else { 6 });
            note("network.gateway", message, "keep one of them");
        }
    }
    for (n, one) in network.forward.iter().enumerate() {
        if let Some(other) = network.forward[..n].iter().find(|other| other.collides(one)) {
            note(
                "network.forward",
                format!("\"{one}\" and \"{other}\" want the same port"),
                "keep one of them",
            );
        }
    }
    let listen = network.listen.as_deref().unwrap_or_default();
    if listen.len() > ports::MOST {
        let message = format!("{} entries are too many, {} is the most", listen.len(), ports::MOST);
        note("network.listen", message, "write ranges: \"tcp 8000-8080\"");
    }
}

/// What an address cannot say in this mode.
fn addresses(reading: &Reading, note: &mut impl FnMut(&'static str, String, &str)) {
    let network = &reading.config.network;
    let mode = network.mode;
    let mut wrong = |message: String, help: &str| note("network.addresses", message, help);
    if network.dhcp && matches!(mode, Bind | Routed) {
        wrong(
            format!("nobody answers \"dhcp\" with network.mode = \"{mode}\""),
            "write the jail's addresses",
        );
    }
    for address in &network.addresses {
        let (ip, bits) = (address.ip, address::bits(address.ip));
        match (mode, &address.device, address.prefix) {
            (Bind, None, Some(prefix)) => wrong(
                format!("{ip}/{prefix} names a net, and no interface to put the address on"),
                &format!("write \"{ip}\" for an address that the host has, or \"{ip}/{prefix} dev eth0\""),
            ),
            (Routed, None, Some(prefix)) if prefix != bits => wrong(
                format!("{ip}/{prefix} names a net, and a routed address is for one host"),
                &format!("write \"{ip}\", or take network.mode = \"bridge\""),
            ),
            (Bridge | Macvlan, Some(device), _) => wrong(
                format!("{ip} is the jail's own, not one of the host's interface {device}"),
                "leave out \"dev\"; network.parent says where the jail's link leads",
            ),
            (Nothing | Host | Bind | Routed | Bridge | Macvlan, ..) => {}
        }
    }
}
