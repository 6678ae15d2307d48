//! Which init a root has, by what lies in it.

use super::Kind;
use std::path::{Path, PathBuf};

/// What was found in a root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looks {
    /// Where `/sbin/init` leads, with all links followed inside; none if there is no such file.
    pub init: Option<PathBuf>,
    /// Is there `/etc/inittab`?
    pub inittab: bool,
    /// Is there `/sbin/openrc`?
    pub openrc: bool,
    /// Are there scripts of a runlevel (`/etc/rc2.d`)?
    pub scripts: bool,
    /// The number of systemd's release, if it can be told.
    pub systemd: Option<u32>,
}

/// Why a root does not boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoInit {
    /// It has none, and no scripts to do without.
    Nothing,
    /// Its systemd knows version 1 of control groups only.
    Old(u32),
    /// Its systemd needs control groups of version 2, which this host has not mounted.
    NoGroups,
}

/// The first release of systemd that lives in a tree of control groups of version 2 alone.
const UNIFIED: u32 = 231;

impl Looks {
    /// The init that there is.
    pub fn kind(&self) -> Option<Kind> {
        let program = self.init.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
        match program {
            Some("systemd") => Some(Kind::Systemd),
            Some(_) if self.openrc => Some(Kind::Openrc),
            Some("busybox") => Some(Kind::Plain),
            Some(_) if self.inittab => Some(Kind::Sysv),
            Some(_) => Some(Kind::Plain),
            None => self.scripts.then_some(Kind::Emulated),
        }
    }

    /// The kind that is to boot: the one that was asked for, or the one that there is. `unified`: does the
    /// host have control groups of version 2?
    pub fn settle(&self, said: Option<Kind>, unified: bool) -> Result<Kind, NoInit> {
        let kind = said.or_else(|| self.kind()).ok_or(NoInit::Nothing)?;
        let missing = match kind {
            Kind::Systemd | Kind::Sysv | Kind::Openrc | Kind::Plain => self.init.is_none(),
            Kind::Emulated => !self.scripts,
            Kind::Command | Kind::Rescue => false,
        };
        match (kind, self.systemd) {
            _ if missing => Err(NoInit::Nothing),
            (Kind::Systemd, Some(release)) if release < UNIFIED => Err(NoInit::Old(release)),
            (Kind::Systemd, _) if !unified => Err(NoInit::NoGroups),
            _ => Ok(kind),
        }
    }

    /// The release in the name of systemd's own library: `libsystemd-shared-257.so`, `libsystemd-shared-252.19-1.fc37.so`.
    pub fn release(file: &str) -> Option<u32> {
        let rest = file.strip_prefix("libsystemd-shared-")?;
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(init: &str, marks: &str) -> Looks {
        Looks {
            init: (!init.is_empty()).then(|| init.into()),
            inittab: marks.contains('i'),
            openrc: marks.contains('o'),
            scripts: marks.contains('s'),
            systemd: None,
        }
    }

    #[test]
    fn inits_are_told_apart() {
        for (init, marks, kind) in [
            ("/usr/lib/systemd/systemd", "s", Some(Kind::Systemd)),
            ("/lib/systemd/systemd", "iso", Some(Kind::Systemd)),
            ("/usr/sbin/init", "is", Some(Kind::Sysv)),
            ("/bin/busybox", "io", Some(Kind::Openrc)),
            ("/sbin/openrc-init", "o", Some(Kind::Openrc)),
            ("/bin/busybox", "", Some(Kind::Plain)),
            ("/bin/busybox", "i", Some(Kind::Plain)),
            ("/sbin/runit-init", "s", Some(Kind::Plain)),
            ("", "s", Some(Kind::Emulated)),
            ("", "", None),
        ] {
            assert_eq!(looks(init, marks).kind(), kind, "{init} {marks}");
        }
    }

    #[test]
    fn what_cannot_boot_says_why() {
        assert_eq!(looks("", "").settle(None, true), Err(NoInit::Nothing));
        assert_eq!(looks("", "s").settle(Some(Kind::Sysv), true), Err(NoInit::Nothing));
        let systemd = |release| Looks { systemd: release, ..looks("/lib/systemd/systemd", "") };
        assert_eq!(systemd(Some(219)).settle(None, true), Err(NoInit::Old(219)));
        assert_eq!(systemd(Some(258)).settle(None, false), Err(NoInit::NoGroups));
        assert_eq!(systemd(Some(252)).settle(None, true), Ok(Kind::Systemd));
        assert_eq!(looks("/usr/sbin/init", "i").settle(None, false), Ok(Kind::Sysv));
        assert_eq!(looks("", "").settle(Some(Kind::Rescue), false), Ok(Kind::Rescue));
    }

    #[test]
    fn releases_are_read_off() {
        for (file, release) in [
            ("libsystemd-shared-257.so", Some(257)),
            ("libsystemd-shared-252.19-1.fc37.so", Some(252)),
            ("libsystemd-core-257.so", None),
            ("libsystemd-shared-.so", None),
        ] {
            assert_eq!(Looks::release(file), release, "{file}");
        }
    }
}
