//! Plans, for people and as data.

use crate::exit::ExitCode;
use crate::output::{print_json, print_text};
use jaula::house::House;
use jaula::{Error, Result, ops, registry};
use model::plan::{Plan, Step};
use serde::Serialize;
use std::fmt::Write;
use std::path::Path;

/// A plan as JSON has it.
#[derive(Serialize)]
struct Shape<'a> {
    /// What is done to the host, in order; undone from the end.
    host: Vec<Line>,
    /// The trees of mounts that the parent clones for the child.
    trees: Vec<Tree<'a>>,
    /// The child's new namespaces.
    namespaces: Vec<String>,
    /// What the jail's user ids stand for.
    users: model::name::IdRange,
    /// What its group ids stand for.
    groups: model::name::IdRange,
    /// The child's program.
    child: Vec<Line>,
    /// What the host lacks.
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Line {
    step: String,
    why: String,
}

#[derive(Serialize)]
struct Tree<'a> {
    name: &'a str,
    path: &'a Path,
    recursive: bool,
    image: bool,
    attributes: Vec<&'static str>,
    mapped: bool,
    why: &'a str,
}

/// `jaula plan`
pub(crate) fn of_jail(word: &str, json: bool) -> Result<ExitCode> {
    let house = House::from_environment();
    let name = registry::one(&house, word)?;
    print(&ops::plan::plan(&house, &name)?, json)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints it.
pub(crate) fn print(plan: &Plan, json: bool) -> Result<()> {
    let printed = if json { print_json(&shape(plan)) } else { print_text(&text(plan)) };
    printed.map_err(Error::io("write to", Path::new("standard output")))
}

fn lines(steps: &[Step]) -> Vec<Line> {
    steps.iter().map(|s| Line { step: s.call.to_string(), why: s.why.to_string() }).collect()
}

fn shape(plan: &Plan) -> Shape<'_> {
    let tree = |t: &'_ model::plan::Tree| t.attributes.iter().map(|f| f.0).collect();
    Shape {
        host: plan.host.iter().map(|h| Line { step: h.to_string(), why: h.why().to_owned() }).collect(),
        trees: plan
            .trees
            .iter()
            .map(|t| Tree {
                name: &t.fd,
                path: &t.path,
                recursive: t.recursive,
                image: t.image,
                attributes: tree(t),
                mapped: t.mapped,
                why: &t.why,
            })
            .collect(),
        namespaces: plan.namespaces.iter().map(|n| format!("{n:?}").to_lowercase()).collect(),
        users: plan.users,
        groups: plan.groups,
        child: lines(&plan.child),
        warnings: &plan.warnings,
    }
}

/// The reasons stand at this column, or behind a longer call.
const WHY: usize = 76;

fn text(plan: &Plan) -> String {
    let mut out = String::new();
    let mut line = |step: &str, why: &str| {
        let _ = match why {
            "" => writeln!(out, "  {step}"),
            why => writeln!(out, "  {step:WHY$}  # {why}"),
        };
    };
    line("host: in this order; undone from the end", "");
    for step in &plan.host {
        line(&format!("  {step}"), step.why());
    }
    line("parent: trees of mounts for the child", "");
    for tree in &plan.trees {
        let attributes: Vec<&str> =
            tree.attributes.iter().map(|f| f.0.trim_start_matches("MOUNT_ATTR_")).collect();
        let attributes = attributes.join("|").to_lowercase();
        let (image, mapped) = (tree.image.then_some("image"), tree.mapped.then_some("owners mapped"));
        let how: Vec<&str> = [image.unwrap_or_default(), &attributes, mapped.unwrap_or_default()]
            .into_iter()
            .filter(|word| !word.is_empty())
            .collect();
        let step = format!("  ${} = {}: {}", tree.fd, tree.path.display(), how.join(", "));
        line(&step, &tree.why);
    }
    let kinds: Vec<String> = plan.namespaces.iter().map(|n| format!("{n:?}").to_lowercase()).collect();
    let [users, groups] =
        [plan.users, plan.groups].map(|m| format!("{}+{} -> {}", m.inside, m.count, m.outside));
    line(&format!("child: in new namespaces {}", kinds.join(" ")), "");
    line(&format!("  users {users}, groups {groups}"), "what its ids stand for on the host");
    for step in &plan.child {
        line(&format!("  {}", step.call), &step.why);
    }
    for warning in &plan.warnings {
        line(&format!("warning: {warning}"), "");
    }
    out
}

#[cfg(test)]
mod tests;
