//! Translation, forwards and limits by what arrives where.

use super::{ANSWER, HEAR, HOST, JAIL, host, start};
use jaula_tests::harness::{CLIENT, Cable, Done, Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::process::Stdio;

pub(super) fn trials() -> Vec<Trial> {
    trials!("firewall": privileged [
        datagrams_and_each_port_of_a_range_are_forwarded,
        ipv6_leaves_as_the_hosts,
        a_jail_leaves_as_the_address_that_is_said,
        a_jail_has_as_many_connections_as_it_may,
        connections_to_a_jail_and_to_the_host_count,
        jails_reach_each_other_by_forwards_and_in_their_own_name,
        starts_and_stops_at_once,
        who_loses_a_port_to_a_forward_is_named,
    ])
}

const HOST6: &str = "2001:db8::10";
const CLIENT6: &str = "2001:db8::1";
const JAIL6: &str = "fd00:90::2";

fn lay(t: &Test) -> Outcome<Cable<'_>> {
    let cable = Cable::lay(t, &[HOST, "192.0.2.11", HOST6])?;
    cable.forwards()?;
    Ok(cable)
}

/// Answers each datagram with the port that it came to.
const ECHO: &str = "import select, socket\n\
    all = []\n\
    for port in (53, 54, 55):\n \
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n \
    s.bind(('::', port))\n \
    all.append(s)\n\
    while True:\n \
    for s in select.select(all, [], [])[0]:\n  \
    _, who = s.recvfrom(99)\n  \
    s.sendto(str(s.getsockname()[1]).encode(), who)";

/// Asks until there is an answer.
const ASK: &str = "import socket, sys\n\
    for port in sys.argv[2:]:\n \
    s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)\n \
    s.connect((sys.argv[1], int(port)))\n \
    s.settimeout(.2)\n \
    for _ in range(50):\n  \
    try: s.send(b'?'); print(s.recv(99).decode()); break\n  \
    except OSError: __import__('time').sleep(.05)";

fn datagrams_and_each_port_of_a_range_are_forwarded(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let jaula = cable.jaula();
    let addresses = format!("network.addresses=[\"{JAIL}\", \"{JAIL6}\"]");
    let forward = format!("network.forward=[\"udp 5300-5302 -> 53-55\", \"udp [{HOST6}]:9953 -> 55\"]");
    start(&jaula, "names", &[&addresses, &forward], ECHO)?;
    let ask =
        |host: &str, ports: &[&str]| cable.client(&[&["python3", "-c", ASK, host], ports].concat())?.ok();
    let ports = ["5300", "5301", "5302"];
    assert_eq!(ask(HOST, &ports)?, "53\n54\n55\n");
    assert_eq!(ask(HOST6, &ports)?, "53\n54\n55\n");
    assert_eq!(ask(HOST6, &["9953"])?, "55\n");
    // Each question and each answer was a packet of 29 or 30 bytes, and 20 more with IPv6; neighbours asked as well.
    let status = jaula.json(&["status", "names", "--json"])?;
    let count = |what: &str| status[0]["traffic"][what].as_u64().unwrap_or(0);
    assert!(count("received_packets") >= 7 && count("sent_packets") >= 7, "{status}");
    assert!(count("received") >= 7 * 29 && count("sent") >= 7 * 29, "{status}");
    assert!(jaula.ok(&["status", "names"])?.contains("traffic"));
    jaula.run(&["stop", "names"])?.ok().map(drop)
}

/// What a server on the other side hears of who comes, from a jail with these keys.
fn heard(cable: &Cable<'_>, keys: &[&str], whom: &str) -> Outcome<String> {
    let answer = ANSWER.replace(
        "socket.create_server(('0.0.0.0', 80))",
        "socket.create_server(('::', 80), family=socket.AF_INET6, dualstack_ipv6=True)",
    );
    assert_ne!(answer, ANSWER);
    let mut server = cable.client_command(&["python3", "-c", &answer]).spawn()?;
    let keys: Vec<&str> = keys.iter().flat_map(|key| ["--set", *key]).collect();
    let run = ["run", "--root", "host", "--network", "routed"];
    let words = [&run[..], &keys, &["--", "python3", "-c", HEAR, whom, "80"]].concat();
    let heard = cable.jaula().run(&words).and_then(|done| done.ok());
    server.kill()?;
    server.wait()?;
    heard
}

fn ipv6_leaves_as_the_hosts(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let addresses = format!("network.addresses=[\"{JAIL6}\"]");
    assert_eq!(heard(&cable, &[&addresses], CLIENT6)?, format!("{HOST6}\n"));
    Ok(())
}

fn a_jail_leaves_as_the_address_that_is_said(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let addresses = format!("network.addresses=[\"{JAIL}\"]");
    let from = |nat: &str| heard(&cable, &[&addresses, nat], CLIENT);
    assert_eq!(from("network.nat=\"192.0.2.11\"")?, "::ffff:192.0.2.11\n");
    assert_eq!(from("network.nat=auto")?, format!("::ffff:{HOST}\n"));
    Ok(())
}

