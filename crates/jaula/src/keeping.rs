//! What jails keep: taken as snapshots, given to clones, put back, renamed, removed.
//!
//! All that a jail keeps lies in `lib/jails/NAME`, its snapshots in `lib/jails/.snapshots/NAME`. Each
//! change has one step that decides, which is a rename or the writing of the jail's file: a command that
//! is killed leaves what was before it or what is after it, and [`settle`] tells which and tidies.

pub mod birth;
pub(crate) mod data;
pub(crate) mod hold;
pub mod settle;
pub mod shelf;

pub use shelf::{About, Shelf, SnapName};
