//! `network.rate`: what comes through of more than is allowed, measured with real flows.

use crate::bind::{GoingOn, Net};
use jaula_tests::harness::{Jaula, Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("rate": privileged [
        streams_and_datagrams_keep_to_it,
        a_network_of_its_own_keeps_to_it,
        with_ipv6_it_does_so_too,
        a_macvlan_keeps_to_it,
        a_kernel_without_programs_at_links_keeps_to_it,
        it_changes_while_the_jail_runs,
        it_changes_on_the_jails_link,
        the_plan_says_it,
    ])
}

const FLOW: &str = include_str!("rate/flow.py");
/// Bits a second, and seconds.
const RATE: f64 = 20e6;
const TIME: &str = "10";

/// A flow's end that goes on; `options` make it a jail's, none the host's.
fn end<'t>(net: &Net<'t>, options: &[&str], words: &[&str], says: &str) -> Outcome<GoingOn> {
    let words = [&["python3", "-c", FLOW], words].concat();
    match options {
        [] => net.going_on(&words, says),
        options => net.jail(options, &words, says),
    }
}

/// The receiver's rate, once it is known.
fn rate(mut receiver: GoingOn) -> Outcome<f64> {
    let line = receiver.wait_for("rate ")?;
    Ok(line.trim().strip_prefix("rate ").ok_or("no rate")?.parse()?)
}

fn streams_and_datagrams_keep_to_it(t: &Test) -> Outcome {
    let net = Net::new(t)?;
    net.long_packets_are_cut()?;
    let mut flows = Vec::new();
    let bind4 = ["--ip", "192.0.2.10"];
    let bind6 = ["--ip", "2001:db8::10"];
    let host = ["--network", "host"];
    let rate_text = format!("{RATE}");
    let mut port = 7000;
    for (options, address, other) in [
        (&bind4[..], "192.0.2.10", "198.51.100.1"),
        (&bind6[..], "2001:db8::10", "2001:db8::99"),
        (&host[..], "192.0.2.11", "198.51.100.1"),
    ] {
        for protocol in ["tcp", "udp"] {
            for way in ["in", "out"] {
                port += 1;
                let (port, limit) = (port.to_string(), format!("network.rate.{way}=20mbit"));
                let limited = [options, &["--set", &limit]].concat();
                let (to, receives, sends) = if way == "in" {
                    (address, &limited[..], &[][..])
                } else {
                    (other, &[][..], &limited[..])
                };
                let flow = [protocol, to, &port, TIME, &rate_text];
                let receiver = end(&net, receives, &[&["receive"], &flow[..]].concat(), "ready")?;
                let sender = end(&net, sends, &[&["send"], &flow[..]].concat(), "begins")?;
                flows.push((format!("{options:?} {protocol} {way}"), receiver, sender));
            }
        }
    }
    all_keep_to_it(flows)
}

/// A flow: what it is, who receives, who sends.
type Flow = (String, GoingOn, GoingOn);

/// What comes through of each is what is allowed.
fn all_keep_to_it(flows: Vec<Flow>) -> Outcome {
    for (what, receiver, _sender) in flows {
        let measured = rate(receiver)?;
        assert!((measured / RATE - 1.0).abs() < 0.1, "{what}: {measured:.0} bits a second of {RATE:.0}");
    }
    Ok(())
}

/// A flow between the host's address `beyond` and a jail with this network and this address, limited in that way.
fn flow(net: &Net<'_>, network: &[&str], own: &str, beyond: &str, what: [&str; 3]) -> Outcome<Flow> {
    let [protocol, way, port] = what;
    let limit = format!("network.rate.{way}=20mbit");
    let jail = [network, &["--set", &limit]].concat();
    let (to, receives, sends) =
        if way == "in" { (own, &jail[..], &[][..]) } else { (beyond, &[][..], &jail[..]) };
    let rate = format!("{RATE}");
    let flow = [protocol, to, port, TIME, &rate];
    let receiver = end(net, receives, &[&["receive"], &flow[..]].concat(), "ready")?;
    let sender = end(net, sends, &[&["send"], &flow[..]].concat(), "begins")?;
    Ok((format!("{network:?} {protocol} {way}"), receiver, sender))
}

/// Both directions of streams and of datagrams.
const KINDS: [(&str, &str); 4] = [("tcp", "in"), ("tcp", "out"), ("udp", "in"), ("udp", "out")];

