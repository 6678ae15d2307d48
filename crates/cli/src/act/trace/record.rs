//! `trace --json`: what the program did, and what it needs.

use jaula::ops::review::Reviewed;
use jaula::ops::trace::Traced;
use model::trace::{Entry, Peer, Port, Touched};
use serde::Serialize;

/// What `--json` prints.
#[derive(Serialize)]
pub(super) struct Data<'a> {
    files: Vec<File<'a>>,
    listens: Vec<String>,
    peers: Vec<Other>,
    users: Vec<u32>,
    groups: Vec<u32>,
    calls: Vec<&'a str>,
    calls_whole: bool,
    capabilities: Vec<&'static str>,
    capabilities_whole: bool,
    refused: Vec<&'static str>,
    status: i32,
    ready: bool,
    program: std::borrow::Cow<'a, str>,
    user: Option<User<'a>>,
    entries: Vec<Needed<'a>>,
    left_out: Vec<LeftOut<'a>>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct User<'a> {
    name: &'a str,
    reason: &'a str,
}

#[derive(Serialize)]
struct Needed<'a> {
    group: &'static str,
    key: &'static str,
    value: &'a str,
    reason: &'a str,
    taken: bool,
}

impl<'a> Needed<'a> {
    fn of(entry: &'a Entry) -> Self {
        let Entry { group, value, reason, taken } = entry;
        Self { group: group.name(), key: group.key(), value, reason, taken: *taken }
    }
}

#[derive(Serialize)]
struct LeftOut<'a> {
    path: std::borrow::Cow<'a, str>,
    reason: &'a str,
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
    pub(super) fn of(traced: &'a Traced, reviewed: &'a Reviewed) -> Self {
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
            capabilities_whole: record.capabilities_whole,
            refused: names(record.refused),
            status: traced.exit.code(),
            ready: traced.ready,
            program: reviewed.program.to_string_lossy(),
            user: reviewed.review.user.as_ref().map(|(name, reason)| User { name, reason }),
            entries: reviewed.review.entries.iter().map(Needed::of).collect(),
            left_out: reviewed
                .review
                .left_out
                .iter()
                .map(|out| LeftOut { path: out.path.to_string_lossy(), reason: &out.why })
                .collect(),
            notes: &reviewed.review.notes,
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