/// How many connections it gets at the same time.
const MANY: &str = "import socket, sys\n\
    all = []\n\
    for _ in range(6):\n \
    try: all.append(socket.create_connection((sys.argv[1], 80), .5))\n \
    except OSError: pass\n\
    print(len(all))";

fn a_jail_has_as_many_connections_as_it_may(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let wait = "import socket, time\ns = socket.create_server(('0.0.0.0', 80))\nprint('ready', flush=True)\ntime.sleep(600)";
    let mut command = cable.client_command(&["python3", "-c", wait]);
    let mut server = command.stdout(std::process::Stdio::piped()).spawn()?;
    let mut ready = [0; 6];
    std::io::Read::read_exact(&mut server.stdout.take().ok_or("no output")?, &mut ready)?;
    let addresses = format!("network.addresses=[\"{JAIL}\"]");
    let run = |limit: &str| {
        let before = ["run", "--root", "host", "--network", "routed", "--set", &addresses];
        let words = [&before[..], &["--set", limit, "--", "python3", "-c", MANY, CLIENT]].concat();
        cable.jaula().run(&words).and_then(|done| done.ok())
    };
    let count = ["network.connections=3", "network.connections=100"].map(run);
    server.kill()?;
    server.wait()?;
    let [few, all] = count;
    assert_eq!((few?.trim(), all?.trim()), ("3", "6"));
    Ok(())
}

fn connections_to_a_jail_and_to_the_host_count(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let jaula = cable.jaula();
    let addresses = format!("network.addresses=[\"{JAIL}\"]");
    let keep = "import socket, time\ns = socket.create_server(('0.0.0.0', 80))\ntime.sleep(600)";
    start(&jaula, "www", &[&addresses, "network.forward=[\"tcp 80\"]", "network.connections=3"], keep)?;
    let many = |words: Outcome<Done>| -> Outcome<usize> { Ok(words?.ok()?.trim().parse()?) };
    let wait = ["exec", "www", "--", "python3", "-c", WAIT];
    jaula.run(&wait)?.ok()?;
    assert_eq!(many(cable.client(&["python3", "-c", MANY, HOST]))?, 3, "from outside");
    // The host's own do not count, or whoever fills a jail would keep its administrator out.
    assert_eq!(many(host(&cable, &["python3", "-c", MANY, JAIL]))?, 6, "from the host");
    jaula.run(&["stop", "www"])?.ok()?;
    start(&jaula, "other", &[&addresses, "network.connections=3"], keep)?;
    let begin = "python3 -c \"$0\" >&- 2>&- <&- & echo $!";
    let server = host(&cable, &["sh", "-c", begin, keep])?.ok()?;
    let ready = host(&cable, &["timeout", "20", "python3", "-c", WAIT]).and_then(|done| done.ok());
    let from_jail = many(jaula.run(&["exec", "other", "--", "python3", "-c", MANY, HOST]));
    host(&cable, &["kill", server.trim()])?.ok()?;
    ready?;
    assert_eq!(from_jail?, 3, "to the host");
    jaula.run(&["stop", "other"])?.ok().map(drop)
}

/// Until there is a server here.
const WAIT: &str = "import time\n\
    while not any(line.split()[3] == '0A' for line in list(open('/proc/net/tcp'))[1:]): time.sleep(.02)";

fn jails_reach_each_other_by_forwards_and_in_their_own_name(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let jaula = cable.jaula();
    let idle = "import time; time.sleep(600)";
    for (mode, net) in [("routed", "10.90.0"), ("bridge", "10.91.0")] {
        let length = if mode == "bridge" { "/24" } else { "" };
        let addresses = [2, 3].map(|n| format!("network.addresses=[\"{net}.{n}{length}\"]"));
        let (www, other) = (format!("www-{mode}"), format!("other-{mode}"));
        let mode = format!("network.mode={mode}");
        start(&jaula, &www, &[&mode, &addresses[0], "network.forward=[\"tcp 8080 -> 80\"]"], ANSWER)?;
        start(&jaula, &other, &[&mode, &addresses[1]], idle)?;
        let ask =
            |ip: &str, port: &str| jaula.run(&["exec", &other, "--", "python3", "-c", HEAR, ip, port])?.ok();
        assert_eq!(
            ask(&format!("{net}.2"), "80")?,
            format!("{net}.3\n"),
            "{mode}: straight, in its own name"
        );
        let by_forward = ask(HOST, "8080")?;
        assert!(by_forward.starts_with(net) || by_forward.starts_with(HOST), "{mode}: {by_forward:?}");
        jaula.run(&["stop", &www, &other])?.ok()?;
    }
    assert_eq!(host(&cable, &["nft", "list", "tables"])?.ok()?, "");
    Ok(())
}

