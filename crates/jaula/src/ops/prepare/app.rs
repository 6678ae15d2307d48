//! The root of an app jail: the host's files as they are now, or those that were taken from it.

use crate::error::{Error, Result};
use crate::house::House;
use crate::ops::prepare::writable;
use crate::rootfs::{app, taken};
use model::config::{Config, Method, NetworkMode};
use model::name::Name;
use model::plan::{AppEntry, AppFile};
use std::path::{Path, PathBuf};

/// What an app jail consists of.
#[derive(Debug)]
pub struct Closure {
    /// Its program.
    pub program: PathBuf,
    /// Its files; none if it has a tree of them.
    pub entries: Vec<AppEntry>,
    /// Where the directories of `root.writable` are, links followed.
    pub writable: Vec<PathBuf>,
    /// The tree of the files that were taken.
    pub(super) tree: Option<PathBuf>,
    /// Are some of them in `/tmp`?
    pub(super) in_tmp: bool,
}

/// What a jail's root consists of at a start. `foreseen`: its files are taken before that.
pub(super) fn root(
    house: &House,
    name: &Name,
    config: &Config,
    program: &Path,
    passing: bool,
    foreseen: bool,
) -> Result<Closure> {
    let method = config.root.method;
    if method == Method::Bind {
        return closure(config, program);
    }
    if passing {
        return Err(Error::refused(
            format!("root.method = \"{method}\": a run keeps no files"),
            "leave it out, or make a jail that stays: jaula create NAME …",
        ));
    }
    let tree = Some(taken::tree(house, name));
    match taken::head(house, name)? {
        Some(head) if head.request == taken::request(config) => {
            let taken::Head { program, writable, in_tmp, .. } = head;
            Ok(Closure { program, entries: Vec::new(), writable, tree, in_tmp })
        }
        _ if foreseen => Ok(Closure { tree, ..closure(config, program)? }),
        found => {
            let what =
                if found.is_some() { "other files than its configuration asks for" } else { "no files yet" };
            Err(Error::refused(
                format!("jail {:?} has {what}", name.as_str()),
                format!("take them from the host: jaula refresh {name}"),
            ))
        }
    }
}

/// What an app jail consists of, by the host as it is.
pub fn closure(config: &Config, program: &Path) -> Result<Closure> {
    let closure = host_closure(config, program)?;
    let entries = closure.entries.into_iter().map(|entry| AppEntry {
        path: entry.path.strip_prefix("/").map(Path::to_owned).unwrap_or(entry.path),
        what: match entry.what {
            app::What::File { source } => AppFile::File(source),
            app::What::Directory { source } => AppFile::Directory(source),
            app::What::Symlink { target } => AppFile::Link(target),
            app::What::Text { content } => AppFile::Text(content),
        },
    });
    let entries: Vec<AppEntry> = entries.collect();
    let in_tmp = entries.iter().any(|entry| entry.path.starts_with("tmp"));
    Ok(Closure { program: closure.program, entries, writable: closure.writable, tree: None, in_tmp })
}

/// The same with the reason of each file.
pub(crate) fn host_closure(config: &Config, program: &Path) -> Result<app::Closure> {
    let root = &config.root;
    let mut users = root.users.clone();
    users.extend(config.boot.user.clone());
    users.extend(root.writable.iter().filter_map(writable::owner));
    let writable: Vec<PathBuf> = root.writable.iter().map(|entry| entry.path.clone()).collect();
    let network = config.network.mode != NetworkMode::None;
    let request = app::Request {
        root: Path::new("/"),
        program,
        files: &root.files,
        writable: &writable,
        users: &users,
        network,
    };
    app::closure(&request).map_err(|e| {
        let help = e.help();
        Error::App { program: program.display().to_string(), source: Box::new(e), help }
    })
}
