//! App jails and a host that changes: `jaula outdated`, `jaula refresh`, `root.method`.

use crate::declared::{Declared, until};
use crate::ground::{one_clear_line, without_packages};
use jaula_tests::harness::{Machine, Outcome, SmallDisk, Test, Victim, command, fault_at_those};
use jaula_tests::trials;
use libtest_mimic::Trial;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("refresh": privileged [
        a_package_is_upgraded,
        a_library_changes_under_each_method,
        own_files_are_the_hosts_as_they_were,
        links_cannot_be_written_to,
        links_stay_on_one_file_system,
        a_jail_that_does_not_start_gets_its_old_files_back,
        what_is_gone_from_the_host_is_told,
        files_are_taken_for_one_configuration,
        it_is_killed_at_every_call,
        a_full_disk_leaves_the_old_files,
        two_at_once,
        other_jails_are_left_alone,
    ])
}

const METHODS: [&str; 3] = ["bind", "copy", "link"];

/// A program of the host that says what its library tells it, and then waits.
struct Greeter<'t> {
    t: &'t Test,
    at: PathBuf,
}

impl<'t> Greeter<'t> {
    fn make(t: &'t Test) -> Outcome<Self> {
        if command(&["cc", "--version"]).is_err() {
            return t.skip("no C compiler here");
        }
        let greeter = Self { t, at: t.root().join("app") };
        fs::create_dir(&greeter.at)?;
        greeter.library("one", "")?;
        fs::write(
            greeter.at.join("greet.c"),
            "#include <stdio.h>\n#include <unistd.h>\nconst char *greeting(void);\n\
             int main(int n, char **w) { puts(greeting()); fflush(stdout); if (n > 1) pause(); (void)w; return 0; }\n",
        )?;
        greeter.cc("greet", "greet.c", "-L. -lgreet -Wl,-rpath,$ORIGIN")?;
        Ok(greeter)
    }

    fn program(&self) -> String {
        self.at.join("greet").display().to_string()
    }

    fn path(&self, name: &str) -> String {
        self.at.join(name).display().to_string()
    }

    /// Puts another library in place of the old one, as a package manager does.
    fn library(&self, says: &str, linked: &str) -> Outcome {
        fs::write(self.at.join("lib.c"), format!("const char *greeting(void) {{ return \"{says}\"; }}\n"))?;
        self.cc(
            "libgreet.so.new",
            "lib.c",
            &format!("-shared -fPIC -Wl,-soname,libgreet.so,--no-as-needed {linked}"),
        )?;
        Ok(fs::rename(self.at.join("libgreet.so.new"), self.at.join("libgreet.so"))?)
    }

    fn cc(&self, to: &str, source: &str, flags: &str) -> Outcome {
        let script = format!("cd \"$1\" && cc -o {to} {source} {}", flags.replace('$', "\\$"));
        command(&["sh", "-ec", &script, "sh", &self.at.to_string_lossy()])?.ok()?;
        Ok(())
    }

    /// A jail of it, made and started.
    fn jail(&self, method: &str, more: &[&str]) -> Outcome<Declared<'t>> {
        let jail = Declared::named(self.t, method);
        let (program, set) = (self.program(), format!("root.method={method}"));
        let words =
            [&["create", &jail.name, "--app", &program, "--set", &set], more, &["--", &program, "wait"]]
                .concat();
        self.t.jaula().ok(&words)?;
        jail.start()?;
        Ok(jail)
    }

    /// What the program says in a jail that runs.
    fn says(&self, jail: &Declared<'_>) -> Outcome<String> {
        Ok(self.t.jaula().exec(&jail.name, &[&self.program()])?.trim().to_owned())
    }

    fn dry_run(&self, jail: &Declared<'_>) -> Outcome<Value> {
        Ok(self.t.jaula().json(&["refresh", &jail.name, "--dry-run", "--json"])?[0].clone())
    }

    /// The changes that JSON tells, in one text.
    fn changes(&self, told: &Value) -> String {
        let groups = told["packages"].as_array().cloned().unwrap_or_default();
        let files = groups.iter().flat_map(|group| group["files"].as_array().cloned().unwrap_or_default());
        let name = |path: &Value| {
            Path::new(path.as_str().unwrap_or_default()).file_name().map(|n| n.to_string_lossy().into_owned())
        };
        let mut all: Vec<String> = files
            .map(|file| {
                format!(
                    "{} {}",
                    file["change"].as_str().unwrap_or_default(),
                    name(&file["path"]).unwrap_or_default()
                )
            })
            .collect();
        all.sort();
        all.join(", ")
    }
}

