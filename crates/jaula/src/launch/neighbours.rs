//! Other machines on the host's nets: does one of them have an address of the jail's, and word to all of them of where it
//! is now.

use crate::error::{Error, Result};
use model::address::Address;
use model::link::Mac;
use model::neighbours;
use model::plan::OnNet;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use sys::netlink::{Socket, route};
use sys::packet::{Hear, Port};

/// How long an answer is waited for. RFC 5227 waits for seconds, for radio and for switches that have just come up; a
/// host on a cable answers in less than one millisecond.
const PATIENCE: Duration = Duration::from_millis(150);
/// When it is asked once more, should the first frame have been lost.
const AGAIN: Duration = Duration::from_millis(70);

/// Where the way goes that leads to all the world: to nobody's net, and nothing is sent there.
const WORLD: IpAddr = IpAddr::V4(Ipv4Addr::new(240, 0, 0, 1));

/// An address that is asked for, where it is.
struct Question<'a> {
    address: &'a OnNet,
    /// Who asks.
    mac: Mac,
    port: Port,
    /// How else it is asked.
    openly: Option<Openly>,
    /// Who answered that.
    answered: Option<Mac>,
    /// Who answered for the router's address.
    router: Option<Mac>,
}

/// A Linux host that answers for an address on behalf of somebody else does not answer a probe of IPv4, but only who
/// asks as himself: with an address that the host has on the interface.
#[derive(Clone, Copy)]
struct Openly {
    own: Ipv4Addr,
    ip: Ipv4Addr,
    /// The host's router on that interface. In some nets it answers for every address, to keep machines apart or since
    /// they are not on one net at all; that it answers for this one, too, means nothing.
    router: Option<Ipv4Addr>,
}

impl Openly {
    /// `None` if the host has no address there, or it is not about IPv4.
    fn new(socket: &Socket, index: u32, ip: IpAddr) -> Result<Option<Self>> {
        let IpAddr::V4(ip) = ip else { return Ok(None) };
        let all = route::addresses(socket).map_err(failed())?;
        let own = all.iter().filter(|(on, ..)| *on == index).filter_map(|(_, own, prefix)| match own {
            IpAddr::V4(four) => {
                let net = Address { ip: *own, prefix: Some(*prefix), device: None };
                Some((net.reaches(ip.into()), *four))
            }
            IpAddr::V6(_) => None,
        });
        // Of the same net rather than of another.
        let own = own.max_by_key(|(same, _)| *same).map(|(_, own)| own);
        let out = route::way(socket, WORLD).ok().filter(|way| way.index == index);
        let router = out.and_then(|way| way.router).and_then(|router| match router {
            IpAddr::V4(four) => Some(four),
            IpAddr::V6(_) => None,
        });
        Ok(own.map(|own| Self { own, ip, router }))
    }
}

impl Question<'_> {
    /// Sends it. What cannot be sent has no answer: the interface may have gone off just now.
    fn ask(&self) {
        let _ = self.port.send(&neighbours::probe(self.mac, self.address.ip));
        if let Some(Openly { own, ip, router }) = self.openly {
            for ip in router.into_iter().chain([ip]) {
                let _ = self.port.send(&neighbours::question(self.mac, own, ip));
            }
        }
    }

    /// Who has the address, by what has come so far; who only answers for it is kept in mind.
    fn answer(&mut self) -> Result<Option<Mac>> {
        let mut buffer = [0; 128];
        while let Some(frame) = self.port.receive(&mut buffer).map_err(failed())? {
            let to_us = self.openly.filter(|openly| neighbours::answers_to(frame, openly.own));
            if let Some(router) = to_us.and_then(|openly| openly.router) {
                self.router = neighbours::owner(frame, router.into(), self.mac).or(self.router);
            }
            let owner = neighbours::owner(frame, self.address.ip, self.mac);
            // The jail's own, from a bridge that has not forgotten it yet.
            let Some(owner) = owner.filter(|owner| Some(*owner) != self.address.mac) else { continue };
            match to_us {
                Some(_) => self.answered = Some(owner),
                None => return Ok(Some(owner)),
            }
        }
        Ok(None)
    }

    /// Who answers for the address, when all had time to say so.
    fn proxy(&self) -> Option<Mac> {
        self.answered.filter(|_| self.answered != self.router)
    }
}

fn failed() -> impl Fn(sys::CallError) -> Error {
    |e| Error::call("ask whether another machine has the jail's address")(e)
}

/// Fails if another machine has one of these addresses. Those that the host has are its own to give.
pub(super) fn probe(addresses: &[OnNet]) -> Result<()> {
    let socket = Socket::route().map_err(failed())?;
    let mut questions = Vec::new();
    for address in addresses {
        if route::way(&socket, address.ip).is_ok_and(|way| way.local) {
            continue;
        }
        // Where nobody is, nobody is asked; that there is no such interface is said by what needs it.
        let Some((index, mac)) = neighbourhood(&socket, &address.device) else { continue };
        let hear = if address.ip.is_ipv4() { Hear::Arp } else { Hear::Neighbours };
        let (port, openly) =
            (Port::open(index, hear).map_err(failed())?, Openly::new(&socket, index, address.ip)?);
        questions.push(Question { address, mac, port, openly, answered: None, router: None });
    }
    if questions.is_empty() {
        return Ok(());
    }
    questions.iter().for_each(Question::ask);
    let since = Instant::now();
    let mut asked_again = false;
    loop {
        for question in &mut questions {
            if let Some(owner) = question.answer()? {
                return Err(taken(question.address, owner, "has"));
            }
        }
        let next = if asked_again { PATIENCE } else { AGAIN };
        let rest = next.saturating_sub(since.elapsed());
        if rest.is_zero() {
            if asked_again {
                let proxy = questions.iter().find_map(|asked| Some((asked.address, asked.proxy()?)));
                return proxy.map_or(Ok(()), |(address, owner)| Err(taken(address, owner, "answers for")));
            }
            questions.iter().for_each(Question::ask);
            asked_again = true;
            continue;
        }
        let wanted: Vec<_> = questions.iter().map(|question| (question.port.as_fd(), false)).collect();
        sys::poll::wait(&wanted, Some(rest)).map_err(failed())?;
    }
}

fn taken(address: &OnNet, owner: Mac, how: &str) -> Error {
    let OnNet { ip, device, .. } = address;
    Error::refused(
        format!(
            "{ip} is taken: the machine with the hardware address {owner} {how} it, on the net of {device}"
        ),
        "take another, or stop that one; if it answers for every address: network.probe = false",
    )
}

/// Tells the nets where these addresses are. A jail without that is found as soon as its neighbours ask again, so that
/// it is no reason for a start to fail.
pub(super) fn announce(addresses: &[OnNet]) {
    let Ok(socket) = Socket::route() else { return };
    for OnNet { ip, device, mac } in addresses {
        let Some((index, own)) = neighbourhood(&socket, device) else { continue };
        if let Ok(port) = Port::open(index, Hear::Nothing) {
            let _ = port.send(&neighbours::announcement(mac.unwrap_or(own), *ip));
        }
    }
}

/// The number and hardware address of an interface with a net of neighbours.
fn neighbourhood(socket: &Socket, device: &str) -> Option<(u32, Mac)> {
    let link = route::link_named(socket, device).ok().filter(|link| link.has_neighbours)?;
    Some((link.index, Mac(link.mac?)))
}
