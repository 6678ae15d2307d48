//! The table `filter` of iptables-legacy, byte by byte as the kernel has it (`linux/netfilter_ipv4/ip_tables.h`,
//! `linux/netfilter_ipv6/ip6_tables.h`, `linux/netfilter/x_tables.h`).

use super::foreign::{DOCKER, Forwarding};
use super::message::Family;

/// Where what is read stands in a rule, in bytes.
struct Shape {
    /// `iniface`, `outiface`, and as long after them their masks.
    interfaces: usize,
    /// `invflags`
    inverted: usize,
    /// What of a packet's head is looked at.
    looked_at: usize,
    /// `target_offset`, followed by `next_offset`.
    offsets: usize,
    /// The whole, to the first match.
    size: usize,
}

/// `struct ipt_entry`
const FOUR: Shape = Shape { interfaces: 16, inverted: 83, looked_at: 84, offsets: 88, size: 112 };
/// `struct ip6t_entry`
const SIX: Shape = Shape { interfaces: 64, inverted: 132, looked_at: 136, offsets: 140, size: 168 };
/// `IFNAMSIZ`
const NAME: usize = 16;

/// Its chain `FORWARD`; `None` if that is no such table. `entries`: all rules; `forward` and `policy`: where the chain
/// begins and ends in them.
pub fn forwarding(six: bool, entries: &[u8], forward: usize, policy: usize) -> Option<Forwarding> {
    let shape = if six { SIX } else { FOUR };
    let mut at = 0;
    let mut chain = Forwarding {
        family: if six { Family::Ip6 } else { Family::Ip },
        table: "filter".to_owned(),
        chain: "FORWARD".to_owned(),
        docker: false,
        legacy: true,
        named: Vec::new(),
        policy: false,
        last: None,
    };
    while let Some(entry) = entries.get(at..).filter(|rest| rest.len() >= shape.size) {
        let offset =
            |at: usize| entry.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes).map(usize::from);
        let (target, next) = (offset(shape.offsets)?, offset(shape.offsets + 2)?);
        if next < shape.size || target > next {
            return None;
        }
        for (n, flag) in [(0, 1), (1, 2)] {
            let name = shape.interfaces + n * NAME;
            let mask = name + 2 * NAME;
            if entry[shape.inverted] & flag == 0 {
                chain.named.extend(interface(&entry[name..name + NAME], &entry[mask..mask + NAME]));
            }
        }
        // `struct xt_entry_target`: its size, its name, its revision; then what it is about.
        let verdict = entry.get(target + 2..next).unwrap_or_default();
        let name = until_zero(verdict.get(..29).unwrap_or_default());
        let about = verdict.get(30..).unwrap_or_default();
        chain.docker |= name == b"ERROR" && until_zero(about) == DOCKER.as_bytes();
        // A rule for all packets, or the policy, which is one for those that are left.
        let is_for_all = target == shape.size && entry[..shape.looked_at].iter().all(|byte| *byte == 0);
        let says = |verdict: i32| name.is_empty() && about.get(..4) == Some(&verdict.to_ne_bytes()[..]);
        // Verdicts are written as -verdict - 1: NF_DROP and NF_ACCEPT.
        let does = match () {
            () if !is_for_all => None,
            () if says(-1) || name == b"REJECT" => Some(true),
            () if says(-2) => Some(false),
            () => None,
        };
        if at == policy {
            chain.policy = does == Some(true);
        } else if (forward..policy).contains(&at) {
            chain.last = does;
        }
        at += next;
    }
    Some(chain)
}

/// An interface that a rule names, and whether that means all that begin so.
fn interface(name: &[u8], mask: &[u8]) -> Option<(String, bool)> {
    let named = until_zero(name);
    // The zero behind a name that is whole is compared, too.
    let all = mask.get(named.len()).is_none_or(|byte| *byte == 0);
    (!named.is_empty()).then(|| (String::from_utf8_lossy(named).into_owned(), all))
}

fn until_zero(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}
