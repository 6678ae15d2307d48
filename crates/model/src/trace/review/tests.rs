//! Reviews of records as real programs leave them.

use super::*;
use crate::caps::{CapSet, Capability};
use crate::trace::secret::tests::SECRETS;
use crate::trace::{Found, Key, Kind, Peer, Port, Touched, User};

/// A record and its host from lines of `FLAGS PATH [NOTE…]`. Flags: `r`ead, `x` executed,
/// `m`apped, `l`isted, `w`ritten, `c` made, `d`irectory, `s`ocket, `?` missing, `!` not for
/// everybody, `p` a program, `L` linked. Notes: `->PATH` where a link leads, `uid=N`.
pub(crate) fn traced(lines: &str) -> (Record, Host) {
    let (mut record, mut host) = (Record { capabilities_whole: true, ..Record::default() }, Host::default());
    let user = |name: &str, id, home: &str| User { name: name.to_owned(), id, home: home.into() };
    host.users = vec![
        user("root", 0, "/root"),
        user("www-data", 33, "/var/www"),
        user("redis", 107, "/var/lib/redis"),
        user("alice", 1000, "/home/alice"),
        user("nobody", 65534, "/nonexistent"),
    ];
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut words = line.split_whitespace();
        let (flags, path) = (words.next().unwrap(), PathBuf::from(words.next().unwrap()));
        let is = |flag: char| flags.contains(flag);
        let mut found = Found {
            real: path.clone(),
            kind: match () {
                () if is('d') => Kind::Directory,
                () if is('s') => Kind::Socket,
                () => Kind::File,
            },
            owner: 0,
            open: !is('!'),
            executable: is('x') || is('p'),
            key: Key::Unknown,
        };
        for note in words {
            match note.split_at(note.find(['=', '>']).unwrap() + 1) {
                ("uid=", id) => found.owner = id.parse().unwrap(),
                ("->", real) => found.real = real.into(),
                other => panic!("{other:?}"),
            }
        }
        let touched = Touched {
            missing: is('?'),
            directory: is('d'),
            read: is('r'),
            listed: is('l'),
            executed: is('x'),
            mapped: is('m'),
            written: is('w'),
            made: is('c'),
            by: "/usr/sbin/x".into(),
        };
        if is('L') {
            host.linked.insert(path.clone(), "linked by /usr/sbin/x".to_owned());
        }
        if !is('?') {
            host.found.insert(path.clone(), found);
        }
        record.files.insert(path, touched);
    }
    host.searched = units(&record, &host);
    (record, host)
}

pub(crate) fn wanted() -> Wanted {
    Wanted { program: "/usr/sbin/x".into(), as_root: true, ..Wanted::default() }
}

/// The entries of a review of lines, `group: value`, with a `#` if it is not taken.
fn entries(lines: &str, wanted: &Wanted) -> Vec<String> {
    let (record, host) = traced(lines);
    shown(&review(&record, &host, wanted))
}

fn shown(review: &Review) -> Vec<String> {
    let files = review.entries.iter().filter(|e| e.group != Group::Capabilities);
    files.map(|e| format!("{}{}: {}", if e.taken { "" } else { "#" }, e.group.name(), e.value)).collect()
}

