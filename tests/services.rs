//! Debian's services in the jails of `examples/`, as they stand, used as their users use them.

mod data;
mod language;
mod login;
mod names;
mod sites;
mod system;
mod table;
mod tools;
mod traced;
mod web;

use crate::declared::{Declared, until};
use jaula_tests::harness::{Machine, Outcome, Test};
use libtest_mimic::Trial;
use std::fs;
use std::path::PathBuf;

pub(crate) fn trials() -> Vec<Trial> {
    [
        data::trials(),
        language::trials(),
        login::trials(),
        names::trials(),
        sites::trials(),
        system::trials(),
        table::trials(),
        tools::trials(),
        traced::trials(),
        web::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A jail of a recipe, on its machine.
pub(crate) struct Service<'m, 't> {
    machine: &'m Machine<'t>,
    jail: Declared<'t>,
}

/// `jaula up` of a directory of `examples/`, which must succeed.
pub(crate) fn up(machine: &Machine<'_>, recipe: &str) -> Outcome {
    let done = machine.jaula().run(&["up", &format!("/srv/examples/{recipe}")])?;
    match done.status.success() && done.stderr.is_empty() {
        true => Ok(()),
        false => Err(format!("not up without a word of warning: {done}").into()),
    }
}

impl<'m, 't> Service<'m, 't> {
    pub(crate) fn of(t: &'t Test, machine: &'m Machine<'t>, jail: &str) -> Self {
        Self { machine, jail: Declared::known(t, jail) }
    }

    /// `jaula VERB JAIL …`, which must succeed; gives what it printed.
    pub(crate) fn jaula(&self, verb: &str, more: &[&str]) -> Outcome<String> {
        self.machine.jaula().ok(&[&[verb, &self.jail.name], more].concat())
    }

    /// All its processes are this user of the jail, with these capabilities at most, without ways to more; and
    /// the first one was already when its program began.
    pub(crate) fn is_held(&self, user: u32, capabilities: u64) -> Outcome {
        let processes = self.jail.processes()?;
        assert!(!processes.is_empty(), "{} has no process", self.jail.name);
        for pid in &processes {
            // The ids of the jail begin at the second number of the map's line.
            let map = fs::read_to_string(format!("/proc/{pid}/uid_map"))?;
            let base: u32 = map.split_whitespace().nth(1).ok_or("no map of ids")?.parse()?;
            assert!(base >= 65536, "not the ids of a jail: {map}");
            let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
            let field =
                |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            let users =
                field("Uid:").split_whitespace().map(str::parse::<u32>).collect::<Result<Vec<_>, _>>()?;
            assert_eq!(users, [base + user; 4], "users of {status}");
            for set in ["CapBnd:", "CapPrm:", "CapEff:", "CapAmb:"] {
                let bits = u64::from_str_radix(field(set).trim(), 16)?;
                assert_eq!(bits & !capabilities, 0, "{set} of {status}");
            }
            assert_eq!((field("NoNewPrivs:").trim(), field("Seccomp:").trim()), ("1", "2"), "{status}");
        }
        let first = self.machine.path(&format!("/proc/{}/auxv", self.jail.first()?));
        let began = began_as(&fs::read(first)?);
        assert_eq!(began, [Some(u64::from(user)); 2], "whom the kernel began {} as", self.jail.name);
        Ok(())
    }

    /// A file in a directory of `root.writable`, where the host has it.
    pub(crate) fn kept(&self, directory: &str, file: &str) -> PathBuf {
        let directory = directory.trim_start_matches('/').replace('/', "+");
        self.jail.kept().join("writable").join(directory).join(file)
    }

    /// Waits until a log has this, and looks that the jail has the same file at the usual place.
    pub(crate) fn logs(&self, directory: &str, file: &str, text: &str) -> Outcome {
        self.logs_kept(directory, file, text)?;
        let inside = format!("/proc/{}/root{directory}/{file}", self.jail.first()?);
        let inside = fs::read_to_string(self.machine.path(&inside))?;
        assert!(inside.contains(text), "{directory}/{file} inside: {inside:?}");
        Ok(())
    }

    /// Waits until a log has this, whether the jail runs or not.
    pub(crate) fn logs_kept(&self, directory: &str, file: &str, text: &str) -> Outcome {
        let kept = self.kept(directory, file);
        until(&format!("{text:?} in {}", kept.display()), || {
            fs::read_to_string(&kept).ok()?.contains(text).then_some(())
        })
        .map_err(|_| format!("no {text:?} in {file}: {:?}", fs::read_to_string(&kept)).into())
    }

    /// The programs that run in it, each with its user inside.
    pub(crate) fn users(&self) -> Outcome<Vec<(String, u32)>> {
        let mut users = Vec::new();
        for pid in self.jail.processes()? {
            let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}"));
            // One that delivers comes and goes.
            let (Ok(map), Ok(status)) = (read("uid_map"), read("status")) else { continue };
            let number = |text: &str, at| text.split_whitespace().nth(at).and_then(|n| n.parse::<u32>().ok());
            let field =
                |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            let user =
                number(field("Uid:"), 1).zip(number(&map, 1)).map(|(user, base)| user.wrapping_sub(base));
            users.push((field("Name:").trim().to_owned(), user.ok_or("no user")?));
        }
        Ok(users)
    }

    /// It ends by itself when it is asked to.
    pub(crate) fn stops(&self) -> Outcome {
        let said = self.jaula("stop", &[])?;
        let last = self.jail.last()?;
        assert_eq!((&last["status"], &last["stopped"]), (&0.into(), &true.into()), "{last} {said}");
        Ok(())
    }
}

/// Asks a machine until the answer is right.
pub(crate) fn answers(machine: &Machine<'_>, question: &str, right: &str) -> Outcome {
    let mut last = String::new();
    until(question, || {
        last = machine.run(&["bash", "-c", question]).map_or_else(|_| String::new(), |done| done.to_string());
        last.contains(right).then_some(())
    })
    .map_err(|_| format!("never {right:?}: {last}").into())
}

/// `AT_UID` and `AT_EUID` of `/proc/PID/auxv` (getauxval(3)): pairs of words.
fn began_as(auxv: &[u8]) -> [Option<u64>; 2] {
    let (words, _) = auxv.as_chunks::<8>();
    let pairs = words.chunks(2).filter_map(|pair| match pair {
        [key, value] => Some((u64::from_ne_bytes(*key), u64::from_ne_bytes(*value))),
        _ => None,
    });
    let pairs: Vec<(u64, u64)> = pairs.collect();
    [11, 12].map(|wanted| pairs.iter().find(|(key, _)| *key == wanted).map(|(_, value)| *value))
}
