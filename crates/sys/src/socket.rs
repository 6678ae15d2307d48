//! Unix sockets: pairs, listeners in a directory, and descriptors sent over them.

use crate::call::{check, own, path as c};
use crate::error::Result;
use std::mem::{MaybeUninit, offset_of};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;

/// Two connected sockets that keep messages whole (socketpair(2), `SOCK_SEQPACKET`).
pub fn pair() -> Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    // SAFETY: `fds` has room for the two descriptors.
    let done = unsafe {
        libc::socketpair(libc::AF_UNIX, libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC, 0, fds.as_mut_ptr())
    };
    check(done.into(), || "socketpair(AF_UNIX, SOCK_SEQPACKET)".to_owned())?;
    Ok((own(fds[0].into()), own(fds[1].into())))
}

/// A message from a socket: its length, and a descriptor if one came along.
pub fn receive(fd: impl AsFd, buffer: &mut [u8]) -> Result<(usize, Option<OwnedFd>)> {
    let fd = fd.as_fd().as_raw_fd();
    let mut control = [0u64; 4];
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: all-zero is a valid msghdr.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    // All of `control`, in a type that C libraries differ in.
    message.msg_controllen = 32;
    let n = loop {
        // SAFETY: the message's pointers are to `part`, `buffer` and `control`, which live here.
        let n = unsafe { libc::recvmsg(fd, &raw mut message, libc::MSG_CMSG_CLOEXEC) };
        match check(n as libc::c_long, || format!("recvmsg({fd})")) {
            Err(e) if e.is(libc::EINTR) => {}
            n => break n?,
        }
    };
    // SAFETY: the kernel filled msg_control; CMSG_FIRSTHDR checks its length.
    let head = unsafe { libc::CMSG_FIRSTHDR(&raw const message).as_ref() };
    let got = head.filter(|h| h.cmsg_level == libc::SOL_SOCKET && h.cmsg_type == libc::SCM_RIGHTS);
    // One descriptor: the third word of `control`, behind length, level and type.
    let got = got.map(|_| {
        own(libc::c_long::from(i32::from_ne_bytes([0, 1, 2, 3].map(|i| control[2].to_ne_bytes()[i]))))
    });
    Ok((usize::try_from(n).unwrap_or(0), got))
}

/// The address of a socket in a directory that is given by its descriptor, however long the
/// directory's own path is: `sun_path` holds 107 bytes.
fn address(dir: impl AsFd, name: &str) -> Result<(libc::sockaddr_un, libc::socklen_t)> {
    // SAFETY: all-zero is a valid sockaddr_un.
    let mut address: libc::sockaddr_un = unsafe { MaybeUninit::zeroed().assume_init() };
    address.sun_family = libc::sa_family_t::try_from(libc::AF_UNIX).unwrap_or_default();
    let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", dir.as_fd().as_raw_fd()));
    let path = c(path.as_os_str());
    let bytes = path.as_bytes_with_nul();
    if bytes.len() > address.sun_path.len() {
        return Err(crate::CallError {
            call: format!("bind({name:?})"),
            errno: crate::Errno(libc::ENAMETOOLONG),
        });
    }
    for (to, from) in address.sun_path.iter_mut().zip(bytes) {
        *to = from.cast_signed();
    }
    let length = offset_of!(libc::sockaddr_un, sun_path) + bytes.len();
    Ok((address, libc::socklen_t::try_from(length).unwrap_or(0)))
}

fn socket(kind: i32) -> Result<OwnedFd> {
    // SAFETY: socket takes no pointers.
    let fd = unsafe { libc::socket(libc::AF_UNIX, kind | libc::SOCK_CLOEXEC, 0) };
    check(fd.into(), || "socket(AF_UNIX)".to_owned()).map(own)
}

/// A socket that listens as `name` in the directory, for the owner only.
pub fn listen(dir: impl AsFd, name: &str) -> Result<OwnedFd> {
    let fd = bound(dir, name, libc::SOCK_STREAM)?;
    // SAFETY: listen takes no pointers.
    check(unsafe { libc::listen(fd.as_raw_fd(), 16) }.into(), || format!("listen({name:?})"))?;
    crate::fs::set_nonblocking(&fd, true)?;
    Ok(fd)
}

/// A socket that takes datagrams as `name` in the directory.
pub fn datagrams(dir: impl AsFd, name: &str) -> Result<OwnedFd> {
    let fd = bound(dir, name, libc::SOCK_DGRAM)?;
    crate::fs::set_nonblocking(&fd, true)?;
    Ok(fd)
}

fn bound(dir: impl AsFd, name: &str, kind: i32) -> Result<OwnedFd> {
    let (fd, (address, length)) = (socket(kind)?, address(dir, name)?);
    // SAFETY: `address` is a filled sockaddr_un of `length` bytes.
    let done = unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length) };
    check(done.into(), || format!("bind({name:?})"))?;
    Ok(fd)
}

