//! `doctor`

use crate::act::operate::Talk;
use crate::act::printed;
use crate::command::Doctor;
use crate::exit;
use crate::exit::ExitCode;
use crate::output::style::Style;
use crate::output::text::harmless;
use crate::output::{print_json, print_text};
use jaula::Result;
use jaula::house::House;
use jaula::ops::doctor::{Finding, Verdict, doctor, fix};
use std::fmt::Write;
use std::io;

/// `jaula doctor`
pub(crate) fn examine(given: Doctor, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    let found = if given.fix { fix(&house)? } else { doctor(&house) };
    if given.json {
        printed(print_json(&found))?;
    } else {
        let style = Style::of(talk.color, &io::stdout());
        let mut text = String::new();
        let told = |finding: &&Finding| finding.verdict != Verdict::Ok || finding.fixed.is_some();
        for finding in found.iter().filter(|finding| !talk.quiet || told(finding)) {
            let verdict = format!("{:8}", finding.verdict.to_string());
            let verdict = match finding.verdict {
                Verdict::Ok => style.green(&verdict),
                Verdict::Warning => style.yellow(&verdict),
                Verdict::Missing => style.red(&verdict),
            };
            let mend = finding.mend.as_ref().map(|mend| format!("; mend: {mend}")).unwrap_or_default();
            let fixed = finding.fixed.as_ref().map(|fixed| format!("; {fixed}")).unwrap_or_default();
            let _ = writeln!(
                text,
                "{verdict} {}: {}",
                harmless(&finding.what),
                harmless(&format!("{}{mend}{fixed}", finding.why))
            );
        }
        printed(print_text(&text))?;
    }
    let missing = found.iter().any(|finding| finding.verdict == Verdict::Missing);
    Ok(ExitCode::from(if missing { exit::FAILED } else { 0 }))
}
