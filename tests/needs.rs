//! What a traced program needs, in a jail's file: the jail that is made of it works, and holds
//! nothing else.

use crate::declared::{Declared, until};
use jaula_tests::harness::{Done, Machine, Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;
use serde_json::Value;
use std::fs;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("needs": privileged [
        python_with_its_modules,
        curl_with_tls,
        a_shell_with_locale_terminal_and_time_zone,
        a_server_gets_its_key_only_if_it_is_named,
        traces_add_up,
        fifty_thousand_files_are_one_line,
        no_secret_is_taken,
        a_jail_made_by_one_command,
        where_a_trace_is_not_written,
        a_strict_list_is_enough,
        a_service_runs_as_its_own_user,
    ])
}

/// A machine, and one jail of it that is stopped at the end.
struct Traced<'m, 't> {
    machine: &'m Machine<'t>,
    jail: Declared<'t>,
}

impl<'m, 't> Traced<'m, 't> {
    /// Traces into a file, and makes a jail of that.
    fn create(t: &'t Test, machine: &'m Machine<'t>, trace: &[&str], create: &[&str]) -> Outcome<Self> {
        let jail = Declared::known(t, &t.name("traced"));
        let file = format!("/srv/{}.toml", jail.name);
        machine.jaula().ok(&[&["trace", "-o", &file], trace].concat())?;
        machine.jaula().ok(&[&["create", jail.name.as_str(), "--config", &file], create].concat())?;
        Ok(Self { machine, jail })
    }

    /// Starts it and waits until it has ended; gives what it printed.
    fn prints(&self) -> Outcome<String> {
        let name = self.jail.name.as_str();
        let started = self.machine.jaula().run(&["start", name])?;
        let condition = || -> Outcome<Value> {
            let listed = self.machine.jaula().json(&["list", name, "--json"])?;
            Ok(listed[0]["state"].clone())
        };
        until("its end", || {
            condition().is_ok_and(|state| state == "stopped" || state == "failed").then_some(())
        })
        .map_err(|why| format!("{why:?}: {started}"))?;
        self.machine.jaula().ok(&["logs", name])
    }

    /// The same with another command.
    fn prints_instead(&self, command: &[&str]) -> Outcome<String> {
        let command = format!("boot.command={}", serde_json::to_string(command)?);
        self.machine.jaula().ok(&["set", &self.jail.name, &command])?;
        let log = self.machine.path(&self.jail.kept().join("console.log").to_string_lossy());
        let before = fs::read_to_string(&log)?.len();
        let all = self.prints()?;
        Ok(all.get(before..).unwrap_or_default().to_owned())
    }

    fn jaula(&self, words: &[&str]) -> Outcome<String> {
        let (verb, more) = words.split_first().ok_or("no verb")?;
        self.machine.jaula().ok(&[&[*verb, self.jail.name.as_str()], more].concat())
    }
}

/// What a trace prints as JSON.
fn json(machine: &Machine<'_>, words: &[&str]) -> Outcome<Value> {
    machine.jaula().json(&[&["trace", "--json"], words].concat())
}

/// The values of a group, or of a key.
fn values<'a>(printed: &'a Value, of: &str) -> Vec<&'a str> {
    let entries = printed["entries"].as_array().map_or(&[][..], Vec::as_slice);
    let is_it = |entry: &&Value| entry["taken"] == true && (entry["group"] == of || entry["key"] == of);
    entries.iter().filter(is_it).filter_map(|entry| entry["value"].as_str()).collect()
}

/// Those that are only named.
fn named(printed: &Value) -> Vec<&str> {
    let entries = printed["entries"].as_array().map_or(&[][..], Vec::as_slice);
    entries
        .iter()
        .filter(|entry| entry["taken"] == false)
        .filter_map(|entry| entry["value"].as_str())
        .collect()
}

/// Lists every file below `/` but for what the kernel shows.
const WALK: &str = "import os\nfor top, ds, fs in os.walk('/'):\n  ds[:] = [d for d in ds if os.path.join(top, d) not in \
                    ('/proc', '/sys', '/dev', '/usr/lib/python3.13')]\n  for f in fs: print('file', os.path.join(top, f))";

