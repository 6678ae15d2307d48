//! What a jail has left in a network namespace is taken away from another one.

use super::{host, lay};
use jaula_tests::harness::{Cable, Outcome, Test, command};
use jaula_tests::trials;
use libtest_mimic::Trial;

pub(super) fn trials() -> Vec<Trial> {
    trials!("firewall": privileged [
        what_is_left_elsewhere_is_undone_there,
        what_went_elsewhere_is_nobody_elses,
    ])
}

/// Addresses, rules, and whom the host answers for.
const LOOK: [&str; 3] =
    ["sh", "-c", "ip -o addr | grep -o 'inet.* scope'; ip neigh show proxy; nft list ruleset"];

/// Starts a jail of each kind, and kills them with their keepers; the rules and the addresses stay.
fn leave(cable: &Cable<'_>, t: &Test) -> Outcome<String> {
    let jaula = cable.jaula();
    let (routed, bound) = (t.name("routed"), t.name("bound"));
    let kinds = [
        (
            &routed,
            "routed",
            "network.addresses=[\"192.0.2.77\", \"10.90.0.2\"]",
            "network.forward=[\"tcp 8080 -> 80\"]",
        ),
        (&bound, "bind", "network.addresses=[\"192.0.2.78/24 dev cable\"]", "network.probe=false"),
    ];
    let before = host(cable, &LOOK)?.ok()?;
    for (name, mode, addresses, more) in kinds {
        let create = ["create", name, "--root", "host", "--network", mode, "--set", addresses, "--set", more];
        jaula.ok(&[&create[..], &["--set", "network.probe=false", "--", "sleep", "1007"]].concat())?;
        jaula.ok(&["start", name])?;
        let status = jaula.json(&["status", name, "--json"])?;
        let (keeper, first) = (&status[0]["keeper"]["pid"], &status[0]["pid"]);
        let kill = format!(
            "kill -9 {keeper} {first}; for i in $(seq 200); do kill -0 {first} 2>&- || break; sleep .02; done"
        );
        command(&["sh", "-c", &kill])?.ok()?;
    }
    let left = host(cable, &LOOK)?.ok()?;
    for what in ["192.0.2.77", "192.0.2.78", "table inet jaula", "table netdev jaula"] {
        assert!(left.contains(what), "{left}");
    }
    Ok(before)
}

fn what_is_left_elsewhere_is_undone_there(t: &Test) -> Outcome {
    let cable = lay(t)?;
    let before = leave(&cable, t)?;
    let done = cable.jaula_elsewhere().ok(&["gc"])?;
    assert!(done.matches("ended without its keeper; undone").count() == 2, "{done}");
    assert_eq!(host(&cable, &LOOK)?.ok()?, before);
    Ok(())
}

fn what_went_elsewhere_is_nobody_elses(t: &Test) -> Outcome {
    let gone = lay(t)?;
    leave(&gone, t)?;
    drop(gone);
    // Another host with an address of theirs on an interface of the same name.
    let cable = Cable::lay(t, &["192.0.2.78"])?;
    let before = host(&cable, &LOOK)?.ok()?;
    let done = cable.jaula().ok(&["gc"])?;
    assert!(done.matches("ended without its keeper; undone").count() == 2, "{done}");
    assert_eq!(host(&cable, &LOOK)?.ok()?, before);
    let shared: Vec<_> = std::fs::read_dir(t.root().join("run/jaula/.shared"))?.collect();
    assert!(shared.is_empty(), "{shared:?}");
    Ok(())
}
