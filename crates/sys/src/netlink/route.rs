//! Messages about interfaces, addresses, routes and neighbours, and what the kernel says of them (rtnetlink(7)).

use super::message::{Batch, attribute, attributes, text, u16_at, u32_at};
use super::{CREATE, EXCLUSIVE, REPLACE, Socket};
use crate::error::{CallError, Result};
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

const NEWLINK: u16 = 16;
const DELLINK: u16 = 17;
const GETLINK: u16 = 18;
const NEWADDR: u16 = 20;
const DELADDR: u16 = 21;
const GETADDR: u16 = 22;
const NEWROUTE: u16 = 24;
const GETROUTE: u16 = 26;
const NEWNEIGH: u16 = 28;
const DELNEIGH: u16 = 29;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_STATS64: u16 = 23;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_NET_NS_FD: u16 = 28;
const INFO_KIND: u16 = 1;
const INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const MACVLAN_MODE: u16 = 1;
/// `MACVLAN_MODE_BRIDGE`: those on one interface reach each other.
const AMONG_EACH_OTHER: u32 = 4;
const INET6_ADDR_GEN_MODE: u16 = 8;
const NO_ADDRESS: u8 = 1;

const UP: u32 = 1;
/// `IFF_NOARP`, `IFF_LOWER_UP`, `ARPHRD_ETHER`
const NO_ARP: u32 = 0x80;
const CARRIER: u32 = 0x10000;
const ETHERNET: u16 = 1;
const IFA_F_NODAD: u32 = 2;
const NTF_PROXY: u8 = 8;

/// Who made an address (`IFA_PROTO`) or route (`rtm_protocol`): a number that nobody else has, of those that
/// rt_protos leaves to administrators.
pub const MAKER: u8 = 106;

/// How far an address or route reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everywhere.
    Universe = 0,
    /// On the interface.
    Link = 253,
    /// The host alone: never a source that the kernel chooses.
    Host = 254,
}

/// One end of a link that is to be.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its hardware address.
    pub mac: [u8; 6],
    /// Its longest packet; `None` is the kernel's choice.
    pub mtu: Option<u32>,
    /// The network namespace it is born in; `None` for the socket's.
    pub namespace: Option<BorrowedFd<'a>>,
    /// Is it up from the start?
    pub up: bool,
}

fn family(ip: IpAddr) -> u8 {
    u8::try_from(if ip.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }).unwrap_or(0)
}

