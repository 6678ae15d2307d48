//! Closures of programs on hosts that are made up.

mod hostile;
mod sample;

use super::{Closure, ClosureError, Reason, Request, What, closure};
use sample::Sample;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

const GLIBC: &str = "/lib64/ld-linux.so.2";
const MUSL: &str = "/lib/ld-musl-x.so.1";

/// A host in a directory of its own, gone at the end.
struct Fake(PathBuf);

impl Drop for Fake {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Fake {
    /// A host with merged /usr, glibc and musl.
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let fake = Self(std::env::temp_dir().join(format!("jaula-app-{}-{number}", std::process::id())));
        for directory in ["usr/lib64", "usr/lib", "usr/bin", "etc"] {
            fs::create_dir_all(fake.0.join(directory)).unwrap();
        }
        for name in ["lib", "lib64", "bin"] {
            fake.link(name, &format!("usr/{name}"));
        }
        fake.elf("usr/lib64/ld-linux.so.2", &Sample { soname: Some("ld-linux.so.2"), ..Sample::default() });
        fake.elf("usr/lib/ld-musl-x.so.1", &Sample::default());
        fake.library("usr/lib/libc.so.6", &["ld-linux.so.2"]);
        fake
    }

    fn write(&self, path: &str, bytes: impl AsRef<[u8]>, mode: u32) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn link(&self, path: &str, target: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    fn elf(&self, path: &str, sample: &Sample<'_>) {
        self.write(path, sample.bytes(), 0o755);
    }

    fn library(&self, path: &str, needed: &[&str]) {
        let soname = Path::new(path).file_name().and_then(|n| n.to_str());
        self.elf(path, &Sample { soname, needed, ..Sample::default() });
    }

    fn program(&self, path: &str, needed: &[&str]) {
        self.elf(path, &Sample { interpreter: Some(GLIBC), needed, ..Sample::default() });
    }

    fn try_closure(&self, program: &str, files: &[&str]) -> Result<Closure, ClosureError> {
        let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
        let program = Path::new(program);
        closure(&Request { root: &self.0, program, files: &files, writable: &[], users: &[], network: false })
    }

    /// Each entry as `path`, `path -> target` or `path/`, without those that every jail has.
    fn closure(&self, program: &str, files: &[&str]) -> Vec<String> {
        let closure = self.try_closure(program, files).unwrap();
        let entries = closure.entries.iter().filter_map(|entry| {
            let path = entry.path.display();
            match &entry.what {
                What::File { source } => {
                    assert_eq!(source, &self.0.join(entry.path.strip_prefix("/").unwrap()));
                    Some(path.to_string())
                }
                What::Directory { .. } => Some(format!("{path}/")),
                What::Symlink { target } => Some(format!("{path} -> {}", target.display())),
                What::Text { .. } => None,
            }
        });
        entries.collect()
    }

    fn error(&self, program: &str, files: &[&str]) -> String {
        let error = self.try_closure(program, files).unwrap_err();
        let source = std::error::Error::source(&error).map(|s| format!(": {s}")).unwrap_or_default();
        let help = error.help().map(|h| format!(" | {h}")).unwrap_or_default();
        format!("{error}{source}{help}")
    }
}

#[test]
fn every_link_on_the_way_is_there() {
    let host = Fake::new();
    host.program("usr/bin/vim.basic", &["libx.so.1", "libc.so.6"]);
    host.link("usr/bin/editor", "/etc/alternatives/editor");
    host.link("etc/alternatives/editor", "/bin/vim.basic");
    host.link("usr/lib/libx.so.1", "libx.so.1.2");
    host.library("usr/lib/libx.so.1.2", &["libc.so.6"]);
    let expected = [
        "/bin -> usr/bin",
        "/etc/alternatives/editor -> /bin/vim.basic",
        "/lib -> usr/lib",
        "/lib64 -> usr/lib64",
        "/usr/bin/editor -> /etc/alternatives/editor",
        "/usr/bin/vim.basic",
        "/usr/lib/libc.so.6",
        "/usr/lib/libx.so.1 -> libx.so.1.2",
        "/usr/lib/libx.so.1.2",
        "/usr/lib64/ld-linux.so.2",
    ];
    assert_eq!(host.closure("/usr/bin/editor", &[]), expected);
    assert_eq!(host.closure("editor", &[]), expected, "by its bare name");
    let closure = host.try_closure("editor", &[]).unwrap();
    assert_eq!(closure.program, Path::new("/usr/bin/editor"));
    let reasons: Vec<_> = closure.entries.iter().map(|e| e.reason.to_string()).collect();
    assert!(reasons.contains(&"linked by /usr/bin/editor".to_owned()), "{reasons:?}");
    assert!(reasons.contains(&"the loader of /usr/bin/editor".to_owned()), "{reasons:?}");
}

#[test]
fn a_runtime_directory_has_its_old_name_too() {
    let host = Fake::new();
    host.elf("usr/bin/static", &Sample::default());
    fs::create_dir(host.0.join("run")).unwrap();
    host.link("var/run", "/run");
    assert_eq!(
        host.closure("/usr/bin/static", &[]),
        ["/bin -> usr/bin", "/usr/bin/static", "/var/run -> /run"]
    );
}

#[test]
fn static_programs_are_themselves() {
    let host = Fake::new();
    host.elf("usr/bin/static", &Sample::default());
    // And /bin, by which others may call it, is what it is on the host.
    assert_eq!(host.closure("/usr/bin/static", &[]), ["/bin -> usr/bin", "/usr/bin/static"]);
}

#[test]
fn scripts_bring_their_interpreters() {
    let host = Fake::new();
    host.elf("usr/bin/python", &Sample::default());
    host.elf("usr/bin/env", &Sample::default());
    host.write("usr/bin/tool", "#!/usr/bin/env -S python -u\n", 0o755);
    host.write("usr/bin/wrapped", "#!/bin/tool\n", 0o755);
    assert_eq!(
        host.closure("wrapped", &[]),
        ["/bin -> usr/bin", "/usr/bin/env", "/usr/bin/python", "/usr/bin/tool", "/usr/bin/wrapped"]
    );
    host.write("usr/bin/circle", "#!/usr/bin/circle\n", 0o755);
    assert!(host.error("circle", &[]).contains("more scripts than the kernel follows"));
    host.write("usr/bin/env-circle", "#!/usr/bin/env env-circle\n", 0o755);
    assert!(host.error("env-circle", &[]).contains("more scripts than the kernel follows"));
    host.write("usr/bin/lost", "#!/usr/bin/ruby\n", 0o755);
    assert_eq!(
        host.error("lost", &[]),
        "the script /usr/bin/lost needs /usr/bin/ruby, which is not on this host"
    );
}

#[test]
fn better_processors_have_their_own_libraries() {
    let Some(best) = super::machine::HOST.hwcaps.first() else { return };
    let host = Fake::new();
    host.elf(
        "opt/bin/x",
        &Sample {
            interpreter: Some(GLIBC),
            needed: &["libx.so"],
            runpath: Some("$ORIGIN/../lib"),
            ..Sample::default()
        },
    );
    host.library("opt/lib/libx.so", &[]);
    host.library(&format!("opt/lib/glibc-hwcaps/{best}/libx.so"), &["liby.so"]);
    host.library("usr/lib/liby.so", &[]);
    let closure = host.closure("/opt/bin/x", &[]);
    for path in ["/opt/lib/libx.so", &format!("/opt/lib/glibc-hwcaps/{best}/libx.so"), "/usr/lib/liby.so"] {
        assert!(closure.contains(&path.to_owned()), "{path}: {closure:?}");
    }
}

#[test]
fn musl_searches_where_its_file_says() {
    let host = Fake::new();
    host.elf(
        "usr/bin/x",
        &Sample { interpreter: Some(MUSL), needed: &["libx.so", "libc.musl-x.so.1"], ..Sample::default() },
    );
    host.library("usr/lib/libx.so", &[]);
    assert!(host.closure("x", &[]).contains(&"/usr/lib/libx.so".to_owned()));
    host.write("etc/ld-musl-x.path", "/opt/lib\n", 0o644);
    assert!(host.error("x", &[]).ends_with("| its loader searches /opt/lib"));
    host.library("opt/lib/libx.so", &[]);
    let closure = host.closure("x", &[]);
    for path in ["/opt/lib/libx.so", "/etc/ld-musl-x.path", "/usr/lib/ld-musl-x.so.1"] {
        assert!(closure.contains(&path.to_owned()), "{path}: {closure:?}");
    }
}

#[test]
fn libraries_that_notes_name() {
    let host = Fake::new();
    let opens = r#"[{"feature":"a","priority":"recommended","soname":["libnew.so","libold.so"]},
        {"feature":"b","priority":"suggested","soname":["libsuggested.so"]},
        {"feature":"c","priority":"required","soname":["libgone.so"]},
        {"feature":"d","soname":["libbroken.so"]}]"#;
    host.elf("usr/bin/x", &Sample { interpreter: Some(GLIBC), opens: Some(opens), ..Sample::default() });
    for name in ["old", "suggested"] {
        host.library(&format!("usr/lib/lib{name}.so"), &[]);
    }
    host.library("usr/lib/libbroken.so", &["libnowhere.so"]);
    let closure = host.try_closure("x", &[]).unwrap();
    let opened = closure.entries.iter().filter(|e| matches!(e.reason, Reason::OpenedBy { .. }));
    let opened: Vec<_> = opened.map(|e| e.path.display().to_string()).collect();
    assert_eq!(opened, ["/usr/lib/libbroken.so", "/usr/lib/libold.so"]);
    let unmet: Vec<_> = closure.unmet.iter().map(ToString::to_string).collect();
    assert_eq!(
        unmet,
        [
            "/usr/bin/x needs the library libgone.so, which is not on this host",
            "/lib/libbroken.so needs the library libnowhere.so, which is not on this host"
        ]
    );
}

