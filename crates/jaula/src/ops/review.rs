//! What a traced program needs: its record beside what is known of the host.

mod found;
mod linked;
mod target;

pub use target::{Saved, Target, text};

use crate::error::{Error, Result};
use crate::rootfs::packages;
use found::Finder;
use linked::Linker;
use model::trace::{
    Entry, Group, Host, LeftOut, Record, Review, User, Wanted, is_foreign_names, review, units,
};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Of how many libraries it is asked which of the others they need; more come as directories.
const MOST: usize = 32;

/// What to review.
#[derive(Debug)]
pub struct Asked<'a> {
    /// What the program did.
    pub record: &'a Record,
    /// The program, as `root.from = "app:…"` has it.
    pub program: &'a Path,
    /// Does its jail have a network?
    pub network: bool,
    /// Files and directories that are taken whatever they are.
    pub named: Vec<PathBuf>,
    /// Files and directories that are not.
    pub unwanted: BTreeSet<PathBuf>,
    /// Is it for profile `strict`?
    pub strict: bool,
    /// Did it run as root of its jail?
    pub as_root: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Reviewed {
    /// The program's absolute path.
    pub program: PathBuf,
    /// What it needs.
    pub review: Review,
}

/// Reviews what a program did. The host is looked at, and left as it is.
///
/// # Errors
/// If there can be no app jail of the program.
pub fn of(asked: &Asked<'_>) -> Result<Reviewed> {
    let linker = Linker::new(asked.program, asked.network);
    let base = linker.base().map_err(|e| {
        let help = e.help();
        Error::App { program: asked.program.display().to_string(), source: Box::new(e), help }
    })?;
    let mut finder = Finder::default();
    let mut host = Host { linked: base.linked.clone(), users: users(), ..Host::default() };
    finder.look(asked.record, &mut host);
    host.package = package(&base.program);
    let wanted = Wanted {
        program: std::fs::canonicalize(&base.program).unwrap_or_else(|_| base.program.clone()),
        named: asked.named.clone(),
        unwanted: asked.unwanted.clone(),
        strict: asked.strict,
        // Of an unprivileged caller, root inside is nobody else than he.
        as_root: asked.as_root && sys::process::user() == 0,
    };
    // What the programs need that it starts, it does not need by itself.
    linker.add_needs(&executed(asked.record, &host), &mut host);
    host.of_names = linker.needs(&names(asked.record, &host));
    for unit in units(asked.record, &host) {
        finder.search(&unit, &mut host);
    }
    let first = review(asked.record, &host, &wanted);
    let files = |review: &Review| -> Vec<PathBuf> {
        review.taken("root.files").map(|entry| entry.value.clone().into()).collect()
    };
    // Nor what the modules need that come with whole directories, nor what libraries need that it opens.
    let (libraries, others): (Vec<_>, Vec<_>) =
        first.taken("root.files").partition(|e| e.group == Group::Libraries && !Path::new(&e.value).is_dir());
    let paths =
        |entries: Vec<&Entry>| entries.into_iter().map(|e| PathBuf::from(&e.value)).collect::<Vec<_>>();
    linker.add_needs(&paths(others), &mut host);
    for library in paths(libraries).into_iter().take(MOST) {
        if !host.is_linked(&library) {
            linker.add_needs(&[library], &mut host);
        }
    }
    let mut review = review(asked.record, &host, &wanted);
    for (path, why) in linker.refused(&files(&review)) {
        if asked.named.contains(&path) {
            return Err(Error::refused(
                format!("{} cannot be in an app jail: it {why}", path.display()),
                "jaula config keys describes root.files and mounts",
            ));
        }
        let is_it = |value: &str| Path::new(value) == path;
        review.entries.retain(|entry| entry.group.key() != "root.files" || !is_it(&entry.value));
        review.left_out.push(LeftOut { path, why });
    }
    Ok(Reviewed { program: base.program, review })
}

/// The package that a program is of.
fn package(program: &Path) -> Option<String> {
    let real = std::fs::canonicalize(program).ok()?;
    let real = real.to_str()?;
    packages::owners(Path::new("/"), [real]).remove(real).map(|package| package.name)
}

/// The programs that it started.
fn executed(record: &Record, host: &Host) -> Vec<PathBuf> {
    let started =
        record.files.iter().filter(|(path, touched)| touched.executed && host.found.contains_key(*path));
    started.map(|(path, _)| path.clone()).collect()
}

/// The libraries of the host's own name service.
fn names(record: &Record, host: &Host) -> Vec<PathBuf> {
    let mapped =
        record.files.iter().filter(|(path, touched)| touched.mapped && host.found.contains_key(*path));
    mapped.map(|(path, _)| path.clone()).filter(|path| is_foreign_names(path)).collect()
}

/// The host's users. Of a file that cannot be read, none.
fn users() -> Vec<User> {
    let file = std::fs::read("/etc/passwd").unwrap_or_default();
    let users = crate::rootfs::app::users::parse_passwd(&file);
    users.into_iter().map(|user| User { name: user.name, id: user.uid, home: user.home.into() }).collect()
}
