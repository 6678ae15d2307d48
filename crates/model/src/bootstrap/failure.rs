//! Why such a program failed, from the last of what it printed.

use super::Recipe;

/// Why it failed, in a line, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub message: String,
    /// The way out.
    pub help: String,
}

/// What apt and debootstrap say when they do not reach a server.
const UNREACHABLE: &[&str] = &[
    "Could not resolve",
    "Could not connect",
    "Temporary failure",
    "Unable to connect",
    "Cannot initiate the connection",
    "Connection failed",
    "Connection timed out",
    "Network is unreachable",
];

/// What they say when they do not know who signed the archive.
const UNSIGNED: &[&str] = &[
    "NO_PUBKEY",
    "is not signed",
    "signed by unknown key",
    "Invalid Release signature",
    "couldn't be verified",
];

/// Why the program failed that printed these lines.
pub fn failure(recipe: &Recipe, program: &str, output: &[String]) -> Failure {
    let line_with = |texts: &[&str]| {
        output
            .iter()
            .find(|line| texts.iter().any(|text| line.contains(text)))
            .map(|line| line.trim().to_owned())
    };
    let suite = &recipe.suite;
    let made = |message: String, help: String| Failure { message, help };
    if line_with(&["No space left on device", "not enough free space", "You don't have enough free space"])
        .is_some()
    {
        return made(
            format!("there is no room for {suite} on the disk"),
            "make room: a small server takes 400 MB while it is made; or move the house with JAULA_ROOT"
                .to_owned(),
        );
    }
    let absent = line_with(&["does not have a Release file", "No such script"]);
    let unreached = line_with(UNREACHABLE);
    if absent.is_some() && unreached.is_none() {
        return made(
            format!("there is no suite {suite:?} {}", at(recipe)),
            "name one that the mirror has below dists/: bookworm, trixie, noble; an old one may be on the \
             distribution's archive of old releases: --mirror"
                .to_owned(),
        );
    }
    if let Some(line) = unreached.or_else(|| line_with(&["Failed getting release file"])) {
        return made(
            format!("the mirror cannot be reached: {}", said(&line)),
            "look at the network and at the mirror's address, or name another: --mirror http://HOST/debian"
                .to_owned(),
        );
    }
    if line_with(UNSIGNED).is_some() {
        let help = match recipe.keys() {
            Some((_, package)) => {
                format!("install the distribution's keys (package {package}), or name them: --keyring FILE")
            }
            None => "name the keys that it is signed with: --keyring FILE".to_owned(),
        };
        return made(format!("the packages of {suite} are signed with a key that is not known here"), help);
    }
    if let Some(line) =
        line_with(&["Unable to locate package", "Couldn't find these debs", "has no installation candidate"])
    {
        return made(
            format!("{suite} lacks a package: {}", said(&line)),
            "look at its name and at --components".to_owned(),
        );
    }
    let last = output.iter().rev().filter(|line| !line.trim().is_empty());
    let own = |line: &&String| {
        line.starts_with("E: ") && !line.contains("failed to run") && !line.contains("-oAPT::")
    };
    let why =
        last.clone().find(own).or_else(|| last.clone().next()).map_or_else(String::new, |line| said(line));
    made(format!("{program} failed: {why}"), "see all that it says: jaula build … --verbose".to_owned())
}

fn at(recipe: &Recipe) -> String {
    match recipe.mirrors.first() {
        Some(mirror) => format!("at {mirror}"),
        None => "at the distribution's servers".to_owned(),
    }
}

/// A line without the program's own marks.
fn said(line: &str) -> String {
    let line = line.trim().trim_start_matches("E: ").trim_start_matches("W: ");
    let line = line.trim_end_matches('.');
    line.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(suite: &str, text: &str) -> Failure {
        let recipe = Recipe { suite: suite.to_owned(), ..Recipe::default() };
        failure(&recipe, "mmdebstrap", &text.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    /// Beginnings of messages for what the programs printed.
    #[test]
    fn causes() {
        let end =
            "E: apt-get update --error-on=any -oAPT::Status-Fd=<$fd> failed\nE: mmdebstrap failed to run";
        let table = [
            (
                "nonsuch",
                "Ign:1 http://deb.debian.org/debian nonsuch InRelease\n  404  Not Found\nE: The repository 'http://deb.debian.org/debian nonsuch Release' does not have a Release file.",
                "there is no suite \"nonsuch\" at the distribution's servers",
            ),
            (
                "nonsuch",
                "E: No such script: /usr/share/debootstrap/scripts/nonsuch",
                "there is no suite \"nonsuch\"",
            ),
            (
                "trixie",
                "Err:1 http://m.invalid/debian trixie InRelease\n  Could not resolve 'm.invalid'\nE: Failed to fetch http://m.invalid/debian/dists/trixie/InRelease  Could not resolve 'm.invalid'",
                "the mirror cannot be reached: Could not resolve 'm.invalid'",
            ),
            (
                "trixie",
                "  Could not connect to 127.0.0.1:9 (127.0.0.1). - connect (111: Connection refused)\nE: The repository 'http://127.0.0.1:9/debian trixie Release' does not have a Release file.",
                "the mirror cannot be reached: Could not connect to 127.0.0.1:9",
            ),
            (
                "noble",
                "E: The repository 'http://archive.ubuntu.com/ubuntu noble InRelease' is not signed.",
                "the packages of noble are signed with a key",
            ),
            (
                "trixie",
                "E: Unable to locate package nonexistentpkg\nE: setup failed: E: apt-get",
                "trixie lacks a package: Unable to locate package nonexistentpkg",
            ),
            ("trixie", "  Write error - write (28: No space left on device)", "there is no room for trixie"),
            (
                "trixie",
                "E: Sub-process env returned an error code (1)",
                "mmdebstrap failed: Sub-process env returned an error code (1)",
            ),
            ("trixie", "", "mmdebstrap failed"),
        ];
        for (suite, text, message) in table {
            let failure = of(suite, &format!("{text}\n{end}"));
            assert!(failure.message.starts_with(message), "{failure:?} for {text}");
        }
    }
}
