//! `refresh` and `outdated`.

use crate::act::operate::{Talk, failed};
use crate::act::{printed, selected};
use crate::command::{Op, Outdated, Refresh, Selection, Setting, Trace, When};
use crate::exit;
use crate::exit::ExitCode;
use crate::output::confirm::confirm;
use crate::output::style::Style;
use crate::output::table::{Side, Table};
use crate::output::text::harmless;
use crate::output::{print_json, print_text};
use jaula::house::House;
use jaula::ops::refresh::{self, Look, Outlook, Standing};
use jaula::{Error, Result, registry};
use model::config::RootSpec;
use model::manifest::Group;
use model::name::Name;
use serde::Serialize;
use std::ffi::OsString;
use std::fmt::Write;
use std::io;

/// So many files of a package are listed; whoever wants all takes JSON.
const LISTED: usize = 8;

/// `jaula outdated`
pub(crate) fn outdated(given: &Outdated, color: When) -> Result<ExitCode> {
    let house = House::from_environment();
    let names = apps(&house, &given.jails)?;
    let mut all = refresh::look(&house, &names, Look::Glance)?;
    all.retain(|one| one.state != Standing::Fresh);
    if given.json {
        printed(print_json(&all))?;
    } else if !all.is_empty() {
        printed(table(&all).print(Style::of(color, &io::stdout())))?;
    }
    Ok(if all.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(exit::FAILED) })
}

fn table(all: &[Outlook]) -> Table {
    let columns = [("NAME", Side::Left), ("STATE", Side::Left), ("FILES", Side::Right), ("WHY", Side::Left)];
    let mut table = Table::new(&columns);
    for one in all {
        let files: usize = one.packages.iter().map(|group| group.files.len()).sum();
        let count = if files == 0 { one.held.len() } else { files };
        let count = if count == 0 { String::new() } else { count.to_string() };
        table.row([one.name.as_str(), &one.state.to_string(), &count, &why(one)]);
        table.mark(1, if one.state == Standing::Broken { Style::red } else { Style::yellow });
    }
    table
}

/// In a line.
fn why(one: &Outlook) -> String {
    if let Some(problem) = &one.problem {
        return problem.clone();
    }
    let mut parts: Vec<String> = one.packages.iter().map(of_package).collect();
    if one.state == Standing::Untaken {
        parts.insert(0, "its files are not taken as its configuration asks for".to_owned());
    } else if parts.is_empty() {
        parts.push("it runs with files that were replaced".to_owned());
    }
    parts.join(", ")
}

/// `libssl3 3.0.15-1 -> 3.0.16-1`
fn of_package(group: &Group) -> String {
    match (&group.package, &group.was, &group.is) {
        (None, ..) => "files of no package".to_owned(),
        (Some(name), Some(was), Some(is)) if was != is => format!("{name} {was} -> {is}"),
        (Some(name), Some(was), None) => format!("{name} {was}, not needed or gone"),
        (Some(name), None, Some(is)) => format!("{name} {is}, new"),
        (Some(name), _, version) => {
            format!("{name} {}", version.as_deref().unwrap_or_default()).trim_end().to_owned()
        }
    }
}

/// The app jails that are meant. Whoever names another jail is told what it is.
fn apps(house: &House, jails: &Selection) -> Result<Vec<Name>> {
    let mut names = selected(house, jails)?;
    if let Selection::Named(words) = jails
        && let Some(other) = names
            .iter()
            .find(|name| words.iter().any(|word| word == name.as_str()) && !refresh::is_app(house, name))
    {
        return Err(Error::refused(
            format!(
                "jail {:?} is no app jail: it has no files that were taken from the host",
                other.as_str()
            ),
            "this is for jails with root.from = \"app:PROGRAM\"",
        ));
    }
    names.retain(|name| refresh::is_app(house, name));
    Ok(names)
}

/// What JSON has of a refreshed jail.
#[derive(Serialize)]
struct Done<'a> {
    #[serde(flatten)]
    outlook: &'a Outlook,
    refreshed: bool,
    restarted: bool,
}