fn with_ipv6_it_does_so_too(t: &Test) -> Outcome {
    let net = routing(t)?;
    let mut flows = Vec::new();
    for (mode, net_of, length, beyond) in
        [("routed", "fd00:90::", "", "2001:db8::99"), ("bridge", "fd00:91::", "/64", "fd00:91::1")]
    {
        for (n, (protocol, way)) in KINDS.into_iter().enumerate() {
            let own = format!("{net_of}{}", n + 10);
            let ip = format!("{own}{length}");
            let port = (7001 + flows.len()).to_string();
            let network = ["--network", mode, "--ip", &ip];
            flows.push(flow(&net, &network, &own, beyond, [protocol, way, &port])?);
        }
    }
    all_keep_to_it(flows)
}

fn a_macvlan_keeps_to_it(t: &Test) -> Outcome {
    let net = Net::new(t)?;
    // The host itself is on the other end of the cable that the jails' interfaces are over.
    let cable = "ip link add near type veth peer name far; ip link set near up; ip link set far up; \
                 ip address add 10.92.0.1/24 dev far; ip address add fd00:92::1/64 dev far nodad";
    assert!(net.command(&["sh", "-c", cable])?.status()?.success());
    let mut flows = Vec::new();
    let six = [("tcp", "in"), ("udp", "out")];
    for (net_of, length, beyond, kinds) in
        [("10.92.0.", "/24", "10.92.0.1", &KINDS[..]), ("fd00:92::", "/64", "fd00:92::1", &six)]
    {
        for (protocol, way) in kinds {
            let own = format!("{net_of}{}", flows.len() + 10);
            let ip = format!("{own}{length}");
            let port = (7001 + flows.len()).to_string();
            let over = ["--network", "macvlan", "--set", "network.parent=near"];
            let network = [&over[..], &["--set", "network.probe=false", "--ip", &ip]].concat();
            flows.push(flow(&net, &network, &own, beyond, [protocol, way, &port])?);
        }
    }
    all_keep_to_it(flows)
}

/// Before Linux 6.6 the first question after programs at a link is answered with EINVAL.
fn a_kernel_without_programs_at_links_keeps_to_it(t: &Test) -> Outcome {
    let net = routing(t)?;
    let jaula = Jaula::binary()?.canonicalize()?;
    let jaula = jaula.to_str().ok_or("a path of bytes")?;
    let log = t.root().join("bpf").display().to_string();
    let rate = format!("{RATE}");
    let mut flows = Vec::new();
    for (n, (protocol, way)) in KINDS.into_iter().enumerate() {
        let (name, own, port) =
            (t.name(&format!("{protocol}{way}")), format!("10.90.0.{}", n + 10), (7001 + n).to_string());
        let limit = format!("network.rate.{way}=20mbit");
        let create =
            ["create", &name, "--root", "host", "--network", "routed", "--ip", &own, "--set", &limit];
        let made = net.jaula(&[&create[..], &["--", "sleep", "1000"]].concat())?;
        assert!(made.status.success(), "{made:?}");
        let under = ["strace", "-D", "-f", "-qq", "-o", &log, "-e", "trace=bpf"];
        let fault = ["-e", "inject=bpf:error=EINVAL:when=1"];
        let start = net.command(&[&under[..], &fault, &[jaula, "start", &name]].concat())?.status()?;
        assert!(start.success());
        let said = std::fs::read_to_string(&log)?;
        assert!(
            said.lines().any(|line| line.contains("BPF_PROG_QUERY") && line.contains("INJECTED")),
            "{said}"
        );
        let inside = |words: &[&str], says: &str| {
            net.going_on(&[&[jaula, "exec", &name, "--", "python3", "-c", FLOW], words].concat(), says)
        };
        let to = if way == "in" { own.as_str() } else { "192.0.2.11" };
        let flow = [protocol, to, &port, TIME, &rate];
        let (receive, send) = ([&["receive"], &flow[..]].concat(), [&["send"], &flow[..]].concat());
        let (receiver, sender) = if way == "in" {
            let receiver = inside(&receive, "ready")?;
            (receiver, end(&net, &[], &send, "begins")?)
        } else {
            let receiver = end(&net, &[], &receive, "ready")?;
            (receiver, inside(&send, "begins")?)
        };
        flows.push((format!("{protocol} {way}"), receiver, sender));
    }
    all_keep_to_it(flows)?;
    for (protocol, way) in KINDS {
        let stopped = net.jaula(&["stop", &t.name(&format!("{protocol}{way}"))])?;
        assert!(stopped.status.success(), "{stopped:?}");
    }
    Ok(())
}

