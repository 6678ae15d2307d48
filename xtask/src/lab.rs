//! The lab: a Debian 13 in a virtual machine, with what the machine that develops may not have: systemd as
//! process 1, cgroup version 2 alone, AppArmor, project quota. It is emulated, so that it runs everywhere and
//! slowly.
//!
//! `make` makes its disk once; `run`, `test` and `shell` start it on a copy that is thrown away. It has no network.

mod make;
mod run;
mod work;

use crate::release;
use crate::shell::{self, Result, command};
use std::path::PathBuf;
use std::time::Duration;

/// How long a command may take if nothing else is said; the start takes half a minute of it.
const LIMIT: Duration = Duration::from_secs(900);

/// `cargo xtask lab …`
pub(crate) fn lab(words: &[&str]) -> Result {
    match words {
        ["make"] => make::made().map(drop),
        ["shell"] => shell(),
        ["run", "--limit", seconds, words @ ..] if !words.is_empty() => {
            ended(run(words, Duration::from_secs(seconds.parse()?))?)
        }
        ["run", words @ ..] if !words.is_empty() => ended(run(words, LIMIT)?),
        ["test"] => ended(run(SELECTED, LIMIT)?),
        ["test", words @ ..] => ended(run(&[&["jails"], words].concat(), LIMIT)?),
        _ => Err("lab: make, run [--limit SECONDS] CMD…, test [FILTER], shell".into()),
    }
}

/// What the tests of everything run here: what needs the lab.
const SELECTED: &[&str] = &[include_str!("lab/selected.sh")];

/// Runs it. Gives its status, and each line that it prints at once.
pub(crate) fn selected(disks: &Disks, each_line: &mut dyn FnMut(&str)) -> Result<i32> {
    let command = work::Command { words: SELECTED, terminal: false };
    run::run(disks, &command, Duration::from_secs(600), each_line)
}

fn run(words: &[&str], limit: Duration) -> Result<i32> {
    let command = work::Command { words, terminal: false };
    run::run(&disks()?, &command, limit, &mut |line| println!("{line}"))
}

fn shell() -> Result {
    run::shell(&disks()?, &work::Command { words: &["bash", "-l"], terminal: true })
}

/// What a run needs: the lab, and the programs to be tested.
#[derive(Debug)]
pub(crate) struct Disks {
    lab: make::Lab,
    jaula: PathBuf,
    jails: PathBuf,
}

/// Builds what is not built and makes what is not made. A debug build is no use here: too slow.
fn disks() -> Result<Disks> {
    let lab = make::made()?;
    let build = ["cargo", "build", "--quiet", "--profile=lab", "--package=jaula-cli"];
    shell::run(&mut command(&build))?;
    Ok(Disks { lab, jaula: release::native()?.join("lab/jaula"), jails: work::tests_binary("lab")? })
}

/// The same of what the tests of everything have built.
pub(crate) fn ready() -> Result<Disks> {
    Ok(Disks { lab: make::made()?, jaula: release::path()?, jails: work::tests_binary("dev")? })
}

fn ended(status: i32) -> Result {
    match status {
        0 => Ok(()),
        status => Err(format!("it ended with status {status} in the lab").into()),
    }
}
