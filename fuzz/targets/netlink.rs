//! Answers of the kernel about interfaces and nf_tables, and what machines of the net answer.
#![no_main]

use model::firewall::foreign::{Interfaces, forwarding};
use model::firewall::legacy;
use model::firewall::message::names;
use model::link::Mac;
use std::net::IpAddr;
use sys::netlink::messages;
use sys::netlink::route::Link;

libfuzzer_sys::fuzz_target!(|answer: &[u8]| {
    let bodies: Vec<Vec<u8>> = messages(answer).map(|message| message.body.to_vec()).collect();
    let legacy = [false, true].into_iter().filter_map(|six| legacy::forwarding(six, answer, 0, 300));
    for mut chain in forwarding(&bodies).into_iter().chain(legacy) {
        bodies.iter().for_each(|rule| chain.note_rule(rule));
        let _ = (chain.knows("jv101"), chain.mend(&Interfaces::like("jv101")).len());
    }
    for body in &bodies {
        let _ = (names(body).len(), Link::parse(body));
    }
    for ip in ["192.0.2.1", "2001:db8::1"] {
        let ip: IpAddr = ip.parse().expect("an address");
        let _ = model::neighbours::owner(answer, ip, Mac([2, 0, 0, 0, 0, 1]));
    }
});