/// A host that passes packets on.
fn routing(t: &Test) -> Outcome<Net<'_>> {
    let net = Net::new(t)?;
    let on = ["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"];
    assert!(net.command(&on)?.status()?.success());
    Ok(net)
}

fn a_network_of_its_own_keeps_to_it(t: &Test) -> Outcome {
    let net = routing(t)?;
    let rate_text = format!("{RATE}");
    let mut flows = Vec::new();
    let mut port = 7000;
    // What a packet socket sends passes no control group.
    let may = ["--set", "security.profile=server", "--set", "security.mount=false"];
    for (mode, beyond) in [("routed", "192.0.2.11"), ("bridge", "10.91.0.1")] {
        for (protocol, way) in
            [("tcp", "in"), ("tcp", "out"), ("udp", "in"), ("udp", "out"), ("frames", "out")]
        {
            port += 1;
            let (own, length) = match mode {
                "routed" => (format!("10.90.0.{}", port - 6990), ""),
                _ => (format!("10.91.0.{}", port - 6990), "/24"),
            };
            let (ip, port) = (format!("{own}{length}"), port.to_string());
            let limit = format!("network.rate.{way}=20mbit");
            let mut jail = vec!["--network", mode, "--ip", &ip, "--set", &limit];
            if protocol == "frames" {
                jail.extend(may);
            }
            let (to, receives, sends) =
                if way == "in" { (own.as_str(), &jail[..], &[][..]) } else { (beyond, &[][..], &jail[..]) };
            let flow = [protocol, to, &port, TIME, &rate_text];
            let receiver = || end(&net, receives, &[&["receive"], &flow[..]].concat(), "ready");
            let sender = || end(&net, sends, &[&["send"], &flow[..]].concat(), "begins");
            let what = format!("{mode} {protocol} {way}");
            flows.push((what, receiver()?, sender()?));
        }
    }
    all_keep_to_it(flows)
}

fn it_changes_on_the_jails_link(t: &Test) -> Outcome {
    let net = routing(t)?;
    changes(&net, &["--network", "routed", "--ip", "10.90.0.2"], "192.0.2.11")
}

fn it_changes_while_the_jail_runs(t: &Test) -> Outcome {
    let net = Net::new(t)?;
    net.long_packets_are_cut()?;
    changes(&net, &["--ip", "192.0.2.10"], "198.51.100.1")
}

/// A jail with this network sends to that address while its rate changes.
fn changes(net: &Net<'_>, network: &[&str], to: &str) -> Outcome {
    let create = ["create", "www", "--root", "host", "--set", "network.rate.out=4mbit"];
    let made = net.jaula(&[&create[..], network, &["--", "sleep", "1000"]].concat())?;
    assert!(made.status.success(), "{made:?}");
    let started = net.jaula(&["start", "www"])?;
    assert!(started.status.success(), "{started:?}");
    let measure = |port: &str| -> Outcome<f64> {
        let flow = ["udp", to, port, "4", "60e6"];
        let receiver = end(net, &[], &[&["receive"], &flow[..]].concat(), "ready")?;
        let words = [&["exec", "www", "--", "python3", "-c", FLOW, "send"], &flow[..]].concat();
        let sent = net.jaula(&words)?;
        assert!(sent.status.success(), "{sent:?}");
        rate(receiver)
    };
    let slow = measure("7001")?;
    assert!((slow / 4e6 - 1.0).abs() < 0.1, "{slow}");
    for (value, port, expected) in
        [("network.rate.out=24mbit", "7002", 24e6), ("network.rate=", "7003", 120e6)]
    {
        let set = net.jaula(&["set", "www", value])?;
        assert!(set.status.success() && !set.stderr.contains("next start"), "{set:?}");
        let measured = measure(port)?;
        // Without a limit the sender's own pace is the limit, and other tests may slow it down.
        let lowest = if expected > 100e6 { 0.3 } else { 0.9 };
        assert!((lowest..1.1).contains(&(measured / expected)), "{value}: {measured}");
    }
    let stopped = net.jaula(&["stop", "www"])?;
    assert!(stopped.status.success(), "{stopped:?}");
    Ok(())
}

fn the_plan_says_it(t: &Test) -> Outcome {
    let words = ["run", "--root", "host", "--network", "host", "--set", "network.rate.in=1mbit", "--dry-run"];
    let plan = t.jaula().run(&[&words[..], &["--", "true"]].concat())?;
    assert!(plan.stdout.contains("bpf: pass in 1mbit"), "{plan:?}");
    Ok(())
}
