use super::message::Kind;
use super::*;
use crate::config::{Config, Network};
use crate::link::Mac;
use std::collections::BTreeSet;

fn network(text: &str) -> Network {
    Config::parse(&format!("[network]\n{text}\n")).unwrap().network
}

fn share(text: &str) -> Share {
    Share::of(&network(text), "jv101", Mac([2, 0, 0, 0, 0, 1])).unwrap()
}

fn sets(share: &Share) -> BTreeSet<&'static str> {
    share.elements().iter().map(|element| element.set).collect()
}

#[test]
fn private_addresses_leave_as_the_hosts() {
    for (ip, private) in [
        ("10.0.0.1", true),
        ("172.16.0.1", true),
        ("172.32.0.1", false),
        ("192.168.1.1", true),
        ("100.64.0.1", true),
        ("100.127.255.254", true),
        ("100.128.0.1", false),
        ("192.0.2.1", false),
        ("fd00::1", true),
        ("2001:db8::1", false),
    ] {
        let masquerade = |nat: &str, ip: &str| {
            let share = share(&format!("mode = \"routed\"\naddresses = [\"{ip}\"]\n{nat}"));
            !share.masquerade.is_empty()
        };
        assert_eq!(masquerade("", ip), private, "{ip}");
        assert!(masquerade("nat = \"masquerade\"", ip));
        assert!(!masquerade("nat = \"none\"", ip));
    }
    let bridged = |parent: &str| {
        let share = share(&format!("mode = \"bridge\"\naddresses = [\"10.0.0.2/24\"]\n{parent}"));
        (share.bridged, !share.masquerade.is_empty())
    };
    assert_eq!(bridged(""), (true, true));
    // The router of that net is somebody else.
    assert_eq!(bridged("parent = \"br0\""), (true, false));
}

#[test]
fn only_what_the_host_sees_has_a_share() {
    for mode in ["none", "host", "macvlan"] {
        let mut network = network("");
        network.mode = mode.parse().unwrap();
        assert_eq!(Share::of(&network, "jv101", Mac([2; 6])), None, "{mode}");
    }
}

#[test]
fn elements_are_of_sets_that_there_are() {
    let text = "mode = \"routed\"\naddresses = [\"10.0.0.1\", \"192.0.2.7\", \"fd00::1\"]\nnat = \"198.51.100.1\"\n\
                forward = [\"tcp 8080 -> 80\", \"udp 198.51.100.1:53-55 -> 153-155\", \"tcp [2001:db8::1]:22\"]\n\
                connections = 7";
    let share = share(text);
    let elements = share.elements();
    for element in &elements {
        let set = table::SETS.iter().find(|set| (set.family, set.name) == (element.family, element.set));
        let set = set.unwrap_or_else(|| panic!("no set {}", element.set));
        let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
        assert_eq!(size(&element.key), Type::length(set.key), "{}", set.name);
        assert_eq!(size(&element.data), Type::length(set.data), "{}", set.name);
    }
    assert!(elements.is_sorted_by_key(|element| (element.family, element.set)));
    let count = |set| elements.iter().filter(|element| element.set == set).count();
    let expected = [("any4", 1), ("any6", 1), ("at4", 3), ("at6", 1), ("source4", 2), ("source6", 0)];
    for (set, expected) in expected.into_iter().chain([("limited4", 2), ("from4", 2), ("from6", 2)]) {
        assert_eq!(count(set), expected, "{set}");
    }
    let at: Vec<_> = elements.iter().filter(|element| element.set == "at4").collect();
    assert_eq!(at[2].key, [198, 51, 100, 1, 17, 0, 0, 0, 0, 55, 0, 0]);
    assert_eq!(at[2].data, [10, 0, 0, 1, 0, 155, 0, 0]);
    assert_eq!(share.forward_of(at[2]), Some("udp 198.51.100.1:53-55 -> 153-155"));
}

#[test]
fn a_guard_can_be_left_out_and_dhcp_is_known() {
    let without = share("mode = \"bridge\"\naddresses = [\"10.0.0.2/24\"]\nguard = false");
    assert!(!sets(&without).iter().any(|set| ["macs", "from4", "from6", "dhcp"].contains(set)));
    let dhcp = share("mode = \"bridge\"\naddresses = [\"dhcp\"]");
    assert!(sets(&dhcp).contains("dhcp") && !sets(&dhcp).contains("from4"));
}

