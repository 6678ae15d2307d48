//! `template …`

use crate::act::keep::size;
use crate::act::operate::{Talk, failed};
use crate::act::{build, printed};
use crate::command::{Build, Template, TemplateImport, When};
use crate::exit;
use crate::exit::ExitCode;
use crate::output::confirm::confirm;
use crate::output::progress::{Steps, say};
use crate::output::style::Style;
use crate::output::table::{Side, Table};
use crate::output::{print_json, print_text};
use jaula::house::House;
use jaula::ops::build::Source;
use jaula::ops::template::{self, Import, Output, Summary, Verified};
use jaula::ops::transfer::Exported;
use jaula::rootfs::build::{Report, Work};
use jaula::{Error, Result};
use model::name::Name;
use model::units::Bytes;
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

/// `jaula template …`
pub(crate) fn template(given: Template, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    match given {
        Template::Make(given) => make(&house, &given, talk),
        Template::List { json, names_only } => list(&house, json, names_only, talk.color),
        Template::Import(given) => import(&house, given, talk),
        Template::Export { name, file, json } => export(&house, &name.parse()?, file.as_deref(), json, talk),
        Template::Delete { names, yes } => delete(&house, &names, yes, talk),
        Template::Verify { names, json } => verify(&house, &names, json, talk),
    }
}

/// Does a long work with a line that says how far it is.
pub(super) fn at_work<T>(
    of: &str,
    talk: Talk,
    verbose: bool,
    body: impl FnOnce(&mut Work<'_>) -> Result<T>,
) -> Result<T> {
    let mut steps = Steps::new(of.to_owned(), talk.quiet || verbose);
    let mut report = |report: Report<'_>| match report {
        // What nobody sees again is told for good.
        Report::Step(step) if step.phase == "left out" && !talk.quiet => {
            say(&format!("{of}: left out: {}", step.what))
        }
        Report::Step(step) => steps.say(step.phase, &step.what, step.count),
        Report::Line(line) if verbose => steps.line(line),
        Report::Told(text) if !talk.quiet => say(&format!("{of}: {text}")),
        Report::Line(_) | Report::Told(_) => {}
    };
    body(&mut Work::begin(&mut report)?)
}

fn make(house: &House, given: &Build, talk: Talk) -> Result<ExitCode> {
    let name: Name = given.name.parse()?;
    let Source::Origin(origin) = build::source(given)? else {
        return Err(Error::refused(
            "a template cannot be made from a template",
            "copy it: jaula template export, import",
        ));
    };
    if !given.fresh && jaula::rootfs::template::read(house, &name)?.is_some() {
        return Err(Error::refused(
            format!("there is a template {:?} already", name.as_str()),
            "make it anew with --fresh, or choose another name",
        ));
    }
    origin.check()?;
    at_work(&given.name, talk, given.verbose, |work| {
        jaula::ops::build::make_template(house, given.fresh, &origin, &name, work)
    })?;
    let made = template::list(house)?.into_iter().find(|one| one.name == name);
    told(made.as_ref(), given.json, talk)
}

/// What was made.
fn told(made: Option<&Summary>, json: bool, talk: Talk) -> Result<ExitCode> {
    let Some(made) = made else { return Ok(ExitCode::SUCCESS) };
    if json {
        return printed(print_json(made));
    }
    if talk.quiet {
        return Ok(ExitCode::SUCCESS);
    }
    let what = kind(made);
    let what = if what.is_empty() { String::new() } else { format!(", {what}") };
    printed(print_text(&format!(
        "template {} is made: {} files, {}{what}\n",
        made.name,
        made.files,
        Bytes(made.size)
    )))
}

/// The distribution of a template, in words.
fn kind(one: &Summary) -> String {
    [&one.distribution, &one.version].into_iter().flatten().cloned().collect::<Vec<_>>().join(" ")
}

