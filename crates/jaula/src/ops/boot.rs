//! `jaula boot` and `jaula shutdown`: the jails that start with the host, in their order.
//!
//! `jaula start` goes the same way: it starts what the jails depend on as well.

use crate::error::{Error, Result};
use crate::house::House;
use crate::keeper::control::{Reply, line, report};
use crate::keeper::{self, Begin};
use crate::ops::sequence::{self, Fate, Step, Work};
use crate::ops::start::{Started, outcome};
use crate::registry;
use crate::state::{Ended, Phase};
use model::name::Name;
use model::order::{NoPlace, Order, Place, order};
use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// What has become of one jail.
#[derive(Debug)]
pub enum Came {
    /// It is ready.
    Started(Started),
    /// It ran already.
    Running,
    /// It has stopped.
    Stopped(Option<Ended>),
    /// It did not run.
    Idle,
    /// It failed.
    Failed(Error),
    /// It was left alone, as this one, which it depends on, is not ready.
    Skipped(Name),
    /// It has no place in the order.
    NoPlace(NoPlace),
    /// It was not done within the time for all; had it begun?
    Late(bool),
}

/// The order of all jails with `boot.autostart`, and of what they depend on. A jail whose file is
/// wrong is among those without a place only if somebody depends on it; the others are reported by `wrong`.
pub fn autostart(house: &House, mut wrong: impl FnMut(&Name, Error)) -> Result<Order> {
    let mut wanted = Vec::new();
    let mut known = Vec::new();
    for name in registry::configured(house)? {
        match registry::read(house, &name) {
            Ok(stored) => {
                let boot = stored.config.boot;
                if boot.autostart {
                    wanted.push(name.clone());
                }
                known.push(Place { name, order: boot.order, depends: boot.depends });
            }
            Err(Error::NoJail(_)) => {}
            Err(error) => wrong(&name, error),
        }
    }
    Ok(order(&wanted, &known))
}

/// The order of these jails and of what they depend on; only the files of those are read.
pub fn needed(house: &House, names: &[Name]) -> Order {
    let mut known: Vec<Place> = Vec::new();
    let mut seen: HashSet<Name> = HashSet::new();
    let mut waiting: Vec<Name> = names.to_vec();
    while let Some(name) = waiting.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let place = match registry::read(house, &name) {
            Ok(stored) => {
                Place { name, order: stored.config.boot.order, depends: stored.config.boot.depends }
            }
            // What is wrong with it, its start says.
            Err(_) if registry::has_file(house, &name) || names.contains(&name) => {
                Place { name, order: None, depends: Vec::new() }
            }
            Err(_) => continue,
        };
        waiting.extend(place.depends.iter().cloned());
        known.push(place);
    }
    order(names, &known)
}

fn rank(place: &Place) -> u32 {
    place.order.map_or(u32::MAX, u32::from)
}

/// Starts jails in their order, each when those that it depends on are ready. `told` hears of each
/// as it comes about. After `limit`, those that are not ready are given up; their keepers go on.
pub fn start(
    house: &House,
    order: Order,
    limit: Option<Duration>,
    mut told: impl FnMut(&Name, Came),
) -> Result<()> {
    let steps: Vec<Step> = order
        .jails
        .iter()
        .map(|place| Step { name: place.name.clone(), rank: rank(place), behind: place.depends.clone() })
        .collect();
    for (name, why) in order.without {
        told(&name, Came::NoPlace(why));
    }
    sequence::run(&steps, limit, &mut Starts { house, told: &mut told })
}

struct Starts<'a> {
    house: &'a House,
    told: &'a mut dyn FnMut(&Name, Came),
}

impl Work for Starts<'_> {
    fn begin(&mut self, name: &Name) -> Result<OwnedFd> {
        let starts = |name| {
            let live = registry::live(self.house, name).ok().flatten()?;
            (live.kept && live.state.phase == Phase::Starting).then_some(())
        };
        if starts(name).is_none() {
            return keeper::make(self.house, name, Begin::Start);
        }
        // Somebody else has begun: whoever depends on it waits for the same.
        helper(|| {
            while starts(name).is_some() {
                std::thread::sleep(Duration::from_millis(50));
            }
            match registry::live(self.house, name).ok().flatten().is_some_and(|live| live.is_alive()) {
                true => Reply::Running,
                false => Reply::Failed { message: format!("jail {name:?} was not ready"), help: None },
            }
        })
    }

    fn end(&mut self, name: &Name, fate: Fate) -> bool {
        let came = match fate {
            Fate::Heard(socket) => match outcome(name, &socket) {
                Ok(started) => Came::Started(started),
                Err(Error::Running(_)) => Came::Running,
                Err(error) => Came::Failed(error),
            },
            Fate::Refused(error) => Came::Failed(error),
            Fate::Behind(on) => Came::Skipped(on),
            Fate::Late(begun) => Came::Late(begun),
        };
        let good = matches!(came, Came::Started(_) | Came::Running);
        (self.told)(name, came);
        good
    }

    fn needs(&self) -> bool {
        true
    }

    /// More would only wait for each other.
    fn at_once(&self) -> usize {
        8
    }
}

