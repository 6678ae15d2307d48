//! The same filter by libseccomp, through a small C program (`libseccomp.c`).
//!
//! The plain calls come from our policy, by name, so that libseccomp's numbers and tree are set
//! against ours. What the arguments decide is written down here a second time, as libseccomp's
//! rules, from what the profiles are meant to do.

use super::{ABIS, ARCHES, PROFILES, arch_of, bpf, made, profile};
use model::config::Profile;
use model::seccomp::{Abi, Action, Call, Instruction, Policy, compile};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// What libseccomp says about a name on an ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    UnknownName,
    NotHere,
    Is(u32),
}

/// The C program, built once.
fn oracle() -> &'static PathBuf {
    static ORACLE: OnceLock<PathBuf> = OnceLock::new();
    ORACLE.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/seccomp/libseccomp.c");
        // Cargo keeps this directory for the tests of the package.
        let program =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("libseccomp-{}", std::process::id()));
        let built =
            Command::new("cc").arg("-O1").arg("-o").arg(&program).args([source, "-lseccomp"]).output();
        let built = built.expect("a C compiler: apt-get install gcc");
        let why = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "the test needs libseccomp: apt-get install libseccomp-dev\n{why}");
        program
    })
}

fn ask(what: &str, abi: Abi, input: &str) -> Vec<u8> {
    let arch = match abi {
        Abi::X86_64 => "x86_64",
        Abi::I386 => "x86",
        Abi::Aarch64 => "aarch64",
        Abi::Arm => "arm",
    };
    let mut child = Command::new(oracle())
        .args([what, arch])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program just built");
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let mut output = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut output).unwrap();
    writer.join().unwrap().unwrap();
    assert!(child.wait().unwrap().success(), "{what} {arch}");
    output
}

/// libseccomp's numbers of these names.
pub(crate) fn numbers(abi: Abi, names: &[&str]) -> Vec<Number> {
    let ours = |name: &str| match Call::from_name(name).unwrap().number(abi) {
        Some(number) => format!("{name} {number}\n"),
        None => format!("{name} -1\n"),
    };
    let input: String = names.iter().map(|name| ours(name)).collect();
    let answer = String::from_utf8(ask("numbers", abi, &input)).unwrap();
    let number = |line: &str| match line {
        "unknown" => Number::UnknownName,
        "none" => Number::NotHere,
        number => Number::Is(number.parse().unwrap()),
    };
    let numbers: Vec<_> = answer.lines().map(number).collect();
    assert_eq!(numbers.len(), names.len());
    numbers
}

fn filter(abi: Abi, rules: &str) -> Vec<Instruction> {
    let bytes = ask("filter", abi, rules);
    let instruction = |b: &[u8]| Instruction {
        code: u16::from_le_bytes([b[0], b[1]]),
        jt: b[2],
        jf: b[3],
        k: u32::from_le_bytes([b[4], b[5], b[6], b[7]]),
    };
    bytes.chunks_exact(8).map(instruction).collect()
}

// What of the arguments' values is compared. libseccomp cannot say "all but these", so its rules
// list them one by one.
const FAMILIES: std::ops::Range<u64> = 0..48;
const TYPES: std::ops::Range<u64> = 0..16;
const PROTOCOLS: std::ops::Range<u64> = 0..33;
const IOCTLS: [u64; 14] = [
    0,
    0x5401,
    0x5410,
    0x5411,
    0x5412,
    0x5413,
    0x541b,
    0x541c,
    0x541d,
    0x5000_9401,
    0x5000_940e,
    0x5000_940f,
    0x5000_9417,
    0x5000_9418,
];
const REFUSED_IOCTLS: [u64; 6] = [0x5412, 0x541c, 0x5000_9401, 0x5000_940e, 0x5000_9417, 0x5000_9418];
const PERSONALITIES: [u64; 8] = [0, 8, 0x2_0000, 0x2_0008, 0x4_0000, 0x40_0000, 0xffff_ffff, 1];
const LEVELS: [u64; 4] = [0, 1, 6, 41];
const OPTIONS: std::ops::Range<u64> = 60..132;
/// The seven for `clone`, and time, for `unshare`.
const NAMESPACES: [u64; 8] =
    [0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000, 0x80];
