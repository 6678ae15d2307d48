//! Programs that all jails share: each jail has its own addresses from a map.

use super::{INSIDE, Net, Programs};
use jaula_tests::harness::{Outcome, Test, command};

/// Serves on the jail's loopback address, on all ports but the first as the last argument says.
const SERVE: &str = "import socket, sys, threading\n\
    def serve(address, port):\n \
     s = socket.create_server((address, port))\n \
     def answer():\n  \
      while True: s.accept()[0].sendall(sys.argv[1].encode())\n \
     threading.Thread(target=answer).start()\n\
    if sys.argv[1] == 'one': serve('127.0.0.1', 7001); serve('0.0.0.0', 7002)\n\
    serve('127.0.0.1', 7000)\n";

/// What a program in the jail may be, and who answers at its loopback address.
const LOOK: &str = "import errno, socket, time\n\
    for a in '0.0.0.0', '192.0.2.10', '192.0.2.11', '127.0.0.1', '::':\n \
     s = socket.socket(socket.AF_INET6 if ':' in a else socket.AF_INET)\n \
     try: s.bind((a, 0)); print(a, s.getsockname()[0])\n \
     except OSError as e: print(a, errno.errorcode[e.errno])\n\
    def ask(port):\n \
     try: return socket.create_connection(('127.0.0.1', port), 5).recv(9).decode()\n \
     except ConnectionRefusedError: return 'nobody'\n\
    for n in range(500):\n \
     if ask(7000) != 'nobody': break\n \
     time.sleep(0.02)\n\
    print(*map(ask, (7000, 7001, 7002)))\n";

const ONE: &str = "0.0.0.0 192.0.2.10\n192.0.2.10 192.0.2.10\n192.0.2.11 EADDRNOTAVAIL\n127.0.0.1 127.0.0.1\n\
                   :: ::ffff:192.0.2.10\none one one\n";
const TWO: &str = "0.0.0.0 192.0.2.11\n192.0.2.10 EADDRNOTAVAIL\n192.0.2.11 192.0.2.11\n127.0.0.1 127.0.0.1\n\
                   :: ::ffff:192.0.2.11\ntwo nobody nobody\n";

/// What is pinned, with inodes: another set has others.
fn pinned(net: &Net<'_>) -> Outcome<String> {
    let done = net.command(&["sh", "-c", "cd /sys/fs/bpf/jaula && ls -di bind-* bind-*/*"])?.output()?;
    Ok(String::from_utf8(done.stdout)?)
}

pub(super) fn jails_share_programs_and_no_address(t: &Test) -> Outcome {
    let net = Net::with(t, Programs::Shared)?;
    let ok = |words: &[&str]| -> Outcome<String> {
        let done = net.jaula(words)?;
        assert!(done.status.success(), "{words:?}: {done:?}");
        Ok(done.stdout)
    };
    let look = |name: &str, expected: &str| -> Outcome {
        assert_eq!(ok(&["exec", name, "--", "python3", "-c", LOOK])?, expected, "{name}");
        Ok(())
    };
    for (name, ip) in [("one", "192.0.2.10"), ("two", "192.0.2.11")] {
        ok(&["create", name, "--root", "host", "--ip", ip, "--", "python3", "-c", SERVE, name])?;
    }
    ok(&["start", "one"])?;
    let set = pinned(&net)?;
    // The directory, 16 programs and a map.
    assert_eq!(
        set.lines().filter(|line| line.contains("bind-") && !line.ends_with(':')).count(),
        18,
        "{set}"
    );
    ok(&["start", "two"])?;
    look("one", ONE)?;
    look("two", TWO)?;

    ok(&["stop", "one"])?;
    look("two", TWO)?;
    ok(&["start", "one"])?;
    look("one", ONE)?;
    look("two", TWO)?;

    // Ended by force, keeper first.
    let status: serde_json::Value = serde_json::from_str(&ok(&["status", "one", "--json"])?)?;
    for pid in [&status[0]["keeper"]["pid"], &status[0]["pid"]] {
        let pid = pid.as_i64().ok_or_else(|| format!("no pid in {status}"))?;
        command(&["kill", "-9", &pid.to_string()])?.ok()?;
    }
    ok(&["gc"])?;
    look("two", TWO)?;
    // The other family now: nothing of what it was is left.
    ok(&["set", "one", "network.addresses=2001:db8::10"])?;
    ok(&["start", "one"])?;
    let binds = LOOK.split("def ask").next().unwrap_or_default();
    assert_eq!(
        ok(&["exec", "one", "--", "python3", "-c", binds])?,
        "0.0.0.0 EADDRNOTAVAIL\n192.0.2.10 EADDRNOTAVAIL\n192.0.2.11 EADDRNOTAVAIL\n127.0.0.1 127.0.0.1\n\
         :: 2001:db8::10\n"
    );
    look("two", TWO)?;

    // Nobody made programs of their own meanwhile.
    assert_eq!(pinned(&net)?, set);
    ok(&["stop", "one", "two"])?;
    Ok(())
}

