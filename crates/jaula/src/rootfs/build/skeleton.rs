//! Empty directories and the least of `/etc`, to be filled by hand or by a package manager.

use crate::error::Result;
use crate::rootfs::beneath::{Access, Beneath};
use std::path::Path;

/// Directories that are not as all others are.
const DIRECTORIES: &[(&str, u32)] = &[
    ("bin", 0o755),
    ("dev", 0o755),
    ("etc", 0o755),
    ("home", 0o755),
    ("lib", 0o755),
    ("mnt", 0o755),
    ("opt", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("sbin", 0o755),
    ("srv", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("usr", 0o755),
    ("usr/bin", 0o755),
    ("usr/lib", 0o755),
    ("usr/local", 0o755),
    ("usr/local/bin", 0o755),
    ("usr/sbin", 0o755),
    ("usr/share", 0o755),
    ("var", 0o755),
    ("var/cache", 0o755),
    ("var/lib", 0o755),
    ("var/log", 0o755),
    ("var/spool", 0o755),
    ("var/tmp", 0o1777),
];

const FILES: &[(&str, &str, u32)] = &[
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
        0o644,
    ),
    ("etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n", 0o644),
    ("etc/shadow", "root:!::0:99999:7:::\nnobody:*::0:99999:7:::\n", 0o600),
    ("etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n", 0o644),
    ("etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n", 0o644),
    ("etc/fstab", "# What is mounted here is said in the jail's configuration, on the host.\n", 0o644),
    (
        "etc/profile",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nexport PATH\n",
        0o644,
    ),
];

/// Makes it.
pub(super) fn make(into: &Path) -> Result<()> {
    let tree = Beneath::at(into)?;
    for (path, mode) in DIRECTORIES {
        tree.make_dirs(path, Access { user: 0, group: 0, mode: *mode })?;
    }
    for (path, text, mode) in FILES {
        tree.replace(path, text.as_bytes(), Access { user: 0, group: 0, mode: *mode })?;
    }
    Ok(())
}
