//! Texts that traces write, and people edit.

use super::*;
use crate::trace::{Entry, Group};
use proptest::prelude::*;

fn entry(group: Group, value: &str, taken: bool) -> Entry {
    Entry { group, value: value.to_owned(), reason: format!("why {value}"), taken }
}

fn sample() -> Review {
    let entries = vec![
        entry(Group::Libraries, "/usr/lib/libx.so", true),
        entry(Group::Configuration, "/etc/x", true),
        entry(Group::Secrets, "/etc/ssl/private/x.key", false),
        entry(Group::Users, "www-data", true),
        entry(Group::Sockets, "/dev/log:/dev/log:rw", false),
        entry(Group::Ports, "tcp 80", true),
        entry(Group::Capabilities, "-all", true),
        entry(Group::Capabilities, "+sys_nice", true),
    ];
    Review {
        entries,
        ready: Some("tcp 80".to_owned()),
        user: Some(("www-data".to_owned(), "it never needed root".to_owned())),
        ..Review::default()
    }
}

fn settings() -> Vec<Setting> {
    vec![
        Setting::set("root.from", "app:/usr/sbin/x"),
        Setting::set("boot.command", "[\"/usr/sbin/x\", \"-f\"]"),
    ]
}

const TEXT: &str = r##"# Traced by jaula: what /usr/sbin/x needs, and why. Edit it as you like: tracing into this file
# again adds what is new; a line that has a # before it stays out.
# A jail of it: jaula create NAME --config FILE

mounts = [
  # programs of the host: not reached; to let it, take away the #
  # "/dev/log:/dev/log:rw",  # why /dev/log:/dev/log:rw
]

[root]
from = "app:/usr/sbin/x"
files = [
  # libraries opened while running
  "/usr/lib/libx.so",  # why /usr/lib/libx.so
  # configuration
  "/etc/x",  # why /etc/x
  # secrets: not taken; to take one, take away its #
  # "/etc/ssl/private/x.key",  # why /etc/ssl/private/x.key
]
users = [
  # users
  "www-data",  # why www-data
]

[boot]
command = ["/usr/sbin/x", "-f"]
user = "www-data"  # it never needed root
ready = "tcp 80"

[network]
listen = [
  # ports
  "tcp 80",  # why tcp 80
]

[security]
capabilities = [
  # capabilities
  "-all",  # why -all
  "+sys_nice",  # why +sys_nice
]
"##;

#[test]
fn a_new_file() {
    let written = new("/usr/sbin/x", &settings(), &sample()).unwrap();
    assert_eq!(written.text, TEXT);
    assert!(is_traced(TEXT) && !is_traced("[root]\n"));
    let config = Config::parse(TEXT).unwrap();
    assert_eq!(config.root.files, [Path::new("/usr/lib/libx.so"), Path::new("/etc/x")]);
    assert!(config.mounts.is_empty());
    let (taken, not) = decided(TEXT);
    assert_eq!((taken.len(), not.len()), (2, 1));
}

#[test]
fn the_same_again_changes_nothing() {
    let again = added(TEXT, &sample()).unwrap();
    assert_eq!((again.text.as_str(), again.added.len()), (TEXT, 0));
}

#[test]
fn what_is_new_goes_to_its_group() {
    let review = Review {
        entries: vec![
            entry(Group::Libraries, "/usr/lib/liby.so", true),
            entry(Group::Locale, "/usr/lib/locale/C.utf8", true),
            entry(Group::Configuration, "/etc/x/below", true),
            entry(Group::Data, "/srv/x", true),
            entry(Group::Secrets, "/etc/shadow", false),
            entry(Group::Ports, "tcp 80", true),
            entry(Group::Ports, "udp 80", true),
            entry(Group::Capabilities, "-all", true),
            entry(Group::Capabilities, "+chown", true),
        ],
        ..Review::default()
    };
    // Somebody has edited it: a comment, an entry less, another that is a secret taken.
    let edited = TEXT
        .replace("  \"/etc/x\",", "  # see the handbook\n  \"/etc/x\",")
        .replace("  # \"/etc/ssl", "  \"/etc/ssl");
    let written = added(&edited, &review).unwrap();
    let expected = edited
        .replace(
            "why /usr/lib/libx.so\n",
            "why /usr/lib/libx.so\n  \"/usr/lib/liby.so\",  # why /usr/lib/liby.so\n  \
             # languages and character sets\n  \"/usr/lib/locale/C.utf8\",  # why /usr/lib/locale/C.utf8\n",
        )
        .replace("why /etc/x\n", "why /etc/x\n  # data\n  \"/srv/x\",  # why /srv/x\n")
        .replace("private/x.key\n", "private/x.key\n  # \"/etc/shadow\",  # why /etc/shadow\n")
        .replace("why tcp 80\n", "why tcp 80\n  \"udp 80\",  # why udp 80\n")
        .replace("why +sys_nice\n", "why +sys_nice\n  \"+chown\",  # why +chown\n");
    assert_eq!(written.text, expected);
    assert_eq!(written.added.len(), 6);
}