/// The end of a jail of a test, with its files.
fn delete(t: &Test, jail: &Declared<'_>) -> Outcome {
    t.jaula().ok(&["delete", "--yes", "--force", &jail.name])?;
    if jail.kept().exists() { Err("its files are there after a delete".into()) } else { Ok(()) }
}

/// Whether `jaula outdated` has it, and with what state.
fn outdated(t: &Test, jail: &Declared<'_>) -> Outcome<Option<String>> {
    let done = t.jaula().run(&["outdated", "--json", &jail.name])?;
    let all: Value = serde_json::from_str(&done.stdout).map_err(|e| format!("{e}: {done}"))?;
    let state = all[0]["state"].as_str().map(str::to_owned);
    assert_eq!(done.status.code(), Some(i32::from(state.is_some())), "{done}");
    Ok(state)
}

/// On a machine of its own, with dpkg: a new version of a library, which needs one more, is seen by its
/// package, shown, applied, and what runs after it is the new code.
fn a_package_is_upgraded(t: &Test) -> Outcome {
    let machine = Machine::boot_with_own_usr(t)?;
    machine.shell(PACKAGES)?;
    machine.shell("dpkg -i /root/libgreet_1.0.deb /root/greet_1.0.deb")?;
    let jaula = machine.jaula();
    for method in ["bind", "copy"] {
        let set = format!("root.method={method}");
        jaula.ok(&[
            "create",
            method,
            "--app",
            "greet",
            "--file",
            "/usr/share/greet",
            "--set",
            &set,
            "--",
            "greet",
            "wait",
        ])?;
        jaula.ok(&["start", method])?;
        assert_eq!(jaula.exec(method, &["greet"])?, "one\n");
    }
    assert_eq!(jaula.ok(&["outdated"])?, "");
    machine.shell("dpkg -i /root/libmore_1.0.deb /root/libgreet_2.0.deb")?;
    let told = jaula.run(&["outdated"])?;
    assert_eq!(told.status.code(), Some(1), "{told}");
    let lines: Vec<&str> = told.stdout.lines().skip(1).collect();
    for (line, method) in lines.iter().zip(["bind", "copy"]) {
        assert!(
            line.starts_with(&format!("{method}  outdated")) && line.contains("libgreet 1.0 -> 2.0"),
            "{told}"
        );
        assert_eq!(jaula.exec(method, &["greet"])?, "one\n", "still what it was made of");
        let shown = jaula.ok(&["refresh", method, "--dry-run"])?;
        for line in [
            "\n  libgreet 1.0 -> 2.0\n",
            "    changed   /usr/lib/x86_64-linux-gnu/libgreet.so\n",
            "    new       /usr/share/greet/data\n",
            "    vanished  /usr/share/greet/old\n",
            "\n  libmore 1.0, new\n    new       /usr/lib/x86_64-linux-gnu/libmore.so\n",
        ] {
            assert!(shown.contains(line), "{line:?} in {shown}");
        }
        assert_eq!(jaula.exec(method, &["greet"])?, "one\n", "a dry run does nothing");
        let refreshed = jaula.ok(&["refresh", method, "--yes"])?;
        assert!(refreshed.ends_with(&format!("{method} is refreshed and started again\n")), "{refreshed}");
        assert_eq!(jaula.exec(method, &["greet"])?, "two\n");
    }
    assert_eq!(lines.len(), 2, "{told}");
    assert_eq!(jaula.ok(&["outdated"])?, "");
    // The same files again, as a reinstallation brings them: nothing of a copy is another.
    machine.shell("dpkg -i /root/libgreet_2.0.deb")?;
    let again = jaula.run(&["outdated", "--json"])?.stdout;
    let all: Value = serde_json::from_str(&again).map_err(|e| e.to_string())?;
    let names: Vec<&str> =
        all.as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, ["bind"], "{again}");
    jaula.ok(&["delete", "--yes", "--force", "bind", "copy"])?;
    Ok(())
}

