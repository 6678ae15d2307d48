//! What hosts on one net ask and tell each other about addresses, as frames of Ethernet: ARP (RFC 826, RFC 5227) and
//! IPv6's neighbour discovery (RFC 4861, RFC 4862).

use crate::link::Mac;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const BROADCAST: Mac = Mac([0xff; 6]);
const ARP: [u8; 2] = [0x08, 0x06];
const IPV6: [u8; 2] = [0x86, 0xdd];
/// Ethernet, IPv4, with addresses of 6 and 4 bytes.
const ARP_HEAD: [u8; 6] = [0, 1, 0x08, 0, 6, 4];
const REQUEST: [u8; 2] = [0, 1];
const REPLY: [u8; 2] = [0, 2];
const ICMPV6: u8 = 58;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
/// Where a message of neighbour discovery is in a frame.
const MESSAGE: usize = 14 + 40;

/// Asks all who are on the net whether one of them has the address, as someone who has none: nobody learns anything
/// from it (RFC 5227, 2.1.1; RFC 4862, 5.4.2).
pub fn probe(asker: Mac, ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => arp(asker, Ipv4Addr::UNSPECIFIED, ip),
        IpAddr::V6(ip) => {
            let [.., a, b, c] = ip.octets();
            let group = Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c]);
            let head = [SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
            discovery(asker, Ipv6Addr::UNSPECIFIED, group, &[&head[..], &ip.octets()].concat())
        }
    }
}

/// Asks for an address of IPv4 as a host that wants to speak with it, by an address that it has itself. A host that
/// answers for an address that is elsewhere behind it (proxy ARP) answers this, and no probe.
pub fn question(asker: Mac, own: Ipv4Addr, ip: Ipv4Addr) -> Vec<u8> {
    arp(asker, own, ip)
}

/// Is the frame an answer to [`question()`]s of this address, and not to a probe?
pub fn answers_to(frame: &[u8], own: Ipv4Addr) -> bool {
    frame.get(12..14) == Some(&ARP)
        && frame.get(20..22) == Some(&REPLY)
        && frame.get(38..42) == Some(&own.octets())
}

/// Tells all who are on the net who has the address from now on; who knew of another forgets him (RFC 5227, 2.3;
/// RFC 4861, 7.2.6).
pub fn announcement(owner: Mac, ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => arp(owner, ip, ip),
        IpAddr::V6(ip) => {
            const OVERRIDE: u8 = 0x20;
            // The owner's hardware address, in units of eight bytes.
            let option = [&[2, 1][..], &owner.0].concat();
            let head = [ADVERTISEMENT, 0, 0, 0, OVERRIDE, 0, 0, 0];
            let all = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
            discovery(owner, ip, all, &[&head[..], &ip.octets(), &option].concat())
        }
    }
}

/// Who else has the address or wants it, as far as this frame tells, which may be anything.
pub fn owner(frame: &[u8], ip: IpAddr, asker: Mac) -> Option<Mac> {
    let other = match ip {
        IpAddr::V4(ip) => arp_owner(frame, ip),
        IpAddr::V6(ip) => discovery_owner(frame, ip),
    };
    other.filter(|mac| *mac != asker)
}

fn arp(from: Mac, sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let message = [&ARP_HEAD[..], &REQUEST, &from.0, &sender.octets(), &[0; 6], &target.octets()].concat();
    frame(BROADCAST, from, ARP, &message)
}

fn arp_owner(frame: &[u8], ip: Ipv4Addr) -> Option<Mac> {
    let message = frame.get(14..42).filter(|_| frame.get(12..14) == Some(&ARP))?;
    let (sender, target) = (&message[14..18], &message[24..28]);
    // Who speaks as the address has it; who asks for it as one without any is about to take it.
    let takes = sender == [0; 4] && target == ip.octets() && message[6..8] == REQUEST;
    (message[..6] == ARP_HEAD && (sender == ip.octets() || takes))
        .then(|| message[8..14].try_into().ok().map(Mac))
        .flatten()
}