fn python_with_its_modules(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    let program = "import json, ssl, sqlite3, decimal\nfrom zoneinfo import ZoneInfo\n\
                   print('works', sqlite3.connect(':memory:').execute('select 6*7').fetchone()[0], \
                   ssl.create_default_context().cert_store_stats()['x509_ca'] > 9, ZoneInfo('Europe/Madrid'))";
    let jail = Traced::create(t, &machine, &["python3", "-c", program], &[])?;
    let printed = jail.prints()?;
    assert!(printed.contains("works 42 True Europe/Madrid"), "{printed}");
    let text = fs::read_to_string(machine.path(&format!("/srv/{}.toml", jail.jail.name)))?;
    assert!(text.contains("  \"/usr/lib/python3.13\",  # "), "{text}");
    assert!(text.lines().count() < 40, "{text}");
    // Nothing else is inside: no program, no shell, no configuration but this.
    let walked = jail.prints_instead(&["python3", "-c", WALK])?;
    let files: Vec<&str> = walked.lines().filter_map(|line| line.strip_prefix("file ")).collect();
    assert!(files.len() > 20, "{walked}");
    let programs: Vec<&&str> = files.iter().filter(|file| file.contains("/bin/")).collect();
    assert_eq!(programs, [&"/usr/bin/python3.13", &"/usr/bin/python3"], "{walked}");
    let ours = [
        "/etc/hosts",
        "/etc/passwd",
        "/etc/group",
        "/etc/nsswitch.conf",
        "/etc/ld.so.cache",
        "/etc/localtime",
    ];
    for file in files.iter().filter(|file| file.starts_with("/etc/") && !ours.contains(file)) {
        assert!(
            text.contains(&format!("\"{file}\""))
                || file.starts_with("/etc/ssl/")
                || file.starts_with("/etc/python3.13/"),
            "{file} in {text}"
        );
    }
    assert!(files.iter().all(|file| !file.starts_with("/root") && !file.starts_with("/home")), "{walked}");
    Ok(())
}

/// A web server with TLS on a machine; its certificate, and a page that is fetched.
const TLS: &str = "mkdir -p /srv/tls/html && cd /srv/tls && echo a page by tls >html/index.html && \
    openssl req -x509 -newkey rsa:2048 -nodes -keyout site.key -out site.pem -days 2 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost 2>/dev/null && chmod 600 site.key && \
    printf '%s\\n' 'user www-data; pid /run/tls.pid; error_log stderr; events {}' \
        'http { access_log off; server { listen 8443 ssl; ssl_certificate /srv/tls/site.pem;' \
        'ssl_certificate_key /srv/tls/site.key; root /srv/tls/html; } }' >nginx.conf";
const FETCH: &[&str] = &["curl", "-sS", "--cacert", "/srv/tls/site.pem", "https://localhost:8443/"];

fn curl_with_tls(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    machine.shell(&format!("{TLS}; nginx -c /srv/tls/nginx.conf >/dev/null 2>&1"))?;
    let trace = [&["--network", "host"], FETCH].concat();
    let jail = Traced::create(t, &machine, &trace, &[])?;
    let config = fs::read_to_string(machine.path(&format!("/srv/{}.toml", jail.jail.name)))?;
    assert!(config.contains("mode = \"host\"") && config.contains("/srv/tls/site.pem"), "{config}");
    assert!(jail.prints()?.contains("a page by tls"));
    // What it did not open is not there, not even what everybody may read.
    for path in ["/etc/shadow", "/srv/tls/html/index.html", "/etc/debian_version", "/srv/tls/site.key"] {
        let said = jail.prints_instead(&["curl", "-sS", &format!("file://{path}")])?;
        assert!(
            said.contains("Couldn't open file") || said.contains("Could not open file"),
            "{path}: {said}"
        );
    }
    machine.shell("kill $(cat /run/tls.pid)")?;
    Ok(())
}

fn a_shell_with_locale_terminal_and_time_zone(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    let script = "date -d @0 +%H:%M; tput colors; printf '%s\\n' \"${#x}\"; locale charmap; exit 0";
    let environment = ["TZ=Asia/Tokyo", "TERM=xterm-256color", "LC_ALL=C.UTF-8", "x=\u{e9}\u{e9}"];
    let mut trace: Vec<&str> = environment.iter().flat_map(|variable| ["--env", variable]).collect();
    trace.extend(["bash", "-c", script]);
    let jail = Traced::create(t, &machine, &trace, &[])?;
    let printed = jail.prints()?.replace('\r', "");
    assert!(printed.ends_with("09:00\n256\n2\nUTF-8\n"), "{printed:?}");
    Ok(())
}