/// Makes four packages in /root: a program, its library in two versions, and one more library.
const PACKAGES: &str = r#"
cd /root; lib=usr/lib/x86_64-linux-gnu
package() { # NAME VERSION FIELDS
  mkdir -p "$1/DEBIAN"
  printf 'Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: a test <test@example.org>\nDescription: a test\n%s' "$1" "$2" "${3-}" >"$1/DEBIAN/control"
  dpkg-deb --build --root-owner-group "$1" "$1_$2.deb" >/dev/null; rm -r "$1"
}
library() { # PACKAGE SAYS LINKED
  mkdir -p "$1/$lib"
  echo "const char *${1#lib}(void) { return \"$2\"; }" | cc -shared -fPIC -Wl,-soname,"$1.so",--no-as-needed -o "$1/$lib/$1.so" -xc - ${3-}
}
library libmore more; cp "libmore/$lib/libmore.so" .; package libmore 1.0
library libgreet one; cp "libgreet/$lib/libgreet.so" .
mkdir -p libgreet/usr/share/greet; echo old >libgreet/usr/share/greet/old; package libgreet 1.0
library libgreet two "-xnone -L. -lmore"
mkdir -p libgreet/usr/share/greet; echo new >libgreet/usr/share/greet/data; package libgreet 2.0 "Depends: libmore
"
mkdir -p greet/usr/bin
echo '#include <stdio.h>
#include <unistd.h>
const char *greet(void);
int main(int n, char **w) { puts(greet()); fflush(stdout); if (n > 1) pause(); (void)w; return 0; }' |
  cc -o greet/usr/bin/greet -xc - -xnone -L. -lgreet
package greet 1.0
"#;

/// The same on this host without packages: seen, shown, applied; the new code runs; and again nothing.
fn a_library_changes_under_each_method(t: &Test) -> Outcome {
    for method in METHODS {
        let greeter = Greeter::make(t)?;
        let jail = greeter.jail(method, &[])?;
        assert_eq!(greeter.says(&jail)?, "one", "{method}");
        until("a manifest that agrees with the host", || outdated(t, &jail).ok()?.is_none().then_some(()))?;
        fs::write(greeter.at.join("more.c"), "int more(void) { return 0; }\n")?;
        greeter.cc("libmore.so", "more.c", "-shared -fPIC -Wl,-soname,libmore.so")?;
        greeter.library("two", "-L. -lmore -Wl,-rpath,$ORIGIN")?;
        assert_eq!(outdated(t, &jail)?.as_deref(), Some("outdated"), "{method}");
        let told = greeter.dry_run(&jail)?;
        assert_eq!(greeter.changes(&told), "changed libgreet.so, new libmore.so", "{method}: {told}");
        assert_eq!(told["state"], "outdated");
        assert_eq!(greeter.says(&jail)?, "one", "{method}: nothing was done");
        // It runs: somebody must say yes.
        let asked = jail.jaula("refresh", &[])?;
        assert!(asked.stderr.contains("--yes") && asked.status.code() == Some(1), "{asked}");
        let later = jail.jaula("refresh", &["--no-restart"])?.ok()?;
        assert!(later.ends_with("is refreshed\n"), "{later}");
        assert_eq!(greeter.says(&jail)?, "one", "{method}: it was not started again");
        assert_eq!(outdated(t, &jail)?.as_deref(), Some("outdated"), "{method}: it runs with the old ones");
        let held = greeter.dry_run(&jail)?["held"].to_string();
        assert!(held.contains("libgreet.so") && !held.contains("/greet\""), "{method}: {held}");
        jail.jaula("refresh", &["--yes"])?.ok()?;
        assert_eq!(greeter.says(&jail)?, "two", "{method}");
        assert_eq!(outdated(t, &jail)?, None, "{method}");
        let left: Vec<_> = fs::read_dir(jail.kept())?.flatten().map(|e| e.file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("files.")), "{method}: {left:?}");
        delete(t, &jail)?;
        fs::remove_dir_all(&greeter.at)?;
    }
    Ok(())
}

