//! `run`

use crate::act::operate::Talk;
use crate::act::settings;
use crate::command::{DryRun, Run};
use jaula::house::House;
use jaula::{Error, Result, ops};
use model::config::Config;
use std::process::ExitCode;

/// `jaula run`
pub(crate) fn run(given: Run, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    let config = Config::from_settings(&settings(&given.settings)).map_err(|p| Error::problems(&p, None))?;
    let name = given.name.as_deref().map(str::parse).transpose()?;
    let run = ops::run::Run { config, command: given.command, name, terminal: given.tty };
    match given.dry_run {
        Some(how) => {
            crate::act::plan::print(&ops::run::plan(&house, &run)?, how == DryRun::Json)?;
            Ok(ExitCode::SUCCESS)
        }
        None => {
            let warn = |text: &str| {
                if !talk.quiet {
                    crate::output::error::warn(text, talk.color);
                }
            };
            ops::run::run(&house, &run, warn).map(|exit| crate::act::code(exit.code()))
        }
    }
}
