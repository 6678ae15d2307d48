//! How far the program is, from what it prints.

/// What is going on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// What is done, in words: `fetching packages`.
    pub phase: &'static str,
    /// With what: a package.
    pub what: String,
    /// The how manieth it is, of how many, as far as that is known.
    pub count: Option<(u64, u64)>,
}

/// Follows what mmdebstrap and debootstrap print.
#[derive(Debug, Default)]
pub struct Meter {
    /// How many packages are about to be installed.
    packages: u64,
    phase: &'static str,
    done: u64,
}

const LISTS: &str = "reading lists of packages";
const FETCH: &str = "fetching packages";
const UNPACK: &str = "unpacking packages";
const SETUP: &str = "setting packages up";
const TIDY: &str = "tidying up";

impl Meter {
    /// What a line says about it; `None` if nothing.
    pub fn heard(&mut self, line: &str) -> Option<Step> {
        let line = line.trim();
        if let Some((_, rest)) = line.split_once(" upgraded, ") {
            self.packages = rest.split(' ').next()?.parse().ok()?;
            return None;
        }
        let told = line.strip_prefix("I: ").unwrap_or(line);
        let mut words = told.split(' ');
        let first = words.next()?;
        let next = words.next().unwrap_or_default();
        let (phase, what) = match first {
            // `Get:7 http://mirror trixie/main amd64 NAME amd64 VERSION [SIZE]`
            "Retrieving" if next == "InRelease" || next == "Packages" => (LISTS, ""),
            _ if first.starts_with("Get:") && self.packages > 0 => (FETCH, words.nth(2)?),
            "Retrieving" => (FETCH, next),
            "Unpacking" | "Extracting" if next != "the" => (UNPACK, next),
            "Setting" | "Configuring" if first != "Setting" || next == "up" => {
                (SETUP, if first == "Setting" { words.next()? } else { next })
            }
            _ if told.starts_with("running apt-get update") => (LISTS, ""),
            _ if told.starts_with("cleaning ") => (TIDY, ""),
            _ => return None,
        };
        if phase != self.phase {
            (self.phase, self.done) = (phase, 0);
        }
        self.done += 1;
        let counted = self.packages > 0 && !matches!(phase, LISTS | TIDY);
        let what = what.trim_end_matches("...").split(':').next().unwrap_or_default().to_owned();
        // A package is fetched anew if that failed, and so on: never more than there are.
        Some(Step { phase, what, count: counted.then(|| (self.done.min(self.packages), self.packages)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        let mut meter = Meter::default();
        let show = |step: Step| {
            let count = step.count.map(|(n, of)| format!(" {n}/{of}")).unwrap_or_default();
            format!("{}{count} {}", step.phase, step.what)
        };
        text.lines().filter_map(|line| meter.heard(line)).map(show).collect()
    }

    #[test]
    fn mmdebstrap() {
        let said = all("I: chroot architecture amd64 is equal to the host's architecture
I: running apt-get update...
Get:1 http://deb.debian.org/debian trixie InRelease [140 kB]
Fetched 10.2 MB in 1s (9010 kB/s)
0 upgraded, 2 newly installed, 0 to remove and 0 not upgraded.
Get:1 http://deb.debian.org/debian trixie/main amd64 gcc-14-base amd64 14.2.0-19 [49.4 kB]
Get:2 http://deb.debian.org/debian trixie/main amd64 libc6 amd64 2.41-12 [2847 kB]
I: extracting archives...
Selecting previously unselected package libc6:amd64.
Unpacking libc6:amd64 (2.41-12) ...
Setting up libc6:amd64 (2.41-12) ...
Setting up gcc-14-base:amd64 (14.2.0-19) ...
Setting up again:amd64 (1) ...
I: cleaning package lists and apt cache...
I: success in 35.8348 seconds");
        assert_eq!(
            said,
            [
                "reading lists of packages ",
                "fetching packages 1/2 gcc-14-base",
                "fetching packages 2/2 libc6",
                "unpacking packages 1/2 libc6",
                "setting packages up 1/2 libc6",
                "setting packages up 2/2 gcc-14-base",
                "setting packages up 2/2 again",
                "tidying up "
            ]
        );
    }

    #[test]
    fn debootstrap() {
        let said = all("I: Retrieving InRelease
I: Retrieving Packages
I: Retrieving libacl1 2.3.2-2+b1
I: Validating libacl1 2.3.2-2+b1
I: Extracting dpkg...
I: Unpacking the base system...
I: Unpacking libc6:amd64...
I: Configuring apt...
I: Base system installed successfully.");
        assert_eq!(
            said,
            [
                "reading lists of packages ",
                "reading lists of packages ",
                "fetching packages libacl1",
                "unpacking packages dpkg",
                "unpacking packages libc6",
                "setting packages up apt"
            ]
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in r"(I: |Get:1|Setting up|Unpacking|Retrieving|[0-9]{1,30} upgraded, |[a-z :.]|\PC){0,12}") {
            Meter::default().heard(&text);
        }
    }
}