/// Those of the jails that run and stay, in the order in which they stop: the reverse of their starting.
pub fn running(house: &House) -> Result<Vec<Name>> {
    let mut names = Vec::new();
    for name in registry::all(house)? {
        if registry::live(house, &name)?.is_some_and(|live| live.is_alive() && !live.state.passing) {
            names.push(name);
        }
    }
    Ok(backwards(house, &names).into_iter().map(|step| step.name).collect())
}

/// These jails backwards, each behind those that depend on it. A circle must not keep anybody running.
fn backwards(house: &House, names: &[Name]) -> Vec<Step> {
    let Order { mut jails, without } = needed(house, names);
    jails.retain(|place| names.contains(&place.name));
    let mut dependents: HashMap<&Name, Vec<Name>> = HashMap::new();
    for place in &jails {
        for on in &place.depends {
            dependents.entry(on).or_default().push(place.name.clone());
        }
    }
    let alone = without.iter().map(|(name, _)| name).filter(|name| names.contains(name));
    let alone = alone.map(|name| Step { name: name.clone(), rank: 0, behind: Vec::new() });
    let placed = jails.iter().rev().map(|place| Step {
        name: place.name.clone(),
        rank: u32::MAX - rank(place),
        behind: dependents.get(&place.name).cloned().unwrap_or_default(),
    });
    alone.chain(placed).collect()
}

/// Stops jails, those first that others depend on last, as many at a time as that allows. `timeout`
/// takes the place of `boot.stop_timeout`. What still runs after `limit` is killed.
pub fn stop(
    house: &House,
    names: &[Name],
    timeout: Option<Duration>,
    limit: Option<Duration>,
    mut told: impl FnMut(&Name, Came),
) -> Result<()> {
    let steps = backwards(house, names);
    let free = |step: &Step| step.behind.is_empty() && step.rank == steps[0].rank;
    if limit.is_none() && steps.iter().all(free) {
        crate::ops::stop::stop(house, names, timeout, |name, done| told(name, of_stop(done)));
        return Ok(());
    }
    let mut late = Vec::new();
    let mut hear = |name: &Name, came: Came| match came {
        Came::Late(_) => late.push(name.clone()),
        came => told(name, came),
    };
    sequence::run(&steps, limit, &mut Stops { house, timeout, told: &mut hear })?;
    crate::ops::stop::stop(house, &late, Some(Duration::ZERO), |name, done| told(name, of_stop(done)));
    Ok(())
}

fn of_stop(done: Result<Option<Ended>>) -> Came {
    match done {
        Ok(ended) => Came::Stopped(ended),
        Err(Error::NotRunning(_)) => Came::Idle,
        Err(error) => Came::Failed(error),
    }
}

struct Stops<'a> {
    house: &'a House,
    timeout: Option<Duration>,
    told: &'a mut dyn FnMut(&Name, Came),
}

impl Work for Stops<'_> {
    fn begin(&mut self, name: &Name) -> Result<OwnedFd> {
        helper(|| {
            let mut answer = Reply::Running;
            crate::ops::stop::stop(self.house, std::slice::from_ref(name), self.timeout, |_, done| {
                answer = match done {
                    Ok(ended) => Reply::Stopped { ended },
                    Err(Error::NotRunning(_)) => Reply::Running,
                    Err(error) => Reply::Failed { message: error.line(), help: error.help() },
                };
            });
            answer
        })
    }

    fn end(&mut self, name: &Name, fate: Fate) -> bool {
        let came = match fate {
            Fate::Heard(socket) => match report(&socket) {
                Some(Reply::Stopped { ended }) => Came::Stopped(ended),
                Some(Reply::Running) => Came::Idle,
                Some(Reply::Failed { message, help }) => Came::Failed(Error::Keeper { message, help }),
                _ => Came::Failed(Error::Inside(format!("whoever stopped jail {name:?} died"))),
            },
            Fate::Refused(error) => Came::Failed(error),
            Fate::Behind(on) => Came::Skipped(on),
            Fate::Late(begun) => Came::Late(begun),
        };
        let good = !matches!(came, Came::Failed(_));
        (self.told)(name, came);
        good
    }

    fn needs(&self) -> bool {
        false
    }

    /// Most of the time of a stop is the jail's own, which waits as well as it works.
    fn at_once(&self) -> usize {
        64
    }
}

/// Has something done by a process of its own, which answers at the returned socket.
fn helper(work: impl FnOnce() -> Reply) -> Result<OwnedFd> {
    let (ours, theirs) = sys::socket::pair().map_err(Error::call("make a helper"))?;
    if sys::process::fork().map_err(Error::call("make a helper"))?.is_some() {
        return Ok(ours);
    }
    // The child, which never returns. It must hold nothing that others wait to see closed.
    let alone = sys::process::close_all_but(&theirs).is_ok();
    let told = alone && sys::fs::write(&theirs, &line(&work())).is_ok();
    sys::process::exit(i32::from(!told))
}
