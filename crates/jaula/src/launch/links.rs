//! Links of jails with a network of their own: made in a few messages, while the jail's first process waits.

use crate::error::{Error, Result};
use crate::journal::{Entry, Journal};
use model::link::Mac;
use model::plan::{Leads, Link};
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use sys::netlink::route::{self, End, Scope};
use sys::netlink::{Batch, Socket};
use sys::process::Child;

/// What cannot be done, to which interface.
fn failed(what: &'static str) -> impl Fn(sys::CallError) -> Error {
    move |e| Error::call(what)(e)
}

/// Makes a jail's link: one call for both ends, one for what is inside.
pub(super) fn make(link: &Link, first: &Child, journal: &mut Journal) -> Result<()> {
    let here = Socket::route().map_err(failed("reach the host's network"))?;
    let namespace = sys::process::network_namespace(first).map_err(failed("open the jail's network"))?;
    let mtu = link.mtu.map(u32::from);
    let over = match &link.leads {
        Leads::Over(other) | Leads::Bridge(other) => Some(index(&here, other)?),
        Leads::Host => None,
    };
    let there =
        End { name: &link.inside, mac: link.mac.0, mtu, namespace: Some(namespace.as_fd()), up: false };
    let mut batch = Batch::default();
    match (&link.leads, over) {
        // It goes with the jail's network, and there is nothing of it here.
        (Leads::Over(_), Some(below)) => route::macvlan(&mut batch, &there, below),
        (_, master) => {
            journal.write(&Entry::Link(link.name.clone()))?;
            let ours = End { name: &link.name, mac: link.host_mac.0, mtu, namespace: None, up: false };
            route::veth(&mut batch, &ours, &there, master);
            route::no_own_address(&mut batch, &link.name);
        }
    }
    here.send(&batch).map_err(failed("make the jail's link"))?;
    if link.leads == Leads::Host {
        gateways(&here, link)?;
    }
    configure(link, namespace)
}

/// The host's end of a routed link has the addresses that the jail has for its gateways.
fn gateways(here: &Socket, link: &Link) -> Result<()> {
    let index = index(here, &link.name)?;
    let mut batch = Batch::default();
    for gateway in &link.gateways {
        match gateway {
            // Of this scope it answers for the address, and never takes it as its own towards the jail.
            IpAddr::V4(_) => route::add_address(&mut batch, index, *gateway, 32, Scope::Host),
            IpAddr::V6(_) => route::add_address(&mut batch, index, *gateway, 64, Scope::Link),
        }
    }
    here.send(&batch).map_err(failed("make the jail's link"))
}

/// The jail's end: its addresses and its ways out.
fn configure(link: &Link, namespace: OwnedFd) -> Result<()> {
    let what = || failed("configure the jail's link");
    let there = sys::process::in_network(namespace, Socket::route).map_err(what())?;
    let index = there.index(&link.inside).map_err(what())?;
    let mut batch = Batch::default();
    // No sooner: a veth is not switched on before it has its other end.
    route::up(&mut batch, &link.inside);
    for (ip, prefix) in &link.addresses {
        route::add_address(&mut batch, index, *ip, *prefix, Scope::Universe);
    }
    for gateway in &link.gateways {
        route::add_route(&mut batch, None, Some(*gateway), index);
    }
    there.send(&batch).map_err(what())
}

/// Switches the host's end on, and leads the jail's addresses there.
pub(super) fn up(name: &str, routes: &[IpAddr]) -> Result<()> {
    let here = Socket::route().map_err(failed("reach the host's network"))?;
    let mut batch = Batch::default();
    route::up(&mut batch, name);
    if !routes.is_empty() {
        let index = index(&here, name)?;
        for ip in routes {
            route::add_route(&mut batch, Some((*ip, model::address::bits(*ip))), None, index);
        }
    }
    let results = here.results(&batch).map_err(failed("switch the jail's link on"))?;
    for (n, result) in results.into_iter().enumerate() {
        match (result, n.checked_sub(1).and_then(|n| routes.get(n))) {
            (Err(e), Some(ip)) if e.is(sys::errno::EEXIST) => {
                return Err(Error::refused(
                    format!("this host has a route to {ip} already"),
                    format!("another jail has the address, or somebody made the route: ip route show {ip}"),
                ));
            }
            (result, _) => result.map_err(failed("switch the jail's link on"))?,
        }
    }
    Ok(())
}

/// Answers on an interface for an address of the jail, to who asks.
pub(super) fn answer(ip: IpAddr, device: &str, journal: &mut Journal) -> Result<()> {
    let here = Socket::route().map_err(failed("reach the host's network"))?;
    let index = index(&here, device)?;
    journal.write(&Entry::Answer { device: device.to_owned(), ip })?;
    let mut batch = Batch::default();
    route::add_proxy(&mut batch, ip, index);
    here.send(&batch).map_err(failed("answer for the jail's address"))
}

/// Removes a link of a jail.
pub(crate) fn remove(name: &str) -> Result<()> {
    let mut batch = Batch::default();
    route::delete_link(&mut batch, name);
    gone(&batch, "remove the jail's link")
}

/// Answers no more.
pub(crate) fn silence(device: &str, ip: IpAddr) -> Result<()> {
    let here = Socket::route().map_err(failed("reach the host's network"))?;
    // With the interface the answers went.
    let Ok(index) = here.index(device) else { return Ok(()) };
    let mut batch = Batch::default();
    route::delete_proxy(&mut batch, ip, index);
    gone(&batch, "answer no more for the jail's address")
}

/// Carries out what may have been done by somebody else.
pub(super) fn gone(batch: &Batch, what: &'static str) -> Result<()> {
    let here = Socket::route().map_err(failed("reach the host's network"))?;
    use sys::errno::{EADDRNOTAVAIL, ENODEV, ENOENT};
    match here.send(batch) {
        Err(e) if [ENODEV, ENOENT, EADDRNOTAVAIL].iter().any(|number| e.is(*number)) => Ok(()),
        done => done.map_err(failed(what)),
    }
}

/// The number of an interface of the host, asked for once.
pub(super) fn number(name: &str) -> Result<u32> {
    index(&Socket::route().map_err(failed("reach the host's network"))?, name)
}

/// The number of an interface of the host.
pub(super) fn index(socket: &Socket, name: &str) -> Result<u32> {
    socket.index(name).map_err(|e| match e.is(sys::errno::ENODEV) {
        true => {
            Error::refused(format!("this host has no interface {name}"), "ip link shows those that it has")
        }
        false => Error::call("look for an interface")(e),
    })
}

/// Makes a bridge, on which nobody is yet.
pub(super) fn bridge(name: &str, mac: Mac) -> Result<()> {
    let here = Socket::route().map_err(failed("reach the host's network"))?;
    let mut batch = Batch::default();
    route::bridge(&mut batch, &End { name, mac: mac.0, mtu: None, namespace: None, up: true });
    here.send(&batch).map_err(failed("make a bridge"))
}
