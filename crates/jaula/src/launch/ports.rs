//! BPF programs on a jail's control group that decide which ports it may listen on.
//!
//! Three hooks together leave no way round. *bind* refuses a port by its number. A client may bind
//! to port 0, and a socket that listens without bind gets a port too, with no hook that could refuse
//! it: *ingress* lets no packet to a listening socket of any other port. Only TCP and UDP (with
//! their kin) pass the bind hook, so that *socket* refuses what has another way to bind: SCTP, DCCP, SMC.

use model::ports::{Ports, Transport};
use std::os::fd::AsFd;
use sys::bpf::asm::{Asm, Helper, Operand, Reg, Reg::*, Size, When};
use sys::bpf::{Hook, load};

/// Offsets in `struct bpf_sock_addr`, what a bind program is given.
const USER_PORT: i16 = 24;
const ADDRESS_TYPE: i16 = 32;
/// Offsets in `struct bpf_sock`, what a socket program is given.
const FAMILY: i16 = 4;
const TYPE: i16 = 8;
const PROTOCOL: i16 = 12;
const SOURCE_PORT: i16 = 44;
const STATE: i16 = 72;
/// The receiving socket in `struct __sk_buff`, what an ingress program is given.
const SOCKET: i16 = 168;

const STREAM: i32 = 1;
const DATAGRAM: i32 = 2;
const RAW: i32 = 3;
const INET: i32 = 2;
const INET6: i32 = 10;
const LISTENING: i32 = 10;
/// TCP, UDP, UDP-Lite, Multipath TCP, and what ping sockets speak; a raw socket of any protocol is
/// another key's matter.
const PROTOCOLS: [i32; 6] = [6, 17, 136, 262, 1, 58];

/// What a bind program returns: refused, allowed, and allowed even below 1024.
const REFUSED: i32 = 0;
const ALLOWED: i32 = 1;
const ALLOWED_LOW: i32 = 3;

/// Lets the group's processes listen on ports below 1024 without `CAP_NET_BIND_SERVICE`, which
/// counts for nothing where the network belongs to the host's user namespace and the process to
/// another (Linux 5.12).
pub(super) fn allow_low(group: impl AsFd) -> sys::Result<()> {
    attach(&group, &[Hook::Bind4, Hook::Bind6], &written(|asm| answer(asm, ALLOWED_LOW)))
}

/// Lets the group's processes listen on these ports, low ones too, and on no other.
pub(super) fn allow_only(group: impl AsFd, ports: &[Ports]) -> sys::Result<()> {
    attach(&group, &[Hook::SocketCreate], &known_protocols())?;
    attach(&group, &[Hook::Ingress], &heard(ports))?;
    attach(&group, &[Hook::Bind4, Hook::Bind6], &bound(ports))
}

/// Has the kernel what [`allow_only`] needs, and may this process use it?
pub(crate) fn can_decide() -> bool {
    load(Hook::Bind4, NAME, &bound(&[])).is_ok() && load(Hook::Ingress, NAME, &heard(&[])).is_ok()
}

const NAME: &str = "jaula_ports";

fn attach(group: impl AsFd, hooks: &[Hook], code: &[u64]) -> sys::Result<()> {
    hooks.iter().try_for_each(|hook| load(*hook, NAME, code)?.attach(&group))
}

/// At bind(2): the port is one of these, or 0.
fn bound(ports: &[Ports]) -> Vec<u64> {
    written(|asm| {
        asm.load(Size::B4, R2, R1, USER_PORT);
        asm.network_order(R2, 16);
        asm.load(Size::B4, R3, R1, ADDRESS_TYPE);
        let any = asm.label();
        asm.jump(R2, When::Eq, 0, any);
        for (transport, kind) in [(Transport::Tcp, STREAM), (Transport::Udp, DATAGRAM)] {
            let other = asm.label();
            asm.jump(R3, When::Ne, kind, other);
            listed(asm, R2, ports.iter().filter(|p| p.transport == transport), ALLOWED_LOW);
            asm.place(other);
        }
        asm.mov(R1, -sys::errno::EACCES);
        asm.call(Helper::SET_RETVAL);
        answer(asm, REFUSED);
        asm.place(any);
        answer(asm, ALLOWED);
    })
}

/// At each packet that a socket receives: a socket that waits for connections does so on one of
/// these ports.
fn heard(ports: &[Ports]) -> Vec<u64> {
    written(|asm| {
        let pass = asm.label();
        asm.load(Size::B8, R1, R1, SOCKET);
        asm.jump(R1, When::Eq, 0, pass);
        asm.load(Size::B4, R2, R1, STATE);
        asm.jump(R2, When::Ne, LISTENING, pass);
        asm.load(Size::B4, R2, R1, SOURCE_PORT);
        listed(asm, R2, ports.iter().filter(|p| p.transport == Transport::Tcp), ALLOWED);
        answer(asm, REFUSED);
        asm.place(pass);
        answer(asm, ALLOWED);
    })
}

/// At socket(2): no other protocol of the internet's than those whose bind is seen.
fn known_protocols() -> Vec<u64> {
    written(|asm| {
        let (inet, pass) = (asm.label(), asm.label());
        asm.load(Size::B4, R2, R1, FAMILY);
        asm.jump(R2, When::Eq, INET, inet);
        asm.jump(R2, When::Ne, INET6, pass);
        asm.place(inet);
        asm.load(Size::B4, R2, R1, TYPE);
        asm.jump(R2, When::Eq, RAW, pass);
        asm.load(Size::B4, R2, R1, PROTOCOL);
        for protocol in PROTOCOLS {
            asm.jump(R2, When::Eq, protocol, pass);
        }
        answer(asm, REFUSED);
        asm.place(pass);
        answer(asm, ALLOWED);
    })
}

/// Returns `found` if the port in this register is listed, else goes on.
fn listed<'a>(asm: &mut Asm, port: Reg, ports: impl Iterator<Item = &'a Ports>, found: i32) {
    for range in ports {
        let next = asm.label();
        asm.jump(port, When::Lt, i32::from(range.first), next);
        asm.jump(port, When::Gt, i32::from(range.last), next);
        answer(asm, found);
        asm.place(next);
    }
}

fn answer(asm: &mut Asm, answer: impl Into<Operand>) {
    asm.mov(R0, answer);
    asm.exit();
}

/// `network.listen` has at most [`model::ports::MOST`] entries, so that every jump is near.
fn written(write: impl FnOnce(&mut Asm)) -> Vec<u64> {
    let mut asm = Asm::new();
    write(&mut asm);
    asm.finish().expect("every label is placed, and near")
}
