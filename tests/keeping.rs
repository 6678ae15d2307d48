//! What jails keep: snapshots, rollbacks, clones, other names, and the end of it all.

use crate::declared::{Declared, kill, nothing_left, one_line, until};
use jaula_tests::harness::{Outcome, SmallDisk, Survived, Test, Victim, busybox_root, fault_at_every_call};
use jaula_tests::trials;
use libtest_mimic::Trial;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("keeping": privileged [
        a_rollback_brings_back_files_and_configuration,
        a_rollback_is_undone_by_another,
        a_rollback_throws_away_only_when_told_to,
        a_running_jail_is_put_back_only_when_told_to,
        a_snapshot_of_a_running_jail_is_of_one_moment,
        a_frozen_jail_goes_on_whoever_is_killed,
        a_frozen_jail_can_be_stopped,
        snapshots_are_listed_and_deleted,
        a_clone_has_an_identity_of_its_own,
        a_clone_of_a_snapshot_is_as_that_was,
        a_rename_takes_everything_along,
        what_is_refused,
        a_full_disk_leaves_no_half,
        two_at_once_wait_for_each_other,
        a_snapshot_killed_anywhere,
        a_rollback_killed_anywhere,
        a_clone_killed_anywhere,
        a_rename_killed_anywhere,
        a_delete_killed_anywhere,
        a_delete_names_what_goes_and_stays_on_its_file_system,
    ])
}

/// A jail over the busybox root that keeps what it writes, with these files written already.
struct Kept<'t> {
    t: &'t Test,
    name: String,
}

impl<'t> Kept<'t> {
    fn new(t: &'t Test, word: &str, files: &[(&str, &str)]) -> Outcome<Self> {
        let name = t.name(word);
        let root = format!("dir:{}", busybox_root()?.display());
        t.jaula().ok(&["create", &name, "--root", &root, "--", "sleep", "1000"])?;
        let jail = Self { t, name };
        fs::create_dir_all(jail.directory("overlay/upper"))?;
        fs::create_dir_all(jail.directory("overlay/work"))?;
        for (path, text) in files {
            jail.write(path, text)?;
        }
        Ok(jail)
    }

    fn directory(&self, path: &str) -> PathBuf {
        self.t.root().join("var/lib/jaula/jails").join(&self.name).join(path)
    }

    fn write(&self, path: &str, text: &str) -> Outcome {
        Ok(fs::write(self.directory("overlay/upper").join(path), text)?)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.directory("overlay/upper").join(path)).unwrap_or_default()
    }

    fn file(&self) -> PathBuf {
        self.t.root().join(format!("etc/jaula/jails/{}.toml", self.name))
    }

    fn at(&self, snapshot: &str) -> String {
        format!("{}@{snapshot}", self.name)
    }

    fn snapshots(&self) -> Outcome<Vec<String>> {
        let listed = self.t.jaula().json(&["snapshot", "list", &self.name, "--json"])?;
        let all = listed.as_array().cloned().unwrap_or_default();
        Ok(all.iter().filter_map(|one| Some(one["snapshot"].as_str()?.to_owned())).collect())
    }

    fn group(&self) -> Outcome<PathBuf> {
        let journal = fs::read_to_string(self.t.root().join("run/jaula").join(&self.name).join("journal"))?;
        Ok(journal.lines().find_map(|line| line.strip_prefix("cgroup ")).ok_or("no group")?.into())
    }

    fn is_frozen(&self) -> Outcome<bool> {
        Ok(fs::read_to_string(self.group()?.join("cgroup.freeze"))?.trim() == "1")
    }
}

/// All that is below the test's root and not of a running jail, with the content of files.
fn picture(t: &Test) -> Outcome<BTreeMap<PathBuf, String>> {
    let mut all = BTreeMap::new();
    let mut waiting = vec![t.root().to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let about = fs::symlink_metadata(&path)?;
            let text = if about.is_dir() {
                waiting.push(path.clone());
                "a directory".to_owned()
            } else if about.is_symlink() {
                format!("-> {}", fs::read_link(&path)?.display())
            } else {
                fs::read_to_string(&path)?
            };
            all.insert(path.strip_prefix(t.root())?.to_owned(), text);
        }
    }
    // Directories of the house that come with the first use.
    all.retain(|path, text| {
        text != "a directory" || path.components().count() > 4 && !path.ends_with(".snapshots")
    });
    Ok(all)
}