fn a_server_gets_its_key_only_if_it_is_named(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    machine.shell(TLS)?;
    let nginx = ["--until-ready", "nginx", "-c", "/srv/tls/nginx.conf", "-g", "daemon off;"];
    let without = json(&machine, &nginx)?;
    assert_eq!(named(&without), ["/srv/tls/site.key"], "{without}");
    assert_eq!(values(&without, "users"), ["www-data"]);
    assert_eq!(values(&without, "ports"), ["tcp 8443"]);
    // The jail without it does not start.
    let more = ["--file", "/srv/tls/html", "--set", "boot.restart=no"];
    let trace = [&more[..2], &nginx].concat();
    let jail = Traced::create(t, &machine, &trace, &[])?;
    let said = jail.prints()?;
    assert!(said.contains("cannot load certificate key"), "{said}");
    jail.jaula(&["delete", "--yes"])?;
    // With it, it serves. What is read is not written to.
    let named = ["--file", "/srv/tls/site.key", "--file", "/srv/tls/html"];
    machine.shell(&format!("rm /srv/{}.toml", jail.jail.name))?;
    let jail =
        Traced::create(t, &machine, &[&named[..], &nginx].concat(), &["--network", "host", "--start"])?;
    until("a page", || {
        machine.run(FETCH).ok().filter(|done| done.stdout.contains("a page by tls")).map(drop)
    })?;
    jail.jaula(&["stop"])?;
    Ok(())
}

fn traces_add_up(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    machine.shell("mkdir /srv/a /srv/b; echo a >/srv/a/x; echo b >/srv/b/x; echo c >/srv/b/y")?;
    let trace = |words: &[&str]| machine.jaula().ok(&[&["trace", "-o", "/srv/x.toml"], words].concat());
    let text = || fs::read_to_string(machine.path("/srv/x.toml"));
    let said = trace(&["cat", "/srv/a/x"])?;
    assert!(said.contains("jaula create NAME --config /srv/x.toml"), "{said}");
    let first = text()?;
    assert!(first.contains("  \"/srv/a/x\",  # read by /usr/bin/cat\n"), "{first}");
    // The same again, byte for byte.
    assert!(trace(&["cat", "/srv/a/x"])?.contains("nothing new"));
    assert_eq!(text()?, first);
    // Somebody does not want it, and says why.
    let mine = first.replace("  \"/srv/a/x\",", "  # not for guests\n  # \"/srv/a/x\",");
    fs::write(machine.path("/srv/x.toml"), &mine)?;
    let said = trace(&["cat", "/srv/a/x", "/srv/b/x"])?;
    assert!(said.contains("/srv/b/x") && !said.contains("/srv/a/x"), "{said}");
    let grown = text()?;
    let new = "  \"/srv/b/x\",  # read by /usr/bin/cat\n";
    assert_eq!(grown.replace(new, ""), mine);
    // Into a jail, whose own text stays as it is. It runs, and is told to start again.
    let jail = Declared::known(t, &t.name("added"));
    let name = jail.name.as_str();
    machine.jaula().ok(&["create", name, "--config", "/srv/x.toml"])?;
    let path = machine.jaula().ok(&["config", "path", name])?;
    let before = fs::read_to_string(machine.path(path.trim()))?;
    assert!(before.starts_with("# Traced by jaula") && before.contains("# not for guests"), "{before}");
    machine.jaula().ok(&["trace", "--into", name, "cat", "/srv/b/y", "/srv/a/x"])?;
    let after = fs::read_to_string(machine.path(path.trim()))?;
    assert_eq!(after.replace("  \"/srv/b/y\",  # read by /usr/bin/cat\n", ""), before);
    Ok(())
}

