//! Which system calls and capabilities a jail's processes use, all of them, as the kernel's own
//! tracepoints tell (`sys_enter`; `cap_capable`, Linux 6.14).
//!
//! Two small programs run at each system call and each check of a capability on this host. They
//! leave at once if it is not of a process of the jail, which they know by its pid namespace; else
//! they set a byte. Nobody waits for them.

use model::caps::CapSet;
use model::seccomp::{Abi, Call};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use sys::bpf::asm::{Asm, Helper, Label, Op, Problem, Reg, Size, When};
use sys::bpf::map::{Kind, Map};
use sys::bpf::{Hook, load};
use sys::{CallError, Errno, errno};

use Reg::{R0, R1, R2, R3, R4, R6, R7, R8, R9, R10};

/// How many numbers of calls are told apart; a power of two above the highest.
const CALLS: u16 = 512;

/// What the second map says: 64 bytes for what was granted, 64 for what was refused, then
/// whether anything was checked, and whether it was checked for the jail's own processes.
const REFUSED: u16 = 64;
const CHECKED: u16 = 128;
const RECOGNISED: u16 = 129;
const CHECKS: u16 = 136;

/// Where `struct cred` has the capabilities that can ever be had, since Linux 6.8; that they are
/// recognised there at all shows that it still is so.
const BOUNDING: i32 = 72;

/// Sees what is used, until it is dropped.
#[derive(Debug)]
pub(crate) struct Uses {
    calls: Map,
    checks: Option<Map>,
    _attached: Vec<OwnedFd>,
}

/// A pid namespace, as the kernel's helper takes it.
#[derive(Clone, Copy, Debug)]
struct Namespace {
    device: u64,
    inode: u64,
}

impl Uses {
    /// Begins to look at the pid namespace of this first process, whose bounding set is `bounding`. Checks
    /// of capabilities are left out where the kernel has no such tracepoint.
    ///
    /// # Errors
    /// If this is not root, or the kernel has no such programs.
    pub(crate) fn of(first: i32, bounding: CapSet) -> Result<Self, CallError> {
        let path = format!("/proc/{first}/ns/pid");
        let found = std::fs::metadata(&path);
        let found = found.map_err(|e| CallError { call: format!("stat({path:?})"), errno: number(&e) })?;
        // The kernel's own numbering of devices, which has no major number for this one.
        let of = Namespace { device: found.dev(), inode: found.ino() };
        let calls = Map::new(Kind::Array, 4, CALLS.into(), 1)?;
        let program = load(Hook::RawTracepoint, "jaula_calls", &assembled(count_calls(of, calls.as_fd()))?)?;
        let mut attached = vec![program.attach_tracepoint("sys_enter")?];
        let checks = Map::new(Kind::Array, 4, CHECKS.into(), 1)?;
        let code = assembled(count_checks(of, bounding, checks.as_fd()))?;
        let program = load(Hook::RawTracepoint, "jaula_checks", &code)?;
        let checks = match program.attach_tracepoint("cap_capable") {
            Ok(there) => {
                attached.push(there);
                Some(checks)
            }
            Err(_) => None,
        };
        Ok(Self { calls, checks, _attached: attached })
    }

    /// The calls that were made.
    pub(crate) fn calls(&self, abi: Abi) -> Vec<String> {
        let made = self.calls.get(&[0; 4]).unwrap_or_default();
        let made = (0u32..).zip(made).filter(|(_, made)| *made != 0);
        made.filter_map(|(number, _)| Some(Call::from_number(abi, number)?.name().to_owned())).collect()
    }

    /// The capabilities that were used, and those that were asked for and refused. `None` if this kernel
    /// does not tell.
    pub(crate) fn capabilities(&self) -> Option<(CapSet, CapSet)> {
        let said = self.checks.as_ref()?.get(&[0; 4]).ok()?;
        let at = |n: u16| said.get(usize::from(n)) == Some(&1);
        if at(CHECKED) && !at(RECOGNISED) {
            return None;
        }
        let set =
            |from: u16| CapSet::from_bits((0..64).filter(|n| at(from + n)).fold(0, |set, n| set | 1 << n));
        Some((set(0), set(REFUSED)))
    }
}

fn number(error: &std::io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or_default())
}