#[test]
fn listed_files_bring_what_they_need() {
    let host = Fake::new();
    host.program("usr/bin/x", &["libc.so.6"]);
    host.program("usr/bin/helper", &["libhelp.so"]);
    host.library("usr/lib/libhelp.so", &[]);
    host.library("usr/lib/x/plugin.so", &["libplug.so", "libc.so.6"]);
    host.library("usr/lib/libplug.so", &[]);
    host.library("usr/lib/x/poor.so", &["libnowhere.so"]);
    host.write("usr/lib/x/data", "#!/usr/bin/ruby", 0o644);
    host.write("etc/x/conf.d/a.conf", "", 0o644);
    host.link("etc/x/shared.conf", "../shared/x.conf");
    host.write("etc/shared/x.conf", "", 0o644);
    host.link("srv", "usr/lib/x");
    let files = ["/usr/lib/x", "/etc/x", "/etc/x/conf.d", "/usr/bin/helper", "/srv/data"];
    let closure = host.closure("x", &files);
    assert_eq!(
        closure,
        [
            "/bin -> usr/bin",
            "/etc/shared/x.conf",
            "/etc/x/",
            "/lib -> usr/lib",
            "/lib64 -> usr/lib64",
            "/srv -> usr/lib/x",
            "/usr/bin/helper",
            "/usr/bin/x",
            "/usr/lib/libc.so.6",
            "/usr/lib/libhelp.so",
            "/usr/lib/libplug.so",
            "/usr/lib/x/",
            "/usr/lib64/ld-linux.so.2",
        ]
    );
    let unmet = host.try_closure("x", &files).unwrap().unmet;
    assert_eq!(unmet.len(), 1, "{unmet:?}");
    assert!(
        host.error("x", &["/usr/lib/x/poor.so"]).contains("libnowhere.so"),
        "listed by name it must be whole"
    );
}

