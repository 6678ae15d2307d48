//! The forms of single values: paths, names, limits.

use super::problem::{BadValue, shown};
use super::types::{CapabilityChange, Change, Nameserver, Ready};
use crate::caps::Capability;
use crate::name::{BadId, BadName};
use crate::signal::Signal;
use crate::suggest::nearest;
use crate::units::{BadUnit, Bytes};
use std::path::{Component, Path, PathBuf};

/// What `security.socket_families` knows. `route` is `AF_NETLINK` for `NETLINK_ROUTE` alone;
/// `AF_ALG` and `AF_VSOCK` can be had by no key.
pub const SOCKET_FAMILIES: &[&str] =
    &["unix", "inet", "inet6", "route", "netlink", "packet", "key", "can", "xdp"];

/// What `security.devices` knows, by path below `/dev`; the first five are the default.
pub const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom", "fuse", "net/tun"];

/// What `limits.account` knows: the cgroup controllers that count, by their cgroup v2 names.
pub const ACCOUNTED: &[&str] = &["memory", "pids", "cpu", "io", "hugetlb", "rdma", "misc"];

/// What `limits.process` knows: the names of getrlimit(2) in lower case, without `RLIMIT_`.
pub const PROCESS_LIMITS: &[&str] = &[
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

impl From<BadId> for BadValue {
    fn from(bad: BadId) -> Self {
        Self::new(bad.to_string())
    }
}

impl From<BadName> for BadValue {
    fn from(bad: BadName) -> Self {
        Self::new(bad.to_string())
    }
}

impl From<BadUnit> for BadValue {
    fn from(bad: BadUnit) -> Self {
        Self::new(bad.to_string())
    }
}

/// An address, or `inherit`.
pub(super) fn nameserver(text: &str) -> Result<Nameserver, BadValue> {
    match text.parse() {
        Ok(address) => Ok(Nameserver::Address(address)),
        Err(_) if text == "inherit" => Ok(Nameserver::Inherit),
        Err(_) => Err(BadValue::new(format!("{} is not an address", shown(text)))
            .help("write an address as 192.0.2.53, or \"inherit\" for the host's")),
    }
}

impl std::fmt::Display for Nameserver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Inherit => f.write_str("inherit"),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// A text that may be anything.
pub(super) fn anything(text: &str) -> Result<String, BadValue> {
    Ok(text.to_owned())
}

/// An absolute path without `..`; `//`, `/./` and a `/` at its end are taken away.
pub(super) fn absolute(text: &str) -> Result<PathBuf, BadValue> {
    let path = Path::new(text);
    if !path.is_absolute() {
        return Err(BadValue::new(format!("{} is not an absolute path", shown(text))));
    }
    if path.components().any(|c| c == Component::ParentDir) {
        return Err(BadValue::new(format!("{} has a \"..\" in it", shown(text))));
    }
    Ok(path.components().collect())
}

/// A relative path made absolute, by its words alone; `None` if it is absolute.
pub(super) fn rebase(text: &str, base: &Path) -> Option<String> {
    if text.is_empty() || text.starts_with('/') {
        return None;
    }
    let mut path = PathBuf::new();
    for component in base.join(text).components() {
        match component {
            Component::ParentDir => _ = path.pop(),
            other => path.push(other),
        }
    }
    path.into_os_string().into_string().ok()
}

/// A host name: labels of letters, digits and `-`, with dots between, at most 64 bytes as
/// uname(2) holds them.
pub(super) fn hostname(text: &str) -> Result<String, BadValue> {
    let bad = |why| Err(BadValue::new(format!("{} is not a host name: {why}", shown(text))));
    if text.len() > 64 {
        return bad("it is longer than 64 bytes");
    }
    for label in text.split('.') {
        if label.is_empty() || label.len() > 63 {
            return bad("between dots stand 1 to 63 bytes");
        }
        if !label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return bad("only letters, digits, '-' and '.' may stand in it");
        }
        if label.starts_with('-') || label.ends_with('-') {
            return bad("no part of it begins or ends with '-'");
        }
    }
    Ok(text.to_owned())
}

