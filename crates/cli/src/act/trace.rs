//! `trace`, and the trace that comes before `create`.

mod print;
mod record;

use crate::act::operate::Talk;
use crate::act::{printed, settings};
use crate::command::{Op, Setting, Trace, TraceFirst};
use crate::exit::ExitCode;
use crate::output::error::{note, warn};
use crate::output::print_json;
use jaula::house::House;
use jaula::ops::review::{self, Asked, Reviewed, Target};
use jaula::ops::trace::{Length, Traced};
use jaula::{Error, Result, ops, registry};
use model::config::{Config, edit};
use model::units::Span;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a program may take to be ready.
const READY: Duration = Duration::from_secs(60);

/// `jaula trace`
pub(crate) fn trace(given: Trace, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    // What cannot be written to is told before the program runs.
    let target = match (&given.output, &given.into) {
        (Some(path), _) => Some(Target::file(path)?),
        (_, Some(word)) => Some(Target::jail(&house, &registry::one(&house, word)?)?),
        _ => None,
    };
    let wishes = Wishes::of(&given.settings)?;
    let traced = run(&house, &wishes, &given.command, (given.time, given.until_ready), given.tty, talk)?;
    let typed = Path::new(given.command.first().map_or_else(Default::default, OsString::as_os_str));
    let program =
        target.as_ref().and_then(Target::program).map_or_else(|| absolute(typed), |p| Ok(p.to_owned()))?;
    let is_strict = given.strict || target.as_ref().is_some_and(Target::is_strict);
    let (mut named, unwanted) = target.as_ref().map(Target::decided).unwrap_or_default();
    named.extend(wishes.named.iter().cloned());
    let reviewed = wishes.review(&traced, &program, named, unwanted, is_strict)?;
    if given.json {
        printed(print_json(&record::Data::of(&traced, &reviewed)))?;
    }
    let Some(target) = target else {
        if !given.json {
            printed(print::review(&reviewed, given.explain, talk.color))?;
            if !talk.quiet {
                printed(print::hint())?;
            }
        }
        return Ok(ExitCode::SUCCESS);
    };
    let command = words(&given.command)?;
    let settings = wishes.settings(&command, is_strict);
    let saved = target.save(&house, &reviewed.program, &settings, &reviewed.review)?;
    if !given.json && !talk.quiet {
        printed(print::saved(&saved, &reviewed, given.explain, talk.color))?;
    }
    Ok(ExitCode::from(saved.changed.map_or(0, |changed| crate::act::config::tell(&changed, talk))))
}

/// The trace of `jaula create --trace`: the text of the new jail's configuration, or nothing if
/// somebody does not want it.
pub(crate) fn before_create(
    house: &House,
    given: &TraceFirst,
    settings: &[Setting],
    command: &[String],
    talk: Talk,
) -> Result<Option<String>> {
    let wishes = Wishes::of(settings)?;
    let until_ready = given.until_ready || given.time.is_none();
    let words: Vec<OsString> = given.command.iter().map(OsString::from).collect();
    let traced = run(house, &wishes, &words, (given.time, until_ready), None, talk)?;
    let program = absolute(Path::new(given.command.first().map_or("", String::as_str)))?;
    let is_strict = wishes.config.security.profile == model::config::Profile::Strict;
    let reviewed = wishes.review(&traced, &program, wishes.named.clone(), BTreeSet::new(), is_strict)?;
    if !talk.quiet {
        printed(print::review(&reviewed, false, talk.color))?;
    }
    if !print::asked(&reviewed, given.yes, talk)? {
        return Ok(None);
    }
    let settings = wishes.settings(command, is_strict);
    Ok(Some(review::text(&reviewed.program, &settings, &reviewed.review)?.text))
}

