//! The closure of the host's real programs, against what their own loader says and does.
//! The second half copies closures into a directory and runs them there, so it needs root.

// A test may panic, and so may what it calls.
#![allow(clippy::unwrap_used)]

use jaula::rootfs::app::{Closure, Reason, Request, What, closure, elf};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

fn of(program: &str, files: &[&str]) -> Closure {
    let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
    let request = Request {
        root: Path::new("/"),
        program: Path::new(program),
        files: &files,
        writable: &[],
        users: &[],
        network: true,
    };
    closure(&request).unwrap_or_else(|e| panic!("{program}: {e}: {:?}", e.help()))
}

/// The libraries of a closure, by path without links.
fn libraries(closure: &Closure) -> BTreeSet<PathBuf> {
    let linked = closure.entries.iter().filter(|e| matches!(e.reason, Reason::LinkedBy { .. }));
    linked
        .filter_map(|e| match &e.what {
            What::File { source } => Some(source.clone()),
            _ => None,
        })
        .collect()
}

/// What the program's own loader would load, by path without links. The program does not run.
/// `None` if it has no loader, or one that refuses it.
fn loaded(program: &Path) -> Option<BTreeSet<PathBuf>> {
    let loader = elf::parse(fs::read(program).ok()?.as_slice()).ok()?.interpreter?;
    loaded_by(&loader, program)
}

