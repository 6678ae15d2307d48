//! What passes the links of jails with a network of their own: connections with data, and the network of a system that
//! has booted.

use crate::declared::until;
use crate::links::{lay, look, outside_pings, stopped};
use jaula_tests::harness::{CLIENT, Cable, Outcome, Template, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::process::Stdio;
use std::time::Duration;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("reach": privileged [
        connections_over_a_routed_link,
        connections_over_a_bridge,
        debian_keeps_the_network_that_it_is_given,
        an_alpine_keeps_the_network_that_it_is_given,
        a_system_of_rpm_packages_keeps_the_network_that_it_is_given,
    ])
}

/// Gives back what it is sent, at every address it has.
const ECHO: &str = "
import socket, threading
def serve(c):
    while True:
        b = c.recv(65536)
        if not b: break
        c.sendall(b)
    c.close()
s = socket.create_server(('::', 8000), family=socket.AF_INET6, dualstack_ipv6=True, backlog=20)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
";

/// Sends a megabyte to each, and says who gave it back, and as whom.
const SEND: &str = "
import os, socket, sys, threading, time
for ip in sys.argv[1:]:
    data, back, until = os.urandom(1 << 20), b'', time.time() + 20
    while True:
        try:
            s = socket.create_connection((ip, 8000), 5)
            break
        except OSError as e:
            if time.time() > until: sys.exit('%s: %s' % (ip, e))
            time.sleep(0.02)
    def send():
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
    t = threading.Thread(target=send)
    t.start()
    while True:
        b = s.recv(65536)
        if not b: break
        back += b
    t.join()
    print(ip, 'same' if back == data else 'other')
";

/// A jail that gives back what it is sent.
fn echoes(cable: &Cable<'_>, name: &str, options: &[&str]) -> Outcome {
    let create = [&["create", name, "--root", "host"], options, &["--", "python3", "-c", ECHO]].concat();
    cable.jaula().ok(&create)?;
    cable.jaula().ok(&["start", name]).map(drop)
}

fn all_same(said: &str, to: &[&str]) {
    assert_eq!(said, to.iter().map(|ip| format!("{ip} same\n")).collect::<String>());
}

fn from_jail(cable: &Cable<'_>, name: &str, to: &[&str]) -> Outcome {
    let said = cable.jaula().ok(&[&["exec", name, "--", "python3", "-c", SEND], to].concat())?;
    all_same(&said, to);
    Ok(())
}

/// The machine outside gives back as well, while `act` goes on.
fn while_outside_echoes(cable: &Cable<'_>, act: impl FnOnce() -> Outcome) -> Outcome {
    let mut command = cable.client_command(&["python3", "-c", ECHO]);
    let mut echo = command.stdin(Stdio::null()).spawn()?;
    let done = act();
    echo.kill()?;
    echo.wait()?;
    done
}

fn connections_over_a_routed_link(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let before = look(&cable)?;
    let (one, two) = (t.name("one"), t.name("two"));
    let (ones, twos) = (["192.0.2.10", "2001:db8::10"], ["192.0.2.11", "2001:db8::11"]);
    for (name, [four, six]) in [(&one, ones), (&two, twos)] {
        echoes(&cable, name, &["--network", "routed", "--ip", four, "--ip", six])?;
    }
    all_same(
        &cable.client(&[&["python3", "-c", SEND], &ones[..], &twos].concat())?.ok()?,
        &[ones, twos].concat(),
    );
    all_same(&cable.server(&[&["python3", "-c", SEND], &ones[..]].concat())?.ok()?, &ones);
    from_jail(&cable, &one, &[&twos[..], &["127.0.0.1", "::1"]].concat())?;
    while_outside_echoes(&cable, || from_jail(&cable, &two, &[CLIENT, "2001:db8::1"]))?;
    stopped(&cable, &[&one, &two])?;
    assert_eq!(look(&cable)?, before);
    Ok(())
}

