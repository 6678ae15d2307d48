//! Addresses that another machine on the net has, and word to the net of those that a jail has now.

use crate::declared::until;
use crate::links::{lay, look, stopped};
use jaula_tests::harness::{CLIENT, Cable, Jaula, Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("neighbours": privileged [
        an_address_of_another_machine_is_refused,
        an_address_that_another_host_answers_for_is_refused,
        a_router_that_answers_for_all_is_no_owner,
        an_address_that_is_free_is_taken,
        who_knew_another_machine_learns_anew,
        a_machine_that_takes_an_address_later,
    ])
}

/// The hardware address of the cable's end, as `ip link` of that host says it.
const MAC: &str = "ip -o link show cable | sed 's/.*ether //; s/ .*//'";

/// The other machine has these.
fn give(cable: &Cable<'_>, addresses: &[&str]) -> Outcome {
    for address in addresses {
        let nodad = if address.contains(':') { &["nodad"][..] } else { &[] };
        cable.client(&[&["ip", "address", "add", address, "dev", "cable"], nodad].concat())?.ok()?;
    }
    Ok(())
}

fn an_address_of_another_machine_is_refused(t: &Test) -> Outcome {
    let cable = lay(t)?;
    give(&cable, &["192.0.2.30/24", "2001:db8::30/64"])?;
    let owner = cable.client(&["sh", "-c", MAC])?.ok()?;
    let owner = owner.trim();
    let refused = |options: &[&str], ip: &str, device: &str| {
        let before = look(&cable)?;
        let said = cable.jaula().fails(&[&["run", "--root", "host"], options, &["--", "true"]].concat())?;
        let line = format!(
            "{ip} is taken: the machine with the hardware address {owner} has it, on the net of {device}"
        );
        assert!(said.contains(&line) && said.contains("help: "), "{options:?}: {said}");
        assert_eq!(look(&cable)?, before, "{options:?}");
        Ok::<(), jaula_tests::harness::Stop>(())
    };
    refused(&["--ip", "192.0.2.30/24 dev cable"], "192.0.2.30", "cable")?;
    // One that is free does not hide one that is not.
    let both = ["--ip", "192.0.2.31/24 dev cable", "--ip", "2001:db8::30/64 dev cable"];
    refused(&both, "2001:db8::30", "cable")?;
    for ip in ["192.0.2.30", "2001:db8::30"] {
        refused(&["--network", "routed", "--ip", ip], ip, "cable")?;
    }
    let macvlan = ["--network", "macvlan", "--set", "network.parent=cable", "--ip"];
    refused(&[&macvlan[..], &["192.0.2.30/24"]].concat(), "192.0.2.30", "cable")?;
    refused(&[&macvlan[..], &["2001:db8::30/64"]].concat(), "2001:db8::30", "cable")?;
    // A jail that was made before is not started either, and says why.
    let name = t.name("late");
    let dev = ["--ip", "192.0.2.30/24 dev cable", "--", "sleep", "1000"];
    cable.jaula().ok(&[&["create", &name, "--root", "host"], &dev[..]].concat())?;
    let said = cable.jaula().fails(&["start", &name])?;
    assert!(said.contains("192.0.2.30 is taken") && said.contains(owner), "{said}");
    // Who knows better says so.
    cable.jaula().ok(&["set", &name, "network.probe=false"])?;
    cable.jaula().ok(&["start", &name])?;
    stopped(&cable, &[&name])?;
    // On the other side of a bridge.
    cable
        .server(&[
            "sh",
            "-c",
            "ip link add br0 type bridge; ip link set cable master br0; ip link set br0 up",
        ])?
        .ok()?;
    let bridge = ["--network", "bridge", "--set", "network.parent=br0", "--ip"];
    refused(&[&bridge[..], &["192.0.2.30/24"]].concat(), "192.0.2.30", "br0")?;
    refused(&[&bridge[..], &["2001:db8::30/64"]].concat(), "2001:db8::30", "br0")
}