fn loaded_by(loader: &Path, program: &Path) -> Option<BTreeSet<PathBuf>> {
    // A loader that is told the program by a link would take the link's place for $ORIGIN.
    let output = Command::new(loader).arg("--list").arg(fs::canonicalize(program).unwrap()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    if !output.status.success() || text.contains("not found") {
        return None;
    }
    let paths = text.lines().filter_map(|l| l.split_once(" => ")?.1.split(" (").next());
    let mut paths: BTreeSet<_> = paths.map(|p| fs::canonicalize(p).unwrap()).collect();
    paths.remove(&fs::canonicalize(loader).unwrap());
    Some(paths)
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Libraries that need one another by every rule there is, made by the host's own linker.
#[test]
fn search_paths_are_as_the_loader_has_them() {
    let top = Path::new(env!("CARGO_TARGET_TMPDIR")).join("search-paths");
    let _ = fs::remove_dir_all(&top);
    for directory in ["bin", "a", "b", "c", "a/sub", "lib/x86_64-linux-gnu", "lib64"] {
        fs::create_dir_all(top.join(directory)).unwrap();
    }
    fs::write(top.join("x.c"), "int FUNCTION(void) { return 0; }").unwrap();
    fs::write(top.join("main.c"), "int main(void) { return 0; }").unwrap();
    let cc = |arguments: &str| {
        let arguments = arguments.split(' ').map(|a| a.replace('@', top.to_str().unwrap()));
        let output = Command::new("cc").current_dir(&top).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let library = |path: &str, name: &str, more: &str| {
        cc(&format!(
            "-shared -fPIC -DFUNCTION={name} x.c -o {path} -Wl,-soname,lib{name}.so -Wl,--no-as-needed{more}"
        ));
    };
    let rpath = " -Wl,--disable-new-dtags";
    let runpath = " -Wl,--enable-new-dtags";
    // leaf stands in several places, so that each program shows which one is taken.
    for directory in ["a", "a/sub", "b", "c", "lib/x86_64-linux-gnu", "lib64"] {
        library(&format!("{directory}/libleaf.so"), "leaf", "");
    }
    library("a/libplain.so", "plain", " -La -lleaf");
    library("a/libruns.so", "runs", &format!(" -La -lleaf{runpath} -Wl,-rpath,$ORIGIN/sub"));
    library("a/librs.so", "rs", &format!(" -La -lleaf{rpath} -Wl,-rpath,$ORIGIN/../b"));
    library("a/libslash.so", "slash", "");
    let cases = [
        ("inherited", format!("-lplain{rpath} -Wl,-rpath,@/b:$ORIGIN/../a")),
        ("own-runpath", format!("-lruns{rpath} -Wl,-rpath,@/b:@/a")),
        ("own-rpath", format!("-lrs{rpath} -Wl,-rpath,@/c:@/a")),
        ("direct", format!("-lplain -lleaf{runpath} -Wl,-rpath,@/a:@/c")),
        ("first-wins", format!("-lruns -lrs{rpath} -Wl,-rpath,@/a")),
        ("lib", format!("-lleaf -lplain{runpath} -Wl,-rpath,@/$LIB:@/a")),
        ("relative-and-empty", format!("-lleaf -lplain{rpath} -Wl,-rpath,:a/sub:@/a")),
    ];
    for (name, more) in cases {
        cc(&format!("main.c -o bin/{name} -Wl,--no-as-needed -Wl,-rpath-link,a -La {more}"));
        let program = top.join("bin").join(name);
        let found = libraries(&of(program.to_str().unwrap(), &[]));
        assert_eq!(Some(found), loaded(&program), "{name}");
    }
    // RUNPATH is not inherited: here the loader finds no leaf, and neither do we.
    cc(&format!(
        "main.c -o bin/not-inherited -Wl,--no-as-needed -Wl,-rpath-link,a -La -lplain{runpath} -Wl,-rpath,@/a"
    ));
    let program = top.join("bin/not-inherited");
    let request = Request {
        root: Path::new("/"),
        program: &program,
        files: &[],
        writable: &[],
        users: &[],
        network: false,
    };
    let error = closure(&request).unwrap_err();
    assert!(error.to_string().contains("libplain.so needs the library libleaf.so"), "{error}");
    assert!(!Command::new(&program).output().unwrap().status.success());
    fs::remove_dir_all(&top).unwrap();
}

#[test]
fn every_program_has_what_its_loader_loads() {
    let mut compared = 0;
    for directory in ["/usr/bin", "/usr/sbin"] {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let Some(expected) = loaded(&path) else { continue };
            let found = libraries(&of(path.to_str().unwrap(), &[]));
            assert_eq!(found, expected, "{}", path.display());
            compared += 1;
        }
    }
    println!("{compared} programs compared");
    assert!(compared > 50);
}

#[test]
fn libraries_that_a_program_opens_have_what_their_loader_loads() {
    let bash = "/usr/bin/bash";
    let loader = elf::parse(fs::read(bash).unwrap().as_slice()).unwrap().interpreter.unwrap();
    let of_bash = libraries(&of(bash, &[]));
    let directory = of_bash.first().unwrap().parent().unwrap();
    let mut compared = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let is_library = path.is_file() && path.to_str().unwrap().contains(".so.");
        let Some(expected) = is_library.then(|| loaded_by(&loader, &path)).flatten() else { continue };
        let mut found = libraries(&of(bash, &[path.to_str().unwrap()]));
        let own = fs::canonicalize(&path).unwrap();
        found.remove(&own);
        let mut expected: BTreeSet<_> = expected.union(&of_bash).cloned().collect();
        expected.remove(&own);
        assert_eq!(found, expected, "{}", path.display());
        compared += 1;
    }
    println!("{compared} libraries compared");
    assert!(compared > 50);
}

/// By a process of its own: what this one writes is busy, and not to be run, for as long as a program that another test
/// starts at the same time has the descriptor, until its exec.
fn copy(options: &[&str], from: &Path, to: &Path) {
    assert!(Command::new("cp").args(options).args([from, to]).status().unwrap().success());
}

/// Copies a closure into a new directory below the build's own.
fn build(name: &str, closure: &Closure) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&root);
    for entry in &closure.entries {
        let path = root.join(entry.path.strip_prefix("/").unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match &entry.what {
            What::File { source } => copy(&[], source, &path),
            What::Symlink { target } => symlink(target, path).unwrap(),
            What::Text { content } => fs::write(path, content).unwrap(),
            What::Directory { source } => copy(&["-a"], source, &path),
        }
    }
    // Stands for the device, which is not a part of the closure; perl opens it.
    fs::create_dir_all(root.join("dev")).unwrap();
    fs::write(root.join("dev/null"), "").unwrap();
    root
}

