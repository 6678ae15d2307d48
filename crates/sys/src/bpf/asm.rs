//! An assembler for BPF (Linux's `Documentation/bpf/standardization/instruction-set.rst`).
//!
//! Pure: it turns instructions with labels into the numbers that [`super::load`] takes. What a
//! program may do is the kernel verifier's to judge, not this file's.

use std::fmt;
use std::os::fd::{AsRawFd, BorrowedFd};

/// A register: `R0` is what a call or the program returns, `R1`… are arguments, `R6`…`R9` survive
/// calls, `R10` is the end of the 512 bytes of stack (read-only).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the registers are numbered")]
pub enum Reg {
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
}

/// The second operand: a register, or a number that is sign-extended to 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// The value of a register.
    Reg(Reg),
    /// A number.
    Imm(i32),
}

impl From<Reg> for Operand {
    fn from(reg: Reg) -> Self {
        Self::Reg(reg)
    }
}

impl From<i32> for Operand {
    fn from(number: i32) -> Self {
        Self::Imm(number)
    }
}

/// How much a load or store moves. Less than 8 bytes are loaded with zeros before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the numbers of bytes say it")]
pub enum Size {
    B4 = 0x00,
    B2 = 0x08,
    B1 = 0x10,
    B8 = 0x18,
}

/// What is done to a register. `Arsh` shifts the sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in every assembler")]
pub enum Op {
    Add = 0x00,
    Sub = 0x10,
    Mul = 0x20,
    Div = 0x30,
    Or = 0x40,
    And = 0x50,
    Lsh = 0x60,
    Rsh = 0x70,
    Mod = 0x90,
    Xor = 0xa0,
    Mov = 0xb0,
    Arsh = 0xc0,
}

/// When a jump is taken: comparisons are unsigned but for those that begin with `S`; `Set` is
/// `a & b != 0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in every assembler")]
pub enum When {
    Eq = 0x10,
    Gt = 0x20,
    Ge = 0x30,
    Set = 0x40,
    Ne = 0x50,
    SGt = 0x60,
    SGe = 0x70,
    Lt = 0xa0,
    Le = 0xb0,
    SLt = 0xc0,
    SLe = 0xd0,
}

/// A place in the program, to jump to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(usize);

/// Why there is no program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A jump goes to a label that was never placed.
    Unplaced(Label),
    /// A jump is longer than 32,767 instructions.
    TooFar(Label),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unplaced(label) => write!(f, "a BPF program jumps to label {}, which is nowhere", label.0),
            Self::TooFar(label) => write!(f, "a BPF program jumps to label {}, which is too far", label.0),
        }
    }
}

impl std::error::Error for Problem {}

const LDX: u8 = 0x61;
const ST: u8 = 0x62;
const STX: u8 = 0x63;
const ATOMIC: u8 = 0xc3;
const JMP: u8 = 0x05;
const ALU32: u8 = 0x04;
const ALU64: u8 = 0x07;
/// The second operand is a register.
const X: u8 = 0x08;

/// A program that is being written, from its first instruction to its last.
#[derive(Clone, Debug, Default)]
pub struct Asm {
    code: Vec<u64>,
    /// Where each label stands, once it does.
    labels: Vec<Option<usize>>,
    /// Jumps by where they stand, whose distance is not known yet.
    jumps: Vec<(usize, Label)>,
}

impl Asm {
    /// An empty program.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new label, to be placed once and jumped to from anywhere.
    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// The label stands here: before the next instruction.
    pub fn place(&mut self, label: Label) {
        self.labels[label.0] = Some(self.code.len());
    }

    /// `to = from`, 64 bits.
    pub fn mov(&mut self, to: Reg, from: impl Into<Operand>) {
        self.alu(Op::Mov, to, from);
    }

    /// `to = to op by`, 64 bits.
    pub fn alu(&mut self, op: Op, to: Reg, by: impl Into<Operand>) {
        self.arithmetic(ALU64 | op as u8, to, by.into());
    }

    /// `to = to op by` of the low 32 bits; the upper ones become zero.
    pub fn alu32(&mut self, op: Op, to: Reg, by: impl Into<Operand>) {
        self.arithmetic(ALU32 | op as u8, to, by.into());
    }

    /// Turns the low 16, 32 or 64 bits of a register between the host's order and the network's,
    /// and makes the others zero.
    pub fn network_order(&mut self, reg: Reg, bits: i32) {
        self.push(0xdc, reg, Reg::R0, 0, bits);
    }

    /// `to = *(from + offset)`
    pub fn load(&mut self, size: Size, to: Reg, from: Reg, offset: i16) {
        self.push(LDX | size as u8, to, from, offset, 0);
    }

    /// `*(to + offset) = from`
    pub fn store(&mut self, size: Size, to: Reg, offset: i16, from: impl Into<Operand>) {
        match from.into() {
            Operand::Reg(from) => self.push(STX | size as u8, to, from, offset, 0),
            Operand::Imm(number) => self.push(ST | size as u8, to, Reg::R0, offset, number),
        }
    }

    /// `*(to + offset) += by`, atomically; of 4 or 8 bytes.
    pub fn atomic_add(&mut self, size: Size, to: Reg, offset: i16, by: Reg) {
        self.push(ATOMIC | size as u8, to, by, offset, 0);
    }

    /// `to = number`, 64 bits.
    pub fn constant(&mut self, to: Reg, number: u64) {
        self.wide(to, Reg::R0, number);
    }

