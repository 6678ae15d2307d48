//! What the kernel does with a filter (seccomp(2), the kernel's `bpf_check_classic` and
//! `seccomp_check_filter`).

use model::seccomp::{Instruction, Invocation};

/// What a run of a filter came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The value that it returned.
    pub(crate) value: u32,
    /// How many instructions that took.
    pub(crate) executed: usize,
    /// Did it look at arguments? If not, the kernel does not run the filter for the call again.
    pub(crate) saw_arguments: bool,
}

/// Would the kernel take it? Panics if not.
pub(crate) fn check(program: &[Instruction]) {
    assert!((1..=4096).contains(&program.len()), "{} instructions", program.len());
    for (at, i) in program.iter().enumerate() {
        let inside = |skip: u32| assert!(at + 1 + (skip as usize) < program.len(), "jump out of it at {at}");
        match i.code {
            0x20 => assert!(i.k < 64 && i.k.is_multiple_of(4), "load outside of seccomp_data at {at}"),
            0x15 | 0x35 | 0x25 | 0x45 => [i.jt, i.jf].map(|skip| inside(skip.into())).into_iter().collect(),
            0x05 => inside(i.k),
            0x54 | 0x06 => (),
            code => panic!("code {code:#x} at {at}"),
        }
    }
    assert_eq!(program[program.len() - 1].code, 0x06, "it runs off its end");
}

/// Runs it.
pub(crate) fn run(program: &[Instruction], made: &Invocation) -> Run {
    let mut data = [0u32; 16];
    data[0] = made.number;
    data[1] = made.arch;
    for (i, argument) in made.arguments.iter().enumerate() {
        data[4 + 2 * i] = u32::try_from(argument & 0xffff_ffff).unwrap();
        data[5 + 2 * i] = u32::try_from(argument >> 32).unwrap();
    }
    let (mut a, mut at, mut executed, mut saw_arguments) = (0u32, 0, 0, false);
    loop {
        let i = program[at];
        executed += 1;
        at += 1;
        let mut jump = |holds: bool| at += usize::from(if holds { i.jt } else { i.jf });
        match i.code {
            0x20 => {
                a = data[i.k as usize / 4];
                saw_arguments |= i.k >= 8;
            }
            0x54 => a &= i.k,
            0x05 => at += i.k as usize,
            0x15 => jump(a == i.k),
            0x25 => jump(a > i.k),
            0x35 => jump(a >= i.k),
            0x45 => jump(a & i.k != 0),
            0x06 => return Run { value: i.k, executed, saw_arguments },
            code => panic!("code {code:#x}"),
        }
    }
}
