//! `docs/app-jails.md`: what each jail of `examples/` holds, as `jaula audit` counts it. `cargo xtask docs` renews it.

use jaula_tests::harness::{Machine, Outcome, Test};
use jaula_tests::trials;
use libtest_mimic::Trial;
use serde_json::Value;
use std::fmt::Write;
use std::fs;
use std::path::Path;

pub(crate) fn trials() -> Vec<Trial> {
    trials!("services": privileged [app_jails_md_is_true])
}

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/app-jails.md");

const ABOVE: &str = "\
# App jails of real services

This page is made by `cargo xtask docs` on the Debian 13 of the tests; do not edit. Each jail of each recipe in
[examples](../examples/README.md) is created by `jaula up` and looked at by `jaula audit`. The last line is what the
same services would have over the host's own root with the defaults (`root.from = \"host\"`): a Debian with these
packages and nothing else.

- *Files*, *size*: what can be read or started inside, the jail's own data and logs at their beginning included.
- *Capabilities*: what its processes can come to hold; good inside the jail only.
- *Calls*: system calls that are not refused whatever their arguments.
- *Score*: from 0.0, nothing is open, to 10.0, as [Audit](audit.md) explains. No jail has a way to the host by these
  figures: they say what is left for whoever takes over the service.

| recipe | jail | files | size | capabilities | calls | score |
| --- | --- | ---: | ---: | --- | ---: | ---: |
";

/// One line of the table.
struct Row {
    recipe: String,
    jail: String,
    files: f64,
    bytes: f64,
    /// What does not change with Debian's updates, as it stands in the page.
    fixed: [String; 2],
    score: f64,
}

fn app_jails_md_is_true(t: &Test) -> Outcome {
    let machine = Machine::boot(t)?;
    // What recipes ask for before they are used.
    machine.shell("python3 -m venv --without-pip /srv/examples/python/venv")?;
    machine.shell("sysctl -qw net.ipv4.ip_forward=1")?;
    let mut rows = Vec::new();
    for recipe in recipes()? {
        let directory = format!("/srv/examples/{recipe}");
        // One whose program ends at once, or fails without a network, is there all the same.
        machine.jaula().run(&["up", &directory])?;
        let jails = machine.jaula().json(&["list", "--json"])?;
        let jails: Vec<&str> =
            jails.as_array().into_iter().flatten().filter_map(|jail| jail["name"].as_str()).collect();
        if jails.is_empty() {
            let up = machine.jaula().run(&["up", &directory])?;
            return Err(format!("examples/{recipe} makes no jail: {up}").into());
        }
        // When nothing moves any more.
        machine.jaula().ok(&["down", &directory])?;
        for jail in jails {
            rows.push(look(&machine, &recipe, jail)?);
        }
        machine.jaula().ok(&["delete", "--all", "--yes"])?;
    }
    for tool in tools()? {
        let name = tool.rsplit('/').next().unwrap_or(&tool).trim_end_matches(".toml");
        let configuration = format!("/srv/examples/{tool}");
        machine.jaula().ok(&["create", name, "--config", &configuration, "--", "true"])?;
        rows.push(Row { jail: String::new(), ..look(&machine, &tool, name)? });
        machine.jaula().ok(&["delete", name, "--yes"])?;
    }
    machine.jaula().ok(&["create", "whole", "--root", "host", "--network", "host", "--", "true"])?;
    rows.push(Row { recipe: "the host's root".into(), jail: String::new(), ..look(&machine, "", "whole")? });
    let page = format!("{ABOVE}{}", rows.iter().map(Row::line).collect::<String>());
    if std::env::var_os("JAULA_DOCS_RENEW").is_some() {
        return Ok(fs::write(PAGE, page)?);
    }
    let stands = fs::read_to_string(PAGE)?;
    let Some(table) = stands.strip_prefix(ABOVE) else {
        return Err("docs/app-jails.md does not begin as it should: cargo xtask docs".into());
    };
    let wrong: Vec<String> =
        rows.iter().filter(|row| !table.lines().any(|line| row.is(line))).map(Row::line).collect();
    match wrong.is_empty() && table.lines().count() == rows.len() {
        true => Ok(()),
        false => {
            Err(format!("docs/app-jails.md is not true any more (cargo xtask docs):\n{}", wrong.concat())
                .into())
        }
    }
}

/// The directories of `examples/` with a `jaula.toml`.
fn recipes() -> Outcome<Vec<String>> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let all = fs::read_dir(examples)?.flatten().filter(|entry| entry.path().join("jaula.toml").exists());
    let mut names: Vec<String> = all.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

/// The configurations of tools in `examples/`, which no `jaula.toml` declares.
fn tools() -> Outcome<Vec<String>> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut tools = Vec::new();
    for recipe in fs::read_dir(examples)?.flatten().filter(|entry| entry.path().is_dir()) {
        let files = fs::read_dir(recipe.path())?.flatten().map(|file| file.file_name());
        let files: Vec<String> = files.map(|name| name.to_string_lossy().into_owned()).collect();
        let recipe = recipe.file_name().to_string_lossy().into_owned();
        // `service/` is over the host's own root.
        if recipe != "service" && !files.iter().any(|name| name == "jaula.toml") {
            tools.extend(
                files.iter().filter(|name| name.ends_with(".toml")).map(|name| format!("{recipe}/{name}")),
            );
        }
    }
    tools.sort();
    Ok(tools)
}

fn look(machine: &Machine<'_>, recipe: &str, jail: &str) -> Outcome<Row> {
    // A high score is no failure here.
    let audit = machine.jaula().json(&["audit", jail, "--json"])?;
    let audit = &audit[0];
    let number = |name: &str| audit[name].as_f64().ok_or_else(|| format!("no {name} in {audit}"));
    let capabilities: Vec<&str> =
        audit["capabilities"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let capabilities = if capabilities.is_empty() { "none".to_owned() } else { capabilities.join(" ") };
    Ok(Row {
        recipe: recipe.to_owned(),
        jail: format!("`{jail}`"),
        files: number("files")?,
        bytes: number("bytes")?,
        fixed: [capabilities, number("system_calls")?.to_string()],
        score: number("score")?,
    })
}

impl Row {
    fn line(&self) -> String {
        let Self { recipe, jail, files, bytes, fixed: [capabilities, calls], score } = self;
        let mut line = String::new();
        let size = bytes / 1e6;
        _ = writeln!(
            line,
            "| {recipe} | {jail} | {files} | {size:.1} MB | {capabilities} | {calls} | {score:.1} |"
        );
        line
    }

    /// Does a line of the page say the same? An update of Debian changes numbers of files and sizes a little.
    fn is(&self, line: &str) -> bool {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [recipe, jail, files, size, capabilities, calls, score] = cells[..] else { return false };
        let near = |text: &str, value: f64, by: f64| {
            text.split(' ')
                .next()
                .and_then(|text| text.parse::<f64>().ok())
                .is_some_and(|was| (was - value).abs() <= by)
        };
        recipe == self.recipe
            && jail == self.jail
            && [capabilities, calls] == self.fixed
            && near(files, self.files, self.files / 4.0 + 1.0)
            && near(size, self.bytes / 1e6, self.bytes / 4e6 + 0.1)
            && near(score, self.score, 0.31)
    }
}