#[test]
fn a_server_as_it_is() {
    let lines = "
        xL /usr/sbin/x
        mL /lib/x86_64-linux-gnu/libc.so.6 ->/usr/lib/x86_64-linux-gnu/libc.so.6
        rL /etc/passwd
        rL /etc/ld.so.cache
        r?  /etc/ld.so.preload
        r  /etc/x/x.conf
        r  /etc/x/mime.types
        r  /etc/ssl/openssl.cnf
        r! /etc/ssl/private/site.key
        r  /etc/x/site.pem
        m  /usr/lib/x/modules/mod_a.so
        d  /var/www/html
        r  /var/www/html/index.html
        r  /usr/share/zoneinfo/Europe/Madrid
        r  /dev/urandom
        w  /dev/null
        r  /proc/self/status
        w  /var/log/x/access.log uid=0
        wc? /var/lib/x/body/1
        d  /var/lib/x uid=33
        wc? /run/x.pid
        s  /dev/log
        wc? /tmp/x.1";
    let (mut record, host) = traced(lines);
    record.users = [33].into();
    record.peers =
        [(Peer::Unix("/dev/log".into()), true), (Peer::Unix("/run/nscd/socket".into()), false)].into();
    record.listens = [Port { tcp: true, number: 80 }, Port { tcp: false, number: 0 }].into();
    record.listens.extend((8000..=8080).map(|number| Port { tcp: true, number }));
    let setuid = Capability::from_name("setuid").unwrap();
    record.capabilities = [setuid, Capability::from_name("sys_nice").unwrap()].into_iter().collect();
    let review = review(&record, &host, &wanted());
    assert_eq!(
        shown(&review),
        [
            "libraries: /usr/lib/x/modules/mod_a.so",
            "time zone: /usr/share/zoneinfo/Europe/Madrid",
            "certificates: /etc/ssl/openssl.cnf",
            "configuration: /etc/x/mime.types",
            "configuration: /etc/x/site.pem",
            "configuration: /etc/x/x.conf",
            "data: /var/www/html/index.html",
            "#secrets: /etc/ssl/private/site.key",
            "writable: /var/lib/x",
            "writable: /var/log/x",
            "users: www-data",
            "#sockets: /dev/log:/dev/log:rw",
            "ports: tcp 80",
            "ports: tcp 8000-8080",
        ]
    );
    let caps: Vec<_> = review.taken("security.capabilities").map(|e| e.value.as_str()).collect();
    assert_eq!(caps, ["-all", "+setuid", "+sys_nice"]);
    assert_eq!((review.linked, review.user.clone()), (4, None));
    let reason = |value: &str| review.entries.iter().find(|e| e.value == value).unwrap().reason.clone();
    assert_eq!(reason("/etc/x/x.conf"), "read by /usr/sbin/x");
    assert_eq!(reason("/usr/lib/x/modules/mod_a.so"), "opened by /usr/sbin/x");
    assert_eq!(reason("/etc/ssl/private/site.key"), "a private key; read by /usr/sbin/x");
}

#[test]
fn what_belongs_together_is_one_line() {
    let table: &[(&str, &[&str])] = &[
        // Four files of a package's directory are the directory, three are three.
        (
            "r /etc/x/a\nr /etc/x/b\nr /etc/x/c/d",
            &["configuration: /etc/x/a", "configuration: /etc/x/b", "configuration: /etc/x/c/d"],
        ),
        ("r /etc/x/a\nr /etc/x/b\nr /etc/x/c/d\nr /etc/x/c/e", &["configuration: /etc/x"]),
        // The smallest directory that has them all.
        (
            "r /usr/share/x/y/a\nr /usr/share/x/y/b\nr /usr/share/x/y/c\nr /usr/share/x/y/d",
            &["data: /usr/share/x/y"],
        ),
        // A directory that is listed is wanted as a whole; a shelf never is.
        ("dl /etc/x/conf.d", &["configuration: /etc/x/conf.d"]),
        (
            "dl /etc\ndl /usr/lib\ndl /usr/share\ndl /\ndl /home\ndl /var/lib\ndl /usr/lib/python3/dist-packages",
            &[],
        ),
        // One module stands for all, but not for those of other packages.
        ("r /usr/lib/python3.11/os.py", &["modules: /usr/lib/python3.11"]),
        (
            "r /usr/lib/python3/dist-packages/six.py\nr /usr/lib/python3/dist-packages/a/b.py",
            &["modules: /usr/lib/python3/dist-packages/a", "modules: /usr/lib/python3/dist-packages/six.py"],
        ),
        ("r /lib/terminfo/x/xterm", &["terminfo: /lib/terminfo"]),
        ("r /etc/ssl/certs/ca-certificates.crt", &["certificates: /etc/ssl/certs/ca-certificates.crt"]),
        ("r /etc/ssl/certs/4a6481c9.0", &["certificates: /etc/ssl/certs"]),
        // Files on a shelf have nothing to do with each other.
        (
            "r /etc/a\nr /etc/b\nr /etc/c\nr /etc/d\nr /etc/e",
            &[
                "configuration: /etc/a",
                "configuration: /etc/b",
                "configuration: /etc/c",
                "configuration: /etc/d",
                "configuration: /etc/e",
            ],
        ),
        (
            "x /usr/bin/env\nx /usr/bin/python3\nx /usr/bin/id\nx /usr/bin/ls",
            &[
                "programs: /usr/bin/env",
                "programs: /usr/bin/id",
                "programs: /usr/bin/ls",
                "programs: /usr/bin/python3",
            ],
        ),
        // Where /lib is a link in the jail too, it is /usr/lib.
        (
            "L /lib\nm /lib/x86_64-linux-gnu/liba.so ->/usr/lib/x86_64-linux-gnu/liba.so",
            &["libraries: /usr/lib/x86_64-linux-gnu/liba.so"],
        ),
        (
            "m /lib/x86_64-linux-gnu/liba.so ->/usr/lib/x86_64-linux-gnu/liba.so",
            &["libraries: /lib/x86_64-linux-gnu/liba.so"],
        ),
        // The jail's own nsswitch.conf asks for files and DNS only.
        (
            "m /usr/lib/x/libnss_systemd.so.2\nm /usr/lib/x/libnss_dns.so.2",
            &["libraries: /usr/lib/x/libnss_dns.so.2"],
        ),
        // Looked at: files are taken, programs and directories are not.
        ("- /etc/x\np /usr/bin/git\nd /usr/share/x\n? /etc/y", &["configuration: /etc/x"]),
        // A secret that was only looked at, and what is not there, are not even named.
        ("-! /etc/shadow\n?r /home/alice/.netrc", &[]),
    ];
    for (lines, expected) in table {
        assert_eq!(entries(lines, &wanted()), *expected, "{lines}");
    }
}

