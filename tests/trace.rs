//! `jaula trace`: what a program does is seen, all of it, and nothing of it lasts.

mod exact;
mod hostile;

use jaula_tests::harness::{Done, Outcome, Test, command};
use jaula_tests::trials;
use libtest_mimic::Trial;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

pub(crate) fn trials() -> Vec<Trial> {
    let own = trials!("trace": privileged [
        a_library_named_in_a_file,
        a_script_a_program_a_program,
        threads_and_children,
        a_daemon_that_leaves,
        fifty_thousand_files,
        paths_are_as_meant,
        sockets_and_ports,
        users_and_capabilities,
        owners_and_file_systems,
        until_it_is_ready,
        it_is_told_to_end,
        what_it_prints_is_apart,
        what_cannot_be_traced_says_so,
    ]);
    own.into_iter().chain(exact::trials()).chain(hostile::trials()).collect()
}

/// What `jaula trace --json` printed.
struct Seen(Value);

impl Seen {
    fn parse(done: &Done) -> Outcome<Self> {
        if !done.status.success() {
            return Err(done.to_string().into());
        }
        Ok(Self(serde_json::from_str(&done.stdout).map_err(|error| format!("{error}: {done}"))?))
    }

    /// How a path was used; nothing if it was not.
    fn uses(&self, path: impl AsRef<Path>) -> Option<BTreeSet<&str>> {
        let path = path.as_ref().to_string_lossy();
        let files = self.0["files"].as_array()?;
        let file = files.iter().find(|file| file["path"] == *path)?;
        Some(file["uses"].as_array()?.iter().filter_map(Value::as_str).collect())
    }

    fn is(&self, path: impl AsRef<Path>, uses: &[&str]) -> Outcome {
        let found = self.uses(&path);
        if found == Some(uses.iter().copied().collect()) {
            return Ok(());
        }
        let path = path.as_ref().display();
        Err(format!("{path}: {found:?}, not {uses:?}").into())
    }

    fn by(&self, path: impl AsRef<Path>) -> Option<&str> {
        let path = path.as_ref().to_string_lossy();
        self.0["files"].as_array()?.iter().find(|file| file["path"] == *path)?["by"].as_str()
    }

    /// A list of texts or numbers.
    fn list(&self, name: &str) -> BTreeSet<String> {
        let list = self.0[name].as_array().into_iter().flatten();
        list.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect()
    }
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(ToString::to_string).collect()
}

fn run(t: &Test, options: &[&str], program: &[&str]) -> Outcome<Done> {
    t.jaula().run(&[&["trace", "--json"], options, program].concat())
}

fn trace(t: &Test, program: &[&str]) -> Outcome<Seen> {
    Seen::parse(&run(t, &[], program)?)
}

fn python(t: &Test, script: &str) -> Outcome<Seen> {
    let done = run(t, &[], &["python3", "-c", script])?;
    assert_eq!(done.stderr, "", "{done}");
    Seen::parse(&done)
}

