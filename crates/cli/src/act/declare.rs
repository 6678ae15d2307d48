//! `up` and `down`

use crate::act::operate::{Talk, failed, start_all};
use crate::act::printed;
use crate::exit::ExitCode;
use crate::output::error::warn;
use crate::output::print_text;
use jaula::house::House;
use jaula::ops::up::What;
use jaula::ops::{stop, up};
use jaula::{Error, Result, registry};
use model::name::Name;
use std::fmt::Write;
use std::path::Path;

/// `jaula up`
pub(crate) fn up(directory: &Path, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    let up = up::up(&house, directory)?;
    let mut text = String::new();
    let mut status = 0;
    let (mut begin, mut again) = (Vec::new(), Vec::new());
    for jail in &up.jails {
        let runs = registry::live(&house, &jail.name)?.is_some_and(|live| live.is_alive());
        let then = match (runs, jail.restart) {
            (true, false) => "",
            (true, true) => "restarts",
            (false, _) => "starts",
        };
        let was = match jail.what {
            What::Created => "created",
            What::Changed => "changed",
            What::Kept => "",
        };
        if !runs || jail.restart {
            begin.push(jail.name.clone());
        }
        if runs && jail.restart {
            again.push(jail.name.clone());
        }
        let said: Vec<&str> = [was, then].into_iter().filter(|word| !word.is_empty()).collect();
        if !said.is_empty() {
            let _ = writeln!(text, "{}: {}", jail.name, said.join(", "));
        }
    }
    if text.is_empty() {
        let _ = writeln!(text, "nothing to do: all is as {} says", up.file.display());
    }
    if !talk.quiet {
        printed(print_text(&text))?;
        for name in &up.left {
            let text = format!(
                "{} does not declare {name} any more: jaula down stops it, jaula delete {name} deletes it",
                up.file.display()
            );
            warn(&text, talk.color);
        }
    }
    stop_all(&house, &again, talk, &mut status);
    let started = start_all(&house, &begin, talk)?;
    Ok(if status == 0 { started } else { ExitCode::from(status) })
}

/// `jaula down`
pub(crate) fn down(directory: &Path, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    let mut status = 0;
    for name in up::down(&house, directory)? {
        stop_all(&house, &[name], talk, &mut status);
    }
    Ok(ExitCode::from(status))
}

/// Stops jails, and prints what failed. One that does not run is as it should be.
fn stop_all(house: &House, names: &[Name], talk: Talk, status: &mut u8) {
    stop::stop(house, names, None, |_, done| match done {
        Ok(_) | Err(Error::NotRunning(_)) => {}
        Err(error) => failed(&error, talk, status),
    });
}