fn fifty_thousand_files_are_one_line(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    machine.shell(
        "mkdir -p /srv/set/{0..99}; cd /srv/set; for d in {0..99}; do (cd $d; touch {1..500}); done",
    )?;
    let read = "import os\nfor top, ds, fs in os.walk('/srv/set'):\n  for f in fs: open(os.path.join(top, f)).read()";
    let words = ["python3", "-I", "-S", "-c", read];
    let printed = machine.jaula().within(std::time::Duration::from_secs(300));
    let printed = printed.json(&[&["trace", "--json"], &words[..]].concat())?;
    assert_eq!(values(&printed, "data"), ["/srv/set"], "{}", printed["entries"]);
    Ok(())
}

/// A program that reads all that it should not, as root.
fn no_secret_is_taken(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    machine.shell(
        "useradd -m alice; echo x >/home/alice/.bash_history; install -d -m 700 /root/.ssh; \
         ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519; mkdir -p /etc/app/sub; \
         echo t >/etc/app/api_token; openssl genpkey -algorithm ed25519 -out /etc/app/plain.txt 2>/dev/null; \
         chmod 644 /etc/app/plain.txt; cp /etc/app/plain.txt /etc/app/sub/hidden.conf; \
         ln -s /etc/app/plain.txt /srv/harmless; echo s >/srv/closed; chmod 600 /srv/closed; \
         for n in 1 2 3 4 5 6; do echo $n >/etc/app/ok$n; done; mkfifo /etc/app/pipe",
    )?;
    let secrets = "/etc/shadow /etc/gshadow /home/alice/.bash_history /root/.ssh/id_ed25519 /etc/app/api_token \
                   /etc/app/plain.txt /etc/app/sub/hidden.conf /srv/harmless /srv/closed";
    let fine = "/etc/app/ok1 /etc/app/ok2 /etc/app/ok3 /etc/app/ok4 /etc/app/ok5 /etc/debian_version";
    let script = format!("cat {secrets} {fine} /proc/kallsyms >/dev/null; ls /etc/app >/dev/null");
    let printed = json(&machine, &["bash", "-c", &script])?;
    let all = named(&printed);
    for secret in secrets.split_whitespace() {
        assert!(all.iter().any(|value| secret.starts_with(value)), "{secret} is not named: {all:?}");
    }
    let taken = values(&printed, "root.files");
    for file in fine.split_whitespace() {
        assert!(taken.contains(&file), "{file} is not taken: {taken:?}");
    }
    // Nor does a directory bring one along.
    for directory in ["/etc/app", "/etc", "/srv", "/home", "/root"] {
        assert!(!taken.contains(&directory), "{taken:?}");
    }
    // And the jail of it has none, whatever it does.
    let jail = Traced::create(t, &machine, &["bash", "-c", &script], &[])?;
    jail.prints()?;
    for secret in secrets.split_whitespace() {
        let said = jail.prints_instead(&["bash", "-c", &format!("cat {secret} && echo REVEALED")])?;
        assert!(said.contains("No such file") && !said.contains("REVEALED"), "{secret}: {said}");
    }
    Ok(())
}

/// `jaula create --trace`, where nobody can be asked and on a terminal.
fn a_jail_made_by_one_command(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    machine.shell(TLS)?;
    let jail = Declared::known(t, &t.name("one"));
    let name = jail.name.as_str();
    let create = |more: &[&str]| -> Outcome<Done> {
        let arguments = "-c /srv/tls/nginx.conf -g 'daemon off;'";
        machine.jaula().run(&[&["create", name, "--app", "nginx", "--trace", arguments], more].concat())
    };
    let done = create(&[])?;
    assert!(done.status.success() && done.stderr.contains("a secret is not taken"), "{done}");
    assert!(
        done.stdout.contains("/srv/tls/site.key") && done.stdout.contains(" is created with id "),
        "{done}"
    );
    let path = machine.jaula().ok(&["config", "path", name])?;
    let text = fs::read_to_string(machine.path(path.trim()))?;
    assert!(text.contains("  # \"/srv/tls/site.key\",  # "), "{text}");
    assert!(
        text.contains("command = [\"nginx\", \"-c\", \"/srv/tls/nginx.conf\", \"-g\", \"daemon off;\"]"),
        "{text}"
    );
    // A name that is taken is told before anything runs.
    let again = create(&[])?;
    assert!(!again.status.success() && !again.stdout.contains("needs"), "{again}");
    machine.jaula().ok(&["delete", "--yes", name])?;
    let named = ["--file", "/srv/tls/site.key", "--file", "/srv/tls/html", "--network", "host", "--start"];
    let done = create(&named)?;
    assert!(done.status.success() && !done.stderr.contains("secret"), "{done}");
    until("a page", || {
        machine.run(FETCH).ok().filter(|done| done.stdout.contains("a page by tls")).map(drop)
    })?;
    machine.jaula().ok(&["stop", name])?;
    Ok(())
}

