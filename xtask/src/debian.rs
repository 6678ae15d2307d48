//! A Debian 13 with real services, for tests: what they run is installed in this tree and not on
//! the machine.
//!
//! The tree is made once by mmdebstrap and kept in `/var/cache/jaula-tests`, under a name that
//! follows from what it is made of: another list of packages is another tree, and a fresh clone finds
//! the one that is there. `target/tests/debian-13` is a link to it for the tests
//! (`tests/harness/machine.rs`); where there is none, `target/tests/debian-13.why` says why.

use crate::shell::{Result, command, output, target};
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const SUITE: &str = "trixie";

/// What is in it beside Debian's essential packages.
const PACKAGES: &[&str] = &[
    // The web's and the network's services.
    "nginx",
    "apache2",
    "php-fpm",
    "php-mysql",
    "bind9",
    "bind9-dnsutils",
    "unbound",
    "openssh-server",
    "openssh-client",
    "curl",
    "git",
    "rsyslog",
    "cron",
    "openssl",
    "ca-certificates",
    "ssl-cert",
    // Data.
    "postgresql",
    "redis-server",
    "mariadb-server",
    "sqlite3",
    "postfix",
    // Languages and tools.
    "python3",
    "python3-venv",
    "nodejs",
    "openjdk-21-jdk-headless",
    "gcc",
    "libc6-dev",
    "imagemagick",
    "bash",
    "strace",
    "dpkg-dev",
    "passwd",
    // What tests look with.
    "iproute2",
    "procps",
    "netcat-openbsd",
];

/// What nobody reads in a test is not unpacked.
const LEFT_OUT: &[&str] = &[
    "/usr/share/man/*",
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/lintian/*",
];

/// Run with the tree as `$1`, after unpacking the essential packages: some packages make links among
/// manual pages, which need the directories; databases are made by the tests that want one.
const BEFORE: &str = r#"cd "$1" && mkdir -p usr/share/man/man1 usr/share/man/man7 usr/share/man/man8 etc/postgresql-common &&
    echo 'create_main_cluster = false' > etc/postgresql-common/createcluster.conf"#;

/// The same when all is installed: what is large and no test's matter.
const AFTER: &str = r#"cd "$1" && find var/lib/mysql -mindepth 1 -delete && rm -rf var/lib/apt/lists/* var/cache/apt/* var/cache/debconf/*-old"#;

/// Sees to the tree. A machine without it is a machine on which tests are skipped, so that what goes
/// wrong here is said and no error.
pub(crate) fn tree() -> Result {
    let link = target().join("tests/debian-13");
    let why = target().join("tests/debian-13.why");
    fs::create_dir_all(target().join("tests"))?;
    match made() {
        Ok(tree) => {
            if fs::read_link(&link).ok().as_deref() != Some(&tree) {
                _ = fs::remove_file(&link);
                symlink(&tree, &link)?;
            }
            _ = fs::remove_file(why);
        }
        Err(error) => {
            let error = error.to_string();
            let last = error.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
            println!("setup: no Debian 13 for tests: {error}");
            _ = fs::remove_file(&link);
            fs::write(why, format!("no Debian 13 could be made for it: {last}"))?;
        }
    }
    Ok(())
}

/// The tree, made if it is not there.
fn made() -> Result<PathBuf> {
    if output(&mut command(&["id", "-u"]))?.trim() != "0" {
        return Err("that needs root".into());
    }
    let cache = Path::new("/var/cache/jaula-tests");
    fs::create_dir_all(cache)?;
    let one_at_a_time = File::create(cache.join("lock"))?;
    one_at_a_time.lock()?;
    sweep(cache)?;
    let tree = cache.join(format!("debian-13-{:08x}", recipe() & 0xffff_ffff));
    if tree.exists() {
        println!("setup: {} is here", tree.display());
        return Ok(tree);
    }
    println!("setup: making {} (two minutes, 300 MB to fetch)", tree.display());
    let begun = Instant::now();
    let unfinished = tree.with_extension("unfinished");
    remove(&unfinished)?;
    if let Err(error) = mmdebstrap(&unfinished) {
        remove(&unfinished)?;
        return Err(error);
    }
    fs::rename(&unfinished, &tree)?;
    println!("setup: made in {:.0} s", begun.elapsed().as_secs_f64());
    Ok(tree)
}

/// Removes the copies of machines (`tests/harness/machine.rs`) whose test was killed.
fn sweep(cache: &Path) -> Result {
    let day = Duration::from_secs(24 * 3600);
    for entry in fs::read_dir(cache)?.flatten() {
        let old = entry.metadata()?.modified()?.elapsed().is_ok_and(|age| age > day);
        if old && entry.file_name().to_string_lossy().starts_with("machine.") {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn mmdebstrap(tree: &Path) -> Result {
    let mut make = command(&["mmdebstrap", "--quiet", "--variant=essential", "--mode=root"]);
    make.args(LEFT_OUT.iter().map(|path| format!("--dpkgopt=path-exclude={path}")));
    // It is thrown away and made again when the machine fails.
    make.arg("--dpkgopt=force-unsafe-io").arg("--dpkgopt=force-confold");
    make.arg("--aptopt=APT::Install-Recommends \"false\"");
    make.arg(format!("--essential-hook={BEFORE}")).arg(format!("--customize-hook={AFTER}"));
    make.arg(format!("--include={}", PACKAGES.join(","))).arg(SUITE).arg(tree);
    output(&mut make).map(drop)
}

/// What the tree is made of, as a number (FNV-1a, the same with every compiler).
fn recipe() -> u64 {
    let all = format!("{SUITE} {PACKAGES:?} {LEFT_OUT:?} {BEFORE} {AFTER}");
    all.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn remove(tree: &Path) -> Result {
    // A run that was killed may have left mounts in it.
    let mounts = fs::read_to_string("/proc/mounts")?;
    if mounts
        .lines()
        .any(|line| line.split(' ').nth(1).is_some_and(|point| Path::new(point).starts_with(tree)))
    {
        return Err(format!("something is mounted below {}", tree.display()).into());
    }
    output(command(&["rm", "-rf", "--one-file-system"]).arg(tree)).map(drop)
}
