//! What the host does to what jails send: its switches, rules of others, and what others do to those of jaula.

use super::{ANSWER, HOST, JAIL, host, lay, start};
use crate::declared::until;
use jaula_tests::harness::{CLIENT, Cable, Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;

pub(super) fn trials() -> Vec<Trial> {
    trials!("firewall": privileged [
        a_chain_that_drops_is_named_with_what_mends_it,
        a_chain_that_ends_by_rejecting_is_named,
        rules_of_iptables_legacy_are_seen,
        a_last_rule_of_iptables_legacy_is_seen,
        chains_of_docker_are_named_as_docker_wants_it,
        switches_are_set_and_noted,
        a_strict_source_filter_is_no_fault,
        flushed_rules_come_back,
        rules_of_another_namespace_are_not_missed_here,
        the_next_start_makes_the_table_whole,
        a_jail_leaves_a_table_that_others_have_damaged,
    ])
}

const IDLE: &str = "import time; time.sleep(600)";

/// What `doctor` says of something.
fn row(cable: &Cable<'_>, words: &[&str], what: &str) -> Outcome<serde_json::Value> {
    let found = cable.jaula().json(&[&["doctor", "--json"], words].concat())?;
    let rows = found.as_array().ok_or("no list")?;
    let row = rows.iter().find(|row| row["what"].as_str().is_some_and(|is| is.contains(what)));
    Ok(row.cloned().unwrap_or_default())
}

fn text<'a>(row: &'a serde_json::Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}

/// Connects once and says what is heard.
const TRY: &str =
    "import socket, sys\nprint(socket.create_connection((sys.argv[1], 80), 1).recv(99).decode())";

fn a_chain_that_drops_is_named_with_what_mends_it(t: &Test) -> Outcome {
    let chain = "nft add table inet filter && \
                nft add chain inet filter forward '{ type filter hook forward priority 0; policy drop; }'";
    is_named_and_mended(t, chain, "chain forward of table inet filter")
}

/// firewalld's chain accepts by its policy, and ends with a rule that rejects.
fn a_chain_that_ends_by_rejecting_is_named(t: &Test) -> Outcome {
    let chain = "nft add table inet firewalld && nft add chain inet firewalld filter_FORWARD \
                '{ type filter hook forward priority 10; policy accept; }' && \
                nft add rule inet firewalld filter_FORWARD ct state established,related accept && \
                nft add rule inet firewalld filter_FORWARD ct state invalid drop && \
                nft add rule inet firewalld filter_FORWARD reject with icmpx admin-prohibited";
    is_named_and_mended(t, chain, "chain filter_FORWARD of table inet firewalld")
}

fn rules_of_iptables_legacy_are_seen(t: &Test) -> Outcome {
    let what = "chain FORWARD of table ip filter of iptables-legacy";
    is_named_and_mended(t, "iptables-legacy -w -P FORWARD DROP", what)
}

fn a_last_rule_of_iptables_legacy_is_seen(t: &Test) -> Outcome {
    let rules = "iptables-legacy -w -N MINE; iptables-legacy -w -A FORWARD -i lo -j ACCEPT; iptables-legacy -w -A FORWARD -j REJECT";
    is_named_and_mended(t, rules, "chain FORWARD of table ip filter of iptables-legacy")
}