fn a_rollback_brings_back_files_and_configuration(t: &Test) -> Outcome {
    let www = Kept::new(t, "www", &[("site", "old"), ("gone", "x")])?;
    t.jaula().ok(&["set", &www.name, "hostname=before"])?;
    let id = t.jaula().json(&["list", &www.name, "--json"])?[0]["id"].clone();
    fs::write(www.directory("console.log"), "said\n")?;
    let said = t.jaula().ok(&["snapshot", "create", &www.at("clean"), "--note", "as it was"])?;
    assert!(said.starts_with(&format!("{}: ", www.at("clean"))), "{said}");
    www.write("site", "new")?;
    www.write("more", "y")?;
    fs::remove_file(www.directory("overlay/upper/gone"))?;
    fs::write(www.directory("console.log"), "said\nand more\n")?;
    t.jaula().ok(&["set", &www.name, "hostname=after", "boot.order=7"])?;
    t.jaula().ok(&["snapshot", "rollback", &www.at("clean")])?;
    assert_eq!([www.read("site"), www.read("gone"), www.read("more")], ["old", "x", ""]);
    let text = fs::read_to_string(www.file())?;
    assert!(text.contains("hostname = \"before\"") && !text.contains("order"), "{text}");
    assert_eq!(t.jaula().json(&["list", &www.name, "--json"])?[0]["id"], id);
    assert_eq!(fs::read_to_string(www.directory("console.log"))?, "said\nand more\n", "logs stay");
    // It runs with that.
    t.jaula().ok(&["start", &www.name])?;
    assert_eq!(t.jaula().exec(&www.name, &["cat", "/site"])?, "old");
    assert_eq!(t.jaula().exec(&www.name, &["hostname"])?, "before\n");
    t.jaula().ok(&["stop", &www.name])?;
    t.jaula().ok(&["set", &www.name, "hostname=third"])?;
    t.jaula().ok(&["snapshot", "rollback", &www.at("clean"), "--keep-config"])?;
    assert!(fs::read_to_string(www.file())?.contains("hostname = \"third\""));
    nothing_left(t)
}

fn a_rollback_is_undone_by_another(t: &Test) -> Outcome {
    let www = Kept::new(t, "www", &[("site", "one")])?;
    t.jaula().ok(&["snapshot", "create", &www.at("a")])?;
    www.write("site", "two")?;
    t.jaula().ok(&["set", &www.name, "boot.order=2"])?;
    for (to, site, ordered) in [("a", "one", false), ("before-a", "two", true), ("a", "one", false)] {
        let said = t.jaula().ok(&["snapshot", "rollback", &www.at(to)])?;
        assert!(said.contains("what was before is"), "{said}");
        assert_eq!(
            (www.read("site").as_str(), fs::read_to_string(www.file())?.contains("order")),
            (site, ordered)
        );
    }
    let all = ["a", "before-a", "before-before-a", "before-a-2"];
    assert_eq!(www.snapshots()?, all);
    Ok(())
}

fn a_rollback_throws_away_only_when_told_to(t: &Test) -> Outcome {
    let www = Kept::new(t, "www", &[("site", "one")])?;
    t.jaula().ok(&["snapshot", "create", &www.at("a")])?;
    www.write("site", "two")?;
    let said = t.jaula().fails(&["snapshot", "rollback", &www.at("a"), "--discard"])?;
    assert!(said.contains("needs a confirmation"), "{said}");
    assert_eq!(www.read("site"), "two");
    t.jaula().ok(&["snapshot", "rollback", &www.at("a"), "--discard", "--yes"])?;
    assert_eq!((www.read("site").as_str(), www.snapshots()?), ("one", vec!["a".to_owned()]));
    Ok(())
}

