//! A Debian or a relative, by mmdebstrap(1) or debootstrap(8), whichever the host has.

use super::jail::{self, Program, TARGET};
use super::tidy;
use super::work::Work;
use crate::error::{Error, Result};
use crate::house::House;
use crate::rootfs::beneath::Beneath;
use model::bootstrap::{Meter, Recipe, Tool, failure};
use std::ffi::OsString;
use std::path::Path;
use sys::process::Exit;

/// Where the keys are inside, which come on its standard input: whoever reads them there cannot write the file
/// of the host.
const KEYRING: &str = "/tmp/keyring.gpg";

/// Can it be made here?
pub(super) fn check(recipe: &Recipe) -> Result<()> {
    recipe.check().map_err(|message| Error::refused(message, "jaula help build has examples"))?;
    let tool = tool()?;
    if let Some(what) = recipe.beyond(tool) {
        return Err(Error::refused(what, "install mmdebstrap, which does: apt install mmdebstrap"));
    }
    match &recipe.keyring {
        Some(path) if !path.is_file() => Err(Error::refused(
            format!("--keyring: there is no file {}", path.display()),
            "name the file with the keys that the archive is signed with",
        )),
        Some(_) => Ok(()),
        None => match recipe.keys() {
            Some((path, package)) if !signs_itself(recipe) && !Path::new(path).exists() => {
                Err(Error::refused(
                    format!(
                        "the keys of {}'s archive are not on this host: there is no {path}",
                        recipe.suite
                    ),
                    format!("install the package {package}, or name the keys: --keyring FILE"),
                ))
            }
            _ => Ok(()),
        },
    }
}

/// Do its sources say themselves how they are trusted?
fn signs_itself(recipe: &Recipe) -> bool {
    !recipe.mirrors.is_empty()
        && recipe.mirrors.iter().all(|m| m.contains("trusted=yes") || m.contains("signed-by="))
}

/// The program that the host has.
fn tool() -> Result<Tool> {
    let places = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/bin", "/sbin"];
    let has = |tool: &Tool| places.iter().any(|place| Path::new(place).join(tool.program()).is_file());
    Tool::ALL.into_iter().find(has).ok_or_else(|| {
        Error::refused(
            "neither mmdebstrap nor debootstrap is on this host",
            "install one: apt install mmdebstrap (dnf and zypper have debootstrap); or use what is made \
             already: jaula template import",
        )
    })
}

/// Makes it.
pub(super) fn make(house: &House, recipe: &Recipe, into: &Path, work: &mut Work<'_>) -> Result<()> {
    let tool = tool()?;
    let mut inside = recipe.clone();
    inside.keyring = recipe.keyring.as_ref().map(|_| KEYRING.into());
    let program = Program {
        command: command(&inside, tool),
        input: recipe.keyring.as_deref(),
        // So debootstrap knows that it can make no devices and mounts the jail's instead.
        environment: if tool == Tool::Debootstrap { &[("container", "lxc")] } else { &[] },
    };
    let mut meter = Meter::default();
    let ended = jail::run(house, &program, into, work, &mut |line, work| {
        if let Some(step) = meter.heard(line) {
            work.step(&step);
        }
    })?;
    if ended.exit != Exit::Status(0) {
        let failure = failure(recipe, tool.program(), &ended.output);
        return Err(Error::refused(failure.message, failure.help));
    }
    work.say("tidying up");
    empty_devices(into)
}

/// The command line, below a shell that prepares what the program cannot.
fn command(recipe: &Recipe, tool: Tool) -> Vec<OsString> {
    let mut script = String::new();
    if recipe.keyring.is_some() {
        script += &format!("cat >{KEYRING}; exec </dev/null; ");
    }
    if tool == Tool::Debootstrap {
        // The kernel refuses a second /proc where parts of the first are hidden.
        script += &format!("mkdir {TARGET}/proc; mount --rbind /proc {TARGET}/proc; ");
    }
    script += "exec \"$@\"";
    let shell = ["/bin/sh", "-c", &script, "sh"].map(OsString::from);
    shell.into_iter().chain(recipe.command(tool, TARGET).into_iter().map(OsString::from)).collect()
}

/// Takes out what the programs leave behind.
fn empty_devices(into: &Path) -> Result<()> {
    let tree = Beneath::at(into)?;
    for path in tree.list("dev", usize::MAX)? {
        tidy::remove(&tree, &Path::new("dev").join(path))?;
    }
    tidy::remove(&tree, Path::new("debootstrap"))?;
    tidy::own_of_one(into)
}