fn bytes(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

/// `struct ifinfomsg`
fn link(index: u32, up: bool) -> [u8; 16] {
    let mut head = [0; 16];
    head[4..8].copy_from_slice(&index.to_ne_bytes());
    if up {
        head[8..12].copy_from_slice(&UP.to_ne_bytes());
        head[12..16].copy_from_slice(&UP.to_ne_bytes());
    }
    head
}

fn end(m: &mut super::Attributes<'_>, end: &End<'_>) {
    m.text(IFLA_IFNAME, end.name);
    m.bytes(IFLA_ADDRESS, &end.mac);
    if let Some(mtu) = end.mtu {
        m.number(IFLA_MTU, mtu);
    }
    if let Some(namespace) = end.namespace {
        m.number(IFLA_NET_NS_FD, namespace.as_raw_fd().cast_unsigned());
    }
}

/// Makes a link of two ends (veth(4)), the first on a bridge if `master` says so.
pub fn veth(batch: &mut Batch, here: &End<'_>, there: &End<'_>, master: Option<u32>) {
    let called = format!("RTM_NEWLINK({}, veth, {})", here.name, there.name);
    batch.add(NEWLINK, CREATE | EXCLUSIVE, called, &link(0, here.up), |m| {
        end(m, here);
        if let Some(master) = master {
            m.number(IFLA_MASTER, master);
        }
        m.nest(IFLA_LINKINFO, |m| {
            m.text(INFO_KIND, "veth");
            m.nest(INFO_DATA, |m| m.nest_with(VETH_INFO_PEER, &link(0, there.up), |m| end(m, there)));
        });
    });
}

/// Makes a bridge.
pub fn bridge(batch: &mut Batch, here: &End<'_>) {
    batch.add(
        NEWLINK,
        CREATE | EXCLUSIVE,
        format!("RTM_NEWLINK({}, bridge)", here.name),
        &link(0, here.up),
        |m| {
            end(m, here);
            m.nest(IFLA_LINKINFO, |m| m.text(INFO_KIND, "bridge"));
        },
    );
}

/// Makes a macvlan over an interface.
pub fn macvlan(batch: &mut Batch, here: &End<'_>, below: u32) {
    batch.add(
        NEWLINK,
        CREATE | EXCLUSIVE,
        format!("RTM_NEWLINK({}, macvlan)", here.name),
        &link(0, here.up),
        |m| {
            end(m, here);
            m.number(IFLA_LINK, below);
            m.nest(IFLA_LINKINFO, |m| {
                m.text(INFO_KIND, "macvlan");
                m.nest(INFO_DATA, |m| m.number(MACVLAN_MODE, AMONG_EACH_OTHER));
            });
        },
    );
}

/// Keeps the kernel from giving an interface an IPv6 address of its own.
pub fn no_own_address(batch: &mut Batch, name: &str) {
    batch.add(NEWLINK, 0, format!("RTM_NEWLINK({name}, no address)"), &link(0, false), |m| {
        m.text(IFLA_IFNAME, name);
        let inet6 = u16::try_from(libc::AF_INET6).unwrap_or(0);
        m.nest(IFLA_AF_SPEC, |m| m.nest(inet6, |m| m.bytes(INET6_ADDR_GEN_MODE, &[NO_ADDRESS])));
    });
}

/// Switches an interface on.
pub fn up(batch: &mut Batch, name: &str) {
    batch.add(NEWLINK, 0, format!("RTM_NEWLINK({name}, up)"), &link(0, true), |m| m.text(IFLA_IFNAME, name));
}

/// Takes an interface away, and with a veth its other end.
pub fn delete_link(batch: &mut Batch, name: &str) {
    batch.add(DELLINK, 0, format!("RTM_DELLINK({name})"), &link(0, false), |m| m.text(IFLA_IFNAME, name));
}

/// `struct ifaddrmsg`
fn addressed(ip: IpAddr, prefix: u8, scope: Scope, index: u32) -> [u8; 8] {
    let [a, b, c, d] = index.to_ne_bytes();
    [family(ip), prefix, 0, scope as u8, a, b, c, d]
}

/// Gives an interface an address that is used at once, without a search for another who has it.
pub fn add_address(batch: &mut Batch, index: u32, ip: IpAddr, prefix: u8, scope: Scope) {
    let called = format!("RTM_NEWADDR({ip}/{prefix})");
    batch.add(NEWADDR, CREATE | EXCLUSIVE, called, &addressed(ip, prefix, scope, index), |m| {
        m.bytes(2, &bytes(ip));
        m.bytes(1, &bytes(ip));
        if ip.is_ipv6() {
            m.number(8, IFA_F_NODAD);
        }
        m.bytes(11, &[MAKER]);
    });
}

/// Takes an address from an interface.
pub fn delete_address(batch: &mut Batch, index: u32, ip: IpAddr, prefix: u8) {
    let called = format!("RTM_DELADDR({ip}/{prefix})");
    batch.add(DELADDR, 0, called, &addressed(ip, prefix, Scope::Universe, index), |m| m.bytes(2, &bytes(ip)));
}

/// A route: to `to` (`None` for all of the family of `via`), through an interface, by `via` if there is one.
pub fn add_route(batch: &mut Batch, to: Option<(IpAddr, u8)>, via: Option<IpAddr>, index: u32) {
    let Some(kind) = to.map(|(ip, _)| ip).or(via) else { return };
    let (prefix, scope) =
        (to.map_or(0, |(_, prefix)| prefix), if via.is_some() { Scope::Universe } else { Scope::Link });
    // The gateway is at the other end even if no net says so.
    const ONLINK: u32 = 4;
    let mut head = [family(kind), prefix, 0, 0, 254, MAKER, scope as u8, 1, 0, 0, 0, 0];
    if via.is_some() {
        head[8..12].copy_from_slice(&ONLINK.to_ne_bytes());
    }
    let called = match (to, via) {
        (Some((ip, prefix)), _) => format!("RTM_NEWROUTE({ip}/{prefix})"),
        (None, via) => {
            format!("RTM_NEWROUTE(default via {})", via.map(|ip| ip.to_string()).unwrap_or_default())
        }
    };
    batch.add(NEWROUTE, CREATE | EXCLUSIVE, called, &head, |m| {
        if let Some((ip, _)) = to {
            m.bytes(1, &bytes(ip));
        }
        m.number(4, index);
        if let Some(via) = via {
            m.bytes(5, &bytes(via));
        }
    });
}

/// `struct ndmsg` of an address that is answered for.
fn proxied(ip: IpAddr, index: u32) -> [u8; 12] {
    let mut head = [0; 12];
    head[0] = family(ip);
    head[4..8].copy_from_slice(&index.to_ne_bytes());
    head[10] = NTF_PROXY;
    head
}

/// Answers on an interface for an address that is elsewhere (proxy ARP, proxy NDP).
pub fn add_proxy(batch: &mut Batch, ip: IpAddr, index: u32) {
    let called = format!("RTM_NEWNEIGH({ip}, proxy)");
    batch.add(NEWNEIGH, CREATE | REPLACE, called, &proxied(ip, index), |m| m.bytes(1, &bytes(ip)));
}

/// Answers no more.
pub fn delete_proxy(batch: &mut Batch, ip: IpAddr, index: u32) {
    let called = format!("RTM_DELNEIGH({ip}, proxy)");
    batch.add(DELNEIGH, 0, called, &proxied(ip, index), |m| m.bytes(1, &bytes(ip)));
}

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// `bridge`, `veth`, …; empty for a device.
    pub kind: String,
    /// Is it switched on?
    pub up: bool,
    /// Is it of Ethernet, on, with a cable that leads to somebody, and are hosts on it found by their addresses?
    pub has_neighbours: bool,
    /// Its hardware address.
    pub mac: Option<[u8; 6]>,
    /// Its longest packet.
    pub mtu: u32,
    /// The bridge that it is on.
    pub master: Option<u32>,
    /// What it has carried.
    pub traffic: Traffic,
}