fn assembled(code: Result<Vec<u64>, Problem>) -> Result<Vec<u64>, CallError> {
    code.map_err(|problem| CallError {
        call: format!("bpf(PROG_LOAD): {problem}"),
        errno: Errno(errno::EINVAL),
    })
}

/// Goes out unless a process of the namespace does it, and not the first one, which is jaula's. What is
/// in `R6` to `R9` stays.
fn only_in(asm: &mut Asm, of: Namespace, out: Label) {
    asm.constant(R1, of.device);
    asm.constant(R2, of.inode);
    // struct bpf_pidns_info: thread and process, as the namespace numbers them.
    asm.mov(R3, R10);
    asm.alu(Op::Add, R3, -8);
    asm.mov(R4, 8);
    asm.call(Helper::GET_NS_CURRENT_PID_TGID);
    asm.jump(R0, When::Ne, 0, out);
    asm.load(Size::B4, R1, R10, -4);
    asm.jump(R1, When::Eq, 1, out);
}

/// The address of a map's only value in `R0`; goes out if it has none.
fn value(asm: &mut Asm, map: BorrowedFd<'_>, out: Label) {
    asm.store(Size::B4, R10, -12, 0);
    asm.map(R1, map);
    asm.mov(R2, R10);
    asm.alu(Op::Add, R2, -12);
    asm.call(Helper::MAP_LOOKUP_ELEM);
    asm.jump(R0, When::Eq, 0, out);
}

fn end(mut asm: Asm, out: Label) -> Result<Vec<u64>, Problem> {
    asm.place(out);
    asm.mov(R0, 0);
    asm.exit();
    asm.finish()
}

/// `sys_enter(registers, number)`
fn count_calls(of: Namespace, map: BorrowedFd<'_>) -> Result<Vec<u64>, Problem> {
    let mut asm = Asm::new();
    let out = asm.label();
    asm.load(Size::B8, R6, R1, 8);
    asm.jump(R6, When::Ge, i32::from(CALLS), out);
    only_in(&mut asm, of, out);
    value(&mut asm, map, out);
    asm.alu(Op::And, R6, i32::from(CALLS) - 1);
    asm.alu(Op::Add, R0, R6);
    asm.store(Size::B1, R0, 0, 1);
    end(asm, out)
}

/// `cap_capable(credentials, target namespace, their namespace, capability, result)`
fn count_checks(of: Namespace, bounding: CapSet, map: BorrowedFd<'_>) -> Result<Vec<u64>, Problem> {
    let mut asm = Asm::new();
    let out = asm.label();
    let granted = asm.label();
    asm.mov(R6, R1);
    only_in(&mut asm, of, out);
    value(&mut asm, map, out);
    asm.mov(R9, R0);
    asm.store(Size::B1, R9, CHECKED.cast_signed(), 1);
    // An overlay does its work below with what its mounter had, which is more than anybody inside has.
    asm.mov(R1, R10);
    asm.alu(Op::Add, R1, -24);
    asm.mov(R2, 8);
    asm.load(Size::B8, R3, R6, 0);
    asm.alu(Op::Add, R3, BOUNDING);
    asm.call(Helper::PROBE_READ_KERNEL);
    asm.jump(R0, When::Ne, 0, out);
    asm.load(Size::B8, R1, R10, -24);
    asm.constant(R2, !bounding.bits());
    asm.jump(R1, When::Set, R2, out);
    // Every program is asked for one of them, for the memory that it takes.
    asm.store(Size::B1, R9, RECOGNISED.cast_signed(), 1);
    // What is asked of another namespace, the host's, is refused to every jail whatever it has.
    asm.load(Size::B8, R1, R6, 8);
    asm.load(Size::B8, R2, R6, 16);
    asm.jump(R1, When::Ne, R2, out);
    asm.load(Size::B8, R7, R6, 24);
    asm.load(Size::B8, R8, R6, 32);
    asm.alu32(Op::Mov, R7, R7);
    asm.jump(R7, When::Ge, 64, out);
    asm.alu32(Op::Mov, R8, R8);
    asm.jump(R8, When::Eq, 0, granted);
    asm.alu(Op::Add, R7, i32::from(REFUSED));
    asm.place(granted);
    asm.alu(Op::And, R7, 127);
    asm.alu(Op::Add, R9, R7);
    asm.store(Size::B1, R9, 0, 1);
    end(asm, out)
}
