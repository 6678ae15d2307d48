//! A review as text of a jail's configuration, and more reviews added to it.
//!
//! What is there stays as it is: comments, order, and what somebody has commented out, which is how
//! one says that an entry is not wanted.

use super::{Entry, Group, Review};
use crate::config::edit::noted::{self, Line, Member};
use crate::config::{Config, Problems, Setting, Writable, edit, keys};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How a file begins that a trace has made.
const MARK: &str = "Traced by jaula";
/// The comment on a capability that is taken away because it was not used. With it, a later trace
/// that uses it may give it back.
pub(super) const UNUSED: &str = "not used while traced";

/// What became of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The whole of the new one.
    pub text: String,
    /// What was added.
    pub added: Vec<Entry>,
    /// Capabilities that are not taken away any more.
    pub given_back: Vec<String>,
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
    let own_user = settings.iter().any(|setting| setting.key == "boot.user");
    let user = review.user.as_ref().filter(|_| !own_user);
    settings.extend(user.map(|(name, _)| Setting::set("boot.user", name)));
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
    let mut written = Written { text: text.to_owned(), added: Vec::new(), given_back: Vec::new() };
    give_back(&mut written, review);
    for (group, entries) in review.groups() {
        let key = group.key();
        if keys::find(key).is_err() {
            continue;
        }
        let members = noted::members(&written.text, key);
        // An older trace may have used what this one did not.
        let counts =
            |entry: &&Entry| is_new || !entry.value.starts_with('-') || key != "security.capabilities";
        let fresh: Vec<&Entry> =
            entries.into_iter().filter(counts).filter(|entry| !is_known(entry, &members)).collect();
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

/// Takes out what a trace has put in that another has shown to be wrong.
fn give_back(written: &mut Written, review: &Review) {
    let used: Vec<&str> = review.used_capabilities.iter().map(|cap| cap.name()).collect();
    let is_wrong = |member: &Member| {
        let name = member.value.strip_prefix('-');
        member.counts && member.comment == UNUSED && name.is_some_and(|name| used.contains(&name))
    };
    let find = |text: &str| noted::members(text, "security.capabilities").into_iter().find(is_wrong);
    while let Some(member) = find(&written.text) {
        written.text = noted::without(&written.text, &member);
        written.given_back.push(member.value.trim_start_matches('-').to_owned());
    }
}

/// Is an entry there, or a directory above it, or did somebody decide otherwise?
fn is_known(entry: &Entry, members: &[Member]) -> bool {
    let directory = |entry: &str| entry.parse().map_or_else(|_| entry.into(), |entry: Writable| entry.path);
    let same = |member: &Member| match entry.group.key() {
        "root.files" => Path::new(&entry.value).starts_with(&member.value),
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
