//! dpkg's database: `/var/lib/dpkg/status`, `diversions` and `info/*.list` (dpkg(1), dpkg-divert(1)).

use super::Package;
use std::collections::HashMap;
use std::hash::BuildHasher;

/// The installed packages of `status`, each under the names that its list of files can have:
/// `name` and `name:architecture`.
pub fn status(text: &str) -> HashMap<String, Package> {
    let mut all = HashMap::new();
    for paragraph in text.split("\n\n") {
        let (mut name, mut version, mut architecture, mut there) = ("", "", "", false);
        for line in paragraph.lines() {
            match line.split_once(": ") {
                Some(("Package", value)) => name = value.trim(),
                Some(("Version", value)) => version = value.trim(),
                Some(("Architecture", value)) => architecture = value.trim(),
                // `want flag status`; configuration files alone are no package.
                Some(("Status", value)) => {
                    there = !matches!(
                        value.split_whitespace().nth(2),
                        Some("not-installed" | "config-files") | None
                    );
                }
                _ => {}
            }
        }
        if there && !name.is_empty() {
            let package = Package { name: name.to_owned(), version: version.to_owned() };
            all.insert(format!("{name}:{architecture}"), package.clone());
            all.entry(name.to_owned()).or_insert(package);
        }
    }
    all
}

/// Where files of packages are in truth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diversions(Vec<Diversion>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Diversion {
    from: String,
    to: String,
    /// The package whose own file stands at `from`; the administrator for a local one.
    by: Option<String>,
}

impl Diversions {
    /// The file `diversions`: three lines for each.
    pub fn parse(text: &str) -> Self {
        let lines: Vec<&str> = text.lines().collect();
        let one = |three: &[&str]| match three {
            [from, to, by] => Some(Diversion {
                from: (*from).to_owned(),
                to: (*to).to_owned(),
                by: (*by != ":").then(|| (*by).to_owned()),
            }),
            _ => None,
        };
        Self(lines.chunks(3).filter_map(one).collect())
    }

    /// Where the file is that a package lists under this path.
    fn of<'a>(&'a self, package: &str, path: &'a str) -> &'a str {
        let diverted = self.0.iter().find(|d| d.from == path && d.by.as_deref() != Some(package));
        diverted.map_or(path, |d| &d.to)
    }
}

/// Goes through a package's list of files, and notes it as the owner of those that are wanted.
///
/// `wanted` has each path by which a file may be listed: `/usr/lib/x` is `/lib/x` to a package
/// from before the two were one. Its values are the files that are meant.
pub fn list<S: BuildHasher>(
    package: &str,
    text: &str,
    diversions: &Diversions,
    wanted: &HashMap<String, String, S>,
    mut owns: impl FnMut(&str),
) {
    for line in text.lines() {
        if let Some(file) = wanted.get(diversions.of(package, line)) {
            owns(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9\n\
        Description: GNU C Library\n Version: 1 in a description does not count\n\nPackage: libc6\nStatus: install \
        ok installed\nArchitecture: i386\nVersion: 2.36-8\n\nPackage: old\nStatus: deinstall ok config-files\n\
        Version: 1\n\nPackage: half\nStatus: install ok half-configured\nVersion: 1:3\n";

    #[test]
    fn packages_that_are_there() {
        let all = status(STATUS);
        let version = |key: &str| all.get(key).map(|package| package.version.as_str());
        assert_eq!(version("libc6:amd64"), Some("2.36-9"));
        assert_eq!(version("libc6:i386"), Some("2.36-8"));
        assert_eq!(version("half"), Some("1:3"));
        assert_eq!(version("old"), None);
    }

    #[test]
    fn owners_by_lists_and_diversions() {
        let diversions = Diversions::parse("/bin/sh\n/bin/sh.distrib\ndash\n/etc/x\n/etc/x.real\n:\ncut");
        let wanted: HashMap<String, String> =
            ["/bin/sh", "/bin/sh.distrib", "/etc/x", "/etc/x.real", "/lib/libc.so.6"]
                .map(|path| (path.to_owned(), path.replace("/lib/", "/usr/lib/")))
                .into();
        let owned = |package: &str, text: &str| {
            let mut all = Vec::new();
            list(package, text, &diversions, &wanted, |file| all.push(file.to_owned()));
            all
        };
        assert_eq!(owned("dash", "/.\n/bin\n/bin/sh\n"), ["/bin/sh"]);
        assert_eq!(owned("bash", "/bin/sh\n/bin/bash\n"), ["/bin/sh.distrib"]);
        assert_eq!(owned("x", "/etc/x\n"), ["/etc/x.real"]);
        assert_eq!(owned("libc6", "/lib/libc.so.6"), ["/usr/lib/libc.so.6"]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "(Package: |Status: | ok |\n|[a-z:]){0,30}", name: String) {
            let diversions = Diversions::parse(&text);
            list(&name, &text, &diversions, &HashMap::from([(name.clone(), name.clone())]), |_| {});
            let _ = status(&text);
        }
    }
}
