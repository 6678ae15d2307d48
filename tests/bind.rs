//! `network.mode = "bind"`: a jail at addresses of the host's network, tried with real sockets in
//! network namespaces that stand for hosts.

mod command;
mod many;
mod ping;
mod shared;

use crate::ground::one_clear_line;
use command::{a_group_goes_with_the_last_of_its_command, one_within_another_has_what_both_have};
use jaula_tests::harness::{Done, Jaula, Outcome, Template, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;
use many::{many_jails_have_a_link_each, many_jails_have_an_address_each};
use ping::doctor_lets_jails_ping;
use shared::{
    a_group_below_has_the_jails_addresses, a_running_jails_programs_are_taken,
    jails_share_programs_and_no_address, more_addresses_than_there_is_room_for,
    only_what_root_alone_writes_to_is_used,
};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

pub(crate) fn trials() -> Vec<Trial> {
    trials!("bind": privileged [
        every_other_address_is_refused,
        without_ipv6_any_is_the_ipv4_address,
        it_leaves_from_its_address_and_loopback_is_its_own,
        what_no_call_tells_is_kept_too,
        doctor_lets_jails_ping,
        two_jails_share_a_port,
        nginx_on_every_address_is_on_its_own,
        what_comes_in_later_is_kept_too,
        there_is_no_way_to_other_addresses,
        a_server_that_wants_ipv6_too_begins_without_it,
        commands_have_addresses_without_a_jail,
        sshd_and_nginx_share_ports_without_jails,
        who_has_the_port_on_every_address_is_named,
        no_address_is_no_network,
        listed_ports_are_kept_beside,
        what_it_needs_is_said,
        jails_share_programs_and_no_address,
        a_group_below_has_the_jails_addresses,
        more_addresses_than_there_is_room_for,
        only_what_root_alone_writes_to_is_used,
        a_running_jails_programs_are_taken,
        a_group_goes_with_the_last_of_its_command,
        one_within_another_has_what_both_have,
        many_jails_have_an_address_each,
        many_jails_have_a_link_each,
    ], pure [
        bad_addresses_are_refused,
    ])
}

const INSIDE: &str = include_str!("bind/inside.py");
const HOST: &str = include_str!("bind/host.py");

/// A host: a network namespace with addresses on its loopback interface.
pub(crate) struct Net<'t> {
    t: &'t Test,
    keep: Child,
}

/// Where the programs that keep jails to their addresses come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Programs {
    /// Loaded for each jail.
    Own,
    /// From the BPF file system, which this host has.
    Shared,
}

