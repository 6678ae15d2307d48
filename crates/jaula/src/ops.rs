//! What a user asks for, one file per operation.

pub mod prepare;
pub mod run;
