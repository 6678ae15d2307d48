//! What the tree was mounted with when it was another's.

use super::lines::switch_off;
use super::{Age, At, Fixer};

pub(super) fn fix(fixer: &mut Fixer<'_>) {
    if !matches!(fixer.guest.age, Age::Built { .. }) {
        // From now on what stands there is its root's own.
        return;
    }
    let is_mount = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    fixer.edit("/etc/fstab", "a jail's mounts are those of its configuration", |text| {
        switch_off(text, is_mount)
    });
    if matches!(fixer.files.at("/etc/mtab"), At::Text(_)) {
        fixer.link("/etc/mtab", "../proc/self/mounts", "the mounts are its own");
    }
}