fn a_running_jail_is_put_back_only_when_told_to(t: &Test) -> Outcome {
    let www = Kept::new(t, "www", &[("site", "one")])?;
    t.jaula().ok(&["snapshot", "create", &www.at("a")])?;
    t.jaula().ok(&["start", &www.name])?;
    t.jaula().exec(&www.name, &["sh", "-c", "echo two >/site"])?;
    let said = t.jaula().fails(&["snapshot", "rollback", &www.at("a")])?;
    one_line(&said, &["is running", "jaula stop", "--restart"])?;
    assert_eq!(t.jaula().exec(&www.name, &["cat", "/site"])?, "two\n");
    t.jaula().ok(&["snapshot", "rollback", &www.at("a"), "--restart"])?;
    assert_eq!(t.jaula().exec(&www.name, &["cat", "/site"])?, "one");
    t.jaula().ok(&["stop", &www.name])?;
    nothing_left(t)
}

/// A program writes the same number into two files, all the time: in a snapshot they never differ by more
/// than the one write that it is at.
fn a_snapshot_of_a_running_jail_is_of_one_moment(t: &Test) -> Outcome {
    let www = Kept::new(t, "www", &[])?;
    // Many files between the two, so that a copy of a jail that goes on would show it.
    fs::create_dir(www.directory("overlay/upper/m"))?;
    for n in 0..2000 {
        www.write(&format!("m/{n}"), "x")?;
    }
    let script = "n=0; while :; do n=$((n+1)); echo $n >/a; echo $n >/z; done";
    let command = format!("boot.command={}", serde_json::to_string(&["sh", "-c", script])?);
    t.jaula().ok(&["set", &www.name, &command])?;
    t.jaula().ok(&["start", &www.name])?;
    until("the first numbers", || (!www.read("z").is_empty()).then_some(()))?;
    let number = |path: &Path| fs::read_to_string(path).ok()?.trim().parse::<i64>().ok();
    for n in 0..5 {
        let taken = t.jaula().json(&["snapshot", "create", &www.at(&format!("s{n}")), "--json"])?;
        assert!(taken["frozen"].is_u64() && taken["files"].as_u64() > Some(2000), "{taken}");
        let at =
            t.root().join(format!("var/lib/jaula/jails/.snapshots/{}/s{n}/data/overlay/upper", www.name));
        // A file that is just opened is empty.
        if let (Some(a), Some(z)) = (number(&at.join("a")), number(&at.join("z"))) {
            assert!((0..=1).contains(&(a - z)), "a {a}, z {z}");
        }
        assert!(!www.is_frozen()?);
        let before = www.read("z");
        until("more numbers", || (www.read("z") != before).then_some(()))?;
    }
    t.jaula().ok(&["stop", &www.name, "--timeout", "0"])?;
    nothing_left(t)
}

/// A jail with so many files that a snapshot takes its time, frozen by one that runs.
fn frozen<'t>(t: &'t Test, word: &str) -> Outcome<(Kept<'t>, std::process::Child)> {
    let www = Kept::new(t, word, &[])?;
    fs::create_dir(www.directory("overlay/upper/m"))?;
    for n in 0..6000 {
        www.write(&format!("m/{n}"), &"x".repeat(4096))?;
    }
    t.jaula().ok(&["start", &www.name])?;
    let mut command = t.jaula().command(["snapshot", "create", &www.at("s")])?;
    let child = command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn()?;
    until("the jail to be frozen", || www.is_frozen().ok()?.then_some(()))?;
    Ok((www, child))
}

fn a_frozen_jail_goes_on_whoever_is_killed(t: &Test) -> Outcome {
    // The command: its keeper thaws.
    let (www, mut child) = frozen(t, "one")?;
    child.kill()?;
    child.wait()?;
    until("the jail to go on", || (!www.is_frozen().ok()?).then_some(()))?;
    assert_eq!(t.jaula().exec(&www.name, &["echo", "here"])?, "here\n");
    assert_eq!(www.snapshots()?, Vec::<String>::new());
    t.jaula().ok(&["gc"])?;
    assert!(!t.root().join("var/lib/jaula/jails/.snapshots").join(&www.name).exists());
    t.jaula().ok(&["stop", &www.name])?;
    // The keeper: the command thaws, and fails.
    let (www, mut child) = frozen(t, "two")?;
    let keeper = Declared::known(t, &www.name).keeper()?;
    kill(keeper)?;
    assert!(!child.wait()?.success());
    assert!(!www.is_frozen()?);
    t.jaula().ok(&["stop", &www.name])?;
    // Both: whoever comes next.
    let (www, mut child) = frozen(t, "three")?;
    let keeper = Declared::known(t, &www.name).keeper()?;
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(keeper).ok_or("no keeper")?,
        rustix::process::Signal::STOP,
    )?;
    child.kill()?;
    child.wait()?;
    kill(keeper)?;
    assert!(www.is_frozen()?);
    t.jaula().ok(&["gc"])?;
    assert!(!www.is_frozen()?);
    t.jaula().ok(&["stop", &www.name])?;
    nothing_left(t)
}

