//! Hooks on packets: what a socket of the jail sends has one of its addresses as its source, and what
//! it receives was sent to one of them.
//!
//! The hooks on calls see to this for ordinary programs. These see what no call tells: a source
//! chosen by IP_PKTINFO on a connected socket, ping sockets, sockets that wait on a port of the
//! kernel's choice without bind(2).

use super::known::Known;
use super::parts::*;
use sys::bpf::Hook;
use sys::bpf::asm::{Asm, Label, Op, Reg::*, Size, When};

/// In `struct __sk_buff`: the kind of packet, in the network's order, and where its bytes are. Packets come to these
/// hooks from their IP header on, which the kernel has always in one piece.
const PROTOCOL: i16 = 16;
const DATA: i16 = 76;
const DATA_END: i16 = 80;
const IPV4: i32 = 0x0800_u16.to_be() as i32;
const IPV6: i32 = 0x86dd_u16.to_be() as i32;
/// Bytes of a header, without options.
const IPV4_HEADER: i32 = 20;
const IPV6_HEADER: i32 = 40;

/// Where a packet has its addresses: source and destination.
#[derive(Clone, Copy)]
struct At {
    v4: i16,
    v6: i16,
}

const SOURCE: At = At { v4: 12, v6: 8 };
const DESTINATION: At = At { v4: 16, v6: 24 };

pub(super) fn programs(known: Known<'_>) -> Vec<(Hook, Vec<u64>)> {
    vec![(Hook::Egress, passed(known, SOURCE)), (Hook::Ingress, passed(known, DESTINATION))]
}

/// Passes packets that have one of the jail's addresses there. It runs for each packet: the header is read where it is,
/// which costs a fifth of a call that copies it.
fn passed(known: Known<'_>, at: At) -> Vec<u64> {
    known.written(|asm| {
        let (v6, pass, drop) = (asm.label(), asm.label(), asm.label());
        asm.load(Size::B4, R0, R1, PROTOCOL);
        asm.load(Size::B4, R2, R1, DATA);
        asm.load(Size::B4, R3, R1, DATA_END);
        asm.jump(R0, When::Eq, IPV6, v6);
        asm.jump(R0, When::Ne, IPV4, drop);
        unless_whole(asm, IPV4_HEADER, drop);
        asm.load(Size::B4, R2, R2, at.v4);
        known.if_v4(asm, R2, pass);
        asm.goto(drop);

        asm.place(v6);
        unless_whole(asm, IPV6_HEADER, drop);
        known.if_v6(asm, R2, at.v6, pass);

        asm.place(drop);
        answer(asm, 0);
        asm.place(pass);
        answer(asm, 1);
    })
}

/// Goes to `short` if `R2` to `R3` is less than this many bytes. Uses `R4`.
fn unless_whole(asm: &mut Asm, bytes: i32, short: Label) {
    asm.mov(R4, R2);
    asm.alu(Op::Add, R4, bytes);
    asm.jump(R4, When::Gt, R3, short);
}
