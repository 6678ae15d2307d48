//! Whole files: what they mean, where they are wrong, and what an edit leaves of them.

use super::edit::{apply, declare};
use super::effective::{Source, effective};
use super::*;
use crate::caps::Capability;
use crate::units::{Bytes, Span};
use std::time::Duration;

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

/// The settings that these texts are.
fn settings(texts: &[&str]) -> Vec<Setting> {
    let one = |text: &&str| match text.strip_prefix('!') {
        Some(key) => Setting::unset(key),
        None => text.parse().unwrap(),
    };
    texts.iter().map(one).collect()
}

#[test]
fn a_file_is_read() {
    let config = Config::parse(WWW).unwrap();
    assert_eq!(config.id.unwrap().number(), 101);
    assert_eq!(config.root.from, Some(RootSpec::Dir("/srv/jails/www".into())));
    assert_eq!(config.root.writes_in_force(), Writes::Discarded);
    assert_eq!(config.mounts.len(), 2);
    assert_eq!(config.boot.stop_timeout, Span(Duration::from_secs(30)));
    assert_eq!(config.boot.ready, Ready::Command(vec!["/bin/check".to_owned()]));
    assert_eq!(config.boot.log_size, Bytes(16 << 10));
    assert_eq!(config.limits.process["nofile"], (Some(1024), Some(4096)));
    assert_eq!(config.security.socket_families, Some(vec![]));
    let net_raw = Capability::from_name("net_raw").unwrap();
    assert!(config.security.capabilities.contains(&Change::Add(net_raw)));
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
            "  netwrok.a = 1\n  netwrok.mode = 1",
            "1:11: unknown key \"netwrok.a\"\nhelp: `jaula config keys` lists \
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
            "1:16: network.mode: \"hosts\" is not one of none, host\nhelp: did you mean \
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
            "1:14: boot.ready: \"check me\" is neither \"alive\" nor \"notify\"\nhelp: a \
          command is a list: [\"check\", \"me\"]",
        ),
        ("id = \"101\"", "1:6: id: a number belongs here, not a text\nhelp: write it without quotes: 101"),
        ("id = 0", "1:6: id: \"0\" is not a jail's id: ids are the numbers from 1 to 32766"),
        (
            "é = 1\nhostname = 5",
            "1:1: unknown key \"é\"\nhelp: `jaula config keys` lists all keys\n2:12: hostname: a \
          text belongs here, not a number\nhelp: write \"5\"",
        ),
        (
            "security.hide = ['/é', 'x', 5,\n  '../y']",
            "1:24: security.hide: \"x\" is not an absolute path\n1:29: \
          security.hide: a text belongs here, not a number\nhelp: write \"5\"\n2:3: security.hide: \"../y\" is not an \
          absolute path",
        ),
        (
            "[environment]\nA = 5\n1B = \"x\"\nC = \"\\u0000\"",
            "2:5: environment: a text belongs here, not a number\n\
          help: write \"5\"\n3:1: environment: \"1B\" is not the name of a variable\nhelp: names are letters, digits \
          and '_', and do not begin with a digit\n4:5: environment: \"\\0\" holds a NUL",
        ),
        (
            "limits.process.nofiles = 5",
            "1:16: limits.process: \"nofiles\" is not one of as, core, cpu, data, fsize, \
          locks, memlock, msgqueue, nice, nofile, nproc, rss, rtprio, rttime, sigpending, stack\nhelp: did you mean \
          \"nofile\"?",
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
    for (text, told) in [
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
        "1048577 bytes are too long for a configuration: 1 MiB is the most"
    );
    assert!(Config::parse(&long[1..]).is_ok());
    for deep in ["[", "x = [", "x = {x=", "x.", "[x.", "mounts = [["] {
        assert!(Config::parse(&deep.repeat(100_000)).is_err());
    }
    let many: String = (0..80_000).map(|n| format!("x{n} = 1\n")).collect();
    assert_eq!(Config::parse(&many).unwrap_err().iter().count(), 100);
}

