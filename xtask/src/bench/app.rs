//! nginx as an app jail: from nothing to running by each `root.method`, and what ten of them take of disk
//! and memory beside ten Debian roots.

use super::{Ground, empty, report};
use crate::shell::{Result, command, output};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

const METHODS: [&str; 3] = ["bind", "copy", "link"];
/// How often each start is measured.
const ROUNDS: usize = 20;
/// How often a trace is measured.
const TRACES: usize = 5;
/// How long a trace waits for something new when its program is ready, in milliseconds.
const QUIET: u32 = 1000;
/// How many jails share a host.
const TEN: usize = 10;
/// How many files the large jail has beside its program.
const MANY: usize = 3000;

const CONF: &str = "user www-data;\ndaemon off;\npid /run/nginx.pid;\nerror_log stderr;\nevents {}\nhttp {\n\
    access_log off;\nclient_body_temp_path /run/b;\nproxy_temp_path /run/p;\nfastcgi_temp_path /run/f;\n\
    uwsgi_temp_path /run/u;\nscgi_temp_path /run/s;\nserver { listen 127.0.0.1:8080; }\n}\n";

/// A `JAULA_ROOT` on the disk that the host's files are on, as hard links want it.
struct House {
    jaula: PathBuf,
    root: PathBuf,
    conf: String,
}

impl House {
    /// Runs jaula; gives the time in milliseconds.
    fn jaula(&self, words: &[&str]) -> Result<f64> {
        let begun = Instant::now();
        output(command(&[&self.jaula]).env("JAULA_ROOT", &self.root).args(words))?;
        Ok(begun.elapsed().as_secs_f64() * 1000.0)
    }

    fn create(&self, name: &str, method: &str) -> Result<f64> {
        let method = format!("root.method={method}");
        let words = ["create", name, "--app", "/usr/sbin/nginx", "--file", &self.conf, "--set", &method];
        self.jaula(
            &[&words[..], &["--set", "root.users=www-data", "--", "nginx", "-e", "stderr", "-c", &self.conf]]
                .concat(),
        )
    }

    fn delete_all(&self) -> Result {
        self.jaula(&["delete", "--all", "--force", "--yes"]).map(drop)
    }

    fn files(&self, name: &str) -> PathBuf {
        self.root.join("var/lib/jaula/jails").join(name).join("files")
    }
}

pub(super) fn app(ground: &Ground) -> Result {
    let jaula = ground.jaula.clone().ok_or("bench app needs a jaula that starts jails")?;
    let root = ground.fresh("app")?;
    let conf = root.join("nginx.conf");
    fs::write(&conf, CONF)?;
    let house = House { jaula, conf: conf.display().to_string(), root: empty(root.join("house"))? };
    let measured = measure(&house, &root);
    if measured.is_err() {
        // Jails must not outlive a failed benchmark.
        _ = house.delete_all();
    }
    measured
}

