//! The system call filter: what it allows, that the compiled program says the same as the
//! policy, and that both say the same as libseccomp.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which clippy does not take for tests")]

mod bpf;
mod libseccomp;
mod program;
mod rules;
mod table;

use model::config::{Change, Profile, Security};
use model::seccomp::{Abi, Action, Arch, Call, Invocation, Policy};

const ARCHES: [Arch; 2] = [Arch::X86_64, Arch::Aarch64];
const ABIS: [Abi; 4] = [Abi::X86_64, Abi::I386, Abi::Aarch64, Abi::Arm];
const PROFILES: [Profile; 3] = [Profile::App, Profile::Strict, Profile::Server];

fn security(profile: Profile) -> Security {
    Security { profile, ..Security::default() }
}

fn profile(profile: Profile) -> Policy {
    Policy::of(&security(profile)).unwrap()
}

/// `+name` and `-name`.
fn changes(words: &str) -> Vec<Change<String>> {
    let change = |word: &str| match word.split_at(1) {
        ("+", name) => Change::Add(name.to_owned()),
        (_, name) => Change::Remove(name.to_owned()),
    };
    words.split_whitespace().map(change).collect()
}

fn arch_of(abi: Abi) -> Arch {
    ARCHES.into_iter().find(|arch| [arch.native(), arch.compat()].contains(&abi)).unwrap()
}

fn made(abi: Abi, number: u32, arguments: &[u64]) -> Invocation {
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    Invocation { arch: abi.audit_arch(), number, arguments: all }
}

/// What becomes of this call, by the policy; the tests in `program` tie the filter to it.
fn decide(policy: &Policy, abi: Abi, name: &str, arguments: &[u64]) -> Action {
    let number = Call::from_name(name).unwrap().number(abi).unwrap_or_else(|| panic!("{name} on {abi:?}"));
    policy.decide(arch_of(abi), &made(abi, number, arguments))
}
