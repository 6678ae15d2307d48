//! `docs/audit.md`, printed from the table of checks.

use super::checks::{self, Check, How};
use std::fmt::Write;

const HEAD: &str = "\
# What `jaula audit` looks at

This page is printed from the table of checks (`crates/model/src/audit/checks.rs`); `cargo xtask docs` renews it.

`jaula audit NAME` takes the jail's configuration as it is in force, and goes through the whole root: that of a jail
that runs through its first process, that of another one as its next start would make it (the files of an app jail,
the tree of `dir:`, the host's root, with what the jail has written over it, and `mounts`). What is in memory (`/run`,
`/tmp`) and what is the kernel's (`/proc`, `/sys`, `/dev`) is not counted as files.

Each check has a *weight* and finds something between nothing and the worst. The score is the weighted mean, from 0.0
to 10.0, rounded up: the arithmetic of `systemd-analyze security`, with its words (from 0.1 SAFE, 1.0 OK, 5.0 MEDIUM,
7.5 EXPOSED, 9.0 UNSAFE, 10.0 DANGEROUS) and, where the check is the same, its weights, so that a jail can be compared
with a service. Checks that every jail passes are there for that reason. A score is no proof: it says how much is left
for whoever gets in, not how easily one gets in.

What differs from systemd:

- Capabilities count only if a process of the jail can come to hold them. When its first process is not root and
  setuid programs gain nothing, these are those that `security.capabilities` adds by name. Those that count are good
  inside the jail only, and count as if they were the host's.
- A call counts as open if it is not refused whatever its arguments.
- What a first process may read and write is found by its user, its groups and `cap_dac_override`, not by trying.

The *cheapest next steps* are found by trying each single line that some check names, and looking how far the score
falls. Whether the program does without what a line takes away is for you to know, or to try.

`--json` has the five figures of a jail: `files`, `bytes`, `capabilities`, `system_calls`, `score`.
`--threshold 3.0` exits with 1 if a score is above it.
";

/// The page.
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    let all: u32 = checks::all().map(|check| check.weight).sum();
    let mut table = |title: &str, of: &dyn Fn(&Check) -> bool| {
        let _ =
            write!(page, "\n## {title}\n\n| check | weight | about | what |\n| --- | ---: | --- | --- |\n");
        for check in checks::all().filter(|check| of(check)) {
            let weight = f64::from(check.weight) * 10.0 / f64::from(all);
            let _ = writeln!(page, "| `{}` | {weight:.2} | {} | {} |", check.name, check.doc, what(check));
        }
    };
    table("Those of systemd", &|check| check.systemd.is_some());
    table("Those of jaula", &|check| check.systemd.is_none());
    page
}

fn what(check: &Check) -> String {
    let list = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match &check.how {
        How::Always(why) => format!("never open: {why}"),
        How::Capabilities(names) => list(names),
        How::Calls(names) => list(names),
        How::Namespace(_) => "`clone`, `clone3`, `unshare`, `setns`".to_owned(),
        How::Families(_) => "`socket`".to_owned(),
        How::Ask(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docs_audit_md_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/audit.md");
        let stands = std::fs::read_to_string(path).unwrap_or_default();
        if std::env::var_os("JAULA_DOCS_RENEW").is_some() {
            std::fs::write(path, reference()).unwrap();
        } else {
            assert!(stands == reference(), "docs/audit.md is not up to date: run `cargo xtask docs`");
        }
    }
}
