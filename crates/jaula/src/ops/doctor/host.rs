//! The host around the kernel: its user, its directories, its settings.

use super::Finding;
use crate::house::House;
use crate::ops::listeners;
use crate::rootfs::quota;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

pub(super) fn findings(house: &House) -> Vec<Finding> {
    let mut found = vec![user()];
    found.extend(directories(house));
    found.extend(limited_directories(house));
    found.extend(namespace_limits());
    found.extend(listeners::everywhere().iter().map(everywhere));
    found.push(modules());
    found.extend(ADVICE.iter().filter_map(advice));
    found.push(Finding::ok("other programs", "none are needed"));
    found
}

fn user() -> Finding {
    match sys::process::user() {
        0 => Finding::ok("user", "root: everything can be used"),
        user => Finding::warning(
            "user",
            format!(
                "{user}, not root: a jail has one user, you; idmap, limits.account and control groups need root"
            ),
            "run jaula as root for the rest",
        ),
    }
}

/// Whoever could write here would be root in no time.
fn directories(house: &House) -> impl Iterator<Item = Finding> {
    [(&house.etc, "configurations"), (&house.lib, "what jails keep"), (&house.run, "running jails")]
        .map(|(path, what)| directory(path, what))
        .into_iter()
}

fn directory(path: &Path, what: &str) -> Finding {
    let name = path.display().to_string();
    let about = match std::fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Finding::ok(name, format!("{what}: is made when it is needed"));
        }
        Err(error) => return Finding::missing(name, format!("{what}: {error}"), "let jaula's user enter it"),
        Ok(about) => about,
    };
    let user = sys::process::user();
    if !about.is_dir() {
        Finding::missing(
            name,
            format!("{what}: it is no directory"),
            format!("mv {0} {0}.old", path.display()),
        )
    } else if about.uid() != user {
        let why = format!("{what}: it belongs to user {}, not to {user}", about.uid());
        Finding::missing(name, why, format!("chown {user} {}", path.display()))
    } else if about.mode() & 0o022 != 0 {
        let why = format!("{what}: others may write to it (mode {:o})", about.mode() & 0o7777);
        Finding::warning(name, why, format!("chmod go-w {}", path.display()))
    } else {
        Finding::ok(name, what)
    }
}

/// `root.size` of stores that are directories.
fn limited_directories(house: &House) -> Option<Finding> {
    let what = format!("project quota of {}", house.lib.display());
    let there = house.lib.ancestors().find(|path| path.is_dir())?;
    Some(match quota::lack(there).ok()? {
        None => Finding::ok(what, "root.size and root.inodes of every store"),
        Some(lack) => {
            let why = format!("{lack}: root.size of store dir is refused, of overlay it is an image's");
            Finding::warning(what, why, lack.mend())
        }
    })
}

/// A port that no jail at an address of the host can have.
fn everywhere(service: &listeners::Service) -> Finding {
    let why = format!(
        "{service} listens on every address: no jail with network.mode = \"bind\" can have this port"
    );
    Finding::warning(service.port(), why, service.mend())
}

/// Each jail takes one of most kinds.
fn namespace_limits() -> Option<Finding> {
    const ENOUGH: u64 = 1000;
    let kinds = ["user", "mnt", "pid", "uts", "ipc", "net", "cgroup"];
    let limit = |kind: &&str| {
        let text = std::fs::read_to_string(format!("/proc/sys/user/max_{kind}_namespaces")).ok()?;
        text.trim().parse::<u64>().ok()
    };
    let (least, kind) = kinds.iter().filter_map(|kind| Some((limit(kind)?, *kind))).min()?;
    let mend = format!("sysctl -w user.max_{kind}_namespaces=65536");
    Some(match least {
        0 => Finding::missing("namespace limits", format!("user.max_{kind}_namespaces is 0"), mend),
        least if least < ENOUGH => {
            let why = format!("user.max_{kind}_namespaces allows {least} jails at most");
            Finding::warning("namespace limits", why, mend)
        }
        least => Finding::ok("namespace limits", format!("{least} jails or more (user.max_*_namespaces)")),
    })
}

fn modules() -> Finding {
    match std::fs::read_to_string("/sys/kernel/security/lsm") {
        Ok(list) => Finding::ok("security modules", list.trim().replace(',', " ")),
        // securityfs is for the host's own root, and not mounted everywhere.
        Err(_) => Finding::ok("security modules", "cannot be read here"),
    }
}

/// A setting that helps to keep jails in, or users of the host from each other.
struct Advice {
    name: &'static str,
    least: u64,
    why: &'static str,
}

const ADVICE: [Advice; 9] = [
    Advice { name: "kernel.dmesg_restrict", least: 1, why: "users read the kernel's log" },
    Advice { name: "kernel.kptr_restrict", least: 1, why: "users read addresses of the kernel" },
    Advice {
        name: "kernel.yama.ptrace_scope",
        least: 1,
        why: "programs of one user read each other's memory",
    },
    Advice { name: "kernel.unprivileged_bpf_disabled", least: 1, why: "users load BPF programs" },
    Advice { name: "kernel.perf_event_paranoid", least: 2, why: "users watch the kernel" },
    Advice { name: "fs.protected_symlinks", least: 1, why: "links in /tmp lead others' programs astray" },
    Advice { name: "fs.protected_hardlinks", least: 1, why: "users link to files that are not theirs" },
    Advice { name: "fs.protected_fifos", least: 1, why: "FIFOs in /tmp lead others' programs astray" },
    Advice { name: "fs.protected_regular", least: 1, why: "files in /tmp lead others' programs astray" },
];

/// What a setting's value means; none if the kernel has no such setting.
fn advice(Advice { name, least, why }: &Advice) -> Option<Finding> {
    let text = std::fs::read_to_string(Path::new("/proc/sys").join(name.replace('.', "/"))).ok()?;
    let value: i64 = text.trim().parse().ok()?;
    Some(match u64::try_from(value).is_ok_and(|value| value >= *least) {
        true => Finding::ok(*name, value.to_string()),
        false => Finding::warning(*name, format!("{value}: {why}"), format!("sysctl -w {name}={least}")),
    })
}