#[test]
fn what_is_commented_out_stays_out() {
    let edited = TEXT
        .replace("  \"/etc/x\",", "  # \"/etc/x\",")
        .replace("  \"www-data\",", "  #\"www-data\",")
        .replace("  \"+sys_nice\",", "  \"-sys_nice\",");
    let again = added(&edited, &sample()).unwrap();
    assert_eq!(again.text, edited);
    let below = Review { entries: vec![entry(Group::Data, "/etc/x/y", true)], ..Review::default() };
    assert_eq!(added(&edited, &below).unwrap().text, edited);
}

#[test]
fn a_jail_made_by_hand() {
    let text = "root = { from = \"app:/usr/sbin/x\" } # mine\nid = 101\n";
    let written = added(text, &sample()).unwrap();
    let config = Config::parse(&written.text).unwrap();
    assert_eq!(config.root.files.len(), 2);
    assert_eq!(config.security.capabilities.len(), 1, "what it did before is not known");
    assert!(written.text.contains("# mine\n"));
    assert!(added("id = \"x\"", &sample()).is_err());
}

fn any_path() -> impl Strategy<Value = String> {
    prop_oneof!["/(etc|usr|srv)/[a-c]/[a-d]{1,2}", "/[ -~]{0,12}[^/.]", "/\\PC{1,8}x",]
        .prop_filter("a path of a configuration", |path| !path.contains("..") && !path.contains('\0'))
}

fn any_review() -> impl Strategy<Value = Review> {
    let group = prop_oneof![
        Just(Group::Libraries),
        Just(Group::Configuration),
        Just(Group::Data),
        Just(Group::Secrets),
    ];
    let entry = (group, any_path(), "\\PC{0,12}|[ -~\n\r\t]{0,12}")
        .prop_map(|(group, value, reason)| Entry { group, value, reason, taken: group != Group::Secrets });
    prop::collection::vec(entry, 0..12).prop_map(|mut entries| {
        entries.sort();
        Review { entries, ..Review::default() }
    })
}

/// A decision of somebody's about a line of a text: comment it out, put a remark above it.
fn edited(text: &str, choices: &[u8]) -> String {
    let edit = |(n, line): (usize, &str)| {
        let is_entry = line.trim_start().starts_with('"');
        match choices.get(n % choices.len().max(1)) {
            Some(0) if is_entry => format!("  # {}\n", line.trim_start()),
            Some(1) if is_entry => format!("  # a remark of mine\n{line}\n"),
            _ => format!("{line}\n"),
        }
    };
    text.lines().enumerate().map(edit).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// All that is taken is in the configuration, and nothing else.
    #[test]
    fn a_text_says_what_the_review_says(review in any_review()) {
        let written = new("/usr/sbin/x", &settings(), &review).unwrap();
        let config = Config::parse(&written.text).unwrap();
        let taken: Vec<&Entry> = written.added.iter().filter(|e| e.taken).collect();
        prop_assert_eq!(config.root.files.len(), taken.len());
        for entry in review.taken("root.files") {
            let path: PathBuf = Path::new(&entry.value).components().collect();
            let is_there = config.root.files.iter().any(|file| path.starts_with(file));
            let is_named = decided(&written.text).1.iter().any(|not| path.starts_with(not));
            prop_assert!(is_there || is_named, "{}", entry.value);
        }
    }

    /// Once written, it is known; what somebody did to it is kept, line by line.
    #[test]
    fn texts_grow_and_keep_what_is_theirs(one in any_review(), two in any_review(), choices in prop::collection::vec(0u8..4, 1..20)) {
        let first = new("/usr/sbin/x", &settings(), &one).unwrap().text;
        prop_assert_eq!(&added(&first, &one).unwrap().text, &first);
        let mine = edited(&first, &choices);
        let grown = added(&mine, &two).unwrap().text;
        prop_assert_eq!(&added(&grown, &two).unwrap().text, &grown);
        prop_assert_eq!(&added(&grown, &one).unwrap().text, &grown);
        let mut lines = grown.lines();
        for line in mine.lines() {
            prop_assert!(lines.any(|other| other == line), "{:?} is gone from {}", line, grown);
        }
        let (before, _) = decided(&mine);
        let (after, _) = decided(&grown);
        let (_, not) = decided(&mine);
        for path in after.iter().filter(|path| !before.contains(path)) {
            prop_assert!(!not.contains(path), "{:?} had been commented out", path);
        }
    }
}
