//! Who listens: sockets that wait for others, as the kernel lists them (sock_diag(7)).

use crate::call::{check, own};
use crate::error::Result;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};

/// A protocol whose sockets are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Those that wait for connections.
    Tcp,
    /// Those that are bound and have no peer.
    Udp,
}

impl Protocol {
    fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }

    /// `TCP_LISTEN`, and `TCP_CLOSE`, which a datagram socket without peer is in, as bits.
    fn states(self) -> u32 {
        match self {
            Self::Tcp => 1 << 10,
            Self::Udp => 1 << 7,
        }
    }
}

/// A socket that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// At which address.
    pub ip: IpAddr,
    /// At which port.
    pub port: u16,
    /// Is it of IPv6 alone (`IPV6_V6ONLY`)?
    pub only_v6: bool,
    /// Its inode, as `/proc/PID/fd` shows it.
    pub inode: u32,
}

/// `NETLINK_SOCK_DIAG`, `SOCK_DIAG_BY_FAMILY`, `NLM_F_REQUEST | NLM_F_DUMP`
const SOCK_DIAG: i32 = 4;
const BY_FAMILY: u16 = 20;
const DUMP: u16 = 0x301;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `struct nlmsghdr`, `struct inet_diag_req_v2`, `struct inet_diag_msg` in bytes.
const HEAD: usize = 16;
const REQUEST: usize = 56;
const MESSAGE: usize = 72;
/// `INET_DIAG_SKV6ONLY`
const ONLY_V6: u16 = 11;

/// All sockets of the network namespace that wait for others by this protocol, of both families.
///
/// # Errors
/// `ENOENT` on a kernel without `CONFIG_INET_DIAG`; then nothing is known.
pub fn listeners(protocol: Protocol) -> Result<Vec<Listener>> {
    let (socket, mut found) = (open()?, Vec::new());
    for family in [libc::AF_INET, libc::AF_INET6] {
        dump(&socket, protocol, u8::try_from(family).unwrap_or(0), &mut found)?;
    }
    Ok(found)
}

fn dump(socket: &OwnedFd, protocol: Protocol, family: u8, found: &mut Vec<Listener>) -> Result<()> {
    let mut request = [0_u8; HEAD + REQUEST];
    request[..4].copy_from_slice(&u32::try_from(HEAD + REQUEST).unwrap_or(0).to_ne_bytes());
    request[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
    request[6..8].copy_from_slice(&DUMP.to_ne_bytes());
    request[HEAD] = family;
    request[HEAD + 1] = protocol.number();
    request[HEAD + 4..HEAD + 8].copy_from_slice(&protocol.states().to_ne_bytes());
    crate::fs::write(socket, &request)?;
    let mut buffer = vec![0; 1 << 15];
    loop {
        let length = crate::fs::read(socket, &mut buffer)?;
        let mut rest = &buffer[..length];
        while let Some((kind, message, next)) = message(rest) {
            match kind {
                DONE => return Ok(()),
                ERROR => {
                    let number = i32::try_from(number(message, 0)).unwrap_or_default();
                    let number = number.checked_neg().unwrap_or(libc::EIO);
                    let call = "sendto(NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY)".to_owned();
                    return Err(crate::CallError { call, errno: crate::Errno(number) });
                }
                _ => found.extend(listener(message)),
            }
            rest = next;
        }
        if length == 0 {
            return Ok(());
        }
    }
}

fn open() -> Result<OwnedFd> {
    // SAFETY: socket takes no pointers.
    let fd = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, SOCK_DIAG) };
    let socket =
        check(fd.into(), || "socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG)".to_owned()).map(own)?;
    // SAFETY: all-zero is a valid sockaddr_nl: the kernel, which listens to port 0.
    let mut kernel: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    kernel.nl_family = libc::sa_family_t::try_from(libc::AF_NETLINK).unwrap_or_default();
    let length = libc::socklen_t::try_from(size_of_val(&kernel)).unwrap_or(0);
    // SAFETY: `kernel` is a filled sockaddr_nl of `length` bytes.
    let done = unsafe { libc::connect(socket.as_raw_fd(), (&raw const kernel).cast(), length) };
    check(done.into(), || "connect(NETLINK_SOCK_DIAG)".to_owned())?;
    Ok(socket)
}

/// The first message: its type, what is in it, and what follows it.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(number(bytes, 0)).ok().filter(|length| *length >= HEAD)?;
    let whole = bytes.get(..length)?;
    Some((half(whole, 4), &whole[HEAD..], bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

/// From `struct inet_diag_msg`: the port stands at 4, the address at 8, the inode at its end.
fn listener(bytes: &[u8]) -> Option<Listener> {
    let port = u16::from_be_bytes(*bytes.get(4..6)?.first_chunk()?);
    let octets: [u8; 16] = *bytes.get(8..24)?.first_chunk()?;
    let ip = match i32::from(*bytes.first()?) {
        libc::AF_INET => IpAddr::from(Ipv4Addr::from(*octets.first_chunk::<4>()?)),
        _ => IpAddr::from(Ipv6Addr::from(octets)),
    };
    let inode = bytes.get(MESSAGE - 4..MESSAGE).map(|_| number(bytes, MESSAGE - 4))?;
    let mut only_v6 = false;
    let mut rest = &bytes[MESSAGE..];
    // Attributes: length, type, value.
    while rest.len() >= 4 {
        let length = usize::from(half(rest, 0));
        if length < 4 {
            break;
        }
        only_v6 |= half(rest, 2) == ONLY_V6 && rest.get(4).is_some_and(|value| *value != 0);
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(Listener { ip, port, only_v6, inode })
}

fn number(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |four| u32::from_ne_bytes(*four))
}

fn half(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |two| u16::from_ne_bytes(*two))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, UdpSocket};
    use std::os::unix::fs::MetadataExt;

    fn inode(fd: &impl AsRawFd) -> u32 {
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        u32::try_from(std::fs::metadata(path).unwrap().ino()).unwrap()
    }

    #[test]
    fn own_sockets_are_found() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let found = listeners(Protocol::Tcp).unwrap().into_iter().find(|found| found.inode == inode(&tcp));
        let at = tcp.local_addr().unwrap();
        assert_eq!(found.map(|found| (found.ip, found.port)), Some((at.ip(), at.port())));

        let udp = UdpSocket::bind("0.0.0.0:0").unwrap();
        let found = listeners(Protocol::Udp).unwrap().into_iter().find(|found| found.inode == inode(&udp));
        let at = udp.local_addr().unwrap();
        assert_eq!(found.map(|found| (found.ip, found.port)), Some((at.ip(), at.port())));
    }

    #[test]
    fn nonsense_is_no_message() {
        assert!(message(&[]).is_none() && message(&[3, 0, 0, 0]).is_none() && message(&[255; 20]).is_none());
        assert!(listener(&[2; 20]).is_none());
        let mut odd = [0; MESSAGE + 6];
        odd[0] = 10;
        assert!(listener(&odd).is_some_and(|found| !found.only_v6));
    }
}
