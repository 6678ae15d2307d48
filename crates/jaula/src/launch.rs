//! Carries a plan out: the host's half, the meeting of parent and child, the child's half.
//!
//! [`start`] is the sequence. Nothing here decides anything; what is done and why stands in the
//! plan (`model::plan`).

pub(crate) mod bind;
pub mod home;
mod links;
mod lower;
mod neighbours;
pub(crate) mod ports;
mod rate;
pub(crate) mod shared;

use crate::claim::Claim;
use crate::error::Error;
use crate::journal::{Entry, Journal};
use home::{Home, Reach};
use model::config::Rates;
use model::firewall::Share;
use model::name::Name;
use model::plan::{HostStep, Join, Namespace, Plan, Step, Tree};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use sys::process::Child;
use sys::program::Failed;

pub(crate) use lower::lower;

/// A jail that runs its program.
#[derive(Debug)]
pub struct Launched {
    /// Its first process.
    pub first: Child,
    /// The inode of its pidfd, see [`sys::fs::identity`].
    pub inode: u64,
    /// The other end of its console.
    pub console: Option<OwnedFd>,
    /// If it is traced: it has not executed its program yet, and will not before somebody listens.
    pub traced: Option<Held>,
}

/// A child that waits for its tracer.
#[derive(Debug)]
pub struct Held {
    /// Where its calls are heard of.
    pub listener: OwnedFd,
    /// The socket to it, which ends when it executes its program, or says why it did not.
    pub meeting: OwnedFd,
}

/// Starts a jail. When this fails, what was done so far is in the journal and the caller
/// undoes it; the child is gone.
pub fn start(plan: &Plan, journal: &mut Journal) -> Result<Launched, Error> {
    let cgroup = host_steps(plan, journal)?;
    let trees = clone_trees(&plan.trees)?;
    let (ours, theirs) = sys::socket::pair().map_err(Error::call("prepare the child"))?;

    let mut descriptors: BTreeMap<&str, i32> =
        trees.iter().zip(&plan.trees).map(|(fd, tree)| (tree.fd.as_ref(), fd.as_raw_fd())).collect();
    descriptors.extend([("parent", ours.as_raw_fd()), ("meeting", theirs.as_raw_fd())]);
    let program = lower(&plan.child, &descriptors);

    let flags = namespaces(&plan.namespaces);
    let (first, _loan) =
        sys::process::spawn(program, flags, cgroup.as_ref().map(AsFd::as_fd), theirs.as_fd())
            .map_err(Error::call("make the jail's first process"))?;
    drop(theirs);

    let met = meet(plan, &first, &trees, journal).and_then(|inode| {
        let mut told = sys::fs::write(&ours, b"g");
        if meanwhile(plan)? {
            told = told.and_then(|()| sys::fs::write(&ours, b"g"));
        }
        // A child that failed before it was told says more than that it cannot be told.
        let said = said(&plan.child, ours.as_fd())?;
        told.map_err(Error::call("let the child go on"))?;
        Ok((inode, said))
    });
    let held = met.and_then(|(inode, said)| {
        let take = || sys::process::take_descriptor(&first.pidfd, model::plan::LISTENER);
        let listener = said.waits.then(take).transpose().map_err(Error::call("listen to the program"))?;
        Ok((inode, said.console, listener))
    });
    match held {
        Ok((inode, console, listener)) => {
            let traced = listener.map(|listener| Held { listener, meeting: ours });
            Ok(Launched { first, inode, console, traced })
        }
        Err(error) => {
            // It may have ended by itself; then there is nobody to kill.
            let _ = sys::process::signal(&first.pidfd, sys::signal::SIGKILL);
            let _ = sys::process::wait(&first.pidfd);
            // Of two failures the child's is the cause: a parent's call fails because it is gone.
            Err(outcome(&plan.child, ours.as_fd()).err().unwrap_or(error))
        }
    }
}

/// Why a mount point is not made: it is there, or the root is not ours to change.
const NO_MOUNT_POINT: [i32; 4] =
    [sys::errno::EEXIST, sys::errno::EROFS, sys::errno::EACCES, sys::errno::EPERM];

/// Does it change the network that we are in?
fn is_in_network(step: &HostStep) -> bool {
    matches!(step, HostStep::Shared(_) | HostStep::Link(_) | HostStep::Firewall(_) | HostStep::Answer { .. })
}

