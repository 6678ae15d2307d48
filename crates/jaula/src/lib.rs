//! What jaula does: one operation on jails per file in [`ops`].
#![forbid(unsafe_code)]

pub mod building;
mod cgroup;
pub mod claim;
mod disk;
pub mod error;
pub mod facts;
mod files;
pub mod firewall;
mod foreground;
mod forget;
pub mod house;
pub mod journal;
mod keeper;
pub mod keeping;
pub mod launch;
mod names;
pub mod ops;
mod owners;
mod process;
mod recover;
pub mod registry;
mod running;
pub mod session;
mod signals;
pub mod state;
mod trace;
mod tree;

pub use error::{Error, Result};
pub use forget::forget_caller;
pub mod rootfs;
