//! A review for people.

use crate::act::operate::Talk;
use crate::command::When;
use crate::output::confirm::confirm;
use crate::output::error::warn;
use crate::output::print_text;
use crate::output::style::Style;
use crate::output::table::{Side, Table};
use crate::output::text::harmless;
use jaula::ops::review::{Reviewed, Saved};
use jaula::{Error, Result};
use model::trace::{Entry, Group, Review};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::{self, IsTerminal};

/// Prints a review: what the jail gets, by group, and then what it does not.
pub(super) fn review(reviewed: &Reviewed, explain: bool, color: When) -> io::Result<()> {
    let style = Style::of(color, &io::stdout());
    let review = &reviewed.review;
    let taken: Vec<&Entry> = review.entries.iter().filter(|entry| entry.taken).collect();
    let program = harmless(&reviewed.program.to_string_lossy()).into_owned();
    let linked = match review.linked {
        1 => "1 file".to_owned(),
        n => format!("{n} files"),
    };
    print_text(&match taken.is_empty() {
        true => {
            format!("{} needs nothing but what every jail of it holds ({linked})\n", style.bold(&program))
        }
        false => {
            format!("{} needs, beside what every jail of it holds ({linked}):\n\n", style.bold(&program))
        }
    })?;
    entries(&taken, explain, style)?;
    rest(review, explain, style)
}

/// Says what to do with a review that was only printed.
pub(super) fn hint() -> io::Result<()> {
    print_text("\nWrite it down: jaula trace -o FILE … ; add it to a jail: jaula trace --into NAME …\n")
}

/// Prints what became of a file.
pub(super) fn saved(saved: &Saved, reviewed: &Reviewed, explain: bool, color: When) -> io::Result<()> {
    let style = Style::of(color, &io::stdout());
    let path = harmless(&saved.path.to_string_lossy()).into_owned();
    let taken: Vec<&Entry> = saved.added.iter().filter(|entry| entry.taken).collect();
    let count = match (saved.existed, taken.len()) {
        (true, 0) => "nothing new".to_owned(),
        (true, n) => format!("{} added", counted(n)),
        (false, n) => counted(n),
    };
    let end = if taken.is_empty() { "" } else { ":\n" };
    print_text(&format!("{}: {count}{end}\n", style.bold(&path)))?;
    entries(&taken, explain, style)?;
    let new: Vec<Entry> = saved.added.iter().filter(|entry| !entry.taken).cloned().collect();
    let user = reviewed.review.user.clone().filter(|_| !saved.existed);
    rest(&Review { entries: new, user, ..reviewed.review.clone() }, explain, style)?;
    match saved.existed {
        true => Ok(()),
        false => print_text(&format!("\nA jail of it: jaula create NAME --config {path}\n")),
    }
}

fn counted(entries: usize) -> String {
    if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") }
}

/// A table of what is taken: a row for each group, or with its reason for each entry.
fn entries(entries: &[&Entry], explain: bool, style: Style) -> io::Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut groups: BTreeMap<Group, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        groups.entry(entry.group).or_default().push(entry);
    }
    if explain {
        let mut table = Table::new(&[("FOR", Side::Left), ("WHAT", Side::Left), ("WHY", Side::Left)]);
        for (group, entries) in groups {
            for entry in entries {
                table.row([group.name(), &entry.value, &entry.reason]);
            }
        }
        return table.print(style);
    }
    let mut table = Table::new(&[("FOR", Side::Left), ("", Side::Right), ("WHAT", Side::Left)]);
    for (group, entries) in groups {
        let values: Vec<&str> = entries.iter().filter_map(|entry| in_words(entry)).collect();
        let all = if values.is_empty() { "none".to_owned() } else { values.join(", ") };
        table.row([group.name(), &values.len().to_string(), &all]);
    }
    table.print(style)
}

/// An entry where only what is there counts: no capability but these.
fn in_words(entry: &Entry) -> Option<&str> {
    match entry.group {
        Group::Capabilities | Group::Calls => entry.value.strip_prefix('+'),
        _ => Some(&entry.value),
    }
}

/// What is not taken, whom it runs as, and what to do now.
fn rest(review: &Review, explain: bool, style: Style) -> io::Result<()> {
    let mut text = String::new();
    if let Some((user, why)) = &review.user {
        let _ = writeln!(text, "\n{} {} ({why})", style.bold("It runs as"), style.bold(&harmless(user)));
    }
    for (group, heading, help) in [
        (Group::Secrets, "Not taken, for nobody has named it:", Some("to take one: --file PATH")),
        (
            Group::Sockets,
            "Not reached, for it is a way out of the jail:",
            Some("to let it: mounts in the configuration"),
        ),
        (Group::Changes, "Not changed, for a jail only reads it:", None),
    ] {
        let members: Vec<&Entry> = review.entries.iter().filter(|entry| entry.group == group).collect();
        if members.is_empty() {
            continue;
        }
        let help = help.map(|help| format!("  ({help})")).unwrap_or_default();
        let _ = writeln!(text, "\n{}{help}", style.yellow(heading));
        let widest = members.iter().map(|e| e.value.chars().count()).max().unwrap_or(0).min(48);
        for entry in members {
            let line = format!("{:widest$}  {}", entry.value, entry.reason);
            let _ = writeln!(text, "  {}", harmless(&line));
        }
    }
    if explain && !review.left_out.is_empty() {
        let _ = writeln!(text, "\n{}", style.bold("Left out:"));
        for out in &review.left_out {
            let _ = writeln!(text, "  {}  {}", harmless(&out.path.to_string_lossy()), harmless(&out.why));
        }
    }
    for note in &review.notes {
        let _ = writeln!(text, "\n{} {}", style.bold("note:"), harmless(note));
    }
    print_text(&text)
}

/// Shall a jail be made of it? Where nobody can be asked, yes: without secrets.
pub(super) fn asked(reviewed: &Reviewed, yes: bool, talk: Talk) -> Result<bool> {
    let secrets = reviewed.review.entries.iter().filter(|entry| entry.group == Group::Secrets).count();
    if yes || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        if secrets > 0 && !talk.quiet {
            let them = if secrets == 1 { "a secret is" } else { "secrets are" };
            warn(&format!("{them} not taken; name it to take it: --file PATH"), talk.color);
        }
        return Ok(true);
    }
    print_text("\n").map_err(Error::io("write to", std::path::Path::new("standard output")))?;
    confirm("Make the jail with this?", false).map_err(|e| Error::refused(e.to_string(), e.help()))
}
