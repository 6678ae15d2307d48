//! A program of system calls: made ready by one process, run by its child.
//!
//! Between clone and exec a child of a larger program may do very little: no allocation, no
//! lock, nothing of the C library. Here it does nothing but walk a flat list of calls whose
//! arguments, strings and structures were all laid out before it existed. It shares its
//! parent's memory (`CLONE_VM`), which spares both the copying of page tables and the faults
//! on each page that either of them writes to next; it has a stack of its own and writes
//! nowhere but there and to its program's own words.

use std::os::fd::RawFd;

/// A place in a program's memory: the number of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(usize);

/// One argument of a call.
#[derive(Clone, Copy, Debug)]
pub enum Arg {
    /// A number: a flag word, a length, a descriptor that the parent opened.
    Value(u64),
    /// The address of a place.
    Address(Place),
    /// What is in a place when the call is made: the result of an earlier call.
    Content(Place),
}

/// What a call must return for the program to go on.
#[derive(Clone, Copy, Debug, Default)]
pub enum Expect {
    /// Anything but an error.
    #[default]
    Success,
    /// Just this number; a `read` that returns 0 has met the end, for instance.
    Exactly(i64),
    /// Success or one of these errors.
    SuccessOr(&'static [i32]),
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub struct Op {
    /// Its number (`libc::SYS_…`).
    pub number: i64,
    /// Its arguments; those beyond the call's own are 0.
    pub args: [Arg; 6],
    /// Where its result goes.
    pub into: Option<Place>,
    /// When the program goes on.
    pub expect: Expect,
}

/// A list of calls with the memory that they use.
#[derive(Debug)]
pub struct Program {
    memory: Vec<u64>,
    /// Words that shall hold the address of another: memory may still move while it grows.
    addresses: Vec<(Place, Place)>,
    ops: Vec<Op>,
}

/// What the child reports when a call fails: which one, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The index of the call.
    pub step: usize,
    /// Its error number; 0 if it succeeded but returned something unexpected.
    pub errno: i32,
}

impl Failed {
    /// The length of a report.
    pub const LENGTH: usize = 8;

    /// Reads a report.
    pub fn parse(report: [u8; Self::LENGTH]) -> Self {
        let [a, b, c, d, e, f, g, h] = report;
        let step = u32::from_ne_bytes([a, b, c, d]);
        Self { step: step as usize, errno: i32::from_ne_bytes([e, f, g, h]) }
    }
}

/// The status a child exits with when one of its calls failed. It only matters to somebody who
/// does not read the report.
const FAILED: u64 = 125;

impl Program {
    /// An empty program with room for so many calls.
    pub fn with_capacity(calls: usize) -> Self {
        Self {
            memory: Vec::with_capacity(1024),
            addresses: Vec::with_capacity(64),
            ops: Vec::with_capacity(calls),
        }
    }

    /// Sets aside zeroed memory, in machine words.
    pub fn memory(&mut self, words: usize) -> Place {
        let place = Place(self.memory.len());
        self.memory.resize(place.0 + words, 0);
        place
    }

    /// Lays out bytes, followed by at least one NUL.
    pub fn bytes(&mut self, bytes: &[u8]) -> Place {
        let place = self.memory(bytes.len() / 8 + 1);
        for (word, part) in self.memory[place.0..].iter_mut().zip(bytes.chunks(8)) {
            let mut full = [0; 8];
            full[..part.len()].copy_from_slice(part);
            *word = u64::from_ne_bytes(full);
        }
        place
    }

    /// Lays out a structure that consists of these words.
    pub fn words(&mut self, words: impl IntoIterator<Item = Arg>) -> Place {
        let place = Place(self.memory.len());
        for word in words {
            let here = Place(self.memory.len());
            self.memory.push(match word {
                Arg::Value(value) => value,
                Arg::Content(at) => self.memory[at.0],
                Arg::Address(at) => {
                    self.addresses.push((here, at));
                    0
                }
            });
        }
        place
    }

    /// The word so many after.
    pub fn word(&self, place: Place, words: usize) -> Place {
        assert!(place.0 + words < self.memory.len(), "{words} words after {place:?}");
        Place(place.0 + words)
    }

    /// The word so many before.
    pub fn back(&self, place: Place, words: usize) -> Place {
        assert!(words <= place.0, "{words} words before {place:?}");
        Place(place.0 - words)
    }

    /// Appends a call.
    pub fn push(&mut self, op: Op) {
        self.ops.push(op);
    }

    /// Writes the addresses into the words that want them: memory grows no more.
    pub(crate) fn settle(&mut self) {
        for (word, at) in std::mem::take(&mut self.addresses) {
            self.memory[word.0] = self.address(at);
        }
    }