/// On a host without and on one with a BPF file system.
fn on_both(t: &Test, trial: impl Fn(Net<'_>) -> Outcome) -> Outcome {
    [Programs::Own, Programs::Shared].into_iter().try_for_each(|programs| trial(Net::with(t, programs)?))
}

impl<'t> Net<'t> {
    pub(crate) fn new(t: &'t Test) -> Outcome<Self> {
        Self::with(t, Programs::Own)
    }

    fn with(t: &'t Test, programs: Programs) -> Outcome<Self> {
        let mut setup = "ip link set lo up && ip route add default dev lo".to_owned();
        for ip in ["192.0.2.10/32", "192.0.2.11/32", "198.51.100.1/32"] {
            setup += &format!(" && ip address add {ip} dev lo");
        }
        for ip in ["2001:db8::10/128", "2001:db8::99/128"] {
            setup += &format!(" && ip address add {ip} dev lo nodad");
        }
        setup += " && echo '0 4294967294' > /proc/sys/net/ipv4/ping_group_range && echo ready && exec cat";
        // What is mounted here later is mounted there too.
        let mounts = match programs {
            Programs::Own => "umount --lazy --quiet /sys/fs/bpf; ",
            Programs::Shared => "mount -t bpf bpf /sys/fs/bpf && ",
        };
        let setup = format!("{mounts}{setup}");
        let mut keep = Command::new("unshare");
        keep.args(["--net", "--mount", "--propagation", "slave", "sh", "-c", &setup])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut keep = keep.spawn()?;
        wait_for(&mut BufReader::new(keep.stdout.take().ok_or("no output")?), "ready")?;
        Ok(Self { t, keep })
    }

    /// Packets are as long as on Ethernet.
    pub(crate) fn long_packets_are_cut(&self) -> Outcome {
        let done = self.command(&["ip", "link", "set", "lo", "mtu", "1500"])?.status()?;
        assert!(done.success());
        Ok(())
    }

    /// A command line in it.
    pub(crate) fn command(&self, words: &[&str]) -> Outcome<Command> {
        let before = self.enter()?;
        let before: Vec<&str> = before.iter().map(String::as_str).collect();
        self.t.jaula().instead("nsenter").command([&before, words].concat())
    }

    /// Runs jaula in it.
    pub(crate) fn jaula(&self, words: &[&str]) -> Outcome<Done> {
        let before = self.enter()?;
        let mut before: Vec<&str> = before.iter().map(String::as_str).collect();
        let jaula = Jaula::binary()?.canonicalize()?;
        before.push(jaula.to_str().ok_or("a path of bytes")?);
        self.t.jaula().instead("nsenter").run(&[&before, words].concat())
    }

    /// What nsenter(1) takes to run a command there, in this directory.
    fn enter(&self) -> Outcome<Vec<String>> {
        let of = |kind| format!("/proc/{}/ns/{kind}", self.keep.id());
        let here = std::env::current_dir()?;
        let net = format!("--net={}", of("net"));
        Ok(vec![net, format!("--mount={}", of("mnt")), format!("--wdns={}", here.display()), "--".to_owned()])
    }

    /// What the program inside says; `options` before it.
    fn inside(&self, options: &[&str], words: &[&str]) -> Outcome<String> {
        let before = ["run", "--root", "host"];
        let done = self.jaula(&[&before, options, &["--", "python3", "-c", INSIDE], words].concat())?;
        assert!(done.status.success(), "{done:?}");
        Ok(done.stdout)
    }

    /// A program of the host that goes on until the result is dropped, once it said this.
    pub(crate) fn going_on(&self, words: &[&str], says: &str) -> Outcome<GoingOn> {
        let mut child = self.command(words)?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut going = GoingOn { child, output, said: String::new() };
        going.said = going.wait_for(says)?;
        Ok(going)
    }

    /// A jail that goes on.
    pub(crate) fn jail(&self, options: &[&str], words: &[&str], says: &str) -> Outcome<GoingOn> {
        let jaula = Jaula::binary()?.canonicalize()?;
        let before = [jaula.to_str().ok_or("a path of bytes")?, "run", "--root", "host"];
        self.going_on(&[&before, options, &["--"], words].concat(), says)
    }

    /// What a program of the host gets that connects.
    fn reach(&self, address: &str, port: u16) -> Outcome<String> {
        let script = "import socket, sys\n\
                      try: s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)\n\
                      except OSError as e: print(type(e).__name__)\n\
                      else: print(s.recv(100).decode())";
        let done = self.command(&["python3", "-c", script, address, &port.to_string()])?.output()?;
        Ok(String::from_utf8(done.stdout)?.trim().to_owned())
    }
}

impl Drop for Net<'_> {
    fn drop(&mut self) {
        drop(self.keep.stdin.take());
        _ = self.keep.wait();
    }
}

/// A program that ends when its standard input does.
pub(crate) struct GoingOn {
    child: Child,
    output: BufReader<ChildStdout>,
    said: String,
}

impl Drop for GoingOn {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        _ = self.child.wait();
    }
}

impl GoingOn {
    /// What it says from here up to a line that begins with this.
    pub(crate) fn wait_for(&mut self, says: &str) -> Outcome<String> {
        wait_for(&mut self.output, says)
    }
}

/// Reads lines up to one that begins with this; returns all.
fn wait_for(output: &mut BufReader<ChildStdout>, says: &str) -> Outcome<String> {
    let mut said = String::new();
    while output.read_line(&mut said)? > 0 {
        if said.lines().last().is_some_and(|line| line.starts_with(says)) {
            return Ok(said);
        }
    }
    Err(format!("it ended without saying {says:?}: {said:?}").into())
}

