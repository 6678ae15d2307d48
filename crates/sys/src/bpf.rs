//! BPF programs (bpf(2)): loaded, and attached to control groups, links and tracepoints.
//!
//! [`asm`] writes them, [`map`] is what they share with this process.

pub mod asm;
pub mod map;

use crate::call::{check, own};
use crate::error::Result;
use std::ffi::{CStr, CString};
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

const PROG_LOAD: i32 = 5;
const OBJ_PIN: i32 = 6;
const OBJ_GET: i32 = 7;
const PROG_ATTACH: i32 = 8;
const PROG_DETACH: i32 = 9;
const PROG_GET_FD_BY_ID: i32 = 13;
const MAP_GET_FD_BY_ID: i32 = 14;
const OBJ_GET_INFO_BY_FD: i32 = 15;
const PROG_QUERY: i32 = 16;
const RAW_TRACEPOINT_OPEN: i32 = 17;
const ALLOW_MULTI: u32 = 2;

/// A number that follows from what assembles programs and makes maps, made when this is compiled. With
/// [`digest`] of what writes them, it tells programs of one version from those of another.
pub const SOURCE: u64 = digest(
    digest(digest(EMPTY, include_str!("bpf.rs")), include_str!("bpf/asm.rs")),
    include_str!("bpf/map.rs"),
);
/// FNV-1a: of nothing, and what each byte multiplies by.
const EMPTY: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// Goes on with the digest (FNV-1a, 64 bits) of what stands before this text.
pub const fn digest(before: u64, text: &str) -> u64 {
    let (mut sum, mut rest) = (before, text.as_bytes());
    while let [byte, after @ ..] = rest {
        // Widening; there is no `From` at compile time.
        sum = (sum ^ *byte as u64).wrapping_mul(PRIME);
        rest = after;
    }
    sum
}

/// What jaula's programs are licensed as, for the kernel, which lends some helpers to such only.
const LICENSE: &CStr = c"Dual MIT/GPL";

/// Where a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// A packet that a socket of the group receives: 1 lets it through (`struct __sk_buff`).
    Ingress,
    /// A packet that a socket of the group sends.
    Egress,
    /// socket(2): 1 allows it (`struct bpf_sock`).
    SocketCreate,
    /// bind(2), IPv4: bit 0 allows it, bit 1 a port below 1024 too (`struct bpf_sock_addr`).
    Bind4,
    /// bind(2), IPv6.
    Bind6,
    /// connect(2), IPv4: 1 allows it (`struct bpf_sock_addr`).
    Connect4,
    /// connect(2), IPv6.
    Connect6,
    /// After bind(2), when the port is known: 1 allows it (`struct bpf_sock`).
    PostBind4,
    /// The same, IPv6.
    PostBind6,
    /// sendto(2), sendmsg(2) of UDP to an address, IPv4 (`struct bpf_sock_addr`).
    Sendmsg4,
    /// The same, IPv6.
    Sendmsg6,
    /// recvfrom(2), recvmsg(2) of UDP: the sender's address; 1 always (`struct bpf_sock_addr`).
    Recvmsg4,
    /// The same, IPv6.
    Recvmsg6,
    /// getpeername(2), IPv4: 1 always (`struct bpf_sock_addr`).
    Getpeername4,
    /// getpeername(2), IPv6.
    Getpeername6,
    /// getsockname(2), IPv4: 1 always (`struct bpf_sock_addr`).
    Getsockname4,
    /// getsockname(2), IPv6.
    Getsockname6,
    /// setsockopt(2): 1 lets it go on (`struct bpf_sockopt`).
    Setsockopt,
    /// A packet that comes in by a link: -1 lets others decide, 2 loses it (`struct __sk_buff`, with the header of the
    /// link; `BPF_TCX_INGRESS`, Linux 6.6).
    LinkIngress,
    /// A packet that goes out by it.
    LinkEgress,
    /// A tracepoint, with its own arguments as words.
    RawTracepoint,
}

/// What programs run for.
#[derive(Clone, Copy, Debug)]
pub enum Target<'t> {
    /// The processes of a control group and of those below it.
    Group(BorrowedFd<'t>),
    /// A network interface of this process's network, by its number.
    Link(u32),
}

impl<'t, F: AsFd> From<&'t F> for Target<'t> {
    fn from(cgroup: &'t F) -> Self {
        Self::Group(cgroup.as_fd())
    }
}

