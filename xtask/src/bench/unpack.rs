//! How long it takes to make a template of an archive, against tar(1) on the same file system: one of the
//! benchmark's own, on which nothing is deleted, since ext4 looks long for inodes that were not free lately.
//!
//! `jaula template import` also adds up the digests of the archive and of every file, writes their list, and
//! returns when the disk has all of it. So tar is measured with `sync -f` behind it as well.

use super::timing::Times;
use super::{Ground, peers, report};
use crate::shell::{Result, command, has, output, run, target};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Instant;

const ROUNDS: usize = 5;
/// A root that tests use: a Debian 13 with systemd, nginx and sshd.
const ROOT: &str = "template-debian-13/tree";
/// The archive's end, its program, and what tar calls it.
const KINDS: &[(&str, &[&str], &str)] = &[
    ("zst", &["zstd", "-q", "-3"], "--zstd"),
    ("gz", &["gzip", "-6"], "--gzip"),
    ("xz", &["xz", "-6", "-T1"], "--xz"),
];

pub(super) fn unpack(ground: &Ground) -> Result {
    peers::apart("unpack", || measure(ground))
}

fn measure(ground: &Ground) -> Result {
    let jaula = ground.jaula.as_deref().ok_or("there is no jaula to measure")?;
    let directory = ground.fresh("unpack")?;
    let tree = target().join("tests").join(ROOT).canonicalize();
    let tree = tree.map_err(|_| "there is no Debian 13 to pack: cargo xtask setup makes it")?;
    let files = output(command(&["find", ".", "-xdev", "-printf", "."]).current_dir(&tree))?.len();
    let plain = directory.join("root.tar");
    let pack = ["tar", "--numeric-owner", "--xattrs", "--acls", "--one-file-system", "-cf"];
    run(command(&pack).arg(&plain).arg("-C").arg(&tree).arg("."))?;
    let size = fs::metadata(&plain)?.len() >> 20;
    let mut text = format!(
        "A Debian 13 with systemd, nginx and sshd, {files} files, {size} MiB: medians of {ROUNDS} interleaved runs in\n\
         milliseconds, from page cache to an ext4 of their own, and in brackets the processor time of all threads.\n\
         `jaula template import` also adds up the digest of the archive and of each file, lists them, and returns when\n\
         the disk has all of it (syncfs); what compares with it is tar followed by `sync -f`.\n\n\
         | archive | MiB | jaula template import | tar -x, sync -f | tar -x alone |\n\
         | --- | ---: | ---: | ---: | ---: |\n"
    );
    let mut figures = Vec::new();
    for (end, words, option) in KINDS {
        if !has(words[0]) {
            println!("bench: without {}", words[0]);
            continue;
        }
        let archive = directory.join(format!("root.tar.{end}"));
        let packed = fs::File::create(&archive)?;
        run(command(words).arg("-c").arg(&plain).stdout(packed))?;
        let rows = compare(jaula, &directory, &archive, option)?;
        let cell = |row: &Row| format!("{:.0} ({:.0})", row.wall.median(), row.processor.median());
        let mib = fs::metadata(&archive)?.len() >> 20;
        let cells: Vec<String> = rows.iter().map(cell).collect();
        writeln!(text, "| tar.{end} | {mib} | {} |", cells.join(" | "))?;
        println!("bench: tar.{end}: {}", cells.join(" | "));
        figures.push(serde_json::json!({ "files": files, "mib": size, "archive": end,
            "jaula_ms": rows[0].wall.median(), "tar_sync_ms": rows[1].wall.median(),
            "tar_ms": rows[2].wall.median(), "runs": rows[0].wall.count() }));
    }
    report::write_json("unpack", &figures.into())?;
    report::write_section("unpack", "Unpacking", &text)?;
    Ok(fs::remove_dir_all(directory)?)
}

struct Row {
    wall: Times,
    processor: Times,
}

/// jaula, tar with `sync`, tar.
fn compare(jaula: &Path, directory: &Path, archive: &Path, option: &str) -> Result<Vec<Row>> {
    let file = archive.display().to_string();
    let top = peers::file_system(directory, "ext4")?;
    let mut found = vec![(Vec::new(), Vec::new()); 3];
    // The first of each fills the page cache.
    for round in 0..=ROUNDS {
        for turn in 0..found.len() {
            let which = (turn + round) % found.len();
            let into = top.join(format!("tree{round}.{which}"));
            fs::create_dir(&into)?;
            let tar =
                format!("tar {option} --numeric-owner --xattrs --acls -C {} -xf {file}", into.display());
            let line = match which {
                0 => format!("{} template import t{round} {file} --quiet", jaula.display()),
                1 => format!("{tar} && sync -f {}", into.display()),
                _ => tar,
            };
            let (wall, processor) = one(&line, &top, &directory.join("times"))?;
            if round > 0 {
                found[which].0.push(wall);
                found[which].1.push(processor);
            }
        }
    }
    run(command(&["umount"]).arg(&top))?;
    let rows = found
        .into_iter()
        .map(|(wall, processor)| Row { wall: Times::new(wall), processor: Times::new(processor) });
    Ok(rows.collect())
}

/// Milliseconds, by the clock and of processors, of one way.
fn one(line: &str, top: &Path, times: &Path) -> Result<(f64, f64)> {
    run(command(&["sync", "-f"]).arg(top))?;
    let mut timed = command(&["time", "-f", "%U %S", "-o"]);
    timed.arg(times).args(["sh", "-c", line]).env("JAULA_ROOT", top.join("house"));
    let begun = Instant::now();
    output(&mut timed)?;
    let wall = begun.elapsed().as_secs_f64() * 1000.0;
    let said = fs::read_to_string(times)?;
    let seconds: f64 = said.split_whitespace().filter_map(|word| word.parse::<f64>().ok()).sum();
    Ok((wall, seconds * 1000.0))
}
