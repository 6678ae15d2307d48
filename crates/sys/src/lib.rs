//! The Linux kernel, one file per facility: safe wrappers, no policy.
//!
//! The only crate with `unsafe`; each block says why it is sound.

pub mod bpf;
pub mod btrfs;
mod call;
pub mod copy;
pub mod diag;

/// The error numbers that callers tell apart (errno(3)).
pub mod errno {
    pub use libc::{
        E2BIG, EACCES, EADDRNOTAVAIL, EAGAIN, EBADF, EBUSY, ECONNREFUSED, ECONNRESET, EDQUOT, EEXIST, EFBIG,
        EHOSTUNREACH, EINTR, EINVAL, EIO, EISDIR, ELOOP, EMLINK, ENAMETOOLONG, ENETUNREACH, ENODEV, ENOENT,
        ENOEXEC, ENOMEM, ENOSPC, ENOSYS, ENOTDIR, ENOTEMPTY, ENOTTY, EOPNOTSUPP, EPERM, EPIPE,
        EPROTONOSUPPORT, ERESTART, EROFS, ESRCH, ETXTBSY, EUSERS, EXDEV,
    };
}
pub mod entry;
pub mod error;
pub mod fs;
pub mod init;
pub mod iptables;
pub mod look;
pub mod loops;
pub mod memory;
pub mod mount;
pub mod netfilter;
pub mod netlink;
pub mod notify;
pub mod packet;
pub mod poll;
pub mod probe;
pub mod process;
pub mod program;
pub mod quota;
pub mod signal;
pub mod socket;
pub mod terminal;
pub mod xattr;

pub use error::{CallError, Errno, Result};
