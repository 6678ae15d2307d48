//! Hooks on system calls: addresses that programs name, and are told.

use super::known::Known;
use super::parts::*;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::BorrowedFd;
use sys::bpf::Hook;
use sys::bpf::asm::{Asm, Helper, Label, Op, Reg, Reg::*, Size, When};
use sys::errno::{EADDRNOTAVAIL, ECONNREFUSED, ENETUNREACH, EPROTONOSUPPORT};

/// `BPF_SK_STORAGE_GET_F_CREATE`
const CREATE: i32 = 1;
/// The context of the program; calls of helpers leave it.
const CALL: Reg = R6;
/// An IPv4 address that is looked at, in the network's order.
const ADDRESS: Reg = R7;
/// The address that the call is to use.
const FOUND: Reg = R8;

/// Where what a socket of the jail has in the map has what: the jail's number, and which families it is of.
const JAIL: i16 = 0;
const FAMILIES: i16 = 8;
/// As far as it is known.
const OF_BOTH: i32 = 1;
const OF_IPV6: i32 = 2;

const IPPROTO_IPV6: i32 = 41;
const IPV6_V6ONLY: i32 = 26;

/// `IPPROTO_…` of TCP, UDP, and ping sockets of both families.
const PROTOCOLS: [(i32, i32); 4] = [(STREAM, 6), (DATAGRAM, 17), (DATAGRAM, 1), (DATAGRAM, 58)];

/// `sockets`: those of the jail have a value in it.
pub(super) fn programs(known: Known<'_>, sockets: BorrowedFd<'_>) -> Vec<(Hook, Vec<u64>)> {
    let mut all = vec![
        (Hook::SocketCreate, created(known, sockets)),
        (Hook::Bind4, bound4(known)),
        (Hook::Bind6, bound6(known, sockets)),
        (Hook::Connect4, sent4(known, sockets, How::Connect)),
        (Hook::Connect6, sent6(known, sockets, How::Connect)),
        (Hook::Sendmsg4, sent4(known, sockets, How::Send)),
        (Hook::Sendmsg6, sent6(known, sockets, How::Send)),
        (Hook::Recvmsg4, shown4(known)),
        (Hook::Recvmsg6, shown6(known)),
        (Hook::Getsockname4, shown4(known)),
        (Hook::Getsockname6, shown6(known)),
        (Hook::Getpeername4, shown4(known)),
        (Hook::Getpeername6, shown6(known)),
    ];
    if known.may_be_only_v4() {
        all.push((Hook::Setsockopt, noted(sockets)));
    }
    all
}

/// socket(2): TCP, UDP and ping sockets; nothing else that could bind or send in a way of its own.
/// Multipath TCP is refused as a kernel without it does, so that programs take TCP.
fn created(known: Known<'_>, sockets: BorrowedFd<'_>) -> Vec<u64> {
    known.written(|asm| {
        let (inet, allowed, pass) = (asm.label(), asm.label(), asm.label());
        asm.mov(CALL, R1);
        asm.load(Size::B4, R2, R1, SOCKET_FAMILY);
        asm.jump(R2, When::Eq, AF_INET, inet);
        asm.jump(R2, When::Ne, AF_INET6, pass);
        asm.place(inet);
        asm.load(Size::B4, R2, R1, SOCKET_TYPE);
        asm.load(Size::B4, R3, R1, SOCKET_PROTOCOL);
        for (kind, protocol) in PROTOCOLS {
            let other = asm.label();
            asm.jump(R2, When::Ne, kind, other);
            asm.jump(R3, When::Eq, protocol, allowed);
            asm.place(other);
        }
        refuse(asm, EPROTONOSUPPORT);
        asm.place(allowed);
        asm.mov(R2, CALL);
        own_socket(asm, sockets, CREATE);
        // Without memory for it, nobody comes to it by the loopback address.
        asm.jump(R0, When::Eq, 0, pass);
        // Programs of a group below run before those of groups above it: the socket is the innermost one's.
        asm.load(Size::B8, R1, R0, JAIL);
        asm.jump(R1, When::Ne, 0, pass);
        known.jail(asm, R1);
        asm.store(Size::B8, R0, JAIL, R1);
        asm.place(pass);
        answer(asm, 1);
    })
}

