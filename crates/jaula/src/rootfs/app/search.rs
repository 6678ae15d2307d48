//! Where a loader searches for a library, in its order (ld.so(8); musl's `ldso/dynlink.c`).

use super::elf::Elf;
use super::machine::HOST;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The two kinds of loaders. Both have rules of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Loader {
    /// glibc's, which others than musl's follow too.
    Glibc,
    /// musl's, with the directories it searches.
    Musl(Vec<PathBuf>),
}

/// One place in the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// This directory, and with glibc its `glibc-hwcaps`.
    Directory(PathBuf),
    /// `/etc/ld.so.cache`; all of it, or only what is not in default directories.
    Cache { defaults: bool },
}

/// An object that was loaded, as far as it has a say in the search.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link<'a> {
    pub(super) elf: &'a Elf,
    /// `$ORIGIN`: the directory it was loaded from.
    pub(super) origin: &'a Path,
}

impl Loader {
    /// For musl, the file that lists its directories, if there is one: it is named after the
    /// architecture in the loader's name (`/lib/ld-musl-x86_64.so.1`).
    pub(super) fn musl_path_file(interpreter: &Path) -> Option<PathBuf> {
        let name = interpreter.file_name()?.to_str()?;
        let arch = name.strip_prefix("ld-musl-")?.split('.').next()?;
        Some(Path::new("/etc").join(format!("ld-musl-{arch}.path")))
    }

    /// musl's loader with what that file says, or without it.
    pub(super) fn musl(path_file: Option<&[u8]>) -> Self {
        let text = path_file.unwrap_or(b"/lib:/usr/local/lib:/usr/lib");
        let directories = text.split(|b| matches!(b, b':' | b'\n')).filter(|d| d.starts_with(b"/"));
        Self::Musl(directories.map(|d| PathBuf::from(OsStr::from_bytes(d))).collect())
    }

    /// Is the library a part of the loader itself? musl is one file under many names.
    pub(super) fn has_built_in(&self, library: &OsStr) -> bool {
        let names = ["c.", "pthread.", "rt.", "m.", "dl.", "util.", "xnet."];
        let stem = library.as_bytes().strip_prefix(b"lib");
        *self != Self::Glibc && stem.is_some_and(|s| names.iter().any(|n| s.starts_with(n.as_bytes())))
    }