fn a_frozen_jail_can_be_stopped(t: &Test) -> Outcome {
    let (www, mut child) = frozen(t, "www")?;
    t.jaula().ok(&["stop", &www.name])?;
    assert!(!child.wait()?.success(), "the snapshot is not of one moment");
    assert_eq!(www.snapshots()?, Vec::<String>::new());
    nothing_left(t)
}

fn snapshots_are_listed_and_deleted(t: &Test) -> Outcome {
    let www = Kept::new(t, "www", &[("file", &"x".repeat(100_000))])?;
    t.jaula().ok(&["snapshot", "create", &www.at("first"), "--note", "a note"])?;
    thread::sleep(Duration::from_millis(20));
    t.jaula().ok(&["snapshot", "create", &www.name])?;
    let listed = t.jaula().json(&["snapshot", "list", "--json"])?;
    let (first, second) = (&listed[0], &listed[1]);
    assert_eq!(
        (&first["snapshot"], &first["note"], &first["frozen"]),
        (&"first".into(), &"a note".into(), &Value::Null)
    );
    assert!(first["bytes"].as_u64() >= Some(100_000) && second["snapshot"].as_str() > Some("2"), "{listed}");
    let table = t.jaula().ok(&["snapshot", "list", &www.name])?;
    assert!(
        table.contains("SNAPSHOT") && table.contains("a note") && table.contains(&www.at("first")),
        "{table}"
    );
    let names = t.jaula().ok(&["snapshot", "list", "-q"])?;
    assert_eq!(names.lines().count(), 2);
    let said = t.jaula().fails(&["snapshot", "delete", &www.at("first")])?;
    assert!(said.contains("needs a confirmation"), "{said}");
    t.jaula().ok(&["snapshot", "delete", &www.at("first"), "--yes"])?;
    assert_eq!(www.snapshots()?.len(), 1);
    t.jaula().ok(&["delete", &www.name, "--yes"])?;
    assert!(!t.root().join("var/lib/jaula/jails/.snapshots").join(&www.name).exists());
    nothing_left(t)
}

fn a_clone_has_an_identity_of_its_own(t: &Test) -> Outcome {
    let www = Kept::new(t, "www", &[("site", "one")])?;
    let hostname = format!("hostname={}.example.org", www.name);
    t.jaula().ok(&["set", &www.name, &hostname, "limits.process.nofile=99", "boot.depends=db"])?;
    std::os::unix::fs::chown(www.directory("overlay/upper/site"), Some(7), Some(8))?;
    let new = Kept { t, name: t.name("new") };
    t.jaula().ok(&["start", &www.name]).err().ok_or("it depends on nobody")?;
    t.jaula().ok(&["set", &www.name, "boot.depends="])?;
    t.jaula().ok(&["start", &www.name])?;
    // Running, it is frozen and goes on.
    t.jaula().ok(&["clone", &www.name, &new.name, "--set", "boot.order=3", "--start"])?;
    assert!(!www.is_frozen()?);
    let [a, b] = [&www, &new].map(|jail| t.jaula().json(&["status", &jail.name, "--json"]));
    let (a, b) = (a?[0].clone(), b?[0].clone());
    assert_ne!(a["id"], b["id"]);
    assert_eq!(b["hostname"], format!("{}.example.org", new.name));
    let text = fs::read_to_string(new.file())?;
    assert!(text.contains("nofile = 99") && text.contains("order = 3"), "{text}");
    assert_eq!(new.read("site"), "one");
    let about = fs::metadata(new.directory("overlay/upper/site"))?;
    assert_eq!((about.uid(), about.gid()), (7, 8));
    // Each writes to its own.
    t.jaula().exec(&new.name, &["sh", "-c", "echo two >/site"])?;
    assert_eq!((www.read("site").as_str(), new.read("site").as_str()), ("one", "two\n"));
    t.jaula().ok(&["stop", "--all", "--timeout", "0"])?;
    nothing_left(t)
}