/// A jail that these rules of the host's hold up is told so, and the command that is told lets it through.
fn is_named_and_mended(t: &Test, rules: &str, what: &str) -> Outcome {
    let cable = lay(t)?;
    host(&cable, &["sh", "-ec", rules])?.ok()?;
    let mut server = cable.client_command(&["python3", "-c", ANSWER]).spawn()?;
    let tried = (|| -> Outcome {
        let jaula = cable.jaula();
        let addresses = format!("network.addresses=[\"{JAIL}\"]");
        start(&jaula, "held", &[&addresses], IDLE)?;
        let inside = ["exec", "held", "--", "python3", "-c", TRY, CLIENT];
        assert!(!jaula.run(&inside)?.status.success(), "the chain drops it");
        let found = row(&cable, &[], what)?;
        assert_eq!(
            (text(&found, "verdict"), text(&found, "why").contains("jail held")),
            ("warning", true),
            "{found}"
        );
        jaula.run(&["stop", "held"])?.ok()?;
        let said = jaula.run(&["start", "held"])?;
        let mend = text(&found, "mend");
        assert!(said.stderr.contains(&format!("{what} drops")) && said.stderr.contains(mend), "{said}");
        // What is said to mend it does, and nothing is said any more.
        host(&cable, &["sh", "-c", mend])?.ok()?;
        assert_eq!(jaula.run(&inside)?.ok()?, format!("{HOST}\n"));
        assert_eq!(text(&row(&cable, &[], what)?, "verdict"), "ok");
        jaula.run(&["stop", "held"])?.ok()?;
        let said = jaula.run(&["start", "held"])?;
        assert!(said.status.success() && said.stderr.is_empty(), "{said}");
        jaula.run(&["stop", "held"])?.ok().map(drop)
    })();
    server.kill()?;
    server.wait()?;
    tried
}

fn chains_of_docker_are_named_as_docker_wants_it(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let jaula = cable.jaula();
    let docker = "nft add table ip filter && nft add chain ip filter DOCKER-USER && \
                  nft add chain ip filter FORWARD '{ type filter hook forward priority 0; policy drop; }' && \
                  nft add rule ip filter FORWARD jump DOCKER-USER";
    host(&cable, &["sh", "-c", docker])?.ok()?;
    let run = |keys: &[&str]| -> Outcome<String> {
        let keys: Vec<&str> = keys.iter().flat_map(|key| ["--set", *key]).collect();
        let done = jaula.run(&[&["run", "--root", "host"], &keys[..], &["--", "true"]].concat())?;
        assert!(done.status.success(), "{done}");
        Ok(done.stderr)
    };
    let said = run(&["network.mode=routed", "network.addresses=[\"10.90.0.2\"]"])?;
    assert!(said.contains("iptables -I DOCKER-USER -i j"), "{said}");
    let said = run(&["network.mode=bridge", "network.addresses=[\"10.91.0.2/24\"]"])?;
    assert!(said.contains("iptables -I DOCKER-USER -i jaula-"), "{said}");
    // It is IPv4's, and nobody's who has no such link.
    host(&cable, &["sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding"])?.ok()?;
    assert_eq!(run(&["network.mode=routed", "network.addresses=[\"fd00:90::2\"]"])?, "");
    assert_eq!(run(&["network.mode=none"])?, "");
    Ok(())
}

/// A router says that it is one.
const ADVERTISE: &str = "import socket, struct\n\
    s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58)\n\
    s.setsockopt(41, socket.IPV6_MULTICAST_HOPS, 255)\n\
    s.setsockopt(41, socket.IPV6_MULTICAST_IF, socket.if_nametoindex('cable'))\n\
    s.sendto(struct.pack('!BBHBBHII', 134, 0, 0, 64, 0, 1800, 0, 0), ('ff02::1', 0))";