fn list(house: &House, json: bool, names_only: bool, color: When) -> Result<ExitCode> {
    let all = template::list(house)?;
    if json {
        return printed(print_json(&all));
    }
    if names_only {
        return printed(print_text(&all.iter().map(|one| format!("{}\n", one.name)).collect::<String>()));
    }
    let columns = [
        ("NAME", Side::Left),
        ("DISTRIBUTION", Side::Left),
        ("INIT", Side::Left),
        ("SIZE", Side::Right),
        ("MADE", Side::Left),
        ("USED BY", Side::Left),
        ("FROM", Side::Left),
    ];
    let mut table = Table::new(&columns);
    for one in &all {
        let users: Vec<&str> = one.used_by.iter().map(Name::as_str).collect();
        let users = if users.len() > 3 { format!("{} jails", users.len()) } else { users.join(", ") };
        // One that somebody has put there by hand may say nothing of it.
        let made = one.made.map_or_else(|| "-".to_owned(), |made| made.to_string());
        table.row([
            one.name.as_str(),
            &kind(one),
            one.init.as_deref().unwrap_or_default(),
            &size(one.size),
            made.split('T').next().unwrap_or_default(),
            &users,
            one.problem.as_deref().unwrap_or(&one.origin),
        ]);
        if one.problem.is_some() {
            table.mark(6, Style::red);
        }
    }
    printed(table.print(Style::of(color, &io::stdout())))
}

/// An archive to read.
pub(super) struct Archive {
    pub(super) read: Box<dyn io::Read + Send>,
    /// What it is called in messages.
    pub(super) called: String,
    /// How long it is, if that is known.
    pub(super) size: Option<u64>,
    /// The SHA-256 that it must have: what was asked for, or what lies beside it.
    pub(super) digest: Option<String>,
}

/// A file, or standard input.
pub(super) fn input(file: Option<&Path>, digest: Option<&str>) -> Result<Archive> {
    let digest = digest.map(|text| {
        let hex = text.strip_prefix("sha256:").unwrap_or(text);
        let known = model::oci::sha256(&format!("sha256:{hex}")).map(str::to_owned);
        known.map_err(|bad| Error::refused(format!("--digest: {bad}"), "sha256sum FILE prints it"))
    });
    let digest = digest.transpose()?;
    let Some(path) = file else {
        if io::stdin().is_terminal() {
            return Err(Error::refused(
                "an archive cannot be typed: standard input is a terminal",
                "name a file",
            ));
        }
        return Ok(Archive {
            read: Box::new(io::stdin()),
            called: "standard input".to_owned(),
            size: None,
            digest,
        });
    };
    let open = std::fs::File::open(path).map_err(Error::io("open", path))?;
    let about = open.metadata().map_err(Error::io("look at", path))?;
    if about.is_dir() {
        return Err(Error::refused(
            format!("{} is a directory, not an archive", path.display()),
            "see jaula help build: --from dir:PATH",
        ));
    }
    let digest = match digest {
        None => template::digest_beside(path)?,
        digest => digest,
    };
    let size = about.is_file().then_some(about.len());
    Ok(Archive { read: Box::new(open), called: path.display().to_string(), size, digest })
}

/// `--limit`
pub(super) fn limit(text: Option<&str>) -> Result<Option<Bytes>> {
    let limit = text.map(|text| {
        text.parse().map_err(|_| Error::refused(format!("--limit {text} is no size"), "sizes are such as 2G"))
    });
    limit.transpose()
}

fn import(house: &House, given: TemplateImport, talk: Talk) -> Result<ExitCode> {
    let Archive { read: archive, called, size, digest } =
        input(given.file.as_deref(), given.digest.as_deref())?;
    let limit = limit(given.limit.as_deref())?;
    let import = Import { name: given.name.parse()?, archive, called, size, digest, limit };
    let made = at_work(&given.name, talk, false, |work| template::import(house, import, work))?;
    told(Some(&made), given.json, talk)
}

/// What was packed.
#[derive(Serialize)]
struct Packed<'a> {
    name: &'a Name,
    file: Option<String>,
    digest: String,
    size: u64,
    files: u64,
    /// How many milliseconds a jail stood still for it.
    frozen: Option<u64>,
}

/// Is a file called by another kind of archive? Whoever unpacks it by its name would not get far.
fn named_otherwise(path: &Path) -> bool {
    const OTHERS: [&str; 10] = ["gz", "tgz", "xz", "txz", "bz2", "tbz2", "lz4", "zip", "7z", "tar"];
    path.extension().is_some_and(|end| OTHERS.iter().any(|other| end.eq_ignore_ascii_case(other)))
}