/// Does the host steps, each in the journal first. Returns the group that the child is born in.
fn host_steps(plan: &Plan, journal: &mut Journal) -> Result<Option<OwnedFd>, Error> {
    let mut born = None;
    if plan.host.iter().any(is_in_network) {
        journal.write(&Entry::Network(Home::here()?))?;
    }
    for step in &plan.host {
        match step {
            HostStep::Cgroup { path, join } => {
                journal.write(&Entry::Cgroup(path.clone()))?;
                match sys::fs::make_dir(sys::fs::CWD, path, 0o755) {
                    // Empty and left over; our name is on it.
                    Err(e) if e.is(sys::errno::EEXIST) => {}
                    made => made.map_err(Error::call("make a control group"))?,
                }
                if *join == Join::Born {
                    let flags = sys::fs::O_PATH | sys::fs::O_DIRECTORY;
                    let open = sys::fs::open(sys::fs::CWD, path, flags, 0);
                    born = Some(open.map_err(Error::call("open the control group"))?);
                }
            }
            HostStep::Delegate { cgroup, owner } => crate::cgroup::delegate(cgroup, *owner)?,
            // Done before, with the tree open: nobody may run from it then.
            HostStep::Guest(_) => {}
            HostStep::Names { file, name, hostname, ips } => {
                journal.write(&Entry::Names(file.clone()))?;
                crate::names::enter(file, name, hostname.as_deref(), ips)?;
            }
            HostStep::Probe(addresses) => neighbours::probe(addresses)?,
            HostStep::Shared(thing) => {
                let (run, name) = place(plan)?;
                journal.write(&Entry::Shared(shared::key(thing)))?;
                shared::take(run, &name, thing)?;
            }
            // Done when parent and child meet, or after that.
            HostStep::LowPorts(_)
            | HostStep::Listen { .. }
            | HostStep::Bind { .. }
            | HostStep::Rate { .. }
            | HostStep::Link(_)
            | HostStep::Firewall(_)
            | HostStep::LinkUp { .. }
            | HostStep::Answer { .. }
            | HostStep::Announce(_) => {}
            // Done by the claim, without which there would be no journal.
            HostStep::Claim(_) | HostStep::Number(_) => {}
            HostStep::MountPoint(path) => match sys::fs::make_dir(sys::fs::CWD, path, 0o755) {
                // What cannot be made shows when it is mounted on.
                Err(e) if !NO_MOUNT_POINT.iter().any(|number| e.is(*number)) => {
                    return Err(Error::call("make a mount point")(e));
                }
                _ => {}
            },
            HostStep::Keep(path) => keep(path)?,
            HostStep::Own { path, owner, mode } => {
                own(path, *owner, *mode).map_err(Error::io("make", path))?
            }
            HostStep::Settle { from, to } => std::fs::rename(from, to).map_err(Error::io("make", to))?,
        }
    }
    Ok(born)
}

/// The directory of running jails, and this one's name: what its claim says.
fn place(plan: &Plan) -> Result<(&Path, Name), Error> {
    let claim = plan.host.iter().find_map(|step| match step {
        HostStep::Claim(path) => Some((path.parent()?, path.file_name()?.to_str()?.parse().ok()?)),
        _ => None,
    });
    claim.ok_or_else(|| Error::refused("a plan without a claim", "this is a mistake in jaula"))
}

/// Gives a jail rates: by its control group or by the host's end of its link.
pub(crate) fn limit(cgroup: &Path, link: Option<&str>, rates: &Rates) -> Result<(), Error> {
    let link = link.map(links::number).transpose()?;
    rate::keep(&group(cgroup)?, link, rates).map_err(Error::call("limit the jail's data"))
}

/// A control group, to attach programs to.
pub(crate) fn group(path: &Path) -> Result<OwnedFd, Error> {
    let flags = sys::fs::O_RDONLY | sys::fs::O_DIRECTORY;
    sys::fs::open(sys::fs::CWD, path, flags, 0).map_err(Error::call("open the control group"))
}

/// Makes a directory whose mode the jail sees as its root's, in one that only the owner enters.
fn keep(path: &Path) -> Result<(), Error> {
    crate::house::make_private(path.parent().unwrap_or(path))?;
    match sys::fs::make_dir(sys::fs::CWD, path, 0o755) {
        Err(e) if !e.is(sys::errno::EEXIST) => Err(Error::call("make what the jail writes to")(e)),
        _ => Ok(()),
    }
}

/// Makes a directory with its owner and mode, in one that only the owner enters; nobody of a jail
/// has reached it yet.
fn own(path: &Path, owner: Option<(u32, u32)>, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt, lchown};
    let parent = path.parent().unwrap_or(path);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    match std::fs::create_dir(path) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(e),
        // What is there is from a start that did not come to its end.
        _ => {}
    }
    if let Some((user, group)) = owner {
        lchown(path, Some(user), Some(group))?;
    }
    // After the owner: chown(2) takes the set-group-id bit away.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

