//! By encoding, and by the kernel's verifier and the kernel itself, which needs root.

use super::{Asm, Helper, Op, Problem, Reg::*, Size, When};
use crate::bpf::map::{Kind, Map};
use crate::bpf::{Hook, load};
use std::os::fd::AsFd;

fn root() -> bool {
    let root = crate::process::user() == 0;
    if !root {
        eprintln!("skipped: loading BPF programs needs root");
    }
    root
}

fn written(write: impl FnOnce(&mut Asm)) -> Vec<u64> {
    let mut asm = Asm::new();
    write(&mut asm);
    asm.finish().unwrap()
}

/// As the bytes stand in memory.
fn bytes(write: impl FnOnce(&mut Asm)) -> String {
    let one = |code: &u64| code.to_le_bytes().map(|byte| format!("{byte:02x}")).concat();
    written(write).iter().map(one).collect::<Vec<_>>().join(" ")
}

#[test]
fn instructions_are_encoded_as_the_kernel_has_them() {
    // As llvm-mc writes the same lines.
    for (write, expected) in [
        (&(|a: &mut Asm| a.mov(R0, 3)) as &dyn Fn(&mut Asm), "b700000003000000"),
        (&|a| a.mov(R6, R1), "bf16000000000000"),
        (&|a| a.alu(Op::Add, R2, -8), "07020000f8ffffff"),
        (&|a| a.alu(Op::Sub, R3, R4), "1f43000000000000"),
        (&|a| a.alu32(Op::And, R3, 0xff), "54030000ff000000"),
        (&|a| a.alu(Op::Arsh, R9, 32), "c709000020000000"),
        (&|a| a.network_order(R3, 16), "dc03000010000000"),
        (&|a| a.load(Size::B4, R3, R1, 24), "6113180000000000"),
        (&|a| a.load(Size::B1, R2, R10, -1), "71a2ffff00000000"),
        (&|a| a.load(Size::B8, R2, R10, -8), "79a2f8ff00000000"),
        (&|a| a.store(Size::B2, R10, -2, R1), "6b1afeff00000000"),
        (&|a| a.store(Size::B4, R10, -4, 7), "620afcff07000000"),
        (&|a| a.atomic_add(Size::B8, R0, 0, R1), "db10000000000000"),
        (&|a| a.constant(R1, 0x1122_3344_5566_7788), "1801000088776655 0000000044332211"),
        (&|a| a.call(Helper::SET_RETVAL), "85000000bb000000"),
        (&|a| a.exit(), "9500000000000000"),
    ] {
        assert_eq!(bytes(write), expected);
    }
}

#[test]
fn jumps_count_from_the_next_instruction() {
    let code = bytes(|a| {
        let (back, out) = (a.label(), a.label());
        a.place(back);
        a.jump(R2, When::Eq, 5, out);
        a.jump(R2, When::SLt, R3, back);
        a.goto(back);
        a.place(out);
        a.exit();
    });
    assert_eq!(code, "1502020005000000 cd32feff00000000 0500fdff00000000 9500000000000000");
}

#[test]
fn a_jump_must_lead_somewhere_near() {
    let mut asm = Asm::new();
    let label = asm.label();
    asm.goto(label);
    assert_eq!(asm.clone().finish(), Err(Problem::Unplaced(label)));
    (0..32_767).for_each(|_| asm.mov(R0, 0));
    let mut near = asm.clone();
    near.place(label);
    assert!(near.finish().is_ok());
    asm.mov(R0, 0);
    asm.place(label);
    assert_eq!(asm.finish(), Err(Problem::TooFar(label)));
}

#[test]
fn the_verifier_accepts_what_is_written_for_each_hook() {
    if !root() {
        return;
    }
    let allow = written(|a| {
        a.mov(R0, 1);
        a.exit();
    });
    for hook in [
        Hook::Ingress,
        Hook::Egress,
        Hook::SocketCreate,
        Hook::Bind4,
        Hook::Bind6,
        Hook::Connect4,
        Hook::Connect6,
        Hook::PostBind4,
        Hook::PostBind6,
        Hook::Sendmsg4,
        Hook::Sendmsg6,
        Hook::Recvmsg4,
        Hook::Recvmsg6,
        Hook::Getpeername4,
        Hook::Getpeername6,
        Hook::Getsockname4,
        Hook::Getsockname6,
        Hook::RawTracepoint,
    ] {
        load(hook, "test", &allow).unwrap();
    }
}

#[test]
fn the_verifier_says_what_is_wrong() {
    if !root() {
        return;
    }
    let wrong = written(|a| {
        a.mov(R0, R5);
        a.exit();
    });
    let error = load(Hook::Bind4, "test", &wrong).unwrap_err();
    assert_eq!(error.call, "bpf(PROG_LOAD, Bind4 test: R5 !read_ok)");
}

/// Counts the calls of this process in a map, at a tracepoint: every kind of instruction runs.
#[test]
fn a_program_runs_and_shares_a_map() {
    if !root() {
        return;
    }
    let calls = Map::new(Kind::Hash, 4, 8, 16).unwrap();
    let own = std::process::id();
    let code = written(|a| {
        let (out, found) = (a.label(), a.label());
        a.call(Helper::GET_CURRENT_PID_TGID);
        a.alu(Op::Rsh, R0, 32);
        a.jump(R0, When::Ne, i32::try_from(own).unwrap(), out);
        a.store(Size::B4, R10, -4, R0);
        a.map(R1, calls.as_fd());
        a.mov(R2, R10);
        a.alu(Op::Add, R2, -4);
        a.call(Helper::MAP_LOOKUP_ELEM);
        a.jump(R0, When::Ne, 0, found);
        a.goto(out);
        a.place(found);
        a.mov(R1, 1);
        a.atomic_add(Size::B8, R0, 0, R1);
        a.place(out);
        a.mov(R0, 0);
        a.exit();
    });
    let key = own.to_ne_bytes();
    calls.set(&key, &[0; 8]).unwrap();
    let program = load(Hook::RawTracepoint, "jaula_test", &code).unwrap();
    let attached = program.attach_tracepoint("sys_enter").unwrap();
    for _ in 0..100 {
        // Any call at all.
        assert!(crate::fs::magic("/").is_ok());
    }
    drop(attached);
    let count = u64::from_ne_bytes(calls.get(&key).unwrap().try_into().unwrap());
    assert!(count >= 100, "{count}");
    calls.remove(&key).unwrap();
    assert!(calls.get(&key).is_err_and(|e| e.is(libc::ENOENT)));
    assert!(program.attach_tracepoint("no_such_point").is_err_and(|e| e.is(libc::ENOENT)));
}