/// Two hosts, and the same routed jail on both.
fn an_address_that_another_host_answers_for_is_refused(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let forwards = "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding";
    cable.client(&["sh", "-c", forwards])?.ok()?;
    let owner = cable.client(&["sh", "-c", MAC])?.ok()?;
    let owner = owner.trim();
    let (first, second) = (cable.jaula_of_client(), cable.jaula());
    let (four, six) = (["--ip", "192.0.2.10"], ["--ip", "2001:db8::10"]);
    let (there, here) = (t.name("there"), t.name("here"));
    let create = |jaula: &Jaula, name: &str, ips: &[&str]| {
        let before = ["create", name, "--root", "host", "--network", "routed"];
        jaula.ok(&[&before[..], ips, &["--", "sleep", "1000"]].concat())
    };
    let both = [four, six].concat();
    create(&first, &there, &both)?;
    first.ok(&["start", &there])?;
    let before = look(&cable)?;
    let macvlan = ["--network", "macvlan", "--set", "network.parent=cable", "--ip"];
    for (options, ip, how) in [
        ([&["--network", "routed"], &four[..]].concat(), "192.0.2.10", "answers for it"),
        ([&["--network", "routed"], &six[..]].concat(), "2001:db8::10", "has it"),
        (vec!["--ip", "192.0.2.10/24 dev cable"], "192.0.2.10", "answers for it"),
        ([&macvlan[..], &["192.0.2.10/24"]].concat(), "192.0.2.10", "answers for it"),
        ([&macvlan[..], &["2001:db8::10/64"]].concat(), "2001:db8::10", "has it"),
    ] {
        let said = second.fails(&[&["run", "--root", "host"], &options[..], &["--", "true"]].concat())?;
        let line = format!(
            "{ip} is taken: the machine with the hardware address {owner} {how}, on the net of cable"
        );
        assert!(said.contains(&line) && said.contains("help: "), "{options:?}: {said}");
        assert_eq!(look(&cable)?, before, "{options:?}");
    }
    create(&second, &here, &both)?;
    second.fails(&["start", &here])?;
    // Who knows better says so.
    second.ok(&["set", &here, "network.probe=false"])?;
    second.ok(&["start", &here])?;
    second.ok(&["stop", &here])?;
    // The one has gone, and the other may come.
    first.ok(&["stop", &there])?;
    second.ok(&["set", &here, "network.probe=true"])?;
    second.ok(&["start", &here])?;
    second.ok(&["stop", &here])?;
    assert_eq!(look(&cable)?, before);
    Ok(())
}

/// As where machines of one net are kept apart and reach each other by the router alone.
fn a_router_that_answers_for_all_is_no_owner(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let answers = "cd /proc/sys/net/ipv4; echo 1 > ip_forward; echo 1 > conf/cable/proxy_arp_pvlan; \
                   echo 0 > neigh/cable/proxy_delay";
    cable.client(&["sh", "-c", answers])?.ok()?;
    let run = ["run", "--root", "host", "--network", "routed", "--ip", "192.0.2.30", "--", "echo", "fine"];
    // A machine like others that does so is in the way.
    let said = cable.jaula().fails(&run)?;
    assert!(said.contains("192.0.2.30 is taken") && said.contains("answers for it"), "{said}");
    cable.server(&["ip", "route", "add", "default", "via", CLIENT])?.ok()?;
    let before = look(&cable)?;
    assert_eq!(cable.jaula().ok(&run)?, "fine\n");
    // One address that the router has itself is its own.
    give(&cable, &["192.0.2.30/24"])?;
    let said = cable.jaula().fails(&run)?;
    assert!(said.contains("192.0.2.30 is taken") && said.contains("has it"), "{said}");
    assert_eq!(look(&cable)?, before);
    Ok(())
}

fn an_address_that_is_free_is_taken(t: &Test) -> Outcome {
    let cable = lay(t)?;
    // The one next to it.
    give(&cable, &["192.0.2.31/24", "2001:db8::31/64"])?;
    cable.server(&["sh", "-c", "ip link add br0 type bridge; ip link set br0 up"])?.ok()?;
    let before = look(&cable)?;
    let run = |options: &[&str]| {
        let done =
            cable.jaula().ok(&[&["run", "--root", "host"], options, &["--", "echo", "fine"]].concat())?;
        assert_eq!(done, "fine\n", "{options:?}");
        assert_eq!(look(&cable)?, before, "{options:?}");
        Ok::<(), jaula_tests::harness::Stop>(())
    };
    run(&["--ip", "192.0.2.30/24 dev cable", "--ip", "2001:db8::30/64 dev cable"])?;
    run(&["--network", "routed", "--ip", "192.0.2.30", "--ip", "2001:db8::30"])?;
    run(&["--network", "macvlan", "--set", "network.parent=cable", "--ip", "192.0.2.30/24"])?;
    // Where nobody is, nobody answers.
    run(&["--ip", "198.51.100.7/32 dev br0", "--ip", "2001:db8:7::7/128 dev br0"])?;
    // Of the host's own addresses nobody else is asked, and other jails of it have the same.
    let (one, two) = (t.name("one"), t.name("two"));
    let dev = ["--ip", "192.0.2.30/24 dev cable", "--", "sleep", "1000"];
    for name in [&one, &two] {
        cable.jaula().ok(&[&["create", name, "--root", "host"], &dev[..]].concat())?;
        cable.jaula().ok(&["start", name])?;
    }
    let plan = cable.jaula().ok(&["plan", &one])?;
    assert!(plan.contains("ask who has 192.0.2.30 dev cable"), "{plan}");
    assert!(plan.contains("announce 192.0.2.30 dev cable"), "{plan}");
    stopped(&cable, &[&one, &two])?;
    assert_eq!(look(&cable)?, before);
    Ok(())
}

