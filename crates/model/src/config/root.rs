//! Where a root comes from, and what follows from it.

use super::problem::{BadValue, shown};
use super::types::{Owners, Root, RootSpec, Writes};
use super::value;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

impl FromStr for RootSpec {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        match text.split_once(':') {
            None if text == "host" => Ok(Self::Host),
            Some(("dir", "/")) => {
                Err(BadValue::new("the root of the host is not a directory to give away")
                    .help("say \"host\""))
            }
            Some(("dir", path)) => value::absolute(path).map(Self::Dir),
            // A bare name is searched on the host, as a shell does.
            Some(("app", name)) if !matches!(name, "" | "." | "..") && !name.contains('/') => {
                Ok(Self::App(name.into()))
            }
            Some(("app", program)) => value::absolute(program).map(Self::App),
            _ => {
                let bad = BadValue::new(format!(
                    "{} is not a root: roots are dir:PATH, app:PROGRAM and host",
                    shown(text)
                ));
                Err(if text.starts_with('/') {
                    bad.help(format!("write {:?}", format!("dir:{text}")))
                } else {
                    bad
                })
            }
        }
    }
}

impl fmt::Display for RootSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dir(path) => write!(f, "dir:{}", path.display()),
            Self::App(program) => write!(f, "app:{}", program.display()),
            Self::Host => f.write_str("host"),
        }
    }
}

/// A root's text with its path made absolute. A program's bare name stays as it is: it means
/// no file beside the `jaula.toml`.
pub(super) fn rebase(text: &str, base: &Path) -> Option<String> {
    let (kind, path) = text.split_once(':')?;
    (kind == "dir" || kind == "app" && path.contains('/'))
        .then(|| value::rebase(path, base).map(|path| format!("{kind}:{path}")))?
}

impl Root {
    /// `root.writes`, or what it is by default: `kept` for `dir:`, else `refused`.
    pub fn writes_in_force(&self) -> Writes {
        let by_default = if let Some(RootSpec::Dir(_)) = self.from { Writes::Kept } else { Writes::Refused };
        self.writes.unwrap_or(by_default)
    }

    /// `root.owners`, or what it is by default: `host` for `from = "host"`, else `mapped`.
    pub fn owners_in_force(&self) -> Owners {
        let by_default = if self.from == Some(RootSpec::Host) { Owners::Host } else { Owners::Mapped };
        self.owners.unwrap_or(by_default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots() {
        for (text, back) in [
            ("host", "host"),
            ("dir:/srv/www", "dir:/srv/www"),
            ("dir:/srv//a/./b/", "dir:/srv/a/b"),
            ("dir:/a:b", "dir:/a:b"),
            ("app:/usr/sbin/nginx", "app:/usr/sbin/nginx"),
            ("app:nginx", "app:nginx"),
        ] {
            assert_eq!(text.parse::<RootSpec>().unwrap().to_string(), back);
        }
        for bad in [
            "",
            "dir",
            "dir:",
            "dir:/",
            "dir:srv",
            "dir:/a/../b",
            "app:",
            "app:..",
            "app:bin/nginx",
            "hosts",
            "host:",
            "oci:x",
        ] {
            assert!(bad.parse::<RootSpec>().is_err(), "{bad}");
        }
        let bad = "/srv/www".parse::<RootSpec>().unwrap_err();
        assert_eq!(bad.help.unwrap(), "write \"dir:/srv/www\"");
    }
}