impl Link {
    /// What the kernel has sent of one, without the message's head.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let (index, flags) = (u32_at(body, 4)?, u32_at(body, 8)?);
        let rest = body.get(16..)?;
        let mut found = Self {
            index,
            name: String::new(),
            kind: String::new(),
            up: flags & UP != 0,
            has_neighbours: u16_at(body, 2)? == ETHERNET && flags & (UP | CARRIER | NO_ARP) == UP | CARRIER,
            mac: None,
            mtu: 0,
            master: None,
            traffic: Traffic::default(),
        };
        for (kind, value) in attributes(rest) {
            match kind {
                IFLA_IFNAME => found.name = text(value),
                IFLA_ADDRESS => found.mac = value.try_into().ok(),
                IFLA_MTU => found.mtu = u32_at(value, 0)?,
                IFLA_MASTER => found.master = u32_at(value, 0),
                IFLA_STATS64 => found.traffic = Traffic::parse(value),
                IFLA_LINKINFO => found.kind = attribute(value, INFO_KIND).map(text).unwrap_or_default(),
                _ => {}
            }
        }
        Some(found)
    }
}

/// What an interface has carried (`struct rtnl_link_stats64`), seen from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets that came in.
    pub packets_in: u64,
    /// Packets that went out.
    pub packets_out: u64,
    /// Bytes that came in.
    pub bytes_in: u64,
    /// Bytes that went out.
    pub bytes_out: u64,
}