fn starts_and_stops_at_once(t: &Test) -> Outcome {
    const JAILS: usize = 8;
    let cable = lay(t)?;
    let jaula = cable.jaula();
    let names: Vec<String> = (0..JAILS).map(|n| format!("one{n}")).collect();
    for (n, name) in names.iter().enumerate() {
        let keys = [
            format!("network.addresses=[\"10.90.0.{}\"]", n + 2),
            format!("network.forward=[\"tcp {}\"]", 8000 + n),
        ];
        let create = ["create", name, "--root", "host", "--network", "routed"];
        jaula
            .run(&[&create[..], &["--set", &keys[0], "--set", &keys[1], "--", "sleep", "600"]].concat())?
            .ok()?;
    }
    let all_at_once = |verb: &str| -> Outcome {
        let each = |name: &String| {
            let (jaula, words) = (cable.jaula(), [verb.to_owned(), name.clone()]);
            std::thread::spawn(move || {
                let done = jaula.run(&words.each_ref().map(String::as_str)).and_then(|done| done.ok());
                done.map(drop).map_err(|e| format!("{e:?}"))
            })
        };
        let threads: Vec<_> = names.iter().map(each).collect();
        for thread in threads {
            thread.join().map_err(|_| "a thread failed")??;
        }
        Ok(())
    };
    all_at_once("start")?;
    let inside = host(&cable, &["nft", "list", "set", "inet", "jaula", "inside4"])?.ok()?;
    let there = (0..JAILS).filter(|n| inside.contains(&format!("10.90.0.{}", n + 2))).count();
    assert_eq!(there, JAILS, "{inside}");
    // A keeper and its jail that are killed leave their part to gc.
    let status = jaula.json(&["status", "one0", "--json"])?;
    let pid = |of: &serde_json::Value| of.as_i64().map(|pid| pid.to_string()).ok_or("no process");
    let (keeper, first) = (pid(&status[0]["keeper"]["pid"])?, pid(&status[0]["pid"])?);
    host(
        &cable,
        &[
            "sh",
            "-c",
            &format!(
                "kill -9 {keeper} {first}; for i in $(seq 200); do kill -0 {first} 2>&- || break; sleep .02; done"
            ),
        ],
    )?;
    let inside = host(&cable, &["nft", "list", "set", "inet", "jaula", "inside4"])?.ok()?;
    assert!(inside.contains("10.90.0.2"), "{inside}");
    jaula.run(&["gc"])?.ok()?;
    let inside = host(&cable, &["nft", "list", "set", "inet", "jaula", "inside4"])?.ok()?;
    assert!(!inside.contains("10.90.0.2,") && inside.contains("10.90.0.9"), "{inside}");
    for name in &names[1..] {
        jaula.run(&["stop", name])?.ok()?;
    }
    assert_eq!(host(&cable, &["nft", "list", "tables"])?.ok()?, "");
    Ok(())
}

fn who_loses_a_port_to_a_forward_is_named(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let listen = "import socket, sys\n\
        all = [socket.create_server(('0.0.0.0', 8080)), socket.create_server(('::1', 8081), family=socket.AF_INET6),\n\
        socket.create_server(('192.0.2.11', 8082)), socket.create_server(('::', 8080), family=socket.AF_INET6)]\n\
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(('0.0.0.0', 53))\n\
        open('/proc/self/comm', 'w').write('nginx')\n\
        print('ready', flush=True); sys.stdin.read()";
    let mut command = cable.jaula().instead("python3").command(["-c", listen])?;
    let mut server = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    std::io::Read::read_exact(&mut server.stdout.take().ok_or("no output")?, &mut [0; 6])?;
    // nsenter becomes the program.
    let who = format!("nginx (pid {}) of the host", server.id());
    let said = |forward: &str| -> Outcome<Vec<String>> {
        let address = format!("network.addresses=[\"{JAIL}\"]");
        let forward = format!("network.forward=[{forward}]");
        let keys = ["run", "--root", "host", "--network", "routed", "--set", &address, "--set", &forward];
        let done = cable.jaula().run(&[&keys[..], &["--", "true"]].concat())?;
        assert!(done.status.success(), "{done}");
        Ok(done.stderr.lines().filter(|line| line.starts_with("warning: ")).map(str::to_owned).collect())
    };
    // A service at a loopback address loses nothing, one at another address neither.
    for (forward, lost) in [
        ("\"tcp 8080 -> 80\"", &["tcp 8080"][..]),
        ("\"tcp 8000-8090 -> 8000-8090\"", &["tcp 8080", "tcp 8082"]),
        ("\"tcp 192.0.2.10:8080-8082 -> 80-82\"", &["tcp 8080"]),
        ("\"tcp 192.0.2.11:8082 -> 80\"", &["tcp 8082"]),
        ("\"udp 50-60 -> 50-60\"", &["udp 53"]),
        ("\"tcp 53 -> 53\", \"tcp 8083 -> 80\"", &[]),
    ] {
        let said = said(forward)?;
        assert_eq!(said.len(), lost.len(), "{forward}: {said:?}");
        for (line, lost) in said.iter().zip(lost) {
            assert!(line.contains(&format!("{lost} is forwarded")) && line.contains(&who), "{line}");
        }
    }
    drop(server.stdin.take());
    server.wait()?;
    Ok(())
}
