//! Ping sockets are for the groups that the host gives them to.

use super::Net;
use jaula_tests::harness::{Outcome, Test};

/// As `ping -B` does.
const PING: &str = "import socket, struct\n\
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1)\n\
    s.settimeout(5)\n\
    s.bind(('192.0.2.10', 0))\n\
    s.sendto(struct.pack('!BBHHH', 8, 0, 0, 0, 1), ('198.51.100.1', 0))\n\
    print('answered by', s.recvfrom(100)[1][0])";

pub(super) fn doctor_lets_jails_ping(t: &Test) -> Outcome {
    let net = Net::new(t)?;
    let row = |words: &[&str]| -> Outcome<serde_json::Value> {
        let done = net.jaula(&[&["doctor", "--json"], words].concat())?;
        let rows: Vec<serde_json::Value> = serde_json::from_str(&done.stdout)?;
        let row = rows.into_iter().find(|row| row["what"] == "net.ipv4.ping_group_range");
        Ok(row.ok_or("no row")?)
    };
    let give = |range: &str| -> Outcome {
        let write = format!("echo {range} > /proc/sys/net/ipv4/ping_group_range");
        assert!(net.command(&["sh", "-c", &write])?.status()?.success());
        Ok(())
    };
    // The kernel's own, systemd's, and the groups of another jail.
    let ranges = ["1 0", "0 2147483647", "2154233856 2154299391"];
    give(ranges[0])?;
    assert_eq!(row(&[])?["verdict"], "ok");
    let create = ["create", "one", "--root", "host", "--network", "bind", "--ip", "192.0.2.10"];
    let done = net.jaula(&[&create[..], &["--", "python3", "-c", PING]].concat())?;
    assert!(done.status.success(), "{done:?}");
    for range in ranges {
        give(range)?;
        let row = row(&[])?;
        assert_eq!(row["verdict"], "warning", "{range}: {row}");
        assert_eq!(row["why"], format!("{range}: jail one cannot ping (network.mode = \"bind\")"));
        assert_eq!(row["mend"], "sysctl -w net.ipv4.ping_group_range=\"0 4294967294\"");
        let done = net.inside(&super::BOTH, &["sockets"]);
        assert!(done?.contains("ping: EACCES\n"));
    }
    let fixed = row(&["--fix"])?;
    assert_eq!(fixed["verdict"], "ok", "{fixed}");
    assert!(fixed["fixed"].as_str().is_some_and(|said| said.contains("=0 4294967294 (was ")), "{fixed}");
    let done = net.jaula(&["run", "--root", "host", "--ip", "192.0.2.10", "--", "python3", "-c", PING])?;
    assert_eq!(done.stdout, "answered by 198.51.100.1\n", "{done:?}");
    Ok(())
}
