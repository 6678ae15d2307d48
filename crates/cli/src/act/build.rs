//! `build`

use crate::act::operate::{Talk, start_all};
use crate::act::{keep, printed, settings};
use crate::command::{Build, Clone};
use crate::exit::ExitCode;
use crate::output::error::{note, warn};
use crate::output::progress::{Steps, say};
use crate::output::{print_json, print_text};
use jaula::house::House;
use jaula::ops::build::{self, Outline, Source};
use jaula::rootfs::build::{LeftOut, Origin, Report, Work, left_out};
use jaula::{Error, Result};
use model::bootstrap::Recipe;
use model::config::RootSpec;
use model::name::Name;
use model::oci::Reference;
use serde::Serialize;
use std::fmt::Write;

/// What was built, or would be.
#[derive(Serialize)]
struct Told<'a> {
    name: &'a Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u16>,
    store: String,
    template: Option<&'a str>,
    template_made: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<&'a [LeftOut]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<&'a str>,
}

/// `jaula build`
pub(crate) fn build(given: &Build, talk: Talk) -> Result<ExitCode> {
    if let Some(from) = given.from.strip_prefix("clone:") {
        return copy(given, from, talk);
    }
    let house = House::from_environment();
    let what = build::Build {
        name: given.name.parse()?,
        source: source(given)?,
        template: given.template.as_deref().map(str::parse).transpose()?,
        fresh: given.fresh,
        settings: settings(&given.settings),
    };
    let outline = build::outline(&house, &what)?;
    let is_host = what.source == Source::Origin(Origin::Host);
    let without = is_host.then(|| left_out(&house));
    if given.dry_run {
        return dry(given, &what, &outline, without.as_deref());
    }
    if let (Some(without), false) = (&without, talk.quiet) {
        note("a copy of this host is without these:", talk.color);
        list(without).lines().for_each(say);
    }
    let mut steps = Steps::new(given.name.clone(), talk.quiet || given.verbose);
    let mut report = |report: Report<'_>| match report {
        Report::Step(step) => steps.say(step.phase, &step.what, step.count),
        Report::Line(line) if given.verbose => steps.line(line),
        Report::Told(text) if !talk.quiet => say(&format!("{}: {text}", given.name)),
        Report::Line(_) | Report::Told(_) => {}
    };
    let mut work = Work::begin(&mut report)?;
    let built = build::build(&house, &what, &mut work)?;
    drop(work);
    drop(steps);
    if !talk.quiet {
        built.warnings.iter().for_each(|warning| warn(warning, talk.color));
    }
    let (name, id) = (&built.jail.name, built.jail.id);
    if given.json {
        let template = built.template.as_ref();
        printed(print_json(&Told {
            name,
            id: Some(id.into()),
            store: outline.store.to_string(),
            template: template.map(|(name, _)| name.as_str()),
            template_made: template.is_some_and(|(_, there)| !there),
            left_out: None,
            config: None,
        }))?;
    } else if !talk.quiet {
        let on = match &built.template {
            Some((template, true)) => format!(" on the template {template}"),
            Some((template, false)) => format!(" on the template {template}, which is new"),
            None => String::new(),
        };
        printed(print_text(&format!(
            "jail {name} is built with id {id}{on}: {}\n",
            built.jail.path.display()
        )))?;
    }
    match given.start {
        true => start_all(&house, &[built.jail.name], talk),
        false => Ok(ExitCode::SUCCESS),
    }
}

/// `--from clone:JAIL`, or `clone:JAIL@SNAPSHOT`: as `jaula clone` does it.
fn copy(given: &Build, from: &str, talk: Talk) -> Result<ExitCode> {
    only_of_debootstrap(given)?;
    if given.template.is_some() || given.fresh {
        return Err(Error::refused(
            "a clone has no template made for it",
            "leave --template and --fresh out",
        ));
    }
    let house = House::from_environment();
    let (text, store) = keep::outline(&house, from, &given.name, &given.settings)?;
    let mut told = Told {
        name: &given.name.parse()?,
        id: None,
        store: store.map(|store| store.to_string()).unwrap_or_default(),
        template: None,
        template_made: false,
        left_out: None,
        config: None,
    };
    if given.dry_run {
        told.config = Some(&text);
        return printed(match given.json {
            true => print_json(&told),
            false => print_text(&format!("its files are copied from {from}\nits configuration:\n\n{text}")),
        });
    }
    let clone = Clone {
        name: from.to_owned(),
        new: given.name.clone(),
        settings: given.settings.clone(),
        start: given.start,
    };
    if !given.json {
        return keep::clone(&clone, talk);
    }
    let code = keep::clone(&clone, Talk { quiet: true, ..talk })?;
    told.id = jaula::registry::config(&house, told.name)?.id.map(Into::into);
    printed(print_json(&told))?;
    Ok(code)
}

