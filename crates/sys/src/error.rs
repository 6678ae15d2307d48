//! Failed system calls, printed as strace prints them.

use std::fmt;

/// The result of a system call.
pub type Result<T> = std::result::Result<T, CallError>;

/// An error number (errno(3)).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(pub i32);

impl Errno {
    /// The number that the last failed call of this thread left.
    pub(crate) fn last() -> Self {
        Self(std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
    }

    /// Its name, such as `ENOENT`; empty if jaula has no name for it.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(number, _)| *number == self.0).map_or("", |(_, name)| name)
    }

    /// What it means in words.
    pub fn words(self) -> String {
        let text = std::io::Error::from_raw_os_error(self.0).to_string();
        text.rsplit_once(" (os error").map_or(text.as_str(), |(words, _)| words).to_owned()
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            "" => write!(f, "errno {}", self.0),
            name => f.write_str(name),
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?} ({})", self.words())
    }
}

/// A system call that failed: `mkdirat(4, "run", 0755) = EEXIST (File exists)`.
#[derive(Debug)]
pub struct CallError {
    /// The call with its arguments.
    pub call: String,
    /// Why it failed.
    pub errno: Errno,
}

impl CallError {
    /// For a call that is known to fail before it is made.
    pub fn new(call: impl Into<String>, errno: i32) -> Self {
        Self { call: call.into(), errno: Errno(errno) }
    }

    /// Did it fail with this number (`libc::ENOENT`, …)?
    pub fn is(&self, errno: i32) -> bool {
        self.errno.0 == errno
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.call, self.errno)
    }
}

impl std::error::Error for CallError {}

macro_rules! names {
    ($($name:ident)*) => { &[$((libc::$name, stringify!($name))),*] };
}

const NAMES: &[(i32, &str)] = names!(
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK
    EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE
    EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP EOVERFLOW EUSERS
    ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EAFNOSUPPORT
    EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN
    ETIMEDOUT ECONNREFUSED EHOSTUNREACH EALREADY EINPROGRESS ESTALE EDQUOT ECANCELED EOWNERDEAD EKEYREVOKED
);