/// Both kinds of sockets say the same.
fn bound(net: &Net<'_>, options: &[&str], expected: &[(&str, &str)]) -> Outcome {
    let addresses: Vec<&str> = expected.iter().map(|(address, _)| *address).collect();
    let addresses: Vec<&str> = addresses.into_iter().filter(|address| !address.contains(' ')).collect();
    let said = net.inside(options, &["bind", &addresses.join(" ")])?;
    let kinds = ["SOCK_STREAM", "SOCK_DGRAM"];
    let expected = kinds.map(|kind| {
        expected.iter().map(|(address, how)| format!("{kind} {address}: {how}\n")).collect::<String>()
    });
    assert_eq!(said, expected.concat(), "{options:?}");
    Ok(())
}

const BOTH: [&str; 4] = ["--ip", "192.0.2.10", "--ip", "2001:db8::10"];

pub(crate) fn every_other_address_is_refused(t: &Test) -> Outcome {
    on_both(t, |net| {
        let tries = [
            ("0.0.0.0", "192.0.2.10"),
            ("192.0.2.10", "192.0.2.10"),
            ("127.0.0.1", "127.0.0.1"),
            ("192.0.2.11", "EADDRNOTAVAIL"),
            ("198.51.100.1", "EADDRNOTAVAIL"),
            ("127.0.0.2", "EADDRNOTAVAIL"),
            ("127.106.0.1", "EADDRNOTAVAIL"),
            ("224.0.0.1", "EADDRNOTAVAIL"),
            ("255.255.255.255", "EADDRNOTAVAIL"),
            ("::", "2001:db8::10"),
            ("2001:db8::10", "2001:db8::10"),
            ("2001:db8::99", "EADDRNOTAVAIL"),
            ("::1", "EADDRNOTAVAIL"),
            ("::ffff:0.0.0.0", "::ffff:192.0.2.10"),
            ("::ffff:192.0.2.10", "::ffff:192.0.2.10"),
            ("::ffff:127.0.0.1", "::ffff:127.0.0.1"),
            ("::ffff:192.0.2.11", "EADDRNOTAVAIL"),
            (":: alone", "2001:db8::10"),
        ];
        // The port is 80: root of the jail may.
        bound(&net, &BOTH, &tries)?;
        let second = [&BOTH[..], &["--ip", "192.0.2.11"]].concat();
        let with_second = tries.map(|(address, how)| match address {
            "192.0.2.11" => (address, "192.0.2.11"),
            "::ffff:192.0.2.11" => (address, "::ffff:192.0.2.11"),
            _ => (address, how),
        });
        bound(&net, &second, &with_second)
    })
}

fn without_ipv6_any_is_the_ipv4_address(t: &Test) -> Outcome {
    on_both(t, |net| {
        let tries = [
            ("0.0.0.0", "192.0.2.10"),
            ("::", "::ffff:192.0.2.10"),
            ("::1", "EADDRNOTAVAIL"),
            ("2001:db8::10", "EADDRNOTAVAIL"),
            // Where nobody comes.
            (":: alone", "::1"),
        ];
        bound(&net, &["--ip", "192.0.2.10"], &tries)
    })
}

