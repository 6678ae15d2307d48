//! The `jaula.toml` of a directory: several jails in one file, for `jaula up`.

use super::keys;
use super::problem::{Found, Problems};
use super::read;
use super::types::Config;
use crate::name::{Id, Name};
use std::collections::BTreeMap;
use std::path::Path;
use toml_edit::{DocumentMut, Item, Value};

/// What a `jaula.toml` declares.
#[derive(Clone, Debug, PartialEq)]
pub struct UpFile {
    /// The jails, in the order of the file.
    pub jails: Vec<UpJail>,
}

/// One jail of a `jaula.toml`.
#[derive(Clone, Debug, PartialEq)]
pub struct UpJail {
    /// Its name: the table is `[jails.NAME]`.
    pub name: Name,
    /// Its configuration, all paths absolute.
    pub config: Config,
    /// The same as the text of a jail's file, comments kept.
    pub text: String,
}

impl UpFile {
    /// Reads a `jaula.toml`. Relative paths in `root.from`, `root.files` and the sources of
    /// `mounts` are relative to `base`, the absolute path of the file's directory.
    ///
    /// # Errors
    /// Everything that is wrong with it, with its position.
    pub fn parse(text: &str, base: &Path) -> Result<Self, Problems> {
        let mut found = Found::new(text);
        let document = match read::document(text) {
            Ok(document) => document,
            Err((offset, message)) => return found.fail(offset, message, None),
        };
        let mut configs = Vec::new();
        let mut ids: BTreeMap<Id, Name> = BTreeMap::new();
        for (key, item) in document.iter() {
            let at = document.key(key).and_then(toml_edit::Key::span).map(|span| span.start);
            let Some(jails) = item.as_table_like().filter(|_| key == "jails") else {
                let help = Some("write each jail as [jails.NAME], with its keys below".to_owned());
                found.note(at, key, format!("only jails stand in a jaula.toml, not {key:?}"), help);
                continue;
            };
            for (name, item) in jails.iter() {
                let at = jails.key(name).and_then(toml_edit::Key::span).map(|span| span.start);
                match (name.parse::<Name>(), item.as_table_like()) {
                    (Err(bad), _) => found.note(at, name, bad.to_string(), None),
                    (_, None) => found.note(at, name, format!("jails.{name} is a table, not a value"), None),
                    (Ok(name), Some(table)) => {
                        let reading = read::table(table, Some(base), &mut found);
                        if let Some((key, at)) = reading.given.iter().find(|(k, _)| k.path == "declared_in") {
                            found.note(*at, key.path, "declared_in is for `jaula up` to write", None);
                        }
                        if let Some(id) = reading.config.id
                            && let Some(other) = ids.insert(id, name.clone())
                        {
                            let at =
                                reading.given.iter().find(|(k, _)| k.path == "id").and_then(|(_, at)| *at);
                            found.note(at, "id", format!("id: the jail {other} has {id} too"), None);
                        }
                        configs.push((name, reading.config));
                    }
                }
            }
        }
        found.or(())?;
        let mut document = document.into_mut();
        let jails = configs.into_iter().map(|(name, config)| {
            let text = standalone(&mut document, name.as_str(), base).unwrap_or_else(|| config.to_text());
            UpJail { name, config, text }
        });
        Ok(Self { jails: jails.collect() })
    }
}

/// Takes a jail out of the document, as the text of a file of its own; `None` for a jail in
/// braces, which has no lines to keep.
fn standalone(document: &mut DocumentMut, name: &str, base: &Path) -> Option<String> {
    let jails = document.get_mut("jails").and_then(Item::as_table_like_mut);
    let Item::Table(mut table) = jails?.remove(name)? else { return None };
    // The comments of `[jails.NAME]` stay, though the header goes.
    let decor = table.decor();
    let [above, beside] = [decor.prefix(), decor.suffix()]
        .map(|raw| raw.and_then(|raw| raw.as_str()).unwrap_or_default().trim());
    let comments: String =
        [above, beside].iter().filter(|c| !c.is_empty()).map(|c| format!("{c}\n")).collect();
    table.set_dotted(false);
    table.set_implicit(false);
    table.set_position(Some(0));
    table.decor_mut().clear();
    for key in keys::all() {
        let Some(rebase) = key.rebase else { continue };
        let item = match key.path.split_once('.') {
            Some((section, name)) => {
                table.get_mut(section).and_then(Item::as_table_like_mut).and_then(|table| table.get_mut(name))
            }
            None => table.get_mut(key.path),
        };
        match item.and_then(Item::as_value_mut) {
            Some(Value::Array(list)) => list.iter_mut().for_each(|value| replace(value, rebase, base)),
            Some(value) => replace(value, rebase, base),
            None => {}
        }
    }
    Some(comments + DocumentMut::from(table).to_string().trim_start_matches(['\n', '\r']))
}