const USER: u64 = 0x1000_0000;

/// One of libseccomp's rules: argument, mask, value.
type Conditions = Vec<(u8, u64, u64)>;

const ALLOW: Action = Action::Allow;
const EPERM: Action = Action::Errno(1);

/// What the arguments decide, call by call.
fn argument_rules(profile: Profile) -> Vec<(&'static str, Action, Conditions)> {
    let server = profile == Profile::Server;
    let strict = profile == Profile::Strict;
    let mut rules = Vec::new();
    let low = 0xffff_ffff;

    let refused: &[u64] = if server { &[USER] } else { &NAMESPACES[..7] };
    rules.push(("clone", ALLOW, vec![(0, refused.iter().sum(), 0)]));
    rules.extend(refused.iter().map(|flag| ("clone", EPERM, vec![(0, *flag, *flag)])));
    if !strict {
        let refused: &[u64] = if server { &[USER] } else { &NAMESPACES };
        rules.push(("unshare", ALLOW, vec![(0, refused.iter().sum(), 0)]));
        rules.extend(refused.iter().map(|flag| ("unshare", EPERM, vec![(0, *flag, *flag)])));
    }
    for command in IOCTLS {
        let action = if REFUSED_IOCTLS.contains(&command) { EPERM } else { ALLOW };
        rules.push(("ioctl", action, vec![(1, low, command)]));
    }
    if strict {
        return rules;
    }
    for persona in PERSONALITIES {
        let allowed =
            [0, 0xffff_ffff].contains(&persona) || server && [8, 0x2_0000, 0x2_0008].contains(&persona);
        rules.push(("personality", if allowed { ALLOW } else { EPERM }, vec![(0, low, persona)]));
    }
    if !server {
        for (level, option) in LEVELS.iter().flat_map(|level| OPTIONS.map(move |option| (*level, option))) {
            let tables = match level {
                0 => [64, 65, 96, 97, 128, 129].contains(&option),
                41 => [64, 65].contains(&option),
                _ => false,
            };
            let action = if tables { EPERM } else { ALLOW };
            rules.push(("setsockopt", action, vec![(1, low, level), (2, low, option)]));
        }
    }
    for call in ["socket", "socketpair"] {
        for family in FAMILIES {
            let of_family = (0, low, family);
            match family {
                1 => rules.push((call, ALLOW, vec![of_family])),
                17 if server => rules.push((call, ALLOW, vec![of_family])),
                2 | 10 => rules.extend(TYPES.map(|kind| {
                    let raw = kind == 3 || kind == 10 && family == 2;
                    let action = if raw && !server { EPERM } else { ALLOW };
                    (call, action, vec![of_family, (1, 0xf, kind)])
                })),
                16 => rules.extend(PROTOCOLS.map(|protocol| {
                    let allowed = [0, 15].contains(&protocol) || server && [4, 12, 16].contains(&protocol);
                    let action = if allowed { ALLOW } else { Action::Errno(93) };
                    (call, action, vec![of_family, (2, low, protocol)])
                })),
                _ => rules.push((call, Action::Errno(97), vec![of_family])),
            }
        }
    }
    rules
}

/// Arguments inside what the rules list, with upper halves that must not matter.
fn arguments(call: &str) -> Vec<Vec<u64>> {
    let product = |a: &[u64], b: &[u64], c: &[u64]| {
        let mut all = Vec::new();
        for (a, b, c) in
            a.iter().flat_map(|a| b.iter().flat_map(move |b| c.iter().map(move |c| (*a, *b, *c))))
        {
            all.push(vec![a, b, c]);
            all.push([a, b, c].map(|argument| argument | 0xdead_beef_0000_0000).to_vec());
        }
        all
    };
    let range = |range: std::ops::Range<u64>| range.collect::<Vec<_>>();
    match call {
        "clone" | "unshare" => {
            let mut flags = vec![0, 0x11, 0x3d_0f00, 0x8000_0000, 0x100_0000];
            flags.extend(NAMESPACES);
            flags.extend(NAMESPACES.map(|flag| flag | 0x11));
            product(&flags, &[0], &[0])
        }
        "ioctl" => product(&[0, 5], &IOCTLS, &[0]),
        "personality" => product(&PERSONALITIES, &[0], &[0]),
        "setsockopt" => product(&[3], &LEVELS, &range(OPTIONS)),
        "socket" | "socketpair" => {
            let types: Vec<u64> = TYPES.chain([0x8_0003, 0x800 | 3, 0x8_0801]).collect();
            product(&range(FAMILIES), &types, &range(PROTOCOLS))
        }
        _ => vec![vec![0; 6], vec![u64::MAX; 6]],
    }
}