fn discovery(from: Mac, source: Ipv6Addr, group: Ipv6Addr, message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
    let mut message = message.to_vec();
    let sum = checksum(source, group, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    // 255 hops: it has passed no router.
    let head = [&[0x60, 0, 0, 0][..], &length.to_be_bytes(), &[ICMPV6, 255]].concat();
    let [.., a, b, c, d] = group.octets();
    let packet = [&head[..], &source.octets(), &group.octets(), &message].concat();
    frame(Mac([0x33, 0x33, a, b, c, d]), from, IPV6, &packet)
}

fn discovery_owner(frame: &[u8], ip: Ipv6Addr) -> Option<Mac> {
    let is_ours = frame.get(12..14) == Some(&IPV6) && frame.get(20..22) == Some(&[ICMPV6, 255]);
    let message = frame.get(MESSAGE..).filter(|_| is_ours)?;
    message.get(8..24).filter(|target| *target == ip.octets())?;
    let source = frame.get(22..38)?;
    let sent_by = frame.get(6..12)?.try_into().ok().map(Mac);
    match message[0] {
        // Who asks as one without an address is about to take this one.
        SOLICITATION if source == [0; 16] => sent_by,
        ADVERTISEMENT => {
            let option = message.get(24..32).filter(|option| option[..2] == [2, 1]);
            option.and_then(|option| option[2..].try_into().ok()).map(Mac).or(sent_by)
        }
        _ => None,
    }
}

fn frame(to: Mac, from: Mac, kind: [u8; 2], packet: &[u8]) -> Vec<u8> {
    [&to.0[..], &from.0, &kind, packet].concat()
}

/// The sum of ICMPv6 (RFC 4443, 2.3), with 0 where it will stand.
fn checksum(source: Ipv6Addr, target: Ipv6Addr, message: &[u8]) -> u16 {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
    let all = [&source.octets()[..], &target.octets(), &length, &[0, 0, 0, ICMPV6], message].concat();
    let mut sum: u32 =
        all.chunks(2).map(|two| u32::from(two[0]) << 8 | u32::from(*two.get(1).unwrap_or(&0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: Mac = Mac([2, 0, 0x5e, 0x10, 0, 1]);
    const OTHER: Mac = Mac([2, 0, 0x5e, 0x10, 0, 2]);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn arp_frames() {
        let head = "ffffffffffff02005e1000010806000108000604000102005e100001";
        assert_eq!(hex(&probe(ME, ip("192.0.2.10"))), format!("{head}00000000000000000000c000020a"),);
        assert_eq!(hex(&announcement(ME, ip("192.0.2.10"))), format!("{head}c000020a000000000000c000020a"),);
    }

    #[test]
    fn discovery_frames() {
        let asks = probe(ME, ip("2001:db8::12:3456"));
        assert_eq!(hex(&asks[..14]), "3333ff12345602005e10000186dd");
        assert_eq!(hex(&asks[14..22]), "6000000000183aff");
        assert_eq!(hex(&asks[22..38]), "0".repeat(32));
        assert_eq!(hex(&asks[38..54]), "ff0200000000000000000001ff123456");
        let tells = announcement(ME, ip("2001:db8::10"));
        assert_eq!(hex(&tells[..14]), "33330000000102005e10000186dd");
        assert_eq!(hex(&tells[54..56]), "8800");
        assert_eq!(hex(&tells[58..62]), "20000000");
        assert_eq!(hex(&tells[78..]), "020102005e100001");
        // Summed up with its sum, a message gives nothing.
        for frame in [asks, tells] {
            let at = |from: usize| Ipv6Addr::from(<[u8; 16]>::try_from(&frame[from..from + 16]).unwrap());
            assert_eq!(checksum(at(22), at(38), &frame[54..]), 0);
        }
    }

    #[test]
    fn who_has_an_address_is_told_by_what_he_says() {
        for (mine, others) in [("192.0.2.10", "192.0.2.11"), ("2001:db8::10", "2001:db8::11")] {
            let (mine, others) = (ip(mine), ip(others));
            assert_eq!(owner(&announcement(OTHER, mine), mine, ME), Some(OTHER));
            assert_eq!(owner(&probe(OTHER, mine), mine, ME), Some(OTHER));
            assert_eq!(owner(&announcement(OTHER, others), mine, ME), None);
            assert_eq!(owner(&probe(OTHER, others), mine, ME), None);
            // What we said ourselves, come back by a loop.
            assert_eq!(owner(&probe(ME, mine), mine, ME), None);
        }
        // Who only asks for it, as himself, does not have it.
        let asks = question(OTHER, Ipv4Addr::new(192, 0, 2, 11), Ipv4Addr::new(192, 0, 2, 10));
        assert_eq!(owner(&asks, ip("192.0.2.10"), ME), None);
    }

    #[test]
    fn an_answer_says_what_it_answers() {
        let (own, ip) = (Ipv4Addr::new(192, 0, 2, 2), Ipv4Addr::new(192, 0, 2, 10));
        let reply = |to: Ipv4Addr| {
            let message = [&ARP_HEAD[..], &REPLY, &OTHER.0, &ip.octets(), &ME.0, &to.octets()].concat();
            frame(ME, OTHER, ARP, &message)
        };
        for (to, is_it) in [(own, true), (Ipv4Addr::UNSPECIFIED, false), (ip, false)] {
            assert_eq!(owner(&reply(to), ip.into(), ME), Some(OTHER));
            assert_eq!(answers_to(&reply(to), own), is_it);
        }
        // A question of the host's own is no answer.
        assert!(!answers_to(&question(OTHER, ip, own), own));
    }

    #[test]
    fn no_frame_panics() {
        for of in ["192.0.2.10", "2001:db8::10"] {
            let whole = announcement(OTHER, ip(of));
            for n in 0..whole.len() {
                for other in ["192.0.2.10", "2001:db8::10"] {
                    let _ = owner(&whole[..n], ip(other), ME);
                }
                let _ = answers_to(&whole[..n], Ipv4Addr::UNSPECIFIED);
            }
        }
    }
}
