//! System calls that wait for somebody's word (seccomp_unotify(2)).

use crate::call::check;
use crate::error::Result;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// The other end of a filter with `SECCOMP_RET_USER_NOTIF`.
#[derive(Debug)]
pub struct Listener(OwnedFd);

/// A call that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What the kernel calls this very call.
    pub id: u64,
    /// The thread that makes it, in this process's pid namespace.
    pub thread: i32,
    /// `AUDIT_ARCH_…`: whose numbering the number is of.
    pub arch: u32,
    /// The call's number.
    pub number: u32,
    /// Its arguments.
    pub arguments: [u64; 6],
}

/// `struct seccomp_notif`, with room for what a later kernel may add to it.
#[repr(C)]
#[derive(Clone, Copy)]
struct Notif {
    id: u64,
    pid: u32,
    flags: u32,
    number: i32,
    arch: u32,
    instruction: u64,
    arguments: [u64; 6],
    more: [u64; 16],
}

/// `struct seccomp_notif_resp`
#[repr(C)]
struct Answer {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
    more: [u64; 5],
}

const RECEIVE: u64 = 0xc050_2100;
const SEND: u64 = 0xc018_2101;
const SET_FLAGS: u64 = 0x4008_2104;
const CONTINUE: u32 = 1;
const SYNC_WAKE_UP: u64 = 1;

impl Listener {
    /// Takes a descriptor that a filter was set with (`SECCOMP_FILTER_FLAG_NEW_LISTENER`).
    ///
    /// Each question and answer then is a change of processes on one processor, where the
    /// kernel can do that (Linux 6.6): asking costs half as much.
    pub fn new(fd: OwnedFd) -> Self {
        // SAFETY: the last argument is a number.
        unsafe { libc::syscall(libc::SYS_ioctl, fd.as_raw_fd(), SET_FLAGS, SYNC_WAKE_UP) };
        Self(fd)
    }

    /// The next call that waits; blocks until there is one. `None` if it was interrupted before
    /// anybody looked.
    pub fn next(&self) -> Result<Option<Waiting>> {
        let fd = self.0.as_raw_fd();
        let mut notif = Notif {
            id: 0,
            pid: 0,
            flags: 0,
            number: 0,
            arch: 0,
            instruction: 0,
            arguments: [0; 6],
            more: [0; 16],
        };
        // SAFETY: `notif` is zeroed, as the kernel wants it, and has room for the result.
        let done = unsafe { libc::syscall(libc::SYS_ioctl, fd, RECEIVE, &raw mut notif) };
        match check(done, || format!("ioctl({fd}, SECCOMP_IOCTL_NOTIF_RECV)")) {
            Err(e) if e.is(libc::ENOENT) || e.is(libc::EINTR) => Ok(None),
            Err(e) => Err(e),
            Ok(_) => Ok(Some(Waiting {
                id: notif.id,
                thread: notif.pid.cast_signed(),
                arch: notif.arch,
                number: notif.number.cast_unsigned(),
                arguments: notif.arguments,
            })),
        }
    }

    /// Lets a call go on. `false`: it waits no more, since its process was killed or interrupted;
    /// then the number may be another's by now, and what was read of it is worth nothing.
    pub fn go_on(&self, waiting: &Waiting) -> Result<bool> {
        let fd = self.0.as_raw_fd();
        let answer = Answer { id: waiting.id, value: 0, error: 0, flags: CONTINUE, more: [0; 5] };
        // SAFETY: `answer` has the layout that the kernel reads.
        let done = unsafe { libc::syscall(libc::SYS_ioctl, fd, SEND, &raw const answer) };
        match check(done, || format!("ioctl({fd}, SECCOMP_IOCTL_NOTIF_SEND)")) {
            Err(e) if e.is(libc::ENOENT) => Ok(false),
            sent => sent.map(|_| true),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Reads a process's memory, up to the first page that it has not (process_vm_readv(2)). Returns
/// how many bytes were read.
pub fn read_memory(thread: i32, address: u64, buffer: &mut [u8]) -> Result<usize> {
    const PAGE: usize = 4096;
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let place = usize::try_from(address).unwrap_or(usize::MAX);
    let first = (PAGE - place % PAGE).min(buffer.len());
    let part = |offset: usize, length| libc::iovec {
        iov_base: std::ptr::without_provenance_mut(place.wrapping_add(offset)),
        iov_len: length,
    };
    // One part of each page: the kernel reads parts wholly or not at all.
    let parts = [part(0, first), part(first, buffer.len() - first)];
    let count = if first == buffer.len() { 1 } else { 2 };
    // SAFETY: `local` is `buffer`, and the other addresses are another process's.
    let n = unsafe { libc::process_vm_readv(thread, &raw const local, 1, parts.as_ptr(), count, 0) };
    check(n as libc::c_long, || format!("process_vm_readv({thread}, {address:#x}, {})", buffer.len()))
        .map(|n| usize::try_from(n).unwrap_or(0))
}
