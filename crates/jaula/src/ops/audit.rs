//! `jaula audit`: what of a jail could be abused.

mod overlay;
mod root;
mod walk;

use crate::error::Result;
use crate::facts;
use crate::house::House;
use crate::ops::prepare::{checked, inside};
use crate::registry;
use model::audit::checks::Fix;
use model::audit::steps::{Step, steps};
use model::audit::tree::{Tree, Who};
use model::audit::{Jail, Report, Score};
use model::caps::Capability;
use model::name::{Id, Name};
use serde::{Serialize, Serializer};

/// What was found out about a jail.
#[derive(Debug, Serialize)]
pub struct Audit {
    /// Its name.
    pub name: Name,
    /// Does it run, so that the files are those that it has now?
    pub running: bool,
    /// From 0.0 to 10.0.
    #[serde(serialize_with = "number")]
    pub score: Score,
    /// The word for that.
    pub word: &'static str,
    /// The files of its root, without directories, and without what is in memory or the kernel's.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Directories that could not be read, or were too many; what is in them is not counted.
    pub unseen: u64,
    /// The capabilities that its processes can come to hold.
    pub capabilities: Vec<&'static str>,
    /// How many system calls are not refused whatever their arguments.
    pub system_calls: usize,
    /// How many there are on this machine.
    pub known_system_calls: usize,
    /// What each check found, in the order of the table.
    pub checks: Vec<Checked>,
    /// What lowers the score most, the best first.
    pub steps: Vec<Lower>,
}

/// What a check found.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// The check.
    pub name: &'static str,
    /// The check of `systemd-analyze security` that is about the same, by its `json_field`.
    pub systemd: Option<&'static str>,
    /// What it is about.
    pub about: &'static str,
    /// Does it hold?
    pub holds: bool,
    /// What was found.
    pub found: String,
    /// Its part of the score.
    #[serde(serialize_with = "number")]
    pub exposure: Score,
    /// What counts in it, for sorting: more is worse.
    #[serde(skip)]
    pub share: u32,
    /// The command that lowers it; or what else does, in words.
    pub lower: Option<String>,
}

/// A command, and what it brings.
#[derive(Debug, Serialize)]
pub struct Lower {
    /// The command line.
    pub command: String,
    /// What must be true of the program for it.
    pub when: &'static str,
    /// By how much the score falls, in hundredths.
    pub hundredths: u32,
}

fn number<S: Serializer>(score: &Score, to: S) -> std::result::Result<S::Ok, S::Error> {
    to.serialize_f64(f64::from(score.0) / 10.0)
}

/// Audits a jail: one that runs through its own root, another as its next start would make it.
pub fn audit(house: &House, name: &Name) -> Result<Audit> {
    let config = registry::config(house, name)?;
    let facts = facts::gather(house, &config);
    let id = config.id.or_else(|| Id::new(Id::FIRST_PASSING).ok()).ok_or(crate::Error::NoId)?;
    let inside = inside(house, name, &config, &facts, false, true)?;
    let identity = &inside.identity;

    let nothing = Tree::default();
    let mut jail = Jail {
        user: identity.user,
        privileged: facts.root(),
        decides_ports: facts.decides_ports && facts.cgroups.unified.is_some(),
        ..checked(Jail::new(&config, facts::ARCH, &nothing))?
    };
    let overrides = Capability::from_name("dac_override").is_some_and(|c| jail.capabilities().contains(c));
    let who = Who {
        user: identity.user,
        groups: [&[identity.group], &identity.groups[..]].concat(),
        // What a user that is not root can only come to by setuid programs is counted as such.
        overrides: overrides && identity.user == 0,
    };
    let root = root::Root { house, name, id, config: &config, inside: &inside, who: &who };
    let live = registry::live(house, name)?.filter(|live| live.runs);
    let as_it_runs = live.and_then(|live| {
        let (process, top) = root::of_process(live.state.first?)?;
        let tree = root.running(&top);
        // With its last process go its mounts: what was seen meanwhile may be half a root.
        root::has_mounts(&process).then_some(tree)
    });
    let running = as_it_runs.is_some();
    let tree = as_it_runs.map_or_else(|| root.stopped(), Ok)?;
    jail.tree = &tree;
    let report = jail.report();
    Ok(told(name, (&jail, &report), running))
}

fn told(name: &Name, (jail, report): (&Jail<'_>, &Report), running: bool) -> Audit {
    let checks = report.findings.iter().map(|(check, finding)| Checked {
        name: check.name,
        systemd: check.systemd,
        about: check.doc,
        holds: finding.badness == 0,
        found: finding.found.clone(),
        exposure: report.exposure(check, finding),
        share: (finding.badness * check.weight).div_ceil(check.range),
        lower: match &finding.fix {
            Fix::None => None,
            Fix::Set { settings, .. } => Some(command(name, settings)),
            Fix::Do(words) => Some(words.clone()),
        },
    });
    let steps = steps(jail, report);
    let lower = |Step { settings, when, gain }: Step| Lower {
        command: command(name, &settings),
        when,
        hundredths: gain,
    };
    Audit {
        name: name.clone(),
        running,
        score: report.score,
        word: report.score.word(),
        files: jail.tree.files,
        bytes: jail.tree.bytes,
        unseen: jail.tree.unseen,
        capabilities: report.capabilities.iter().map(Capability::name).collect(),
        system_calls: report.calls,
        known_system_calls: report.known_calls,
        checks: checks.collect(),
        steps: steps.into_iter().map(lower).collect(),
    }
}

/// `jaula set NAME SETTING…`, as a shell takes it.
fn command(name: &Name, settings: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "%+,-./:=@_".contains(c);
    let quoted = settings.iter().map(|setting| match setting.chars().all(plain) {
        true => setting.clone(),
        false => format!("'{setting}'"),
    });
    format!("jaula set {name} {}", quoted.collect::<Vec<_>>().join(" "))
}
