//! How long it takes to make one more virtual server of a root that is there, and how much room it
//! takes: on each store, and by copies.
//!
//! All of it happens on two file systems of the benchmark's own, an ext4 and a btrfs, in a mount
//! namespace in which the peers, unpacked from Debian's packages, lie over `/usr`: the host has
//! none of them afterwards.

use super::timing::Times;
use super::{Ground, peers, report};
use crate::shell::{Result, command, has, output, run};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// MiB of each root, in files of 32 KiB.
const SIZES: &[usize] = &[30, 300, 1000];
const FILE: usize = 32 * 1024;
const RUNS: usize = 5;

pub(super) fn store(ground: &Ground) -> Result {
    peers::among("store", &ground.directory, || measure(ground))
}

/// A way to make one more of a root: the words for a root, a directory on its file system and a name.
struct Way {
    name: &'static str,
    place: &'static str,
    words: fn(&Roots<'_>, &str) -> Vec<String>,
    /// What it makes, below the file system.
    makes: &'static str,
    /// It ends with an error after the copy is made.
    fails_later: bool,
}

/// What a way is given.
struct Roots<'a> {
    jaula: &'a str,
    /// The file system's top.
    top: &'a Path,
    /// The root, MiB.
    size: usize,
}

impl Roots<'_> {
    fn tree(&self) -> PathBuf {
        self.top.join(format!("var/lib/jaula/templates/t{}/tree", self.size))
    }
}

fn build(roots: &Roots<'_>, name: &str, store: &[&str]) -> Vec<String> {
    let from = format!("template:t{}", roots.size);
    let words = [roots.jaula, "build", "--quiet", name, "--from", &from, "--store"];
    words.iter().chain(store).map(|word| (*word).to_owned()).collect()
}

const WAYS: &[Way] = &[
    Way {
        name: "jaula, overlay",
        place: "ext4",
        words: |roots, name| build(roots, name, &["overlay"]),
        makes: "var/lib/jaula/jails",
        fails_later: false,
    },
    Way {
        name: "jaula, btrfs",
        place: "btrfs",
        words: |roots, name| build(roots, name, &["btrfs"]),
        makes: "var/lib/jaula/jails",
        fails_later: false,
    },
    Way {
        name: "jaula, dir",
        place: "ext4",
        words: |roots, name| build(roots, name, &["dir"]),
        makes: "var/lib/jaula/jails",
        fails_later: false,
    },
    Way {
        name: "jaula, image",
        place: "ext4",
        words: |roots, name| build(roots, name, &["image", "--size", "2G"]),
        makes: "var/lib/jaula/jails",
        fails_later: false,
    },
    Way {
        name: "jaula, image",
        place: "btrfs",
        words: |roots, name| build(roots, name, &["image", "--size", "2G"]),
        makes: "var/lib/jaula/jails",
        fails_later: false,
    },
    Way { name: "cp -a --reflink=auto", place: "ext4", words: copy, makes: "", fails_later: false },
    Way {
        name: "cp -a --reflink=auto, sync -f",
        place: "ext4",
        words: copy_synced,
        makes: "",
        fails_later: false,
    },
    Way { name: "cp -a --reflink=auto", place: "btrfs", words: copy, makes: "", fails_later: false },
    Way {
        name: "cp -a --reflink=auto, sync -f",
        place: "btrfs",
        words: copy_synced,
        makes: "",
        fails_later: false,
    },
    Way {
        name: "lxc-copy",
        place: "ext4",
        words: |roots, name| lxc(roots, name, &[]),
        makes: "lxc",
        fails_later: false,
    },
    Way {
        name: "lxc-copy --snapshot, overlayfs",
        place: "ext4",
        words: |roots, name| lxc(roots, name, &["-s", "-B", "overlayfs"]),
        makes: "lxc",
        fails_later: false,
    },
    Way { name: "systemd-nspawn --template", place: "ext4", words: nspawn, makes: "", fails_later: true },
    Way { name: "systemd-nspawn --template", place: "btrfs", words: nspawn, makes: "", fails_later: true },
];

