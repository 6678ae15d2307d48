//! One of `mounts` as text: `SOURCE:TARGET[:OPTION,…]` and `tmpfs:TARGET[:OPTION,…]`.

use super::problem::{BadValue, shown};
use super::types::{Mount, MountSource};
use super::value;
use crate::units::Bytes;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// How large a tmpfs is if nothing is said.
const TMPFS_SIZE: Bytes = Bytes(64 << 20);
/// The mode of a tmpfs's top directory if nothing is said: that of `/tmp`.
const TMPFS_MODE: u32 = 0o1777;
/// What jaula itself mounts in every jail.
const TAKEN: [&str; 4] = ["/", "/proc", "/sys", "/dev"];

impl FromStr for Mount {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let (source, target, options) = match &parts(text)[..] {
            [source, target] => (source.clone(), target.clone(), None),
            [source, target, options] => (source.clone(), target.clone(), Some(options.clone())),
            _ => {
                return Err(BadValue::new(format!("{} is not a mount", shown(text))).help(
                    "write \"SOURCE:TARGET\" or \"SOURCE:TARGET:OPTION,…\"; a ':' in a path is '\\:'",
                ));
            }
        };
        let target = value::absolute(&target)?;
        if TAKEN.iter().any(|taken| target == Path::new(taken)) {
            return Err(BadValue::new(format!("{} is jaula's own to mount", target.display())));
        }
        let mut mount = if source == "tmpfs" {
            let source = MountSource::Tmpfs { size: TMPFS_SIZE, mode: TMPFS_MODE };
            Self { source, target, writable: true, exec: false }
        } else {
            let source = MountSource::Bind { path: value::absolute(&source)?, mapped: false };
            Self { source, target, writable: false, exec: true }
        };
        let mut seen: Vec<&str> = Vec::new();
        for option in options.iter().flat_map(|options| options.split(',')) {
            let subject = mount.option(option)?;
            if seen.contains(&subject) {
                return Err(BadValue::new(format!("{}: {subject} is said twice", shown(text))));
            }
            seen.push(subject);
        }
        Ok(mount)
    }
}

impl Mount {
    /// Applies one option and says what it is about.
    fn option(&mut self, option: &str) -> Result<&'static str, BadValue> {
        match (option.split_once('=').unwrap_or((option, "")), &mut self.source) {
            (("ro", ""), MountSource::Bind { .. }) => self.writable = false,
            (("rw", ""), MountSource::Bind { .. }) => self.writable = true,
            (("idmap", ""), MountSource::Bind { mapped, .. }) => {
                *mapped = true;
                return Ok("idmap");
            }
            (("size", text), MountSource::Tmpfs { size, .. }) => {
                *size = text.parse()?;
                return Ok("size");
            }
            (("mode", text), MountSource::Tmpfs { mode, .. }) => {
                let octal = Some(text).filter(|t| t.bytes().all(|b| (b'0'..=b'7').contains(&b)));
                let parsed = octal.and_then(|t| u32::from_str_radix(t, 8).ok()).filter(|m| *m <= 0o7777);
                *mode = parsed
                    .ok_or_else(|| BadValue::new(format!("{} is not a mode such as 1777", shown(text))))?;
                return Ok("mode");
            }
            (("exec", ""), _) => {
                self.exec = true;
                return Ok("exec or noexec");
            }
            (("noexec", ""), _) => {
                self.exec = false;
                return Ok("exec or noexec");
            }
            (_, MountSource::Bind { .. }) => {
                return Err(BadValue::none_of(option, &["ro", "rw", "idmap", "exec", "noexec"]));
            }
            (_, MountSource::Tmpfs { .. }) => {
                return Err(BadValue::none_of(option, &["size=", "mode=", "exec", "noexec"]));
            }
        }
        Ok("ro or rw")
    }
}

impl fmt::Display for Mount {
    /// With the options that differ from the default.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut options = Vec::new();
        match &self.source {
            MountSource::Bind { path, mapped } => {
                f.write_str(&escaped(path))?;
                options.extend(self.writable.then(|| "rw".to_owned()));
                options.extend(mapped.then(|| "idmap".to_owned()));
                options.extend((!self.exec).then(|| "noexec".to_owned()));
            }
            MountSource::Tmpfs { size, mode } => {
                f.write_str("tmpfs")?;
                options.extend((*size != TMPFS_SIZE).then(|| format!("size={size}")));
                options.extend((*mode != TMPFS_MODE).then(|| format!("mode={mode:o}")));
                options.extend(self.exec.then(|| "exec".to_owned()));
            }
        }
        write!(f, ":{}", escaped(&self.target))?;
        if options.is_empty() { Ok(()) } else { write!(f, ":{}", options.join(",")) }
    }
}

