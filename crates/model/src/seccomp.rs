//! Which system calls a jail may make, and the classic BPF program that tells the kernel
//! (seccomp(2)).
//!
//! [`Policy::of`] turns the `[security]` section into a policy, [`compile`] a policy into the
//! program that the kernel runs, [`explain`] into words. All three are cheap enough to be done
//! at each start of a jail, so nothing is cached.
//!
//! A call that a profile refuses fails with `EPERM`; one that jaula does not know fails with
//! `ENOSYS`, as it would on an older kernel, so that programs take the way that they have for
//! older kernels. Since Linux 5.11 the kernel remembers which calls are allowed whatever their
//! arguments, and runs no filter for them at all.

mod compile;
mod explain;
mod keys;
mod nearest;
mod policy;
mod rule;
mod sockets;
mod table;

pub use compile::{Instruction, compile};
pub use explain::{Explanation, explain};
pub use policy::{BadPolicy, Policy};
pub use table::Call;

/// "Operation not permitted": what a refused call returns (errno(3)).
pub const EPERM: u16 = 1;
/// "Function not implemented": what a call returns that is not there.
pub const ENOSYS: u16 = 38;
/// "Protocol not supported": what `socket` returns for a netlink protocol that is not there.
pub const EPROTONOSUPPORT: u16 = 93;
/// "Address family not supported by protocol": what `socket` returns for a family that is not there.
pub const EAFNOSUPPORT: u16 = 97;

/// What becomes of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The kernel carries it out.
    Allow,
    /// It returns this error number and does nothing.
    Errno(u16),
    /// The whole process dies by `SIGSYS`.
    Kill,
    /// The keeper decides, who listens on the filter's descriptor (seccomp_unotify(2)).
    Notify,
}

impl Action {
    /// The value that the filter returns for it, as `linux/seccomp.h` has them.
    pub fn value(self) -> u32 {
        match self {
            Self::Allow => 0x7fff_0000,
            Self::Errno(number) => 0x0005_0000 | u32::from(number),
            Self::Kill => 0x8000_0000,
            Self::Notify => 0x7fc0_0000,
        }
    }
}

/// A numbering of system calls. Each kind of processor that jaula runs on has one for its own
/// programs and one for 32-bit programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abi {
    /// x86-64's own. x32 programs count as this, with numbers from 0x4000_0000 on.
    X86_64,
    /// 32-bit programs on x86-64.
    I386,
    /// 64-bit arm's own.
    Aarch64,
    /// 32-bit programs (EABI) on 64-bit arm.
    Arm,
}

impl Abi {
    /// `AUDIT_ARCH_…` of `linux/audit.h`: how the kernel names it to a filter.
    pub fn audit_arch(self) -> u32 {
        match self {
            Self::X86_64 => 0xc000_003e,
            Self::I386 => 0x4000_0003,
            Self::Aarch64 => 0xc000_00b7,
            Self::Arm => 0x4000_0028,
        }
    }
}

/// A kind of processor. All are little-endian, which the filters rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// amd64.
    X86_64,
    /// arm64.
    Aarch64,
}

impl Arch {
    /// Its own programs' calls.
    pub fn native(self) -> Abi {
        match self {
            Self::X86_64 => Abi::X86_64,
            Self::Aarch64 => Abi::Aarch64,
        }
    }

    /// 32-bit programs' calls.
    pub fn compat(self) -> Abi {
        match self {
            Self::X86_64 => Abi::I386,
            Self::Aarch64 => Abi::Arm,
        }
    }
}

/// What a filter sees of a call: `struct seccomp_data` without the instruction pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// `AUDIT_ARCH_…`, see [`Abi::audit_arch`].
    pub arch: u32,
    /// The call's number.
    pub number: u32,
    /// Its arguments.
    pub arguments: [u64; 6],
}
