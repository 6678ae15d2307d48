//! The running host, copied: its programs, its configuration, its users; not what makes it this host.

use super::copy::is_of_the_host;
use super::tidy;
use super::work::Work;
use crate::error::Result;
use crate::house::House;
use crate::rootfs::beneath::{Access, Beneath};
use crate::rootfs::duplicate::{self, Take};
use serde::Serialize;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

/// What is left out for one reason. A path may have `*` for a name; one that ends with `/` is a directory that
/// stays, and is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Why.
    pub why: &'static str,
    /// Which.
    pub paths: Vec<PathBuf>,
}

/// The reasons, and what they are good for.
const LEFT_OUT: &[(&str, &[&str])] = &[
    ("of the kernel, or memory", &["/dev/", "/proc/", "/run/", "/sys/", "/tmp/", "/var/tmp/", "/lost+found"]),
    (
        "keys and histories",
        &[
            "/etc/ssh/ssh_host_*",
            "/etc/ssl/private/",
            "/etc/pki/tls/private/",
            "/etc/letsencrypt",
            "/etc/wireguard",
            "/etc/ipsec.d/private",
            "/etc/krb5.keytab",
            "/etc/NetworkManager/system-connections",
            "/etc/shadow-",
            "/etc/gshadow-",
            "/root/.ssh/id_*",
            "/root/.gnupg",
            "/root/.aws",
            "/root/.kube",
            "/root/.docker",
            "/root/.netrc",
            "/root/.pgpass",
            "/root/.*_history",
            "/home/*/.ssh/id_*",
            "/home/*/.gnupg",
            "/home/*/.aws",
            "/home/*/.kube",
            "/home/*/.docker",
            "/home/*/.netrc",
            "/home/*/.pgpass",
            "/home/*/.*_history",
            "/var/lib/systemd/credential.secret",
        ],
    ),
    (
        "of this machine only",
        &[
            "/etc/fstab",
            "/etc/crypttab",
            "/etc/mdadm",
            "/etc/lvm",
            "/boot/",
            "/usr/lib/modules/",
            "/usr/lib/firmware/",
            "/lib/modules/",
            "/lib/firmware/",
            "/var/lib/systemd/random-seed",
            "/swapfile",
            "/swap.img",
        ],
    ),
    ("logs and dumps", &["/var/log/**", "/var/crash/", "/var/lib/systemd/coredump/"]),
    ("caches", &["/var/cache/*/", "/var/lib/apt/lists/", "/root/.cache", "/home/*/.cache"]),
    (
        "other jails and machines",
        &[
            "/etc/jaula",
            "/var/lib/jaula",
            "/var/lib/containers",
            "/var/lib/docker",
            "/var/lib/lxc",
            "/var/lib/lxd",
            "/var/lib/machines",
            "/var/lib/vz",
            "/vz",
            "/vservers",
        ],
    ),
];

/// What a copy of the host is without, as this host has it.
pub fn left_out(house: &House) -> Vec<Group> {
    let own = own(house);
    let group = |(why, patterns): &(&'static str, &[&str])| {
        let mut paths: Vec<PathBuf> = patterns.iter().map(PathBuf::from).collect();
        if *why == "other jails and machines" {
            paths.extend(
                own.iter().filter(|path| !patterns.iter().any(|known| path.starts_with(known))).cloned(),
            );
        }
        Group { why, paths }
    };
    let mut all: Vec<Group> = LEFT_OUT.iter().map(group).collect();
    all.insert(1, Group { why: "other file systems", paths: mounted() });
    all
}

/// Where other file systems are mounted that hold files.
fn mounted() -> Vec<PathBuf> {
    let table = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    let mut found: Vec<PathBuf> = table
        .split(|b| *b == b'\n')
        .filter_map(|line| line.split(|b| *b == b' ').nth(4))
        .map(|text| {
            use std::os::unix::ffi::OsStringExt;
            PathBuf::from(std::ffi::OsString::from_vec(crate::tree::unescaped(text)))
        })
        .filter(|path| path != Path::new("/"))
        .filter(|path| !["/dev", "/proc", "/run", "/sys"].iter().any(|kernel| path.starts_with(kernel)))
        .collect();
    found.sort();
    found.dedup();
    found
}

/// The house's own directories, if it is not the host's usual one.
fn own(house: &House) -> Vec<PathBuf> {
    [&house.etc, &house.lib, &house.run]
        .map(|path| std::fs::canonicalize(path).unwrap_or_else(|_| path.clone()))
        .to_vec()
}

