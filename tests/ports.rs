//! `network.listen`: the only ports that a jail listens on, tried with real sockets.

use crate::ground::one_clear_line;
use jaula_tests::harness::{Done, Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("ports": privileged [
        only_what_is_listed_is_bound,
        no_way_round_is_heard,
        an_empty_list_is_no_port,
        without_a_list_nothing_changes,
        what_comes_in_later_is_held_too,
        without_root_it_says_so,
    ], pure [
        bad_lists_are_refused,
    ])
}

/// Tries each of `tries`, `(what, family, type, address, port)`, and prints a line for each.
const BIND: &str = r#"
import errno, socket, sys
def attempt(family, kind, address, port, reuse):
    s = socket.socket(getattr(socket, "AF_" + family), getattr(socket, "SOCK_" + kind))
    if reuse: s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        s.bind((address, port))
        if kind == "STREAM": s.listen()
        return "ok"
    except OSError as e: return errno.errorcode[e.errno]
for line in sys.argv[1].split(";"):
    family, kind, address, port, *reuse = line.split()
    print(line, "=", attempt(family, kind, address, int(port), reuse))
"#;

/// `what=ok;what=EACCES` becomes the tries, and what they must print.
fn bind(t: &Test, options: &str, tries: &[(&str, &str)]) -> Outcome {
    let what: Vec<&str> = tries.iter().map(|(what, _)| *what).collect();
    let options: Vec<&str> = options.split('|').collect();
    let command = ["--", "python3", "-c", BIND, &what.join(";")];
    let said = t.jaula().ok(&[&["run", "--root", "host"], &options[..], &command].concat())?;
    let expected: String = tries.iter().map(|(what, how)| format!("{what} = {how}\n")).collect();
    assert_eq!(said, expected, "{options:?}");
    Ok(())
}

fn only_what_is_listed_is_bound(t: &Test) -> Outcome {
    // As root and as a user without any capability; in a network of its own and in the host's.
    let tries = [
        ("INET STREAM 127.0.0.1 81", "ok"),
        ("INET STREAM 127.0.0.1 82", "EACCES"),
        ("INET STREAM 0.0.0.0 61082", "EACCES"),
        ("INET STREAM 0.0.0.0 61081 reuse", "EACCES"),
        ("INET6 STREAM ::1 81", "ok"),
        ("INET6 STREAM ::1 82", "EACCES"),
        ("INET6 STREAM ::ffff:127.0.0.1 81", "ok"),
        ("INET6 STREAM ::ffff:127.0.0.1 82", "EACCES"),
        ("INET STREAM 127.0.0.1 61000", "ok"),
        ("INET6 STREAM :: 61010", "ok"),
        ("INET6 STREAM :: 61011", "EACCES"),
        ("INET STREAM 127.0.0.1 60999", "EACCES"),
        ("INET DGRAM 127.0.0.1 81", "EACCES"),
        ("INET DGRAM 127.0.0.1 65535", "ok"),
        ("INET6 DGRAM ::1 65535", "ok"),
        ("INET6 DGRAM ::1 65534", "EACCES"),
        ("INET STREAM 127.0.0.1 65535", "EACCES"),
        // Clients choose their address this way; see below for what else is tried with it.
        ("INET STREAM 127.0.0.1 0", "ok"),
        ("INET DGRAM 127.0.0.1 0", "ok"),
    ];
    for mode in ["none", "host"] {
        for user in ["0", "1000"] {
            let options = format!(
                "--set|network.mode={mode}|--set|boot.user={user}|--set|\
                 network.listen=tcp 81,tcp 61000-61010,udp 65535"
            );
            bind(t, &options, &tries)?;
        }
    }
    Ok(())
}

/// Listens in ways that no program on bind(2) sees, and on a listed port; prints the ports, then
/// accepts what comes for as long as it may.
const LISTEN: &str = r#"
import socket, sys, threading
def listen(port, v6=False):
    s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if port is not None: s.bind(("::" if v6 else "127.0.0.1", port))
    s.listen()
    def serve():
        while True: s.accept()[0].sendall(b"heard")
    threading.Thread(target=serve, daemon=True).start()
    return str(s.getsockname()[1])
print(listen(None), listen(0), listen(None, True), listen(int(sys.argv[1])), flush=True)
sys.stdin.read()
"#;

/// A process that is ended with the test.
struct Listener {
    child: Child,
    ports: Vec<u16>,
}

impl Listener {
    fn start(t: &Test, list: &[&str], listed: &str) -> Outcome<Self> {
        let before = ["run", "--root", "host", "--network", "host"];
        let args = [&before, list, &["--", "python3", "-c", LISTEN, listed]].concat();
        let mut command = t.jaula().command(&args)?;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let ports: Result<_, _> = line.split_whitespace().map(str::parse).collect();
        Ok(Self { child, ports: ports? })
    }

    /// Ends it as its last line says.
    fn end(mut self) -> Outcome {
        drop(self.child.stdin.take());
        assert!(self.child.wait()?.success());
        Ok(())
    }
}

/// What a client of the host hears at a port.
fn heard(port: u16) -> Outcome<Option<String>> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let Ok(mut client) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) else {
        return Ok(None);
    };
    client.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut text = String::new();
    client.read_to_string(&mut text)?;
    Ok(Some(text))
}