/// bind(2), IPv4.
fn bound4(known: Known<'_>) -> Vec<u64> {
    known.written(|asm| {
        let (change, pass, refused) = (asm.label(), asm.label(), asm.label());
        asm.mov(CALL, R1);
        asm.load(Size::B4, ADDRESS, CALL, USER_IP4);
        bind_to(asm, known, change, pass, refused);
        asm.place(change);
        asm.store(Size::B4, CALL, USER_IP4, FOUND);
        asm.place(pass);
        known.allow_bind(asm);
        asm.place(refused);
        refuse(asm, EADDRNOTAVAIL);
    })
}

/// Where a bind to `ADDRESS` goes: on to `change` with the address in `FOUND`, as it is, or nowhere.
fn bind_to(asm: &mut Asm, known: Known<'_>, change: Label, pass: Label, refused: Label) {
    let (named, loopback) = (asm.label(), asm.label());
    if_word(asm, ADDRESS, word(LOCALHOST), loopback);
    asm.jump(ADDRESS, When::Ne, 0, named);
    known.first_v4(asm, FOUND, refused);
    asm.goto(change);
    asm.place(loopback);
    known.loopback(asm, FOUND);
    asm.goto(change);
    asm.place(named);
    known.if_v4(asm, ADDRESS, pass);
    asm.goto(refused);
}

/// setsockopt(2): notes which of the jail's sockets are of IPv6 alone, which nothing else tells a program.
fn noted(sockets: BorrowedFd<'_>) -> Vec<u64> {
    written(|asm| {
        let (pass, put) = (asm.label(), asm.label());
        asm.mov(CALL, R1);
        for (offset, number) in [(OPTION_LEVEL, IPPROTO_IPV6), (OPTION_NAME, IPV6_V6ONLY)] {
            asm.load(Size::B4, R2, CALL, offset);
            asm.jump(R2, When::Ne, number, pass);
        }
        asm.load(Size::B8, R7, CALL, OPTION_VALUE);
        asm.load(Size::B8, R8, CALL, OPTION_END);
        asm.mov(R2, R7);
        asm.alu(Op::Add, R2, 4);
        asm.jump(R2, When::Gt, R8, pass);
        asm.load(Size::B4, R9, R7, 0);
        asm.load(Size::B8, R2, CALL, OPTION_SOCKET);
        own_socket(asm, sockets, 0);
        asm.jump(R0, When::Eq, 0, pass);
        asm.mov(R1, OF_BOTH);
        asm.jump(R9, When::Eq, 0, put);
        asm.mov(R1, OF_IPV6);
        asm.place(put);
        asm.store(Size::B4, R0, FAMILIES, R1);
        asm.place(pass);
        answer(asm, 1);
    })
}