/// Makes the path in a text absolute.
fn replace(value: &mut Value, rebase: fn(&str, &Path) -> Option<String>, base: &Path) {
    if let Some(path) = value.as_str().and_then(|text| rebase(text, base)) {
        let decor = value.decor().clone();
        *value = path.into();
        *value.decor_mut() = decor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with every way to write a table.
    const SITE: &str = r#"# The site.

# Answers to browsers.
[jails.web] # in front
mounts = [
  "data:/data:rw", # what is served
  "tmpfs:/run",
]

# as of 2024
[jails.web.root]
from = "app:./bin/server"
files = ["etc", "/etc/ssl"]

[jails]
db.id = 7
db.root.from = "dir:db" # the tree
cache = { root = { from = "host" }, boot.command = ["/bin/cache"] }

[jails."a.b".limits.process]
core = 0

# The jail's own keys may stand below its tables.
[jails."a.b"]
hostname = "ab"
"#;

    #[test]
    fn each_jail_gets_a_text_of_its_own() {
        let up = UpFile::parse(SITE, Path::new("/srv/site")).unwrap_or_else(|p| panic!("{}", p.in_file("x")));
        let texts: Vec<(&str, &str)> = up.jails.iter().map(|j| (j.name.as_str(), j.text.as_str())).collect();
        let web = "# The site.\n\n# Answers to browsers.\n# in front\nmounts = [\n  \
                   \"/srv/site/data:/data:rw\", # what is served\n  \"tmpfs:/run\",\n]\n\n# as of \
                   2024\n[root]\nfrom = \"app:/srv/site/bin/server\"\n\
                   files = [\"/srv/site/etc\", \"/etc/ssl\"]\n";
        let db = "id = 7\nroot.from = \"dir:/srv/site/db\" # the tree\n";
        let cache = "[root]\nfrom = \"host\"\n\n[boot]\ncommand = [\"/bin/cache\"]\n";
        let ab = "# The jail's own keys may stand below its tables.\n\
                  hostname = \"ab\"\n\n[limits.process]\ncore = 0\n";
        assert_eq!(texts, [("web", web), ("db", db), ("cache", cache), ("a.b", ab)]);
        for jail in &up.jails {
            assert_eq!(Config::parse(&jail.text), Ok(jail.config.clone()), "{}", jail.text);
        }
    }

    #[test]
    fn problems_have_the_places_of_the_file() {
        let text = "[jails.101]\n[jails.a]\nid = 5\ndeclared_in = \"/x\"\n[jails.b]\nid = 5\nroot.form = \
                    \"host\"\nmounts = [\"x:/y:zz\"]\n[other]\n";
        let problems = UpFile::parse(text, Path::new("/srv")).unwrap_err();
        assert_eq!(
            problems.in_file("jaula.toml").to_string(),
            "jaula.toml:1:8: \"101\" is not a jail's name: a number is an id; put a letter into the name\n\
             jaula.toml:4:1: declared_in is for `jaula up` to write\n\
             jaula.toml:6:1: id: the jail a has 5 too\n\
             jaula.toml:7:6: unknown key \"root.form\"\nhelp: did you mean \"root.from\"?\n\
             jaula.toml:8:11: mounts: \"zz\" is not one of ro, rw, idmap, exec, noexec\n\
             jaula.toml:9:2: only jails stand in a jaula.toml, not \"other\"\n\
             help: write each jail as [jails.NAME], with its keys below"
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(
            text in r#"(\[jails(\.[a-z"]{1,2})?\]|jails|[a-c]|root|from|mounts|=|"x:/y"|[\n. {}\[\],"=#])*"#,
        ) {
            if let Ok(up) = UpFile::parse(&text, Path::new("/base")) {
                for jail in up.jails {
                    proptest::prop_assert_eq!(Config::parse(&jail.text), Ok(jail.config));
                }
            }
        }
    }
}