impl Target<'_> {
    fn number(self) -> u32 {
        match self {
            Self::Group(cgroup) => cgroup.as_raw_fd().cast_unsigned(),
            Self::Link(index) => index,
        }
    }

    /// Programs of a link stand beside others anyway.
    fn flags(self) -> u32 {
        if matches!(self, Self::Group(_)) { ALLOW_MULTI } else { 0 }
    }
}

impl Hook {
    /// `enum bpf_prog_type`, `enum bpf_attach_type`.
    fn numbers(self) -> (u32, u32) {
        match self {
            Self::Ingress => (8, 0),
            Self::Egress => (8, 1),
            Self::SocketCreate => (9, 2),
            Self::Bind4 => (18, 8),
            Self::Bind6 => (18, 9),
            Self::Connect4 => (18, 10),
            Self::Connect6 => (18, 11),
            Self::PostBind4 => (9, 12),
            Self::PostBind6 => (9, 13),
            Self::Sendmsg4 => (18, 14),
            Self::Sendmsg6 => (18, 15),
            Self::Recvmsg4 => (18, 19),
            Self::Recvmsg6 => (18, 20),
            Self::Getpeername4 => (18, 29),
            Self::Getpeername6 => (18, 30),
            Self::Getsockname4 => (18, 31),
            Self::Getsockname6 => (18, 32),
            Self::Setsockopt => (25, 22),
            Self::LinkIngress => (3, 46),
            Self::LinkEgress => (3, 47),
            Self::RawTracepoint => (17, 0),
        }
    }
}

/// A program that the kernel's verifier has accepted.
#[derive(Debug)]
pub struct Program {
    fd: OwnedFd,
    hook: Hook,
}

/// The head of `union bpf_attr` for `BPF_PROG_LOAD`, as far as it is used.
#[repr(C)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    attach: u32,
}

/// Loads a program (`asm::Asm::finish`) under a name of at most 15 letters, digits, `_` and `.`.
///
/// # Errors
/// When the verifier refuses it, the call says so with the last line of the verifier's log.
pub fn load(hook: Hook, name: &str, code: &[u64]) -> Result<Program> {
    let (kind, attach) = hook.numbers();
    let mut bytes = [0; 16];
    bytes.iter_mut().take(15).zip(name.bytes()).for_each(|(to, from)| *to = from);
    let mut log: Vec<u8> = Vec::new();
    loop {
        let attribute = Load {
            kind,
            count: u32::try_from(code.len()).unwrap_or(u32::MAX),
            instructions: code.as_ptr().expose_provenance() as u64,
            license: LICENSE.as_ptr().expose_provenance() as u64,
            log_level: u32::from(!log.is_empty()),
            log_size: u32::try_from(log.len()).unwrap_or(0),
            log: if log.is_empty() { 0 } else { log.as_mut_ptr().expose_provenance() as u64 },
            version: 0,
            flags: 0,
            name: bytes,
            interface: 0,
            attach,
        };
        // SAFETY: `attribute` points to `code` and `log` with their lengths and to a C string; all
        // live over the call. The kernel writes into `log` only and verifies the program.
        let fd =
            unsafe { libc::syscall(libc::SYS_bpf, PROG_LOAD, &raw const attribute, size_of_val(&attribute)) };
        match check(fd, || format!("bpf(PROG_LOAD, {hook:?} {name}{})", Complaint(&log))) {
            // Once more, to hear what the verifier has to say.
            Err(e) if log.is_empty() && (e.is(libc::EACCES) || e.is(libc::EINVAL)) => log = vec![0; 1 << 16],
            loaded => return loaded.map(|fd| Program { fd: own(fd), hook }),
        }
    }
}

/// `union bpf_attr` for `BPF_OBJ_GET_INFO_BY_FD`.
#[repr(C)]
struct Info {
    fd: u32,
    length: u32,
    info: u64,
}

/// `union bpf_attr` for `BPF_PROG_QUERY`: all of it, since of a link the kernel writes the last number, too.
#[repr(C)]
struct Query {
    target: u32,
    attach: u32,
    flags: u32,
    attach_flags: u32,
    ids: u64,
    count: u32,
    padding: u32,
    rest: [u64; 4],
}