fn copy(roots: &Roots<'_>, name: &str) -> Vec<String> {
    let (from, to) = (roots.tree(), roots.top.join(name));
    let words = ["cp", "-a", "--reflink=auto", &from.to_string_lossy(), &to.to_string_lossy()];
    words.map(str::to_owned).to_vec()
}

/// On the disk, as what jaula makes is when it says so.
fn copy_synced(roots: &Roots<'_>, name: &str) -> Vec<String> {
    let line = format!("{} && sync -f {}", copy(roots, name).join(" "), roots.top.display());
    ["sh", "-c", &line].map(str::to_owned).to_vec()
}

fn lxc(roots: &Roots<'_>, name: &str, how: &[&str]) -> Vec<String> {
    let (path, base) = (roots.top.join("lxc"), format!("t{}", roots.size));
    let words = ["lxc-copy", "-P", &path.to_string_lossy(), "-n", &base, "-N", name];
    words.iter().chain(how).map(|word| (*word).to_owned()).collect()
}

/// It copies and then starts something, which on hosts without systemd fails.
fn nspawn(roots: &Roots<'_>, name: &str) -> Vec<String> {
    let (from, to) = (roots.tree(), roots.top.join(name));
    let template = format!("--template={}", from.display());
    let to = format!("--directory={}", to.display());
    ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", &template, &to, "/bin/true"]
        .map(str::to_owned)
        .to_vec()
}

fn measure(ground: &Ground) -> Result {
    let jaula = ground.jaula.as_deref().ok_or("there is no jaula to measure")?.display().to_string();
    let directory = ground.fresh("store")?;
    let mut table = String::from("| | on |");
    SIZES.iter().try_for_each(|size| write!(table, " {size} MiB, ms | KiB more | first, ms |"))?;
    table.push_str("\n| --- | --- |");
    SIZES.iter().for_each(|_| table.push_str(" ---: | ---: | ---: |"));
    table.push('\n');
    let tops = ["ext4", "btrfs"].map(|kind| peers::file_system(&directory, kind));
    let mut figures = Vec::new();
    let mut rows: Vec<String> = WAYS.iter().map(|way| format!("| {} | {} |", way.name, way.place)).collect();
    for size in SIZES {
        for top in &tops {
            make_root(top.as_ref().map_err(ToString::to_string)?, *size)?;
        }
        for (way, row) in WAYS.iter().zip(&mut rows) {
            let top = tops[usize::from(way.place == "btrfs")].as_ref().map_err(ToString::to_string)?;
            let roots = Roots { jaula: &jaula, top, size: *size };
            match one(way, &roots)? {
                Some((times, room, first)) => {
                    write!(row, " {:.1} | {room} | {first:.0} |", times.median())?;
                    figures.push(serde_json::json!({ "name": way.name, "on": way.place, "mib": size,
                        "median_ms": times.median(), "kib": room, "first_ms": first, "runs": times.count() }));
                }
                None => row.push_str(" – | – | – |"),
            }
            println!("bench: {row}");
        }
    }
    rows.iter().try_for_each(|row| writeln!(table, "{row}"))?;
    report::write_json("store", &figures.into())?;
    let text = format!(
        "One more virtual server from a root of files of 32 KiB each, all in the page cache; medians of {RUNS},\n\
         and how much more of its file system is used afterwards. `jaula build` writes the configuration as well and\n\
         returns when the disk has all of it; cp, lxc-copy and systemd-nspawn do not, so that cp is measured with\n\
         `sync -f` behind it, too. The first of all is no part of the medians: on btrfs jaula then makes the base that\n\
         all others share, as the root is a plain directory, and no subvolume as a template that jaula imports is.\n\
         systemd-nspawn starts a program in its\n\
         copy, which fails on a host without systemd; the time is that of both. A dash: it does not run here.\n\n{table}"
    );
    report::write_section("store", "Stores", &text)?;
    drop(fs::remove_dir_all(&directory));
    Ok(())
}

