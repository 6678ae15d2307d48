//! Signals as a descriptor, so that nothing is ever done in a handler.

use crate::call::{check, own};
use crate::error::Result;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};

/// The number of the call that sleeps until a signal comes (sigwaitinfo(2)).
pub const TIMED_WAIT: i64 = libc::SYS_rt_sigtimedwait;

/// Signals that wait to be read instead of interrupting (signalfd(2)).
#[derive(Debug)]
pub struct Signals(OwnedFd);

fn set(signals: &[i32]) -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset fills the set; sigaddset then changes a filled one.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

impl Signals {
    /// Blocks these signals for the process and takes them as a descriptor.
    pub fn take(signals: &[i32]) -> Result<Self> {
        let set = set(signals);
        // SAFETY: `set` lives over the calls; no old set is asked for.
        let done = unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
        check(done.into(), || "sigprocmask(SIG_BLOCK)".to_owned())?;
        // SAFETY: as above.
        let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        check(fd.into(), || "signalfd(-1)".to_owned()).map(own).map(Self)
    }

    /// The next signal that came, if one did: its number, and who sent it (0: the kernel).
    pub fn next(&self) -> Result<Option<i32>> {
        let mut info = [0u8; size_of::<libc::signalfd_siginfo>()];
        match crate::fs::read(&self.0, &mut info) {
            // The first field, ssi_signo, is the number.
            Ok(n) if n >= 4 => Ok(Some(i32::from_ne_bytes([info[0], info[1], info[2], info[3]]))),
            Ok(_) => Ok(None),
            Err(e) if e.is(libc::EAGAIN) => Ok(None),
            Err(e) => Err(e),
        }
    }
}

impl std::os::fd::AsFd for Signals {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Signals {
    fn as_raw_fd(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

pub use libc::{
    SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGIO, SIGKILL, SIGPIPE, SIGQUIT, SIGSTOP, SIGTERM, SIGTSTP, SIGUSR1,
    SIGUSR2, SIGWINCH,
};

/// Blocks these signals and no others (sigprocmask(2)).
pub fn block_only(signals: &[i32]) {
    let set = set(signals);
    // SAFETY: `set` lives over the call; no old set is asked for. With a valid `how` it cannot fail.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut()) };
}

/// Did one of these come while they are blocked, and was not taken yet (sigpending(2))?
pub fn is_pending(signals: &[i32]) -> bool {
    let mut found = set(&[]);
    // SAFETY: `found` is a set that the call fills.
    let done = unsafe { libc::sigpending(&raw mut found) };
    // SAFETY: `found` is a filled set.
    done == 0 && signals.iter().any(|signal| unsafe { libc::sigismember(&raw const found, *signal) } == 1)
}

/// Gives every signal that is ignored its default disposition, but for these (rt_sigaction(2)).
pub fn heed_all_but(kept: &[i32]) {
    // One file says which; to ask the kernel for each takes 64 calls.
    let ignored = ignored().unwrap_or(u64::MAX);
    // Not by the C library, which keeps two for itself: its posix_spawn(3) leaves them ignored.
    let default = [0u64; 4];
    for signal in (1..=64).filter(|signal| ignored >> (signal - 1) & 1 == 1 && !kept.contains(signal)) {
        // SAFETY: zeros are a `struct sigaction` of the kernel that says SIG_DFL, which runs no
        // code of ours; the mask's size is the kernel's.
        unsafe {
            libc::syscall(libc::SYS_rt_sigaction, signal, &raw const default, std::ptr::null::<u8>(), 8)
        };
    }
}

/// The signals that this process ignores, 1 in the lowest bit (proc_pid_status(5)).
fn ignored() -> Option<u64> {
    let status = crate::fs::open(crate::fs::CWD, "/proc/self/status", crate::fs::O_RDONLY, 0).ok()?;
    // All that comes before the line is shorter by far, but for supplementary groups.
    let mut text = [0; 4096];
    let length = crate::fs::read(&status, &mut text).ok()?;
    let line =
        text[..length].split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"SigIgn:\t"))?;
    u64::from_str_radix(std::str::from_utf8(line).ok()?, 16).ok()
}

/// Sets the signal's disposition to ignored or default (signal(2)).
pub fn ignore(signal: i32, ignored: bool) {
    let to = if ignored { libc::SIG_IGN } else { libc::SIG_DFL };
    // SAFETY: SIG_IGN and SIG_DFL run no code of ours.
    unsafe { libc::signal(signal, to) };
}
