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
use std::process::ExitCode;

fn main() -> ExitCode {
    jaula::forget_caller();
    match parse::parse(std::env::args_os().skip(1)) {
        Ok(invocation) => dispatch::dispatch(invocation),
        Err(error) => {
            output::error::report(&error, Some(&error.help()), When::Auto);
            ExitCode::from(exit::USAGE)
        }
    }
}
