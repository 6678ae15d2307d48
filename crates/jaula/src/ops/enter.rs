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
use std::path::Path;
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
    let shell = if jail.has(&identity.shell) { &identity.shell } else { Path::new(SHELL) };
    let mut login = first(&[shell.into()], environment, identity.home.clone(), &identity, streams);
    login.or_top = true;
    // This is how a shell knows that it is a login shell (login(1)).
    let mut name = OsString::from("-");
    name.push(shell.file_name().unwrap_or_default());
    login.arguments = vec![name];
    bring_in(&jail, &login, typing, Role::Shell)
}
