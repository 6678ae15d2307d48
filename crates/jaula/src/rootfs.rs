//! Where the files of a jail come from.

pub mod app;
pub mod archive;
pub mod beneath;
pub mod build;
pub mod duplicate;
pub mod guest;
pub mod oci;
pub mod packages;
pub mod quota;
pub mod store;
pub(crate) mod survey;
pub(crate) mod taken;
pub mod template;
