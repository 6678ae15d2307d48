//! `snapshot`, `clone`, `rename`.

use crate::act::operate::{Talk, failed, start_all};
use crate::act::{printed, selected, settings};
use crate::command::{Clone, List, SnapshotCreate, SnapshotRollback, When};
use crate::exit::ExitCode;
use crate::output::confirm::confirm;
use crate::output::error::warn;
use crate::output::progress::Progress;
use crate::output::style::Style;
use crate::output::table::{Side, Table};
use crate::output::{print_json, print_text};
use jaula::house::House;
use jaula::keeping::{About, SnapName};
use jaula::ops::{clone, rename, snapshot, stop};
use jaula::rootfs::duplicate::Count;
use jaula::{Error, Result, registry};
use model::name::Name;
use model::time::Moment;
use model::units::Bytes;
use serde::Serialize;

/// A jail and a snapshot of it that must be named.
fn named(house: &House, text: &str) -> Result<(Name, Name)> {
    let SnapName { jail, snapshot } = text.parse()?;
    let jail = registry::one(house, &jail)?;
    match snapshot {
        Some(snapshot) => Ok((jail, snapshot)),
        None => Err(Error::refused(
            format!("which snapshot of jail {jail:?}?"),
            format!("write {jail}@SNAPSHOT; jaula snapshot list {jail} shows them"),
        )),
    }
}

/// Shows how far a copy is.
fn copying<'a>(progress: &'a mut Progress, what: &'a str) -> impl FnMut(&Count) -> Result<()> + 'a {
    move |count| {
        // A line for each file would take longer than the file.
        if count.files.is_multiple_of(64) {
            progress.say(&format!("{what}: {} files, {}", count.files, size(count.bytes)));
        }
        Ok(())
    }
}

/// A size for people: two digits are enough.
pub(super) fn size(bytes: u64) -> String {
    let unit = (0..5).rev().find(|unit| bytes >> (10 * unit) > 0).unwrap_or(0);
    match bytes >> (10 * unit) {
        n if n < 10 && unit > 0 => {
            let tenths = (bytes >> (10 * (unit - 1))) * 10 / 1024;
            format!("{}.{}{}", tenths / 10, tenths % 10, ["", "k", "M", "G", "T"][unit])
        }
        n => Bytes(n << (10 * unit)).to_string(),
    }
}

/// A snapshot, for programs.
#[derive(Debug, Serialize)]
struct Line {
    jail: Name,
    snapshot: Name,
    made: Moment,
    files: u64,
    bytes: u64,
    shared: u64,
    /// Milliseconds.
    frozen: Option<u64>,
    note: Option<String>,
}

impl Line {
    fn new(jail: &Name, snapshot: Name, about: About) -> Self {
        let About { made, files, bytes, shared, frozen, note } = about;
        Self { jail: jail.clone(), snapshot, made: Moment(made), files, bytes, shared, frozen, note }
    }
}

/// `jaula snapshot create`
pub(crate) fn create(given: SnapshotCreate, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    let SnapName { jail, snapshot } = given.name.parse()?;
    let jail = registry::one(&house, &jail)?;
    let name = match snapshot {
        Some(name) => name,
        None => snapshot::name_of_now(&house, &jail)?,
    };
    let mut progress = Progress::new(talk.quiet);
    let mut hear = copying(&mut progress, "copying");
    let (name, about) = snapshot::create(&house, &jail, name.as_str(), given.note, &mut hear)?;
    drop(hear);
    drop(progress);
    if given.json {
        return printed(print_json(&Line::new(&jail, name, about)));
    }
    if talk.quiet {
        return Ok(ExitCode::SUCCESS);
    }
    let stood = about.frozen.map(|ms| format!("; the jail stood still for {ms} ms")).unwrap_or_default();
    printed(print_text(&format!("{jail}@{name}: {} files, {}{stood}\n", about.files, size(about.bytes))))
}

/// `jaula snapshot list`
pub(crate) fn list(given: &List, color: When) -> Result<ExitCode> {
    let house = House::from_environment();
    let mut lines = Vec::new();
    for jail in selected(&house, &given.jails)? {
        for (name, about) in snapshot::list(&house, &jail)? {
            lines.push(Line::new(&jail, name, about));
        }
    }
    if given.json {
        return printed(print_json(&lines));
    }
    if given.names_only {
        let names: String = lines.iter().map(|line| format!("{}@{}\n", line.jail, line.snapshot)).collect();
        return printed(print_text(&names));
    }
    let columns = [
        ("SNAPSHOT", Side::Left),
        ("MADE", Side::Left),
        ("SIZE", Side::Right),
        ("SHARED", Side::Right),
        ("NOTE", Side::Left),
    ];
    let mut table = Table::new(&columns);
    for line in lines {
        table.row([
            format!("{}@{}", line.jail, line.snapshot),
            line.made.to_string(),
            size(line.bytes),
            size(line.shared),
            line.note.unwrap_or_default(),
        ]);
    }
    printed(table.print(Style::of(color, &std::io::stdout())))
}

