//! Whole Debians as templates of a test's house: `cargo xtask setup` makes them once
//! (`xtask/src/templates.rs`), and a test gets one without a copy.

use super::build::target_directory;
use super::test::{Outcome, Test};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::PathBuf;

/// The templates that tests may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Template {
    /// Debian 13 with systemd and systemd-resolved.
    Debian13,
    /// Debian 12 with systemd and ifupdown.
    Debian12,
    /// Debian 13 with sysvinit.
    Debian13Sysv,
    /// Debian 13 with OpenRC below sysvinit.
    Debian13Openrc,
    /// A small system in Alpine's shape: busybox, OpenRC, apk's database.
    AlpineShaped,
    /// A system of RPM packages in Red Hat's shape, with systemd and NetworkManager.
    RpmShaped,
}

impl Template {
    /// Its name in a house.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debian13 => "debian-13",
            Self::Debian12 => "debian-12",
            Self::Debian13Sysv => "debian-13-sysv",
            Self::Debian13Openrc => "debian-13-openrc",
            Self::AlpineShaped => "alpine-shaped",
            Self::RpmShaped => "rpm-shaped",
        }
    }

    /// Where it is kept: a directory with `tree` and `template.toml`. Nothing may be written there. Skips the
    /// test where it could not be made.
    pub fn kept(self, t: &Test) -> Outcome<PathBuf> {
        let name = format!("template-{}", self.name());
        let tests = target_directory().join("tests");
        match tests.join(&name).canonicalize() {
            Ok(place) => Ok(place),
            Err(_) => {
                let why = fs::read_to_string(tests.join(format!("{name}.why")));
                t.skip(&why.unwrap_or_else(|_| format!("it needs {name}: cargo xtask setup")))
            }
        }
    }

    /// Puts it into the test's house; gives its name there. Only what jaula writes into templates, which is
    /// nothing, would harm the next test.
    pub fn put(self, t: &Test) -> Outcome<&'static str> {
        let kept = self.kept(t)?;
        let templates = t.root().join("var/lib/jaula/templates");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&templates)?;
        symlink(kept, templates.join(self.name()))?;
        Ok(self.name())
    }
}