    fn address(&self, at: Place) -> u64 {
        (&raw const self.memory[at.0]).addr() as u64
    }

    fn value(&self, arg: Arg) -> u64 {
        match arg {
            Arg::Value(value) => value,
            Arg::Address(at) => self.address(at),
            Arg::Content(at) => self.memory[at.0],
        }
    }

    /// Runs the calls and then exits with status 0. The first that fails is reported to
    /// `report` as eight bytes and ends the process.
    pub(crate) fn run(&mut self, report: RawFd) -> ! {
        for step in 0..self.ops.len() {
            let op = self.ops[step];
            let args = op.args.map(|arg| self.value(arg));
            let mut returned = call(op.number, args);
            for _ in 0..crate::fs::RENAMES {
                if op.number != libc::SYS_openat2 || returned != -i64::from(libc::EAGAIN) {
                    break;
                }
                returned = call(op.number, args);
            }
            if let Some(into) = op.into {
                self.memory[into.0] = returned.cast_unsigned();
            }
            let errno = if (-4095..0).contains(&returned) { -returned } else { 0 };
            let goes_on = match op.expect {
                Expect::Success => errno == 0,
                Expect::Exactly(wanted) => returned == wanted,
                Expect::SuccessOr(others) => errno == 0 || others.iter().any(|e| i64::from(*e) == errno),
            };
            if !goes_on {
                // Step in the low half, errno in the high one, as `Failed::parse` reads it.
                let message = [(step as u64 | errno.cast_unsigned() << 32).to_le()];
                let [fd, at] = [u64::from(report.cast_unsigned()), (&raw const message).addr() as u64];
                call(libc::SYS_write, [fd, at, Failed::LENGTH as u64, 0, 0, 0]);
                call(libc::SYS_exit_group, [FAILED, 0, 0, 0, 0, 0]);
            }
        }
        loop {
            call(libc::SYS_exit_group, [0; 6]);
        }
    }
}

macro_rules! numbers {
    ($name:expr, $($call:ident = $number:ident)*) => {
        match $name {
            $(stringify!($call) => libc::$number,)*
            other => unreachable!("no program may contain {other}"),
        }
    };
}

/// The number of a call that programs may contain, by its name.
pub fn number(name: &str) -> i64 {
    numbers!(name,
        capset = SYS_capset chdir = SYS_chdir close = SYS_close close_range = SYS_close_range dup3 = SYS_dup3
        execve = SYS_execve fchdir = SYS_fchdir fchmodat = SYS_fchmodat fchownat = SYS_fchownat ioctl = SYS_ioctl keyctl = SYS_keyctl
        landlock_create_ruleset = SYS_landlock_create_ruleset
        landlock_restrict_self = SYS_landlock_restrict_self mkdirat = SYS_mkdirat mknodat = SYS_mknodat
        mount = SYS_mount mount_setattr = SYS_mount_setattr move_mount = SYS_move_mount
        open_tree = SYS_open_tree openat = SYS_openat openat2 = SYS_openat2 pivot_root = SYS_pivot_root
        prctl = SYS_prctl prlimit64 = SYS_prlimit64 read = SYS_read rt_sigaction = SYS_rt_sigaction
        rt_sigprocmask = SYS_rt_sigprocmask seccomp = SYS_seccomp sendmsg = SYS_sendmsg
        setgroups = SYS_setgroups sethostname = SYS_sethostname setns = SYS_setns
        setresgid = SYS_setresgid setresuid = SYS_setresuid setsid = SYS_setsid socket = SYS_socket
        symlinkat = SYS_symlinkat umask = SYS_umask umount2 = SYS_umount2 write = SYS_write
    )
}

/// One system call, past the C library: a negative result is an error number.
#[cfg(target_arch = "x86_64")]
fn call(number: i64, args: [u64; 6]) -> i64 {
    let [a, b, c, d, e, f] = args;
    let returned: i64;
    // SAFETY: this runs in a child that never returns to the code that made it; addresses in
    // `args` are those of the program's own memory, which nobody else touches meanwhile.
    unsafe {
        std::arch::asm!("syscall", inlateout("rax") number => returned, in("rdi") a, in("rsi") b, in("rdx") c,
            in("r10") d, in("r8") e, in("r9") f, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    returned
}

/// One system call, past the C library: a negative result is an error number.
#[cfg(target_arch = "aarch64")]
fn call(number: i64, args: [u64; 6]) -> i64 {
    let [a, b, c, d, e, f] = args;
    let returned: i64;
    // SAFETY: as on x86-64.
    unsafe {
        std::arch::asm!("svc 0", in("x8") number, inlateout("x0") a => returned, in("x1") b, in("x2") c,
            in("x3") d, in("x4") e, in("x5") f, options(nostack));
    }
    returned
}
