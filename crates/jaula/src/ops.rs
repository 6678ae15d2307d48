//! What a user asks for, one file per operation.

pub mod create;
pub mod delete;
pub mod list;
pub mod pending;
pub mod prepare;
pub mod run;
pub mod status;
