//! The lab's second and third disk: the programs under test with the files that they look for, and the trees
//! that `cargo xtask setup` made.

use super::Disks;
use super::make::remove;
use crate::shell::{Result, command, output, target, top};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// What is to be run.
#[derive(Debug)]
pub(super) struct Command<'w> {
    /// Its words.
    pub(super) words: &'w [&'w str],
    /// Is it run on this terminal?
    pub(super) terminal: bool,
}

/// Makes the disk of one run.
pub(super) fn disk(disks: &Disks, run: &Command<'_>, at: &Path) -> Result<PathBuf> {
    // There is no compiler in the lab.
    output(command(&[&disks.jails]).env("JAULA_TESTS_PREPARE", "1"))?;
    let files = at.join("files");
    let inside = files.join("top");
    fs::create_dir_all(inside.join("target"))?;
    fs::create_dir(files.join("bin"))?;
    fs::write(files.join("top-path"), top().canonicalize()?.as_os_str().as_encoded_bytes())?;
    fs::write(files.join("command"), format!("{}\n", quoted(run.words)))?;
    copy(&disks.jaula, &files.join("bin/jaula"))?;
    copy(&disks.jails, &files.join("bin/jails"))?;
    for name in ["tests", "examples", "docs"] {
        copy(&top().join(name), &inside.join(name))?;
    }
    if target().join("tests").exists() {
        copy(&target().join("tests"), &inside.join("target/tests"))?;
    }
    let disk = at.join("work.ext4");
    let mut make = command(&["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d"]);
    output(make.args([&files, &disk]).arg("2G"))?;
    remove(&files)?;
    Ok(disk)
}

fn copy(from: &Path, to: &Path) -> Result {
    output(command(&["cp", "-a", "--reflink=auto"]).args([from, to])).map(drop)
}

/// The command as one line of a shell.
fn quoted(words: &[&str]) -> String {
    match words {
        // As ssh does: one word is a line by itself.
        [line] => (*line).to_owned(),
        words => {
            let quoted = words.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''")));
            quoted.collect::<Vec<_>>().join(" ")
        }
    }
}

/// The disk with the trees of `target/tests`, made when they are others than before. None where there are none.
pub(super) fn trees(cache: &Path) -> Result<Option<PathBuf>> {
    let Ok(links) = fs::read_dir(target().join("tests")) else { return Ok(None) };
    let trees: BTreeSet<PathBuf> = links
        .flatten()
        .filter_map(|link| fs::read_link(link.path()).ok())
        .filter(|tree| tree.parent() == Some(cache) && tree.is_dir())
        .collect();
    if trees.is_empty() {
        return Ok(None);
    }
    let names: Vec<String> =
        trees.iter().filter_map(|tree| Some(tree.file_name()?.to_string_lossy().into_owned())).collect();
    let one_at_a_time = File::create(cache.join("lab.lock"))?;
    one_at_a_time.lock()?;
    let list = format!("{}\n", names.join("\n"));
    let (disk, written) = (cache.join("lab-trees.ext4"), cache.join("lab-trees.list"));
    if disk.exists() && fs::read_to_string(&written).is_ok_and(|old| old == list) {
        return Ok(Some(disk));
    }
    println!("lab: a disk with {}", names.join(", "));
    let (files, unfinished) = (cache.join("lab-trees.files"), cache.join("lab-trees.unfinished"));
    remove(&files)?;
    fs::create_dir(&files)?;
    for tree in &trees {
        // Hard links: nothing is read twice, and nothing written to.
        output(command(&["cp", "-al"]).args([tree, &files]))?;
    }
    _ = fs::remove_file(&written);
    _ = fs::remove_file(&unfinished);
    let mut make = command(&["nice", "mke2fs", "-q", "-t", "ext4", "-O", "quota,project,^has_journal"]);
    let made = output(make.args(["-E", "quotatype=prjquota", "-d"]).args([&files, &unfinished]).arg("8G"));
    remove(&files)?;
    made?;
    fs::rename(&unfinished, &disk)?;
    fs::write(written, list)?;
    Ok(Some(disk))
}

/// The runner of the tests, built in this profile.
pub(super) fn tests_binary(profile: &str) -> Result<PathBuf> {
    let profile = format!("--profile={profile}");
    let mut build =
        command(&["cargo", "test", "--quiet", "--package=jaula-tests", "--test=jails", "--no-run"]);
    let messages = output(build.args(["--message-format=json", &profile]))?;
    let executable = messages.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let executable = message["executable"].as_str().map(PathBuf::from);
        executable.filter(|_| message["target"]["name"] == "jails")
    });
    Ok(executable.ok_or("cargo names no binary of the tests")?)
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_are_words() {
        assert_eq!(super::quoted(&["ls -l; id"]), "ls -l; id");
        assert_eq!(super::quoted(&["echo", "it's", "$HOME"]), r"'echo' 'it'\''s' '$HOME'");
    }
}
