//! What each system call of a jail meets with, from its configuration.

use super::keys::{Keys, WITH_ARGUMENTS};
use super::nearest::nearest;
use super::rule::Rule;
use super::table::{self, COUNT, Call};
use super::{Abi, Action, Arch, ENOSYS, EPERM, Invocation};
use crate::config::{Change, Profile, Security};

const CLONE3: Call = Call::named("clone3");
const SOCKETCALL: Call = Call::named("socketcall");

/// A call that an unreadable number stands for when a tracer has taken the call away.
///
/// The kernel does nothing for it. If the filter did not let it through, the value that the
/// tracer put into its place (strace's `--inject`, gdb's `catch syscall`) would be lost.
const SKIPPED: u32 = u32::MAX;

/// Why there is no policy for a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPolicy {
    /// `security.system_calls` names something else.
    #[error("security.system_calls: {name:?} is no system call{}", meant(*.nearest))]
    UnknownCall {
        /// What was given, cut to a printable length.
        name: String,
        /// What was probably meant.
        nearest: Option<&'static str>,
    },
    /// A filter could not check this call's arguments.
    #[error("security.system_calls: {name} cannot be allowed: {why}")]
    CallNever {
        /// The call.
        name: &'static str,
        /// The reason, with what can be done.
        why: &'static str,
    },
    /// `security.socket_families` names something else.
    #[error("security.socket_families: {name:?} is no family that jaula knows{}", meant(*.nearest))]
    UnknownFamily {
        /// What was given, cut to a printable length.
        name: String,
        /// What was probably meant.
        nearest: Option<&'static str>,
    },
    /// No jail gets this family.
    #[error("security.socket_families: {name} is refused to every jail, since it leads out of it")]
    FamilyNever {
        /// The family.
        name: String,
    },
    /// The family is for raw sockets only.
    #[error("security.socket_families: {name} needs security.raw_sockets = true")]
    FamilyIsRaw {
        /// The family.
        name: String,
    },
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; was {name} meant?")).unwrap_or_default()
}

/// How a call is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Whatever its arguments.
    Always(Action),
    /// By the rule with this number.
    Rule(u8),
}

/// What each system call of a jail meets with.
#[derive(Clone, Debug)]
pub struct Policy {
    /// By [`Call::row`].
    verdicts: Vec<Verdict>,
    /// Each once.
    rules: Vec<Rule>,
    /// Are 32-bit programs' calls judged like the others, or all refused?
    compat: bool,
}

impl Policy {
    /// The policy for a configuration: its profile, then its keys, then `system_calls`.
    ///
    /// # Errors
    /// Everything in the configuration that is wrong.
    pub fn of(security: &Security) -> Result<Self, Vec<BadPolicy>> {
        let mut problems = Vec::new();
        let keys = Keys::of(security, &mut problems);
        let mut policy = Self {
            verdicts: Vec::with_capacity(COUNT),
            rules: Vec::with_capacity(8),
            // 32-bit entries double what of the kernel lies open, and are its less tested half
            // (CVE-2021-22555 lay in there). Only a distribution of many programs needs them.
            compat: keys.profile == Profile::Server,
        };
        policy.verdicts.extend(Call::all().map(|call| Verdict::Always(keys.action(call.group()))));
        for call in WITH_ARGUMENTS {
            if let Some(rule) = keys.rule(call, policy.verdicts[call.row()]) {
                policy.set_rule(call, rule);
            }
        }
        for change in &security.system_calls {
            if let Err(problem) = policy.change(change, &keys) {
                problems.push(problem);
            }
        }
        if problems.is_empty() { Ok(policy) } else { Err(problems) }
    }

    /// Is a call refused whatever its arguments? So is one that jaula does not know.
    pub fn refuses(&self, name: &str) -> bool {
        Call::from_name(name).is_none_or(|call| match self.verdict(call) {
            Verdict::Always(action) => matches!(action, Action::Errno(_) | Action::Kill),
            Verdict::Rule(_) => false,
        })
    }

    /// Lets the keeper decide about a call, for a lent privilege.
    pub fn notify(&mut self, call: Call) {
        self.verdicts[call.row()] = Verdict::Always(Action::Notify);
    }

