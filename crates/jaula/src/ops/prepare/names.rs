//! The list of names that jails share, as a jail has it.

use crate::house::House;
use model::config::{Config, Mount, MountSource, NetworkMode, RootSpec};
use model::confinement::{Confinement, may_mount};
use model::facts::Facts;
use model::plan::AppEntry;
use std::path::{Path, PathBuf};

/// Has the jail the list of names that jails share as its `/etc/hosts`? Virtual servers and other trees have a file of
/// their own, which is theirs to change; and what is mounted over it must stay read-only.
pub(super) fn shows_names(
    config: &Config,
    facts: &Facts,
    confinement: &Confinement,
    app: &[AppEntry],
    tree: Option<&Path>,
) -> bool {
    let target = Path::new(HOSTS);
    let below = target.strip_prefix("/").unwrap_or(target);
    let there = match &config.root.from {
        _ if config.network.mode == NetworkMode::None || !facts.root() => false,
        Some(RootSpec::App(_)) => match tree {
            Some(tree) => tree.join(below).is_file(),
            None => app.iter().any(|entry| entry.path == below),
        },
        Some(RootSpec::Host) => !config.root.is_own() && target.is_file(),
        _ => false,
    };
    there
        && !may_mount(config, confinement.capabilities)
        && !config.mounts.iter().any(|mount| target.starts_with(&mount.target))
}

const HOSTS: &str = "/etc/hosts";

/// Where the list is.
pub(super) fn names(house: &House) -> PathBuf {
    house.run.join(crate::names::FILE)
}

/// The configuration with the list mounted.
pub(super) fn with_names(house: &House, config: &Config) -> Config {
    let mut config = config.clone();
    config.mounts.push(Mount {
        source: MountSource::Bind { path: names(house), mapped: false },
        target: PathBuf::from(HOSTS),
        writable: false,
        exec: false,
    });
    config
}
