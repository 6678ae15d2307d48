//! The kernel's numbers that plans use, by name (`linux/mount.h`, `linux/fcntl.h`, `linux/prctl.h`, …).

use super::call::Flag;

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $value:expr;)*) => {
        $($(#[$doc])* pub(crate) const $name: Flag = Flag(stringify!($name), $value);)*
    };
}

flags! {
    MS_RDONLY = 1;
    MS_NOSUID = 2;
    MS_NODEV = 4;
    MS_NOEXEC = 8;
    MS_BIND = 4096;
    MS_REC = 16384;
    MOUNT_ATTR_RDONLY = 1;
    MOUNT_ATTR_NOSUID = 2;
    MOUNT_ATTR_NODEV = 4;
    MOUNT_ATTR_NOEXEC = 8;
    /// Stands for the structure's own field `propagation`, see `launch::child`.
    MS_PRIVATE = 1 << 18;
    MOVE_MOUNT_F_EMPTY_PATH = 4;
    MOVE_MOUNT_T_EMPTY_PATH = 0x40;
    OPEN_TREE_CLONE = 1;
    OPEN_TREE_CLOEXEC = 0o2_000_000;
    AT_EMPTY_PATH = 0x1000;
    AT_RECURSIVE = 0x8000;
    AT_SYMLINK_NOFOLLOW = 0x100;
    MNT_DETACH = 2;
    O_PATH = 0o10_000_000;
    O_CLOEXEC = 0o2_000_000;
    O_DIRECTORY = 0o200_000;
    O_RDWR = 2;
    O_WRONLY = 1;
    O_CREAT = 0o100;
    O_EXCL = 0o200;
    O_NOCTTY = 0o400;
    RESOLVE_IN_ROOT = 0x10;
    RESOLVE_NO_MAGICLINKS = 0x02;
    PR_SET_PDEATHSIG = 1;
    PR_CAPBSET_DROP = 24;
    PR_SET_KEEPCAPS = 8;
    PR_SET_NO_NEW_PRIVS = 38;
    PR_CAP_AMBIENT = 47;
    PR_CAP_AMBIENT_RAISE = 2;
    SIGKILL = 9;
    SIGHUP = 1;
    SIG_SETMASK = 2;
    KEYCTL_JOIN_SESSION_KEYRING = 1;
    SECCOMP_SET_MODE_FILTER = 1;
    SECCOMP_FILTER_FLAG_NEW_LISTENER = 8;
    SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 32;
    AF_INET = 2;
    SOCK_DGRAM_CLOEXEC = 2 | 0o2_000_000;
    SIOCSIFFLAGS = 0x8914;
    TIOCSPTLCK = 0x4004_5431;
    TIOCGPTPEER = 0x5441;
    TIOCSCTTY = 0x540e;
    CLONE_NEWNS = 0x0002_0000;
    CLONE_NEWCGROUP = 0x0200_0000;
    CLONE_NEWUSER = 0x1000_0000;
}