fn where_a_trace_is_not_written(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    machine.shell("echo '[root]' >/srv/foreign.toml; echo x >/srv/x")?;
    let fails = |words: &[&str]| machine.jaula().fails(&[&["trace"], words].concat());
    let said = fails(&["-o", "/srv/foreign.toml", "touch", "/srv/ran"])?;
    assert!(said.contains("jaula trace has not made it") && said.contains("help: "), "{said}");
    assert_eq!(fs::read_to_string(machine.path("/srv/foreign.toml"))?, "[root]\n");
    let jail = Declared::known(t, &t.name("tree"));
    machine.jaula().ok(&["create", &jail.name, "--root", "host", "true"])?;
    let said = fails(&["--into", &jail.name, "true"])?;
    assert!(said.contains("is not about an app jail"), "{said}");
    let said = fails(&["--into", "nosuchjail", "true"])?;
    assert!(said.contains("nosuchjail"), "{said}");
    let said = fails(&["-o", "/srv/x.toml", "--into", &jail.name, "true"])?;
    assert!(said.contains("exclude each other"), "{said}");
    // A secret that cannot be had is an error, not a line that stops the jail.
    let said = fails(&["-o", "/srv/x.toml", "--file", "/dev/null", "true"])?;
    assert!(said.contains("/dev/null"), "{said}");
    assert!(fs::symlink_metadata(machine.path("/srv/x.toml")).is_err());
    Ok(())
}

/// With `--strict`, the calls that were seen are enough for the same program, and others are not
/// to be had.
fn a_strict_list_is_enough(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    let program = "import socket, os\na, b = socket.socketpair()\nprint(a.send(b'12345'))\n\
                   try: os.chroot('/')\nexcept PermissionError: print('refused')";
    let traced = program.split("\ntry").next().unwrap_or_default();
    let jail = Traced::create(t, &machine, &["--strict", "python3", "-c", traced], &[])?;
    let text = fs::read_to_string(machine.path(&format!("/srv/{}.toml", jail.jail.name)))?;
    assert!(text.contains("profile = \"strict\"") && text.contains("  \"+socketpair\",\n"), "{text}");
    let calls: Vec<&str> = text.lines().filter(|line| line.starts_with("  \"+")).collect();
    assert!(calls.is_sorted() && !calls.is_empty(), "{calls:?}");
    assert!(jail.prints()?.contains('5'));
    let said = jail.prints_instead(&["python3", "-c", program])?;
    assert!(said.contains("5") && said.contains("refused"), "{said}");
    Ok(())
}

/// A service that never needed root gets none of it: its user from the first instruction, no capability.
fn a_service_runs_as_its_own_user(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    let redis = ["redis-server", "/etc/redis/redis.conf", "--daemonize", "no"];
    let trace = [&["--until-ready", "--file", "/etc/redis/redis.conf"], &redis[..]].concat();
    let jail = Traced::create(t, &machine, &trace, &["--network", "host", "--start"])?;
    let text = fs::read_to_string(machine.path(&format!("/srv/{}.toml", jail.jail.name)))?;
    assert!(text.contains("user = \"redis\"  # it never needed root"), "{text}");
    assert!(text.contains("  \"-all\",  # it needs none\n]"), "{text}");
    assert!(text.contains("  \"/var/lib/redis\",  # written by "), "{text}");
    let pong = machine.shell("exec 3<>/dev/tcp/127.0.0.1/6379; echo PING >&3; head -1 <&3")?;
    assert_eq!(pong.trim(), "+PONG");
    let pid = jail.jail.first()?;
    let status = fs::read_to_string(machine.path(&format!("/proc/{pid}/status")))?;
    let of =
        |field: &str| status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default().trim();
    assert_eq!((of("CapBnd:"), of("CapPrm:")), ("0000000000000000", "0000000000000000"), "{status}");
    assert!(!of("Uid:").starts_with("0\t"), "{status}");
    jail.jaula(&["stop"])?;
    Ok(())
}
