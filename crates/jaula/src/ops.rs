//! What a user asks for, one file per operation.

pub mod console;
pub mod create;
pub mod delete;
pub mod gc;
pub mod list;
pub mod live;
pub mod prepare;
pub mod run;
pub mod start;
pub mod status;
pub mod stop;