fn it_leaves_from_its_address_and_loopback_is_its_own(t: &Test) -> Outcome {
    on_both(t, |net| {
        let _host = net.going_on(&["python3", "-c", HOST], "ready")?;
        // Where, what comes of TCP, of a datagram, and of one on a connected socket.
        let tries = [
            ("127.0.0.1,7001", "192.0.2.10 192.0.2.10 hello 192.0.2.10", "192.0.2.10 hello 192.0.2.10"),
            ("127.0.0.1,7002", "127.0.0.1 127.0.0.1 hello 127.0.0.1", "127.0.0.1 hello 127.0.0.1"),
            ("0.0.0.0,7002", "127.0.0.1 127.0.0.1 hello 127.0.0.1", "127.0.0.1 hello 127.0.0.1"),
            ("127.0.0.1,9000", "ECONNREFUSED", "ECONNREFUSED"),
            ("127.0.0.1,9001", "ECONNREFUSED", "ECONNREFUSED"),
            ("127.0.0.2,9000", "ECONNREFUSED", "ECONNREFUSED"),
            ("127.106.0.9,9000", "ECONNREFUSED", "ECONNREFUSED"),
            ("198.51.100.1,9000", "192.0.2.10 198.51.100.1 host 192.0.2.10", "192.0.2.10 host 192.0.2.10"),
            ("192.0.2.11,9000", "192.0.2.10 192.0.2.11 host 192.0.2.10", "192.0.2.10 host 192.0.2.10"),
            ("::1,9000", "ECONNREFUSED", "ECONNREFUSED"),
            ("::,9000", "ECONNREFUSED", "ECONNREFUSED"),
            (
                "2001:db8::99,9000",
                "2001:db8::10 2001:db8::99 host 2001:db8::10",
                "2001:db8::99 host 2001:db8::10",
            ),
            (
                "::ffff:127.0.0.1,7002",
                "::ffff:127.0.0.1 ::ffff:127.0.0.1 hello 127.0.0.1",
                "::ffff:127.0.0.1 hello 127.0.0.1",
            ),
            ("::ffff:127.0.0.1,9001", "ECONNREFUSED", "ECONNREFUSED"),
            (
                "::ffff:198.51.100.1,9000",
                "::ffff:192.0.2.10 ::ffff:198.51.100.1 host 192.0.2.10",
                "::ffff:192.0.2.10 host 192.0.2.10",
            ),
        ];
        let mut expected = String::new();
        for (target, stream, datagram) in tries {
            expected += &format!("connect {target}: {stream}\nsend {target}: {datagram}\n");
            if !target.starts_with("192.0.2.11") && !target.contains("198.51.100.1") {
                expected += &format!("connected {target}: {datagram}\n");
            }
        }
        expected += "from 192.0.2.10: sent\nconnected, from 192.0.2.10: sent\n";
        for other in ["192.0.2.11", "198.51.100.1", "127.0.0.1"] {
            expected += &format!("from {other}: ENETUNREACH\nconnected, from {other}: ENETUNREACH\n");
        }
        let targets: Vec<&str> = tries.iter().map(|(target, ..)| *target).collect();
        assert_eq!(net.inside(&BOTH, &["reach", &targets.join(" ")])?, expected);
        Ok(())
    })
}

fn what_no_call_tells_is_kept_too(t: &Test) -> Outcome {
    on_both(t, |net| {
        let jail = net.jail(&BOTH, &["python3", "-c", INSIDE, "sockets"], "port")?;
        let (sockets, port) = jail.said.rsplit_once("port ").ok_or("no port")?;
        assert_eq!(
            sockets,
            "tcp: made\nudp: made\nping: made\nmptcp: EPROTONOSUPPORT\nudplite: EPROTONOSUPPORT\n\
         sctp: EPROTONOSUPPORT\nraw: EPERM\npacket: EAFNOSUPPORT\n\
         ping from 192.0.2.10: answered by 198.51.100.1\nping from 192.0.2.11: EPERM\n\
         ping from 198.51.100.1: EPERM\nping from : EPERM\n"
        );
        // It waits on every address, but hears only what is sent to its own.
        let port = port.trim().parse()?;
        assert_eq!(net.reach("198.51.100.1", port)?, "TimeoutError");
        let open = "import socket, sys; socket.create_connection(('192.0.2.10', int(sys.argv[1])), 5); print('open')";
        let done = net.command(&["python3", "-c", open, &port.to_string()])?.output()?;
        assert_eq!(String::from_utf8(done.stdout)?, "open\n");
        Ok(())
    })
}

fn two_jails_share_a_port(t: &Test) -> Outcome {
    on_both(t, |net| {
        let serve = ["python3", "-c", INSIDE, "serve"];
        let _one = net.jail(&["--ip", "192.0.2.10"], &serve, "ready")?;
        let _two = net.jail(&["--ip", "192.0.2.11"], &serve, "ready")?;
        assert!(net.reach("192.0.2.10", 8080)?.starts_with("hello"));
        assert!(net.reach("192.0.2.11", 8080)?.starts_with("hello"));
        assert_eq!(net.reach("198.51.100.1", 8080)?, "ConnectionRefusedError");
        assert_eq!(net.reach("127.0.0.1", 8080)?, "ConnectionRefusedError");
        Ok(())
    })
}