/// Compiles with the host's compiler, against the host's libraries.
fn compile(t: &Test, name: &str, source: &str, options: &[&str]) -> Outcome<PathBuf> {
    let at = t.root().join(name);
    let text = t.root().join(format!("{name}.c"));
    fs::write(&text, source)?;
    if command(&["cc", "--version"]).is_err() {
        return t.skip("no C compiler here");
    }
    let words = ["cc", "-o", &at.to_string_lossy(), &text.to_string_lossy()];
    command(&[&words, options].concat())?.ok()?;
    Ok(at)
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// No header and no link names it.
fn a_library_named_in_a_file(t: &Test) -> Outcome {
    let library = compile(t, "plugin.so", "int answer(void) { return 42; }", &["-shared", "-fPIC"])?;
    let config = t.root().join("plugins.conf");
    fs::write(&config, text(&library))?;
    let source = "#include <dlfcn.h>\n#include <stdio.h>\nint main(int c, char **v) { char name[256] = {0};\n\
                  FILE *f = fopen(v[c - 1], \"r\"); if (!f || !fgets(name, sizeof name, f)) return 2;\n\
                  void *p = dlopen(name, RTLD_NOW); int (*answer)(void) = p ? dlsym(p, \"answer\") : 0;\n\
                  return answer && answer() == 42 ? 0 : 1; }";
    let program = compile(t, "program", source, &["-ldl"])?;
    let seen = trace(t, &[&text(&program), &text(&config)])?;
    assert_eq!(seen.0["status"], 0);
    seen.is(&program, &["executed"])?;
    seen.is(&config, &["read"])?;
    seen.is(&library, &["read", "mapped"])?;
    assert_eq!(seen.by(&library), Some(&*text(&program)));
    assert_eq!(seen.by(&program), Some(""), "what starts the first one is nobody's");
    Ok(())
}

fn a_script_a_program_a_program(t: &Test) -> Outcome {
    let python = t.root().join("middle");
    fs::write(
        &python,
        "#!/usr/bin/env python3\nimport subprocess\nsubprocess.run(['/bin/cat', '/etc/hostname'])\n",
    )?;
    let script = t.root().join("first");
    fs::write(&script, format!("#!/bin/sh\n{}\n", python.display()))?;
    command(&["chmod", "755", &text(&python), &text(&script)])?.ok()?;
    let seen = trace(t, &[&text(&script)])?;
    for (path, by) in [(text(&script), ""), ("/bin/sh".to_owned(), ""), (text(&python), "/usr/bin/dash")] {
        let by = if by.is_empty() { by.to_owned() } else { text(&fs::canonicalize("/bin/sh")?) };
        assert!(seen.uses(&path).is_some_and(|uses| uses.contains("executed")), "{path}");
        assert_eq!(seen.by(&path), Some(&*by), "{path}");
    }
    seen.is("/usr/bin/env", &["executed"])?;
    seen.is("/usr/bin/python3", &["executed"])?;
    seen.is("/bin/cat", &["executed"])?;
    seen.is("/etc/hostname", &["read"])?;
    let loader = if cfg!(target_arch = "aarch64") {
        "/lib/ld-linux-aarch64.so.1"
    } else {
        "/lib64/ld-linux-x86-64.so.2"
    };
    seen.is(loader, &["executed"])
}

fn threads_and_children(t: &Test) -> Outcome {
    let place = t.root().join("files");
    fs::create_dir(&place)?;
    for n in 0..16 {
        fs::write(place.join(n.to_string()), "x")?;
    }
    let script = "import os, sys, threading\nopen_ = lambda n: open(f'{sys.argv[1]}/{n}').read()\n\
                  all = [threading.Thread(target=open_, args=(n,)) for n in range(8)]\n\
                  [t.start() for t in all]; [t.join() for t in all]\n\
                  for n in range(8, 16):\n    if os.fork() == 0:\n        open_(n); os._exit(0)\n\
                  for n in range(8): os.wait()\n";
    let seen = trace(t, &["python3", "-c", script, &text(&place)])?;
    assert_eq!(seen.0["status"], 0);
    (0..16).try_for_each(|n| seen.is(place.join(n.to_string()), &["read"]))
}

/// The program forks and ends at once; what it left goes on, and is seen to its end.
fn a_daemon_that_leaves(t: &Test) -> Outcome {
    let script = "(setsid sh -c 'sleep 0.5; cat /etc/hostname; setsid sh -c \"sleep 0.3; cat /etc/passwd\" & exit 5' \
                  >/dev/null 2>&1 &) ; exit 3";
    let seen = trace(t, &["sh", "-c", script])?;
    seen.is("/etc/hostname", &["read"])?;
    seen.is("/etc/passwd", &["read"])?;
    assert_eq!(seen.0["status"], 3, "the program's own status");
    Ok(())
}

fn fifty_thousand_files(t: &Test) -> Outcome {
    let place = t.root().join("many");
    for directory in 0..100 {
        let directory = place.join(directory.to_string());
        fs::create_dir_all(&directory)?;
        for file in 0..500 {
            fs::File::create(directory.join(file.to_string()))?;
        }
    }
    let script = "import os, sys\nfor place, _, files in os.walk(sys.argv[1]):\n    for file in files:\n        \
                  open(os.path.join(place, file)).close()\n";
    let program = ["trace", "--json", "python3", "-c", script, &text(&place)];
    let seen = Seen::parse(&t.jaula().within(Duration::from_secs(300)).run(&program)?)?;
    assert_eq!(seen.0["status"], 0);
    let own = text(&place);
    let files = seen.0["files"].as_array().ok_or("no files")?;
    let below = files.iter().filter(|file| file["path"].as_str().is_some_and(|path| path.starts_with(&own)));
    let read = below.filter(|file| file["uses"] == serde_json::json!(["read"])).count();
    assert_eq!(read, 50_000);
    seen.is(place.join("7"), &["directory", "listed"])
}

/// Relative ones, through descriptors, with `..` behind a link, in another root.
fn paths_are_as_meant(t: &Test) -> Outcome {
    let place = t.root().join("place");
    fs::create_dir_all(place.join("real/deep"))?;
    for name in ["here", "by_descriptor", "real/above", "inside"] {
        fs::write(place.join(name), "x")?;
    }
    std::os::unix::fs::symlink("real/deep", place.join("link"))?;
    let script = "import os, sys\np = sys.argv[1]\nos.chdir(p)\nopen('./here').close()\n\
                  d = os.open(p, os.O_PATH)\nos.close(os.open('by_descriptor', os.O_RDONLY, dir_fd=d))\n\
                  open('link/../above').close()\nos.stat('link')\nos.readlink('link')\n\
                  open('made', 'w').close(); os.rename('made', 'renamed'); os.mkdir('new')\n\
                  os.chmod('here', 0o600)\nos.listdir('real')\n\
                  try: open('nothing')\nexcept OSError: pass\n\
                  os.chroot(p); open('/inside').close()\n";
    let seen = trace(t, &["python3", "-c", script, &text(&place)])?;
    assert_eq!(seen.0["status"], 0);
    seen.is(place.join("here"), &["read", "written"])?;
    seen.is(place.join("by_descriptor"), &["read"])?;
    seen.is(place.join("real/above"), &["read"])?;
    seen.is(place.join("link"), &["directory"])?;
    seen.is(place.join("made"), &["missing", "written", "made"])?;
    seen.is(place.join("renamed"), &["missing", "made"])?;
    seen.is(place.join("new"), &["missing", "made"])?;
    seen.is(place.join("real"), &["directory", "listed"])?;
    seen.is(place.join("nothing"), &["missing"])?;
    seen.is(place.join("inside"), &["read"])?;
    assert!(!place.join("renamed").exists() && !place.join("new").exists());
    Ok(())
}

fn sockets_and_ports(t: &Test) -> Outcome {
    // Somebody of the host waits here; inside it is another's network and another's /run.
    let path = t.root().join("socket");
    let _waits = std::os::unix::net::UnixListener::bind(&path)?;
    let host = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = host.local_addr()?.port();
    let script = format!(
        "import socket as s\n\
         def t(f):\n    try: f()\n    except OSError: pass\n\
         t(lambda: s.socket(s.AF_UNIX).connect({path:?}))\n\
         t(lambda: s.socket(s.AF_UNIX, s.SOCK_DGRAM).sendto(b'x', '/run/nobody'))\n\
         t(lambda: s.socket(s.AF_UNIX, s.SOCK_DGRAM).sendmsg([b'x'], [], 0, '/run/nobody-else'))\n\
         t(lambda: s.socket(s.AF_UNIX).connect('\\0name'))\n\
         t(lambda: s.create_connection(('127.0.0.1', {port})))\n\
         t(lambda: s.socket(s.AF_INET6, s.SOCK_DGRAM).sendto(b'x', ('2001:db8::1', 53)))\n\
         a = s.create_server(('', 80)); b = s.socket(s.AF_INET, s.SOCK_DGRAM); b.bind(('127.0.0.1', 5353))\n\
         c = s.socket(s.AF_INET, s.SOCK_DGRAM); c.bind(('127.0.0.1', 0))\n\
         s.create_connection(('127.0.0.1', 80))\n\
         u = s.socket(s.AF_UNIX); u.bind('/run/own'); u.listen(); s.socket(s.AF_UNIX).connect('/run/own')\n"
    );
    let seen = python(t, &script)?;
    assert_eq!(seen.0["status"], 0);
    assert_eq!(seen.list("listens"), set(&["tcp 80", "udp 5353"]));
    let peers = seen.0["peers"].as_array().ok_or("no peers")?;
    let peers: BTreeSet<(String, bool)> = peers
        .iter()
        .map(|peer| (peer["to"].as_str().unwrap_or_default().to_owned(), peer["there"] == true))
        .collect();
    // What the program itself waits at is nobody else's.
    let expected = [
        ("/run/nobody".to_owned(), false),
        ("/run/nobody-else".to_owned(), false),
        ("2001:db8::1 udp 53".to_owned(), false),
        ("@name".to_owned(), false),
        (format!("127.0.0.1 tcp {port}"), true),
        (text(&path), true),
    ];
    assert_eq!(peers, expected.into_iter().collect());
    seen.is("/run/own", &["missing", "made"])
}

/// A capability is one that was used, not one that was there to be used.
fn users_and_capabilities(t: &Test) -> Outcome {
    let file = t.root().join("file");
    fs::write(&file, "x")?;
    std::os::unix::fs::chown(&file, Some(1234), Some(1234))?;
    command(&["chmod", "600", &text(&file)])?.ok()?;
    let path = text(&file);
    let table = [
        ("pass", &[][..], &[][..]),
        (
            "open('/etc/shadow').read(); os.chmod('/etc/hostname', 0o644); os.chown('/etc/hostname', 0, 0)",
            &[],
            &[],
        ),
        (&format!("open({path:?}).read()"), &["dac_override"], &[]),
        (&format!("os.chown({path:?}, 5, 5)"), &["chown"], &[]),
        // A change of mode asks for the second as well, to know whether a set-group-id bit may stay.
        (&format!("os.chmod({path:?}, 0o644)"), &["fowner", "fsetid"], &[]),
        ("os.setgroups([7]); os.setgid(8); os.setuid(9)", &["setgid", "setuid"], &[]),
        ("socket.create_server(('', 80))", &["net_bind_service"], &[]),
        ("socket.create_server(('', 8080))", &[], &[]),
        ("os.chroot('/')", &["sys_chroot"], &[]),
        (
            "p = os.fork()\nif p == 0:\n    os.setuid(9); time.sleep(60)\ntime.sleep(0.3); os.kill(p, 9); os.wait()",
            &["setuid", "kill"],
            &[],
        ),
        (
            "try: socket.socket().setsockopt(socket.SOL_IP, 19, 1)\nexcept OSError: pass",
            &[],
            &["net_admin", "net_raw"],
        ),
    ];
    for (script, used, refused) in table {
        let seen = python(t, &format!("import os, socket, time\n{script}"))?;
        assert_eq!(seen.0["status"], 0, "{script}");
        assert_eq!(seen.0["calls_whole"], true);
        assert_eq!(seen.list("capabilities"), set(used), "{script}");
        assert_eq!(seen.list("refused"), set(refused), "{script}");
    }
    let seen = python(t, "import os; os.setgroups([7, 11]); os.setresgid(8, 8, 8); os.setresuid(9, 9, -1)")?;
    assert_eq!((seen.list("users"), seen.list("groups")), (set(&["9"]), set(&["7", "8", "11"])));
    let done = run(t, &["--user", "65534"], &["id", "-u"])?;
    assert_eq!(done.stderr, "65534\n");
    let seen = Seen::parse(&done)?;
    assert_eq!((seen.list("users"), seen.list("capabilities")), (set(&[]), set(&[])));
    Ok(())
}

/// What root of the host owns is root's inside, on each of the host's file systems.
fn owners_and_file_systems(t: &Test) -> Outcome {
    let disk = jaula_tests::harness::SmallDisk::mount(t, 1 << 20)?;
    let place = t.root().join("other");
    fs::create_dir(&place)?;
    std::os::unix::fs::chown(&place, Some(33), Some(7))?;
    command(&["chmod", "1771", &text(&place)])?.ok()?;
    fs::write(place.join("file"), "old")?;
    let script = format!(
        "cd {}; stat -c '%u %g %a' . file /etc/shadow; echo new >file; cat file; echo x >x; df --output=target .",
        place.display()
    );
    let done = run(t, &[], &["sh", "-c", &script])?;
    let shadow = command(&["stat", "-c", "%u %g %a", "/etc/shadow"])?.ok()?;
    let said = format!("33 7 1771\n0 0 644\n{shadow}new\nMounted on\n{}\n", t.root().display());
    assert_eq!(done.stderr, said);
    Seen::parse(&done)?.is(place.join("file"), &["read", "written"])?;
    assert_eq!(fs::read_to_string(place.join("file"))?, "old");
    assert!(!place.join("x").exists());
    // Directories that services expect in /run are there as the host has them.
    let list = "find /run -mindepth 1 -maxdepth 1 -type d ! -name jaula ! -name systemd ! -name udev ! -name user \
                ! -name mount ! -name credentials ! -name initctl -printf '%p %U %G %m\\n' | sort";
    let host = command(&["sh", "-c", list])?.ok()?;
    assert_eq!(run(t, &[], &["sh", "-c", list])?.stderr, host);
    drop(disk);
    Ok(())
}

fn until_it_is_ready(t: &Test) -> Outcome {
    let listens = "import socket, time\ntime.sleep(0.3); s = socket.create_server(('', 8080)); open('/etc/hostname').close()\n\
                   time.sleep(1000)";
    let says = "import os, socket, time\ntime.sleep(0.3); s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
                s.connect(os.environ['NOTIFY_SOCKET']); s.send(b'STATUS=x\\nREADY=1'); open('/etc/hostname').close()\n\
                time.sleep(1000)";
    for script in [listens, says] {
        let seen = Seen::parse(&run(t, &["--until-ready"], &["python3", "-c", script])?)?;
        assert_eq!(seen.0["ready"], true);
        assert_eq!(seen.0["status"], 143, "told to end");
        seen.is("/etc/hostname", &["read"])?;
        assert!(seen.0["peers"].as_array().is_some_and(Vec::is_empty), "the readiness socket is jaula's own");
    }
    let seen = Seen::parse(&run(t, &["--until-ready", "--for", "1s"], &["sleep", "1000"])?)?;
    assert_eq!(seen.0["ready"], false);
    // One that forks and leaves is told as well, and its end is seen.
    let leaves =
        "(setsid sh -c 'trap \"cat /etc/hostname; exit\" TERM; while :; do sleep 0.1; done' &) ; exit 0";
    let seen = Seen::parse(&run(t, &["--for", "1s"], &["sh", "-c", leaves])?)?;
    seen.is("/etc/hostname", &["read"])
}

/// A signal ends the trace, with what the program did until then and after; a second one at once.
fn it_is_told_to_end(t: &Test) -> Outcome {
    let script = "trap 'cat /etc/hostname; exit 4' INT; echo begun >&2; while :; do sleep 0.1; done";
    let stubborn = "trap '' INT TERM; echo begun >&2; while :; do sleep 0.1; done";
    for (script, signals, status) in [(script, 1, 4), (stubborn, 2, 137)] {
        let mut child = t.jaula().command(["trace", "--json", "sh", "-c", script])?;
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null()).spawn()?;
        let mut begun = [0; 6];
        std::io::Read::read_exact(&mut child.stderr.take().ok_or("no stderr")?, &mut begun)?;
        let since = Instant::now();
        for _ in 0..signals {
            command(&["kill", "-INT", &child.id().to_string()])?.ok()?;
            std::thread::sleep(Duration::from_millis(300));
        }
        let output = child.wait_with_output()?;
        assert!(output.status.success() && since.elapsed() < Duration::from_secs(4), "{:?}", output.status);
        let seen = Seen(serde_json::from_slice(&output.stdout)?);
        assert_eq!(seen.0["status"], status);
        assert_eq!(seen.uses("/etc/hostname").is_some(), signals == 1);
    }
    // On a terminal, typed.
    let mut terminal = t.jaula().pty(&["trace", "--json", "sh", "-c", script])?;
    terminal.expect("begun")?;
    terminal.send("\x03")?;
    terminal.expect("\"status\": 4")?;
    assert!(terminal.wait()?.success());
    Ok(())
}

fn what_it_prints_is_apart(t: &Test) -> Outcome {
    let done = t.jaula().feed(&["trace", "--json", "sh", "-c", "cat; echo out; echo err >&2"], b"in\n")?;
    assert_eq!(done.stderr, "in\nout\nerr\n");
    Seen::parse(&done).map(drop)
}

fn what_cannot_be_traced_says_so(t: &Test) -> Outcome {
    let not = t.root().join("not");
    fs::write(&not, "x")?;
    let not = text(&not);
    for (word, status) in [("nothing-of-that-name", 127), ("/nothing/there", 127), (&not, 126)] {
        crate::ground::one_clear_line(&run(t, &[], &[word])?, status, &[])?;
    }
    Ok(())
}