/// Traces a program.
fn run(
    house: &House,
    wishes: &Wishes,
    command: &[OsString],
    (time, until_ready): (Option<Span>, bool),
    terminal: Option<bool>,
    talk: Talk,
) -> Result<Traced> {
    let length = length(time, until_ready);
    let config = wishes.config_of_trace();
    let trace = ops::trace::Trace { config, command: command.to_vec(), length, terminal };
    let say = |text: &str| {
        if !talk.quiet {
            warn(text, talk.color);
        }
    };
    if !talk.quiet && std::io::stderr().is_terminal() {
        let program = command.first().map(|word| word.to_string_lossy()).unwrap_or_default();
        let until = match (length, time) {
            (Length::UntilEnd, _) => "until it ends".to_owned(),
            (Length::For(_), Some(time)) => format!("for {time}"),
            _ => "until it is ready".to_owned(),
        };
        note(
            &format!("tracing {program} {until}; Ctrl-C ends it, and nothing that it does lasts"),
            talk.color,
        );
    }
    let traced = ops::trace::trace(house, &trace, say)?;
    if matches!(length, Length::UntilReady(_)) && !traced.ready {
        say("the program was not ready in time, or ended before: what it needs may not be all here");
    } else if traced.exit.code() != 0 && matches!(length, Length::UntilEnd) {
        let status = traced.exit.code();
        say(&format!("the program failed with status {status}: what it needs may not be all here"));
    }
    Ok(traced)
}

fn length(time: Option<Span>, until_ready: bool) -> Length {
    match (until_ready, time.map(|time| time.0)) {
        (true, time) => Length::UntilReady(time.unwrap_or(READY)),
        (false, Some(time)) => Length::For(time),
        (false, None) => Length::UntilEnd,
    }
}

/// What the options say of the jail.
struct Wishes {
    config: Config,
    settings: Vec<edit::Setting>,
    /// `--file`
    named: Vec<PathBuf>,
}

impl Wishes {
    fn of(given: &[Setting]) -> Result<Self> {
        let is_file = |s: &&Setting| s.key == "root.files" && matches!(s.op, Op::Add | Op::Set);
        let named =
            given.iter().filter(is_file).map(|s| absolute_text(&s.value)).collect::<Result<Vec<_>>>()?;
        let rest: Vec<Setting> =
            given.iter().filter(|s| s.key != "root.files" && s.key != "root.from").cloned().collect();
        let settings = settings(&rest);
        let config = Config::from_settings(&settings).map_err(|p| Error::problems(&p, None))?;
        Ok(Self { config, settings, named })
    }

    /// The configuration of the jail in which it is traced: what is about the files of the one to
    /// be made has no meaning there, nor has a profile that only lets through what was traced.
    fn config_of_trace(&self) -> Config {
        let mut config = self.config.clone();
        config.root = model::config::Root::default();
        let capabilities = std::mem::take(&mut config.security.capabilities);
        config.security = model::config::Security { capabilities, ..Default::default() };
        config.network.listen = None;
        config
    }

    /// What a new configuration says beside what the review says.
    fn settings(&self, command: &[String], is_strict: bool) -> Vec<edit::Setting> {
        let mut settings = self.settings.clone();
        if command.len() > 1 && !settings.iter().any(|s| s.key == "boot.command") {
            settings.push(edit::Setting::set("boot.command", crate::act::create::list(command)));
        }
        if is_strict && !settings.iter().any(|s| s.key == "security.profile") {
            settings.push(edit::Setting::set("security.profile", "strict"));
        }
        settings
    }

    fn review(
        &self,
        traced: &Traced,
        program: &Path,
        named: Vec<PathBuf>,
        unwanted: BTreeSet<PathBuf>,
        strict: bool,
    ) -> Result<Reviewed> {
        let network = self.config.network.mode != model::config::NetworkMode::None;
        let as_root = self.config.boot.user.is_none();
        review::of(&Asked { record: &traced.record, program, network, named, unwanted, strict, as_root })
    }
}

/// A program as `root.from` has it: a bare name is searched in the usual directories.
fn absolute(program: &Path) -> Result<PathBuf> {
    if program.components().count() > 1 {
        return std::path::absolute(program).map_err(Error::io("find", program));
    }
    Ok(program.to_owned())
}

fn absolute_text(path: &str) -> Result<PathBuf> {
    let path = Path::new(path);
    std::path::absolute(path).map_err(Error::io("find", path))
}

/// A command as a configuration can hold it.
fn words(command: &[OsString]) -> Result<Vec<String>> {
    let text = |word: &OsString| {
        word.to_str().map(str::to_owned).ok_or_else(|| {
            Error::refused(
                format!("{} is not UTF-8, as a configuration is", word.display()),
                "print the review instead: leave out -o and --into",
            )
        })
    };
    command.iter().map(text).collect()
}
