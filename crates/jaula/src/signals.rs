//! Signals to a jail's first process.
//!
//! The first process of a pid namespace is immune to every signal that it does not handle, even
//! to those that would end any other program. Somebody who presses Ctrl-C or asks a jail to
//! stop expects the usual effect, so that jaula looks whether the program handles the signal
//! and ends it where the signal would have.

use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use sys::signal::{SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};

/// Those that a caller's jaula passes on to the program that it runs.
pub(crate) const PASSED_ON: &[i32] = &[SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH];

/// What a signal would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The program has a handler for it, or will see it later.
    Handled,
    /// The program ignores it, or it does nothing by default.
    Nothing,
    /// It would end any program but a first process.
    Ends,
}

/// What the signal does to the process (proc_pid_status(5)).
pub(crate) fn effect(pid: i32, signal: i32) -> Effect {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let has = |field: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix(field));
        let mask = mask.and_then(|m| u64::from_str_radix(m.trim(), 16).ok()).unwrap_or(0);
        u32::try_from(signal - 1).is_ok_and(|bit| bit < 64 && mask >> bit & 1 == 1)
    };
    if has("SigCgt:") || has("SigBlk:") {
        Effect::Handled
    } else if has("SigIgn:") || matches!(signal, SIGCONT | SIGWINCH) {
        Effect::Nothing
    } else if waits_for(pid, signal) {
        Effect::Handled
    } else {
        Effect::Ends
    }
}

/// Does it sleep until a signal comes, with this one among those? busybox's init does nothing else. The kernel does not
/// count as blocked what is waited for.
fn waits_for(pid: i32, signal: i32) -> bool {
    let call = std::fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    let mut words = call.split_ascii_whitespace();
    let is_wait = words.next().and_then(|n| n.parse().ok()) == Some(sys::signal::TIMED_WAIT);
    let set = words.next().and_then(|at| u64::from_str_radix(at.trim_start_matches("0x"), 16).ok());
    let (true, Some(at)) = (is_wait, set) else { return false };
    let mut set = [0; 8];
    let memory = std::fs::File::open(format!("/proc/{pid}/mem"));
    let read = memory.and_then(|memory| memory.read_exact_at(&mut set, at));
    read.is_ok() && u32::try_from(signal - 1).is_ok_and(|bit| u64::from_ne_bytes(set) >> bit.min(63) & 1 == 1)
}

/// Sends a signal to a first process with the effect that it has on others. Returns whether
/// that was its end.
pub(crate) fn deliver(pid: i32, pidfd: impl AsFd, signal: i32) -> bool {
    let ends = signal == SIGKILL || effect(pid, signal) == Effect::Ends;
    // Whoever is gone needs no signal.
    let _ = sys::process::signal(pidfd, if ends { SIGKILL } else { signal });
    ends
}
