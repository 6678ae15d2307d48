//! `network.rate`: what comes through of more than is allowed, measured with real flows.

use crate::bind::{GoingOn, Net};
use jaula_tests::harness::{Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("rate": privileged [
        streams_and_datagrams_keep_to_it,
        it_changes_while_the_jail_runs,
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
    for (what, receiver, _sender) in flows {
        let measured = rate(receiver)?;
        assert!((measured / RATE - 1.0).abs() < 0.1, "{what}: {measured:.0} bits a second of {RATE:.0}");
    }
    Ok(())
}

fn it_changes_while_the_jail_runs(t: &Test) -> Outcome {
    let net = Net::new(t)?;
    net.long_packets_are_cut()?;
    let made = net.jaula(&[
        "create",
        "www",
        "--root",
        "host",
        "--ip",
        "192.0.2.10",
        "--set",
        "network.rate.out=4mbit",
        "--",
        "sleep",
        "1000",
    ])?;
    assert!(made.status.success(), "{made:?}");
    let started = net.jaula(&["start", "www"])?;
    assert!(started.status.success(), "{started:?}");
    let measure = |port: &str| -> Outcome<f64> {
        let flow = ["udp", "198.51.100.1", port, "4", "60e6"];
        let receiver = end(&net, &[], &[&["receive"], &flow[..]].concat(), "ready")?;
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
