//! Makes the lab's disk, and takes the emulator from where it is new enough.
//!
//! Both come from Debian 13, whatever the machine has: QEMU 7.2, which is Debian 12's, lets emulated kernels
//! crash. They are kept in `/var/cache/jaula-tests` under a name that follows from what they are made of.

use crate::shell::{Result, command, output};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

const SUITE: &str = "trixie";

/// What is in the lab beside Debian's essential packages.
const PACKAGES: &[&str] = &[
    // A host as people have it.
    "systemd-sysv",
    "libpam-systemd",
    "dbus",
    "linux-image-cloud-amd64",
    "initramfs-tools",
    "apparmor",
    "apparmor-utils",
    "iproute2",
    "iputils-ping",
    "kmod",
    "procps",
    "passwd",
    "login",
    "ca-certificates",
    // File systems and their quota.
    "e2fsprogs",
    "xfsprogs",
    "btrfs-progs",
    "quota",
    // What jaula uses where it is there.
    "criu",
    "mmdebstrap",
    "nftables",
    // What the tests use; see `setup`.
    "bubblewrap",
    "busybox-static",
    "crun",
    "iptables",
    "netcat-openbsd",
    "nginx-light",
    "openssh-client",
    "openssl",
    "python3",
    "rsync",
    "runc",
    "strace",
    "time",
    "tmux",
    "zsh",
    "zstd",
];

/// What nobody reads here is not unpacked.
const LEFT_OUT: &[&str] = &["/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*"];

/// Run with the tree as `$1`, after unpacking the essential packages: the quota's module is wanted before the root
/// is mounted.
const BEFORE: &str = r#"mkdir -p "$1/usr/share/man/man1" "$1/usr/share/man/man8" "$1/etc/initramfs-tools" &&
    echo quota_v2 >>"$1/etc/initramfs-tools/modules""#;

