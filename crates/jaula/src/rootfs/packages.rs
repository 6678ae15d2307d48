//! The packages of the host that files belong to: by dpkg's, apk's or rpm's database.
//!
//! What cannot be read or parsed names no package; nothing depends on it but what is told to people.

use model::packages::{Package, apk, dpkg, rpm};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Directories that many hosts have below `/usr` only: what a package lists as `/lib/x` is
/// `/usr/lib/x` there.
const MERGED: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// The packages that these files of the host belong to, by path. `root` is the host's root
/// directory: `/`, except in tests.
pub fn owners<'a>(root: &Path, files: impl IntoIterator<Item = &'a str>) -> HashMap<String, Package> {
    let mut wanted = HashMap::new();
    for file in files {
        wanted.insert(file.to_owned(), file.to_owned());
        let short = file.strip_prefix("/usr").filter(|short| {
            let top = short[1.min(short.len())..].split('/').next().unwrap_or_default();
            MERGED.contains(&top)
        });
        if let Some(short) = short {
            wanted.entry(short.to_owned()).or_insert_with(|| file.to_owned());
        }
    }
    let mut owners = HashMap::new();
    if wanted.is_empty() {
        return owners;
    }
    if root.join("var/lib/dpkg/status").exists() {
        by_dpkg(&root.join("var/lib/dpkg"), &wanted, &mut owners);
    }
    for database in ["lib/apk/db/installed", "usr/lib/apk/db/installed"] {
        if let Some(text) = text(&root.join(database)) {
            apk::installed(&text, &wanted, |file, package| {
                _ = owners.insert(file.to_owned(), package.clone())
            });
            break;
        }
    }
    if ["usr/lib/sysimage/rpm", "var/lib/rpm"].iter().any(|database| root.join(database).exists()) {
        by_rpm(root, &wanted, &mut owners);
    }
    owners
}

fn text(path: &Path) -> Option<String> {
    fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn by_dpkg(database: &Path, wanted: &HashMap<String, String>, owners: &mut HashMap<String, Package>) {
    let packages = dpkg::status(&text(&database.join("status")).unwrap_or_default());
    let diversions = dpkg::Diversions::parse(&text(&database.join("diversions")).unwrap_or_default());
    for entry in fs::read_dir(database.join("info")).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str().and_then(|name| name.strip_suffix(".list")) else { continue };
        let (Some(package), Some(list)) = (packages.get(name), text(&entry.path())) else { continue };
        dpkg::list(&package.name, &list, &diversions, wanted, |file| {
            _ = owners.insert(file.to_owned(), package.clone())
        });
    }
}

/// rpm's database is its own to read: it is asked for one file of each package, and tells of all
/// of that package's.
fn by_rpm(root: &Path, wanted: &HashMap<String, String>, owners: &mut HashMap<String, Package>) {
    for file in wanted.values() {
        if owners.contains_key(file) {
            continue;
        }
        let asked = Command::new("rpm")
            .arg("--root")
            .arg(root)
            .args(["-q", "--queryformat", rpm::FORMAT, "-f", file])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output();
        // Without rpm nobody can say.
        let Ok(told) = asked else { return };
        rpm::files(&String::from_utf8_lossy(&told.stdout), wanted, |file, package| {
            owners.insert(file.to_owned(), package);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_with_two_databases() {
        let root = std::env::temp_dir().join(format!("jaula-packages-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let status = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36\n\n";
        write("var/lib/dpkg/status", status);
        write("var/lib/dpkg/info/libc6:amd64.list", "/.\n/lib/x86_64-linux-gnu/libc.so.6\n");
        write("var/lib/dpkg/info/gone.list", "/usr/bin/gone\n");
        write("lib/apk/db/installed", "P:musl\nV:1\nF:lib\nR:ld-musl.so\n\n");
        let owners = owners(
            &root,
            ["/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/bin/gone", "/usr/lib/ld-musl.so", "/usr"],
        );
        fs::remove_dir_all(&root).unwrap();
        let mut told: Vec<String> =
            owners.iter().map(|(f, p)| format!("{f} {} {}", p.name, p.version)).collect();
        told.sort();
        assert_eq!(told, ["/usr/lib/ld-musl.so musl 1", "/usr/lib/x86_64-linux-gnu/libc.so.6 libc6 2.36"]);
    }
}