/// Owners, modes, times, links and directories of copies and links are the host's, and nobody's change
/// of the host's reaches a copy.
fn own_files_are_the_hosts_as_they_were(t: &Test) -> Outcome {
    let greeter = Greeter::make(t)?;
    let data = t.root().join("data");
    let script = "mkdir -p $1/d/e && cd $1 && echo a >f && echo b >d/g && chown 33:34 f d && chmod 640 f && chmod 2750 d && \
                  touch -d 2001-02-03 f && ln -s ../f d/link && ln -s /nowhere d/dangling && mkfifo d/pipe && truncate -s 1M d/e/hole";
    command(&["sh", "-ec", script, "sh", &data.to_string_lossy()])?.ok()?;
    let list = |at: &Path| {
        let find = "cd \"$1\" && find . -type f -printf '%P %m %U:%G %s %T@\\n' | sort; \
                    find . ! -type f ! -type p -printf '%P %y %m %U:%G %l\\n' | sort";
        command(&["sh", "-ec", find, "sh", &at.to_string_lossy()])?.ok()
    };
    for method in ["copy", "link"] {
        let jail = greeter.jail(method, &["--file", &data.to_string_lossy()])?;
        let inside = jail.kept().join("files/root").join(data.strip_prefix("/")?);
        assert_eq!(list(&inside)?, list(&data)?, "{method}");
        assert!(!inside.join("d/pipe").exists());
        let same = fs::metadata(inside.join("f"))?.ino() == fs::metadata(data.join("f"))?.ino();
        assert_eq!(same, method == "link");
        // Its owner is 33 inside as well.
        let program = greeter.program();
        let root = format!("/proc/{}/root", jail.first()?);
        let seen = fs::metadata(Path::new(&root).join(data.strip_prefix("/")?).join("f"))?;
        assert_eq!(seen.uid() % 65536, 33, "{program}");
        fs::write(data.join("f"), "changed\n")?;
        let now = fs::read_to_string(inside.join("f"))?;
        assert_eq!(now, if method == "link" { "changed\n" } else { "a\n" });
        let told = greeter.dry_run(&jail)?;
        assert_eq!(greeter.changes(&told), "changed f", "{told}");
        command(&["sh", "-ec", "cd $1; echo a >f; touch -d 2001-02-03 f", "sh", &data.to_string_lossy()])?
            .ok()?;
        delete(t, &jail)?;
    }
    Ok(())
}

