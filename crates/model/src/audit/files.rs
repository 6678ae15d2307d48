//! Checks of what lies in the root.

use super::Jail;
use super::checks::{Finding, Fix};
use super::tree::{Found, Trait};
use crate::config::{MountSource, RootSpec};

/// `count things: /a, /b and 3 more`
fn named(found: &Found, one: &str, many: &str) -> String {
    let word = if found.count == 1 { one } else { many };
    let names: Vec<String> = found.examples.iter().take(3).map(|path| path.display().to_string()).collect();
    let more = found.count.saturating_sub(names.len() as u64);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{} {word}: {}{more}", found.count, names.join(", "))
}

/// One badness for whatever is found of a kind.
fn any(jail: &Jail<'_>, what: Trait, badness: u32, (one, many): (&str, &str), fix: Fix) -> Finding {
    match jail.tree.of(what) {
        found if found.count == 0 => Finding::holds("none"),
        found => Finding::open(badness, named(&found, one, many), fix),
    }
}

/// What takes a thing out of the jail's root.
fn take_out(jail: &Jail<'_>) -> Fix {
    Fix::Do(
        match &jail.config.root.from {
            Some(RootSpec::App(_)) => "take it out of root.files",
            Some(RootSpec::Host) => "give it a root of its own: root.from=app:PROGRAM",
            _ => "remove it from the tree, or hide it: security.hide",
        }
        .to_owned(),
    )
}

pub(super) fn host_writable(jail: &Jail<'_>) -> Finding {
    let found = jail.tree.of(Trait::HostWritable);
    if found.count == 0 {
        return Finding::holds("nothing");
    }
    let programs = jail
        .config
        .mounts
        .iter()
        .any(|m| matches!(m.source, MountSource::Bind { .. }) && m.writable && m.exec);
    let (badness, note) = if programs { (7, ", and execute what it wrote") } else { (4, "") };
    let fix =
        Fix::Do("say ro or noexec in `mounts`, or take root.writable for directories of its own".to_owned());
    Finding::open(badness, named(&found, "thing", "things") + note, fix)
}

pub(super) fn host_sockets(jail: &Jail<'_>) -> Finding {
    let control = jail.tree.of(Trait::HostControl);
    if control.count > 0 {
        let fix = Fix::Do("take its mount out: who speaks to it commands the host".to_owned());
        return Finding::open(10, named(&control, "that commands the host", "that command the host"), fix);
    }
    let fix = Fix::Do("take out the mounts that hold those it does not need".to_owned());
    any(jail, Trait::HostSocket, 4, ("socket", "sockets"), fix)
}

pub(super) fn secrets(jail: &Jail<'_>) -> Finding {
    let fix = Fix::Do("make them readable to root only and set boot.user, or security.hide them".to_owned());
    any(jail, Trait::Secret, 10, ("file", "files"), fix)
}

pub(super) fn setuid(jail: &Jail<'_>) -> Finding {
    let found = jail.tree.of(Trait::Setuid);
    let inert = jail.tree.of(Trait::SetuidInert);
    match (found.count, jail.confinement.no_new_privileges) {
        (0, _) if inert.count > 0 => {
            Finding::holds(named(&inert, "that counts for nothing", "that count for nothing"))
        }
        (0, _) => Finding::holds("none"),
        (_, true) => Finding::holds(named(&found, "that gains nothing", "that gain nothing")),
        _ => {
            let fix = Fix::set("security.no_new_privileges=true", "if nobody needs su, sudo, ping of old");
            Finding::open(10, named(&found, "program", "programs"), fix)
        }
    }
}

pub(super) fn capable(jail: &Jail<'_>) -> Finding {
    let found = jail.tree.of(Trait::Capable);
    match (found.count, jail.confinement.no_new_privileges) {
        (0, _) => Finding::holds("none"),
        (_, true) => Finding::holds(named(&found, "that gains nothing", "that gain nothing")),
        _ => {
            let fix = Fix::set("security.no_new_privileges=true", "if nobody needs what they gain");
            Finding::open(10, named(&found, "program", "programs"), fix)
        }
    }
}

pub(super) fn devices(jail: &Jail<'_>) -> Finding {
    let inert = jail.tree.of(Trait::DeviceInert);
    if jail.tree.count(Trait::Device) == 0 && inert.count > 0 {
        return Finding::holds(named(&inert, "that cannot be opened", "that cannot be opened"));
    }
    any(jail, Trait::Device, 10, ("node", "nodes"), take_out(jail))
}

pub(super) fn writable_programs(jail: &Jail<'_>) -> Finding {
    let fix = if jail.config.root.writes_in_force() == crate::config::Writes::Refused {
        Fix::Do("mount them read-only".to_owned())
    } else {
        Fix::set("root.writes=refused", "if it writes to /run, /tmp and mounts only")
    };
    any(jail, Trait::WritableProgram, 10, ("file", "files"), fix)
}

pub(super) fn writable(jail: &Jail<'_>) -> Finding {
    let found = jail.tree.of(Trait::Writable);
    let badness = match found.count {
        0 => return Finding::holds("none"),
        1..=99 => 2,
        100..=999 => 5,
        _ => 10,
    };
    let fix = match jail.config.root.writes_in_force() {
        crate::config::Writes::Refused => Fix::None,
        _ => Fix::set("root.writes=refused", "if it writes to /run, /tmp and mounts only"),
    };
    Finding::open(badness, named(&found, "file", "files"), fix)
}

pub(super) fn world_writable(jail: &Jail<'_>) -> Finding {
    let fix = Fix::Do("chmod +t, or o-w".to_owned());
    any(jail, Trait::WorldWritable, 10, ("directory", "directories"), fix)
}

pub(super) fn programs(jail: &Jail<'_>) -> Finding {
    let count = jail.tree.count(Trait::Program);
    let badness = match count {
        0..=1 => 0,
        2..=9 => 2,
        10..=99 => 4,
        100..=999 => 7,
        _ => 10,
    };
    let fix = match &jail.config.root.from {
        Some(RootSpec::App(_)) | None => Fix::None,
        _ => Fix::Do("give it a root of one program: root.from=app:PROGRAM".to_owned()),
    };
    let fix = if badness == 0 { Fix::None } else { fix };
    Finding::open(badness, count.to_string(), fix)
}

pub(super) fn shells(jail: &Jail<'_>) -> Finding {
    any(jail, Trait::Shell, 10, ("shell", "shells"), take_out(jail))
}

pub(super) fn interpreters(jail: &Jail<'_>) -> Finding {
    any(jail, Trait::Interpreter, 10, ("interpreter", "interpreters"), take_out(jail))
}

pub(super) fn compilers(jail: &Jail<'_>) -> Finding {
    any(jail, Trait::Compiler, 10, ("tool", "tools"), take_out(jail))
}

pub(super) fn package_managers(jail: &Jail<'_>) -> Finding {
    any(jail, Trait::PackageManager, 10, ("tool", "tools"), take_out(jail))
}

pub(super) fn network_tools(jail: &Jail<'_>) -> Finding {
    any(jail, Trait::NetworkTool, 10, ("tool", "tools"), take_out(jail))
}