fn clone_trees(trees: &[Tree]) -> Result<Vec<OwnedFd>, Error> {
    let mut clones = Vec::with_capacity(trees.len());
    for tree in trees {
        clones.push(match tree.image {
            true => crate::rootfs::store::image::mount(&tree.path)?,
            false => sys::mount::clone_tree(sys::fs::CWD, &tree.path, tree.recursive)
                .map_err(|e| Error::tree(&tree.path, &tree.why, e))?,
        });
    }
    Ok(clones)
}

fn namespaces(kinds: &[Namespace]) -> i32 {
    use sys::process::{
        CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS,
    };
    kinds.iter().fold(0, |flags, kind| {
        flags
            | match kind {
                Namespace::User => CLONE_NEWUSER,
                Namespace::Mount => CLONE_NEWNS,
                Namespace::Pid => CLONE_NEWPID,
                Namespace::Uts => CLONE_NEWUTS,
                Namespace::Ipc => CLONE_NEWIPC,
                Namespace::Net => CLONE_NEWNET,
                Namespace::Cgroup => CLONE_NEWCGROUP,
            }
    })
}

/// What the parent does while the child waits: the first process is known to the journal, has
/// its ids, its trees and its version 1 groups and its link. Returns the inode of its pidfd.
fn meet(plan: &Plan, first: &Child, trees: &[OwnedFd], journal: &mut Journal) -> Result<u64, Error> {
    let inode = sys::fs::identity(&first.pidfd).map_err(Error::call("identify the first process"))?.inode;
    journal.write(&Entry::Process { pid: first.pid, inode })?;

    // Nobody has waited for it, so that the number is still its own.
    let proc = format!("/proc/{}", first.pid);
    if plan.groups.count == 1 {
        // The kernel lets one map groups without privilege only once they can't be dropped.
        put(&format!("{proc}/setgroups"), "deny")?;
    }
    for (file, map) in [("uid_map", plan.users), ("gid_map", plan.groups)] {
        put(&format!("{proc}/{file}"), &format!("{} {} {}", map.inside, map.outside, map.count))?;
    }
    set_attributes(plan, trees, first)?;
    for step in &plan.host {
        match step {
            HostStep::Cgroup { path, join: Join::Moved } => crate::cgroup::join(path, first.pid)?,
            HostStep::Link(link) => links::make(link, first, journal)?,
            HostStep::Firewall(share) => {
                let namespace = crate::firewall::namespace()?;
                journal.write(&Entry::Firewall { namespace, share: share.clone() })?;
                crate::firewall::enter(share, || others(plan))?;
            }
            HostStep::LinkUp { link, routes } => links::up(link, routes)?,
            HostStep::Answer { ip, device } => links::answer(*ip, device, journal)?,
            HostStep::Announce(addresses) => neighbours::announce(addresses),
            _ => {}
        }
    }
    Ok(inode)
}

/// What is done while the child builds the jail's root. Is there anything, which the child waits for?
fn meanwhile(plan: &Plan) -> Result<bool, Error> {
    let mut is_any = false;
    for step in plan.host.iter().filter(|step| step.is_meanwhile()) {
        is_any = true;
        match step {
            HostStep::LowPorts(path) => match ports::allow_low(&group(path)?) {
                // A kernel without it refuses low ports, and whoever needs none misses nothing.
                Err(e) if e.is(sys::errno::ENOSYS) || e.is(sys::errno::EINVAL) => {}
                allowed => allowed.map_err(Error::call("allow ports below 1024"))?,
            },
            HostStep::Listen { cgroup, ports } => {
                ports::allow_only(&group(cgroup)?, ports)
                    .map_err(Error::call("keep the jail to its ports"))?;
            }
            HostStep::Bind { cgroup, addresses, loopback, low_ports } => {
                let own = bind::Own::new(addresses.iter().copied(), *loopback, *low_ports);
                bind::keep(&group(cgroup)?, &own).map_err(Error::call("keep the jail to its addresses"))?;
            }
            HostStep::Rate { cgroup, link, rates } => limit(cgroup, link.as_deref(), rates)?,
            _ => {}
        }
    }
    Ok(is_any)
}

/// What other jails have in the host's table.
fn others(plan: &Plan) -> Vec<Share> {
    let claim =
        plan.host.iter().find_map(|step| if let HostStep::Claim(path) = step { Some(path) } else { None });
    claim.and_then(|path| path.parent()).map(crate::firewall::shares).unwrap_or_default()
}