fn rule_text(rules: &mut String, action: Action, name: &str, conditions: &Conditions) {
    write!(rules, "{:x} {name}", action.value()).unwrap();
    for (argument, mask, value) in conditions {
        write!(rules, " {argument:x} {mask:x} {value:x}").unwrap();
    }
    rules.push('\n');
}

/// Compares the two filters of a profile on one ABI and returns how many calls were compared.
fn compare(abi: Abi, which: Profile, policy: &Policy) -> usize {
    let arch = arch_of(abi);
    let ours = compile(policy, arch);
    let by_arguments = argument_rules(which);
    let calls: Vec<Call> = Call::all().filter(|call| call.number(abi).is_some()).collect();
    let names: Vec<_> = calls.iter().map(|call| call.name()).collect();
    // Their table ends some kernels ago. On i386 they open `socketcall` and `ipc` together with
    // the single calls, and cannot check the arguments of those; we refuse the one, and check.
    let otherwise = |name: &str| {
        abi == Abi::I386 && ["socket", "socketpair", "setsockopt", "socketcall", "ipc"].contains(&name)
    };
    let known: HashSet<&str> = names
        .iter()
        .zip(numbers(abi, &names))
        .filter(|(name, number)| matches!(number, Number::Is(_)) && !otherwise(name))
        .map(|(name, _)| *name)
        .collect();

    let mut rules = String::new();
    for call in calls.iter().filter(|call| known.contains(call.name())) {
        let (name, number) = (call.name(), call.number(abi).unwrap());
        let mut listed = by_arguments.iter().filter(|(of, ..)| *of == name).peekable();
        if listed.peek().is_none() {
            let action = policy.decide(arch, &made(abi, number, &[]));
            // The default; libseccomp refuses a rule that says the same.
            if action != Action::Errno(38) {
                rule_text(&mut rules, action, name, &Vec::new());
            }
        }
        listed.for_each(|(_, action, conditions)| rule_text(&mut rules, *action, name, conditions));
    }
    let theirs = filter(abi, &rules);
    assert!(theirs.len() > 100, "no program of libseccomp's");

    let mut compared = 0;
    for number in (0..600).chain(0xf_0000..0xf_0008) {
        let call = Call::from_number(abi, number);
        if call.is_some_and(|call| !known.contains(call.name())) {
            continue;
        }
        for arguments in arguments(call.map_or("", Call::name)) {
            let made = made(abi, number, &arguments);
            let (us, them) = (bpf::run(&ours, &made).value, bpf::run(&theirs, &made).value);
            let name = call.map(Call::name);
            assert_eq!(
                us, them,
                "{which:?} {abi:?} {number} {name:?} {arguments:x?}: {us:#x}, theirs {them:#x}"
            );
            compared += 1;
        }
    }
    println!("{which:?} {abi:?}: {} instructions, theirs for this ABI alone {}", ours.len(), theirs.len());
    compared
}

#[test]
fn the_filter_is_libseccomps() {
    for which in PROFILES {
        let policy = profile(which);
        for arch in ARCHES {
            assert!(compare(arch.native(), which, &policy) > 600);
        }
    }
}

#[test]
fn the_filter_for_32_bit_programs_is_libseccomps() {
    let policy = profile(Profile::Server);
    for abi in ABIS.into_iter().filter(|abi| arch_of(*abi).compat() == *abi) {
        assert!(compare(abi, Profile::Server, &policy) > 600);
    }
}
