//! Many jails at a time, each behind those that it waits for.
//!
//! What takes long is done by other processes (keepers, helpers), each of which reports at a socket;
//! one poll(2) waits for all of them. One that hangs holds up only what waits for it.

use crate::error::{Error, Result};
use model::name::Name;
use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// What takes longer than this mostly waits: it takes no place from others any more.
const BUSY: Duration = Duration::from_secs(1);
/// What takes longer than this may hang: those of a later rank go on without it.
const SLOW: Duration = Duration::from_secs(5);

/// One jail of a sequence.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Which.
    pub(crate) name: Name,
    /// Those of a lower rank begin before.
    pub(crate) rank: u32,
    /// Jails of this sequence that must be done before.
    pub(crate) behind: Vec<Name>,
}

/// What has come of a step.
#[derive(Debug)]
pub(crate) enum Fate {
    /// It could not begin.
    Refused(Error),
    /// Its process has something to say, or has ended.
    Heard(OwnedFd),
    /// Not begun: this one, which it is behind, failed.
    Behind(Name),
    /// Not done within the time for all; has it begun?
    Late(bool),
}

/// How steps are carried out.
pub(crate) trait Work {
    /// Begins one; what is returned can be read when it is done.
    fn begin(&mut self, name: &Name) -> Result<OwnedFd>;
    /// One has come to its end; is it as it should be?
    fn end(&mut self, name: &Name, fate: Fate) -> bool;
    /// Are those behind one that failed left out?
    fn needs(&self) -> bool;
    /// How many are at work at a time.
    fn at_once(&self) -> usize;
}

enum Stands {
    Waits,
    Works { since: Instant, socket: OwnedFd },
    Done,
    Failed,
}

/// Carries out all steps. With `limit`, those that are not done in time are given up.
pub(crate) fn run(steps: &[Step], limit: Option<Duration>, work: &mut dyn Work) -> Result<()> {
    let until = limit.map(|limit| Instant::now() + limit);
    let mut stands: Vec<Stands> = steps.iter().map(|_| Stands::Waits).collect();
    let at: HashMap<&Name, usize> = steps.iter().enumerate().map(|(at, step)| (&step.name, at)).collect();
    loop {
        while let Some(next) = next(steps, &stands, &at, work) {
            let (step, name) = (next.0, &steps[next.0].name);
            stands[step] = match next.1 {
                Some(on) => ended(work.end(name, Fate::Behind(on))),
                None => match work.begin(name) {
                    Ok(socket) => Stands::Works { since: Instant::now(), socket },
                    Err(error) => ended(work.end(name, Fate::Refused(error))),
                },
            };
        }
        let working: Vec<(usize, Instant)> = (0..steps.len())
            .filter_map(|step| match &stands[step] {
                Stands::Works { since, .. } => Some((step, *since)),
                _ => None,
            })
            .collect();
        if working.is_empty() {
            return Ok(());
        }
        let now = Instant::now();
        if until.is_some_and(|until| until <= now) {
            for (step, stand) in stands.iter_mut().enumerate() {
                let begun = matches!(stand, Stands::Works { .. });
                if begun || matches!(stand, Stands::Waits) {
                    *stand = ended(work.end(&steps[step].name, Fate::Late(begun)));
                }
            }
            return Ok(());
        }
        // When the next one is not waited for any more, others may begin.
        let slow =
            working.iter().flat_map(|(_, since)| [*since + BUSY, *since + SLOW]).filter(|at| *at > now);
        let wake = slow.chain(until).min().map(|at| at - now);
        let sockets: Vec<_> = working
            .iter()
            .filter_map(|(step, _)| match &stands[*step] {
                Stands::Works { socket, .. } => Some((socket.as_fd(), false)),
                _ => None,
            })
            .collect();
        let ready = sys::poll::wait(&sockets, wake).map_err(Error::call("wait for jails"))?;
        for ((step, _), _) in working.iter().zip(ready).filter(|(_, ready)| *ready) {
            if let Stands::Works { socket, .. } = std::mem::replace(&mut stands[*step], Stands::Done) {
                stands[*step] = ended(work.end(&steps[*step].name, Fate::Heard(socket)));
            }
        }
    }
}

fn ended(good: bool) -> Stands {
    if good { Stands::Done } else { Stands::Failed }
}

