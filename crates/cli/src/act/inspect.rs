//! `list`, `status` and the names for completions.

use crate::act::audit::bytes;
use crate::act::{printed, selected, words};
use crate::command::{List, Selection, Status, When};
use crate::exit;
use crate::exit::ExitCode;
use crate::output::style::Style;
use crate::output::table::{Mark, Side, Table};
use crate::output::text::harmless;
use crate::output::{print_json, print_text};
use jaula::house::House;
use jaula::ops::list::{Condition, Summary};
use jaula::ops::status::Traffic;
use jaula::ops::{list, status};
use jaula::rootfs::store::Usage;
use jaula::{Result, registry, state};
use model::time::Elapsed;
use std::fmt::Write;
use std::io;

/// `jaula list`
pub(crate) fn list(given: List, color: When) -> Result<ExitCode> {
    let house = House::from_environment();
    let names = selected(&house, &given.jails)?;
    if given.names_only && !given.json {
        return lines(names.iter().map(ToString::to_string));
    }
    let jails = list::listed(&house, &names, given.disk)?;
    if given.json {
        return printed(print_json(&jails));
    }
    let disk = given.disk.then_some(("DISK", Side::Right));
    let columns: Vec<(&str, Side)> =
        [("NAME", Side::Left), ("ID", Side::Right), ("STATE", Side::Left), ("UP", Side::Right)]
            .into_iter()
            .chain(disk)
            .chain([("NETWORK", Side::Left), ("ROOT", Side::Left), ("COMMAND", Side::Left)])
            .collect();
    let mut table = Table::new(&columns);
    let now = state::now();
    for list::Listed { summary: jail, disk } in &jails {
        let cells = [
            jail.name.to_string(),
            jail.id.map(|id| id.to_string()).unwrap_or_default(),
            jail.state.to_string(),
            up(jail, now).map(|up| up.to_string()).unwrap_or_default(),
        ];
        let disk = disk.map(|disk| disk.map_or_else(|| "-".to_owned(), room));
        let rest = [
            network(jail),
            jail.root.clone().unwrap_or_default(),
            jail.problem.clone().unwrap_or_else(|| what_runs(jail)),
        ];
        table.row(cells.into_iter().chain(disk).chain(rest));
        table.mark(2, mark(jail.state));
        if jail.problem.is_some() {
            table.mark(columns.len() - 1, Style::red);
        }
    }
    printed(table.print(Style::of(color, &io::stdout())))
}

/// `jaula complete-names`
pub(crate) fn names() -> Result<ExitCode> {
    let names = registry::all(&House::from_environment())?;
    lines(names.iter().map(ToString::to_string))
}

/// `jaula status`
pub(crate) fn status(given: Status, color: When) -> Result<ExitCode> {
    let house = House::from_environment();
    let jails = status::status(&house, &selected(&house, &given.jails)?)?;
    if given.json {
        printed(print_json(&jails))?;
    } else {
        let style = Style::of(color, &io::stdout());
        let now = state::now();
        let all: Vec<String> = jails.iter().map(|jail| in_words(jail, style, now)).collect();
        printed(print_text(&all.join("\n")))?;
    }
    let named = matches!(given.jails, Selection::Named(_));
    let all_run = jails.iter().all(|jail| jail.summary.state.runs());
    Ok(if named && !all_run { ExitCode::from(exit::NO_JAIL) } else { ExitCode::SUCCESS })
}

/// Its command, or its init in brackets.
fn what_runs(jail: &Summary) -> String {
    match jail.init {
        Some(kind) if kind.is_init() => format!("({kind})"),
        _ => words(&jail.command),
    }
}

/// Its address mode and its first address; of others it has, how many.
fn network(jail: &Summary) -> String {
    let mode = jail.network.unwrap_or_default();
    match &*jail.addresses {
        [] => mode.to_owned(),
        [only] => format!("{mode} {only}"),
        [first, others @ ..] => format!("{mode} {first} +{}", others.len()),
    }
}

/// How much room its files take, of how much.
fn room(disk: Usage) -> String {
    match disk.size {
        Some(size) => format!("{} of {}", bytes(disk.used), bytes(size)),
        None => bytes(disk.used),
    }
}

/// How long it has run.
fn up(jail: &Summary, now: u64) -> Option<Elapsed> {
    jail.started.map(|started| Elapsed(now.saturating_sub(started.0)))
}

/// How a state is marked.
fn mark(state: Condition) -> Mark {
    match state {
        Condition::Running => Style::green,
        Condition::Failed => Style::red,
        Condition::Starting | Condition::Stopping | Condition::Waiting => Style::yellow,
        Condition::Stopped => |_, text| text.to_owned(),
    }
}

fn in_words(jail: &status::Status, style: Style, now: u64) -> String {
    let summary = &jail.summary;
    let mut out = String::new();
    let since = match (summary.started, up(summary, now)) {
        (Some(started), Some(up)) => format!(" since {started} ({up})"),
        _ => String::new(),
    };
    let state = mark(summary.state)(style, &summary.state.to_string());
    let _ = writeln!(out, "{} is {state}{since}", style.bold(summary.name.as_str()));
    let mut line = |key: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let _ = writeln!(out, "  {key:9} {}", harmless(&value));
        }
    };
    line("problem", summary.problem.clone().filter(|_| jail.keeper.is_none_or(|keeper| keeper.alive)));
    line(
        "id",
        summary.id.map(|id| match jail.ids {
            Some(range) => format!(
                "{id}; its users and groups 0 to {} are {} to {} on the host",
                range.count - 1,
                range.outside,
                u64::from(range.outside) + u64::from(range.count) - 1
            ),
            None => id.to_string(),
        }),
    );
    line("hostname", jail.hostname.clone());
    line("root", summary.root.clone());
    let addresses: Vec<String> = summary.addresses.iter().map(ToString::to_string).collect();
    line(
        "network",
        summary.network.map(|mode| format!("{mode} {}", addresses.join(", ")).trim_end().to_owned()),
    );
    line("init", summary.init.filter(|kind| kind.is_init()).map(|kind| kind.to_string()));
    line("command", Some(words(&summary.command)));
    line("process", jail.pid.map(|pid| format!("pid {pid} on the host")));
    line(
        "keeper",
        jail.keeper.map(|keeper| match (keeper.alive, summary.passing) {
            (true, true) => format!("pid {}, the jaula run that made it", keeper.pid),
            (true, false) => format!("pid {}", keeper.pid),
            (false, _) => {
                format!("pid {} died; the jail runs on without it", keeper.pid)
            }
        }),
    );
    line("restarts", jail.restarts.filter(|n| *n > 0).map(|n| n.to_string()));
    line("disk", jail.disk.map(room));
    line(
        "traffic",
        jail.traffic.map(|all| {
            let Traffic { received, sent, received_packets, sent_packets } = all;
            let (received, sent) = (bytes(received), bytes(sent));
            format!("got {received} in {received_packets} packets, sent {sent} in {sent_packets}")
        }),
    );
    line("last end", jail.last.as_ref().map(|last| format!("{} at {}", last.how, last.at)));
    line("config", jail.config.as_ref().map(|path| path.display().to_string()));
    line("log", jail.log.as_ref().map(|path| path.display().to_string()));
    out
}

/// Prints lines.
fn lines(all: impl Iterator<Item = String>) -> Result<ExitCode> {
    printed(print_text(&all.map(|line| line + "\n").collect::<String>()))
}