    /// Lets a tracer see those calls that a trace looks at, as far as they are allowed. Where an
    /// argument says that there is nothing to see, nobody is asked: each question takes longer
    /// than most calls.
    pub fn watch(&mut self) {
        for watched in crate::trace::calls::WATCHED {
            let Some(call) = watched.call() else { continue };
            if self.verdicts[call.row()] != Verdict::Always(Action::Allow) {
                continue;
            }
            match Rule::watch(watched.name) {
                Some(rule) => self.set_rule(call, rule),
                None => self.notify(call),
            }
        }
    }

    /// What becomes of one system call on a processor of that kind. The compiled filter says
    /// the same.
    pub fn decide(&self, arch: Arch, made: &Invocation) -> Action {
        let abi = match made.arch {
            a if a == arch.native().audit_arch() => arch.native(),
            a if a == arch.compat().audit_arch() => arch.compat(),
            // There is no such entry into the kernel.
            _ => return Action::Kill,
        };
        if abi == arch.compat() && !self.compat {
            return Self::NO_COMPAT;
        }
        if made.number == SKIPPED {
            return Action::Allow;
        }
        match Call::from_number(abi, made.number).map(|call| self.verdict(call)) {
            Some(Verdict::Always(action)) => action,
            Some(Verdict::Rule(rule)) => self.rules[usize::from(rule)].decide(&made.arguments),
            // Among them all of x32, which few kernels have switched on and no program uses.
            None => Action::Errno(ENOSYS),
        }
    }

    /// What all calls of 32-bit programs get where they are refused. Not death: a program that
    /// tries them out (as some do, through `int 0x80`) sees a kernel that has none and goes on.
    pub(super) const NO_COMPAT: Action = Action::Errno(ENOSYS);

    pub(super) fn compat(&self) -> bool {
        self.compat
    }

    pub(super) fn verdict(&self, call: Call) -> Verdict {
        self.verdicts[call.row()]
    }

    pub(super) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The verdicts of all numbers of an ABI: where each run of equal ones begins, ascending.
    pub(super) fn runs(&self, abi: Abi) -> Vec<(u32, Verdict)> {
        const UNKNOWN: Verdict = Verdict::Always(Action::Errno(ENOSYS));
        let mut runs: Vec<(u32, Verdict)> = Vec::with_capacity(128);
        let mut push = |number, verdict| {
            if runs.last().is_none_or(|(_, last)| *last != verdict) {
                runs.push((number, verdict));
            }
        };
        let mut next = 0;
        for (number, call) in table::numbers(abi) {
            if number != next {
                push(next, UNKNOWN);
            }
            push(number, call.map_or(UNKNOWN, |call| self.verdict(call)));
            next = number + 1;
        }
        push(next, UNKNOWN);
        push(SKIPPED, Verdict::Always(Action::Allow));
        runs
    }

    /// One entry of `security.system_calls`.
    fn change(&mut self, change: &Change<String>, keys: &Keys) -> Result<(), BadPolicy> {
        let (Change::Add(name) | Change::Remove(name)) = change;
        let Some(call) = Call::from_name(name) else {
            let nearest = nearest(name, Call::all().map(Call::name));
            return Err(BadPolicy::UnknownCall { name: name.chars().take(40).collect(), nearest });
        };
        let never = |why| Err(BadPolicy::CallNever { name: call.name(), why });
        match (change, call) {
            (Change::Remove(_), _) => {
                self.verdicts[call.row()] = Verdict::Always(Action::Errno(EPERM));
            }
            (Change::Add(_), CLONE3) if !keys.nesting => {
                return never(
                    "its flags lie in memory, where no filter sees whether it makes a user namespace; \
                     security.nesting = true allows both",
                );
            }
            (Change::Add(_), SOCKETCALL) => {
                return never(
                    "its arguments lie in memory, where no filter sees the family; \
                     C libraries have used the single calls since Linux 4.3",
                );
            }
            (Change::Add(_), _) => match keys.widest(call) {
                Some(rule) => self.set_rule(call, rule),
                None => self.verdicts[call.row()] = Verdict::Always(Action::Allow),
            },
        }
        Ok(())
    }

    fn set_rule(&mut self, call: Call, rule: Rule) {
        let place = self.rules.iter().position(|known| *known == rule).unwrap_or_else(|| {
            self.rules.push(rule);
            self.rules.len() - 1
        });
        // Seven calls have rules, each at most two, and four more when they are watched.
        if let Ok(place) = u8::try_from(place) {
            self.verdicts[call.row()] = Verdict::Rule(place);
        }
    }
}
