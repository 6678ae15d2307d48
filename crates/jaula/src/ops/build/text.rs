//! The text that a virtual server's configuration begins as: what a person would look for first, said in place.

use super::Source;
use model::name::Name;

/// What a new server's file says before its keys are in it.
pub(super) fn new(name: &Name, source: &Source) -> String {
    let from = match source {
        Source::Template(template) => format!("the template {template}"),
        Source::Origin(origin) => origin.text(),
    };
    format!(
        "# {name}: a virtual server, made from {from}.
#
# Changes hold from the next start. `jaula config keys` describes every key, `jaula set {name} KEY=VALUE`
# changes one and keeps what is written here, `jaula config check {name}` looks for mistakes.

# What `hostname` says inside; also `www.example.org`.
hostname = \"{name}\"

# Where its files come from, and how they are kept.
# size = \"6G\" and inodes = \"200k\" limit them; \"6G:7G\" is a soft and a hard limit.
[root]

# How it starts: autostart = true with the host, order = 10 and depends = [\"db\"] one after another.
[boot]

# mode = \"none\" is a loopback of its own, \"host\" the host's network.
[network]
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::config::{Config, Setting, edit};

    /// The comments stand where they belong when the keys are in.
    #[test]
    fn reads_well() {
        let name: Name = "web".parse().unwrap();
        let text = new(&name, &Source::Template("debian-13".parse().unwrap()));
        let settings = [
            ("id", "101"),
            ("root.from", "template:debian-13"),
            ("root.store", "overlay"),
            ("network.mode", "host"),
        ]
        .map(|(key, value)| Setting::set(key, value));
        let text = edit::apply(&text, &settings).unwrap_or_else(|p| panic!("{}", p.in_file("x")));
        Config::parse(&text).unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            lines.join("\n").trim(),
            "hostname = \"web\"\nid = 101\n\n[root]\nfrom = \"template:debian-13\"\nstore = \"overlay\"\n\n[boot]\n\n[network]\nmode = \"host\"",
            "{text}"
        );
    }
}
