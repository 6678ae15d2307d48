//! The command `jaula`: words in, operations on jails, text or JSON out.
#![forbid(unsafe_code)]
// Both panic when the reader has gone away; `output` has what to use instead.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod act;
mod command;
mod dispatch;
mod doc;
// Until `dispatch` does everything; the compiler will say when these can go.
#[cfg_attr(not(test), expect(dead_code))]
mod exit;
mod given;
mod output;
mod parse;
mod suggest;
mod table;
mod usage;

use command::When;
use std::ffi::OsString;
use std::io::Write;

/// Does what the command line says; the first word is the program's own name. Returns the status.
pub fn main(words: impl IntoIterator<Item = OsString>) -> u8 {
    jaula::forget_caller();
    let status = match parse::parse(words.into_iter().skip(1)) {
        Ok(invocation) => dispatch::dispatch(invocation).0,
        Err(error) => {
            output::error::report(&error, Some(&error.help()), When::Auto);
            exit::USAGE
        }
    };
    // Whoever could hear of a failure is the one who does not listen.
    let _ = std::io::stdout().flush();
    status
}
