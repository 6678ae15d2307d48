//! `jaula config show --effective`: what holds in a jail, default or not, and what it means.

use crate::error::{Error, Result};
use crate::house::House;
use crate::ops::prepare::confinement;
use crate::registry;
use model::config::effective::{Effective, Expansion, effective};
use model::config::keys::Key;
use model::config::{Config, Profile, RootSpec};
use model::confinement::Confinement;
use model::name::Name;
use model::seccomp::{Explanation, Policy, explain};

/// What holds in a jail.
#[derive(Debug)]
pub struct Holds {
    /// Key by key.
    pub keys: Vec<Effective>,
    /// What its processes may do.
    pub confinement: Confinement,
    /// What becomes of system calls.
    pub calls: Explanation,
}

/// What holds in a jail by its configuration.
pub fn holds(house: &House, name: &Name) -> Result<Holds> {
    let (path, text) = registry::text(house, name)?;
    let problems = |p| Error::problems(&p, Some(&path));
    let config = Config::parse(&text).map_err(problems)?;
    let confinement = confinement(&config)?;
    let policy = Policy::of(&config.security).map_err(|bad| Error::Config {
        problems: bad.iter().map(ToString::to_string).collect(),
        help: None,
    })?;
    let calls = explain(&policy);
    let expand = |config: &Config, key: &'static Key| expansion(name, config, key, &confinement, &calls);
    let keys = effective(&text, expand).map_err(problems)?;
    Ok(Holds { keys, confinement, calls })
}

/// What a key comes to, where that takes more than the table of keys.
fn expansion(
    name: &Name,
    config: &Config,
    key: &Key,
    confinement: &Confinement,
    calls: &Explanation,
) -> Option<Expansion> {
    let means = |meaning: String| Some(Expansion { value: None, meaning });
    let is = |value: bool, meaning: &str| {
        Some(Expansion { value: Some(value.to_string()), meaning: meaning.to_owned() })
    };
    let call = |what: &str| {
        let how = calls.groups.iter().find(|(group, _)| *group == what).map(|(_, how)| how.clone());
        means(format!("{what}: {}", how.unwrap_or_default()))
    };
    match key.path {
        "id" => means(match config.id.map(model::name::Id::range) {
            Some(range) => format!(
                "its users and groups 0 to {} are {} to {} on the host",
                range.count - 1,
                range.outside,
                u64::from(range.outside) + u64::from(range.count) - 1
            ),
            None => "a start gives it one".to_owned(),
        }),
        "hostname" if config.hostname.is_none() => means(format!("{name}, the jail's name")),
        "boot.command" if config.boot.command.is_empty() => means(match &config.root.from {
            Some(RootSpec::App(program)) => format!("{}, the program of root.from", program.display()),
            _ => "nothing to start".to_owned(),
        }),
        "boot.user" if config.boot.user.is_none() => means("root inside".to_owned()),
        "security.capabilities" => means(format!("{}", confinement.capabilities)),
        "security.system_calls" => {
            means(format!("{} calls are always refused; see below", calls.refused.len()))
        }
        "security.no_new_privileges" if confinement.no_new_privileges => {
            is(true, "setuid programs and file capabilities gain nothing")
        }
        "security.no_new_privileges" => is(false, "setuid programs and file capabilities work"),
        "security.set_hostname" => call("setting the host name"),
        "security.sysvipc" => call("System V IPC"),
        "security.mount" => call("mounts"),
        "security.raw_sockets" => call("raw sockets"),
        "security.socket_families" => call("socket families"),
        "security.nesting" => call("new user namespaces"),
        "security.proc" => match (config.security.proc, config.security.profile) {
            (Some(false), _) => is(false, "there is no /proc"),
            (_, Profile::Strict) => is(true, "/proc shows processes and nothing else"),
            _ => is(true, "/proc without what is the host's"),
        },
        "security.sys" => match config.security.sys() {
            true if config.network.mode.is_hosts() => {
                is(false, "there is no /sys in a jail with the host's network")
            }
            true => is(true, "/sys, read-only"),
            false => is(false, "there is no /sys"),
        },
        "limits.process" if !config.limits.process.contains_key("core") => {
            means("no core files; else the limits of whoever starts the jail".to_owned())
        }
        _ => None,
    }
}