/// The jail was on another host until now: the machine that looks knows the address by that one's hardware address, and
/// says nothing of its own that would tell it better.
fn who_knew_another_machine_learns_anew(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let before = look(&cable)?;
    let of_host = cable.server(&["sh", "-c", MAC])?.ok()?;
    let of_host = of_host.trim();
    let (four, six) = ("192.0.2.30", "2001:db8::30");
    let (four_net, six_net) = (format!("{four}/24"), format!("{six}/64"));
    let (four_dev, six_dev) = (format!("{four_net} dev cable"), format!("{six_net} dev cable"));
    let own = "02:00:5e:10:00:07";
    let set = ["--set", "network.parent=cable", "--set", "network.mac=02:00:5e:10:00:07"];
    let macvlan = [&["--network", "macvlan"], &set[..], &["--ip", &four_net, "--ip", &six_net]].concat();
    for (mode, options, mac) in [
        ("bind", vec!["--ip", &four_dev, "--ip", &six_dev], of_host),
        ("routed", vec!["--network", "routed", "--ip", four, "--ip", six], of_host),
        ("macvlan", macvlan, own),
    ] {
        for ip in [four, six] {
            let former = ["lladdr", "02:00:5e:10:00:99", "dev", "cable", "nud", "stale"];
            cable.client(&[&["ip", "neigh", "replace", ip], &former[..]].concat())?.ok()?;
        }
        let name = t.name(mode);
        let create = [&["create", &name, "--root", "host"], &options[..], &["--", "sleep", "1000"]].concat();
        cable.jaula().ok(&create)?;
        cable.jaula().ok(&["start", &name])?;
        for ip in [four, six] {
            let known = || cable.client(&["ip", "neigh", "show", ip]).ok()?.ok().ok();
            until(&format!("{ip} of {mode} at {mac}: {:?}", known()), || {
                known().filter(|line| line.contains(mac)).map(drop)
            })?;
        }
        stopped(&cable, &[&name])?;
    }
    assert_eq!(look(&cable)?, before);
    Ok(())
}

/// It is in nobody's power to keep another machine from taking an address. The jail goes on, and what it has of the host
/// goes with it; the next start sees the machine.
fn a_machine_that_takes_an_address_later(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let owner = cable.client(&["sh", "-c", MAC])?.ok()?;
    let owner = owner.trim();
    let on_bridge = "ip link add br0 type bridge; ip link set cable master br0; ip link set br0 up";
    for (mode, device, options, ips) in [
        ("bind", "cable", vec![], ["192.0.2.30/24 dev cable", "2001:db8::30/64 dev cable"]),
        ("routed", "cable", vec!["--network", "routed"], ["192.0.2.30", "2001:db8::30"]),
        ("macvlan", "cable", vec!["--network", "macvlan", "--set", "network.parent=cable"], NETS),
        ("bridge", "br0", vec!["--network", "bridge", "--set", "network.parent=br0"], NETS),
    ] {
        if mode == "bridge" {
            cable.server(&["sh", "-c", on_bridge])?.ok()?;
        }
        let before = look(&cable)?;
        let name = t.name(mode);
        let create = [&["create", &name, "--root", "host"], &options[..], &["--ip", ips[0], "--ip", ips[1]]];
        cable.jaula().ok(&[&create.concat()[..], &["--", "sleep", "1000"]].concat())?;
        cable.jaula().ok(&["start", &name])?;
        give(&cable, &NETS)?;
        cable.jaula().ok(&["exec", &name, "--", "true"])?;
        stopped(&cable, &[&name])?;
        assert_eq!(look(&cable)?, before, "{mode}");
        let said = cable.jaula().fails(&["start", &name])?;
        let line = format!("the machine with the hardware address {owner} has it, on the net of {device}");
        assert!(said.contains(&line), "{mode}: {said}");
        for ip in NETS {
            cable.client(&["ip", "address", "delete", ip, "dev", "cable"])?.ok()?;
        }
        cable.jaula().ok(&["start", &name])?;
        stopped(&cable, &[&name])?;
        assert_eq!(look(&cable)?, before, "{mode}");
    }
    Ok(())
}

/// What both want.
const NETS: [&str; 2] = ["192.0.2.30/24", "2001:db8::30/64"];
