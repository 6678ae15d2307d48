//! Services of the host that listen on every address: they have their port at the addresses of jails as well.

use crate::error::{Error, Result};
use model::config::Network;
use model::forward::Forward;
use model::ports::{Ports, Transport};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use sys::diag::{Listener, Protocol, listeners};

/// A service that listens on every address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    transport: Transport,
    port: u16,
    /// `0.0.0.0` or `::`
    at: IpAddr,
    inode: u32,
    /// Its program and its number, if they can be found out.
    process: Option<(String, i32)>,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.process {
            Some((program, pid)) => write!(f, "{program} (pid {pid})"),
            None => f.write_str("a service"),
        }
    }
}

impl Service {
    /// Which port it has everywhere: `tcp 80`.
    pub(crate) fn port(&self) -> String {
        format!("{} {}", self.transport, self.port)
    }

    /// What must be changed, so that it listens at an address of its own.
    pub(crate) fn mend(&self) -> String {
        let program = self.process.as_ref().map_or("", |(program, _)| program.as_str());
        let known = MENDS.iter().find(|(names, ..)| names.contains(&program));
        match known {
            Some((_, line, file)) => {
                format!("say \"{}\" in {file}", line.replace("PORT", &self.port.to_string()))
            }
            None => "let it listen at an address of its own".to_owned(),
        }
    }

    /// What a jail is told that might want the port.
    pub(crate) fn warning(&self) -> String {
        format!(
            "{} is not to be had at the jail's addresses: {self} of the host listens on every address; {}",
            self.port(),
            self.mend()
        )
    }
}

/// Programs, the line that gives them an address, and where it stands.
const MENDS: [(&[&str], &str, &str); 12] = [
    (&["sshd"], "ListenAddress ADDRESS", "/etc/ssh/sshd_config"),
    (&["nginx"], "listen ADDRESS:PORT;", "each server of /etc/nginx"),
    (&["apache2"], "Listen ADDRESS:PORT", "/etc/apache2/ports.conf"),
    (&["httpd"], "Listen ADDRESS:PORT", "/etc/httpd/conf/httpd.conf"),
    (&["named"], "listen-on { ADDRESS; };", "the options of /etc/bind/named.conf"),
    (&["unbound"], "interface: ADDRESS", "/etc/unbound/unbound.conf"),
    (&["dnsmasq"], "listen-address=ADDRESS, bind-interfaces", "/etc/dnsmasq.conf"),
    (&["master"], "inet_interfaces = ADDRESS", "/etc/postfix/main.cf"),
    (&["mysqld", "mariadbd"], "bind-address = ADDRESS", "the [mysqld] section of /etc/mysql"),
    (&["postgres"], "listen_addresses = 'ADDRESS'", "postgresql.conf"),
    (&["redis-server", "valkey-server"], "bind ADDRESS", "its configuration"),
    (&["systemd"], "ListenStream=ADDRESS:PORT", "the unit of this socket"),
];

/// All services that listen on every address. A kernel that does not tell knows none.
pub(crate) fn everywhere() -> Vec<Service> {
    let mut found = taken(|listener| listener.ip.is_unspecified());
    found.sort_by_key(|s| (s.port, s.transport == Transport::Udp, s.at));
    // Of one program, IPv4 and IPv6 are one matter.
    name(&mut found);
    found.dedup_by(|b, a| (b.port, b.transport, &b.process) == (a.port, a.transport, &a.process));
    found
}

/// What a jail at these addresses cannot have: of `listen`, if it has such, else of all ports.
pub(crate) fn in_the_way(addresses: &[IpAddr], listen: Option<&[Ports]>) -> Vec<Service> {
    let wanted = |service: &Service| {
        let port = |p: &Ports| p.transport == service.transport && (p.first..=p.last).contains(&service.port);
        listen.is_none_or(|all| all.iter().any(port))
    };
    let mut found = taken(|listener| addresses.iter().any(|ip| covers(listener, *ip)));
    found.retain(wanted);
    if !found.is_empty() {
        found.sort_by_key(|s| (s.port, s.transport == Transport::Udp, s.at));
        name(&mut found);
        found.dedup_by(|b, a| (b.port, b.transport, &b.process) == (a.port, a.transport, &a.process));
    }
    found
}

/// Does the socket hear what is sent to this address?
fn covers(listener: &Listener, ip: IpAddr) -> bool {
    match (listener.ip, ip) {
        (at, _) if !at.is_unspecified() => false,
        (IpAddr::V4(_), ip) => ip.is_ipv4(),
        (IpAddr::V6(_), ip) => ip.is_ipv6() || !listener.only_v6,
    }
}

/// What a jail with addresses of the host will not get. `waits`: it is ready when it listens there.
///
/// # Errors
/// When it cannot have what it is known to want.
pub(crate) fn look(network: &Network, waits: Option<Ports>) -> Result<Vec<String>> {
    let wanted: Vec<Ports> = network.listen.iter().flatten().copied().chain(waits).collect();
    let addresses: Vec<IpAddr> = network.ips().collect();
    free(&addresses, &wanted)?;
    let found = in_the_way(&addresses, network.listen.as_deref());
    Ok(found.iter().map(Service::warning).collect())
}

