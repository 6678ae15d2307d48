//! Installs what tests and benchmarks need.

use crate::debian;
use crate::release;
use crate::shell::{Result, command, has, output, run};
use std::process::Stdio;

/// Debian's packages: the program that shows one is there, and its name.
const PACKAGES: &[(&str, &str)] = &[
    ("cc", "gcc"),
    ("c++", "g++"),
    ("musl-gcc", "musl-tools"),
    ("ip", "iproute2"),
    ("setsid", "util-linux"),
    ("losetup", "mount"),
    ("mkfs.ext4", "e2fsprogs"),
    ("mkfs.btrfs", "btrfs-progs"),
    ("mkfs.xfs", "xfsprogs"),
    ("time", "time"),
    ("bash", "bash"),
    ("zsh", "zsh"),
    ("python3", "python3"),
    ("tmux", "tmux"),
    ("strace", "strace"),
    ("busybox", "busybox-static"),
    ("nft", "nftables"),
    ("iptables", "iptables"),
    ("nginx", "nginx-light"),
    ("ssh", "openssh-client"),
    ("hyperfine", "hyperfine"),
    ("iperf3", "iperf3"),
    ("wrk", "wrk"),
    ("lxc-start", "lxc"),
    ("podman", "podman"),
    ("/usr/lib/podman/netavark", "netavark"),
    ("bwrap", "bubblewrap"),
    ("crun", "crun"),
    ("runc", "runc"),
    ("mmdebstrap", "mmdebstrap"),
    ("xz", "xz-utils"),
    ("zstd", "zstd"),
    ("systemd-analyze", "systemd"),
];

/// Checks licences and sources of dependencies; see `deny.toml`.
const CARGO_DENY: &str = "cargo-deny@0.20.2";

/// Installs what is missing, and says so in a line each.
pub(crate) fn setup() -> Result {
    debian_packages()?;
    release::setup();
    if has("cargo-deny") {
        println!("setup: cargo-deny is here");
    } else {
        println!("setup: building {CARGO_DENY} (three minutes on two processors)");
        // Elsewhere, as this work tree's flags are for jaula.
        run(command(&["cargo", "install", "--quiet", "--locked", CARGO_DENY]).current_dir("/"))?;
    }
    debian::trees()
}

fn debian_packages() -> Result {
    let missing: Vec<&str> =
        PACKAGES.iter().filter(|(program, _)| !has(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        println!("setup: all {} programs are here", PACKAGES.len());
        return Ok(());
    }
    let install = format!("apt-get install -y --no-install-recommends {}", missing.join(" "));
    if !has("apt-get") {
        return Err(
            format!("not here: {}; this is no Debian, so install them yourself", missing.join(" ")).into()
        );
    }
    let is_root = output(&mut command(&["id", "-u"]))?.trim() == "0";
    let before: &[&str] = match (is_root, has("sudo")) {
        (true, _) => &[],
        (false, true) => &["sudo"],
        (false, false) => return Err(format!("as root, run: apt-get update && {install}").into()),
    };
    println!("setup: installing {}", missing.join(" "));
    let apt = |words: &str| {
        let words: Vec<&str> = before
            .iter()
            .copied()
            .chain(["env", "DEBIAN_FRONTEND=noninteractive"])
            .chain(words.split(' '))
            .collect();
        output(command(&words).stderr(Stdio::piped())).map(drop)
    };
    apt("apt-get update -qq")?;
    apt(&install)
}
