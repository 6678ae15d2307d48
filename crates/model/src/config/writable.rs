//! One of `root.writable` as text: `PATH[:USER[:GROUP]][:MODE]`.

use super::mount::{escaped, escaped_length, parts};
use super::problem::{BadValue, shown};
use super::types::Writable;
use super::value;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What jaula makes in every jail and no entry may cover.
const TAKEN: [&str; 3] = ["/proc", "/sys", "/dev"];

impl FromStr for Writable {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let mut parts = parts(text);
        let mode = parts.pop_if(|part| is_mode(part)).map(|digits| {
            u32::from_str_radix(&digits, 8)
                .ok()
                .filter(|mode| *mode <= 0o3777)
                .ok_or_else(|| BadValue::new(format!("{} is not a mode such as 0750", shown(&digits))))
        });
        let (path, user, group) = match &parts[..] {
            [path] => (path, None, None),
            [path, user] => (path, Some(user), None),
            [path, user, group] => (path, Some(user), Some(group)),
            _ => {
                return Err(BadValue::new(format!("{} is not a writable directory", shown(text))).help(
                    "write \"PATH\", \"PATH:USER\" or \"PATH:USER:GROUP:0750\"; a ':' in PATH is '\\:'",
                ));
            }
        };
        let path = value::absolute(path)?;
        if path == Path::new("/") {
            return Err(BadValue::new("/ is the whole root")
                .help("say root.writes = \"kept\" to keep all that is written"));
        }
        if path == Path::new("/run") {
            return Err(BadValue::new("/run is memory in every jail, and root's")
                .help("name the directories in it, such as \"/run/redis:redis\""));
        }
        if TAKEN.iter().any(|taken| path.starts_with(taken)) {
            return Err(BadValue::new(format!("{} is jaula's own to make", path.display())));
        }
        let account = |name: Option<&String>| name.map(|name| value::account(name)).transpose();
        Ok(Self { path, user: account(user)?, group: account(group)?, mode: mode.transpose()? })
    }
}

/// A mode begins with a 0; the number of a group does not.
fn is_mode(part: &str) -> bool {
    part.len() > 1 && part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit())
}

impl fmt::Display for Writable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escaped(&self.path))?;
        for name in [&self.user, &self.group].into_iter().flatten() {
            write!(f, ":{name}")?;
        }
        self.mode.map_or(Ok(()), |mode| write!(f, ":0{mode:03o}"))
    }
}

/// What an entry is replaced and taken away by: its path.
pub(super) fn path(text: &str) -> String {
    let path = parts(text).swap_remove(0);
    value::absolute(&path).map_or(path, |path| path.display().to_string())
}

/// An entry's text with its path made absolute.
pub(super) fn rebase(text: &str, base: &Path) -> Option<String> {
    let path = value::rebase(&parts(text).swap_remove(0), base)?;
    Some(escaped(&PathBuf::from(path)) + &text[escaped_length(text)..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back() {
        for (text, back) in [
            ("/var/lib/nginx", "/var/lib/nginx"),
            ("/run/redis/:redis", "/run/redis:redis"),
            ("/run/x:a:b", "/run/x:a:b"),
            ("/run/x:33:0:0750", "/run/x:33:0:0750"),
            ("/run/x:a:02775", "/run/x:a:02775"),
            ("/run/x:00750", "/run/x:0750"),
            ("/run/x:0", "/run/x:0"),
            (r"/a\:b:c", r"/a\:b:c"),
        ] {
            let entry: Writable = text.parse().unwrap();
            assert_eq!(entry.to_string(), back);
            assert_eq!(back.parse(), Ok(entry));
        }
    }

    #[test]
    fn what_is_refused() {
        for bad in [
            "",
            "var",
            "/",
            "/run",
            "/run/",
            "/proc/x",
            "/sys",
            "/dev/shm",
            "/a/../b",
            "/a:",
            "/a::b",
            "/a:b:",
            "/a:b:c:d",
            "/a:b:c:750",
            "/a:04755",
            "/a:08",
            "/a:70000",
            "/a:b c",
        ] {
            assert!(bad.parse::<Writable>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn by_its_path() {
        assert_eq!((path("/a/:b"), path("x")), ("/a".to_owned(), "x".to_owned()));
        assert_eq!(rebase("data:redis", Path::new("/srv")).as_deref(), Some("/srv/data:redis"));
        assert_eq!(rebase("/data:redis", Path::new("/srv")), None);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in r"[a/:\\07é.]{0,20}") {
            let _ = (text.parse::<Writable>(), path(&text), rebase(&text, Path::new("/base")));
        }
    }
}
