//! Whom a program waits for, and whom it talks to.

use super::process::Thread;
use super::watcher::Raw;
use model::trace::calls::Tells;
use model::trace::{Peer, Port};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use sys::socket::Socket;

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
/// `struct sockaddr_storage`
const LONGEST: usize = 128;
/// `struct mmsghdr`
const MESSAGE: u64 = 64;
/// How many addresses of one call are looked at.
const MOST: u64 = 64;

/// An address, as far as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Address {
    /// Of the network.
    Inet(IpAddr, u16),
    /// A path.
    Path(Raw),
    /// An abstract name.
    Abstract(Vec<u8>),
}

/// What is known of a program's sockets.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    pub(super) ports: BTreeSet<Port>,
    pub(super) peers: BTreeSet<Peer>,
    /// Sockets with a name that the program made itself: whoever talks to them talks to it.
    pub(super) own: BTreeSet<Peer>,
    listens: bool,
}

impl Sockets {
    pub(super) fn listens(&self) -> bool {
        self.listens
    }

    /// How many things are known.
    pub(super) fn known(&self) -> usize {
        self.ports.len() + self.peers.len() + self.own.len()
    }

    /// Is it the program itself that waits there?
    pub(super) fn is_own(&self, peer: &Peer) -> bool {
        // Whoever waits at every address waits at each.
        let everywhere = |port| {
            let any = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
            any.iter().any(|ip| self.own.contains(&Peer::Inet { address: ip.to_string(), port }))
        };
        match peer {
            Peer::Inet { address, port } if address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) => {
                everywhere(*port) || self.own.contains(peer)
            }
            _ => self.own.contains(peer),
        }
    }

    /// Notes what a call tells; returns the paths that it makes. `here` makes a path absolute.
    pub(super) fn note(
        &mut self,
        thread: Thread<'_>,
        tells: Tells,
        here: impl Fn(&[u8]) -> Option<Raw>,
    ) -> Option<Raw> {
        let given = |at, length| address(&thread.memory(at, length), &here);
        let length = |n| usize::try_from(thread.int(n)).unwrap_or(0).min(LONGEST);
        match tells {
            Tells::Bind => return self.bind(thread, given(thread.word(1), length(2))?),
            Tells::Listen => self.listen(thread),
            Tells::Connect => self.talk(thread, given(thread.word(1), length(2))),
            Tells::SendTo => self.talk(thread, given(thread.word(4), length(5))),
            Tells::SendMessage => self.message(thread, thread.word(1), &here),
            Tells::SendMessages => {
                for n in 0..thread.word(2).min(MOST) {
                    self.message(thread, thread.word(1).wrapping_add(n * MESSAGE), &here);
                }
            }
            _ => {}
        }
        None
    }

    fn bind(&mut self, thread: Thread<'_>, address: Address) -> Option<Raw> {
        match address {
            // Any port will do: it waits for nobody in particular.
            Address::Inet(_, 0) => None,
            Address::Inet(ip, number) => {
                let tcp = match socket(thread) {
                    Some(Socket::Stream) => true,
                    Some(Socket::Datagram) => false,
                    _ => return None,
                };
                let port = Port { tcp, number };
                if !tcp {
                    self.ports.insert(port);
                    self.listens = true;
                }
                self.own.insert(Peer::Inet { address: ip.to_string(), port });
                None
            }
            Address::Path(raw) => {
                self.own.insert(Peer::Unix(PathBuf::from(OsString::from_vec(raw.clone()))));
                Some(raw)
            }
            Address::Abstract(name) => {
                self.own.insert(Peer::Other(abstract_name(&name)));
                None
            }
        }
    }

    fn listen(&mut self, thread: Thread<'_>) {
        self.listens = true;
        let Some(socket) = thread.take(thread.int(0)) else { return };
        let name = sys::socket::name(&socket).unwrap_or_default();
        if let Some(Address::Inet(_, number @ 1..)) = address(&name, &|_| None) {
            self.ports.insert(Port { tcp: true, number });
        }
    }

    fn message(&mut self, thread: Thread<'_>, header: u64, here: &impl Fn(&[u8]) -> Option<Raw>) {
        // struct msghdr: where the address is, and in 32 bits how long it is.
        let head = thread.memory(header, 12);
        let (Some((at, rest)), true) = (head.split_first_chunk(), head.len() == 12) else { return };
        let at = u64::from_ne_bytes(*at);
        let length = rest.first_chunk().map_or(0, |length| u32::from_ne_bytes(*length));
        let length = usize::try_from(length).unwrap_or(0).min(LONGEST);
        if at != 0 && length > 0 {
            self.talk(thread, address(&thread.memory(at, length), here));
        }
    }

    fn talk(&mut self, thread: Thread<'_>, address: Option<Address>) {
        self.peers.extend(match address {
            // How the C library asks which of its addresses the kernel would take.
            None | Some(Address::Inet(_, 0)) => None,
            Some(Address::Inet(ip, number)) => {
                let tcp = socket(thread) == Some(Socket::Stream);
                Some(Peer::Inet { address: ip.to_string(), port: Port { tcp, number } })
            }
            Some(Address::Path(raw)) => Some(Peer::Unix(PathBuf::from(OsString::from_vec(raw)))),
            Some(Address::Abstract(name)) => Some(Peer::Other(abstract_name(&name))),
        });
    }
}

