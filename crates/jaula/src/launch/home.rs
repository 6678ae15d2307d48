//! The network namespace that a jail was started in. What it has of the host's network is there, wherever whoever
//! undoes it is.

use crate::error::{Error, Result};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use sys::fs::{CWD, O_RDONLY};

/// A network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// As namespaces(7) names it: `net:[4026531840]`. When it is gone, another may get the name.
    pub name: String,
    /// What no other has had since the machine was booted.
    pub cookie: u64,
}

/// How a namespace is reached.
#[derive(Debug)]
pub(super) enum Reach {
    /// We are in it.
    Here,
    /// Somebody else is, or holds it.
    There(OwnedFd),
    /// Nobody does: it is gone, with all that was in it.
    Gone,
}

impl Home {
    /// The one that we are in.
    pub(super) fn here() -> Result<Self> {
        let cookie = sys::socket::network_cookie().map_err(Error::call("tell the host's network"))?;
        Ok(Self { name: crate::firewall::namespace()?, cookie })
    }

    /// Looks for it: in what we are in, in what is mounted (`ip netns`), and in what processes are in or hold open.
    pub(super) fn reach(&self) -> Result<Reach> {
        if Self::here()? == *self {
            return Ok(Reach::Here);
        }
        let found = self.mounted().into_iter().chain(self.held()).find_map(|path| {
            let namespace = sys::fs::open(CWD, &path, O_RDONLY, 0).ok()?;
            let cookie = sys::process::in_network(&namespace, sys::socket::network_cookie).ok()?;
            (cookie == self.cookie).then_some(namespace)
        });
        Ok(found.map_or(Reach::Gone, Reach::There))
    }

    /// Where it is mounted (proc_pid_mountinfo(5)).
    fn mounted(&self) -> Vec<PathBuf> {
        let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let place = |line: &str| {
            let mut words = line.split(' ').skip(3);
            (words.next()? == self.name).then(|| words.next().map(|at| at.replace("\\040", " ").into()))?
        };
        table.lines().filter_map(place).collect()
    }

    /// Links in `/proc` that lead to it.
    fn held(&self) -> impl Iterator<Item = PathBuf> {
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
        let leads = |link: &Path| std::fs::read_link(link).is_ok_and(|to| to == Path::new(&self.name));
        all.filter(|process| process.join("ns").is_dir()).flat_map(move |process| {
            let open = std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
            let links = std::iter::once(process.join("ns/net")).chain(open.map(|entry| entry.path()));
            links.filter(|link| leads(link)).collect::<Vec<_>>()
        })
    }
}