/// bind(2), IPv6. A jail without IPv6 addresses has its first IPv4 address for `::`; a socket that is of IPv6 alone
/// cannot have that one, and waits where nobody comes: services that ask for both families begin, as they do on a
/// host without IPv6 addresses.
fn bound6(known: Known<'_>, sockets: BorrowedFd<'_>) -> Vec<u64> {
    known.written(|asm| {
        let (any, unmapped, change, pass, refused) =
            (asm.label(), asm.label(), asm.label(), asm.label(), asm.label());
        asm.mov(CALL, R1);
        if_unspecified(asm, CALL, USER_IP6, any);
        unless_mapped(asm, CALL, USER_IP6, unmapped);
        asm.load(Size::B4, ADDRESS, CALL, USER_IP6 + 12);
        bind_to(asm, known, change, pass, refused);
        asm.place(change);
        asm.store(Size::B4, CALL, USER_IP6 + 12, FOUND);
        asm.goto(pass);

        asm.place(unmapped);
        known.if_v6(asm, CALL, USER_IP6, pass);
        asm.goto(refused);

        asm.place(any);
        let (only_v4, both) = (asm.label(), asm.label());
        known.unless_v6(asm, only_v4);
        known.put_first_v6(asm, CALL, USER_IP6);
        asm.goto(pass);
        asm.place(only_v4);
        known.first_v4(asm, FOUND, refused);
        asm.load(Size::B8, R2, CALL, SOCKET);
        own_socket(asm, sockets, 0);
        asm.jump(R0, When::Eq, 0, both);
        asm.load(Size::B4, R1, R0, FAMILIES);
        asm.jump(R1, When::Ne, OF_IPV6, both);
        put6(asm, CALL, USER_IP6, Ipv6Addr::LOCALHOST);
        asm.store(Size::B4, CALL, USER_PORT, 0);
        asm.goto(pass);
        asm.place(both);
        put6(asm, CALL, USER_IP6, Ipv4Addr::UNSPECIFIED.to_ipv6_mapped());
        asm.store(Size::B4, CALL, USER_IP6 + 12, FOUND);
        asm.place(pass);
        known.allow_bind(asm);
        asm.place(refused);
        refuse(asm, EADDRNOTAVAIL);
    })
}

/// A call that names whom to reach.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// connect(2): the socket is bound to the source.
    Connect,
    /// sendto(2), sendmsg(2) on a socket that is not connected: the source is this message's.
    Send,
}

/// connect(2) and sendmsg(2), IPv4.
fn sent4(known: Known<'_>, sockets: BorrowedFd<'_>, how: How) -> Vec<u64> {
    known.written(|asm| {
        let (inside, outside, refused, unreachable) = (asm.label(), asm.label(), asm.label(), asm.label());
        asm.mov(CALL, R1);
        if_connected(asm, how, outside);
        asm.load(Size::B4, ADDRESS, CALL, USER_IP4);
        if_loopback(asm, known, inside, refused);
        asm.place(outside);
        outside4(asm, known, how, false, unreachable);

        asm.place(inside);
        who_listens(asm, known, sockets, refused);
        asm.store(Size::B4, CALL, USER_IP4, FOUND);
        from4(asm, known, how, false, unreachable);

        asm.place(refused);
        refuse(asm, ECONNREFUSED);
        asm.place(unreachable);
        refuse(asm, ENETUNREACH);
    })
}

/// connect(2) and sendmsg(2), IPv6. A message to a mapped address comes to the IPv4 hook.
fn sent6(known: Known<'_>, sockets: BorrowedFd<'_>, how: How) -> Vec<u64> {
    known.written(|asm| {
        let (unmapped, outside, refused, unreachable) = (asm.label(), asm.label(), asm.label(), asm.label());
        asm.mov(CALL, R1);
        if_connected(asm, how, outside);
        if how == How::Connect {
            unless_mapped(asm, CALL, USER_IP6, unmapped);
            let inside = asm.label();
            asm.load(Size::B4, ADDRESS, CALL, USER_IP6 + 12);
            if_loopback(asm, known, inside, refused);
            outside4(asm, known, how, true, unreachable);
            asm.place(inside);
            who_listens(asm, known, sockets, refused);
            asm.store(Size::B4, CALL, USER_IP6 + 12, FOUND);
            from4(asm, known, how, true, unreachable);
        }
        asm.place(unmapped);
        // `::` is ::1 to a client.
        if_unspecified(asm, CALL, USER_IP6, refused);
        if_any6(asm, CALL, USER_IP6, &[Ipv6Addr::LOCALHOST], refused);
        asm.place(outside);
        from6(asm, known, how, unreachable);

        asm.place(refused);
        refuse(asm, ECONNREFUSED);
        asm.place(unreachable);
        refuse(asm, ENETUNREACH);
    })
}

/// Goes to `outside` if the message names no address: its socket is connected, and it names a source.
fn if_connected(asm: &mut Asm, how: How, outside: Label) {
    if how == How::Send {
        asm.load(Size::B4, R2, CALL, USER_FAMILY);
        asm.jump(R2, When::Eq, 0, outside);
    }
}