/// A hard link is the host's own file: root of the jail changes neither its content nor its owner,
/// mode or times, whatever becomes of writes.
fn links_cannot_be_written_to(t: &Test) -> Outcome {
    let busybox = "/usr/bin/busybox";
    let data = t.root().join("data");
    fs::create_dir(&data)?;
    fs::write(data.join("f"), "the host's\n")?;
    let state = || {
        let meta = fs::metadata(data.join("f"))?;
        Ok::<_, std::io::Error>((
            fs::read_to_string(data.join("f"))?,
            meta.mode(),
            meta.uid(),
            meta.mtime(),
            meta.ctime_nsec(),
        ))
    };
    for writes in ["refused", "kept", "discarded"] {
        let jail = Declared::named(t, writes);
        let (file, set) = (data.display().to_string(), format!("root.writes={writes}"));
        t.jaula().ok(&[
            "create",
            &jail.name,
            "--app",
            busybox,
            "--file",
            &file,
            "--set",
            "root.method=link",
            "--set",
            &set,
            "--",
            busybox,
            "sleep",
            "1000",
        ])?;
        jail.start()?;
        let before = state()?;
        let script = format!(
            "cd {}; echo x >>f; chmod 777 f; chown 33 f; touch -d 2001-01-01 f; ln f g; mv f h; rm -f h; true",
            data.display()
        );
        t.jaula().exec(&jail.name, &[busybox, "sh", "-c", &script])?;
        assert_eq!(state()?, before, "{writes}");
        let own = jail.kept().join("files/root").join(data.strip_prefix("/")?).join("f");
        assert_eq!(fs::metadata(own)?.ino(), fs::metadata(data.join("f"))?.ino());
        delete(t, &jail)?;
    }
    Ok(())
}

/// Said in one line, and no jail is there.
fn links_stay_on_one_file_system(t: &Test) -> Outcome {
    let disk = SmallDisk::mount(t, 64 << 20)?;
    let name = t.name("far");
    let words = ["create", &name, "--app", "/usr/bin/busybox", "--set", "root.method=link"];
    let done = t.jaula().run(&words)?;
    one_clear_line(&done, 1, &["another file system", "root.method = \"copy\""])?;
    assert_eq!(t.jaula().run(&["status", &name])?.status.code(), Some(3));
    assert!(!t.root().join("var/lib/jaula/jails").join(&name).exists());
    // A run has nowhere to keep any.
    let done =
        t.jaula().run(&["run", "--app", "/usr/bin/busybox", "--set", "root.method=copy", "--", "true"])?;
    one_clear_line(&done, 125, &["root.method", "keeps no files"])?;
    drop(disk);
    Ok(())
}

/// New files that do not work do not take a service down for good.
fn a_jail_that_does_not_start_gets_its_old_files_back(t: &Test) -> Outcome {
    let greeter = Greeter::make(t)?;
    let script = greeter.at.join("ready");
    fs::write(&script, "#!/bin/sh\nexit 0\n")?;
    command(&["chmod", "755", &script.to_string_lossy()])?.ok()?;
    let ready = format!("boot.ready=[\"{}\"]", script.display());
    let file = script.display().to_string();
    let jail = greeter.jail("copy", &["--file", &file, "--set", &ready, "--set", "boot.start_timeout=1s"])?;
    fs::write(greeter.at.join("new"), "#!/bin/sh\nexit 1\n")?;
    command(&["chmod", "755", &greeter.path("new")])?.ok()?;
    fs::rename(greeter.at.join("new"), &script)?;
    let done = jail.jaula("refresh", &["--yes"])?;
    one_clear_line(&done, 1, &["does not start with its new files and has its old ones again"])?;
    assert_eq!(greeter.says(&jail)?, "one");
    assert_eq!(outdated(t, &jail)?.as_deref(), Some("outdated"));
    delete(t, &jail)
}

/// A file that the jail needs is not there any more: told by both, done by none.
fn what_is_gone_from_the_host_is_told(t: &Test) -> Outcome {
    for method in METHODS {
        let greeter = Greeter::make(t)?;
        let jail = greeter.jail(method, &[])?;
        fs::rename(greeter.at.join("libgreet.so"), greeter.at.join("gone"))?;
        let state = outdated(t, &jail)?;
        assert!(matches!(state.as_deref(), Some("broken" | "outdated")), "{method}: {state:?}");
        let done = jail.jaula("refresh", &["--yes"])?;
        assert!(done.status.code() == Some(1) && done.stderr.contains("libgreet.so"), "{method}: {done}");
        assert_eq!(greeter.says(&jail)?, "one", "{method}");
        delete(t, &jail)?;
        fs::remove_dir_all(&greeter.at)?;
    }
    Ok(())
}

