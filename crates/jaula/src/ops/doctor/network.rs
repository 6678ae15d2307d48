//! What stands between jails with a network of their own and everybody else: switches of the host, rules of
//! others, and what jaula has put into the host's firewall itself.

use super::{Finding, Fix};
use crate::firewall::{foreign, shares, whole};
use crate::house::House;
use crate::launch::bind;
use crate::ops::prepare::forwarded::{SWITCHES, bridges_filter, is_off, setting};
use crate::registry;
use model::config::NetworkMode;
use model::firewall::foreign::Interfaces;
use model::link;
use model::name::{Id, Name};
use std::collections::BTreeSet;

/// A jail whose packets pass the host.
#[derive(Debug)]
struct Used {
    /// Its name, or its link if it has no configuration.
    by: String,
    /// The interface by which they come to the rules of IP.
    through: String,
    /// Does the host pass them on?
    routes: bool,
    four: bool,
    six: bool,
    guard: bool,
}

pub(super) fn findings(house: &House) -> Vec<Finding> {
    if sys::process::user() != 0 {
        // Jails of users have no such network.
        return Vec::new();
    }
    let used = used(house);
    let mut found = Vec::new();
    for (switch, six) in SWITCHES.iter().zip([false, true]) {
        found.extend(forwarding(switch, six, &used));
    }
    found.extend(sources(&used));
    found.extend(dropping(&used));
    found.extend(table(house));
    let bind = configured_with(house, NetworkMode::Bind);
    found.push(programs(bind.first().map(|(name, _)| name)));
    found.extend(pings(&bind));
    found
}

/// The jails with a configuration that have this mode.
fn configured_with(house: &House, mode: NetworkMode) -> Vec<(Name, Option<Id>)> {
    let id = |name: &Name| {
        let config = registry::config(house, name).ok().filter(|config| config.network.mode == mode)?;
        Some(config.id)
    };
    let all = registry::configured(house).unwrap_or_default().into_iter();
    all.filter_map(|name| id(&name).map(|id| (name, id))).collect()
}

/// Whose groups may open ping sockets. Jails in mode `bind` have the host's setting, and jails with a network of
/// their own one of their own.
fn pings(bind: &[(Name, Option<Id>)]) -> Option<Finding> {
    const SWITCH: &str = "net.ipv4.ping_group_range";
    let value = setting(SWITCH)?;
    let mut numbers = value.split_whitespace().map_while(|number| number.parse::<u32>().ok());
    let (first, last) = (numbers.next()?, numbers.next()?);
    let may = |id: Option<Id>| {
        // One without a number gets one when it starts.
        let range = id.or_else(|| Id::new(Id::FIRST).ok()).map(Id::range);
        range.is_none_or(|range| first <= range.outside && range.outside + (range.count - 1) <= last)
    };
    Some(match bind.iter().find(|(_, id)| !may(*id)) {
        Some((jail, _)) => Finding {
            fix: Some(Fix::Settings(vec![(SWITCH.to_owned(), "0 4294967294".to_owned())])),
            ..Finding::warning(
                SWITCH,
                format!("{value}: jail {jail} cannot ping (network.mode = \"bind\")"),
                format!("sysctl -w {SWITCH}=\"0 4294967294\""),
            )
        },
        None if bind.is_empty() => {
            Finding::ok(SWITCH, format!("{value}: no jail with a configuration needs it"))
        }
        None => Finding::ok(SWITCH, "jails in mode \"bind\" can ping (ping -B)"),
    })
}

/// Where programs are kept between starts. `jail`: one that needs them.
fn programs(jail: Option<&Name>) -> Finding {
    let what = "BPF file system";
    if bind::is_kept() {
        return Finding::ok(what, "a jail in mode \"bind\" takes its programs from there");
    }
    match jail {
        None => Finding::ok(what, "not mounted: no jail with a configuration needs it"),
        Some(jail) => Finding {
            fix: Some(Fix::Programs),
            ..Finding::warning(
                what,
                format!(
                    "not mounted: jail {jail} loads its programs at each start, which takes some milliseconds"
                ),
                "mount -t bpf bpf /sys/fs/bpf; for each boot, a line in /etc/fstab: bpf /sys/fs/bpf bpf mode=700 0 0",
            )
        },
    }
}

/// Configured jails, and those of `jaula run`.
fn used(house: &House) -> Vec<Used> {
    let bridge = link::bridge(&house.tag);
    let mut all = Vec::new();
    let mut links = BTreeSet::new();
    for name in registry::configured(house).unwrap_or_default() {
        let Ok(config) = registry::config(house, &name) else { continue };
        let network = &config.network;
        // One without a number gets one when it starts: its link will be called like any.
        let link =
            config.id.or_else(|| Id::new(Id::FIRST).ok()).map(|id| id.link(&house.tag)).unwrap_or_default();
        let (through, routes) = match (network.mode, network.bridge()) {
            (NetworkMode::Routed, _) => (link.clone(), true),
            (NetworkMode::Bridge, Some((_, true))) => (bridge.clone(), true),
            (NetworkMode::Bridge, Some((other, false))) => (other.to_owned(), false),
            _ => continue,
        };
        links.insert(link);
        let has = |six| network.ips().any(|ip| ip.is_ipv6() == six);
        let (four, six) = (network.dhcp || has(false), has(true));
        all.push(Used { by: format!("jail {name}"), through, routes, four, six, guard: network.guard });
    }
    for share in shares(&house.run).into_iter().filter(|share| !links.contains(&share.jail)) {
        let has = |six| share.addresses.iter().any(|ip| ip.is_ipv6() == six);
        let through = if share.bridged { bridge.clone() } else { share.jail.clone() };
        let (four, six, guard) = (has(false), has(true), share.guard.is_some());
        let by = format!("the jail behind {}", share.jail);
        all.push(Used { by, through, routes: true, four, six, guard });
    }
    all
}