    /// The steps by which a library is searched that `chain[0]` needs, which `chain[1]` made
    /// the loader load, and so on to the program.
    pub(super) fn steps(&self, chain: &[Link<'_>]) -> Vec<Step> {
        let mut directories = Vec::new();
        match (self, chain) {
            (Self::Musl(defaults), _) => {
                for link in chain {
                    let path = link.elf.runpath.as_ref().or(link.elf.rpath.as_ref());
                    directories.extend(path.into_iter().flat_map(|p| self.expand_path(p, link.origin)));
                }
                directories.extend(defaults.iter().cloned());
                directories.into_iter().map(Step::Directory).collect()
            }
            (Self::Glibc, []) => glibc_defaults().map(Step::Directory).collect(),
            (Self::Glibc, [first, ..]) => {
                // DT_RPATH counts for all that is loaded below, but DT_RUNPATH takes its place:
                // in the object that has it, and for what that object needs.
                if first.elf.runpath.is_none() {
                    for Link { elf, origin } in chain.iter().filter(|l| l.elf.runpath.is_none()) {
                        directories.extend(elf.rpath.iter().flat_map(|p| self.expand_path(p, origin)));
                    }
                }
                let runpath = first.elf.runpath.iter();
                directories.extend(runpath.flat_map(|p| self.expand_path(p, first.origin)));
                let defaults = !first.elf.no_default_directories;
                let mut steps: Vec<_> = directories.into_iter().map(Step::Directory).collect();
                steps.push(Step::Cache { defaults });
                steps.extend(glibc_defaults().filter(|_| defaults).map(Step::Directory));
                steps
            }
        }
    }

    /// The directories of a `DT_RPATH` or `DT_RUNPATH`. Relative ones depend on where the
    /// program is started, and are not among them.
    fn expand_path(&self, path: &OsStr, origin: &Path) -> Vec<PathBuf> {
        let parts = path.as_bytes().split(|b| *b == b':');
        let expanded: Option<Vec<_>> = parts.map(|p| self.expand(OsStr::from_bytes(p), origin)).collect();
        // What musl cannot expand it does not search, nor the directories beside it.
        expanded.into_iter().flatten().flatten().filter(|p| p.is_absolute()).collect()
    }

    /// Puts values in the place of `$ORIGIN`, `$LIB` and `$PLATFORM`, with or without braces.
    /// `$LIB` is what the distribution chose when it built glibc, so it has several.
    pub(super) fn expand(&self, text: &OsStr, origin: &Path) -> Option<Vec<PathBuf>> {
        let mut results: Vec<Vec<u8>> = vec![Vec::new()];
        let mut rest = text.as_bytes();
        while let Some((&byte, after)) = rest.split_first() {
            let token = (byte == b'$').then(|| token(after)).flatten();
            let (values, length): (Vec<OsString>, _) = match token {
                Some((b"ORIGIN", length)) => (vec![origin.into()], length),
                Some((b"LIB", length)) if *self == Self::Glibc => {
                    (vec![format!("lib/{}", HOST.triplet).into(), "lib64".into(), "lib".into()], length)
                }
                Some((b"PLATFORM", length)) if *self == Self::Glibc => (vec![HOST.name.into()], length),
                _ if byte == b'$' && *self != Self::Glibc => return None,
                _ => (vec![OsString::from_vec(vec![byte])], 0),
            };
            // A hostile path of many $LIBs would otherwise grow without end.
            if values.len() * results.len() > 64 {
                return Some(Vec::new());
            }
            results = results
                .iter()
                .flat_map(|r| values.iter().map(move |v| [r.as_slice(), v.as_bytes()].concat()))
                .collect();
            rest = &after[length..];
        }
        Some(results.into_iter().map(|r| PathBuf::from(OsString::from_vec(r))).collect())
    }
}

/// The name after a `$`, and how many bytes it takes, braces included.
fn token(after: &[u8]) -> Option<(&[u8], usize)> {
    if let Some(braced) = after.strip_prefix(b"{") {
        let end = braced.iter().position(|b| *b == b'}')?;
        return Some((&braced[..end], end + 2));
    }
    let end = after.iter().position(|b| !(b.is_ascii_alphanumeric() || *b == b'_')).unwrap_or(after.len());
    Some((&after[..end], end))
}

/// The directories that one distribution or another built into its glibc.
pub(super) fn glibc_defaults() -> impl Iterator<Item = PathBuf> {
    let multiarch = ["/lib", "/usr/lib"].map(|d| Path::new(d).join(HOST.triplet));
    multiarch.into_iter().chain(["/lib64", "/usr/lib64", "/lib", "/usr/lib"].map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(rpath: Option<&str>, runpath: Option<&str>) -> Elf {
        Elf { rpath: rpath.map(Into::into), runpath: runpath.map(Into::into), ..Elf::default() }
    }

    /// The directories before the cache, for objects in /0, /1, … from the needing one up.
    fn before_cache(loader: &Loader, chain: &[Elf]) -> Vec<String> {
        let origins: Vec<_> = (0..chain.len()).map(|n| PathBuf::from(format!("/{n}"))).collect();
        let links: Vec<_> = chain.iter().zip(&origins).map(|(elf, origin)| Link { elf, origin }).collect();
        let steps = loader.steps(&links).into_iter();
        let directories = steps.map_while(|step| match step {
            Step::Directory(d) => Some(d.display().to_string()),
            Step::Cache { .. } => None,
        });
        directories.collect()
    }

    #[test]
    fn rpath_is_inherited_and_runpath_is_not() {
        let glibc = |chain: &[Elf]| before_cache(&Loader::Glibc, chain);
        let (rpath, runpath) = (elf(Some("/r:$ORIGIN"), None), elf(None, Some("$ORIGIN/u")));
        let none = elf(None, None);
        assert_eq!(glibc(&[none.clone(), rpath.clone()]), ["/r", "/1"]);
        assert_eq!(glibc(&[none.clone(), runpath.clone()]), [""; 0]);
        assert_eq!(glibc(&[runpath.clone(), rpath.clone()]), ["/0/u"]);
        assert_eq!(glibc(&[rpath.clone(), runpath, rpath]), ["/r", "/0", "/r", "/2"]);
        assert_eq!(glibc(&[none, elf(Some("/r"), Some("/u"))]), [""; 0]);
        assert_eq!(glibc(&[elf(Some("/r"), Some("/u"))]), ["/u"]);
    }

    #[test]
    fn musl_inherits_both() {
        let musl = Loader::musl(Some(b"/lib:/usr/lib\n/opt\n"));
        let chain = [elf(None, Some("${ORIGIN}/u")), elf(Some("$ORIGIN"), None), elf(None, Some("/x:$LIB"))];
        assert_eq!(before_cache(&musl, &chain), ["/0/u", "/1", "/lib", "/usr/lib", "/opt"]);
        assert!(musl.has_built_in(OsStr::new("libc.musl-x86_64.so.1")));
        assert!(!musl.has_built_in(OsStr::new("libcrypto.so.3")));
        assert!(!Loader::Glibc.has_built_in(OsStr::new("libc.so.6")));
        assert_eq!(
            Loader::musl_path_file(Path::new("/lib/ld-musl-x86_64.so.1")),
            Some(PathBuf::from("/etc/ld-musl-x86_64.path"))
        );
        assert_eq!(Loader::musl_path_file(Path::new("/lib64/ld-linux-x86-64.so.2")), None);
    }

    #[test]
    fn tokens() {
        let expand = |text: &str| -> Vec<String> {
            let paths = Loader::Glibc.expand(OsStr::new(text), Path::new("/o")).unwrap();
            paths.iter().map(|p| p.display().to_string()).collect()
        };
        assert_eq!(expand("$ORIGIN/../x"), ["/o/../x"]);
        assert_eq!(expand("${ORIGIN}x"), ["/ox"]);
        assert_eq!(expand("$ORIGINAL/$"), ["$ORIGINAL/$"]);
        assert_eq!(expand("/a/$PLATFORM"), [format!("/a/{}", HOST.name)]);
        let lib = format!("/usr/lib/{}", HOST.triplet);
        assert_eq!(expand("/usr/$LIB"), [lib.as_str(), "/usr/lib64", "/usr/lib"]);
        assert!(expand(&"$LIB".repeat(1000)).is_empty());
    }

    #[test]
    fn no_default_directories() {
        let alone = Elf { no_default_directories: true, ..Elf::default() };
        let steps = Loader::Glibc.steps(&[Link { elf: &alone, origin: Path::new("/") }]);
        assert_eq!(steps, [Step::Cache { defaults: false }]);
    }
}
