//! Whole files: what they mean, and where they are wrong.

use super::effective::{Source, effective};
use super::*;
use crate::caps::Capability;
use crate::units::{Bytes, Span};
use std::time::Duration;

mod edits;
mod properties;

/// A file that says something with each type of value.
pub(super) const WWW: &str = r#"# The web server.
id = 101
hostname = "www.example.org"   # as DNS has it

mounts = [
  "/srv/www:/var/www",         # pages
  "tmpfs:/run:size=16M",
]

# Where it lives.
[root]
from = "dir:/srv/jails/www"
writes = "discarded"

[boot]
command = ["/usr/sbin/nginx", "-g", "daemon off;"]
stop_timeout = 30
ready = ["/bin/check"]
log_size = "16k"

[limits]
process = { nofile = "1024:4096", core = 0 }

[security]
capabilities = ["-sys_chroot", "+CAP_NET_RAW"]
socket_families = []

[environment]
LANG = "C.UTF-8"
"#;

#[test]
fn a_file_is_read() {
    let config = Config::parse(WWW).unwrap();
    assert_eq!(config.id.unwrap().number(), 101);
    assert_eq!(config.root.from, Some(RootSpec::Dir("/srv/jails/www".into())));
    assert_eq!(config.root.writes_in_force(), Writes::Discarded);
    assert_eq!(config.mounts.len(), 2);
    assert_eq!(config.boot.stop_timeout, Some(Span(Duration::from_secs(30))));
    assert_eq!(config.boot.ready, Ready::Command(vec!["/bin/check".to_owned()]));
    assert_eq!(config.boot.log_size, Bytes(16 << 10));
    assert_eq!(config.limits.process["nofile"], (Some(1024), Some(4096)));
    assert_eq!(config.security.socket_families, Some(vec![]));
    let net_raw = Capability::from_name("net_raw").unwrap();
    assert!(config.security.capabilities.contains(&CapabilityChange::Add(net_raw)));
    assert_eq!(config.environment["LANG"], "C.UTF-8");
    assert_eq!(Config::parse(""), Ok(Config::default()));
    assert_eq!(Config::parse("\u{feff}id = 5\r\n").unwrap().id.unwrap().number(), 5);
}

#[test]
fn every_way_to_write_a_table_is_the_same() {
    let texts = [
        "[root]\nfrom = \"host\"\nwrites = \"kept\"",
        "root.from = \"host\"\nroot.writes = \"kept\"",
        "root = { from = \"host\", writes = \"kept\" }",
        "\"root\".'from' = '''host'''\nroot . writes = \"kept\"",
    ];
    let configs = texts.map(|text| Config::parse(text).unwrap());
    assert!(configs.iter().all(|config| *config == configs[0]));
}

