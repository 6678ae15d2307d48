//! What each probe may answer in each profile.

use jaula_tests::harness::Outcome;

/// Where a probe ran.
pub(super) struct Cell<'a> {
    pub(super) profile: &'a str,
    /// Is the host's network the jail's? Then what belongs to a network namespace is the host's
    /// by the administrator's own wish.
    pub(super) shared_network: bool,
}

/// What a probe answered; `tests/probe/README.md` says what each means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Refused,
    Harmless,
    Surface,
    Outside,
    Past,
    Untried,
}

/// Columns: the probe; what it may answer in `app`, `strict` and `server` beside `refused`; why.
///
/// - `h` harmless
/// - `s` escaped surface
/// - `n` escaped outside, in the host's network only
/// - `u` untried, because something that it needs is missing there
/// - `!` a fault of jaula that is known: escaped outside, until it is mended
///
/// A probe without a row must be refused everywhere.
static TABLE: &str = "
chroot-break           -   -   h   a server has sys_chroot; `..` of its root is its root
chroot-twice           -   -   h
pivot-root             -   -   h   mounts of its own
dotdot-after-move      -   u   h   strict: nowhere to write in some roots
bind-rename            -   u   -
fchdir-leaked          h   h   h   its own directories
cwd                    h   h   h
cwd-proc               h   h   h
proc-1-root            h   h   h
proc-1-cwd             h   h   h
proc-walk              h   h   h
kallsyms               h   -   h   without addresses
read-kmsg              h   -   h   an empty file instead
read-kcore             h   -   h   an empty file instead, where the host has one
read-keys              h   -   h
read-timer-list        h   -   h
read-acpi              h   -   h
read-firmware          h   h   h   an empty directory instead
read-debugfs           h   h   h   not mounted
writable-proc          h   h   h   `isolation` has the list
fds                    h   h   h   `isolation` counts them
ptrace-init            h   -   h   its own first process; seccomp stands above ptrace
pidfd-getfd-init       h   -   h   likewise
tiocsti-stdin          u   u   u   no terminal here; see by_a_terminal
tiocsti-stdin-high     u   u   u
tioclinux-stdin        u   u   u
tioclinux-stdin-high   u   u   u
mknod-disk             -   u   -   strict: no directory to try it in, and no list of disks
mknod-block            -   u   -
mknod-mem              -   u   -
mknod-kmsg             -   u   -
mknodat-disk           -   u   -
mknodat-block          -   u   -
mknodat-mem            -   u   -
mount-proc             -   -   h   a server mounts; what each instance shows is its own
mount-sysfs            -   -   h
mount-tmpfs            -   -   h
mount-devpts           -   -   h
mount-mqueue           -   -   h
mount-cgroup2          -   -   h
mount-overlay          -   u   h
bind-root              -   -   h
bind-unmask-proc       -   -   h   what is hidden there opens for the host's root only
bind-unmask-sys        -   -   h
fsopen-proc            -   -   h
fsopen-sysfs           -   -   h
fsopen-tmpfs           -   -   h
open-tree-root         -   -   h
open-tree-unmask-proc  -   -   h
open-tree-unmask-sys   -   -   h
remount-root           -   -   h!  mounts made in the jail's own user namespace are not locked
setattr-root           -   -   h!  likewise: a read-only root or mount of a server can be written to
remount-masks          -   u   !   likewise
setattr-masks          -   u   !   likewise
umount-masks           -   u   !   likewise
socket-packet          -   -   h   raw sockets of its own network
socket-packet-dgram    -   -   h
socket-raw             -   -   h
socket-raw-icmp        -   -   h
socket-raw6-icmp       -   -   h
netlink-route          hn  -   hn  addresses of its own network, read-only in the host's
netlink-uevent         hn  -   hn  news of devices
netlink-sock-diag      -   -   hn
netlink-netfilter      -   -   hn  its own firewall
netlink-generic        -   -   hn
i386-call              -   -   s   a distribution has 32-bit programs; the same filter holds them
personality-linux32    -   -   h   likewise
signal-all             h   h   h   all of its own
inotify                h   -   h   limited for each user
caps                   h   h   h   `isolation` compares them
prctl-dumpable         h   h   h
setuid-gain            u   u   hu  a user of the jail may become its root; a user needs a file for it
sethostname            -   -   h
setdomainname          -   -   h
reboot                 -   -   h   ends the jail
release-agent          h   h   h   not there
devices-allow          h   h   h
cgroup-procs           h   h   h
cgroup-path            h   h   h   /
mount-cgroup           -   u   h
mount-cgroup-userns    -   u   -
unshare-mnt            -   -   h   services of a distribution have namespaces
clone-mnt              -   -   h
unshare-pid            -   -   h
clone-pid              -   -   h
unshare-net            -   -   h
clone-net              -   -   h
unshare-uts            -   -   h
clone-uts              -   -   h
unshare-ipc            -   -   h
clone-ipc              -   -   h
unshare-cgroup         -   -   h
clone-cgroup           -   -   h
unshare-time           -   -   h
setns-init             h   h   h
setns                  h   h   h
";

/// One row of the table.
struct Row<'a> {
    probe: &'a str,
    cells: [&'a str; 3],
}

fn rows() -> impl Iterator<Item = Row<'static>> {
    TABLE.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let probe = words.next()?;
        let mut cell = || words.next().unwrap_or("-");
        Some(Row { probe, cells: [cell(), cell(), cell()] })
    })
}

/// The probes that have a row.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    rows().map(|row| row.probe)
}

/// One line of `probe all`.
pub(super) fn answer(line: &str) -> Option<(&str, Answer)> {
    let (name, rest) = line.split_once(' ')?;
    let starts = [
        ("refused ", Answer::Refused),
        ("harmless ", Answer::Harmless),
        ("escaped surface: ", Answer::Surface),
        ("escaped outside: ", Answer::Outside),
        ("escaped past: ", Answer::Past),
        ("untried ", Answer::Untried),
    ];
    starts.iter().find(|(start, _)| rest.starts_with(start)).map(|(_, answer)| (name, *answer))
}

/// The lines that the table does not have.
pub(super) fn faults<'a>(cell: &Cell<'_>, printed: &'a str) -> Outcome<Vec<&'a str>> {
    let column = crate::ground::PROFILES.iter().position(|name| *name == cell.profile);
    let column = column.ok_or("no such profile")?;
    let mut faults = Vec::new();
    let mut seen = 0;
    for line in printed.lines() {
        let (name, answer) = answer(line).ok_or_else(|| format!("not a line of a probe: {line}"))?;
        seen += 1;
        let allowed = rows().find(|row| row.probe == name).map_or("-", |row| row.cells[column]);
        let letter = match answer {
            Answer::Refused => continue,
            Answer::Harmless => "h",
            Answer::Surface => "s",
            Answer::Outside if cell.shared_network && allowed.contains('n') => "n",
            Answer::Outside | Answer::Past => "!",
            Answer::Untried => "u",
        };
        if !allowed.contains(letter) {
            faults.push(line);
        }
    }
    if seen < 200 { Err(format!("only {seen} probes ran").into()) } else { Ok(faults) }
}