fn a_clone_of_a_snapshot_is_as_that_was(t: &Test) -> Outcome {
    let www = Kept::new(t, "www", &[("site", "one")])?;
    t.jaula().ok(&["snapshot", "create", &www.at("a")])?;
    www.write("site", "two")?;
    t.jaula().ok(&["set", &www.name, "boot.order=5"])?;
    let new = Kept { t, name: t.name("new") };
    t.jaula().ok(&["clone", &www.at("a"), &new.name])?;
    assert_eq!(new.read("site"), "one");
    assert!(!fs::read_to_string(new.file())?.contains("order"));
    assert_eq!(new.snapshots()?, Vec::<String>::new(), "snapshots are the other's");
    Ok(())
}

fn a_rename_takes_everything_along(t: &Test) -> Outcome {
    let www = Kept::new(t, "www", &[("site", "one")])?;
    let other = Kept::new(t, "other", &[])?;
    t.jaula().ok(&["set", &other.name, &format!("boot.depends={}", www.name)])?;
    t.jaula().ok(&["set", &www.name, &format!("hostname={}", www.name)])?;
    t.jaula().ok(&["snapshot", "create", &www.at("a")])?;
    fs::write(www.directory("console.log"), "said\n")?;
    t.jaula().ok(&["start", &www.name])?;
    let new = Kept { t, name: t.name("new") };
    let said = t.jaula().fails(&["rename", &www.name, &new.name])?;
    one_line(&said, &["is running", "jaula stop"])?;
    let id = t.jaula().json(&["status", &www.name, "--json"])?[0]["id"].clone();
    t.jaula().ok(&["stop", &www.name])?;
    t.jaula().ok(&["rename", &www.name, &new.name])?;
    assert!(!www.file().exists() && fs::symlink_metadata(www.directory("")).is_err());
    assert!(fs::symlink_metadata(new.directory(""))?.is_dir(), "a directory, no link");
    assert_eq!((new.read("site").as_str(), new.snapshots()?), ("one", vec!["a".to_owned()]));
    assert!(fs::read_to_string(new.directory("console.log"))?.starts_with("said\n"));
    assert!(fs::read_to_string(other.file())?.contains(&format!("depends = [\"{}\"]", new.name)));
    t.jaula().ok(&["start", &other.name])?;
    assert_eq!(t.jaula().exec(&new.name, &["hostname"])?, format!("{}\n", new.name));
    assert_eq!(t.jaula().json(&["status", &new.name, "--json"])?[0]["id"], id);
    t.jaula().ok(&["stop", "--all", "--timeout", "0"])?;
    nothing_left(t)
}

fn what_is_refused(t: &Test) -> Outcome {
    let www = Kept::new(t, "www", &[("site", "one")])?;
    let other = Kept::new(t, "other", &[])?;
    t.jaula().ok(&["snapshot", "create", &www.at("a")])?;
    let before = picture(t)?;
    let at = |snapshot: &str| www.at(snapshot);
    for (words, said) in [
        (vec!["snapshot", "create", &at("a")], "has a snapshot \"a\" already"),
        (vec!["snapshot", "create", &at("../x")], "is not a jail's name"),
        (vec!["snapshot", "create", &at("")], "is not a jail's name"),
        (vec!["snapshot", "create", "nobody@a"], "there is no jail \"nobody\""),
        (vec!["snapshot", "rollback", &at("b")], "has no snapshot \"b\""),
        (vec!["snapshot", "rollback", &www.name], "which snapshot"),
        (vec!["snapshot", "delete", &at("b"), "--yes"], "has no snapshot \"b\""),
        (vec!["clone", &www.name, &other.name], "exists already"),
        (vec!["clone", &www.name, "1"], "a number is an id"),
        (vec!["clone", &at("b"), "new"], "has no snapshot \"b\""),
        (vec!["clone", &www.name, "new", "--set", "no.such=1"], "unknown key"),
        (vec!["rename", &www.name, &other.name], "exists already"),
        (vec!["rename", &www.name, "a/b"], "is not a jail's name"),
        (vec!["rename", "nobody", "new"], "there is no jail \"nobody\""),
    ] {
        one_line(&t.jaula().fails(&words)?, &[said])?;
        assert_eq!(picture(t)?, before, "{words:?}");
    }
    Ok(())
}

