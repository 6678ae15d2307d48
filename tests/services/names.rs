//! Names: BIND with a zone of its own, unbound with names of its own.

use super::{Service, answers, up};
use jaula_tests::harness::{Machine, Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("services": privileged [named, unbound])
}

/// The number of a user of the machine.
fn user(machine: &Machine<'_>, name: &str) -> Outcome<u32> {
    Ok(machine.shell(&format!("id -u {name}"))?.trim().parse()?)
}

fn named(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    up(&machine, "named")?;
    let dns = Service::of(t, &machine, "dns");
    let ask = "dig +tries=1 +time=2 @127.0.0.1 www.example.test A";
    answers(&machine, ask, "www.example.test.\t300\tIN\tA\t192.0.2.80")?;
    answers(&machine, "dig +tcp @::1 example.test TXT", "\"from a jail\"")?;
    // It is nobody's resolver.
    answers(&machine, "dig @127.0.0.1 www.example.org", "status: REFUSED")?;
    dns.is_held(user(&machine, "bind")?, 0)?;
    dns.logs("/var/log/named", "named.log", "zone example.test/IN: loaded serial 1")?;

    machine.shell("cd /srv/examples/named/conf; sed -i 's/SOA ns hostmaster ( 1 /SOA ns hostmaster ( 2 /; s/192.0.2.80/192.0.2.81/' example.test.zone")?;
    dns.jaula("signal", &["HUP"])?;
    answers(&machine, ask, "192.0.2.81")?;

    dns.stops()?;
    dns.jaula("start", &[])?;
    answers(&machine, ask, "192.0.2.81")?;
    dns.logs("/var/log/named", "named.log", "loaded serial 1")?;
    dns.stops()
}

fn unbound(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    up(&machine, "unbound")?;
    let resolver = Service::of(t, &machine, "resolver");
    let ask = "dig +tries=1 +time=2 @127.0.0.1 printer.home.test A";
    answers(&machine, ask, "192.0.2.53")?;
    answers(&machine, "dig @127.0.0.1 nobody.home.test", "status: NXDOMAIN")?;
    resolver.is_held(user(&machine, "unbound")?, 0)?;
    resolver.logs("/var/log/unbound", "unbound.log", "start of service")?;

    machine.shell("cd /srv/examples/unbound/conf; sed -i 's/192.0.2.53/192.0.2.54/' unbound.conf")?;
    resolver.jaula("signal", &["HUP"])?;
    answers(&machine, ask, "192.0.2.54")?;
    resolver.stops()
}
