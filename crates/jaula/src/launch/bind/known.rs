//! Where a program knows the jail's addresses from.

use super::Own;
use super::parts::*;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::BorrowedFd;
use sys::bpf::asm::{Asm, Helper, Label, Reg, Reg::*, Size, When};

/// As many addresses of a family has a jail's value in the map.
const SLOTS: usize = 8;

/// Where a jail's value in the map has what. All zeros is a jail that may use no address.
const JAIL: i16 = 0;
const HAS_V4: i16 = 8;
const HAS_V6: i16 = 12;
const LOW_PORTS: i16 = 16;
const LOOPBACK: i16 = 20;
const V4: i16 = 24;
const V6: i16 = 56;
const _: () =
    assert!(V6 as usize == V4 as usize + 4 * SLOTS, "the slots of one family end where the other's begin");
/// The length of a jail's value in bytes.
pub(super) const LENGTH: usize = V6 as usize + 16 * SLOTS;

/// Where the value's address is on the stack.
const VALUE: i16 = -40;

/// The addresses stand in the program's code, or in a map.
#[derive(Clone, Copy)]
pub(super) enum Known<'a> {
    /// The program is one jail's.
    Code(&'a Own),
    /// The program is every jail's: the map has a value for each group that it is attached to, which groups below have
    /// as well.
    Map(BorrowedFd<'a>),
}

impl Own {
    /// Its value in the map, if it has not too many addresses. `jail`: a number that no other jail has.
    pub(super) fn value(&self, jail: u64) -> Option<Vec<u8>> {
        let mut value = jail.to_ne_bytes().to_vec();
        for answer in [!self.v4.is_empty(), !self.v6.is_empty(), self.low_ports] {
            value.extend(u32::from(answer).to_ne_bytes());
        }
        value.extend(self.loopback.octets());
        // Empty slots repeat what the jail has; the loopback address is allowed wherever its IPv4 addresses are.
        for slot in slots(&self.v4, self.loopback)? {
            value.extend(slot.octets());
        }
        for slot in slots(&self.v6, Ipv6Addr::UNSPECIFIED)? {
            value.extend(slot.octets());
        }
        Some(value)
    }
}

fn slots<T: Copy>(addresses: &[T], none: T) -> Option<[T; SLOTS]> {
    let fill = addresses.first().copied().unwrap_or(none);
    (addresses.len() <= SLOTS)
        .then(|| std::array::from_fn(|slot| addresses.get(slot).copied().unwrap_or(fill)))
}

impl Known<'_> {
    /// A program whose first steps find the value. They leave `R1`, and use what is lost in calls and `R6`.
    pub(super) fn written(self, write: impl FnOnce(&mut Asm)) -> Vec<u64> {
        written(|asm| {
            if let Self::Map(jails) = self {
                asm.mov(R6, R1);
                asm.map(R1, jails);
                asm.mov(R2, 0);
                asm.call(Helper::GET_LOCAL_STORAGE);
                asm.store(Size::B8, R10, VALUE, R0);
                asm.mov(R1, R6);
            }
            write(asm);
        })
    }

    /// May there be a jail that has only IPv4 addresses?
    pub(super) fn may_be_only_v4(self) -> bool {
        match self {
            Self::Code(own) => own.is_only_v4(),
            Self::Map(_) => true,
        }
    }

    /// The jail's number, in `to`.
    pub(super) fn jail(self, asm: &mut Asm, to: Reg) {
        match self {
            // Its map of sockets is its own.
            Self::Code(_) => asm.mov(to, 1),
            Self::Map(_) => field(asm, to, Size::B8, JAIL),
        }
    }

    /// Goes to `none` if the jail has no IPv4 address. Uses `R5`.
    pub(super) fn unless_v4(self, asm: &mut Asm, none: Label) {
        self.unless(asm, |own| !own.v4.is_empty(), HAS_V4, none);
    }

    /// Goes to `none` if the jail has no IPv6 address. Uses `R5`.
    pub(super) fn unless_v6(self, asm: &mut Asm, none: Label) {
        self.unless(asm, |own| !own.v6.is_empty(), HAS_V6, none);
    }

    /// Goes to `not` if the answer is no. Both ways are in the code, and the kernel takes out what is never gone.
    fn unless(self, asm: &mut Asm, code: impl FnOnce(&Own) -> bool, at: i16, not: Label) {
        match self {
            Self::Code(own) => asm.mov(R5, i32::from(code(own))),
            Self::Map(_) => field(asm, R5, Size::B4, at),
        }
        asm.jump(R5, When::Eq, 0, not);
    }

    /// The program's end: what bind(2) answers when it is allowed. Bit 1 allows ports below 1024.
    pub(super) fn allow_bind(self, asm: &mut Asm) {
        let high = asm.label();
        asm.mov(R0, 1);
        self.unless(asm, |own| own.low_ports, LOW_PORTS, high);
        asm.mov(R0, 3);
        asm.place(high);
        asm.exit();
    }

    /// What 127.0.0.1 is, in `to`.
    pub(super) fn loopback(self, asm: &mut Asm, to: Reg) {
        match self {
            Self::Code(own) => asm.constant(to, u64::from(word(own.loopback))),
            Self::Map(_) => field(asm, to, Size::B4, LOOPBACK),
        }
    }

    /// The first IPv4 address, in `to`, or on to `none`. Uses `R5`.
    pub(super) fn first_v4(self, asm: &mut Asm, to: Reg, none: Label) {
        self.unless_v4(asm, none);
        match self {
            Self::Code(own) => {
                let first = own.v4.first().copied().unwrap_or(Ipv4Addr::UNSPECIFIED);
                asm.constant(to, u64::from(word(first)));
            }
            Self::Map(_) => field(asm, to, Size::B4, V4),
        }
    }

    /// Writes the first IPv6 address to `base + offset`, if there is one. Uses `R4`.
    pub(super) fn put_first_v6(self, asm: &mut Asm, base: Reg, offset: i16) {
        match self {
            Self::Code(own) => {
                put6(asm, base, offset, own.v6.first().copied().unwrap_or(Ipv6Addr::UNSPECIFIED));
            }
            Self::Map(_) => {
                for (at, from) in (offset..).step_by(4).zip((V6..).step_by(4)).take(4) {
                    field(asm, R4, Size::B4, from);
                    asm.store(Size::B4, base, at, R4);
                }
            }
        }
    }

    /// Goes to `label` if `reg` is what 127.0.0.1 is. Uses `R5`.
    pub(super) fn if_loopback(self, asm: &mut Asm, reg: Reg, label: Label) {
        self.loopback(asm, R5);
        asm.jump(reg, When::Eq, R5, label);
    }

    /// Goes to `label` if `reg` is an IPv4 address of the jail, the loopback one too. Uses `R5`.
    pub(super) fn if_v4(self, asm: &mut Asm, reg: Reg, label: Label) {
        match self {
            Self::Code(own) => if_any(asm, reg, &own.v4, label),
            Self::Map(_) => {
                for slot in (V4..).step_by(4).take(SLOTS) {
                    field(asm, R5, Size::B4, slot);
                    asm.jump(reg, When::Eq, R5, label);
                }
            }
        }
        self.if_loopback(asm, reg, label);
    }

    /// Goes to `label` if the four words at `base + offset` are an IPv6 address of the jail. Uses `R4`, `R5`.
    pub(super) fn if_v6(self, asm: &mut Asm, base: Reg, offset: i16, label: Label) {
        match self {
            Self::Code(own) => if_any6(asm, base, offset, &own.v6, label),
            Self::Map(_) => {
                let none = asm.label();
                self.unless_v6(asm, none);
                for slot in (V6..).step_by(16).take(SLOTS) {
                    let other = asm.label();
                    for (at, from) in (offset..).step_by(4).zip((slot..).step_by(4)).take(4) {
                        asm.load(Size::B4, R4, base, at);
                        field(asm, R5, Size::B4, from);
                        asm.jump(R4, When::Ne, R5, other);
                    }
                    asm.goto(label);
                    asm.place(other);
                }
                asm.place(none);
            }
        }
    }
}

