//! What an app jail holds of the host, as it was when it was taken: to tell later what has changed.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Rewritten for each library that comes or goes on the host: if nothing else of the jail differs,
/// its change means nothing to it.
pub const LOADER_CACHE: &str = "/etc/ld.so.cache";

/// All that an app jail holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// When it was taken, in milliseconds since 1970.
    pub taken: u64,
    /// The files of the host that decided what is in it, beside those that are.
    pub inputs: BTreeMap<String, Stamp>,
    /// By path in the jail.
    pub items: BTreeMap<String, Item>,
    /// The versions of the packages that items name.
    pub packages: BTreeMap<String, String>,
}

/// One thing in an app jail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// Its path on the host; none if it was made for the jail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What the host's file was; none for links and for what was made for the jail.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<Stamp>,
    /// Where a link leads, or the text of a file that was made for the jail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// SHA-256 of what was copied, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The package that it belongs to on the host, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Why it is in the jail.
    pub reason: String,
}

/// What something in an app jail is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A file of the host.
    File,
    /// A directory of the host.
    Directory,
    /// A symbolic link.
    Link,
    /// A file that was made for the jail.
    Text,
}

/// What tells one state of a file from another without reading it (stat(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Its number in its file system.
    pub inode: u64,
    /// In bytes; 0 for a directory.
    pub size: u64,
    /// When its content changed last: seconds since 1970, and nanoseconds; 0 for a directory.
    pub modified: (i64, u32),
    /// Its permissions.
    pub mode: u32,
    /// Its user.
    pub user: u32,
    /// Its group.
    pub group: u32,
}

/// How something differs now from what was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is another.
    Changed,
    /// It is not needed any more, or not on the host any more.
    Vanished,
    /// It was not there.
    New,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Changed => "changed",
            Self::Vanished => "vanished",
            Self::New => "new",
        })
    }
}

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its path in the jail.
    pub path: String,
    /// How.
    pub change: Change,
}

/// What differs of one package's files, or of those that belong to none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The package.
    pub package: Option<String>,
    /// Its version when the jail's files were taken.
    pub was: Option<String>,
    /// Its version now.
    pub is: Option<String>,
    /// Its files, by path.
    pub files: Vec<Difference>,
}

impl Item {
    /// Is it the same now? A file that only its stamp tells from another is the same if both
    /// were read and hold the same.
    pub fn is_same(&self, now: &Self) -> bool {
        let settings = |item: &Self| item.stamp.map(|s| (s.mode, s.user, s.group));
        let read = self.sha256.is_some() && self.sha256 == now.sha256 && settings(self) == settings(now);
        self.kind == now.kind
            && self.content == now.content
            && (read
                || match (self.kind, self.stamp, now.stamp) {
                    // Another directory of the same name matters for nothing but what it holds.
                    (Kind::Directory, ..) => settings(self) == settings(now),
                    (_, was, is) => was == is,
                })
    }
}

/// What differs between two manifests, by path. A new loader cache alone is no difference.
pub fn differences(was: &Manifest, is: &Manifest) -> Vec<Difference> {
    let mut all = Vec::new();
    for (path, item) in &was.items {
        match is.items.get(path) {
            None => all.push((path, Change::Vanished)),
            Some(now) if !item.is_same(now) => all.push((path, Change::Changed)),
            Some(_) => {}
        }
    }
    all.extend(is.items.keys().filter(|path| !was.items.contains_key(*path)).map(|path| (path, Change::New)));
    all.sort();
    let only_cache = all.iter().all(|(path, change)| *change == Change::Changed && *path == LOADER_CACHE);
    if only_cache {
        return Vec::new();
    }
    all.into_iter().map(|(path, change)| Difference { path: path.clone(), change }).collect()
}

/// Differences by package, those of no package last.
pub fn by_package(differences: Vec<Difference>, was: &Manifest, is: &Manifest) -> Vec<Group> {
    let mut groups: BTreeMap<Option<String>, Group> = BTreeMap::new();
    for difference in differences {
        let of = |manifest: &Manifest| manifest.items.get(&difference.path)?.package.clone();
        let package = of(is).or_else(|| of(was));
        let version = |manifest: &Manifest| manifest.packages.get(package.as_ref()?).cloned();
        let group = groups.entry(package.clone()).or_insert_with(|| Group {
            was: version(was),
            is: version(is),
            package: package.clone(),
            files: Vec::new(),
        });
        group.files.push(difference);
    }
    let none = groups.remove(&None);
    groups.into_values().chain(none).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(inode: u64, package: Option<&str>, sha256: Option<&str>) -> Item {
        let stamp = Stamp { inode, size: 1, modified: (1, 2), mode: 0o644, user: 0, group: 0 };
        Item {
            kind: Kind::File,
            source: Some("/x".to_owned()),
            stamp: Some(stamp),
            content: None,
            sha256: sha256.map(str::to_owned),
            package: package.map(str::to_owned),
            reason: "linked by y".to_owned(),
        }
    }

    fn manifest(items: &[(&str, Item)], packages: &[(&str, &str)]) -> Manifest {
        let pairs = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
        Manifest {
            items: items.iter().map(|(path, item)| ((*path).to_owned(), item.clone())).collect(),
            packages: packages.iter().map(pairs).collect(),
            ..Manifest::default()
        }
    }

    #[test]
    fn what_differs_is_told_by_package() {
        let was = manifest(
            &[
                ("/a", file(1, Some("p"), None)),
                ("/b", file(2, None, None)),
                ("/c", file(3, Some("q"), None)),
            ],
            &[("p", "1"), ("q", "1")],
        );
        let is = manifest(
            &[
                ("/a", file(7, Some("p"), None)),
                ("/c", file(3, Some("q"), None)),
                ("/d", file(4, Some("p"), None)),
            ],
            &[("p", "2"), ("q", "1")],
        );
        let groups = by_package(differences(&was, &is), &was, &is);
        let told: Vec<_> = groups
            .iter()
            .map(|g| {
                let files: Vec<_> = g.files.iter().map(|d| format!("{} {}", d.path, d.change)).collect();
                (g.package.as_deref(), g.was.as_deref(), g.is.as_deref(), files.join(", "))
            })
            .collect();
        assert_eq!(
            told,
            [
                (Some("p"), Some("1"), Some("2"), "/a changed, /d new".to_owned()),
                (None, None, None, "/b vanished".to_owned())
            ]
        );
        assert_eq!(differences(&was, &was), []);
    }

    #[test]
    fn a_touched_copy_is_the_same_and_a_cache_alone_says_nothing() {
        let (was, is) = (file(1, None, Some("aa")), file(2, None, Some("aa")));
        assert!(
            was.is_same(&is)
                && !was.is_same(&file(2, None, Some("bb")))
                && !was.is_same(&file(2, None, None))
        );
        let mut other = is.clone();
        other.stamp = other.stamp.map(|s| Stamp { mode: 0o600, ..s });
        assert!(!was.is_same(&other));
        let cache = |n| manifest(&[(LOADER_CACHE, file(n, None, None))], &[]);
        assert_eq!(differences(&cache(1), &cache(2)), []);
    }

    #[test]
    fn it_comes_back_from_its_text() {
        let mut link = file(1, None, None);
        (link.kind, link.stamp, link.content) = (Kind::Link, None, Some("y".to_owned()));
        let whole = manifest(&[("/a", file(1, Some("p"), Some("aa"))), ("/l", link)], &[("p", "1")]);
        let text = serde_json::to_string(&whole).unwrap();
        assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), whole);
        assert!(text.contains(r#""/l":{"kind":"link","source":"/x","content":"y","reason""#), "{text}");
    }
}
