//! Names: BIND with a zone of its own, unbound with names of its own.

use super::{Service, answers, up};
use jaula_tests::harness::{Machine, Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("services": privileged [named, named_in_a_chroot_of_its_own, unbound])
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

/// As the first document has it, `named -t DIR -u USER`: named begins as root of the jail, changes its root and
/// becomes its user. That works too, for what it costs: three capabilities that the recipe does without.
fn named_in_a_chroot_of_its_own(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    let create = "create dns --app /usr/sbin/named --network host
        --mount /srv/examples/named/conf:/var/lib/named/etc/bind
        --set root.writable+=/var/lib/named/var/cache/bind:bind
        --set root.writable+=/var/lib/named/var/log/named:bind
        --set security.capabilities=-all,+setgid,+setuid,+sys_chroot --set security.system_calls+=+chroot
        --set network.listen+=tcp_53 --set network.listen+=udp_53
        -- named -f -t /var/lib/named -u bind -c /etc/bind/named.conf";
    let words: Vec<String> = create.split_whitespace().map(|word| word.replace("p_53", "p 53")).collect();
    machine.jaula().ok(&words.iter().map(String::as_str).collect::<Vec<_>>())?;
    let dns = Service::of(t, &machine, "dns");
    dns.jaula("start", &[])?;
    answers(&machine, "dig +tries=1 +time=2 @127.0.0.1 www.example.test", "192.0.2.80")?;
    let process = format!("/proc/{}", dns.jail.first()?);
    let (status, outside) =
        (machine.path(&format!("{process}/status")), machine.path(&format!("{process}/uid_map")));
    let status = std::fs::read_to_string(status)?;
    let base: u32 = std::fs::read_to_string(outside)?.split_whitespace().nth(1).ok_or("no map")?.parse()?;
    assert!(status.contains(&format!("Uid:\t{}", base + user(&machine, "bind")?)), "{status}");
    assert_eq!(machine.shell(&format!("readlink {process}/root"))?, "/var/lib/named\n");
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
