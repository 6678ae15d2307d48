//! What a process inherits and should not pass on.

use sys::signal::{SIGHUP, SIGPIPE};

/// Makes this process, and jails with it, independent of how its caller left the umask and
/// which signals it ignores.
///
/// Mount points and roots have the modes that stand in the code; what is private is made so by
/// its own mode. Under an ignored `SIGCHLD` (some daemons start their children so) nobody's end
/// could be waited for; an ignored `SIGINT` (of what a shell starts with `&`) would be the
/// jail's. `SIGHUP` stays ignored for nohup(1), and `SIGPIPE` since the standard library says so.
pub fn forget_caller() {
    sys::fs::set_umask(0o022);
    let ignored = ignored().unwrap_or(u64::MAX);
    let kept = [SIGHUP, SIGPIPE];
    for signal in (1..=64).filter(|signal| ignored >> (signal - 1) & 1 == 1 && !kept.contains(signal)) {
        sys::signal::heed(signal);
    }
}

/// The signals that this process ignores, as the kernel has them (proc_pid_status(5)): bit 0 is
/// signal 1.
fn ignored() -> Option<u64> {
    let file = sys::fs::open(sys::fs::CWD, "/proc/self/status", sys::fs::O_RDONLY, 0).ok()?;
    let mut text = [0; 4096];
    let length = sys::fs::read(&file, &mut text).ok()?;
    let text = std::str::from_utf8(&text[..length]).ok()?;
    let mask = text.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}