/// Runs a command in the copy of a closure, and gives what it printed.
fn run(name: &str, program: &str, files: &[&str], arguments: &[&str]) -> String {
    let closure = of(program, files);
    let root = build(name, &closure);
    let output = Command::new("/usr/sbin/chroot")
        .arg(&root)
        .arg(&closure.program)
        .args(arguments)
        .env_clear()
        .output()
        .unwrap();
    fs::remove_dir_all(&root).unwrap();
    let text = [output.stdout, output.stderr].map(|t| String::from_utf8_lossy(&t).into_owned()).concat();
    assert!(output.status.success(), "{program}: {text}");
    text
}

#[test]
fn programs_run_in_their_closure() {
    let cases: [(&str, &[&str], &str); 7] = [
        ("bash", &["-c", "echo ok"], "ok\n"),
        ("sh", &["-c", "echo ok"], "ok\n"),
        ("id", &[], "uid=0(root) gid=0(root)"),
        ("openssl", &["version"], "OpenSSL"),
        ("curl", &["--version"], "curl"),
        ("git", &["--version"], "git version"),
        ("perl", &["-e", "print 6*7"], "42"),
    ];
    for (program, arguments, expected) in cases {
        if is_root() && Path::new("/usr/bin").join(program).exists() {
            let program = format!("/usr/bin/{program}");
            let text = run(&program.replace('/', "-"), &program, &[], arguments);
            assert!(text.starts_with(expected), "{program}: {text}");
        }
    }
}

#[test]
fn python_runs_with_its_library_listed() {
    let python = "/usr/bin/python3";
    let Ok(output) = Command::new(python).args(["-c", "import os; print(os.__file__)"]).output() else {
        return;
    };
    let library = PathBuf::from(String::from_utf8(output.stdout).unwrap());
    let library = library.parent().unwrap().to_str().unwrap();
    if is_root() {
        let program = "import ssl, zlib, ctypes, pwd; print(pwd.getpwuid(0).pw_name, ssl.OPENSSL_VERSION)";
        let text = run("python", python, &[library], &["-c", program]);
        assert!(text.starts_with("root OpenSSL"), "{text}");
    }
}

#[test]
fn nginx_runs_with_its_modules_and_configuration() {
    if is_root() && Path::new("/usr/sbin/nginx").exists() {
        let text = run("nginx", "nginx", &["/usr/lib/nginx", "/etc/nginx"], &["-v"]);
        assert!(text.contains("nginx version"), "{text}");
    }
}

#[test]
fn programs_without_glibc_run_in_their_closure() {
    let top = Path::new(env!("CARGO_TARGET_TMPDIR")).join("without-glibc");
    fs::create_dir_all(&top).unwrap();
    fs::write(top.join("x.c"), "#include <stdio.h>\nint main(void) { puts(\"ok\"); return 0; }").unwrap();
    for (name, compiler) in [("static", "cc -static"), ("static-pie", "cc -static-pie"), ("musl", "musl-gcc")]
    {
        let (compiler, more) = compiler.split_once(' ').unwrap_or((compiler, "-O1"));
        let program = top.join(name);
        let output = Command::new(compiler).args([more, "x.c", "-o", name]).current_dir(&top).output();
        if is_root() && output.is_ok_and(|o| o.status.success()) {
            let text = run(&format!("run-{name}"), program.to_str().unwrap(), &[], &[]);
            assert_eq!(text, "ok\n", "{name}");
        }
    }
    fs::remove_dir_all(&top).unwrap();
}