/// The numbers of the programs at socket(2) of these processes' control groups, one line each (bpf(2), `BPF_PROG_QUERY`).
const NUMBERS: &str = "import ctypes, os, platform, struct, subprocess, sys\n\
    mount = subprocess.check_output(['findmnt', '-nfo', 'TARGET', '-t', 'cgroup2'], text=True).strip()\n\
    call = {'x86_64': 321, 'aarch64': 280}[platform.machine()]\n\
    for pid in sys.argv[1:]:\n \
     path = next(line[3:].strip() for line in open(f'/proc/{pid}/cgroup') if line.startswith('0::'))\n \
     ids = (ctypes.c_uint32 * 64)()\n \
     group = os.open(mount + path, os.O_RDONLY)\n \
     query = ctypes.create_string_buffer(struct.pack('IIIIQII', group, 2, 0, 0, ctypes.addressof(ids), 64, 0))\n \
     assert ctypes.CDLL(None).syscall(call, 16, query, ctypes.c_long(32)) == 0\n \
     print(*ids[:struct.unpack_from('I', query, 24)[0]])\n";

/// Without a BPF file system, the second jail has the first one's, for as long as any has them.
pub(super) fn a_running_jails_programs_are_taken(t: &Test) -> Outcome {
    let net = Net::with(t, Programs::Own)?;
    let ok = |words: &[&str]| -> Outcome<String> {
        let done = net.jaula(words)?;
        assert!(done.status.success(), "{words:?}: {done:?}");
        Ok(done.stdout)
    };
    let look = |name: &str, expected: &str| -> Outcome {
        assert_eq!(ok(&["exec", name, "--", "python3", "-c", LOOK])?, expected, "{name}");
        Ok(())
    };
    let numbers = |names: &[&str]| -> Outcome<Vec<String>> {
        let status: serde_json::Value = serde_json::from_str(&ok(&[&["status", "--json"], names].concat())?)?;
        let pids: Vec<String> =
            status.as_array().into_iter().flatten().map(|jail| jail["pid"].to_string()).collect();
        let pids: Vec<&str> = pids.iter().map(String::as_str).collect();
        let done = net.command(&[&["python3", "-c", NUMBERS], &pids[..]].concat())?.output()?;
        assert!(done.status.success(), "{done:?}");
        Ok(String::from_utf8(done.stdout)?.lines().map(str::to_owned).collect())
    };
    for (name, ip) in [("one", "192.0.2.10"), ("two", "192.0.2.11")] {
        ok(&["create", name, "--root", "host", "--ip", ip, "--", "python3", "-c", SERVE, name])?;
    }
    ok(&["start", "one"])?;
    ok(&["start", "two"])?;
    let both = numbers(&["one", "two"])?;
    assert!(both.len() == 2 && both[0] == both[1] && !both[0].contains(' '), "{both:?}");
    look("one", ONE)?;
    look("two", TWO)?;
    // The first one's end is not that of its programs.
    ok(&["stop", "one"])?;
    look("two", TWO)?;
    ok(&["start", "one"])?;
    assert_eq!(numbers(&["one", "two"])?, both);
    look("one", ONE)?;
    look("two", TWO)?;
    ok(&["stop", "one", "two"])?;

    // What spares the first one's loading, too.
    let doctor = net.jaula(&["doctor"])?;
    assert!(doctor.stdout.contains("mount -t bpf bpf /sys/fs/bpf"), "{doctor:?}");
    let doctor = net.jaula(&["doctor", "--fix"])?;
    assert!(doctor.stdout.contains("mounted until the next boot"), "{doctor:?}");
    ok(&["start", "one"])?;
    assert!(!pinned(&net)?.is_empty());
    ok(&["stop", "one"])?;
    Ok(())
}