/// Times and room of one way, and the time of the first of all; `None` if it does not work here.
fn one(way: &Way, roots: &Roots<'_>) -> Result<Option<(Times, i64, f64)>> {
    let (mut times, mut room, mut first) = (Vec::new(), 0, 0.0);
    for turn in 0..=RUNS {
        let name = format!("n{turn}");
        let words = (way.words)(roots, &name);
        if !has(words[0].rsplit('/').next().unwrap_or_default()) && !Path::new(&words[0]).is_file() {
            return Ok(None);
        }
        let before = used(roots.top)?;
        let begun = Instant::now();
        let done = output(command(&words).env("JAULA_ROOT", roots.top));
        let taken = begun.elapsed().as_secs_f64() * 1000.0;
        if let Err(error) = done
            && !(way.fails_later && roots.top.join(&name).join("d0").is_dir())
        {
            println!("bench: {}: {error}", way.name);
            return Ok(None);
        }
        let after = used(roots.top)?;
        if way.makes.starts_with("var") {
            run(command(&[roots.jaula, "delete", "--quiet", "--yes", &name]).env("JAULA_ROOT", roots.top))?;
        } else {
            let made = roots.top.join(way.makes).join(&name);
            // What is made may be a subvolume.
            if output(&mut command(&["btrfs", "subvolume", "delete", &made.to_string_lossy()])).is_err() {
                fs::remove_dir_all(made)?;
            }
        }
        // The first fills the page cache, and makes what others are made of.
        if turn > 0 {
            times.push(taken);
            room = after - before;
        } else {
            first = taken;
        }
    }
    Ok(Some((Times::new(times), room, first)))
}

/// KiB in use of a file system, when all is written.
fn used(top: &Path) -> Result<i64> {
    run(command(&["sync", "-f"]).arg(top))?;
    let said = output(command(&["df", "--output=used", "-k"]).arg(top))?;
    Ok(said.lines().last().unwrap_or_default().trim().parse()?)
}

/// A template, and a container of LXC's with the same files.
fn make_root(top: &Path, size: usize) -> Result {
    let template = top.join(format!("var/lib/jaula/templates/t{size}"));
    let tree = template.join("tree");
    for directory in ["etc", "dev", "proc", "sys", "run", "tmp", "usr"] {
        fs::create_dir_all(tree.join(directory))?;
    }
    fs::write(tree.join("etc/os-release"), "ID=bench\nVERSION_ID=1\n")?;
    fs::write(tree.join("usr/os-release"), "ID=bench\nVERSION_ID=1\n")?;
    let mut content = vec![0u8; FILE];
    for n in 0..size * (1 << 20) / FILE {
        let directory = tree.join(format!("d{}", n / 100));
        if n % 100 == 0 {
            fs::create_dir(&directory)?;
        }
        // No two alike, and not to be compressed.
        let mut state = n as u64 + 1;
        for word in content.chunks_mut(8) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            word.copy_from_slice(&state.to_le_bytes());
        }
        fs::write(directory.join(format!("f{n}")), &content)?;
    }
    fs::write(
        template.join("template.toml"),
        format!(
            "origin = \"dir:/bench\"\narchitecture = \"{}\"\ndistribution = \"bench\"\nversion = \"1\"\nsize = {}\n",
            std::env::consts::ARCH,
            size << 20
        ),
    )?;
    let base = top.join(format!("lxc/t{size}"));
    fs::create_dir_all(&base)?;
    fs::write(
        base.join("config"),
        format!("lxc.rootfs.path = dir:{}/rootfs\nlxc.uts.name = t{size}\n", base.display()),
    )?;
    run(command(&["cp", "-a", "--reflink=auto"]).arg(tree).arg(base.join("rootfs")))
}
