//! `network.nameservers = ["inherit"]`: a virtual server that runs is told when the host asks other servers.

use super::Running;
use crate::error::{Error, Result};
use crate::rootfs::guest::{follow, inherited};
use model::guest::Resolver;
use model::name::Name;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;
use sys::fs::{CWD, O_DIRECTORY, O_PATH, O_RDONLY};
use sys::signal::SIGKILL;

/// What the host says of its nameservers, and what systemd-resolved says where that names itself.
const FILES: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

/// How long the keeper waits for the file to be written.
const PATIENCE: Duration = Duration::from_secs(2);

/// Directories of the host whose changes this keeper hears of, and what the jail was told last.
#[derive(Debug)]
pub(super) struct Follow {
    _directories: Vec<OwnedFd>,
    told: Resolver,
}

impl Follow {
    /// Begins to listen, by SIGIO, if the jail follows the host.
    pub(super) fn begin(jail: &Running) -> Option<Self> {
        let told = inherited(&jail.config)?;
        // A file may be a link: the directory of what it leads to changes.
        let files =
            FILES.iter().flat_map(|file| [Some(PathBuf::from(file)), std::fs::canonicalize(file).ok()]);
        let mut places: Vec<PathBuf> =
            files.flatten().filter_map(|file| file.parent().map(Path::to_owned)).collect();
        places.sort();
        places.dedup();
        let hear = |place: &PathBuf| {
            let directory = sys::fs::open(CWD, place, O_RDONLY | O_DIRECTORY, 0).ok()?;
            sys::fs::tell_of_changes(&directory).ok().map(|()| directory)
        };
        Some(Self { _directories: places.iter().filter_map(hear).collect(), told })
    }

    /// Something has changed in one of them. A process of its own, which is nobody but the jail's root, writes what
    /// is new: nothing of the jail's makes the keeper larger or has its rights.
    pub(super) fn look(&mut self, name: &Name, jail: &Running) -> Result<()> {
        let Some(now) = inherited(&jail.config).filter(|now| *now != self.told) else { return Ok(()) };
        let failed = || Error::call("follow the host's nameservers");
        let root = format!("/proc/{}/root", jail.first.pid);
        let root = sys::fs::open(CWD, &root, O_PATH | O_DIRECTORY, 0).map_err(failed())?;
        // It was the jail's, and not another's of the same number.
        sys::process::signal(&jail.first.pidfd, 0).map_err(failed())?;
        let owner = jail.state.id.range().outside;
        match sys::process::fork().map_err(failed())? {
            Some(child) => {
                // A file system of the jail's own may never answer.
                let ends =
                    sys::poll::wait(&[(child.pidfd.as_fd(), false)], Some(PATIENCE)).map_err(failed())?;
                if ends == [false] {
                    sys::process::signal(&child.pidfd, SIGKILL).map_err(failed())?;
                }
                if sys::process::wait(&child.pidfd).map_err(failed())?.code() == 0 {
                    self.told = now;
                }
                Ok(())
            }
            None => {
                let done = sys::process::close_all_but(&root)
                    .and_then(|()| sys::process::become_user(owner, owner))
                    // For its own descriptors in /proc. The jail's processes, whose user it is, have no number for it.
                    .and_then(|()| sys::process::set_dumpable(true))
                    .map_err(failed())
                    .and_then(|()| follow(&root, name, &jail.config, self.told.clone(), now, owner));
                sys::process::exit(i32::from(done.is_err()));
            }
        }
    }
}
