//! `create`

use crate::act::operate::{Talk, start_all};
use crate::act::{printed, settings, trace};
use crate::command::{Create, DryRun};
use crate::exit;
use crate::exit::ExitCode;
use crate::output::print_text;
use jaula::house::House;
use jaula::ops::create;
use jaula::{Result, registry};
use model::config::{Operation, Setting};

/// `jaula create`
pub(crate) fn create(given: Create, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    let mut settings = settings(&given.settings);
    if !given.command.is_empty() {
        let value = list(&given.command);
        settings.push(Setting { key: "boot.command".to_owned(), operation: Operation::Set, value });
    }
    let name = given.name.parse()?;
    let base = match (&given.trace, &given.config) {
        (Some(traced), None) => {
            create::free(&house, &name)?;
            match trace::before_create(&house, traced, &given.settings, &given.command, talk)? {
                // The settings are in it.
                Some(text) => {
                    settings.clear();
                    text
                }
                None => return Ok(ExitCode::from(exit::FAILED)),
            }
        }
        (_, Some(path)) => registry::read_text(path)?,
        (None, None) => String::new(),
    };
    let create = create::Create { name, base, settings };
    if let Some(how) = given.dry_run {
        crate::act::plan::print(&create::plan(&house, &create)?, how == DryRun::Json)?;
        return Ok(ExitCode::SUCCESS);
    }
    let created = create::create(&house, &create)?;
    if !talk.quiet {
        let text =
            format!("jail {} is created with id {}: {}\n", created.name, created.id, created.path.display());
        printed(print_text(&text))?;
    }
    if given.start {
        return start_all(&house, &[created.name], talk);
    }
    Ok(ExitCode::SUCCESS)
}

/// Words as a list in TOML. Its strings are those of JSON, but for one character.
pub(crate) fn list(words: &[String]) -> String {
    let one = |word: &String| serde_json::json!(word).to_string().replace('\u{7f}', "\\u007f");
    format!("[{}]", words.iter().map(one).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_as_toml() {
        let words = ["a b", "", "\"\\", "é\t\n\u{7f}\u{1}\u{1f}$", "'", "\u{2028}"].map(str::to_owned);
        let setting =
            Setting { key: "boot.command".to_owned(), operation: Operation::Set, value: list(&words) };
        let wanted = model::config::Config::from_settings(&[setting]).unwrap().boot.command;
        assert_eq!(wanted, words);
    }
}
