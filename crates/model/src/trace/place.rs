//! Where files lie on a host, and what that says about what they are for: the file system
//! hierarchy (hier(7)) in a few tables.

use super::Touched;
use super::group::Group;
use std::path::{Component, Path, PathBuf};

/// Directories whose members have nothing to do with each other, so that who needs some of them
/// does not need the others. They are never taken as a whole.
const SHELVES: &[&str] = &[
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/etc/alternatives",
    "/etc/default",
    "/etc/init.d",
    "/etc/pki",
    "/etc/security",
    "/etc/ssl",
    "/etc/systemd",
    "/etc/xdg",
    "/home",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/media",
    "/mnt",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/bin",
    "/usr/games",
    "/usr/lib",
    "/usr/lib/jvm",
    "/usr/lib/locale",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/libx32",
    "/usr/local",
    "/usr/local/bin",
    "/usr/local/etc",
    "/usr/local/games",
    "/usr/local/lib",
    "/usr/local/libexec",
    "/usr/local/sbin",
    "/usr/local/share",
    "/usr/sbin",
    "/usr/share",
    "/usr/share/doc",
    "/usr/share/icons",
    "/usr/share/info",
    "/usr/share/locale",
    "/usr/share/man",
    "/usr/share/nodejs",
    "/usr/src",
    "/var",
    "/var/backups",
    "/var/cache",
    "/var/lib",
    "/var/lock",
    "/var/log",
    "/var/mail",
    "/var/opt",
    "/var/run",
    "/var/spool",
    "/var/tmp",
];

/// Shelves wherever they stand: modules of many packages beside each other.
const SHELVES_BY_NAME: &[&str] = &["dist-packages", "site-packages", "node_modules"];

/// Is it a directory that is never taken as a whole?
pub(super) fn is_shelf(directory: &Path) -> bool {
    let directory = usual(directory);
    let text = directory.to_str().unwrap_or_default();
    let name = directory.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    SHELVES.contains(&text)
        || SHELVES_BY_NAME.contains(&name)
        // /usr/lib/x86_64-linux-gnu
        || name.contains("-linux-") && directory.parent().is_some_and(|p| p.ends_with("lib"))
}

/// The largest directory around a path that belongs together: the one that stands on the deepest
/// shelf above it. `None` for what stands on a shelf itself.
pub(super) fn unit(path: &Path, is_directory: bool) -> Option<PathBuf> {
    let mut unit = None;
    let start = if is_directory { Some(path) } else { path.parent() };
    for directory in start?.ancestors() {
        if is_shelf(directory) {
            break;
        }
        unit = Some(directory.to_owned());
    }
    unit
}

/// What every jail has of its own, or must not have at all: no line can bring it in.
pub(super) fn is_own(path: &Path) -> bool {
    ["/proc", "/sys", "/dev", "/run", "/tmp", "/var/run", "/var/lock"].iter().any(|own| path.starts_with(own))
}

/// `/lib` and the like, where they are links, are the same as below `/usr`.
fn usual(path: &Path) -> PathBuf {
    let merged = ["/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin"];
    match merged.iter().any(|top| path.starts_with(top)) {
        true => Path::new("/usr").join(path.strip_prefix("/").unwrap_or(path)),
        false => path.to_owned(),
    }
}

/// What is where, the first match counts. A name with a `/` at its end is a directory with all below.
const PLACES: &[(&str, Group)] = &[
    ("/etc/nsswitch.conf", Group::Names),
    ("/etc/passwd", Group::Names),
    ("/etc/group", Group::Names),
    ("/etc/hosts", Group::Names),
    ("/etc/host.conf", Group::Names),
    ("/etc/hostname", Group::Names),
    ("/etc/resolv.conf", Group::Names),
    ("/etc/gai.conf", Group::Names),
    ("/etc/services", Group::Names),
    ("/etc/protocols", Group::Names),
    ("/etc/networks", Group::Names),
    ("/etc/ethers", Group::Names),
    ("/etc/rpc", Group::Names),
    ("/usr/lib/locale/", Group::Locale),
    ("/usr/share/locale/", Group::Locale),
    ("/usr/share/i18n/", Group::Locale),
    ("/etc/default/locale", Group::Locale),
    ("/etc/locale.conf", Group::Locale),
    ("/etc/locale.alias", Group::Locale),
    ("/usr/share/zoneinfo/", Group::TimeZone),
    ("/etc/localtime", Group::TimeZone),
    ("/etc/timezone", Group::TimeZone),
    ("/etc/ssl/", Group::Certificates),
    ("/etc/pki/", Group::Certificates),
    ("/etc/ca-certificates/", Group::Certificates),
    ("/etc/ca-certificates.conf", Group::Certificates),
    ("/etc/gnutls/", Group::Certificates),
    ("/usr/lib/ssl/", Group::Certificates),
    ("/usr/share/ca-certificates/", Group::Certificates),
    ("/usr/local/share/ca-certificates/", Group::Certificates),
    ("/usr/share/p11-kit/", Group::Certificates),
    ("/etc/terminfo/", Group::Terminal),
    ("/usr/lib/terminfo/", Group::Terminal),
    ("/usr/share/terminfo/", Group::Terminal),
    ("/etc/termcap", Group::Terminal),
    ("/etc/", Group::Configuration),
    ("/usr/local/etc/", Group::Configuration),
];