fn measure(house: &House, root: &Path) -> Result {
    let mut text = format!(
        "nginx of the host with its 40 or so files. *From nothing* is `create` and `start`; *start* is one more of the same jail; \
         the large jail is busybox with {MANY} files of one page each beside it, listed one by one. Medians of {ROUNDS}, in milliseconds.\n\n\
         | method | create | start | from nothing | start, {MANY} files |\n| --- | ---: | ---: | ---: | ---: |\n"
    );
    let mut figures = Vec::new();
    for method in METHODS {
        let [create, first, start] = times(house, method)?;
        let large = large(house, root, method)?;
        let both = create + first;
        writeln!(text, "| {method} | {create:.1} | {start:.1} | {both:.1} | {large:.1} |")?;
        figures.push(serde_json::json!({
            "method": method, "create_ms": create, "start_ms": start, "from_nothing_ms": both, "start_many_ms": large,
        }));
        println!(
            "bench: {method}: from nothing {both:.1} ms, start {start:.1} ms, with {MANY} files {large:.1} ms"
        );
    }
    let (recipe, traced) = (from_recipe(house, root)?, from_trace(house)?);
    write!(
        text,
        "\nFrom nothing to running nginx by one recipe (`up` of a jaula.toml): {recipe:.0} ms. By a trace (`create --trace \
         --until-ready`, then `start`): {traced:.0} ms, of which {QUIET} ms are the time in which nothing new may be seen. \
         Medians of {ROUNDS} and {TRACES}.\n"
    )?;
    figures.push(serde_json::json!({ "recipe_ms": recipe, "traced_ms": traced }));
    write!(
        text,
        "\nTen nginx jails that run, started with an empty page cache: what they take of the disk that the host's own files do not \
         (blocks of files with one name, and of directories), and how much of their files is in the page cache, each inode counted \
         once (`fincore`). The Debian roots are `dir:` jails of one made by mmdebstrap (minbase, nginx), each with a copy of its own.\n\n\
         | ten of | disk MiB | page cache MiB | of which also the host's |\n| --- | ---: | ---: | ---: |\n"
    )?;
    for method in METHODS {
        let (disk, cache) = ten_apps(house, method)?;
        let shared = if method == "copy" { 0.0 } else { cache };
        writeln!(text, "| app, {method} | {disk:.1} | {cache:.1} | {shared:.1} |")?;
        figures.push(serde_json::json!({ "ten": method, "disk_mib": disk, "page_cache_mib": cache }));
    }
    let (disk, cache) = ten_roots(house, root)?;
    writeln!(text, "| Debian roots | {disk:.1} | {cache:.1} | 0.0 |")?;
    figures.push(serde_json::json!({ "ten": "roots", "disk_mib": disk, "page_cache_mib": cache }));
    report::write_json("app", &figures.into())?;
    report::write_section("app", "App jails", &text)
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Create, first start, and one more start.
fn times(house: &House, method: &str) -> Result<[f64; 3]> {
    let mut all = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        let create = house.create("web", method)?;
        let first = house.jaula(&["start", "web"])?;
        house.jaula(&["stop", "web"])?;
        let again = house.jaula(&["start", "web"])?;
        house.delete_all()?;
        for (all, one) in all.iter_mut().zip([create, first, again]) {
            all.push(one);
        }
    }
    Ok(all.map(median))
}

/// From nothing to running by a `jaula.toml`.
fn from_recipe(house: &House, root: &Path) -> Result<f64> {
    let directory = root.join("recipe");
    fs::create_dir_all(&directory)?;
    let text = format!(
        "[jails.web.root]\nfrom = \"app:/usr/sbin/nginx\"\nfiles = [{0:?}]\nusers = [\"www-data\"]\n\n\
         [jails.web.boot]\ncommand = [\"nginx\", \"-e\", \"stderr\", \"-c\", {0:?}]\n",
        house.conf
    );
    fs::write(directory.join("jaula.toml"), text)?;
    let directory = directory.display().to_string();
    let mut all = Vec::new();
    for _ in 0..ROUNDS {
        all.push(house.jaula(&["up", &directory])?);
        house.delete_all()?;
    }
    Ok(median(all))
}

/// From nothing to running by watching what nginx does until it listens.
fn from_trace(house: &House) -> Result<f64> {
    let arguments = format!("-e stderr -c {}", house.conf);
    let mut all = Vec::new();
    for _ in 0..TRACES {
        let words =
            ["create", "web", "--app", "/usr/sbin/nginx", "--trace", &arguments, "--until-ready", "--yes"];
        // What lies in a temporary directory is only named by a trace.
        let created = house.jaula(&[&words[..], &["--file", &house.conf]].concat())?;
        all.push(created + house.jaula(&["start", "web"])?);
        house.delete_all()?;
    }
    Ok(median(all))
}

