//! `network.rate`: BPF programs that let so much data through in a time.
//!
//! Each packet moves a clock on by the time that it takes at that rate; one that finds the clock ahead of the time is
//! lost, as on a full line. A clock that is behind is at most [`BURST`] so: that much goes at once after a pause. It
//! counts with the headers of IP and not those of the wire.
//!
//! A jail with a link of its own has them at the host's end of it, which all passes that comes and goes. In the other
//! modes they are on its control group and see what its sockets send and receive. What a socket sends is lost there as a
//! full queue loses it: TCP slows down at once, a sender of datagrams gets no error.

use model::config::Rates;
use model::units::Rate;
use std::os::fd::AsFd;
use std::time::Duration;
use sys::bpf::asm::{Asm, Helper, Op, Reg::*, Size, When};
use sys::bpf::map::{Kind, Map};
use sys::bpf::{Hook, Program, Target, load};

const NAME: &str = "jaula_rate";

/// How far the clock may be behind. A stream over a short way has few packets under way, and when the last of them
/// is lost it waits for 0.2 s before it tries again (`TCP_RTO_MIN`): with less than that in store it never makes up
/// for the pause (measured: 25 % of the rate with 40 ms, 50 % with 100 ms, 99 % with 250 ms).
const BURST: Duration = Duration::from_millis(250);

/// The length of the header of a link, which a socket's packets do not have.
const ETHERNET: i32 = 14;

/// What a program answers about a packet that passes, about one that is lost, and what it leaves out of its length.
fn words(hook: Hook) -> (i32, i32, i32) {
    match hook {
        // TCX_NEXT, TCX_DROP
        Hook::LinkIngress | Hook::LinkEgress => (-1, 2, ETHERNET),
        // Only what is sent knows the answer that slows down.
        Hook::Egress => (1, 2, 0),
        _ => (1, 0, 0),
    }
}

/// Bits after the point of the time that a byte takes, in nanoseconds.
const FRACTION: i32 = 12;

/// Gives a jail these rates, and takes others away that it had. `link`: the host's end of its link, if it has one.
pub(crate) fn keep(group: impl AsFd, link: Option<u32>, rates: &Rates) -> sys::Result<()> {
    if let Some(link) = link {
        // What leaves the jail comes in here.
        match at(Target::Link(link), [(Hook::LinkEgress, rates.inward), (Hook::LinkIngress, rates.outward)]) {
            // Before Linux 6.6: as in the other modes.
            Err(e) if e.is(sys::errno::EINVAL) => {}
            done => return done,
        }
    }
    at(Target::Group(group.as_fd()), [(Hook::Ingress, rates.inward), (Hook::Egress, rates.outward)])
}

fn at(target: Target<'_>, rates: [(Hook, Option<Rate>); 2]) -> sys::Result<()> {
    for (hook, rate) in rates {
        let old = sys::bpf::attached(target, hook, NAME)?;
        if let Some(rate) = rate {
            // The new one comes first, so that nothing passes in between.
            made(hook, rate.0)?.attach(target)?;
        }
        old.iter().try_for_each(|program| program.detach(target))?;
    }
    Ok(())
}

fn made(hook: Hook, rate: u64) -> sys::Result<Program> {
    let clock = Map::new(Kind::Array, 4, 8, 1)?;
    load(hook, NAME, &program(&clock, rate, hook))
}

fn program(clock: &Map, rate: u64, hook: Hook) -> Vec<u64> {
    let (goes_on, lost, header) = words(hook);
    let mut asm = Asm::new();
    let (behind, pass) = (asm.label(), asm.label());
    asm.load(Size::B4, R6, R1, 0);
    asm.alu(Op::Sub, R6, header);
    asm.store(Size::B4, R10, -4, 0);
    asm.map(R1, clock.as_fd());
    asm.mov(R2, R10);
    asm.alu(Op::Add, R2, -4);
    asm.call(Helper::MAP_LOOKUP_ELEM);
    asm.jump(R0, When::Eq, 0, pass);
    asm.mov(R7, R0);
    asm.call(Helper::KTIME_GET_NS);
    asm.load(Size::B8, R2, R7, 0);
    // A pause is worth no more than BURST.
    asm.mov(R3, R0);
    asm.constant(R4, u64::try_from(BURST.as_nanos()).unwrap_or(u64::MAX));
    asm.alu(Op::Sub, R3, R4);
    asm.jump(R2, When::SGe, R3, behind);
    asm.mov(R2, R3);
    asm.store(Size::B8, R7, 0, R2);
    asm.place(behind);
    let passes = asm.label();
    asm.jump(R2, When::SLe, R0, passes);
    asm.mov(R0, lost);
    asm.exit();
    asm.place(passes);
    asm.constant(R3, time_of_a_byte(rate));
    asm.alu(Op::Mul, R6, R3);
    asm.alu(Op::Rsh, R6, FRACTION);
    asm.atomic_add(Size::B8, R7, 0, R6);
    asm.place(pass);
    asm.mov(R0, goes_on);
    asm.exit();
    asm.finish().expect("every label is placed, and near")
}

/// In nanoseconds, with [`FRACTION`] bits after the point.
fn time_of_a_byte(rate: u64) -> u64 {
    (8_000_000_000_u64 << FRACTION) / rate.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_takes_its_time() {
        assert_eq!(time_of_a_byte(8000) >> FRACTION, 1_000_000);
        // 64 KiB at 10 Gbit/s: to a thousandth.
        let packet = (65536 * time_of_a_byte(10_000_000_000)) >> FRACTION;
        assert!((52_400..52_450).contains(&packet), "{packet}");
        // The longest packet at the lowest rate.
        assert!(time_of_a_byte(8000).checked_mul(1 << 20).is_some());
    }

    #[test]
    fn the_kernels_verifier_takes_the_programs() {
        if sys::process::user() != 0 {
            eprintln!("skipped: loading programs needs root");
            return;
        }
        for hook in [Hook::Ingress, Hook::Egress, Hook::LinkIngress, Hook::LinkEgress] {
            for rate in [8000, 1_000_000_000_000] {
                made(hook, rate).unwrap();
            }
        }
    }
}
