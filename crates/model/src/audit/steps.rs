//! The cheapest next steps: which single line lowers the score most.

use super::checks::Fix;
use super::{Jail, Report};
use crate::config::{Config, Setting, edit};
use std::collections::BTreeMap;

/// One line, and what it brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Settings, as `jaula set` takes them.
    pub settings: Vec<String>,
    /// What must be true of the program for it.
    pub when: &'static str,
    /// By how much the score falls, in hundredths.
    pub gain: u32,
}

/// All settings that findings name, by what each brings, the best first. What a step brings is
/// found by trying it: one line may settle several findings, or open another.
pub fn steps(jail: &Jail<'_>, report: &Report) -> Vec<Step> {
    let mut fixes: BTreeMap<&[String], &'static str> = BTreeMap::new();
    for (_, finding) in &report.findings {
        if let Fix::Set { settings, when } = &finding.fix {
            fixes.insert(settings, when);
        }
    }
    let before = hundredths(report);
    let mut steps: Vec<Step> = fixes
        .into_iter()
        .filter_map(|(settings, when)| {
            let after = hundredths(&with(jail, settings)?);
            let gain = before.checked_sub(after).filter(|gain| *gain > 0)?;
            Some(Step { settings: settings.to_vec(), when, gain })
        })
        .collect();
    steps.sort_by(|a, b| (b.gain, &a.settings).cmp(&(a.gain, &b.settings)));
    steps
}

/// The report with these settings; none if they do not go with the configuration.
pub(super) fn with(jail: &Jail<'_>, settings: &[String]) -> Option<Report> {
    let parsed: Vec<Setting> = settings.iter().map(|text| text.parse()).collect::<Result<_, _>>().ok()?;
    let config = Config::parse(&edit::apply(&jail.config.to_text(), &parsed).ok()?).ok()?;
    let user = match config.boot.user == jail.config.boot.user {
        true => jail.user,
        // Any other than root's is as good.
        false => config.boot.user.as_deref().map_or(0, |user| user.parse().unwrap_or(1)),
    };
    let changed = Jail {
        user,
        privileged: jail.privileged,
        // It is not known, and whoever adds a list wants it enforced.
        decides_ports: jail.privileged,
        ..Jail::new(&config, jail.arch, jail.tree).ok()?
    };
    Some(changed.report())
}

/// The whole, in hundredths of a point, not rounded up.
fn hundredths(report: &Report) -> u32 {
    let all: u32 = report.findings.iter().map(|(check, _)| check.weight).sum();
    let bad: u32 =
        report.findings.iter().map(|(check, f)| (f.badness * check.weight).div_ceil(check.range)).sum();
    u32::try_from(u64::from(bad) * 1000 / u64::from(all.max(1))).unwrap_or(u32::MAX)
}