/// Who asks for other files gets them by a refresh, not by a start.
fn files_are_taken_for_one_configuration(t: &Test) -> Outcome {
    let greeter = Greeter::make(t)?;
    let jail = greeter.jail("copy", &[])?;
    jail.stop()?;
    let more = greeter.path("greet.c");
    t.jaula().ok(&["set", &jail.name, &format!("root.files={more}")])?;
    let done = jail.jaula("start", &[])?;
    one_clear_line(&done, 1, &["other files than its configuration asks for", "jaula refresh"])?;
    assert_eq!(outdated(t, &jail)?.as_deref(), Some("untaken"));
    jail.jaula("refresh", &[])?.ok()?;
    assert_eq!(outdated(t, &jail)?, None);
    jail.start()?;
    assert!(Path::new(&format!("/proc/{}/root{more}", jail.first()?)).exists());
    delete(t, &jail)?;
    // A file that was written by hand has none yet.
    let jail = Declared::named(t, "hand");
    jail.write_config(&format!("[root]\nfrom = \"app:{}\"\nmethod = \"copy\"\n", greeter.program()))?;
    one_clear_line(&jail.jaula("start", &[])?, 1, &["no files yet"])?;
    jail.jaula("refresh", &[])?.ok()?;
    jail.start()?;
    delete(t, &jail)
}

/// Wherever it is killed, the jail has the old files or the new ones, whole, and the next refresh does
/// the rest.
fn it_is_killed_at_every_call(t: &Test) -> Outcome {
    let data = t.root().join("data");
    fs::create_dir(&data)?;
    let write = |says: &str| {
        for name in ["a", "b"] {
            fs::write(data.join("new"), says)?;
            fs::rename(data.join("new"), data.join(name))?;
        }
        Ok::<_, std::io::Error>(())
    };
    write("0")?;
    let (jail, busybox) = (Declared::named(t, "victim"), "/usr/bin/busybox");
    let file = data.display().to_string();
    t.jaula().ok(&["create", &jail.name, "--app", busybox, "--file", &file, "--set", "root.method=copy"])?;
    let files = jail.kept().join("files");
    let inside = files.join("root").join(data.strip_prefix("/")?);
    let mut round = 0;
    let mut seen = [false; 2];
    let (jail, inside, write) = (&jail, &inside, &write);
    write("traced")?;
    let survived = fault_at_those(
        calls_that_matter(t, &jail.name)?,
        || {
            write(&format!("{}", round + 1))?;
            round += 1;
            Ok((Victim::Main, without_packages(t, &["refresh", &jail.name])?))
        },
        |_| {
            let has: Vec<String> = ["a", "b"]
                .iter()
                .map(|name| fs::read_to_string(inside.join(name)))
                .collect::<Result<_, _>>()?;
            assert_eq!(has[0], has[1], "the half of each");
            let manifest: Value = serde_json::from_str(&fs::read_to_string(files.join("manifest.json"))?)
                .map_err(|e| e.to_string())?;
            let sum = command(&["sha256sum", &inside.join("a").to_string_lossy()])?.ok()?;
            let path = data.join("a").display().to_string();
            assert_eq!(manifest["items"][&path]["sha256"].as_str(), sum.split(' ').next(), "{path}");
            let on_host = fs::read_to_string(data.join("a"))?;
            seen[usize::from(has[0] == on_host)] = true;
            assert!(without_packages(t, &["refresh", &jail.name])?.status()?.success());
            assert_eq!(fs::read_to_string(inside.join("b"))?, on_host);
            let left: Vec<_> = fs::read_dir(jail.kept())?.flatten().map(|entry| entry.file_name()).collect();
            assert_eq!(left, ["files"], "{on_host}");
            Ok(())
        },
    )?;
    assert!(survived.kills > 100 && seen == [true; 2], "{survived:?} {seen:?}");
    delete(t, jail)
}

