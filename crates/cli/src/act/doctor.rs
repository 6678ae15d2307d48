//! `doctor`

use crate::act::operate::Talk;
use crate::act::printed;
use crate::command::Json;
use crate::exit;
use crate::exit::ExitCode;
use crate::output::style::Style;
use crate::output::text::harmless;
use crate::output::{print_json, print_text};
use jaula::Result;
use jaula::house::House;
use jaula::ops::doctor::{Verdict, doctor};
use std::fmt::Write;
use std::io;

/// `jaula doctor`
pub(crate) fn examine(json: Json, talk: Talk) -> Result<ExitCode> {
    let found = doctor(&House::from_environment());
    if json.0 {
        printed(print_json(&found))?;
    } else {
        let style = Style::of(talk.color, &io::stdout());
        let mut text = String::new();
        for finding in found.iter().filter(|finding| !talk.quiet || finding.verdict != Verdict::Ok) {
            let verdict = format!("{:8}", finding.verdict.to_string());
            let verdict = match finding.verdict {
                Verdict::Ok => style.green(&verdict),
                Verdict::Warning => style.yellow(&verdict),
                Verdict::Missing => style.red(&verdict),
            };
            let mend = finding.mend.as_ref().map(|mend| format!("; mend: {mend}")).unwrap_or_default();
            let _ = writeln!(
                text,
                "{verdict} {}: {}",
                harmless(&finding.what),
                harmless(&format!("{}{mend}", finding.why))
            );
        }
        printed(print_text(&text))?;
    }
    let missing = found.iter().any(|finding| finding.verdict == Verdict::Missing);
    Ok(ExitCode::from(if missing { exit::FAILED } else { 0 }))
}