/// The name of a user or group, or its number inside.
pub(super) fn account(text: &str) -> Result<String, BadValue> {
    let number = text.bytes().all(|b| b.is_ascii_digit());
    let good = match number {
        true => text.parse::<u16>().is_ok(),
        false => {
            text.len() <= 256
                && !text.starts_with(['-', '+'])
                && !text
                    .contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, ':' | '/' | ','))
        }
    };
    if good {
        return Ok(text.to_owned());
    }
    let bad = BadValue::new(format!("{} is not a user or group", shown(text)));
    Err(if number && !text.is_empty() { bad.help("a jail has the numbers from 0 to 65535") } else { bad })
}

/// `user`, or `user:group`.
pub(super) fn user(text: &str) -> Result<String, BadValue> {
    text.split_once(':').map_or_else(|| account(text), |(u, g)| account(u).and_then(|_| account(g)))?;
    Ok(text.to_owned())
}

/// The name of a signal, without `SIG`.
pub(super) fn signal(text: &str) -> Result<String, BadValue> {
    text.parse().map(|signal: Signal| signal.to_string()).map_err(|bad| BadValue {
        help: bad.nearest.map(|name| format!("did you mean {name:?}?")),
        message: bad.to_string(),
    })
}

/// `auto`, `alive`, `notify` or a port.
pub(super) fn ready(text: &str) -> Result<Ready, BadValue> {
    match text {
        "auto" => Ok(Ready::Auto),
        "alive" => Ok(Ready::Alive),
        "notify" => Ok(Ready::Notify),
        _ if text.starts_with("tcp ") || text.starts_with("udp ") => text.parse().map(Ready::Port),
        _ => Err(BadValue::new(format!(
            "{} is none of \"auto\", \"alive\", \"notify\", nor a port as \"tcp 80\"",
            shown(text)
        ))
        .help(format!("a command is a list: {}", as_list(text)))),
    }
}

/// The words of `text` as a list in TOML.
pub(super) fn as_list(text: &str) -> String {
    text.split_whitespace().collect::<toml_edit::Array>().to_string()
}

/// The size at which a log is rotated.
pub(super) fn log_size(text: &str) -> Result<Bytes, BadValue> {
    match text.parse()? {
        size if size < Bytes(4096) => Err(BadValue::new(format!("{} is less than 4k", shown(text)))),
        size => Ok(size),
    }
}

/// The name of a variable of the environment.
pub(super) fn variable(name: &str) -> Result<String, BadValue> {
    let good = !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !name.as_bytes()[0].is_ascii_digit();
    if good {
        return Ok(name.to_owned());
    }
    Err(BadValue::new(format!("{} is not the name of a variable", shown(name)))
        .help("names are letters, digits and '_', and do not begin with a digit"))
}

/// A word of a list that jaula knows.
pub(super) fn one_of(text: &str, words: &[&str]) -> Result<String, BadValue> {
    if words.contains(&text) { Ok(text.to_owned()) } else { Err(BadValue::none_of(text, words)) }
}

/// `soft:hard`, or one number for both; `unlimited` is `None`.
pub(super) fn process_limit(text: &str) -> Result<(Option<u64>, Option<u64>), BadValue> {
    let one = |text: &str| match text {
        "unlimited" => Ok(None),
        text => text.parse().map(|Bytes(n)| Some(n)).map_err(|_| {
            BadValue::new(format!("{} is not a limit", shown(text)))
                .help("write a number, a size such as 64M, \"unlimited\", or \"SOFT:HARD\"")
        }),
    };
    let (soft, hard) = match text.split_once(':') {
        Some((soft, hard)) => (one(soft)?, one(hard)?),
        None => (one(text)?, one(text)?),
    };
    if hard.is_some_and(|hard| soft.is_none_or(|soft| soft > hard)) {
        return Err(BadValue::new(format!("{}: the soft limit is above the hard limit", shown(text))));
    }
    Ok((soft, hard))
}

/// A limit as [`process_limit`] reads it.
pub(super) fn process_limit_text((soft, hard): (Option<u64>, Option<u64>)) -> String {
    let one = |limit: Option<u64>| limit.map_or_else(|| "unlimited".to_owned(), |n| n.to_string());
    if soft == hard { one(soft) } else { format!("{}:{}", one(soft), one(hard)) }
}

