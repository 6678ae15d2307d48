//! A policy as a classic BPF program (`linux/filter.h`, `linux/bpf_common.h`).
//!
//! The program asks for the ABI, then finds the call's number in a balanced tree over the runs
//! of numbers with the same verdict, and then either returns or looks at arguments.
//!
//! It is written from its end to its beginning. All jumps go forwards, so whatever a jump leads
//! to stands already, and its distance is known. A jump reaches 255 instructions; where that is
//! too short, a long jump, or for a return another copy of it, is put in between.

use super::policy::{Policy, Verdict};
use super::rule::{Case, Rule, Test};
use super::{Action, Arch};

/// One instruction: `struct sock_filter`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What it does.
    pub code: u16,
    /// How many instructions are skipped if the condition holds.
    pub jt: u8,
    /// How many if it does not.
    pub jf: u8,
    /// Its operand.
    pub k: u32,
}

/// Load a word of `struct seccomp_data`.
const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_NOT_BELOW: u16 = 0x35;
const JUMP_IF_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
/// The lower half of an argument, on a little-endian machine.
fn argument(index: u8) -> u32 {
    16 + 8 * u32::from(index)
}

/// The filter for a policy on a processor of that kind; at most 4096 instructions, which is the
/// kernel's limit.
pub fn compile(policy: &Policy, arch: Arch) -> Vec<Instruction> {
    let mut program = Program { reversed: Vec::with_capacity(512), returns: Vec::with_capacity(16) };
    let kill = program.result(Action::Kill);
    let rules: Vec<Place> = policy.rules().iter().map(|rule| program.rule(rule)).collect();
    let compat = match policy.compat() {
        true => {
            let tree = program.tree(&policy.runs(arch.compat()), &rules);
            program.load(NUMBER, tree)
        }
        false => program.result(Policy::NO_COMPAT),
    };
    let foreign = program.jump(JUMP_IF_EQUAL, arch.compat().audit_arch(), compat, kill);
    let tree = program.tree(&policy.runs(arch.native()), &rules);
    let native = program.load(NUMBER, tree);
    let start = program.jump(JUMP_IF_EQUAL, arch.native().audit_arch(), native, foreign);
    program.load(ARCH, start);
    program.reversed.reverse();
    program.reversed
}

/// An instruction, by its distance from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place(usize);

/// Where a test begins.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// With any value loaded.
    fresh: Place,
    /// With this argument loaded already.
    loaded: Option<(u8, Place)>,
}

/// A program from its end.
struct Program {
    reversed: Vec<Instruction>,
    /// The nearest return of each value.
    returns: Vec<(u32, Place)>,
}

impl Program {
    fn push(&mut self, code: u16, jt: u8, jf: u8, k: u32) -> Place {
        self.reversed.push(Instruction { code, jt, jf, k });
        Place(self.reversed.len() - 1)
    }

    /// How many instructions lie between the next one to be written and that place.
    fn distance(&self, to: Place) -> usize {
        self.reversed.len() - to.0 - 1
    }

    /// A return of that action, not too far away.
    fn result(&mut self, action: Action) -> Place {
        // Half of a jump's reach: the other half is for what comes between.
        const NEAR: usize = 127;
        let value = action.value();
        let known = self.returns.iter().position(|(known, _)| *known == value);
        if let Some(known) = known {
            let place = self.returns[known].1;
            if self.distance(place) <= NEAR {
                return place;
            }
            self.returns.swap_remove(known);
        }
        let place = self.push(RETURN, 0, 0, value);
        self.returns.push((value, place));
        place
    }

    /// A place within a jump's reach that leads there, even if `more` instructions are written
    /// in between.
    fn near(&mut self, place: Place, more: usize) -> Place {
        if self.distance(place) + more <= usize::from(u8::MAX) { place } else { self.long_jump(place) }
    }

    fn long_jump(&mut self, to: Place) -> Place {
        // A program is far shorter than 2³² instructions.
        let distance = u32::try_from(self.distance(to)).unwrap_or(u32::MAX);
        self.push(JUMP, 0, 0, distance)
    }

    fn jump(&mut self, code: u16, k: u32, yes: Place, no: Place) -> Place {
        let no = self.near(no, 1);
        let yes = self.near(yes, 0);
        let skip = |distance| u8::try_from(distance).unwrap_or(u8::MAX);
        let (jt, jf) = (skip(self.distance(yes)), skip(self.distance(no)));
        self.push(code, jt, jf, k)
    }

    /// An instruction that does not jump, before that place.
    fn before(&mut self, next: Place, code: u16, k: u32) -> Place {
        if self.distance(next) > 0 {
            self.long_jump(next);
        }
        self.push(code, 0, 0, k)
    }

    fn load(&mut self, offset: u32, next: Place) -> Place {
        self.before(next, LOAD, offset)
    }

    /// Finds a number's run and goes where its verdict is found.
    fn tree(&mut self, runs: &[(u32, Verdict)], rules: &[Place]) -> Place {
        match *runs {
            [(_, Verdict::Always(action))] => self.result(action),
            [(_, Verdict::Rule(rule))] => rules[usize::from(rule)],
            // One number among others.
            [before, (number, _), after] if before.1 == after.1 && number + 1 == after.0 => {
                let others = self.tree(&runs[..1], rules);
                let one = self.tree(&runs[1..2], rules);
                self.jump(JUMP_IF_EQUAL, number, one, others)
            }
            _ => {
                let (below, above) = runs.split_at(runs.len() / 2);
                let yes = self.tree(above, rules);
                let no = self.tree(below, rules);
                self.jump(JUMP_IF_NOT_BELOW, above[0].0, yes, no)
            }
        }
    }

    fn rule(&mut self, rule: &Rule) -> Place {
        let otherwise = self.result(rule.otherwise);
        let end = Entry { fresh: otherwise, loaded: None };
        rule.cases.iter().rev().fold(end, |next, case| self.case(case, next)).fresh
    }

    fn case(&mut self, case: &Case, next: Entry) -> Entry {
        let then = self.result(case.then);
        let then = case.and.map_or(then, |and| self.test(and, then, next).fresh);
        self.test(case.when, then, next)
    }

    /// Loads an argument and goes to one of two places.
    fn test(&mut self, test: Test, yes: Place, no: Entry) -> Entry {
        // If the next test looks at the same argument, and masking has not spoilt it, it is
        // loaded already.
        let no_loaded = no.loaded.filter(|(index, _)| *index == test.argument).map_or(no.fresh, |(_, p)| p);
        let begin = match test {
            Test { mask: u32::MAX, value, .. } => self.jump(JUMP_IF_EQUAL, value, yes, no_loaded),
            Test { mask, value: 0, .. } => self.jump(JUMP_IF_ANY_BIT, mask, no_loaded, yes),
            Test { mask, value, .. } => {
                let compare = self.jump(JUMP_IF_EQUAL, value, yes, no.fresh);
                self.before(compare, AND, mask)
            }
        };
        Entry { fresh: self.load(argument(test.argument), begin), loaded: Some((test.argument, begin)) }
    }
}