/// The start of a jail with many files.
fn large(house: &House, root: &Path, method: &str) -> Result<f64> {
    let directory = root.join("many");
    fs::create_dir_all(&directory)?;
    let mut files = Vec::with_capacity(MANY);
    for n in 0..MANY {
        let file = directory.join(n.to_string());
        fs::write(&file, [b'x'; 4096])?;
        files.push(file);
    }
    let config = house.root.join("etc/jaula/jails/large.toml");
    fs::create_dir_all(config.parent().unwrap_or(root))?;
    let busybox = "/usr/bin/busybox";
    fs::write(
        &config,
        format!(
            "[root]\nfrom = \"app:{busybox}\"\nmethod = \"{method}\"\nfiles = {files:?}\n[boot]\ncommand = [\"{busybox}\", \"sleep\", \"1000\"]\nstop_timeout = \"0s\"\n"
        ),
    )?;
    house.jaula(&["refresh", "large"])?;
    let mut all = Vec::new();
    for _ in 0..ROUNDS {
        all.push(house.jaula(&["start", "large"])?);
        house.jaula(&["stop", "large"])?;
    }
    house.delete_all()?;
    Ok(median(all))
}

fn ten_apps(house: &House, method: &str) -> Result<(f64, f64)> {
    let names: Vec<String> = (0..TEN).map(|n| format!("web{n}")).collect();
    for name in &names {
        house.create(name, method)?;
    }
    let mut files = Vec::new();
    for name in &names {
        let manifest: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(house.files(name).join("manifest.json"))?)?;
        for (path, item) in manifest["items"].as_object().into_iter().flatten() {
            let own = house.files(name).join("root").join(path.trim_start_matches('/'));
            let source = item["source"].as_str().map(PathBuf::from);
            files.extend(if method == "bind" { source } else { Some(own) });
        }
    }
    let disk = disk(&house.root)?;
    let cache = running(house, &files)?;
    Ok((disk, cache))
}

fn ten_roots(house: &House, root: &Path) -> Result<(f64, f64)> {
    let debian = root.join("debian");
    output(
        command(&["mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", "--include=nginx", "trixie"])
            .arg(&debian),
    )?;
    let mut files = Vec::new();
    for n in 0..TEN {
        let own = root.join(format!("debian{n}"));
        output(command(&["cp", "-a"]).arg(&debian).arg(&own))?;
        let list = output(command(&["find"]).arg(&own).args(["-xdev", "-type", "f"]))?;
        files.extend(list.lines().map(PathBuf::from));
        let (from, mount) =
            (format!("dir:{}", own.display()), format!("{}:/etc/nginx/nginx.conf", house.conf));
        house.jaula(&[
            "create",
            &format!("web{n}"),
            "--root",
            &from,
            "--mount",
            &mount,
            "--",
            "nginx",
            "-e",
            "stderr",
        ])?;
    }
    let disk: f64 = (0..TEN).map(|n| disk(&root.join(format!("debian{n}")))).sum::<Result<f64>>()?;
    let cache = running(house, &files)?;
    for n in 0..TEN {
        fs::remove_dir_all(root.join(format!("debian{n}")))?;
    }
    fs::remove_dir_all(debian)?;
    Ok((disk, cache))
}

/// MiB of a tree that no other tree has as well.
fn disk(tree: &Path) -> Result<f64> {
    let own = ["(", "-type", "d", "-o", "-links", "1", ")", "-printf", "%b\n"];
    let blocks = output(command(&["find"]).arg(tree).args(own))?;
    Ok(blocks.lines().filter_map(|n| n.parse::<f64>().ok()).sum::<f64>() * 512.0 / f64::from(1 << 20))
}

/// Starts all with an empty page cache; MiB of these files that are in it then.
fn running(house: &House, files: &[PathBuf]) -> Result<f64> {
    output(&mut command(&["sync"]))?;
    fs::write("/proc/sys/vm/drop_caches", "1")?;
    house.jaula(&["start", "--all"])?;
    let mut inodes = BTreeMap::new();
    for file in files {
        if let Ok(found) = fs::symlink_metadata(file)
            && found.is_file()
        {
            inodes.insert((found.dev(), found.ino()), file);
        }
    }
    let inodes: Vec<&PathBuf> = inodes.into_values().collect();
    let mut bytes = 0.0;
    for some in inodes.chunks(500) {
        let told = output(command(&["fincore", "--bytes", "--noheadings", "--output", "RES"]).args(some))?;
        bytes += told.lines().filter_map(|n| n.trim().parse::<f64>().ok()).sum::<f64>();
    }
    house.delete_all()?;
    Ok(bytes / f64::from(1 << 20))
}
