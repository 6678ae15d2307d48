//! Programs that help whoever got in, by their names.

use super::Trait;

const SHELLS: &[&str] =
    &["ash", "bash", "busybox", "csh", "dash", "fish", "ksh", "mksh", "rbash", "sh", "tcsh", "toybox", "zsh"];
const INTERPRETERS: &[&str] = &[
    "awk", "bpftrace", "gawk", "gdb", "guile", "java", "jshell", "lua", "luajit", "mawk", "node", "nodejs",
    "perl", "php", "pypy", "python", "ruby", "tclsh", "wish",
];
const COMPILERS: &[&str] = &[
    "as", "c++", "cc", "clang", "clang++", "cpp", "cc1", "g++", "gas", "gcc", "go", "gold", "javac", "ld",
    "ld.bfd", "ld.gold", "lld", "rustc", "tcc",
];
const PACKAGE_MANAGERS: &[&str] = &[
    "apk", "apt", "apt-get", "aptitude", "cargo", "cpan", "dnf", "dpkg", "gem", "npm", "opkg", "pacman",
    "pip", "rpm", "snap", "yum", "zypper",
];
const NETWORK_TOOLS: &[&str] = &[
    "curl",
    "ftp",
    "nc",
    "nc.openbsd",
    "nc.traditional",
    "ncat",
    "netcat",
    "nmap",
    "rsync",
    "scp",
    "sftp",
    "socat",
    "ssh",
    "tcpdump",
    "telnet",
    "tftp",
    "wget",
];

/// What a program of this name is good for. A version (`python3.11`) and a machine
/// (`x86_64-linux-gnu-gcc-12`) count for nothing.
pub(super) fn of_program(name: &str) -> Option<Trait> {
    let kinds = [
        (SHELLS, Trait::Shell),
        (INTERPRETERS, Trait::Interpreter),
        (COMPILERS, Trait::Compiler),
        (PACKAGE_MANAGERS, Trait::PackageManager),
        (NETWORK_TOOLS, Trait::NetworkTool),
    ];
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    let plain = plain.rsplit_once("-gnu-").map_or(plain, |(_, tool)| tool);
    kinds.iter().find(|(names, _)| names.contains(&plain) || names.contains(&name)).map(|(_, kind)| *kind)
}