fn forwarding(switch: &str, six: bool, used: &[Used]) -> Option<Finding> {
    let value = setting(switch)?;
    let user = used.iter().find(|jail| jail.routes && if six { jail.six } else { jail.four });
    let mut fixes: Vec<(String, String)> = Vec::new();
    let mut why = Vec::new();
    // Who passes packets on does not listen to routers any more, unless told to.
    for device in user.iter().filter(|_| six).flat_map(|_| led_by_routers()) {
        why.push(format!("{device} would lose its router, whose advertisements are heard no more"));
        fixes.push((format!("net.ipv6.conf.{device}.accept_ra"), "2".to_owned()));
    }
    if is_off(switch) {
        let Some(user) = user else {
            return Some(Finding::ok(switch, "0: no jail with a configuration needs it"));
        };
        why.insert(0, format!("0: {} reaches this host at most", user.by));
        fixes.push((switch.to_owned(), "1".to_owned()));
    }
    Some(match fixes.is_empty() {
        true => Finding::ok(switch, format!("{value}: packets of routed and bridged jails are passed on")),
        false => settings(switch, why.join("; "), fixes),
    })
}

/// Interfaces that have their way out from a router's advertisement (RFC 4861), which the kernel follows.
fn led_by_routers() -> BTreeSet<String> {
    // RTF_DEFAULT, RTF_ADDRCONF (linux/ipv6_route.h)
    const LED: u32 = 0x0001_0000 | 0x0004_0000;
    let routes = std::fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default();
    let device = |line: &str| {
        let mut words = line.split_whitespace().skip(8);
        let flags = u32::from_str_radix(words.next()?, 16).ok()?;
        let device = words.next()?;
        let listens = setting(&format!("net.ipv6.conf.{device}.accept_ra")).as_deref() == Some("1");
        (flags & LED == LED && listens).then(|| device.to_owned())
    };
    routes.lines().filter_map(device).collect()
}

/// Whether packets may come in by an interface that their source is not behind (RFC 3704). A jail's own come in
/// by its link, and answers to it by the way out: neither is ever a fault of its.
fn sources(used: &[Used]) -> Option<Finding> {
    let value = |which: &str| setting(&format!("net.ipv4.conf.{which}.rp_filter"))?.parse::<u8>().ok();
    let (all, next) = (value("all")?, value("default")?);
    let what = "net.ipv4.conf.default.rp_filter";
    // The higher number of both counts for an interface, and 2 is the loose kind.
    let without = used.iter().find(|jail| jail.routes && jail.four && !jail.guard);
    Some(match (all.max(next), without) {
        (1, _) => Finding::ok(
            what,
            "1: what comes in from elsewhere than its source is dropped; routed jails work so",
        ),
        (value, None) => Finding::ok(what, format!("{value}: network.guard keeps jails to their addresses")),
        (2, Some(jail)) if all == 2 => Finding::warning(
            what,
            format!(
                "net.ipv4.conf.all.rp_filter is 2: {}, without a guard, can send in the name of others",
                jail.by
            ),
            "network.guard = true",
        ),
        (value, Some(jail)) => settings(
            what,
            format!("{value}: {}, without a guard, can send in the name of others", jail.by),
            vec![(what.to_owned(), "1".to_owned())],
        ),
    })
}

/// Chains of others that drop what is forwarded.
fn dropping(used: &[Used]) -> Vec<Finding> {
    let filtered: Vec<&Used> = used.iter().filter(|jail| jail.routes || bridges_filter()).collect();
    let mut found = Vec::new();
    for chain in foreign::dropping(true, true).unwrap_or_default() {
        let held = |jail: &&&Used| chain.concerns(jail.four, jail.six) && !chain.knows(&jail.through);
        let held: Vec<&&Used> = filtered.iter().filter(held).collect();
        let what = chain.to_string();
        found.push(match held.first() {
            None => {
                Finding::ok(what, "drops what is forwarded, but nothing of the jails that are configured")
            }
            Some(jail) => {
                let interfaces: BTreeSet<_> =
                    held.iter().map(|jail| Interfaces::like(&jail.through)).collect();
                let mends: Vec<String> = interfaces.iter().map(|all| chain.mend(all)).collect();
                let others = match held.len() - 1 {
                    0 => String::new(),
                    n => format!(" and {n} more"),
                };
                let why = format!("drops what is forwarded from and to {}{others}", jail.by);
                Finding::warning(what, why, mends.join("; "))
            }
        });
    }
    found
}

/// What running jails have in it.
fn table(house: &House) -> Option<Finding> {
    let what = "nf_tables table jaula";
    match whole::broken(house) {
        Ok((0, _)) => None,
        Ok((jails, broken)) if broken.is_empty() => {
            Some(Finding::ok(what, format!("translation, forwards and guards of {jails} running jails")))
        }
        Ok((_, broken)) => {
            let names: Vec<&str> = broken.iter().map(|name| name.as_str()).collect();
            let why = format!(
                "somebody has removed rules of it (nft flush ruleset?): {} without guard, translation or forwards",
                names.join(", ")
            );
            Some(Finding { fix: Some(Fix::Firewall), ..Finding::warning(what, why, "jaula gc") })
        }
        Err(error) => Some(Finding::warning(what, error.to_string(), "see the error")),
    }
}

/// Settings that are not as they should be.
fn settings(what: &str, why: String, fixes: Vec<(String, String)>) -> Finding {
    let written: Vec<String> = fixes.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mend = format!("sysctl -w {}", written.join(" "));
    Finding { fix: Some(Fix::Settings(fixes)), ..Finding::warning(what, why, mend) }
}
