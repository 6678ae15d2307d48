//! What was measured: `docs/benchmarks.md` for people, `target/bench/*.json` for programs.

use crate::shell::{Result, command, output, target, top};
use std::fs;

const PREFACE: &str =
    "# Benchmarks\n\nWritten by `cargo xtask bench`, each part by one run on one machine.\n";

/// Replaces one benchmark's part of the page, or adds it at the end.
pub(super) fn write_section(name: &str, title: &str, text: &str) -> Result {
    let path = top().join("docs/benchmarks.md");
    let page = fs::read_to_string(&path).unwrap_or_else(|_| PREFACE.to_owned());
    let section = format!("## {title}\n\n{}\n\n{}", machine()?, text.trim());
    fs::create_dir_all(top().join("docs"))?;
    fs::write(&path, with_section(&page, name, &section))?;
    println!("\n{section}\n\nbench: written to {}", path.display());
    Ok(())
}

fn with_section(page: &str, name: &str, section: &str) -> String {
    let (begin, end) = (format!("<!-- begin {name} -->"), format!("<!-- end {name} -->"));
    let whole = format!("{begin}\n{section}\n{end}");
    match (page.find(&begin), page.find(&end)) {
        (Some(from), Some(to)) if from < to => {
            format!("{}{whole}{}", &page[..from], &page[to + end.len()..])
        }
        _ => format!("{}\n\n{whole}\n", page.trim_end()),
    }
}

/// Writes the figures for programs.
pub(super) fn write_json(name: &str, figures: &serde_json::Value) -> Result {
    Ok(fs::write(
        target().join("bench").join(name).with_extension("json"),
        serde_json::to_string_pretty(figures)?,
    )?)
}

/// Where and when: processor, memory, kernel, distribution, date, commit.
fn machine() -> Result<String> {
    let said = |words: &[&str]| output(&mut command(words)).map(|said| said.trim().to_owned());
    let field = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim_matches(|c: char| c.is_whitespace() || c == ':' || c == '=' || c == '"').to_owned()
    };
    let kib: u64 = field("/proc/meminfo", "MemTotal:").trim_end_matches(" kB").parse().unwrap_or(0);
    Ok(format!(
        "{date}, commit {commit}: {processors} × {model}, {memory} GiB, Linux {kernel}, {system}.",
        date = said(&["date", "-u", "+%F"])?,
        commit = said(&["git", "describe", "--always", "--dirty", "--abbrev=9"])?,
        processors = said(&["nproc"])?,
        model = field("/proc/cpuinfo", "model name"),
        memory = kib.div_ceil(1 << 20),
        kernel = said(&["uname", "-r"])?,
        system = field("/etc/os-release", "PRETTY_NAME"),
    ))
}

#[cfg(test)]
mod tests {
    use super::with_section;

    #[test]
    fn a_section_is_added_once_and_then_replaced() {
        let first = with_section("# Top\n", "start", "one");
        assert_eq!(first, "# Top\n\n<!-- begin start -->\none\n<!-- end start -->\n");
        let both = with_section(&first, "exec", "x");
        assert_eq!(with_section(&both, "start", "two"), both.replace("one", "two"));
    }
}