/// What a program is called, who loaded it, and the numbers of its maps.
struct About {
    name: Vec<u8>,
    user: u32,
    maps: Vec<u32>,
}

/// The most maps of a program that are looked at.
const MOST_MAPS: u32 = 8;

/// The most programs of a hook and a target that are looked at (the kernel's own limit is 64).
const MOST_ATTACHED: u32 = 64;

/// The programs of this name, loaded by root, that a control group itself, or a link, has at this hook.
///
/// # Errors
/// `EINVAL` if the kernel knows no such hook.
pub fn attached<'t>(target: impl Into<Target<'t>>, hook: Hook, name: &str) -> Result<Vec<Program>> {
    let target = target.into().number();
    let (_, attach) = hook.numbers();
    let mut ids = [0_u32; MOST_ATTACHED as usize];
    let mut query = Query {
        target,
        attach,
        flags: 0,
        attach_flags: 0,
        ids: ids.as_mut_ptr().expose_provenance() as u64,
        count: MOST_ATTACHED,
        padding: 0,
        rest: [0; 4],
    };
    // SAFETY: `query` points to `ids`, which has room for as many numbers as it says; the kernel writes to both.
    let done = unsafe { libc::syscall(libc::SYS_bpf, PROG_QUERY, &raw mut query, size_of_val(&query)) };
    check(done, || format!("bpf(PROG_QUERY, {{{target}, {hook:?}}})"))?;
    let mut found = Vec::new();
    for id in ids.iter().take(usize::try_from(query.count).unwrap_or(0)) {
        match by_id("PROG_GET_FD_BY_ID", PROG_GET_FD_BY_ID, *id) {
            // It went in between.
            Err(e) if e.is(libc::ENOENT) => {}
            fd => {
                let program = Program { fd: fd?, hook };
                let about = program.about()?;
                if about.user == 0 && about.name == name.as_bytes() {
                    found.push(program);
                }
            }
        }
    }
    Ok(found)
}

fn by_id(name: &str, command: i32, id: u32) -> Result<OwnedFd> {
    let attribute = [id, 0, 0];
    // SAFETY: `attribute` is the head of a bpf_attr for this command, its size is given.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, attribute.as_ptr(), size_of_val(&attribute)) };
    check(fd, || format!("bpf({name}, {id})")).map(own)
}

/// Writes what the kernel says of a program or a map, as far as there is room.
fn info(object: BorrowedFd<'_>, info: &mut [u8]) -> Result<()> {
    let attribute = Info {
        fd: object.as_raw_fd().cast_unsigned(),
        length: u32::try_from(info.len()).unwrap_or(0),
        info: info.as_mut_ptr().expose_provenance() as u64,
    };
    // SAFETY: `attribute` points to `info` with its length, which the kernel writes to.
    let done = unsafe {
        libc::syscall(libc::SYS_bpf, OBJ_GET_INFO_BY_FD, &raw const attribute, size_of_val(&attribute))
    };
    check(done, || format!("bpf(OBJ_GET_INFO_BY_FD, {})", object.as_raw_fd())).map(drop)
}

/// The number at this place of what the kernel said.
fn number(info: &[u8], at: usize) -> u32 {
    info.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |four| u32::from_ne_bytes(*four))
}

/// Gives a program or a map a path in a BPF file system, which keeps it until the path is removed. There are no dots in
/// names.
///
/// # Errors
/// `EPERM` if the file system is another one.
pub fn pin(object: impl AsFd, path: impl AsRef<Path>) -> Result<()> {
    let fd = object.as_fd().as_raw_fd();
    object_at("OBJ_PIN", OBJ_PIN, path.as_ref(), fd.cast_unsigned()).map(drop)
}

fn pinned(path: &Path) -> Result<OwnedFd> {
    object_at("OBJ_GET", OBJ_GET, path, 0).map(own)
}

fn object_at(name: &str, command: i32, path: &Path, fd: u32) -> Result<i64> {
    let text = crate::call::path(path);
    let attribute = [text.as_ptr().expose_provenance() as u64, u64::from(fd)];
    // SAFETY: `attribute` is the head of a bpf_attr for this command and points to a C string that lives over the call.
    let done = unsafe { libc::syscall(libc::SYS_bpf, command, attribute.as_ptr(), size_of_val(&attribute)) };
    check(done, || format!("bpf({name}, {}, {fd})", path.display()))
}

