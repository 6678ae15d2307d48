//! Killed in the middle of a start and of a stop, with all that a network can have: `gc` leaves nothing.

use super::host;
use crate::declared::until;
use crate::links::{lay, look};
use jaula_tests::harness::{Cable, Done, Outcome, Survived, Test, Victim, busybox_root, fault_at_calls};
use jaula_tests::trials;
use libtest_mimic::Trial;

pub(super) fn trials() -> Vec<Trial> {
    trials!("firewall": privileged [
        a_start_with_all_of_a_network_is_killed,
        a_keeper_with_all_of_a_network_is_killed_while_it_starts,
        a_keeper_with_all_of_a_network_is_killed_while_it_stops,
        links_that_others_delete,
    ])
}

/// A host with a jail that has addresses of the net around and one of its own, forwards, translation, a limit of
/// connections, a guard and rates.
struct Host<'t> {
    cable: Cable<'t>,
    name: String,
    before: String,
    switches: String,
}

impl<'t> Host<'t> {
    fn new(t: &'t Test) -> Outcome<Self> {
        let cable = lay(t)?;
        let name = t.name("victim");
        let root = format!("dir:{}", busybox_root()?.display());
        let keys = [
            "network.addresses=[\"192.0.2.10\", \"10.90.0.2\", \"2001:db8::10\", \"fd00:90::2\"]",
            "network.forward=[\"tcp 8080-8082 -> 80-82\", \"udp 192.0.2.2:53 -> 53\"]",
            "network.connections=9",
            "network.rate.in=50mbit",
            "network.rate.out=10mbit",
            "network.probe=false",
        ];
        let keys: Vec<&str> = keys.iter().flat_map(|key| ["--set", *key]).collect();
        let create = ["create", &name, "--root", &root, "--network", "routed"];
        cable.jaula().ok(&[&create[..], &keys, &["--", "/bin/sleep", "1000"]].concat())?;
        let (before, switches) = (all(&cable)?, switches(&cable)?);
        Ok(Self { cable, name, before, switches })
    }

    fn pid(&self, who: &str) -> Option<i64> {
        let status = self.cable.jaula().json(&["status", &self.name, "--json"]).ok()?;
        if who == "first" { status[0]["pid"].as_i64() } else { status[0]["keeper"]["pid"].as_i64() }
    }

    /// After `gc` it runs with all that it has, or nothing of it is there; stopped, nothing is.
    fn is_clean(&self, done: &Done) -> Outcome {
        assert!(!done.stderr.contains("panicked"), "{done}");
        let jaula = self.cable.jaula();
        let mut after = String::new();
        until("nothing of the jail", || {
            jaula.run(&["gc"]).ok()?;
            if self.pid("first").is_some() {
                jaula.run(&["stop", &self.name]).ok()?;
            }
            after = all(&self.cable).ok()?;
            (after == self.before).then_some(())
        })
        .map_err(|stop| format!("{stop:?}: left:\n{after}\nbefore:\n{}", self.before).into())
    }

    /// Each run takes a quarter of a second: at each `step`th call only.
    fn killed_while_it_starts(&self, victim: Victim, step: usize) -> Outcome<Survived> {
        let start = || Ok((victim, self.cable.jaula().command(["start", &self.name])?));
        fault_at_calls(step, start, |done| self.is_clean(done))
    }

    /// Kills were many, and the host's switches are as they were.
    fn survived(&self, survived: Survived, least: u32) -> Outcome {
        assert!(survived.kills >= least, "{survived:?}");
        assert_eq!(switches(&self.cable)?, self.switches);
        Ok(())
    }
}

/// Links, addresses, routes, whom the host answers for, and all rules.
fn all(cable: &Cable<'_>) -> Outcome<String> {
    Ok(look(cable)? + &host(cable, &["nft", "list", "ruleset"])?.ok()?)
}

fn switches(cable: &Cable<'_>) -> Outcome<String> {
    cable.server(&["sysctl", "-a", "-r", "^net[.](ipv4|ipv6|netfilter|bridge)[.].*(conf|forward)"])?.ok()
}

fn a_start_with_all_of_a_network_is_killed(t: &Test) -> Outcome {
    let host = Host::new(t)?;
    host.survived(host.killed_while_it_starts(Victim::Main, 2)?, 20)
}

fn a_keeper_with_all_of_a_network_is_killed_while_it_starts(t: &Test) -> Outcome {
    let host = Host::new(t)?;
    host.survived(host.killed_while_it_starts(Victim::Keeper, 5)?, 150)
}

fn a_keeper_with_all_of_a_network_is_killed_while_it_stops(t: &Test) -> Outcome {
    let host = Host::new(t)?;
    let begin = || {
        host.cable.jaula().ok(&["start", &host.name])?;
        let keeper = host.pid("keeper").ok_or("no keeper")?;
        Ok((Victim::Running(i32::try_from(keeper)?), host.cable.jaula().command(["stop", &host.name])?))
    };
    let survived = fault_at_calls(3, begin, |done| host.is_clean(done))?;
    host.survived(survived, 60)
}

/// Its own link, and the one to the net around: its end goes through, and nothing of it is left.
fn links_that_others_delete(t: &Test) -> Outcome {
    let host = Host::new(t)?;
    let jaula = host.cable.jaula();
    jaula.ok(&["start", &host.name])?;
    let links = host.cable.server(&["ip", "-br", "link"])?.ok()?;
    let own = links.lines().find_map(|line| line.strip_prefix('j')?.split('@').next());
    let own = format!("j{}", own.ok_or("no link")?);
    host.cable.server(&["ip", "link", "delete", &own])?.ok()?;
    // Others come and go beside it.
    let second = t.name("second");
    let keys = ["--network", "routed", "--set", "network.addresses=[\"10.90.0.3\"]"];
    jaula.ok(&[&["create", &second, "--root", "host"], &keys[..], &["--", "sleep", "1000"]].concat())?;
    jaula.ok(&["start", &second])?;
    jaula.ok(&["gc"])?;
    jaula.ok(&["stop", &host.name])?;
    assert!(all(&host.cable)?.contains("10.90.0.3"), "the other one's is there");
    jaula.ok(&["stop", &second])?;
    assert_eq!(all(&host.cable)?, host.before);
    jaula.ok(&["start", &host.name])?;
    host.cable.server(&["ip", "link", "delete", "cable"])?.ok()?;
    jaula.ok(&["gc"])?;
    jaula.ok(&["stop", &host.name])?;
    let left = host.cable.server(&["sh", "-c", "ip -o link; ip neigh show proxy; nft list ruleset"])?.ok()?;
    assert_eq!(left.lines().count(), 1, "{left}");
    Ok(())
}