#[test]
fn a_directory_with_a_secret_is_not_taken_whole() {
    let lines = "r /etc/x/a\nr /etc/x/b\nr /etc/x/c\nr /etc/x/d\ndl /etc/x/e\nr /etc/x/f/g";
    let (record, mut host) = traced(lines);
    host.hidden = ["/etc/x/f/key.pem".into()].into();
    let singly = ["a", "b", "c", "d", "e", "f/g"].map(|name| format!("configuration: /etc/x/{name}"));
    assert_eq!(shown(&review(&record, &host, &wanted())), singly);
    // Unless it is named, or a part of it is commented out.
    let named = Wanted { named: vec!["/etc/x".into()], ..wanted() };
    assert_eq!(shown(&review(&record, &host, &named)), ["configuration: /etc/x"]);
    host.hidden.clear();
    assert_eq!(shown(&review(&record, &host, &wanted())), ["configuration: /etc/x"]);
    let unwanted = Wanted { unwanted: ["/etc/x/f".into()].into(), ..wanted() };
    assert_eq!(shown(&review(&record, &host, &unwanted)), singly[..5]);
    // And if it could not be looked through.
    host.searched.clear();
    assert_eq!(
        shown(&review(&record, &host, &wanted())),
        singly[..4].iter().chain(&singly[5..]).cloned().collect::<Vec<_>>()
    );
}

#[test]
fn fifty_thousand_files_are_a_short_list() {
    let many = |top: &str, files: usize| {
        (0..files).map(|n| format!("r {top}/{}/{n}\n", n % 100)).collect::<String>()
    };
    for (top, files, expected) in [
        ("/data/set", 50_000, "data: /data/set"),
        ("/usr/share/x", 1000, "data: /usr/share/x"),
        ("/home/alice/work", 1000, "#secrets: /home/alice/work"),
        ("/root/x", 1000, "#secrets: /root/x"),
    ] {
        assert_eq!(entries(&many(top, files), &wanted()), [expected]);
    }
    let (record, mut host) = traced(&many("/data/set", 10_000));
    host.hidden = (0..100).map(|n| format!("/data/set/{n}/id_rsa").into()).collect();
    let shown = shown(&review(&record, &host, &wanted()));
    assert_eq!(shown.len(), 100);
    assert!(shown.iter().all(|line| line.starts_with("#secrets: /data/set/")), "{shown:?}");
}

