//! Reasons in words.

use super::Touched;
use std::collections::BTreeSet;
use std::path::Path;

/// A path as a text of a configuration.
pub(super) fn path(path: &Path) -> String {
    path.display().to_string()
}

/// What was done to a file, before the name of who did it.
pub(super) fn verb(touched: &Touched) -> &'static str {
    match touched {
        Touched { executed: true, .. } => "run by",
        Touched { mapped: true, .. } => "opened by",
        Touched { read: true, .. } => "read by",
        Touched { listed: true, .. } => "listed by",
        _ => "looked at by",
    }
}

/// The same with who did it.
pub(super) fn used(touched: &Touched) -> String {
    format!("{} {}", verb(touched), by([touched.by.as_path()]))
}

/// Programs: the first, and how many others.
pub(super) fn by<'a>(programs: impl IntoIterator<Item = &'a Path>) -> String {
    let all: BTreeSet<&Path> = programs.into_iter().filter(|p| !p.as_os_str().is_empty()).collect();
    let Some(first) = all.first() else { return "the kernel, to start it".to_owned() };
    match all.len() - 1 {
        0 => path(first),
        1 => format!("{} and another", path(first)),
        n => format!("{} and {n} others", path(first)),
    }
}
