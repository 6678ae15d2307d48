//! In which order jails start and stop.
//!
//! What a jail depends on must be ready before it starts. Beside that, jails with a low
//! `boot.order` stand before those with a higher one, and those without a number come last.

use crate::name::Name;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

/// What a jail's configuration says of its place.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Place {
    /// The jail.
    pub name: Name,
    /// `boot.order`
    pub order: Option<u16>,
    /// `boot.depends`
    pub depends: Vec<Name>,
}

/// Why a jail has no place, and so cannot be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// It depends on a jail that does not exist.
    #[error("jail {:?} depends on {:?}, and there is no such jail", jail.as_str(), missing.as_str())]
    Unknown {
        /// The jail.
        jail: Name,
        /// What it depends on.
        missing: Name,
    },
    /// Jails depend on each other in a circle.
    #[error("jails depend on each other in a circle: {}", circle(.0))]
    Circle(Vec<Name>),
    /// It depends on a jail that has no place.
    #[error("jail {:?} depends on {:?}, which cannot start", jail.as_str(), on.as_str())]
    Behind {
        /// The jail.
        jail: Name,
        /// What it depends on.
        on: Name,
    },
}

impl NoPlace {
    /// The line of help.
    pub fn help(&self) -> String {
        match self {
            Self::Unknown { jail, missing } => {
                format!("make it, or: jaula set {jail} boot.depends-={missing}")
            }
            Self::Circle(names) => match &names[..] {
                [one] => format!("a jail need not wait for itself: jaula set {one} boot.depends-={one}"),
                [first, .., last] => {
                    format!("one of them must be first, for example: jaula set {last} boot.depends-={first}")
                }
                [] => String::new(),
            },
            Self::Behind { on, .. } => format!("see to {on} first"),
        }
    }
}

fn circle(names: &[Name]) -> String {
    let all = names.iter().chain(names.first());
    all.map(|name| format!("{:?}", name.as_str())).collect::<Vec<_>>().join(" → ")
}

/// Jails in the order in which they start: each behind all that it depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// Those that can start.
    pub jails: Vec<Place>,
    /// Those that cannot, each with the reason.
    pub without: Vec<(Name, NoPlace)>,
}

/// The order of `wanted` and of all that these depend on, among `known`.
pub fn order(wanted: &[Name], known: &[Place]) -> Order {
    let places: HashMap<&Name, &Place> = known.iter().map(|place| (&place.name, place)).collect();
    let mut members: BTreeSet<&Name> = BTreeSet::new();
    let mut waiting: Vec<&Name> = wanted.iter().collect();
    while let Some(name) = waiting.pop() {
        if let Some((name, place)) = places.get_key_value(name)
            && members.insert(*name)
        {
            waiting.extend(&place.depends);
        }
    }
    let mut without: BTreeMap<Name, NoPlace> = BTreeMap::new();
    for &name in &members {
        if let Some(missing) = places[name].depends.iter().find(|on| !places.contains_key(on)) {
            without.insert(name.clone(), NoPlace::Unknown { jail: name.clone(), missing: missing.clone() });
        }
    }
    let mut jails: Vec<Place> = Vec::new();
    let mut placed: BTreeSet<&Name> = BTreeSet::new();
    let mut left: Vec<&Place> = members.iter().map(|name| places[name]).collect();
    left.retain(|place| !without.contains_key(&place.name));
    left.sort_by_key(|place| rank(place));
    // Always the first that waits for nobody any more, so that `boot.order` holds as far as it can.
    while let Some(at) = left.iter().position(|place| place.depends.iter().all(|on| placed.contains(on))) {
        let place = left.remove(at);
        placed.insert(&place.name);
        jails.push(place.clone());
    }
    // What is left waits for ever: for a jail without a place, or in a circle, or behind one.
    let stuck: BTreeMap<&Name, &Place> = left.iter().map(|place| (&place.name, *place)).collect();
    for place in &left {
        let behind = place.depends.iter().find(|on| without.contains_key(on) && !stuck.contains_key(on));
        let reason = match (behind, circle_of(&place.name, &stuck)) {
            (Some(on), _) => NoPlace::Behind { jail: place.name.clone(), on: on.clone() },
            (None, Some(circle)) => NoPlace::Circle(circle),
            (None, None) => {
                let on = place.depends.iter().find(|on| stuck.contains_key(on)).unwrap_or(&place.name);
                NoPlace::Behind { jail: place.name.clone(), on: on.clone() }
            }
        };
        without.insert(place.name.clone(), reason);
    }
    Order { jails, without: without.into_iter().collect() }
}

/// Where a jail stands among those that could start at the same time.
fn rank(place: &Place) -> (u32, &Name) {
    (place.order.map_or(u32::MAX, u32::from), &place.name)
}

/// The circle that a jail is in, from the name that comes first in the alphabet: the same for all of
/// its members.
fn circle_of(name: &Name, stuck: &BTreeMap<&Name, &Place>) -> Option<Vec<Name>> {
    // Breadth first: the shortest way from the jail back to itself.
    let mut came_from: BTreeMap<&Name, &Name> = BTreeMap::new();
    let mut row: Vec<&Name> = vec![*stuck.get_key_value(name)?.0];
    while !row.is_empty() {
        let mut next = Vec::new();
        for at in row {
            for on in &stuck[at].depends {
                let Some((on, _)) = stuck.get_key_value(on) else { continue };
                if *on == name {
                    let mut way = vec![at];
                    while let Some(before) = came_from.get(way[way.len() - 1]) {
                        way.push(before);
                    }
                    way.reverse();
                    let first = way.iter().enumerate().min_by_key(|(_, name)| **name).map_or(0, |(at, _)| at);
                    way.rotate_left(first);
                    return Some(way.into_iter().cloned().collect());
                }
                if let Entry::Vacant(free) = came_from.entry(on) {
                    free.insert(at);
                    next.push(*on);
                }
            }
        }
        row = next;
    }
    None
}

impl fmt::Display for Order {
    /// One jail a line, with what it waits for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, place) in self.jails.iter().enumerate() {
            let order = place.order.map(|n| format!(" (order {n})")).unwrap_or_default();
            write!(f, "{:>3}  {}{order}", at + 1, place.name)?;
            if !place.depends.is_empty() {
                let on: Vec<&str> = place.depends.iter().map(Name::as_str).collect();
                write!(f, " after {}", on.join(", "))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