/// Copies it. Passwords are locked: whoever knows one of the host's is not let into its copy by it.
pub(super) fn copy(house: &House, into: &Path, work: &mut Work<'_>) -> Result<()> {
    let own = own(house);
    let mut filter = |path: &Path, about: &Metadata| {
        let whole = Path::new("/").join(path);
        if is_of_the_host(about) || own.contains(&whole) {
            Take::Nothing
        } else {
            fate(&whole, about.is_dir())
        }
    };
    let mut count = |count: &duplicate::Count| work.count("copying the host", count.files, count.bytes);
    duplicate::part(Path::new("/"), into, &mut filter, &mut count)?;
    lock_passwords(&Beneath::at(into)?)?;
    tidy::own_of_one(into)
}

/// What becomes of a path in the copy.
fn fate(path: &Path, directory: bool) -> Take {
    for pattern in LEFT_OUT.iter().flat_map(|(_, patterns)| patterns.iter()) {
        if let Some(top) = pattern.strip_suffix("/**") {
            // Its directories stay, for services that expect them.
            if path.starts_with(top) && !directory {
                return Take::Nothing;
            }
        } else if let Some(empty) = pattern.strip_suffix('/') {
            if matches(empty, path) {
                return if directory { Take::Empty } else { Take::Whole };
            }
        } else if matches(pattern, path) {
            return Take::Nothing;
        }
    }
    Take::Whole
}

/// Is the path what the pattern means? `*` stands for any part of one name.
fn matches(pattern: &str, path: &Path) -> bool {
    let mut names = path.components();
    let mut wanted = Path::new(pattern).components();
    loop {
        match (wanted.next(), names.next()) {
            (None, None) => return true,
            (Some(wanted), Some(name)) => {
                let (wanted, name) =
                    (wanted.as_os_str().to_string_lossy(), name.as_os_str().to_string_lossy());
                let fits = match wanted.split_once('*') {
                    Some((before, after)) => {
                        name.len() >= before.len() + after.len()
                            && name.starts_with(before)
                            && name.ends_with(after)
                    }
                    None => wanted == name,
                };
                if !fits {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

/// No password of the host opens its copy: `!` in front of each, as `passwd --lock` does. Keys of users that may log
/// in (`authorized_keys`) stay.
fn lock_passwords(tree: &Beneath) -> Result<()> {
    for file in ["etc/shadow", "etc/gshadow"] {
        let Some(text) = tree.read(file, 1 << 20)? else { continue };
        let text = String::from_utf8_lossy(&text);
        let locked: String = text.lines().map(locked).collect();
        tree.replace(file, locked.as_bytes(), Access { user: 0, group: 0, mode: 0o600 })?;
    }
    Ok(())
}

fn locked(line: &str) -> String {
    let mut fields: Vec<&str> = line.split(':').collect();
    if let Some(password) = fields.get_mut(1)
        && !password.starts_with(['!', '*'])
    {
        *password = "!";
    }
    fields.join(":") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_of_paths() {
        let table = [
            ("/dev", true, Take::Empty),
            ("/etc/ssh/ssh_host_rsa_key", false, Take::Nothing),
            ("/etc/ssh/sshd_config", false, Take::Whole),
            ("/etc/ssl/private", true, Take::Empty),
            ("/root/.ssh", true, Take::Whole),
            ("/root/.ssh/id_ed25519", false, Take::Nothing),
            ("/root/.ssh/authorized_keys", false, Take::Whole),
            ("/home/ann/.bash_history", false, Take::Nothing),
            ("/home/ann/.bashrc", false, Take::Whole),
            ("/home/ann/b/.cache", true, Take::Whole),
            ("/var/log", true, Take::Whole),
            ("/var/log/nginx", true, Take::Whole),
            ("/var/log/nginx/access.log", false, Take::Nothing),
            ("/var/cache/apt", true, Take::Empty),
            ("/var/lib/jaula", true, Take::Nothing),
            ("/usr/bin/env", false, Take::Whole),
        ];
        for (path, directory, expected) in table {
            assert_eq!(fate(Path::new(path), directory), expected, "{path}");
        }
    }

    #[test]
    fn passwords_are_locked() {
        for (line, expected) in [
            ("root:$y$j9T$abc:19000:0:99999:7:::", "root:!:19000:0:99999:7:::\n"),
            ("daemon:*:19000::::::", "daemon:*:19000::::::\n"),
            ("open::19000::::::", "open:!:19000::::::\n"),
            ("x", "x\n"),
        ] {
            assert_eq!(locked(line), expected);
        }
    }
}
