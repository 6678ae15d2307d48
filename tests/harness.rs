//! A test is a function `fn(&Test) -> Outcome`; [`trials!`](crate::trials) lists them and
//! [`run`] runs them.

mod build;
mod cable;
mod fault;
mod host;
mod jaula;
mod machine;
mod pty;
mod roots;
mod runner;
mod template;
mod test;

pub use build::{c_program, target_directory};
pub use cable::{CLIENT, Cable};
pub use fault::{SmallDisk, Survived, Victim, fault_at_calls, fault_at_every_call, fault_at_those};
pub use host::{Kind as ThingKind, Snapshot, Thing};
pub use jaula::{Done, Jaula, command};
pub use machine::Machine;
pub use pty::Pty;
pub use roots::{busybox_root, probe};
pub use runner::run;
pub use template::Template;
pub use test::{Need, Outcome, Stop, Test, trial};
