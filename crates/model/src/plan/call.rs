//! A system call as data: printed by `jaula plan`, made by `launch`.

use crate::caps::CapSet;
use crate::seccomp::Instruction;
use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt;

/// The name of a descriptor in a plan, printed as `$name`.
pub type Fd = Cow<'static, str>;

/// A text that is mostly known when jaula is compiled.
pub type Text = Cow<'static, str>;

/// One system call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The call's name, as in its man page.
    pub name: &'static str,
    /// Its arguments.
    pub args: Vec<Arg>,
    /// The name that its result gets, if it is a descriptor.
    pub into: Option<Fd>,
    /// What it may return.
    pub expect: Expect,
}

/// What a call may return.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expect {
    /// Success.
    #[default]
    Success,
    /// Exactly this number.
    Exactly(i64),
    /// Success, or that the thing is there already (`EEXIST`; `EROFS` if it cannot be made).
    OrThere,
    /// Success, or that the thing is not there (`ENOENT`, `ENOTDIR`).
    OrAbsent,
    /// The same, or that a file is to be mounted on a directory (`EINVAL`).
    OrUnlike,
    /// Success, or that the thing is not there or may not be entered (`ENOENT`, `ENOTDIR`,
    /// `EACCES`).
    OrUnreachable,
    /// Success, or that the kernel or the host does not have or allow it (`ENOSYS`, `EPERM`,
    /// `EOPNOTSUPP`): for what only adds to a confinement that stands without it.
    OrRefused,
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Arg {
    /// A descriptor by its name.
    Fd(Fd),
    /// The number before a descriptor's: the end of a range that leaves it out.
    Before(Fd),
    /// The number after it.
    After(Fd),
    /// The current directory (`AT_FDCWD`).
    Here,
    /// No address.
    Null,
    /// A plain number.
    Number(u64),
    /// A number, printed in octal.
    Mode(u32),
    /// Named bits.
    Flags(&'static [Flag]),
    /// A text, given by address.
    Text(Text),
    /// Addresses of texts, ended by 0: an argument list or an environment.
    Texts(Vec<OsString>),
    /// Bytes, given by address; their number is another argument.
    Bytes(Vec<u8>),
    /// The length of the argument before.
    LengthOfLast,
    /// Room for so many bytes.
    Buffer(usize),
    /// `struct mount_attr`: bits to set, and a kind of propagation.
    MountAttr(&'static [Flag]),
    /// `struct open_how` (openat2(2)).
    OpenHow(&'static [Flag], &'static [Flag]),
    /// `struct __user_cap_data_struct[2]`: effective and permitted, and inheritable.
    Caps(CapSet, CapSet),
    /// `struct sock_fprog`.
    Filter(Vec<Instruction>),
    /// Group ids.
    Ids(Vec<u32>),
    /// `struct rlimit64`: soft and hard, `None` without limit.
    Limit(Option<u64>, Option<u64>),
    /// 64-bit words of a small structure, with its name.
    Words(&'static str, Vec<u64>),
    /// A message that carries a descriptor (`struct msghdr` with `SCM_RIGHTS`).
    SendFd(Fd),
}

/// A named bit, or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag(pub &'static str, pub u64);

impl Call {
    /// A call that must succeed.
    pub fn new(name: &'static str, args: impl Into<Vec<Arg>>) -> Self {
        Self { name, args: args.into(), into: None, expect: Expect::Success }
    }

    /// Its result is the descriptor `$name`.
    pub fn into(self, name: impl Into<Fd>) -> Self {
        Self { into: Some(name.into()), ..self }
    }

    /// What it may return.
    pub fn expect(self, expect: Expect) -> Self {
        Self { expect, ..self }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(into) = &self.into {
            write!(f, "${into} = ")?;
        }
        write!(f, "{}(", self.name)?;
        for (i, arg) in self.args.iter().enumerate() {
            write!(f, "{}{arg}", if i > 0 { ", " } else { "" })?;
        }
        write!(f, ")")?;
        match self.expect {
            Expect::Success => Ok(()),
            Expect::Exactly(n) => write!(f, " == {n}"),
            Expect::OrThere => write!(f, " or EEXIST, EROFS"),
            Expect::OrAbsent => write!(f, " or ENOENT"),
            Expect::OrUnlike => write!(f, " or ENOENT, EINVAL"),
            Expect::OrUnreachable => write!(f, " or ENOENT, EACCES"),
            Expect::OrRefused => write!(f, " or ENOSYS, EPERM"),
        }
    }
}

struct Bits<'a>(&'a [Flag]);

impl fmt::Display for Bits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return write!(f, "0");
        }
        for (i, Flag(name, _)) in self.0.iter().enumerate() {
            write!(f, "{}{name}", if i > 0 { "|" } else { "" })?;
        }
        Ok(())
    }
}

struct Limit(Option<u64>);

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(n) => write!(f, "{n}"),
            None => write!(f, "unlimited"),
        }
    }
}

impl fmt::Display for Arg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fd(name) => write!(f, "${name}"),
            Self::Before(name) => write!(f, "${name} - 1"),
            Self::After(name) => write!(f, "${name} + 1"),
            Self::Here => write!(f, "AT_FDCWD"),
            Self::Null => write!(f, "NULL"),
            Self::Number(n) => write!(f, "{n}"),
            Self::Mode(mode) => write!(f, "{mode:#o}"),
            Self::Flags(flags) => Bits(flags).fmt(f),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Texts(texts) => write!(f, "{texts:?}"),
            Self::Bytes(bytes) => write!(f, "{:?}", String::from_utf8_lossy(bytes)),
            Self::LengthOfLast => write!(f, "…"),
            Self::Buffer(size) => write!(f, "[{size} bytes]"),
            Self::MountAttr(set) => write!(f, "{{{}}}", Bits(set)),
            Self::OpenHow(flags, resolve) => write!(f, "{{{}, {}}}", Bits(flags), Bits(resolve)),
            Self::Caps(held, inheritable) if inheritable.bits() == 0 => write!(f, "{{{held}}}"),
            Self::Caps(held, inheritable) => write!(f, "{{{held}; inheritable {inheritable}}}"),
            Self::Filter(filter) => write!(f, "{{{} instructions}}", filter.len()),
            Self::Ids(ids) => write!(f, "{ids:?}"),
            Self::Limit(soft, hard) => write!(f, "{{{}, {}}}", Limit(*soft), Limit(*hard)),
            Self::Words(name, words) => write!(f, "{name}{words:x?}"),
            Self::SendFd(fd) => write!(f, "{{SCM_RIGHTS ${fd}}}"),
        }
    }
}

/// The sum of named bits.
pub fn bits(flags: &[Flag]) -> u64 {
    flags.iter().fold(0, |all, Flag(_, bit)| all | bit)
}
