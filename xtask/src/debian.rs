//! A Debian 13 with real services, for tests: what they run is installed in this tree and not on
//! the machine.
//!
//! The tree is made once by mmdebstrap and kept in `/var/cache/jaula-tests`, under a name that
//! follows from what it is made of: another list of packages is another tree, and a fresh clone finds
//! the one that is there. `target/tests/debian-13` is a link to it for the tests
//! (`tests/harness/machine.rs`); where there is none, `target/tests/debian-13.why` says why. The templates
//! of [`crate::templates`] are made and kept likewise.

use crate::shell::{Result, command, output, target};
use crate::templates::TEMPLATES;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// What no setup has used for so long may go.
const DAY: Duration = Duration::from_secs(24 * 3600);

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

/// What a tree is made of.
#[derive(Debug)]
pub(crate) struct Recipe {
    /// Its name: `target/tests/NAME` is a link to it.
    pub(crate) name: &'static str,
    /// Debian's name of the release.
    pub(crate) suite: &'static str,
    /// With apt, or only what every Debian has.
    pub(crate) variant: &'static str,
    /// What is in it beside that.
    pub(crate) packages: &'static [&'static str],
    /// Run after unpacking the essential packages, and when all is installed; `$1` is the tree.
    pub(crate) hooks: [&'static str; 2],
    /// What mmdebstrap is told beside that.
    pub(crate) options: &'static [&'static str],
    /// A script of sh that makes something else of the finished tree, `$1`; empty for none.
    pub(crate) finish: &'static str,
    /// The tree's place in what is kept: empty, or a directory of it.
    pub(crate) within: &'static str,
    /// What lies beside a tree that is within.
    pub(crate) beside: fn(&Path) -> Result,
}

/// The tree that machines are made of.
const MACHINE: Recipe = Recipe {
    name: "debian-13",
    suite: SUITE,
    variant: "essential",
    packages: PACKAGES,
    hooks: [BEFORE, AFTER],
    options: &[],
    finish: "",
    within: "",
    beside: |_| Ok(()),
};

/// Sees to the trees. A machine without them is a machine on which tests are skipped, so that what goes
/// wrong here is said and no error.
pub(crate) fn trees() -> Result {
    fs::create_dir_all(target().join("tests"))?;
    let made = all_made();
    for (n, recipe) in std::iter::once(&MACHINE).chain(TEMPLATES).enumerate() {
        let link = target().join("tests").join(recipe.name);
        let why = target().join("tests").join(format!("{}.why", recipe.name));
        let tree = match &made {
            Ok(trees) => trees[n].as_ref().map_err(String::as_str),
            Err(error) => Err(error.as_str()),
        };
        match tree {
            Ok(tree) => {
                if fs::read_link(&link).ok().as_ref() != Some(tree) {
                    _ = fs::remove_file(&link);
                    symlink(tree, &link)?;
                }
                _ = fs::remove_file(why);
            }
            Err(error) => {
                let last = error.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
                println!("setup: no {} for tests: {error}", recipe.name);
                _ = fs::remove_file(&link);
                fs::write(why, format!("no {} could be made for it: {last}", recipe.name))?;
            }
        }
    }
    Ok(())
}

/// The trees, made where they are not there: two at a time, as most of it is waiting for the network and
/// for single programs.
fn all_made() -> std::result::Result<Vec<std::result::Result<PathBuf, String>>, String> {
    let prepare = || -> Result<(PathBuf, File)> {
        if output(&mut command(&["id", "-u"]))?.trim() != "0" {
            return Err("that needs root".into());
        }
        let cache = Path::new("/var/cache/jaula-tests");
        fs::create_dir_all(cache)?;
        let one_at_a_time = File::create(cache.join("lock"))?;
        one_at_a_time.lock()?;
        sweep(cache)?;
        Ok((cache.to_owned(), one_at_a_time))
    };
    let (cache, _held) = prepare().map_err(|error| error.to_string())?;
    let one = |recipe: &Recipe| made(&cache, recipe).map_err(|error| error.to_string());
    let trees = std::thread::scope(|scope| {
        // The large one beside the small ones.
        let small = scope.spawn(|| TEMPLATES.iter().map(one).collect::<Vec<_>>());
        let large = one(&MACHINE);
        let small = small.join().unwrap_or_else(|_| vec![Err("it panicked".to_owned()); TEMPLATES.len()]);
        std::iter::once(large).chain(small).collect()
    });
    // Those of today have been used by now.
    let names: Vec<&str> = std::iter::once(&MACHINE).chain(TEMPLATES).map(|recipe| recipe.name).collect();
    for old in superseded(&cache, &names).unwrap_or_default() {
        let done = match is_mounted(&old) {
            true => "is superseded, and used by a test that runs".to_owned(),
            false => {
                remove(&old).map_or_else(|error| error.to_string(), |()| "was superseded; removed".to_owned())
            }
        };
        println!("setup: {} {done}", old.display());
    }
    Ok(trees)
}

