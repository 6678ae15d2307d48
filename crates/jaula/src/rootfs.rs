//! Where the files of a jail come from.

pub mod app;