fn no_way_round_is_heard(t: &Test) -> Outcome {
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
    let list = format!("network.listen=tcp {free}");
    for (options, others) in [(&["--set", &list][..], None), (&[], Some("heard".to_owned()))] {
        let jail = Listener::start(t, options, &free)?;
        let [unbound, zero, unbound6, listed] = jail.ports[..] else { return Err("no ports".into()) };
        assert_eq!(heard(listed)?.as_deref(), Some("heard"));
        for port in [unbound, zero, unbound6] {
            assert_eq!(heard(port)?, others, "{options:?}");
        }
        jail.end()?;
    }
    Ok(())
}

fn an_empty_list_is_no_port(t: &Test) -> Outcome {
    let tries = ["INET STREAM 127.0.0.1 61000", "INET6 STREAM ::1 81", "INET DGRAM 127.0.0.1 61000"]
        .map(|w| (w, "EACCES"));
    bind(t, "--set|network.listen=[]", &tries)?;
    // A client goes on to work: its socket binds to port 0 by itself, or asks for it.
    let server = TcpListener::bind("127.0.0.1:0")?;
    let port = server.local_addr()?.port().to_string();
    let client = "import socket, sys\nfor source in (None, ('127.0.0.1', 0)):\n \
                  print(socket.create_connection(('127.0.0.1', int(sys.argv[1])), 10, source).recv(9))";
    let serve = std::thread::spawn(move || {
        (0..2).try_for_each(|_| std::io::Write::write_all(&mut server.accept()?.0, b"hello"))
    });
    let options = ["run", "--root", "host", "--network", "host", "--set", "network.listen=[]", "--"];
    let said = t.jaula().ok(&[&options[..], &["python3", "-c", client, &port]].concat())?;
    assert_eq!(said, "b'hello'\nb'hello'\n");
    serve.join().map_err(|_| "the server failed")??;
    Ok(())
}

fn without_a_list_nothing_changes(t: &Test) -> Outcome {
    let high = [("INET STREAM 127.0.0.1 61082", "ok"), ("INET DGRAM 127.0.0.1 61082", "ok")];
    bind(t, "--set|network.mode=none", &high)?;
    // A low port takes the capability, which another list than that of the ports takes away.
    let low = [("INET STREAM 127.0.0.1 81", "EACCES")];
    bind(t, "--set|security.capabilities=-net_bind_service", &low)?;
    bind(t, "--set|security.capabilities=-net_bind_service|--network|host", &low)?;
    bind(t, "--network|host", &[("INET STREAM 127.0.0.1 81", "ok")])
}

/// `exec` brings processes into the same group, and a change counts from the next start on.
fn what_comes_in_later_is_held_too(t: &Test) -> Outcome {
    let (jaula, name) = (t.jaula(), t.name("srv"));
    jaula.ok(&[
        "create",
        &name,
        "--root",
        "host",
        "--set",
        "network.listen=tcp 81",
        "--",
        "sleep",
        "1000",
    ])?;
    let plan = jaula.ok(&["plan", &name])?;
    assert!(plan.contains("bpf: bind to tcp 81, "), "{plan}");
    let attempt = || jaula.exec(&name, &["python3", "-c", BIND, "INET STREAM 127.0.0.1 61000"]);
    jaula.ok(&["start", &name])?;
    assert_eq!(attempt()?, "INET STREAM 127.0.0.1 61000 = EACCES\n");
    jaula.ok(&["set", &name, "network.listen+=tcp 61000"])?;
    assert_eq!(attempt()?, "INET STREAM 127.0.0.1 61000 = EACCES\n");
    jaula.ok(&["restart", &name])?;
    assert_eq!(attempt()?, "INET STREAM 127.0.0.1 61000 = ok\n");
    jaula.ok(&["stop", &name])?;
    jaula.ok(&["delete", "--yes", &name])?;
    Ok(())
}

fn without_root_it_says_so(t: &Test) -> Outcome {
    let place = t.root().join("user");
    std::fs::create_dir(&place)?;
    std::fs::copy(jaula_tests::harness::Jaula::binary()?, place.join("jaula"))?;
    std::os::unix::fs::chown(&place, Some(12345), Some(12345))?;
    let (program, house) = (place.join("jaula"), format!("JAULA_ROOT={}/house", place.display()));
    let program = program.to_string_lossy();
    let said: Done = t.jaula().instead("setpriv").run(&[
        "--reuid",
        "12345",
        "--regid",
        "12345",
        "--clear-groups",
        "env",
        &house,
        &program,
        "run",
        "--root",
        "host",
        "--set",
        "network.listen=tcp 81",
        "--",
        "echo",
        "ran",
    ])?;
    if said.stderr.contains("user namespace") {
        return t.skip("no user namespace without root here");
    }
    assert!(said.status.success() && said.stdout == "ran\n", "{said}");
    let warning = "warning: network.listen is not enforced, the jail may listen on every port: ";
    assert!(said.stderr.starts_with(warning), "{said}");
    Ok(())
}

fn bad_lists_are_refused(t: &Test) -> Outcome {
    let many = format!("network.listen={}", ["tcp 1"; 257].join(","));
    for (setting, why) in [
        ("network.listen=80", "two words"),
        ("network.listen=tcp 0", "free"),
        ("network.listen=tcp 70000", "65535"),
        ("network.listen=tcp 9-8", "below"),
        ("network.listen=sctp 80", "tcp or udp"),
        (&many, "256 is the most"),
    ] {
        let said = t.jaula().run(&["run", "--root", "host", "--set", setting, "--", "true"])?;
        one_clear_line(&said, 125, &[why]).or_else(|_| one_clear_line(&said, 2, &[why]))?;
    }
    Ok(())
}