#[test]
fn homes_are_never_whole() {
    let lines = "r /home/alice/a\nr /home/alice/b\nr /home/alice/c\nr /home/alice/d\nr /home/alice/e/f\nr /home/alice/e/g";
    let shown = entries(lines, &wanted());
    let expected = ["a", "b", "c", "d", "e/f", "e/g"].map(|name| format!("#secrets: /home/alice/{name}"));
    assert_eq!(shown, expected);
}

#[test]
fn no_secret_is_taken_unless_it_is_named() {
    for flag in ["r", "x", "m", "r!"] {
        let lines: String = SECRETS.iter().map(|path| format!("{flag} {path}\n")).collect();
        let (record, host) = traced(&lines);
        let all = review(&record, &host, &wanted());
        assert_eq!(all.taken("root.files").count(), 0, "{:?}", all.entries);
        for path in SECRETS {
            let own = super::super::place::is_own(Path::new(path));
            let named = all.entries.iter().any(|e| Path::new(path).starts_with(&e.value));
            assert!(own || named, "{path} is not named");
        }
    }
    let named = Wanted { named: vec!["/etc/nginx/ssl/example.org.key".into()], ..wanted() };
    assert_eq!(entries("", &named), ["configuration: /etc/nginx/ssl/example.org.key"]);
    let shown = entries("r! /etc/nginx/ssl/example.org.key\nr! /etc/shadow", &named);
    assert_eq!(shown, ["configuration: /etc/nginx/ssl/example.org.key", "#secrets: /etc/shadow"]);
}

#[test]
fn where_it_writes() {
    let table: &[(&str, &[&str])] = &[
        ("wc? /var/lib/x/a/b/c", &["writable: /var/lib/x"]),
        ("w /var/log/x.log", &["writable: /var/log"]),
        ("w /var/log/x.log\nwc? /var/log/x/y", &["writable: /var/log"]),
        // What is only read beside it has to come from the host.
        ("wc? /var/lib/x/s/1\nr /var/lib/x/m/a", &["data: /var/lib/x/m/a", "writable: /var/lib/x/s"]),
        // A data base reads where it writes.
        ("w /var/lib/x/d/1\nr /var/lib/x/d/2", &["writable: /var/lib/x"]),
        (
            "w /etc/x/y\nw /usr/lib/x/y\nwc? /root/.bash_history\nw /home/alice/x\nwc? /var/new/x",
            &[
                "writable: /var/new",
                "#not changed: /etc/x/y",
                "#not changed: /home/alice/x",
                "#not changed: /root/.bash_history",
                "#not changed: /usr/lib/x/y",
            ],
        ),
        ("wc? /new\nwc? /var/x", &["#not changed: /new", "#not changed: /var/x"]),
        ("w /etc/x/1\nw /etc/x/2\nw /etc/x/3\nw /etc/x/4\nw /etc/x/5", &["#not changed: /etc/x"]),
        ("wc? /run/x/y\nd /run/x uid=107\nwc? /var/run/x/z", &["run time: /run/x:redis"]),
        ("wc? /var/lock/x.1\nwc? /var/lock/x.2\nd /run/lock", &["run time: /var/lock:root:01777"]),
        ("d /run/sshd\nd /run/systemd\n? /run/other\nd /run", &["run time: /run/sshd:root"]),
        ("wc? /run/x/y\ndc? /run/x\nwc? /run/x.pid\nwc? /tmp/a/b\nwc? /dev/shm/x", &[]),
        // A program does not get its own directory: that would be mounted over it.
        ("xL /srv/x/server\nwc? /srv/x/log", &["#not changed: /srv/x"]),
        ("xL /srv/x/server\nwc? /srv/x/data/log", &["writable: /srv/x/data"]),
        ("wc? /srv/git/x/objects/1", &["writable: /srv/git"]),
        // Settings of the kernel are the host's; of devices, a jail has the harmless ones.
        (
            "w /proc/sys/net/ipv4/ip_forward\nw /sys/kernel/x\nw /proc/self/oom_score_adj\nw /dev/tty",
            &["#not changed: /proc/sys/net/ipv4/ip_forward", "#not changed: /sys/kernel/x"],
        ),
        ("r /dev/fuse\nr /dev/urandom\ndl /dev\nr /dev/pts/0", &["#secrets: /dev/fuse"]),
        ("wc? /var/tmp/x.1", &["writable: /var/tmp"]),
    ];
    for (lines, expected) in table {
        assert_eq!(entries(lines, &wanted()), *expected, "{lines}");
    }
}