fn nginx_on_every_address_is_on_its_own(t: &Test) -> Outcome {
    let net = Net::new(t)?;
    for (name, ip) in [("one", "192.0.2.10"), ("two", "192.0.2.11")] {
        let config = t.root().join(format!("{name}.conf"));
        let text = format!(
            "daemon off; events {{}} http {{ access_log off; server {{ listen 80; return 200 {name}; }} }}"
        );
        std::fs::File::create(&config)?.write_all(text.as_bytes())?;
        let config = config.to_str().ok_or("a path of bytes")?.to_owned();
        let mount = format!("{config}:/etc/nginx/nginx.conf");
        let made = net.jaula(&[
            "create",
            name,
            "--app",
            "/usr/sbin/nginx",
            "--ip",
            ip,
            "--mount",
            &mount,
            "--set",
            "root.writable=/var/lib/nginx,/var/log/nginx",
            "--set",
            "boot.ready=tcp 80",
        ])?;
        assert!(made.status.success(), "{made:?}");
        let started = net.jaula(&["start", name])?;
        assert!(started.status.success(), "{started:?}");
    }
    let get = "import sys, urllib.request as u; print(u.urlopen('http://' + sys.argv[1], timeout=5).read().decode())";
    for (name, ip) in [("one", "192.0.2.10"), ("two", "192.0.2.11")] {
        let done = net.command(&["python3", "-c", get, ip])?.output()?;
        assert_eq!(String::from_utf8(done.stdout)?.trim(), name);
    }
    assert_eq!(net.reach("198.51.100.1", 80)?, "ConnectionRefusedError");
    let listed = net.jaula(&["list", "--json"])?.stdout;
    assert_eq!(listed.matches("\"bind\"").count(), 2, "{listed}");
    let stopped = net.jaula(&["stop", "one", "two"])?;
    assert!(stopped.status.success(), "{stopped:?}");
    Ok(())
}

fn what_comes_in_later_is_kept_too(t: &Test) -> Outcome {
    let net = Net::new(t)?;
    net.jaula(&["create", "www", "--root", "host", "--ip", "192.0.2.10", "--", "sleep", "1000"])?;
    net.jaula(&["start", "www"])?;
    let done = net.jaula(&["exec", "www", "--", "python3", "-c", INSIDE, "bind", "0.0.0.0 192.0.2.11"])?;
    assert!(done.stdout.contains("SOCK_STREAM 0.0.0.0: 192.0.2.10\n"), "{done:?}");
    assert!(done.stdout.contains("SOCK_STREAM 192.0.2.11: EADDRNOTAVAIL\n"), "{done:?}");
    net.jaula(&["stop", "www"])?;
    Ok(())
}

fn there_is_no_way_to_other_addresses(t: &Test) -> Outcome {
    on_both(t, |net| {
        let _host = net.going_on(&["python3", "-c", HOST], "ready")?;
        let said = net.inside(&BOTH, &["escapes"])?;
        let mut expected = String::new();
        for address in ["192.0.2.11", "198.51.100.1", "127.0.0.2", "203.0.113.1"] {
            for way in ["freebind", "transparent", "late port"] {
                expected += &format!("{way} {address}: EADDRNOTAVAIL\n");
            }
        }
        for address in ["2001:db8::99", "2001:db8::77", "::ffff:198.51.100.1"] {
            for way in ["freebind", "transparent"] {
                expected += &format!("{way} {address}: EADDRNOTAVAIL\n");
            }
        }
        for way in ["fast_open", "to_device", "without_copy", "disconnected"] {
            expected += &format!("{way}: host 192.0.2.10\n");
        }
        expected += "multicast: nothing\nbroadcast: 192.0.2.10\nconnected ping: 192.0.2.10\nconnected ping6: 2001:db8::10\n\
                 abstract: EPERM\nroute: made\n";
        assert_eq!(said.get(..expected.len()), Some(expected.as_str()), "{said}");
        let families = &said[expected.len()..];
        assert_eq!(families.lines().count(), 16, "{families}");
        assert!(!families.contains("made"), "{families}");
        Ok(())
    })
}