/// Goes to `inside` if `ADDRESS` is the jail's own loopback by one of its names, to `refused` if it is
/// somebody else's.
fn if_loopback(asm: &mut Asm, known: Known<'_>, inside: Label, refused: Label) {
    if_any(asm, ADDRESS, &[Ipv4Addr::UNSPECIFIED, LOCALHOST], inside);
    known.if_loopback(asm, ADDRESS, inside);
    asm.mov(R2, ADDRESS);
    asm.network_order(R2, 32);
    asm.alu(Op::Rsh, R2, 24);
    asm.jump(R2, When::Eq, 127, refused);
}

/// The value of the socket in `R2`, if it is the jail's.
fn own_socket(asm: &mut Asm, sockets: BorrowedFd<'_>, flags: i32) {
    asm.map(R1, sockets);
    asm.mov(R3, 0);
    asm.mov(R4, flags);
    asm.call(Helper::SK_STORAGE_GET);
}

/// Finds the jail's socket that answers at its loopback: one on its private address, or one on its
/// first address, where what was bound to "any" is. Without one the call is refused: else it would
/// come to a service of the host that listens on every address and trusts 127.0.0.0/8.
fn who_listens(asm: &mut Asm, known: Known<'_>, sockets: BorrowedFd<'_>, refused: Label) {
    let found = asm.label();
    let none = asm.label();
    for is_loopback in [true, false] {
        if is_loopback {
            known.loopback(asm, FOUND);
        } else {
            known.first_v4(asm, FOUND, none);
        }
        for (kind, lookup) in [(STREAM, Helper::SK_LOOKUP_TCP), (DATAGRAM, Helper::SK_LOOKUP_UDP)] {
            let next = asm.label();
            asm.load(Size::B4, R2, CALL, TYPE);
            asm.jump(R2, When::Ne, kind, next);
            // struct bpf_sock_tuple: addresses and ports of source and destination.
            asm.store(Size::B4, R10, -16, FOUND);
            asm.store(Size::B4, R10, -12, FOUND);
            // A datagram socket that is connected hears its peer's port only.
            asm.load(Size::B8, R2, CALL, SOCKET);
            asm.load(Size::B4, R2, R2, BOUND_PORT);
            asm.network_order(R2, 16);
            asm.store(Size::B2, R10, -8, R2);
            asm.load(Size::B4, R2, CALL, USER_PORT);
            asm.store(Size::B2, R10, -6, R2);
            asm.mov(R1, CALL);
            asm.mov(R2, R10);
            asm.alu(Op::Add, R2, -16);
            asm.mov(R3, 12);
            // In the network namespace of the caller.
            asm.mov(R4, -1);
            asm.mov(R5, 0);
            asm.call(lookup);
            asm.jump(R0, When::Eq, 0, next);
            asm.mov(R9, R0);
            asm.mov(R2, R0);
            own_socket(asm, sockets, 0);
            asm.mov(R1, R9);
            // Ours if it has our number; the socket must be let go before this counts.
            asm.mov(R9, 0);
            let others = asm.label();
            asm.jump(R0, When::Eq, 0, others);
            asm.load(Size::B8, R2, R0, JAIL);
            known.jail(asm, R3);
            asm.jump(R2, When::Ne, R3, others);
            asm.mov(R9, 1);
            asm.place(others);
            asm.call(Helper::SK_RELEASE);
            asm.jump(R9, When::Ne, 0, found);
            asm.place(next);
        }
    }
    asm.place(none);
    asm.goto(refused);
    asm.place(found);
}

/// The rest of a call to an address outside.
fn outside4(asm: &mut Asm, known: Known<'_>, how: How, mapped: bool, unreachable: Label) {
    known.first_v4(asm, FOUND, unreachable);
    from4(asm, known, how, mapped, unreachable);
}

