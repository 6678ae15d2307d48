//! Many jails with an address each, all on the same port.

use super::Net;
use jaula_tests::harness::{Outcome, Test, c_program};
use std::collections::BTreeSet;
use std::path::Path;

const BOUND: usize = 100;
const ROUTED: usize = 50;

/// Asks each of the addresses 10.99.0.1 and on; says how many answer with their own, and how many refuse or are gone.
const ASK: &str = "import concurrent.futures, socket, sys, time\n\
    def ask(ip):\n \
     try: return socket.create_connection((ip, 8080), 2).recv(99).decode()\n \
     except ConnectionRefusedError: return 'refused'\n \
     except OSError: return 'gone'\n\
    def until(ip):\n \
     for n in range(200):\n  \
      said = ask(ip)\n  \
      if said == ip or sys.argv[2] == 'none': break\n  \
      time.sleep(0.02)\n \
     return said\n\
    all = [f'10.99.{n >> 8}.{n & 255}' for n in range(1, int(sys.argv[1]) + 1)]\n\
    said = list(concurrent.futures.ThreadPoolExecutor(50).map(until, all))\n\
    print(sum(a == b for a, b in zip(all, said)), said.count('refused') + said.count('gone'))\n";

pub(super) fn many_jails_have_an_address_each(t: &Test) -> Outcome {
    let net = Net::with(t, super::Programs::Shared)?;
    let addresses: Vec<String> =
        (1..=BOUND).map(|n| format!("ip address add 10.99.{}.{}/32 dev lo", n >> 8, n & 255)).collect();
    assert!(net.command(&["sh", "-c", &addresses.join(" && ")])?.status()?.success());
    each_answers(t, &net, "bind", BOUND)
}

pub(super) fn many_jails_have_a_link_each(t: &Test) -> Outcome {
    let net = Net::new(t)?;
    assert!(net.command(&["sysctl", "-qw", "net.ipv4.ip_forward=1"])?.status()?.success());
    each_answers(t, &net, "routed", ROUTED)
}

fn each_answers(t: &Test, net: &Net<'_>, mode: &str, count: usize) -> Outcome {
    let server = c_program("answer", &[Path::new(env!("CARGO_MANIFEST_DIR")).join("bind/answer.c")])?;
    let root = t.root().join("server");
    std::fs::create_dir(&root)?;
    std::fs::copy(server, root.join("answer"))?;
    let root = format!("dir:{}", root.display());
    let ok = |words: &[&str]| -> Outcome<String> {
        let done = net.jaula(words)?;
        assert!(done.status.success(), "{words:?}: {done:?}");
        Ok(done.stdout)
    };
    let names: Vec<String> = (1..=count).map(|n| format!("j{n}")).collect();
    for (n, name) in (1..).zip(&names) {
        let ip = format!("10.99.{}.{}", n >> 8, n & 255);
        let mode = format!("network.mode={mode}");
        ok(&["create", name, "--root", &root, "--set", &mode, "--ip", &ip, "--", "/answer"])?;
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let ask = |what: &str| -> Outcome<String> {
        let done = net.command(&["python3", "-c", ASK, &count.to_string(), what])?.output()?;
        Ok(String::from_utf8(done.stdout)?.trim().to_owned())
    };
    ok(&[&["start"], &names[..]].concat())?;
    assert_eq!(ask("each")?, format!("{count} 0"));
    // No two of them have a number, and with it a loopback address, in common.
    let status: serde_json::Value = serde_json::from_str(&ok(&["list", "--json"])?)?;
    let ids: BTreeSet<u64> =
        status.as_array().into_iter().flatten().filter_map(|jail| jail["id"].as_u64()).collect();
    assert_eq!(ids.len(), count, "{status}");

    ok(&[&["stop"], &names[..]].concat())?;
    assert_eq!(ask("none")?, format!("0 {count}"));
    let left: Vec<_> =
        std::fs::read_dir(t.root().join("run/jaula"))?.flatten().map(|entry| entry.file_name()).collect();
    let left: Vec<_> = left.iter().filter(|name| name.to_string_lossy().starts_with('j')).collect();
    assert!(left.is_empty(), "{left:?}");
    Ok(())
}