/// Writes an archive to a file, or to standard output; `pack` makes it.
pub(super) fn output(
    name: &Name,
    file: Option<&Path>,
    json: bool,
    talk: Talk,
    pack: impl FnOnce(&mut dyn Write) -> Result<Exported>,
) -> Result<ExitCode> {
    let Exported { packed: done, frozen } = match file {
        Some(path) if named_otherwise(path) => {
            return Err(Error::refused(
                format!("{} would be no such archive: what is written is a tar.zst", path.display()),
                "name it so, or pack it yourself: … | zstd -d | gzip >FILE",
            ));
        }
        Some(path) => {
            let mut out = Output::begin(path)?;
            let done = pack(&mut out)?;
            out.settle(&done.packed.digest)?;
            done
        }
        None if io::stdout().is_terminal() => {
            return Err(Error::refused(
                "an archive is nothing for a terminal",
                "name a file, or send it somewhere: … | ssh",
            ));
        }
        None => pack(&mut io::stdout().lock())?,
    };
    let file = file.map(|path| path.display().to_string());
    let digest = format!("sha256:{}", done.digest);
    if json && file.is_some() {
        let (size, files) = (done.size, done.files);
        return printed(print_json(&Packed { name, file, digest, size, files, frozen }));
    }
    if !talk.quiet {
        let at = file.as_deref().map(|file| format!(" in {file}")).unwrap_or_default();
        let stood = frozen.map(|ms| format!("; the jail stood still for {ms} ms")).unwrap_or_default();
        say(&format!("{name}: {} files, {} packed{at}, {digest}{stood}", done.files, Bytes(done.size)));
        for (what, count) in &done.left_out {
            say(&format!("{name}: left out: {count} × {what}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn export(house: &House, name: &Name, file: Option<&Path>, json: bool, talk: Talk) -> Result<ExitCode> {
    output(name, file, json, talk, |to| {
        let packed = at_work(name.as_str(), talk, false, |work| template::export(house, name, to, work))?;
        Ok(Exported { packed, frozen: None })
    })
}

fn delete(house: &House, names: &[String], yes: bool, talk: Talk) -> Result<ExitCode> {
    let names = template::select(house, names)?;
    for name in &names {
        jaula::rootfs::template::unused(house, name)?;
    }
    let all: Vec<&str> = names.iter().map(Name::as_str).collect();
    match confirm(&format!("Delete the template {}?", all.join(", ")), yes) {
        Ok(true) => {}
        Ok(false) => return Err(Error::Refused { message: "nothing was deleted".to_owned(), help: None }),
        Err(none) => return Err(Error::refused(none.to_string(), none.help())),
    }
    let mut status = 0;
    for name in &names {
        if let Err(error) = template::delete(house, name) {
            failed(&error, talk, &mut status);
        }
    }
    Ok(ExitCode::from(status))
}

fn verify(house: &House, names: &[String], json: bool, talk: Talk) -> Result<ExitCode> {
    let names = template::select(house, names)?;
    let mut all = Vec::new();
    for name in &names {
        let quiet = Talk { quiet: true, ..talk };
        all.push(at_work(name.as_str(), quiet, false, |work| template::verify(house, name, work))?);
    }
    let holds = all.iter().all(Verified::holds);
    if json {
        printed(print_json(&all))?;
    } else {
        printed(print_text(&all.iter().map(in_words).collect::<String>()))?;
    }
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::from(exit::FAILED) })
}

fn in_words(one: &Verified) -> String {
    let name = &one.name;
    if one.recorded.is_none() {
        return format!("{name}: nothing was recorded when it was made; its files are {}\n", one.tree);
    }
    if one.differences.is_empty() {
        return format!("{name}: as it was made, {}\n", one.tree);
    }
    let mut text = format!("{name}: {} differ from what was made\n", one.differences.len());
    for difference in &one.differences {
        let _ = writeln!(text, "  {}: {}", difference.path, difference.what.join(", "));
    }
    text
}
