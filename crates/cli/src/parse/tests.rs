//! Command lines and what becomes of them.

use super::*;
use crate::command::*;
use model::units::Span;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

/// The command of a line that is split at single blanks.
fn command(line: &str) -> Command {
    invocation(line).command
}

fn invocation(line: &str) -> Invocation {
    let words = line.split(' ').filter(|word| !word.is_empty()).map(OsString::from);
    parse(words).unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn strings<T: From<&'static str>>(words: &[&'static str]) -> Vec<T> {
    words.iter().copied().map(T::from).collect()
}

fn named(names: &[&'static str]) -> Selection {
    Selection::Named(strings(names))
}

fn settings(all: &[(&str, Op, &str)]) -> Vec<Setting> {
    let setting = |(key, op, value): &(&str, Op, &str)| Setting {
        key: (*key).to_owned(),
        op: *op,
        value: (*value).to_owned(),
    };
    all.iter().map(setting).collect()
}

fn run(all: &[(&str, Op, &str)], words: &[&'static str]) -> Run {
    Run {
        settings: settings(all),
        config: None,
        name: None,
        tty: None,
        dry_run: None,
        command: strings(words),
    }
}

#[test]
fn run_and_its_options() {
    let table = [
        ("run ls -l --json", run(&[], &["ls", "-l", "--json"])),
        ("run -- ls -l", run(&[], &["ls", "-l"])),
        ("run -- -ls", run(&[], &["-ls"])),
        ("run ls -- -l", run(&[], &["ls", "--", "-l"])),
        ("run --app /bin/bash", run(&[("root.from", Op::Set, "app:/bin/bash")], &["/bin/bash"])),
        ("run --root app:/bin/bash", run(&[("root.from", Op::Set, "app:/bin/bash")], &["/bin/bash"])),
        (
            "run --app /bin/bash -- bash -c x",
            run(&[("root.from", Op::Set, "app:/bin/bash")], &["bash", "-c", "x"]),
        ),
        ("run --set boot.command=[\"ls\"]", run(&[("boot.command", Op::Set, "[\"ls\"]")], &[])),
        (
            "run --app /bin/a --set boot.command=[\"ls\"]",
            run(&[("root.from", Op::Set, "app:/bin/a"), ("boot.command", Op::Set, "[\"ls\"]")], &[]),
        ),
        (
            "run --root=dir:/srv --network host --ephemeral --user a:b --directory /tmp \
             --env A=b=c --env X.Y= --mount /a:/b:rw --file /etc/hosts --profile strict --hostname h \
             --set a.b+=c --set a.d-=e --set f= id",
            run(
                &[
                    ("root.from", Op::Set, "dir:/srv"),
                    ("network.mode", Op::Set, "host"),
                    ("root.writes", Op::Set, "discarded"),
                    ("boot.user", Op::Set, "a:b"),
                    ("boot.directory", Op::Set, "/tmp"),
                    ("environment.A", Op::Set, "b=c"),
                    ("environment.\"X.Y\"", Op::Set, ""),
                    ("mounts", Op::Add, "/a:/b:rw"),
                    ("root.files", Op::Add, "/etc/hosts"),
                    ("security.profile", Op::Set, "strict"),
                    ("hostname", Op::Set, "h"),
                    ("a.b", Op::Add, "c"),
                    ("a.d", Op::Remove, "e"),
                    ("f", Op::Unset, ""),
                ],
                &["id"],
            ),
        ),
        ("run --name x --tty id", Run { name: Some("x".into()), tty: Some(true), ..run(&[], &["id"]) }),
        ("run --tty --no-tty id", Run { tty: Some(false), ..run(&[], &["id"]) }),
        ("run --config x id", Run { config: Some("x".into()), ..run(&[], &["id"]) }),
        ("run --config x", Run { config: Some("x".into()), ..run(&[], &[]) }),
        ("run --dry-run id", Run { dry_run: Some(DryRun::Text), ..run(&[], &["id"]) }),
        ("run --dry-run --json id", Run { dry_run: Some(DryRun::Json), ..run(&[], &["id"]) }),
    ];
    for (line, expected) in table {
        assert_eq!(command(line), Command::Run(expected), "{line}");
    }
}

#[test]
fn create_takes_options_after_the_name() {
    let create = |all: &[_], words: &[&'static str], start| {
        let (name, settings, command) = ("www".to_owned(), settings(all), strings(words));
        Command::Create(Create { name, settings, command, config: None, trace: None, start, dry_run: None })
    };
    assert_eq!(command("create www"), create(&[], &[], false));
    assert_eq!(
        command("create www --app /bin/a --start"),
        create(&[("root.from", Op::Set, "app:/bin/a")], &["/bin/a"], true)
    );
    assert_eq!(
        command("create --network host www sleep --start"),
        create(&[("network.mode", Op::Set, "host")], &["sleep", "--start"], false)
    );
}

#[test]
fn create_may_trace_first() {
    let created = |words: &[&str]| match parse(words.iter().map(OsString::from)).unwrap().command {
        Command::Create(Create { command, trace, config, .. }) => (command, trace, config),
        other => panic!("{other:?}"),
    };
    let nginx = || strings::<String>(&["nginx", "-g", "daemon off;"]);
    let traced = |time, until_ready, yes| Some(TraceFirst { command: nginx(), time, until_ready, yes });
    let line = ["create", "www", "--app", "nginx", "--trace", "-g 'daemon off;'"];
    assert_eq!(created(&line), (nginx(), traced(None, false, false), None));
    let more = [&line[..], &["--for", "5s", "--yes", "--until-ready", "nginx", "-t"]].concat();
    let time = Some(Span(Duration::from_secs(5)));
    assert_eq!(created(&more), (strings(&["nginx", "-t"]), traced(time, true, true), None));
    let config = created(&["create", "www", "--config", "x.toml"]);
    assert_eq!(config, (Vec::new(), None, Some("x.toml".into())));
    for bad in [
        "create www --trace x",
        "create www --root dir:/x --trace x",
        "create www --app x --trace 'x",
        "create www --app x --trace x --dry-run",
        "create www --app x --trace x --config y",
        "create www --app x --for 5s",
        "create www --app x --yes",
        "trace -o x --into y true",
        "trace",
    ] {
        let words = bad.split(' ').map(OsString::from);
        assert!(parse(words).is_err(), "{bad}");
    }
}

#[test]
fn other_verbs() {
    let exec = |words: &[&'static str]| Exec {
        name: "www".to_owned(),
        user: None,
        tty: None,
        directory: None,
        environment: Vec::new(),
        command: strings(words),
    };
    let seconds = |s| Some(Span(Duration::from_secs(s)));
    let logs = |follow, lines| Command::Logs(Logs { name: "www".to_owned(), follow, lines });
    let www = || "www".to_owned();
    let table = [
        (
            "start www 'web*'",
            Command::Start(Start { jails: named(&["www", "'web*'"]), rescue: false, dry_run: None }),
        ),
        (
            "start --all --dry-run",
            Command::Start(Start { jails: Selection::All, rescue: false, dry_run: Some(DryRun::Text) }),
        ),
        ("restart 101", Command::Restart(named(&["101"]))),
        ("stop a --timeout 5m", Command::Stop(Stop { jails: named(&["a"]), timeout: seconds(300) })),
        ("stop --all", Command::Stop(Stop { jails: Selection::All, timeout: None })),
        ("exec www ps ax", Command::Exec(exec(&["ps", "ax"]))),
        ("exec www -- ps --user x", Command::Exec(exec(&["ps", "--user", "x"]))),
        (
            "exec --user u www --env A=b --env A= --directory /d --tty ls -l",
            Command::Exec(Exec {
                user: Some("u".to_owned()),
                tty: Some(true),
                directory: Some("/d".to_owned()),
                environment: vec![("A".to_owned(), "b".to_owned()), ("A".to_owned(), String::new())],
                ..exec(&["ls", "-l"])
            }),
        ),
        ("enter www", Command::Enter(Enter { name: www(), user: None })),
        ("enter --user=bob www", Command::Enter(Enter { name: www(), user: Some("bob".to_owned()) })),
        ("signal www HUP", Command::Signal { name: www(), signal: "HUP".parse().unwrap() }),
        ("console www", Command::Console(www())),
        ("up", Command::Up(PathBuf::from("."))),
        ("down /srv", Command::Down(PathBuf::from("/srv"))),
        ("list", Command::List(List { jails: Selection::All, disk: false, json: false, names_only: false })),
        (
            "list w* -q --json",
            Command::List(List { jails: named(&["w*"]), disk: false, json: true, names_only: true }),
        ),
        (
            "list --disk",
            Command::List(List { jails: Selection::All, disk: true, json: false, names_only: false }),
        ),
        ("status", Command::Status(Status { jails: Selection::All, json: false })),
        ("status a --json", Command::Status(Status { jails: named(&["a"]), json: true })),
        ("logs www", logs(false, None)),
        ("logs -fn5 www", logs(true, Some(5))),
        ("logs www --follow --lines 0", logs(true, Some(0))),
        ("plan www --json", Command::Plan(Plan { name: www(), json: true })),
        (
            "set www db a.b=1 c+=2",
            Command::Set(Set {
                jails: named(&["www", "db"]),
                settings: settings(&[("a.b", Op::Set, "1"), ("c", Op::Add, "2")]),
            }),
        ),
        (
            "set --all a=",
            Command::Set(Set { jails: Selection::All, settings: settings(&[("a", Op::Unset, "")]) }),
        ),
        (
            "config show www --effective",
            Command::ConfigShow(ConfigShow { name: www(), effective: true, json: false }),
        ),
        ("config edit www", Command::ConfigEdit(www())),
        ("config path www", Command::ConfigPath(www())),
        (
            "config check",
            Command::ConfigCheck(ConfigCheck { jails: Selection::All, files: vec![], json: false }),
        ),
        (
            "config check a ./b.toml --json",
            Command::ConfigCheck(ConfigCheck {
                jails: named(&["a"]),
                files: vec!["./b.toml".into()],
                json: true,
            }),
        ),
        (
            "config check ./b.toml",
            Command::ConfigCheck(ConfigCheck {
                jails: named(&[]),
                files: vec!["./b.toml".into()],
                json: false,
            }),
        ),
        ("config keys -q", Command::ConfigKeys(ConfigKeys { json: false, names_only: true })),
        ("delete a -y", Command::Delete(Delete { jails: named(&["a"]), yes: true, force: false })),
        ("delete --all --force", Command::Delete(Delete { jails: Selection::All, yes: false, force: true })),
        ("gc --dry-run", Command::Gc(Gc { dry_run: true, json: false })),
        ("doctor --json", Command::Doctor(Doctor { fix: false, json: true })),
        ("doctor --fix", Command::Doctor(Doctor { fix: true, json: false })),
        ("completions fish", Command::Completions(Shell::Fish)),
        ("version", Command::Version(Json(false))),
        ("manual /tmp", Command::Manual(PathBuf::from("/tmp"))),
        ("complete -- run --ro", Command::Complete(strings(&["run", "--ro"]))),
        ("complete-names", Command::CompleteNames),
    ];
    for (line, expected) in table {
        assert_eq!(command(line), expected, "{line}");
    }
}

#[test]
fn help_and_version_win_over_what_is_missing() {
    let start = ROOT.member("start").unwrap();
    let show = ROOT.member("config").unwrap().member("show").unwrap();
    let table = [
        ("", &ROOT),
        ("help", &ROOT),
        ("-h", &ROOT),
        ("--help start", &ROOT),
        ("help start", start),
        ("start -h", start),
        ("start --all a --help", start),
        ("help config show", show),
        ("config show --help", show),
    ];
    for (line, verb) in table {
        assert_eq!(command(line), Command::Help(verb), "{line}");
    }
    assert_eq!(command("-V"), Command::Version(Json(false)));
    assert_eq!(command("start --version"), Command::Version(Json(false)));
    assert!(matches!(command("run ls --help"), Command::Run(_)));
}

#[test]
fn global_options_stand_anywhere() {
    for line in ["-q --color never list", "list --color=never -q", "--color always -q list --color never"] {
        let invocation = invocation(line);
        assert!(invocation.quiet, "{line}");
        assert_eq!(invocation.color, When::Never, "{line}");
    }
}

#[test]
fn only_commands_and_paths_may_be_other_than_utf8() {
    let bytes = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let words = |before: &[&str], last: &[u8]| {
        let mut words: Vec<OsString> = before.iter().map(OsString::from).collect();
        words.push(bytes(last));
        parse(words)
    };
    let command = words(&["run", "cat"], b"/\xff").unwrap().command;
    assert!(matches!(command, Command::Run(run) if run.command[1] == bytes(b"/\xff")));
    assert!(words(&["run"], b"\xff").is_ok());
    assert!(words(&["up"], b"/\xff").is_ok());
    for (before, last) in [
        (&["start"][..], &b"\xff"[..]),
        (&[], b"\xff"),
        (&["run", "--file"], b"/\xff"),
        (&["run"], b"--file=/\xff"),
        (&["start"], b"-\xff"),
        (&["create", "www", "cat"], b"\xff"),
        (&["help"], b"\xff"),
    ] {
        let error = words(before, last).unwrap_err();
        assert!(matches!(error.fault, Fault::NotUtf8(_)), "{before:?}: {error}");
    }
}

/// Every option of every verb is taken, and leaves the next word alone.
#[test]
fn every_option_in_the_table_is_understood() {
    let good = |option: &Opt| match (option.long, option.value_words()) {
        ("set", _) => "a=b",
        ("timeout" | "lines" | "for" | "threshold", _) => "5",
        ("env", _) => "A=b",
        (_, Some(Words::OneOf(words))) => words[0],
        _ => "x",
    };
    let mut seen = 0;
    for verb in ROOT.members().iter().flat_map(|v| std::iter::once(v).chain(v.members())) {
        for option in verb.all_options().filter(|_| verb.members().is_empty()) {
            let mut words: Vec<OsString> = verb.name.split(' ').map(OsString::from).collect();
            words.push(format!("--{}", option.long).into());
            words.extend(option.value_words().map(|_| good(option).into()));
            let mut found = &ROOT;
            words.push("operand".into());
            let given = read(words, &mut found).unwrap_or_else(|fault| panic!("{}: {fault}", verb.name));
            let stops = given.help || given.version;
            assert!(stops || given.operands == ["operand"], "{} --{}", verb.name, option.long);
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}