#[test]
fn problems_are_told_with_their_places() {
    for (text, told) in [
        (
            "netwrok.mode = \"host\"",
            "1:1: unknown key \"netwrok.mode\"\nhelp: did you mean \"network.mode\"?",
        ),
        (
            "  netwrok.qqqqqqq = 1\n  netwrok.mode = 1",
            "1:11: unknown key \"netwrok.qqqqqqq\"\nhelp: `jaula config keys` lists \
          all keys\n2:11: unknown key \"netwrok.mode\"\nhelp: did you mean \"network.mode\"?",
        ),
        ("\n  [netwrok]\nmode = \"host\"", "2:4: unknown table \"netwrok\"\nhelp: did you mean [network]?"),
        ("[network]\n  mdoe = 1", "2:3: unknown key \"network.mdoe\"\nhelp: did you mean \"network.mode\"?"),
        (
            "[[root]]\nx = 1",
            "1:3: root is a table of keys, not a value\nhelp: write [root] on a line of its own, and \
          its keys below",
        ),
        (
            "root = \"host\"",
            "1:1: root is a table of keys, not a value\nhelp: write [root] on a line of its own, and \
          its keys below",
        ),
        ("from = \"host\"", "1:1: unknown key \"from\"\nhelp: did you mean \"root.from\"?"),
        (
            "network.mode = \"hosts\"",
            "1:16: network.mode: \"hosts\" is not one of none, host, bind, routed, bridge, macvlan\nhelp: did you mean \
          \"host\"?",
        ),
        (
            "boot.command = \"nginx -g x\"",
            "1:16: boot.command: a list of texts belongs here, not a text\nhelp: write \
          command = [\"nginx\", \"-g\", \"x\"]",
        ),
        ("boot.command = []", "1:16: boot.command: the list is empty, it begins with a program"),
        (
            "boot.ready = \"check me\"",
            "1:14: boot.ready: \"check me\" is none of \"auto\", \"alive\", \"notify\", nor a port as \"tcp 80\"\nhelp: a \
          command is a list: [\"check\", \"me\"]",
        ),
        ("id = \"101\"", "1:6: id: a number belongs here, not a text\nhelp: write it without quotes: 101"),
        ("id = 0", "1:6: id: \"0\" is not a jail's id: ids are the numbers from 1 to 32766"),
        (
            "\"é\" = 1\nhostname = 5",
            "1:1: unknown key \"é\"\nhelp: `jaula config keys` lists all keys\n2:12: hostname: a \
          text belongs here, not a number\nhelp: write \"5\"",
        ),
        (
            "security.hide = ['/é', 'x', 5,\n  '../y']",
            "1:24: security.hide: \"x\" is not an absolute path\n1:29: \
          security.hide: a text belongs here, not a number\nhelp: write \"5\"\n2:3: security.hide: \"../y\" \
          is not an absolute path",
        ),
        (
            "[environment]\nA = 5\n1B = \"x\"\nC = \"\\u0000\"",
            "2:5: environment: a text belongs here, not a number\n\
          help: write \"5\"\n3:1: environment: \"1B\" is not the name of a variable\nhelp: names are \
          letters, digits and '_', and do not begin with a digit\n4:5: environment: \"\\0\" holds a NUL",
        ),
        (
            "limits.process.nofiles = 5",
            "1:16: limits.process: \"nofiles\" is not one of as, core, cpu, data, fsize, \
          locks, memlock, msgqueue, nice, nofile, nproc, rss, rtprio, rttime, sigpending, stack\nhelp: did \
          you mean \"nofile\"?",
        ),
        ("id = 1\nid = 2", "2:1: duplicate key"),
        ("id = ", "1:6: string values must be quoted, expected literal string"),
    ] {
        let problems = Config::parse(text).unwrap_err().in_file("x").to_string();
        assert_eq!(problems.replace("x:", ""), told, "{text}");
    }
}

#[test]
fn contradictions_are_told() {
    let many_ports = format!("network.listen = {:?}", ["udp 1"; 257]);
    for (text, told) in [
        ("root.writable = [\"/a/b\", \"/a\"]", "1:6: root.writable: /a/b lies in /a, which is writable"),
        (
            "root.from = \"host\"\nroot.files = [\"/etc/x\"]",
            "2:6: root.files: only an app jail is put together from \
          files, and root.from is \"host\"",
        ),
        (
            "root.from = \"dir:/x\"\nroot.users = [\"u\"]",
            "2:6: root.users: only an app jail is put together from \
          files, and root.from is \"dir:/x\"",
        ),
        ("mounts = [\"/a:/x\", \"/b:/x/\"]", "1:1: mounts: two mounts have the target /x"),
        (
            "security.capabilities = [\"+kill\", \"-kill\"]",
            "1:10: security.capabilities: kill is changed twice",
        ),
        ("security.system_calls = [\"+bpf\", \"+bpf\"]", "1:10: security.system_calls: bpf is changed twice"),
        (
            "[security]\nraw_sockets = true\ncapabilities = [\"-net_raw\"]",
            "2:1: security.raw_sockets: needs the \
          capability net_raw, which security.capabilities takes away",
        ),
        (
            "security.mount = true\nsecurity.capabilities = [\"-sys_admin\"]",
            "1:10: security.mount: needs the \
          capability sys_admin, which security.capabilities takes away",
        ),
        (
            "network.mode = \"host\"\nsecurity.raw_sockets = true",
            "2:10: security.raw_sockets: the host's network \
          gives no raw sockets to a jail",
        ),
        (
            "network.listen = [\"tcp 80\", \"tcp\"]",
            "1:29: network.listen: \"tcp\" is no port to listen on: it is two words",
        ),
        (&many_ports, "1:9: network.listen: 257 entries are too many, 256 is the most"),
    ] {
        let problems = Config::parse(text).unwrap_err();
        let first = problems.in_file("x").to_string().lines().next().unwrap().to_owned();
        assert_eq!(first, format!("x:{told}"), "{text}");
        assert_eq!(problems.iter().count(), 1, "{text}");
    }
    for fine in [
        "root.files = [\"/etc/x\"]",
        "root.from = \"app:/bin/x\"\nroot.files = [\"/etc/x\"]\nroot.writes = \"kept\"",
        "root.from = \"host\"\nroot.files = []",
        "security.raw_sockets = false\nsecurity.capabilities = [\"-net_raw\"]",
    ] {
        assert!(Config::parse(fine).is_ok(), "{fine}");
    }
}