/// Debian's nginx and sshd listen on `0.0.0.0` and, with a socket of IPv6 alone, on `::`.
fn a_server_that_wants_ipv6_too_begins_without_it(t: &Test) -> Outcome {
    on_both(t, |net| {
        let script = "import socket, sys\n\
                  four = socket.socket()\n\
                  four.bind(('0.0.0.0', 8080))\n\
                  six = socket.socket(socket.AF_INET6)\n\
                  six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)\n\
                  six.bind(('::', 8080))\n\
                  four.listen(), six.listen()\n\
                  print('port', six.getsockname()[1], flush=True)\n\
                  sys.stdin.read()";
        let one = net.jail(&["--ip", "192.0.2.10"], &["python3", "-c", script], "port")?;
        let _two = net.jail(&["--ip", "192.0.2.11"], &["python3", "-c", script], "port")?;
        let open = |address: &str, port: &str| -> Outcome<String> {
            let script = "import socket, sys\n\
                      try: socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)\n\
                      except OSError as e: print(type(e).__name__)\n\
                      else: print('open')";
            Ok(String::from_utf8(net.command(&["python3", "-c", script, address, port])?.output()?.stdout)?)
        };
        assert_eq!(open("192.0.2.10", "8080")?, "open\n");
        assert_eq!(open("192.0.2.11", "8080")?, "open\n");
        // Where the other socket waits, nobody comes.
        let port = one.said.trim().rsplit_once(' ').ok_or("no port")?.1;
        assert_eq!(open("::1", port)?, "TimeoutError\n");
        Ok(())
    })
}

fn commands_have_addresses_without_a_jail(t: &Test) -> Outcome {
    on_both(t, |net| {
        let bind = |words: &[&str]| net.jaula(&[&["bind", "--ip", "192.0.2.10", "--"], words].concat());
        let said = bind(&["python3", "-c", INSIDE, "bind", "0.0.0.0 192.0.2.11 127.0.0.1"])?;
        for line in ["0.0.0.0: 192.0.2.10", "192.0.2.11: EADDRNOTAVAIL", "127.0.0.1: 127.0.0.1"] {
            assert!(said.stdout.contains(&format!("SOCK_STREAM {line}\n")), "{line}: {said:?}");
        }
        // What a command is and was given stays what it was.
        let done = bind(&["sh", "-c", "pwd; echo $HOME; exit 7"])?;
        assert_eq!(done.status.code(), Some(7), "{done:?}");
        let here = net.command(&["sh", "-c", "pwd; echo $HOME"])?.output()?;
        assert_eq!(done.stdout, String::from_utf8(here.stdout)?);
        assert_eq!(bind(&["sh", "-c", "kill -TERM $$"])?.status.code(), Some(143));
        one_clear_line(&bind(&["/does/not/exist"])?, 127, &["/does/not/exist"])?;
        let done = net.jaula(&["bind", "--ip", "192.0.2.77", "true"])?;
        one_clear_line(&done, 125, &["this host does not have 192.0.2.77"])?;
        let done =
            net.jaula(&["bind", "python3", "-c", "import socket; socket.socket().bind(('0.0.0.0', 0))"])?;
        assert!(done.stderr.contains("Errno 99"), "{done:?}");

        // What it leaves behind is kept where it is, until the last of it has ended.
        let done =
            bind(&["sh", "-c", "(trap '' HUP; exec sleep 1000 >/dev/null 2>&1 </dev/null) & echo $!"])?;
        let pid: i32 = done.stdout.trim().parse()?;
        let group = std::fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
        let group = group.lines().find(|line| line.starts_with("0::")).ok_or("no group")?.to_owned();
        assert!(group.contains("bind-"), "{group}");
        let swept = net.jaula(&["gc"])?;
        assert!(swept.status.success() && !swept.stdout.contains("bind-"), "{swept:?}");
        assert_eq!(Command::new("kill").arg(pid.to_string()).status()?.code(), Some(0), "gc must not end it");
        while std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let swept = net.jaula(&["gc"])?;
        assert!(swept.stdout.contains("bind-"), "{swept:?}");
        Ok(())
    })
}