/// Trees that no setup has used for a day, of whose name another was used after them. Other clones, of another
/// commit, use theirs.
fn superseded(cache: &Path, names: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for name in names {
        let mut trees = Vec::new();
        for entry in fs::read_dir(cache)?.flatten() {
            let file = entry.file_name().to_string_lossy().into_owned();
            let number = file.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
            // As `made` writes it; `template-debian-13-sysv-…` is none of `template-debian-13`.
            if number.is_some_and(|n| n.len() == 8 && n.chars().all(|c| c.is_ascii_hexdigit())) {
                trees.push((entry.metadata()?.modified()?, entry.path()));
            }
        }
        trees.sort();
        trees.pop();
        let old = |(used, _): &(SystemTime, PathBuf)| used.elapsed().is_ok_and(|age| age > DAY);
        found.extend(trees.into_iter().filter(old).map(|(_, path)| path));
    }
    Ok(found)
}

/// Does any process see it in a mount, such as the layers of a test's jail?
fn is_mounted(tree: &Path) -> bool {
    let tree = tree.to_string_lossy().into_owned();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|process| fs::read_to_string(process.path().join("mountinfo")).ok())
        .any(|mounts| mounts.contains(&tree))
}

/// A tree, made if it is not there.
fn made(cache: &Path, recipe: &Recipe) -> Result<PathBuf> {
    let place = cache.join(format!("{}-{:08x}", recipe.name, recipe.number() & 0xffff_ffff));
    if place.exists() {
        println!("setup: {} is here", place.display());
        (recipe.beside)(&place)?;
        // Used today, see `superseded`.
        File::open(&place)?.set_modified(SystemTime::now())?;
        return Ok(place);
    }
    println!("setup: making {} (a minute or two, 40 to 300 MB to fetch)", place.display());
    let begun = Instant::now();
    let unfinished = place.with_extension("unfinished");
    remove(&unfinished)?;
    let tree = unfinished.join(recipe.within);
    let begin = || if recipe.within.is_empty() { Ok(()) } else { fs::create_dir(&unfinished) };
    if let Err(error) = begin()
        .map_err(Into::into)
        .and_then(|()| mmdebstrap(recipe, &tree))
        .and_then(|()| finish(recipe, &tree))
        .and_then(|()| (recipe.beside)(&unfinished))
    {
        remove(&unfinished)?;
        return Err(error);
    }
    fs::rename(&unfinished, &place)?;
    println!("setup: {} made in {:.0} s", recipe.name, begun.elapsed().as_secs_f64());
    Ok(place)
}

/// Removes the copies of machines (`tests/harness/machine.rs`) whose test was killed.
fn sweep(cache: &Path) -> Result {
    for entry in fs::read_dir(cache)?.flatten() {
        let old = entry.metadata()?.modified()?.elapsed().is_ok_and(|age| age > DAY);
        if old && entry.file_name().to_string_lossy().starts_with("machine.") {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn mmdebstrap(recipe: &Recipe, tree: &Path) -> Result {
    let variant = format!("--variant={}", recipe.variant);
    let mut make = command(&["mmdebstrap", "--quiet", &variant, "--mode=root"]);
    make.args(LEFT_OUT.iter().map(|path| format!("--dpkgopt=path-exclude={path}")));
    // It is thrown away and made again when the machine fails.
    make.arg("--dpkgopt=force-unsafe-io").arg("--dpkgopt=force-confold");
    make.arg("--aptopt=APT::Install-Recommends \"false\"");
    let [before, after] = recipe.hooks;
    make.arg(format!("--essential-hook={before}")).arg(format!("--customize-hook={after}"));
    make.args(recipe.options);
    make.arg(format!("--include={}", recipe.packages.join(","))).arg(recipe.suite).arg(tree);
    output(&mut make).map(drop)
}

fn finish(recipe: &Recipe, tree: &Path) -> Result {
    if recipe.finish.is_empty() {
        return Ok(());
    }
    // Mounts that it makes are its own.
    let mut make = command(&["unshare", "--mount", "sh", "-ec", recipe.finish, "sh"]);
    output(make.arg(tree)).map(drop)
}

impl Recipe {
    /// What the tree is made of, as a number (FNV-1a, the same with every compiler).
    fn number(&self) -> u64 {
        let [before, after] = self.hooks;
        let mut all = format!("{} {:?} {LEFT_OUT:?} {before} {after}", self.suite, self.packages);
        if !self.finish.is_empty() {
            all += &format!("{:?} {}", self.options, self.finish);
        }
        all.bytes()
            .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_trees_that_have_a_successor_go() {
        let cache = std::env::temp_dir().join(format!("xtask-superseded-{}", std::process::id()));
        let hours = |hours: u64| SystemTime::now() - Duration::from_secs(hours * 3600);
        for (name, age) in [
            ("a-00000001", 50),
            ("a-00000002", 30),
            ("a-00000003", 2),
            ("a-00000004", 1),
            // The only one of its name, and others.
            ("b-00000001", 500),
            ("a-b-00000001", 500),
            ("a-00000001.unfinished", 500),
            ("lab-00000001", 500),
        ] {
            fs::create_dir_all(cache.join(name)).unwrap();
            File::open(cache.join(name)).unwrap().set_modified(hours(age)).unwrap();
        }
        let found = superseded(&cache, &["a", "b"]).unwrap();
        assert_eq!(found, ["a-00000001", "a-00000002"].map(|name| cache.join(name)));
        assert!(is_mounted(Path::new("/proc")) && !is_mounted(&cache));
        fs::remove_dir_all(cache).unwrap();
    }
}