/// The same when all is installed: the service that runs what it was started for, no AppArmor profile but a few
/// (a hundred take the emulated parser twenty seconds), and no service that costs a start time.
const AFTER: &str = r#"cd "$1" && echo '/dev/vda / ext4 rw,prjquota 0 1' >etc/fstab && echo lab >etc/hostname &&
    echo '127.0.0.1 localhost lab' >etc/hosts && passwd --root "$1" --delete root >&2 &&
    find etc/apparmor.d -maxdepth 1 -type f ! -name lsb_release ! -name unix-chkpwd ! -name unprivileged_userns -delete &&
    cp "$LAB_FILES"/*.service "$LAB_FILES"/*.target etc/systemd/system/ && install -m 755 "$LAB_FILES/lab" usr/local/sbin/lab &&
    ln -sf lab.target etc/systemd/system/default.target &&
    for unit in tmp.mount nginx.service ssh-agent.socket nftables.service e2scrub_reap.service apt-daily.timer \
        apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer xfs_scrub_all.timer quota.service \
        systemd-pcrphase.service systemd-networkd-wait-online.service getty@tty1.service; do
        ln -sf /dev/null "etc/systemd/system/$unit"; done &&
    printf 'blacklist %s\n' kvm kvm_amd kvm_intel psmouse pcspkr >etc/modprobe.d/lab.conf &&
    rm -rf var/lib/apt/lists/* var/cache/apt/* var/cache/debconf/*-old"#;

/// What the hook copies into it.
const FILES: &[(&str, &str)] = &[
    ("lab", include_str!("lab.sh")),
    ("lab.service", include_str!("lab.service")),
    ("lab-terminal.service", include_str!("lab-terminal.service")),
    ("lab.target", include_str!("lab.target")),
];

/// The lab's parts.
#[derive(Debug)]
pub(super) struct Lab {
    /// Where they are.
    at: PathBuf,
}

impl Lab {
    /// The machine's disk: ext4 with project quota, on no partition.
    pub(super) fn disk(&self) -> PathBuf {
        self.at.join("root.ext4")
    }

    pub(super) fn kernel(&self) -> PathBuf {
        self.at.join("vmlinuz")
    }

    pub(super) fn initrd(&self) -> PathBuf {
        self.at.join("initrd.img")
    }

    /// A tree with QEMU.
    pub(super) fn qemu(&self) -> PathBuf {
        self.at.join("qemu")
    }

    /// Where all that is kept for tests is.
    pub(super) fn cache(&self) -> &Path {
        self.at.parent().unwrap_or(&self.at)
    }
}

/// The lab, made if it is not there.
pub(super) fn made() -> Result<Lab> {
    if output(&mut command(&["id", "-u"]))?.trim() != "0" {
        return Err("the lab needs root".into());
    }
    let cache = Path::new("/var/cache/jaula-tests");
    fs::create_dir_all(cache)?;
    let one_at_a_time = File::create(cache.join("lab.lock"))?;
    one_at_a_time.lock()?;
    let lab = Lab { at: cache.join(format!("lab-{:08x}", recipe() & 0xffff_ffff)) };
    if lab.at.exists() {
        return Ok(lab);
    }
    println!("lab: making {} (a minute, 250 MB to fetch)", lab.at.display());
    let begun = Instant::now();
    let unfinished = Lab { at: lab.at.with_extension("unfinished") };
    remove(&unfinished.at)?;
    fs::create_dir(&unfinished.at)?;
    if let Err(error) = emulator(&unfinished).and_then(|()| disk(&unfinished)) {
        remove(&unfinished.at)?;
        return Err(error);
    }
    fs::rename(&unfinished.at, &lab.at)?;
    println!("lab: made in {:.0} s", begun.elapsed().as_secs_f64());
    Ok(lab)
}

/// QEMU and its libraries, unpacked and not installed.
fn emulator(lab: &Lab) -> Result {
    let mut make = mmdebstrap("extract");
    make.arg("--include=qemu-system-x86").arg(SUITE).arg(lab.qemu());
    output(&mut make).map(drop)
}

fn disk(lab: &Lab) -> Result {
    let (tree, files) = (lab.at.join("tree"), lab.at.join("files"));
    fs::create_dir(&files)?;
    for (name, text) in FILES {
        fs::write(files.join(name), text)?;
    }
    let mut make = mmdebstrap("essential");
    make.arg(format!("--essential-hook={BEFORE}")).arg(format!("--customize-hook={AFTER}"));
    make.arg(format!("--include={}", PACKAGES.join(","))).arg(SUITE).arg(&tree).env("LAB_FILES", &files);
    output(&mut make)?;
    fs::copy(tree.join("vmlinuz"), lab.kernel())?;
    fs::copy(tree.join("initrd.img"), lab.initrd())?;
    let features = "quota,project,^has_journal";
    let mut make = command(&["mke2fs", "-q", "-t", "ext4", "-O", features, "-E", "quotatype=prjquota", "-d"]);
    output(make.args([&tree, &lab.disk()]).arg("8G"))?;
    remove(&tree)?;
    remove(&files)
}

fn mmdebstrap(variant: &str) -> std::process::Command {
    let mut make = command(&["nice", "mmdebstrap", "--quiet", "--mode=root"]);
    make.arg(format!("--variant={variant}"));
    make.args(LEFT_OUT.iter().map(|path| format!("--dpkgopt=path-exclude={path}")));
    make.arg("--dpkgopt=force-unsafe-io").arg("--aptopt=APT::Install-Recommends \"false\"");
    make
}

/// What the lab is made of, as a number (FNV-1a, the same with every compiler).
fn recipe() -> u64 {
    let all = format!("{SUITE} {PACKAGES:?} {LEFT_OUT:?} {BEFORE} {AFTER} {FILES:?}");
    all.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

pub(super) fn remove(path: &Path) -> Result {
    // A run that was killed may have left mounts in it.
    let mounts = fs::read_to_string("/proc/mounts")?;
    if mounts.lines().any(|line| line.split(' ').nth(1).is_some_and(|at| Path::new(at).starts_with(path))) {
        return Err(format!("something is mounted below {}", path.display()).into());
    }
    output(command(&["rm", "-rf", "--one-file-system"]).arg(path)).map(drop)
}