/// The numbers of its system calls: all from where it begins to make files, some of those before.
fn calls_that_matter(t: &Test, jail: &str) -> Outcome<impl Iterator<Item = u32>> {
    let log = t.root().join("strace").display().to_string();
    // The whole command is traced, as the killer does: what comes before jaula counts.
    let mut command = std::process::Command::new("strace");
    let plain = without_packages(t, &["refresh", jail])?;
    command.args(["-o", &log]).arg(plain.get_program()).args(plain.get_args()).env("JAULA_ROOT", t.root());
    assert!(command.stdout(Stdio::null()).status()?.success());
    let text = fs::read_to_string(&log)?;
    let begins = text.lines().position(|line| line.contains("/files.1")).ok_or("it makes no files")?;
    let begins = u32::try_from(begins)?;
    Ok((1u32..100_000).filter(move |n| *n > begins || n % 9 == 0))
}

/// The old files stay, nothing of the new ones does.
fn a_full_disk_leaves_the_old_files(t: &Test) -> Outcome {
    let elsewhere = std::env::temp_dir().join(format!("{}-data", t.mark()));
    fs::create_dir(&elsewhere)?;
    let tried = (|| {
        let disk = SmallDisk::mount(t, 12 << 20)?;
        fs::write(elsewhere.join("f"), vec![1; 1 << 20])?;
        let (jail, busybox) = (Declared::named(t, "full"), "/usr/bin/busybox");
        let file = elsewhere.display().to_string();
        t.jaula().ok(&[
            "create",
            &jail.name,
            "--app",
            busybox,
            "--file",
            &file,
            "--set",
            "root.method=copy",
            "--",
            busybox,
            "sleep",
            "1000",
        ])?;
        fs::write(elsewhere.join("f"), vec![2; 1 << 20])?;
        let mut refused = 0;
        for free in [0, 4096, 1 << 16, 1 << 19, 1 << 20] {
            disk.fill_but(free)?;
            let done = jail.jaula("refresh", &[])?;
            if done.status.success() {
                return Err(format!("{free} bytes were enough: {done}").into());
            }
            one_clear_line(&done, 1, &["No space left", "help: "])?;
            let own = jail.kept().join("files/root").join(elsewhere.strip_prefix("/")?).join("f");
            assert_eq!(fs::read(own)?[0], 1);
            let left: Vec<_> = fs::read_dir(jail.kept())?.flatten().map(|entry| entry.file_name()).collect();
            assert_eq!(left, ["files"], "{free}");
            disk.free()?;
            refused += 1;
        }
        assert_eq!(refused, 5);
        jail.jaula("refresh", &[])?.ok()?;
        jail.start()?;
        jail.stop_on_a_disk()
    })();
    fs::remove_dir_all(&elsewhere)?;
    tried
}

/// Two at once take the files one after the other.
fn two_at_once(t: &Test) -> Outcome {
    let greeter = Greeter::make(t)?;
    let jail = greeter.jail("copy", &[])?;
    greeter.library("two", "")?;
    let mut all = Vec::new();
    for _ in 0..4 {
        let mut command = t.jaula().command(["refresh", &jail.name, "--yes"])?;
        all.push(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?);
    }
    for one in all {
        let done = one.wait_with_output()?;
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    assert_eq!(greeter.says(&jail)?, "two");
    assert_eq!(outdated(t, &jail)?, None);
    delete(t, &jail)
}

/// `--all` means app jails; another one is refused by its name.
fn other_jails_are_left_alone(t: &Test) -> Outcome {
    let jail = Declared::idle(t, "dir")?;
    assert_eq!(t.jaula().ok(&["refresh", "--all"])?, "");
    assert_eq!(t.jaula().ok(&["outdated"])?, "");
    one_clear_line(&jail.jaula("refresh", &[])?, 1, &["no app jail"])?;
    one_clear_line(&jail.jaula("outdated", &[])?, 1, &["no app jail"])?;
    assert_eq!(t.jaula().run(&["refresh", "nobody"])?.status.code(), Some(3));
    Ok(())
}