#[test]
fn whom_it_runs_as() {
    let user = |lines: &str, edit: fn(&mut Record, &mut Wanted)| {
        let (mut record, host) = traced(lines);
        let mut wanted = Wanted { program: "/usr/bin/redis".into(), ..wanted() };
        edit(&mut record, &mut wanted);
        review(&record, &host, &wanted).user.map(|(name, _)| name)
    };
    let some = |name: &str| Some(name.to_owned());
    let owned = "w /var/log/x/a uid=33\nd /var/log/x uid=33";
    assert_eq!(user("r /etc/x", |_, _| {}), some("redis"));
    assert_eq!(user(owned, |_, _| {}), some("www-data"));
    assert_eq!(user("r /etc/x", |_, wanted| wanted.program = "/usr/bin/y".into()), None);
    assert_eq!(user("w /var/log/x/a\nd /var/log/x", |_, _| {}), None);
    assert_eq!(user("r! /etc/x", |_, _| {}), None);
    assert_eq!(user("r! /etc/x uid=107", |_, _| {}), some("redis"));
    let overrides: fn(&mut Record, &mut Wanted) =
        |record, _| record.capabilities = CapSet::of(&["dac_override"]);
    assert_eq!(user(owned, overrides), some("www-data"));
    assert_eq!(user(owned, |record, _| record.users = [33].into()), None);
    assert_eq!(user(owned, |record, _| record.capabilities = CapSet::of(&["chown"])), None);
    assert_eq!(user(owned, |_, wanted| wanted.as_root = false), None);
    assert_eq!(user(owned, |record, _| record.capabilities_whole = false), None);
}

#[test]
fn calls_for_strict() {
    let record = Record {
        calls: ["read", "socket", "inotify_init1", "clone3", "bpf", "mount", "nosuchcall"]
            .map(str::to_owned)
            .into(),
        calls_whole: true,
        ..Record::default()
    };
    let calls = |wanted| {
        let review = review(&record, &Host::default(), &wanted);
        assert!(review.notes.is_empty());
        review.taken("security.system_calls").map(|e| e.value.clone()).collect::<Vec<_>>()
    };
    assert_eq!(calls(wanted()), [""; 0]);
    assert_eq!(calls(Wanted { strict: true, ..wanted() }), ["+inotify_init1", "+socket"]);
    let part = Record { calls_whole: false, ..record.clone() };
    assert_eq!(review(&part, &Host::default(), &Wanted { strict: true, ..wanted() }).notes.len(), 1);
}

#[test]
fn ports_that_are_chosen() {
    let port = |tcp, number| Port { tcp, number };
    let mut record = Record { listens: [port(false, 53), port(true, 953)].into(), ..Record::default() };
    let ports = |record: &Record| {
        let review = review(record, &Host::default(), &wanted());
        (review.taken("network.listen").map(|e| e.value.clone()).collect::<Vec<_>>(), review.ready)
    };
    assert_eq!(ports(&record), (vec!["tcp 953".to_owned(), "udp 53".to_owned()], Some("tcp 953".to_owned())));
    record.listens.extend((0..50).map(|n| port(false, 2000 + n * 7)));
    assert_eq!(ports(&record).0, ["tcp 953", "udp 1024-65535", "udp 53"]);
    assert_eq!(ports(&Record::default()), (vec![], None));
}

#[test]
fn the_network_is_told_of() {
    let peer =
        |address: &str| Peer::Inet { address: address.to_owned(), port: Port { tcp: true, number: 443 } };
    let note = |peers: Vec<(Peer, bool)>| {
        let record = Record { peers: peers.into_iter().collect(), ..Record::default() };
        review(&record, &Host::default(), &wanted()).notes
    };
    assert!(note(vec![(peer("127.0.0.1"), true), (peer("::1"), false)]).is_empty());
    let notes = note(vec![(peer("192.0.2.1"), false), (peer("192.0.2.2"), false)]);
    assert_eq!(
        notes,
        [
            "it wanted to talk to 192.0.2.1, tcp port 443 and 1 more, and could not: trace it with --network host"
        ]
    );
}