#[test]
fn a_share_comes_back_from_a_journal() {
    let share =
        share("mode = \"routed\"\naddresses = [\"10.0.0.1\"]\nforward = [\"tcp 80\"]\nconnections = 9");
    let text = serde_json::to_string(&share).unwrap();
    assert_eq!(serde_json::from_str::<Share>(&text).unwrap(), share);
}

#[test]
fn messages_are_whole() {
    let mut batch = Batch::new(TABLE, Some(7));
    table::make(&mut batch);
    batch.add(
        &share("mode = \"routed\"\naddresses = [\"10.0.0.1\"]\nforward = [\"udp 1000-2000\"]").elements(),
    );
    for message in batch.end() {
        let length = u32::from_ne_bytes(message[..4].try_into().unwrap());
        assert_eq!(usize::try_from(length).unwrap(), message.len());
        assert_eq!(message.len() % 4, 0);
        // A length of an attribute has 16 bits: all that is there is found again.
        let found: usize =
            message::attributes(&message[20..]).iter().map(|(_, v)| (v.len() + 4).next_multiple_of(4)).sum();
        assert_eq!(found, message.len() - 20);
    }
}

/// What the kernel sends of a chain, without its first 16 bytes.
fn chain(family: u8, table: &str, name: &str, base: Option<(u32, u32)>) -> Vec<u8> {
    let mut a = message::Attributes::default();
    a.text(1, table).text(3, name);
    if let Some((hook, policy)) = base {
        a.nested(4, |a| _ = a.number(1, hook)).number(5, policy);
    }
    [vec![family, 0, 0, 0], a.into_bytes()].concat()
}

/// What it sends of a rule that compares the name of the interface that a packet came in by.
fn rule(table: &str, name: &[u8]) -> Vec<u8> {
    let mut a = message::Attributes::default();
    a.text(1, table).nested(4, |a| {
        for part in [
            Expression::Meta(expression::Meta::InName, expression::Register(0)),
            Expression::Compare(expression::Register(0), true, name.to_vec()),
        ] {
            a.expression(1, &part);
        }
    });
    [vec![2, 0, 0, 0], a.into_bytes()].concat()
}

#[test]
fn chains_that_drop() {
    let like = foreign::Interfaces::like;
    let found = |chains: &[Vec<u8>]| {
        let mut all = foreign::forwarding(chains);
        all.retain(foreign::Forwarding::drops);
        all
    };
    let forward = chain(2, "filter", "FORWARD", Some((2, 0)));
    let docker = found(&[chain(2, "filter", "DOCKER-USER", None), forward.clone()]);
    assert_eq!(
        docker[0].mend(&like("jv101")),
        "iptables -I DOCKER-USER -i jv+ -j ACCEPT; iptables -I DOCKER-USER -o jv+ -j ACCEPT"
    );
    let plain = found(&[chain(10, "filter", "DOCKER-USER", None), forward.clone()]);
    assert!(plain[0].mend(&like("jaula0")).starts_with("iptables -I FORWARD -i jaula0 -j ACCEPT; "));
    let own = found(&[chain(1, "filter", "forward", Some((2, 0)))]);
    assert!(
        own[0]
            .mend(&like("jv7"))
            .starts_with("nft insert rule inet filter forward iifname '\"jv*\"' accept;")
    );
    assert!(own[0].mend(&like("j7-0a0b0c0d")).contains("oifname '\"j7-0a0b0c0d\"' accept"));
    for other in [
        chain(2, "filter", "FORWARD", Some((2, 1))),
        chain(2, "filter", "INPUT", Some((1, 0))),
        chain(1, TABLE, "forward", Some((2, 0))),
        Vec::new(),
    ] {
        assert_eq!(found(&[other]), [], "it accepts, has another hook, is jaula's own, or is none");
    }
    let mut known = plain[0].clone();
    known.note_rule(&rule("nat", b"jv"));
    assert!(!known.knows("jv101"), "a rule of another table");
    known.note_rule(&rule("filter", b"jv102\0"));
    assert!(!known.knows("jv101") && !known.knows("jv1023") && known.knows("jv102"));
    known.note_rule(&rule("filter", b"jv"));
    assert!(known.knows("jv101") && !known.knows("jaula0"));
    for n in 0..forward.len() {
        _ = found(&[forward[..n].to_vec()]);
        known.note_rule(&forward[..n]);
    }
}

