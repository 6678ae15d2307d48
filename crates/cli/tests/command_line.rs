//! The program `jaula` as its users meet it: errors, exit statuses, manual pages, completions.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const JAULA: &str = env!("CARGO_BIN_EXE_jaula");

fn jaula(words: &[&str]) -> Output {
    Command::new(JAULA).args(words).env_remove("NO_COLOR").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// An empty directory of this test's own.
fn directory(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// Is this program installed? Says so if not, since what it would check goes unchecked.
fn has(program: &str) -> bool {
    let is_there = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap();
    if !is_there.status.success() {
        eprintln!("skipped: {program} is not installed");
    }
    is_there.status.success()
}

#[test]
fn a_wrong_command_line_is_an_error_and_a_help() {
    let names = "give names, ids, unique prefixes or globs, or --all for every jail";
    let table: &[(&[&str], &str, &str)] = &[
        (&["strat"], "there is no verb \"strat\"", "did you mean \"start\"?"),
        (&["config", "sho"], "there is no verb \"config sho\"", "did you mean \"config show\"?"),
        (&["frobnicate"], "there is no verb \"frobnicate\"", "\"jaula help\" lists the verbs"),
        (&["config"], "a verb is missing after \"jaula config\"", "one of show, edit, check, path, keys"),
        (&["-q"], "a verb is missing after \"jaula\"", "\"jaula help\" lists the verbs"),
        (&["start"], "no jail is named", names),
        (
            &["start", "a", "--all"],
            "--all and the name \"a\" exclude each other",
            "name jails or give --all, not both",
        ),
        (&["set", "a=b"], "no jail is named", names),
        (&["set", "a"], "KEY=VALUE is missing", "usage: jaula set [OPTION…] NAME…|--all KEY=VALUE…"),
        (
            &["set", "a", "=x"],
            "\"=x\" is not KEY=VALUE, KEY+=VALUE, KEY-=VALUE or KEY=",
            "\"jaula config keys\" lists the keys",
        ),
        (&["run"], "there is nothing to run: CMD is missing", "usage: jaula run [OPTION…] [[--] CMD [ARG…]]"),
        (
            &["run", "--netwrok", "host"],
            "\"jaula run\" has no option --netwrok",
            "did you mean \"--network\"?",
        ),
        (
            &["run", "--network=hots"],
            "--network \"hots\" is not one of none, host, bind, routed, bridge, macvlan",
            "did you mean \"host\"?",
        ),
        (&["run", "--root"], "--root needs a value: --root SPEC", "\"jaula help run\" lists its options"),
        (
            &["run", "--tty=1"],
            "--tty takes no value, but \"1\" is given",
            "\"jaula help run\" lists its options",
        ),
        (&["-q=1", "list"], "-q takes no value, but \"1\" is given", "\"jaula help\" lists the verbs"),
        (
            &["--json", "list"],
            "\"jaula\" has no option --json",
            "options of a verb stand behind it: jaula VERB --json",
        ),
        (
            &["exec", "www", "-x", "ls"],
            "\"jaula exec\" has no option -x",
            "options of the command itself stand behind it, or behind --: \
             jaula exec [OPTION…] NAME [--] CMD [ARG…]",
        ),
        (&["exec", "www"], "CMD is missing", "usage: jaula exec [OPTION…] NAME [--] CMD [ARG…]"),
        (&["logs", "a", "b"], "\"b\" is one word too many", "usage: jaula logs [OPTION…] NAME"),
        (&["gc", "x"], "\"x\" is one word too many", "usage: jaula gc [OPTION…]"),
        (&["logs", "a", "-n", "x"], "-n \"x\" is not a number", "\"jaula help logs\" lists its options"),
        (
            &["stop", "a", "--timeout=soon"],
            "--timeout \"soon\" is not a time such as 250ms, 30s, 5m",
            "\"jaula help stop\" lists its options",
        ),
        (
            &["run", "--root", "host", "--app", "/bin/ls"],
            "a jail has one root: --root, --app and --set root.from exclude each other",
            "\"jaula help run\" lists its options",
        ),
        (
            &["create", "a", "--json"],
            "--json needs --dry-run here: nothing else is printed",
            "\"jaula help create\" lists its options",
        ),
        (&["completions", "csh"], "SHELL \"csh\" is not one of bash, zsh, fish", "did you mean \"zsh\"?"),
        (&["help", "strat"], "there is no verb \"strat\"", "did you mean \"start\"?"),
        (&["\x1b[2J"], "there is no verb \"\\u{1b}[2J\"", "\"jaula help\" lists the verbs"),
    ];
    for (words, error, help) in table {
        let output = jaula(words);
        assert_eq!(text(&output.stderr), format!("error: {error}\nhelp: {help}\n"), "{words:?}");
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(output.stdout.is_empty(), "{words:?}");
    }
}

#[test]
fn help_in_all_its_forms_is_the_same() {
    let help = jaula(&["help"]);
    assert!(help.status.success());
    for words in [&[][..], &["-h"], &["--help"]] {
        assert_eq!(jaula(words).stdout, help.stdout, "{words:?}");
    }
    let run = jaula(&["help", "run"]);
    assert_eq!(jaula(&["run", "--help"]).stdout, run.stdout);
    assert!(!text(&help.stdout).contains('\x1b'));
    assert!(text(&jaula(&["--color", "always", "help"]).stdout).contains("\x1b[1mUsage:\x1b[0m"));
}

#[test]
fn version_as_text_and_data() {
    let version = env!("CARGO_PKG_VERSION");
    for words in [&["version"][..], &["-V"], &["--version"]] {
        assert_eq!(text(&jaula(words).stdout), format!("jaula {version}\n"));
    }
    assert_eq!(
        text(&jaula(&["version", "--json"]).stdout),
        format!("{{\n  \"version\": \"{version}\"\n}}\n")
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error_but_a_full_disk_is() {
    let mut child =
        Command::new(JAULA).arg("help").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));

    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = Command::new(JAULA).arg("help").stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("error: cannot write to standard output: No space left"));
}

#[test]
fn manual_pages_pass_the_checkers() {
    let pages = directory("manual");
    let output = jaula(&["manual", pages.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let files: Vec<PathBuf> = fs::read_dir(&pages).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.iter().any(|path| path.ends_with("jaula-config-show.1")));
    let checkers: [&[&str]; 3] = [
        &["man", "--warnings", "-Tutf8", "-l"],
        &["groff", "-man", "-ww", "-z", "-Tutf8"],
        &["mandoc", "-Tlint"],
    ];
    for checker in checkers {
        if !has(checker[0]) {
            continue;
        }
        for file in &files {
            let output = Command::new(checker[0]).args(&checker[1..]).arg(file).output().unwrap();
            assert_eq!(text(&output.stderr), "", "{checker:?} {}", file.display());
            // mandoc writes what it finds to standard output.
            assert!(checker[0] == "man" || output.stdout.is_empty(), "{}", text(&output.stdout));
        }
    }
}

/// A directory with some files, and with a `jaula` that knows two jails and two keys.
fn with_jails(name: &str) -> PathBuf {
    let bin = directory(name);
    // A link, not a file written here: while another test's thread forks, a file just written
    // is open there too, and cannot be executed (ETXTBSY).
    let jaula = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/jaula-with-jails.sh");
    std::os::unix::fs::symlink(jaula, bin.join("jaula")).unwrap();
    fs::create_dir_all(bin.join("tree/sub dir")).unwrap();
    fs::write(bin.join("tree/file"), "").unwrap();
    bin
}

#[test]
fn scripts_for_shells_are_valid() {
    let scripts = directory("scripts");
    for shell in ["bash", "zsh", "fish"] {
        let output = jaula(&["completions", shell]);
        assert!(output.status.success());
        let path = scripts.join(shell);
        fs::write(&path, &output.stdout).unwrap();
        if has(shell) {
            let check = Command::new(shell).arg("-n").arg(&path).output().unwrap();
            assert_eq!((check.status.code(), text(&check.stderr).as_str()), (Some(0), ""), "{shell}");
        }
    }
}

/// Runs a shell in a directory whose `jaula` is [`with_jails`] and returns what it printed.
fn in_shell(shell: &str, name: &str, script: &str) -> String {
    let bin = with_jails(name);
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(shell);
    if shell == "bash" {
        command.args(["--norc", "--noprofile"]);
    }
    let output = command
        .args(["-c", script])
        .env("PATH", path)
        .env("JAULA", JAULA)
        .env("HOME", &bin)
        .env("LC_ALL", "C.UTF-8")
        .current_dir(&bin)
        .output()
        .unwrap();
    assert_eq!(text(&output.stderr), "", "{shell}");
    text(&output.stdout)
}

#[test]
fn bash_completes() {
    if !has("bash") {
        return;
    }
    // As readline calls it: the words cut at blanks, "=" and ":", the line, and the cursor.
    let harness = r#"
        eval "$(jaula completions bash)"
        try() {
            COMP_LINE=$1 COMP_POINT=${#1}; shift
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
            _jaula jaula "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
            printf '%s|' "${COMPREPLY[@]}"; echo
        }
        try 'jaula st' jaula st
        try 'jaula start ' jaula start ''
        try 'jaula start w' jaula start w
        try 'jaula exec d' jaula exec d
        try 'jaula config ' jaula config ''
        try 'jaula run --eph' jaula run --eph
        try 'jaula run --network=h' jaula run --network = h
        try 'jaula run --network ' jaula run --network ''
        try 'jaula set www net' jaula set www net
        try 'jaula run --set boo' jaula run --set boo
        try 'jaula run --root di' jaula run --root di
        try 'jaula run --root dir:tree/s' jaula run --root dir : tree/s
        try 'jaula run --root=dir:tr' jaula run --root = dir : tr
        try 'jaula run --app=tree/f' jaula run --app = tree/f
        try 'jaula run --env "A=b c" --na' jaula run --env '"A=b c"' --na
        try 'jaula run --file tree/' jaula run --file tree/
        try 'jaula config check tree/f' jaula config check tree/f
    "#;
    let expected = "\
start|stop|status|
www|db|
www|
db|
show|edit|check|path|keys|
--ephemeral|
host|
none|host|bind|routed|bridge|macvlan|
network.mode=|
boot.user=|
dir:|
tree/sub dir|
tree|
tree/file|
--name|
tree/file|tree/sub dir|
tree/file|
";
    let printed = in_shell("bash", "bash", harness);
    // The order of files is the directory's.
    assert_eq!(printed.replace("tree/sub dir|tree/file|", "tree/file|tree/sub dir|"), expected);
}

#[test]
fn fish_completes() {
    if !has("fish") {
        return;
    }
    let table = [
        ("jaula st", &["start", "stop", "status"][..]),
        ("jaula start ", &["www", "db"]),
        ("jaula set www net", &["network.mode="]),
        ("jaula run --network=h", &["--network=host"]),
        ("jaula run --root dir:tree/s", &["dir:tree/sub dir/"]),
        ("jaula run --file tree/f", &["tree/file"]),
    ];
    for (line, expected) in table {
        let script = format!("jaula completions fish | source; complete -C '{line}'");
        let printed = in_shell("fish", "fish", &script);
        let mut words: Vec<_> = printed.lines().map(|line| line.split('\t').next().unwrap()).collect();
        words.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(words, expected, "{line}");
    }
}

/// zsh completes only on a terminal, so it gets one, types, and shows its line.
#[test]
fn zsh_completes() {
    if !has("zsh") {
        return;
    }
    // ^X ends the line where completion left it: the widget prints it between brackets.
    let harness = r#"
        zmodload zsh/zpty
        zpty -b shell zsh -f -i
        zpty -w shell 'PS1= PS2= ; stty -echo; autoload -U compinit; compinit -u -D'
        zpty -w shell 'show() { print -r -- "<$BUFFER>"; BUFFER= }; zle -N show; bindkey "^X" show'
        zpty -w shell 'eval "$(jaula completions zsh)"; print -r -- "<read""y>"'
        zpty -r -m shell line '*<ready>*'
        for text in 'jaula start w' 'jaula config sh' 'jaula run --network=h' 'jaula run --root di' \
            'jaula run --root dir:tree/s' 'jaula set www net' 'jaula run --app=tree/f' 'jaula run --eph'; do
            zpty -w -n shell $text$'\t\x18'
            zpty -r -m shell line '*<*>*'
            line=${line##*<}
            print -r -- ${line%%>*}
        done
        zpty -d shell
    "#;
    let expected = "\
jaula start www 
jaula config show 
jaula run --network=host 
jaula run --root dir:
jaula run --root dir:tree/sub\\ dir/
jaula set www network.mode=
jaula run --app=tree/file 
jaula run --ephemeral 
";
    assert_eq!(in_shell("zsh", "zsh", harness), expected);
}
