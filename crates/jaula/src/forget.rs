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
    sys::signal::heed_all_but(&[SIGHUP, SIGPIPE]);
}