/// What a mount is replaced and taken away by: its target. A text without a `:` is a target.
pub(super) fn target(text: &str) -> String {
    let mut parts = parts(text);
    let target = parts.swap_remove(1.min(parts.len() - 1));
    value::absolute(&target).map_or(target, |path| path.display().to_string())
}

/// A mount's text with its source made absolute.
pub(super) fn rebase(text: &str, base: &Path) -> Option<String> {
    let source = parts(text).swap_remove(0);
    let path = value::rebase(&source, base).filter(|_| source != "tmpfs")?;
    Some(escaped(&PathBuf::from(path)) + &text[escaped_length(text)..])
}

/// How many bytes of the text its first part takes.
pub(super) fn escaped_length(text: &str) -> usize {
    let mut skip = false;
    text.bytes()
        .position(|b| {
            let ends = b == b':' && !skip;
            skip = b == b'\\' && !skip;
            ends
        })
        .unwrap_or(text.len())
}

/// The text split at `:`; `\:` is a colon and `\\` a backslash. At least one part.
pub(super) fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, parts.last_mut()) {
            (':', _) => parts.push(String::new()),
            ('\\', Some(part)) => part.push(chars.next().unwrap_or('\\')),
            (c, Some(part)) => part.push(c),
            (_, None) => {}
        }
    }
    parts
}

/// A path with `\` before each `:` and `\`.
pub(super) fn escaped(path: &Path) -> String {
    path.display().to_string().replace('\\', "\\\\").replace(':', "\\:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_come_back_in_their_shortest_form() {
        for (text, back) in [
            ("/srv:/data", "/srv:/data"),
            ("/srv:/data:ro", "/srv:/data"),
            ("/srv/:/data/:rw,idmap,noexec", "/srv:/data:rw,idmap,noexec"),
            ("/srv:/data:exec", "/srv:/data"),
            (r"/a\:b\\c:/x\:y", r"/a\:b\\c:/x\:y"),
            ("tmpfs:/run", "tmpfs:/run"),
            ("tmpfs:/run:size=64M,mode=1777", "tmpfs:/run"),
            ("tmpfs:/run:size=1.5G,mode=755,exec", "tmpfs:/run:size=1536M,mode=755,exec"),
            ("/tmpfs:/run", "/tmpfs:/run"),
        ] {
            let mount: Mount = text.parse().unwrap();
            assert_eq!(mount.to_string(), back);
            assert_eq!(back.parse(), Ok(mount));
        }
    }

    #[test]
    fn what_is_refused() {
        for bad in [
            "",
            ":",
            "/srv",
            "/srv:",
            ":/data",
            "srv:/data",
            "/srv:data",
            "/srv:/data:",
            "/srv:/data:rw:x",
            "/srv:/a/../b",
            "/srv:/",
            "/srv:/proc",
            "/srv:/sys/",
            "/srv:/dev",
            "/srv:/data:rw,ro",
            "/srv:/data:size=1M",
            "/srv:/data:rw,",
            "/srv:/data:rw=1",
            "tmpfs:/run:rw",
            "tmpfs:/run:size=",
            "tmpfs:/run:mode=8",
            "tmpfs:/run:mode=+7",
            "tmpfs:/run:mode=17777",
            "tmpfs:/run:exec,noexec",
        ] {
            assert!(bad.parse::<Mount>().is_err(), "{bad:?}");
        }
        assert!("/srv:/proc/sys/x".parse::<Mount>().is_ok());
    }

    #[test]
    fn a_source_gets_a_base() {
        let base = Path::new("/srv/a:b");
        for (text, rebased) in [
            ("data:/d:rw", Some(r"/srv/a\:b/data:/d:rw")),
            (r"x\:y:/d", Some(r"/srv/a\:b/x\:y:/d")),
            ("./tmpfs:/d", Some(r"/srv/a\:b/tmpfs:/d")),
            ("tmpfs:/d", None),
            ("/abs:/d", None),
            (":/d", None),
        ] {
            assert_eq!(rebase(text, base).as_deref(), rebased, "{text}");
        }
        assert_eq!((target("/a:/b/:rw"), target("/b")), ("/b".to_owned(), "/b".to_owned()));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in r"[a/:\\=,é.]{0,20}") {
            let _ = (text.parse::<Mount>(), target(&text), rebase(&text, Path::new("/base")));
        }
    }
}
