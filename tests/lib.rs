//! What a user would try, on real jails: the ground that the tests stand on.
//!
//! The tests themselves are in `main.rs` and the files beside it; [`harness`] gives each one a
//! fresh `JAULA_ROOT`, a handle on the command, and a look at the host before and after.
#![forbid(unsafe_code)]

pub mod harness;