#[test]
fn hostile_texts_are_refused() {
    let long = "#".repeat(LONGEST_TEXT + 1);
    assert_eq!(
        Config::parse(&long).unwrap_err().in_file("x").to_string(),
        "x: 1048577 bytes are too long for a configuration: 1 MiB is the most"
    );
    assert!(Config::parse(&long[1..]).is_ok());
    for deep in ["[", "x = [", "x = {x=", "x.", "[x.", "mounts = [["] {
        assert!(Config::parse(&deep.repeat(100_000)).is_err());
    }
    let many: String = (0..80_000).map(|n| format!("x{n} = 1\n")).collect();
    assert_eq!(Config::parse(&many).unwrap_err().iter().count(), 100);
}

#[test]
fn effective_says_who_says_so() {
    let rows =
        effective("root.from = \"host\"\nsecurity.profile = \"strict\"\nsecurity.mount = true", |_, key| {
            (key.path == "security.proc").then(|| super::effective::Expansion {
                value: Some("true".to_owned()),
                meaning: "own processes only".to_owned(),
            })
        });
    let rows = rows.unwrap();
    for (path, value, source, meaning) in [
        ("root.from", Some("\"host\""), Source::Set, ""),
        ("root.writes", Some("\"refused\""), Source::Default, "the root is read-only"),
        ("boot.directory", Some("\"/\""), Source::Default, ""),
        ("boot.user", None, Source::Default, "root"),
        ("security.mount", Some("true"), Source::Set, ""),
        ("security.sysvipc", None, Source::Profile(Profile::Strict), "as the profile has it"),
        ("security.capabilities", None, Source::Profile(Profile::Strict), "those of the profile"),
        ("security.proc", Some("true"), Source::Profile(Profile::Strict), "own processes only"),
    ] {
        let row = rows.iter().find(|row| row.key.path == path).unwrap();
        assert_eq!(
            (row.value.as_deref(), row.source, row.meaning.as_str()),
            (value, source, meaning),
            "{path}"
        );
    }
    assert_eq!(rows.len(), keys::all().count());
}

#[test]
fn what_a_store_contradicts() {
    for (text, problem) in [
        (
            "store = \"overlay\"\nfrom = \"debootstrap:trixie\"",
            "root.store: an overlay lies on a template, and root.from is \"debootstrap:trixie\"",
        ),
        ("store = \"dir\"\nfrom = \"app:nginx\"", "root.store: the files of an app jail are the host's"),
        ("store = \"dir\"\nowners = \"host\"", "root.owners: the jail's own files have its own owners"),
        ("store = \"btrfs\"\ninodes = 5", "root.inodes: btrfs has no limit on the number of files"),
        (
            "store = \"image\"\nsize = \"6G:7G\"",
            "root.size: image has a hard limit only, and 6G comes before it",
        ),
        ("store = \"dir\"\nsize = \"7G:6G\"", "root.size: \"7G:6G\": the soft limit is above the hard limit"),
    ] {
        let problems = Config::parse(&format!("[root]\n{text}")).unwrap_err();
        assert_eq!(problems.iter().map(|p| p.message.as_str()).collect::<Vec<_>>(), [problem], "{text}");
    }
    let server = Config::parse("root.store = \"dir\"").unwrap();
    assert_eq!(server.security.profile, Profile::Server);
    let text = "[root]\nstore = \"dir\"\n\n[security]\nprofile = \"app\"\n";
    let confined = Config::parse(text).unwrap();
    assert_eq!((confined.security.profile, confined.to_text()), (Profile::App, text.to_owned()));
}
