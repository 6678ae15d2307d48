//! The list of jails by name and address that the jails of a host share, in the form of hosts(5).
//!
//! It is the host's own list, and after it a line for each address of each running jail. Each line ends with the jail
//! that it is of; a jail without addresses that only reads the list has a line as well, so that the list stays as long
//! as somebody has it.

use crate::name::Name;
use std::net::IpAddr;

/// What the host's own names end with.
const BEGIN: &str = "# jails of this host, by jaula\n";

/// What a line ends with.
const OF: &str = "# jail ";

/// The list with this jail's lines in the place of those that it had; `own` are the host's names.
pub fn with(text: &str, own: &str, name: &Name, hostname: Option<&str>, ips: &[IpAddr]) -> String {
    let mut lines = without(text, name);
    for line in self::lines(name, hostname, ips).lines() {
        lines += &format!("{line} {OF}{name}\n");
    }
    if ips.is_empty() {
        lines += &format!("{OF}{name}\n");
    }
    let end = if own.is_empty() || own.ends_with('\n') { "" } else { "\n" };
    format!("{own}{end}{BEGIN}{lines}")
}

/// A jail's names at each of its addresses.
pub fn lines(name: &Name, hostname: Option<&str>, ips: &[IpAddr]) -> String {
    let long = hostname.filter(|hostname| *hostname != name.as_str());
    let short =
        long.and_then(|long| long.split_once('.')).map(|(short, _)| short).filter(|s| *s != name.as_str());
    let names: Vec<&str> = [long, Some(name.as_str()), short].into_iter().flatten().collect();
    ips.iter().map(|ip| format!("{ip} {}\n", names.join(" "))).collect()
}

/// The lines of jails other than this one; empty if there are none.
pub fn without(text: &str, name: &Name) -> String {
    let lines = text.split_once(BEGIN).map_or("", |(_, lines)| lines);
    let theirs = |line: &&str| line.trim_end().rsplit_once(OF).is_some_and(|(_, of)| of != name.as_str());
    lines.split_inclusive('\n').filter(theirs).collect()
}

/// The list without this jail; `None` if nobody is left in it.
pub fn left(text: &str, name: &Name) -> Option<String> {
    let own = text.split_once(BEGIN).map_or(text, |(own, _)| own);
    let lines = without(text, name);
    (!lines.is_empty()).then(|| format!("{own}{BEGIN}{lines}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn jails_come_and_go() {
        let ips = |all: &[&str]| -> Vec<IpAddr> { all.iter().map(|ip| ip.parse().unwrap()).collect() };
        let own = "127.0.0.1 localhost";
        let one = with("", own, &name("www"), Some("web.example.org"), &ips(&["192.0.2.1", "2001:db8::1"]));
        let www =
            "192.0.2.1 web.example.org www web # jail www\n2001:db8::1 web.example.org www web # jail www\n";
        assert_eq!(one, format!("{own}\n{BEGIN}{www}"));
        let two = with(&one, own, &name("db"), None, &ips(&["192.0.2.2"]));
        assert_eq!(two, format!("{own}\n{BEGIN}{www}192.0.2.2 db # jail db\n"));
        assert_eq!(with(&two, own, &name("db"), None, &ips(&["192.0.2.2"])), two, "twice is once");
        let three = with(&two, "", &name("reader"), None, &[]);
        assert!(
            three.ends_with("# jail reader\n") && three.starts_with(BEGIN),
            "the host's names were changed"
        );
        let rest = left(&left(&three, &name("www")).unwrap(), &name("db")).unwrap();
        assert_eq!(rest, format!("{BEGIN}# jail reader\n"));
        assert_eq!(left(&rest, &name("reader")), None);
        assert_eq!(left("nonsense", &name("www")), None);
    }
}
