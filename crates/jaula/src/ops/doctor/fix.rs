//! `jaula doctor --fix`: what can be mended without asking what else it is good for.

use super::{Finding, doctor};
use crate::error::{Error, Result};
use crate::house::{House, replace};
use crate::ops::gc;
use crate::ops::prepare::forwarded::setting;
use std::path::{Path, PathBuf};

/// How something is mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fix {
    /// Settings of the kernel, in this order: now, and at each boot.
    Settings(Vec<(String, String)>),
    /// What jails have in the host's firewall is put back.
    Firewall,
    /// The BPF file system is mounted, until the next boot.
    Programs,
}

/// Mends what jails need and is known how to be mended, and looks again: what was done stands with what it was
/// done for.
///
/// # Errors
/// If something cannot be mended; what came before it is.
pub fn fix(house: &House) -> Result<Vec<Finding>> {
    let mut done = Vec::new();
    for Finding { what, fix, .. } in doctor(house) {
        match fix {
            None => {}
            Some(Fix::Settings(all)) => done.push((what, set(house, &all)?)),
            Some(Fix::Firewall) => {
                let mut found = Vec::new();
                gc::firewall(house, true, &mut found)?;
                done.push((what, format!("put back for {} jails", found.len())));
            }
            Some(Fix::Programs) => {
                let failed = || Error::call("mount the BPF file system");
                let mount = sys::mount::new("bpf", &[("mode", Some("700".as_ref()))], 0).map_err(failed())?;
                sys::mount::attach(&mount, "/sys/fs/bpf").map_err(failed())?;
                done.push((what, "mounted until the next boot".to_owned()));
            }
        }
    }
    let mut found = doctor(house);
    for finding in &mut found {
        finding.fixed = done.iter().find(|(what, _)| *what == finding.what).map(|(_, done)| done.clone());
    }
    Ok(found)
}

/// Where settings stand that are made at each boot (sysctl.d(5)).
fn file(house: &House) -> PathBuf {
    house.etc.with_file_name("sysctl.d").join("60-jaula.conf")
}

/// Makes settings and notes them for each boot; says what was done.
fn set(house: &House, all: &[(String, String)]) -> Result<String> {
    let mut said = Vec::new();
    for (name, value) in all {
        let was = setting(name).unwrap_or_default();
        let path = PathBuf::from("/proc/sys").join(name.replace('.', "/"));
        std::fs::write(&path, value).map_err(Error::io("write", &path))?;
        said.push(format!("{name}={value} (was {was})"));
    }
    let file = file(house);
    note(&file, all)?;
    Ok(format!("set {}, for each boot in {}", said.join(", "), file.display()))
}

fn note(file: &Path, all: &[(String, String)]) -> Result<()> {
    let old = match std::fs::read_to_string(file) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => "# Written by jaula doctor --fix.\n".to_owned(),
        text => text.map_err(Error::io("read", file))?,
    };
    if let Some(directory) = file.parent() {
        std::fs::create_dir_all(directory).map_err(Error::io("make", directory))?;
    }
    replace(file, merged(&old, all).as_bytes())
}

/// A file of settings with these; those that it has already are replaced.
fn merged(old: &str, all: &[(String, String)]) -> String {
    let sets = |line: &str| {
        let name = line.split_once('=').map(|(name, _)| name.trim());
        all.iter().any(|(own, _)| Some(own.as_str()) == name)
    };
    let kept = old.lines().filter(|line| !sets(line)).map(|line| format!("{line}\n"));
    kept.chain(all.iter().map(|(name, value)| format!("{name} = {value}\n"))).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn settings_are_noted_once() {
        let of = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        let first = super::merged("# a line\n", &of("net.ipv4.ip_forward", "1"));
        assert_eq!(first, "# a line\nnet.ipv4.ip_forward = 1\n");
        assert_eq!(super::merged(&first, &of("net.ipv4.ip_forward", "1")), first);
        let more = super::merged(&first, &of("net.ipv6.conf.all.forwarding", "1"));
        assert_eq!(more, format!("{first}net.ipv6.conf.all.forwarding = 1\n"));
    }
}
