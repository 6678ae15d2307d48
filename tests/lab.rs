//! What needs a host as it is installed: systemd as its process 1, cgroup version 2 alone, AppArmor, and file
//! systems with project quota. `cargo xtask lab` is one.

mod debian;
mod kept;
mod network;
mod quota;
mod reboot;

use jaula_tests::harness::{Outcome, Test, busybox_root, command};
use jaula_tests::trials;
use libtest_mimic::Trial;
use std::fs;

pub(crate) fn trials() -> Vec<Trial> {
    let here = trials!("lab": lab [a_host_with_systemd]);
    [here, debian::trials(), kept::trials(), network::trials(), quota::trials(), reboot::trials()]
        .into_iter()
        .flatten()
        .collect()
}

/// All that jails need is there, and one runs, from a service and from a login's scope.
fn a_host_with_systemd(t: &Test) -> Outcome {
    let found = t.jaula().json(&["doctor", "--json"])?;
    let text = found.to_string();
    assert!(!text.contains("\"missing\""), "{found}");
    assert!(fs::read_to_string("/proc/1/comm")?.starts_with("systemd"));
    let tree = busybox_root()?;
    let jaula =
        t.jaula().command(["run", "--root", &format!("dir:{}", tree.display()), "--", "echo", "works"])?;
    let words: Vec<String> = std::iter::once(jaula.get_program())
        .chain(jaula.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let house = format!("JAULA_ROOT={}", t.root().display());
    for how in [vec!["--scope", "--quiet"], vec!["--pipe", "--quiet", "--wait"]] {
        let own = format!("--setenv={house}");
        let mut all = vec!["systemd-run", &own];
        all.extend(how);
        all.extend(words.iter().map(String::as_str));
        assert_eq!(command(&all)?.ok()?, "works\n");
    }
    Ok(())
}
