//! What stands between a jail and whom its packets are for: switches of the host, and rules of others.

use crate::firewall::foreign;
use model::config::Config;
use model::firewall::foreign::Interfaces;
use model::plan::{HostStep, Leads, Plan};

/// A setting of the host; none if its kernel has no such setting. Several values have a space between them.
pub(crate) fn setting(name: &str) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/"))).ok()?;
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Do packets that only cross a bridge pass the rules of IP as well (br_netfilter)?
pub(crate) fn bridges_filter() -> bool {
    setting("net.bridge.bridge-nf-call-iptables").as_deref() == Some("1")
}

/// The host's switches for passing packets on: IPv4's and IPv6's.
pub(crate) const SWITCHES: [&str; 2] = ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"];

/// Is a switch off?
pub(crate) fn is_off(switch: &str) -> bool {
    setting(switch).as_deref() == Some("0")
}

/// What keeps packets from and to the jail from going on.
pub(super) fn warnings(plan: &Plan, config: &Config) -> Vec<String> {
    let network = &config.network;
    let link =
        plan.host.iter().find_map(|step| if let HostStep::Link(link) = step { Some(link) } else { None });
    let Some(link) = link.filter(|_| network.mode.passes_host()) else { return Vec::new() };
    let ours = network.bridge().is_none_or(|(_, ours)| ours);
    let through = match &link.leads {
        Leads::Host => &link.name,
        Leads::Bridge(bridge) if ours || bridges_filter() => bridge,
        _ => return Vec::new(),
    };
    let (four, six) =
        (network.dhcp || network.ips().any(|ip| ip.is_ipv4()), network.ips().any(|ip| ip.is_ipv6()));
    let mut all = Vec::new();
    // With a link to the host itself it is an error.
    if ours && link.leads != Leads::Host {
        for (switch, _) in SWITCHES.iter().zip([four, six]).filter(|(switch, used)| *used && is_off(switch)) {
            all.push(format!(
                "the jail reaches this host and other jails only: {switch} = 0; to change it: jaula doctor --fix, or sysctl -w \
                 {switch}=1"
            ));
        }
    }
    // Who cannot be asked does not keep a jail from starting.
    for chain in foreign::dropping(four, six).unwrap_or_default() {
        if !chain.knows(through) {
            all.push(format!(
                "{chain} drops what is forwarded from and to the jail, whatever else lets it through; to let it \
                 through: {}",
                chain.mend(&Interfaces::like(through))
            ));
        }
    }
    all
}
