use super::checks::Fix;
use super::tree::{Found, Trait};
use super::*;
use std::collections::BTreeSet;

fn report(config: &str, tree: &Tree, user: u32) -> Report {
    let config = Config::parse(config).unwrap();
    let jail = Jail { user, decides_ports: true, ..Jail::new(&config, Arch::X86_64, tree).unwrap() };
    jail.report()
}

fn badness(report: &Report, name: &str) -> u32 {
    report.findings.iter().find(|(check, _)| check.name == name).unwrap_or_else(|| panic!("{name}")).1.badness
}

#[test]
fn the_table_is_in_order() {
    let mut names = BTreeSet::new();
    for check in checks::all() {
        assert!(names.insert(check.name), "{} twice", check.name);
        assert!(check.weight > 0 && check.range > 0 && check.doc.ends_with(['.', '?']), "{}", check.name);
    }
    for name in ["setuid", "setgid", "sys_admin", "mac_override", "audit_read", "bpf"] {
        assert!(crate::caps::Capability::from_name(name).is_some(), "{name}");
    }
}

#[test]
fn no_finding_is_worse_than_its_range() {
    let mut tree = Tree { files: 10, ..Tree::default() };
    for what in
        [Trait::Program, Trait::Setuid, Trait::Secret, Trait::HostControl, Trait::Writable, Trait::Shell]
    {
        tree.found.insert(what, Found { count: 5000, examples: vec!["/x".into()] });
    }
    for config in [
        "root.from = \"host\"\nnetwork.mode = \"host\"\nsecurity.profile = \"server\"\nsecurity.nesting = true",
        "root.from = \"app:/bin/x\"",
        "security.profile = \"strict\"",
    ] {
        for (check, finding) in report(config, &tree, 0).findings {
            assert!(finding.badness <= check.range, "{}: {finding:?}", check.name);
            assert!(!finding.found.is_empty(), "{}", check.name);
            assert!(finding.badness > 0 || finding.fix == Fix::None, "{}: {finding:?}", check.name);
        }
    }
}

#[test]
fn scores_add_up_as_systemd_has_it() {
    // 1 of 2 weights of 100 open, at half its badness: 25 of 200, rounded up to tenths of 10.
    assert_eq!(share([(100, 10, 5), (100, 1, 0)].into_iter()), Score(25));
    assert_eq!(share([(1, 3, 1), (999, 1, 0)].into_iter()), Score(1));
    assert_eq!(share([(7, 1, 1)].into_iter()), Score(100));
    for (tenths, word) in
        [(0, "PERFECT"), (1, "SAFE"), (10, "OK"), (49, "OK"), (50, "MEDIUM"), (75, "EXPOSED")]
    {
        assert_eq!(Score(tenths).word(), word);
    }
    assert_eq!(Score(100).to_string(), "10.0");
}

/// Each key that a finding names lowers that finding when it is set.
#[test]
fn every_setting_lowers_what_names_it() {
    let mut tree = Tree::default();
    for what in [Trait::Setuid, Trait::Capable, Trait::Writable, Trait::WritableProgram] {
        tree.found.insert(what, Found { count: 1, examples: vec!["/x".into()] });
    }
    let mut tried = BTreeSet::new();
    for text in [
        "network.mode = \"host\"\nsecurity.profile = \"server\"\nroot.from = \"dir:/x\"",
        "root.from = \"host\"",
        "security.nesting = true\nsecurity.devices = [\"null\", \"fuse\"]\nroot.from = \"dir:/x\"",
        "boot.user = \"1\"\nsecurity.capabilities = [\"+kill\"]",
        "security.system_calls = [\"+bpf\", \"+personality\"]\nroot.writes = \"discarded\"",
    ] {
        let config = Config::parse(text).unwrap();
        let user = u32::from(config.boot.user.is_some());
        let jail = Jail { user, ..Jail::new(&config, Arch::X86_64, &tree).unwrap() };
        let before = jail.report();
        for (check, finding) in &before.findings {
            let Fix::Set { settings, .. } = &finding.fix else { continue };
            let after = steps::with(&jail, settings).unwrap_or_else(|| panic!("{text}: {settings:?}"));
            // What lies in the tree stays as it was found; only a look at it again could tell.
            if matches!(check.name, "writable-files" | "writable-programs") {
                continue;
            }
            assert!(badness(&after, check.name) < finding.badness, "{text}: {}: {settings:?}", check.name);
            tried.insert(check.name);
        }
    }
    for name in
        ["user", "private-network", "listen", "cap-kill", "calls-resources", "sockets-netlink", "ambient"]
    {
        assert!(tried.contains(name), "{name} in {tried:?}");
    }
}

const SERVES: &str = "network.mode = \"host\"\nnetwork.listen = [\"tcp 80\"]";

#[test]
fn steps_are_the_best_first_and_add_nothing() {
    let config = Config::parse("root.from = \"app:/bin/x\"\nnetwork.mode = \"host\"").unwrap();
    let tree = Tree::default();
    let jail = Jail::new(&config, Arch::X86_64, &tree).unwrap();
    let steps = steps::steps(&jail, &jail.report());
    assert!(steps.windows(2).all(|two| two[0].gain >= two[1].gain));
    assert_eq!(steps[0].settings, ["boot.user=1000"], "{steps:?}");
    assert!(steps.iter().any(|step| step.settings == ["network.mode=none"]));
    let config = Config { network: Config::parse(SERVES).unwrap().network, ..config };
    let jail = Jail::new(&config, Arch::X86_64, &tree).unwrap();
    let steps = steps::steps(&jail, &jail.report());
    assert!(!steps.iter().any(|step| step.settings == ["network.mode=none"]), "it serves something");
}

#[test]
fn what_nobody_can_hold_does_not_count() {
    let tree = Tree::default();
    let root = report("root.from = \"app:/bin/x\"", &tree, 0);
    let user = report("root.from = \"app:/bin/x\"\nboot.user = \"1\"", &tree, 1);
    assert_eq!((badness(&root, "cap-setuid"), badness(&user, "cap-setuid")), (1, 0));
    assert!(user.capabilities.bits() == 0 && user.score < root.score);
    let gains = "root.from = \"dir:/x\"\nboot.user = \"1\"\nsecurity.no_new_privileges = false";
    assert_eq!(badness(&report(gains, &tree, 1), "cap-setuid"), 1);
}