fn a_full_disk_leaves_no_half(t: &Test) -> Outcome {
    let disk = SmallDisk::mount(t, 4 << 20)?;
    let www = Kept::new(t, "www", &[("site", &"x".repeat(300_000))])?;
    t.jaula().ok(&["snapshot", "create", &www.at("a")])?;
    www.write("site", &"y".repeat(300_000))?;
    disk.fill_but(100_000)?;
    let before = picture(t)?;
    let at = www.at("a");
    for words in [
        vec!["snapshot", "create", &www.name],
        vec!["snapshot", "rollback", &at],
        vec!["clone", &www.name, "new"],
        vec!["clone", &at, "new"],
    ] {
        one_line(&t.jaula().fails(&words)?, &["No space left"])?;
        assert_eq!(picture(t)?, before, "{words:?}");
    }
    disk.free()?;
    t.jaula().ok(&["snapshot", "rollback", &at])?;
    assert!(www.read("site").starts_with('x'));
    // Room for one more is not needed to give some back.
    disk.fill_but(0)?;
    t.jaula().ok(&["snapshot", "delete", &at, "--yes"])?;
    t.jaula().ok(&["delete", &www.name, "--yes"])?;
    Ok(())
}

fn two_at_once_wait_for_each_other(t: &Test) -> Outcome {
    let www = Kept::new(t, "www", &[("site", "one")])?;
    fs::create_dir(www.directory("overlay/upper/m"))?;
    for n in 0..1000 {
        www.write(&format!("m/{n}"), "x")?;
    }
    let snapshots: Vec<String> = (0..4).map(|n| www.at(&format!("s{n}"))).collect();
    let mut children = Vec::new();
    for snapshot in &snapshots {
        children.push(t.jaula().command(["snapshot", "create", snapshot, "--quiet"])?.spawn()?);
    }
    let new = t.name("new");
    children.push(t.jaula().command(["clone", &www.name, &new, "--quiet"])?.spawn()?);
    children.push(t.jaula().command(["start", &www.name])?.spawn()?);
    for mut child in children {
        assert!(child.wait()?.success());
    }
    assert_eq!(www.snapshots()?.len(), 4);
    for snapshot in www.snapshots()? {
        let at = t
            .root()
            .join(format!("var/lib/jaula/jails/.snapshots/{}/{snapshot}/data/overlay/upper/m", www.name));
        assert_eq!(fs::read_dir(at)?.count(), 1000);
    }
    t.jaula().ok(&["stop", &www.name])?;
    nothing_left(t)
}

/// Kills a command at each of its calls. Afterwards `jaula gc` must leave what was before it, or what is
/// after it, as the same command shows that is not killed; the moments in it are passed over.
fn killed(t: &Test, make: &dyn Fn() -> Outcome<Vec<String>>, remake: &dyn Fn() -> Outcome) -> Outcome {
    let plain = |picture: BTreeMap<PathBuf, String>| -> BTreeMap<PathBuf, String> {
        picture
            .into_iter()
            // A number's link is brought up to date by whoever looks next.
            .filter(|(path, _)| !path.ends_with("about.json") && !path.starts_with("run"))
            .filter(|(path, _)| !path.to_string_lossy().contains("/.ids/"))
            .collect()
    };
    let words = make()?;
    let before = plain(picture(t)?);
    t.jaula().ok(&words.iter().map(String::as_str).collect::<Vec<_>>())?;
    let after = plain(picture(t)?);
    assert_ne!(before, after);
    remake()?;
    let (mut befores, mut afters) = (0, 0);
    let Survived { kills } = fault_at_every_call(
        Victim::Main,
        || {
            let words = make()?;
            assert_eq!(plain(picture(t)?), before);
            t.jaula().command(words)
        },
        |done| {
            if done.stderr.contains("panicked") {
                return Err(done.to_string().into());
            }
            t.jaula().ok(&["gc"])?;
            let now = plain(picture(t)?);
            match (now == before, now == after) {
                (true, _) => befores += 1,
                (_, true) => afters += 1,
                _ => {
                    let strange = |from: &BTreeMap<PathBuf, String>| -> Vec<PathBuf> {
                        now.iter()
                            .filter(|(path, text)| from.get(*path) != Some(text))
                            .map(|(path, _)| path.clone())
                            .collect()
                    };
                    let why =
                        format!("neither before ({:?}) nor after ({:?})", strange(&before), strange(&after));
                    return Err(why.into());
                }
            }
            assert_eq!(t.jaula().ok(&["gc"])?, "", "a second look finds nothing");
            remake()
        },
    )?;
    assert!(kills > 50 && befores > 10 && afters > 1, "{kills} kills, {befores} before, {afters} after");
    Ok(())
}

