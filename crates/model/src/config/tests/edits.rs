//! What an edit makes of a file, and what it leaves.

use super::WWW;
use crate::config::edit::{apply, declare};
use crate::config::{Config, Setting};

/// The settings that these texts are.
fn settings(texts: &[&str]) -> Vec<Setting> {
    let one = |text: &&str| match text.strip_prefix('!') {
        Some(key) => Setting::unset(key),
        None => text.parse().unwrap(),
    };
    texts.iter().map(one).collect()
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
        "# x, made today\n#\n# Every key: jaula config keys\n\nid = 5\nhostname = \"x\"\n\n[root]\nfrom = \
         \"host\"\n\n[boot]\ncommand = [\"/bin/x\", \"a\"]\nuser = \"u\"\n\n[limits.process]\ncore = \
         0\n\n[environment]\nB = \"2\"\nA = \"1\"\n"
    );
    assert_eq!(Config::from_settings(&settings(&given)), Config::parse(&text));
}
