//! `jaula template`: what virtual servers are made from.

use crate::error::{Error, Result};
use crate::house::House;
use crate::registry;
use crate::rootfs::archive::manifest::Difference;
use crate::rootfs::archive::{ArchiveError, Input, Limits, Packed, pack, unpack};
use crate::rootfs::build::Work;
use crate::rootfs::template;
use model::name::Name;
use model::template::{TREE, Template};
use model::time::Moment;
use model::units::Bytes;
use serde::Serialize;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::Path;

/// What `list` says of a template.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The template.
    pub name: Name,
    /// Its distribution, and its version of it.
    pub distribution: Option<String>,
    /// See [`distribution`](Self::distribution).
    pub version: Option<String>,
    /// What its programs run on.
    pub architecture: Option<String>,
    /// Its init.
    pub init: Option<String>,
    /// How much room its files take.
    pub size: u64,
    /// How many files it has.
    pub files: u64,
    /// When it was made, if that is known.
    pub made: Option<Moment>,
    /// What it was made from.
    pub origin: String,
    /// The digest of its archive or image.
    pub digest: Option<String>,
    /// The digest of the list of its files.
    pub tree: Option<String>,
    /// The jails that lie on it.
    pub used_by: Vec<Name>,
    /// Why nothing is known of it.
    pub problem: Option<String>,
}

/// The templates that are there.
pub fn list(house: &House) -> Result<Vec<Summary>> {
    template::list(house)?.into_iter().map(|name| summary(house, name)).collect()
}

fn summary(house: &House, name: Name) -> Result<Summary> {
    let (known, problem) = match template::read(house, &name) {
        Ok(Some(known)) => (known, None),
        Ok(None) => (Template::default(), Some("it has no template.toml".to_owned())),
        Err(error) => (Template::default(), Some(error.line())),
    };
    Ok(Summary {
        used_by: template::users(house, &name)?,
        name,
        made: known.moment(),
        distribution: known.distribution,
        version: known.version,
        architecture: known.architecture,
        init: known.init,
        size: known.size.0,
        files: known.files,
        origin: known.origin,
        digest: known.digest,
        tree: known.tree,
        problem,
    })
}

/// What to import.
pub struct Import {
    /// What it will be called.
    pub name: Name,
    /// The archive.
    pub archive: Box<dyn Read + Send>,
    /// What it is called in messages.
    pub called: String,
    /// How long it is, if that is known.
    pub size: Option<u64>,
    /// The SHA-256 that it must have, in hexadecimal.
    pub digest: Option<String>,
    /// How much it may become.
    pub limit: Option<Bytes>,
}

impl std::fmt::Debug for Import {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Import")
            .field("name", &self.name)
            .field("called", &self.called)
            .finish_non_exhaustive()
    }
}

/// Makes a template of an archive. If this fails, or is killed, there is none.
pub fn import(house: &House, import: Import, work: &mut Work<'_>) -> Result<Summary> {
    let Import { name, archive, called, size, digest: wanted, limit } = import;
    if template::read(house, &name)?.is_some() || house.template(&name).exists() {
        return Err(Error::refused(
            format!("there is a template {:?} already", name.as_str()),
            format!("choose another name, or: jaula template delete {name}"),
        ));
    }
    // Another name for it, and it is given once: `fill` may be called once only.
    let mut archive = Some(archive);
    let about = Template { origin: format!("archive:{called}"), ..Template::default() };
    let mut fill = |into: &Path, about: &mut Template| {
        let Some(archive) = archive.take() else {
            return Err(Error::Inside("an archive was read twice".into()));
        };
        let top = open(into)?;
        let limits = Limits::of(&top, limit.map(|limit| limit.0))
            .map_err(Error::call("see how much room there is"))?;
        let done = {
            let mut report = work.unpacking(size);
            unpack(Input::new(archive)?, top.as_fd(), limits, &mut report)?
        };
        if let Some(wanted) = wanted.clone().filter(|wanted| *wanted != done.digest) {
            return Err(ArchiveError::Digest { wanted, found: done.digest }.into());
        }
        about.digest = Some(format!("sha256:{}", done.digest));
        work.left_out(&done.left_out);
        work.say("listing what it holds");
        Ok(done.contents)
    };
    template::make(house, &name, about, &mut fill).map_err(|error| match work.ended_by(error) {
        Error::Archive { source, .. } => Error::Archive { archive: called, source },
        other => other,
    })?;
    summary(house, name)
}