/// Directories that interpreters keep modules in, by name; a `*` at the end stands for a version.
const MODULES: &[&str] = &[
    "dist-packages",
    "site-packages",
    "node_modules",
    "nodejs",
    "perl",
    "perl-base",
    "perl5",
    "php",
    "jvm",
    "ruby",
    "rubygems-integration",
    "lua",
    "tcltk",
    "guile",
    "python*",
    "tcl*",
];

/// What a file is for.
pub(super) fn group(path: &Path, touched: &Touched) -> Group {
    let path = usual(path);
    let is_at = |place: &str| match place.strip_suffix('/') {
        Some(directory) => path.starts_with(directory),
        None => path == Path::new(place),
    };
    if touched.executed {
        return Group::Programs;
    }
    if let Some((_, group)) = PLACES.iter().find(|(place, _)| is_at(place)) {
        return *group;
    }
    if path.components().any(is_modules) {
        return Group::Modules;
    }
    if path.components().any(|c| c.as_os_str() == "gconv") {
        return Group::Locale;
    }
    if touched.mapped { Group::Libraries } else { Group::Data }
}

/// Is it a way to look names up that the jail's own `nsswitch.conf` does not ask for?
pub fn is_foreign_names(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let service = name.strip_prefix("libnss_").and_then(|rest| rest.split('.').next());
    service.is_some_and(|service| !matches!(service, "files" | "dns" | "compat"))
}

fn is_modules(component: Component<'_>) -> bool {
    let Some(name) = component.as_os_str().to_str() else { return false };
    MODULES.iter().any(|known| match known.strip_suffix('*') {
        Some(stem) => name.strip_prefix(stem).is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit())),
        None => name == *known,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        for (path, unit_of_file) in [
            ("/etc/nginx/sites-enabled/default", Some("/etc/nginx")),
            ("/etc/hosts", None),
            ("/etc/ssl/certs/x.pem", Some("/etc/ssl/certs")),
            ("/usr/lib/python3.11/os.py", Some("/usr/lib/python3.11")),
            ("/usr/lib/python3/dist-packages/six.py", None),
            ("/usr/lib/python3/dist-packages/idna/core.py", Some("/usr/lib/python3/dist-packages/idna")),
            (
                "/srv/app/venv/lib/python3.11/site-packages/x/y.py",
                Some("/srv/app/venv/lib/python3.11/site-packages/x"),
            ),
            ("/srv/app/venv/pyvenv.cfg", Some("/srv/app")),
            ("/lib/x86_64-linux-gnu/libx.so", None),
            ("/usr/lib/x86_64-linux-gnu/gconv/UTF-16.so", Some("/usr/lib/x86_64-linux-gnu/gconv")),
            ("/usr/bin/true", None),
            ("/usr/include/stdio.h", Some("/usr/include")),
            ("/lib/terminfo/x/xterm", Some("/lib/terminfo")),
            ("/data/set/1/2", Some("/data")),
            ("/vmlinuz", None),
            ("/var/lib/mysql/x", Some("/var/lib/mysql")),
        ] {
            assert_eq!(unit(Path::new(path), false), unit_of_file.map(PathBuf::from), "{path}");
        }
        assert_eq!(unit(Path::new("/etc/nginx"), true), Some("/etc/nginx".into()));
        assert_eq!(unit(Path::new("/usr/share"), true), None);
    }

    #[test]
    fn what_files_are_for() {
        let read = Touched { read: true, ..Touched::default() };
        let mapped = Touched { mapped: true, ..Touched::default() };
        let run = Touched { executed: true, ..Touched::default() };
        for (path, touched, expected) in [
            ("/etc/nsswitch.conf", &read, Group::Names),
            ("/etc/nginx/nginx.conf", &read, Group::Configuration),
            ("/etc/php/8.2/cli/php.ini", &read, Group::Configuration),
            ("/etc/init.d/x", &run, Group::Programs),
            ("/usr/bin/env", &run, Group::Programs),
            ("/usr/lib/x86_64-linux-gnu/libx.so.1", &mapped, Group::Libraries),
            ("/lib/x86_64-linux-gnu/gconv/X.so", &mapped, Group::Locale),
            ("/usr/lib/python3.11/lib-dynload/x.so", &mapped, Group::Modules),
            ("/usr/share/perl/5.36/strict.pm", &read, Group::Modules),
            ("/usr/share/pythonista/x", &read, Group::Data),
            ("/lib/terminfo/x/xterm", &read, Group::Terminal),
            ("/etc/ssl/openssl.cnf", &read, Group::Certificates),
            ("/usr/share/zoneinfo/UTC", &read, Group::TimeZone),
            ("/var/www/html/index.html", &read, Group::Data),
        ] {
            assert_eq!(group(Path::new(path), touched), expected, "{path}");
        }
    }
}