/// The jail that is killed at: always the same.
fn victim(t: &Test) -> Outcome<Kept<'_>> {
    let www = Kept::new(t, "www", &[("site", "one")])?;
    t.jaula().ok(&["snapshot", "create", &www.at("a"), "--quiet"])?;
    www.write("site", "two")?;
    t.jaula().ok(&["set", &www.name, "boot.order=2"])?;
    Ok(www)
}

fn all_gone(t: &Test) -> Outcome {
    t.jaula().ok(&["delete", "--all", "--yes"])?;
    let left = picture(t)?;
    let left: Vec<&PathBuf> = left
        .keys()
        .filter(|path| !path.starts_with("run") && !path.to_string_lossy().contains("/.ids/"))
        .collect();
    if left.is_empty() { Ok(()) } else { Err(format!("left behind: {left:?}").into()) }
}

fn a_snapshot_killed_anywhere(t: &Test) -> Outcome {
    let make = || Ok(["snapshot", "create", &victim(t)?.at("b"), "-q"].map(str::to_owned).to_vec());
    killed(t, &make, &|| all_gone(t))
}

fn a_rollback_killed_anywhere(t: &Test) -> Outcome {
    let make = || Ok(["snapshot", "rollback", &victim(t)?.at("a"), "-q"].map(str::to_owned).to_vec());
    killed(t, &make, &|| all_gone(t))
}

fn a_clone_killed_anywhere(t: &Test) -> Outcome {
    let make = || Ok(["clone", &victim(t)?.name, &t.name("new"), "-q"].map(str::to_owned).to_vec());
    killed(t, &make, &|| all_gone(t))
}

fn a_rename_killed_anywhere(t: &Test) -> Outcome {
    let make = || {
        let www = victim(t)?;
        let other = Kept::new(t, "other", &[])?;
        t.jaula().ok(&["set", &other.name, &format!("boot.depends={}", www.name)])?;
        Ok(["rename", &www.name, &t.name("new")].map(str::to_owned).to_vec())
    };
    killed(t, &make, &|| all_gone(t))
}

fn a_delete_killed_anywhere(t: &Test) -> Outcome {
    let make = || Ok(["delete", &victim(t)?.name, "--yes"].map(str::to_owned).to_vec());
    let remake = || if picture(t)?.keys().any(|path| path.starts_with("etc")) { all_gone(t) } else { Ok(()) };
    killed(t, &make, &remake)
}

fn a_delete_names_what_goes_and_stays_on_its_file_system(t: &Test) -> Outcome {
    let www = victim(t)?;
    let mut terminal = t.jaula().pty(&["delete", &www.name])?;
    terminal.expect("1 snapshot")?;
    terminal.expect("[y/N]")?;
    terminal.send("n\n")?;
    assert!(!terminal.wait()?.success());
    let at = t.root().join(format!("var/lib/jaula/jails/.snapshots/{}/a/data/overlay/upper/mnt", www.name));
    fs::create_dir(&at)?;
    rustix::mount::mount_bind("/usr", &at)?;
    let refused = t.jaula().fails(&["delete", &www.name, "--yes"]);
    rustix::mount::unmount(&at, rustix::mount::UnmountFlags::DETACH)?;
    one_line(&refused?, &["something is mounted on", "umount"])?;
    assert!(www.file().exists() && www.read("site") == "two");
    all_gone(t)
}