/// `jaula snapshot rollback`
pub(crate) fn rollback(given: &SnapshotRollback, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    let (jail, name) = named(&house, &given.name)?;
    let live = registry::live(&house, &jail)?.is_some_and(|live| live.is_alive());
    if live && !given.restart {
        return Err(Error::refused(
            format!("jail {jail:?} is running"),
            format!("stop it first: jaula stop {jail}; or have it done: --restart"),
        ));
    }
    if given.discard {
        agree(&format!("Throw away all that jail {jail} has now?"), given.yes)?;
    }
    let mut status = 0;
    if live {
        stop::stop(&house, std::slice::from_ref(&jail), None, |_, done| match done {
            Ok(_) | Err(Error::NotRunning(_)) => {}
            Err(error) => failed(&error, talk, &mut status),
        });
        if status != 0 {
            return Ok(ExitCode::from(status));
        }
    }
    let how = snapshot::How { keep_config: given.keep_config, discard: given.discard };
    let mut progress = Progress::new(talk.quiet);
    let done = snapshot::rollback(&house, &jail, &name, how, &mut copying(&mut progress, "copying"));
    drop(progress);
    // Whether it worked or not, what ran runs again.
    let started =
        if live { start_all(&house, std::slice::from_ref(&jail), talk) } else { Ok(ExitCode::SUCCESS) };
    let done = done?;
    if !talk.quiet {
        if done.declared {
            warn(
                &format!("the configuration of {jail} is that of its jaula.toml, and stayed as it is"),
                talk.color,
            );
        }
        let before =
            done.before.map(|before| format!("; what was before is {jail}@{before}")).unwrap_or_default();
        printed(print_text(&format!("{jail} is as {jail}@{name} was{before}\n")))?;
    }
    started
}

/// `jaula snapshot delete`
pub(crate) fn delete(snapshots: &[String], yes: bool) -> Result<ExitCode> {
    let house = House::from_environment();
    let all = snapshots.iter().map(|text| named(&house, text)).collect::<Result<Vec<_>>>()?;
    for (jail, name) in &all {
        if !snapshot::list(&house, jail)?.iter().any(|(known, _)| known == name) {
            return Err(Error::refused(
                format!("jail {jail:?} has no snapshot {:?}", name.as_str()),
                format!("see those that it has: jaula snapshot list {jail}"),
            ));
        }
    }
    let names: Vec<String> = all.iter().map(|(jail, name)| format!("{jail}@{name}")).collect();
    agree(&format!("Delete {}?", names.join(", ")), yes)?;
    for (jail, name) in &all {
        snapshot::delete(&house, jail, name)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Goes on only if whoever is asked agrees.
fn agree(question: &str, yes: bool) -> Result<()> {
    match confirm(question, yes) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::Refused { message: "nothing was changed".to_owned(), help: None }),
        Err(none) => Err(Error::refused(none.to_string(), none.help())),
    }
}

/// `jaula clone`
pub(crate) fn clone(given: &Clone, talk: Talk) -> Result<ExitCode> {
    let house = House::from_environment();
    let SnapName { jail, snapshot } = given.name.parse()?;
    let jail = registry::one(&house, &jail)?;
    let new: Name = given.new.parse()?;
    let mut progress = Progress::new(talk.quiet);
    let settings = settings(&given.settings);
    let mut hear = copying(&mut progress, "copying");
    let cloned = clone::clone(&house, &jail, snapshot.as_ref(), &new, &settings, &mut hear)?;
    drop(hear);
    drop(progress);
    if !talk.quiet {
        for path in &cloned.common {
            warn(&format!("{jail} and {new} both write to {path} of the host"), talk.color);
        }
        for error in &cloned.failed {
            warn(&format!("jail {new}: {}", error.line()), talk.color);
        }
        printed(print_text(&format!("jail {new} is created with id {}, as {}\n", cloned.id, given.name)))?;
    }
    if given.start { start_all(&house, &[new], talk) } else { Ok(ExitCode::SUCCESS) }
}

/// The configuration that a clone would have, and how its files are kept.
pub(super) fn outline(
    house: &House,
    from: &str,
    new: &str,
    given: &[crate::command::Setting],
) -> Result<(String, Option<model::config::Store>)> {
    let SnapName { jail, snapshot } = from.parse()?;
    let jail = registry::one(house, &jail)?;
    clone::outline(house, &jail, snapshot.as_ref(), &new.parse()?, &settings(given))
}

/// `jaula rename`
pub(crate) fn rename(name: &str, new: &str) -> Result<ExitCode> {
    let house = House::from_environment();
    let name = registry::one(&house, name)?;
    rename::rename(&house, &name, &new.parse()?)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_for_people() {
        for (bytes, text) in [
            (0, "0"),
            (999, "999"),
            (1024, "1.0k"),
            (1536, "1.5k"),
            (20 << 10, "20k"),
            (3 << 30, "3.0G"),
            (77 << 40, "77T"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