fn connections_over_a_bridge(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let before = look(&cable)?;
    let (one, two) = (t.name("one"), t.name("two"));
    let (ones, twos) = (["10.0.3.10", "fd00:3::10"], ["10.0.3.11", "fd00:3::11"]);
    for (name, [four, six]) in [(&one, ones), (&two, twos)] {
        let (four, six) = (format!("{four}/24"), format!("{six}/64"));
        echoes(&cable, name, &["--network", "bridge", "--ip", &four, "--ip", &six])?;
    }
    all_same(
        &cable.server(&[&["python3", "-c", SEND], &ones[..], &twos].concat())?.ok()?,
        &[ones, twos].concat(),
    );
    from_jail(&cable, &one, &[&twos[..], &["127.0.0.1", "::1"]].concat())?;
    // Out into the world as the host, which the machine outside knows: those nets are private.
    while_outside_echoes(&cable, || from_jail(&cable, &two, &[CLIENT, "2001:db8::1"]))?;
    stopped(&cable, &[&one, &two])?;
    assert_eq!(look(&cable)?, before);
    Ok(())
}

/// Row O6: what the jail's link had when its first program ran it has when the system stands, and after a restart.
fn keeps_its_network(t: &Test, template: Template, settled: &str) -> Outcome {
    let cable = lay(t)?;
    let before = look(&cable)?;
    template.put(t)?;
    let name = t.name("guest");
    let jaula = || cable.jaula().within(Duration::from_secs(120));
    let from = format!("template:{}", template.name());
    let options = ["--network", "routed", "--ip", "192.0.2.10", "--ip", "2001:db8::10"];
    jaula().ok(&[&["build", &name, "--quiet", "--from", &from], &options[..]].concat())?;
    for verb in ["start", "restart"] {
        jaula().ok(&[verb, &name])?;
        let sh = |script: &str| jaula().ok(&["exec", &name, "--", "sh", "-ec", script]);
        until("the system", || sh(settled).ok())?;
        // The kernel's own words: not all of these systems have the same program to ask.
        let four = sh("cat /proc/net/route; grep -A1 -F 192.0.2.10 /proc/net/fib_trie")?;
        assert!(four.contains("eth0\t00000000\t0101FEA9\t"), "{verb}: {four}");
        assert!(four.contains("/32 host LOCAL"), "{verb}: {four}");
        // ifupdown says where the gateway is by a route of its own: no ip(8) of busybox knows `onlink` in all its ages.
        let is_gateway =
            |line: &&str| line.contains("eth0\t0101FEA9\t00000000\t") && line.contains("\tFFFFFFFF\t");
        let ways =
            four.lines().filter(|line| line.starts_with("eth0")).filter(|line| !is_gateway(line)).count();
        assert_eq!(ways, 1, "{verb}: one way and no net: {four}");
        let six = sh("cat /proc/net/if_inet6; grep '^0\\{32\\} 00 ' /proc/net/ipv6_route")?;
        let has = |words: [&str; 2]| six.lines().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(has(["20010db8000000000000000000000010 ", " 80 "]), "{verb}: {six}");
        assert!(has(["fe800000000000000000000000000001 ", "eth0"]), "{verb}: {six}");
        outside_pings(&cable, &["192.0.2.10", "2001:db8::10"])?;
    }
    jaula().ok(&["stop", &name])?;
    assert_eq!(look(&cable)?, before);
    Ok(())
}

fn debian_keeps_the_network_that_it_is_given(t: &Test) -> Outcome {
    keeps_its_network(t, Template::Debian13, "systemctl is-system-running")
}

fn an_alpine_keeps_the_network_that_it_is_given(t: &Test) -> Outcome {
    keeps_its_network(t, Template::AlpineShaped, "grep -q default /run/openrc/softlevel")
}

fn a_system_of_rpm_packages_keeps_the_network_that_it_is_given(t: &Test) -> Outcome {
    keeps_its_network(t, Template::RpmShaped, "systemctl is-system-running")
}