/// `to =` a part of the jail's value.
fn field(asm: &mut Asm, to: Reg, size: Size, at: i16) {
    asm.load(Size::B8, to, R10, VALUE);
    asm.load(size, to, to, at);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_what_programs_look_for() {
        let addresses = ["192.0.2.1", "2001:db8::1", "192.0.2.2"].map(|ip| ip.parse().unwrap());
        let value = Own::new(addresses, Ipv4Addr::new(127, 106, 0, 9), false).value(7).unwrap();
        let at = |from: i16, length: usize| &value[usize::try_from(from).unwrap()..][..length];
        assert_eq!(value.len(), LENGTH);
        assert_eq!(at(JAIL, 8), 7_u64.to_ne_bytes());
        assert_eq!((at(HAS_V4, 4), at(HAS_V6, 4)), (&1_u32.to_ne_bytes()[..], &1_u32.to_ne_bytes()[..]));
        assert_eq!(at(LOW_PORTS, 4), [0; 4]);
        assert_eq!(at(LOOPBACK, 4), [127, 106, 0, 9]);
        assert_eq!(at(V4, 12), [192, 0, 2, 1, 192, 0, 2, 2, 192, 0, 2, 1]);
        let first = "2001:db8::1".parse::<Ipv6Addr>().unwrap().octets();
        assert_eq!((at(V6, 16), at(V6 + 112, 16)), (&first[..], &first[..]));
    }

    #[test]
    fn no_slot_is_an_address_that_the_jail_has_not() {
        let loopback = Ipv4Addr::new(127, 106, 0, 9);
        let value = Own::new([], loopback, true).value(7).unwrap();
        assert_eq!(value[HAS_V4 as usize..LOW_PORTS as usize], [0; 8]);
        assert!(value[V4 as usize..V6 as usize].chunks(4).all(|slot| *slot == loopback.octets()));
    }

    #[test]
    fn too_many_addresses_have_no_value() {
        let many =
            |count: u8| Own::new((1..=count).map(|n| [192, 0, 2, n].into()), Ipv4Addr::LOCALHOST, true);
        assert!(many(8).value(7).is_some());
        assert!(many(9).value(7).is_none());
    }
}
