//! What plans must know of this host.

use crate::house::House;
use model::config::Config;
use model::facts::{Cgroups, Facts};
use model::seccomp::Arch;
use std::path::PathBuf;

/// The architecture that jaula was built for.
pub const ARCH: Arch = if cfg!(target_arch = "aarch64") { Arch::Aarch64 } else { Arch::X86_64 };

/// What a plan must know for one more process in a jail that runs; `scoped`: it shares the
/// host's network.
pub(crate) fn of_process(scoped: bool) -> Facts {
    Facts {
        user: sys::process::user(),
        group: sys::process::group(),
        last_capability: sys::process::last_capability(),
        landlock: if scoped { sys::process::landlock() } else { 0 },
        decides_ports: false,
        cgroups: Cgroups::default(),
        run: PathBuf::new(),
        lib: PathBuf::new(),
        house: String::new(),
    }
}

/// Gathers the facts that the plan of this jail needs.
pub fn gather(house: &House, config: &Config) -> Facts {
    let shared_network = config.network.mode.is_hosts();
    let decides_ports = config.network.listen.is_some() && sys::process::user() == 0;
    Facts {
        decides_ports: decides_ports && crate::launch::ports::can_decide(),
        cgroups: crate::cgroup::find(!config.limits.account.is_empty()),
        run: house.run.clone(),
        lib: house.lib.join("jails"),
        house: house.tag.clone(),
        ..of_process(shared_network)
    }
}
