//! What a user asks for, one file per operation.

pub mod audit;
pub mod check;
pub mod console;
pub mod create;
pub mod delete;
pub mod doctor;
pub mod effective;
pub mod enter;
pub mod exec;
pub mod gc;
pub mod list;
pub mod live;
pub mod logs;
pub mod plan;
pub mod prepare;
pub mod refresh;
pub mod review;
pub mod run;
pub mod set;
pub mod signal;
pub mod start;
pub mod status;
pub mod stop;
pub mod trace;
pub mod up;