/// The last line of a verifier's log that says what is wrong.
struct Complaint<'a>(&'a [u8]);

impl fmt::Display for Complaint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = CStr::from_bytes_until_nul(self.0).unwrap_or_default().to_string_lossy();
        let line = text.lines().rev().find(|line| !line.is_empty() && !line.starts_with("processed "));
        line.map_or(Ok(()), |line| write!(f, ": {line}"))
    }
}

impl AsFd for Program {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Program {
    /// Where it runs.
    pub fn hook(&self) -> Hook {
        self.hook
    }

    /// The program for this hook that was pinned there ([`pin()`]).
    pub fn pinned(hook: Hook, path: impl AsRef<Path>) -> Result<Self> {
        pinned(path.as_ref()).map(|fd| Self { fd, hook })
    }

    /// Runs the program for this control group and those below it, or for this link, beside others that are there.
    /// It goes with the group or the link; the descriptor is no longer needed.
    ///
    /// # Errors
    /// `EINVAL` if the hook is none of that.
    pub fn attach<'t>(&self, target: impl Into<Target<'t>>) -> Result<()> {
        let (target, program) = (target.into(), self.fd.as_raw_fd());
        let (_, attach) = self.hook.numbers();
        let attribute = [target.number(), program.cast_unsigned(), attach, target.flags()];
        // SAFETY: `attribute` is the head of a bpf_attr for this command, its size is given.
        let done =
            unsafe { libc::syscall(libc::SYS_bpf, PROG_ATTACH, attribute.as_ptr(), size_of_val(&attribute)) };
        check(done, || format!("bpf(PROG_ATTACH, {{{}, {program}, {:?}}})", target.number(), self.hook))
            .map(drop)
    }

    /// Takes the program away from this control group or link.
    ///
    /// # Errors
    /// `ENOENT` if it is not there.
    pub fn detach<'t>(&self, target: impl Into<Target<'t>>) -> Result<()> {
        let (target, program) = (target.into().number(), self.fd.as_raw_fd());
        let (_, attach) = self.hook.numbers();
        let attribute = [target, program.cast_unsigned(), attach];
        // SAFETY: `attribute` is the head of a bpf_attr for this command, its size is given.
        let done =
            unsafe { libc::syscall(libc::SYS_bpf, PROG_DETACH, attribute.as_ptr(), size_of_val(&attribute)) };
        check(done, || format!("bpf(PROG_DETACH, {{{target}, {program}, {:?}}})", self.hook)).map(drop)
    }

    /// What the kernel says of it (`struct bpf_prog_info`).
    fn about(&self) -> Result<About> {
        // As much of it as the name is in: type, id, tag, two lengths, two addresses, time, user, number of maps,
        // their address, name.
        let (mut said, mut maps) = ([0_u8; 80], [0_u32; MOST_MAPS as usize]);
        said[52..56].copy_from_slice(&MOST_MAPS.to_ne_bytes());
        let address = maps.as_mut_ptr().expose_provenance() as u64;
        said[56..64].copy_from_slice(&address.to_ne_bytes());
        // The kernel writes to `maps` as well, no more than it has room for.
        info(self.fd.as_fd(), &mut said)?;
        let count = usize::try_from(number(&said, 52)).unwrap_or(0);
        Ok(About {
            name: said[64..].iter().copied().take_while(|byte| *byte != 0).collect(),
            user: number(&said, 48),
            maps: maps.into_iter().take(count).collect(),
        })
    }

    /// Runs the program at a tracepoint such as `sys_enter`, until the descriptor is closed.
    ///
    /// # Errors
    /// `ENOENT` if there is no such tracepoint.
    pub fn attach_tracepoint(&self, name: &str) -> Result<OwnedFd> {
        let text = CString::new(name).unwrap_or_default();
        let program = self.fd.as_raw_fd();
        let attribute = [text.as_ptr().expose_provenance() as u64, u64::from(program.cast_unsigned())];
        // SAFETY: `attribute` points to a C string that lives over the call, its size is given.
        let fd = unsafe {
            libc::syscall(libc::SYS_bpf, RAW_TRACEPOINT_OPEN, attribute.as_ptr(), size_of_val(&attribute))
        };
        check(fd, || format!("bpf(RAW_TRACEPOINT_OPEN, {name:?}, {program})")).map(own)
    }
}