/// `+name` or `-name`, where `parse` reads the name.
fn change<T>(text: &str, parse: impl Fn(&str) -> Result<T, BadValue>) -> Result<Change<T>, BadValue> {
    match text.split_at_checked(1) {
        Some(("+", name)) => parse(name).map(Change::Add),
        Some(("-", name)) => parse(name).map(Change::Remove),
        _ => Err(BadValue::new(format!("{} begins with neither '+' nor '-'", shown(text))).help(format!(
            "write {:?} to allow it, {:?} to refuse it",
            format!("+{text}"),
            format!("-{text}")
        ))),
    }
}

/// `-all`, or `+name` or `-name` of a capability.
pub(super) fn capability(text: &str) -> Result<CapabilityChange, BadValue> {
    if text == "-all" {
        return Ok(CapabilityChange::RemoveAll);
    }
    let changed = change(text, |name| {
        Capability::from_name(name).ok_or_else(|| {
            let bad = BadValue::new(format!("{} is not a capability", shown(name)));
            match nearest(name, Capability::all().map(Capability::name)) {
                Some(name) => bad.help(format!("did you mean {name:?}?")),
                None => bad.help("capabilities(7) lists them"),
            }
        })
    })?;
    Ok(match changed {
        Change::Add(cap) => CapabilityChange::Add(cap),
        Change::Remove(cap) => CapabilityChange::Remove(cap),
    })
}

/// `+name` or `-name` of a system call. Whether there is one of that name is the filter's
/// matter, for it depends on the machine.
pub(super) fn system_call(text: &str) -> Result<Change<String>, BadValue> {
    change(text, |name| {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        match !name.is_empty() && name.len() <= 64 && name.bytes().all(good) {
            true => Ok(name.to_owned()),
            false => Err(BadValue::new(format!("{} is not the name of a system call", shown(name)))),
        }
    })
}

impl std::fmt::Display for CapabilityChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RemoveAll => f.write_str("-all"),
            Self::Add(cap) => write!(f, "+{}", cap.name()),
            Self::Remove(cap) => write!(f, "-{}", cap.name()),
        }
    }
}

impl std::fmt::Display for Change<String> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Add(name) => write!(f, "+{name}"),
            Self::Remove(name) => write!(f, "-{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asserts what a parser takes and what it refuses.
    fn table<T>(parse: fn(&str) -> Result<T, BadValue>, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(parse(text).is_ok(), "{text:?}");
        }
        for text in bad {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn forms() {
        table(absolute, &["/", "/a", "/a//b/./c/"], &["", "a", "./a", "../a", "/a/..", "/../a"]);
        let label = "x".repeat(63);
        table(
            hostname,
            &["www", "www.example.org", "1", "a-b", &label],
            &["", ".", "a.", "a..b", "-a", "a-", "a_b", "ü", "a b", &"x".repeat(64), &"x.".repeat(33)],
        );
        table(
            user,
            &["www-data", "0", "0:65535", "a:b", "host$"],
            &["", "a:", ":b", "a:b:c", "65536", "a b", "-a"],
        );
        table(variable, &["A", "_a1"], &["", "1A", "A-B", "A=B", "Ä"]);
        table(
            process_limit,
            &["0", "1024", "1024:4096", "64M", "unlimited", "5:unlimited", "unlimited:unlimited"],
            &["", ":", "1:", "5:4", "unlimited:5", "-1", "1:2:3", "infinity"],
        );
        table(capability, &["+net_raw", "-CAP_CHOWN"], &["", "+", "net_raw", "+net", "é"]);
        table(system_call, &["+mount", "-io_uring_setup"], &["", "-", "mount", "+Mount", "+a b"]);
        table(log_size, &["4k", "1M"], &["0", "4095", "x"]);
        assert_eq!(capability("-sys_chrot").unwrap_err().help.unwrap(), "did you mean \"sys_chroot\"?");
    }

    #[test]
    fn relative_paths_get_a_base() {
        let base = Path::new("/srv/site");
        for (text, path) in [
            ("www", Some("/srv/site/www")),
            ("./www/", Some("/srv/site/www")),
            ("../a/../b", Some("/srv/b")),
            ("../../../..", Some("/")),
            ("/abs", None),
            ("", None),
        ] {
            assert_eq!(rebase(text, base).as_deref(), path, "{text}");
        }
    }
}
