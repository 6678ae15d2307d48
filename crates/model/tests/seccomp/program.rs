//! The compiled program: it says what the policy says, and is short.

use super::{ABIS, ARCHES, PROFILES, arch_of, bpf, changes, decide, made, profile, security};
use model::config::{Profile, Security};
use model::seccomp::{Abi, Action, Arch, Call, Instruction, Invocation, Policy, compile};
use proptest::prelude::*;

fn agree(policy: &Policy, arch: Arch, program: &[Instruction], made: &Invocation) {
    let (says, does) = (policy.decide(arch, made), bpf::run(program, made).value);
    assert_eq!(does, says.value(), "{arch:x?} {made:x?}: the policy says {says:?}, the program {does:#x}");
}

/// Values that some rule looks for, with their neighbours, and any other; with any upper half.
fn argument() -> impl Strategy<Value = u64> {
    let low = prop_oneof![
        0u32..64,
        60u32..132,
        0x5410u32..0x5420,
        (0u32..32).prop_map(|bit| 1 << bit),
        any::<u32>(),
        Just(u32::MAX),
    ];
    let high = prop_oneof![Just(0u32), Just(u32::MAX), any::<u32>()];
    (low, high).prop_map(|(low, high)| u64::from(high) << 32 | u64::from(low))
}

fn any_security() -> impl Strategy<Value = Security> {
    let key = || proptest::option::of(any::<bool>());
    let families = proptest::sample::subsequence(
        vec!["unix", "inet", "inet6", "route", "netlink", "packet", "bluetooth", "xdp"],
        0..8,
    );
    let names: Vec<_> =
        Call::all().map(Call::name).filter(|n| !["clone3", "socketcall"].contains(n)).collect();
    let sign = |(add, name): (bool, &str)| format!("{}{name}", if add { '+' } else { '-' });
    let words = (any::<bool>(), proptest::sample::select(names)).prop_map(sign);
    let words = proptest::collection::vec(words, 0..40);
    let keys = (key(), key(), key(), key(), any::<bool>());
    (0usize..3, keys, proptest::option::of(families), words).prop_map(|(which, keys, families, words)| {
        Security {
            profile: PROFILES[which],
            set_hostname: keys.0,
            sysvipc: keys.1,
            mount: keys.2,
            raw_sockets: if families.is_some() { Some(true) } else { keys.3 },
            nesting: keys.4,
            socket_families: families.map(|names| names.into_iter().map(str::to_owned).collect()),
            system_calls: changes(&words.join(" ")),
            ..Security::default()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_program_says_what_the_policy_says(
        security in any_security(),
        arguments in proptest::collection::vec(proptest::array::uniform6(argument()), 4),
        numbers in proptest::collection::vec(any::<u32>(), 16),
    ) {
        let policy = Policy::of(&security).unwrap();
        for arch in ARCHES {
            let program = compile(&policy, arch);
            bpf::check(&program);
            for abi in ABIS {
                let ends = [0x4000_0000, 0x4000_0001, 0xf_0002, 0xf_0005, 0xf_0007, u32::MAX - 1, u32::MAX];
                for number in (0..600).chain(ends).chain(numbers.iter().copied()) {
                    for arguments in &arguments {
                        agree(&policy, arch, &program, &made(abi, number, arguments));
                    }
                }
            }
            agree(&policy, arch, &program, &Invocation { arch: 0, number: 0, arguments: [0; 6] });
        }
    }

    #[test]
    fn calls_with_rules_agree_on_any_arguments(
        security in any_security(),
        arguments in proptest::collection::vec(proptest::array::uniform6(argument()), 64),
    ) {
        let policy = Policy::of(&security).unwrap();
        for abi in ABIS {
            let arch = arch_of(abi);
            let program = compile(&policy, arch);
            for name in ["clone", "unshare", "ioctl", "personality", "setsockopt", "socket", "socketpair"] {
                let number = Call::from_name(name).unwrap().number(abi).unwrap();
                for arguments in &arguments {
                    agree(&policy, arch, &program, &made(abi, number, arguments));
                }
            }
        }
    }
}

/// Nearly the most runs of numbers that a policy can have: every second call refused, 32-bit
/// ones too. Jumps in it are longer than 255 instructions.
#[test]
fn the_longest_program_fits() {
    let odd = |call: &Call| call.number(Abi::X86_64).is_some_and(|number| number % 2 == 1);
    let every_second: Vec<_> = Call::all().filter(odd).map(|call| format!("-{}", call.name())).collect();
    let mut policy = Policy::of(&Security {
        nesting: true,
        system_calls: changes(&every_second.join(" ")),
        ..security(Profile::Server)
    })
    .unwrap();
    policy.notify(Call::from_name("mount").unwrap());
    for arch in ARCHES {
        let program = compile(&policy, arch);
        bpf::check(&program);
        println!("{arch:?}: {} instructions", program.len());
        for abi in [arch.native(), arch.compat()] {
            for number in 0..600 {
                agree(&policy, arch, &program, &made(abi, number, &[0, 0x5412, 64]));
            }
        }
    }
    assert_eq!(decide(&policy, Abi::X86_64, "mount", &[]), Action::Notify);
}

/// Calls that programs make all day are allowed whatever their arguments, so that the kernel
/// need not run the filter for them; the numbers are budgets.
#[test]
fn programs_are_short() {
    const HOT: [&str; 16] = [
        "read",
        "write",
        "openat",
        "close",
        "newfstatat",
        "mmap",
        "munmap",
        "futex",
        "clock_gettime",
        "epoll_pwait",
        "recvfrom",
        "sendto",
        "recvmsg",
        "sendmsg",
        "getrandom",
        "rt_sigprocmask",
    ];
    const WITH_ARGUMENTS: [&str; 4] = ["ioctl", "clone", "socket", "setsockopt"];
    for which in PROFILES {
        for arch in ARCHES {
            let program = compile(&profile(which), arch);
            bpf::check(&program);
            let run = |name: &&str| {
                let number = Call::from_name(name).unwrap().number(arch.native()).unwrap();
                bpf::run(&program, &made(arch.native(), number, &[1, 1, 0]))
            };
            let hot: Vec<_> = HOT.iter().map(run).collect();
            let allowed = |run: &&bpf::Run| run.value == Action::Allow.value();
            assert!(hot.iter().filter(allowed).all(|run| !run.saw_arguments));
            let mean = hot.iter().map(|run| run.executed).sum::<usize>() as f64 / HOT.len() as f64;
            let others: Vec<_> = WITH_ARGUMENTS.iter().map(|name| (name, run(name).executed)).collect();
            println!("{which:?} {arch:?}: {} instructions; hot calls {mean:.1}, {others:?}", program.len());
            assert!(mean < 13.0);
            assert!(program.len() < 450);
        }
    }
}
