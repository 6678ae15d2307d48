//! What a process inherits and should not pass on.

use sys::signal::{SIGHUP, SIGPIPE};

/// Makes this process, and jails with it, independent of how its caller left the umask, the
/// standard streams, and which signals it blocks and ignores.
///
/// Mount points and roots have the modes that stand in the code; what is private is made so by
/// its own mode. Under an ignored `SIGCHLD` (some daemons start their children so) nobody's end
/// could be waited for; an ignored `SIGINT` (of what a shell starts with `&`) would be the
/// jail's. `SIGHUP` stays ignored for nohup(1). `SIGPIPE` is blocked, so that a reader who is gone is
/// an error like any other; what is blocked needs nothing undone in a jail, where nothing is.
pub fn forget_caller() {
    sys::fs::set_umask(0o022);
    sys::fs::open_standard_streams();
    sys::signal::block_only(&[SIGPIPE]);
    sys::signal::heed_all_but(&[SIGHUP]);
}