fn set_attributes(plan: &Plan, trees: &[OwnedFd], first: &Child) -> Result<(), Error> {
    let users = if plan.trees.iter().any(|tree| tree.mapped) {
        let users = sys::process::user_namespace(first);
        Some(users.map_err(Error::call("open the jail's user namespace"))?)
    } else {
        None
    };
    let users = users.as_ref().map(AsFd::as_fd);
    for (clone, tree) in trees.iter().zip(&plan.trees) {
        let bits = model::plan::call::bits(tree.attributes)
            | if tree.mapped { sys::mount::MOUNT_ATTR_IDMAP } else { 0 };
        sys::mount::set(clone, bits, users.filter(|_| tree.mapped), tree.recursive)
            .map_err(|e| crate::owners::refused(&tree.path, &tree.why, tree.mapped, e))?;
    }
    Ok(())
}

/// Writes a small kernel file in one call.
fn put(path: &str, text: &str) -> Result<(), Error> {
    let what = || Error::call("map the jail's ids");
    let fd = sys::fs::open(sys::fs::CWD, path, sys::fs::O_WRONLY, 0).map_err(what())?;
    sys::fs::write(&fd, text.as_bytes()).map_err(what())
}

/// What a child said on its way.
#[derive(Debug, Default)]
struct Said {
    console: Option<OwnedFd>,
    /// It waits for somebody who listens to its calls.
    waits: bool,
}

/// What became of a child's program: its console if it sent one, and then the end of the
/// socket, which exec closed; or the call that failed.
pub(crate) fn outcome(steps: &[Step], ours: BorrowedFd<'_>) -> Result<Option<OwnedFd>, Error> {
    said(steps, ours).map(|said| said.console)
}

fn said(steps: &[Step], ours: BorrowedFd<'_>) -> Result<Said, Error> {
    let mut said = Said::default();
    loop {
        let mut report = [0; Failed::LENGTH];
        let heard = match sys::socket::receive(ours, &mut report) {
            // Said once, when the child has ended without reading our word; its own comes next.
            Err(e) if e.is(sys::errno::ECONNRESET) => continue,
            heard => heard.map_err(Error::call("hear of the child"))?,
        };
        match heard {
            (0, _) => return Ok(said),
            (1, Some(fd)) => said.console = Some(fd),
            // What follows can only be heard by whoever listens.
            (1, None) => return Ok(Said { waits: true, ..said }),
            _ => return Err(Error::child(steps, Failed::parse(report))),
        }
    }
}

/// Undoes what the journal says, from its end; all of it, even if a part fails. What was done to the network is undone
/// where it was done; with a namespace that is gone it is gone as well.
pub fn undo(entries: &[Entry], claim: &Claim, run: &Path) -> Vec<Error> {
    let mut failures = Vec::new();
    let home =
        entries.iter().find_map(|entry| if let Entry::Network(home) = entry { Some(home) } else { None });
    let reach = match home.map_or(Ok(Reach::Here), Home::reach) {
        Ok(reach) => reach,
        Err(error) => return vec![error],
    };
    for entry in entries.iter().rev() {
        let done = match (&reach, entry) {
            (Reach::There(namespace), entry) if entry.is_in_network() => {
                let done = sys::process::in_network(namespace, || Ok(undo_one(entry, claim, run)));
                done.map_err(Error::call("undo it in the network that it was done in")).and_then(|done| done)
            }
            (Reach::Gone, Entry::Shared(key)) => shared::forget(run, &claim.name, key),
            (Reach::Gone, entry) if entry.is_in_network() => Ok(()),
            (_, entry) => undo_one(entry, claim, run),
        };
        failures.extend(done.err());
    }
    failures
}

fn undo_one(entry: &Entry, claim: &Claim, run: &Path) -> Result<(), Error> {
    match entry {
        Entry::Process { pid, inode } => crate::process::kill(*pid, *inode),
        Entry::Cgroup(path) => crate::cgroup::remove(path),
        Entry::Names(path) => crate::names::leave(path, &claim.name),
        Entry::Group(path) => crate::cgroup::remove_empty(path),
        Entry::Firewall { share, .. } => crate::firewall::leave(share, || crate::firewall::shares(run)),
        Entry::Link(name) => links::remove(name),
        Entry::Answer { device, ip } => links::silence(device, *ip),
        Entry::Shared(key) => shared::leave(run, &claim.name, key),
        Entry::Id(id) => crate::claim::release_id(run, claim, *id),
        // It is not the jail's.
        Entry::Network(_) => Ok(()),
        // Whoever has the jail's claim sees to it.
        Entry::Keep => Ok(()),
    }
}