/// Lets everybody write to a socket in the directory (fchmodat(2)).
pub fn open_to_all(dir: impl AsFd, name: &str) -> Result<()> {
    let (fd, path) = (dir.as_fd().as_raw_fd(), c(name));
    // SAFETY: `path` is a C string that lives over the call.
    let done = unsafe { libc::fchmodat(fd, path.as_ptr(), 0o666, 0) };
    check(done.into(), || format!("fchmodat({fd}, {name:?}, 0666)")).map(drop)
}

/// What a socket carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    /// A stream of bytes.
    Stream,
    /// Datagrams.
    Datagram,
    /// Anything else.
    Other,
}

/// What tells the network namespace that this thread is in from all others, also from those that there were
/// (getsockopt(2), `SO_NETNS_COOKIE`, Linux 5.14).
pub fn network_cookie() -> Result<u64> {
    // asm-generic/socket.h; the C library of musl has no name for it.
    const SO_NETNS_COOKIE: i32 = 71;
    let socket = socket(libc::SOCK_DGRAM)?;
    let fd = socket.as_raw_fd();
    let mut cookie = 0_u64;
    let mut size = libc::socklen_t::try_from(size_of_val(&cookie)).unwrap_or(0);
    // SAFETY: `cookie` has room for `size` bytes, and both live here.
    let done = unsafe {
        libc::getsockopt(fd, libc::SOL_SOCKET, SO_NETNS_COOKIE, (&raw mut cookie).cast(), &raw mut size)
    };
    check(done.into(), || format!("getsockopt({fd}, SOL_SOCKET, SO_NETNS_COOKIE)"))?;
    Ok(cookie)
}

/// What a socket carries (getsockopt(2), `SO_TYPE`).
pub fn kind(fd: impl AsFd) -> Result<Socket> {
    let fd = fd.as_fd().as_raw_fd();
    let (mut kind, mut size) = (0i32, 4);
    // SAFETY: `kind` has the size that is given.
    let done = unsafe {
        libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_TYPE, (&raw mut kind).cast(), &raw mut size)
    };
    check(done.into(), || format!("getsockopt({fd}, SOL_SOCKET, SO_TYPE)"))?;
    Ok(match kind {
        libc::SOCK_STREAM => Socket::Stream,
        libc::SOCK_DGRAM => Socket::Datagram,
        _ => Socket::Other,
    })
}

/// A socket's own address, as the bytes of its `struct sockaddr` (getsockname(2)).
pub fn name(fd: impl AsFd) -> Result<Vec<u8>> {
    let fd = fd.as_fd().as_raw_fd();
    let mut bytes = vec![0; size_of::<libc::sockaddr_storage>()];
    let mut size = libc::socklen_t::try_from(bytes.len()).unwrap_or(0);
    // SAFETY: `bytes` has the size that is given.
    let done = unsafe { libc::getsockname(fd, bytes.as_mut_ptr().cast(), &raw mut size) };
    check(done.into(), || format!("getsockname({fd})"))?;
    bytes.truncate(usize::try_from(size).unwrap_or(0));
    Ok(bytes)
}

/// Connects to the socket `name` in the directory.
pub fn connect(dir: impl AsFd, name: &str) -> Result<OwnedFd> {
    let (fd, (address, length)) = (socket(libc::SOCK_STREAM)?, address(dir, name)?);
    // SAFETY: `address` is a filled sockaddr_un of `length` bytes.
    let done = unsafe { libc::connect(fd.as_raw_fd(), (&raw const address).cast(), length) };
    check(done.into(), || format!("connect({name:?})"))?;
    Ok(fd)
}

/// The next connection, if one waits (accept4(2)).
pub fn accept(listener: impl AsFd) -> Result<Option<OwnedFd>> {
    let fd = listener.as_fd().as_raw_fd();
    // SAFETY: no address is asked for.
    let got = unsafe {
        libc::accept4(
            fd,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
        )
    };
    match check(got.into(), || format!("accept4({fd})")) {
        Ok(fd) => Ok(Some(own(fd))),
        Err(e) if e.is(libc::EAGAIN) || e.is(libc::ECONNABORTED) || e.is(libc::EINTR) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Sends as many bytes as the socket takes now; a peer that is gone is an error, not a signal
/// (send(2), `MSG_DONTWAIT | MSG_NOSIGNAL`).
pub fn send(fd: impl AsFd, bytes: &[u8]) -> Result<usize> {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: the pointer and length are those of `bytes`.
    let n = unsafe {
        libc::send(fd, bytes.as_ptr().cast(), bytes.len(), libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
    };
    check(n as libc::c_long, || format!("send({fd}, …, {})", bytes.len()))
        .map(|n| usize::try_from(n).unwrap_or(0))
}