/// VServer's `chbind`: services that are told to listen on every address.
fn sshd_and_nginx_share_ports_without_jails(t: &Test) -> Outcome {
    let net = Net::new(t)?;
    let root = t.root();
    let tree = Template::Debian13.kept(t)?.join("tree");
    // A Debian whose files are forgotten.
    let sshd = format!(
        "mount -t tmpfs tmpfs /mnt && mkdir /mnt/upper /mnt/work /mnt/root && \
         mount -t overlay -o lowerdir={},upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root && \
         mount --rbind /dev /mnt/root/dev && cd /mnt/root && \
         exec chroot . sh -c 'ssh-keygen -q -A && mkdir -p /run/sshd && exec /usr/sbin/sshd -D -e \
         -o ListenAddress=0.0.0.0 -o UsePAM=no -o PidFile=none -o VersionAddendum=",
        tree.display()
    );
    let mut servers = Vec::new();
    for (name, ip) in [("one", "192.0.2.10"), ("two", "192.0.2.11")] {
        let sshd = format!("{sshd}{name}'");
        let web = root.join(format!("{name}.nginx")).to_str().ok_or("a path of bytes")?.to_owned();
        let text = format!(
            "daemon off; error_log stderr; pid {web}.pid; events {{}} http {{ access_log off; \
             server {{ listen 80; return 200 {name}; }} }}"
        );
        std::fs::write(&web, text)?;
        for command in [vec!["unshare", "--mount", "sh", "-c", &sshd], vec!["/usr/sbin/nginx", "-c", &web]] {
            let jaula = Jaula::binary()?.canonicalize()?;
            let before = [jaula.to_str().ok_or("a path of bytes")?, "bind", "--ip", ip, "--"];
            let mut server = net.command(&[&before[..], &command].concat())?;
            servers.push(Serving(
                server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?,
            ));
        }
    }
    let get = "import socket, sys, time, urllib.request as u\n\
               def until(what):\n \
                for n in range(200):\n  \
                 try: return what()\n  \
                 except OSError: time.sleep(0.05)\n \
                return 'nobody'\n\
               print(until(lambda: socket.create_connection((sys.argv[1], 22), 5).recv(100).decode().split()[-1]))\n\
               print(until(lambda: u.urlopen('http://' + sys.argv[1], timeout=5).read().decode()))";
    for (name, ip) in [("one", "192.0.2.10"), ("two", "192.0.2.11")] {
        let done = net.command(&["python3", "-c", get, ip])?.output()?;
        assert_eq!(String::from_utf8(done.stdout)?, format!("{name}\n{name}\n"), "{ip}");
    }
    assert_eq!(net.reach("198.51.100.1", 22)?, "ConnectionRefusedError");
    assert_eq!(net.reach("127.0.0.1", 80)?, "ConnectionRefusedError");
    drop(servers);
    // What a server has left for a moment (of sshd, a session) keeps its group.
    let left = || {
        let entries = std::fs::read_dir(root.join("run/jaula")).into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("bind-")).count()
    };
    while left() > 0 {
        net.jaula(&["gc"])?;
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    Ok(())
}

/// A server in the foreground, which ends with this; jaula passes the signal on.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let ended = Command::new("kill").arg(self.0.id().to_string()).status();
        if ended.is_ok_and(|status| status.success()) {
            _ = self.0.wait();
        }
    }
}