#[test]
fn an_edit_leaves_the_rest_as_it_was() {
    for (edits, old, new) in [
        (&["boot.stop_timeout=5m"][..], "stop_timeout = 30\n", "stop_timeout = \"5m\"\n"),
        (&["hostname=w2"], "\"www.example.org\"   #", "\"w2\"   #"),
        (&["boot.user=www-data"], "\"16k\"\n", "\"16k\"\nuser = \"www-data\"\n"),
        (&["limits.process.core=1"], "core = 0 }", "core = 1 }"),
        (&["limits.process.nproc=9"], "core = 0 }", "core = 0 , nproc = 9 }"),
        (&["!limits.process.nofile"], "{ nofile = \"1024:4096\", core", "{ core"),
        (&["limits.account=memory,pids"], "core = 0 }\n", "core = 0 }\naccount = [\"memory\", \"pids\"]\n"),
        (&["mounts+=/a:/b"], "16M\",\n]", "16M\",\n  \"/a:/b\",\n]"),
        (&["mounts+=/a:/run"], "\"tmpfs:/run:size=16M\"", "\"/a:/run\""),
        (&["mounts-=/run"], "\n  \"tmpfs:/run:size=16M\",", ""),
        (&["security.capabilities-=net_raw"], ", \"+CAP_NET_RAW\"", ""),
        (&["!hostname"], "hostname = \"www.example.org\"   #", "#"),
        (&["!root.writes"], "writes = \"discarded\"\n", ""),
        (&["environment.A=a b"], "C.UTF-8\"\n", "C.UTF-8\"\nA = \"a b\"\n"),
        (&["!environment"], "LANG = \"C.UTF-8\"\n", ""),
        (&["declared_in=/x"], "16M\",\n]\n", "16M\",\n]\ndeclared_in = \"/x\"\n"),
        (&["network.mode=host"], "\"16k\"\n", "\"16k\"\n\n[network]\nmode = \"host\"\n"),
        (&["id=101", "boot.stop_timeout=30", "security.capabilities+=-sys_chroot"], "", ""),
        (&["boot.command=nginx -g 'daemon off;'"], "[\"/usr/sbin/nginx\"", "[\"nginx\""),
        (&["security.capabilities-=bpf", "!boot.user", "!environment.X", "!limits.process.as"], "", ""),
    ] {
        let wanted = WWW.replacen(old, new, 1);
        let edited = apply(WWW, &settings(edits)).unwrap_or_else(|p| panic!("{edits:?}: {p}"));
        assert_eq!(edited, wanted, "{edits:?}");
        assert_eq!(apply(&edited, &settings(edits)).unwrap(), wanted, "{edits:?}, twice");
    }
}