fn switches_are_set_and_noted(t: &Test) -> Outcome {
    let cable = Cable::lay(t, &[HOST])?;
    let jaula = cable.jaula();
    let read = |name: &str| -> Outcome<String> {
        Ok(host(&cable, &["cat", &format!("/proc/sys/net/{name}")])?.ok()?.trim().to_owned())
    };
    let (four, six, led) = ("ipv4/ip_forward", "ipv6/conf/all/forwarding", "ipv6/conf/cable/accept_ra");
    // Nobody needs them: they stay.
    let off = "echo 0 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv6/conf/all/forwarding; \
               echo 1 > /proc/sys/net/ipv6/conf/cable/accept_ra";
    host(&cable, &["sh", "-c", off])?.ok()?;
    assert_eq!(text(&row(&cable, &["--fix"], "net.ipv4.ip_forward")?, "verdict"), "ok");
    assert_eq!((read(four)?, read(six)?), ("0".to_owned(), "0".to_owned()));
    assert!(!t.root().join("etc/sysctl.d").exists());

    // A jail that needs them is refused while they are off; somebody switched them off since.
    cable.forwards()?;
    let keys = ["--set", "network.mode=routed", "--set", "network.addresses=[\"10.90.0.2\", \"fd00:90::2\"]"];
    jaula.run(&[&["create", "far", "--root", "host"], &keys[..], &["--", "true"]].concat())?.ok()?;
    host(&cable, &["sh", "-c", off])?.ok()?;
    let mut heard = false;
    for _ in 0..100 {
        cable.client(&["python3", "-c", ADVERTISE])?.ok()?;
        heard = host(&cable, &["ip", "-6", "route"])?.ok()?.contains("proto ra");
        if heard {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(heard, "the router is not heard");
    let found = row(&cable, &[], "net.ipv6.conf.all.forwarding")?;
    let mend = "sysctl -w net.ipv6.conf.cable.accept_ra=2 net.ipv6.conf.all.forwarding=1";
    assert_eq!((text(&found, "verdict"), text(&found, "mend")), ("warning", mend), "{found}");
    let found = row(&cable, &[], "net.ipv4.ip_forward")?;
    assert_eq!(
        (text(&found, "verdict"), text(&found, "mend")),
        ("warning", "sysctl -w net.ipv4.ip_forward=1")
    );
    assert!(text(&found, "why").contains("jail far"), "{found}");

    let fixed = row(&cable, &["--fix"], "net.ipv4.ip_forward")?;
    assert_eq!(text(&fixed, "verdict"), "ok");
    assert!(
        text(&fixed, "fixed").contains("set net.ipv4.ip_forward=1 (was 0), for each boot in "),
        "{fixed}"
    );
    assert_eq!([read(four)?, read(six)?, read(led)?], ["1", "1", "2"]);
    let noted = std::fs::read_to_string(t.root().join("etc/sysctl.d/60-jaula.conf"))?;
    let lines: Vec<&str> = noted.lines().skip(1).collect();
    let all =
        ["net.ipv4.ip_forward = 1", "net.ipv6.conf.cable.accept_ra = 2", "net.ipv6.conf.all.forwarding = 1"];
    assert_eq!(lines, all);
    jaula.run(&["start", "far"])?.ok()?;
    Ok(())
}

fn a_strict_source_filter_is_no_fault(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let jaula = cable.jaula();
    let set = |value: &str| {
        let all =
            format!("for i in all default; do echo {value} > /proc/sys/net/ipv4/conf/$i/rp_filter; done");
        host(&cable, &["sh", "-c", &all])?.ok()
    };
    set("1")?;
    let addresses = format!("network.addresses=[\"{JAIL}\"]");
    start(&jaula, "www", &[&addresses, "network.forward=[\"tcp 8080 -> 80\"]"], ANSWER)?;
    let heard = cable.client(&["python3", "-c", super::HEAR, HOST, "8080"])?.ok()?;
    assert_eq!(heard, format!("{CLIENT}\n"));
    assert_eq!(text(&row(&cable, &[], "rp_filter")?, "verdict"), "ok");
    // Without it, and without a guard, a jail takes any name.
    set("0")?;
    assert_eq!(text(&row(&cable, &[], "rp_filter")?, "verdict"), "ok");
    jaula.run(&["set", "www", "network.guard=false"])?;
    jaula.run(&["stop", "www"])?.ok()?;
    assert_eq!(text(&row(&cable, &[], "rp_filter")?, "verdict"), "warning");
    let fixed = row(&cable, &["--fix"], "rp_filter")?;
    assert!(text(&fixed, "fixed").contains("net.ipv4.conf.default.rp_filter=1 (was 0)"), "{fixed}");
    Ok(())
}

/// What somebody may do to the table, whose parts hold each other: a chain to which a rule jumps, and a set into
/// which one looks, cannot be deleted before the rule.
const HARMS: [&str; 14] = [
    "nft flush ruleset",
    "nft delete table inet jaula",
    "nft delete table netdev jaula",
    "nft flush table inet jaula",
    "nft flush chain netdev jaula guard",
    "nft flush chain inet jaula postrouting; nft delete chain inet jaula postrouting",
    "nft flush chain inet jaula prerouting; nft flush chain inet jaula output; nft flush chain inet jaula forwards; \
     nft delete chain inet jaula forwards",
    "nft flush chain inet jaula forwards; nft delete map inet jaula any4",
    "nft flush chain inet jaula sources; nft delete set inet jaula masquerade4",
    "nft flush chain inet jaula connections; nft delete set inet jaula limited4",
    "nft delete set inet jaula jails",
    "nft flush table netdev jaula; nft delete set netdev jaula from4",
    "nft flush chain netdev jaula LINK; nft flush chain netdev jaula OTHER; nft flush chain netdev jaula guard; \
     nft delete chain netdev jaula guard",
    "nft flush table inet jaula; nft flush table netdev jaula; \
     nft delete set inet jaula jails; nft delete chain inet jaula input; nft delete set netdev jaula from6",
];

/// Two jails with all that the table can have of one.
struct Two<'t> {
    cable: Cable<'t>,
    /// All rules, as they should be.
    before: String,
    links: Vec<String>,
}

impl<'t> Two<'t> {
    fn start(t: &'t Test) -> Outcome<Self> {
        let cable = lay(t)?;
        let jaula = cable.jaula();
        for (name, address, port) in [("one", "10.90.0.2", 8080), ("two", "10.90.0.3", 8081)] {
            let keys = [
                format!("network.addresses=[\"{address}\"]"),
                format!("network.forward=[\"tcp {port} -> 80\", \"tcp {HOST}:{} -> 80\"]", port + 1000),
                "network.connections=9".to_owned(),
            ];
            start(&jaula, name, &[&keys[0], &keys[1], &keys[2]], IDLE)?;
        }
        let before = rules(&cable)?;
        let link =
            |line: &str| Some(format!("j{}", line.trim().strip_prefix("chain j")?.strip_suffix(" {")?));
        let links = before.lines().filter_map(link).collect();
        Ok(Self { cable, before, links })
    }

    /// Does this harm, which is seen.
    fn harm(&self, harm: &str) -> Outcome {
        let [link, other] = &self.links[..] else { return Err("no chains of links".into()) };
        let harm = harm.replace("LINK", link).replace("OTHER", other);
        host(&self.cable, &["sh", "-ec", &harm])?.ok()?;
        assert_ne!(rules(&self.cable)?, self.before, "{harm}");
        Ok(())
    }

    /// All is as it was.
    fn is_whole(&self, harm: &str) -> Outcome {
        assert_eq!(sorted(&rules(&self.cable)?), sorted(&self.before), "{harm}");
        Ok(())
    }
}

fn rules(cable: &Cable<'_>) -> Outcome<String> {
    host(cable, &["nft", "list", "ruleset"])?.ok()
}

/// Who looks from another network namespace finds no table there, and makes none.
fn rules_of_another_namespace_are_not_missed_here(t: &Test) -> Outcome {
    let two = Two::start(t)?;
    assert_eq!(two.cable.jaula_elsewhere().run(&["gc"])?.ok()?, "", "nothing is missing");
    assert_eq!(two.cable.client(&["nft", "list", "ruleset"])?.ok()?, "");
    two.is_whole("gc elsewhere")?;
    two.harm("nft flush ruleset")?;
    assert_eq!(two.cable.jaula_elsewhere().run(&["gc"])?.ok()?, "", "it is not seen from there");
    assert!(two.cable.jaula().run(&["gc"])?.ok()?.contains("put back"));
    two.is_whole("gc after a flush")?;
    two.cable.jaula().run(&["stop", "--all"])?.ok().map(drop)
}

fn flushed_rules_come_back(t: &Test) -> Outcome {
    let two = Two::start(t)?;
    let cable = &two.cable;
    let jaula = cable.jaula();
    assert_eq!(jaula.run(&["gc"])?.ok()?, "", "all is there");
    assert_eq!(text(&row(cable, &[], "table jaula")?, "verdict"), "ok");
    // What a jail has in it, beside the table itself.
    let elements = [
        "nft flush chain netdev jaula LINK",
        "nft flush chain netdev jaula LINK; nft delete chain netdev jaula LINK",
        "nft flush set inet jaula masquerade4",
        "nft flush map inet jaula at4",
    ];
    for harm in HARMS.iter().chain(&elements) {
        two.harm(harm)?;
        let harmed = rules(cable)?;
        let found = row(cable, &[], "table jaula")?;
        assert_eq!(
            (text(&found, "verdict"), text(&found, "mend")),
            ("warning", "jaula gc"),
            "{harm}: {found}"
        );
        assert!(jaula.run(&["gc", "--dry-run"])?.ok()?.contains("firewall"), "{harm}");
        assert_eq!(rules(cable)?, harmed, "{harm}: only looked");
        if harm.contains("guard") {
            assert!(
                text(&row(cable, &["--fix"], "table jaula")?, "fixed").starts_with("put back for"),
                "{harm}"
            );
        } else {
            assert!(jaula.run(&["gc"])?.ok()?.contains("put back"), "{harm}");
        }
        two.is_whole(harm)?;
    }
    jaula.run(&["stop", "one", "two"])?.ok()?;
    assert_eq!(rules(cable)?, "");
    Ok(())
}

fn the_next_start_makes_the_table_whole(t: &Test) -> Outcome {
    let two = Two::start(t)?;
    let jaula = two.cable.jaula();
    start(&jaula, "three", &["network.addresses=[\"10.90.0.4\"]"], IDLE)?;
    for harm in HARMS {
        jaula.run(&["stop", "three"])?.ok()?;
        two.harm(harm)?;
        let started = jaula.run(&["start", "three"])?;
        assert!(started.status.success() && started.stderr.is_empty(), "{harm}: {started}");
        assert_eq!(text(&row(&two.cable, &[], "table jaula")?, "verdict"), "ok", "{harm}");
    }
    jaula.run(&["stop", "three"])?.ok()?;
    two.is_whole("the last of them")?;
    jaula.run(&["stop", "one", "two"])?.ok()?;
    assert_eq!(rules(&two.cable)?, "");
    Ok(())
}

/// Who ends takes out what there still is; who goes on is whole; the last one leaves nothing.
fn a_jail_leaves_a_table_that_others_have_damaged(t: &Test) -> Outcome {
    let two = Two::start(t)?;
    let jaula = two.cable.jaula();
    jaula.run(&["stop", "two"])?.ok()?;
    let one = rules(&two.cable)?;
    for harm in HARMS {
        jaula.run(&["start", "two"])?.ok()?;
        two.harm(harm)?;
        jaula.run(&["stop", "two"])?.ok()?;
        jaula.run(&["gc"])?.ok()?;
        assert_eq!(sorted(&rules(&two.cable)?), sorted(&one), "{harm}");
        jaula.run(&["start", "two"])?.ok()?;
        two.harm(harm)?;
        jaula.run(&["stop", "one", "two"])?.ok()?;
        assert_eq!(rules(&two.cable)?, "", "{harm}");
        jaula.run(&["start", "one"])?.ok()?;
    }
    // A jail whose keeper was killed with it is in nobody's way.
    jaula.run(&["start", "two"])?.ok()?;
    let status = jaula.json(&["status", "two", "--json"])?;
    for pid in [&status[0]["keeper"]["pid"], &status[0]["pid"]] {
        host(&two.cable, &["kill", "-9", &pid.to_string()])?.ok()?;
    }
    until("the end of its link", || {
        let shown = host(&two.cable, &["ip", "-br", "link"]).ok()?.stdout;
        two.links.iter().any(|link| !shown.contains(link.as_str())).then_some(())
    })?;
    host(&two.cable, &["nft", "flush", "ruleset"])?.ok()?;
    start(&jaula, "three", &["network.addresses=[\"10.90.0.4\"]"], IDLE)?;
    jaula.run(&["gc"])?.ok()?;
    jaula.run(&["stop", "one", "three"])?.ok()?;
    assert_eq!(rules(&two.cable)?, "");
    Ok(())
}

/// Lines without regard to their order: chains and elements come back in another.
fn sorted(rules: &str) -> Vec<String> {
    let mut lines: Vec<String> = rules
        .lines()
        .map(|line| {
            let mut words: Vec<&str> = line.split([' ', ',', '\t']).filter(|word| !word.is_empty()).collect();
            words.sort_unstable();
            words.join(" ")
        })
        .collect();
    lines.sort();
    lines
}