fn who_has_the_port_on_every_address_is_named(t: &Test) -> Outcome {
    let net = Net::new(t)?;
    let script = "import socket, sys; s = socket.socket(); s.bind(('0.0.0.0', 8080)); s.listen()\n\
                  open('/proc/self/comm', 'w').write('nginx')\n\
                  print('ready', flush=True); sys.stdin.read()";
    let server = net.going_on(&["python3", "-c", script], "ready")?;
    // nsenter becomes the program.
    let who = format!("nginx (pid {})", server.child.id());
    let change = "listen ADDRESS:8080;";

    let doctor = net.jaula(&["doctor"])?;
    assert!([&who, "tcp 8080", change].iter().all(|part| doctor.stdout.contains(*part)), "{doctor:?}");

    let run = ["run", "--root", "host", "--ip", "192.0.2.10"];
    let done = net.jaula(&[&run[..], &["--", "true"]].concat())?;
    assert!(done.status.success(), "{done:?}");
    let warned = done.stderr.lines().filter(|line| line.starts_with("warning: ")).count();
    assert_eq!(warned, 1, "{done:?}");
    assert!([&who, "tcp 8080", change].iter().all(|part| done.stderr.contains(*part)), "{done:?}");

    // A port that it is known to want.
    let done = net.jaula(&[&run[..], &["--set", "network.listen=tcp 8080", "--", "true"]].concat())?;
    one_clear_line(&done, 125, &["192.0.2.10:8080 is taken by", &who, "which listens on 0.0.0.0"])?;
    // One that nobody has.
    let done = net.jaula(&[&run[..], &["--set", "network.listen=tcp 8081", "--", "true"]].concat())?;
    assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
    Ok(())
}

fn no_address_is_no_network(t: &Test) -> Outcome {
    on_both(t, |net| {
        let _host = net.going_on(&["python3", "-c", HOST], "ready")?;
        let options = ["--network", "bind"];
        bound(
            &net,
            &options,
            &[
                ("0.0.0.0", "EADDRNOTAVAIL"),
                ("192.0.2.10", "EADDRNOTAVAIL"),
                ("127.0.0.1", "127.0.0.1"),
                ("::", "EADDRNOTAVAIL"),
                (":: alone", "EADDRNOTAVAIL"),
            ],
        )?;
        let script = "import errno, socket\n\
                  for a in ('198.51.100.1', '2001:db8::99'):\n \
                   s = socket.socket(socket.AF_INET6 if ':' in a else socket.AF_INET)\n \
                   print(errno.errorcode[s.connect_ex((a, 9000))])";
        let done =
            net.jaula(&["run", "--root", "host", "--network", "bind", "--", "python3", "-c", script])?;
        assert_eq!(done.stdout, "ENETUNREACH\nENETUNREACH\n", "{done:?}");
        Ok(())
    })
}

fn listed_ports_are_kept_beside(t: &Test) -> Outcome {
    on_both(t, |net| {
        let listen = |list| ["--ip", "192.0.2.10", "--set", list];
        bound(
            &net,
            &listen("network.listen=tcp 81,udp 81"),
            &[("0.0.0.0", "EACCES"), ("192.0.2.11", "EACCES"), (":: alone", "::1")],
        )?;
        bound(
            &net,
            &listen("network.listen=tcp 80,udp 80"),
            &[("0.0.0.0", "192.0.2.10"), ("192.0.2.11", "EADDRNOTAVAIL"), (":: alone", "::1")],
        )
    })
}

fn what_it_needs_is_said(t: &Test) -> Outcome {
    let net = Net::new(t)?;
    let done = net.jaula(&["run", "--root", "host", "--ip", "192.0.2.77", "--", "true"])?;
    one_clear_line(&done, 125, &["this host does not have 192.0.2.77"])
}

fn bad_addresses_are_refused(t: &Test) -> Outcome {
    for (options, why) in [
        (vec!["--ip", "192.0.2.300"], "neither IPv4 nor IPv6"),
        (vec!["--ip", "127.0.0.1"], "loopback address of its own"),
        (vec!["--ip", "0.0.0.0"], "nobody can be reached"),
        (vec!["--network", "host", "--set", "network.addresses=192.0.2.1"], "no addresses of its own"),
        (vec!["--ip", "192.0.2.1", "--set", "security.raw_sockets=true"], "no raw sockets"),
    ] {
        let done = t.jaula().run(&[&["run", "--root", "host"], &options[..], &["--", "true"]].concat())?;
        one_clear_line(&done, 125, &[why])?;
    }
    Ok(())
}
