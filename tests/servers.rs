//! What a virtual server is there for: somebody logs in from elsewhere, a page is served, packages are
//! installed, its users are its own, and its root stays inside.

mod ends;
mod examples;
mod kept;
mod login;
mod packages;
mod probes;
mod processes;
mod users;
mod web;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    let files = [
        ends::trials(),
        examples::trials(),
        kept::trials(),
        login::trials(),
        packages::trials(),
        probes::trials(),
        processes::trials(),
        users::trials(),
        web::trials(),
    ];
    files.into_iter().flatten().collect()
}

/// What the host has of users and packages.
fn hosts_own() -> Vec<(&'static str, Option<Vec<u8>>)> {
    let files = ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/hosts", "/var/lib/dpkg/status"];
    files.map(|path| (path, std::fs::read(path).ok())).to_vec()
}
