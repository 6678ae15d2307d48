//! Small whole Debians with an init, as templates of virtual servers (`tests/harness/template.rs` puts one
//! into a test's house): two with systemd, one with sysvinit, one with OpenRC; and two of other families. They are made and kept as the tree of
//! [`crate::debian`] is.

use crate::debian::Recipe;
use crate::shell::{Result, command, output};
use std::fs;
use std::path::Path;

/// Those that tests of virtual servers boot.
pub(crate) const TEMPLATES: &[Recipe] = &[
    Recipe { name: "template-debian-13", suite: "trixie", packages: TRIXIE, ..SERVER },
    Recipe { name: "template-debian-12", suite: "bookworm", packages: BOOKWORM, ..SERVER },
    Recipe { name: "template-debian-13-sysv", suite: "trixie", packages: SYSV, ..SERVER },
    Recipe { name: "template-debian-13-openrc", suite: "trixie", packages: OPENRC, ..SERVER },
    ALPINE,
    RPM,
];

const SERVER: Recipe = Recipe {
    name: "",
    suite: "",
    variant: "apt",
    packages: &[],
    // Its own resolv.conf would be that of whoever made it; services get their keys and databases where they run.
    // Directories of /dev are mounts as long as this runs.
    hooks: [
        "true",
        r#"cd "$1" && find dev -mindepth 1 -maxdepth 1 ! -type d -delete && rm -rf var/lib/apt/lists/* var/cache/apt/* var/cache/debconf/*-old var/log/*.log etc/ssh/ssh_host_* && : > etc/machine-id"#,
    ],
    options: &[],
    finish: "",
    within: "tree",
    beside: describe,
};

/// No mirror of Alpine's or of an RPM distribution's can be relied on: these are made of Debian's packages, as far as
/// files, databases of packages and inits go.
const ALPINE: Recipe = Recipe {
    name: "template-alpine-shaped",
    suite: "bookworm",
    variant: "extract",
    packages: &["openrc", "busybox-static", "dropbear-bin", "libc6"],
    // The packages themselves are what apk's database is made from.
    options: &["--skip=cleanup/apt,cleanup/apt/cache"],
    finish: include_str!("templates/alpine.sh"),
    ..SERVER
};

const RPM: Recipe = Recipe {
    name: "template-rpm-shaped",
    suite: "trixie",
    variant: "minbase",
    packages: &[
        "systemd-sysv",
        "dbus",
        "libpam-systemd",
        "network-manager",
        "rpm",
        "openssh-server",
        "iproute2",
        "iputils-ping",
        "procps",
        "login",
        "passwd",
        "netbase",
    ],
    finish: include_str!("templates/rpm.sh"),
    ..SERVER
};

macro_rules! with_services {
    ($($own:literal),*) => {
        &[
            $($own,)*
            "dbus",
            "openssh-server",
            "iproute2",
            "iputils-ping",
            "netcat-openbsd",
            "rsyslog",
            "nginx-light",
            "cron",
            "procps",
            "login",
            "passwd",
            "netbase",
            "ca-certificates",
        ]
    };
}

const OPENRC: &[&str] = &[
    "openrc",
    "sysvinit-core",
    "initscripts",
    "orphan-sysvinit-scripts",
    "ifupdown",
    "systemd-standalone-sysusers",
    "systemd-standalone-tmpfiles",
    "openssh-server",
    "iproute2",
    "iputils-ping",
    "netcat-openbsd",
    "rsyslog",
    "cron",
    "procps",
    "login",
    "passwd",
    "netbase",
];
const TRIXIE: &[&str] = with_services!["systemd-sysv", "libpam-systemd", "systemd-resolved"];
const BOOKWORM: &[&str] = with_services!["systemd-sysv", "libpam-systemd", "ifupdown"];
const SYSV: &[&str] = with_services![
    "sysvinit-core",
    "sysv-rc",
    "initscripts",
    "orphan-sysvinit-scripts",
    "ifupdown",
    // In systemd's place for what packages want of it.
    "systemd-standalone-sysusers",
    "systemd-standalone-tmpfiles"
];

/// Writes `template.toml` beside the tree, as `jaula template` does.
fn describe(template: &Path) -> Result {
    let release = ["tree/usr/lib/os-release", "tree/etc/os-release"].map(|path| template.join(path));
    let release = fs::read_to_string(release.iter().find(|path| path.exists()).unwrap_or(&release[0]))?;
    let field = |name: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches('"').to_owned()
    };
    let size = output(command(&["du", "-sx", "--block-size=1"]).arg(template.join("tree")))?;
    let size = size.split_whitespace().next().unwrap_or("0").to_owned();
    let architecture = output(&mut command(&["uname", "-m"]))?;
    let inits = [("usr/lib/systemd/systemd", "systemd"), ("sbin/openrc", "openrc"), ("", "sysv")];
    let init = inits.iter().find(|(path, _)| template.join("tree").join(path).exists());
    let init = init.map_or("plain", |(_, word)| word);
    let origin = match &field("VERSION_CODENAME")[..] {
        "" => "assembled".to_owned(),
        suite => format!("debootstrap:{suite}"),
    };
    let text = format!(
        "origin = \"{origin}\"\narchitecture = \"{}\"\ndistribution = \"{}\"\nversion = \"{}\"\ninit = \
         \"{init}\"\nsize = {size}\n",
        architecture.trim(),
        field("ID"),
        field("VERSION_ID"),
    );
    fs::write(template.join("template.toml"), text)?;
    Ok(())
}
