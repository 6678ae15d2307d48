//! The name that the guest has, and what it finds under names without asking anybody.

use super::lines::{Place, block, own, variable};
use super::{At, Fixer};

const WHY: &str = "its name is that of its configuration";

pub(super) fn fix(fixer: &mut Fixer<'_>) {
    hostname(fixer);
    hosts(fixer);
}

fn hostname(fixer: &mut Fixer<'_>) {
    let name = fixer.guest.hostname.clone();
    let says = |text: &str| {
        text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#')) == Some(&name)
    };
    for path in ["/etc/hostname", "/etc/HOSTNAME"] {
        // The second is SUSE's, of old: where there is none, none is wanted.
        let now = fixer.files.at(path);
        let wanted = path == "/etc/hostname" || matches!(now, At::Text(_));
        if wanted && !matches!(&now, At::Text(text) if says(text)) {
            fixer.write(path, format!("{name}\n"), WHY);
        }
    }
    fixer.edit("/etc/sysconfig/network", WHY, |text| variable(text, "HOSTNAME", &name, false));
    fixer.edit("/etc/conf.d/hostname", WHY, |text| variable(text, "hostname", &name, true));
}

fn hosts(fixer: &mut Fixer<'_>) {
    let text = match fixer.files.at("/etc/hosts") {
        At::Text(text) => text,
        At::Nothing => String::new(),
        _ => return,
    };
    let known = |name: &str| {
        own(&text).any(|line| {
            let line = line.split('#').next().unwrap_or_default();
            line.split_whitespace().skip(1).any(|word| word == name)
        })
    };
    let mut lines = String::new();
    if !known("localhost") {
        lines += "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";
    }
    let name = &fixer.guest.hostname;
    if !known(name) && name != "localhost" {
        let short = name.split('.').next().filter(|short| *short != name && !short.is_empty());
        let address = fixer.guest.network.first_address();
        let address = address.map_or_else(|| "127.0.1.1".to_owned(), |ip| ip.to_string());
        lines += &match short {
            Some(short) => format!("{address} {name} {short}\n"),
            None => format!("{address} {name}\n"),
        };
    }
    lines += &fixer.guest.others;
    fixer.write("/etc/hosts", block(&text, &lines, Place::Bottom), "its own name, and those of other jails");
}
