//! Messages to netfilter and its answers (netlink(7), `NETLINK_NETFILTER`).

use crate::call::{check, own};
use crate::error::{CallError, Result};
use crate::netlink::messages;
use std::os::fd::{AsRawFd, OwnedFd};

/// A socket to netfilter.
#[derive(Debug)]
pub struct Netfilter {
    socket: OwnedFd,
    next: u32,
}

/// Why a message was refused.
#[derive(Debug)]
pub struct Refused {
    /// Which of those that were sent; `None` if the whole was.
    pub message: Option<usize>,
    /// The call, with the kernel's number.
    pub error: CallError,
}

/// `NLMSG_ERROR`, `NLMSG_DONE`
const ERROR: u16 = 2;
const DONE: u16 = 3;

impl Netfilter {
    /// Opens one in this process's network namespace.
    pub fn open() -> Result<Self> {
        // SAFETY: no pointers.
        let fd = unsafe {
            libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_NETFILTER)
        };
        let opened = check(fd.into(), || "socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER)".to_owned())?;
        let socket = own(opened);
        // An answer for each of some thousand messages; without it, those that do not fit are lost.
        for (option, size) in [(libc::SO_RCVBUFFORCE, 8 << 20), (libc::SO_SNDBUFFORCE, 16 << 20)] {
            let size: libc::c_int = size;
            // SAFETY: the option is an int, whose size is given.
            let set = unsafe {
                libc::setsockopt(
                    socket.as_raw_fd(),
                    libc::SOL_SOCKET,
                    option,
                    (&raw const size).cast(),
                    libc::socklen_t::try_from(size_of_val(&size)).unwrap_or_default(),
                )
            };
            check(set.into(), || format!("setsockopt(SOL_SOCKET, {option}, {size})"))?;
        }
        Ok(Self { socket, next: 1 })
    }

    fn send(&mut self, messages: &mut [Vec<u8>]) -> Result<u32> {
        let first = self.next;
        let mut whole = Vec::with_capacity(messages.iter().map(Vec::len).sum());
        for message in messages {
            // The number of a message, by which its answer is known.
            if let Some(number) = message.get_mut(8..12) {
                number.copy_from_slice(&self.next.to_ne_bytes());
            }
            self.next += 1;
            whole.extend_from_slice(message);
        }
        // SAFETY: the pointer and length are of `whole`.
        let sent = unsafe { libc::send(self.socket.as_raw_fd(), whole.as_ptr().cast(), whole.len(), 0) };
        check(sent as libc::c_long, || format!("send(netfilter, {} bytes)", whole.len()))?;
        Ok(first)
    }

    fn receive(&self, flags: libc::c_int) -> Result<Vec<u8>> {
        // Longer than any that the kernel sends (NLMSG_GOODSIZE, or 32 KiB in a dump).
        let mut buffer = vec![0_u8; 1 << 16];
        let n = loop {
            // SAFETY: the pointer and length are of `buffer`.
            let n = unsafe {
                libc::recv(self.socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), flags)
            };
            match check(n as libc::c_long, || "recv(netfilter)".to_owned()) {
                Err(e) if e.is(libc::EINTR) => {}
                n => break usize::try_from(n?).unwrap_or(0),
            }
        };
        buffer.truncate(n);
        Ok(buffer)
    }

    /// Sends a batch of changes, whose first and last message hold it together; all of them were made, or
    /// none.
    pub fn change(&mut self, mut batch: Vec<Vec<u8>>) -> std::result::Result<(), Refused> {
        let whole = |error| Refused { message: None, error };
        let first = self.send(&mut batch).map_err(whole)?;
        // The kernel has done all when send(2) returns: its answers are there, and it sends none for what
        // needs none.
        let mut refused = None;
        loop {
            let answer = match self.receive(libc::MSG_DONTWAIT) {
                Err(e) if e.is(libc::EAGAIN) => break,
                answer => answer.map_err(whole)?,
            };
            for answer in messages(&answer) {
                let code = if answer.kind == ERROR { code(answer.body) } else { 0 };
                if code != 0 && refused.is_none() {
                    let message = answer.number.checked_sub(first).and_then(|n| usize::try_from(n).ok());
                    let error = CallError::new("send(netfilter, changes)", code);
                    refused = Some(Refused { message: message.filter(|n| *n != 0), error });
                }
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// Asks, without asking for an acknowledgement; the answers are without their heads.
    pub fn ask(&mut self, question: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        let dump = question.get(6..8).is_some_and(|f| u16::from_ne_bytes([f[0], f[1]]) & 0x300 != 0);
        self.send(&mut [question])?;
        let mut answers = Vec::new();
        loop {
            let answer = self.receive(0)?;
            for message in messages(&answer) {
                match message.kind {
                    ERROR if code(message.body) == 0 => return Ok(answers),
                    ERROR => return Err(CallError::new("send(netfilter, question)", code(message.body))),
                    DONE => return Ok(answers),
                    _ => answers.push(message.body.to_vec()),
                }
            }
            if !dump && !answers.is_empty() {
                return Ok(answers);
            }
        }
    }
}

/// The error number of an `NLMSG_ERROR`; 0 acknowledges.
fn code(body: &[u8]) -> i32 {
    body.first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes).wrapping_neg())
}