/// The first step that may begin now; with the one that it is behind if that has failed.
fn next(
    steps: &[Step],
    stands: &[Stands],
    at: &HashMap<&Name, usize>,
    work: &dyn Work,
) -> Option<(usize, Option<Name>)> {
    let works =
        |stand: &Stands, limit| matches!(stand, Stands::Works { since, .. } if since.elapsed() < limit);
    let is_full = stands.iter().filter(|stand| works(stand, BUSY)).count() >= work.at_once();
    let lowest = steps.iter().zip(stands).filter(|(_, stand)| works(stand, SLOW));
    let lowest = lowest.map(|(step, _)| step.rank).min();
    let waiting = (0..steps.len()).filter(|step| matches!(stands[*step], Stands::Waits));
    for step in waiting {
        let before = || steps[step].behind.iter().filter_map(|name| Some((name, &stands[*at.get(name)?])));
        if work.needs()
            && let Some((on, _)) = before().find(|(_, stand)| matches!(stand, Stands::Failed))
        {
            return Some((step, Some(on.clone())));
        }
        let free = before().all(|(_, stand)| matches!(stand, Stands::Done | Stands::Failed));
        if free && !is_full && lowest.is_none_or(|lowest| steps[step].rank <= lowest) {
            return Some((step, None));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each step is done at once; `bad` fails. What happens is written down.
    struct Sample {
        log: Vec<String>,
        bad: Vec<&'static str>,
        needs: bool,
        kept: Vec<OwnedFd>,
        hangs: Vec<&'static str>,
    }

    impl Work for Sample {
        fn begin(&mut self, name: &Name) -> Result<OwnedFd> {
            self.log.push(format!("+{name}"));
            let (ours, theirs) = sys::socket::pair().map_err(Error::call("x"))?;
            if self.hangs.contains(&name.as_str()) {
                self.kept.push(theirs);
            }
            Ok(ours)
        }

        fn end(&mut self, name: &Name, fate: Fate) -> bool {
            let (how, good) = match fate {
                Fate::Heard(_) => (String::new(), !self.bad.contains(&name.as_str())),
                Fate::Behind(on) => (format!(" behind {on}"), false),
                Fate::Late(begun) => (format!(" late {begun}"), false),
                Fate::Refused(_) => (" refused".to_owned(), false),
            };
            self.log.push(format!("-{name}{how}"));
            good
        }

        fn needs(&self) -> bool {
            self.needs
        }

        fn at_once(&self) -> usize {
            8
        }
    }

    fn steps(lines: &[&str]) -> Vec<Step> {
        let step = |line: &&str| {
            let mut words = line.split(' ');
            Step {
                name: words.next().unwrap().parse().unwrap(),
                rank: words.next().unwrap().parse().unwrap(),
                behind: words.map(|word| word.parse().unwrap()).collect(),
            }
        };
        lines.iter().map(step).collect()
    }

    fn ran(lines: &[&str], bad: &[&'static str], hangs: &[&'static str], needs: bool) -> String {
        let mut work = Sample { log: vec![], bad: bad.to_vec(), needs, kept: vec![], hangs: hangs.to_vec() };
        let limit = (!hangs.is_empty()).then_some(Duration::from_millis(300));
        run(&steps(lines), limit, &mut work).unwrap();
        work.log.join(" ")
    }

    #[test]
    fn steps_wait_for_what_they_are_behind() {
        assert_eq!(ran(&["db 1", "www 1 db", "x 1"], &[], &[], true), "+db +x -db -x +www -www");
        assert_eq!(ran(&["a 1", "b 2", "c 2"], &[], &[], true), "+a -a +b +c -b -c");
        let failed = ran(&["db 1", "www 1 db", "top 1 www", "x 1"], &["db"], &[], true);
        assert_eq!(failed, "+db +x -db -x -www behind db -top behind www");
        let all = ran(&["www 1", "db 1 www"], &["www"], &[], false);
        assert_eq!(all, "+www -www +db -db");
        assert_eq!(ran(&[], &[], &[], true), "");
    }

    #[test]
    fn one_that_hangs_holds_up_only_those_behind_it() {
        let log = ran(&["db 1", "www 1 db", "x 1", "y 1 x"], &[], &["db"], true);
        assert_eq!(log, "+db +x -x +y -y -db late true -www late false");
    }

    #[test]
    fn not_all_at_once() {
        let many: Vec<String> = (0..20).map(|n| format!("j{n} 1")).collect();
        let log = ran(&many.iter().map(String::as_str).collect::<Vec<_>>(), &[], &[], true);
        let most = log.split(' ').scan(0i32, |at_work, word| {
            *at_work += if word.starts_with('+') { 1 } else { -1 };
            Some(*at_work)
        });
        assert_eq!(most.max(), Some(8));
    }
}
