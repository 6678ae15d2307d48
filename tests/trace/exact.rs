//! What a trace saw against what strace saw of the same program in the same kind of jail.

use super::{Seen, run, set, text};
use jaula_tests::harness::{Outcome, Test, command};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

pub(super) fn trials() -> Vec<Trial> {
    trials!("trace": privileged [as_strace_sees_it])
}

/// The same command line in both: strace runs in a jail of the same profile, since what a jail refuses
/// makes programs take other ways.
fn as_strace_sees_it(t: &Test) -> Outcome {
    let programs: &[&[&str]] = &[
        &["/bin/true"],
        &["/usr/bin/python3", "-B", "-c", "import json, ssl, email, sqlite3; open('/etc/services').read()"],
        &[
            "/bin/sh",
            "-c",
            "ls -l /usr/share/doc >/dev/null; cat /etc/services /etc/nothing; id; (sleep 0.1; date) & wait",
        ],
        &["/usr/bin/find", "/usr/share/perl5", "-name", "*.pm"],
        &[
            "/usr/bin/perl",
            "-e",
            "use POSIX; open(F, '</etc/services'); print strftime('%c', localtime); fork; wait",
        ],
    ];
    for program in programs {
        let oracle = Oracle::of(t, program)?;
        let seen = Seen::parse(&run(t, &["--env", "LC_ALL=C.UTF-8"], program)?)?;
        assert!(oracle.opened.len() > 1 && oracle.calls.len() > 10, "{program:?}");
        assert_eq!(opened(&seen), oracle.opened, "{program:?}");
        assert_eq!(seen.list("calls"), oracle.calls, "{program:?}");
    }
    Ok(())
}

/// The files that were opened, and are there.
fn opened(seen: &Seen) -> BTreeSet<String> {
    let files = seen.0["files"].as_array().into_iter().flatten();
    let read = files.filter(|file| {
        let uses = file["uses"].to_string();
        (uses.contains("read") || uses.contains("written")) && !uses.contains("missing")
    });
    read.filter_map(|file| file["path"].as_str()).map(str::to_owned).collect()
}

struct Oracle {
    opened: BTreeSet<String>,
    calls: BTreeSet<String>,
}

impl Oracle {
    fn of(t: &Test, program: &[&str]) -> Outcome<Self> {
        let place = t.root().join("strace");
        let _ = fs::remove_dir_all(&place);
        fs::create_dir(&place)?;
        let mount = format!("{}:/run/strace:rw,idmap", place.display());
        let jail = ["run", "--root", "host", "--mount", &mount, "--env", "LC_ALL=C.UTF-8", "--"];
        // One file for each thread: a line is a whole call.
        let strace = ["strace", "-ff", "-qq", "-y", "-s", "0", "-o", "/run/strace/of"];
        let done = t.jaula().run(&[&jail[..], &strace, program].concat())?;
        let mut all = Self { opened: set(&[]), calls: set(&[]) };
        for file in fs::read_dir(&place)? {
            for line in fs::read_to_string(file?.path())?.lines() {
                all.line(line);
            }
        }
        command(&["rm", "-r", &text(&place)])?.ok()?;
        if all.calls.is_empty() { Err(done.to_string().into()) } else { Ok(all) }
    }

    /// `openat(AT_FDCWD</>, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3</etc/passwd>`
    fn line(&mut self, line: &str) {
        let Some((name, rest)) = line.split_once('(') else { return };
        let Some((arguments, result)) = rest.rsplit_once(" = ") else {
            // A call that never returned.
            if name == "exit_group" || name == "exit" {
                self.calls.insert(name.to_owned());
            }
            return;
        };
        // The jail's filter refuses it before anybody else hears of it.
        if result.contains("ENOSYS") {
            return;
        }
        self.calls.insert(name.to_owned());
        if !matches!(name, "open" | "openat") || result.starts_with('-') || arguments.contains("O_PATH") {
            return;
        }
        let (directory, rest) = match name {
            "openat" => arguments.split_once(", ").unwrap_or_default(),
            _ => ("</>", arguments),
        };
        let directory = directory.split_once('<').map_or("/", |(_, path)| path.trim_end_matches('>'));
        let path = rest.split('"').nth(1).unwrap_or_default();
        let path = Path::new(directory).join(path);
        if !path.is_dir() {
            self.opened.insert(text(&path.components().collect::<std::path::PathBuf>()));
        }
    }
}
