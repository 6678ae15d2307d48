//! Trees as tables: what is there, what becomes of it, and that nothing is left to do then.

use super::network::{Address, Interface, Route};
use super::*;
use std::collections::BTreeMap;

mod files;
mod networks;
mod properties;

/// A tree of texts and links; directories are there for what is in them.
#[derive(Clone, Debug, Default)]
struct Tree(BTreeMap<String, At>);

impl Tree {
    fn of(files: &[(&str, &str)]) -> Self {
        let at = |text: &str| match text.strip_prefix("-> ") {
            Some(target) => At::Link(target.to_owned()),
            None if text == "dir" => At::Directory,
            None => At::Text(text.to_owned()),
        };
        let mut tree = Self(files.iter().map(|(path, text)| ((*path).to_owned(), at(text))).collect());
        tree.0.entry("/etc/os-release".to_owned()).or_insert(At::Text(String::new()));
        tree
    }

    fn text(&self, path: &str) -> &str {
        match self.0.get(path) {
            Some(At::Text(text)) => text,
            other => panic!("{path}: {other:?}"),
        }
    }

    fn apply(&mut self, all: Vec<FixUp>) {
        for FixUp { path, action, .. } in all {
            match action {
                Action::Write { text, .. } => _ = self.0.insert(path, At::Text(text)),
                Action::Link(target) => _ = self.0.insert(path, At::Link(target)),
                Action::Remove => _ = self.0.remove(&path).unwrap(),
                Action::Rename(to) => {
                    let what = self.0.remove(&path).unwrap();
                    let directory = path.rsplit_once('/').unwrap().0;
                    self.0.insert(format!("{directory}/{to}"), what);
                }
            }
        }
    }

    /// Fixed, once and for all.
    fn fixed(mut self, guest: &Guest) -> Self {
        let all = fix_ups(guest, &mut self);
        self.apply(all);
        assert_eq!(fix_ups(guest, &mut self), [], "a second time");
        self
    }
}

impl Files for Tree {
    fn at(&mut self, path: &str) -> At {
        let below = format!("{path}/");
        match self.0.get(path) {
            Some(at) => at.clone(),
            None if self.0.keys().any(|key| key.starts_with(&below)) => At::Directory,
            None => At::Nothing,
        }
    }

    fn names(&mut self, directory: &str) -> Vec<String> {
        let top = format!("{directory}/");
        let mut names: Vec<String> = self
            .0
            .keys()
            .filter_map(|key| Some(key.strip_prefix(&top)?.split('/').next()?.to_owned()))
            .collect();
        names.dedup();
        names
    }
}

const ID: &str = "0123456789abcdef0123456789abcdef";

fn guest() -> Guest {
    Guest {
        hostname: "www.example.org".to_owned(),
        network: Network::default(),
        resolver: None,
        others: String::new(),
        age: Age::Known,
        keep: Vec::new(),
    }
}

fn built() -> Guest {
    Guest { age: Age::Built { machine_id: ID.to_owned() }, ..guest() }
}

/// With one interface.
fn with(name: &str, addresses: &[(&str, u8)], route: Route) -> Guest {
    let address = |(ip, prefix): &(&str, u8)| Address { ip: ip.parse().unwrap(), prefix: *prefix };
    let addresses = addresses.iter().map(address).collect();
    let interfaces = vec![Interface { name: name.to_owned(), addresses, dhcp: false, route }];
    Guest { network: Network { shared: false, interfaces }, ..guest() }
}

/// As OpenVZ has it: one address, and everything goes through the device.
fn venet() -> Guest {
    with("venet0", &[("192.0.2.10", 32)], Route::Device)
}
