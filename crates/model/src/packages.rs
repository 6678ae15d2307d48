//! Which package a file of the host belongs to, from the text of package databases.

pub mod apk;
pub mod dpkg;
pub mod rpm;

/// A package of the host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}
