//! `docs/how-a-jail-starts.md` shows the plan of the jail whose configuration it begins with.
//! Here the plan is made from that configuration, for a host that is written down below, and
//! compared with the page: neither can change without the other.

use super::text;
use model::config::Config;
use model::confinement::Confinement;
use model::facts::{Cgroups, Facts};
use model::plan::{First, Jail, Stream, plan};
use model::seccomp::Arch;
use std::fs;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/how-a-jail-starts.md");

/// What a first process that is root gets.
const ENVIRONMENT: [&str; 7] = [
    "HOME=/root",
    "LOGNAME=root",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "SHELL=/bin/sh",
    "TERM=xterm",
    "USER=root",
    "container=jaula",
];

/// Set to write the page anew instead (`cargo xtask docs` does).
const RENEW: &str = "JAULA_DOCS_RENEW";

/// A host with control groups of version 2.
fn host() -> Facts {
    Facts {
        user: 0,
        group: 0,
        last_capability: 40,
        landlock: 0,
        decides_ports: false,
        cgroups: Cgroups { unified: Some("/sys/fs/cgroup".into()), ..Cgroups::default() },
        run: "/run/jaula".into(),
        lib: "/var/lib/jaula/jails".into(),
        house: String::new(),
        machine: String::new(),
        answers: Vec::new(),
    }
}

/// The plan of the page's jail, as `jaula plan` prints it.
fn printed(config: &str) -> String {
    let config = Config::parse(config).unwrap();
    let confinement = Confinement::of(&config, Arch::X86_64).unwrap();
    let first = First {
        programs: vec![config.boot.command[0].clone().into()],
        arguments: config.boot.command.iter().map(Into::into).collect(),
        environment: ENVIRONMENT.map(Into::into).to_vec(),
        directory: config.boot.directory.clone(),
        streams: [Stream::Terminal; 3],
        ..First::default()
    };
    text(&plan(&Jail {
        name: &"www".parse().unwrap(),
        id: config.id.unwrap(),
        config: &config,
        facts: &host(),
        confinement: &confinement,
        first: &first,
        app: &[],
        taken: None,
        stored: None,
        guest: &[],
        writable: &[],
        files: &[],
        notify: None,
        boot: model::boot::Kind::Command,
        init: None,
        passing: false,
        traced: None,
    }))
}

/// Of more than three lines that differ in numbers only, the first and the last one.
fn shortened(plan: &str) -> Vec<String> {
    let shape =
        |line: &str| line.split('#').next().unwrap_or_default().replace(|c: char| c.is_ascii_digit(), "");
    let lines: Vec<&str> = plan.lines().map(str::trim_end).collect();
    let runs = lines.chunk_by(|a, b| shape(a).trim_end() == shape(b).trim_end());
    runs.flat_map(|run| match run {
        [first, _, .., _, last] => vec![(*first).to_owned(), "    …".to_owned(), (*last).to_owned()],
        few => few.iter().map(|line| (*line).to_owned()).collect(),
    })
    .collect()
}

/// What a line is known by, when calls change: its reason.
fn anchor(line: &str) -> &str {
    line.split_once("  # ").map_or(line, |(_, why)| why).trim()
}

/// The page with its blocks of `plan` filled anew. Each begins where its first line's reason
/// stands in the plan.
fn renewed(page: &str) -> Result<String, String> {
    const OPEN: &str = "```plan\n";
    let config = page.split_once("```toml\n").and_then(|(_, rest)| rest.split_once("```"));
    let lines = shortened(&printed(config.ok_or("the page has no configuration")?.0));
    let mut parts = page.split(OPEN);
    let mut out = parts.next().unwrap_or_default().to_owned();
    let blocks: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once("```")).collect();
    let mut begins = Vec::new();
    for (block, _) in &blocks {
        let wanted = anchor(block.lines().next().unwrap_or_default());
        let from = begins.last().map_or(0, |last| last + 1);
        let found = lines.iter().skip(from).position(|line| anchor(line) == wanted);
        begins.push(from + found.ok_or_else(|| format!("no step of the plan says {wanted:?} any more"))?);
    }
    if begins.first() != Some(&0) {
        return Err("the first block must begin with the plan's first line".to_owned());
    }
    begins.push(lines.len());
    for ((_, after), range) in blocks.iter().zip(begins.windows(2)) {
        out += &format!("{OPEN}{}\n```{after}", lines[range[0]..range[1]].join("\n"));
    }
    Ok(out)
}

#[test]
fn the_page_shows_the_plan() {
    let page = fs::read_to_string(PAGE).unwrap();
    let renewed = renewed(&page).unwrap_or_else(|why| panic!("docs/how-a-jail-starts.md: {why}"));
    if std::env::var_os(RENEW).is_some() {
        fs::write(PAGE, renewed).unwrap();
    } else {
        assert!(page == renewed, "docs/how-a-jail-starts.md shows another plan: cargo xtask docs renews it");
    }
}