impl Traffic {
    fn parse(value: &[u8]) -> Self {
        let at = |n: usize| value.get(n * 8..)?.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes));
        let [packets_in, packets_out, bytes_in, bytes_out] = [0, 1, 2, 3].map(|n| at(n).unwrap_or(0));
        Self { packets_in, packets_out, bytes_in, bytes_out }
    }
}

/// All interfaces of the socket's namespace.
pub fn links(socket: &Socket) -> Result<Vec<Link>> {
    let all = socket.dump(GETLINK, "RTM_GETLINK", &link(0, false))?;
    Ok(all.iter().filter_map(|body| Link::parse(body)).collect())
}

/// An interface by its name.
///
/// # Errors
/// `ENODEV` if there is none of this name.
pub fn link_named(socket: &Socket, name: &str) -> Result<Link> {
    let called = || format!("RTM_GETLINK({name})");
    let mut batch = Batch::default();
    batch.add(GETLINK, 0, called(), &link(0, false), |m| m.text(IFLA_IFNAME, name));
    let (_, body) = socket.ask(&batch)?;
    Link::parse(&body).ok_or_else(|| CallError::new(called(), libc::EPROTO))
}

/// All addresses of the socket's namespace: on which interface, which, and the length of its net.
pub fn addresses(socket: &Socket) -> Result<Vec<(u32, IpAddr, u8)>> {
    let all = socket.dump(GETADDR, "RTM_GETADDR", &[0; 8])?;
    let parse = |body: &Vec<u8>| {
        let rest = body.get(8..)?;
        let ip = attribute(rest, 2).or_else(|| attribute(rest, 1)).and_then(address)?;
        Some((u32_at(body, 4)?, ip, *body.get(1)?))
    };
    Ok(all.iter().filter_map(parse).collect())
}

/// Where the host sends what is for an address (RTM_GETROUTE).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// The interface.
    pub index: u32,
    /// Is it carried on from there by a router?
    pub via: bool,
    /// The router's address, if it is of the same family.
    pub router: Option<IpAddr>,
    /// Is it the host's own?
    pub local: bool,
    /// The address that the host has towards it.
    pub source: Option<IpAddr>,
}

/// Asks for the way to an address.
///
/// # Errors
/// `ENETUNREACH` and `EHOSTUNREACH` if there is none.
pub fn way(socket: &Socket, ip: IpAddr) -> Result<Way> {
    let head = [family(ip), full(ip), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut batch = Batch::default();
    batch.add(GETROUTE, 0, format!("RTM_GETROUTE({ip})"), &head, |m| m.bytes(1, &bytes(ip)));
    let (_, body) = socket.ask(&batch)?;
    let rest = body.get(12..).unwrap_or_default();
    Ok(Way {
        index: attribute(rest, 4).and_then(|value| u32_at(value, 0)).unwrap_or(0),
        // RTA_GATEWAY, RTA_VIA
        via: attribute(rest, 5).or_else(|| attribute(rest, 18)).is_some(),
        router: attribute(rest, 5).and_then(address),
        // RTN_LOCAL
        local: body.get(7) == Some(&2),
        source: attribute(rest, 7).and_then(address),
    })
}

/// The bits of an address of its kind.
fn full(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_address_is_local() {
        let socket = Socket::route().unwrap();
        let way = way(&socket, "127.0.0.1".parse().unwrap()).unwrap();
        assert!(way.local && !way.via);
        assert!(addresses(&socket).unwrap().contains(&(1, "127.0.0.1".parse().unwrap(), 8)));
    }

    #[test]
    fn no_answer_panics() {
        let mut seed = 7_u32;
        for length in 0..200 {
            let bytes: Vec<u8> = (0..length)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (seed >> 24) as u8
                })
                .collect();
            let _ = Link::parse(&bytes);
        }
    }
}