    /// `to =` a map, as helpers take it. The program holds the map from when it is loaded.
    pub fn map(&mut self, to: Reg, map: BorrowedFd<'_>) {
        // Source register 1: the number is a map's descriptor.
        self.wide(to, Reg::R1, u64::from(map.as_raw_fd().cast_unsigned()));
    }

    /// Goes to `label`.
    pub fn goto(&mut self, label: Label) {
        self.jumps.push((self.code.len(), label));
        self.push(JMP, Reg::R0, Reg::R0, 0, 0);
    }

    /// Goes to `label` if the comparison of 64 bits holds.
    pub fn jump(&mut self, a: Reg, when: When, b: impl Into<Operand>, label: Label) {
        self.jumps.push((self.code.len(), label));
        self.arithmetic(JMP | when as u8, a, b.into());
    }

    /// Calls a helper of the kernel: arguments in `R1`…`R5`, the result in `R0`; `R1`…`R5` are lost.
    pub fn call(&mut self, helper: Helper) {
        self.push(0x85, Reg::R0, Reg::R0, 0, helper.0);
    }

    /// The end: returns `R0`.
    pub fn exit(&mut self) {
        self.push(0x95, Reg::R0, Reg::R0, 0, 0);
    }

    /// The program.
    ///
    /// # Errors
    /// A jump that leads nowhere, or too far.
    pub fn finish(mut self) -> Result<Vec<u64>, Problem> {
        for (at, label) in self.jumps {
            let target = self.labels[label.0].ok_or(Problem::Unplaced(label))?;
            // Counted from the next instruction. No program is as long as an i64.
            let distance = target.cast_signed() - at.cast_signed() - 1;
            let distance = i16::try_from(distance).map_err(|_| Problem::TooFar(label))?;
            self.code[at] |= u64::from(distance.cast_unsigned()) << 16;
        }
        Ok(self.code)
    }

    fn arithmetic(&mut self, code: u8, to: Reg, by: Operand) {
        match by {
            Operand::Reg(from) => self.push(code | X, to, from, 0, 0),
            Operand::Imm(number) => self.push(code, to, Reg::R0, 0, number),
        }
    }

    /// Two instructions: a number of 64 bits.
    fn wide(&mut self, to: Reg, kind: Reg, number: u64) {
        let half = |bits: u64| (bits & 0xffff_ffff) << 32;
        self.code.push(encode(0x18, to, kind, 0, 0) | half(number));
        self.code.push(half(number >> 32));
    }

    fn push(&mut self, code: u8, to: Reg, from: Reg, offset: i16, number: i32) {
        self.code.push(encode(code, to, from, offset, number));
    }
}

/// `struct bpf_insn` of a little-endian machine, as one number.
fn encode(code: u8, to: Reg, from: Reg, offset: i16, number: i32) -> u64 {
    u64::from(code)
        | (to as u64) << 8
        | (from as u64) << 12
        | u64::from(offset.cast_unsigned()) << 16
        | u64::from(number.cast_unsigned()) << 32
}

/// A function of the kernel that programs call (bpf-helpers(7)), by its number in `bpf.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Helper(pub i32);

#[expect(missing_docs, reason = "bpf-helpers(7) has them by these names")]
impl Helper {
    pub const MAP_LOOKUP_ELEM: Self = Self(1);
    pub const MAP_UPDATE_ELEM: Self = Self(2);
    pub const MAP_DELETE_ELEM: Self = Self(3);
    pub const KTIME_GET_NS: Self = Self(5);
    pub const GET_CURRENT_PID_TGID: Self = Self(14);
    pub const GET_CURRENT_UID_GID: Self = Self(15);
    pub const GET_CURRENT_COMM: Self = Self(16);
    pub const PERF_EVENT_OUTPUT: Self = Self(25);
    pub const SKB_LOAD_BYTES: Self = Self(26);
    pub const GET_CURRENT_TASK: Self = Self(35);
    pub const GET_SOCKET_COOKIE: Self = Self(46);
    pub const SETSOCKOPT: Self = Self(49);
    pub const GETSOCKOPT: Self = Self(57);
    pub const BIND: Self = Self(64);
    pub const SK_LOOKUP_TCP: Self = Self(84);
    pub const SK_LOOKUP_UDP: Self = Self(85);
    pub const SK_RELEASE: Self = Self(86);
    pub const GET_CURRENT_CGROUP_ID: Self = Self(80);
    pub const GET_LOCAL_STORAGE: Self = Self(81);
    pub const SK_STORAGE_GET: Self = Self(107);
    pub const PROBE_READ_USER: Self = Self(112);
    pub const PROBE_READ_KERNEL: Self = Self(113);
    pub const PROBE_READ_USER_STR: Self = Self(114);
    pub const PROBE_READ_KERNEL_STR: Self = Self(115);
    pub const GET_NS_CURRENT_PID_TGID: Self = Self(120);
    pub const GET_CURRENT_ANCESTOR_CGROUP_ID: Self = Self(123);
    pub const RINGBUF_OUTPUT: Self = Self(130);
    pub const RINGBUF_RESERVE: Self = Self(131);
    pub const RINGBUF_SUBMIT: Self = Self(132);
    pub const RINGBUF_DISCARD: Self = Self(133);
    pub const GET_RETVAL: Self = Self(186);
    pub const SET_RETVAL: Self = Self(187);
}

#[cfg(test)]
mod tests;
