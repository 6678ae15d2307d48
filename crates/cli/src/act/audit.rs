//! `audit`

use crate::act::{printed, selected};
use crate::command::{Audit as Given, Selection, When};
use crate::exit;
use crate::exit::ExitCode;
use crate::output::style::Style;
use crate::output::table::{Mark, Side, Table};
use crate::output::text::harmless;
use crate::output::{print_json, print_text};
use jaula::Result;
use jaula::house::House;
use jaula::ops::audit::{Audit, Checked, audit as look};
use std::fmt::Write;
use std::io::{self, IsTerminal};

/// How many of the next steps are told.
const STEPS: usize = 3;

/// `jaula audit`
pub(crate) fn audit(given: &Given, color: When) -> Result<ExitCode> {
    let house = House::from_environment();
    let names = selected(&house, &given.jails)?;
    let audits: Vec<Audit> = names.iter().map(|name| look(&house, name)).collect::<Result<_>>()?;
    let style = Style::of(color, &io::stdout());
    if given.json {
        printed(print_json(&audits))?;
    } else {
        match (&audits[..], &given.jails) {
            ([one], Selection::Named(_)) => details(one, given.full, style)?,
            _ => summary(&audits, style)?,
        };
    }
    let above = audits.iter().any(|audit| given.threshold.is_some_and(|most| audit.score.0 > most));
    Ok(ExitCode::from(if above { exit::FAILED } else { 0 }))
}

fn mark(score: u32) -> Mark {
    match score {
        75.. => Style::red,
        50.. => Style::yellow,
        _ => Style::green,
    }
}

/// A line for each.
fn summary(audits: &[Audit], style: Style) -> Result<ExitCode> {
    let mut table = Table::new(&[
        ("NAME", Side::Left),
        ("SCORE", Side::Right),
        ("", Side::Left),
        ("FILES", Side::Right),
        ("BYTES", Side::Right),
        ("CAPABILITIES", Side::Right),
        ("CALLS", Side::Right),
    ]);
    for audit in audits {
        table.row([
            audit.name.as_str(),
            &audit.score.to_string(),
            audit.word,
            &audit.files.to_string(),
            &bytes(audit.bytes),
            &audit.capabilities.len().to_string(),
            &audit.system_calls.to_string(),
        ]);
        table.mark(1, mark(audit.score.0));
    }
    printed(table.print(style))
}

/// All about one.
fn details(audit: &Audit, full: bool, style: Style) -> Result<ExitCode> {
    let marks = if plain() { ["ok", "x"] } else { ["✓", "✗"] };
    let mut checks: Vec<&Checked> = audit.checks.iter().filter(|check| full || !check.holds).collect();
    checks.sort_by_key(|check| std::cmp::Reverse(check.share));
    let headings = [("", Side::Left), ("CHECK", Side::Left), ("SCORE", Side::Right), ("FOUND", Side::Left)];
    let mut table = Table::new(&headings);
    for check in &checks {
        let exposure = if check.holds { String::new() } else { check.exposure.to_string() };
        table.row([marks[usize::from(!check.holds)], check.name, &exposure, &check.found]);
        table.mark(0, if check.holds { Style::green } else { Style::red });
    }
    printed(table.print(style))?;

    let mut out = String::new();
    if full {
        out.push_str("\nlowered by\n");
        for check in checks.iter().filter(|check| !check.holds) {
            let lower = check.lower.as_deref().unwrap_or("nothing that jaula has");
            let _ = writeln!(out, "  {:22} {}", check.name, harmless(lower));
        }
    } else {
        let holds = audit.checks.len() - checks.len();
        let _ = writeln!(out, "{holds} other checks hold; --full lists them, and what lowers each of these");
    }
    if !audit.steps.is_empty() {
        out.push_str("\ncheapest next steps\n");
        for step in audit.steps.iter().take(STEPS) {
            let gain = format!("-{}.{:02}", step.hundredths / 100, step.hundredths % 100);
            let _ = writeln!(out, "  {gain}  {}  # {}", style.bold(&harmless(&step.command)), step.when);
        }
    }
    if audit.unseen > 0 {
        let _ = writeln!(out, "\n{} directories could not be looked at", audit.unseen);
    }
    let _ = writeln!(
        out,
        "\n{} files of {}, {} capabilities, {} of {} system calls; {}",
        audit.files,
        bytes(audit.bytes),
        audit.capabilities.len(),
        audit.system_calls,
        audit.known_system_calls,
        if audit.running { "as it runs" } else { "as its next start would make it" },
    );
    let score = mark(audit.score.0)(style, &format!("{} {}", audit.score, audit.word));
    let _ = writeln!(out, "score of {}: {score}", audit.name);
    printed(print_text(&out))
}

/// Must the output do without signs beyond ASCII?
fn plain() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let utf8 = locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    });
    !utf8 || !io::stdout().is_terminal()
}

/// So many bytes, with three digits.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut tenths = u128::from(count) * 10;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    match unit {
        0 => format!("{count} B"),
        _ if tenths >= 1000 => format!("{} {}", tenths / 10, UNITS[unit]),
        _ => format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_short() {
        for (count, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (200 << 20, "200 MiB"),
            (u64::MAX, "16777215 TiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }
}
