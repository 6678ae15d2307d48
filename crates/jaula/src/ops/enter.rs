//! `jaula enter`: a login shell in a jail that runs.

use crate::error::Result;
use crate::foreground::Role;
use crate::house::House;
use crate::ops::exec::bring_in;
use crate::ops::prepare::{environment, first};
use crate::running::Running;
use crate::session::streams;
use model::name::Name;
use model::plan::Stream;
use std::ffi::OsString;
use sys::process::Exit;

/// What every root is expected to have.
const SHELL: &str = "/bin/sh";

/// Opens the login shell of a user, root by default, and waits for its end.
pub fn enter(house: &House, name: &Name, user: Option<&str>) -> Result<Exit> {
    let jail = Running::open(house, name)?;
    let identity = jail.identity(user.or_else(|| (sys::process::user() == 0).then_some("root")))?;
    // Without a terminal of the caller's it reads its commands from standard input.
    let (streams, typing) = streams(None);
    let environment = environment(&identity, &jail.state.environment, streams.contains(&Stream::Terminal));
    let command = [identity.shell.clone().into()];
    let mut shell = first(&command, environment, identity.home.clone(), &identity, streams);
    shell.or_top = true;
    shell.programs.push(SHELL.into());
    shell.programs.dedup();
    // This is how a shell knows that it is a login shell (login(1)).
    let base = identity.shell.file_name().unwrap_or_default();
    let mut name = OsString::from("-");
    name.push(base);
    shell.arguments = vec![name];
    bring_in(&jail, &shell, typing, Role::Shell)
}
