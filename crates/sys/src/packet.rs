//! Frames of an interface, as they are on the cable (packet(7)).

use crate::call::{check, own};
use crate::error::Result;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// What is heard of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hear {
    /// Nothing: the socket is for sending.
    Nothing,
    /// Frames of ARP (RFC 826).
    Arp,
    /// Neighbour discovery's questions and answers (RFC 4861), of IPv6.
    Neighbours,
}

/// Lets through what is ICMPv6 (58 in the header of IPv6) of type 135 or 136, a solicitation or an advertisement of a
/// neighbour; the rest of IPv6 would fill the socket on a busy interface. Classic BPF
/// (`Documentation/networking/filter.rst`).
const NEIGHBOURS: [libc::sock_filter; 7] = [
    step(0x30, 0, 0, 20),  // the byte of the next header
    step(0x15, 0, 4, 58),  // ICMPv6, or drop
    step(0x30, 0, 0, 54),  // its type
    step(0x35, 0, 2, 135), // at least the first, or drop
    step(0x25, 1, 0, 136), // above the last: drop
    step(0x06, 0, 0, 0xffff),
    step(0x06, 0, 0, 0),
];

const fn step(code: u16, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt, jf, k }
}

/// A socket to one interface. Needs `CAP_NET_RAW` in the network that it is in.
#[derive(Debug)]
pub struct Port(OwnedFd);

impl Port {
    /// One to the interface of this number, in the network namespace of this thread. Frames have the header of
    /// Ethernet.
    pub fn open(index: u32, hear: Hear) -> Result<Self> {
        let flags = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // Of no protocol, so that it hears nothing of other interfaces until it is bound.
        // SAFETY: socket takes no pointers.
        let fd = unsafe { libc::socket(libc::AF_PACKET, flags, 0) };
        let port = Self(check(fd.into(), || "socket(AF_PACKET, SOCK_RAW)".to_owned()).map(own)?);
        if hear == Hear::Neighbours {
            port.filter()?;
        }
        let protocol = match hear {
            Hear::Nothing => 0,
            Hear::Arp => libc::ETH_P_ARP,
            Hear::Neighbours => libc::ETH_P_IPV6,
        };
        // SAFETY: all-zero is a valid sockaddr_ll.
        let mut at: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        at.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
        at.sll_protocol = u16::try_from(protocol).unwrap_or_default().to_be();
        at.sll_ifindex = index.cast_signed();
        let size = libc::socklen_t::try_from(size_of_val(&at)).unwrap_or_default();
        // SAFETY: `at` is a filled sockaddr_ll of this size.
        let bound = unsafe { libc::bind(port.0.as_raw_fd(), (&raw const at).cast(), size) };
        check(bound.into(), || format!("bind(AF_PACKET, {index}, {hear:?})"))?;
        Ok(port)
    }

    fn filter(&self) -> Result<()> {
        let program = libc::sock_fprog {
            len: u16::try_from(NEIGHBOURS.len()).unwrap_or_default(),
            filter: NEIGHBOURS.as_ptr().cast_mut(),
        };
        let size = libc::socklen_t::try_from(size_of_val(&program)).unwrap_or_default();
        // SAFETY: the kernel copies the program, whose length is given, and writes to none of it.
        let set = unsafe {
            libc::setsockopt(
                self.0.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ATTACH_FILTER,
                (&raw const program).cast(),
                size,
            )
        };
        check(set.into(), || "setsockopt(SOL_SOCKET, SO_ATTACH_FILTER)".to_owned()).map(drop)
    }

    /// Sends a frame, without waiting.
    ///
    /// # Errors
    /// `ENETDOWN` if the interface is off, `ENXIO` if it is gone, `ENOBUFS` if it has too much to send.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        // SAFETY: the pointer and length are those of `frame`.
        let n = unsafe { libc::send(self.0.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        check(n as libc::c_long, || format!("send(AF_PACKET, {} bytes)", frame.len())).map(drop)
    }

    /// The next frame that came, cut to the length of `buffer`; `None` if there is none now.
    pub fn receive<'a>(&self, buffer: &'a mut [u8]) -> Result<Option<&'a [u8]>> {
        loop {
            // SAFETY: the pointer and length are those of `buffer`.
            let n = unsafe { libc::recv(self.0.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
            match check(n as libc::c_long, || "recv(AF_PACKET)".to_owned()) {
                Ok(n) => return Ok(buffer.get(..usize::try_from(n).unwrap_or(0))),
                Err(e) if e.is(libc::EINTR) => {}
                Err(e) if e.is(libc::EAGAIN) => return Ok(None),
                Err(e) => return Err(e),
            }
        }
    }
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