#[test]
fn rules_are_counted_by_chain() {
    let mut batch = Batch::new(TABLE, None);
    table::make(&mut batch);
    let all: usize = table::chains().iter().map(|(family, chain)| table::rules_of(*family, chain)).sum();
    let kinds = |kind: Kind| {
        let is = |message: &&Vec<u8>| message[4..6] == kind.number().to_ne_bytes();
        batch.messages.iter().filter(is).count()
    };
    assert_eq!(kinds(Kind::NewChain), table::chains().len());
    assert_eq!((kinds(Kind::DelRule), kinds(Kind::NewRule)), (table::chains().len(), all));
    // Who only jumps elsewhere is counted there.
    let ends = table::ends();
    let names: BTreeSet<_> = ends.iter().map(|(_, chain, _)| *chain).collect();
    assert_eq!(
        names,
        BTreeSet::from(["forwards", "connections", "sources", "guard_arp", "guard_ip", "guard_ip6"])
    );
    let uses = |name| ends.iter().find(|(_, chain, _)| *chain == name).unwrap().2;
    assert_eq!(uses("forwards"), table::rules_of(Family::Inet, "forwards") + 2);
    assert_eq!(uses("sources"), table::rules_of(Family::Inet, "sources") + 1);
    assert_eq!(uses("connections"), table::rules_of(Family::Inet, "connections") + 2);
    let share = share("mode = \"routed\"\naddresses = [\"10.0.0.1\", \"10.0.0.2\", \"fd00::1\"]");
    let (chain, rules) = table::on_link(share.guard.as_ref().unwrap(), &share.addresses);
    assert_eq!(rules.len(), 3, "the first address of each family, and all else");
    assert!(rules.iter().all(|rule| rule.chain == chain.name));
}

/// A rule of iptables-legacy for all packets, or for those of an interface.
fn legacy_rule(six: bool, interface: &str, target: &str, verdict: i32) -> Vec<u8> {
    let (size, name, offsets) = if six { (168, 64, 140) } else { (112, 16, 88) };
    let mut rule = vec![0; size + 40];
    rule[name..name + interface.len()].copy_from_slice(interface.as_bytes());
    if !interface.is_empty() {
        rule[name + 32..name + 33 + interface.len()].fill(255);
    }
    rule[offsets..offsets + 2].copy_from_slice(&u16::try_from(size).unwrap().to_ne_bytes());
    rule[offsets + 2..offsets + 4].copy_from_slice(&u16::try_from(size + 40).unwrap().to_ne_bytes());
    rule[size..size + 2].copy_from_slice(&40_u16.to_ne_bytes());
    rule[size + 2..size + 2 + target.len()].copy_from_slice(target.as_bytes());
    rule[size + 32..size + 36].copy_from_slice(&verdict.to_ne_bytes());
    rule
}

#[test]
fn chains_of_iptables_legacy_that_drop() {
    const DROPS: i32 = -1;
    const ACCEPTS: i32 = -2;
    for six in [false, true] {
        let rule = |interface: &str, target: &str, verdict| legacy_rule(six, interface, target, verdict);
        let length = rule("", "", 0).len();
        // The chain INPUT comes first, with its policy alone.
        let read = |rules: &[Vec<u8>]| {
            let all = [&[rule("", "", DROPS)], rules].concat();
            legacy::forwarding(six, &all.concat(), length, length * rules.len()).unwrap()
        };
        let drops = |rules: &[Vec<u8>]| read(rules).drops();
        assert!(drops(&[rule("", "", DROPS)]));
        assert!(!drops(&[rule("", "", ACCEPTS)]));
        assert!(drops(&[rule("", "REJECT", 0), rule("", "", ACCEPTS)]));
        assert!(!drops(&[rule("eth0", "REJECT", 0), rule("", "", ACCEPTS)]));
        assert!(!drops(&[rule("", "", ACCEPTS), rule("", "", DROPS)]), "no packet comes to the policy");
        let named = read(&[rule("jv101", "", ACCEPTS), rule("", "", DROPS)]);
        assert!(named.drops() && named.knows("jv101") && !named.knows("jv1012"));
        let mend = named.mend(&foreign::Interfaces::like("jv101"));
        assert!(mend.starts_with(if six { "ip6tables-legacy -I" } else { "iptables-legacy -I" }), "{mend}");
        let whole = [rule("jv101", "ERROR", 7), rule("", "", DROPS)].concat();
        for n in 0..whole.len() {
            _ = legacy::forwarding(six, &whole[..n], 0, length);
        }
    }
}
