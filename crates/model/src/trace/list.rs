//! A review as text of a jail's configuration, and more reviews added to it.
//!
//! What is there stays as it is: comments, order, and what somebody has commented out, which is how
//! one says that an entry is not wanted.

use super::{Entry, Group, Review};
use crate::caps::{CapSet, Capability};
use crate::config::edit::noted::{self, Line, Member};
use crate::config::{CapabilityChange, Config, Problems, Setting, Writable, edit};
use crate::confinement::capabilities;
use crate::ports::Ports;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How a file begins that a trace has made.
const MARK: &str = "Traced by jaula";
/// What became of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The whole of the new one.
    pub text: String,
    /// What was added.
    pub added: Vec<Entry>,
}

/// Has a trace made this text?
pub fn is_traced(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').starts_with(&format!("# {MARK}"))
}

/// What somebody has decided about files in a text: those that the jail gets, and those that are
/// commented out.
pub fn decided(text: &str) -> (Vec<PathBuf>, BTreeSet<PathBuf>) {
    let (taken, not): (Vec<Member>, Vec<Member>) =
        noted::members(text, "root.files").into_iter().partition(|member| member.counts);
    (
        taken.into_iter().map(|member| member.value.into()).collect(),
        not.into_iter().map(|member| member.value.into()).collect(),
    )
}

/// A new text with these settings and all that the review says.
///
/// # Errors
/// If the settings, or what came of them, are no configuration.
pub fn new(program: &str, settings: &[Setting], review: &Review) -> Result<Written, Problems> {
    let heading = format!(
        "{MARK}: what {program} needs, and why. Edit it as you like: tracing into this file\n\
         again adds what is new; a line that has a # before it stays out.\n\
         A jail of it: jaula create NAME --config FILE"
    );
    let mut settings = settings.to_vec();
    let says = |key: &str| settings.iter().any(|setting| setting.key == key);
    let user = review.user.as_ref().filter(|_| !says("boot.user"));
    let ready = review.ready.as_ref().filter(|_| !says("boot.ready"));
    settings.extend(user.map(|(name, _)| Setting::set("boot.user", name)));
    settings.extend(ready.map(|ready| Setting::set("boot.ready", ready)));
    let mut text = edit::declare(&heading, &settings)?;
    if let Some((_, why)) = user {
        text = noted::remarked(&text, "boot.user", why)?;
    }
    add(&text, review, true)
}

/// A text with what the review says and the text does not.
///
/// # Errors
/// If the text is no configuration.
pub fn added(text: &str, review: &Review) -> Result<Written, Problems> {
    add(text, review, false)
}

fn add(text: &str, review: &Review, is_new: bool) -> Result<Written, Problems> {
    let mut written = Written { text: text.to_owned(), added: Vec::new() };
    let has = Capabilities::of(&Config::parse(text)?, is_new);
    for (group, entries) in review.groups() {
        let key = group.key();
        let members = noted::members(&written.text, key);
        let is_fresh = |entry: &&Entry| has.needs(entry) && !is_known(entry, &members);
        let fresh: Vec<&Entry> = entries.into_iter().filter(is_fresh).collect();
        if fresh.is_empty() {
            continue;
        }
        let line = |entry: &'_ Entry| Line {
            value: entry.value.clone(),
            comment: entry.reason.clone(),
            counts: entry.taken,
        };
        let lines: Vec<Line> = fresh.iter().map(|entry| line(entry)).collect();
        let after: Vec<&str> =
            Group::ALL.into_iter().filter(|g| *g > group && g.key() == key).map(Group::title).collect();
        written.text = noted::with(&written.text, key, group.title(), &after, &lines)?;
        written.added.extend(fresh.into_iter().cloned());
    }
    Config::parse(&written.text)?;
    Ok(written)
}

/// What capabilities a text begins with.
struct Capabilities {
    is_new: bool,
    /// What the jail has without a word.
    by_itself: CapSet,
}

impl Capabilities {
    fn of(config: &Config, is_new: bool) -> Self {
        let none = config.security.capabilities.contains(&CapabilityChange::RemoveAll);
        let by_itself =
            if none || is_new { CapSet::default() } else { capabilities(config.security.profile) };
        Self { is_new, by_itself }
    }

    /// Is an entry worth a line? What a jail did before it was traced nobody knows, so nothing is
    /// taken away from it, and what it has it is not given by name.
    fn needs(&self, entry: &Entry) -> bool {
        match entry.group {
            Group::Capabilities if entry.value == super::rights::ALL => self.is_new,
            Group::Capabilities => Capability::from_name(unsigned(&entry.value))
                .is_some_and(|capability| !self.by_itself.contains(capability)),
            _ => true,
        }
    }
}

/// Is an entry there, or a directory above it, or did somebody decide otherwise?
fn is_known(entry: &Entry, members: &[Member]) -> bool {
    let ports = |text: &str| text.parse::<Ports>().ok();
    let directory = |entry: &str| entry.parse().map_or_else(|_| entry.into(), |entry: Writable| entry.path);
    let same = |member: &Member| match entry.group.key() {
        "root.files" => Path::new(&entry.value).starts_with(&member.value),
        "network.listen" => ports(&member.value).zip(ports(&entry.value)).is_some_and(|(all, some)| {
            all.transport == some.transport && all.first <= some.first && some.last <= all.last
        }),
        "root.writable" => directory(&entry.value).starts_with(directory(&member.value)),
        "security.capabilities" | "security.system_calls" => {
            unsigned(&member.value) == unsigned(&entry.value)
        }
        _ => member.value == entry.value,
    };
    members.iter().any(same)
}

fn unsigned(change: &str) -> &str {
    change.trim_start_matches(['+', '-'])
}

#[cfg(test)]
mod tests;