/// A start of which it is known what it wants to listen on: each of these ports must be free.
fn free(addresses: &[IpAddr], wanted: &[Ports]) -> Result<()> {
    // Of a range a jail may want one port and not the others.
    let ports: Vec<Ports> = wanted.iter().filter(|p| p.first == p.last && p.first != 0).copied().collect();
    if ports.is_empty() || addresses.is_empty() {
        return Ok(());
    }
    let Some(service) = in_the_way(addresses, Some(&ports)).into_iter().next() else { return Ok(()) };
    let covered = |ip: &&IpAddr| ip.is_ipv4() == service.at.is_ipv4();
    let ip = addresses.iter().find(covered).or_else(|| addresses.first()).map(|ip| at(*ip, service.port));
    Err(Error::refused(
        format!(
            "{} is taken by {service} on the host, which listens on {}",
            ip.unwrap_or_default(),
            service.at
        ),
        format!("{}, or give the jail a network of its own: network.mode = \"routed\"", service.mend()),
    ))
}

fn at(ip: IpAddr, port: u16) -> String {
    std::net::SocketAddr::new(ip, port).to_string()
}

/// Whose port it is that is forwarded to a jail: what comes from outside does not reach that service any more.
pub(crate) fn covered(forwards: &[Forward]) -> Vec<String> {
    let mut found = Vec::new();
    for forward in forwards {
        let at = |listener: &Listener| match forward.host {
            Some(ip) => listener.ip == ip || covers(listener, ip),
            None => !listener.ip.is_loopback(),
        };
        let Ports { transport, first, last } = forward.ports;
        let port = |s: &Service| s.transport == transport && (first..=last).contains(&s.port);
        found.extend(taken(at).into_iter().filter(port));
    }
    if found.is_empty() {
        return Vec::new();
    }
    found.sort_by_key(|s| (s.port, s.transport == Transport::Udp, s.at));
    name(&mut found);
    found.dedup_by(|b, a| (b.port, b.transport, &b.process) == (a.port, a.transport, &a.process));
    let warning = |service: &Service| {
        format!(
            "{} is forwarded to the jail: {service} of the host, which listens there, is not reached from outside; \
             forward another port, or let one of the two have it at an address of its own",
            service.port()
        )
    };
    found.iter().map(warning).collect()
}

fn taken(is_it: impl Fn(&Listener) -> bool) -> Vec<Service> {
    let mut found = Vec::new();
    // A datagram socket at a port of the kernel's choice is a client's.
    let chosen = chosen_by_the_kernel();
    for (transport, protocol) in [(Transport::Tcp, Protocol::Tcp), (Transport::Udp, Protocol::Udp)] {
        let all = listeners(protocol).unwrap_or_default();
        let serves = |l: &&Listener| transport == Transport::Tcp || !chosen.contains(&l.port);
        found.extend(all.iter().filter(serves).filter(|listener| is_it(listener)).map(|listener| Service {
            transport,
            port: listener.port,
            at: listener.ip,
            inode: listener.inode,
            process: None,
        }));
    }
    found
}

/// The ports that sockets get that ask for none (ip(7), `ip_local_port_range`).
fn chosen_by_the_kernel() -> RangeInclusive<u16> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut ports = text.split_whitespace().filter_map(|port| port.parse().ok());
    match (ports.next(), ports.next()) {
        (Some(first), Some(last)) => first..=last,
        _ => 32768..=60999,
    }
}

/// Finds the processes that have these sockets: the first of those that share one, but what
/// systemd holds for a service is the service's.
fn name(services: &mut [Service]) {
    let mut owners: BTreeMap<u32, (String, i32)> = BTreeMap::new();
    let mut pids: Vec<i32> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable_by_key(|pid| (*pid == 1, *pid));
    for pid in pids {
        for entry in std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
            let Some(inode) = std::fs::read_link(entry.path()).ok().and_then(|to| socket(to.to_str()?))
            else {
                continue;
            };
            if services.iter().any(|service| service.inode == inode) && !owners.contains_key(&inode) {
                let program = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
                owners.insert(inode, (program.trim_end().to_owned(), pid));
            }
        }
    }
    for service in services {
        service.process = owners.get(&service.inode).cloned();
    }
}

/// The inode of `socket:[N]`.
fn socket(link: &str) -> Option<u32> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(program: &str) -> Service {
        Service {
            transport: Transport::Tcp,
            port: 80,
            at: IpAddr::from([0, 0, 0, 0]),
            inode: 0,
            process: Some((program.to_owned(), 812)),
        }
    }

    #[test]
    fn who_must_be_changed_and_how() {
        assert_eq!(service("nginx").mend(), "say \"listen ADDRESS:80;\" in each server of /etc/nginx");
        assert_eq!(service("other").mend(), "let it listen at an address of its own");
        assert!(service("sshd").warning().starts_with("tcp 80 is not to be had"));
    }

    #[test]
    fn who_is_in_the_way_of_whom() {
        let listener = |ip: &str, only_v6| Listener { ip: ip.parse().unwrap(), port: 1, only_v6, inode: 1 };
        for (at, only_v6, ip, covered) in [
            ("0.0.0.0", false, "192.0.2.1", true),
            ("0.0.0.0", false, "2001:db8::1", false),
            ("::", false, "192.0.2.1", true),
            ("::", false, "2001:db8::1", true),
            ("::", true, "192.0.2.1", false),
            ("::", true, "2001:db8::1", true),
            ("192.0.2.1", false, "192.0.2.1", false),
        ] {
            assert_eq!(covers(&listener(at, only_v6), ip.parse().unwrap()), covered, "{at} {ip}");
        }
    }

    #[test]
    fn own_sockets_are_named() {
        let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let found = everywhere().into_iter().find(|found| found.port == port);
        let pid = i32::try_from(std::process::id()).unwrap();
        assert_eq!(found.and_then(|found| found.process).map(|(_, pid)| pid), Some(pid));
    }
}
