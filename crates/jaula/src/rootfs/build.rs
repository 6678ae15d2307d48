//! Where the files of a virtual server come from: each kind of origin fills an empty directory.
//!
//! Owners are written as they are inside. Nobody else reaches the directory meanwhile, and whoever made it
//! removes it if this fails, so that nothing here tidies up.

mod bootstrap;
mod copy;
mod host;
mod image;
mod jail;
mod skeleton;
mod tidy;
mod work;

pub use host::{Group as LeftOut, left_out};
pub use work::{Report, Work};

use crate::error::{Error, Result};
use crate::house::House;
use crate::rootfs::archive::Contents;
use model::bootstrap::Recipe;
use model::config::RootSpec;
use model::oci::Reference;
use model::template::Template;
use std::path::{Path, PathBuf};

/// What the files of a virtual server are made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A Debian or a relative, by its own package tools.
    Bootstrap(Recipe),
    /// The running host.
    Host,
    /// A directory tree of the host.
    Directory(PathBuf),
    /// A container image.
    Image(Reference),
    /// Empty directories and the least of `/etc`.
    Skeleton,
}

impl Origin {
    /// All that tells it from others, as `template.toml` keeps it.
    pub fn text(&self) -> String {
        match self {
            Self::Bootstrap(recipe) => recipe.origin(),
            Self::Host => "host".to_owned(),
            Self::Directory(path) => format!("dir:{}", path.display()),
            Self::Image(reference) => format!("oci:{reference}"),
            Self::Skeleton => "skeleton".to_owned(),
        }
    }

    /// As `root.from` says it, where the jail's own files are made from it.
    pub fn spec(&self) -> RootSpec {
        match self {
            Self::Bootstrap(recipe) => RootSpec::Debootstrap(recipe.suite.clone()),
            Self::Host => RootSpec::Host,
            Self::Directory(path) => RootSpec::Dir(path.clone()),
            Self::Image(reference) => RootSpec::Oci(reference.to_string()),
            Self::Skeleton => RootSpec::Skeleton,
        }
    }

    /// Is all there that it takes? What can be said before anything is made is said here.
    pub fn check(&self) -> Result<()> {
        if sys::process::user() != 0 {
            return Err(Error::refused(
                "building a virtual server needs root: its files have owners of their own",
                "run it as root; a directory that you own can be a jail as it is: --root dir:PATH",
            ));
        }
        match self {
            Self::Bootstrap(recipe) => bootstrap::check(recipe),
            Self::Directory(path) => copy::check(path),
            Self::Host | Self::Image(_) | Self::Skeleton => Ok(()),
        }
    }

    /// Makes the files in an empty directory.
    pub fn make(&self, house: &House, into: &Path, work: &mut Work<'_>) -> Result<()> {
        match self {
            Self::Bootstrap(recipe) => bootstrap::make(house, recipe, into, work),
            Self::Host => host::copy(house, into, work),
            Self::Directory(path) => copy::tree(path, into, work),
            Self::Image(_) => self.fill(house, into, &mut Template::default(), work).map(drop),
            Self::Skeleton => skeleton::make(into),
        }
    }

    /// The same, and completes what is known of them.
    pub fn fill(
        &self,
        house: &House,
        into: &Path,
        about: &mut Template,
        work: &mut Work<'_>,
    ) -> Result<Contents> {
        match self {
            Self::Image(reference) => image::fetch(reference, into, about, work),
            other => other.make(house, into, work).map(|()| Contents::default()),
        }
    }
}
