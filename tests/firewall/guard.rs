//! What a jail may send is looked at with raw frames, from a jail that may send such: on the other side of the
//! host, and by counters behind the guard.

use super::host;
use jaula_tests::harness::{Cable, Jaula, Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};

pub(super) fn trials() -> Vec<Trial> {
    trials!("firewall": privileged [
        a_bridged_jail_sends_in_its_own_name_only,
        a_routed_jail_sends_in_its_own_name_only,
    ])
}

const FRAMES: &str = include_str!("frames.py");
const WATCH: &str = include_str!("watch.py");
const JAIL: &str = "10.90.0.2";
const JAIL6: &str = "fd00:90::2";
const CLIENT: &str = "192.0.2.1";
const CLIENT6: &str = "2001:db8::1";

type Names = BTreeSet<String>;

fn names(text: &str) -> Names {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Who looks on the other side.
struct Watch(Child, BufReader<ChildStdout>);

impl Watch {
    fn begin(cable: &Cable<'_>) -> Outcome<Self> {
        let mut command = cable.client_command(&["python3", "-c", WATCH, "cable"]);
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut ready = String::new();
        output.read_line(&mut ready)?;
        Ok(Self(child, output))
    }

    fn end(mut self) -> Outcome<Names> {
        let mut seen = String::new();
        self.1.read_line(&mut seen)?;
        self.0.wait()?;
        Ok(names(&seen))
    }
}

/// Starts a jail that may send what it likes.
fn start(jaula: &Jaula, name: &str, keys: &[&str]) -> Outcome {
    let may = ["security.profile=server", "security.mount=false"];
    super::start(jaula, name, &[&may[..], keys].concat(), "import time; time.sleep(600)")
}

fn send(jaula: &Jaula, name: &str, to: &str) -> Outcome {
    let words = ["exec", name, "--", "python3", "-c", FRAMES, to, JAIL, JAIL6, CLIENT, CLIENT6];
    jaula.run(&words)?.ok().map(drop)
}

pub(crate) fn a_bridged_jail_sends_in_its_own_name_only(t: &Test) -> Outcome {
    let cable = Cable::lay(t, &[])?;
    let jaula = cable.jaula();
    let bridge = "ip link add br0 type bridge && ip link set cable master br0 && ip link set br0 up";
    host(&cable, &["sh", "-c", bridge])?.ok()?;
    let addresses = format!("network.addresses=[\"{JAIL}/24\", \"{JAIL6}/64\"]");
    let seen = |guard: bool| -> Outcome<Names> {
        let name = format!("bridged{guard}");
        let guard = format!("network.guard={guard}");
        let keys = ["network.mode=bridge", "network.parent=br0", &addresses, &guard];
        start(&jaula, &name, &keys)?;
        let watch = Watch::begin(&cable)?;
        send(&jaula, &name, "ff:ff:ff:ff:ff:ff")?;
        let seen = watch.end();
        jaula.run(&["stop", &name])?.ok()?;
        seen
    };
    let all = "own4 own6 ownarp ownnd source4 source6 mac4 mac6 arpip arpmac nd ra raoptions rafragment redirect \
               dhcp4 dhcp4options dhcp6 raown raownoptions redirectown dhcp6own loopback vlan kind end end6";
    assert_eq!(seen(false)?, names(all), "without a guard all arrive");
    assert_eq!(seen(true)?, names("own4 own6 ownarp ownnd end end6"));
    Ok(())
}

/// Counts behind the guard what is for the host itself, by the word in its comment.
const COUNT: &str = "
table arp watch {
chain input {
    type filter hook input priority 0;
    arp saddr ip 10.90.0.99 counter comment \"arpip\"
    arp saddr ether 02:00:00:00:00:99 counter comment \"arpmac\"
    arp operation request arp saddr ip 10.90.0.2 counter comment \"ownarp\"
}
}
table ip watch {
chain before {
    type filter hook prerouting priority -450;
    ip daddr 127.0.0.0/8 counter comment \"loopback\"
    udp sport 67 ip hdrlength 5 counter comment \"dhcp4\"
    udp sport 67 ip hdrlength 6 counter comment \"dhcp4options\"
}
}
table ip6 watch {
chain before {
    type filter hook prerouting priority -450;
    icmpv6 type nd-neighbor-advert @th,64,128 0xfd000090000000000000000000000099 counter comment \"nd\"
    icmpv6 type nd-neighbor-advert @th,64,128 0xfd000090000000000000000000000002 counter comment \"ownnd\"
    icmpv6 type nd-router-advert ip6 nexthdr 58 counter comment \"ra\"
    icmpv6 type nd-router-advert ip6 nexthdr 60 counter comment \"raoptions\"
    icmpv6 type nd-router-advert ip6 nexthdr 44 counter comment \"rafragment\"
    icmpv6 type nd-redirect ip6 saddr fe80::/10 counter comment \"redirect\"
    udp sport 547 ip6 saddr fe80::/10 counter comment \"dhcp6\"
    icmpv6 type nd-router-advert ip6 nexthdr 58 ip6 saddr fd00:90::2 counter comment \"raown\"
    icmpv6 type nd-router-advert ip6 nexthdr 60 ip6 saddr fd00:90::2 counter comment \"raownoptions\"
    icmpv6 type nd-redirect ip6 saddr fd00:90::2 counter comment \"redirectown\"
    udp sport 547 ip6 saddr fd00:90::2 counter comment \"dhcp6own\"
}
}
";

/// What has been counted.
fn counted(cable: &Cable<'_>) -> Outcome<Names> {
    let rules: serde_json::Value =
        serde_json::from_str(&host(cable, &["nft", "-j", "list", "ruleset"])?.ok()?)?;
    let rules = rules["nftables"].as_array().ok_or("no rules")?;
    let count = |rule: &serde_json::Value| -> Option<String> {
        let expressions = rule["expr"].as_array()?;
        let packets = expressions.iter().find_map(|one| one["counter"]["packets"].as_u64())?;
        (packets > 0).then(|| rule["comment"].as_str().map(str::to_owned))?
    };
    Ok(rules.iter().filter_map(|entry| count(&entry["rule"])).collect())
}

fn a_routed_jail_sends_in_its_own_name_only(t: &Test) -> Outcome {
    let cable = Cable::lay(t, &["192.0.2.10", "2001:db8::10"])?;
    cable.forwards()?;
    let off = "for i in all default; do echo 0 > /proc/sys/net/ipv4/conf/$i/rp_filter; done";
    host(&cable, &["sh", "-c", off])?.ok()?;
    let jaula = cable.jaula();
    let addresses = format!("network.addresses=[\"{JAIL}\", \"{JAIL6}\"]");
    let seen = |guard: bool| -> Outcome<(Names, Names)> {
        let name = format!("routed{guard}");
        let guard = format!("network.guard={guard}");
        start(&jaula, &name, &[&addresses, "network.nat=none", &guard])?;
        host(&cable, &["nft", COUNT])?.ok()?;
        let mac = "ip -o link | sed -n 's/.* j[0-9]*-[0-9a-f]*@.*ether \\([^ ]*\\).*/\\1/p'";
        let mac = host(&cable, &["sh", "-c", mac])?.ok()?;
        let watch = Watch::begin(&cable)?;
        send(&jaula, &name, mac.trim())?;
        let passed = watch.end();
        let counted = counted(&cable);
        host(&cable, &["sh", "-c", "for f in arp ip ip6; do nft delete table $f watch; done"])?.ok()?;
        jaula.run(&["stop", &name])?.ok()?;
        Ok((passed?, counted?))
    };
    let (passed, counted) = seen(false)?;
    assert_eq!(passed, names("own4 own6 source4 source6 mac4 mac6 end end6"));
    let all = "ownarp ownnd arpip arpmac nd ra raoptions rafragment redirect dhcp4 dhcp4options dhcp6 raown \
               raownoptions redirectown dhcp6own loopback";
    assert_eq!(counted, names(all));
    let (passed, counted) = seen(true)?;
    assert_eq!(passed, names("own4 own6 end end6"));
    assert_eq!(counted, names("ownarp ownnd"));
    Ok(())
}