/// Packs the files of a template.
pub fn export(house: &House, name: &Name, to: impl Write, work: &mut Work<'_>) -> Result<Packed> {
    let known = known(house, name)?;
    let top = open(&house.template(name).join(TREE))?;
    let files = known.files;
    pack(top.as_fd(), to, &mut |progress| {
        if progress.files.is_multiple_of(64) {
            work.packing(progress, files)?;
        }
        Ok(())
    })
}

/// What `verify` finds.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    /// The template.
    pub name: Name,
    /// The digest of its files as they are now.
    pub tree: String,
    /// The one that was recorded; none of a template that was not made by jaula.
    pub recorded: Option<String>,
    /// What differs.
    pub differences: Vec<Difference>,
}

impl Verified {
    /// Is it as it was made?
    pub fn holds(&self) -> bool {
        self.differences.is_empty() && self.recorded.is_some()
    }
}

/// Compares the files of a template with the list that was made of them.
pub fn verify(house: &House, name: &Name, work: &mut Work<'_>) -> Result<Verified> {
    let known = known(house, name)?;
    let files = known.files;
    let found = template::manifest(&house.template(name).join(TREE), &mut |progress| {
        if progress.files.is_multiple_of(64) {
            work.packing(progress, files)?;
        }
        Ok(())
    })?;
    let old = template::recorded(house, name, &known)?;
    let differences = old.map(|old| old.compare(&found)).unwrap_or_default();
    let tree = format!("sha256:{}", found.digest());
    Ok(Verified { name: name.clone(), tree, recorded: known.tree, differences })
}

/// Deletes a template that no jail lies on.
pub fn delete(house: &House, name: &Name) -> Result<()> {
    template::delete(house, name)
}

/// The templates that are meant: names, or all.
pub fn select(house: &House, words: &[String]) -> Result<Vec<Name>> {
    if words.is_empty() {
        return template::list(house);
    }
    let all = template::list(house)?;
    let one = |word: &String| {
        let name: Name = word.parse()?;
        if all.contains(&name) { Ok(name) } else { Err(template::missing(house, &name)?) }
    };
    words.iter().map(one).collect()
}

fn known(house: &House, name: &Name) -> Result<Template> {
    match template::read(house, name)? {
        Some(known) => Ok(known),
        None => Err(template::missing(house, name)?),
    }
}

fn open(path: &Path) -> Result<std::os::fd::OwnedFd> {
    sys::fs::open(sys::fs::CWD, path, sys::fs::O_RDONLY | sys::fs::O_DIRECTORY, 0)
        .map_err(|e| Error::tree(path, "the files of a template", e))
}

/// A file that is written aside and gets its name when it is whole.
#[derive(Debug)]
pub struct Output {
    file: File,
    aside: std::path::PathBuf,
    path: std::path::PathBuf,
    done: bool,
}

impl Output {
    /// Begins a file; one that is there is not replaced.
    pub fn begin(path: &Path) -> Result<Self> {
        let path = &std::path::absolute(path).map_err(Error::io("use", path))?;
        if std::fs::symlink_metadata(path).is_ok() {
            return Err(Error::refused(
                format!("{} is there already", path.display()),
                "name another file, or remove it",
            ));
        }
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".new.{}", std::process::id()));
        let aside = std::path::PathBuf::from(name);
        let mut options = std::fs::OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.write(true).create_new(true).open(&aside).map_err(Error::io("make", &aside))?;
        Ok(Self { file, aside, path: path.to_owned(), done: false })
    }

    /// It is whole; beside it lies its digest, as sha256sum(1) takes it.
    pub fn settle(mut self, digest: &str) -> Result<()> {
        self.file.sync_all().map_err(Error::io("write", &self.aside))?;
        sys::fs::move_to(sys::fs::CWD, &self.aside, sys::fs::CWD, &self.path)
            .map_err(Error::call("name the archive"))?;
        self.done = true;
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        crate::house::replace(&beside(&self.path), format!("{digest}  {name}\n").as_bytes())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.done {
            // It is nothing yet.
            let _ = std::fs::remove_file(&self.aside);
        }
    }
}

/// Where the digest of an archive lies: `FILE.sha256`.
pub fn beside(path: &Path) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sha256");
    name.into()
}

/// The digest that lies beside an archive; `None` if none does.
pub fn digest_beside(path: &Path) -> Result<Option<String>> {
    let at = beside(path);
    let text = match registry::read_text(&at) {
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    let digest = text.split_whitespace().next().unwrap_or_default();
    let digest = format!("sha256:{digest}");
    match model::oci::sha256(&digest) {
        Ok(hex) => Ok(Some(hex.to_owned())),
        Err(bad) => Err(Error::refused(format!("{}: {bad}", at.display()), "correct or remove it")),
    }
}
