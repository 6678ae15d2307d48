//! Hooks on packets: what a socket of the jail sends has one of its addresses as its source, and what
//! it receives was sent to one of them.
//!
//! The hooks on calls see to this for ordinary programs. These see what no call tells: a source
//! chosen by IP_PKTINFO on a connected socket, ping sockets, sockets that wait on a port of the
//! kernel's choice without bind(2).

use super::known::Known;
use super::parts::*;
use sys::bpf::Hook;
use sys::bpf::asm::{Asm, Helper, Reg::*, Size, When};

/// In `struct __sk_buff`: the kind of packet, in the network's order.
const PROTOCOL: i16 = 16;
const IPV4: i32 = 0x0800_u16.to_be() as i32;
const IPV6: i32 = 0x86dd_u16.to_be() as i32;

/// Where a packet has its addresses: source and destination.
#[derive(Clone, Copy)]
struct At {
    v4: i32,
    v6: i32,
}

const SOURCE: At = At { v4: 12, v6: 8 };
const DESTINATION: At = At { v4: 16, v6: 24 };

/// Where an address is put on the stack.
const STACK: i16 = -16;

pub(super) fn programs(known: Known<'_>) -> Vec<(Hook, Vec<u64>)> {
    vec![(Hook::Egress, passed(known, SOURCE)), (Hook::Ingress, passed(known, DESTINATION))]
}

/// Passes packets that have one of the jail's addresses there.
fn passed(known: Known<'_>, at: At) -> Vec<u64> {
    known.written(|asm| {
        let (v6, pass, drop) = (asm.label(), asm.label(), asm.label());
        asm.load(Size::B4, R2, R1, PROTOCOL);
        asm.jump(R2, When::Eq, IPV6, v6);
        asm.jump(R2, When::Ne, IPV4, drop);
        take(asm, at.v4, 4);
        asm.jump(R0, When::Ne, 0, drop);
        asm.load(Size::B4, R2, R10, STACK);
        known.if_v4(asm, R2, pass);
        asm.goto(drop);

        asm.place(v6);
        take(asm, at.v6, 16);
        asm.jump(R0, When::Ne, 0, drop);
        known.if_v6(asm, R10, STACK, pass);

        asm.place(drop);
        answer(asm, 0);
        asm.place(pass);
        answer(asm, 1);
    })
}

/// Copies a part of the packet to the stack; not 0 if it is too short.
fn take(asm: &mut Asm, offset: i32, length: i32) {
    asm.mov(R2, offset);
    asm.mov(R3, R10);
    asm.alu(sys::bpf::asm::Op::Add, R3, i32::from(STACK));
    asm.mov(R4, length);
    asm.call(Helper::SKB_LOAD_BYTES);
}