/// The rest of a call: its source is `FOUND` unless it has one. `mapped`: the socket is IPv6.
fn from4(asm: &mut Asm, known: Known<'_>, how: How, mapped: bool, unreachable: Label) {
    let (pass, named) = (asm.label(), asm.label());
    match how {
        How::Connect => {
            asm.load(Size::B8, R2, CALL, SOCKET);
            asm.load(Size::B4, R3, R2, BOUND_IP4);
            asm.jump(R3, When::Ne, 0, pass);
            let length = if mapped {
                // struct sockaddr_in6 with a mapped address.
                asm.store(Size::B4, R10, -28, AF_INET6);
                asm.store(Size::B4, R10, -24, 0);
                put6(asm, R10, -20, Ipv4Addr::UNSPECIFIED.to_ipv6_mapped());
                asm.store(Size::B4, R10, -8, FOUND);
                asm.store(Size::B4, R10, -4, 0);
                28
            } else {
                asm.store(Size::B4, R10, -16, AF_INET);
                asm.store(Size::B4, R10, -12, FOUND);
                asm.store(Size::B8, R10, -8, 0);
                16
            };
            bind_source(asm, length, unreachable);
        }
        How::Send => {
            asm.load(Size::B4, R3, CALL, SOURCE_IP4);
            asm.jump(R3, When::Ne, 0, named);
            asm.store(Size::B4, CALL, SOURCE_IP4, FOUND);
            asm.goto(pass);
            asm.place(named);
            known.if_v4(asm, R3, pass);
            asm.goto(unreachable);
        }
    }
    asm.place(pass);
    answer(asm, 1);
}

/// The rest of a call to an IPv6 address outside.
fn from6(asm: &mut Asm, known: Known<'_>, how: How, unreachable: Label) {
    known.unless_v6(asm, unreachable);
    let (pass, unbound) = (asm.label(), asm.label());
    match how {
        How::Connect => {
            asm.load(Size::B8, R2, CALL, SOCKET);
            if_unspecified(asm, R2, BOUND_IP6, unbound);
            asm.goto(pass);
            asm.place(unbound);
            asm.store(Size::B4, R10, -28, AF_INET6);
            asm.store(Size::B4, R10, -24, 0);
            known.put_first_v6(asm, R10, -20);
            asm.store(Size::B4, R10, -4, 0);
            bind_source(asm, 28, unreachable);
        }
        How::Send => {
            if_unspecified(asm, CALL, SOURCE_IP6, unbound);
            known.if_v6(asm, CALL, SOURCE_IP6, pass);
            asm.goto(unreachable);
            asm.place(unbound);
            known.put_first_v6(asm, CALL, SOURCE_IP6);
        }
    }
    asm.place(pass);
    answer(asm, 1);
}

/// Binds the socket to the address of so many bytes at the end of the stack, to any port.
fn bind_source(asm: &mut Asm, length: i32, unreachable: Label) {
    asm.mov(R1, CALL);
    asm.mov(R2, R10);
    asm.alu(Op::Add, R2, -length);
    asm.mov(R3, length);
    asm.call(Helper::BIND);
    asm.jump(R0, When::Ne, 0, unreachable);
}

/// What a program is told: the private loopback address is 127.0.0.1 to it.
fn shown4(known: Known<'_>) -> Vec<u64> {
    known.written(|asm| {
        let (change, pass) = (asm.label(), asm.label());
        asm.load(Size::B4, R2, R1, USER_IP4);
        known.if_loopback(asm, R2, change);
        asm.goto(pass);
        asm.place(change);
        put(asm, R1, USER_IP4, LOCALHOST);
        asm.place(pass);
        answer(asm, 1);
    })
}

/// The same where it is mapped into IPv6.
fn shown6(known: Known<'_>) -> Vec<u64> {
    known.written(|asm| {
        let (change, pass) = (asm.label(), asm.label());
        unless_mapped(asm, R1, USER_IP6, pass);
        asm.load(Size::B4, R2, R1, USER_IP6 + 12);
        known.if_loopback(asm, R2, change);
        asm.goto(pass);
        asm.place(change);
        put(asm, R1, USER_IP6 + 12, LOCALHOST);
        asm.place(pass);
        answer(asm, 1);
    })
}