#[test]
fn links_in_listed_directories_count_if_root_made_them() {
    let host = Fake::new();
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return; // only root can make links for two users
    }
    host.program("usr/bin/x", &[]);
    host.write("etc/shadow", "secret", 0o600);
    host.write("srv/www/index.html", "", 0o644);
    host.link("srv/www/ours", "/etc/shadow");
    assert!(host.closure("x", &["/srv/www"]).contains(&"/etc/shadow".to_owned()));
    lchown(host.0.join("srv/www/ours"), Some(1000), Some(1000)).unwrap();
    assert!(!host.closure("x", &["/srv/www"]).contains(&"/etc/shadow".to_owned()));
    host.link("srv/www/by-way-of-theirs", "/srv/www/ours");
    assert!(!host.closure("x", &["/srv/www"]).contains(&"/etc/shadow".to_owned()));
}

#[test]
fn everything_wrong_with_listed_files_is_told_at_once() {
    let host = Fake::new();
    host.program("usr/bin/x", &[]);
    host.link("sneaky", "/run/secret");
    host.write("run/secret", "", 0o644);
    host.link("all", "/");
    let files = ["/nosuch", "etc", "/etc/../proc", "/proc/1", "/", "/sneaky", "/all", "/usr/bin/x/y", "/run"];
    let error = host.error("x", &files);
    for part in [
        "/nosuch does not exist",
        "etc is not absolute",
        "/etc/../proc has ..",
        "/proc/1 is in a directory",
        "/ is the whole host",
        "/sneaky leads into",
        "/all is the whole host",
        "/usr/bin/x/y does not exist",
        "/run is in",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn programs_that_cannot_run() {
    let host = Fake::new();
    host.program("usr/bin/nginx", &[]);
    assert_eq!(host.error("ngimx", &[]), "there is no program ngimx | there is /usr/bin/nginx");
    assert_eq!(host.error("/opt/nginx", &[]), "there is no program /opt/nginx | there is /usr/bin/nginx");
    assert!(host.error("./nginx", &[]).contains("neither an absolute path nor a bare name"));
    assert!(host.error("/usr", &[]).contains("no regular file"));
    host.write("usr/bin/text", "hello", 0o755);
    assert!(
        host.error("/usr/bin/text", &[])
            .starts_with("/usr/bin/text cannot run on this host: it is not an ELF")
    );
    host.write("usr/bin/plain", Sample::default().bytes(), 0o644);
    assert_eq!(host.error("/usr/bin/plain", &[]), "/usr/bin/plain is not executable");
    host.elf("usr/bin/other", &Sample { machine: Some(40), ..Sample::default() });
    assert_eq!(
        host.error("other", &[]),
        format!(
            "/usr/bin/other cannot run on this host: it is for arm, and this host is {}",
            std::env::consts::ARCH
        )
    );
    host.elf("usr/bin/loaderless", &Sample { interpreter: Some("/lib/ld-gone.so"), ..Sample::default() });
    assert!(host.error("loaderless", &[]).contains("needs the loader /lib/ld-gone.so"));
    host.link("usr/bin/loop", "loop");
    assert!(host.error("/usr/bin/loop", &[]).starts_with("/usr/bin/loop cannot be read: Too many"));
    host.program("usr/bin/y", &["libdeep.so"]);
    host.library("usr/lib/libdeep.so", &["libgone.so.1"]);
    let error = host.error("y", &[]);
    assert!(
        error.contains("libdeep.so needs the library libgone.so.1, which is not on this host"),
        "{error}"
    );
    assert!(error.contains("| its loader searches /etc/ld.so.cache, /lib/"), "{error}");
    let whole = fs::read(host.0.join("usr/lib/libdeep.so")).unwrap();
    host.write("usr/lib/libdeep.so", &whole[..whole.len() / 2], 0o644);
    assert!(host.error("y", &[]).contains("cannot be loaded: it is damaged"));
}

#[test]
fn a_library_for_another_processor_is_passed_over() {
    let host = Fake::new();
    host.program("usr/bin/x", &["libx.so"]);
    host.elf("usr/lib64/libx.so", &Sample { machine: Some(3), ..Sample::default() });
    host.library("usr/lib/libx.so", &[]);
    let closure = host.closure("x", &[]);
    assert!(
        closure.contains(&"/usr/lib/libx.so".to_owned())
            && !closure.contains(&"/usr/lib64/libx.so".to_owned())
    );
}

#[test]
fn names_are_the_services_only() {
    let host = Fake::new();
    host.program("usr/bin/x", &["libc.so.6"]);
    host.write(
        "etc/passwd",
        "root:x:0:0::/root:/bin/sh\nwww:x:33:33::/:/bin/false\nalice:x:1000:1000:::\n",
        0o644,
    );
    host.write("etc/group", "root:x:0:\nwww:x:33:\nalice:x:1000:\n", 0o644);
    host.link("etc/resolv.conf", "../run/resolv.conf");
    host.write("run/resolv.conf", "nameserver 192.0.2.1\n", 0o644);
    let users = ["www".to_owned()];
    let request = Request {
        root: &host.0,
        program: Path::new("x"),
        files: &[],
        writable: &[],
        users: &users,
        network: true,
    };
    let closure = closure(&request).unwrap();
    let text = |path: &str| {
        let entry = closure.entries.iter().find(|e| e.path == Path::new(path)).unwrap();
        match &entry.what {
            What::Text { content } => content.clone(),
            What::File { source } => source.display().to_string(),
            _ => panic!("{entry:?}"),
        }
    };
    assert!(text("/etc/passwd").contains("www:x:33:33") && !text("/etc/passwd").contains("alice"));
    assert!(text("/etc/group").contains("www:x:33:") && !text("/etc/group").contains("alice"));
    assert!(text("/etc/nsswitch.conf").contains("hosts: files dns"));
    assert!(text("/etc/resolv.conf").ends_with("/run/resolv.conf"));
    let alone = super::closure(&Request { network: false, ..request }).unwrap();
    let hosts = alone.entries.iter().find(|e| e.path == Path::new("/etc/hosts"));
    assert!(matches!(&hosts.unwrap().what, What::Text { content } if content.contains("localhost")));
    let none = ["mallory".to_owned(), "www:nosuch".to_owned()];
    let error = super::closure(&Request { users: &none, ..request }).unwrap_err();
    assert!(error.to_string().ends_with("do not have mallory, :nosuch"), "{error}");
}
