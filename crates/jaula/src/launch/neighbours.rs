//! Other machines on the host's nets: does one of them have an address of the jail's, and word to all of them of where it
//! is now.

use crate::error::{Error, Result};
use model::link::Mac;
use model::neighbours;
use model::plan::OnNet;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use sys::netlink::{Socket, route};
use sys::packet::{Hear, Port};

/// How long an answer is waited for. RFC 5227 waits for seconds, for radio and for switches that have just come up; a
/// host on a cable answers in less than one millisecond.
const PATIENCE: Duration = Duration::from_millis(150);
/// When it is asked once more, should the first frame have been lost.
const AGAIN: Duration = Duration::from_millis(70);

/// An address that is asked for, where it is.
struct Question<'a> {
    address: &'a OnNet,
    /// Who asks.
    mac: Mac,
    port: Port,
}

impl Question<'_> {
    /// Sends it. What cannot be sent has no answer: the interface may have gone off just now.
    fn ask(&self) {
        let _ = self.port.send(&neighbours::probe(self.mac, self.address.ip));
    }

    /// Who has the address, by what has come so far.
    fn answer(&self) -> Result<Option<Mac>> {
        let mut buffer = [0; 128];
        while let Some(frame) = self.port.receive(&mut buffer).map_err(failed())? {
            let owner = neighbours::owner(frame, self.address.ip, self.mac);
            // The jail's own, from a bridge that has not forgotten it yet.
            if let Some(owner) = owner.filter(|owner| Some(*owner) != self.address.mac) {
                return Ok(Some(owner));
            }
        }
        Ok(None)
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
        questions.push(Question { address, mac, port: Port::open(index, hear).map_err(failed())? });
    }
    if questions.is_empty() {
        return Ok(());
    }
    questions.iter().for_each(Question::ask);
    let since = Instant::now();
    let mut asked_again = false;
    loop {
        for question in &questions {
            if let Some(owner) = question.answer()? {
                return Err(taken(question.address, owner));
            }
        }
        let next = if asked_again { PATIENCE } else { AGAIN };
        let rest = next.saturating_sub(since.elapsed());
        if rest.is_zero() {
            if asked_again {
                return Ok(());
            }
            questions.iter().for_each(Question::ask);
            asked_again = true;
            continue;
        }
        let wanted: Vec<_> = questions.iter().map(|question| (question.port.as_fd(), false)).collect();
        sys::poll::wait(&wanted, Some(rest)).map_err(failed())?;
    }
}

fn taken(address: &OnNet, owner: Mac) -> Error {
    let OnNet { ip, device, .. } = address;
    Error::refused(
        format!(
            "{ip} is taken: the machine with the hardware address {owner} has it, on the net of {device}"
        ),
        "take another, or stop that one; if a router there answers for every address: network.probe = false",
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
