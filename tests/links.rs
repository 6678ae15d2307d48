//! Jails with a network of their own, and addresses that come and go with them: real traffic between hosts that are
//! network namespaces, on a cable.

use crate::declared::until;
use jaula_tests::harness::{CLIENT, Cable, Outcome, Test, Victim, command, fault_at_every_call};
use jaula_tests::trials;
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("links": privileged [
        routed_jails_are_reached_from_everywhere,
        a_bridge_comes_with_the_first_jail_and_goes_with_the_last,
        a_bridge_of_the_host_stays,
        a_macvlan_is_a_host_of_the_net,
        addresses_come_and_go_with_the_jails_that_have_them,
        what_stands_between_is_cleared_away,
        a_run_that_is_killed_leaves_nothing_after_gc,
        an_interface_that_disappears,
        many_jails_with_an_address_each,
        what_is_wrong_is_said,
    ])
}

/// The host's address on the cable.
pub(crate) const HOST: &str = "192.0.2.2";

/// Sends an ICMP echo and waits for the answer; says from whom it came, or that none came.
const PING: &str = "
import socket, struct, sys, time
def sum16(b):
    s = sum(struct.unpack('!%dH' % (len(b) // 2), b))
    s = (s >> 16) + (s & 0xffff)
    return ~(s + (s >> 16)) & 0xffff
for ip in sys.argv[1:]:
    six = ':' in ip
    family, protocol = (socket.AF_INET6, 58) if six else (socket.AF_INET, 1)
    s = socket.socket(family, socket.SOCK_RAW, protocol)
    head = lambda c: struct.pack('!BBHHH', 128 if six else 8, 0, c, 77, 1)
    packet = head(0 if six else sum16(head(0) + b'abcdefgh')) + b'abcdefgh'
    said = 'nobody'
    for _ in range(20):
        s.settimeout(0.5)
        try:
            s.sendto(packet, (ip, 0))
            while True:
                answer, who = s.recvfrom(2000)
                if not six: answer = answer[(answer[0] & 15) * 4:]
                if answer[0] == (129 if six else 0) and answer[4:6] == packet[4:6]: break
            said = who[0]
            break
        except OSError as e: pass
    print(ip, said)
";

/// A host with jails on a cable, which passes packets on.
pub(crate) fn lay(t: &Test) -> Outcome<Cable<'_>> {
    let cable = Cable::lay(t, &[HOST, "2001:db8::2"])?;
    let on = "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding";
    cable.server(&["sh", "-c", on])?.ok()?;
    Ok(cable)
}

/// All that the host has of networks, in words.
pub(crate) fn look(cable: &Cable<'_>) -> Outcome<String> {
    let script = "ip -br link | awk '{print $1}'; ip -4 -o addr; ip -6 -o addr show scope global; ip route | sed 's/ linkdown//'; \
                  ip -6 route show proto 106; ip neigh show proxy; \
                  cd /proc/sys/net; cat ipv6/conf/all/proxy_ndp ipv[46]/neigh/cable/proxy_delay";
    cable.server(&["sh", "-c", script])?.ok()
}

/// A jail over the host's root that goes on; `options` say its network.
fn start(cable: &Cable<'_>, name: &str, options: &[&str]) -> Outcome {
    let raw = ["--set", "security.capabilities=+net_raw", "--set", "security.raw_sockets=true"];
    let create = [&["create", name, "--root", "host"], &raw[..]].concat();
    let command = ["--", "sleep", "1000"];
    cable.jaula().ok(&[&create[..], options, &command].concat())?;
    cable.jaula().ok(&["start", name]).map(drop)
}

/// Everybody answers, by the address that was asked.
fn answered(said: &str, addresses: &[&str]) {
    let expected: String = addresses.iter().map(|ip| format!("{ip} {ip}\n")).collect();
    assert_eq!(said, expected);
}

/// A jail pings these.
fn pings(cable: &Cable<'_>, name: &str, addresses: &[&str]) -> Outcome {
    let said = cable.jaula().ok(&[&["exec", name, "--", "python3", "-c", PING], addresses].concat())?;
    answered(&said, addresses);
    Ok(())
}

/// The host on the cable's other end pings these.
pub(crate) fn outside_pings(cable: &Cable<'_>, addresses: &[&str]) -> Outcome {
    answered(&cable.client(&[&["python3", "-c", PING], addresses].concat())?.ok()?, addresses);
    Ok(())
}

pub(crate) fn stopped(cable: &Cable<'_>, names: &[&str]) -> Outcome {
    cable.jaula().ok(&[&["stop"], names].concat()).map(drop)
}

pub(crate) fn routed_jails_are_reached_from_everywhere(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let before = look(&cable)?;
    let (one, two) = (t.name("one"), t.name("two"));
    start(&cable, &one, &["--network", "routed", "--ip", "192.0.2.10", "--ip", "2001:db8::10"])?;
    start(&cable, &two, &["--network", "routed", "--ip", "192.0.2.11", "--ip", "2001:db8::11"])?;
    // From the net around it, which finds it by the host's answers; from the other jail; and back.
    outside_pings(&cable, &["192.0.2.10", "2001:db8::10", "192.0.2.11", "2001:db8::11"])?;
    pings(
        &cable,
        &one,
        &["192.0.2.11", "2001:db8::11", HOST, "2001:db8::2", CLIENT, "2001:db8::1", "127.0.0.1"],
    )?;
    // A neighbour that asks whether he still has it, the way he knows, hears so.
    for ip in ["192.0.2.10", "2001:db8::10"] {
        cable.client(&["ip", "neigh", "change", ip, "dev", "cable", "nud", "probe"])?.ok()?;
        until("the answer to a neighbour", || {
            let known = cable.client(&["ip", "neigh", "show", ip]).ok()?.stdout;
            known.contains("REACHABLE").then_some(())
        })?;
    }
    let said = cable.server(&["python3", "-c", PING, "192.0.2.10", "2001:db8::10"])?.ok()?;
    answered(&said, &["192.0.2.10", "2001:db8::10"]);
    // It has the address alone, and no other of the net's is answered for.
    let inside = cable.jaula().ok(&["exec", &one, "--", "ip", "-o", "-4", "addr", "show", "dev", "eth0"])?;
    assert!(inside.contains("192.0.2.10/32"), "{inside}");
    assert_eq!(cable.server(&["ip", "neigh", "show", "proxy"])?.ok()?.lines().count(), 4);
    let plan = cable.jaula().ok(&["plan", &one])?;
    assert!(plan.contains("ip neighbour add proxy 192.0.2.10 dev cable"), "{plan}");
    stopped(&cable, &[&one, &two])?;
    assert_eq!(look(&cable)?, before);
    Ok(())
}

fn a_bridge_comes_with_the_first_jail_and_goes_with_the_last(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let before = look(&cable)?;
    let (one, two) = (t.name("one"), t.name("two"));
    let bridge = |n: u8| [format!("10.0.3.{n}/24"), format!("fd00:3::{n}/64")];
    for (name, n) in [(&one, 10), (&two, 11)] {
        let [four, six] = bridge(n);
        start(&cable, name, &["--network", "bridge", "--ip", &four, "--ip", &six])?;
    }
    pings(&cable, &one, &["10.0.3.11", "fd00:3::11", "10.0.3.1", "fd00:3::1", HOST])?;
    // Its hardware address is its own, and the same the next time.
    let address = "ip -o link show eth0 | sed 's/.*ether //; s/ .*//'";
    let mac = |name: &str| cable.jaula().ok(&["exec", name, "--", "sh", "-c", address]);
    let macs = [mac(&one)?, mac(&two)?];
    assert_ne!(macs[0], macs[1]);
    stopped(&cable, &[&one])?;
    cable.jaula().ok(&["start", &one])?;
    assert_eq!(mac(&one)?, macs[0]);
    pings(&cable, &two, &["10.0.3.10", "10.0.3.1"])?;
    stopped(&cable, &[&one, &two])?;
    assert_eq!(look(&cable)?, before);
    Ok(())
}

fn a_bridge_of_the_host_stays(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let make = "ip link add br0 type bridge && ip link set br0 up && ip address add 198.51.100.1/24 dev br0";
    cable.server(&["sh", "-c", make])?.ok()?;
    let before = look(&cable)?;
    let one = t.name("one");
    let set = ["--set", "network.parent=br0", "--set", "network.gateway=198.51.100.1"];
    let more = [
        "--set",
        "network.interface=venet0",
        "--set",
        "network.mac=02:00:5e:10:00:01",
        "--set",
        "network.mtu=1400",
    ];
    let options = [&["--network", "bridge", "--ip", "198.51.100.10/24"], &set[..], &more].concat();
    start(&cable, &one, &options)?;
    pings(&cable, &one, &["198.51.100.1", HOST])?;
    let link = cable.jaula().ok(&["exec", &one, "--", "ip", "link", "show", "venet0"])?;
    assert!(link.contains("02:00:5e:10:00:01") && link.contains("mtu 1400"), "{link}");
    stopped(&cable, &[&one])?;
    assert_eq!(look(&cable)?, before);
    Ok(())
}

fn a_macvlan_is_a_host_of_the_net(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let before = look(&cable)?;
    let (one, two) = (t.name("one"), t.name("two"));
    for (name, ip) in [(&one, "192.0.2.20/24"), (&two, "192.0.2.21/24")] {
        start(&cable, name, &["--network", "macvlan", "--set", "network.parent=cable", "--ip", ip])?;
    }
    outside_pings(&cable, &["192.0.2.20", "192.0.2.21"])?;
    pings(&cable, &one, &[CLIENT, "192.0.2.21"])?;
    stopped(&cable, &[&one, &two])?;
    assert_eq!(look(&cable)?, before);
    Ok(())
}

fn addresses_come_and_go_with_the_jails_that_have_them(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let before = look(&cable)?;
    let (one, two) = (t.name("one"), t.name("two"));
    let create = |name: &str, ips: &[&str]| {
        let ips: Vec<&str> = ips.iter().flat_map(|ip| ["--ip", ip]).collect();
        let command = ["--", "sleep", "1000"];
        cable.jaula().ok(&[&["create", name, "--root", "host"], &ips[..], &command].concat())?;
        cable.jaula().ok(&["start", name])
    };
    create(&one, &["192.0.2.30/24 dev cable", "2001:db8::30/64 dev cable"])?;
    // Also one that the host has: it is not jaula's to take away.
    create(&two, &["192.0.2.30/24 dev cable", "192.0.2.2/24 dev cable"])?;
    outside_pings(&cable, &["192.0.2.30", "2001:db8::30"])?;
    stopped(&cable, &[&one])?;
    let between = look(&cable)?;
    assert!(between.contains("192.0.2.30/24") && !between.contains("2001:db8::30"), "{between}");
    stopped(&cable, &[&two])?;
    assert_eq!(look(&cable)?, before);
    Ok(())
}

/// A keeper that is killed undoes nothing; `gc` does.
fn what_stands_between_is_cleared_away(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let before = look(&cable)?;
    let names = [t.name("one"), t.name("two"), t.name("three")];
    start(&cable, &names[0], &["--network", "routed", "--ip", "192.0.2.10", "--ip", "2001:db8::10"])?;
    start(&cable, &names[1], &["--network", "bridge", "--ip", "10.0.3.10/24"])?;
    let dev = ["--ip", "192.0.2.30/24 dev cable", "--", "sleep", "1000"];
    cable.jaula().ok(&[&["create", &names[2], "--root", "host"], &dev[..]].concat())?;
    cable.jaula().ok(&["start", &names[2]])?;
    let seen = cable.jaula().ok(&[&["list"], &names.each_ref().map(String::as_str)[..]].concat())?;
    for words in ["routed 192.0.2.10 +1 ", "bridge 10.0.3.10 ", "bind 192.0.2.30 "] {
        assert!(seen.contains(words), "{seen}");
    }
    let seen = cable.jaula().ok(&["status", &names[0]])?;
    assert!(seen.contains("network   routed 192.0.2.10, 2001:db8::10\n"), "{seen}");
    for name in &names {
        // Keeper first: it would undo what its jail had.
        let status = cable.jaula().json(&["status", name, "--json"])?;
        let status = &status[0];
        assert!(status["addresses"][0].is_string(), "{status}");
        for pid in [&status["keeper"]["pid"], &status["pid"]] {
            let pid = pid.as_i64().ok_or_else(|| format!("no pid in {status}"))?;
            command(&["kill", "-9", &pid.to_string()])?.ok()?;
        }
    }
    let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        cable.jaula().ok(&["gc"])?;
        let after = look(&cable)?;
        if after == before {
            return Ok(());
        }
        assert!(std::time::Instant::now() < until, "{after}\nbefore:\n{before}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn a_run_that_is_killed_leaves_nothing_after_gc(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let before = look(&cable)?;
    let name = t.name("victim");
    let before_it = ["run", "--name", &name, "--root", "host", "--network", "routed"];
    let words = [&before_it[..], &["--ip", "192.0.2.10", "--ip", "2001:db8::10", "--", "true"]].concat();
    let survived = fault_at_every_call(
        Victim::Main,
        || cable.jaula().command(&words),
        |done| {
            assert!(!done.stderr.contains("panicked"), "{done}");
            let until = std::time::Instant::now() + std::time::Duration::from_secs(5);
            loop {
                cable.jaula().ok(&["gc"])?;
                let after = look(&cable)?;
                if after == before {
                    return Ok(());
                }
                if std::time::Instant::now() > until {
                    return Err(format!("left: {after}").into());
                }
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
        },
    )?;
    assert!(survived.kills > 100, "{survived:?}");
    Ok(())
}

fn an_interface_that_disappears(t: &Test) -> Outcome {
    let cable = lay(t)?;
    cable.server(&["sh", "-c", "ip link add br0 type bridge; ip link set br0 up"])?.ok()?;
    let (one, two, three, four) = (t.name("one"), t.name("two"), t.name("three"), t.name("four"));
    start(&cable, &one, &["--network", "routed", "--ip", "192.0.2.10", "--ip", "2001:db8::10"])?;
    let dev = ["--ip", "192.0.2.30/24 dev cable", "--", "sleep", "1000"];
    cable.jaula().ok(&[&["create", &two, "--root", "host"], &dev[..]].concat())?;
    cable.jaula().ok(&["start", &two])?;
    let bridge = ["--network", "bridge", "--set", "network.parent=br0"];
    start(&cable, &three, &[&bridge[..], &["--ip", "198.51.100.10/24"]].concat())?;
    let macvlan = ["--network", "macvlan", "--set", "network.parent=cable"];
    start(&cable, &four, &[&macvlan[..], &["--ip", "192.0.2.20/24", "--ip", "2001:db8::20/64"]].concat())?;
    cable.server(&["sh", "-c", "ip link delete br0; ip link delete cable"])?.ok()?;
    // Its own link is still there, and nothing is in the way of its end.
    pings(&cable, &one, &["169.254.1.1", "127.0.0.1"])?;
    pings(&cable, &three, &["198.51.100.10", "127.0.0.1"])?;
    // That of a macvlan went with it.
    pings(&cable, &four, &["127.0.0.1"])?;
    let left = cable.jaula().ok(&["exec", &four, "--", "ip", "-br", "link"])?;
    assert_eq!(left.lines().count(), 1, "{left}");
    stopped(&cable, &[&one, &two, &three, &four])?;
    let left = cable.server(&["ip", "-br", "link"])?.ok()?;
    assert_eq!(left.lines().count(), 1, "{left}");
    for (name, device) in [(&two, "cable"), (&three, "br0"), (&four, "cable")] {
        let why = cable.jaula().fails(&["start", name])?;
        assert!(why.contains(&format!("no interface {device}")), "{why}");
    }
    Ok(())
}

fn many_jails_with_an_address_each(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let before = look(&cable)?;
    let names: Vec<String> = (0..40).map(|n| t.name(&format!("many{n}"))).collect();
    for (n, name) in names.iter().enumerate() {
        start(&cable, name, &["--network", "routed", "--ip", &format!("192.0.2.{}", 100 + n)])?;
    }
    let all: Vec<String> = (0..40).map(|n| format!("192.0.2.{}", 100 + n)).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    outside_pings(&cable, &all)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    stopped(&cable, &names)?;
    assert_eq!(look(&cable)?, before);
    Ok(())
}

fn what_is_wrong_is_said(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let before = look(&cable)?;
    let run = |options: &[&str]| {
        cable.jaula().fails(&[&["run", "--root", "host"], options, &["--", "true"]].concat())
    };
    for (options, why) in [
        (vec!["--network", "routed", "--ip", HOST], "is the host's own"),
        (vec!["--network", "routed", "--ip", "192.0.2.9/24"], "a routed address is for one host"),
        (vec!["--network", "routed", "--ip", "192.0.2.9 dev none0"], "no interface none0"),
        (vec!["--network", "macvlan"], "needs the interface below"),
        (vec!["--network", "bridge", "--set", "network.parent=cable"], "cable is no bridge"),
        (vec!["--network", "bridge", "--set", "network.addresses=dhcp"], "virtual servers"),
        (vec!["--ip", "192.0.2.9/24"], "no interface to put the address on"),
    ] {
        let said = run(&options)?;
        assert!(said.contains(why) && said.contains("help: "), "{options:?}: {said}");
    }
    // An address that a jail has is no other's.
    let one = t.name("one");
    start(&cable, &one, &["--network", "routed", "--ip", "192.0.2.10"])?;
    let said = run(&["--network", "routed", "--ip", "192.0.2.10"])?;
    assert!(said.contains("192.0.2.10") && said.contains("help: "), "{said}");
    outside_pings(&cable, &["192.0.2.10"])?;
    stopped(&cable, &[&one])?;
    cable.server(&["sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward"])?.ok()?;
    let said = run(&["--network", "routed", "--ip", "192.0.2.9"])?;
    assert!(said.contains("forwards no IPv4 packets"), "{said}");
    assert_eq!(look(&cable)?, before);
    Ok(())
}
