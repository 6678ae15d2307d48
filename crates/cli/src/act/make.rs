//! `run`

use crate::act::operate::Talk;
use crate::act::settings;
use crate::command::{DryRun, Run};
use crate::exit::ExitCode;
use jaula::house::House;
use jaula::{Error, Result, ops, registry};
use model::config::Config;
use model::config::edit::apply;

/// `jaula run`
pub(crate) fn run(given: Run, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    let settings = settings(&given.settings);
    let config = match &given.config {
        None => Config::from_settings(&settings).map_err(|p| Error::problems(&p, None))?,
        Some(path) => {
            let text = registry::read_text(path)?;
            let whole = apply(&text, &settings).and_then(|text| Config::parse(&text));
            whole.map_err(|p| Error::problems(&p, Some(path)))?
        }
    };
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