/// What kind of socket the call's first argument is.
fn socket(thread: Thread<'_>) -> Option<Socket> {
    sys::socket::kind(thread.take(thread.int(0))?).ok()
}

fn abstract_name(name: &[u8]) -> String {
    format!("@{}", String::from_utf8_lossy(name).escape_debug())
}

/// A `struct sockaddr` of a family that is written down.
fn address(bytes: &[u8], here: &impl Fn(&[u8]) -> Option<Raw>) -> Option<Address> {
    let (family, rest) = bytes.split_first_chunk()?;
    let port = || rest.first_chunk().map(|port| u16::from_be_bytes(*port));
    match u16::from_ne_bytes(*family) {
        AF_UNIX => match rest {
            [] => None,
            [0, name @ ..] => Some(Address::Abstract(name.to_vec())),
            path => here(path.split(|byte| *byte == 0).next()?).map(Address::Path),
        },
        AF_INET => {
            let ip: [u8; 4] = rest.get(2..6)?.try_into().ok()?;
            Some(Address::Inet(IpAddr::V4(Ipv4Addr::from(ip)), port()?))
        }
        AF_INET6 => {
            let ip: [u8; 16] = rest.get(6..22)?.try_into().ok()?;
            Some(Address::Inet(IpAddr::V6(Ipv6Addr::from(ip)).to_canonical(), port()?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Option<Address> {
        address(bytes, &|raw| Some([b"/cwd/", raw].concat()))
    }

    #[test]
    fn addresses() {
        let path = |raw: &[u8]| Some(Address::Path(raw.to_vec()));
        assert_eq!(read(b"\x01\0log\0junk"), path(b"/cwd/log"));
        assert_eq!(read(b"\x01\0\0name"), Some(Address::Abstract(b"name".to_vec())));
        assert_eq!(read(b"\x01\0"), None, "a socket without a name");
        let local = Address::Inet(IpAddr::V4(Ipv4Addr::LOCALHOST), 53);
        assert_eq!(read(b"\x02\0\0\x35\x7f\0\0\x01\0\0\0\0\0\0\0\0"), Some(local.clone()));
        assert_eq!(read(b"\x02\0\0\x35\x7f"), None, "cut off");
        let mut mapped = b"\x0a\0\0\x35\0\0\0\0".to_vec();
        mapped.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1]);
        assert_eq!(read(&mapped), Some(local), "an IPv4 address in an IPv6 one");
        assert_eq!(read(b"\x10\0\0\0\0\0\0\0"), None, "netlink is the kernel");
        assert_eq!(read(b""), None);
    }
}