/// `jaula refresh`
pub(crate) fn refresh(given: &Refresh, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    let names = apps(&house, &given.jails)?;
    if given.trace {
        names.iter().try_for_each(|name| trace(&house, name, given, talk))?;
    }
    let all = refresh::look(&house, &names, Look::Whole)?;
    let style = Style::of(talk.color, &io::stdout());
    if !given.json && (!talk.quiet || given.dry_run) {
        let texts: Vec<String> = all.iter().map(|one| in_words(one, style)).collect();
        printed(print_text(&texts.concat()))?;
    }
    if !given.dry_run {
        ask(&all, given)?;
    }
    let mut status = 0;
    let mut done = Vec::with_capacity(all.len());
    for outlook in &all {
        let mut one = Done { outlook, refreshed: false, restarted: false };
        if let Some(problem) = &outlook.problem {
            let error = Error::refused(
                format!("jail {:?} cannot be refreshed: {problem}", outlook.name.as_str()),
                "install what is missing on the host, or change what the jail asks for",
            );
            failed(&error, talk, &mut status);
        } else if !given.dry_run && outlook.state != Standing::Fresh {
            match refresh::refresh(&house, &outlook.name, outlook.wants_restart() && !given.no_restart) {
                Ok(refreshed) => (one.refreshed, one.restarted) = (true, refreshed.restarted),
                Err(error) => failed(&error, talk, &mut status),
            }
        } else if !given.dry_run
            && let Err(error) = refresh::tidy(&house, &outlook.name)
        {
            failed(&error, talk, &mut status);
        }
        done.push(one);
    }
    if given.json {
        printed(print_json(&done))?;
    } else if !talk.quiet && !given.dry_run {
        let line = |one: &Done<'_>| match (one.refreshed, one.restarted) {
            (true, true) => format!("{} is refreshed and started again\n", one.outlook.name),
            (true, false) => format!("{} is refreshed\n", one.outlook.name),
            _ => String::new(),
        };
        printed(print_text(&done.iter().map(line).collect::<String>()))?;
    }
    Ok(ExitCode::from(status))
}

/// Traces the program of a jail as the jail runs it, and adds what it needs to the jail.
fn trace(house: &House, name: &Name, given: &Refresh, talk: Talk) -> Result<()> {
    let config = registry::config(house, name)?;
    let Some(RootSpec::App(program)) = &config.root.from else { return Ok(()) };
    let set = |key: &str, value: String| Setting { key: key.to_owned(), op: Op::Set, value };
    let mut settings = vec![
        set("network.mode", config.network.mode.to_string()),
        set("boot.directory", config.boot.directory.display().to_string()),
    ];
    settings.extend(config.boot.user.clone().map(|user| set("boot.user", user)));
    settings.extend(
        config.environment.iter().map(|(name, value)| set(&format!("environment.{name}"), value.clone())),
    );
    let mut command: Vec<OsString> = config.boot.command.iter().map(OsString::from).collect();
    if command.is_empty() {
        command.push(program.into());
    }
    // What is printed as JSON is one value.
    let talk = Talk { quiet: talk.quiet || given.json, ..talk };
    let into = (!given.dry_run).then(|| name.to_string());
    let trace = Trace {
        settings,
        time: None,
        until_ready: true,
        tty: Some(false),
        output: None,
        into,
        strict: false,
        explain: false,
        json: false,
        command,
    };
    if given.json && given.dry_run {
        let message = "--trace --dry-run prints what the program needs for people";
        return Err(Error::refused(message, "leave --json out, or take jaula trace --json"));
    }
    super::trace::trace(trace, talk).map(drop)
}

/// Asks before jails that run are started again.
fn ask(all: &[Outlook], given: &Refresh) -> Result<()> {
    let names: Vec<&str> =
        all.iter().filter(|one| one.wants_restart()).map(|one| one.name.as_str()).collect();
    if names.is_empty() || given.no_restart {
        return Ok(());
    }
    match confirm(&format!("Refresh, and start {} again?", names.join(", ")), given.yes) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::Refused { message: "nothing was refreshed".to_owned(), help: None }),
        Err(none) => Err(Error::refused(none.to_string(), format!("{}; or --no-restart", none.help()))),
    }
}

fn in_words(one: &Outlook, style: Style) -> String {
    let mut out = String::new();
    let mark = match one.state {
        Standing::Fresh => Style::green,
        Standing::Broken => Style::red,
        Standing::Outdated | Standing::Untaken => Style::yellow,
    };
    let _ = writeln!(out, "{} is {}", style.bold(one.name.as_str()), mark(style, &one.state.to_string()));
    for group in &one.packages {
        let _ = writeln!(out, "  {}", harmless(&of_package(group)));
        for file in group.files.iter().take(LISTED) {
            let _ = writeln!(out, "    {:9} {}", file.change.to_string(), harmless(&file.path));
        }
        if group.files.len() > LISTED {
            let _ = writeln!(out, "    and {} more", group.files.len() - LISTED);
        }
    }
    if let Some(first) = one.held.first() {
        let more =
            if one.held.len() > 1 { format!(" and {} more", one.held.len() - 1) } else { String::new() };
        let _ = writeln!(out, "  its processes have another {}{more}", harmless(first));
    }
    if one.state == Standing::Untaken {
        out.push_str("  its files are not taken as its configuration asks for\n");
    }
    out
}
