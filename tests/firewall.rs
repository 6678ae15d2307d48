//! The host's nf_tables table `jaula`: translation, forwards, limits and guards, tried with traffic between
//! network namespaces.

mod elsewhere;
mod foreign;
pub(crate) mod guard;
mod killed;
mod layout;
mod own;
mod traffic;

use jaula_tests::harness::{CLIENT, Cable, Done, Jaula, Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    let here = trials!("firewall": privileged [
        a_forward_reaches_the_jail_from_outside_and_from_the_host,
        a_private_address_leaves_as_the_hosts,
        the_table_goes_with_the_last_jail,
    ]);
    [
        here,
        elsewhere::trials(),
        foreign::trials(),
        guard::trials(),
        killed::trials(),
        layout::trials(),
        own::trials(),
        traffic::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

const HOST: &str = "192.0.2.10";
const JAIL: &str = "10.90.0.2";

/// Two hosts on a cable, of which one forwards packets.
fn lay(t: &Test) -> Outcome<Cable<'_>> {
    let cable = Cable::lay(t, &[HOST])?;
    host(&cable, &["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])?;
    Ok(cable)
}

/// A program of the host that has jails.
fn host(cable: &Cable<'_>, words: &[&str]) -> Outcome<Done> {
    let (program, rest) = words.split_first().ok_or("no program")?;
    cable.jaula().instead(program).run(rest)
}

/// A jail that runs this script, with its own network.
fn start(jaula: &Jaula, name: &str, keys: &[&str], script: &str) -> Outcome {
    let create = ["create", name, "--root", "host", "--set", "network.mode=routed"];
    let keys: Vec<&str> = keys.iter().flat_map(|key| ["--set", *key]).collect();
    jaula.run(&[&create[..], &keys, &["--", "python3", "-c", script]].concat())?.ok()?;
    jaula.run(&["start", name])?.ok().map(drop)
}

/// Says to each who connects where he comes from.
const ANSWER: &str = "import socket\n\
    s = socket.create_server(('0.0.0.0', 80))\n\
    while True:\n \
    c, who = s.accept()\n \
    c.sendall(who[0].encode())\n \
    c.close()";

/// What is heard there.
const HEAR: &str = "import socket, sys\n\
    for _ in range(100):\n \
    try: print(socket.create_connection((sys.argv[1], int(sys.argv[2])), 5).recv(99).decode()); break\n \
    except ConnectionRefusedError: __import__('time').sleep(.05)";

pub(crate) fn a_forward_reaches_the_jail_from_outside_and_from_the_host(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let jaula = cable.jaula();
    let addresses = format!("network.addresses=[\"{JAIL}\"]");
    let forward = format!("network.forward=[\"tcp 8080-8081 -> 80-81\", \"tcp {HOST}:9090 -> 80\"]");
    start(&jaula, "www", &[&addresses, &forward], ANSWER)?;
    for port in ["8080", "9090"] {
        assert_eq!(cable.client(&["python3", "-c", HEAR, HOST, port])?.ok()?, format!("{CLIENT}\n"));
    }
    assert_eq!(host(&cable, &["python3", "-c", HEAR, HOST, "8080"])?.ok()?, format!("{HOST}\n"));
    // From the jail itself, by the host's address.
    let inside = ["exec", "www", "--", "python3", "-c", HEAR, HOST, "8080"];
    let heard = jaula.run(&inside)?.ok()?;
    assert!(!heard.trim().is_empty(), "nothing was heard");
    // A port that another jail has is refused by name, and nothing is left of who asked for it.
    let create = ["create", "second", "--root", "host", "--set", "network.mode=routed"];
    let keys =
        ["--set", "network.addresses=[\"10.90.0.3\"]", "--set", "network.forward=[\"tcp 8081 -> 80\"]"];
    jaula.run(&[&create[..], &keys, &["--", "sleep", "60"]].concat())?.ok()?;
    let refused = jaula.run(&["start", "second"])?;
    assert!(refused.stderr.contains("\"tcp 8081 -> 80\" is taken"), "{refused:?}");
    jaula.run(&["stop", "www"])?.ok()?;
    assert_eq!(host(&cable, &["nft", "list", "tables"])?.ok()?, "");
    Ok(())
}

fn a_private_address_leaves_as_the_hosts(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let mut server = cable.client_command(&["python3", "-c", ANSWER]).spawn()?;
    let addresses = format!("network.addresses=[\"{JAIL}\"]");
    let run = |nat: &str| {
        let before = ["run", "--root", "host", "--set", "network.mode=routed", "--set", &addresses];
        let nat = format!("network.nat={nat}");
        cable
            .jaula()
            .run(&[&before[..], &["--set", &nat, "--", "python3", "-c", HEAR, CLIENT, "80"]].concat())
    };
    let heard = run("auto").and_then(|done| done.ok());
    // Without translation the answer has no way back.
    let alone = run("none").map(|done| done.status.success());
    server.kill()?;
    server.wait()?;
    assert_eq!(heard?, format!("{HOST}\n"));
    assert!(!alone?, "it was heard without translation");
    Ok(())
}

fn the_table_goes_with_the_last_jail(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let jaula = cable.jaula();
    host(&cable, &["nft", "add", "table", "inet", "foreign"])?.ok()?;
    let tables = || -> Outcome<String> { host(&cable, &["nft", "list", "tables"])?.ok() };
    let idle = "import time; time.sleep(600)";
    for (name, address) in [("one", "10.90.0.2"), ("two", "10.90.0.3")] {
        start(&jaula, name, &[&format!("network.addresses=[\"{address}\"]")], idle)?;
    }
    assert_eq!(tables()?, "table inet foreign\ntable inet jaula\ntable netdev jaula\n");
    // Somebody throws it away while jails run: the next start brings all of them back.
    host(&cable, &["nft", "flush", "ruleset"])?.ok()?;
    start(&jaula, "three", &["network.addresses=[\"10.90.0.4\"]"], idle)?;
    let inside = host(&cable, &["nft", "list", "set", "inet", "jaula", "inside4"])?.ok()?;
    assert!(inside.contains("10.90.0.2, 10.90.0.3") && inside.contains("10.90.0.4"), "{inside}");
    jaula.run(&["stop", "one", "two"])?.ok()?;
    assert_eq!(tables()?, "table inet jaula\ntable netdev jaula\n");
    jaula.run(&["stop", "three"])?.ok()?;
    assert_eq!(tables()?, "");
    Ok(())
}
