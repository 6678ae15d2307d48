//! What a jail is: its configuration, its plan, and the words for both.
//!
//! This crate is pure. It makes no system call, reads no clock and opens no file;
//! it does not depend on `sys`. All it knows of a host comes in as [`facts::Facts`].
#![forbid(unsafe_code)]

pub mod address;
pub mod audit;
pub mod boot;
pub mod bootstrap;
pub mod caps;
pub mod config;
pub mod confinement;
pub mod facts;
pub mod firewall;
pub mod forward;
pub mod guest;
pub mod hosts;
pub mod limits;
pub mod link;
pub mod manifest;
pub mod name;
pub mod neighbours;
pub mod oci;
pub mod order;
pub mod packages;
pub mod plan;
pub mod ports;
pub mod seccomp;
pub mod select;
pub mod signal;
pub mod suggest;
pub mod tar;
pub mod template;
pub mod time;
pub mod trace;
pub mod units;
pub mod users;
