//! What the programs are made of.

use std::net::{Ipv4Addr, Ipv6Addr};
use sys::bpf::asm::{Asm, Helper, Label, Reg, Reg::*, Size, When};

/// Offsets in `struct bpf_sock_addr`, what a program at a call is given.
pub(super) const USER_FAMILY: i16 = 0;
pub(super) const USER_IP4: i16 = 4;
pub(super) const USER_IP6: i16 = 8;
pub(super) const USER_PORT: i16 = 24;
pub(super) const TYPE: i16 = 32;
pub(super) const SOURCE_IP4: i16 = 40;
pub(super) const SOURCE_IP6: i16 = 44;
pub(super) const SOCKET: i16 = 64;
/// Offsets in `struct bpf_sockopt`.
pub(super) const OPTION_SOCKET: i16 = 0;
pub(super) const OPTION_VALUE: i16 = 8;
pub(super) const OPTION_END: i16 = 16;
pub(super) const OPTION_LEVEL: i16 = 24;
pub(super) const OPTION_NAME: i16 = 28;
/// Offsets in `struct bpf_sock`, a socket.
pub(super) const SOCKET_FAMILY: i16 = 4;
pub(super) const SOCKET_TYPE: i16 = 8;
pub(super) const SOCKET_PROTOCOL: i16 = 12;
pub(super) const BOUND_IP4: i16 = 24;
pub(super) const BOUND_IP6: i16 = 28;

pub(super) const BOUND_PORT: i16 = 44;

pub(super) const AF_INET: i32 = 2;
pub(super) const AF_INET6: i32 = 10;
pub(super) const STREAM: i32 = 1;
pub(super) const DATAGRAM: i32 = 2;

pub(super) const LOCALHOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// An address as a load of 4 bytes sees it.
pub(super) fn word(address: Ipv4Addr) -> u32 {
    u32::from_ne_bytes(address.octets())
}

/// The four words of an address, likewise.
pub(super) fn words(address: Ipv6Addr) -> [u32; 4] {
    let octets = address.octets();
    let (words, _) = octets.as_chunks::<4>();
    std::array::from_fn(|n| u32::from_ne_bytes(words[n]))
}

/// A program of its own.
pub(super) fn written(write: impl FnOnce(&mut Asm)) -> Vec<u64> {
    let mut asm = Asm::new();
    write(&mut asm);
    asm.finish().expect("every label is placed, and near")
}

/// Ends the program with this answer.
pub(super) fn answer(asm: &mut Asm, answer: i32) {
    asm.mov(R0, answer);
    asm.exit();
}

/// Ends the program: the call fails with this number.
pub(super) fn refuse(asm: &mut Asm, errno: i32) {
    asm.mov(R1, -errno);
    asm.call(Helper::SET_RETVAL);
    answer(asm, 0);
}

/// Goes to `label` if `reg` is this word. Uses `R5`.
pub(super) fn if_word(asm: &mut Asm, reg: Reg, word: u32, label: Label) {
    asm.constant(R5, u64::from(word));
    asm.jump(reg, When::Eq, R5, label);
}

/// Goes to `label` if `reg` is one of these addresses. Uses `R5`.
pub(super) fn if_any(asm: &mut Asm, reg: Reg, addresses: &[Ipv4Addr], label: Label) {
    for address in addresses {
        if_word(asm, reg, word(*address), label);
    }
}

/// Goes to `label` if the four words at `base + offset` are one of these addresses. Uses `R4`, `R5`.
pub(super) fn if_any6(asm: &mut Asm, base: Reg, offset: i16, addresses: &[Ipv6Addr], label: Label) {
    for address in addresses {
        let other = asm.label();
        for (at, word) in (offset..).step_by(4).zip(words(*address)) {
            asm.load(Size::B4, R4, base, at);
            asm.constant(R5, u64::from(word));
            asm.jump(R4, When::Ne, R5, other);
        }
        asm.goto(label);
        asm.place(other);
    }
}

/// Goes to `label` if the four words at `base + offset` are zero. Uses `R4`.
pub(super) fn if_unspecified(asm: &mut Asm, base: Reg, offset: i16, label: Label) {
    let other = asm.label();
    for at in (offset..).step_by(4).take(4) {
        asm.load(Size::B4, R4, base, at);
        asm.jump(R4, When::Ne, 0, other);
    }
    asm.goto(label);
    asm.place(other);
}

/// Goes to `label` unless the four words at `base + offset` are an IPv4 address mapped into IPv6.
/// Uses `R4`, `R5`.
pub(super) fn unless_mapped(asm: &mut Asm, base: Reg, offset: i16, label: Label) {
    let prefix = words(LOCALHOST.to_ipv6_mapped());
    for (at, word) in (offset..).step_by(4).zip(prefix).take(3) {
        asm.load(Size::B4, R4, base, at);
        asm.constant(R5, u64::from(word));
        asm.jump(R4, When::Ne, R5, label);
    }
}

/// Writes an address to `base + offset`. Uses `R4`.
pub(super) fn put6(asm: &mut Asm, base: Reg, offset: i16, address: Ipv6Addr) {
    for (at, word) in (offset..).step_by(4).zip(words(address)) {
        asm.constant(R4, u64::from(word));
        asm.store(Size::B4, base, at, R4);
    }
}

/// Writes an address to `base + offset`. Uses `R4`.
pub(super) fn put(asm: &mut Asm, base: Reg, offset: i16, address: Ipv4Addr) {
    asm.constant(R4, u64::from(word(address)));
    asm.store(Size::B4, base, offset, R4);
}