/// A systemd in a jail has its services in groups below the jail's.
pub(super) fn a_group_below_has_the_jails_addresses(t: &Test) -> Outcome {
    let net = Net::with(t, Programs::Shared)?;
    let script = "g=$(findmnt --noheadings --first-only --output TARGET --types cgroup2)$(sed -n s/^0:://p /proc/self/cgroup)\n\
                  mkdir $g/below && echo $$ > $g/below/cgroup.procs && cat /proc/self/cgroup\n\
                  python3 -c \"$1\" bind '0.0.0.0 192.0.2.10 192.0.2.11 127.0.0.1'\n\
                  echo $$ > $g/cgroup.procs && rmdir $g/below";
    let done = net.jaula(&["bind", "--ip", "192.0.2.11", "--", "sh", "-c", script, "sh", INSIDE])?;
    assert!(done.status.success(), "{done:?}");
    assert!(done.stdout.contains("/below\n"), "{done:?}");
    for line in
        ["0.0.0.0: 192.0.2.11", "192.0.2.10: EADDRNOTAVAIL", "192.0.2.11: 192.0.2.11", "127.0.0.1: 127.0.0.1"]
    {
        assert!(done.stdout.contains(&format!("SOCK_DGRAM {line}\n")), "{line}: {done:?}");
    }
    assert!(!pinned(&net)?.is_empty());
    // If the kernel was not done with the group when the command had ended.
    net.jaula(&["gc"])?;
    Ok(())
}

pub(super) fn more_addresses_than_there_is_room_for(t: &Test) -> Outcome {
    let net = Net::with(t, Programs::Shared)?;
    let many: Vec<String> = (20..29).map(|n| format!("192.0.2.{n}")).collect();
    for ip in &many {
        assert!(
            net.command(&["ip", "address", "add", &format!("{ip}/32"), "dev", "lo"])?.status()?.success()
        );
    }
    let bound = |count: usize| -> Outcome<String> {
        let options = many.iter().take(count).flat_map(|ip| ["--ip", ip]);
        let options: Vec<&str> = options.collect();
        net.inside(&options, &["bind", "0.0.0.0 192.0.2.27 192.0.2.28 192.0.2.10"])
    };
    let expected = |last| {
        ["SOCK_STREAM", "SOCK_DGRAM"]
            .map(|kind| {
                format!(
                    "{kind} 0.0.0.0: 192.0.2.20\n{kind} 192.0.2.27: 192.0.2.27\n{kind} 192.0.2.28: {last}\n\
                     {kind} 192.0.2.10: EADDRNOTAVAIL\n{kind} :: alone: ::1\n"
                )
            })
            .concat()
    };
    assert_eq!(bound(9)?, expected("192.0.2.28"));
    assert!(pinned(&net)?.is_empty(), "these have programs of their own");
    assert_eq!(bound(8)?, expected("EADDRNOTAVAIL"));
    assert!(!pinned(&net)?.is_empty());
    Ok(())
}

/// Who could put a program there could let a jail out.
pub(super) fn only_what_root_alone_writes_to_is_used(t: &Test) -> Outcome {
    let net = Net::with(t, Programs::Shared)?;
    for change in
        ["mkdir -m 777 /sys/fs/bpf/jaula", "chmod 700 /sys/fs/bpf/jaula; chown 1000 /sys/fs/bpf/jaula"]
    {
        assert!(net.command(&["sh", "-c", change])?.status()?.success());
        let said = net.inside(&["--ip", "192.0.2.10"], &["bind", "0.0.0.0 192.0.2.11"])?;
        assert!(
            said.contains("SOCK_STREAM 0.0.0.0: 192.0.2.10\nSOCK_STREAM 192.0.2.11: EADDRNOTAVAIL\n"),
            "{said}"
        );
        assert!(pinned(&net)?.is_empty(), "{change}");
    }
    // One who may, makes them.
    assert!(net.command(&["chown", "0", "/sys/fs/bpf/jaula"])?.status()?.success());
    net.inside(&["--ip", "192.0.2.10"], &["bind", "0.0.0.0"])?;
    assert!(!pinned(&net)?.is_empty());
    Ok(())
}