#[test]
fn new_lines_find_their_place() {
    for (text, edit, new) in [
        ("", "id=5", "id = 5\n"),
        ("# a\n", "id=5", "# a\n\nid = 5\n"),
        ("# a", "id=5", "# a\n\nid = 5\n"),
        ("# a\n[boot]\n", "id=5", "id = 5\n\n# a\n[boot]\n"),
        ("# a\n\n# b\n[boot]\n", "id=5", "# a\n\nid = 5\n\n# b\n[boot]\n"),
        ("\u{feff}[boot]", "id=5", "\u{feff}id = 5\n\n[boot]"),
        ("[boot]", "boot.user=u", "[boot]\nuser = \"u\"\n"),
        ("[boot] # b\r\n", "boot.user=u", "[boot] # b\r\nuser = \"u\"\r\n"),
        ("[boot]\n  log_files = 5", "boot.user=u", "[boot]\n  log_files = 5\n  user = \"u\"\n"),
        ("boot.log_files = 5\nid = 7\n", "boot.user=u", "boot.log_files = 5\nboot.user = \"u\"\nid = 7\n"),
        ("boot = { log_files = 5 }", "boot.user=u", "boot = { log_files = 5 , user = \"u\" }"),
        ("limits = {}", "limits.process.core=5", "limits = { process = { core = 5 } }"),
        ("limits = { process.nproc = 1 }", "limits.process.nproc=5", "limits = { process.nproc = 5 }"),
        (
            "limits.account = []\n",
            "limits.process.core=5",
            "limits.account = []\n\n[limits.process]\ncore = 5\n",
        ),
        (
            "[limits.process]\ncore = 5\n",
            "limits.account=",
            "[limits]\naccount = []\n\n[limits.process]\ncore = 5\n",
        ),
        (
            "[boot]\n# of boot\n\n# of limits\n[limits]\n",
            "network.mode=host",
            "[boot]\n# of boot\n\n[network]\nmode = \"host\"\n\n# of limits\n[limits]\n",
        ),
        ("[limits]\n[boot]\n", "environment.A=1", "[limits]\n\n[environment]\nA = \"1\"\n\n[boot]\n"),
        (
            "security = {}",
            "security.devices+=fuse",
            "security = { devices = [\"null\", \"zero\", \"full\", \"random\", \"urandom\", \"fuse\"] }",
        ),
    ] {
        let edited = apply(text, &settings(&[edit])).unwrap_or_else(|p| panic!("{text} + {edit}: {p}"));
        assert_eq!(edited, new, "{text} + {edit}");
    }
}

#[test]
fn bad_settings_are_told_all_at_once() {
    let bad =
        ["netwrok.mode=host", "boot.user+=x", "id=x", "environment=x", "security.socket_families+=packet"];
    let told = apply("", &settings(&bad[..4])).unwrap_err().in_file("x").to_string();
    assert_eq!(
        told,
        "unknown key \"netwrok.mode\"\nhelp: did you mean \"network.mode\"?\n\
         boot.user: takes one value, and no + or -\nhelp: write boot.user=VALUE\n\
         id: \"x\" is not a number\n\
         environment: is a table\nhelp: write environment.NAME=VALUE"
    );
    let told = apply("", &settings(&bad[4..])).unwrap_err().to_string();
    assert_eq!(told, "security.socket_families: is not set, so there is no list to add to");
    // What is wrong with the file is told where it stands in the file, unless the edit mends it.
    let file = "id = 5\n[boot]\nuser = 7\nlog_files = 7000\n";
    let told = apply(file, &settings(&["id=6", "boot.log_files=7", "hostname=x"])).unwrap_err();
    assert_eq!(
        told.in_file("f").to_string(),
        "f:3:8: boot.user: a text belongs here, not a number\nhelp: write \"7\""
    );
    assert!(apply(file, &settings(&["boot.user=u", "boot.log_files=7"])).is_ok());
    let told = apply("id = \n", &settings(&["id=6"])).unwrap_err().in_file("f").to_string();
    assert_eq!(told, "f:1:6: string values must be quoted, expected literal string");
    for text in ["", "x", "=x", "+=x", "a b=c"] {
        assert!(text.parse::<Setting>().is_err(), "{text}");
    }
}

#[test]
fn a_new_file_is_in_order() {
    let given = [
        "environment.B=2",
        "limits.process.core=0",
        "boot.command=/bin/x a",
        "root.from=host",
        "id=5",
        "boot.user=u",
        "environment.A=1",
        "hostname=x",
    ];
    let text = declare("x, made today\n\nEvery key: jaula config keys", &settings(&given)).unwrap();
    assert_eq!(
        text,
        "# x, made today\n#\n# Every key: jaula config keys\n\nid = 5\nhostname = \"x\"\n\n[root]\nfrom = \"host\"\n\n\
         [boot]\ncommand = [\"/bin/x\", \"a\"]\nuser = \"u\"\n\n[limits.process]\ncore = 0\n\n[environment]\nB = \"2\"\n\
         A = \"1\"\n"
    );
    assert_eq!(Config::from_settings(&settings(&given)), Config::parse(&text));
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