/// Refuses what only Debian's package tools know.
fn only_of_debootstrap(given: &Build) -> Result<()> {
    let lost = [
        ("--mirror", !given.mirrors.is_empty()),
        ("--variant", given.variant.is_some()),
        ("--packages", !given.packages.is_empty()),
        ("--components", !given.components.is_empty()),
        ("--keyring", given.keyring.is_some()),
    ];
    match lost.iter().find(|(_, is_given)| *is_given) {
        Some((option, _)) => {
            Err(Error::refused(format!("{option} is for debootstrap: only"), "leave it out"))
        }
        None => Ok(()),
    }
}

/// What would be done.
fn dry(
    given: &Build,
    what: &build::Build,
    outline: &Outline,
    without: Option<&[LeftOut]>,
) -> Result<ExitCode> {
    if given.json {
        return printed(print_json(&Told {
            name: &what.name,
            id: None,
            store: outline.store.to_string(),
            template: outline.template.as_ref().map(Name::as_str),
            template_made: outline.template.is_some() && !outline.there,
            left_out: without,
            config: Some(&outline.text),
        }));
    }
    let mut text = String::new();
    if let Some(without) = without {
        let _ = write!(text, "not copied:\n{}", list(without));
    }
    let _ = match (&outline.template, outline.there) {
        (Some(template), true) => writeln!(text, "the template {template} is there"),
        (Some(template), false) => writeln!(text, "the template {template} is made, from {}", given.from),
        (None, _) => writeln!(text, "its own files are made, from {}", given.from),
    };
    let _ = write!(text, "its configuration:\n\n{}", outline.text);
    printed(print_text(&text))
}

/// What a copy of the host is without.
fn list(without: &[LeftOut]) -> String {
    let mut text = String::new();
    for group in without.iter().filter(|group| !group.paths.is_empty()) {
        let paths: Vec<String> = group.paths.iter().map(|path| path.display().to_string()).collect();
        let _ = writeln!(text, "  {}: {}", group.why, paths.join(" "));
    }
    text
}

/// What the words mean.
pub(super) fn source(given: &Build) -> Result<Source> {
    let spec: RootSpec = given.from.parse().map_err(|bad: model::config::BadValue| Error::Refused {
        message: format!("--from: {}", bad.message),
        help: bad.help,
    })?;
    if !matches!(spec, RootSpec::Debootstrap(_)) {
        only_of_debootstrap(given)?;
    }
    Ok(match spec {
        RootSpec::Template(name) => Source::Template(name),
        RootSpec::Debootstrap(suite) => Source::Origin(Origin::Bootstrap(Recipe {
            suite,
            mirrors: given.mirrors.clone(),
            variant: given.variant.clone(),
            packages: given.packages.clone(),
            components: given.components.clone(),
            keyring: given.keyring.as_deref().map(absolute).transpose()?,
        })),
        RootSpec::Host => Source::Origin(Origin::Host),
        RootSpec::Dir(path) => Source::Origin(Origin::Directory(path)),
        RootSpec::Skeleton => Source::Origin(Origin::Skeleton),
        RootSpec::App(_) => {
            return Err(Error::refused(
                "an app jail has no files of its own to build",
                "make it with: jaula create NAME --app PROGRAM",
            ));
        }
        RootSpec::Oci(image) => {
            let reference =
                Reference::parse(&image).map_err(|bad| Error::refused(bad.to_string(), bad.help()))?;
            Source::Origin(Origin::Image(whole(reference)?))
        }
        RootSpec::Clone(_) => {
            return Err(Error::refused(
                "a template is not made of a jail by cloning it",
                "jaula export JAIL FILE and jaula template import NAME FILE make one of its files",
            ));
        }
    })
}

/// The path of an image from wherever it is looked at.
fn whole(reference: Reference) -> Result<Reference> {
    Ok(match reference {
        Reference::Path { path, which } => {
            let path = absolute(std::path::Path::new(&path))?.display().to_string();
            Reference::Path { path, which }
        }
        registry => registry,
    })
}

fn absolute(path: &std::path::Path) -> Result<std::path::PathBuf> {
    std::path::absolute(path).map_err(Error::io("use", path))
}
