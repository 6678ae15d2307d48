//! `trace`

use crate::act::operate::Talk;
use crate::act::{printed, settings};
use crate::command::Trace;
use crate::output::text::harmless;
use crate::output::{print_json, print_text};
use jaula::house::House;
use jaula::ops::trace::{Length, Traced};
use jaula::{Error, Result, ops};
use model::config::Config;
use model::trace::{Peer, Port, Record, Touched};
use serde::Serialize;
use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

/// How long a program may take to be ready.
const READY: Duration = Duration::from_secs(60);

/// `jaula trace`
pub(crate) fn trace(given: Trace, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    let config = Config::from_settings(&settings(&given.settings)).map_err(|p| Error::problems(&p, None))?;
    let time = given.time.map(|time| time.0);
    let length = match (given.until_ready, time) {
        (true, time) => Length::UntilReady(time.unwrap_or(READY)),
        (false, Some(time)) => Length::For(time),
        (false, None) => Length::UntilEnd,
    };
    let trace = ops::trace::Trace { config, command: given.command, length, terminal: given.tty };
    let warn = |text: &str| {
        if !talk.quiet {
            crate::output::error::warn(text, talk.color);
        }
    };
    let traced = ops::trace::trace(&house, &trace, warn)?;
    if given.json {
        printed(print_json(&Data::of(&traced)))
    } else {
        printed(print_text(&text(&traced.record)))
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Data<'a> {
    files: Vec<File<'a>>,
    listens: Vec<String>,
    peers: Vec<Other>,
    users: Vec<u32>,
    groups: Vec<u32>,
    calls: Vec<&'a str>,
    calls_whole: bool,
    capabilities: Vec<&'static str>,
    refused: Vec<&'static str>,
    status: i32,
    ready: bool,
}

#[derive(Serialize)]
struct File<'a> {
    path: String,
    uses: Vec<&'static str>,
    by: std::borrow::Cow<'a, str>,
}

#[derive(Serialize)]
struct Other {
    to: String,
    there: bool,
}

impl<'a> Data<'a> {
    fn of(traced: &'a Traced) -> Self {
        let record = &traced.record;
        let names = |set: model::caps::CapSet| set.iter().map(|cap| cap.name()).collect();
        Self {
            files: record
                .files
                .iter()
                .map(|(path, touched)| File {
                    path: path.to_string_lossy().into_owned(),
                    uses: uses(touched),
                    by: touched.by.to_string_lossy(),
                })
                .collect(),
            listens: record.listens.iter().map(port).collect(),
            peers: record.peers.iter().map(|(to, there)| Other { to: peer(to), there: *there }).collect(),
            users: record.users.iter().copied().collect(),
            groups: record.groups.iter().copied().collect(),
            calls: record.calls.iter().map(String::as_str).collect(),
            calls_whole: record.calls_whole,
            capabilities: names(record.capabilities),
            refused: names(record.refused),
            status: traced.exit.code(),
            ready: traced.ready,
        }
    }
}

fn uses(touched: &Touched) -> Vec<&'static str> {
    let all = [
        (touched.missing, "missing"),
        (touched.directory, "directory"),
        (touched.read, "read"),
        (touched.listed, "listed"),
        (touched.executed, "executed"),
        (touched.mapped, "mapped"),
        (touched.written, "written"),
        (touched.made, "made"),
    ];
    all.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect()
}

fn port(port: &Port) -> String {
    format!("{} {}", if port.tcp { "tcp" } else { "udp" }, port.number)
}

fn peer(to: &Peer) -> String {
    match to {
        Peer::Unix(path) => path.display().to_string(),
        Peer::Other(name) => name.clone(),
        Peer::Inet { address, port: number } => format!("{address} {}", port(number)),
    }
}

/// For people, until there is something better.
fn text(record: &Record) -> String {
    let mut text = String::new();
    for (path, touched) in record.files.iter().filter(|(_, touched)| !touched.missing || touched.made) {
        let words = uses(touched);
        let words = if words.is_empty() { "looked at".to_owned() } else { words.join(" ") };
        let _ = writeln!(text, "{}  {words}", harmless(&path.to_string_lossy()));
    }
    for at in &record.listens {
        let _ = writeln!(text, "listens  {}", port(at));
    }
    for (to, there) in &record.peers {
        let _ = writeln!(
            text,
            "talks to  {}{}",
            harmless(&peer(to)),
            if *there { "" } else { "  (nobody there)" }
        );
    }
    let _ = writeln!(text, "capabilities  {}", record.capabilities);
    text
}
