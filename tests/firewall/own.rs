//! A jail's own rules, by nft and by iptables: they work, for it alone, and end with it.

use super::{ANSWER, HOST, host, lay, start};
use jaula_tests::harness::{Done, Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;

pub(super) fn trials() -> Vec<Trial> {
    trials!("firewall": privileged [a_jails_own_rules_are_its_own])
}

/// Who answers at a port within a second.
const TRY: &str = "import socket, sys\n\
    try: print(socket.create_connection((sys.argv[1], int(sys.argv[2])), 1).recv(99).decode())\n\
    except OSError: print('nobody')";

/// What puts a rule in that drops and counts what comes to port 80, what shows it, and what takes it out.
const TOOLS: [(&str, &str, &str); 2] = [
    (
        "nft add table inet own; nft 'add chain inet own in { type filter hook input priority 0; }'; \
         nft add rule inet own in tcp dport 80 counter drop",
        "nft list table inet own | sed -n 's/.*counter packets \\([0-9]*\\).*/\\1/p'",
        "nft delete table inet own",
    ),
    (
        "iptables -A INPUT -p tcp --dport 80 -j DROP",
        "iptables -nvxL INPUT | awk '/DROP/ && /dpt:80/ { print $1 }'",
        "iptables -F INPUT; iptables -X; nft flush ruleset",
    ),
];

fn a_jails_own_rules_are_its_own(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let jaula = cable.jaula();
    let jail = |name: &str, address: &str, port: u16| {
        let addresses = format!("network.addresses=[\"{address}\"]");
        let forward = format!("network.forward=[\"tcp {port} -> 80\"]");
        let keys = ["security.profile=server", "security.mount=false", &addresses, &forward];
        start(&jaula, name, &keys, ANSWER)
    };
    jail("one", "10.90.0.2", 8080)?;
    jail("two", "10.90.0.3", 8081)?;
    let inside = |name: &str, script: &str| -> Outcome<Done> {
        let script = format!("export PATH=/usr/sbin:/usr/bin:/sbin:/bin; {script}");
        jaula.run(&["exec", name, "--", "sh", "-ec", &script])
    };
    let heard = |port: &str| -> Outcome<bool> {
        Ok(cable.client(&["python3", "-c", TRY, HOST, port])?.ok()? != "nobody\n")
    };
    let ready = "while ! grep -q ':0050 00000000:0000 0A' /proc/net/tcp; do sleep .05; done";
    for name in ["one", "two"] {
        inside(name, ready)?.ok()?;
    }
    let of_host = host(&cable, &["nft", "list", "ruleset"])?.ok()?;
    for (put, show, take) in TOOLS {
        assert!(heard("8080")? && heard("8081")?, "{put}: before");
        inside("one", put)?.ok()?;
        assert!(!heard("8080")?, "{put}: it drops nothing");
        assert!(heard("8081")?, "{put}: the other jail has lost its connections");
        let count: u64 = inside("one", show)?.ok()?.trim().parse()?;
        assert!(count > 0, "{put}: it counts nothing");
        assert_eq!(inside("two", "nft list tables")?.ok()?, "", "{put}: the other jail has it");
        assert_eq!(host(&cable, &["nft", "list", "ruleset"])?.ok()?, of_host, "{put}: the host has it");
        inside("one", take)?.ok()?;
    }
    // The host's table is not there, neither to be seen nor to be removed.
    assert_eq!(inside("one", "nft list tables")?.ok()?, "");
    assert!(!inside("one", "nft delete table inet jaula")?.status.success());
    // With its network its rules go.
    inside("one", TOOLS[0].0)?.ok()?;
    jaula.run(&["stop", "one"])?.ok()?;
    jaula.run(&["start", "one"])?.ok()?;
    inside("one", ready)?.ok()?;
    assert_eq!(inside("one", "nft list tables")?.ok()?, "");
    assert!(heard("8080")?);
    jaula.run(&["stop", "one", "two"])?.ok().map(drop)
}
