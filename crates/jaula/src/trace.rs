//! Watching what a program does: each of its calls that a trace looks at waits for a word, is written
//! down, and goes on. What is true of the host anyway is asked at the end, so that the program waits
//! as little as can be.

pub(crate) mod host;
mod interpreter;
mod process;
mod settle;
mod sockets;
mod uses;
mod watcher;

pub(crate) use uses::Uses;
pub(crate) use watcher::Watcher;
